"""Which way each island is cut: the objective's figure of every way, and a joint choice under the cores that there are.

Figures of a way, all integers (nominal values of the chip's `costs`)::

    cores     sum over tiles of the part of a core that they take, in 2**-20: a full core where a tile leaves no use of it
    messages  columns * tiles for every block (deliveries of events) + rows * partial sums' messages
    time (ps) of the busiest core: synops t_synop + updates t_neuron microcode + messages t_spike_out; or of the chip's
              port, deliveries and outputs over bw_link if that is longer; + step floor, barrier. Twice with a reducer
    joules (aJ) synops, updates and messages at their prices, hops at the mean of a corner port, core_step_j a core, and
              static and board power of the chips that the cores need, over the time of a token

An expert counts messages, time and joules with the fraction of tokens that it sees. What is made small first is the
objective's, then the other figures in the order of `OBJECTIVES`. A cut through columns must save `SAVES` of the cores
(objective "cores"), because it takes a second time step.

The joint choice is a Lagrangian one: all islands start at their best way; where that takes more cores than there are,
ways with fewer cores are taken in the order of what a saved core costs, one island after the other, along the lower convex
hull of each island's (cores, figure) points. So the sum of the figures is least for the cores that it takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from neurodeploy.errors import UserError
from neurodeploy.ir.chip import SystemSpec
from partitioner.cost.budget import NOTHING, Demand, Limits, add, times
from partitioner.cut.bands import BandCut, BandCutter

#: Parts of a core.
ONE = 1 << 20
#: A tile of more than this part of a core is counted as a whole one.
FULL = ONE * 3 // 4
#: The part of the cores that a cut through columns must save.
SAVES = Fraction(1, 200)
PS, AJ = 1e12, 1e18
#: What `time` and `joules` need of a chip's table.
NEEDED = (
    "t_synop_fc_s", "t_neuron_s", "microcode_factor", "t_spike_out_s", "t_step_floor_s", "t_barrier_multichip_s",
    "bw_link_b_per_s", "synop_fc_j", "neuron_update_j", "spike_out_j", "message_j", "hop_ew_j", "hop_ns_j", "core_step_j",
    "p_static_w", "p_infra_w",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Figures:
    """What a way to cut an island costs; time and joules are 0 where no prices were given to count them."""

    cores: int
    messages: int
    time: int
    joules: int


@dataclass(frozen=True, slots=True)
class Way:
    cut: BandCut
    figures: Figures


@dataclass(frozen=True)
class Prices:
    """Nominal prices in ps and aJ; `watts` of a chip, in aJ a ps."""

    synop: int
    update: int  # without microcode, which takes `microcode` times as much
    microcode: float
    sent: int
    step: int
    port_bytes: int  # a second
    message: int
    synop_j: int
    update_j: int
    message_j: int
    delivery_j: int
    core_j: int
    watts: int
    cores: int


def prices_of(system: SystemSpec) -> Prices:
    """Raises UserError ND2003 where the chip's table lacks a cost that the objectives "latency" and "energy" need."""
    chip = system.chip
    missing = [key for key in NEEDED if key not in chip.costs]
    if missing:
        problem = f"needs the costs {', '.join(missing)}, which the table of {chip.name} lacks"
        raise UserError("ND2003", "objective", problem, "choose the objective cores or traffic")
    c, mesh = {key: chip.costs[key].nominal for key in NEEDED}, chip.mesh
    # from the port in a corner to a core: half the mesh in each direction, in the mean
    hops = (mesh[0] - 1) / 2 * c["hop_ew_j"] + (mesh[1] - 1) / 2 * c["hop_ns_j"]
    return Prices(
        synop=round(c["t_synop_fc_s"] * PS),
        update=round(c["t_neuron_s"] * PS),
        microcode=c["microcode_factor"],
        sent=round(c["t_spike_out_s"] * PS),
        step=round((c["t_step_floor_s"] + (c["t_barrier_multichip_s"] if system.chips > 1 else 0.0)) * PS),
        port_bytes=round(c["bw_link_b_per_s"]),
        message=chip.formats["message_bytes"],
        synop_j=round(c["synop_fc_j"] * AJ),
        update_j=round(c["neuron_update_j"] * AJ),
        message_j=round((c["spike_out_j"] + c["message_j"]) * AJ),
        delivery_j=round(hops * AJ),
        core_j=round(c["core_step_j"] * AJ),
        watts=round((c["p_static_w"] + c["p_infra_w"]) * AJ / PS),
        cores=chip.cores,
    )


