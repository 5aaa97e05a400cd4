"""Terminal summaries of the verbs that check or collect: run, verify, doctor, report, demo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console

from neurodeploy.reporting import units
from neurodeploy.reporting.derive import number_ranges, pattern
from neurodeploy.reporting.terminal_table import extent, listed, say, show_table


def print_run(found: Mapping[str, Any], console: Console) -> None:
    """Exact counts of a run, islands of one layer pattern in one row."""
    done = f", {extent(found['executed'])}" if "executed" in found else ""
    say(console, f"{units.count(found['tokens'])} tokens on {found['runner']}{done}", "bold")
    groups: dict[str, list[str]] = {}
    for name in found["islands"]:
        groups.setdefault(pattern(name), []).append(name)
    rows = []
    for name, names in groups.items():
        members = [found["islands"][n] for n in names]
        sums = [sum(counts[key] for counts in members) for key in ("events", "synops", "neuron_updates", "saturations")]
        density = sum(counts["density"] for counts in members) / len(members)
        rows.append(
            [
                name,
                number_ranges(names),
                *(units.si(value) for value in sums[:3]),
                units.percent(density),
                units.count(sums[3]),
            ]
        )
    show_table(
        console, ["Islands", "Layers", "Events>", "Synaptic ops>", "Neuron updates>", "Density>", "Clipped>"], rows
    )
    say(console, f"host: {units.si(found['host_flops'])} flop, {units.si(found['host_bytes'], 'B')} read and written")
    left = found.get("host_islands")
    if left:
        flops, size = (sum(work[key] for work in left.values()) for key in ("flops", "bytes"))
        text = f"{units.count(len(left))} islands on the host beside: {units.si(flops)} flop, {units.si(size, 'B')}"
        say(console, text, "bold yellow")


#: Of the float network of a spiking one.
_SOURCE = {
    None: "no float network: the source holds integers",
    True: "the float network is read by nir",
    False: "the float network is not pure NIR: see the warnings of the conversion",
}


def print_verify(found: Mapping[str, Any], console: Console) -> None:
    """What was checked, what of the mapping was executed, and what is wrong."""
    violations, done = found["violations"], found["executed"]
    verdict = "the mapping exceeds its budgets, and was not executed" if violations else "sound"
    if done and not violations:
        verdict += f"; its mapping was executed, {extent(done)}: the same bits"
    say(console, f"{found['bundle']}: {verdict}", "bold red" if violations else "bold")
    say(console, f"{units.some(found['members'], 'member')} with the digests of the manifest")
    if "source_read_by_nir" in found:
        say(console, _SOURCE[found["source_read_by_nir"]])
    else:
        say(console, f"{units.count(found['islands_read_by_nir'])} islands are read by nir and hold the same integers")
    golden, steps = found["golden_vectors"], found.get("golden_steps")
    if steps == 0:
        say(console, "no golden vectors: a single step of this network is too much work for the reference")
    elif golden:
        what = "golden vector" if steps is None else "output"
        over = "" if steps is None else f" over {units.some(steps, 'golden step')}"
        say(console, f"{units.some(max(golden.values()), what)}{over}: the same bits on {' and '.join(golden)}")
    if (widths := found.get("widths", {"counted": 0}))["counted"]:
        rest = f"{units.count(widths['counted'])} calibrated: what exceeds them is counted in every run"
        say(console, f"{units.some(widths['proven'], 'width')} of numbers proven, {rest}")
    if not found["mapped"]:
        say(console, "not mapped yet: neurodeploy map", "dim")
    listed(console, violations, "red", "  ")


def print_doctor(found: Mapping[str, Any], console: Console) -> None:
    """The machine as name and value; nested values on lines of their own."""
    rows = []
    for name, value in found.items():
        if isinstance(value, Mapping):
            rows += [[f"{units.words(name)}: {key}", _value(item)] for key, item in value.items()]
        else:
            rows.append([units.words(name), _value(value)])
    show_table(console, ["This machine", ""], rows)


def _value(value: Any) -> str:
    if value is None:
        return "not installed"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_value(item)}" for key, item in value.items())
    return ", ".join(str(item) for item in value) if isinstance(value, (list, tuple)) else str(value)


def print_paths(found: Sequence[Any], console: Console) -> None:
    """The files that were written, one a line."""
    for path in found:
        say(console, str(path))
