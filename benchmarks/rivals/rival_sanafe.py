"""SANA-FE (GPL-3.0: run as a process of its own, nothing of it is linked): its Loihi 1, a layer a core, detailed timing.

It counts energy and time. The input is played twice: once for the clock, once more with a trace, which gives the rates of
each layer; the synaptic events are those that it counted itself in the timed part.
"""

from importlib.metadata import version

import sanafe
import shared


def build(work: shared.Problem) -> tuple[object, list[str]]:
    chip = sanafe.load_loihi()
    net = sanafe.Network()
    size = work.weights.shape[1]
    source = net.create_neuron_group("input", size)
    for i in range(size):
        source[i].set_attributes(
            soma_hw_name=f"loihi_inputs[{i}]", model_attributes={"spikes": 2 * [int(s) for s in work.spikes[:, i]]}
        )
    source.map_to_core(chip.tiles[0].cores[0])
    names = []
    for k, weight in enumerate(work.weights):
        name = f"layer{k}"
        attributes = {"threshold": float(work.threshold), "leak_decay": work.keep, "reset": 0.0, "reset_mode": "hard"}
        group = net.create_neuron_group(
            name, size, soma_hw_name="loihi_lif", model_attributes=attributes, log_spikes=True
        )
        source.connect_neurons_dense(group, {"weight": weight.T.astype(float).ravel().tolist()})
        group.map_to_core(chip.tiles[(k + 1) // 4].cores[(k + 1) % 4])
        names.append(name)
        source = group
    runner = sanafe.SpikingChip(chip)
    runner.load(net)
    return runner, names


def measure(work: shared.Problem) -> shared.Measured:
    runner, names = build(work)
    result = {}

    def run() -> list[int]:
        result.update(runner.sim(work.steps, processing_threads=1, scheduler_threads=0))
        return []

    measured = shared.timed(run)
    measured.synaptic_events = result["spikes"]
    trace = runner.sim(work.steps, processing_threads=1, scheduler_threads=0, spike_trace=True)["spike_trace"]
    counts = dict.fromkeys(names, 0)
    for step in trace:
        for neuron in step:
            counts[str(neuron).split(".")[0]] += 1
    measured.layer_spikes = list(counts.values())
    return measured


shared.main("SANA-FE", lambda: version("sanafe"), measure, counts_energy=True, numerics="float64")
