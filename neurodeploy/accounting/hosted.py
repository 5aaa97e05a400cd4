"""What a spiking network costs without a chip: all on the host, step by step, and as the quantised network it stands for.

**On the host** the populations compute the same integers in every step, dense: a sample has T steps, and a batch of B
samples reads each weight once a step. **The twin** is the network that is matched in capacity (Yan et al., arXiv
2409.08290): a neuron that sends at most one spike in each of T steps tells T + 1 values apart, so that its activation has::

    bits = ceil(log2(T + 1))

It takes one dense pass in place of T steps, in 8-bit integers, of as many digits as the bits need. Neurons that send graded
payloads compute a frame in every step, and so does their twin, at 8 bits. Where time itself is computed with, in cycles or
delays, one dense pass has no meaning: there is no twin. Neurons that inhibit themselves alone are reset so, and form no
cycle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from neurodeploy.accounting.loads import Roofline, RunLoads
from neurodeploy.accounting.outlines import Assumed, outline_loads
from neurodeploy.ir.chip import SystemSpec
from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.population import INPUT
from neurodeploy.ir.program import Program
from neurodeploy.ir.synapse import Synapse
from neurodeploy.neurons.registry import get_model
from neurodeploy.ops import lookup
from neurodeploy.ops.host.linear import population_work, quantised_work
from neurodeploy.ops.host.operation import Load, Work

#: Bits of an operand of the integer products of hosts, and of a graded payload there.
DIGIT_BITS = 8
_ALL = Assumed(1.0, "no chip", 1)


def on_host_loads(program: Program, system: SystemSpec, steps: int, batch: int) -> RunLoads:
    """A sample of `steps` steps, in a batch of so many, all populations on the host."""
    works = [population_work(program.network, name, steps * batch, steps) for name in _living(program.network)]
    return _loads(program, system, works, steps, batch, integer=False)


def twin_loads(program: Program, system: SystemSpec, steps: int, batch: int) -> RunLoads:
    """A sample as dense passes of the quantised twin, in a batch of so many; `no_twin` says whether there is one."""
    bits, passes = activation_bits(program.network, steps), steps if sends_numbers(program.network) else 1
    digits, network = -(-bits // DIGIT_BITS), program.network
    works = [
        quantised_work(
            network.populations[name].size,
            [p.synapse for p in _of_layer(network, name)],
            digits,
            passes * batch,
            passes,
        )
        for name in _living(network)
    ]
    return _loads(program, system, works, passes, batch, integer=True)


def activation_bits(network: Network, steps: int) -> int:
    """Bits of an activation of the twin: ``ceil(log2(steps + 1))`` of spikes."""
    return DIGIT_BITS if sends_numbers(network) else steps.bit_length()


def sends_numbers(network: Network) -> bool:
    """Whether neurons that others read send more than a spike; what is read out at the end may be a number."""
    return any(
        get_model(network.populations[name].model).out_bits > 2 for name in _living(network) if network.out_of(name)
    )


def no_twin(network: Network) -> str:
    """Why a network has no twin; nothing where it has one."""
    if any(p.depth > 1 for p in network.projections):
        return "its delays compute with time, which a dense pass has not"
    sources = {name: {p.source for p in _of_layer(network, name)} for name in network.populations}
    done: set[str] = set()
    while ready := {name for name, before in sources.items() if name not in done and before <= done}:
        done |= ready
    return "" if len(done) == len(sources) else "its cycles compute with time, which a dense pass has not"


def _of_layer(network: Network, name: str) -> list[Projection]:
    """What arrives at a population but for neurons that inhibit themselves alone: that is how they are reset."""
    return [p for p in network.into(name) if not (p.source == name and _resets(p.synapse))]


def _resets(synapse: Synapse) -> bool:
    row, column, weight, _ = synapse.coo()
    return bool((row == column).all() and (weight < 0).all())


def _living(network: Network) -> list[str]:
    return [name for name, population in network.populations.items() if population.model != INPUT]


def _loads(
    program: Program, system: SystemSpec, works: Sequence[Work], calls: int, batch: int, *, integer: bool
) -> RunLoads:
    """These populations, each called so often for a batch, and the host's own operations in every call."""
    own = sum((lookup(op).work(Load(op, program.sizes, batch, 0, batch)) for op in program.operations), Work(0, 0))
    done = sum(works, Work(0, 0))
    host = (
        Roofline(
            own.flops * calls / batch,
            own.bytes * calls / batch,
            len(program.operations) * calls / batch,
            False,
            False,
            None,
        ),
        Roofline(done.flops / batch, done.bytes / batch, len(works) * calls / batch, integer, True, None),
    )
    return replace(outline_loads((), host, host, system, _ALL, chips=0, cores=0), phases=("sample",))
