from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurodeploy.errors import DoesNotFit, UserError
from neurodeploy.flow.routes import HOST
from neurodeploy.storage.stage_files import digest
from partitioner import stages
from partitioner.cost.budget import core_limits
from partitioner.cut.stamp import Tile
from partitioner.options import Options, Pin
from partitioner.stages import Places, finish
from tests.partitioner_stages.helpers import (
    LIMITS,
    first_fit_chips,
    host_nets,
    nets_of,
    no_nets,
    small_system,
    tiles,
)

ROOT = Path(__file__).parents[2]
FILL = Options(place=False)


def spots(places: Places) -> list[tuple[int, int]]:
    return list(zip(places.chip.tolist(), places.core.tolist(), strict=True))


def test_small_tiles_share_a_core_and_the_bound_is_reached() -> None:
    places = finish([*tiles(2, 8), *tiles(4, 2, "b")], no_nets, LIMITS, small_system(4, 1), 1, FILL)
    assert (places.chips, places.cores, places.bound) == (1, 3, 3)


def test_chips_are_filled_in_order() -> None:
    places = finish(tiles(5, 10), no_nets, LIMITS, small_system(2, 9), 9, FILL)
    assert spots(places) == [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0)]
    assert (places.chips, places.cores) == (3, 5)


def test_nothing_to_place() -> None:
    places = finish([], no_nets, LIMITS, small_system(4, 1), 1, Options())
    assert (places.chip.tolist(), places.chips, places.cores) == ([], 0, 0)


def test_too_few_chips_are_counted_for_the_caller() -> None:
    places = finish(tiles(5, 10), no_nets, LIMITS, small_system(2, 9), 2, Options())
    assert (places.chips, places.cores) == (3, 5)


def test_a_group_moves_to_a_chip_of_its_own() -> None:
    expert = [*tiles(1, 10, "up", "expert"), *tiles(1, 10, "down", "expert")]
    places = finish([*tiles(3, 10), *expert], no_nets, LIMITS, small_system(4, 9), 9, Options())
    assert places.torn == 0
    assert places.chip[3] == places.chip[4] != places.chip[0]


def test_an_island_is_no_group() -> None:
    places = finish([*tiles(3, 10), *tiles(2, 10, "b")], no_nets, LIMITS, small_system(4, 9), 9, FILL)
    assert spots(places)[3:] == [(0, 3), (1, 0)]


def test_tiles_of_different_kinds_never_share() -> None:
    both = [*tiles(2, 4), *tiles(2, 4, "b")]
    assert finish(both, no_nets, LIMITS, small_system(4, 9), 9, Options()).cores == 2
    places = finish(both, no_nets, LIMITS, small_system(4, 9), 9, Options(), compatible=["x", "y", "x", "y"])
    assert places.cores == 2
    assert spots(places)[0] == spots(places)[2] != spots(places)[1] == spots(places)[3]


def test_spread_uses_the_cores_of_the_chips_that_are_needed() -> None:
    places = finish(tiles(6, 2), no_nets, LIMITS, small_system(4, 9), 9, Options(spread=True))
    assert (places.chips, places.cores) == (1, 4)
    held = np.bincount(places.core)
    assert held.max() == 2


def test_caps_hold() -> None:
    system = small_system(4, 9)
    capped = core_limits(system.chip, 4, {"in_axons": 1})
    assert finish(tiles(4, 2), no_nets, capped, system, 9, Options()).cores == 2
    spread_in = [Tile("a", "synapses", (0, 1), (0, 1), "a", (1, 1, 30, 1, 1)) for _ in range(2)]
    assert finish(spread_in, no_nets, capped, system, 9, Options()).cores == 2  # 1 % of 4096 are 40


def test_pins() -> None:
    model = [*tiles(2, 10, "a"), *tiles(2, 10, "b"), *tiles(3, 2, "c")]
    system = small_system(2, 6)
    options = Options(pins={"b": Pin(chip=4), "c": Pin(chip=4, rows=3), "a": Pin(rows=9)})
    with pytest.raises(DoesNotFit, match="ND2020 b, c: need 3 cores of chip 4, loihi2 has 2"):
        finish(model, no_nets, LIMITS, system, 6, options)
    places = finish(model, no_nets, LIMITS, system, 6, Options(pins={"b": Pin(chip=4), "c": Pin(chip=1)}))
    assert set(places.chip[2:4].tolist()) == {4}
    assert set(places.chip[4:].tolist()) == {1}
    assert places.chips == 3
    for name, pin, words in (("b", Pin(chip=6), "chips 0 to 5"), ("x", Pin(chip=1), "nothing of that name")):
        with pytest.raises(UserError, match=f"ND2021.*{words}"):
            finish(model, no_nets, LIMITS, system, 6, Options(pins={name: pin}))


