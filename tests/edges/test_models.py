"""Common models, files and names that were refused, or answered with what could not be done."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import gguf_files, models
from tests.pipeline.networks import Files
from tests.pipeline.test_families import bytes_as_tokens
from tests.tiny import Answer, call

Capture = pytest.CaptureFixture[str]
Sources = dict[str, Path]
QUICK = ["--preset", "quick", "--calibration-tokens", "64"]


def convert(source: object, out: Path, capsys: Capture) -> Answer:
    return call(["convert", str(source), "--out", str(out), *QUICK], capsys)


@pytest.fixture
def converted(tmp_path: Path, capsys: Capture) -> Callable[[Path], dict[str, str]]:
    """The digests of what a bundle holds of its islands and of the host's weights: the model, whatever it is called."""

    def make(source: Path) -> dict[str, str]:
        found = convert(source, tmp_path / f"{source.stem}.nd", capsys)
        assert found.status == 0, found.err
        members = json.loads((tmp_path / f"{source.stem}.nd" / "manifest.json").read_text())["members"]
        return {name: row["sha256"] for name, row in members.items() if name.startswith(("islands/", "host."))}

    return make


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Sources:
    """One tiny Llama as a folder and as a GGUF file; a Gemma 3 as a folder."""
    folder = tmp_path_factory.mktemp("sources")
    for family in ("llama", "gemma3"):
        models.save(family, folder / family, tie_word_embeddings=family != "llama")
    made, tokenizer = models.make("llama", vocab_size=261), bytes_as_tokens("llama")
    for name, settings in {"plain": {}, **GGUF}.items():
        gguf_files.save(folder / f"{name}.gguf", made, tokenizer, settings)
    return {path.name: path for path in folder.iterdir()}


#: Keys of a GGUF file that say what is so anyway, and one whose list says something else.
GGUF: dict[str, dict[str, Any]] = {
    "heads": {"attention.head_count_kv": [2, 2]},
    "width": {"feed_forward_length": [96, 96]},
    "layout": {"tensor_data_layout": "Meta AI original pth"},
    "factor": {"rope.scaling.type": "linear", "rope.scaling.factor": 1.0, "rope.scaling.attn_factor": 1.0},
    "pattern": {"attention.sliding_window_pattern": [True, False]},
    "sections": {"rope.dimension_sections": [8, 8, 0, 0]},
}


@pytest.mark.parametrize("name", ["heads", "width", "layout", "factor"])
def test_gguf_keys_that_change_nothing(name: str, sources: Sources, converted: Any) -> None:
    assert converted(sources["plain.gguf"]) == converted(sources[f"{name}.gguf"])


@pytest.mark.parametrize("name", ["pattern", "sections"])
def test_a_list_under_a_gguf_key_is_refused_by_its_name(
    name: str, sources: Sources, tmp_path: Path, capsys: Capture
) -> None:
    found = convert(sources[f"{name}.gguf"], tmp_path / "x.nd", capsys)
    assert (
        found.status == 2 and found.err.startswith("error ND1012 ") and f"llama.{next(iter(GGUF[name]))}" in found.err
    )


#: What published files of a family say beside what is read: training, speed, generation.
WITHOUT_EFFECT: dict[str, dict[str, Any]] = {
    "llama": {
        "pretraining_tp": 2, "max_sequence_length": 2048, "_flash_attn_2_enabled": True, "tokenizer_class": "T",
        "model_max_length": 4096, "max_length": 20, "use_bfloat16": False, "use_sliding_window": False, "trick": 3,
    },
    "gemma3": {"add_cross_attention": False, "diversity_penalty": 0.0, "length_penalty": 1.0, "num_beams": 1, "top_k": 50},
}  # fmt: skip


def edited(folder: Path, source: Path, settings: dict[str, Any]) -> Path:
    """A copy of a model's folder with further settings."""
    shutil.copytree(source, folder)
    before = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(before | settings))
    return folder


@pytest.mark.parametrize("family", WITHOUT_EFFECT)
def test_settings_that_change_nothing(family: str, sources: Sources, tmp_path: Path, converted: Any) -> None:
    more = edited(tmp_path / "more", sources[family], WITHOUT_EFFECT[family])
    assert converted(more) == converted(sources[family])


def test_all_settings_that_change_something_are_named_at_once(
    sources: Sources, tmp_path: Path, capsys: Capture
) -> None:
    more = edited(tmp_path / "more", sources["llama"], {"attn_logit_softcapping": 30.0, "residual_multiplier": 0.5})
    found = convert(more, tmp_path / "x.nd", capsys)
    assert found.status == 2 and "attn_logit_softcapping" in found.err and "residual_multiplier" in found.err


