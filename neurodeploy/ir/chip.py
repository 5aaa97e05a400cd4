"""Chips, systems and hosts as values: a source beside each number, a (low, nominal, high) band, no subclasses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from hashlib import sha256


class Basis(str, Enum):
    """Where a number comes from. The letters of the fact files map to these: M, S and V, D, G."""

    MEASURED = "measured"
    PUBLISHED = "published"
    DERIVED = "derived"
    GUESSED = "guessed"


@dataclass(frozen=True, slots=True)
class Quantity:
    """A physical number with its band in SI units (J, s, W, B, B/s, 1), its basis and its source."""

    low: float
    nominal: float
    high: float
    unit: str
    basis: Basis
    source: str

    def scaled(self, factor: float) -> tuple[float, float, float]:
        return (self.low * factor, self.nominal * factor, self.high * factor)


@dataclass(frozen=True, slots=True)
class Limit:
    """One budget: `value` is None where no limit is public (reported as unknown, never treated as zero)."""

    value: int | None
    basis: Basis
    source: str


@dataclass(frozen=True, slots=True)
class CoreBudget:
    """What one core holds. Bytes are bytes; axons are table entries."""

    neurons: Limit
    synapse_bytes: Limit
    in_axons: Limit
    out_axons: Limit
    state_bytes: Limit

    def limits(self) -> dict[str, Limit]:
        return {
            "neurons": self.neurons,
            "synapse_bytes": self.synapse_bytes,
            "in_axons": self.in_axons,
            "out_axons": self.out_axons,
            "state_bytes": self.state_bytes,
        }


@dataclass(frozen=True, slots=True)
class Ability:
    """Something that a chip can do, and where that is said. `note`: what a mapping that rests on it must tell its reader."""

    source: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Supports:
    """What of a model a chip has: what is not found here is refused (`neurodeploy.flow.support`).

    neurons : models that its own circuit computes, or that cost as much.
    program : how it computes every other model; None: it has these alone. hypothetical : of these, what nobody has shown
        on it. without : models that its programs cannot
        compute, with the reason.
    synapses : ways of keeping weights (`Synapse.kept`): "list", "kernel", "wire".
    """

    neurons: Mapping[str, Ability]
    program: Ability | None
    synapses: Mapping[str, Ability]
    without: Mapping[str, str] = field(default_factory=dict)
    hypothetical: Mapping[str, Ability] = field(default_factory=dict)

    def neuron(self, model: str) -> Ability | None:
        """How it computes a neuron model, None where it cannot."""
        if model in self.without:
            return None
        return self.neurons.get(model, self.program and self.hypothetical.get(model, self.program))


@dataclass(frozen=True, slots=True)
class Pacing:
    """What of a step's work overlaps on a chip, and what its barrier hangs on.

    stages : of a core, which overlap. Each does kinds of work (`flow.loads.WORK`), one after another, at these costs of the
        chip ("a * b", "a + b": product and sum).
    way_out : costs of what a sender's messages wait for until their targets have taken them in (`flow.ways_out`), by kind;
        nothing: no message waits.
    barrier : routers in use on a chip -> seconds of an empty step, ascending: stairs, between two entries that of the lower
        one. Its last entry is `t_step_floor_s`, the others are shares of it; nothing: the floor, whatever is in use.
    """

    stages: tuple[Mapping[str, str], ...] = (
        {
            "synops": "t_synop_fc_s",
            "conv_synops": "t_synop_conv_s",
            "partial_sums": "t_synop_fc_s",
            "fixed_updates": "t_neuron_s",
            "updates": "t_neuron_s * microcode_factor",
            "messages": "t_spike_out_s",
            "writes": "t_synop_learning_s",
        },
    )
    way_out: Mapping[str, str] = field(default_factory=dict)
    barrier: Mapping[int, float] = field(default_factory=dict)

    def share(self, routers: int) -> float:
        """Of `t_step_floor_s`, with so many routers in use."""
        if not self.barrier:
            return 1.0
        known = [number for number in self.barrier if number <= routers] or [min(self.barrier)]
        return self.barrier[max(known)] / self.barrier[max(self.barrier)]


@dataclass(frozen=True, slots=True)
class ChipSpec:
    """A chip: cores on a mesh of `mesh` = (columns, rows) routers with `cores_per_router` cores each.

    `formats` are integers: what turns a network into budgets (bytes of a synapse row header, of a weight, of state a
    neuron, of a message), and the widths that it has. `costs` are energies (J), times (s), powers (W) and bandwidths
    (B/s) by event name; those of `errs` err with the causes that it names, by loadings whose squares have the sum 1, each
    other one by itself.
    """

    name: str
    cores: int
    mesh: tuple[int, int]
    cores_per_router: int
    budget: CoreBudget
    formats: Mapping[str, int]
    costs: Mapping[str, Quantity]
    supports: Supports
    source: str
    errs: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    pace: Pacing = field(default_factory=Pacing)


@dataclass(frozen=True, slots=True)
class Origin:
    """The file of a user that a system was read from: its name, and what it says as JSON with sorted keys."""

    file: str
    data: str

    @property
    def sha256(self) -> str:
        """Digest of what it says; comments and spaces do not matter."""
        return sha256(self.data.encode("utf-8")).hexdigest()

    def __str__(self) -> str:
        return f"{self.file}, sha256 {self.sha256[:12]}"

    def note(self, system: str) -> str:
        """What a reader of anything that rests on it must know."""
        return f"{system} is what the user's file says ({self})"

    def to_json(self) -> dict[str, str]:
        return {"file": self.file, "sha256": self.sha256}


@dataclass(frozen=True, slots=True)
class SystemSpec:
    """Chips on a board: `grid` = (columns, rows) of chips, `chips` of them. `origin`: the user's file that it is of."""

    name: str
    chip: ChipSpec
    chips: int
    grid: tuple[int, int]
    source: str
    origin: Origin | None = None

    @property
    def cores(self) -> int:
        return self.chips * self.chip.cores


#: Loss of the power supply as a fraction of the energy it delivers. No published run states its own.
SUPPLY_LOSS = Quantity(
    0.05, 0.10, 0.20, "1", Basis.GUESSED, "assumed: board converters and a wall supply of 83 to 95 % efficiency"
)


@dataclass(frozen=True, slots=True)
class HostSpec:
    """A host device as a roofline: ``time = max(flop / peak, bytes / bandwidth) + calls * launch``, energy = idle power over
    all of the time, active power above it over the roofline, launch power above it over the calls.

    measured : what was measured here, and what was not, by field.
    peak_int8 : operations a second (1/s) of 8-bit integers, a multiply and an add are two; None: those of floats.
    launch, launch_power : seconds in which the device waits for each operation that a program starts on it, and the power
        above idle that it draws meanwhile (W); None: a program calls its operations in no time that counts.
    around : power (W) of the machine around a card, working or not; None: the device is the whole machine.
    memory_bytes : what it holds; None: not limited here.
    supply_loss : of the supply that feeds it and the board, a fraction of what it delivers.
    device : "cpu" or "cuda", by what it is measured.
    """

    name: str
    peak_flops: Quantity
    bandwidth: Quantity
    idle_power: Quantity
    active_power: Quantity
    source: str
    measured: Mapping[str, str] = field(default_factory=dict)
    supply_loss: Quantity = SUPPLY_LOSS
    peak_int8: Quantity | None = None
    launch: Quantity | None = None
    launch_power: Quantity | None = None
    around: Quantity | None = None
    memory_bytes: int | None = None
    device: str = "cpu"
