"""Hosts as rooflines, and a measurement of this machine's own.

``t = max(flop / peak_flops, bytes / bandwidth)`` and ``E = (idle_power + utilisation * active_power) * t``:
`active_power` is what a busy device draws *above* its idle power. Profiles are published or guessed numbers;
`measure_host` replaces what it can measure here and says in `HostSpec.measured` how each number came about.
"""

from __future__ import annotations

import difflib
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from neurodeploy.errors import TargetUnavailable, UserError
from neurodeploy.ir.chip import Basis, HostSpec, Quantity

from . import power

M, P, D, G = Basis.MEASURED, Basis.PUBLISHED, Basis.DERIVED, Basis.GUESSED

_ORIN = "Abreu et al. 2025 (arXiv 2503.18002) Jetson rows imply 10.3 to 15.1 W in generation"

CPU_GENERIC = HostSpec(
    name="cpu-generic",
    peak_flops=Quantity(40e9, 160e9, 320e9, "1/s", D, "2 cores x 2.5 GHz x 32 FP32 flop a cycle (AVX2 FMA); 8 to 64"),
    bandwidth=Quantity(8e9, 20e9, 40e9, "B/s", G, "share of 2 cores of a server's DDR4/DDR5 channels"),
    idle_power=Quantity(2.0, 5.0, 15.0, "W", G, "share of 2 cores of a server, memory and board included"),
    active_power=Quantity(5.0, 10.0, 25.0, "W", G, "2 of 64 cores of a 280 W part are 8.75 W; memory added"),
    source="two cores of a server processor, a guess to be replaced by measure_host()",
)

JETSON_ORIN_NANO = HostSpec(
    name="jetson-orin-nano",
    peak_flops=Quantity(
        5e12, 10e12, 16.75e12, "1/s", D, "NVIDIA: 40 TOPS sparse int8 / 4 for dense fp16; high: Super 67"
    ),
    bandwidth=Quantity(
        48e9, 68e9, 102e9, "B/s", P, "NVIDIA: 68 GB/s LPDDR5; high: Super mode; low: 70 % of it reached"
    ),
    idle_power=Quantity(3.0, 5.0, 7.0, "W", G, "below the smallest power mode of 7 W"),
    active_power=Quantity(3.3, 7.7, 20.0, "W", D, f"{_ORIN}, middle 12.7 W, less idle; high: 25 W mode"),
    source="Jetson Orin Nano 8 GB, power modes 7 to 25 W (NVIDIA)",
)

H100 = HostSpec(
    name="h100",
    peak_flops=Quantity(
        495e12, 989e12, 989e12, "1/s", P, "NVIDIA H100 SXM data sheet, bf16 dense; low: half of it reached"
    ),
    bandwidth=Quantity(2.3e12, 3.35e12, 3.35e12, "B/s", P, "NVIDIA H100 SXM data sheet; low: 70 % of it reached"),
    idle_power=Quantity(50.0, 70.0, 120.0, "W", G, "typical idle reading of an SXM card, not measured here"),
    active_power=Quantity(230.0, 630.0, 650.0, "W", D, "700 W TDP less idle; low: bandwidth-bound work"),
    source="NVIDIA H100 SXM data sheet; the card alone, without its server",
)

HOSTS: Mapping[str, HostSpec] = {host.name: host for host in (CPU_GENERIC, JETSON_ORIN_NANO, H100)}


def get_host(name: str) -> HostSpec:
    """The profile of that name. Raises UserError ND4003 for an unknown one, with the list."""
    key = name.strip().lower().replace("_", "-").replace(" ", "-")
    if key in HOSTS:
        return HOSTS[key]
    near = difflib.get_close_matches(key, list(HOSTS), n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    raise UserError("ND4003", name, "is not a host that we know", f"{hint}hosts: {', '.join(HOSTS)}")


def measure_host(
    base: HostSpec | None = None, *, device: str = "cpu", seconds: float = 1.0, rapl_root: Path = power.RAPL_ROOT
) -> HostSpec:
    """This machine as a roofline: float32 product and copy are timed, idle power is read where a counter can be read.

    Parameters
    ----------
    base : profile that supplies what cannot be measured (`cpu-generic`, for "cuda" `h100`); its power keeps the
        profile's numbers with basis *guessed*, because the profile describes another machine.
    device : "cpu" (numpy, RAPL) or "cuda" (torch, NVML).
    seconds : length of the idle window and of each timing, s.

    Raises
    ------
    TargetUnavailable ND4004 : "cuda" where torch sees no card.
    UserError ND4005 : a device that is neither "cpu" nor "cuda".
    """
    if device not in ("cpu", "cuda"):
        raise UserError("ND4005", device, "is not a device to measure", "use cpu or cuda")
    if base is None:
        base = CPU_GENERIC if device == "cpu" else H100
    idle_power, active_power, said = _power(base, device, seconds, rapl_root)
    product, copy = _cpu_work() if device == "cpu" else _cuda_work()
    flops = _rate(*product, seconds, "1/s", f"float32 matrix product, {device}")
    bandwidth = _rate(*copy, seconds, "B/s", f"copy of a large array, bytes read and written, {device}")
    return HostSpec(
        name=f"this machine ({device})",
        peak_flops=flops,
        bandwidth=bandwidth,
        idle_power=idle_power,
        active_power=active_power,
        source=f"measure_host(device={device!r}) over the profile {base.name}",
        measured={"peak_flops": flops.source, "bandwidth": bandwidth.source, **said},
    )


def _power(base: HostSpec, device: str, seconds: float, root: Path) -> tuple[Quantity, Quantity, dict[str, str]]:
    """Idle and active power with the sentences that say where they come from."""
    samples: list[float] = []
    if device == "cpu":
        domains, why = power.rapl_domains(root)
        for _ in range(3 if domains else 0):
            before, start = [domain.read_uj() for domain in domains], time.perf_counter()
            time.sleep(seconds / 3)
            after, elapsed = [domain.read_uj() for domain in domains], time.perf_counter() - start
            joules = sum(power.energy_between(b, a, d.wrap_uj) for b, a, d in zip(before, after, domains, strict=True))
            samples.append(joules / elapsed)
        how = f"RAPL of {len(domains)} package(s), whole machine at rest"
    else:
        for _ in range(3):
            watt, how = power.nvml_power_w()
            why = how
            if watt is not None:
                samples.append(watt)
            time.sleep(seconds / 3)
    note = f"profile {base.name}, not measured here"
    active = replace(base.active_power, basis=G, source=f"{note}: {base.active_power.source}")
    if samples and min(samples) > 0.0:
        idle = Quantity(min(samples), statistics.median(samples), max(samples), "W", M, how)
        return idle, active, {"idle_power": how, "active_power": note}
    why = why or "the counter did not advance"
    idle = replace(base.idle_power, basis=G, source=f"{note} ({why}): {base.idle_power.source}")
    return idle, active, {"idle_power": f"{note}: {why}", "active_power": note}


Work = tuple[Callable[[], object], float]


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


def _cpu_work() -> tuple[Work, Work]:
    import numpy as np  # the names of systems are read where nothing else needs it

    size, length = 768, 2**24
    a = np.full((size, size), 0.5, np.float32)
    out = np.empty_like(a)
    source = np.ones(length, np.float32)
    target = np.empty_like(source)
    return (lambda: np.matmul(a, a, out=out), 2.0 * size**3), (lambda: np.copyto(target, source), 2.0 * source.nbytes)


def _cuda_work() -> tuple[Work, Work]:
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

    return (synced(lambda: a @ a), 2.0 * size**3), (synced(lambda: target.copy_(source)), 2.0 * length)
