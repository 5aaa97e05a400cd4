"""What Lava's profiler measures of a board, in the words of the ledger: watts at a boundary, seconds, events.

VDD supplies the neurocores and VDDM their memory: together the rails. With VDDIO, the supply of the interfaces, they are
`power`, which is the chip as the ledger has it. A *board* in Lava's tutorials is what these supplies feed, never its x86 or
FPGA: nothing measured so is of the boundaries "board" or "wall".

Sources of names and units: lava-dl's tutorials ``netx/pilotnet_snn`` and ``pilotnet_sdnn`` (`Loihi2Power`,
`Loihi2ExecutionTime` in microseconds, `Loihi2Activity`), published programs that sum ``Profiler.execution_time`` to
seconds. ``energy`` is not used: some of those programs print it as joules, others as microjoules; power times time is
joules.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

#: Of a file of measurements.
MEASUREMENTS = "neurodeploy-measurements/1"
#: By quantity, boundary and part (`measurement.PARTS`): the ways in which Lava tells it, each a factor and the fields that
#: add up to it. Seconds are those of a step.
FIGURES: Mapping[tuple[str, str, str], tuple[tuple[float, tuple[str, ...]], ...]] = {
    ("seconds", "", ""): (
        (1.0, ("execution_time",)), (1e-6, ("execution_time_per_step",)), (1e-6, ("time_per_step",)),
        (1e-6, ("avg_time_per_step",)),
    ),
    ("watts", "rails", ""): ((1.0, ("vdd_power", "vddm_power")),),
    ("watts", "chip", ""): ((1.0, ("power",)), (1.0, ("total_power",))),
    ("watts", "rails", "static"): ((1.0, ("static_vdd_power", "static_vddm_power")),),
    ("watts", "chip", "static"): ((1.0, ("static_power",)), (1.0, ("static_total_power",))),
}  # fmt: skip
FIELDS = tuple(name for ways in FIGURES.values() for _, names in ways for name in names)
#: Of `Loihi2Activity`: component and event of the ledger that each counts.
EVENTS: Mapping[str, tuple[str, str]] = {
    "syn_ops": ("synapses", "synaptic operation"),
    "dendrite_updates": ("neurons", "neuron update"),
    "axon_out": ("messages", "spike sent"),
    "spikes_in": ("messages", "message delivered"),
}


def figures(fields: Mapping[str, float], steps: int) -> dict[tuple[str, str, str], float]:
    """By quantity, boundary and part: seconds of a sample of so many steps, and watts. Other fields say nothing.

    Raises
    ------
    ValueError : a supply without the one that it is told with, or a figure in two ways; the message names them.
    """
    found: dict[tuple[str, str, str], float] = {}
    for key, ways in FIGURES.items():
        for factor, names in ways:
            given = [name for name in names if name in fields]
            if not given:
                continue
            if len(given) < len(names):
                raise ValueError(f"has {given[0]} without {', '.join(sorted(set(names) - set(given)))}")
            if key in found:
                raise ValueError(f"says {' '.join(filter(None, (key[2], key[0])))} in two ways, one of them {given[0]}")
            found[key] = sum(fields[name] for name in names) * factor * (steps if key[0] == "seconds" else 1)
    return found


def spread(values: Sequence[float]) -> dict[str, float]:
    """The mean over samples, its band from the lowest to the highest; one sample says no more than itself."""
    return {"low": min(values), "nominal": sum(values) / len(values), "high": max(values)}
