"""Modules given to `convert`: what modules of real frameworks gave when they were recorded; stand-ins for the way itself."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest
import torch

import neurodeploy as nd
from neurodeploy.bundle import open_bundle
from neurodeploy.errors import UserError
from neurodeploy.frontends.modules.frameworks import FRAMEWORKS, framework_of
from neurodeploy.frontends.nir.frameworks import CONVENTIONS
from neurodeploy.pipeline.modules import is_spiking_module
from scripts.interchange import table as document
from tests.interchange import slayer_cells
from tests.interchange.cells import FIXTURES, MEMBRANE, TOLD, Cell, index
from tests.interchange.standins import (
    Alpha,
    Chain,
    Dense,
    IFNode,
    Input,
    Leaky,
    LIFBoxCell,
    LIFBoxParameters,
    dense,
    spikes,
)
from tests.interchange.test_frameworks import CASES, rows
from tests.refusals import refused

#: What `convert` refuses, and why.
REFUSED = {
    ("snntorch", "recurrent_cuba"): "ND1277",  # its own forward pass does not run
    ("norse", "conv_pool"): "ND1275",  # flattens the axis of the samples
    ("spikingjelly", "maxpool"): "ND1275",
}
TAKEN = [key for key in CASES if key not in REFUSED]
Seq = torch.nn.Sequential


@pytest.mark.parametrize(("framework", "case"), TAKEN)
def test_a_module_gives_its_frameworks_spikes_or_says_what_is_lost(framework: str, case: str) -> None:
    """Read from the recorded file with what the attributes said, before rounding: exact, or a gap was told."""
    cell = rows()[framework, case]
    assert cell.direct is not None and not cell.direct.error
    assert not cell.entry["direct"]["open_questions"]
    if cell.entry["direct"]["gaps"]:
        assert cell.direct.differing, "what is said to be lost changes nothing: the case shows nothing"
        return
    assert not cell.direct.differing
    traced = any(name.startswith("v.") for name in np.load(FIXTURES / framework / f"{case}.npz"))
    resets = cell.entry["direct"]["options"]["reset"].values()
    late = "subtract-next" in resets or "delayed" in case  # snnTorch hands out what a reset of the next step then takes
    if traced and not late:
        assert cell.direct.membrane is not None and cell.direct.membrane <= MEMBRANE


@pytest.mark.parametrize(("framework", "case"), TAKEN)
def test_the_check_of_convert_is_what_is_computed_here(framework: str, case: str) -> None:
    """Recorded in the framework's environment by `convert`, computed here from the file and the framework's spikes."""
    cell = rows()[framework, case]
    check = cell.entry["direct"]["check"]
    assert cell.check is not None and cell.direct is not None
    assert check["framework"] == framework and check["samples"] == 1
    if check["graded"]:
        assert cell.check.membrane == pytest.approx(check["share"], rel=0.05)
        return
    recorded = np.load(FIXTURES / framework / f"{case}.npz")
    last = list(cell.entry["direct"]["layers"])[-1]
    assert check["framework_spikes"] == recorded[f"spikes.{last}"].sum() > 0
    assert check["share"] == cell.check.differing
    assert (check["result"] == "exact") == (check["differing"] == 0) == (check["first_difference"] is None)


@pytest.mark.parametrize(("framework", "case"), sorted(set(TOLD) - {("sinabs", "li")}))
def test_attributes_say_what_a_user_of_the_file_has_to_tell(framework: str, case: str) -> None:
    said, told = rows()[framework, case].entry["direct"]["options"], TOLD[framework, case]
    assert "reset" not in told or set(said["reset"].values()) == {told["reset"]}
    assert said["source"] == framework


@pytest.mark.parametrize(("framework", "case"), sorted(REFUSED))
def test_what_convert_refuses_has_a_code(framework: str, case: str) -> None:
    cell = rows()[framework, case]
    assert cell.direct is not None and cell.direct.error.startswith(f"{REFUSED[framework, case]} ")


def test_what_exporters_refuse_is_taken_as_a_module() -> None:
    """Scalars, grouped and oblong convolutions, soft resets, recurrence: no file of theirs, and the same spikes here."""
    saved = [cell for key, cell in rows().items() if cell.read is None and key not in REFUSED]
    asked = [cell for cell in rows().values() if not cell.entry.get("export_error", "").startswith("not asked")]
    failed = [cell for cell in asked if cell.read is None]
    assert f"they refuse {len(failed)} of the {len(asked)} networks" in document.DOCUMENT.read_text()
    assert all(isinstance(cell, Cell) and cell.direct is not None and cell.direct.differing == 0 for cell in saved)


def test_the_table_has_the_conventions_of_the_reader() -> None:
    assert set(FRAMEWORKS) == set(CONVENTIONS)
    assert {index(name)["framework"] for name in FRAMEWORKS} == set(FRAMEWORKS)


def nets() -> dict[str, tuple[torch.nn.Module, str, dict[str, Any]]]:
    """Modules of stand-ins, their framework, and what must be said to the reader."""
    return {
        "delayed": (
            Seq(dense(6, 9), Leaky(0.9), dense(4, 6), Leaky(0.8)),
            "snntorch",
            {"reset": {"1": "subtract-next", "3": "subtract-next"}},
        ),
        "at once": (Seq(dense(6, 9), Leaky(0.9, delay=False)), "snntorch", {"reset": {"1": "subtract"}}),
        "zero": (Seq(dense(6, 9), Leaky(0.9, 1.5, "zero", output=True)), "snntorch", {"reset": {"1": "value"}}),
        "none": (Seq(dense(6, 9), Leaky(0.5, 1.5, "none")), "snntorch", {"reset": {}}),
        "mixed": (
            Seq(dense(6, 9), Leaky(0.9), dense(4, 6), Leaky(0.8, reset="zero"), dense(3, 4), Leaky(0.5, 1.5, "none")),
            "snntorch",
            {"reset": {"1": "subtract-next", "3": "value"}},
        ),
        "soft": (Seq(dense(6, 9), IFNode(2.5, None)), "spikingjelly", {"reset": {"1": "subtract"}, "dt": 1e-4}),
        "hard": (Seq(dense(6, 9), IFNode(2.5, -0.5)), "spikingjelly", {"reset": {"1": "value"}}),
        "state": (Chain(dense(6, 9), LIFBoxCell(LIFBoxParameters(torch.tensor(200.0)))), "norse", {"dt": 1e-3}),
    }


@pytest.mark.parametrize("name", list(nets()))
def test_a_stand_in_is_recognised_converted_and_checked(name: str, tmp_path: Path) -> None:
    """The check against the stand-in's own output, and against the bundle run afterwards."""
    module, framework, said = nets()[name]
    example = spikes(40, 3, 9)
    assert framework_of(module) == framework and is_spiking_module(module)
    found = nd.convert(module, tmp_path / "x.nd", example_inputs=example)
    check = found["check"]
    assert found["open_questions"] == [] and all(check["told"][key] == value for key, value in said.items())
    assert not any("its files do not say" in line for line in found["warnings"])
    assert (check["layout"], check["steps"], check["samples"]) == ("time-first", 40, 3)
    assert check["before_rounding"] == "exact" and check["share"] < 0.05
    theirs = own(module, example)
    assert check["framework_spikes"] == theirs.sum() > 20 and check["compared"] == theirs.size
    assert (
        np.count_nonzero(chip(tmp_path / "x.nd", example, check["latency"], tmp_path) != theirs) == check["differing"]
    )


