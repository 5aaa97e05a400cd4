"""What a chip lacks, kind by kind of need, and what is only noted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from neurodeploy.errors import DoesNotFit
from neurodeploy.flow.support import lacking, needs_of, notes_of, refuse
from neurodeploy.ir.chip import ChipSpec
from neurodeploy.ir.network import Network
from neurodeploy.ir.population import Population
from neurodeploy.ir.program import Program
from neurodeploy.neurons.registry import MODELS
from partitioner.judge.summary import explain, summary
from partitioner.mapper import map_model
from targets.loihi1 import LOIHI1
from targets.loihi2 import LOIHI2
from targets.systems import SYSTEMS, get_system
from tests.partitioner.make import conv, dense, join, lif, network, source
from tests.refusals import refused

CHIP = replace(LOIHI2, name="chip", formats={**LOIHI2.formats, "payload_bits": 16, "state_bits": 20, "delay_steps": 2})


def net(middle: Population, **link: Any) -> Network:
    """5 inputs -> 6 neurons -> 4 LIF."""
    return network(
        [source("i", 5), middle, lif("last", 4)],
        join("in", "i", "p", dense(6, 5), **link),
        join("out", "p", "last", dense(4, 6)),
    )


def words(model: Network, chip: ChipSpec, weight_bits: int | None = None) -> list[str]:
    return [str(lack) for lack in lacking(chip, needs_of(model, weight_bits))]


@pytest.mark.parametrize("name", MODELS)
def test_which_models_a_chip_has(name: str) -> None:
    own = {"lif", "lif_refractory", "lif_reset", "lif_subtract", "threshold"}
    assert LOIHI2.supports.neuron(name) is not None
    assert (LOIHI1.supports.neuron(name) is not None) == (name in own)


def test_widths() -> None:
    assert not words(net(lif("p", 6)), LOIHI2) and not words(net(lif("p", 6)), LOIHI1)
    graded = net(Population("p", (6,), "sigma"))
    assert words(graded, CHIP) == ["p: graded payloads of 24 bits, chip has 16", "p: neuron state of 24 bits, chip has 20",
                                   "last: neuron state of 24 bits, chip has 20"]  # fmt: skip
    affine = {"multiplier": 3, "shift": 1, "out_bits": 12, "state_bits": 18}
    assert words(net(Population("p", (6,), "graded_affine", affine)), CHIP) == [
        "last: neuron state of 24 bits, chip has 20"
    ]
    delayed = net(lif("p", 6), delay=np.array([0, 1, 5, 0, 0], np.uint8))
    assert words(delayed, CHIP)[-1] == "in: delays of 5 steps, chip has 2"
    assert words(net(lif("p", 6), weight_bits=12), LOIHI2) == ["in: weights of 12 bits, loihi2 has 8"]
    assert not words(net(lif("p", 6), weight_bits=12), LOIHI2, weight_bits=4)


def test_ways_of_keeping_synapses() -> None:
    lists = {"list": LOIHI2.supports.synapses["list"]}
    plain = replace(LOIHI2, supports=replace(LOIHI2.supports, synapses=lists))
    image = network([source("i", 4, 4, 2), lif("p", 4, 4, 3)], join("c", "i", "p", conv((4, 4, 2), 3, padding=(1, 1))))
    assert not words(image, LOIHI2)
    error = refused(DoesNotFit, "ND2090 c: keeps its weights as a kernel, which loihi2", refuse, plain, needs_of(image))
    assert error.fix == "choose a system whose chip has it"
    assert not words(net(lif("p", 6)), plain)


def test_the_fix_names_the_systems_that_have_all() -> None:
    others, sigma = tuple(SYSTEMS.values()), Population("p", (6,), "sigma")
    error = refused(DoesNotFit, "ND2090 p: .* sigma, which loihi1", refuse, LOIHI1, needs_of(net(sigma)), others)
    assert error.fix == "loihi2 has it (oheo-gulch, kapoho-point, vpx-16, alia-point, hala-point)"
    wide = needs_of(net(sigma, weight_bits=12))
    assert refused(DoesNotFit, "ND2090", refuse, LOIHI1, wide, others).fix == "no known system has it"
    narrow = refused(DoesNotFit, "ND2004 in", refuse, LOIHI1, needs_of(net(lif("p", 6), weight_bits=12)), others)
    assert narrow.fix == "quantise them to 8 bits and a weight exponent"


def test_what_is_only_counted_is_said() -> None:
    """Inputs that do not say how wide they are, and models that Loihi 1 is counted as having, are mapped with a note."""
    model = net(Population("p", (6,), "lif_subtract", {"du": 0, "dv": 0, "vth": 3}), graded=True)
    assert not notes_of(model, LOIHI2)
    system = get_system("loihi1-nahuku")
    mapping = map_model(Program.of(model), system)
    said, values = notes_of(model, LOIHI1)
    assert "counted as lif" in said and values == "input i may send graded payloads of 32 bits, loihi1 has 1"
    assert mapping.notes[:2] == (said, values)
    assert summary(mapping, Program.of(model), system)["metrics"]["mapper"]["notes"][:2] == [said, values]
    assert explain(mapping)[1]["reason"].endswith(said)
    told = replace(model, populations={**model.populations, "i": replace(model.populations["i"], params={"bits": 8})})
    refused(DoesNotFit, "ND2004 i: graded payloads of 8 bits, loihi1 has 1", map_model, Program.of(told), system)
