"""`written_out`: a program that holds equal layers and experts once, with each of them in its place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from neurodeploy.ir.graph import HostOp
from neurodeploy.ir.population import INPUT
from neurodeploy.ir.program import Program
from neurodeploy.ir.segments import Encode, HostStep

Renamed = Callable[[str, int], str]
#: In the names of a layer, the expert that stands for all.
FIRST = ".experts.0."


def written_out(program: Program) -> Program:
    """The same program without `copies`. What is of layer n has ``layers.n.`` before its name, of expert e ``.experts.e.``
    within. Each layer reads what the one before it has made."""
    return _Writer(program).program() if program.copies else program


class _Writer:
    """kinds : by the number of its first layer, the steps of a class of layers. reads, gives : the residual stream before
    and behind it."""

    def __init__(self, program: Program) -> None:
        self.of = program
        self.kinds: dict[int, list[HostStep]] = {}
        self.place: dict[int, int] = {}
        self.before, self.behind = list[HostStep](), list[HostStep]()
        for step in program.host:
            if copies := program.copies.get(step.path):
                self.kinds.setdefault(copies.layers[0], []).append(step)
                self.place |= dict.fromkeys(copies.layers, copies.layers[0])
            else:
                (self.behind if self.kinds else self.before).append(step)
        self.reads = {first: self._stream(first, steps) for first, steps in self.kinds.items()}
        following = [*list(self.reads.values())[1:], self.behind[0].inputs[0] if self.behind else ""]
        self.gives = dict(zip(self.kinds, following, strict=True))
        self.host, self.sizes = list[HostStep](), dict[str, int]()
        self.populations = {n: p for n, p in program.network.populations.items() if n not in program.copies}
        self.projections = [p for p in program.network.projections if p.target not in program.copies]

    @staticmethod
    def _stream(first: int, steps: list[HostStep]) -> str:
        own = f"layers.{first}."
        return next(name for step in steps for name in step.inputs if not name.startswith(own))

    def program(self) -> Program:
        stream, last = "", ""
        for step in self.before:
            self._keep(step, str)
        for layer in sorted(self.place):
            first = self.place[layer]
            stream = stream or self.reads[first]
            stream = self._layer(layer, first, stream)
            last = self.gives[first]
        for step in self.behind:
            self._keep(step, lambda name: stream if name == last else name)
        outputs = tuple(name for name, population in self.populations.items() if population.model != INPUT)
        network = replace(
            self.of.network, populations=self.populations, projections=tuple(self.projections), outputs=outputs
        )
        return replace(self.of, network=network, host=tuple(self.host), sizes=self.sizes, copies={})

    def _layer(self, layer: int, first: int, stream: str) -> str:
        """The steps of a layer; returns the residual stream behind it."""
        steps, own, reads = self.kinds[first], f"layers.{first}.", self.reads[first]
        made = {name for step in steps for name in (step.path, *step.outputs)}

        def called(name: str, expert: int) -> str:
            new = f"layers.{layer}.{name.removeprefix(own)}".replace(FIRST, f".experts.{expert}.")
            return new if name in made else stream if name == reads else name

        index = 0
        while index < len(steps):
            count, end = self._experts(steps[index]), index + 1
            while count > 1 and end < len(steps) and self._experts(steps[end]) == count:
                end += 1
            for expert in range(count):
                for step in steps[index:end]:
                    self._step(step, called, layer, expert)
            index = end
        gives = self.gives[first]
        return called(gives, 0) if gives in made else stream

    def _experts(self, step: HostStep) -> int:
        return self.of.copies[step.path].experts

    def _step(self, step: HostStep, called: Renamed, layer: int, expert: int) -> None:
        most = max(self._experts(other) for other in self.kinds[self.place[layer]])

        def named(name: str) -> str:
            return called(name, expert)

        def every(names: tuple[str, ...]) -> Iterator[str]:
            """Of one that deals to experts, or gathers from them, the values of all."""
            for name in names:
                if FIRST in name and self._experts(step) == 1:
                    yield from (called(name, e) for e in range(most))
                else:
                    yield named(name)

        if isinstance(step, HostOp):
            inputs, outputs = tuple(every(step.inputs)), tuple(every(step.outputs))
            self.sizes.update(dict.fromkeys(outputs, self.of.sizes[step.outputs[0]]))
            self.host.append(replace(step, path=named(step.path), inputs=inputs, outputs=outputs, layer=layer))
            return
        population = self.of.network.populations[step.population]
        sections = tuple(replace(part, path=named(part.path)) for part in population.sections)
        name = named(population.name)
        held = None if population.expert is None else expert
        self.populations[name] = replace(
            population, name=name, sections=sections, layer=None if population.layer is None else layer, expert=held
        )
        for p in self.of.network.into(population.name):
            self.projections.append(replace(p, name=f"{name}.synapses", source=named(p.source), target=name))
        if isinstance(step, Encode):
            self.host.append(replace(step, population=name, value=named(step.value)))
        else:
            values = tuple(map(named, step.values))
            self.sizes.update(zip(values, (self.of.sizes[value] for value in step.values), strict=True))
            self.host.append(replace(step, population=name, values=values))

    def _keep(self, step: HostStep, called: Callable[[str], str]) -> None:
        self.sizes.update(
            (name, self.of.sizes[name]) for name in (*step.inputs, *step.outputs) if name in self.of.sizes
        )
        if isinstance(step, HostOp):
            step = replace(step, inputs=tuple(map(called, step.inputs)))
        elif isinstance(step, Encode):
            step = replace(step, value=called(step.value))
        self.host.append(step)
