"""`verify`: is this bundle sound?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from neurodeploy.bundle import Bundle, open_bundle
from neurodeploy.bundle.golden import Vectors, golden_inputs, golden_steps, read_golden
from neurodeploy.bundle.linear_files import file_names, row_scales
from neurodeploy.bundle.populations import SOURCE_NIR
from neurodeploy.bundle.writer import FOLDER
from neurodeploy.errors import BundleError
from neurodeploy.flow import ranges
from neurodeploy.ir.run import Runner
from neurodeploy.pipeline.comparing import has_float
from neurodeploy.pipeline.counts import left_to_host
from neurodeploy.pipeline.session import PARTITIONED, Progress, extent, load_mapping
from neurodeploy.synapses.linear import LinearLayer, linear_layers

AGAIN = "convert the model again"


def verify(bundle: str | Path, *, progress: Progress | None = None) -> dict[str, Any]:
    """Check a bundle from end to end: digests, NIR files by `nir.read`, golden vectors on both runners, the mapping.

    A mapping is executed, core by core: golden vectors where an island or network has them, payloads of the same sort for
    islands that have none. Damage and differences are raised as `BundleError`; a mapping that exceeds a budget is not
    executed, and returned in `violations`; that of a model without weights is verified alone.
    """
    from simulators import RUNNERS, get_runner
    from simulators.partitioned import PartitionedRunner

    opened = open_bundle(bundle)
    golden = [] if opened.hollow else read_golden(opened.path, opened.program)
    found: dict[str, Any] = {"bundle": str(bundle), "members": len(opened.manifest["members"])}
    found |= _read_by_nir(opened, progress) | {"golden_steps": max((each.steps for each in golden), default=0)}
    found["widths"] = ranges.summary(opened.program.network)
    vectors = {name: sum(_reproduced(get_runner(name), each) for each in golden) for name in RUNNERS}
    found |= {"golden_vectors": vectors, "mapped": opened.is_mapped, "executed": None, "violations": []}
    if opened.is_mapped:
        mapping, system, found["violations"] = load_mapping(opened)
        if not found["violations"] and not opened.hollow:
            runner, hosted = PartitionedRunner(mapping, system.chip), left_to_host(opened)
            given = [each for each in _with_others(opened, golden) if each.segment.name not in hosted]
            if given:
                vectors[PARTITIONED] = sum(_reproduced(runner, each) for each in given)
                found["executed"] = extent(mapping)
    return found


def _read_by_nir(opened: Bundle, progress: Progress | None) -> dict[str, Any]:
    """What plain `nir.read` reads of the bundle: every linear layer as we run it, the float network that it was made of."""
    layers = [] if opened.hollow else linear_layers(opened.program)
    for done, layer in enumerate(layers):
        if progress:
            progress("verify", done, len(layers))
        _check_layer(opened.path / FOLDER / file_names(layer.name)[0], layer)
    if progress and layers:
        progress("verify", len(layers), len(layers))
    read = has_float(opened) and bool(opened.program.conversion.get("pure_nir", True))
    if read:
        _read(opened.path / SOURCE_NIR)
    return {"layers_read_by_nir": len(layers), "source_read_by_nir": read if has_float(opened) else None}


def _read(path: Path) -> Any:
    """ND5008 where plain `nir.read` does not take the file."""
    import nir

    try:
        return nir.read(path)
    except Exception as error:  # whatever a foreign reader makes of it
        raise BundleError("ND5008", path, f"nir.read refuses it: {error!r:.200}", AGAIN) from None


def _check_layer(path: Path, layer: LinearLayer) -> None:
    """Plain `nir.read` must give the layer's graph with the weights and scales that we run; ND5008 otherwise."""
    graph = _read(path)
    weight = getattr(graph.nodes.get("synapses"), "weight", np.empty(0))
    scale = getattr(graph.nodes.get("scale"), "scale", np.empty(0))
    wanted = layer.synapses.synapse.matrix()
    same = weight.dtype == wanted.dtype and np.array_equal(weight, wanted)
    if not (same and np.array_equal(scale, row_scales(layer))):
        raise BundleError("ND5008", path, "differs from the integers beside it", AGAIN)


def _with_others(opened: Bundle, golden: list[Vectors]) -> Iterator[Vectors]:
    """The golden vectors, and of every other segment as many by the fast runner, which has just reproduced those of the
    reference."""
    from simulators import get_runner

    yield from golden
    for segment in opened.program.segments:
        steps = golden_steps(segment.network)
        if steps and segment.name not in {each.segment.name for each in golden}:
            inputs = golden_inputs(segment)
            outputs = get_runner("fast").run(segment.network, inputs, steps).outputs
            yield Vectors(segment, steps, inputs, dict(outputs))


def _reproduced(runner: Runner, golden: Vectors) -> int:
    """How many output populations agree; all, or ND5009."""
    result = runner.run(golden.segment.network, golden.inputs, golden.steps)
    for population, expected in golden.outputs.items():
        differ = int(np.count_nonzero(result.outputs[population] != expected))
        if differ:
            problem = f"{differ} of {expected.size} golden outputs differ"
            fix = "report it with the output of `neurodeploy doctor`"
            raise BundleError("ND5009", f"{population} on {runner.name}", problem, fix)
    return len(golden.outputs)
