"""A `neuron` group of a `.net` file as a model of `neurodeploy.neurons`, with the integers of netx's `get_neuron_params`.

========================  =============================  ==========================================================
type in the file          model                          parameters
========================  =============================  ==========================================================
LOIHI, CUBA               lif, lif_reset                 vth = vThMant, du = iDecay - 1, dv = vDecay, bias_exp = 6
SDNN                      delta (input), sigma           vth = vThMant, spike_exp, state_exp = 6; sigma has none
                          (sigma_output), sigma_delta
RF_PHASE, RF_IZHIKEVICH   rf, rf_iz                      sine and cosine through period and alpha and back, as netx
ALIF                      atrlif                         delta_i = iDecay - 1, theta_0 = vThMant, theta_step = vThStep
========================  =============================  ==========================================================

netx knows no ALIF. slayer's (``slayer/neuron/alif.py``, ``dynamics/adaptive_threshold.py``) has the equation of Lava's
ATRLIF: the same decays rounded towards zero, threshold and refractory state, comparison ``v - r >= theta``, no reset;
only Lava's wrapping at 24 bits is added, which runs count. netx takes ADRF_PHASE and ADRF_IZHIKEVICH for plain resonators
because their names contain "RF", and so loses their adaptive thresholds: ND1285 here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from neurodeploy.errors import ModelError, UserError
from neurodeploy.frontends.hdf5_guard import printable
from neurodeploy.frontends.lavadl.fields import LAYER_LIMIT, Fields, Notes, per_neuron
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.neurons.leaky import VTH
from neurodeploy.neurons.registry import get_model

BIAS_EXP = 6
STATE_EXP = 6
DECAY_BITS = 12
SDNN_BITS = 16
RF_TYPES = {"RF_PHASE": "rf", "RF_IZHIKEVICH": "rf_iz", "RF": "rf_iz", "RF_IZ": "rf_iz"}
#: Only training reads these (the surrogate gradient); `theta` repeats ``vThMant * 64``.
TRAINING = ("scaleRho", "tauRho", "theta")
#: Fields that change the arithmetic when they are not this, in ways that no model here has: netx ignores them all.
NEUTRAL = {"refDelay": 1, "wgtExp": 0, "weight_exp": 0}
_NO_MODEL = "retrain with a neuron that Lava has (CUBA, SDNN, RF), or report it"


@dataclass(frozen=True, slots=True)
class Neuron:
    """A model with its parameters (no bias yet).

    bits : width of a message on its axons, 0 for a spike without payload. bias : the parameter that takes a bias, "" for
    none.
    """

    model: str
    params: Mapping[str, int | Ints]
    bits: int
    bias: str = ""

    @property
    def ports(self) -> tuple[str, ...]:
        return tuple(get_model(self.model).ports)


@dataclass(frozen=True, slots=True)
class Options:
    """The options of netx's `Network`, see `reader.read_net`."""

    num_layers: int | None = None
    skip_layers: int = 0
    input_message_bits: int = 0
    input_shape: tuple[int, ...] | None = None
    reset_interval: int | None = None
    reset_offset: int = 0
    spike_exp: int = 6
    sparse_fc_layer: bool = False

    def check(self) -> None:
        """ND1289 naming the first that cannot be."""
        checks = [(name, getattr(self, name), *ends) for name, ends in RANGES.items()]
        if self.input_shape is not None:
            checks.append(("number of sides in input_shape", len(self.input_shape), 1, 3))
            checks += [("side of input_shape", side, 1, LAYER_LIMIT) for side in self.input_shape]
            checks.append(("size of input_shape", math.prod(self.input_shape), 1, LAYER_LIMIT))
        for name, value, low, high in checks:
            if value is not None and not low <= value <= high:
                raise UserError("ND1289", name, f"is {value}", f"give {low}..{high}")


