"""The plain data that a report is made of: JSON-able dictionaries, so that the page, the CSV and the terminal agree.

Units are SI (J, s, B); fractions are 0..1; *every energy, time, count and byte of `Energy` and `Traffic` is per token*.
A section that was not run is None or absent: the page says so and names the command. Inside a section all keys are
required unless the class says `total=False`; a value that is not known is None where the type allows it.
"""

from __future__ import annotations

from typing import TypedDict

from neurodeploy.reporting.schema_metrics import Metrics, Picture

#: Boundaries of an energy figure from the inside out; each contains the ones before it. An entry of the ledger names
#: the innermost boundary that contains it: the figure of a boundary is the sum of the entries up to it.
BOUNDARIES = ("rails", "chip", "board", "wall")
BOUNDARY_TEXT = {
    "rails": "core supplies, static too",
    "chip": "with links between chips",
    "board": "with board and host link",
    "wall": "with host and power supply",
}
#: Where a number comes from (`neurodeploy.ir.chip.Basis`), best first.
BASES = ("measured", "published", "derived", "guessed")
PHASES = ("generate", "prefill")


class Model(TypedDict):
    name: str
    family: str
    source: str
    licence: str
    layers: int
    hidden_size: int
    vocab_size: int
    parameters_on_chip: int
    weight_bytes: int


class Calibration(TypedDict):
    """The text that set the static scales, and how many tokens of it were used."""

    name: str
    tokens: int


class Site(TypedDict):
    """One place where a real activation becomes an integer payload. `wide_channels`: axons with exponent 8."""

    path: str
    payload_bits: int
    input_scale: float
    wide_channels: int
    weight_sqnr_db: float | None
    output_sqnr_db: float | None


class Conversion(TypedDict):
    preset: str
    payload_bits: int
    weight_bits: int
    calibration: Calibration | None
    sites: list[Site]


class MeshShape(TypedDict):
    """Core c of a chip sits at router c // cores_per_router; router r at column r % columns, row r // columns."""

    columns: int
    rows: int
    cores_per_router: int


class Utilisation(TypedDict):
    """One budget over the cores in use, in the resource's own unit; `limit` is None where none is public."""

    mean: float
    max: float
    limit: float | None


class Cores(TypedDict):
    """The cores in use, one entry per core in every column. `used_fraction` is the largest of its fractions."""

    chip: list[int]
    core: list[int]
    label: list[str]
    layer: list[int | None]
    used_fraction: list[float]
    resource_fractions: dict[str, list[float]]


class Judged(TypedDict, total=False):
    """What judges the mapping."""

    metrics: Metrics | None
    picture: Picture | None


class MapSection(Judged):
    """What a mapping uses. `cores_lower_bound` is the least number of cores that any mapper could use; `host_islands` have
    no room on the chips, or were put on the host: the host computes them, and the model fits partly."""

    system: str
    chip: str
    fits: bool
    host_islands: int
    chips_used: int
    chips_available: int
    cores_used: int
    cores_lower_bound: int
    cores_per_chip: int
    binding_resource: str
    violations: list[str]
    unknown_limits: list[str]
    utilisation: dict[str, Utilisation]
    cores: Cores
    mesh: MeshShape


class Explained(TypedDict):
    """One operation: its device ("chip" or "host") and the rule that decided.

    `bytes_per_token` is, for a chip operation, all that crosses the host border for it; for a host operation the part
    of these same bytes whose other end it is. They are two views of one traffic and are never added.
    """

    path: str
    op: str
    device: str
    rule: str
    reason: str
    remedy: str
    bytes_per_token: float


class EvalSide(TypedDict):
    bits_per_byte: float
    perplexity: float
    tokens_per_s: float | None


#: Written as a call because one of its keys is "float". `tokens_per_s` is the speed of the whole evaluation on this
#: machine: how fast we simulate, not how fast a chip would be.
Accuracy = TypedDict(  # noqa: UP013
    "Accuracy",
    {
        "text": str,
        "tokens": int,
        "float": EvalSide,
        "chip": EvalSide,
        "top1_agreement": float,
        "saturations": int,
        "tokens_per_s": float | None,
    },
)


class Band(TypedDict):
    low: float
    nominal: float
    high: float


class UnitCost(TypedDict):
    """What one event costs, in `unit` (J, W, ...)."""

    low: float
    nominal: float
    high: float
    unit: str


class LedgerEntry(TypedDict):
    """`count` events per token of one kind on one device, at `unit_cost` each, make `joules` per token."""

    device: str
    component: str
    event: str
    boundary: str
    count: float
    basis: str
    source: str
    unit_cost: UnitCost
    joules: Band


class LayerEnergy(TypedDict):
    """`layer` is a number, or a name for what belongs to no layer ("embedding", "lm_head", "static")."""

    layer: int | str | None
    joules: Band


class ComponentEnergy(TypedDict):
    component: str
    joules: Band


class Phase(TypedDict):
    """One token of one phase. A boundary whose figure is not known maps to None."""

    joules_per_token: dict[str, Band | None]
    seconds_per_token: Band
    tokens_per_s: float
    bound_by: str
    entries: list[LedgerEntry]
    by_layer: list[LayerEnergy]
    by_component: list[ComponentEnergy]
    assumptions: list[str]
    not_modelled: list[str]


class Energy(TypedDict):
    prefill: Phase | None
    generate: Phase | None


class IslandCounts(TypedDict):
    """Exact counts of one island over a whole run; `density` is the share of axons with an event, 0..1."""

    tokens: int
    events: int
    synops: int
    neuron_updates: int
    messages_out: int
    density: float
    saturations: int


class Traffic(TypedDict):
    """Bytes per token. `host_in` goes into the host (chip to host), `host_out` out of it (host to chip)."""

    on_chip_bytes_per_token: float
    inter_chip_bytes_per_token: float
    host_in_bytes_per_token: float
    host_out_bytes_per_token: float
    crossings_per_token: float


class Sample(TypedDict):
    prompt: str
    text: str


class Provenance(TypedDict):
    tool_version: str
    created: str | None
    seed: int | None
    bundle: str | None
    hashes: dict[str, str]


class ReportData(TypedDict, total=False):
    """The whole report. `commands` maps a section to the command that runs it, where the default does not suit."""

    model: Model | None
    conversion: Conversion | None
    map: MapSection | None
    explain: list[Explained] | None
    accuracy: Accuracy | None
    energy: Energy | None
    activity: dict[str, IslandCounts] | None
    experts: dict[str, list[int]] | None
    traffic: Traffic | None
    sample: Sample | None
    provenance: Provenance | None
    commands: dict[str, str] | None
