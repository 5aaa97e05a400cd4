"""Norse: networks, its own `to_nir`, its own spikes. Its time constants are inverse, its step is 1e-3 s unless told."""

from __future__ import annotations

from pathlib import Path

import nir
import norse.torch as norse
import torch
from cases import Case, main, spikes_in, weights
from norse.torch.functional.iaf import IAFParameters
from norse.torch.functional.leaky_integrator_box import LIBoxParameters
from norse.torch.functional.lif import LIFParameters
from norse.torch.functional.lif_box import LIFBoxParameters
from norse.torch.functional.reset import reset_subtract

DT = 1e-3
INPUTS, CELLS = 12, 8


def full(value: float, size: int = CELLS) -> torch.Tensor:
    return torch.full((size,), value)


def linear(seed: int, rows: int, columns: int, mean: float = 1.0) -> torch.nn.Linear:
    layer = torch.nn.Linear(columns, rows)
    layer.weight.data = torch.from_numpy(weights(seed, rows, columns, mean=mean, spread=3.0))
    layer.bias.data = torch.zeros(rows)
    return layer


def lif_box(**more: object) -> norse.LIFBoxCell:
    given = {
        "tau_mem_inv": torch.linspace(50.0, 200.0, CELLS),
        "v_th": full(1.0),
        "v_leak": full(0.0),
        "v_reset": full(0.0),
    }
    return norse.LIFBoxCell(LIFBoxParameters(**{**given, **more}), dt=DT)


def lif_cell(**more: object) -> norse.LIFCell:
    given = {
        "tau_mem_inv": torch.linspace(50.0, 150.0, CELLS),
        "tau_syn_inv": torch.linspace(150.0, 400.0, CELLS),
        "v_th": full(1.0),
        "v_leak": full(0.0),
        "v_reset": full(0.0),
    }
    return norse.LIFCell(LIFParameters(**{**given, **more}), dt=DT)


def net(*layers: torch.nn.Module) -> norse.SequentialState:
    return norse.SequentialState(*layers)


def run(model: norse.SequentialState, inputs: object) -> dict[str, dict[str, object]]:
    traces: dict[str, dict[str, list[torch.Tensor]]] = {}
    states: dict[str, object] = {}
    shape = getattr(model, "input_shape", None)
    with torch.no_grad():
        for row in torch.from_numpy(inputs).float():
            x = row.reshape(shape) if shape else row
            x = x[None] if getattr(model, "batched", False) else x
            for index, (name, layer) in enumerate(model.named_children()):
                if not model.stateful_layers[index]:
                    x = layer(x)
                    continue
                x, states[name] = layer(x, states.get(name))
                trace = traces.setdefault(
                    name, {"v": []} if isinstance(layer, norse.LIBoxCell) else {"spikes": [], "v": []}
                )
                trace["v"].append(states[name].v.clone())
                if "spikes" in trace:
                    trace["spikes"].append(x.clone())
    return traces


def exporter(compression: str | None = "gzip", infer: bool = False, **more: object) -> object:
    def export(model: norse.SequentialState, path: Path) -> None:
        shape = getattr(model, "input_shape", None)
        graph = norse.to_nir(model, torch.zeros(*(shape or (INPUTS,))), **more)
        if infer:  # the user lets nir fill in the shapes that the exporter leaves open
            graph.infer_types()
        nir.write(path, graph, compression=compression)

    return export


def conv_layers() -> tuple[torch.nn.Module, torch.nn.Module]:
    conv = torch.nn.Conv2d(1, 3, 3, padding=1)
    conv.weight.data = torch.from_numpy(weights(31, 3, 1, 3, 3, mean=1.0, spread=2.0))
    conv.bias.data = torch.zeros(3)
    cell = norse.LIFBoxCell(LIFBoxParameters(*(torch.full((3, 8, 8), x) for x in (100.0, 0.0, 1.0, 0.0))), dt=DT)
    return conv, cell


def image(*layers: torch.nn.Module) -> norse.SequentialState:
    model = net(*layers)
    model.input_shape = (1, 8, 8)
    return model


def in_batches(model: norse.SequentialState) -> norse.SequentialState:
    model.batched = True
    return model


def recurrent() -> norse.SequentialState:
    cell = norse.LIFRecurrentCell(INPUTS, CELLS, dt=DT)
    cell.input_weights.data = torch.from_numpy(weights(15, CELLS, INPUTS, mean=1.0, spread=3.0))
    cell.recurrent_weights.data = torch.from_numpy(weights(41, CELLS, CELLS, spread=1.0)).fill_diagonal_(0.0)
    return net(cell)


def sequence() -> norse.SequentialState:
    return net(norse.Lift(linear(15, CELLS, INPUTS)), norse.LIF(dt=DT))


def run_sequence(model: norse.SequentialState, inputs: object) -> dict[str, dict[str, object]]:
    with torch.no_grad():
        return {"1": {"spikes": model(torch.from_numpy(inputs).float()[:, None])[0]}}


