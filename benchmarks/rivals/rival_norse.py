"""Norse: Linear and LIFBoxCell, step by step, batch of one. Its input is scaled by 1 - keep, so its threshold is too."""

from importlib.metadata import version

import norse.torch as norse
import shared
import torch
from norse.torch.functional.lif_box import LIFBoxParameters


def measure(work: shared.Problem) -> shared.Measured:
    torch.set_num_threads(1)
    weights = [torch.from_numpy(w).float() for w in work.weights]
    gain = 1.0 - work.keep
    values = (gain * 1000.0, 0.0, gain * work.threshold, 0.0)  # 1/tau in 1/s at dt = 1 ms, leak, threshold, reset
    cell = norse.LIFBoxCell(LIFBoxParameters(*(torch.tensor(x) for x in values)), dt=0.001)

    def run(steps: int) -> list[int]:
        states: list[object] = [None] * len(weights)
        counts = [0] * len(weights)
        for x in torch.from_numpy(work.spikes[:steps]).float():
            for k, weight in enumerate(weights):
                x, states[k] = cell(torch.nn.functional.linear(x, weight), states[k])
                counts[k] += int(x.sum())
        return counts

    with torch.no_grad():
        run(5)
        return shared.timed(lambda: run(work.steps))


shared.main("Norse", lambda: version("norse"), measure, numerics="float32")
