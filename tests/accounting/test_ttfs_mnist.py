"""The network of neurons that fire once: its shapes, and its measured joules and seconds."""

from __future__ import annotations

import pytest

from benchmarks.ttfs_mnist import FIXED_S, LAYERS, PUBLISHED, network, priced, rows, ttfs_mnist
from neurodeploy.flow.loads import CONV_SYNOPS, SPIKES, SYNOPS
from targets.systems import get_system


def test_shapes_give_its_counts() -> None:
    """Every tap of a convolution once a picture, three synapses a neuron beside; every neuron one spike."""
    net, _ = network()
    sizes = [net.populations[name].size for name in LAYERS]
    assert sizes == [3456, 864, 768, 192, 120, 10] and sum(sizes) == 5410
    run = ttfs_mnist(get_system("loihi1-nahuku"), 16)
    (step,) = run.steps
    done = step.loads.sum(axis=0) * step.times
    assert run.cores_used == 11 and step.times == 91
    taps = 3456 * 25 + 864 * 4 + 768 * 150 + 192 * 4 + 120 * 192 + 10 * 120
    assert done[[CONV_SYNOPS, SYNOPS, SPIKES]] == pytest.approx([taps, 3 * 5410, 5410 + 18])


def test_it_lands_where_it_was_measured() -> None:
    for published in PUBLISHED:
        found = rows(published, FIXED_S)
        for name in ("time of a step, s", "core dynamic energy of a picture, J"):
            there, here = found[name]
            assert here == pytest.approx(there, rel=0.3), (published.steps, name)


def test_what_is_fixed_is_paid_once_a_picture() -> None:
    short, long = (priced(16, fixed).seconds.nominal for fixed in (0.0, FIXED_S))
    assert long - short == pytest.approx(FIXED_S)
