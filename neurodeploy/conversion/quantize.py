"""`quantize`: Graph and calibration tokens -> Program, streamed layer by layer so that memory holds one layer at a time.

Every operation is run over all calibration windows before the next one starts. Projections that read the same population
become one island; their inputs are measured, their weights rounded, and the float outputs go on, so that each layer is
calibrated on what the float model really feeds it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from neurodeploy.conversion.bits import planned
from neurodeploy.conversion.choosing import choose
from neurodeploy.conversion.codes import InputMoments
from neurodeploy.conversion.groups import GroupGrid
from neurodeploy.conversion.keep import need_grid
from neurodeploy.conversion.layers import LayerBuilder, check_range, chunks, site_code
from neurodeploy.conversion.lowering import lower
from neurodeploy.conversion.presets import Preset
from neurodeploy.conversion.sparse import Threshold, Thresholded
from neurodeploy.conversion.thresholds import thresholds
from neurodeploy.errors import UserError
from neurodeploy.ir.copies import island_name
from neurodeploy.ir.graph import Graph, HostOp, Projection, WeightStore
from neurodeploy.ir.program import Program
from neurodeploy.machine.memory import give_back
from neurodeploy.ops import lookup
from neurodeploy.ops.host.executor import Executor
from neurodeploy.ops.host.kvcache import State
from neurodeploy.ops.host.lowering import Measured, Remembered
from neurodeploy.synapses.linear import LinearLayer, program_of_layers

Progress = Callable[[str, int, int], None]
#: Makes a layer, with a JSON object for each of its projections: what its conversion did (`SiteRecord`).
Build = Callable[[], tuple[LinearLayer, list[dict[str, Any]]]]
#: Takes the name of a layer and what makes it; may store it, or know it already.
Store = Callable[[str, Build], tuple[LinearLayer, list[dict[str, Any]]]]

#: An expert that fewer calibration tokens choose than this is shown others as well, so that its ranges mean something.
EXPERT_TOKENS = 64
#: Squares of this, summed over all tokens, are float32 with room to spare; real models stay below 2**20.
LARGEST_INPUT = 2.0**50
#: Tokens on which output ranges and errors are measured.
SAMPLE_TOKENS = 512


@dataclass(slots=True, eq=False)
class _Window:
    """One calibration window in flight: its values, its KV cache, and how many rows of each expert input are real."""

    values: dict[str, torch.Tensor]
    state: State
    chosen: dict[str, list[int]] = field(default_factory=dict)


def group_projections(graph: Graph, *, apart: bool = False) -> list[HostOp | list[Projection]]:
    """The operations in order, projections that read one value gathered at the place of the first of them; `apart`: each
    where it is."""
    groups: dict[str, list[Projection]] = {}
    order: list[HostOp | list[Projection]] = []
    for op in graph.ops:
        if isinstance(op, HostOp):
            order.append(op)
            continue
        key = op.path if apart else op.input
        if key in groups:
            groups[key].append(op)
        else:
            groups[key] = [op]
            order.append(groups[key])
    return order


class _Calibration:
    """Runs the float model over all windows, one operation at a time."""

    def __init__(self, graph: Graph, tokens: NDArray[np.int64], preset: Preset) -> None:
        self.thresholds = dict[str, Threshold]()
        if preset.events < 1:
            layers = [unit for unit in group_projections(graph, apart=preset.apart) if isinstance(unit, list)]
            turn = preset.weights != "file"  # else its integers would be others
            cut = preset.apart and preset.weights == "rows"
            graph, self.thresholds = thresholds(graph, layers, tokens, preset.window, preset.events, turn=turn, cut=cut)
        sizes = {name: population.size for name, population in graph.populations.items()}
        self.graph, self.preset = graph, preset
        self.executor = Executor(
            graph.ops, graph.weights, sizes, keep_weights=False, input=graph.input, output=graph.output
        )
        pieces = [tokens[start : start + preset.window] for start in range(0, tokens.size, preset.window)]
        self.windows = [_Window({graph.input: torch.from_numpy(piece)}, self.executor.begin()) for piece in pieces]
        self.borrowed: dict[str, int] = {}
        last: dict[str, int] = {}
        self.units = group_projections(graph, apart=preset.apart)
        if preset.weights == "file":
            need_grid(graph)
        self.grids = dict[str, GroupGrid]()
        if preset.weights == "groups":
            layers = [unit for unit in self.units if isinstance(unit, list)]
            self.grids = planned(layers, graph.output, graph.weights, preset.body_bits, preset.all_bits)
        for index, unit in enumerate(self.units):
            for op in unit if isinstance(unit, list) else [unit]:
                last.update(dict.fromkeys(op.inputs, index))
        self.last = last
        #: What was seen of the operations that the preset puts on the chip, by path.
        self.measured: dict[str, Measured] = {}

    def run_host(self, op: HostOp) -> None:
        experts = lookup(op).experts(op)
        for window in self.windows:
            if experts and experts[0] in op.inputs:
                for name, count in zip(experts, window.chosen[op.inputs[0]], strict=True):
                    window.values[name] = window.values[name][:count]
            self.executor.run_op(op, window.values, window.state)
        if lookup(op).lowering is not None and self.preset.lowers(attends=lookup(op).attends):
            self.measured[op.path] = self._measure(op)
        if experts and experts[0] in op.outputs:
            self._lend_tokens(op)

    def _measure(self, op: HostOp) -> Measured:
        def peak(name: str) -> NDArray[np.float64]:
            """Window by window: no copy of a value of all windows is made."""
            found = torch.zeros(self.graph.populations[name].size)
            for x in self.inputs(name):
                if len(x):
                    found = torch.maximum(found, x.abs().amax(dim=0))
            return found.double().numpy()

        first = self.graph.populations[op.inputs[0]].size
        group = int(str(op.attrs.get("group", first)))
        squares = [
            x.double().square().reshape(-1, group).sum(dim=1).amax() for x in self.inputs(op.inputs[0]) if len(x)
        ]
        return Measured([*map(peak, op.inputs)], [*map(peak, op.outputs)], float(torch.stack(squares).amax()))

    def _lend_tokens(self, op: HostOp) -> None:
        """Append further tokens, scaled by the expert's own score, to the input of experts that few tokens chose."""
        source, routing = op.inputs
        for window in self.windows:
            window.chosen[routing] = [window.values[name].shape[0] for name in op.outputs]
        for expert, name in enumerate(op.outputs):
            chosen = sum(window.values[name].shape[0] for window in self.windows)
            if chosen >= EXPERT_TOKENS:
                continue
            self.borrowed[name] = chosen
            for window in self.windows:
                x = window.values[source]
                others = window.values[routing][:, expert] == 0
                window.values[name] = torch.cat([window.values[name], x[others] * 0.5])

    def inputs(self, name: str) -> list[torch.Tensor]:
        return [window.values[name] for window in self.windows]

    def run_projection(self, projection: Projection, step: int = 1) -> None:
        """On every so many-th token of a window."""
        rows, inputs = projection.out_features, [x[::step] for x in self.inputs(projection.input)]
        outputs = [torch.empty(x.shape[0], rows) for x in inputs]
        bias = self.graph.weights.get(projection.bias) if projection.bias else None
        for start, stop in chunks(rows):
            weight = torch.from_numpy(self.graph.weights.get(projection.weight, start, stop))
            for x, out in zip(inputs, outputs, strict=True):
                torch.mm(x, weight.T, out=out[:, start:stop]) if rows == stop - start else out[:, start:stop].copy_(
                    x @ weight.T
                )
        for window, out in zip(self.windows, outputs, strict=True):
            if bias is not None:
                out += torch.from_numpy(bias)
            window.values[projection.output] = out

    def drop_dead(self, index: int) -> None:
        for window in self.windows:
            for name in [n for n in window.values if self.last.get(n, -1) <= index and n != self.graph.output]:
                if name in self.last:
                    del window.values[name]
        self.graph.weights.release()
        give_back()


