"""Frontends: from the files that people have to a `Graph`. This file opens weights; the families build the graph."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from neurodeploy.errors import ModelError
from neurodeploy.storage.opening import open_regular

if TYPE_CHECKING:
    from neurodeploy.frontends.file_store import FileStore

#: What `open_store` reads, for its error texts.
SUPPORTED = "a Hugging Face folder (config.json and safetensors) or a .gguf file"
#: What a folder holds that has the differences to a model, not the model (LoRA and its like).
ADAPTER = "adapter_config.json"
HUGGINGFACE, GGUF = "huggingface", "gguf"
#: Files that people have and that are something else: suffix -> what it is and what to do.
OTHER_FILES = {
    ".nir": ("a NIR graph", ""),
    ".net": ("a lava-dl network", ""),
    ".safetensors": ("a weight file without its config.json", "give the folder that it is in"),
    ".bin": ("pickled weights, which can run code and are never read", "save the model as safetensors"),
    ".pt": ("pickled weights, which can run code and are never read", "save the model as safetensors"),
    ".pth": ("pickled weights, which can run code and are never read", "save the model as safetensors"),
    ".onnx": ("an ONNX graph", "give the checkpoint that it was exported from"),
}


class OpenedStore(NamedTuple):
    """`config` is the object of config.json for `kind` "huggingface", the metadata for "gguf"."""

    store: FileStore
    config: dict[str, Any]
    kind: str


def open_store(path: str | Path) -> OpenedStore:
    """Open a checkpoint by what it is. Raises ND1001 where nothing is there, ND1003 where it is something else."""
    path = Path(path)
    if path.is_dir():
        return _open_folder(path)
    try:
        with open_regular(path) as file:
            magic = file.read(4)
    except OSError as error:
        from neurodeploy.frontends.files import cannot_open

        raise cannot_open(path, error) from None
    if magic == b"GGUF":
        from neurodeploy.frontends.gguf_store import GgufStore

        gguf = GgufStore(path)
        return OpenedStore(gguf, gguf.metadata, GGUF)
    if path.suffix == ".gguf":
        raise ModelError("ND1004", path, f"is not GGUF: it begins with {magic!r}", "fetch the file again")
    what, fix = OTHER_FILES.get(path.suffix.lower(), ("not a model file that we know", ""))
    raise ModelError("ND1003", path, f"is {what}; {SUPPORTED} is read", fix or "give one of these")


def _open_folder(path: Path) -> OpenedStore:
    from neurodeploy.frontends.files import read_json
    from neurodeploy.frontends.safetensors_store import SafetensorsStore

    if (path / "config.json").is_file():
        return OpenedStore(SafetensorsStore(path), read_json(path / "config.json"), HUGGINGFACE)
    if (path / ADAPTER).is_file():
        fix = "merge it into its base model with peft's merge_and_unload(), save that with save_pretrained, and give it"
        raise ModelError("ND1003", path, f"is an adapter ({ADAPTER}) without its base model", fix)
    inside = sorted(file.name for file in path.glob("*.gguf"))
    if inside:
        raise ModelError("ND1003", path, f"is a folder with {len(inside)} .gguf", f"give the file: {path / inside[0]}")
    raise ModelError("ND1003", path, f"has no config.json; {SUPPORTED} is read", "give the model's own folder")
