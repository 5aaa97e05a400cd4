"""Outlines: totals of published models, the converter's own islands, every family, what is left out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from neurodeploy.errors import ModelError
from neurodeploy.frontends.outlines import FAMILIES, config_outline, known, read_outline
from neurodeploy.ir.outline import Outline
from tests.fit.configs import CONFIGS, WRAPPED, config

#: Body, embedding and total in millions: the published shapes by arithmetic.
TOTALS = {
    "gpt2": (84.9, 38.6, 124.0),
    "gemma3-270m": (100.3, 167.8, 268.0),
    "gemma3-1b": (697.8, 302.0, 1000.0),
    "gemma3-4b": (3208.6, 671.3, 3880.0),
    # the decay gate (rank 16, 0.9 M) is counted here, the table leaves it out
    "spikingbrain-7b": (6525.3, 545.0, 7615.0),
    "llama4-scout": (105_700.0, 1034.5, 107_769.0),
    "llama4-maverick": (398_642.0, 1034.5, 400_711.0),
    "matmulfree-370m": (308.3, 32.8, 374.0),
}


@pytest.mark.parametrize("name", sorted(TOTALS))
def test_totals(name: str) -> None:
    body, table, total = TOTALS[name]
    found = read_outline(name)
    assert found.body / 1e6 == pytest.approx(body, rel=5e-4)
    assert found.table / 1e6 == pytest.approx(table, rel=2e-3)
    assert found.total / 1e6 == pytest.approx(total, rel=4e-3)


def test_all_known_models_are_tested() -> None:
    assert set(known()) == set(TOTALS)
    assert all(": " in text for text in known().values())


def test_active_weights() -> None:
    """A token of Scout meets 17.2 G weights with its embeddings, of which 2 x 1.03 G are these."""
    scout = read_outline("llama4-scout")
    assert (scout.active + 2 * scout.table) / 1e9 == pytest.approx(17.17, abs=0.01)


def shapes(outline: Outline) -> set[tuple[int, str, int, int, int]]:
    """(layer, name, rows, columns, experts) of all islands."""
    return {
        (layer, matrix.name, matrix.rows, matrix.columns, matrix.experts)
        for block, matrix in outline.matrices()
        for layer in block.layers
    }


def test_every_family_is_tested() -> None:
    assert {*CONFIGS, *WRAPPED} == set(FAMILIES)


@pytest.mark.parametrize("kind", sorted({*CONFIGS, *WRAPPED}))
def test_families(kind: str) -> None:
    found = config_outline(config(kind), "config.json", "small", "test")
    assert found.info.layers in (3, 4)
    assert sum(len(block.layers) for block in found.blocks) == found.info.layers
    assert found.body > 0
    assert all(matrix.rows > 0 and matrix.columns > 0 for _, matrix in found.matrices())
    assert all(work.generate[0] >= 0 and work.prefill[1] >= 0 for block in found.blocks for work in block.host)
    assert bool(found.left_out) == (kind in WRAPPED)


def test_a_family_of_the_converter_gives_the_converters_islands(llama_bundle: Path, llama: Path) -> None:
    """The same classes of islands, by name and shape, from config.json and from the bundle."""
    from neurodeploy.pipeline.fit_reading import read_model

    converted, read = read_model(llama_bundle, None, None, False), read_outline(llama)
    assert isinstance(converted, Outline)
    assert shapes(converted) == shapes(read)
    assert converted.body == read.body
    assert converted.head is not None and read.head is not None
    assert converted.head.shape == read.head.shape


def test_experts_of_the_converter(experts_bundle: Path, experts: Path) -> None:
    from neurodeploy.pipeline.fit_reading import read_model

    converted, read = read_model(experts_bundle, None, None, False), read_outline(experts)
    assert isinstance(converted, Outline)
    assert shapes(converted) == shapes(read)
    assert converted.active == read.active < read.body


def test_unknown_family() -> None:
    plain = {**CONFIGS["llama"], "model_type": "brand_new"}
    with pytest.raises(ModelError, match=r"ND2040 .*'brand_new' is not known; llama, .*; --generic takes it"):
        config_outline(plain, "config.json", "new", "test")
    found = config_outline(plain, "config.json", "new", "test", generic=True)
    assert found.body == config_outline(config("llama"), "config.json", "new", "test").body
    assert "not known" in found.notes[0]
    del plain["hidden_size"]
    for generic in (False, True):
        with pytest.raises(ModelError, match=r"ND2040 .*--generic cannot help: hidden_size is missing"):
            config_outline(plain, "config.json", "new", "test", generic=generic)


def test_windows_bound_what_attention_reads() -> None:
    """A window of 8 keys costs the same whatever the context; full attention grows with it."""

    def flops(kind: str, context: int) -> int:
        found = config_outline(config(kind), "config.json", "small", "test", context)
        return sum(work.generate[0] for block in found.blocks for work in block.host if work.op == "attention")

    assert flops("mistral", 64) == flops("mistral", 512)
    assert flops("llama", 512) > 6 * flops("llama", 64)


def test_a_bare_config_and_its_folder_agree(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text(json.dumps(config("qwen3")))
    assert shapes(read_outline(file)) == shapes(read_outline(tmp_path))
