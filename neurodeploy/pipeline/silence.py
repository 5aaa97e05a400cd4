"""What a network does without any input, where a bias drives it: the bins by which a start out of phase shows."""

from __future__ import annotations

import numpy as np

from neurodeploy.conversion.spiking.compare import compare_spikes
from neurodeploy.conversion.spiking.report import QuantizationReport
from neurodeploy.conversion.spiking.starts import LATE
from neurodeploy.ir.float_network import FloatNetwork, Loss
from neurodeploy.ir.network import Network

#: Steps of silence, and synapses and neurons times steps that are a matter of seconds.
STEPS, MOST = 100, 1 << 26


def out_of_phase(real: FloatNetwork, network: Network, report: QuantizationReport, scheme: str) -> list[str]:
    """A line with the bins of each output that differ in silence, if a population could not start in phase."""
    from simulators import float_network
    from simulators.reference import ReferenceRunner

    late = [note for note in report.notes if isinstance(note, Loss) and note.found.startswith(LATE)]
    size = network.neurons + sum(p.synapse.count() for p in network.projections)
    if not late or size * STEPS > MOST:
        return []
    steps = STEPS + report.latency
    silent = {name: np.zeros((1, STEPS, real.nodes[name].size)) for name in real.inputs}
    fed = {name: np.zeros((1, steps, network.populations[name].size), np.int64) for name in network.inputs}
    before = float_network.run(real, silent, scheme=scheme).outputs
    result = ReferenceRunner().run(network, fed, steps)
    return [
        f"{row.output}: {row.differing} of {row.bins} bins differ from the float network in {STEPS} steps of silence, as "
        f"{', '.join(note.where for note in late)} starts out of phase"
        for row in compare_spikes(before, result, report.outputs)
        if not row.graded
    ]
