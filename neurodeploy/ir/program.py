"""`Program`: the integers that run, as one graph of populations and host operations. It holds no float anywhere.

`network` has every population and projection (`ir.network`: the rules of a step). What the host does stands in `host`, in
order: operations of `neurodeploy.ops`, and the border to the chip in both directions (`ir.segments`)::

    x_j   = clip(round(v_j / (scale * 2**axon_exp_j)), +-(2**(bits - 1) - 1))     `Encode`, into an input population,
                                                                                  whose thresholds it keeps
    out_i = s_i * scale                                                           `Decode`, out of a population

`bits` is the width of the input population, `axon_exp` that of the projections that leave it: 0, or 8 for the few channels
whose range is far above the rest. A program without `host` is fed by streams, one of a language model by its tokens.

A linear layer of a language model is two populations and one projection within the step, each token a step::

    NAME.input  --Dense, graded, instant-->  NAME (graded_affine)

    acc_i = bias_i + sum_j w_ij * x_j * 2**axon_exp_j        exact integer sum, so that any split gives the same bits
    a_i   = saturate24(round_shift(acc_i, acc_shift))        neuron state
    s_i   = saturate24(round_shift(a_i * multiplier_i, shift_i))

Every saturation is counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from neurodeploy.errors import InternalError
from neurodeploy.ir.copies import Copies
from neurodeploy.ir.graph import HostOp, ModelInfo
from neurodeploy.ir.network import Network
from neurodeploy.ir.payloads import Unit
from neurodeploy.ir.population import INPUT
from neurodeploy.ir.segments import Decode, Encode, HostStep, Segment, behind_head, segments_of

#: The numeric contract: the rules of `ir.network`, and those of this module for the border.
CONTRACT = "neurodeploy-steps/2"


@dataclass(frozen=True, eq=False)
class Program:
    """One graph: populations and projections, and the host's steps between them.

    sizes : neurons of each host value. input, output : the host values that are the ids of tokens and the logits; "" where
    streams feed the input populations, and the payloads of `network.outputs` are the result.
    ids : the host value that has the ids of the tokens whose logits `output` has, where the chip has chosen them
        (`conversion.choosing`); `output` itself where there is one and its logit is not told. "" : all logits, in order.
    copies : by population, or path of a host operation, what it stands for; of no entry for itself (`synapses.hollow`).
    units : what payloads stand for that cross no border, by population, where that is known. Nothing runs by it: files for
    others and their checks do.
    """

    info: ModelInfo
    network: Network
    host: tuple[HostStep, ...] = ()
    sizes: Mapping[str, int] = field(default_factory=dict)
    input: str = ""
    output: str = ""
    conversion: Mapping[str, object] = field(default_factory=dict)
    copies: Mapping[str, Copies] = field(default_factory=dict)
    units: Mapping[str, Unit] = field(default_factory=dict)
    ids: str = ""

    @staticmethod
    def of(network: Network) -> Program:
        """A network by itself: streams feed it."""
        return Program(ModelInfo(network.name, "", 0, 0, len(network.populations), 0, ""), network)

    @property
    def streamed(self) -> bool:
        """Whether streams feed it, and not the tokens of a text."""
        return not self.input

    @property
    def operations(self) -> tuple[HostOp, ...]:
        """What the host computes, in order."""
        return tuple(step for step in self.host if isinstance(step, HostOp))

    @cached_property
    def segments(self) -> tuple[Segment, ...]:
        return segments_of(self.network, self.host, self.output, self.behind_head)

    @cached_property
    def behind_head(self) -> frozenset[str]:
        """The populations that choose among the logits; none where all logits leave."""
        return behind_head(self.network, self.host, (self.ids, self.output)) if self.ids else frozenset()

    @property
    def candidates(self) -> int:
        """Tokens of which one is chosen: those whose ids leave the chip, or the vocabulary."""
        return self.sizes[self.ids] if self.ids else self.info.vocab_size

    @cached_property
    def schedule(self) -> tuple[HostOp | Segment, ...]:
        """Host operations and segments in order: a segment runs once all that it is fed with is there, before the first
        value of it is asked for."""
        return tuple(self._scheduled())

    def _scheduled(self) -> Iterator[HostOp | Segment]:
        owner = {name: s for s in self.segments for name in s.network.populations if name not in s.reads}
        maker: dict[str, HostOp | Segment] = {value: s for s in self.segments for value in s.outputs}
        maker |= {value: step for step in self.operations for value in step.outputs}
        done: set[int] = set()

        def run(item: HostOp | Segment) -> Iterator[HostOp | Segment]:
            if id(item) not in done:
                done.add(id(item))
                needs = [maker[value] for value in item.inputs if value in maker]
                if isinstance(item, Segment):
                    needs += [owner[name] for name in item.reads]
                for need in needs:
                    yield from run(need)
                yield item

        for step in self.host:
            if isinstance(step, HostOp):
                yield from run(step)
            elif isinstance(step, Decode):
                yield from run(owner[step.population])
        for segment in self.segments:
            yield from run(segment)

    def check(self) -> None:
        """The network, and that every value is there before it is used; ND9004, ND9012."""
        self.network.check()
        populations, given = self.network.populations, {self.input}
        encoded: set[str] = set()

        def need(condition: bool, where: str, problem: str) -> None:
            if not condition:
                raise InternalError("ND9004", where, problem)

        for step in self.host:
            for name in step.inputs:
                need(name in given, step.path, f"uses {name!r} before it is defined")
            if not isinstance(step, HostOp):
                population = populations.get(step.population)
                need(population is not None, step.path, "is no population")
                if isinstance(step, Encode):
                    fed = population is not None and population.model == INPUT and step.population not in encoded
                    need(fed, step.path, "is no input, or is encoded twice")
                    encoded.add(step.population)
                elif population is not None:
                    need(len(step.values) == max(1, len(population.sections)), step.path, "has not a value a section")
            given.update(step.outputs)
        for name in populations.keys() - encoded:
            chooses = populations[name].model == INPUT and populations[name].params.keys() - {"bits"}
            need(not chooses, name, "chooses what it sends, and no host encodes it")
        for item in self.schedule:
            for name in item.inputs:
                need(name in given, item.path, f"uses {name!r}, which nothing makes")
        need(not self.output or self.output in given, self.info.name, "the output is never computed")
