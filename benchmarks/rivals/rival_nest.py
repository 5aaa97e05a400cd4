"""NEST: iaf_psc_delta with the exact decay of the step, one step of delay a synapse."""

import math
from importlib.metadata import version

import nest
import numpy as np
import shared


def measure(work: shared.Problem) -> shared.Measured:
    nest.set_verbosity("M_ERROR")
    nest.ResetKernel()
    nest.SetKernelStatus({"resolution": 1.0, "local_num_threads": 1})
    size = work.weights.shape[1]
    times = [(np.flatnonzero(work.spikes[:, i]) + 1.0).tolist() for i in range(size)]
    source = nest.Create("spike_generator", size, params=[{"spike_times": t} for t in times])
    cell = {
        "tau_m": -1.0 / math.log(work.keep), "C_m": 1.0, "E_L": 0.0, "V_reset": 0.0, "V_m": 0.0,
        "V_th": float(work.threshold), "t_ref": 0.0, "I_e": 0.0,
    }  # fmt: skip
    layers = []
    for weight in work.weights:
        layer = nest.Create("iaf_psc_delta", size, params=cell)
        nest.Connect(source, layer, "all_to_all", {"weight": weight.astype(float), "delay": 1.0})
        layers.append(layer)
        source = layer
    recorders = nest.Create("spike_recorder", len(layers))
    for layer, recorder in zip(layers, recorders, strict=True):
        nest.Connect(layer, recorder)
    nest.Prepare()
    nest.Run(1.0)

    def run() -> list[int]:
        nest.Run(float(work.steps - 1))
        return []

    measured = shared.timed(run)
    nest.Cleanup()
    measured.layer_spikes = [int(recorder.n_events) for recorder in recorders]
    return measured


shared.main("NEST", lambda: version("nest-simulator"), measure, numerics="float64")
