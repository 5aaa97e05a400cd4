"""`energy` of a spiking network: joules and seconds of a time step and of a sample, from a run whose events were counted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from neurodeploy.ir.chip import SystemSpec
from neurodeploy.ir.mapping import Mapping
from neurodeploy.ir.network import Network
from neurodeploy.ir.network_run import NetworkActivity
from neurodeploy.pipeline.session import Progress, read_mapping
from neurodeploy.pipeline.spiking.opening import open_network, runner_for, stream_of
from neurodeploy.pipeline.spiking.running import advance


def energy_network(
    bundle: str | Path,
    input: str | Path,
    *,
    steps: int | None = None,
    layout: str | None = None,
    host: str = "cpu-generic",
    measure_host: bool = False,
    powered: str = "used",
    runner: str = "fast",
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Price a run of the mapped bundle on an input; the dictionary is what ``energy --json`` prints.

    `layout` is that of `run_network`. `host` is a profile of `targets.hosts`, `measure_host` measures this machine
    instead; `powered` "used" or "system".
    """
    from targets import hosts

    opened, network = open_network(bundle)
    mapping, system = read_mapping(opened)  # before the run: what is not mapped cannot be priced
    if not measure_host:
        hosts.get_host(host)
    stream = stream_of(input, opened, network, steps, layout)
    engine = runner_for(runner, opened, network, stream.steps, stream.samples)
    result = advance(network, engine, stream, progress=progress)
    found = price(network, mapping, system, result.activity, host, measure_host, powered)
    return {"open_questions": stream.questions, **found, "input": Path(input).name, "notes": stream.notes}


def price(
    network: Network,
    mapping: Mapping,
    system: SystemSpec,
    activity: NetworkActivity,
    host: str,
    measure_host: bool,
    powered: str,
) -> dict[str, Any]:
    """The account of counts on a mapping that was read and verified; each phase has `joules` by boundary and `seconds`."""
    from neurodeploy.accounting.network_account import account_network
    from neurodeploy.accounting.neurobench import metrics
    from targets import hosts

    profile = hosts.measure_host() if measure_host else hosts.get_host(host)
    account = account_network(network, mapping, activity, system, profile, powered=powered)
    found: dict[str, Any] = dict(account.to_json(metrics(network, activity)))
    for unit in ("step", "sample"):
        phase = found[unit]
        found[unit] = {**phase, "joules": phase["joules_per_token"], "seconds": phase["seconds_per_token"]}
    return {**found, "bound_by": found["sample"]["bound_by"], "system": system.name, "host": profile.name}