def test_shards_without_an_index(sources: Sources, tmp_path: Path, converted: Any) -> None:
    from safetensors.torch import load_file, save_file

    folder = edited(tmp_path / "parts", sources["llama"], {})
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    for part in (0, 1):
        some = {name: tensors[name] for name in sorted(tensors)[part::2]}
        save_file(some, folder / f"model-0000{part + 1}-of-00002.safetensors", {"format": "pt"})
    assert converted(folder) == converted(sources["llama"])


def test_a_remedy_for_a_head_that_is_two_things(sources: Sources, tmp_path: Path, capsys: Capture) -> None:
    """The file has a head of its own, the configuration says that it has none: what helps is in the configuration."""
    folder = edited(tmp_path / "x", sources["llama"], {"tie_word_embeddings": True})
    found = convert(folder, tmp_path / "x.nd", capsys)
    assert found.status == 2 and "set tie_word_embeddings to false in config.json" in found.err


MAMBA = {
    "d_model": 768, "d_intermediate": 0, "n_layer": 24, "vocab_size": 50277, "ssm_cfg": {"layer": "Mamba2"},
    "attn_layer_idx": [], "attn_cfg": {}, "rms_norm": True, "residual_in_fp32": True, "fused_add_norm": True,
    "pad_vocab_size_multiple": 16, "tie_embeddings": True,
}  # fmt: skip
LLAMA = {"model_type": "llama", "hidden_size": 64, "num_attention_heads": 4, "vocab_size": 256}
#: A configuration, and how many million parameters transformers counts in it.
SIZES: dict[str, tuple[dict[str, Any], float]] = {
    "names that transformers takes too": (
        {"model_type": "gpt2", "hidden_size": 768, "num_attention_heads": 12, "num_hidden_layers": 4, "n_inner": 1000},
        55.0,
    ),
    "a list of equal values": (LLAMA | {"num_hidden_layers": 2, "intermediate_size": [96, 96]}, 0.103),
    "an original Mamba 2": (MAMBA, 129.0),
}


@pytest.mark.parametrize("name", SIZES)
def test_fit_counts(name: str, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "config.json").write_text(json.dumps(SIZES[name][0]))
    found = call(["fit", str(tmp_path / "config.json"), "--system", "kapoho-point", "--bits", "8", "--json"], capsys)
    assert found.status == 0, found.err
    assert json.loads(found.out)["weights"]["total"] / 1e6 == pytest.approx(SIZES[name][1], rel=0.01)


def test_fit_as_for_any_family_counts_experts(tmp_path: Path, capsys: Capture) -> None:
    """gpt-oss-20b, which was 2.39 G and fitted."""
    sizes = {"hidden_size": 2880, "intermediate_size": 2880, "num_hidden_layers": 24, "num_attention_heads": 64,
             "num_key_value_heads": 8, "head_dim": 64, "num_local_experts": 32, "num_experts_per_tok": 4,
             "vocab_size": 201088, "sliding_window": 128, "model_type": "gpt_oss"}  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(sizes))
    given = ["fit", str(tmp_path / "config.json"), "--generic", "--system", "hala-point", "--bits", "8", "--json"]
    found = call(given, capsys)
    assert found.status == 3
    assert json.loads(found.out)["weights"]["total"] / 1e9 == pytest.approx(20.9, abs=0.05)


def test_one_name_for_fit_and_convert(tmp_path: Path, capsys: Capture) -> None:
    assert call(["fit", "Qwen/Qwen3-0.6B", "--system", "hala-point", "--bits", "8"], capsys).status == 0
    found = convert("Qwen/Qwen3-0.6B", tmp_path / "x.nd", capsys)
    assert found.status == 2 and "`hf download Qwen/Qwen3-0.6B" in found.err


@pytest.mark.parametrize("name", ["gpt-4", "claude", "gemini-1.5-pro"])
def test_a_closed_model_is_told_to_be_one(name: str, capsys: Capture) -> None:
    found = call(["fit", name], capsys)
    assert found.status == 2 and "is a closed model" in found.err and "did you mean" not in found.err


def test_a_prompt_without_room_for_an_answer(llama_bundle: Path, capsys: Capture) -> None:
    found = call(["generate", str(llama_bundle), "--prompt", "a" * 6000, "--tokens", "4"], capsys)
    assert found.status == 2 and found.err.startswith("error ND3006 ")
    assert "shorten the prompt to at most 252 tokens" in found.err and "at most 0" not in found.err


def test_a_missing_time_step_names_the_whole_command(files: Files, tmp_path: Path, capsys: Capture) -> None:
    found = call(["convert", str(files.plain), "--out", str(tmp_path / "x.nd")], capsys)
    assert found.status == 2 and found.err.startswith("error ND1212 ")
    assert f"neurodeploy convert {files.plain} " in found.err and f"--out {tmp_path / 'x.nd'}" in found.err