def own(module: Any, example: torch.Tensor) -> np.ndarray[Any, Any]:
    """(samples, steps, neurons): the module's own spikes, from rest."""
    for part in module.modules():
        if isinstance(part, Leaky):
            part.mem = torch.zeros(0)
        if isinstance(part, IFNode):
            part.reset()
    made, state = [], None
    with torch.no_grad():
        for row in example:
            out = module(row, state) if isinstance(module, Chain) else module(row)
            if isinstance(out, tuple):
                out, state = out
            made.append(out)
    return torch.stack(made).numpy().swapaxes(0, 1)


def chip(bundle: Path, example: torch.Tensor, latency: int, folder: Path) -> np.ndarray[Any, Any]:
    longer = torch.cat([example, torch.zeros(latency, *example.shape[1:])])
    np.save(folder / "in.npy", longer.numpy().astype(np.uint8))
    nd.run(bundle, input=folder / "in.npy", out=folder / "out.npz", layout="time-first")
    outputs = np.load(folder / "out.npz")
    return outputs[next(key for key in outputs if key.startswith("out."))][:, latency:]


def test_a_module_keeps_its_states_its_mode_and_what_autograd_remembers(tmp_path: Path) -> None:
    module = Seq(dense(6, 9), Leaky(0.9), torch.nn.Dropout(0.5)).train()
    module(spikes(1, 2, 9)[0])  # the membrane is now the result of a computation
    membrane, weights = module[1].mem, module[0].weight.detach().clone()
    assert membrane.grad_fn is not None
    nd.convert(module, tmp_path / "x.nd", example_inputs=spikes(20, 1, 9))
    assert module[1].mem is membrane and module.training and module[2].training
    assert torch.equal(module[0].weight, weights) and not module._forward_hooks


