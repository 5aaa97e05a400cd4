"""What several verbs need of a program that streams feed: an input stream, a runner, probes."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.bundle import AnyPath, Bundle, open_bundle
from neurodeploy.conversion.tensors.coding import Coding
from neurodeploy.errors import UserError
from neurodeploy.ir.devices import hosted_populations
from neurodeploy.ir.fixedpoint import Ints, signed_max
from neurodeploy.ir.mapping import Mapping as Mapped
from neurodeploy.ir.network import Network
from neurodeploy.ir.population import Population
from neurodeploy.ir.run import Probe, Runner
from neurodeploy.ir.segments import Encode
from neurodeploy.ir.tensors import FORMAT
from neurodeploy.neurons.registry import get_model
from neurodeploy.pipeline.session import BOARD, PARTITIONED, read_mapping, runner_of
from neurodeploy.pipeline.tensor_runs import coding_of, in_steps
from neurodeploy.pipeline.texts import hybrid

if TYPE_CHECKING:
    from neurodeploy.frontends.streams import Stream

#: Largest payload of the calibration of an input that is no spike: 16 bits with a sign.
GRADED_PAYLOAD = (1 << 15) - 1
RUNNERS = ("fast", "reference", "lava", BOARD, PARTITIONED)
#: Seconds of the reference runner for a population or projection in a step, and for a synapse or neuron in a step of a
#: sample; what the compiled kernels take to load in the same seconds. All three scale with the processor.
PART_S, ITEM_S, LOAD_S = 50e-6, 10e-9, 0.3


def fed(input: str | Path, bundle: Bundle, runner: str, steps: int | None, layout: str | None) -> tuple[Stream, Runner]:
    """What is run, as `stream_of` reads it, and what runs it."""
    stream = stream_of(input, bundle, steps, layout)
    return stream, runner_for(runner, bundle, stream.steps, stream.samples)


def runner_for(name: str, bundle: Bundle, steps: int, samples: int) -> Runner:
    """The runner of that name for so much work. Where the reference is done before the compiled kernels of "fast" are
    loaded, it runs in their place, with the same bits. ND3257 for an unknown name."""
    if name not in RUNNERS:
        raise UserError("ND3257", name, "is not a runner of spiking networks", f"choose one of {', '.join(RUNNERS)}")
    if bundle.program.host and name in ("lava", BOARD):
        problem = "computes no operation of a host, and this program has some"
        others = ", ".join(runner for runner in RUNNERS if runner not in ("lava", BOARD))
        raise UserError("ND3257", name, problem, f"choose one of {others}")
    network = bundle.program.network
    if name == "fast" and not bundle.program.host and "simulators.fast.runner" not in sys.modules:
        items = sum(p.size for p in network.populations.values())
        items += sum(p.synapse.count() for p in network.projections)
        parts = len(network.populations) + len(network.projections)
        if steps * (parts * PART_S + samples * items * ITEM_S) < LOAD_S:
            name = "reference"
    if name == "lava":
        from simulators.lava import LavaRunner

        return LavaRunner()
    if name == BOARD:
        return _board(bundle, runner_for("fast", bundle, steps, samples))
    return hybrid(bundle, name) if bundle.program.host else runner_of(bundle, name)


def _board(bundle: Bundle, twin: Runner) -> Runner:
    """Placed by the bundle's mapping, where it has one. ND4002 where there is no board, before anything is read or run;
    ND3292 where the mapping leaves a population to the host."""
    from simulators.lava.board import Loihi2Runner, require_board

    require_board()
    mapping = read_mapping(bundle)[0] if bundle.is_mapped else None
    refuse_hosted(bundle, mapping, "a board")
    return Loihi2Runner(twin, mapping)


def refuse_hosted(bundle: Bundle, mapping: Mapped | None, who: str) -> None:
    """ND3292 where a mapping leaves a population to the host, which those who have chips alone cannot run."""
    for name in sorted(hosted_populations(bundle.program, mapping.assignments if mapping else ())):
        problem = f"is computed by the host in this mapping, and {who} has chips alone"
        raise UserError("ND3292", name, problem, "map the bundle without its pin")


def open_spiking(path: AnyPath) -> Bundle:
    """The bundle of a spiking network; ND3250 for a language model, which those that run spikes alone cannot take."""
    opened = open_bundle(path)
    if not opened.program.streamed:
        fix = "give a bundle that was converted from a .nir or .net file"
        raise UserError("ND3250", path, "holds a language model, not a spiking network", fix)
    return opened


def first_sample(
    path: str | Path, bundle: Bundle, steps: int | None, layout: str | None
) -> tuple[dict[str, Ints], list[str]]:
    """What an export takes of an input file: by input (steps, size) of its first sample, and what there is to say of it."""
    stream = stream_of(path, bundle, steps, layout)
    notes = [*stream.questions, *stream.notes]
    if stream.samples > 1:
        notes.append(f"the first of {stream.samples} samples is played")
    return {name: np.asarray(array[0], np.int64) for name, array in stream.inputs.items()}, notes


def stream_of(path: str | Path, bundle: Bundle, steps: int | None, layout: str | None = None) -> Stream:
    """The input file as the conversion of this bundle takes it: shapes of the source, units of real-valued inputs.

    ND3268 where an input that was converted for spikes holds other payloads: the float network would read their size.
    """
    from neurodeploy.frontends.streams import read_stream

    network = bundle.program.network
    conversion: Mapping[str, Any] = bundle.program.conversion
    shapes = {name: tuple(shape) for name, shape in conversion.get("shapes", {}).items()}
    graded = [name for name in conversion.get("graded", ()) if name in network.inputs]
    units = {name: float(conversion["inputs"][name]["unit"]) for name in graded}
    encoded = {step.population for step in bundle.program.host if isinstance(step, Encode)}
    if encoded:  # what the host feeds comes from no file
        fed_by_file = {name: p for name, p in network.populations.items() if name not in encoded}
        network = replace(network, populations=fed_by_file)
    seconds = None if network.dt is None else network.dt.value
    stream = read_stream(path, network, steps, seconds, shapes, units, layout)
    if conversion.get("format") == FORMAT:
        _of_samples(stream, network, coding_of(conversion))
    for name, array in stream.inputs.items():
        if name in graded:
            _tell_larger(name, array, stream)
        elif not any(p.valued for p in network.projections if p.source == name):
            _check_spikes(f"{path}: {name}", name, array, stream, conversion)
    return stream


def _of_samples(stream: Stream, network: Network, coding: Coding) -> None:
    """What was read of a network of tensors are samples, given in the steps of its code; what is beyond the width of its
    input is clipped, and told."""
    if stream.samples == 1 and (coding.in_time or all(p.instant for p in network.projections)):
        stream.inputs = {name: in_steps(coding, array.swapaxes(0, 1)) for name, array in stream.inputs.items()}
        stream.samples, stream.steps, _ = next(iter(stream.inputs.values())).shape
    stream.questions.clear()
    for name, array in stream.inputs.items():
        top = signed_max(int(network.populations[name].params["bits"]))
        cut = int(np.count_nonzero(np.abs(array) > top))
        if cut:
            stream.notes.append(
                f"{name}: {cut} values are beyond the range of the samples it was converted with, and clipped"
            )
            stream.inputs[name] = array.clip(-top, top)


def _tell_larger(name: str, array: Ints, stream: Stream) -> None:
    """Payloads beyond those of the calibration are exact, but nothing was scaled for them."""
    beyond = int(np.count_nonzero(np.abs(array.astype(np.int64)) > GRADED_PAYLOAD))
    if beyond:
        stream.notes.append(f"{name}: {beyond} values are larger than any of the calibration")


def _check_spikes(where: str, name: str, array: Ints, stream: Stream, conversion: Mapping[str, Any]) -> None:
    odd = int(np.count_nonzero((array != 0) & (array != 1)))
    if not odd:
        return
    if conversion.get("format") == "NIR" and not conversion.get("options", {}).get("compat"):
        problem = f"has {odd} values other than 0 and 1, and the network was converted for spikes"
        raise UserError("ND3268", where, problem, "convert the network again with --calibration and a typical input")
    stream.notes.append(f"{name}: {odd} values other than 0 and 1 count as 1, its synapses do not read sizes")


def lengthened(stream: Stream, more: int) -> Stream:
    """The same input with `more` silent steps behind it."""
    from neurodeploy.frontends.streams.reading import padded

    steps = stream.steps + more
    inputs = {name: padded(array, steps) for name, array in stream.inputs.items()}
    return replace(stream, inputs=inputs, steps=steps)


def source_order(bundle: Bundle, population: Population) -> NDArray[np.int64] | None:
    """(size,) index on the chip of each neuron in the order of the source; None where both are the same.

    NIR and tensors count (channel, height, width), the chip (x, y, channel); a .net counts like the chip.
    """
    if bundle.program.conversion.get("format") not in ("NIR", FORMAT) or len(population.shape) < 2:
        return None
    order: NDArray[np.int64] = np.arange(population.size, dtype=np.int64).reshape(population.shape).T.reshape(-1)
    return order


def probe_of(text: str, network: Network, most: int | None = None) -> Probe:
    """ "POPULATION.VARIABLE" as a probe of all neurons, or of `most` spread evenly. ND3258 where there is no such thing."""
    name, _, variable = text.rpartition(".")
    population = network.populations.get(name)
    if population is None:
        raise UserError("ND3258", text, "names no population", f"the populations are {', '.join(network.populations)}")
    known = observables(population)
    if variable not in known:
        raise UserError("ND3258", text, f"{name} has no variable {variable!r}", f"it has {', '.join(known)}")
    chosen = None
    if most is not None and population.size > most:
        chosen = tuple(population.size * i // most for i in range(most))
    return Probe(name, variable, chosen)


def observables(population: Population) -> tuple[str, ...]:
    """What a probe can name in a population: states, input ports, output ports."""
    if population.model == "input":
        return ("s",)
    model = get_model(population.model)
    return (*model.state, *model.ports, *model.outputs)


def probes_of(texts: Sequence[str], network: Network) -> tuple[Probe, ...]:
    return tuple(probe_of(text, network) for text in texts)
