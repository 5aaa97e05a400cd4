"""snnTorch: networks, its own `export_to_nir`, its own spikes. Its time step is fixed to 1e-4 s in the exporter."""

from __future__ import annotations

from pathlib import Path

import nir
import snntorch as snn
import torch
from cases import Case, main, spikes_in, weights
from snntorch.export_nir import export_to_nir

DT = 1e-4
INPUTS, CELLS = 12, 8
IMMEDIATE = {"reset_mechanism": "zero", "reset_delay": False, "init_hidden": True}


def linear(seed: int, rows: int, columns: int, bias: float | None = None) -> torch.nn.Linear:
    layer = torch.nn.Linear(columns, rows, bias=bias is not None)
    layer.weight.data = torch.from_numpy(weights(seed, rows, columns, mean=0.15, spread=0.5))
    if bias is not None:
        layer.bias.data = torch.full((rows,), bias)
    return layer


def whole(seed: int, rows: int, columns: int) -> torch.nn.Linear:
    made = linear(seed, rows, columns)
    made.weight.data = torch.round(made.weight.data * 2)
    return made


def full(size: object, value: float) -> torch.Tensor:
    return torch.full(size if isinstance(size, tuple) else (size,), value)  # type: ignore[arg-type]


def graded(size: int, low: float, high: float) -> torch.Tensor:
    """Parameters that differ from neuron to neuron."""
    return torch.linspace(low, high, size)


def leaky(size: object, **more: object) -> snn.Leaky:
    beta = graded(size, 0.8, 0.95) if isinstance(size, int) else full(size, 0.9)
    return snn.Leaky(beta=beta, **{"threshold": full(size, 1.0), **IMMEDIATE, **more})


def run(net: torch.nn.Sequential, inputs: object) -> dict[str, dict[str, object]]:
    """All neuron layers, step by step."""
    traces: dict[str, dict[str, list[torch.Tensor]]] = {}
    shape = getattr(net, "input_shape", None)
    with torch.no_grad():
        for row in torch.from_numpy(inputs).float():
            x = row.reshape(1, *shape) if shape else row[None]
            for name, layer in net.named_children():
                x = layer(x)
                if isinstance(layer, snn.SpikingNeuron):
                    trace = traces.setdefault(name, {"spikes": [], "v": []})
                    trace["spikes"].append(x.clone())
                    trace["v"].append(layer.mem.clone())
    return traces


def export(net: torch.nn.Sequential, path: Path) -> None:
    shape = getattr(net, "input_shape", (INPUTS,))
    nir.write(path, export_to_nir(net, torch.zeros(1, *shape), ignore_dims=[0]))


def build_conv() -> torch.nn.Sequential:
    conv = torch.nn.Conv2d(1, 3, 3, stride=1, padding=1)
    conv.weight.data = torch.from_numpy(weights(31, 3, 1, 3, 3, mean=0.15, spread=0.3))
    conv.bias.data = torch.tensor([0.0, 0.015625, -0.015625])
    net = torch.nn.Sequential(
        conv, leaky((3, 8, 8)), torch.nn.AvgPool2d(2), torch.nn.Flatten(), linear(32, 5, 48), leaky(5)
    )
    net.input_shape = (1, 8, 8)
    return net


def build_norm() -> torch.nn.Sequential:
    net = build_conv()
    norm = torch.nn.BatchNorm2d(3)
    norm.running_mean.copy_(torch.tensor([0.25, -0.5, 0.125]))
    norm.running_var.copy_(torch.tensor([0.5, 1.0, 2.0]))
    norm.weight.data, norm.bias.data = torch.tensor([1.5, 0.5, -1.0]), torch.tensor([0.25, 0.0, -0.125])
    made = torch.nn.Sequential(net[0], norm, *net[1:]).eval()
    made.input_shape = net.input_shape
    return made


def recurrent(cell: snn.SpikingNeuron) -> snn.SpikingNeuron:
    if hasattr(cell.recurrent, "weight"):
        cell.recurrent.weight.data = torch.from_numpy(weights(41, CELLS, CELLS, spread=0.3))
        cell.recurrent.bias.data = torch.zeros(CELLS)
    return cell


