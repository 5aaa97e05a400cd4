"""sinabs: networks, its own `to_nir`, its own spikes. Its time constants count steps: one step is a second."""

from __future__ import annotations

from pathlib import Path

import nir
import sinabs.layers as sl
import torch
from cases import Case, main, spikes_in, weights
from sinabs.activation import MembraneReset, SingleSpike
from sinabs.nir import to_nir

DT = 1.0
INPUTS, CELLS = 12, 8
#: One spike a step and reset to zero: what a NIR file can say. The defaults of sinabs are several spikes and subtraction.
PLAIN = {"spike_fn": SingleSpike, "reset_fn": MembraneReset()}
VALUE, SUBTRACT = "to 0, same step", "subtract threshold x spikes, same step"


def linear(seed: int, rows: int, columns: int, bias: float | None = None, scale: float = 1.0) -> torch.nn.Linear:
    made = torch.nn.Linear(columns, rows, bias=bias is not None)
    made.weight.data = torch.from_numpy(weights(seed, rows, columns, mean=0.15, spread=0.5)) * scale
    if bias is not None:
        made.bias.data = torch.full((rows,), bias)
    return made


def run(net: torch.nn.Sequential, inputs: object) -> dict[str, dict[str, object]]:
    """(batch, time, ...) through neurons, (batch x time, ...) through the other layers, as its own `Squeeze` layers do."""
    traces: dict[str, dict[str, object]] = {}
    shape = getattr(net, "input_shape", (INPUTS,))
    steps = len(inputs)
    with torch.no_grad():
        x = torch.from_numpy(inputs).float().reshape(steps, *shape)
        for name, part in net.named_children():
            if isinstance(part, sl.StatefulLayer):
                part.reset_states()
                part.record_states = True
                out = part(x[None])
                x = out[0] if out.shape[0] == 1 else out
                # What recurrent layers record is written over in the step after.
                alias = hasattr(part, "rec_connect")
                trace: dict[str, object] = {} if alias else {"v": part.recordings["v_mem"].reshape(steps, -1)}
                if not isinstance(part, sl.ExpLeak):
                    trace["spikes"] = x
                traces[name] = trace
            else:
                x = part(x)
    return traces


def export(net: torch.nn.Sequential, path: Path) -> None:
    """Its exporter wants layers that take (batch x time, ...): the `Squeeze` twins with the same parameters."""
    shape = getattr(net, "input_shape", (INPUTS,))
    nir.write(path, to_nir(squeezed(net), torch.zeros(1, *shape)))


def export_inferred(net: torch.nn.Sequential, path: Path) -> None:
    """As `export`, and the user lets nir fill in the shapes that the exporter leaves open."""
    graph = to_nir(squeezed(net), torch.zeros(1, *net.input_shape))
    graph.infer_types()
    nir.write(path, graph)


def squeezed(net: torch.nn.Sequential) -> torch.nn.Sequential:
    twins: dict[type, object] = {sl.IAF: sl.IAFSqueeze, sl.LIF: sl.LIFSqueeze, sl.ExpLeak: sl.ExpLeakSqueeze}
    parts = []
    for part in net:
        if type(part) not in twins:
            parts.append(part)
            continue
        parts.append(twins[type(part)](batch_size=1, **part._param_dict))  # type: ignore[operator]
    return torch.nn.Sequential(*parts)


def build_conv() -> torch.nn.Sequential:
    conv = torch.nn.Conv2d(1, 3, 3, padding=1, bias=False)
    conv.weight.data = torch.from_numpy(weights(31, 3, 1, 3, 3, mean=0.1, spread=0.3))
    net = Seq(
        conv,
        sl.IAF(spike_threshold=torch.tensor(2.0), **PLAIN),
        sl.SumPool2d(2),
        torch.nn.Flatten(),
        linear(32, 5, 48),
        sl.IAF(spike_threshold=torch.tensor(4.0), **PLAIN),
    )
    net.input_shape = (1, 8, 8)
    return net


def build_conv_avg() -> torch.nn.Sequential:
    net = build_conv()
    net[2] = torch.nn.AvgPool2d(2)
    return net


def build_squeezed() -> torch.nn.Sequential:
    net = squeezed(build_conv_avg())
    net.input_shape = (1, 8, 8)
    return net


def run_squeezed(net: torch.nn.Sequential, inputs: object) -> dict[str, dict[str, object]]:
    with torch.no_grad():
        return {"5": {"spikes": net(torch.from_numpy(inputs).float().reshape(-1, *net.input_shape))}}


def whole(seed: int, rows: int, columns: int) -> torch.nn.Linear:
    made = linear(seed, rows, columns)
    made.weight.data = torch.round(made.weight.data * 2)
    return made


Seq = torch.nn.Sequential


def tau(low: float = 5.0, high: float = 20.0) -> torch.Tensor:
    return torch.linspace(low, high, CELLS)


def case(
    name: str,
    network: str,
    build: object,
    *,
    reset: str = VALUE,
    note: str = "",
    seed: int = 1,
    size: int = INPUTS,
    infer: bool = False,
    run: object = run,
    asked: bool = True,
) -> Case:
    return Case(
        name=name,
        network=network,
        dt=DT,
        reset=reset,
        threshold="v >= threshold",
        build=build,
        run=run,
        export=(export_inferred if infer else export) if asked else None,
        call="sinabs.nir.to_nir(net, sample (1, ..))" + (".infer_types()" if infer else ""),
        inputs=spikes_in(seed, size),
        note=note,
    )


