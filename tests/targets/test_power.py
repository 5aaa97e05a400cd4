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


def test_a_counter_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    package(tmp_path, "intel-rapl:0", "package-0", None)
    domains, why = power.rapl_domains(tmp_path)
    assert domains == ()
    assert "energy_uj cannot be read" in why
    assert "no intel-rapl domain" in power.rapl_domains(tmp_path / "nowhere")[1]


def test_a_counter_that_starts_again_is_followed() -> None:
    assert power.energy_between(100, 350, 1000) == pytest.approx(250e-6)
    assert power.energy_between(900, 150, 1000) == pytest.approx(250e-6)


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
