"""The coefficients of Loihi 2 fitted to published rows, and docs/validation.md: what was measured beside what is predicted.

    python benchmarks/validation.py            prints the page
    python benchmarks/validation.py --coefficients    prints the table of docs/energy.md
    python benchmarks/validation.py --write    fits again: targets/fitted_loihi2.py, docs/validation.md and the table of
                                               docs/energy.md

The fit is that of ``neurodeploy calibrate`` (`neurodeploy.accounting.calibration`) on the rows of
`benchmarks/published.py` that are `FIT`, from the priors of `targets/loihi2.py`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import reload
from math import exp
from pathlib import Path
from textwrap import wrap

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.published import FIT, UNSEEN, VAGUE, Published, rows
from neurodeploy.accounting.band import DRAWS, NINE_TENTHS
from neurodeploy.accounting.calibration import ERRORS, Calibrated, calibrate
from neurodeploy.accounting.costs import cost
from neurodeploy.accounting.measurement import TIMES
from neurodeploy.ir.chip import ChipSpec, Quantity, SystemSpec
from targets import fitted_loihi2, loihi2
from targets.loihi2 import UNFITTED
from targets.systems import SYSTEMS

ROOT = Path(__file__).resolve().parents[1]
#: Said of a coefficient that rows have set.
SOURCE = "published rows"
#: A loading that is left out of the table.
SMALLEST = 0.1
PAGE, ENERGY, TABLE = (
    ROOT / "docs" / "validation.md",
    ROOT / "docs" / "energy.md",
    ROOT / "targets" / "fitted_loihi2.py",
)


#: Every coefficient that the account takes from a chip's table, and what it multiplies.
USED: Mapping[str, str] = {
    "synop_fc_j": "synaptic operations, partial sums added",
    "synop_conv_j": "synaptic operations of convolutions",
    "synop_learning_j": "numbers written to memories",
    "neuron_update_j": "neuron updates, active (times `microcode_factor`)",
    "neuron_idle_j": "neuron updates, idle",
    "microcode_factor": "a graded, microcoded neuron over a fixed one",
    "core_step_j": "active cores and steps",
    "chip_step_j": "steps of each chip in use",
    "spike_out_j": "spikes of neurons",
    "message_j": "messages delivered, a spike to each core that it reaches",
    "hop_ew_j": "hops, east-west",
    "hop_ns_j": "hops, north-south",
    "interchip_bit_j": "bits over a chip-to-chip link",
    "host_link_bit_j": "bits over the host link",
    "p_static_w": "powered chips times seconds, rails",
    "p_infra_w": "powered chips times seconds, board",
    "t_synop_fc_s": "synaptic operations of the busiest core",
    "t_synop_conv_s": "its synaptic operations of convolutions",
    "t_synop_learning_s": "its numbers written to memories",
    "t_neuron_s": "its neuron updates (times `microcode_factor`)",
    "t_neuron_idle_s": "resident neurons of the fullest core",
    "t_spike_out_s": "its messages out",
    "t_step_floor_s": "steps",
    "t_barrier_multichip_s": "steps on several chips",
    "t_learning_step_s": "steps in which memories are written",
    "energy_error_ratio": "joules of chips and board: what a run misses by though its coefficients be known",
    "time_error_ratio": "seconds, alike",
    "t_host_link_s": "exchanges with the host, in and out together",
    "bw_link_b_per_s": "bytes through the busiest chip port",
    "bw_interchip_b_per_s": "bytes over the busiest chip-to-chip link",
    "bw_host_link_b_per_s": "bytes over the host border",
}


@dataclass(frozen=True, slots=True)
class Beside:
    """A published figure beside ours."""

    row: Published
    low: float
    nominal: float
    high: float

    @property
    def error(self) -> float:
        """predicted / measured - 1"""
        return self.nominal / self.row.measured.value - 1

    @property
    def inside(self) -> bool:
        return self.low <= self.row.measured.value <= self.high

    @property
    def timed(self) -> bool:
        return self.row.measured.quantity in TIMES

    @property
    def width(self) -> float:
        """The factor from the nominal figure to the farther end."""
        return max(self.high / self.nominal, self.nominal / self.low)


def fit() -> Calibrated:
    systems = {**SYSTEMS, **{system.name: system for system in UNFITTED}}
    of = [row.measured for row in rows(systems) if row.sample == FIT and row.measured.system.chip.name == "loihi2"]
    return calibrate(of, SOURCE)


def predicted(systems: Mapping[str, SystemSpec]) -> list[Beside]:
    found = []
    for row in rows(systems):
        band = row.measured.of(row.measured.ledger(row.measured.system.chip))
        found.append(Beside(row, *band.to_json().values()))
    return found


def summary(beside: Sequence[Beside], sample: str) -> dict[str, float]:
    """Of the rows of a sample: how many, mean errors of energy (with power) and time, share inside, median width."""
    of = [one for one in beside if one.row.sample == sample]
    energy, time = ([abs(one.error) for one in of if one.timed == timed] for timed in (False, True))
    return {
        "rows": len(of), "energies": len(energy), "times": len(time), "energy": float(np.mean(energy)) if energy else 0.0,
        "time": float(np.mean(time)) if time else 0.0, "inside": float(np.mean([one.inside for one in of])),
        "width": float(np.median([one.width for one in of])),
    }  # fmt: skip


def _line(cells: Sequence[object]) -> str:
    return f"| {' | '.join(map(str, cells))} |".replace("|  |", "| |").replace("|  |", "| |")


def _table(heads: Sequence[str], lines: Sequence[Sequence[object]]) -> str:
    return "\n".join([_line(heads), "|---" * len(heads) + "|", *map(_line, lines)])


UNITS = {"joules": "J", "watts": "W"}


def beside_table(beside: Sequence[Beside]) -> str:
    lines = []
    for one in beside:
        m = one.row.measured
        unit = UNITS.get(m.quantity, "s")
        ours = f"{one.nominal:.3g} ({one.low:.3g} to {one.high:.3g}) {unit}"
        where = " ".join(filter(None, (m.boundary or "-", m.part)))
        inside = "yes" if one.inside else "**no**"
        cells = (one.row.key, m.name, m.system.name, where, f"{m.value:.4g} {unit}", ours, f"{one.error:+.0%}", inside)
        lines.append((*cells, one.row.sample, one.row.note))
    heads = ("Run", "Figure", "System", "Boundary", "Measured", "Predicted (band)", "Error", "Inside", "Sample", "Note")
    return _table(heads, lines)


def left_out_table(found: Calibrated, fitted: Sequence[Published]) -> str:
    lines = []
    for row, off, spread in zip(fitted, found.left_out.tolist(), found.left_out_spread.tolist(), strict=True):
        lines.append((row.key, row.measured.name, f"{exp(off) - 1:+.0%}", f"{exp(NINE_TENTHS * spread):.2f}"))
    return _table(("Run", "Row that the fit does not know", "Error", "Its band by coefficients alone, a factor"), lines)


def coefficient_table(found: Calibrated) -> str:
    lines = []
    for name, share in found.shrunk.items():
        key, _, system = name.partition("@")
        chip = found.chips[system] if system else found.chip
        prior = {s.name: s for s in UNFITTED}[system or next(iter(found.chips))].chip.costs[key]
        cause = next(iter(chip_errs(prior_chip(system or next(iter(found.chips))), key, name)))
        by = ", ".join(found.set_by.get(cause, ())) or "none by a tenth"
        lines.append(
            (f"`{key}`", system or "all", _band(prior), _band(chip.costs[key]), prior.unit, f"{share:.2f}", by)
        )
    return _table(
        ("Coefficient", "System", "Prior", "Fitted", "Unit", "Width", "Rows that it moves by a tenth or more"), lines
    )


def prior_chip(system: str) -> ChipSpec:
    return {s.name: s for s in UNFITTED}[system].chip


def chip_errs(chip: ChipSpec, key: str, own: str) -> Mapping[str, float]:
    return chip.errs.get(key, {own: 1.0})


def _band(q: Quantity) -> str:
    return f"{q.nominal:.3g} ({q.low:.3g} to {q.high:.3g})"


def page(found: Calibrated, beside: Sequence[Beside]) -> str:
    fitted = [one.row for one in beside if one.row.sample == FIT and one.row.measured.system.chip.name == "loihi2"]
    sets = {name: summary(beside, name) for name in (UNSEEN, FIT)}
    heads = (
        "Sample",
        "Rows",
        "Energies and powers: mean error",
        "Times: mean error",
        "Inside the band",
        "Median width of a band",
    )
    lines = [
        (name, s["rows"], f"{s['energy']:.0%} of {s['energies']}", f"{s['time']:.0%} of {s['times']}",
        f"{s['inside']:.0%}", f"a factor {s['width']:.2f}") for name, s in sets.items()
    ]  # fmt: skip
    return TEMPLATE.format(
        summary=_table(heads, lines), rows=beside_table(beside), left_out=left_out_table(found, fitted),
        coefficients=coefficient_table(found), ratio=_band(found.chip.costs["energy_error_ratio"]),
        missed=f"{found.missed:.2f}", draws=DRAWS, vague=VAGUE,
    )  # fmt: skip


def literal(found: Calibrated) -> str:
    """`targets/fitted_loihi2.py`."""
    shared = {name for name in found.shrunk if "@" not in name} | set(ERRORS)
    own = [name.partition("@")[::2] for name in found.shrunk if "@" in name]
    costs = {name: found.chip.costs[name] for name in sorted(shared)}
    errs = {name: _few(found.chip.errs[name]) for name in sorted(shared) if name in found.chip.errs}
    costs_of = {system: {name: found.chips[system].costs[name]} for name, system in own}
    errs_of = {system: {name: _few(found.chips[system].errs[name])} for name, system in own}
    text = TABLE.read_text(encoding="utf-8")
    head = text[: text.index("COSTS: ")]
    return (
        f"{head}COSTS: Mapping[str, Quantity] = {{\n{_quantities(costs)}}}\n"
        f"ERRS: Mapping[str, Mapping[str, float]] = {{\n{_loadings(errs)}}}\n"
        f"COSTS_OF: Mapping[str, Mapping[str, Quantity]] = {{\n"
        + "".join(f"    {system!r}: {{\n{_quantities(of)}}},\n" for system, of in costs_of.items())
        + "}\nERRS_OF: Mapping[str, Mapping[str, Mapping[str, float]]] = {\n"
        + "".join(f"    {system!r}: {{\n{_loadings(of)}}},\n" for system, of in errs_of.items())
        + "}\n"
    )


def _loadings(errs: Mapping[str, Mapping[str, float]]) -> str:
    def one(loadings: Mapping[str, float]) -> str:
        return ",\n        ".join(f"{cause!r}: {load!r}" for cause, load in loadings.items())

    return "".join(f"    {name!r}: {{{one(of)}}},\n" for name, of in errs.items())


def _few(loadings: Mapping[str, float]) -> dict[str, float]:
    """Four digits, none below `SMALLEST`; squares with the sum 1."""
    kept = {name: load for name, load in loadings.items() if abs(load) >= SMALLEST}
    whole = sum(load**2 for load in kept.values()) ** 0.5
    return {name: round(load / whole, 4) for name, load in kept.items()}


def _quantities(costs: Mapping[str, Quantity]) -> str:
    def one(q: Quantity) -> str:
        ends = ", ".join(f"{float(f'{end:.4g}')!r}" for end in (q.low, q.nominal, q.high))
        lines = "\n        ".join(repr(line) for line in wrap(q.source, 100, drop_whitespace=False))
        return f"Quantity(\n        {ends}, {q.unit!r}, Basis.DERIVED,\n        {lines},\n    )"

    return "".join(f"    {name!r}: {one(q)},\n" for name, q in costs.items())


def coefficients(chip: ChipSpec) -> str:
    """The coefficients of `chip` that the account uses, as the table of ``docs/energy.md``."""
    lines = []
    for key, what in USED.items():
        q = cost(chip, key)
        ends = [f"{end:.4g}" for end in (q.low, q.nominal, q.high)]
        lines.append((f"`{key}`", *ends, q.unit, q.basis.value, what, q.source))
    return _table(("Coefficient", "Low", "Nominal", "High", "Unit", "Basis", "Multiplies", "Source"), lines)


TEMPLATE = (ROOT / "benchmarks" / "validation_page.md").read_text(encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write the fitted table and the pages")
    parser.add_argument("--coefficients", action="store_true", help="print the table of docs/energy.md and stop")
    asked = parser.parse_args()
    if asked.coefficients:
        print(coefficients(SYSTEMS["alia-point"].chip))
        return
    write, found = asked.write, fit()
    if write:
        TABLE.write_text(literal(found), encoding="utf-8")
        reload(fitted_loihi2)
        systems = {**SYSTEMS, **{system.name: system for system in reload(loihi2).SYSTEMS}}
    else:
        systems = dict(SYSTEMS)
    text = page(found, predicted(systems))
    if write:
        PAGE.write_text(text, encoding="utf-8")
        now, before = coefficients(systems["alia-point"].chip), ENERGY.read_text(encoding="utf-8")
        old = before[before.index(now.splitlines()[0]) :].split("\n\n", 1)[0]
        ENERGY.write_text(before.replace(old, now), encoding="utf-8")
    else:
        print(text)


if __name__ == "__main__":
    main()
