"""The sentences that stand beside the energy of a spiking network: what was assumed, what is left out."""

from __future__ import annotations

from neurodeploy.accounting.network_work import Work
from neurodeploy.ir.chip import SystemSpec
from neurodeploy.ir.mapping import Mapping
from neurodeploy.ir.network import INPUT, Network
from neurodeploy.neurons.registry import FIXED

NOT_MODELLED = (
    "The time of a hop: routes take below 0.1 us a step and are inside the measured step floor.",
    "Passing through the mesh of a chip on the way to another one, and congestion beyond the busiest link.",
    "Encoding of the input and decoding of the output on the host.",
    "Loading weights, booting the board, chip reset between samples, and learning.",
    "Temperature and voltage: no published power states them.",
    "The difference between steps: loads are means over the run, so a busiest-core time is a lower bound.",
    "On-chip x86 processors apart from the board: no figure separates them, they are inside the infrastructure power.",
)

_BORDERS = {
    "sample": "A sample is one exchange with the host, all events in, then outputs back, which waits for the link once.",
    "step": "Every time step is one exchange with the host, in and out, which waits for the link once.",
    "none": "No exchange with the host: the input is on the chip, the output is not read.",
}


def assumptions(
    network: Network, work: Work, system: SystemSpec, mapping: Mapping, powered: str, border: str
) -> tuple[str, ...]:
    """What holds for this account; only sentences that apply to it."""
    chip = system.chip
    models = {p.model for p in network.populations.values() if p.model != INPUT}
    said = [
        "All figures are modelled from counts and a table of coefficients; nothing was measured on a Loihi chip.",
        "Intel has published no energy per operation for Loihi 2: its coefficients are derived from published runs."
        if chip.name == "loihi2"
        else f"Coefficients are those of {chip.name}: {chip.source}.",
        "Bands add and multiply end by end, as if all coefficients erred together.",
        "Stored zeros of dense and convolution synapses cost as much as any other weight.",
        "The synaptic energy was derived from whole-chip differences, so it holds some of what messages, neurons and "
        "core steps are charged again: the dynamic sum leans high.",
        "Every neuron is updated in every step, and every core that holds a shard is active in every step.",
        "Messages are delivered to each core apart (no multicast) and pay for spike and message at each delivery.",
        "The port of a chip to other chips and to the host is taken to be at router (0, 0).",
        f"Static and board power are charged for {system.chips} chips of the system."
        if powered == "system"
        else f"Static and board power are charged for the {mapping.chips_used} chips in use; other chips that the "
        "board powers are left out (powered='system' adds them).",
        "The power supply loses 10 % (5 to 20 %) of what it delivers: a guess.",
        _BORDERS[border],
    ]
    if models - set(FIXED):
        said.append(
            f"Neurons of {', '.join(sorted(models - set(FIXED)))} are microcoded: their updates cost a fixed neuron's "
            "times the chip's microcode factor."
        )
    if mapping.chips_used > 1:
        said.append("The barrier over several chips is a Loihi 1 measurement.")
        if border != "none":
            said.append(
                "Messages of the host enter and leave at chip 0, one copy for each destination chip; the low end of the "
                "band lets every chip have its own host port."
            )
    if any(p.depth > 1 for p in network.projections):
        said.append("Delayed sums wait in the target's core: they take its memory, and no energy of their own.")
    if work.phases > 1:
        said.append(
            f"A time step takes {work.phases} synchronised phases: partial sums and direct connections arrive within it."
        )
    return tuple(said)
