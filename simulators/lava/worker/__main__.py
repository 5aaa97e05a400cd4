# mypy: disable-error-code="misc, import-not-found, import-untyped"
"""``python -m worker FOLDER``: read the job, run its Lava runs one after another, leave what they recorded."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import resource
import signal
import sys
import traceback
from pathlib import Path
from typing import Any


def expose(package: Path) -> None:
    """Make one package importable by its folder, without whatever lies beside it."""
    spec = importlib.util.spec_from_file_location(
        package.name, package / "__init__.py", submodule_search_locations=[str(package)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"{package} is not a package")
    module = importlib.util.module_from_spec(spec)
    sys.modules[package.name] = module
    spec.loader.exec_module(module)


def report_failure(folder: Path, process: str | None) -> None:
    """Leave the exception at hand where the parent looks for it, complete at once."""
    kind, error, _ = sys.exc_info()
    text = {"process": process, "error": f"{getattr(kind, '__name__', kind)}: {error}", "trace": traceback.format_exc()}
    aside = folder / f"aside_{os.getpid()}"
    aside.write_text(json.dumps(text), encoding="utf-8")
    aside.replace(folder / f"failure_{os.getpid()}.json")


def watch_actors(folder: Path, names: dict[int, str]) -> None:
    """Lava's processes print their exceptions and leave the others waiting: report each with its name."""
    runtime: Any = importlib.import_module("lava.magma.runtime.runtime")
    original = runtime.target_fn

    def reporting(*arguments: Any, **given: Any) -> None:
        number = getattr(given.get("builder"), "_model_id", None)
        try:
            original(*arguments, **given)
        except Exception:
            report_failure(folder, names.get(number) if number is not None else None)
            raise

    runtime.target_fn = reporting


def main(folder: Path) -> None:
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    # If the parent is gone and cannot end this group, its own clock does.
    signal.signal(signal.SIGALRM, lambda *_: os.killpg(os.getpgrp(), signal.SIGTERM))
    signal.setitimer(signal.ITIMER_REAL, float(job["seconds"]) + 30.0)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 16384:
        resource.setrlimit(
            resource.RLIMIT_NOFILE, (16384 if hard == resource.RLIM_INFINITY else min(hard, 16384), hard)
        )

    from . import shim

    repairs = shim.install()
    expose(Path(job["package"]))
    import numpy as np

    from .scene import Scene

    # float32 products of torch would be inexact above 2**24; scipy's float64 is exact below 2**53.
    convolution: Any = importlib.import_module("lava.proc.conv.utils")
    convolution.TORCH_IS_AVAILABLE = False
    names: dict[int, str] = {}
    watch_actors(folder, names)
    done: dict[str, Any] = {"repairs": repairs, "runs": []}
    with np.load(folder / "arrays.npz", allow_pickle=False) as arrays:
        for number, description in enumerate(job["runs"]):
            scene = Scene(description, arrays, folder / f"run_{number}.npz")
            told: dict[str, Any] = {}
            if "board" in description:
                from .board import run_on_board

                scene, seconds, told = run_on_board(scene, description, arrays, folder / f"run_{number}.npz", names)
            else:
                names.clear()
                names.update(scene.names)
                seconds = scene.run()
            done["runs"].append({"models": scene.models, "seconds": seconds, "processes": len(scene.names), **told})
    (folder / "done.json").write_text(json.dumps(done), encoding="utf-8")


if __name__ == "__main__":
    # This folder was needed to find the package; nothing in it may hide a library.
    here = str(Path(__file__).resolve().parent.parent)
    sys.path[:] = [entry for entry in sys.path if entry and str(Path(entry).resolve()) not in (here, sys.argv[1])]
    try:
        main(Path(sys.argv[1]))
    except Exception:
        report_failure(Path(sys.argv[1]), None)
        raise
