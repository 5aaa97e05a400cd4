"""`map_program`: classify, split, pack, place, and a plan that says how far it is from the bound. Never reads a weight."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from neurodeploy.errors import DoesNotFit
from neurodeploy.ir.chip import ChipSpec, SystemSpec
from neurodeploy.ir.mapping import Mapping, Shard
from neurodeploy.ir.program import IslandCall, Program

from .bounds import lower_bound
from .budget import core_limits
from .classify import PINNED, assign
from .options import Options
from .pins import pins_of_islands
from .population import View, views_of
from .remedies import remedies
from .split import Split, split_islands
from .stages import Places, finish
from .streams import streams_of
from .tile_nets import nets_of_tiles

_DEFAULT = Options()


def map_program(
    program: Program,
    system: SystemSpec,
    options: Options = _DEFAULT,
    *,
    alternatives: Sequence[SystemSpec] = (),
    work: Path | None = None,
) -> Mapping:
    """Map a program to the cores of a system.

    Islands whose pin says `device="host"` get no shards and are assigned to the host. `Mapping.lower_bound` is that of
    the islands on the chip and of the chip's own limits: `max_rows`, `caps` and pins do not raise it. With
    `Options.weight_bits` narrower than the program's own the mapping answers "what if": to run on it the program must be
    converted with that width.

    Parameters
    ----------
    alternatives : systems that the error may name where this one is too small.
    work : a folder where the stages keep what they found, to be resumed.

    Raises
    ------
    DoesNotFit ND2001 : more chips are needed than there are.
    DoesNotFit ND2002 : one neuron exceeds a core, however it is split, or a pin asks for more than a core holds.
    DoesNotFit ND2004 : the chip's messages or states are narrower than the program's.
    UserError ND2003 : an option out of range. ND2063 to ND2066 : a pin that names nothing, or contradicts another.
    """
    available = options.check(system)
    check_formats(program, system.chip)
    islands = on_chip(program, system.chip, options)
    bound, binding = lower_bound(islands, system.chip)
    pins = pins_of_islands(program, options.pins)
    split = split_islands(islands, pins, system, options, available)
    placed = _finish(program, split, system, options, available, work)
    if placed.chips > available:
        raise _too_small(program, islands, system, placed, available, binding, options, alternatives)
    on_host = dict.fromkeys(program.islands.keys() - {island.name for island in islands}, PINNED)
    return Mapping(
        system=system.name,
        chips_available=available,
        cores_per_chip=system.chip.cores,
        shards=tuple(
            Shard(tile.island, tile.kind, tile.rows, tile.cols, chip, core, tile.group)
            for tile, chip, core in zip(split.tiles, placed.chip.tolist(), placed.core.tolist(), strict=True)
        ),
        assignments=assign(program, system.chip.formats["message_bytes"], on_host),
        lower_bound=bound,
        binding_resource=binding,
        unknown_limits=tuple(name for name, limit in system.chip.budget.limits().items() if limit.value is None),
        objective=options.objective,
        seed=options.seed,
        notes=placed.notes,
    )


def on_chip(program: Program, chip: ChipSpec, options: Options) -> list[View]:
    """The islands that get cores: in the order of their calls, those of one group side by side where the first stands."""
    pins, views = pins_of_islands(program, options.pins), views_of(program, chip, options.weight_bits)
    groups: dict[str, list[View]] = {}
    for step in program.steps:
        if isinstance(step, IslandCall):
            island = views[step.island]
            if island.name not in pins or pins[island.name].device != "host":
                groups.setdefault(island.group, []).append(island)
    return [island for members in groups.values() for island in members]


def check_formats(program: Program, chip: ChipSpec) -> None:
    """Refuse a chip that cannot carry the program's numbers: graded events, neuron state, weights.

    Raises
    ------
    DoesNotFit ND2004 : names the island, the bits it needs and the bits the chip has.
    """
    for island in program.islands.values():
        for what, need, have in (
            ("graded events", island.payload_bits, chip.formats["payload_bits"]),
            ("outputs", island.neurons.out_bits, chip.formats["payload_bits"]),
            ("neuron state", island.neurons.state_bits, chip.formats["state_bits"]),
            ("weights", island.synapses.weight_bits, chip.formats["weight_bits"]),
        ):
            if need > have:
                problem = f"{what} of {need} bits, {chip.name} has {have}"
                raise DoesNotFit(
                    "ND2004", island.name, problem, "choose another chip, or convert with narrower numbers"
                )


def _finish(
    program: Program, split: Split, system: SystemSpec, options: Options, available: int, work: Path | None = None
) -> Places:
    limits, nets = (
        core_limits(system.chip, options.max_rows, options.caps),
        nets_of_tiles(streams_of(program, split.tiles, system.chip)),
    )
    return finish(split.tiles, nets, limits, system, available, options, compatible=split.apart, work=work)


def _too_small(
    program: Program,
    islands: Sequence[View],
    system: SystemSpec,
    placed: Places,
    available: int,
    binding: str,
    options: Options,
    alternatives: Sequence[SystemSpec],
) -> DoesNotFit:
    """The error with what would help: chips of this system left out, a larger system, narrower weights."""
    chip = system.chip
    bits = max(island.sums.bits for island in islands)

    def chips(width: int | None, most_rows: int | None) -> int:
        asked = replace(options, weight_bits=width, max_rows=most_rows, place=False)
        narrow, pins = on_chip(program, chip, asked), pins_of_islands(program, asked.pins)
        return _finish(program, split_islands(narrow, pins, system, asked, available), system, asked, available).chips

    return DoesNotFit(
        "ND2001",
        program.info.name,
        f"needs {placed.chips} chips ({placed.cores} cores) at {bits}-bit weights, {system.name} offers {available} "
        f"({available * chip.cores} cores); {binding} binds",
        remedies(system, placed, available, alternatives, bits, options.weight_bits, options.max_rows, chips),
    )
