"""`account_network`: the joules and seconds of one time step and of one sample of a spiking network.

::

    E = sum over events (count * unit cost) + cores * steps * core_step_j + chips powered * (p_static_w + p_infra_w) * T
        + host + loss of the supply
    T = steps * ( max( max over cores (synops t_synop_fc + conv synops t_synop_conv + updates t_neuron
                                       + messages t_spike_out),
                       max over links (bytes / bandwidth) ) + phases * (t_step_floor + t_barrier_multichip) )
        + exchanges with the host * t_host_link + bytes / bw_host_link

Convolutions are priced with the chip's convolution coefficients, all other synapses with those of fully connected ones.
All neurons are updated in every step. Loads are means over the steps of the run, so the busiest core's time is a lower
bound where steps differ. Entries of the ledger stand at the boundaries of `ledger.BOUNDARIES`, as for language models;
"token" in its field names reads time step, or sample.
"""

from __future__ import annotations

from collections.abc import Mapping as Table
from dataclasses import dataclass, replace
from typing import Any

from neurodeploy.accounting.account import host_entries, supply_entry
from neurodeploy.accounting.band import Band, of
from neurodeploy.accounting.costs import cost, neuron_update
from neurodeploy.accounting.ledger import EnergyLedger, LedgerEntry
from neurodeploy.accounting.network_notes import NOT_MODELLED, assumptions
from neurodeploy.accounting.network_timing import busiest_cores, network_timing
from neurodeploy.accounting.network_work import Counts, Work, derive
from neurodeploy.accounting.neurobench import network_proxies
from neurodeploy.accounting.report_json import BOUNDARY_TEXT, SCHEMA
from neurodeploy.accounting.timing import Timing
from neurodeploy.errors import UserError
from neurodeploy.ir.chip import ChipSpec, HostSpec, Quantity, SystemSpec
from neurodeploy.ir.mapping import Mapping
from neurodeploy.ir.network import Network
from neurodeploy.ir.network_run import NetworkActivity

POWERED = ("used", "system")
#: When chips and host exchange messages: once a sample (its events beforehand, its result afterwards), every step, never.
BORDERS = ("sample", "step", "none")


@dataclass(frozen=True, slots=True)
class NetworkEnergy:
    """Both phases of one run: `sample`, and `step` which is its mean part; the work behind them, names of the layers."""

    step: EnergyLedger
    sample: EnergyLedger
    work: Work
    layers: tuple[str, ...]
    busiest: tuple[dict[str, object], ...]

    def to_json(self, metrics: Table[str, Any] | None = None) -> dict[str, object]:
        """The object of ``energy --json``: phases "step" and "sample" in the form of `EnergyLedger.to_json`, `by_layer`
        by population; `metrics` are NeuroBench's (`neurobench.metrics`), apart and in no sum."""
        return {
            "schema": SCHEMA,
            "boundaries": dict(BOUNDARY_TEXT),
            "step": self._phase(self.step, "time step"),
            "sample": self._phase(self.sample, "sample"),
            "steps": self.work.steps,
            "samples": self.work.samples,
            "phases_per_step": self.work.phases,
            "busiest_cores": list(self.busiest),
            "assumptions": list(self.sample.assumptions),
            "not_modelled": list(self.sample.not_modelled),
            "metrics": dict(metrics) if metrics is not None else None,
            "proxies": [proxy.to_json() for proxy in network_proxies(metrics)] if metrics is not None else [],
        }

    def _phase(self, ledger: EnergyLedger, unit: str) -> dict[str, object]:
        found = ledger.to_json()
        by_layer = {self._name(name): band.to_json() for name, band in ledger.by_layer().items()}
        return {**found, "unit": unit, "by_layer": by_layer}

    def _name(self, layer: str) -> str:
        return self.layers[int(layer)] if layer.isdigit() else layer


def account_network(
    network: Network,
    mapping: Mapping,
    activity: NetworkActivity,
    system: SystemSpec,
    host: HostSpec,
    *,
    powered: str = "used",
    border: str = "sample",
) -> NetworkEnergy:
    """Price a run whose events were counted.

    Parameters
    ----------
    activity : exact counts of the run (`NetworkResult.activity`), of any runner.
    powered : "used" charges the static power of the chips that hold a shard, "system" that of all chips.
    border : "sample", one exchange with the host a sample: all its events in, then its outputs back; "step", one exchange
        a step; "none", no exchange: the input is on the chip and nobody reads the output.

    Raises
    ------
    UserError : ND3102, no step was run; ND3103, the chip's table lacks a cost; ND3104, an option that does not exist;
        ND3106, a mapping for another system.
    InternalError : ND9031, the inputs contradict one another.
    """
    for name, value, known in (("powered", powered, POWERED), ("border", border, BORDERS)):
        if value not in known:
            problem = f"{value!r} is not an option of the energy account"
            raise UserError("ND3104", name, problem, f"use {' or '.join(known)}")
    work = derive(network, mapping, activity, system)
    chips = system.chips if powered == "system" else mapping.chips_used
    time = network_timing(work, system, mapping.chips_used, border)
    layers = tuple(network.populations)
    entries = [
        *_events(work, layers, system.chip, border),
        *_standing(work, system.chip, chips, len(work.cores()[0]), time),
        *host_entries(host, time),
    ]
    entries.append(supply_entry(entries))
    sample = EnergyLedger(
        phase="sample",
        system=system.name,
        host=host.name,
        tokens=work.samples,
        entries=tuple(entries),
        seconds=time.seconds,
        first_token_seconds=None,
        bound_by=time.bound_by,
        time_split=time.parts,
        chips_powered=chips,
        chips_used=mapping.chips_used,
        cores_used=mapping.cores_used,
        assumptions=assumptions(network, work, system, mapping, powered, border),
        not_modelled=NOT_MODELLED,
    )
    return NetworkEnergy(_per_step(sample, work.steps), sample, work, layers, busiest_cores(work, system.chip))


