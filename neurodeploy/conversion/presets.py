"""The choices of a conversion, by name. The default follows what we measured on real models (docs/conversion.md)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

from neurodeploy.errors import UserError
from neurodeploy.neurons.graded_attention import SLOTS_MAX
from neurodeploy.neurons.graded_choice import GROUP_MAX

PAYLOAD_BITS = tuple(range(8, 25))
#: The most that a site gets, or an axon with its exponent; more is for who asks for it.
SITE_BITS = 16
ROUNDINGS = ("gptq", "nearest")
#: What of a model is on the chip: static projections; everything that can be but attention; attention too.
ON_CHIP = ("projections", "block", "all")
#: Ids that the head may choose on the chip: each takes a tree of winners of its own.
HEAD_TOP = 8
#: Bits of a key or value that is kept on the chip.
KV_BITS = (8, 16)
#: Fields that only attention on the chip reads.
OF_ATTENTION = ("context", "kv_bits")
RANGES = ("absmax", "percentile", "mse", "axon")
WEIGHTS = ("rows", "groups", "file")
#: Width of a stored weight of other forms than "rows": the least, and the most.
BITS = {"groups": 4, "file": 8}


@dataclass(frozen=True, slots=True)
class Preset:
    """One graded event per non-zero activation, T = 1, static scale, weights with a scale per output row.

    payload_bits : width of an event's payload, sign included
    weight_bits : width of a stored weight, sign included (8, or fewer)
    weights : a scale for each row ("rows"); factors and offsets for groups along the input, more bits where they save most
        ("groups", `bits`); the integers and constants of a quantised file, unchanged ("file", `keep`)
    body_bits, all_bits : of "groups", mean bits a weight at most, without the head and with it, constants included
    rounding : "gptq" compensates the error of each rounded column in the columns after it; "nearest" does not
    input_range : how the range of an input is chosen: its largest magnitude ("absmax"), a percentile, or least square error;
        "axon" gives each axon an exponent of its own, by the error on tokens that its range was not measured on
    percentile : for input_range "percentile", in percent
    headroom : the range is widened by this factor, for texts that calibration has not seen
    wide_fraction : at most this share of an island's axons may carry the exponent 8 (0 turns wide axons off)
    output_headroom : the 24-bit output range over the largest output that calibration saw
    calibration_tokens, window : how much text is read, in windows of so many tokens
    damping : share of itself that each diagonal element of the second moment grows by before the inversion (gptq)
    site_error : with input_range "axon", payloads of a site get more bits, up to 16, until their error at its output is at
        most this share of the signal, squared; 1 leaves `payload_bits`
    prefix : the token that begins a text stands before every text as a constant: its keys and values are of float
    balance : columns of weights are made equal in size where a norm before them can take the factor
    on_chip : "projections" puts linear layers on the chip; "block" every operation between them that has a lowering, but
        attention; "all" attention too, with keys and values as memory of the chip
    events : share of the synaptic events of layers that is left: payloads that are small by predicted loss are not sent
        (`conversion.thresholds`); 1 sends all
    keep_of : "N:M": of each M consecutive axons only the N largest payloads are sent (`neurons.graded_choice`)
    head_top : the chip chooses among the logits: the ids of so many of the largest leave it (0: all logits leave)
    context, kv_bits : of "all": positions that a layer remembers at most, and the width of a key or value
    gptq_columns : second moments of wider inputs are taken block-diagonal in blocks of so many columns
    """

    name: str
    payload_bits: int = 16
    weight_bits: int = 8
    weights: str = "rows"
    body_bits: float = 4.5
    all_bits: float = 5.0
    rounding: str = "gptq"
    input_range: str = "absmax"
    percentile: float = 99.999
    headroom: float = 1.25
    wide_fraction: float = 1 / 16
    output_headroom: float = 8.0
    calibration_tokens: int = 8192
    window: int = 512
    damping: float = 0.01
    gptq_columns: int = 2048
    on_chip: str = "projections"
    site_error: float = 1.0
    prefix: bool = False
    balance: bool = False
    events: float = 1.0
    keep_of: str = "1:1"
    context: int = 2048
    kv_bits: int = 16
    head_top: int = 0

    def __post_init__(self) -> None:
        checks = [
            ("payload_bits", self.payload_bits in PAYLOAD_BITS, f"choose one of {PAYLOAD_BITS}"),
            (
                "payload_bits",
                self.payload_bits <= SITE_BITS or self.input_range != "axon",
                f"choose at most {SITE_BITS}",
            ),
            ("weight_bits", 2 <= self.weight_bits <= 8, "choose 2 to 8"),
            ("weights", self.weights in WEIGHTS, f"choose one of {WEIGHTS}"),
            ("weight_bits", self.weights == "rows" or self.weight_bits == BITS.get(self.weights), "leave it out"),
            ("body_bits", 4.5 <= self.body_bits <= 8.0, "choose 4.5 to 8"),
            ("all_bits", 4.5 <= self.all_bits <= 8.0, "choose 4.5 to 8"),
            ("rounding", self.rounding in ROUNDINGS, f"choose one of {ROUNDINGS}"),
            ("on_chip", self.on_chip in ON_CHIP, f"choose one of {ON_CHIP}"),
            ("context", 1 <= self.context <= SLOTS_MAX, f"choose 1 to {SLOTS_MAX} positions"),
            ("kv_bits", self.kv_bits in KV_BITS, f"choose one of {KV_BITS}"),
            ("head_top", 0 <= self.head_top <= HEAD_TOP, f"choose 1 to {HEAD_TOP} ids, or 0 for all logits"),
            ("input_range", self.input_range in RANGES, f"choose one of {RANGES}"),
            ("site_error", 0.0 < self.site_error <= 1.0, "choose a share in (0, 1]"),
            ("events", 0.0 < self.events <= 1.0, "choose a share in (0, 1]"),
            ("keep_of", self.choice is not None, f"choose N:M, 1 <= N <= M <= {GROUP_MAX}"),
            ("keep_of", self.events == 1.0 or self.choice == (1, 1), "leave it out where thresholds choose (events)"),
            ("percentile", 50.0 < self.percentile <= 100.0, "choose a value in (50, 100]"),
            ("headroom", 1.0 <= self.headroom <= 16.0, "choose a factor in [1, 16]"),
            ("wide_fraction", 0.0 <= self.wide_fraction <= 0.5, "choose a share in [0, 0.5]"),
            ("calibration_tokens", self.calibration_tokens >= 16, "give at least 16 tokens"),
            ("window", self.window >= 8, "give at least 8 tokens"),
        ]
        for field, fine, fix in checks:
            if not fine:
                raise UserError(
                    "ND1101", f"preset {self.name}", f"{field} = {getattr(self, field)} is not possible", fix
                )

    @property
    def choice(self) -> tuple[int, int] | None:
        """N and M of `keep_of`, (1, 1) where they are equal: all are sent. None where it is no choice."""
        found = re.fullmatch(r"([0-9]{1,2}):([0-9]{1,2})", self.keep_of)
        n, m = (int(part) for part in found.groups()) if found else (0, 0)
        return ((1, 1) if n == m else (n, m)) if 1 <= n <= m <= GROUP_MAX else None

    @property
    def apart(self) -> bool:
        """Whether projections that read the same value are layers of their own, each with thresholds of its own: with the
        block on the chip. From the host each would cross by itself."""
        return self.events < 1.0 and self.lowers(attends=False)

    def lowers(self, *, attends: bool) -> bool:
        """Whether an operation between linear layers is put on the chip; `attends`: one that attention comes with."""
        return self.on_chip in (("all",) if attends else ("block", "all"))

    def to_json(self) -> dict[str, object]:
        return asdict(self)


#: The presets by name. `naive` is the trial of docs/conversion.md that the default has to beat.
PRESETS: Mapping[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset("default"),
        Preset("graded-14", payload_bits=14),
        Preset("graded-12", payload_bits=12),
        Preset("graded-8", payload_bits=8),
        Preset("a12", payload_bits=12, input_range="axon", prefix=True, balance=True),
        Preset("a8", payload_bits=8, input_range="axon", site_error=3.5e-4, prefix=True, balance=True),
        Preset("naive", rounding="nearest", headroom=1.0, wide_fraction=0.0),
        Preset("w4", weight_bits=4, weights="groups"),
        Preset("keep", weights="file"),
        Preset("sparse", events=0.783),
        Preset("quick", rounding="nearest", calibration_tokens=1024),
    )
}


def get_preset(name: str, **changes: object) -> Preset:
    """The preset of that name with the given fields changed; an unknown name is ND1101."""
    if name not in PRESETS:
        raise UserError("ND1101", name, "is not a preset", f"choose one of {', '.join(PRESETS)}")
    given = {key: value for key, value in changes.items() if value is not None}
    chosen = replace(PRESETS[name], **given) if given else PRESETS[name]  # type: ignore[arg-type]
    for field in OF_ATTENTION:
        if field in given and chosen.on_chip != "all":
            problem = f"{field} says nothing where attention is on the host (on_chip = {chosen.on_chip})"
            raise UserError(
                "ND1101", f"preset {name}", problem, "leave it out, or put attention on the chip: on_chip = all"
            )
    return chosen