def test_the_tolerance_is_a_gate_and_an_older_bundle_stays(tmp_path: Path) -> None:
    module, example, out = Seq(dense(6, 9), Leaky(0.9)), spikes(60, 4, 9), tmp_path / "x.nd"
    found = nd.convert(module, out, example_inputs=example, weight_bits=2)
    share = found["check"]["share"]
    assert share > 0
    before = (out / "manifest.json").read_bytes()
    told = refused(
        UserError, "ND1278", nd.convert, module, out, example_inputs=example, weight_bits=2, tolerance=share / 2
    )
    assert f"{share:.4%}" in told.problem and str(tmp_path) not in told.problem
    assert (out / "manifest.json").read_bytes() == before
    refused(
        UserError,
        "ND1278",
        nd.convert,
        module,
        tmp_path / "new.nd",
        example_inputs=example,
        weight_bits=2,
        tolerance=0.0,
    )
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.nd"]
    nd.convert(module, out, example_inputs=example, weight_bits=2, tolerance=share)
    refused(UserError, "ND1278", nd.convert, module, out, example_inputs=example, tolerance=1.5)


def test_a_layer_that_is_not_what_it_says_is_found_by_the_check(tmp_path: Path) -> None:
    class Louder(Leaky):
        def forward(self, x: torch.Tensor) -> Any:
            return super().forward(2 * x)

    found = nd.convert(Seq(dense(6, 9), Louder(0.9)), tmp_path / "x.nd", example_inputs=spikes(40, 2, 9))
    assert found["check"]["before_rounding"] != "exact"
    assert "before any rounding" in found["open_questions"][0]


