"""The sentences that stand beside every energy figure: what was assumed for it, and what it leaves out."""

from __future__ import annotations

from collections.abc import Iterable

from neurodeploy.accounting.work import IslandWork
from neurodeploy.ir.chip import SystemSpec
from neurodeploy.ir.mapping import Mapping as Placement

#: Of generation.
EXCHANGE = (
    "Each island call is one exchange with the host, events in and outputs back: it waits once for the latency of the link, "
    "which was published for a whole sample, and overlaps with nothing."
)
NOT_MODELLED = (
    "The time of a hop: routes take below 0.1 us a step and are inside the measured step floor.",
    "Passing through the mesh of a chip on the way to another one, and congestion beyond the busiest link.",
    "Contention of the host's memory with its link, and host work that overlaps the chip in generation.",
    "Loading weights, booting the board, chip reset, and learning.",
    "Temperature and voltage: no published power states them.",
    "The difference between tokens: loads are means over the run, so a busiest-core time is a lower bound.",
    "On-chip x86 processors apart from the board: no figure separates them, they are inside the infrastructure power.",
)


def assumptions(
    phase: str,
    powered: str,
    border: str,
    system: SystemSpec,
    mapping: Placement,
    works: Iterable[IslandWork],
    on_host: int = 0,
) -> tuple[str, ...]:
    """What holds for this account; only sentences that apply to it."""
    works = list(works)
    chip = system.chip
    said = [
        "All figures are modelled from counts and a table of coefficients; nothing was measured on a Loihi chip.",
        "Intel has published no energy per operation for Loihi 2: its coefficients are derived from published runs."
        if chip.name == "loihi2"
        else f"Coefficients are those of {chip.name}: {chip.source}.",
        "Bands add and multiply end by end, as if all coefficients erred together.",
        "Synapses are stored dense: a stored zero weight costs as much as any other.",
        "The synaptic energy was derived from whole-chip differences, so it holds some of what messages, neurons and "
        "core steps are charged again: the dynamic sum leans high.",
        "Graded neurons are microcoded: their updates cost a fixed neuron's times the chip's microcode factor.",
        "Every neuron is updated in every step; one whose island is not in its step pays the idle update.",
        "Messages are delivered to each core apart (no multicast) and pay for spike and message at each delivery.",
        "The port of a chip to other chips and to the host is taken to be at router (0, 0).",
        "A core counts as active in at most min(tokens, events) steps.",
        f"Static and board power are charged for {system.chips} chips of the system."
        if powered == "system"
        else f"Static and board power are charged for the {mapping.chips_used} chips in use; other chips that the "
        "board powers are left out (powered='system' adds them).",
        "The power supply loses 10 % (5 to 20 %) of what it delivers: a guess.",
    ]
    if on_host:
        said.append(
            f"{on_host} islands are computed by the host with the same integers: two operations a weight and token, each "
            "weight read once a call as one byte, at the host's rate for float32; they cross no border."
        )
    if mapping.chips_used > 1:
        said.append(
            "Messages between host and chips enter and leave at chip 0 and travel along the chip grid, one copy for "
            "each destination chip; the low end of the band lets every chip have its own host port."
            if border == "calls"
            else "Messages travel from the chip of the island before, one copy for each destination chip; the low end "
            "of the band has no such traffic."
        )
        said.append("The barrier over several chips is a Loihi 1 measurement.")
    if any(len(work.stages) > 1 for work in works):
        said.append("Every partial sum is sent to its reducer, zeros included, one step before the neurons fire.")
    if border == "none":
        said.append("The host border is left out: islands feed one another on the chip.")
    elif phase == "generate":
        said.append(EXCHANGE)
    else:
        said.append("The latency of the host link is paid once a prompt for each island: one exchange, in and out.")
        said.append("Tokens of the prompt follow one another through all islands, one token a step and island.")
        said.append("Filling the pipeline is in the time to the first token and not in the time per token.")
    return tuple(said)
