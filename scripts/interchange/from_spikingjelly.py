"""SpikingJelly: networks, its own `export_to_nir`, its own spikes."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import torch
from cases import Case, main, spikes_in, weights
from spikingjelly.activation_based import functional, layer, neuron
from spikingjelly.activation_based.nir_exchange import export_to_nir

DT = 1e-4
INPUTS, CELLS = 12, 8


def linear(seed: int, rows: int, columns: int, bias: float | None = None, scale: float = 1.0) -> torch.nn.Linear:
    made = torch.nn.Linear(columns, rows, bias=bias is not None)
    made.weight.data = torch.from_numpy(weights(seed, rows, columns, mean=0.15, spread=0.5)) * scale
    if bias is not None:
        made.bias.data = torch.full((rows,), bias)
    return made


def whole(seed: int, rows: int, columns: int) -> torch.nn.Linear:
    """Whole-number weights: the membrane often stands exactly on the threshold."""
    made = linear(seed, rows, columns)
    made.weight.data = torch.round(made.weight.data * 2)
    return made


def run(net: torch.nn.Sequential, inputs: object) -> dict[str, dict[str, object]]:
    traces: dict[str, dict[str, list[torch.Tensor]]] = {}
    shape = getattr(net, "input_shape", None)
    with torch.no_grad():
        for row in torch.from_numpy(inputs).float():
            x = row.reshape(1, *shape) if shape else row[None]
            for name, part in net.named_children():
                x = part(x)
                if isinstance(part, layer.LinearRecurrentContainer):
                    traces.setdefault(name, {"spikes": []})["spikes"].append(x.clone())
                elif isinstance(part, neuron.BaseNode):
                    trace = traces.setdefault(name, {"spikes": [], "v": []})
                    trace["spikes"].append(x.clone())
                    trace["v"].append(part.v.clone())
    return traces


def export(net: torch.nn.Sequential, path: Path, dt: float) -> None:
    export_to_nir(net, torch.zeros(1, *getattr(net, "input_shape", (INPUTS,))), save_path=path, dt=dt)


def build_conv(**more: object) -> torch.nn.Sequential:
    conv = torch.nn.Conv2d(2, 4, 3, stride=2, padding=1, **more)
    conv.weight.data = torch.from_numpy(weights(31, *conv.weight.shape, mean=0.15, spread=0.4))
    conv.bias.data = torch.tensor([0.0, 0.015625, -0.015625, 0.0])
    net = Seq(
        conv,
        neuron.LIFNode(tau=3.0, decay_input=False),
        torch.nn.AvgPool2d(2),
        torch.nn.Flatten(),
        linear(32, 5, 16, scale=4.0),
        neuron.LIFNode(tau=3.0, decay_input=False),
    )
    net.input_shape = (2, 8, 8)
    return net


def build_conv_if(width: int) -> torch.nn.Sequential:
    conv = torch.nn.Conv2d(1, 3, (3, width), bias=False)
    conv.weight.data = torch.from_numpy(weights(33, 3, 1, 3, width, mean=0.15, spread=0.4))
    net = Seq(conv, neuron.IFNode(), torch.nn.Flatten(), linear(34, 5, 18 * (9 - width)), neuron.IFNode())
    net.input_shape = (1, 8, 8)
    return net


class Recurrent(torch.nn.Sequential):
    """Its container that feeds spikes back through a linear synapse."""

    def __init__(self) -> None:
        cell = layer.LinearRecurrentContainer(neuron.LIFNode(tau=3.0), in_features=INPUTS, out_features=INPUTS)
        cell.rc.weight.data = torch.from_numpy(weights(17, INPUTS, 2 * INPUTS, mean=0.3, spread=1.0))
        cell.rc.bias.data = torch.zeros(INPUTS)
        super().__init__(cell)


def build_multi_step() -> torch.nn.Sequential:
    """Its own layers in step mode "m": the whole sequence at once."""
    plain = build_conv_if(3)
    conv, linear_layer = layer.Conv2d(1, 3, 3, bias=False), layer.Linear(18 * 6, 5, bias=False)
    conv.weight, linear_layer.weight = plain[0].weight, plain[3].weight
    net = Seq(conv, neuron.IFNode(), layer.Flatten(), linear_layer, neuron.IFNode())
    functional.set_step_mode(net, "m")
    return _with_shape(net, (1, 8, 8))


def run_multi_step(net: torch.nn.Sequential, inputs: object) -> dict[str, dict[str, object]]:
    with torch.no_grad():
        return {"4": {"spikes": net(torch.from_numpy(inputs).float().reshape(-1, 1, *net.input_shape))}}


Seq = torch.nn.Sequential
STRICT = "v >= v_threshold"


def case(
    name: str,
    network: str,
    build: object,
    *,
    reset: str = "to v_reset, same step",
    note: str = "",
    dt: float = DT,
    seed: int = 1,
    size: int = INPUTS,
    run: object = run,
    asked: bool = True,
) -> Case:
    return Case(
        name=name,
        network=network,
        dt=dt,
        reset=reset,
        threshold=STRICT,
        build=build,
        run=run,
        export=partial(export, dt=dt) if asked else None,
        call=f"export_to_nir(net, example_input (1, ..), dt={dt:g})",
        inputs=spikes_in(seed, size),
        note=note,
    )


CASES = [
    case(
        "lif",
        "Linear, LIFNode(tau=4), input decays",
        lambda: Seq(linear(11, CELLS, INPUTS, scale=4.0), neuron.LIFNode(tau=4.0)),
    ),
    case(
        "lif_dt_1ms",
        "the same, exported with dt=1e-3",
        lambda: Seq(linear(11, CELLS, INPUTS, scale=4.0), neuron.LIFNode(tau=4.0)),
        dt=1e-3,
    ),
    case(
        "lif_no_input_decay",
        "Linear, LIFNode(tau=4, decay_input=False)",
        lambda: Seq(linear(11, CELLS, INPUTS), neuron.LIFNode(tau=4.0, decay_input=False)),
    ),
    case(
        "lif_two_layers",
        "Linear with bias, LIFNode, Linear, LIFNode",
        lambda: Seq(
            linear(12, CELLS, INPUTS, 0.015625, scale=3.0),
            neuron.LIFNode(tau=3.0),
            linear(13, CELLS, CELLS, scale=4.0),
            neuron.LIFNode(tau=3.0),
        ),
    ),
    case(
        "lif_reset_value",
        "Linear, LIFNode(v_reset=-0.25)",
        lambda: Seq(linear(11, CELLS, INPUTS, scale=4.0), neuron.LIFNode(tau=4.0, v_reset=-0.25)),
        note="leaks to v_reset and starts there",
    ),
    case(
        "lif_subtract",
        "Linear, LIFNode(v_reset=None)",
        reset="subtract the threshold, same step",
        build=lambda: Seq(linear(11, CELLS, INPUTS, scale=4.0), neuron.LIFNode(tau=4.0, v_reset=None)),
    ),
    case(
        "plif",
        "Linear, ParametricLIFNode(init_tau=3)",
        lambda: Seq(linear(11, CELLS, INPUTS, scale=3.0), neuron.ParametricLIFNode(init_tau=3.0)),
    ),
    case("if", "Linear, IFNode(v_threshold=4)", lambda: Seq(linear(14, CELLS, INPUTS), neuron.IFNode(v_threshold=4.0))),
    case(
        "if_ties",
        "Linear of whole numbers, IFNode(v_threshold=3)",
        lambda: Seq(whole(14, CELLS, INPUTS), neuron.IFNode(v_threshold=3.0)),
        note="fires when v equals the threshold; NIR says v > threshold",
    ),
    case(
        "cuba",
        "Linear, CUBALIFNode(c_decay=0.6, v_decay=0.8)",
        lambda: Seq(linear(15, CELLS, INPUTS), neuron.CUBALIFNode(c_decay=0.6, v_decay=0.8, v_threshold=4.0)),
    ),
    case(
        "conv",
        "Conv2d(stride 2, padding 1), LIFNode, AvgPool2d(2), Flatten, Linear, LIFNode",
        build_conv,
        seed=2,
        size=128,
    ),
    case("conv_if", "Conv2d(3), IFNode, Flatten, Linear, IFNode", partial(build_conv_if, 3), seed=2, size=64),
    case(
        "conv_oblong",
        "Conv2d(3 x 2), IFNode, Flatten, Linear, IFNode",
        partial(build_conv_if, 2),
        seed=2,
        size=64,
        note="nir 1.0.8 computes the size of an output with the kernel's height for both axes",
    ),
    case("conv_groups", "Conv2d(groups=2), LIFNode, ..", partial(build_conv, groups=2), seed=2, size=128),
    case(
        "maxpool",
        "Conv2d, MaxPool2d",
        build=lambda: _with_shape(Seq(torch.nn.Conv2d(1, 2, 3), neuron.IFNode(), torch.nn.MaxPool2d(2)), (1, 8, 8)),
        seed=2,
        size=64,
    ),
    case("recurrent", "LinearRecurrentContainer(LIFNode)", Recurrent),
    case(
        "conv_multi_step",
        "Conv2d(3), IFNode, Flatten, Linear, IFNode in step mode m",
        build_multi_step,
        seed=2,
        size=64,
        run=run_multi_step,
        asked=False,
    ),
]


def _with_shape(net: torch.nn.Sequential, shape: tuple[int, ...]) -> torch.nn.Sequential:
    net.input_shape = shape
    return net


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.manual_seed(7)
    main("spikingjelly", CASES, ("spikingjelly", "nir", "nirtorch", "torch"))
