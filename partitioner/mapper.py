"""`map_program`: classify, split, place, and a plan that says how far it is from the bound. Never reads a weight."""

from __future__ import annotations

from collections.abc import Sequence

from neurodeploy.errors import DoesNotFit, UserError
from neurodeploy.ir.chip import ChipSpec, SystemSpec
from neurodeploy.ir.mapping import Mapping, Shard
from neurodeploy.ir.program import IslandCall, Program

from .bounds import lower_bound
from .classify import assign
from .place import Group, Placement, place
from .remedies import remedies
from .split import Limits, Tile, group_of, split_island
from .usage import Cost, core_limits, island_bits


def map_program(
    program: Program,
    system: SystemSpec,
    *,
    weight_bits: int | None = None,
    max_rows: int | None = None,
    chips: int | None = None,
    alternatives: Sequence[SystemSpec] = (),
) -> Mapping:
    """Map a program to the cores of a system.

    Parameters
    ----------
    weight_bits : plan as if every weight took this many bits (1 to 8). Narrower than the program's own it answers "what
        if"; to run on such a plan the program must be converted with that width.
    max_rows : at most this many neurons a core: more cores, shorter steps.
    chips : use at most this many of the system's chips.
    alternatives : systems that the error may name where this one is too small.

    Raises
    ------
    DoesNotFit ND2001 : more chips are needed than there are.
    DoesNotFit ND2002 : one neuron exceeds a core, however it is split.
    DoesNotFit ND2004 : the chip's messages or states are narrower than the program's.
    UserError ND2003 : an argument out of range.
    """
    available = check_arguments(system, weight_bits, max_rows, chips)
    check_formats(program, system.chip)
    limits = core_limits(system.chip, max_rows)
    groups = _groups(program, system.chip, limits, weight_bits)
    placed = place(groups, limits, system.chip.cores, available)
    bound, binding = lower_bound(program, system.chip, weight_bits=weight_bits)
    if placed.chips > available:
        raise _too_small(program, system, placed, available, binding, weight_bits, max_rows, alternatives)
    tiles = [tile for group in groups for tile in group.tiles]
    return Mapping(
        system=system.name,
        chips_available=available,
        cores_per_chip=system.chip.cores,
        shards=tuple(_shard(tile, spot) for tile, spot in zip(tiles, placed.places, strict=True)),
        assignments=assign(program, system.chip.formats["message_bytes"]),
        lower_bound=bound,
        binding_resource=binding,
        unknown_limits=tuple(name for name, limit in system.chip.budget.limits().items() if limit.value is None),
    )


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


def check_arguments(system: SystemSpec, weight_bits: int | None, max_rows: int | None, chips: int | None) -> int:
    for name, value, most in (
        ("weight_bits", weight_bits, 8),
        ("max_rows", max_rows, None),
        ("chips", chips, system.chips),
    ):
        if value is not None and not (value >= 1 and (most is None or value <= most)):
            reach = f"between 1 and {most}" if most else "at least 1"
            raise UserError("ND2003", name, f"is {value}, {system.name} takes a value {reach}", "give such a value")
    return system.chips if chips is None else chips


def _groups(program: Program, chip: ChipSpec, limits: Limits, weight_bits: int | None) -> list[Group]:
    """Islands in the order of their calls, those of one group side by side where the first of them stands."""
    found: dict[str, list[Tile]] = {}
    kept: dict[str, bool] = {}
    costs: dict[int, Cost] = {}
    for step in program.steps:
        if not isinstance(step, IslandCall):
            continue
        island = program.islands[step.island]
        bits = island_bits(island, weight_bits)
        name = group_of(island)
        found.setdefault(name, []).extend(split_island(island, costs.setdefault(bits, Cost(chip, bits)), limits))
        kept[name] = name != island.name
    return [Group(name, tuple(tiles), kept[name]) for name, tiles in found.items()]


def _shard(tile: Tile, spot: tuple[int, int]) -> Shard:
    return Shard(tile.island, tile.kind, tile.rows, tile.cols, spot[0], spot[1], tile.group)


def _too_small(
    program: Program,
    system: SystemSpec,
    placed: Placement,
    available: int,
    binding: str,
    weight_bits: int | None,
    max_rows: int | None,
    alternatives: Sequence[SystemSpec],
) -> DoesNotFit:
    """The error with what would help: chips of this system left out, a larger system, narrower weights."""
    chip = system.chip
    bits = max(island_bits(island, weight_bits) for island in program.islands.values())

    def chips(width: int | None, most_rows: int | None) -> int:
        limits = core_limits(chip, most_rows)
        return place(_groups(program, chip, limits, width), limits, chip.cores, available).chips

    return DoesNotFit(
        "ND2001",
        program.info.name,
        f"needs {placed.chips} chips ({placed.cores} cores) at {bits}-bit weights, {system.name} offers {available} "
        f"({available * chip.cores} cores); {binding} binds",
        remedies(system, placed, available, alternatives, bits, weight_bits, max_rows, chips),
    )
