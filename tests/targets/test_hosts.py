from __future__ import annotations

from pathlib import Path

import pytest

from neurodeploy.errors import TargetUnavailable, UserError
from neurodeploy.ir.chip import Basis
from targets import power
from targets.hosts import CPU_GENERIC, HOSTS, get_host
from targets.measured_host import measure_host


def test_profiles_have_bands_units_and_sources() -> None:
    assert set(HOSTS) == {"cpu-generic", "laptop", "server-cpu", "jetson-orin-nano", "h100"}
    for host in HOSTS.values():
        assert (host.launch is None) == (host.launch_power is None) == (host.device == "cpu")
        for quantity, unit in (
            (host.peak_flops, "1/s"),
            (host.bandwidth, "B/s"),
            (host.idle_power, "W"),
            (host.active_power, "W"),
            (host.peak_int8, "1/s"),
            (host.launch, "s"),
            (host.launch_power, "W"),
            (host.around, "W"),
        ):
            if quantity is None:
                continue
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
    assert "no intel-rapl domain" in host.measured["active_power"]


def counted(root: Path, watts: float, monkeypatch: pytest.MonkeyPatch, works: tuple[float, float]) -> None:
    """Two packages that share `watts` at rest and 1 J more in a product or copy, which take so many seconds of a clock."""
    clock, spent = [0.0], [0.0]

    def pass_(seconds: float, joules: float) -> None:
        clock[0], spent[0] = clock[0] + seconds, spent[0] + watts * seconds + joules

    domains = tuple(power.RaplDomain(root, f"package-{n}", 2**32) for n in range(2))
    monkeypatch.setattr(power.RaplDomain, "read_uj", lambda self: round(spent[0] * 1e6 / 2))
    monkeypatch.setattr(power, "rapl_domains", lambda root: (domains, ""))
    monkeypatch.setattr("targets.power.time.perf_counter", lambda: clock[0])
    monkeypatch.setattr("targets.power.time.sleep", lambda seconds: pass_(seconds, 0.0))
    product, copy = ((lambda seconds=seconds: pass_(seconds, 1.0), 1e9) for seconds in works)
    monkeypatch.setattr("targets.measured_host._cpu_work", lambda: (product, copy, None))


def test_with_a_counter_powers_are_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """10 W at rest; a joule more in 0.05 s is 20 W, in 0.2 s 5 W, both above idle."""
    counted(tmp_path, 10.0, monkeypatch, (0.05, 0.2))
    host = measure_host(seconds=0.1)
    assert host.idle_power.basis is host.active_power.basis is Basis.MEASURED
    assert host.idle_power.nominal == pytest.approx(10.0)
    assert (host.active_power.low, host.active_power.high) == pytest.approx((5.0, 20.0))
    assert host.active_power.nominal == pytest.approx(12.5)
    assert host.measured["idle_power"].startswith("RAPL of package-0, package-1")
    assert host.peak_flops.nominal == pytest.approx(1e9 / 0.05)
    assert host.bandwidth.nominal == pytest.approx(1e9 / 0.2)


def test_what_is_not_measured_is_that_of_the_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counted(tmp_path, 10.0, monkeypatch, (0.05, 0.2))
    laptop = get_host("laptop")
    host = measure_host(laptop, seconds=0.1)
    assert laptop.peak_int8 is not None and host.peak_int8 is not None
    assert host.peak_int8.basis is Basis.GUESSED
    ratio = laptop.peak_int8.nominal / laptop.peak_flops.nominal
    assert host.peak_int8.nominal == pytest.approx(ratio * host.peak_flops.nominal)
    assert host.launch is host.around is None and host.device == "cpu"


def test_a_device_that_is_not_there() -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises(UserError, match="ND4005"):
        measure_host(device="tpu")
    if torch.cuda.is_available():
        pytest.skip("this machine has a card")
    with pytest.raises(TargetUnavailable, match="ND4004"):
        measure_host(device="cuda", seconds=0.01)