def case(
    name: str,
    network: str,
    build: object,
    *,
    note: str = "",
    told: dict[str, object] | None = None,
    seed: int = 1,
    size: int = INPUTS,
    dt: float = DT,
    reset: str = "to v_reset, same step",
    run: object = run,
    asked: bool = True,
) -> Case:
    told = told or {}
    call = f"norse.to_nir(net, sample (..){''.join(f', {k}={v}' for k, v in told.items())})"
    return Case(
        name=name,
        network=network,
        dt=dt,
        reset=reset,
        threshold="v > v_th",
        build=build,
        run=run,
        export=exporter(**told) if asked else None,
        call=call,
        inputs=spikes_in(seed, size),
        note=note,
    )


TAU_NOTE = "tau in the file is dt / tau_inv = dt * tau: a thousand times too small at dt = 1e-3 s"
CASES = [
    case(
        "lif",
        "Linear, LIFBoxCell (parameters one a neuron)",
        lambda: net(linear(11, CELLS, INPUTS), lif_box()),
        note=TAU_NOTE,
    ),
    case(
        "lif_dt_one",
        "the same, exporter told dt=1",
        lambda: net(linear(11, CELLS, INPUTS), lif_box()),
        told={"dt": 1.0},
        note="a way round: tau = 1 / tau_inv is then right",
    ),
    case(
        "lif_two_layers",
        "Linear, LIFBoxCell, Linear, LIFBoxCell",
        lambda: net(linear(12, CELLS, INPUTS), lif_box(), linear(13, CELLS, CELLS, mean=2.0), lif_box()),
        told={"dt": 1.0},
    ),
    case(
        "lif_scalar",
        "Linear, LIFBoxCell(), as in its documentation",
        lambda: net(linear(11, CELLS, INPUTS), norse.LIFBoxCell()),
    ),
    case(
        "lif_scalar_uncompressed",
        "the same, written without compression",
        lambda: net(linear(11, CELLS, INPUTS), norse.LIFBoxCell()),
        told={"dt": 1.0, "compression": None},
    ),
    case(
        "lif_leak_reset",
        "Linear, LIFBoxCell, v_leak = 0.25, v_reset = -0.5",
        lambda: net(linear(11, CELLS, INPUTS), lif_box(v_leak=full(0.25), v_reset=full(-0.5))),
        told={"dt": 1.0},
        note="v_reset is not in the file, and the membrane starts at v_leak",
    ),
    case(
        "lif_subtract",
        "Linear, LIFBoxCell, reset_method = reset_subtract",
        lambda: net(linear(11, CELLS, INPUTS), lif_box(reset_method=reset_subtract)),
        told={"dt": 1.0},
        reset="subtract the threshold, same step",
        note="reset_method is not in the file",
    ),
    case(
        "cuba",
        "Linear, LIFCell (parameters one a neuron)",
        lambda: net(linear(15, CELLS, INPUTS), lif_cell()),
        note=TAU_NOTE,
    ),
    case(
        "cuba_dt_one",
        "the same, exporter told dt=1",
        lambda: net(linear(15, CELLS, INPUTS), lif_cell()),
        told={"dt": 1.0},
        note="a spike adds its whole weight to the current; the file says w_in = 1, which is dt / tau_syn of it",
    ),
    case(
        "if",
        "Linear, IAFCell",
        lambda: net(linear(14, CELLS, INPUTS), norse.IAFCell(IAFParameters(v_th=full(20.0), v_reset=full(0.0)), dt=DT)),
        note="a spike adds its whole weight; the file says r = 1, which is dt of it",
    ),
    case(
        "li",
        "Linear, LIFBoxCell, Linear, LIBoxCell",
        lambda: net(
            linear(12, CELLS, INPUTS),
            lif_box(),
            linear(13, CELLS, CELLS, mean=2.0),
            norse.LIBoxCell(LIBoxParameters(tau_mem_inv=full(100.0), v_leak=full(0.0)), dt=DT),
        ),
        told={"dt": 1.0},
    ),
    case("conv", "Conv2d, LIFBoxCell", lambda: image(*conv_layers()), seed=2, size=64, told={"dt": 1.0}),
    case(
        "conv_inferred",
        "the same, shapes filled in by nir",
        lambda: image(*conv_layers()),
        seed=2,
        size=64,
        told={"dt": 1.0, "infer": True},
    ),
    case(
        "conv_pool",
        "Conv2d, LIFBoxCell, AvgPool2d, Flatten, Linear",
        seed=2,
        size=64,
        told={"dt": 1.0},
        build=lambda: image(*conv_layers(), torch.nn.AvgPool2d(2), torch.nn.Flatten(0), linear(32, 5, 48)),
    ),
    case(
        "conv_pool_samples",
        "Conv2d, LIFBoxCell, AvgPool2d, Flatten, Linear, LIFBoxCell, with an axis for samples",
        lambda: in_batches(
            image(*conv_layers(), torch.nn.AvgPool2d(2), torch.nn.Flatten(), linear(32, CELLS, 48, mean=0.5), lif_box())
        ),
        seed=2,
        size=64,
        asked=False,
    ),
    case("recurrent", "LIFRecurrentCell", recurrent, told={"dt": 1.0}),
    case("lif_sequence", "Lift(Linear), LIF: the whole sequence at once", sequence, run=run_sequence, asked=False),
]

if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.manual_seed(7)
    main("norse", CASES, ("norse", "nir", "nirtorch", "torch"))
