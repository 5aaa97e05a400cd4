"""`generate --checkpoint` and `--resume`: a text in two pieces is the text in one, and a state is what it says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurodeploy import pipeline
from neurodeploy.errors import BundleError, Interrupted, UserError
from neurodeploy.hybrid import Hybrid
from neurodeploy.pipeline import generating, keeping
from tests.refusals import refused
from tests.tiny import Cli, Patch

DRAWN: dict[str, Any] = {"temperature": 0.9, "top_k": 20}


@pytest.mark.parametrize("which", ["llama_bundle", "experts_bundle", "block_bundle"])
@pytest.mark.parametrize("settings", [{}, DRAWN], ids=["greedy", "drawn"])
def test_two_pieces_are_one(which: str, settings: dict[str, Any], tmp_path: Path, request: Any) -> None:
    """Windows and chunks of attention are passed, and the second piece may run on another runner."""
    bundle, seed, kept = request.getfixturevalue(which), {"seed": 5} if settings else {}, tmp_path / "state"
    whole = pipeline.generate(bundle, "abcdefgh", 40, **settings, **seed, compare_float=True)
    first = pipeline.generate(bundle, "abcdefgh", 17, **settings, **seed, checkpoint=kept)
    assert first["checkpoint"] == str(kept) and whole["checkpoint"] is None
    again = {"resume": kept, "runner": "reference", "checkpoint": kept, **settings}
    second = pipeline.generate(bundle, None, 10, **again)
    third = pipeline.generate(bundle, tokens=13, compare_float=True, **{**again, "runner": "fast"})
    for key in ("tokens", "margins"):
        assert first[key] + second[key] + third[key] == whole[key]
    assert third["seed"] == whole["seed"] and third["prompt"].startswith("abcdefgh")
    assert "tokens" in third["float"]


@pytest.mark.parametrize("which", ["llama_bundle", "block_bundle"])
def test_an_interrupted_text_goes_on(which: str, request: Any, tmp_path: Path, monkeypatch: Patch, cli: Cli) -> None:
    """In the middle of a token some layers have seen it and others have not."""
    llama_bundle = request.getfixturevalue(which)
    kept, real, calls = tmp_path / "state", Hybrid.run_op, 0

    def run_op(self: Any, op: Any, values: Any, state: Any) -> None:
        nonlocal calls
        real(self, op, values, state)
        calls += op.path.endswith("attention") or getattr(op, "op", "") == "attention"
        if calls == 7:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Hybrid, "run_op", run_op)
        with pytest.raises(Interrupted, match="ND3266") as caught:
            pipeline.generate(llama_bundle, "abc", 9, checkpoint=kept)
    done = int(caught.value.problem.split()[3])
    assert 0 < done < 9 and f"--tokens {9 - done}" in caught.value.fix
    rest = cli.json("generate", llama_bundle, "--resume", kept, "--tokens", 9 - done)
    assert rest["tokens"] == pipeline.generate(llama_bundle, "abc", 9)["tokens"][done:]
    calls = -100
    with monkeypatch.context() as patch:
        patch.setattr(keeping, "CHECKPOINT_S", 0.0)
        patch.setattr(keeping, "PAUSE", 0.0)
        states: list[int] = []
        write = generating.write_state
        patch.setattr(
            generating, "write_state", lambda path, state, *rest: (states.append(state.step), write(path, state, *rest))
        )
        pipeline.generate(llama_bundle, "abc", 4, checkpoint=kept)
    assert states == [3, 4, 5, 6, 6]


def test_states_that_do_not_suit(llama_bundle: Path, experts_bundle: Path, tmp_path: Path) -> None:
    kept = tmp_path / "state"
    pipeline.generate(llama_bundle, "abc", 3, checkpoint=kept)
    resumed: dict[str, Any] = {"resume": kept}
    for bundle, given, kind, says in (
        (llama_bundle, {}, UserError, "ND3290"),
        (llama_bundle, {"prompt": "a", **resumed}, UserError, "ND3290"),
        (llama_bundle, {"seed": 1, **resumed}, UserError, "ND3290"),
        (llama_bundle, {"resume": tmp_path / "gone"}, UserError, "ND3256"),
        (llama_bundle, {"prompt": "abc", "tokens": 3, "checkpoint": tmp_path}, BundleError, "ND5004"),
        (experts_bundle, resumed, BundleError, "ND5011.*another program"),
        (llama_bundle, {"tokens": 100_000, **resumed}, UserError, "ND3006"),
    ):
        refused(kind, says, pipeline.generate, bundle, **given)


def _header(change: dict[str, Any]) -> Any:
    def damage(arrays: dict[str, Any]) -> None:
        header = json.loads(arrays["header"].tobytes())
        for key, value in change.items():
            (header if key in header else header["known"])[key] = value
        arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)

    return damage


def _key(change: Any) -> Any:
    def damage(arrays: dict[str, Any]) -> None:
        name = next(name for name in arrays if name.startswith("k."))
        arrays[name] = change(arrays[name])

    return damage


DAMAGES = {
    "no caches": _header({"caches": None}), "a cache begins too late": _header({"caches": [{"layers.0.attention": 2}]}),
    "step": _header({"step": 7}), "tokens": _header({"tokens": [0, 1 << 40, 3, 4, 5, 6]}),
    "no tokens": _header({"known": {}}), "random": _header({"random": {"state": 3}}), "seed": _header({"seed": "0"}),
    "huge": _header({"random": {"bit_generator": "PCG64", "state": {"state": 1 << 200, "inc": 1}, "has_uint32": 0,
                                "uinteger": 0}}),
    "type": _key(lambda key: key.astype(np.float64)), "shape": _key(lambda key: key[:, :, :-1]),
    "a key is missing": lambda arrays: arrays.pop(next(name for name in arrays if name.startswith("k."))),
    "something else": lambda arrays: arrays.update(x=np.zeros(3)),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_states(damage: str, llama_bundle: Path, tmp_path: Path) -> None:
    kept = tmp_path / "state"
    pipeline.generate(llama_bundle, "abc", 3, checkpoint=kept)
    with np.load(kept) as file:
        arrays = dict(file)
    DAMAGES[damage](arrays)
    np.savez(tmp_path / "x.npz", **arrays)
    refused(BundleError, "ND5011", pipeline.generate, llama_bundle, resume=tmp_path / "x.npz")