class Skipping(torch.nn.Module):
    """As its tutorials write a network: a class, states handed out by the last layer; here with a second way to it."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.lif1 = linear(12, CELLS, INPUTS, 0.015625), snn.Leaky(beta=0.9, init_hidden=True)
        self.fc2, self.skip = linear(13, CELLS, CELLS), linear(18, CELLS, INPUTS)
        self.lif2 = snn.Leaky(beta=0.8, threshold=1.5, init_hidden=True, output=True)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        spikes = self.lif1(self.fc1(x))
        fires, membrane = self.lif2(self.fc2(spikes) + self.skip(x))
        return fires, membrane


def run_class(net: Skipping, inputs: object) -> dict[str, dict[str, object]]:
    with torch.no_grad():
        return {"lif2": {"spikes": [net(row[None])[0] for row in torch.from_numpy(inputs).float()]}}


CALL = "export_to_nir(net, sample (1, ..), ignore_dims=[0])"


def case(
    name: str,
    network: str,
    build: object,
    *,
    reset: str = "to 0, same step",
    note: str = "",
    seed: int = 1,
    size: int = INPUTS,
    run: object = run,
    export: object = export,
) -> Case:
    return Case(
        name=name,
        network=network,
        dt=DT,
        reset=reset,
        threshold="v > threshold",
        build=build,
        run=run,
        export=export,
        call=CALL,
        inputs=spikes_in(seed, size),
        note=note,
    )


Seq = torch.nn.Sequential
CASES = [
    case("lif", "Linear, Leaky (beta, threshold one a neuron)", lambda: Seq(linear(11, CELLS, INPUTS), leaky(CELLS))),
    case(
        "lif_two_layers",
        "Linear with bias, Leaky, Linear, Leaky",
        lambda: Seq(linear(12, CELLS, INPUTS, 0.015625), leaky(CELLS), linear(13, CELLS, CELLS), leaky(CELLS)),
    ),
    case(
        "lif_scalar_beta",
        "Linear, Leaky(beta=0.9), as in its tutorials",
        lambda: Seq(linear(11, CELLS, INPUTS), snn.Leaky(beta=0.9, **IMMEDIATE)),
    ),
    case(
        "lif_subtract",
        "Linear, Leaky with its default reset",
        reset="subtract the threshold, next step",
        build=lambda: Seq(linear(11, CELLS, INPUTS), leaky(CELLS, reset_mechanism="subtract", reset_delay=True)),
        note="the exporter writes v_reset = 0 whatever the reset is",
    ),
    case(
        "lif_none",
        "Linear, Leaky(reset_mechanism='none')",
        reset="none",
        build=lambda: Seq(linear(11, CELLS, INPUTS), leaky(CELLS, reset_mechanism="none", reset_delay=True)),
        note="the exporter writes a neuron with a reset",
    ),
    case(
        "mixed_resets",
        "Linear, Leaky by default, Linear, Leaky('zero'), Linear, Leaky('none')",
        lambda: Seq(
            linear(11, CELLS, INPUTS),
            snn.Leaky(beta=0.9, init_hidden=True),
            linear(13, CELLS, CELLS),
            snn.Leaky(beta=0.9, reset_mechanism="zero", init_hidden=True),
            linear(14, CELLS, CELLS),
            snn.Leaky(beta=0.8, reset_mechanism="none", init_hidden=True),
        ),
        reset="one for each layer",
        export=None,
    ),
    case(
        "class",
        "a class: Linear, Leaky, Linear with a second one beside it, Leaky(output=True), all scalars",
        Skipping,
        reset="subtract the threshold, next step",
        run=run_class,
        export=None,
    ),
    case(
        "lif_zero_delayed",
        "Linear, Leaky(reset_mechanism='zero'), reset_delay by default",
        reset="to 0, next step before the update",
        build=lambda: Seq(linear(11, CELLS, INPUTS), leaky(CELLS, reset_delay=True)),
        note="same spikes as an immediate reset; only the membrane handed out after a spike differs",
    ),
    case(
        "lif_ties",
        "Linear of whole numbers, Leaky(threshold=2)",
        lambda: Seq(whole(14, CELLS, INPUTS), leaky(CELLS, threshold=full(CELLS, 2.0))),
        note="stands exactly on the threshold after a reset: any rounding of the gain shows",
    ),
    case(
        "if",
        "Linear, Leaky(beta=1)",
        lambda: Seq(
            linear(14, CELLS, INPUTS), snn.Leaky(beta=full(CELLS, 1.0), threshold=full(CELLS, 4.0), **IMMEDIATE)
        ),
        note="tau = dt / (1 - beta) is infinite in the file, and so is r",
    ),
    case(
        "cuba",
        "Linear, Synaptic(alpha, beta one a neuron)",
        lambda: Seq(
            linear(15, CELLS, INPUTS),
            snn.Synaptic(
                alpha=graded(CELLS, 0.4, 0.8), beta=graded(CELLS, 0.7, 0.9), threshold=full(CELLS, 4.0), **IMMEDIATE
            ),
        ),
    ),
    case(
        "cuba_subtract",
        "Linear, Synaptic with its default reset",
        reset="subtract the threshold, next step",
        build=lambda: Seq(
            linear(15, CELLS, INPUTS),
            snn.Synaptic(
                alpha=graded(CELLS, 0.4, 0.8),
                beta=graded(CELLS, 0.7, 0.9),
                threshold=full(CELLS, 4.0),
                init_hidden=True,
            ),
        ),
    ),
    case(
        "conv",
        "Conv2d, Leaky, AvgPool2d(2), Flatten, Linear, Leaky",
        build_conv,
        seed=2,
        size=64,
    ),
    case("conv_norm", "the same with BatchNorm2d", build_norm, seed=2, size=64),
    case(
        "recurrent",
        "Linear, RLeaky(all to all)",
        lambda: Seq(
            linear(16, CELLS, INPUTS),
            recurrent(
                snn.RLeaky(
                    beta=graded(CELLS, 0.8, 0.95), linear_features=CELLS, threshold=full(CELLS, 1.5), **IMMEDIATE
                )
            ),
        ),
    ),
    case(
        "recurrent_subtract",
        "Linear, RLeaky(all to all) with its default reset",
        reset="subtract the threshold, next step",
        build=lambda: Seq(
            linear(16, CELLS, INPUTS),
            recurrent(
                snn.RLeaky(
                    beta=graded(CELLS, 0.8, 0.95), linear_features=CELLS, threshold=full(CELLS, 1.5), init_hidden=True
                )
            ),
        ),
    ),
    case(
        "recurrent_one_to_one",
        "Linear, RLeaky(all_to_all=False, V one a neuron)",
        lambda: Seq(
            linear(16, CELLS, INPUTS),
            recurrent(
                snn.RLeaky(
                    beta=graded(CELLS, 0.8, 0.95),
                    all_to_all=False,
                    V=graded(CELLS, -0.5, 0.5),
                    threshold=full(CELLS, 1.5),
                    **IMMEDIATE,
                )
            ),
        ),
    ),
    case(
        "recurrent_cuba",
        "Linear, RSynaptic(all to all)",
        lambda: Seq(
            linear(17, CELLS, INPUTS),
            recurrent(
                snn.RSynaptic(
                    alpha=graded(CELLS, 0.4, 0.8),
                    beta=graded(CELLS, 0.7, 0.9),
                    linear_features=CELLS,
                    threshold=full(CELLS, 4.0),
                    **IMMEDIATE,
                )
            ),
        ),
        note="with the immediate reset that a file can say, its forward pass does not run",
    ),
    case(
        "recurrent_cuba_delayed",
        "Linear, RSynaptic(all to all, reset_delay by default)",
        reset="to 0 in the next step, whose input is lost",
        build=lambda: Seq(
            linear(17, CELLS, INPUTS),
            recurrent(
                snn.RSynaptic(
                    alpha=graded(CELLS, 0.4, 0.8),
                    beta=graded(CELLS, 0.7, 0.9),
                    linear_features=CELLS,
                    threshold=full(CELLS, 4.0),
                    **{**IMMEDIATE, "reset_delay": True},
                )
            ),
        ),
        note="a neuron stays at 0 for the whole step after a spike: the file cannot say so",
    ),
]

if __name__ == "__main__":
    torch.set_num_threads(1)
    main("snntorch", CASES, ("snntorch", "nir", "nirtorch", "torch"))
