"""Bundles of programs that do not send every payload: thresholds lie with their layer, or with who sends on the chip."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from neurodeploy import pipeline
from neurodeploy.bundle import open_bundle
from neurodeploy.ir.population import INPUT
from tests import models

#: Linear layers of two blocks and a head: those that read one value together, and each by itself.
LAYERS = {"projections": 2 * 4 + 1, "block": 2 * 7 + 1}


def layers_of(bundle: Path) -> int:
    return LAYERS[json.loads((bundle / "conversion.json").read_text())["preset"]["on_chip"]]


@pytest.fixture(scope="module", params=["projections", "block"])
def sparse(llama: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    out = tmp_path_factory.mktemp("sparse") / "x.nd"
    pipeline.convert(
        llama, out, preset="sparse", events=0.7, calibration_tokens=300, on_chip=str(request.param), rounding="nearest"
    )
    pipeline.map(out, "oheo-gulch")
    return out


def test_thresholds_are_read_back_and_every_runner_gives_the_vectors(sparse: Path) -> None:
    assert pipeline.verify(sparse)["violations"] == []
    program = open_bundle(sparse).program
    layers = [p for p in program.network.projections if p.name.endswith(".synapses")]
    assert len(layers) == layers_of(sparse)
    for p in layers:
        population = program.network.populations[p.source]
        vth = np.asarray(population.params["vth"])
        assert vth.shape == (population.size,) and vth.any()
    hosted = [program.network.populations[p.source].model == INPUT for p in layers]
    assert sum(hosted) == (9 if program.conversion["preset"]["on_chip"] == "projections" else 2)  # type: ignore[index]


def test_what_is_told_of_it(sparse: Path) -> None:
    """The shares of sites, and in parts of NIR which inputs have thresholds."""
    found = json.loads((sparse / "conversion.json").read_text())
    assert found["synaptic_events_sent"] == pytest.approx(0.7, abs=0.05)
    assert all(0 < site["sent"] < 1 for site in found["sites"])
    reasons = [row["reason"] for row in pipeline.explain(sparse) if row["device"] == "chip"]
    assert sum("thresholds" in reason for reason in reasons) == layers_of(sparse)


def test_parts_of_nir_name_inputs_with_thresholds(sparse: Path, tmp_path: Path) -> None:
    out = tmp_path / "x.parts"
    pipeline.export(sparse, out)
    pieces = json.loads((out / "parts.json").read_text())
    told = [read for piece in pieces["pieces"] if "host" not in piece for read in piece["reads"].values()]
    assert any(read.get("sent_by") == ["vth"] for read in told)
    assert pipeline.verify(out)["layers_read_by_nir"] == layers_of(sparse)


@pytest.mark.parametrize("on_chip", ["projections", "all"])
def test_values_of_a_prefix_are_kept_in_the_basis_of_the_contexts(tmp_path: Path, on_chip: str) -> None:
    """Nearly all is sent, so the chip is near float: with the values as they were KL would be 0.017."""
    model = models.save("llama", tmp_path / "m")
    out, text = tmp_path / "x.nd", tmp_path / "text.txt"
    text.write_text("What is in the basis here stands before every text that is read. " * 4)
    pipeline.convert(model, out, preset="a12", events=0.98, calibration_tokens=300, on_chip=on_chip)
    assert open_bundle(out).program.info.prefix
    found = pipeline.eval(out, text, max_tokens=120)
    assert found["kl_per_token"] < 0.002
