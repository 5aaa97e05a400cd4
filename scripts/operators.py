"""Write docs/operators.md: what modules and ONNX files may call, what it becomes, and where that runs.

Nothing of it is kept by hand. The small networks of tests/tensors are read, and each row of a frontend's table is
watched: which forms of `ops.tensors` it makes; then each form, which populations its lowering makes.

python scripts/operators.py [--out FILE]
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
import torch  # noqa: E402
from onnx import TensorProto  # noqa: E402

from neurodeploy.conversion.presets import ON_CHIP  # noqa: E402
from neurodeploy.frontends.tensors import aten, onnx_file, onnx_nodes, torch_module  # noqa: E402
from neurodeploy.frontends.tensors.making import NodeMaker, Ref  # noqa: E402
from neurodeploy.ops import OPERATIONS  # noqa: E402
from neurodeploy.ops.tensors import FORMS  # noqa: E402
from tests.tensors.cases import CASES, Draw  # noqa: E402
from tests.tensors.onnx_cases import FILES, File  # noqa: E402
from tests.tensors.onnx_files import model, node, written  # noqa: E402
from tests.tensors.test_onnx_operations import drawn, opened_here  # noqa: E402
from tests.tensors.test_operations import RESOLVED, converted, samples_of  # noqa: E402

#: Arguments that the drawn networks leave out, and another form comes of: of torch (rows of `aten.TABLE`) and of ONNX.
MAP = Ref("x", (1, 2, 4, 4))
MORE: Mapping[str, Sequence[Any]] = {
    "add": [MAP, 1.0], "sub": [MAP, 1.0], "mul": [MAP, 2.0], "div": [MAP, 2.0], "matmul": [MAP, np.ones((4, 2))],
    "bmm": [Ref("a", (1, 2, 3)), Ref("b", (1, 3, 2))], "mean": [MAP, [2, 3]],
    "pow": [MAP, 3.0], "pad": [MAP, [1, 1]], "_to_copy": [MAP, torch.int64],
}  # fmt: skip
MORE_OF_ONNX: Mapping[str, tuple[Sequence[Any], Mapping[str, Any]]] = {
    "Add": ([MAP, np.array(1.0)], {}), "Sub": ([MAP, np.array(1.0)], {}), "Mul": ([MAP, np.array(2.0)], {}),
    "Div": ([MAP, np.array(2.0)], {}), "MatMul": ([MAP, np.ones((4, 2))], {}), "Pow": ([MAP, np.array(3.0)], {}),
    "ReduceMean": ([MAP, np.array([2, 3])], {}), "Pad": ([MAP, np.array([0, 0, 1, 1, 0, 0, 1, 1])], {}),
    "Expand": ([Ref("x", (1, 2, 1)), np.array([1, 2, 3])], {}), "Cast": ([MAP], {"to": TensorProto.INT64}),
}  # fmt: skip
#: Recurrent operators of ONNX, whose networks the tests export: gates.
RECURRENT = {"LSTM": 4, "GRU": 3, "RNN": 1}

PAGE = """# Operators

Written by `scripts/operators.py` from the tables of the code, and from what small networks of the tests become in it. How a
module or an ONNX file is converted: [modules.md](modules.md).

Each operator is read as nodes of a few *forms*, the same for all frontends. One with several forms becomes one or more of
them, as its arguments ask: `matmul` with a constant is `linear`, of two values it stays `matmul`.

## Forms

