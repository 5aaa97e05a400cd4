"""Random spiking programs: small networks over every neuron model, kind of synapse, delay, exponent, sign mode and width.

`random_network(seed)` gives the same network, inputs and number of steps for a seed, so that a failure is one integer.
Every second sparse projection has packed targets, as large ones have.
Tests record a range of seeds. Values are drawn so that most neurons fire now and then; about one in ten parameters,
weights, payloads and initial states is extreme, so that sums wrap and states saturate.

With ``lava=True`` only what Lava 0.10 computes itself, with the numbers that it computes rightly:

- models that have a fixed-point process there; InvSqrt with one neuron and sums that are not negative (a negative one
  stops Lava's worker); ATRLIF with one theta_step;
- Dense, Sparse and their delays with at most 8 bits of weights; convolutions that are not transposed, without exponent and
  delay (Lava has none of these), and reading spikes or small inputs: Lava's convolution is computed in float64 and cast to
  int32, undefined beyond 31 bits;
- delays with negative exponents only on spikes or such inputs: Lava shifts an int64 sum of products that were wrapped one by
  one;
- one sample, since Lava has no batch; no empty sparse matrix; no second Direct connection between the same populations.

Everything else (recurrence, several ports and projections, Direct connections, axonal delays by `DelayDense`, parameters for
each neuron, initial states, graded payloads, wrapping, saturation) stays.

With ``instant=True`` stretches within a step too: projections of every kind without latency, exponents of axons, inputs that
say their bits, and `graded_affine`, which other draws leave out (so that a seed gives the network that it always gave).
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.packed import pack
from neurodeploy.ir.population import INPUT, Population
from neurodeploy.ir.run import Probe
from neurodeploy.ir.synapse import Synapse
from neurodeploy.neurons.model import EXACT_END
from neurodeploy.neurons.registry import MODELS, input_ports, largest_payload, output_ports
from neurodeploy.synapses import Conv, Dense, Direct, Sparse, build
from neurodeploy.synapses.weights import lava_weights
from tests.synapses.convolutions import sum_pool, transposed_conv, unpool

#: All models, those first that were there when seeds were recorded, in the order of then.
DRAWN = {
    name: MODELS[name]
    for name in (
        "lif", "lif_reset", "lif_refractory", "lif_subtract", "ternary_lif", "atrlif", "cuba", "li", "threshold", "rf",
        "rf_iz", "rf_zero", "sigma", "delta", "sigma_delta", "sigma_delta_corrected", "graded_affine", "graded_vec",
        "graded_relu", "product", "norm_vec", "inv_sqrt", "norm", "rsqrt", "spiker", "s4d",
    )
} | dict(MODELS)  # fmt: skip
#: Those whose ports are exact. Networks of seeds below `RECORDED` have only the first.
EXACT = [name for name, model in DRAWN.items() if any(port.exact for port in model.ports.values())]
RECORDED = 60
Rng = np.random.Generator
Arrays = dict[str, NDArray[Any]]

#: Values with which a neuron lives: neither silent nor always firing. Clipped to the range of the model's table.
LIVELY: dict[str, tuple[int, int]] = {
    "vth": (0, 400), "vth_hi": (0, 200), "vth_lo": (-200, 0), "uth": (0, 300), "theta_0": (0, 40), "theta_step": (0, 20),
    "bias_mant": (-50, 50), "bias_exp": (-3, 6), "bias": (-20, 60), "reset_interval": (1, 9), "reset_offset": (0, 12),
    "refractory_period": (0, 6), "spike_exp": (0, 6), "state_exp": (0, 6), "decay_bits": (10, 13), "rate": (1, 8),
    "payload": (-9, 9), "exp": (0, 12), "square_exp": (0, 6), "b_exp": (0, 6), "c_exp": (0, 12),
    "multiplier": (-20_000, 30_000), "shift": (4, 18), "acc_shift": (0, 9), "state_bits": (16, 24), "out_bits": (6, 24),
}  # fmt: skip


def lava_models() -> list[str]:
    """Models that Lava 0.10 has in fixed point."""
    return [m.name for m in DRAWN.values() if m.lava is not None and "after 0.10.0" not in m.lava]


def all_probes(network: Network) -> list[Probe]:
    """Everything that can be probed."""
    found = []
    for name, population in network.populations.items():
        model = MODELS.get(population.model)
        states = () if model is None else tuple(name for name in model.state if name not in model.memories)
        for variable in dict.fromkeys((*states, *output_ports(population), *input_ports(population))):
            found.append(Probe(name, variable))
    return found


def random_network(seed: int, lava: bool = False, instant: bool = False) -> tuple[Network, Arrays, int]:
    """A network, its inputs (samples, steps, size) by population, and the number of steps."""
    return _Maker(seed, lava, instant).make()


class _Maker:
    def __init__(self, seed: int, lava: bool, instant: bool) -> None:
        self.seed, self.lava, self.instant = seed, lava, instant
        self.rng: Rng = np.random.default_rng([seed, int(lava) + 2 * int(instant)])
        #: Bound of the sum at each exact port so far.
        self.sums: dict[str, int] = {}
        self.populations: dict[str, Population] = {}
        self.projections: list[Projection] = []
        #: Inputs whose payloads are so small that no convolution here leaves 31 bits.
        self.narrow: set[str] = set()

    def make(self) -> tuple[Network, Arrays, int]:
        steps = self.between(1, 24)
        samples = 1 if self.lava else self.between(1, 3)
        inputs: Arrays = {}
        for i in range(self.between(1, 2)):
            name = f"input{i}"
            self.populations[name] = Population(name, self.shape(), INPUT)
            inputs[name] = self.payloads(name, (samples, steps, self.populations[name].size))
        names = lava_models() if self.lava else [name for name in DRAWN if name not in EXACT]
        models = [names[self.seed % len(names)]]
        models += [str(m) for m in self.rng.choice(names, self.between(0, 4))]
        if self.instant:
            for _ in range(self.between(1, 3)):
                exact = EXACT[self.seed % len(EXACT) if self.seed >= RECORDED else 0]
                models.insert(self.between(0, len(models)), exact)
        for i, model in enumerate(models):
            self.add_population(f"{model}{i}", model)
        for name, population in list(self.populations.items()):
            for port in input_ports(population):
                for _ in range(self.between(0, 2)):
                    self.connect(str(self.rng.choice(list(self.populations))), name, port)
        order = [str(name) for name in self.rng.permutation(list(self.populations))]
        outputs = tuple(str(n) for n in self.rng.choice(order, self.between(1, min(3, len(order))), replace=False))
        populations = {name: self.populations[name] for name in order}
        shuffled = tuple(self.projections[i] for i in self.rng.permutation(len(self.projections)))
        return Network(f"random{self.seed}", populations, shuffled, outputs), inputs, steps

    # Draws

    def between(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))

    def chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def pair(self, low: int, high: int) -> tuple[int, int]:
        return self.between(low, high), self.between(low, high)

    def shape(self) -> tuple[int, ...]:
        if self.chance(0.5):
            return (*self.pair(1, 5), self.between(1, 3))
        return (self.between(1, 12),)

    def payloads(self, name: str, shape: tuple[int, ...]) -> NDArray[Any]:
        quiet = self.rng.random(shape) < self.rng.random()
        kind = self.rng.choice(["spikes", "small", "wide", "extreme"], p=[0.4, 0.3, 0.15, 0.15])
        limit = {"spikes": 1, "small": 40, "wide": 2**15 - 1, "extreme": 2**31 - 1}[str(kind)]
        if limit <= 40:
            self.narrow.add(name)
        if kind == "spikes":
            spikes: NDArray[Any] = ~quiet
            return spikes if self.chance(0.5) else spikes.astype(np.int8)
        values = self.integers(limit, shape, low=-limit - (kind == "extreme"))
        if self.instant and kind != "extreme" and self.chance(0.7):
            bits = {"small": 7, "wide": 16}[str(kind)]
            self.populations[name] = replace(self.populations[name], params={"bits": bits + self.between(0, 2)})
        values = np.where(quiet, 0, values)
        return values.astype(np.int32) if self.chance(0.5) else values

    def integers(self, limit: int, shape: tuple[int, ...], low: int | None = None) -> NDArray[np.int64]:
        """Integers in low..limit (low: -limit); one draw in three has many of the two ends, so that sums wrap far."""
        low = -limit if low is None else low
        values = self.rng.integers(low, limit + 1, shape)
        if self.chance(0.33):
            ends = np.where(self.rng.random(shape) < 0.7, low, limit)
            values = np.where(self.rng.random(shape) < 0.6, ends, values)
        return values

    # Populations

    def add_population(self, name: str, model: str) -> None:
        """A population fed by at least one projection into each port, which may decide its shape."""
        ports = tuple(MODELS[model].ports)
        shape: tuple[int, ...] | None = (1,) if self.lava and model == "inv_sqrt" else None
        if MODELS[model].memories:
            shape = (4 * self.between(1, 4),)
        first: tuple[str, Synapse] | None = None
        source = str(self.rng.choice(list(self.populations)))
        from_shape = self.populations[source].shape
        if ports and shape is None and len(from_shape) == 3 and self.chance(0.6):
            synapse = self.convolution((from_shape[0], from_shape[1], from_shape[2]))
            shape, first = synapse.output_shape, (source, synapse)
        elif ports and shape is None and self.chance(0.25):
            shape, first = from_shape, (source, Direct(self.populations[source].size))
        shape = shape or self.shape()
        size = int(np.prod(shape))
        params, initial = self.params(model, size)
        self.populations[name] = Population(name, shape, model, params, initial)
        for port in ports:
            if first is not None and port == ports[0]:
                self.join(*first, name, port)
            else:
                self.connect(str(self.rng.choice(list(self.populations)[:-1])), name, port)

    def params(self, model: str, size: int) -> tuple[dict[str, Any], dict[str, Any]]:
        table = MODELS[model]
        for attempt in range(50):
            params: dict[str, Any] = {}
            for name, param in table.params.items():
                if param.default is not None and self.chance(0.3):
                    continue
                if param.table:
                    params[name] = self.rng.integers(-4000, 4000, (1, 2 * self.between(1, 5) + 1))
                    continue
                low, high = param.low, param.high
                extreme = attempt < 40 and self.chance(0.1)
                if not extreme and name in LIVELY:
                    low, high = (min(max(end, low), high) for end in LIVELY[name])
                if extreme and self.chance(0.5):
                    choices = np.array([low, high, max(low, 0)])
                    value = choices[self.rng.integers(0, 3, size)]
                else:
                    value = self.rng.integers(low, high + 1, size)
                each = param.per_neuron and not (self.lava and name == "theta_step")
                params[name] = value if each and self.chance(0.4) else int(value[0])
            if table.memories:
                params |= self.heads(size)
            given = {name: params.get(name, param.default) for name, param in table.params.items()}
            if not table.consistent({name: np.atleast_1d(np.asarray(v, np.int64)) for name, v in given.items()}):
                break
        initial: dict[str, Any] = {}
        for name, variable in table.state.items():
            if variable.settable and not variable.memory and self.chance(0.15):
                limit = 2 ** (variable.bits - 1) - 1
                limit = limit if self.chance(0.3) else min(limit, 2000)
                value = self.rng.integers(-limit, limit + 1, size)
                initial[name] = value if self.chance(0.5) else int(value[0])
        return params, initial

    def heads(self, size: int) -> dict[str, Any]:
        """What makes neurons heads that remember; few enough positions that memories turn over."""
        dim = 2 * self.between(1, 2)
        groups = int(self.rng.choice([n for n in range(1, size // dim + 1) if size // dim % n == 0]))
        limits = {"slots": (1, 9), "score_shift": (0, 30), "pre_shift": (10, 40)}
        return {name: self.between(*ends) for name, ends in limits.items()} | {
            "heads": size // dim, "kv_heads": groups, "head_dim": dim,
            "q_multiplier": self.rng.integers(-(2**15), 2**15, size),
        }  # fmt: skip

    # Projections

    def connect(self, source: str, target: str, port: str) -> None:
        a, b = self.populations[source], self.populations[target]
        if b.model == INPUT:
            return
        kinds = ["dense", "sparse"]
        if a.size == b.size and self.forward(source, target):
            joined = any((p.source, p.target) == (source, target) for p in self.projections)
            kinds += [] if self.lava and joined else ["direct"]
        if len(a.shape) == 3 and a.shape[:2] == b.shape[:2]:
            kinds += ["same", "same"]
        kind = str(self.rng.choice(kinds))
        if self.lava and b.model == "inv_sqrt":
            kind = "dense"
        if kind == "direct":
            self.join(source, Direct(a.size), target, port)
        elif kind == "same":
            (kx, ky), (dx, dy) = ((2 * k + 1 for k in self.pair(0, 1)), self.pair(1, 2))
            weight = self.rng.integers(-20, 21, (b.shape[2], kx, ky, a.shape[2]))
            padding = (kx // 2 * dx, ky // 2 * dy)
            self.join(source, build.conv(weight, (*a.shape[:2], a.shape[2]), (1, 1), padding, (dx, dy)), target, port)
        else:
            self.join(source, kind, target, port)

    def forward(self, source: str, target: str) -> bool:
        names = list(self.populations)
        return names.index(source) < names.index(target)

    def instantly(self, p: Projection) -> Projection:
        """With exponents of axons, and within the step where it must be or may be; no sum beyond what is computed."""
        target = self.populations[p.target]
        exact = target.model in EXACT
        if self.forward(p.source, p.target) and self.chance(0.5):
            p = replace(p, instant=True, delay=None)
        drawn = self.rng.integers(0, 16, p.synapse.columns) if self.chance(0.5) else 8
        exponents = np.where(self.rng.random(p.synapse.columns) < 0.3, drawn, 0).astype(np.uint8)
        wide = p if self.chance(0.6) else replace(p, axon_exp=exponents)
        for q in (wide, p, replace(p, graded=False, weight_exp=min(p.weight_exp, 0))):
            bound = q.largest_arrival(largest_payload(self.populations[q.source]))
            if not exact and q.largest_sum(2**31) < 2**76:
                return q
            if exact and self.sums.get(p.target, 0) + bound < EXACT_END:
                self.sums[p.target] = self.sums.get(p.target, 0) + bound
                return q
        raise AssertionError(p.name)

    def join(self, source: str, synapse: Synapse | str, target: str, port: str) -> None:
        """A projection; `synapse` "dense" or "sparse" is drawn here, with its format."""
        a, b = self.populations[source], self.populations[target]
        source_port, name = str(self.rng.choice(output_ports(a))), f"p{len(self.projections)}"
        between = partial(Projection, name, source, target, source_port=source_port, target_port=port)
        if isinstance(synapse, Direct):
            if b.model in EXACT:
                self.sums[target] = self.sums.get(target, 0) + 2**31
            self.projections.append(between(synapse))
            return
        root = self.lava and b.model == "inv_sqrt"
        graded = self.chance(0.6) and not root
        if isinstance(synapse, Conv):
            graded = graded and (not self.lava or source in self.narrow)
            delay = None if self.lava else self.delay(synapse)
            exponent = 0 if self.lava else self.exponent()
            bits, mode = 8, "mixed"
        else:
            bits, mode, weights = self.weights((b.size, a.size), excitatory=root)
            synapse = build.dense(weights) if synapse == "dense" else self.sparse(weights)
            if isinstance(synapse, Dense) and self.chance(0.3):
                synapse = Dense(np.ascontiguousarray(synapse.weight))
            delay, exponent = self.delay(synapse), self.exponent()
            if self.lava and delay is not None and graded and source not in self.narrow:
                exponent = abs(exponent)
            if root:
                exponent = min(exponent, 8)
        made = between(synapse, graded=graded, weight_exp=exponent, delay=delay, weight_bits=bits, sign_mode=mode)
        self.projections.append(self.instantly(made) if self.instant else made)

    def weights(self, shape: tuple[int, int], excitatory: bool) -> tuple[int, str, NDArray[Any]]:
        """Stored bits, sign mode and effective weights."""
        if not self.lava and self.chance(0.25):
            limit = int(self.rng.choice([2**15 - 1, 2**24, 2**31 - 1]))
            return 16 if limit < 2**15 else 32, "mixed", self.integers(limit, shape, low=-limit - 1)
        mode = "excitatory" if excitatory else str(self.rng.choice(["mixed", "mixed", "excitatory", "inhibitory"]))
        bits = self.between(1, 8) if self.chance(0.5) else 8
        limit = 300 if self.chance(0.2) else 120
        weights = self.rng.integers(-limit, limit + 1, shape) * (self.rng.random(shape) < self.rng.random() + 0.3)
        return bits, mode, lava_weights(weights, bits, mode)[0]

    def sparse(self, weights: NDArray[Any]) -> Sparse:
        row, column = np.nonzero(self.rng.random(weights.shape) < self.rng.random())
        if self.lava and not row.size:
            row, column = np.zeros(1, np.int64), np.zeros(1, np.int64)
        made = build.sparse_from_coo(*weights.shape, row, column, weights[row, column])
        if (self.seed + len(self.projections)) % 2:  # no draw: a seed gives the network that it always gave
            return made
        short = made.indptr.astype(np.uint32)
        return Sparse(made.rows, made.columns, short, pack(made.rows, short, made.targets()), made.weight)

    def convolution(self, shape: tuple[int, int, int]) -> Conv:
        """Any convolution, pooling or unpooling with this input that has an output."""
        channels = shape[2]
        for _ in range(200):
            kernel, stride, padding, dilation = self.pair(1, 3), self.pair(1, 3), self.pair(0, 2), self.pair(1, 2)
            kind = str(self.rng.choice(["conv"] * 3 + ["pool"] + ([] if self.lava else ["transposed", "unpool"])))
            groups = int(self.rng.choice([g for g in range(1, channels + 1) if channels % g == 0]))
            limit = 20_000 if self.chance(0.1) else 60
            weight = self.rng.integers(-limit, limit + 1, (groups * self.between(1, 2), *kernel, channels // groups))
            spans = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
            if kind in ("transposed", "unpool"):
                sides = [(n - 1) * s - 2 * p + k for n, s, p, k in zip(shape, stride, padding, spans, strict=False)]
            else:
                sides = [(n + 2 * p - k) // s + 1 for n, s, p, k in zip(shape, stride, padding, spans, strict=False)]
            if min(sides) < 1 or max(sides) > 8:
                continue
            if kind == "conv":
                return build.conv(weight, shape, stride, padding, dilation, groups)
            if kind == "pool":
                return sum_pool(shape, kernel, stride, padding, dilation, weight=self.between(-2, 9))
            if kind == "transposed":
                extra = (self.between(0, stride[0] - 1), self.between(0, stride[1] - 1))
                return transposed_conv(weight, shape, stride, padding, dilation, groups, output_padding=extra)
            return unpool(shape, kernel, stride, padding, dilation, weight=self.between(-2, 9))
        return build.conv(np.ones((1, 1, 1, channels), np.int64), shape)

    def delay(self, synapse: Dense | Sparse | Conv) -> NDArray[np.uint8] | None:
        if self.chance(0.5):
            return None
        by_synapse = not isinstance(synapse, Conv) and self.chance(0.6)
        shape = synapse.weight.shape if by_synapse else (synapse.columns,)
        return self.rng.integers(0, self.between(0, 62 if self.chance(0.1) else 6) + 1, shape).astype(np.uint8)

    def exponent(self) -> int:
        if self.chance(0.5):
            return 0
        return self.between(-31, 31) if self.chance(0.15) else self.between(-8, 8)
