"""program.json: the host program and the island table, in plain JSON with no float that a Program should not hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from neurodeploy.errors import BundleError, InternalError
from neurodeploy.ir.graph import HOST_OPS, HostOp, ModelInfo
from neurodeploy.ir.program import CONTRACT, Island, IslandCall, Program, Step


def step_to_json(step: Step) -> dict[str, Any]:
    row = {"path": step.path, "inputs": list(step.inputs), "outputs": list(step.outputs), "layer": step.layer}
    if isinstance(step, IslandCall):
        return {**row, "island": step.island}
    attrs = {key: list(value) if isinstance(value, tuple) else value for key, value in step.attrs.items()}
    return {**row, "op": step.op, "attrs": attrs, "weights": dict(step.weights)}


def program_to_json(program: Program, islands: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "contract": program.contract,
        "info": asdict(program.info),
        "input": program.input,
        "output": program.output,
        "sizes": dict(program.sizes),
        "steps": [step_to_json(step) for step in program.steps],
        "islands": islands,
    }


def _step(row: dict[str, Any]) -> Step:
    inputs, outputs = tuple(map(str, row["inputs"])), tuple(map(str, row["outputs"]))
    layer = None if row["layer"] is None else int(row["layer"])
    if "island" in row:
        return IslandCall(str(row["path"]), str(row["island"]), inputs[0], outputs, layer)
    if row["op"] not in HOST_OPS:
        raise ValueError(f"{row['path']}: unknown host operation {row['op']!r}")
    attrs = {key: tuple(value) if isinstance(value, list) else value for key, value in row["attrs"].items()}
    missing = [key for key in HOST_OPS[row["op"]] if key not in attrs]
    if missing:
        raise ValueError(f"{row['path']}: host operation {row['op']!r} lacks {missing}")
    return HostOp(str(row["path"]), row["op"], inputs, outputs, attrs, dict(row["weights"]), layer)


def program_from_json(
    value: dict[str, Any], path: Path, read: Callable[[dict[str, Any]], Island], conversion: dict[str, Any]
) -> Program:
    """Build a Program; `read` turns a row of the island table into an Island. Anything odd is ND5006, naming it."""
    try:
        if value["contract"] != CONTRACT:
            raise ValueError(f"its numeric contract is {value['contract']!r}, this version runs {CONTRACT!r}")
        info = dict(value["info"])
        info["eos_tokens"] = tuple(info["eos_tokens"])
        islands = {str(row["name"]): read(row) for row in value["islands"]}
        program = Program(
            ModelInfo(**info), tuple(_step(row) for row in value["steps"]), islands,
            {str(name): int(size) for name, size in value["sizes"].items()},
            str(value["input"]), str(value["output"]), value["contract"], conversion,
        )  # fmt: skip
        program.check()
    except BundleError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, InternalError) as error:
        raise BundleError("ND5006", path, f"is not a program: {error}", "convert the model again") from None
    return program
