"""From real numbers to the integers of populations and projections, with the error of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurodeploy.conversion.spiking import losses, starts
from neurodeploy.conversion.spiking.links import Link
from neurodeploy.conversion.spiking.membranes import Membrane
from neurodeploy.conversion.spiking.operators import Convolution, Operator
from neurodeploy.conversion.spiking.report import PopulationReport, ProjectionReport, Worst, weights_line, worst
from neurodeploy.conversion.spiking.scales import (
    ALIGN,
    BIAS_MANT_MAX,
    SAME,
    VTH_MAX,
    bias_exp,
    grid,
    span,
    weight_exp,
)
from neurodeploy.errors import UserError
from neurodeploy.ir.fixedpoint import Dyadic
from neurodeploy.ir.float_network import FloatNode, Floats, Note, chip_order, chip_shape
from neurodeploy.ir.network import DELAY_MAX, Projection
from neurodeploy.ir.population import Population
from neurodeploy.ir.synapse import Synapse
from neurodeploy.synapses import build

#: From this share of its entries on a matrix is kept whole: a sparse synapse takes three bytes, a dense one.
DENSE_SHARE = 1 / 3
#: What is this close below a whole number is that number: rounding of float64, not what a threshold means.
NEARLY = 2.0**-46
Longs = NDArray[np.int64]


@dataclass(slots=True, eq=False)
class _Rounded:
    """Integers of one population, and what rounding did to them."""

    values: dict[str, Longs]
    errors: dict[str, Worst]
    saturated: dict[str, int]

    def put(
        self,
        name: str,
        wanted: Floats,
        low: int,
        high: int,
        label: str,
        offset: int = 0,
        down: bool | NDArray[np.bool_] = False,
    ) -> None:
        """Round ``wanted - offset`` into a range, `down` where so; the error is that of the value with its offset."""
        rounded = np.where(down, np.floor(wanted + np.abs(wanted) * NEARLY), np.rint(wanted)) - offset
        clipped = np.clip(rounded, low, high)
        self.values[name] = clipped.astype(np.int64)
        self.errors[label] = worst(wanted, clipped + offset)
        count = int(np.count_nonzero(clipped != rounded))
        if count:
            self.saturated[label] = count


def population(
    m: Membrane, scale: Dyadic, latency: int, u_bound: float | None, notes: list[Note]
) -> tuple[Population, PopulationReport]:
    """The integers of a population: decays of 12 bits, threshold of 17, bias of 13 times a power of two, initial states."""
    node, unit = m.node, ALIGN * scale.value
    r = _Rounded({}, {}, {})
    if m.model == "threshold":
        assert m.threshold is not None
        r.put("vth", m.threshold * scale.value, -(2**31), 2**31 - 1, "threshold", down=True)
    else:
        r.put("du", m.rate_u * 4096, 0, 4095, "decay of u", offset=1)
        r.put("dv", m.rate_v * 4096, 0, 4096, "decay of v")
        if m.threshold is not None:
            if float(m.threshold.min()) < 0:
                problem = f"has a threshold {-float(m.threshold.min()):.6g} below its reset: it would never stop firing"
                raise UserError("ND1242", node.name, problem, "use a threshold of at least v_reset")
            r.put("vth", m.threshold * scale.value, 0, VTH_MAX, "threshold", down=m.whole | _just_below(m, scale))
        if bool(m.bias.any()):
            exponent = bias_exp(m.bias * unit)
            r.put("bias_mant", m.bias * unit / 2**exponent, -BIAS_MANT_MAX - 1, BIAS_MANT_MAX, "bias")
            r.values["bias_exp"] = np.full(1, exponent, np.int64)
    notes += losses.of_population(m, r.values)
    order = chip_order(node.shape)
    params = {name: _plain(value, order) for name, value in r.values.items()}
    initial = {} if m.model == "threshold" else _initial(m, unit, latency, order, notes)
    made = Population(node.name, chip_shape(node.shape), m.model, params, initial)
    shift = (float(m.shift.min()), float(m.shift.max()))
    return made, PopulationReport(node.name, m.model, node.size, scale, shift, r.errors, r.saturated, u_bound)


def _just_below(m: Membrane, scale: Dyadic) -> NDArray[np.bool_]:
    """Thresholds a hair below a whole number, as ``v >= x`` is written: a voltage of that number fires."""
    assert m.threshold is not None
    wanted = m.threshold * scale.value
    below = np.rint(wanted) - wanted
    return (below > 0) & (below <= SAME * wanted)


def _plain(values: Longs, order: Longs) -> int | Longs:
    """One integer where all are equal, otherwise an array in the chip's order."""
    return int(values[0]) if bool((values == values[0]).all()) else values[order]


