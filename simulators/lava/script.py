"""`plain_script`: a network as a Lava program that runs without us, with its arrays.

The processes and links are those of `Scene`, the scene of `--runner lava`, written as statements; what Lava has no process
for is ND4106, as on a board. Nothing is recorded but outputs, each by a buffer of Lava's own.
"""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodeploy.errors import UserError
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.network import Network, Projection
from neurodeploy.synapses import Conv
from neurodeploy.version import __version__
from simulators.lava import adapters
from simulators.lava.board import LAG, require_lava_alone
from simulators.lava.connections import NO_EXPONENT, check_foreign
from simulators.lava.scene import Program, Scene
from simulators.lava.script_text import HEAD, TAIL
from simulators.lava.worker import shim

#: Names that a script has already.
TAKEN = {"np", "data", "inputs", "steps", "board", "lava", "sink", "source", "outputs", *dir(builtins)}
TAKEN |= {"connect", "adapted", "one_each", "csr_matrix"}


class PlainScript(NamedTuple):
    """text : of the script. repairs : of the module beside it, for newer Python. arrays : of the .npz beside it."""

    text: str
    repairs: str
    arrays: dict[str, NDArray[Any]]


def plain_script(network: Network, script: str, given: Mapping[str, Ints]) -> PlainScript:
    """The script of that file name; files beside it have its stem. given : (steps, neurons) of each input, kept with it.

    Raises ND4104 to ND4106 for what Lava would change or has not.
    """
    check_foreign(network)
    scene = Scene(0, counts=False, chip=True)
    silent = {name: np.zeros((1, 0, network.populations[name].size), np.int32) for name in network.inputs}
    scene.add(Program(network, silent, 0), 0, 0)
    require_lava_alone(scene)
    for p in network.projections:
        _check_shifted(p)
    written = _Writer(network, scene)
    body = "\n".join(written.lines())
    stem = Path(script).stem
    filled = {
        "name": _plain(network.name), "version": __version__, "script": _plain(script), "data": f"{stem}.npz",
        "inputs": _plain(", ".join(network.inputs) or "nothing"), "given": " and an input" if given else "",
        "repairs": f"{stem}_repairs.py", "imports": "\n".join(sorted(written.imports)), "lag": LAG,
        "adapters": adapters.MODULE, "out": f"{stem}_outputs.npz",
    }  # fmt: skip
    sizes = {name: network.populations[name].size for name in network.inputs}
    text = f"{HEAD.format(**filled)}INPUTS = {sizes!r}\n\n\n{body}\n{TAIL.format(**filled)}"
    kept = {f"input.{name}": np.asarray(values, np.int32) for name, values in given.items()}
    return PlainScript(text, Path(shim.__file__).read_text(encoding="utf-8"), written.arrays | kept)


def _plain(text: str) -> str:
    """A name of a stranger's file as part of a docstring: nothing in it ends that or begins an escape."""
    return re.sub(r"[^\w .,:()+-]", "_", text)


def _check_shifted(p: Projection) -> None:
    """ND4106 where Lava's simulation cannot compute a convolution whose exponent is put into its weights."""
    if not isinstance(p.synapse, Conv) or not p.weight_exp:
        return
    if p.weight_exp < 0 or p.graded or p.synapse.largest_sum(False, 1) << p.weight_exp >= 1 << 31:
        fix = "run it on lava, fast, reference or partitioned; of spikes, positive exponents can be put into weights"
        raise UserError("ND4106", p.name, f"has weight_exp {p.weight_exp}, and {NO_EXPONENT}", fix)


