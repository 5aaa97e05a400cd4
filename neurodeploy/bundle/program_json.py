"""program.json: the host program and the island table, in plain JSON with no float that a Program should not hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from neurodeploy.bundle.conversion_json import model_conversion, network_conversion
from neurodeploy.bundle.network_files import ARRAYS, network_from_json
from neurodeploy.bundle.program_check import check_program
from neurodeploy.bundle.typed import Row, as_integer, get, index, integer, items, table, text, texts
from neurodeploy.errors import BundleError, InternalError, UserError
from neurodeploy.ir.graph import HostOp, ModelInfo, WeightStore
from neurodeploy.ir.program import CONTRACT, NETWORK_CONTRACT, Island, IslandCall, Program, Step
from neurodeploy.ops import problem
from neurodeploy.synapses.linear import program_of

#: Positions that a model may have: some configurations say 10 million.
LONGEST = 1 << 40


def contract_of(program: Program) -> str:
    return NETWORK_CONTRACT if program.streamed else CONTRACT


def step_to_json(step: Step) -> dict[str, Any]:
    row = {"path": step.path, "inputs": list(step.inputs), "outputs": list(step.outputs), "layer": step.layer}
    if isinstance(step, IslandCall):
        return {**row, "island": step.island}
    attrs = {key: list(value) if isinstance(value, tuple) else value for key, value in step.attrs.items()}
    return {**row, "op": step.op, "attrs": attrs, "weights": dict(step.weights)}


def program_to_json(program: Program, islands: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "input": program.input,
        "output": program.output,
        "sizes": dict(program.sizes),
        "steps": [step_to_json(step) for step in program.steps],
        "islands": islands,
    }


def _step(row: Row) -> Step:
    path, inputs, outputs, layer = text(row, "path"), texts(row, "inputs"), texts(row, "outputs"), index(row, "layer")
    if "island" in row:
        if len(inputs) != 1:
            raise ValueError(f"{path}: an island has one input")
        return IslandCall(path, text(row, "island"), inputs[0], outputs, layer)
    attrs = {key: tuple(value) if isinstance(value, list) else value for key, value in table(row, "attrs").items()}
    weights = table(row, "weights")
    op = HostOp(path, text(row, "op"), inputs, outputs, attrs, {role: text(weights, role) for role in weights}, layer)
    if wrong := problem(op):
        raise ValueError(f"{path}: {wrong}")
    return op


def _info(row: Row, least: int) -> ModelInfo:
    vocabulary = integer(row, "vocab_size", least)
    tied, bos = get(row, "tied_embeddings"), get(row, "bos_token")
    return ModelInfo(
        name=text(row, "name"),
        family=text(row, "family"),
        vocab_size=vocabulary,
        hidden_size=integer(row, "hidden_size", least),
        layers=integer(row, "layers"),
        max_positions=integer(row, "max_positions", least, LONGEST),
        source=text(row, "source"),
        licence=text(row, "licence"),
        bos_token=None if bos is None else as_integer(bos, "bos_token"),
        eos_tokens=tuple(as_integer(token, "eos_tokens") for token in items(row, "eos_tokens")),
        tied_embeddings=bool(tied),
    )


@contextmanager
def _sound(file: Path, what: str) -> Iterator[None]:
    """Anything odd is ND5006, naming it."""
    try:
        yield
    except BundleError:
        raise
    except (TypeError, ValueError, InternalError, UserError) as error:
        raise BundleError("ND5006", file, f"is not a {what}: {error}", "convert the model again") from None


def _check_contract(value: Row, wanted: str) -> None:
    if text(value, "contract") != wanted:
        raise ValueError(f"its numeric contract is {value['contract']!r:.60}, this version runs {wanted!r}")


def read_program(
    value: Row, conversion: dict[str, Any], folder: Path, read: Callable[[Row], Island], weights: WeightStore
) -> Program:
    """The program of a language model; `read` turns a row of the island table into an Island, `weights` are the host's
    tensors. ND5006 where it is none."""
    conversion = model_conversion(conversion, folder / "conversion.json")
    with _sound(folder / "program.json", "program"):
        _check_contract(value, CONTRACT)
        sizes = table(value, "sizes")
        islands = {text(row, "name"): read(row) for row in items(value, "islands")}
        program = program_of(
            _info(table(value, "info"), 1), tuple(_step(row) for row in items(value, "steps")), islands,
            {name: integer(sizes, name, 1) for name in sizes},
            text(value, "input"), text(value, "output"), conversion,
        )  # fmt: skip
        program.check()
        check_program(program, weights)
    return program


def read_network(value: Row, conversion: dict[str, Any], folder: Path) -> Program:
    """The program of a spiking network. ND5006 where it is none."""
    with _sound(folder / "program.json", "network"):
        _check_contract(value, NETWORK_CONTRACT)
        network = network_from_json(table(value, "network"), folder / ARRAYS)
        info = _info(table(value, "info"), 0)
    return Program(info, network, conversion=network_conversion(conversion, network, folder / "conversion.json"))
