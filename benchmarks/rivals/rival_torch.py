"""Plain torch: one float32 matrix product a layer over all steps, then the neurons step by step."""

import shared
import torch


def measure(work: shared.Problem) -> shared.Measured:
    torch.set_num_threads(1)
    weights = [torch.from_numpy(w).float() for w in work.weights]

    def run(steps: int) -> list[int]:
        counts = []
        x = torch.from_numpy(work.spikes[:steps]).float()
        for weight in weights:
            currents = x @ weight.T
            v = torch.zeros(weight.shape[0])
            for t in range(len(currents)):
                v = v.mul_(work.keep).add_(currents[t])
                fired = v > work.threshold
                v[fired] = 0.0
                currents[t] = fired
            x = currents
            counts.append(int(x.sum()))
        return counts

    with torch.no_grad():
        run(5)
        return shared.timed(lambda: run(work.steps))


shared.main("torch, layer by layer", lambda: torch.__version__, measure, numerics="float32")
