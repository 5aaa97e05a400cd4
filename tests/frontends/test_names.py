"""Names of models: one table for fit and convert, hub ids, the hub's cache, closed models; packages made here."""

from __future__ import annotations

import hashlib
import json
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import neurodeploy as nd
from neurodeploy.errors import ModelError
from neurodeploy.frontends import names, packaged
from neurodeploy.frontends.families import HUGGINGFACE
from neurodeploy.frontends.outlines import read_hollow
from neurodeploy.frontends.packaged import DEMO, PACKAGED, Packaged, resolve
from neurodeploy.storage.temporary import written_aside
from neurodeploy.synapses.hollow import facts_of, weights_of
from tests.refusals import refused
from tests.tiny import Cli


@pytest.fixture(autouse=True)
def _no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever this machine has fetched does not matter."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Qwen/Qwen3-0.6B", "qwen3-0.6b"), ("qwen/qwen3-0.6b-base", "qwen3-0.6b"), ("qwen3:0.6b", "qwen3-0.6b"),
        ("Qwen3 0.6B", "qwen3-0.6b"), ("meta-llama/Llama-3.2-1B", "llama3.2-1b"), ("Llama-3.2-1B-Instruct", "llama3.2-1b"),
        ("meta-llama/Meta-Llama-3.1-8B-Instruct", "llama3.1-8b"), ("unsloth/gemma-3-1b-it", "gemma3-1b"),
        ("openai/gpt-oss-20b", "gpt-oss-20b"), ("GPT-2", "gpt2"), ("openai-community/gpt2", "gpt2"), ("gpt-3", "gpt3"),
        ("mistralai/Mistral-7B-Instruct-v0.1", "mistral-7b-v0.1"), ("deepseek-ai/DeepSeek-R1", "deepseek-v3"),
        ("nobody/of-that-name", None), ("qwen9-1b", None), ("", None), ("/", None),
    ],
)  # fmt: skip
def test_what_a_name_stands_for(text: str, name: str | None) -> None:
    found = names.find(text)
    assert (found.name if found else None) == name


@pytest.mark.parametrize(
    "text", ["./gpt2", "../qwen3-0.6b", "/no/such/gpt2", "~/gpt2", "models/gpt2", "a/b/gpt2", "./gpt-4"]
)
def test_a_path_is_no_name(text: str, tmp_path: Path) -> None:
    """A path that is not there is not taken for a model that happens to be called so."""
    (tmp_path / "models").mkdir()
    assert names.find(text) is None
    refused(ModelError, "ND1001", resolve, text)
    refused(ModelError, "ND2042", read_hollow, text)


def test_no_hub_id_stands_for_two_models() -> None:
    ids = [hub.lower() for entry in names.known().values() for hub in entry.hub]
    assert len(ids) == len(set(ids))
    for entry in names.known().values():
        assert names.find(entry.name) is entry
        assert all(names.find(hub) is entry for hub in entry.hub)
        assert all(names.HUB_ID.fullmatch(hub) for hub in entry.hub if "/" in hub)


def test_fit_and_convert_know_the_same_names() -> None:
    """Of every name fit has the shape; convert has the model, or says why not and what to do."""
    assert set(PACKAGED) <= set(names.known())
    for name in names.known():
        if name in PACKAGED:
            continue
        with pytest.raises(ModelError) as caught:
            resolve(name)
        assert caught.value.code in ("ND1002", "ND1011", "ND1014"), name
        assert "hf download" in caught.value.fix or f"fit {name}" in caught.value.fix
    assert read_hollow(DEMO).info.name == DEMO


def test_convert_answers_with_the_command(cli: Cli) -> None:
    """A command that huggingface_hub's own program takes, with the id that was asked for."""
    answer = cli("convert", "meta-llama/Llama-3.2-1B-Instruct", "--out", "x.nd")
    assert answer.status == 2
    assert answer.err.startswith("error ND1002 meta-llama/Llama-3.2-1B-Instruct: ")
    assert "huggingface.co/meta-llama/Llama-3.2-1B-Instruct and `hf auth login` first" in answer.err
    words = shlex.split(answer.err.split("`")[1])
    assert words[:3] == ["hf", "download", "meta-llama/Llama-3.2-1B-Instruct"]
    program = [sys.executable, "-c", "from huggingface_hub.cli.hf import main; main()"]
    for more, status in (([], 0), (["--no-such-option"], 2)):
        done = subprocess.run([*program, *words[1:], *more, "--help"], capture_output=True, check=False)
        assert done.returncode == status, done.stderr