class Halved(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell = Leaky(0.9)

    def forward(self, x: torch.Tensor) -> Any:
        return self.cell(x / 2)


SPIKES = spikes(5, 2, 9)


@pytest.mark.parametrize(
    ("code", "module", "options", "told"),
    [
        ("ND1275", Seq(dense(6, 9), Leaky(0.9), IFNode()), {}, "snntorch and spikingjelly"),
        ("ND1275", Seq(dense(6, 9), Alpha(0.9)), {}, "1 (Alpha)"),
        ("ND1275", Seq(dense(6, 9), torch.nn.Tanh(), Leaky(0.9)), {}, "1 (Tanh)"),
        ("ND1275", Seq(Chain(dense(6, 9), LIFBoxCell()), LIFBoxCell(dt=1e-4)), {}, "[0.0001, 0.001]"),
        ("ND1276", Halved(), {}, "truediv"),
        ("ND1277", Seq(dense(6, 9), Leaky(0.9)), {"example_inputs": None}, "without an example"),
        ("ND1277", Seq(dense(6, 9), Leaky(0.9)), {"example_inputs": SPIKES[0]}, "(2, 9)"),
        ("ND1277", Seq(dense(6, 8), Leaky(0.9)), {}, "(5, 2, 9)"),
        ("ND3261", Seq(dense(6, 9), Leaky(0.9)), {"source": "snntorch"}, "the module says it"),
        ("ND3261", Seq(dense(6, 9), Leaky(0.9)), {"dt": 1e-3}, "the module says it"),
        ("ND3261", Seq(dense(6, 9), Leaky(0.9)), {"num_layers": 2}, "a spiking module"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(code: str, module: Any, options: dict[str, Any], told: str, tmp_path: Path) -> None:
    given = {"example_inputs": SPIKES, **options}
    error = refused(UserError, code, nd.convert, module, tmp_path / "x.nd", **given)
    assert told in str(error) and "/tmp" not in str(error) and not list(tmp_path.iterdir())


def test_a_graph_in_memory_is_the_bundle_of_its_file(tmp_path: Path) -> None:
    path = FIXTURES / "snntorch" / "lif.nir"
    graph, options = nir.read(path), {"source": "snntorch", "reset": "value"}
    assert is_spiking_module(graph)
    of_graph, of_file = nd.convert(graph, tmp_path / "g.nd", **options), nd.convert(path, tmp_path / "f.nd", **options)
    assert of_graph["neurons"] == of_file["neurons"] and of_graph["command_as_meant"] is None
    made, wanted = (open_bundle(tmp_path / name).program.network for name in ("g.nd", "f.nd"))
    assert list(made.populations) == list(wanted.populations)
    for name, population in made.populations.items():
        for key, value in population.params.items():
            assert np.array_equal(value, wanted.populations[name].params[key])
    asked = nd.convert(graph, tmp_path / "a.nd", dt=1e-4)
    assert asked["command_as_meant"].startswith("convert(graph, ") and "source='snntorch'" in asked["command_as_meant"]
    refused(UserError, "ND3261", nd.convert, graph, tmp_path / "b.nd", example_inputs=SPIKES, **options)


def test_a_graph_that_nirs_own_writer_refuses_is_taken(tmp_path: Path) -> None:
    """Numbers without an axis, as Norse's exporter makes them."""
    graph = nir.read(FIXTURES / "norse" / "lif_scalar_uncompressed.nir", type_check=False)
    for key in ("tau", "r", "v_leak", "v_threshold", "v_reset"):
        setattr(graph.nodes["1"], key, np.asarray(getattr(graph.nodes["1"], key)).reshape(()))
    with pytest.raises(TypeError):
        nir.write(tmp_path / "x.nir", graph)
    found = nd.convert(graph, tmp_path / "x.nd", source="norse", reset="value", dt=1e-3)
    assert found["open_questions"] == [] and found["neurons"] == 8


def test_files_and_names_are_no_modules_and_an_example_is_for_modules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = refused(UserError, "ND3261", nd.convert, tmp_path / "x.nir", tmp_path / "x.nd", example_inputs=SPIKES)
    assert "is no module" in error.problem
    assert not any(is_spiking_module(other) for other in ("x.nir", Path("x.net"), torch.nn.Linear(2, 2), None))
    monkeypatch.delitem(sys.modules, "torch")
    assert framework_of(Leaky(0.9)) is None  # nothing is loaded to find out
    assert "torch" not in sys.modules


# --- lava-dl


@pytest.mark.parametrize("entry", slayer_cells.index()["cases"], ids=lambda entry: str(entry["case"]))
def test_blocks_of_lava_dl_are_exact(entry: dict[str, Any]) -> None:
    """Recorded by `convert` in lava-dl's environment, computed here from SLAYER's own arrays."""
    assert slayer_cells.reading(entry).differing == 0 == entry["check"]["differing"]
    assert (
        entry["check"]["framework_spikes"] == np.load(slayer_cells.FOLDER / f"{entry['case']}.npz")["output"].sum() > 50
    )
    assert entry["open_questions"] == [] and entry["check"]["before_rounding"] is None


def blocks(**changed: torch.Tensor) -> tuple[Any, torch.Tensor]:
    """A recorded network of two blocks, and its input (samples, neurons, steps)."""
    recorded = np.load(slayer_cells.FOLDER / "dense.npz")
    path, fed = str(slayer_cells.FOLDER / "dense.net"), torch.from_numpy(recorded["input"]).float()
    output = changed.get("output", torch.from_numpy(recorded["output"]).float())
    return Seq(Dense(path, 0, torch.zeros(3, 8, 60)), Dense(path, 1, output)), fed


def test_a_chain_of_blocks_goes_by_its_net_file(tmp_path: Path) -> None:
    module, fed = blocks()
    assert framework_of(module) == "lava-dl"
    found = nd.convert(module, tmp_path / "x.nd", example_inputs=fed, dt=1e-3, tolerance=0.0)
    assert found["check"]["result"] == "exact" and found["family"] == "lava-dl"
    rows = np.moveaxis(fed.numpy(), -1, 0)
    assert nd.convert(module, tmp_path / "y.nd", example_inputs=rows, layout="time-first")["check"]["result"] == "exact"
    other, _ = blocks(output=torch.zeros(3, 5, 60))
    found = nd.convert(other, tmp_path / "z.nd", example_inputs=fed)
    assert (
        found["check"]["differing"] == found["check"]["chip_spikes"] > 0
        and "whose integers" in found["open_questions"][0]
    )


def test_blocks_that_are_no_chain_or_take_real_numbers_are_refused(tmp_path: Path) -> None:
    module, fed = blocks()
    between = Seq(module[0], torch.nn.ReLU(), module[1])
    refused(UserError, "ND1276", nd.convert, between, tmp_path / "x.nd", example_inputs=fed)
    scaled = Seq(Input(module[0].path, 0, fed), *module)
    refused(UserError, "ND1275", nd.convert, scaled, tmp_path / "x.nd", example_inputs=fed)
    refused(UserError, "ND3261", nd.convert, module, tmp_path / "x.nd", example_inputs=fed, weight_bits=4)
    refused(UserError, "ND1272", nd.convert, module, tmp_path / "x.nd", example_inputs=fed, layout="time-last")
    refused(UserError, "ND1275", nd.convert, Seq(*module, Leaky(0.9)), tmp_path / "x.nd", example_inputs=fed)
