"""snnTorch: Linear and Leaky, step by step, batch of one."""

from importlib.metadata import version

import shared
import snntorch
import torch


def measure(work: shared.Problem) -> shared.Measured:
    torch.set_num_threads(1)
    weights = [torch.from_numpy(w).float() for w in work.weights]
    cells = [
        snntorch.Leaky(beta=work.keep, threshold=work.threshold, reset_mechanism="zero", reset_delay=False)
        for _ in weights
    ]

    def run(steps: int) -> list[int]:
        states = [torch.zeros(1, w.shape[0]) for w in weights]
        counts = torch.zeros(len(weights), dtype=torch.int64)
        for x in torch.from_numpy(work.spikes[:steps]).float()[:, None]:
            for k, (weight, cell) in enumerate(zip(weights, cells, strict=True)):
                x, states[k] = cell(torch.nn.functional.linear(x, weight), states[k])
                counts[k] += int(x.sum())
        return counts.tolist()

    with torch.no_grad():
        run(5)
        return shared.timed(lambda: run(work.steps))


shared.main("snnTorch", lambda: version("snntorch"), measure, numerics="float32")
