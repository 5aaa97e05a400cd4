"""What stands for the model of a population that is fed from outside (`ir.population.INPUT`): payloads, and which are sent.

The host that encodes it (`ops.host.border`) does what its thresholds and its choice say; where streams feed it, it has none.
"""

from __future__ import annotations

from neurodeploy.ir.population import INPUT
from neurodeploy.neurons.graded_choice import CHOICE
from neurodeploy.neurons.model import NeuronModel, Param
from neurodeploy.neurons.registers import THRESHOLD

FED = NeuronModel(
    name=INPUT,
    equation=lambda *_: {},
    params={
        "bits": Param(2, 32, "width of a payload, sign included: symmetric below 32", 32, per_neuron=False),
        "vth": THRESHOLD,
        **CHOICE,
    },
    ports={},
    out_bits=32,
)
