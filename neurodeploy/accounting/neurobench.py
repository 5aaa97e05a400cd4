"""NeuroBench's algorithm metrics of a run, under its own names: of a sample where streams are the input, else of a token.

Names and definitions are those of the package `neurobench` 2.3.0 (`metrics/static/*.py`, `metrics/workload/*.py`):

- ``ConnectionSparsity``: zeros over all weights of connection layers. A `Sparse` counts as the matrix that it stands for,
  a convolution by its kernel; a direct connection has no weight.
- ``ParameterCount``: stored weights and the neurons' own parameters. ``Footprint``: bytes of parameters and buffers; here
  weights and delays at their stored widths (a `Sparse` with int32 targets and int64 axon pointers), own parameters of
  neurons at the widths of the model's table, state.
- ``ActivationSparsity``: zero payloads over all payloads of neurons and of what the host encodes, all steps and samples
  (streams are no activation).
- ``SynapticOperations``: `Effective_ACs` where the payloads of a projection are -1, 0 or 1 by their model or
  count as one, `Effective_MACs` where they are graded, both counting non-zero payloads times non-zero weights; `Dense`
  counts every payload and every weight, zeros included.
- ``MembraneUpdates``. NeuroBench counts neurons whose potential changed by the update, all in the first step.
  The counts of a run do not say which changed; here every neuron is updated every step, an upper bound of NeuroBench's.
- ``NeuronOperations``: updates times the operations of one by the package's table, which knows neurons of snnTorch by how
  they reset (`NEURON_OPERATIONS`). "Neuron Dense Ops" counts every neuron and step, and so does "Effective Neuron Ops" here,
  an upper bound likewise. Neurons that the table does not know are left out, and how many they are is said.

The track for systems needs measured time and power, which these are not. `proxies` are numbers that people compare by name;
none of them is an energy of a chip here, and none enters the ledger.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from neurodeploy.accounting.counted import counted, homes
from neurodeploy.errors import UserError
from neurodeploy.ir.chip import Basis, Quantity
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.network import Network
from neurodeploy.ir.population import INPUT, Population
from neurodeploy.ir.program import Program
from neurodeploy.ir.run import ActivityCounts, RunActivity
from neurodeploy.ir.segments import Decode, Encode
from neurodeploy.neurons.registry import get_model, output_ports, param_bits, prepared_params

VERSION = "neurobench 2.3.0"
#: Operations of an update (``neuron_ops_reset_operations``): of snnTorch's `Leaky`, without a current that lasts, and of its
#: `Synaptic`, with one; reset to zero, and by subtraction.
NEURON_OPERATIONS = {"lif": (4, 8), "lif_subtract": (4, 6)}
#: `du` with which nothing of a current is left in the next step.
FORGETS = 4095
#: Bytes of a delay of a synapse or axon.
DELAY_BYTES = 1
_HOROWITZ = "Horowitz, ISSCC 2014, 45 nm, 0.9 V, fp32; re-read in PMC8934428 Table 3"
MAC_45NM = Quantity(4.6e-12, 4.6e-12, 4.6e-12, "J", Basis.PUBLISHED, f"{_HOROWITZ}: multiply 3.7 pJ + add 0.9 pJ")
AC_45NM = Quantity(0.9e-12, 0.9e-12, 0.9e-12, "J", Basis.PUBLISHED, f"{_HOROWITZ}: add 0.9 pJ")


def metrics(program: Program, counts: ActivityCounts | RunActivity, *, exact: bool = True) -> dict[str, Any]:
    """The metrics of a run, a mean token or sample; `definitions` names the version whose names they are. They describe the
    algorithm: a population counts the same whether a chip or the host computed it.

    exact : whether weights are read, to leave the zeros among them out of effective operations; else every stored synapse
        counts and `ConnectionSparsity` is None.

    Raises
    ------
    UserError : ND3102, nothing was run. InternalError : ND9031, counts of what is no segment of the program.
    """
    run, network = counted(program, counts), program.network
    home = homes(program, run)
    ticks = {name: home[name].ticks if name in home else 0 for name in network.populations}
    if run.units <= 0 or not any(ticks.values()):
        raise UserError(
            "ND3102", program.info.name, "nothing was run, and metrics are of a run", "run at least one token or step"
        )
    weights = nonzero = macs = acs = dense = 0
    for p in network.projections:
        weights += p.synapse.weight.size + p.synapse.absent
        if exact:  # where weights are not stored as they count, those that count
            nonzero += int(
                p.synapse.nonzero_fan_out().sum() if p.synapse.uniform else np.count_nonzero(p.synapse.weight)
            )
        arrived = home[p.target].fired if p.target in home else {}
        if p.source in arrived:
            fan = p.synapse.nonzero_fan_out() if exact else p.synapse.fan_out()
            effective = int(arrived[p.source][p.source_port] @ fan)
            source = network.populations[p.source]
            # Whether an event can be another number than 1 and -1.
            graded = p.graded and (source.model == INPUT or get_model(source.model).out_bits > 2)
            macs, acs = (macs + effective, acs) if graded else (macs, acs + effective)
        dense += (p.synapse.count() + p.synapse.absent) * ticks[p.target]
    neurons = {n: p for n, p in network.populations.items() if p.model != INPUT}
    # What the host decodes is no activation: it is one again as soon as the host encodes it.
    encoded, decoded = ({s.population for s in program.host if isinstance(s, kind)} for kind in (Encode, Decode))
    sending = (neurons.keys() - decoded) | encoded
    payloads = sum(network.populations[n].size * len(output_ports(network.populations[n])) * ticks[n] for n in sending)
    operations = {n: _operations(p) for n, p in neurons.items()}
    updates = sum(int(each.sum()) * ticks[n] for n, each in operations.items() if each is not None)
    sent = sum(int(each.sum()) for n in sending if n in home for each in home[n].fired.get(n, {}).values())
    return {
        "Footprint": footprint(network),
        "ParameterCount": sum(p.synapse.weight.size for p in network.projections)
        + sum(_own(p)[0] for p in neurons.values()),
        "ConnectionSparsity": None if not exact else 1 - nonzero / weights if weights else 0.0,
        "ActivationSparsity": 1 - sent / payloads if payloads else 0.0,
        "SynapticOperations": {
            "Effective_MACs": macs / run.units,
            "Effective_ACs": acs / run.units,
            "Dense": dense / run.units,
        },
        "MembraneUpdates": sum(p.size * ticks[n] for n, p in neurons.items()) / run.units,
        "NeuronOperations": {"Effective Neuron Ops": updates / run.units, "Neuron Dense Ops": updates / run.units},
        "neuron_operations_leave_out": sum(neurons[n].size for n, each in operations.items() if each is None),
        "membrane_updates_are": "an upper bound: every neuron, every step",
        "effective_is_exact": exact,
        "definitions": VERSION,
        "per": "sample" if program.streamed else "token",
    }


def _operations(population: Population) -> Ints | None:
    """Of an update of each neuron; None where the package's table does not know them."""
    known = NEURON_OPERATIONS.get(population.model)
    if known is None:
        return None
    lasting = np.broadcast_to(np.asarray(population.params["du"]), (population.size,)) != FORGETS
    return np.where(lasting, known[1], known[0]).astype(np.int64)


