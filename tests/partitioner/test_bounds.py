from __future__ import annotations

from types import SimpleNamespace

import pytest

from partitioner import lower_bound


@pytest.mark.parametrize(
    ("budget", "bound", "resource"),
    [
        ({"neurons": 10}, 10, "neurons"),
        # 64 columns: header 4 B and 100 weights each
        ({"synapse_bytes": 64 * 104 // 13}, 13, "synapse_bytes"),
        ({"in_axons": 16}, 4, "in_axons"),
        ({"out_axons": 25}, 4, "out_axons"),
        ({"state_bytes": 1000}, 3, "state_bytes"),  # 1600 + 8 * 164 = 2912
    ],
)
def test_the_scarcest_resource_binds(make: SimpleNamespace, budget: dict[str, int], bound: int, resource: str) -> None:
    program = make.of_islands([make.island("a", [("up", 100, 0)], 64)])
    assert lower_bound(program, make.chip(**budget)) == (bound, resource)


def test_unknown_limits_bind_nothing(make: SimpleNamespace) -> None:
    program = make.of_islands([make.island("a", [("up", 100, 0)], 64)])
    free = make.chip(neurons=None, synapse_bytes=None, in_axons=None, out_axons=None, state_bytes=None)
    assert lower_bound(program, free) == (0, "none")


def test_narrow_weights_lower_the_bound(make: SimpleNamespace) -> None:
    program = make.llama(2)
    chip = make.chip()
    assert lower_bound(program, chip, weight_bits=4)[0] < 0.51 * lower_bound(program, chip)[0]