CLOSED = [
    "gpt-4", "GPT-4o", "gpt 4", "gpt4-turbo", "chatgpt", "gpt-3.5-turbo", "openai/gpt-5", "o1", "o3-mini", "claude",
    "anthropic/claude-3-5-sonnet", "gemini-1.5-pro", "google/gemini-2.5-flash", "grok-4", "mistral-medium", "qwen-max",
]  # fmt: skip


@pytest.mark.parametrize("text", CLOSED)
def test_closed_models(text: str, cli: Cli) -> None:
    for arguments in (["fit", text], ["convert", text, "--out", "x.nd"]):
        answer = cli(*arguments)
        assert answer.status == 2
        assert answer.err.startswith(f"error ND1014 {text}: is a closed model of ")
        assert "did you mean" not in answer.err


@pytest.mark.parametrize(
    "text", ["gpt-j-6b", "gpt-neo-125m", "gpt-oss-120b", "gemma-2b", "grok-1", "o", "opt-125m", "gpt3"]
)
def test_open_names_that_look_like_closed_ones(text: str) -> None:
    if names.find(text) is None:
        names.check_open(text)


def test_a_public_shape_without_weights() -> None:
    """GPT-3: 175 billion parameters by its paper; its weights are nobody's to fetch."""
    assert weights_of(read_hollow("gpt3")).total / 1e9 == pytest.approx(175, abs=0.5)
    refused(ModelError, r"ND1014 gpt3: its shape is public .*OpenAI", resolve, "gpt3")


def fetched(folder: Path, repository: str, config: dict[str, object], *files: str) -> Path:
    """What `hf download` leaves: a reference to a snapshot, and the snapshot."""
    home = folder / f"models--{repository.replace('/', '--')}"
    snapshot = home / "snapshots" / ("a" * 40)
    snapshot.mkdir(parents=True)
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text("a" * 40)
    (snapshot / "config.json").write_text(json.dumps(config))
    for name in files:
        (snapshot / name).write_bytes(b"")
    return snapshot


SMALL = {
    "model_type": "llama", "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 96,
}  # fmt: skip


def test_what_was_fetched_is_found(tmp_path: Path) -> None:
    """A hub id, and a name that stands for one; a configuration alone is enough for fit and not for convert."""
    whole = fetched(tmp_path / "hub", "HuggingFaceTB/SmolLM2-360M", SMALL, "model.safetensors")
    assert resolve("HuggingFaceTB/SmolLM2-360M") == resolve("smollm2-360m") == whole
    fetched(tmp_path / "hub", "some/thing", SMALL)
    assert nd.fit("some/thing", "kapoho-point", bits=(8,))["layers"] == 2
    refused(ModelError, "ND1001", resolve, "some/thing")


def test_a_folder_of_that_name_comes_first(tmp_path: Path) -> None:
    folder = tmp_path / "Qwen" / "Qwen3-0.6B"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(SMALL))
    assert read_hollow("Qwen/Qwen3-0.6B").info.layers == 2
    assert resolve("Qwen/Qwen3-0.6B") == Path("Qwen/Qwen3-0.6B")
    (note, *_) = facts_of(read_hollow("unsloth/Qwen3-0.6B")).notes
    assert note.startswith("unsloth/Qwen3-0.6B is taken for the shape of Qwen/Qwen3-0.6B")


BLOCKS = (b"GGUF" + bytes(3000), b"second part")
MODEL = Packaged(
    name="tiny",
    package="tiny-gguf",
    version="1.0",
    licence="none",
    wheel_bytes=3_100_000,
    file="tiny.gguf",
    size=len(b"".join(BLOCKS)),
    sha256=hashlib.sha256(b"".join(BLOCKS)).hexdigest(),
    parts=(("tiny_part1", "data/tiny.part00"), ("tiny_part2", "data/tiny.part01")),
    install="pip install tiny-gguf==1.0",
)


