"""Published machines and what they were measured at, as rows: never compared but at one boundary (docs/machines.md).

A row has what was published: joules of a unit, or watts and units a second. What follows from them by arithmetic is
`joules`: ``watts / rate``; both are never given by hand. A boundary is named as the source names it, beside the one of
`docs/energy.md` that it is nearest to, or None where it is none of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from neurodeploy.ir.chip import Basis

_ABREU = "Abreu et al. 2025, arXiv 2503.18002"
_NESBIT = "Nesbit et al. 2026, arXiv 2609.32317"
_NORTHPOLE = "Appuswamy et al., HPEC 2024, abstract"
_RACK = "DeBole et al. 2025, arXiv 2511.15950, abstract"
_LAVA = "lava-dl, pilotnet_snn/benchmark.ipynb"
_SMOLHUB = "smolhub.com, Tiny LLM Benchmark, 2026"


class Published(NamedTuple):
    """Of a unit: joules, or watts of the whole machine at so many units a second; seconds of one, where they are stated."""

    joules: float | None = None
    watts: float | None = None
    rate: float | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class PublishedMachine:
    """A machine at work: name, what it ran, the unit that the figures are of, and where their boundary lies.

    at_once : users or sequences together, None where it is not stated. account : the boundary of our account that is
        nearest, or None.
    """

    name: str
    work: str
    unit: str
    published: Published
    boundary: str
    account: str | None
    source: str
    at_once: int | None = 1
    basis: Basis = Basis.MEASURED

    @property
    def joules(self) -> float | None:
        """Of a unit: as published, or watts over units a second."""
        given = self.published
        if given.joules is not None or given.watts is None or given.rate is None:
            return given.joules
        return given.watts / given.rate

    @property
    def derived(self) -> bool:
        return self.published.joules is None and self.joules is not None


_UNTOLD = "not stated in what we read"
_CARDS, _RAILS = "16 cards, without their server", "rail VDD_CPU_GPU_CV"
_CHIPS = "board, 24 of 32 chips"
MACHINES = (
    PublishedMachine(
        "Loihi 2, Alia Point",
        "MatMul-free LM 370M, generation",
        "token",
        Published(0.405, rate=41.5),
        _CHIPS,
        "board",
        _ABREU,
    ),
    PublishedMachine(
        "Loihi 2, Alia Point",
        "MatMul-free LM 370M, prompt",
        "token",
        Published(3.7e-3, rate=6632),
        _CHIPS,
        "board",
        _ABREU,
    ),
    PublishedMachine(
        "Jetson Orin Nano 8 GB",
        "Qwen2-500M fp16, generation after 500",
        "token",
        Published(0.791, rate=13.4),
        _UNTOLD,
        None,
        _ABREU,
    ),
    PublishedMachine(
        "Jetson Orin Nano 8 GB",
        "Qwen2-500M fp16, prompt of 8 000",
        "token",
        Published(4.4e-3, rate=3861),
        _UNTOLD,
        None,
        _ABREU,
    ),
    PublishedMachine(
        "Jetson Orin Nano Super",
        "SmolLM2-135M, 101 MB, llama.cpp, generation",
        "token",
        Published(1 / 22.6, rate=165.2),
        _RAILS,
        None,
        _SMOLHUB,
    ),
    PublishedMachine("H100", "Transformer++ 370M, generation", "token", Published(5.5, rate=22), _UNTOLD, None, _ABREU),
    PublishedMachine(
        "NorthPole, 16 cards",
        "3 B parameters",
        "token",
        Published(watts=672, rate=28_356),
        _CARDS,
        None,
        _NORTHPOLE,
        at_once=None,
    ),
    PublishedMachine(
        "NorthPole, rack of 288 cards",
        "three of Granite 3.3 8B, 2 048 context",
        "token",
        Published(watts=30e3, rate=3 * 28 / 2.8e-3, seconds=2.8e-3),
        "rack of 18 servers",
        "wall",
        _RACK,
        at_once=84,
    ),
    PublishedMachine(
        "Loihi 2, Oheo Gulch",
        "PilotNet LIF, 16 steps",
        "image",
        Published(1.661e-3, rate=408.91),
        "VDD, VDDM and VDDIO of the chip",
        "chip",
        _LAVA,
    ),
    PublishedMachine(
        "Loihi 2, Oheo Gulch",
        "CartPole, Q-learning",
        "update",
        Published(104.75e-6, seconds=58.42e-6),
        "neurocores and the board's x86",
        "board",
        _NESBIT,
    ),
    PublishedMachine(
        "Loihi 2, Oheo Gulch",
        "CartPole, Q-learning",
        "update",
        Published(14.25e-6, seconds=58.42e-6),
        "neurocores",
        "rails",
        _NESBIT,
    ),
    PublishedMachine(
        "i7-10870H", "CartPole, Q-learning", "update", Published(7.024e-3, seconds=162.5e-6), _UNTOLD, None, _NESBIT
    ),
)