def quantize(
    graph: Graph,
    tokens: NDArray[np.int64],
    preset: Preset,
    progress: Progress | None = None,
    store: Store = lambda _, build: build(),
    tensors: Callable[[WeightStore], object] = lambda _: None,
) -> Program:
    """Convert every projection of `graph`; what was done stands in `Program.conversion`. `tensors` is shown
    what operations of the host read, which may be the tensors of the graph in other bases.

    `tokens` is the calibration text; fewer than 16 tokens are ND1102. `store` may put each finished island on
    the disk and return it with its weights mapped, so that memory never holds all of them; one that it knows from an earlier
    call with the same graph, tokens, preset and `arithmetic` is not made again, and the rest comes out with the same bits.
    """
    tokens = np.asarray(tokens, dtype=np.int64)[: preset.calibration_tokens]
    if tokens.size < 16:
        raise UserError(
            "ND1102", "calibration text", f"has {tokens.size} tokens, needs at least 16", "give a longer text"
        )
    run = _Calibration(graph, tokens, preset)
    given, graph = graph, run.graph
    items: list[HostOp | LinearLayer] = []
    records: list[dict[str, Any]] = []
    heads = _heads(graph)
    with torch.no_grad():
        for index, unit in enumerate(run.units):
            if progress:
                progress("convert", index, len(run.units))
            if isinstance(unit, HostOp):
                run.run_host(unit)
                items.append(unit)
            else:
                layer, sites = store(island_name([p.path for p in unit]), partial(_convert_group, run, unit))
                records += sites
                items.append(layer)
                if unit[0].output != graph.output:  # nobody reads the logits of a calibration run
                    step = max(1, tokens.size // SAMPLE_TOKENS) if unit[0].path in heads else 1
                    for projection in unit:
                        run.run_projection(projection, step)
            run.drop_dead(index)
    if progress:
        progress("convert", len(run.units), len(run.units))
    bits = {site["path"]: site["bits_a_weight"] for site in records}
    body = [p for p in graph.projections() if p.path not in heads]
    conversion: dict[str, Any] = {
        "preset": preset.to_json(),
        "calibration_tokens": int(tokens.size),
        "borrowed_expert_inputs": run.borrowed,
        "sites": records,
        "bits_a_weight": {"body": _mean(body, bits), "with_head": _mean(graph.projections(), bits)},
        "synaptic_events_sent": _sum(graph.projections(), {site["path"]: site["sent"] for site in records})
        / max(1, _sum(given.projections())),
    }
    sizes = {name: population.size for name, population in graph.populations.items()}
    program = program_of_layers(graph.info, items, sizes, graph.input, graph.output, conversion)
    program = lower(program, graph.weights, run.measured, Remembered(preset.context, preset.kv_bits))
    if preset.head_top:
        program = choose(program, preset.head_top)
    program.check()
    tensors(graph.weights)
    return program


def _heads(graph: Graph) -> set[str]:
    """Paths of the projections that make the logits, or what these are joined of."""
    last = next(op for op in graph.ops if graph.output in op.outputs)
    values = {graph.output, *(last.inputs if isinstance(last, HostOp) else ())}
    return {p.path for p in graph.projections() if p.output in values}


def _sum(projections: Sequence[Projection], of: Mapping[str, float] | None = None) -> float:
    """Over all weights of these, of what is said of each projection; without `of`, how many weights there are."""
    return sum(p.out_features * p.in_features * (1 if of is None else of[p.path]) for p in projections)


def _mean(projections: Sequence[Projection], of: Mapping[str, float]) -> float:
    return _sum(projections, of) / max(1, _sum(projections))


def _convert_group(run: _Calibration, projections: list[Projection]) -> tuple[LinearLayer, list[dict[str, Any]]]:
    preset = run.preset
    inputs = run.inputs(projections[0].input)
    preset, code = site_code(inputs, projections, preset, run.graph.weights)
    moments, sparse = InputMoments(projections[0].in_features, preset.gptq_columns), None
    chosen = run.thresholds.get(projections[0].path)
    for x in inputs:
        check_range(x, projections[0].path, "input", LARGEST_INPUT)
        moments.add(x, moments=preset.rounding == "gptq" and chosen is None)
    if chosen is not None:
        sparse = Thresholded(chosen, inputs, preset.gptq_columns)
        moments.blocks = sparse.blocks
    step = max(1, sum(x.shape[0] for x in inputs) // SAMPLE_TOKENS)
    sample = torch.cat([x[::step] for x in inputs])[:SAMPLE_TOKENS].clone()
    builder = LayerBuilder(moments, sample, preset, run.graph.weights, run.grids.get(projections[0].path), code, sparse)
    layer, sites = builder.build(island_name([p.path for p in projections]), projections)
    return layer, [asdict(site) for site in sites]
