"""Makes lava-nc 0.10.0 importable on Python 3.11 and later, and runs three of its calls on numpy 2 and 2.4 and later.

Python 3.11 refuses a dataclass field whose default is an unhashable object. Eight fields of
``lava/magma/compiler/var_model.py`` default to a fresh encoder object, so the import of every Lava process fails there.
The module is small and this is its only fault: it is loaded from its own source with each such default replaced by the
equivalent ``field(default_factory=...)``. Nothing is written to the installation.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import re
import sys
from typing import Any

VAR_MODEL = "lava.magma.compiler.var_model"
#: ``name: SomeEncoder = SomeEncoder()`` at the level of a class body.
DEFAULT = re.compile(r"^(\s+\w+: \w+ = )(\w*Encoder)\(\)$", re.MULTILINE)


def needed() -> bool:
    """Whether this Python refuses Lava's source as it is."""
    return sys.version_info >= (3, 11)


def install() -> list[str]:
    """Apply what this interpreter needs; returns what was done, in words."""
    done = []
    if needed():
        done.append(f"{_load_var_model()} defaults of {VAR_MODEL} became factories for Python 3.11")
    import numpy as np

    major, minor = (int(part) for part in np.__version__.split(".")[:2])
    if major >= 2:
        _whole_geometry()
        done.append("Conv adds its int8 geometry to sides beyond 127: for numpy 2")
    if (major, minor) >= (2, 4):
        _scalar_leading_zeros()
        _reshape_by_position()
        done.append("InvSqrt gets its one value as a scalar, ReshapePort names no removed argument: for numpy 2.4")
    return done


def whole_lines() -> None:
    """For boards: Lava 0.10.0 takes the empty piece behind the last line of ``sinfo`` for a partition without a name and
    fails there; it does so with every board that SLURM has."""
    slurm: Any = importlib.import_module("lava.utils.slurm")
    original = slurm.try_run_command
    slurm.try_run_command = lambda command: [line for line in original(command) if line.strip()]


def _load_var_model() -> int:
    spec = importlib.util.find_spec(VAR_MODEL)
    if spec is None or spec.loader is None:
        raise ImportError(f"{VAR_MODEL} is not in this installation of Lava")
    loader: Any = spec.loader
    source = loader.get_source(VAR_MODEL)
    repaired, count = DEFAULT.subn(r"\1field(default_factory=\2)", source)
    repaired = repaired.replace("from dataclasses import ", "from dataclasses import field, ", 1)
    module = importlib.util.module_from_spec(spec)
    sys.modules[VAR_MODEL] = module
    exec(compile(repaired, str(spec.origin), "exec"), module.__dict__)
    return int(count)


def _whole_geometry() -> None:
    """numpy 2 no longer widens an int8 to which a larger int is added: the sides of an image could be 127 at most."""
    utils: Any = importlib.import_module("lava.proc.conv.utils")
    original = utils.output_shape

    def output_shape(input_shape: Any, out_channels: int, *pairs: Any) -> Any:
        return original(input_shape, out_channels, *([int(side) for side in pair] for pair in pairs))

    utils.output_shape = output_shape


def _scalar_leading_zeros() -> None:
    """numpy 2.4 no longer makes an int of an array with one element, which ``clz`` and ``inv_sqrt`` ask for."""
    models: Any = importlib.import_module("lava.proc.graded.models")
    original = models.inv_sqrt

    def inv_sqrt(s_fp: Any, *arguments: Any, **named: Any) -> Any:
        return original(s_fp.item() if hasattr(s_fp, "item") else s_fp, *arguments, **named)

    models.inv_sqrt = inv_sqrt


def _reshaped(data: Any, shape: Any) -> Any:
    return data.reshape(shape)


def _reshape_by_position() -> None:
    """numpy's ``reshape`` lost the name ``newshape`` of its argument, by which Lava's virtual port calls it."""
    port: Any = importlib.import_module("lava.magma.core.process.ports.ports").ReshapePort
    port.get_transform_func_fwd = lambda self: functools.partial(_reshaped, shape=self.shape)
    port.get_transform_func_bwd = lambda self: functools.partial(_reshaped, shape=self.old_shape)
