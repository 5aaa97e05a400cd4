"""Hosts as rooflines.

``t = max(flop / peak_flops, bytes / bandwidth) + calls * launch`` and ``E = (idle_power + around) * t`` and above that
`active_power` over the roofline, `launch_power` over the calls. Profiles are published or guessed numbers; the figures that
`benchmarks/host_validation.py` compares with set some of their ends, and say so. `measured_host.measure_host` replaces
what it can measure here.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from neurodeploy.errors import UserError
from neurodeploy.ir.chip import Basis, HostSpec, Quantity

M, P, D, G = Basis.MEASURED, Basis.PUBLISHED, Basis.DERIVED, Basis.GUESSED

_R3 = "Abreu et al. 2025 (arXiv 2503.18002)"
_LAUNCH = (
    "SmolLM2-135M with llama.cpp on a Jetson Orin Nano Super, 165.2 tokens a second (smolhub.com, 25 W), less its bytes: "
    f"14 us for each of our operations; high: {_R3}, an eager framework, 155 us (H100) to 215 us (Jetson); low: guessed"
)

CPU_GENERIC = HostSpec(
    name="cpu-generic",
    peak_flops=Quantity(40e9, 160e9, 320e9, "1/s", D, "2 cores x 2.5 GHz x 32 FP32 flop a cycle (AVX2 FMA); 8 to 64"),
    bandwidth=Quantity(8e9, 20e9, 40e9, "B/s", G, "share of 2 cores of a server's DDR4/DDR5 channels"),
    idle_power=Quantity(2.0, 5.0, 15.0, "W", G, "share of 2 cores of a server, memory and board included"),
    active_power=Quantity(5.0, 10.0, 25.0, "W", G, "2 of 64 cores of a 280 W part are 8.75 W; memory added"),
    source="two cores of a server processor, a guess to be replaced by measure_host()",
    peak_int8=Quantity(
        40e9, 320e9, 1.28e12, "1/s", D, "once (low), twice (AVX2) and four times (VNNI) the float32 peak"
    ),
)

LAPTOP = HostSpec(
    name="laptop",
    peak_flops=Quantity(
        256e9, 768e9, 1.02e12, "1/s", D, "8 cores x 3 GHz x 32 FP32 flop a cycle (AVX2 FMA); 4 x 2 GHz to 8 x 4 GHz"
    ),
    bandwidth=Quantity(
        23e9,
        35e9,
        68e9,
        "B/s",
        D,
        "two channels of DDR4-2933, 46.9 GB/s: half and three quarters of it; high: LPDDR5-4266",
    ),
    idle_power=Quantity(3.0, 8.0, 15.0, "W", G, "a laptop with its screen on"),
    active_power=Quantity(
        12.0,
        35.0,
        60.0,
        "W",
        D,
        "i7-10870H at work 43.2 W (Nesbit et al., arXiv 2609.32317), less idle; 15 to 65 W parts",
    ),
    source="a laptop of eight cores such as the i7-10870H of arXiv 2609.32317",
    peak_int8=Quantity(
        256e9, 1.5e12, 4.1e12, "1/s", D, "once (low), twice (AVX2) and four times (VNNI) the float32 peak"
    ),
)

SERVER_CPU = HostSpec(
    name="server-cpu",
    peak_flops=Quantity(
        1.0e12, 2.56e12, 5.12e12, "1/s", D, "32 cores x 2.5 GHz x 32 FP32 flop a cycle (AVX2); high: 64 (AVX-512)"
    ),
    bandwidth=Quantity(
        100e9,
        150e9,
        307e9,
        "B/s",
        D,
        "eight channels of DDR4-3200, 204.8 GB/s: half and three quarters; high: DDR5-4800",
    ),
    idle_power=Quantity(60.0, 100.0, 200.0, "W", G, "a server of one socket at rest, memory, fans and disks with it"),
    active_power=Quantity(100.0, 180.0, 350.0, "W", G, "parts of 155 to 350 W, with memory at work, less idle"),
    source="a server of one socket of 32 cores, the whole of it for this work",
    peak_int8=Quantity(
        1.0e12, 5.12e12, 20.5e12, "1/s", D, "once (low), twice (AVX2) and four times (VNNI) the float peak"
    ),
)

JETSON_ORIN_NANO = HostSpec(
    name="jetson-orin-nano",
    peak_flops=Quantity(
        2.5e12,
        10e12,
        16.75e12,
        "1/s",
        D,
        f"NVIDIA: 40 TOPS sparse int8 / 4 for dense fp16; high: Super 67; low: a quarter, reached in prompts of {_R3}",
    ),
    bandwidth=Quantity(
        48e9, 68e9, 102e9, "B/s", P, "NVIDIA: 68 GB/s LPDDR5; high: Super mode; low: 70 % of it reached"
    ),
    idle_power=Quantity(3.0, 5.0, 7.0, "W", G, "below the smallest power mode of 7 W"),
    active_power=Quantity(
        3.3, 7.7, 20.0, "W", D, f"{_R3} implies 10.3 to 15.1 W, middle 12.7 W, less idle; high: 25 W"
    ),
    source="Jetson Orin Nano 8 GB, power modes 7 to 25 W (NVIDIA)",
    peak_int8=Quantity(5e12, 20e12, 33.5e12, "1/s", D, "NVIDIA: 40 TOPS sparse / 2; high: Super 67; low: a quarter"),
    launch=Quantity(2e-6, 1.4e-5, 2.5e-4, "s", D, _LAUNCH),
    launch_power=Quantity(3.3, 6.0, 12.0, "W", D, f"{_R3} implies 10.3 to 15.1 W in generation, less idle"),
    memory_bytes=8 * 10**9,
    device="cuda",
)

H100 = HostSpec(
    name="h100",
    peak_flops=Quantity(
        100e12,
        989e12,
        989e12,
        "1/s",
        P,
        f"NVIDIA H100 SXM data sheet, bf16 dense; low: what prompts of {_R3} reach with a small model",
    ),
    bandwidth=Quantity(2.3e12, 3.35e12, 3.35e12, "B/s", P, "NVIDIA H100 SXM data sheet; low: 70 % of it reached"),
    idle_power=Quantity(50.0, 70.0, 120.0, "W", G, "typical idle reading of an SXM card, not measured here"),
    active_power=Quantity(230.0, 630.0, 650.0, "W", D, "700 W TDP less idle; low: bandwidth-bound work"),
    source="NVIDIA H100 SXM data sheet; a card with its share of a server of eight",
    peak_int8=Quantity(
        200e12, 1979e12, 1979e12, "1/s", P, "NVIDIA H100 SXM data sheet, dense; low: a tenth, as of bf16"
    ),
    launch=Quantity(2e-6, 1.4e-5, 2.5e-4, "s", D, _LAUNCH),
    launch_power=Quantity(20.0, 70.0, 130.0, "W", D, f"{_R3} implies 121 to 198 W in generation, less idle"),
    around=Quantity(
        150.0,
        300.0,
        575.0,
        "W",
        D,
        "an eighth of what a DGX H100 has beside its cards: 10.2 kW at most (NVIDIA) less 8 x 700 W; low, nominal: guessed",
    ),
    memory_bytes=80 * 10**9,
    device="cuda",
)

HOSTS: Mapping[str, HostSpec] = {host.name: host for host in (CPU_GENERIC, LAPTOP, SERVER_CPU, JETSON_ORIN_NANO, H100)}


def get_host(name: str) -> HostSpec:
    """The profile of that name. Raises UserError ND4003 for an unknown one, with the list."""
    key = name.strip().lower().replace("_", "-").replace(" ", "-")
    if key in HOSTS:
        return HOSTS[key]
    near = difflib.get_close_matches(key, list(HOSTS), n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    raise UserError("ND4003", name, "is not a host that we know", f"{hint}hosts: {', '.join(HOSTS)}")