#: What each option can be.
RANGES = {
    "num_layers": (1, 1_000_000), "skip_layers": (0, 1_000_000), "input_message_bits": (0, 32),
    "reset_interval": (1, 2**31 - 1), "reset_offset": (0, 2**30), "spike_exp": (0, 15),
}  # fmt: skip
#: netx's neuron of a dense layer without one: ``1 << 18 - 1`` was meant as ``(1 << 18) - 1`` and is 131 072. It never
#: fires: a clipped voltage stays below ``131072 << 6``.
DEFAULT = Neuron("lif", {"du": -1, "dv": 4096, "vth": 1 << 17, "bias_exp": BIAS_EXP}, 0, "bias_mant")


@dataclass(slots=True, eq=False)
class _Reader:
    """The fields of one neuron group."""

    fields: Fields
    shape: tuple[int, ...]
    options: Options
    notes: Notes
    is_input: bool
    kind: str = ""

    def value(self, name: str, low: int, high: int) -> int | Ints:
        path = f"neuron/{name}"
        return per_neuron(self.fields.ints(path, low, high), self.shape, self.fields.take(path))

    def bits(self, default: int) -> int:
        return self.fields.integer("neuron/messageBits", 0, 32) if self.fields.has("neuron/messageBits") else default

    def cuba(self) -> Neuron:
        """LIF. A threshold above 2**17 never fires either way, and 2**17 is the largest that the model takes."""
        decay, vth = self.value("iDecay", 0, 4096), self.value("vThMant", VTH.low, 2**31 - 1)
        if int(np.max(vth)) > VTH.high:
            self.notes.repairs.append(f"{self.fields.layer}: vThMant {np.max(vth)} -> {VTH.high}; neither ever fires")
            vth = min(vth, VTH.high) if isinstance(vth, int) else np.minimum(vth, VTH.high)
        params = {"du": decay - 1, "dv": self.value("vDecay", 0, 4096), "vth": vth, "bias_exp": BIAS_EXP}
        return Neuron("lif", params, self.bits(0), "bias_mant")

    def sigma_delta(self) -> Neuron:
        fields, bits = self.fields, self.bits(SDNN_BITS)
        if fields.has("neuron/activation"):
            activation = fields.text("neuron/activation")
            if activation != "relu":
                problem = f"has the activation {printable(activation)!r}; netx would run relu"
                raise ModelError("ND1285", fields.where, problem, _NO_MODEL)
        if not self.is_input and fields.has("neuron/sigma_output"):
            if not fields.flag("neuron/sigma_output"):
                self.notes.repairs.append(f"{fields.layer}: sigma_output is false and taken as true, as in netx")
            if fields.has("neuron/vThMant"):
                fields.take("neuron/vThMant")
                self.notes.ignored.append(f"{fields.layer}: neuron/vThMant (a sigma neuron has no threshold)")
            return Neuron("sigma", {}, bits)
        vth, spike_exp = self.value("vThMant", 0, 2**24 - 1), self.options.spike_exp
        coded = {"vth": vth, "spike_exp": spike_exp, "state_exp": STATE_EXP}
        if self.is_input:
            return Neuron("delta", coded, bits)
        return Neuron("sigma_delta", {**coded, "act_mode": 1}, bits, "bias")

    def resonator(self) -> Neuron:
        given = {name: self.value(name, -(2**15), 2**15) for name in ("sinDecay", "cosDecay")}
        sin, cos = through_period(given["sinDecay"], given["cosDecay"])
        moved = int(np.count_nonzero((sin != given["sinDecay"]) | (cos != given["cosDecay"])))
        if moved:
            text = f"sine and cosine of {moved} resonators lose a unit on netx's way through period and alpha"
            self.notes.repairs.append(f"{self.fields.layer}: {text}")
        vth, exponents = self.value("vThMant", -(2**24), 2**24), {"state_exp": STATE_EXP, "decay_bits": DECAY_BITS}
        return Neuron(RF_TYPES[self.kind], {"sin_decay": sin, "cos_decay": cos, "vth": vth, **exponents}, 0)

    def alif(self) -> Neuron:
        decays = {"delta_v": "vDecay", "delta_theta": "thDecay", "delta_r": "refDecay"}
        thresholds = {"theta_0": "vThMant", "theta_step": "vThStep"}
        params = {
            "delta_i": self.value("iDecay", 1, 4096) - 1,
            **{name: self.value(field, 0, 4096) for name, field in decays.items()},
            **{name: self.value(field, 0, 2**17 - 1) for name, field in thresholds.items()},
            "bias_exp": BIAS_EXP,
        }
        return Neuron("atrlif", params, 0, "bias_mant")


