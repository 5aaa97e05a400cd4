"""What `map` says of islands that are not on the chips: which, why, and what a token costs that way and two others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from neurodeploy.reporting import units
from neurodeploy.reporting.derive import number_ranges, pattern
from neurodeploy.reporting.terminal_table import say, show_table


def beside(energy: float, time: float, other: str) -> str:
    """What one way to run a token costs beside another: both ratios, whichever of them was optimised."""
    return f"{units.digits(energy, 2)} times the energy and {units.digits(time, 2)} times the time of {other}"


def print_offload(found: Mapping[str, Any], console: Console) -> None:
    """Which islands are on the host and why, and what a token costs beside all on chips and beside streamed weights."""
    patterns: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for group in found["groups"]:
        patterns.setdefault((pattern(group["group"]), group["rule"]), []).append(group)
    rows = [
        [name, number_ranges([g["group"] for g in groups]), units.count(sum(len(g["islands"]) for g in groups)), rule]
        for (name, rule), groups in patterns.items()
    ]
    show_table(console, ["On the host", "Layers", "Islands>", "Rule"], rows)
    for rule, group in {(rule, groups[0]["remedy"]): groups[0] for (_, rule), groups in patterns.items()}.items():
        say(console, f"{rule[0]}: {group['reason']}")
        say(console, f"  to put it on the chip: {group['remedy']}", "dim")
    whole = units.some(found["chips_resident"], "chip")
    ways = {"plan": "as mapped", "resident": f"all on {whole}", "streaming": "weights streamed in"}
    rows = []
    for way, name in ways.items():
        joules = found["joules_per_token"][way]
        if joules is not None:
            cross, size = (found[key].get(way) for key in ("crossings_per_token", "border_bytes_per_token"))
            if way == "streaming":
                cross, size = found["crossings_per_token"]["resident"], None
            rows.append([
                name, units.si(joules, "J"), units.si(found["seconds_per_token"][way], "s"), f"{cross:g}",
                units.DASH if size is None else units.si(size, "B"),
            ])  # fmt: skip
    show_table(console, ["A token, islands and border", "Energy>", "Time>", "Crossings>", "Border bytes>"], rows)
    joules, seconds = found["joules_per_token"], found["seconds_per_token"]
    if joules["resident"] is not None:
        ratio = beside(joules["plan"] / joules["resident"], seconds["plan"] / seconds["resident"], f"all on {whole}")
        say(console, f"as mapped: {ratio}; what left was chosen for the least {found['optimised']}")
    if found["unasked"]:
        say(
            console,
            "without --offload this is exit status 3: the model fits these chips only partly",
            "dim",
        )
    if found["streaming_is_cheaper"]:
        say(console, "streaming would take less energy by this estimate, but nothing here executes it", "yellow")
    say(console, "estimates of a generated token at full activity; neurodeploy energy counts what happens", "dim")
