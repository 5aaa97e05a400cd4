"""`--on-chip` of networks of tensors: which operations each part puts on the chip, and what is said of the others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import neurodeploy as nd
from neurodeploy.bundle import open_bundle
from neurodeploy.errors import UserError
from neurodeploy.ops.tensors import attending
from tests.tensors.cases import Of

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")


class Encoder(nn.Module):
    """A table, and a block of a transformer of 12 numbers a place."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.table = nn.Embedding(11, 12)
        self.block = nn.TransformerEncoderLayer(12, 3, 24, batch_first=True, dropout=0.0)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.block(self.table(ids)).mean(1)
        return found


def output_of(found: Any) -> Any:
    """What is said of the only output."""
    (row,) = found["check"]["outputs"].values()
    return row


def ids() -> torch.Tensor:
    return torch.randint(0, 11, (6, 5), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("part", "left", "share"),
    [
        ("projections", {"embedding", "layer_norm", "softmax", "matmul"}, 0.9),
        ("block", {"embedding", "softmax", "matmul"}, 0.9),
        (None, {"embedding", "softmax", "matmul"}, 0.9),
        ("all", {"embedding"}, 1.0),
    ],
)
def test_a_transformer(part: str | None, left: set[str], share: float, tmp_path: Path) -> None:
    """Mapped and priced: its first operation is the host's."""
    found = nd.convert(Encoder(), tmp_path / "a.nd", example_inputs=ids(), on_chip=part)
    assert {row["form"] for row in found["on_host"]} - {"take"} == left
    for row in found["on_host"]:
        if row["form"] in ("layer_norm", "softmax", "matmul"):
            needed = "block" if row["form"] == "layer_norm" else "all"
            assert row["rule"] == "not-asked-for" and f"--on-chip {needed}" in row["remedy"]
    assert found["multiply_adds"]["on_chip"] >= share
    assert found["check"]["largest_relative"] < 0.01
    mapped = found.bundle.map("oheo-gulch")
    assert mapped["cores_used"] > 0
    priced = found.bundle.energy(input=ids().numpy())
    assert priced["step"]["joules_per_token"]["board"]["nominal"] > 0


def test_attention_on_the_chip_is_the_same_whoever_runs_it(tmp_path: Path) -> None:
    bundle = nd.convert(Encoder(), tmp_path / "a.nd", example_inputs=ids(), on_chip="all").bundle
    bundle.map("oheo-gulch")
    runs = {runner: bundle.run(input=ids().numpy(), runner=runner) for runner in ("fast", "reference", "partitioned")}
    for key in ("outputs", "populations", "projections", "saturations"):
        assert len({str(run[key]) for run in runs.values()}) == 1, key


def test_more_products_than_a_chip_has_neurons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attending, "PRODUCTS_MAX", 5 * 5 * 4 * 3 - 1)
    found = nd.convert(Encoder(), tmp_path / "a.nd", example_inputs=ids(), on_chip="all")
    left = [row for row in found["on_host"] if row["form"] == "matmul"]
    assert len(left) == 2 and {row["rule"] for row in left} == {"product-of-two-values"}


@pytest.mark.parametrize("mask", [0.0, -30.0, -1e9, -float("inf")])
@pytest.mark.parametrize("axis", [1, 2])
def test_a_constant_mask(mask: float, axis: int, tmp_path: Path) -> None:
    """It leaves its bits to the scores: what is far below is nothing, however far."""
    added = torch.zeros(4, 7)
    added[:, 5:] = mask
    if axis == 1:
        added = added.mT.reshape(4, 7)  # some of each column
    net = Of(lambda x: torch.softmax(x + added, axis) * 2.0)
    x = torch.randn(8, 4, 7, generator=torch.Generator().manual_seed(3)) * 3
    found = nd.convert(net, tmp_path / "a.nd", example_inputs=x, on_chip="all")
    assert not found["on_host"]
    assert output_of(found)["largest_error"] < 1e-3


def test_a_softmax_over_many_is_exact_to_its_table(tmp_path: Path) -> None:
    """Three levels of the tree and a part of a fourth; the largest anywhere."""
    x = torch.randn(12, 70, generator=torch.Generator().manual_seed(4)) * 4
    found = nd.convert(Of(lambda x: torch.softmax(x, 1) * 1.0), tmp_path / "a.nd", example_inputs=x, on_chip="all")
    populations = open_bundle(tmp_path / "a.nd").program.network.populations
    assert sum("largest_of" in name for name in populations) == 4
    assert output_of(found)["largest_error"] < 5e-4


def test_a_classifier_leaves_its_softmax_to_the_reader(tmp_path: Path) -> None:
    net = nn.Sequential(nn.Linear(3, 4), nn.Softmax(-1))
    nd.convert(net, tmp_path / "a.nd", example_inputs=torch.randn(8, 3), on_chip="all")
    told = open_bundle(tmp_path / "a.nd").program.conversion
    assert [row["form"] for row in told["tail"]]  # type: ignore[attr-defined] == ["softmax"]


def test_norms_of_values_far_from_0(tmp_path: Path) -> None:
    """A mean a hundred times the deviation, and a channel of thousands."""
    x = torch.randn(16, 6, 24, generator=torch.Generator().manual_seed(2)) + 100.0
    x[:, :, 3] *= 40
    for norm in (nn.LayerNorm(24), nn.RMSNorm(24, eps=1e-5)):
        net = nn.Sequential(norm, nn.Hardtanh(-3, 30))
        found = nd.convert(net, tmp_path / f"{type(norm).__name__}.nd", example_inputs=x)
        assert not found["on_host"]
        assert output_of(found)["largest_relative"] < 1e-3


def test_a_part_that_there_is_not(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--on-chip: is most") as told:
        nd.convert(nn.Linear(2, 2), tmp_path / "a.nd", example_inputs=np.ones((4, 2), np.float32), on_chip="most")
    assert told.value.code == "ND1313" and "projections, block, all" in told.value.fix
