from __future__ import annotations

from pathlib import Path

import pytest

from neurodeploy.errors import TargetUnavailable, UserError
from neurodeploy.ir.chip import Basis
from targets import power
from targets.hosts import CPU_GENERIC, HOSTS, get_host, measure_host


def test_profiles_have_bands_units_and_sources() -> None:
    assert set(HOSTS) == {"cpu-generic", "jetson-orin-nano", "h100"}
    for host in HOSTS.values():
        for quantity, unit in (
            (host.peak_flops, "1/s"),
            (host.bandwidth, "B/s"),
            (host.idle_power, "W"),
            (host.active_power, "W"),
        ):
            assert quantity.unit == unit
            assert 0.0 < quantity.low <= quantity.nominal <= quantity.high
            assert quantity.source


def test_the_jetson_draws_what_its_published_rows_imply() -> None:
    jetson = get_host("Jetson Orin Nano")
    assert 10.3 <= jetson.idle_power.nominal + jetson.active_power.nominal <= 15.1


def test_unknown_host_lists_the_known_ones() -> None:
    with pytest.raises(UserError, match="ND4003") as caught:
        get_host("h1000")
    assert "did you mean h100?" in caught.value.fix


def test_without_a_counter_power_stays_a_guess_and_says_so(tmp_path: Path) -> None:
    host = measure_host(seconds=0.02, rapl_root=tmp_path)
    assert host.peak_flops.basis is Basis.MEASURED
    assert host.peak_flops.nominal > 1e8
    assert host.bandwidth.basis is Basis.MEASURED
    assert host.bandwidth.nominal > 1e8
    assert host.idle_power.basis is Basis.GUESSED
    assert host.idle_power.nominal == CPU_GENERIC.idle_power.nominal
    assert "no intel-rapl domain" in host.measured["idle_power"]
    assert "not measured here" in host.measured["active_power"]


def test_with_a_counter_idle_power_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two packages that each gain 0.5 J between two readings 0.1 s apart: 10 W in all."""
    count = iter(range(100))
    now = iter(float(n) / 10.0 for n in range(100))
    domains = tuple(power.RaplDomain(tmp_path, f"package-{n}", 2**32) for n in range(2))
    monkeypatch.setattr(power.RaplDomain, "read_uj", lambda self: 500_000 * (next(count) // 2))
    monkeypatch.setattr(power, "rapl_domains", lambda root: (domains, ""))
    monkeypatch.setattr("targets.hosts.time.perf_counter", lambda: next(now))
    monkeypatch.setattr("targets.hosts.time.sleep", lambda seconds: None)
    monkeypatch.setattr("targets.hosts._rate", lambda *arguments: CPU_GENERIC.bandwidth)
    host = measure_host(seconds=0.1)
    assert host.idle_power.basis is Basis.MEASURED
    assert host.idle_power.nominal == pytest.approx(10.0)
    assert host.measured["idle_power"].startswith("RAPL of 2 package(s)")


def test_a_device_that_is_not_there() -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises(UserError, match="ND4005"):
        measure_host(device="tpu")
    if torch.cuda.is_available():
        pytest.skip("this machine has a card")
    with pytest.raises(TargetUnavailable, match="ND4004"):
        measure_host(device="cuda", seconds=0.01)