def _initial(m: Membrane, unit: float, steps: int, order: Longs, notes: list[Note]) -> Mapping[str, int | Longs]:
    """States at step 0, so that they are those of the float network when the first input can arrive."""
    if not (m.bias.any() or m.u0.any() or m.v0.any()):
        return {}
    found = starts.start(m, unit, steps)
    line = starts.told(m, found, steps)
    notes += [] if line is None else [line]
    return {name: _plain(value, order) for name, value in (("u", found.u), ("v", found.v)) if value.any()}


def projection(
    link: Link,
    source: FloatNode,
    target: FloatNode,
    factor: float,
    graded: bool,
    bits: int,
    notes: list[Note],
) -> tuple[Projection, ProjectionReport]:
    """Round the weights of a link times `factor` (units of the target for one unit of payload). Raises ND1243."""
    wanted = link.operator.values * factor
    g = grid(wanted, bits)
    exponent = weight_exp(1.0, span(wanted, bits))
    exact = wanted / 2.0**exponent
    rounded = np.rint(exact / g.step) * g.step
    mantissa = np.clip(rounded, g.low, g.high).astype(np.int64)
    delay, late = _delay(link)
    synapse, delays = synapses_of(link.operator, mantissa, source, target, delay)
    made = Projection(
        link.name, link.source, link.target, synapse, graded=graded, weight_exp=exponent, delay=delays,
        weight_bits=bits, sign_mode=g.mode,
    )  # fmt: skip
    notes += losses.of_projection(link, exact.reshape(-1), mantissa.reshape(-1).astype(np.float64))
    line = weights_line(
        made, exact, mantissa, row=link.operator.row_of_values, clipped=int(np.count_nonzero(mantissa != rounded)),
        delay=(0, 0) if delays is None or not delays.size else (int(delays.min()), int(delays.max())),
        delay_error=link.delay_error, late=late,
    )  # fmt: skip
    return made, line


def _delay(link: Link) -> tuple[int, int]:
    """(steps beyond the synapse's own, steps too late); delays of single synapses come on top."""
    wanted = link.lag + link.extra
    steps = max(wanted, 0)
    most = steps if link.operator.lag is None else steps + int(link.operator.lag.max())
    if most > DELAY_MAX:
        problem = f"needs a delay of {most} steps, {DELAY_MAX} are possible"
        raise UserError("ND1243", link.name, problem, "use a longer time step")
    return steps, steps - wanted


def synapses_of(
    operator: Operator, mantissa: Longs, source: FloatNode, target: FloatNode, delay: int
) -> tuple[Synapse, NDArray[np.uint8] | None]:
    """Integers in the chip's order of neurons, with their delays."""
    if isinstance(operator, Convolution):
        channels, height, width = operator.in_shape
        swap = (operator.stride[::-1], operator.padding[::-1], operator.dilation[::-1])
        made = build.conv(build.from_torch_kernel(mantissa), (width, height, channels), *swap, operator.groups)
        return made, _axonal(delay, made.columns)
    row = np.argsort(chip_order(target.shape))[operator.row]
    column = np.argsort(chip_order(source.shape))[operator.column]
    rows, columns = operator.rows, operator.columns
    kept = np.flatnonzero(mantissa)
    if operator.lag is None and kept.size > DENSE_SHARE * rows * columns:
        whole = np.zeros((rows, columns), np.int64)
        whole[row, column] = mantissa
        return build.dense(whole), _axonal(delay, columns)
    row, column, mantissa = row[kept], column[kept], mantissa[kept]
    sparse = build.sparse_from_coo(rows, columns, row, column, mantissa)
    if operator.lag is None:
        return sparse, _axonal(delay, columns)
    lag = np.minimum(operator.lag[kept] + delay, DELAY_MAX)
    by_axon = np.zeros(columns, np.int64)
    by_axon[column] = lag
    if columns != lag.size and bool((by_axon[column] == lag).all()):
        return sparse, by_axon.astype(np.uint8)
    return sparse, lag[build.synapse_order(row, column)].astype(np.uint8)


def _axonal(delay: int, columns: int) -> NDArray[np.uint8] | None:
    return np.full(columns, min(delay, DELAY_MAX), np.uint8) if delay else None