@pytest.fixture
def site(tmp_path, monkeypatch) -> Path:
    """Two installed packages whose code must never run, and an empty cache folder."""
    for (module, file), block in zip(MODEL.parts, BLOCKS, strict=True):
        (tmp_path / module / "data").mkdir(parents=True)
        (tmp_path / module / "__init__.py").write_text("raise RuntimeError('the package was imported')")
        (tmp_path / module / file).write_bytes(block)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("NEURODEPLOY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(packaged, "PACKAGED", {"tiny": MODEL, "one": replace(MODEL, name="one", parts=MODEL.parts[:1])})
    return tmp_path


def test_parts_are_joined_once(site):
    path = resolve("tiny")
    assert path == site / "cache" / "models" / "tiny.gguf"
    assert path.read_bytes() == b"".join(BLOCKS)
    stamp = path.stat().st_mtime_ns
    assert resolve("tiny") == path and path.stat().st_mtime_ns == stamp
    path.write_bytes(b"half")
    assert resolve("tiny").read_bytes() == b"".join(BLOCKS)
    assert [file.name for file in path.parent.iterdir()] == ["tiny.gguf"]


def test_a_damaged_part_leaves_nothing_behind(site):
    (site / "tiny_part2" / "data" / "tiny.part01").write_bytes(b"Second part")
    refused(ModelError, r"ND1004 tiny: .*sha256.*force-reinstall", resolve, "tiny")
    assert list((site / "cache" / "models").iterdir()) == []


def test_a_missing_package_says_how_to_install_it(site):
    (site / "tiny_part2" / "data" / "tiny.part01").unlink()
    refused(ModelError, r"ND1002 tiny: .*lacks its file.*pip install tiny-gguf==1\.0", resolve, "tiny")
    packaged.PACKAGED["tiny"] = replace(MODEL, parts=(("no_such_package_here", "a"),))
    refused(ModelError, r"ND1002 tiny: .*not installed \(3 MB, licence: none\); pip install", resolve, "tiny")


def test_a_single_file_stays_in_its_package(site):
    refused(ModelError, r"ND1004 one: .* has 3004 bytes, version 1\.0 has 3015", resolve, "one")
    packaged.PACKAGED["one"] = replace(packaged.PACKAGED["one"], size=3004)
    assert resolve("one") == site / "tiny_part1" / "data" / "tiny.part00"
    assert not (site / "cache").exists()


def test_a_cache_that_cannot_be_written(site):
    (site / "cache").write_bytes(b"a file where the folder should be")
    refused(ModelError, r"ND1002 tiny: cannot be assembled.*NEURODEPLOY_CACHE", resolve, "tiny")


def test_a_path_stays_a_path(tmp_path, monkeypatch):
    (tmp_path / "model.gguf").write_bytes(b"x")
    assert resolve(tmp_path) == tmp_path
    assert resolve(str(tmp_path / "model.gguf")) == tmp_path / "model.gguf"
    monkeypatch.setenv("HOME", str(tmp_path))
    assert resolve("~/model.gguf") == tmp_path / "model.gguf"
    refused(ModelError, r"ND1001 .*modle\.gguf.*did you mean .*model\.gguf", resolve, tmp_path / "modle.gguf")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("smollm2", "smollm2: .*did you mean 'smollm2-135m'"), ("gema3-270m", "gema3-270m: .*did you mean 'gemma3-270m'"),
        ("zzzzzzzz", ".*give a path, or one of smollm2-135m, gemma3-270m, demo"),
        ("some/thing", "some/thing: .*`hf download some/thing`"),
    ],
)  # fmt: skip
def test_names_that_are_not_known(name, says):
    refused(ModelError, f"ND1001 {says}", resolve, name)
    fetched = f"`hf download {name} config.json`" if "/" in name else ""
    refused(ModelError, f"ND2042 {name}: .*{fetched}", read_hollow, name)


def test_a_family_that_is_not_converted_is_not_fetched() -> None:
    assert "deepseek_v3" not in HUGGINGFACE
    says = r"ND1011 .*DeepSeek-V3.* family deepseek_v3, .*; `neurodeploy fit deepseek-v3`"
    refused(ModelError, says, resolve, "deepseek-ai/DeepSeek-V3")


def test_the_demo(tmp_path, monkeypatch):
    assert str(resolve("demo") / "config.json").endswith("neurodeploy/embedded/model/config.json")
    monkeypatch.setattr(packaged, "DEMO_FOLDER", tmp_path)
    refused(ModelError, "ND1001 demo", resolve, "demo")


def test_cache_folder(monkeypatch):
    monkeypatch.delenv("NEURODEPLOY_CACHE", raising=False)
    assert packaged.cache_folder() == Path.home() / ".cache" / "neurodeploy"


def test_a_failed_write_keeps_the_old_file(tmp_path):
    target = tmp_path / "a" / "file"
    with written_aside(target, parents=True) as aside:
        aside.write_text("old")
    with pytest.raises(RuntimeError), written_aside(target) as aside:
        aside.write_text("new")
        raise RuntimeError
    assert target.read_text() == "old" and list(target.parent.iterdir()) == [target]


@pytest.mark.real
@pytest.mark.parametrize("name", sorted(PACKAGED))
def test_packaged_files_are_the_ones_that_were_measured(name):
    path = resolve(name)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert (path.stat().st_size, digest) == (PACKAGED[name].size, PACKAGED[name].sha256)