def _per_step(sample: EnergyLedger, steps: int) -> EnergyLedger:
    """A step's mean part of a sample."""
    part = 1.0 / steps
    entries = tuple(
        replace(
            entry,
            count=entry.count // steps
            if isinstance(entry.count, int) and entry.count % steps == 0
            else entry.count * part,
            joules=entry.joules * part,
        )
        for entry in sample.entries
    )
    split = {name: seconds * part for name, seconds in sample.time_split.items()}
    return replace(
        sample,
        phase="step",
        tokens=sample.tokens * steps,
        entries=entries,
        seconds=sample.seconds * part,
        time_split=split,
    )


def _events(work: Work, layers: tuple[str, ...], chip: ChipSpec, border: str) -> list[LedgerEntry]:
    """What the events of each population cost; kinds that never happened leave no entry."""
    cores, mesh = f"{chip.name} cores", f"{chip.name} mesh"
    bits = 8 * chip.formats["message_bytes"]
    fc, conv = cost(chip, "synop_fc_j"), cost(chip, "synop_conv_j")
    message = cost(chip, "spike_out_message_j")

    def rows(c: Counts) -> list[tuple[str, str, str, str, Quantity, int, str]]:
        host = c.entering + c.leaving if border != "none" else 0
        return [
            (cores, "synapses", "synaptic operation", "rails", fc, c.synops, "counted"),
            (cores, "synapses", "synaptic operation of a convolution", "rails", conv, c.conv_synops, "counted"),
            (cores, "synapses", "partial sum added by a reducer", "rails", fc, c.partials, "upper bound"),
            (cores, "neurons", "neuron update", "rails", cost(chip, "neuron_update_j"), c.fixed_updates, "counted"),
            (cores, "neurons", "neuron update, microcoded", "rails", neuron_update(chip), c.updates, "counted"),
            (cores, "messages", "message delivered", "rails", message, c.deliveries - c.partials, "counted"),
            (cores, "messages", "partial sum delivered", "rails", message, c.partials, "upper bound"),
            (mesh, "mesh hops", "hop, east-west", "rails", cost(chip, "hop_ew_j"), c.hops_ew, "modelled"),
            (mesh, "mesh hops", "hop, north-south", "rails", cost(chip, "hop_ns_j"), c.hops_ns, "modelled"),
            ("host link", "host link", "bit over the host link", "board", cost(chip, "host_link_bit_j"), host * bits,
             "modelled"),
        ]  # fmt: skip

    found = []
    for number, name in enumerate(layers):
        for device, component, event, boundary, unit, count, counting in rows(work.populations[name]):
            if count:
                found.append(
                    LedgerEntry(
                        device, component, event, boundary, _per(count, work.samples), unit,
                        of(unit) * (count / work.samples), counting, number,
                    )
                )  # fmt: skip
    found.extend(_interchip(work, chip, bits, border))
    return found


def _interchip(work: Work, chip: ChipSpec, bits: int, border: str) -> list[LedgerEntry]:
    """Bits over chip-to-chip links; those of the host's messages are none in the low end: each chip may have a port."""
    direct = int(work.routes.links(work.routes.between).sum()) * bits
    host = int(work.routes.links(work.routes.from_host).sum()) * bits if border != "none" else 0
    if not direct + host:
        return []
    unit = cost(chip, "interchip_bit_j")
    band = Band(direct, direct + host, direct + host) * (1.0 / work.samples)
    text = "bit over a chip-to-chip link"
    count = _per(direct + host, work.samples)
    return [LedgerEntry("chip-to-chip links", "inter-chip", text, "chip", count, unit, of(unit) * band, "modelled")]


def _standing(work: Work, chip: ChipSpec, chips: int, cores: int, time: Timing) -> list[LedgerEntry]:
    """What flows whatever fires: core steps, and the power of every powered chip and its board over the time."""
    step, static, infra = cost(chip, "core_step_j"), cost(chip, "p_static_w"), cost(chip, "p_infra_w")
    spent, device = time.seconds * chips, f"{chip.name} cores"
    return [
        LedgerEntry(
            device, "core steps", "core with neurons or synapses and step", "rails", cores * work.steps, step,
            of(step) * (cores * work.steps), "counted",
        ),
        LedgerEntry(
            device, "static", f"chip-seconds of {chips} powered chips", "rails", spent.nominal, static,
            of(static) * spent, "modelled",
        ),
        LedgerEntry(
            "board", "infrastructure", f"chip-seconds of x86, FPGA and I/O for {chips} powered chips", "board",
            spent.nominal, infra, of(infra) * spent, "modelled",
        ),
    ]  # fmt: skip


def _per(count: int, samples: int) -> int | float:
    return count // samples if count % samples == 0 else count / samples