#: Type in the file -> how it is read.
READERS: Mapping[str, Callable[[_Reader], Neuron]] = {
    "LOIHI": _Reader.cuba, "CUBA": _Reader.cuba, "SDNN": _Reader.sigma_delta, "ALIF": _Reader.alif,
    **dict.fromkeys(RF_TYPES, _Reader.resonator),
}  # fmt: skip


def read_neuron(
    fields: Fields, shape: tuple[int, ...], options: Options, offset: int, notes: Notes, *, is_input: bool = False
) -> Neuron:
    """The neuron of a layer; a layer without the group gets netx's default. Raises ND1283, ND1285, ND1288."""
    made = DEFAULT
    if fields.has("neuron"):
        read = _Reader(fields, shape, options, notes, is_input, fields.text("neuron/type"))
        _neutral(fields, notes)
        if read.kind not in READERS:
            problem = f"has neurons of type {printable(read.kind)!r}, which no model here is"
            raise ModelError("ND1285", fields.where, problem, _NO_MODEL)
        made = READERS[read.kind](read)
    if options.reset_interval is None:
        return made
    if made.model != "lif":
        notes.ignored.append(f"{fields.layer}: reset_interval has no effect on {made.model} neurons, as in netx")
        return made
    params = {**made.params, "reset_interval": options.reset_interval, "reset_offset": offset}
    return Neuron("lif_reset", params, made.bits, made.bias)


def _neutral(fields: Fields, notes: Notes) -> None:
    """Fields without effect are listed; those that should have one are ND1285."""
    for name, neutral in NEUTRAL.items():
        path = f"neuron/{name}"
        if fields.has(path) and bool((fields.ints(path) != neutral).any()):
            problem = f"has {name} = {fields.ints(path).tolist()}, which netx ignores and no model here has"
            raise ModelError("ND1285", fields.where, problem, _NO_MODEL)
    for name in TRAINING:
        if fields.has(f"neuron/{name}"):
            fields.take(f"neuron/{name}")
            notes.ignored.append(f"{fields.layer}: neuron/{name} (training only)")
    if fields.flag("neuron/gradedSpike"):
        problem = "sends graded spikes (gradedSpike), which neither netx nor Lava has for this neuron"
        raise ModelError("ND1285", fields.where, problem, _NO_MODEL)


def through_period(sin: int | Ints, cos: int | Ints) -> tuple[int | Ints, int | Ints]:
    """Integers of sine and cosine after netx made a period and a decay of them and Lava's process made integers again.

    Both steps are floating point and the last one truncates, so a value may lose one. The operations are those of
    ``slayer/neuron/rf.py: neuron_params`` and ``lava/proc/rf/process.py`` in their order.
    """
    one = float(1 << DECAY_BITS)
    s, c = np.asarray(sin) / one, np.asarray(cos) / one
    with np.errstate(divide="ignore"):
        period = 1 / (np.arctan2(s, c) / 2 / np.pi)
    alpha = 1 - np.sqrt(s**2 + c**2)
    turn = np.pi * 2 * 1 / period
    found = [((1 - alpha) * wave(turn) * one).astype(np.int64) for wave in (np.sin, np.cos)]
    first, second = (int(v) if v.ndim == 0 else v for v in found)
    return first, second
