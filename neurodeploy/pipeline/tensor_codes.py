"""Codes of a network of tensors, as `convert --code` asks for them: read, tried on the samples, and chosen.

The *loss* of a trial is the error of an output against the original, root mean squares over all samples, relative to the
output's own; of several outputs the largest.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodeploy.conversion.tensors.coding import GRADED, RATE, SIGMA_DELTA, Coding, no_code
from neurodeploy.errors import DoesNotFit, ModelError
from neurodeploy.ir.chip import SystemSpec
from neurodeploy.ir.mapping import Mapping as Placement
from neurodeploy.ir.program import Program
from neurodeploy.ir.run import RunActivity

AUTO = "auto"
#: The loss that thresholds and steps are chosen for.
LOSS = 0.02
#: The chip that "auto" prices codes on.
CHIP = "loihi2"
#: Steps of a sample that are tried for rates.
STEPS = (8, 16, 32, 64, 128, 256)
#: Thresholds are this many powers of two below the root mean square of a value at the least; halvings between those that do
#: and do not keep the loss; sites whose own threshold is tried beyond that of all.
LEAST, HALVINGS, SITES = 12, 5, 12
#: A site is worth changes where they are fewer than so many of its values, by weights that they meet.
WORTH = 0.9

Made = tuple[Program, dict[str, NDArray[np.float32]]]


class AskedCode(NamedTuple):
    """The code that was asked for: `coding` (its kind "auto" where it is to be chosen), whether steps are to be."""

    coding: Coding
    steps_open: bool


class CodeTrial(NamedTuple):
    """A conversion on the samples. events : weights that messages met. joules : of all samples, where they were priced."""

    coding: Coding
    made: Made
    loss: float
    activity: RunActivity
    events: int
    joules: float | None = None

    def row(self) -> dict[str, Any]:
        """What is told of it."""
        sent = sum(int(port.sum()) for ports in self.activity.fired.values() for port in ports.values())
        return {
            "code": self.coding.kind, "sites": dict(self.coding.sites), "steps": self.coding.steps, "loss": self.loss,
            "synaptic_events": self.events, "messages": sent, "joules": self.joules,
        }  # fmt: skip


def asked_for(code: Any) -> AskedCode:
    """Of the option: "sigma_delta", "rate", "rate:64", "auto", "SITE=sigma_delta,..", or a mapping of sites. ND1316."""
    if isinstance(code, Mapping):
        parts = [f"{site}={kind}" for site, kind in code.items()]
    else:
        parts = str(GRADED if code is None else code).split(",")
    kind, steps, sites = GRADED, "", dict[str, str]()
    for part in parts:
        site, given, own = part.strip().rpartition("=")
        own = own.replace("-", "_")
        if given:
            sites[site] = own
        else:
            kind, _, steps = own.partition(":")
    if steps and (kind != RATE or not steps.isdecimal()):
        raise no_code("--code", f"is {code!r:.40}", "give rate:STEPS, such as rate:64")
    coding = Coding(kind, int(steps or 1), sites)
    if kind != AUTO or sites:
        coding.check()
    return AskedCode(coding, kind == RATE and not steps)


class Trials:
    """Conversions of one network on the same samples."""

    def __init__(
        self, build: Callable[[Coding], Made], run: Callable[[Made], tuple[Any, RunActivity]],
        wanted: Sequence[NDArray[Any]], bound: float,
    ) -> None:  # fmt: skip
        self.build, self.run, self.bound = build, run, bound
        self.wanted = [want.reshape(len(want), -1).astype(np.float64) for want in wanted]

    def of(self, coding: Coding, made: Made | None = None) -> CodeTrial:
        made = made or self.build(coding)
        found, activity = self.run(made)
        losses = []
        for got, want in zip(found, self.wanted, strict=True):
            power = float(np.square(want).sum())
            losses.append(math.sqrt(float(np.square(got - want).sum()) / power) if power else 0.0)
        return CodeTrial(coding, made, max(losses), activity, sum(weights_met(made[0], activity).values()))

    def with_thresholds(self, coding: Coding) -> CodeTrial:
        """The largest thresholds, one share of the root mean square of every value, that keep the loss; then larger ones
        for single sites, those with most events first."""
        exact = self.of(coding)
        scales = {row["population"]: row["rms"] for row in exact.made[0].conversion["code"]["sent"]}  # type: ignore[index, call-overload]
        if not scales or exact.loss > self.bound:
            return exact
        best, shares = exact, dict.fromkeys(scales, 0.0)
        low, high = -float(LEAST), 0.0
        for _ in range(HALVINGS + 1):
            middle = (low + high) / 2
            given = dict.fromkeys(scales, 2.0**middle)
            found = self._at(exact, scales, given)
            if found.loss <= self.bound:
                low, best, shares = middle, found, given
            else:
                high = middle
        met = weights_met(exact.made[0], best.activity)
        for site in sorted(scales, key=lambda name: -met.get(name, 0))[:SITES]:
            given = {**shares, site: 1.5 * shares[site]}
            found = self._at(exact, scales, given)
            if found.loss <= self.bound and found.events < best.events:
                best, shares = found, given
        return best

    def _at(self, exact: CodeTrial, scales: Mapping[str, float], shares: Mapping[str, float]) -> CodeTrial:
        thresholds = {name: int(shares[name] * scales[name]) for name in scales}
        return self.of(replace(exact.coding, thresholds=thresholds), with_thresholds(exact.made, thresholds))

    def rate(self, coding: Coding, *, steps_open: bool) -> CodeTrial:
        """With the fewest steps of `STEPS` that keep the loss, or the most of them, or those that were asked for."""
        found = self.of(replace(coding, steps=STEPS[0] if steps_open else coding.steps))
        for steps in STEPS[1:] if steps_open else ():
            if found.loss <= self.bound:
                break
            found = self.of(replace(coding, steps=steps))
        return found

    def chosen(self, asked: AskedCode, price: Callable[[CodeTrial], float]) -> tuple[CodeTrial, list[CodeTrial]]:
        """What was asked for, or with "auto" what costs least of what keeps the loss; and all that was tried."""
        coding, plain = asked.coding, self.of(Coding())
        if coding.kind == AUTO:
            return self._cheapest(plain, price)
        if coding.kind == RATE:
            found = self.rate(coding, steps_open=asked.steps_open)
        elif coding.in_time:
            found = self.with_thresholds(coding)
        else:
            return plain, [plain]
        return found, [plain, found]

    def _cheapest(self, plain: CodeTrial, price: Callable[[CodeTrial], float]) -> tuple[CodeTrial, list[CodeTrial]]:
        tried = [plain, self.with_thresholds(Coding(SIGMA_DELTA))]
        some = worth(plain, tried[1])
        if some:
            tried.append(self.with_thresholds(Coding(GRADED, sites=some)))
        try:
            tried.append(self.rate(Coding(RATE), steps_open=True))
        except ModelError as error:
            if error.code != "ND1317":
                raise
        priced = [trial._replace(joules=price(trial)) for trial in tried]
        kept = [trial for trial in priced if trial.loss <= self.bound] or priced[:1]
        return min(kept, key=lambda trial: trial.joules or math.inf), priced


def weights_met(program: Program, activity: RunActivity) -> dict[str, int]:
    """Synaptic events: how many weights the messages of each population have met."""
    found: dict[str, int] = {}
    for p in program.network.projections:
        fired = activity.fired[p.source][p.source_port]
        found[p.source] = found.get(p.source, 0) + int(fired @ p.synapse.fan_out())
    return found


def worth(plain: CodeTrial, changes: CodeTrial) -> dict[str, str]:
    """Sites where changes meet fewer weights than values do, where not all or none of them are."""
    sent: Any = changes.made[0].conversion["code"]["sent"]  # type: ignore[index, call-overload]
    met = [weights_met(trial.made[0], trial.activity) for trial in (plain, changes)]
    saved: dict[str, bool] = {}
    for row in sent:
        values = row["population"] if row["population"] in met[0] else row["site"]
        less = met[1].get(row["population"], 0) < WORTH * met[0].get(values, 0)
        saved[row["site"]] = less and saved.get(row["site"], True)
    found = dict.fromkeys((site for site, less in saved.items() if less), SIGMA_DELTA)
    return found if 0 < len(found) < len(saved) else {}


def with_thresholds(made: Made, thresholds: Mapping[str, int]) -> Made:
    """The same program with these thresholds of changes, told in its conversion."""
    program, arrays = made
    populations = dict(program.network.populations)
    for name, vth in thresholds.items():
        populations[name] = replace(populations[name], params={**populations[name].params, "vth": vth})
    code: Any = program.conversion["code"]
    sent = [{**row, "vth": thresholds.get(row["population"], 0)} for row in code["sent"]]
    conversion = {**program.conversion, "code": {**code, "sent": sent}}
    return replace(program, network=replace(program.network, populations=populations), conversion=conversion), arrays


def joules(trial: CodeTrial) -> float:
    """Of all samples at the board, on the smallest system of Loihi 2 that holds the program, mapped as `map` does. ND2001
    where none does."""
    from neurodeploy.accounting.account import account
    from neurodeploy.accounting.program import loads
    from neurodeploy.pipeline.pricing import host_profile

    program, (activity, border) = trial.made[0], as_stream(trial)
    mapping, system = on_smallest(program)
    worked = loads(program, activity, mapping, system, border)
    ledger = account(worked, system, host_profile("cpu-generic", False), "sample", powered="used")
    return ledger.joules("board").nominal * activity.samples


def on_smallest(program: Program) -> tuple[Placement, SystemSpec]:
    """The program mapped to the smallest system that holds it. ND2001 where the largest does not."""
    from partitioner.mapper import map_model
    from targets.systems import SYSTEMS

    *smaller, largest = sorted(
        (each for each in SYSTEMS.values() if each.chip.name == CHIP), key=lambda each: each.chips
    )
    for system in smaller:
        with suppress(DoesNotFit):
            return map_model(program, system), system
    return map_model(program, largest), largest


def as_stream(trial: CodeTrial) -> tuple[RunActivity, str]:
    """The counts as those of one stream that chips and host exchange in each of its steps, whatever the code, so that codes
    compare; rates need all steps of a sample before the next one, and are exchanged by sample."""
    if trial.coding.kind == RATE:
        return trial.activity, "sample"
    frames = trial.activity.steps * trial.activity.samples
    return replace(trial.activity, steps=frames, samples=1, raster=None), "calls"
