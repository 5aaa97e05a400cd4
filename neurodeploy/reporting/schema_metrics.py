"""The part of `schema` that judges a mapping: its metrics, null models and bounds, and the loads of links for a picture.

All counts are a token or a time step (`Metrics.unit`); what the chip's table has no price for is None.
"""

from __future__ import annotations

from typing import TypedDict


class LayerCores(TypedDict):
    layer: str
    cores: int
    lower_bound: int
    ratio: float | None
    binding_resource: str


class CoresMetric(TypedDict):
    used: int
    lower_bound: int
    ratio: float | None
    by_layer: list[LayerCores]


class Km1(TypedDict):
    """Messages times further cores, or chips, that they go to."""

    cores: float
    chips: float
    unit: str


class Cut(TypedDict):
    """Messages that leave their core, or chip, at all."""

    cores: float
    chips: float
    nets: int
    unit: str


class HopCount(TypedDict):
    """`hop_energy_j` is of hops on meshes, `transport_energy_j` with the links between chips."""

    east_west: float
    north_south: float
    total: float
    hop_energy_j: float | None
    transport_energy_j: float | None
    unit: str


class Hops(TypedDict):
    unicast: HopCount
    multicast: HopCount


#: A mesh link from router (x, y) to router (x, y) of a chip; written as a call because "from" is a keyword.
LinkEnds = TypedDict("LinkEnds", {"chip": int, "from": list[int], "to": list[int]})


class Port(TypedDict):
    chip: int
    messages: float


class LinkLoad(TypedDict):
    max: float
    p99: float
    mean: float
    lower_bound: float
    ratio: float | None
    busiest: LinkEnds | None
    seconds: float | None
    busiest_port: Port
    port_seconds: float | None
    unit: str


class Links(LinkLoad):
    multicast: LinkLoad


#: The busiest link between two chips.
ChipLink = TypedDict("ChipLink", {"from": int, "to": int, "messages": float, "bytes": float, "seconds": float | None})


class Packets(TypedDict):
    packets: float
    bytes: float
    links_used: int
    lower_bound: float
    busiest: ChipLink | None
    bandwidth_b_per_s: float | None
    unit: str


class Interchip(Packets):
    multicast: Packets


class TrafficBounds(TypedDict):
    unicast_hops: float
    multicast_hops: float
    transport_energy_j: float | None
    ratio: float | None
    text: str


class Place(TypedDict):
    chip: int
    core: int


class Makespan(TypedDict, total=False):
    cores_s: float
    mean_core_s: float
    links_s: float
    barrier_s: float
    step_s: float | None
    bound_by: str
    busiest: Place | None
    note: str


class OutsidePrice(TypedDict):
    sana_fe_j: float | None
    note: str


class Mapper(TypedDict):
    objective: str
    seed: int
    notes: list[str]
    seconds: float | None
    cpu_seconds: float | None
    peak_bytes: int | None


class Fallback(TypedDict):
    crossings: float
    host_operations: int
    chip_operations: int
    bytes: int
    text: str


class NullModel(TypedDict):
    """`ratio` is our transport over that of the null model: below 1 ours is better."""

    name: str
    runs: int
    transport: float
    least: float
    most: float
    hops: float
    interchip_packets: float
    max_link_load: float
    ratio: float | None


class Nulls(TypedDict):
    ours: float
    unit: str
    models: list[NullModel]
    best: str | None
    ratio_to_best: float | None
    notes: list[str]


class Metrics(TypedDict):
    unit: str
    rates: str
    cores: CoresMetric
    km1: Km1
    cut: Cut
    hops: Hops
    links: Links
    interchip: Interchip
    bounds: TrafficBounds
    makespan: Makespan
    energy: OutsidePrice
    mapper: Mapper
    fallback: Fallback
    nulls: Nulls | None


class Picture(TypedDict):
    """Messages in `per` steps over the directed links of each mesh in `chips`, and between the chips of the grid: four
    lists, east, west (row by row), south, north (column by column). `ports` as `chips`."""

    grid: list[int]
    mesh: list[int]
    per: int
    chips: list[int]
    ports: list[int]
    links: list[list[list[int]]]
    between: list[list[int]]