def figures_of(cutter: BandCutter, cut: BandCut, prices: Prices | None) -> Figures:
    """What one way to cut an island costs; without `prices` neither time nor joules."""
    view, limits, share = cutter.view, cutter.rule.limits, cutter.view.share
    output, received = view.outputs, sum(cut.words) if cut.reduced else 0
    shapes: dict[tuple[int, int], int] = {}
    for (start, stop), words in zip(cut.blocks, cut.words, strict=True):
        shapes[stop - start, words] = shapes.get((stop - start, words), 0) + 1
    cores = carried = 0
    small = NOTHING  # what is packed: the last band, and the reducers that ride with no tile
    for band in cut.bands:
        poured = band is cut.bands[-1] and band.count == 1
        for (width, words), blocks in shapes.items():
            count = band.count * blocks
            demand = view.tile(band.rows, width, words)
            if band.carried:
                demand = add(demand, view.reducer(band.carried, received, band.carried * output))
                carried += band.carried * count
            if poured:
                small = add(small, times(demand, count))
            else:
                part = _share(demand, limits)
                cores += count * (ONE if part > FULL else part)
    if cut.reduced:
        rest = max(0, view.rows - carried)
        small = add(small, view.reducer(rest, received, rest * output))
    cores = cut.tiles * ONE if cut.alone else cores + _share(small, limits)
    bands = sum(band.count for band in cut.bands)
    deliveries = bands * view.columns
    partials = view.rows * received
    deliveries = int(cutter.rule.rate * deliveries)
    messages = int(share * (deliveries + partials))
    if prices is None:
        return Figures(cores, messages, 0, 0)
    time, joules = _priced(cutter, cut, prices, cut.tiles, deliveries, partials, output)
    return Figures(cores, messages, int(share * time), int(share * joules))


def _priced(
    cutter: BandCutter, cut: BandCut, prices: Prices, tiles: int, deliveries: int, partials: int, output: int
) -> tuple[int, int]:
    rows, blocks, width = cutter.view.rows, len(cut.blocks), cut.width
    factor = prices.microcode if cutter.view.microcoded else 1.0
    update, update_j = round(prices.update * factor), round(prices.update_j * factor)
    chips = -(-tiles // prices.cores)
    most = cut.most_rows
    busiest = most * (width * prices.synop + update + max(cut.words) * prices.sent)
    moved = deliveries + (0 if cut.reduced else rows * output)
    port = moved * prices.message * int(PS) // (chips * prices.port_bytes)
    time = max(busiest, port) + prices.step
    updates, synops, sent = rows * blocks, rows * cutter.view.columns, rows * output
    if cut.reduced:
        each = min(rows, max(cut.piece, max(band.carried for band in cut.bands)))
        adding = each * (partials // rows * prices.synop + update + output * prices.sent)
        port = rows * output * prices.message * int(PS) // (chips * prices.port_bytes)
        time += max(adding, port) + prices.step
        updates, synops, sent = updates + rows, synops + partials, sent + partials
    joules = synops * prices.synop_j + updates * update_j + sent * prices.message_j
    joules += (deliveries + partials + rows * output) * prices.delivery_j + tiles * prices.core_j
    return time, joules


def _share(demand: Demand, limits: Limits) -> int:
    return max((-(-used * ONE // limit) for used, limit in zip(demand, limits, strict=True) if limit), default=0)


def value_of(figures: Figures, objective: str, cut: BandCut, total_time: int, chips: int, prices: Prices | None) -> int:
    """The objective's figure; ties are broken by `ranked`."""
    if objective == "cores":
        return figures.cores + (int(figures.cores * SAVES) if cut.reduced else 0)
    if objective == "traffic":
        return figures.messages
    assert prices is not None
    if objective == "latency":
        return figures.time
    standing = figures.cores * prices.watts * total_time // (ONE * prices.cores)
    return figures.joules + standing + chips * prices.watts * figures.time


def hull(points: Sequence[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """The (cores, figure, index) points on the lower convex hull, from the least figure to the fewest cores."""
    best: list[tuple[int, int, int]] = []
    for cores, value, index in sorted(points):
        if best and value >= best[-1][1]:
            continue
        while len(best) > 1 and _right(best[-2], best[-1], (cores, value, index)):
            best.pop()
        best.append((cores, value, index))
    return best[::-1]


def _right(a: tuple[int, int, int], b: tuple[int, int, int], c: tuple[int, int, int]) -> bool:
    return (b[0] - a[0]) * (c[1] - a[1]) <= (b[1] - a[1]) * (c[0] - a[0])