CASES = [
    case(
        "if",
        "Linear, IAF(SingleSpike, MembraneReset)",
        lambda: Seq(linear(14, CELLS, INPUTS), sl.IAF(spike_threshold=torch.tensor(4.0), **PLAIN)),
    ),
    case(
        "if_default",
        "Linear, IAF()",
        lambda: Seq(linear(14, CELLS, INPUTS), sl.IAF()),
        reset=SUBTRACT,
        note="several spikes a step and reset by subtraction: neither is in the file",
    ),
    case(
        "if_floor",
        "Linear, IAF(SingleSpike, MembraneReset, min_v_mem=-1)",
        lambda: Seq(linear(14, CELLS, INPUTS), sl.IAF(spike_threshold=torch.tensor(2.0), min_v_mem=-1.0, **PLAIN)),
        note="the floor of the membrane is not in the file",
    ),
    case(
        "if_ties",
        "Linear of whole numbers, IAF(SingleSpike, MembraneReset)",
        lambda: Seq(whole(14, CELLS, INPUTS), sl.IAF(spike_threshold=torch.tensor(3.0), **PLAIN)),
        note="fires when v equals the threshold; NIR says v > threshold",
    ),
    case(
        "lif",
        "Linear, LIF(tau one a neuron, SingleSpike, MembraneReset)",
        lambda: Seq(
            linear(11, CELLS, INPUTS, scale=6.0),
            sl.LIF(tau_mem=tau(), spike_threshold=torch.full((CELLS,), 1.0), **PLAIN),
        ),
        note="v = a v + (1 - a) I with a = exp(-1 / tau), the exact solution, where Euler has a = 1 - 1 / tau",
    ),
    case(
        "lif_scalar",
        "Linear, LIF(tau_mem=10)",
        lambda: Seq(linear(11, CELLS, INPUTS, scale=6.0), sl.LIF(tau_mem=10.0, **PLAIN)),
    ),
    case(
        "lif_default",
        "Linear, LIF(tau one a neuron)",
        reset=SUBTRACT,
        build=lambda: Seq(
            linear(11, CELLS, INPUTS, scale=6.0), sl.LIF(tau_mem=tau(), spike_threshold=torch.full((CELLS,), 1.0))
        ),
        note="several spikes a step and reset by subtraction: neither is in the file",
    ),
    case(
        "lif_no_norm",
        "Linear, LIF(norm_input=False, SingleSpike, MembraneReset)",
        lambda: Seq(
            linear(11, CELLS, INPUTS),
            sl.LIF(tau_mem=tau(), spike_threshold=torch.full((CELLS,), 1.0), norm_input=False, **PLAIN),
        ),
        note="the gain of 1 instead of 1 - a is not in the file",
    ),
    case(
        "lif_tau_syn",
        "Linear, LIF(tau_syn=4, SingleSpike, MembraneReset)",
        lambda: Seq(
            linear(11, CELLS, INPUTS, scale=2.0),
            sl.LIF(
                tau_mem=tau(), tau_syn=torch.full((CELLS,), 4.0), spike_threshold=torch.full((CELLS,), 1.0), **PLAIN
            ),
        ),
        note="the synapse is not in the file",
    ),
    case(
        "lif_two_layers",
        "Linear with bias, LIF, Linear, LIF",
        lambda: Seq(
            linear(12, CELLS, INPUTS, 0.015625, scale=6.0),
            sl.LIF(tau_mem=tau(), spike_threshold=torch.full((CELLS,), 1.0), **PLAIN),
            linear(13, CELLS, CELLS, scale=8.0),
            sl.LIF(tau_mem=tau(), spike_threshold=torch.full((CELLS,), 1.0), **PLAIN),
        ),
    ),
    case(
        "li",
        "Linear, IAF(SingleSpike, MembraneReset), Linear, ExpLeak(norm_input=True)",
        lambda: Seq(
            linear(14, CELLS, INPUTS),
            sl.IAF(spike_threshold=torch.tensor(4.0), **PLAIN),
            linear(13, CELLS, CELLS),
            sl.ExpLeak(tau_mem=tau(), norm_input=True),
        ),
    ),
    case(
        "li_default",
        "the same with ExpLeak()",
        lambda: Seq(
            linear(14, CELLS, INPUTS),
            sl.IAF(spike_threshold=torch.tensor(4.0), **PLAIN),
            linear(13, CELLS, CELLS),
            sl.ExpLeak(tau_mem=tau()),
        ),
        note="its gain is 1 by default; the file says r = 1, which is 1 - a",
    ),
    case(
        "conv", "Conv2d, IAF, SumPool2d, Flatten, Linear, IAF (SingleSpike, MembraneReset)", build_conv, seed=2, size=64
    ),
    case("conv_inferred", "the same, shapes filled in by nir", build_conv, seed=2, size=64, infer=True),
    case("conv_avg", "the same with AvgPool2d", build_conv_avg, seed=2, size=64),
    case(
        "conv_squeezed",
        "the same of IAFSqueeze",
        build_squeezed,
        seed=2,
        size=64,
        run=run_squeezed,
        asked=False,
    ),
    case(
        "recurrent",
        "Linear, LIFRecurrent",
        lambda: Seq(
            linear(11, CELLS, INPUTS, scale=6.0),
            sl.LIFRecurrent(tau_mem=10.0, rec_connect=linear(41, CELLS, CELLS), **PLAIN),
        ),
    ),
]

if __name__ == "__main__":
    torch.set_num_threads(1)
    main("sinabs", CASES, ("sinabs", "nir", "nirtorch", "torch"))