def footprint(network: Network) -> int:
    """Bytes of weights and what they share, delays, exponents of axons, own parameters and state at their stored widths."""
    total = 0
    for p in network.projections:
        total += -(-p.synapse.weight.size * p.weight_bits // 8) + (0 if p.delay is None else DELAY_BYTES * p.delay.size)
        total += p.synapse.index_bytes + -(-p.synapse.shared_bits // 8) + (0 if p.axon_exp is None else p.axon_exp.size)
    for population in network.populations.values():
        if population.model != INPUT:
            total += _own(population)[1] + -(-population.size * get_model(population.model).state_bits // 8)
    return total


def _own(population: Population) -> tuple[int, int]:
    """(how many, bytes) of a population's parameters: one where it is the same for all neurons."""
    table, count, bits = get_model(population.model).params, 0, 0
    for name, value in prepared_params(population).items():
        count += value.size
        bits += value.size * param_bits(table[name])
    return count, -(-bits // 8)


@dataclass(frozen=True, slots=True)
class Proxy:
    """A number under the name that others use for it, with its unit and where the rule comes from."""

    name: str
    value: float
    unit: str
    source: str

    def to_json(self) -> dict[str, object]:
        return asdict(self)


def proxies(found: Mapping[str, Any], per: str) -> tuple[Proxy, ...]:
    """The proxies in use elsewhere from metrics a `per` ("token", "sample"), each with its rule. They say nothing about
    memory, messages or static power."""
    operations = found["SynapticOperations"]
    macs, acs = operations["Effective_MACs"], operations["Effective_ACs"]
    return (
        Proxy("45 nm fp32, effective operations", macs * MAC_45NM.nominal + acs * AC_45NM.nominal, "J",
              f"{MAC_45NM.source}; an accumulation is the addition alone"),
        Proxy("45 nm fp32, dense operations", operations["Dense"] * MAC_45NM.nominal, "J", MAC_45NM.source),
        Proxy("N-DNS power proxy", macs + acs + 10 * found["MembraneUpdates"], "operations",
              f"SynOPS + 10 NeuronOPS, Intel N-DNS challenge (arXiv 2303.09503), per {per} instead of per second"),
    )  # fmt: skip
