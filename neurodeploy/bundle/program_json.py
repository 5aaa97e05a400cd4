"""program.json: the network and what the host does, in plain JSON with no float that a Program should not hold."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from neurodeploy.bundle.conversion_json import conversion_of
from neurodeploy.bundle.populations import (
    Arrays,
    Known,
    network_from_json,
    network_to_json,
    population_of,
    projection_of,
    units_of,
    units_to_json,
)
from neurodeploy.bundle.program_check import check_program
from neurodeploy.errors import BundleError, InternalError, UserError
from neurodeploy.ir.fixedpoint import SCALE_MAX, SCALE_MIN, Dyadic
from neurodeploy.ir.graph import HostOp, ModelInfo, WeightStore
from neurodeploy.ir.program import CONTRACT, Program
from neurodeploy.ir.segments import Decode, Encode, HostStep
from neurodeploy.ir.typed import Row, as_integer, as_text, dyadic, get, index, integer, items, table, text, texts
from neurodeploy.ops import problem
from neurodeploy.synapses.linear import LinearLayer

#: Positions that a model may have: some configurations say 10 million.
LONGEST = 1 << 40


def step_to_json(step: HostStep) -> dict[str, Any]:
    if isinstance(step, HostOp):
        attrs = {key: list(value) if isinstance(value, tuple) else value for key, value in step.attrs.items()}
        return {
            "path": step.path, "op": step.op, "inputs": list(step.inputs), "outputs": list(step.outputs), "attrs": attrs,
            "weights": dict(step.weights), "layer": step.layer,
        }  # fmt: skip
    scale = [step.scale.mantissa, step.scale.exponent]
    if isinstance(step, Encode):
        return {"encode": step.value, "population": step.population, "scale": scale}
    return {"decode": list(step.values), "population": step.population, "scale": scale}


def program_to_json(program: Program, known: Known) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Everything but the conversion, and the arrays that no row of `known` has a place for (`network_to_json`)."""
    network, arrays = network_to_json(program.network, known)
    value: dict[str, Any] = {
        "contract": CONTRACT,
        "info": _without_nothing(asdict(program.info)),
        "input": program.input,
        "output": program.output,
        "sizes": dict(program.sizes),
        "host": [step_to_json(step) for step in program.host],
        "network": network,
    }
    if program.ids:
        value["ids"] = program.ids
    if program.units:
        value["units"] = units_to_json(program.units, arrays)
    return value, arrays


def _without_nothing(info: dict[str, Any]) -> dict[str, Any]:
    """A model without a prefix says nothing of one."""
    return {key: value for key, value in info.items() if key != "prefix" or value}


def _step(row: Row) -> HostStep:
    if "encode" in row:
        return Encode(text(row, "encode"), text(row, "population"), _scale(row))
    if "decode" in row:
        return Decode(text(row, "population"), _scale(row), texts(row, "decode"))
    path, inputs, outputs, layer = text(row, "path"), texts(row, "inputs"), texts(row, "outputs"), index(row, "layer")
    attrs = {key: tuple(value) if isinstance(value, list) else value for key, value in table(row, "attrs").items()}
    weights = table(row, "weights")
    op = HostOp(path, text(row, "op"), inputs, outputs, attrs, {role: text(weights, role) for role in weights}, layer)
    if wrong := problem(op):
        raise ValueError(f"{path}: {wrong}")
    return op


def _scale(row: Row) -> Dyadic:
    scale = dyadic(row, "scale", 1 << 24)
    if not SCALE_MIN <= scale.value <= SCALE_MAX:
        raise ValueError(f"scale is {scale.value}, a value from {SCALE_MIN:.3g} to {SCALE_MAX:.3g} is needed")
    return scale


def read_layer(rows: list[Row], host: list[Row], arrays: Arrays) -> LinearLayer:
    """A linear layer from the rows of its populations, of its projection, and of its border."""
    source, neurons = (population_of(row, arrays) for row in rows[:2])
    encode, decode = (_step(row) for row in host)
    if not isinstance(encode, Encode) or not isinstance(decode, Decode):
        raise ValueError(f"{neurons.name} has no border")
    return LinearLayer(source, projection_of(rows[2], arrays), neurons, encode, decode)


def _info(row: Row, least: int) -> ModelInfo:
    limits = {"vocab_size": (least,), "hidden_size": (least,), "layers": (), "max_positions": (least, LONGEST)}
    sizes: dict[str, Any] = {key: integer(row, key, *between) for key, between in limits.items()}
    names: dict[str, Any] = {key: text(row, key) for key in ("name", "family", "source", "licence")}
    ends = tuple(as_integer(token, "eos_tokens") for token in items(row, "eos_tokens"))
    before = items(row, "prefix") if "prefix" in row else []
    return ModelInfo(
        **names,
        **sizes,
        bos_token=index(row, "bos_token"),
        eos_tokens=ends,
        tied_embeddings=bool(get(row, "tied_embeddings")),
        prefix=tuple(as_integer(token, "prefix", 0, max(0, sizes["vocab_size"] - 1)) for token in before),
    )


def read_program(
    value: Row, conversion: dict[str, Any], folder: Path, arrays: Arrays, weights: WeightStore | None
) -> Program:
    """The program of a bundle; `weights` are the host's tensors. Anything odd is ND5006, naming the file."""
    try:
        if as_text(get(value, "contract"), "contract") != CONTRACT:
            problem = f"its numeric contract is {value['contract']!r:.60}, this version runs {CONTRACT!r}"
            raise ValueError(problem)
        sizes, source = table(value, "sizes"), text(value, "input")
        program = Program(
            _info(table(value, "info"), 1 if source else 0), network_from_json(table(value, "network"), arrays),
            tuple(_step(row) for row in items(value, "host")), {name: integer(sizes, name, 1) for name in sizes},
            source, text(value, "output"), ids=text(value, "ids") if "ids" in value else "",
        )  # fmt: skip
        program.check()
        if "units" in value:
            program = replace(program, units=units_of(table(value, "units"), program.network, arrays))
        if "hollow" not in conversion:  # it never runs
            check_program(program, weights)
    except BundleError:
        raise
    except (TypeError, ValueError, InternalError, UserError) as error:
        fix = "convert the model again"
        raise BundleError("ND5006", folder / "program.json", f"is not a program: {error}", fix) from None
    return replace(program, conversion=conversion_of(conversion, program, folder / "conversion.json"))
