from __future__ import annotations

import re

import pytest

from neurodeploy.errors import DoesNotFit, UserError
from partitioner.files.json_form import mapping_to_json
from partitioner.judge.summary import explain, summary
from partitioner.mapper import map_model
from partitioner.options import Options
from partitioner.verify.violations import verify
from tests.islands import islands_of, steps_of
from tests.partitioner import make
from tests.refusals import refused

QUICK = Options(place=False)


def test_llama_1b_is_cut_and_packed_close_to_the_bound() -> None:
    """16 layers, d 2048, ffn 8192, vocabulary 128256: 1.24 G weights of one byte in cores of 128 KiB."""
    program, board = make.llama(), make.system(make.chip(), 100)
    mapping = map_model(program, board, Options(place=False))
    assert verify(mapping, program, board) == []
    weights = sum(item.neurons.size * item.source.size for item in islands_of(program).values())
    assert weights / 131072 < mapping.lower_bound <= mapping.cores_used < 1.01 * mapping.lower_bound
    assert mapping.chips_used == -(-mapping.cores_used // 120)
    assert mapping.binding_resource == "synapse_bytes"
    assert mapping.unknown_limits == ("out_axons",)


def test_attention_layers_stay_on_one_chip_at_no_extra_chip() -> None:
    program, board = make.llama(4, head=False), make.system(make.chip(), 100)
    mapping = map_model(program, board)
    chips: dict[str, set[int]] = {}
    for shard in mapping.shards:
        chips.setdefault(shard.group, set()).add(shard.chip)
    whole = [len(found) == 1 for name, found in chips.items() if name.endswith("attention")]
    assert len(whole) == 4
    assert all(whole)
    assert mapping.chips_used == -(-mapping.cores_used // 120)


def test_experts_stay_on_one_chip() -> None:
    program, board = make.llama(4, 512, 128, 1024, 2048, 64, experts=16), make.system(make.chip(), 10)
    mapping = map_model(program, board)
    assert verify(mapping, program, board) == []
    chips: dict[str, set[int]] = {}
    for shard in mapping.shards:
        chips.setdefault(shard.group, set()).add(shard.chip)
    experts = {name: found for name, found in chips.items() if ".experts." in name}
    assert len(experts) == 64
    assert sum(len(found) > 1 for found in experts.values()) <= mapping.chips_used - 1


def test_routers_share_cores() -> None:
    items = [make.island(f"router{n}", [("router", 8, 0)], 256) for n in range(10)]
    mapping = map_model(make.of_islands(items), make.system(make.chip(), 1))
    assert mapping.cores_used == 1
    assert len(mapping.shards) == 10


def test_the_same_program_gives_the_same_mapping() -> None:
    board = make.system(make.chip(), 20)
    first, second = (mapping_to_json(map_model(make.llama(3, 512, 128, 1024, 999, 64), board)) for _ in range(2))
    assert first == second


def test_max_rows_spreads_the_rows() -> None:
    program, board = make.llama(1, 256, 64, 512, 100, 32), make.system(make.chip(), 10)
    wide, spread = map_model(program, board), map_model(program, board, Options(max_rows=16))
    assert spread.cores_used > wide.cores_used
    rows: dict[tuple[int, int], int] = {}
    for shard in spread.shards:
        rows[shard.chip, shard.core] = rows.get((shard.chip, shard.core), 0) + shard.row_count
    assert max(rows.values()) == 16
    assert verify(spread, program, board) == []


def test_narrow_weights_of_the_program_are_packed() -> None:
    board = make.system(make.chip(), 100)
    eight, four = make.llama(2), make.llama(2, bits=4)
    assert map_model(four, board, QUICK).cores_used < 0.55 * map_model(eight, board, QUICK).cores_used


def test_what_if_weights_were_narrow_is_no_mapping_for_the_program_as_it_is() -> None:
    program, board = make.llama(2), make.system(make.chip(), 100)
    mapping = map_model(program, board, Options(weight_bits=4, place=False))
    assert verify(mapping, program, board, weight_bits=4) == []
    assert any("synapse_bytes" in text for text in verify(mapping, program, board))
    assert summary(mapping, program, board, weight_bits=4)["fits"]
    assert not summary(mapping, program, board)["fits"]


def test_too_few_chips_says_what_is_needed_and_what_helps() -> None:
    program, spec = make.llama(6, head=False), make.chip()
    boards = [make.system(spec, chips, f"board{chips}") for chips in (2, 8, 30, 1152)]
    with pytest.raises(DoesNotFit) as caught:
        map_model(program, boards[1], QUICK, alternatives=boards)
    error = caught.value
    needed = map_model(program, boards[2], QUICK)
    assert error.code == "ND2001"
    assert error.exit_status == 3
    said = re.match(r"needs (\d+) chips \((\d+) cores\) at 8-bit weights", error.problem)
    assert said is not None
    assert int(said[1]) == needed.chips_used
    assert needed.lower_bound <= int(said[2]) <= 120 * needed.chips_used
    assert "board8 offers 8 (960 cores); synapse_bytes binds" in error.problem
    four = map_model(program, boards[2], Options(weight_bits=4, place=False)).chips_used
    two = map_model(program, boards[2], Options(weight_bits=2, place=False)).chips_used
    assert two <= 8 < four
    fix = f"board30 (30 chips) holds it, or 4-bit weights need {four} chips, or 2-bit weights need {two} chips"
    assert error.fix == fix


def test_a_cap_on_chips_is_named_as_the_way_out() -> None:
    program, board = make.llama(4), make.system(make.chip(), 100)
    needed = map_model(program, board, QUICK).chips_used
    with pytest.raises(DoesNotFit) as caught:
        map_model(program, board, Options(chips=needed - 1, max_rows=1000, place=False))
    assert f"allow {needed} of the 100 chips of testboard" in caught.value.fix
    assert f"without the cap of 1000 neurons a core it needs {needed}" in caught.value.fix
    exact = map_model(program, board, Options(chips=needed, place=False))
    assert exact.chips_available == exact.chips_used == needed


def test_no_known_system_is_said() -> None:
    board = make.system(make.chip(), 2)
    with pytest.raises(DoesNotFit, match="no known system has"):
        map_model(make.llama(3), board, alternatives=[board])


@pytest.mark.parametrize(
    ("name", "value"), [("weight_bits", 0), ("weight_bits", 9), ("max_rows", 0), ("chips", 0), ("chips", 5)]
)
def test_arguments_out_of_range(name: str, value: int) -> None:
    program, board = make.llama(1, 64, 32, 128, 100, 16), make.system(make.chip(), 4)
    refused(UserError, f"ND2003 {name}", map_model, program, board, Options(**{name: value}))  # type: ignore[arg-type]


@pytest.mark.parametrize("formats", [{"payload_bits": 1}, {"payload_bits": 16}, {"state_bits": 16}, {"weight_bits": 4}])
def test_a_chip_with_narrower_numbers_is_refused(formats: dict[str, int]) -> None:
    with pytest.raises(DoesNotFit) as caught:
        map_model(make.llama(1, 64, 32, 128, 100, 16), make.system(make.chip(**formats), 4))
    assert caught.value.code == "ND2004"
    assert caught.value.subject.removesuffix(".synapses") == "layers.0.qkv"


def test_summary_and_explain() -> None:
    program, board = make.llama(1, 256, 64, 512, 1000, 32), make.system(make.chip(), 4)
    mapping = map_model(program, board)
    found = summary(mapping, program, board)
    assert found["fits"] is True
    assert found["violations"] == []
    assert found["cores_used"] == mapping.cores_used >= found["cores_lower_bound"]
    assert found["unknown_limits"] == ["out_axons"]
    assert found["utilisation"]["out_axons"]["max"] is None
    assert 0.0 < found["utilisation"]["synapse_bytes"]["mean"] <= found["utilisation"]["synapse_bytes"]["max"] <= 1.0
    assert [entry["op"] for entry in found["host_ops"]].count("rmsnorm") == 3
    assert set(found["host_ops"][0]) == {"path", "op", "rule", "reason", "bytes_per_token"}
    rows = explain(mapping)
    assert len(rows) == len(steps_of(program))
    assert set(rows[0]) == {"path", "op", "device", "rule", "reason", "remedy", "bytes_per_token"}


def test_on_the_systems_that_we_ship() -> None:
    """The model body of Llama 3.2 1B needs between 32 and 1152 chips of Loihi 2; Loihi 1 has no graded events."""
    from targets.systems import SYSTEMS, get_system

    body, hala = make.llama(head=False), get_system("hala-point")
    mapping = map_model(body, hala, QUICK)
    assert verify(mapping, body, hala) == []
    with pytest.raises(DoesNotFit, match="ND2001") as caught:
        map_model(body, get_system("alia-point"), QUICK, alternatives=tuple(SYSTEMS.values()))
    assert caught.value.fix.startswith("hala-point (1152 chips) holds it")
    with pytest.raises(DoesNotFit, match=r"ND2090 .* the neuron model graded_affine, which loihi1"):
        map_model(body, get_system("loihi1-nahuku"))
