"""What an exploration reads, as digests: stages are named by what they depend on, whatever the files are called."""

from __future__ import annotations

import inspect
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from neurodeploy.bundle.files import digest as digest_of_file
from neurodeploy.errors import UserError
from neurodeploy.frontends.packaged import resolve
from neurodeploy.pipeline.explore_stages import STREAMS, TENSORS, TEXTS
from neurodeploy.pipeline.spiking_file import is_spiking_file
from neurodeploy.pipeline.tensors import is_module, is_onnx
from neurodeploy.storage.stage_files import digest


def kind_of(model: Any) -> str:
    """Which of the kinds of models it is, by what `convert` would take it for."""
    if is_module(model) or is_onnx(model):
        return TENSORS
    return STREAMS if is_spiking_file(Path(model)) else TEXTS


def digest_of_model(model: Any, kind: str) -> str:
    """Of a module its tensors, its description and the sources of its classes; of files what is in them. What `resolve`
    raises where a language model is not there."""
    if is_module(model):
        return _of_module(model)
    return digest_of(resolve(model) if kind == TEXTS else Path(model))


def digest_of(value: Any) -> str:
    """Of a path what is in the file or folder, else of an array, or of several: equal where all that a stage reads is equal.
    ND3324 for a file that cannot be read."""
    if value is None:
        return ""
    if isinstance(value, tuple | list):
        return digest(*(digest_of(each) for each in value))
    if isinstance(value, str | Path):
        return _of_path(Path(value))
    array = np.asarray(value.detach().cpu() if hasattr(value, "detach") else value)
    return digest(str(array.dtype), str(array.shape), np.ascontiguousarray(array))


def _of_path(path: Path) -> str:
    try:
        if path.is_dir():
            files = sorted(each for each in path.rglob("*") if each.is_file())
            return digest(*(f"{each.relative_to(path).as_posix()} {digest_of_file(each)}" for each in files))
        return digest_of_file(path)
    except OSError as error:
        problem = f"cannot be read: {error.strerror or error}"
        raise UserError("ND3324", path, problem, "check the path and its permissions") from None


def _of_module(module: Any) -> str:
    parts: list[Any] = [repr(module)]
    for kind in sorted(
        {type(each) for each in module.modules()}, key=lambda kind: f"{kind.__module__}.{kind.__qualname__}"
    ):
        parts.append(f"{kind.__module__}.{kind.__qualname__}")
        with suppress(OSError, TypeError):
            parts.append(inspect.getsource(kind))
    for name, tensor in module.state_dict().items():
        parts += [name, digest_of(tensor)]
    return digest(*parts)
