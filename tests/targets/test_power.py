from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from targets import power


def package(root: Path, name: str, label: str, energy: int | None, wrap: int = 1_000_000) -> Path:
    path = root / name
    path.mkdir()
    (path / "name").write_text(label + "\n")
    (path / "max_energy_range_uj").write_text(f"{wrap}\n")
    if energy is not None:
        (path / "energy_uj").write_text(f"{energy}\n")
    return path


def test_packages_are_found_and_their_parts_left_out(tmp_path: Path) -> None:
    package(tmp_path, "intel-rapl:0", "package-0", 5)
    package(tmp_path, "intel-rapl:0:0", "core", 3)
    package(tmp_path, "intel-rapl:1", "package-1", 7)
    package(tmp_path, "intel-rapl:2", "psys", 20)
    domains, why = power.rapl_domains(tmp_path)
    assert [(domain.name, domain.read_uj()) for domain in domains] == [("package-0", 5), ("package-1", 7)]
    assert why == ""


def test_memory_counts_beside_its_package(tmp_path: Path) -> None:
    """A package does not have its memory in it, but its cores."""
    for name, label in (("intel-rapl:0", "package-0"), ("intel-rapl:0:0", "core"), ("intel-rapl:0:1", "dram")):
        package(tmp_path, name, label, 5)
    assert [domain.name for domain in power.rapl_domains(tmp_path)[0]] == ["package-0", "dram"]


def test_a_counter_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    package(tmp_path, "intel-rapl:0", "package-0", None)
    domains, why = power.rapl_domains(tmp_path)
    assert domains == ()
    assert "energy_uj cannot be read" in why
    assert "no intel-rapl domain" in power.rapl_domains(tmp_path / "nowhere")[1]


def test_a_counter_that_starts_again_is_followed() -> None:
    assert power.energy_between(100, 350, 1000) == pytest.approx(250e-6)
    assert power.energy_between(900, 150, 1000) == pytest.approx(250e-6)


def test_mean_power_over_counters_that_start_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of two packages: 30 W and 12 W, each of which starts again several times in a window of 5 s."""
    paths = [package(tmp_path, f"intel-rapl:{n}", f"package-{n}", 0, wrap=10_000_000) for n in range(2)]
    clock = [0.0]

    def pass_(seconds: float) -> None:
        clock[0] += seconds
        for path, watts in zip(paths, (30, 12), strict=True):
            (path / "energy_uj").write_text(f"{round(clock[0] * watts * 1e6) % 10_000_000}\n")

    monkeypatch.setattr("targets.power.time.perf_counter", lambda: clock[0])
    monkeypatch.setattr("targets.power.time.sleep", pass_)
    domains, _ = power.rapl_domains(tmp_path)
    assert power.mean_watts(domains, 5.0) == pytest.approx(42.0)
    assert power.mean_watts(domains, 5.0, lambda: pass_(0.3)) == pytest.approx(42.0)


def test_a_window_is_never_shorter_than_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("targets.power.time.perf_counter", lambda: clock[0])
    monkeypatch.setattr("targets.power.time.sleep", lambda seconds: clock.__setitem__(0, clock[0] + seconds))
    counter = SimpleNamespace(name="card", wrap_uj=0, read_uj=lambda: round(clock[0] * 5e6))
    assert power.mean_watts([counter], 0.01) == pytest.approx(5.0)
    assert clock[0] >= power.LEAST_WINDOW_S


class NVMLError(Exception):
    """As pynvml calls its own."""


def card(**others: object) -> SimpleNamespace:
    """A stand-in of pynvml with a card that has spent 1 234 567 mJ."""
    calls: dict[str, object] = {
        "nvmlInit": lambda: None,
        "nvmlShutdown": lambda: None,
        "nvmlDeviceGetHandleByIndex": lambda index: index,
        "nvmlDeviceGetName": lambda handle: b"Some Card",
        "nvmlDeviceGetTotalEnergyConsumption": lambda handle: 1_234_567 + handle,
    }
    return SimpleNamespace(**{**calls, **others})


def test_the_energy_counter_of_a_card(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", card())
    counter, why = power.nvml_counter()
    assert counter is not None and why == ""
    assert (counter.name, counter.read_uj(), counter.wrap_uj) == ("Some Card", 1_234_567_000, 0)


def test_a_card_without_an_energy_counter_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(handle: int) -> int:
        raise NVMLError("not supported")

    monkeypatch.setitem(sys.modules, "pynvml", card(nvmlDeviceGetTotalEnergyConsumption=refuse))
    assert power.nvml_counter() == (None, "NVML gives no energy of card 0 (NVMLError)")
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert power.nvml_counter() == (None, "pynvml is not installed (pip install nvidia-ml-py)")


def test_nvml_is_asked_first(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = SimpleNamespace(
        nvmlInit=lambda: None,
        nvmlShutdown=lambda: None,
        nvmlDeviceGetHandleByIndex=lambda index: index,
        nvmlDeviceGetPowerUsage=lambda handle: 71_500 + handle,
    )
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    assert power.nvml_power_w() == (71.5, "NVML (pynvml)")


def test_nvidia_smi_is_the_second_choice(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 68.25\n")
    program.chmod(0o755)
    monkeypatch.setitem(sys.modules, "pynvml", None)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert power.nvml_power_w() == (68.25, "nvidia-smi power.draw")
    program.write_text("#!/bin/sh\necho '[N/A]'\n")
    assert power.nvml_power_w()[0] is None
    program.write_text("#!/bin/sh\nexit 9\n")
    assert power.nvml_power_w()[0] is None


def test_nobody_can_tell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    monkeypatch.setenv("PATH", str(tmp_path))
    watt, why = power.nvml_power_w()
    assert watt is None
    assert "neither pynvml nor nvidia-smi" in why
