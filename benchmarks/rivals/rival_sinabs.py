"""sinabs: Linear and LIF, all steps of a layer before the next layer (its own way)."""

import math
from importlib.metadata import version

import shared
import sinabs.layers as sl
import torch
from sinabs.activation import MembraneReset, SingleSpike


def measure(work: shared.Problem) -> shared.Measured:
    torch.set_num_threads(1)
    weights = [torch.from_numpy(w).float() for w in work.weights]
    tau = -1.0 / math.log(work.keep)

    def run(steps: int) -> list[int]:
        counts = []
        x = torch.from_numpy(work.spikes[:steps]).float()[None]
        for weight in weights:
            cell = sl.LIF(
                tau_mem=tau, spike_threshold=torch.tensor(float(work.threshold)), spike_fn=SingleSpike,
                reset_fn=MembraneReset(), norm_input=False,
            )  # fmt: skip
            x = cell(torch.nn.functional.linear(x, weight))
            counts.append(int(x.sum()))
        return counts

    with torch.no_grad():
        run(5)
        return shared.timed(lambda: run(work.steps))


shared.main("sinabs", lambda: version("sinabs"), measure, numerics="float32")
