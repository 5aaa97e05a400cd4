from __future__ import annotations

from fractions import Fraction

import pytest

from neurodeploy.errors import InternalError
from neurodeploy.ir.graph import HostOp
from neurodeploy.ops import OPERATIONS
from partitioner.classify import activity_of, assign
from tests.islands import steps_of
from tests.partitioner import make


def test_every_host_operation_has_a_reason_and_a_remedy() -> None:
    reasons = [operation.reason for operation in OPERATIONS.values()]
    assert all(reason.rule and reason.text and reason.remedy for reason in reasons)


def test_every_step_is_assigned_in_order() -> None:
    program = make.llama(2, 64, 32, 128, 100, 16, experts=4)
    found = assign(program, make.chip())
    assert [entry.path for entry in found] == [step.path for step in steps_of(program)]
    for step, entry in zip(steps_of(program), found, strict=True):
        assert entry.device == ("host" if isinstance(step, HostOp) else "chip")
        assert entry.op == (step.op if isinstance(step, HostOp) else "island")
        assert (entry.reason.rule == "static-projection") == (entry.device == "chip")


def test_bytes_of_a_dense_layer_by_hand() -> None:
    program = make.llama(1, 64, 32, 128, 100, 16, head=False)
    found = {entry.path: entry.bytes_per_token for entry in assign(program, make.chip())}
    chip = {
        "layers.0.qkv": 64 + 128,
        "layers.0.o": 64 + 64,
        "layers.0.mlp.gate_up": 64 + 256,
        "layers.0.mlp.down": 128 + 64,
    }
    assert {path: found[path] for path in chip} == {path: 4 * messages for path, messages in chip.items()}
    host = {
        "x0": 0,  # the embedding feeds a norm on the host
        "layers.0.norm1": 64,  # makes what qkv encodes
        "layers.0.qr": 64,  # reads q
        "layers.0.kr": 32,  # reads k
        "layers.0.context": 32 + 64,  # reads v, makes what o encodes
        "layers.0.mid": 64,  # reads what o returned
        "layers.0.norm2": 64,
        "layers.0.mlp.glu": 256 + 128,
        "x1": 64,
        "final": 0,
    }
    assert {path: found[path] for path in host} == {path: 4 * messages for path, messages in host.items()}


@pytest.mark.parametrize("experts", [0, 4])
def test_both_views_add_up_to_the_same_border(experts: int) -> None:
    """Every crossing of this program has a host operation at its other end, so the two columns agree."""
    found = assign(make.llama(3, 64, 32, 128, 100, 16, experts=experts, head=False), make.chip())
    chip = sum(entry.bytes_per_token for entry in found if entry.device == "chip")
    host = sum(entry.bytes_per_token for entry in found if entry.device == "host")
    assert chip == host > 0


def test_the_last_island_gives_the_output_to_no_host_operation() -> None:
    found = assign(make.llama(1, 64, 32, 128, 100, 16), make.chip())
    chip = sum(entry.bytes_per_token for entry in found if entry.device == "chip")
    host = sum(entry.bytes_per_token for entry in found if entry.device == "host")
    assert chip - host == 4 * 100  # the logits


def test_an_expert_counts_for_its_share_of_tokens() -> None:
    program = make.llama(1, 64, 32, 128, 100, 16, experts=8, top_k=2)
    activity = activity_of(program)
    assert activity["layers.0.experts.3.down"] == Fraction(1, 4)
    assert activity["layers.0.shared.down"] == activity["layers.0.qkv"] == 1
    found = {entry.path: entry.bytes_per_token for entry in assign(program, make.chip())}
    assert found["layers.0.experts.3.down"] * 4 == found["layers.0.shared.down"] == 4 * (128 + 64)
    assert found["layers.0.routing"] == 4 * 8


def test_an_operation_that_is_not_in_the_table_is_our_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    program = make.llama(1, 64, 32, 128, 100, 16)
    monkeypatch.delitem(OPERATIONS, "glu")
    with pytest.raises(InternalError, match="ND9103"):
        assign(program, make.chip())
