"""`verify`: is this bundle sound?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from neurodeploy.bundle import AnyPath, Bundle, open_bundle
from neurodeploy.bundle.golden import Vectors, golden_inputs, golden_steps, read_golden
from neurodeploy.bundle.linear_files import nodes_of
from neurodeploy.bundle.nir_graph import layer_scales, units_of
from neurodeploy.bundle.nir_parts import graph_of
from neurodeploy.bundle.parts_folder import ORDER, part_files
from neurodeploy.bundle.populations import SOURCE_NIR
from neurodeploy.bundle.writer import FOLDER
from neurodeploy.errors import BundleError
from neurodeploy.flow import ranges
from neurodeploy.frontends.nir.schema import NodeFields
from neurodeploy.ir.run import Runner
from neurodeploy.pipeline.comparing import has_float
from neurodeploy.pipeline.counts import left_to_host
from neurodeploy.pipeline.session import PARTITIONED, Progress, extent, load_mapping
from neurodeploy.pipeline.verbs import verb

AGAIN = "convert the model again"
#: Nodes and edges of NIR.
Graph = tuple[dict[str, NodeFields], list[tuple[str, str]]]


@verb
def verify(bundle: AnyPath, *, progress: Progress | None = None) -> dict[str, Any]:
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
    files = [] if opened.hollow else list(_graphs(opened))
    for done, (name, wanted) in enumerate(files):
        if progress:
            progress("verify", done, len(files))
        _check_graph(opened.path / name, wanted())
    if progress and files:
        progress("verify", len(files), len(files))
    read = has_float(opened) and bool(opened.program.conversion.get("pure_nir", True))
    if read:
        _read(opened.path / SOURCE_NIR)
    return {"layers_read_by_nir": len(files), "source_read_by_nir": read if has_float(opened) else None}


def _read(path: Path) -> Any:
    """ND5008 where plain `nir.read` does not take the file."""
    import nir

    try:
        return nir.read(path)
    except Exception as error:  # whatever a foreign reader makes of it
        raise BundleError("ND5008", path, f"nir.read refuses it: {error!r:.200}", AGAIN) from None


def _graphs(opened: Bundle) -> Iterator[tuple[str, Callable[[], Graph]]]:
    """The NIR files of a bundle, linear layers and parts, and what each must hold."""
    program, units = opened.program, units_of(opened.program)

    def layer(file: str, name: str) -> Graph:
        into = program.network.into(name)
        if len(into) != 1 or not into[0].synapse.uniform:
            raise BundleError("ND5008", opened.path / file, "is of no linear layer of the program", AGAIN)
        neurons, unit = program.network.populations[name], units[into[0].source].scale.value
        nodes = nodes_of(into[0], neurons, unit, layer_scales(program, name, units))
        return nodes, list(pairwise(nodes))

    for file in opened.manifest["members"]:
        if file.startswith(f"{FOLDER}/") and file.endswith(".nir"):
            yield file, partial(layer, file, file.removeprefix(f"{FOLDER}/").removesuffix(".nir"))
    if ORDER in opened.manifest["members"]:
        for part, piece in part_files(program):
            if part:
                yield part, partial(graph_of, program, piece, units)


def _check_graph(path: Path, wanted: Graph) -> None:
    """Plain `nir.read` must give the nodes, weights and scales that we run; ND5008 otherwise."""
    graph, (nodes, edges) = _read(path), wanted
    same = set(graph.nodes) == set(nodes) and {tuple(edge) for edge in graph.edges} == set(edges)
    if not same or not all(_same(graph.nodes[name], fields) for name, fields in nodes.items()):
        raise BundleError("ND5008", path, "differs from the integers beside it", AGAIN)


def _same(node: Any, fields: NodeFields) -> bool:
    """Whether a node of nir has these fields, and no number of another type."""
    if type(node).__name__ != fields["type"]:
        return False
    for key in fields.keys() - {"type", "shape"}:
        wanted, found = np.asarray(fields[key]), np.asarray(getattr(node, key))
        if found.dtype != wanted.dtype or not np.array_equal(found, wanted):
            return False
    return True


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