class _Writer:
    """The function ``build`` of a script."""

    def __init__(self, network: Network, scene: Scene) -> None:
        self.network, self.scene = network, scene
        self.imports: set[str] = set()
        self.arrays: dict[str, NDArray[Any]] = {}
        self.names: dict[str, str] = {}
        for entry in scene.processes:
            self.names[entry["id"]] = self._identifier(entry["id"].partition("/")[2].removesuffix("/synapses"))
        prefix = scene.processes[0]["id"].partition("/")[0]
        self.projections = {f"{prefix}/{p.name}/synapses": p for p in network.projections}

    def lines(self) -> Iterator[str]:
        yield "def build(data, inputs, steps, board):"
        yield '    """All processes; returns one of them, and by name the buffers of the outputs."""'
        for entry in self.scene.processes:
            yield from self._process(entry)
        for source, port, target, into in self.scene.links:
            yield f"    connect({self._leaving(source, port, target)}, {self.names[target]}.{into})"
        yield "    outputs = {}"
        records = [record for record in self.scene.records if record["kind"] == "port"]
        for record in records:
            yield from self._output(self.scene.kept[record["key"]].owner, record["from"])
        yield f"    return {next(iter(self.names.values()))}, outputs"

    def _identifier(self, name: str) -> str:
        word = re.sub(r"\W", "_", name, flags=re.ASCII).strip("_") or "process"
        word = f"p_{word}" if word[0].isdigit() or keyword.iskeyword(word) or word in TAKEN else word
        known = set(self.names.values())
        return next(each for each in (word, *(f"{word}_{n}" for n in range(2, 10**6))) if each not in known)

    def _process(self, entry: Mapping[str, Any]) -> Iterator[str]:
        module, kind = entry["process"].split(":")
        own = self.names[entry["id"]]
        if entry["id"] in self.scene.feeding:
            name = entry["id"].partition("/")[2]
            yield f"    {own} = source.RingBuffer(data=np.ascontiguousarray(inputs[{name!r}].T))"
            return
        self.imports.add(f"from {module} import {kind}")
        told = ", ".join(f"{name}={self._value(own, name, value)}" for name, value in entry["arguments"].items())
        yield f"    {own} = {kind}({told})"
        for name, value in entry["variables"].items():
            yield f"    {own}.{name}.init = {self._value(own, name, value)}"
        if self.scene.on_cores.get(entry["id"]) in self.network.populations:
            yield f"    one_each({own})"
        if kind == "Conv" and (exponent := entry["arguments"].get("weight_exp")):
            yield "    if not board:  # Lava's simulation ignores weight_exp of a convolution"
            yield f"        {own}.weight.init = {own}.weight.init.astype(np.int32) << {exponent}"

    def _value(self, own: str, name: str, value: Any) -> str:
        """An argument as Python; arrays by their name in the file, or as a number where all are one."""
        if isinstance(value, list):
            return repr(tuple(value))
        if not isinstance(value, dict):
            return repr(value)
        if "$member" in value:
            module, kind, member = value["$member"].split(":")
            self.imports.add(f"from {module} import {kind}")
            return f"{kind}.{member}"
        key = f"{own}.{name}"
        if "$csr" in value:
            for part in ("data", "indices", "indptr"):
                self.arrays[f"{key}.{part}"] = self.scene.arrays[f"{value['$csr']}.{part}"]
            parts = ", ".join(f"data[{f'{key}.{part}'!r}]" for part in ("data", "indices", "indptr"))
            return f"csr_matrix(({parts}), shape={tuple(value['shape'])!r})"
        array = self.scene.arrays[value["$array"]]
        if array.ndim == 1 and array.size and (array == array[0]).all():
            return f"np.full({array.size}, {array[0].item()!r})"
        self.arrays[key] = array
        return f"data[{key!r}]"

    def _leaving(self, source: str, port: str, target: str) -> str:
        """The port that a link comes from; from an input by way of an adapter, where there is a board."""
        plain = f"{self.names[source]}.{port}"
        if source not in self.scene.feeding:
            return plain
        p = self.projections.get(target) or next(
            p for p in self.network.projections
            if p.synapse.wire and source.endswith(f"/{p.source}") and target.endswith(f"/{p.target}")
        )  # fmt: skip
        return self._adapted(plain, *adapters.onto_chip(self.network, p))

    def _adapted(self, port: str, kind: str, arguments: Mapping[str, Any]) -> str:
        return f"adapted({port}, {kind!r}, {tuple(arguments['shape'])!r}, {arguments['num_message_bits']}, board)"

    def _output(self, name: str, ends: list[tuple[str, str]]) -> Iterator[str]:
        population = self.network.populations[name]
        yield f"    outputs[{name!r}] = sink.RingBuffer(shape=({population.size},), buffer=steps)"
        for process, port in ends:
            told = f"{self.names[process]}.{port}"
            if process not in self.scene.feeding:
                told = self._adapted(told, *adapters.off_chip(population))
            yield f"    connect({told}, outputs[{name!r}].a_in)"