@pytest.mark.parametrize(("talk", "together"), [([(0, 1, 9), (2, 3, 9)], (0, 1)), ([(0, 2, 9), (1, 3, 9)], (0, 2))])
def test_of_packings_with_equally_many_cores_the_one_with_fewer_messages_is_taken(
    talk: list[tuple[int, int, int]], together: tuple[int, int]
) -> None:
    """5 4 5 4 into cores of 10: first fit joins neighbours, best fit joins equals."""
    model = [Tile("a", "synapses", (n, n + 1), (0, 1), "a", (size, 1, 1, 1, 1)) for n, size in enumerate((5, 4, 5, 4))]
    places = finish(model, nets_of(talk), LIMITS, small_system(4, 1), 1, Options())
    assert places.cores == 2
    assert places.core[together[0]] == places.core[together[1]]


demands = st.tuples(*[st.integers(0, 6)] * 5).map(lambda d: (d[0] + 1, *d[1:]))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(demands, st.sampled_from(["", "a", "g", "h"])), min_size=1, max_size=24), st.data())
def test_every_tile_has_one_place_and_no_budget_is_exceeded(
    drawn: list[tuple[tuple[int, ...], str]], data: st.DataObject
) -> None:
    model = [Tile("a", "synapses", (n, n + 1), (0, 1), group, d) for n, (d, group) in enumerate(drawn)]  # type: ignore[arg-type]
    limits = (10, 12, None, 8, None)
    ends = st.tuples(st.integers(-1, len(model) - 1), st.integers(0, len(model) - 1), st.integers(1, 9))
    system = small_system(3, 24, grid=(6, 4))
    options = Options(
        objective=data.draw(st.sampled_from(["cores", "traffic", "latency", "energy"])),
        spread=data.draw(st.booleans()),
        place=data.draw(st.booleans()),
    )
    places = finish(model, nets_of(data.draw(st.lists(ends, max_size=20))), limits, system, 24, options)
    used = np.zeros((24, 3, 5), np.int64)
    np.add.at(used, (places.chip, places.core), np.array([tile.demand for tile in model]))
    for r, limit in enumerate(limits):
        assert limit is None or used[:, :, r].max() <= limit
    taken = set(spots(places))
    assert len(taken) == places.cores >= places.bound
    assert len({chip for chip, _ in taken}) == places.chips <= first_fit_chips([t.demand for t in model], limits, 3)[0]
    whole = finish([t._replace(group="a") for t in model], nets_of([]), limits, system, 24, options)
    assert places.chips <= whole.chips


def test_layers_end_where_chips_end() -> None:
    """Six layers of five cores on chips of eight: four chips, two cores to waste, one layer more that stays whole."""
    model, layers = tiles(30, 10), [list(range(5 * k, 5 * k + 5)) for k in range(6)]
    system = small_system(8, 12, grid=(4, 3))
    searched = finish(model, host_nets(layers), LIMITS, system, 12, Options())
    simple = finish(model, host_nets(layers), LIMITS, system, 12, FILL)
    assert searched.cores == simple.cores == 30
    assert searched.chips == simple.chips == 4
    assert (searched.cut, simple.cut) == (20, 30)


# --- interrupted and resumed -------------------------------------------------------------------------------------------

SYSTEM = small_system(6, 12, grid=(4, 3))


def run(work: Path | None, options: Options | None = None) -> Places:
    """Layers of five large and two small tiles, messages to the next layer in a ring, one of the host."""
    model = [tile for k in range(6) for tile in [*tiles(5, 6, f"l{k}"), *tiles(2, 2, f"l{k}")]]
    wires = nets_of([(7 * k + j, (7 * k + 9 + j) % 42, 3 + j) for k in range(6) for j in range(4)] + [(HOST, 0, 5)])
    return finish(model, wires, LIMITS, SYSTEM, 12, options or Options(), work=work)


def same(a: Places, b: Places) -> bool:
    return spots(a) == spots(b) and (a.cut, a.torn, a.bound, a.division) == (b.cut, b.torn, b.bound, b.division)