Populations: of which neurons, by the file of `neurodeploy/neurons` that defines them. With: the `--on-chip` that they ask
for, `block` being the default of modules and ONNX files; before it they are the host's. Bends: the same neurons compute a
ReLU, a clip or a leaky ReLU behind it. Sums: they add up changes of their inputs, so that values may be sent in
[another code](modules.md#codes), by neurons of the same sort.

{forms}

## torch.export

The {calls} operators of ATen that are read, without their overloads. Torch takes others apart first; what is then left
and unknown is ND1310.

{torch}

## ONNX

The {nodes} operators that are read, of opset {oldest} and newer. Operators of constants alone are computed when the file is
read, and so is `Shape`.

{onnx}

## Operations of the host

What the host does in language models, and in modules as `tensor`. The second column: what `convert --on-chip` must say for
populations of its own ([conversion.md](conversion.md#the-block-in-integers)); nothing where it never has any. Words in
italics are numbers and names of the model.

{operations}
"""

Seen = dict[str, set[str]]
#: Of an operator that has made no node: what it gives back is what it was given.
ITSELF = ""


class Seeded(Draw):
    """The same choices on every machine."""

    def __init__(self, seed: str) -> None:
        self.random = Random(seed)
        torch.manual_seed(0)

    def int(self, low: int, high: int) -> int:
        return self.random.randint(low, high)

    def of(self, *options: Any) -> Any:
        return self.random.choice(options)

    def shape(self) -> tuple[int, ...]:
        return tuple(self.int(1, 4) for _ in range(self.int(1, 3)))


@contextmanager
def watched_rows(module: Any, table: Mapping[str, Callable[..., Any]], seen: Seen) -> Iterator[None]:
    """Meanwhile each row of the table that `module` reads by says which forms its nodes have."""

    def watching(name: str) -> Callable[..., Any]:
        def call(making: NodeMaker, *given: Any) -> Any:
            before = len(making.nodes)
            found = table[name](making, *given)
            seen[name] |= {made.form for made in making.nodes[before:]} or {ITSELF}
            return found

        return call

    module.TABLE = {name: watching(name) for name in table}
    try:
        yield
    finally:
        module.TABLE = table


@contextmanager
def watched_forms(models: Seen) -> Iterator[None]:
    """Meanwhile each form's lowering says of which neurons its populations are."""
    kept = dict(FORMS)

    def watching(name: str, lower: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def call(ask: Any) -> Any:
            before = set(ask.own.populations)
            value = lower(ask)
            made = ask.own.populations
            moved = {key for key in made if ".moved" in key}
            if value is not None:
                models[name] |= {made[key].model for key in made.keys() - before - moved}
            return value

        return call

    FORMS.update({k: replace(f, lower=watching(k, f.lower)) for k, f in kept.items() if f.lower is not None})
    try:
        yield
    finally:
        FORMS.update(kept)


def of_modules(models: Seen) -> Seen:
    """Forms by row of `aten.TABLE`, and neuron models by form."""
    seen: Seen = defaultdict(set)
    with watched_rows(torch_module, aten.TABLE, seen), watched_forms(models):
        for name, case in CASES.items():
            made = case.make(Seeded(name))
            samples = samples_of(made)
            graph = torch_module.read_module(made.module, samples)
            lowered = {node.form for node in graph.nodes if FORMS[node.form].lower is not None}
            if lowered - models.keys():  # a form makes the same neurons wherever it stands
                converted(graph, [x.numpy() for x in samples])
    resolved = {row: [Ref("x", (1, 4, 2)), *given] for row, (given, _) in RESOLVED.items()}
    with watched_rows(aten, aten.TABLE, seen):
        for row, given in [*resolved.items(), *MORE.items()]:
            aten.TABLE[row](NodeMaker(), "y", given)
    return seen


def recurrent(op: str) -> File:
    """Two steps of one sample."""
    rng, rows = np.random.default_rng(0), RECURRENT[op] * 4
    arrays = {"w": rng.normal(size=(1, rows, 3)), "r": rng.normal(size=(1, rows, 4))}
    given = {"linear_before_reset": 1} if op == "GRU" else {}
    nodes = [node("Transpose", "x", "t", perm=[1, 0, 2]), node(op, "t w r", "y", hidden_size=4, **given)]
    return File(nodes, {"x": (1, 2, 3)}, "y", {k: v.astype(np.float32) for k, v in arrays.items()})


def of_files() -> Seen:
    """Forms by row of `onnx_nodes.TABLE`."""
    seen: Seen = defaultdict(set)
    opened = onnx_file.open_onnx
    onnx_file.open_onnx = opened_here  # type: ignore[assignment]
    files = [make(Seeded(name)) for name, (_, make) in FILES.items()]
    with tempfile.TemporaryDirectory() as folder, watched_rows(onnx_file, onnx_nodes.TABLE, seen):
        for file in [*files, *map(recurrent, RECURRENT)]:
            dtype = TensorProto.INT64 if file.ids else TensorProto.FLOAT
            net = model(file.nodes, file.inputs, file.outputs, dict(file.arrays), file.opset, dtype)
            path = written(Path(folder) / "net.onnx", net)
            onnx_file.read_onnx(path, drawn(file))
    onnx_file.open_onnx = opened
    with watched_rows(onnx_nodes, onnx_nodes.TABLE, seen):
        for row, (given, attrs) in MORE_OF_ONNX.items():
            onnx_nodes.TABLE[row](NodeMaker(), "y", given, attrs)
    return seen


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(line)} |".replace("|  |", "| |").replace(" --- ", "---") for line in lines] + [""]


def where(forms: set[str]) -> str:
    """By the forms of an operator."""
    named = forms - {ITSELF}
    late = [f"`{name}` with `--on-chip all`" for name in FORMS if name in named and FORMS[name].part == ON_CHIP[-1]]
    host = [f"`{name}`" for name in FORMS if name in named and FORMS[name].lower is None]
    if len(host) == len(named):
        return f"host{', where it changes the value' if ITSELF in forms else ''}" if host else "it is the value itself"
    return "; ".join(["chip", *late, *([f"{', '.join(host)} on the host"] if host else [])])


def operators(known: Mapping[str, Any], seen: Seen) -> list[str]:
    rows = []
    for name in known:
        forms = seen[name]
        if not forms:
            raise SystemExit(f"no network calls {name}: give it arguments in MORE")
        rows.append([f"`{name}`", ", ".join(f"`{form}`" for form in FORMS if form in forms), where(forms)])
    return table(("Operator", "Becomes", "Where"), rows)


def on_host(name: str) -> str:
    """When a form is computed by the host, and why."""
    form = FORMS[name]
    if form.lower is None:
        return f"always: {form.reason.text}"
    if name == "take":  # `conversion.tensors.build` leaves it where its value is
        return f"where its value is: {form.reason.text}"
    refuses = "None" in str(form.lower.__annotations__["return"])
    return f"only for {form.reason.text}" if refuses else "never"


def page() -> str:
    models: Seen = defaultdict(set)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        of_torch, of_onnx = of_modules(models), of_files()
    forms = []
    for name, form in FORMS.items():
        made = ", ".join(f"`{model}`" for model in sorted(models[name])) or "none: its readers know where numbers lie"
        on_chip = made if form.lower else "none"
        marks = ("yes" if mark else "" for mark in (form.bends, form.sums))
        part = f"`{form.part}`" if form.lower and form.part != ON_CHIP[0] else ""
        forms.append([f"`{name}`", on_chip, part, *marks, on_host(name)])
    hosts = []
    for name, row in OPERATIONS.items():
        option = "`all`" if row.attends else "`block`"
        hosts.append([f"`{name}`", option if row.lowering else "", re.sub(r"\{(\w+)\}", r"*\1*", row.reason.text)])
    parts = {
        "forms": table(("Form", "Populations", "With", "Bends", "Sums", "On the host"), forms),
        "torch": operators(aten.TABLE, of_torch),
        "onnx": operators(onnx_nodes.TABLE, of_onnx),
        "operations": table(("Operation", "On the chip with", "Why the host does it"), hosts),
    }
    counts = {"calls": len(aten.TABLE), "nodes": len(onnx_nodes.TABLE), "oldest": onnx_file.OLDEST}
    return PAGE.format(**{name: "\n".join(lines).strip() for name, lines in parts.items()}, **counts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "operators.md")
    parser.parse_args().out.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
