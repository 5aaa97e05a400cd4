"""A hybrid given in Python: spiking populations, operations of the host between them, populations again, fed by streams."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurodeploy import pipeline
from neurodeploy.bundle.writer import write_bundle
from neurodeploy.errors import UserError
from neurodeploy.ir.fixedpoint import Dyadic
from neurodeploy.ir.graph import HostOp, ModelInfo
from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.population import INPUT, Population
from neurodeploy.ir.program import Program
from neurodeploy.ir.segments import Decode, Encode
from neurodeploy.synapses import Dense
from tests.hybrid.random_programs import NoWeights
from tests.refusals import refused

STEPS, SAMPLES, SIZE = 24, 2, 4
LIF = {"du": 1024, "dv": 256, "vth": 40}
HEAD: dict[str, Any] = {"heads": 1, "kv_heads": 1, "head_dim": SIZE, "window": None, "chunk": None, "scale": 0.5}


def program() -> Program:
    """8 inputs, 4 LIF that the host decodes; attention over all steps so far, and a curve; 4 encoded payloads, 3 LIF."""
    rng = np.random.default_rng(3)

    def weights(rows: int, columns: int) -> Dense:
        return Dense(2 * rng.integers(-20, 40, (rows, columns)).astype(np.int8))

    populations = (
        Population("spikes", (8,), INPUT),
        Population("first", (SIZE,), "lif", LIF),
        Population("back", (SIZE,), INPUT, {"bits": 8}),
        Population("second", (3,), "lif", LIF),
    )
    projections = (
        Projection("up", "spikes", "first", weights(SIZE, 8)),
        Projection("down", "back", "second", weights(3, SIZE), graded=True),
    )
    host = (
        Decode("first", Dyadic(1, 0), ("seen",)),
        HostOp("attention", "attention", ("seen", "seen", "seen"), ("context",), HEAD),
        HostOp("curve", "activation", ("context",), ("curved",), {"act": "silu"}),
        Encode("curved", "back", Dyadic(1, -4)),
    )
    network = Network("hybrid", {p.name: p for p in populations}, projections, ("second",))
    info, sizes = ModelInfo("hybrid", "made", 0, 0, 0, 0, "python"), dict.fromkeys(("seen", "context", "curved"), SIZE)
    found = Program(info, network, host, sizes)
    found.check()
    return found


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    from simulators.reference import ReferenceRunner

    folder = tmp_path_factory.mktemp("hybrid")
    source = {"model": "hybrid", "path": "", "files": []}
    write_bundle(folder / "x.nd", program(), source, ReferenceRunner().run, weights=NoWeights())
    np.save(folder / "spikes.npy", np.random.default_rng(1).random((SAMPLES, STEPS, 8)) < 0.4)
    yield folder / "x.nd", folder / "spikes.npy"


def test_what_it_does_and_what_crosses(made: tuple[Path, Path], tmp_path: Path) -> None:
    bundle, spikes = tmp_path / "x.nd", made[1]
    shutil.copytree(made[0], bundle)
    found = pipeline.map(bundle, "oheo-gulch")
    assert (found["verdict"], found["islands"]) == ("fits", 2)
    rows = {row["path"].removeprefix("populations."): row for row in pipeline.explain(bundle)}
    assert {name: row["device"] for name, row in rows.items()} == {
        "spikes": "host", "first": "chip", "second": "chip", "attention": "host", "curve": "host"
    }  # fmt: skip
    crosses = {name: row["bytes_per_token"] for name, row in rows.items()}
    assert (crosses["attention"], crosses["curve"]) == (4 * SIZE, 4 * SIZE)  # what first sends out, what back takes in
    outputs = []
    for runner in ("reference", "fast", "partitioned"):
        run = pipeline.run(bundle, input=spikes, runner=runner, out=tmp_path / "o.npz")
        with np.load(tmp_path / "o.npz") as file:
            outputs.append(file["out.second"].tolist())
        assert run["populations"]["back"]["messages"] > 0 and run["host_work"]["flops"] > 0
    assert outputs[0] == outputs[1] == outputs[2] and np.any(outputs[0])
    priced = pipeline.energy(bundle, input=spikes)["sample"]
    works = [entry for entry in priced["entries"] if entry["component"].startswith("host") and entry["count"]]
    assert works and priced["joules_per_token"]["wall"]["nominal"] > priced["joules_per_token"]["board"]["nominal"]


def test_a_hybrid_goes_on(made: tuple[Path, Path], tmp_path: Path) -> None:
    """The keys and values of each sample are part of the state, beside the neurons."""
    bundle, spikes = made
    out = {name: tmp_path / f"{name}.npz" for name in ("whole", "parts")}
    kept = tmp_path / "state"
    pipeline.run(bundle, input=spikes, out=out["whole"])
    pipeline.run(bundle, input=spikes, steps=9, out=out["parts"], checkpoint=kept)
    pipeline.run(bundle, input=spikes, out=out["parts"], resume=kept, checkpoint=kept, runner="reference")
    assert out["whole"].read_bytes() == out["parts"].read_bytes()


def test_lava_computes_no_operation_of_a_host(made: tuple[Path, Path]) -> None:
    refused(UserError, "ND3257", pipeline.run, made[0], input=made[1], runner="lava")
