"""This machine as a host: what can be measured here is, and the rest says why not."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from neurodeploy.errors import TargetUnavailable, UserError
from neurodeploy.ir.chip import HostSpec, Quantity

from . import power
from .hosts import CPU_GENERIC, H100, G, M

Work = tuple[Callable[[], object], float]
#: Fields of a host that are measured, or said why not.
MEASURABLE = ("peak_flops", "bandwidth", "idle_power", "active_power", "peak_int8", "launch", "launch_power", "around")
ENDS = ("low", "nominal", "high")
#: Small operations, to time the start of one.
STARTED = 200


def measure_host(
    base: HostSpec | None = None, *, device: str = "", seconds: float = 1.0, rapl_root: Path = power.RAPL_ROOT
) -> HostSpec:
    """This machine as a roofline: float32 product, copy and, on a card, the start of an operation are timed; power is what
    energy counters say at rest and during product and copy, less what they say at rest.

    Parameters
    ----------
    base : profile that supplies what cannot be measured (`cpu-generic`, for "cuda" `h100`), with basis *guessed*, because it
        describes another machine.
    device : "cpu" (numpy, RAPL) or "cuda" (torch, NVML); by default that of `base`.
    seconds : length of each timing and, where it is longer than `power.LEAST_WINDOW_S`, of each window of a counter, s.

    Raises
    ------
    TargetUnavailable ND4004 : "cuda" where torch sees no card.
    UserError ND4005 : a device that is neither "cpu" nor "cuda".
    """
    device = device or (base.device if base else "cpu")
    if device not in ("cpu", "cuda"):
        raise UserError("ND4005", device, "is not a device to measure", "use cpu or cuda")
    if base is None:
        base = CPU_GENERIC if device == "cpu" else H100
    product, copy, small = _cpu_work() if device == "cpu" else _cuda_work()
    idle, active = _power(base, device, seconds, rapl_root, (product[0], copy[0]))
    flops = _rate(*product, seconds, "1/s", f"float32 matrix product, {device}")
    bandwidth = _rate(*copy, seconds, "B/s", f"copy of a large array, bytes read and written, {device}")
    found = replace(
        base,
        name=f"this machine ({device})",
        peak_flops=flops,
        bandwidth=bandwidth,
        idle_power=idle,
        active_power=active,
        source=f"measure_host(device={device!r}) over the profile {base.name}",
        peak_int8=_as_in(base, flops),
        launch=None if small is None else _seconds(small, seconds),
        launch_power=_guess(base, base.launch_power) if small and base.launch_power else None,
        around=_guess(base, base.around) if base.around else None,
        device=device,
    )
    quantities = {name: getattr(found, name) for name in MEASURABLE}
    return replace(found, measured={name: q.source for name, q in quantities.items() if q is not None})


def _guess(base: HostSpec, quantity: Quantity, why: str = "") -> Quantity:
    """A number of the profile, which describes another machine."""
    note = f"profile {base.name}, not measured here{f' ({why})' if why else ''}"
    return replace(quantity, basis=G, source=f"{note}: {quantity.source}")


def _as_in(base: HostSpec, flops: Quantity) -> Quantity | None:
    """The rate of 8-bit integers, as many times that of floats as in the profile."""
    rate, peak = base.peak_int8, base.peak_flops
    if rate is None:
        return None
    low, nominal, high = (getattr(flops, end) * getattr(rate, end) / getattr(peak, end) for end in ENDS)
    return Quantity(low, nominal, high, "1/s", G, f"times floats as in the profile {base.name}, not measured here")


def _power(
    base: HostSpec, device: str, seconds: float, root: Path, works: Sequence[Callable[[], object]]
) -> tuple[Quantity, Quantity]:
    """Idle and active power; of the profile, and why, where no counter can be read or one says less at work than at rest."""
    counters: Sequence[power.EnergyCounter]
    if device == "cpu":
        counters, why = power.rapl_domains(root)
        how = f"RAPL of {', '.join(counter.name for counter in counters)}; no other part of the machine"
    else:
        card, why = power.nvml_counter()
        counters, how = [card] if card else [], f"NVML, energy of {card.name}" if card else ""
    samples = [power.mean_watts(counters, seconds / 3) for _ in range(3 if counters else 0)]
    if not samples and device == "cuda":
        samples, how, why = _readings(seconds, why)
    active = _guess(base, base.active_power, why)
    idle = _guess(base, base.idle_power, why or "the counter did not advance")
    if samples and min(samples) > 0.0:
        idle = Quantity(min(samples), statistics.median(samples), max(samples), "W", M, f"{how}, at rest")
        if counters:
            spent = sorted(power.mean_watts(counters, seconds, work) - idle.nominal for work in works)
            why = "counters say no more at work than at rest"
            active = _guess(base, base.active_power, why)
            if spent[0] > 0.0:
                said = f"{how}: a product and a copy, less idle"
                active = Quantity(spent[0], sum(spent) / len(spent), spent[-1], "W", M, said)
    return idle, active


def _readings(seconds: float, why: str) -> tuple[list[float], str, str]:
    """What a card without a counter says that it draws at rest, by whom, and why not."""
    samples, how = list[float](), ""
    for _ in range(3):
        watt, how = power.nvml_power_w()
        if watt is None:
            return [], "", f"{why}; {how}"
        samples.append(watt)
        time.sleep(seconds / 3)
    return samples, how, why


def _seconds(work: Callable[[], object], seconds: float) -> Quantity:
    """Of one of the `STARTED` operations that `work` starts."""
    rate = _rate(work, STARTED, seconds, "1/s", "operations started one after another, cuda")
    return Quantity(1 / rate.high, 1 / rate.nominal, 1 / rate.low, "s", M, rate.source)


def _rate(work: Callable[[], object], amount: float, seconds: float, unit: str, what: str) -> Quantity:
    """Amount per second of `work`: slowest, median and best of the repeats within `seconds` (at least three)."""
    work()
    rates: list[float] = []
    end = time.perf_counter() + seconds
    while len(rates) < 3 or time.perf_counter() < end:
        start = time.perf_counter()
        work()
        rates.append(amount / max(time.perf_counter() - start, 1e-9))
    return Quantity(min(rates), statistics.median(rates), max(rates), unit, M, f"{what}, {len(rates)} repeats")


def _cpu_work() -> tuple[Work, Work, None]:
    import numpy as np  # the names of systems are read where nothing else needs it

    size, length = 768, 2**24
    a = np.full((size, size), 0.5, np.float32)
    out = np.empty_like(a)
    source = np.ones(length, np.float32)
    target = np.empty_like(source)
    copied = 2.0 * source.nbytes
    return (lambda: np.matmul(a, a, out=out), 2.0 * size**3), (lambda: np.copyto(target, source), copied), None


def _cuda_work() -> tuple[Work, Work, Callable[[], object]]:
    import torch

    size, length = 4096, 2**28

    if not torch.cuda.is_available():
        raise TargetUnavailable("ND4004", "cuda", "torch sees no CUDA card here", "measure the cpu, or name a profile")
    a = torch.full((size, size), 0.5, device="cuda")
    source = torch.ones(length, dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)

    def synced(call: Callable[[], Any]) -> Callable[[], object]:
        def work() -> None:
            call()
            torch.cuda.synchronize()

        return work

    one = torch.zeros(1, device="cuda")

    def start() -> None:
        for _ in range(STARTED):
            one.add_(1.0)

    product, copy = synced(lambda: a @ a), synced(lambda: target.copy_(source))
    return (product, 2.0 * size**3), (copy, 2.0 * length), synced(start)