@pytest.mark.parametrize("stage", ["pack", "divide", "place_chips", "place_cores_of_chips"])
def test_interrupted_and_resumed(stage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run(None)

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(stages, stage, stop)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert len(before) == {"pack": 0, "divide": 2, "place_chips": 4, "place_cores_of_chips": 4}[stage]
    with monkeypatch.context() as patch:  # what was finished is not computed again
        for name in ["pack", "divide"][: len(before) // 2]:
            patch.setattr(stages, name, stop)
        resumed = run(tmp_path)
    assert same(resumed, whole)
    assert resumed.notes == whole.notes
    after = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert len(after) == 6
    assert before.items() <= after.items()
    run(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == after


def test_other_inputs_do_not_find_the_files(tmp_path: Path) -> None:
    run(tmp_path)
    run(tmp_path, Options(seed=1))
    assert len(list(tmp_path.iterdir())) == 12


@pytest.mark.parametrize("damage", ["short", "empty", "bits", "gone", "facts", "list"])
def test_a_damaged_stage_file_is_computed_again_and_noted(damage: str, tmp_path: Path) -> None:
    whole = run(tmp_path)
    chips = next(tmp_path.glob("chips-*.npy"))
    facts = chips.with_suffix(".json")
    good = chips.read_bytes(), facts.read_bytes()
    if damage == "gone":
        chips.unlink()
    elif damage == "facts":
        facts.write_text(json.dumps(json.loads(good[1]) | {"facts": {"cut": 0}}))
    elif damage == "list":
        facts.write_text("[1, 2]")
    else:
        chips.write_bytes({"short": good[0][:-8], "empty": b"", "bits": good[0][:-1] + b"\x01"}[damage])
    again = run(tmp_path)
    assert same(again, whole)
    assert any("was damaged and was computed again" in note for note in again.notes)
    assert (chips.read_bytes(), facts.read_bytes()) == good


def test_a_forged_stage_file_is_computed_again(tmp_path: Path) -> None:
    """Its digest is right and its header does not tokenise, which numpy says by an exception of another library."""
    whole = run(tmp_path)
    chips = next(tmp_path.glob("chips-*.npy"))
    head = b"{'descr': '<i8', 'fortran_order': False, 'shape': (2,\n"
    raw = b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head
    facts = json.loads(chips.with_suffix(".json").read_text())
    text = json.dumps(facts["facts"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    chips.write_bytes(raw)
    chips.with_suffix(".json").write_text(json.dumps(facts | {"sha256": digest(raw, text)}))
    again = run(tmp_path)
    assert same(again, whole) and any("was damaged and was computed again" in note for note in again.notes)


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="ND2022"):
        run(tmp_path / "file")


# --- time and threads --------------------------------------------------------------------------------------------------


def test_no_time_still_gives_a_mapping_and_says_what_is_missing() -> None:
    places = run(None, Options(time_limit=1e-9))
    assert len(set(spots(places))) == places.cores
    assert any("cut" in note and "time" in note for note in places.notes)
    assert any("placement was cut short" in note for note in places.notes)


def test_equal_arguments_give_equal_places() -> None:
    assert same(run(None), run(None))


SCRIPT = """
import hashlib
from tests.partitioner_stages.test_stages import run, squares
for places in (run(None), squares()):
    print(hashlib.sha256(places.chip.tobytes() + places.core.tobytes()).hexdigest(), places.cut, places.division)
"""


def squares() -> Places:
    """A grid of 8 x 8 cores on four chips: runs of rows cut 24 messages, the hypergraph's squares 16."""
    wires = [(8 * y + x, 8 * y + x + 1, 1) for y in range(8) for x in range(7)]
    wires += [(8 * y + x, 8 * y + x + 8, 1) for y in range(7) for x in range(8)]
    return finish(tiles(64, 10), nets_of(wires), LIMITS, small_system(16, 6, grid=(3, 2)), 6, Options())


def test_one_and_two_threads_give_the_same_bytes() -> None:
    found = set()
    for threads in ("1", "2"):
        names = ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TBB_NUM_THREADS")
        env = {**os.environ, "PYTHONPATH": str(ROOT), **dict.fromkeys(names, threads), "PYTHONHASHSEED": threads}
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT], env=env, cwd=ROOT, capture_output=True, text=True, check=True
        )
        found.add(done.stdout)
    assert len(found) == 1
    if stages.hypergraph.library() is not None:
        assert next(iter(found)).split()[-2:] == ["16", "hypergraph"]


def test_without_the_library_the_mapping_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages.hypergraph, "library", lambda: None)
    places = run(None)
    assert stages.hypergraph.NO_LIBRARY in places.notes
    assert len(set(spots(places))) == places.cores


def test_a_system_with_one_chip_needs_no_search() -> None:
    places = finish(tiles(3, 10), no_nets, LIMITS, replace(SYSTEM, chips=1, grid=(1, 1)), 1, Options())
    assert (places.division, places.chips, places.cut) == ("one chip", 1, 0)


def test_groups_share_no_core_where_that_costs_no_chip() -> None:
    """Groups of 7 + 3 and 7 + 3: first fit puts the small tile of the second beside the large one of the first."""
    groups = [*tiles(1, 7, "a", "g"), *tiles(1, 7, "b", "h"), *tiles(1, 3, "c", "h"), *tiles(1, 3, "d", "g")]
    places = finish(groups, no_nets, LIMITS, small_system(4, 1), 1, Options())
    assert places.cores == 2
    assert places.core[0] == places.core[3] != places.core[1] == places.core[2]
