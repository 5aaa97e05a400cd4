"""`export`: a bundle for other tools, as NIR, as a lava-dl .net, as a Lava script, or with its mapping for SANA-FE."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from neurodeploy.bundle import AnyPath, Bundle, open_bundle
from neurodeploy.bundle.files import check_place, write_aside, writing
from neurodeploy.bundle.folders import refuse_others
from neurodeploy.bundle.populations import SOURCE_NIR
from neurodeploy.errors import BundleError, UserError, some
from neurodeploy.ir.network import Network
from neurodeploy.ir.program import Program
from neurodeploy.pipeline.comparing import has_float
from neurodeploy.pipeline.exporting_lava import export_lava
from neurodeploy.pipeline.exporting_sanafe import export_sanafe
from neurodeploy.pipeline.hollow import refuse_hollow
from neurodeploy.pipeline.verbs import verb
from neurodeploy.storage.temporary import written_aside

FORMATS = (".nir", ".net", ".parts")
#: Formats that no ending says.
BY_NAME: Mapping[str, Callable[..., dict[str, Any]]] = {"sanafe": export_sanafe, "lava": export_lava}


@verb
def export(
    bundle: AnyPath,
    out: str | Path,
    *,
    dt: float | None = None,
    format: str | None = None,
    input: Any = None,
    steps: int | None = None,
    layout: str | None = None,
) -> dict[str, Any]:
    """Write the program as ``F.nir`` or ``F.net``, with `format` "lava" as a script (`exporting_lava`), or with "sanafe" and
    its mapping into a folder (`exporting_sanafe`); these two take `input`, `steps` and `layout`. The dictionary is what
    ``export --json`` prints.

    .nir : of a bundle made of a NIR file the float network that was quantised; of one made of a .net the integers as real
        numbers with a time step of `dt` seconds, where NIR has its neurons (ND1250 names what it does not have). Of a
        language model its linear layers with int8 weights and a scale a row (`bundle.nir_graph`); the host's operations
        between them are named in the metadata.
    .parts : a folder, a bundle by itself whose weights lie in parts of plain NIR (`bundle.parts_folder`); what NIR has no
        node for (norms, products, curves) is named between them, and reading it back gives the same bits.
    .net : the integers, where they are a chain of layers that the format knows (ND1290 names what it does not know).

    Raises ND5012 for another format, ND3261 for a `dt` that would have no effect, ND5004 where the file cannot be written,
    ND3291 where NIR has nothing for a population, or for all of them.
    """
    if format is not None:
        if format not in BY_NAME:
            fix = f"give {' or '.join(BY_NAME)}, or leave it out"
            raise BundleError("ND5012", f"--format {format!r:.40}", "is no format to export to", fix)
        if dt is not None:
            raise UserError("ND3261", "--dt", f"has no effect on the format {format}", "leave it out")
        return BY_NAME[format](bundle, out, input=input, steps=steps, layout=layout)
    for name, value in (("--input", input), ("--steps", steps), ("--layout", layout)):
        if value is not None:
            raise UserError("ND3261", name, "has an effect only with --lava or --format sanafe", "leave it out")
    target = Path(out)
    kind = target.suffix.lower()
    if kind not in FORMATS:
        problem = f"ends in {kind!r:.20}, which is no format to export to"
        raise BundleError("ND5012", target, problem, f"name a file that ends in {' or '.join(FORMATS)}")
    refuse_others(target) if kind == ".parts" else check_place(target)
    opened = open_bundle(bundle)
    program, network = opened.program, opened.program.network
    refuse_hollow(opened, "an export")
    stored = kind == ".nir" and has_float(opened)
    if dt is not None and (stored or program.host or kind != ".nir" or network.dt is not None):
        raise UserError("ND3261", "--dt", "has no effect here: the time step is known or not needed", "leave it out")
    if kind == ".parts":
        what, notes = _as_parts(opened, target)
    elif stored:
        what, notes = _copy(opened, target)
    elif kind == ".nir" and program.host:
        what, notes = _as_layers(program, target)
    elif kind == ".nir":
        what, notes = _as_nir(network, target, dt)
    else:
        what, notes = _as_net(network, target)
    return {
        "file": str(target),
        "format": kind.removeprefix("."),
        "what": what,
        "bytes": sum(
            file.stat().st_size for file in (target.rglob("*") if target.is_dir() else [target]) if file.is_file()
        ),
        "notes": notes,
    }


def _copy(opened: Bundle, target: Path) -> tuple[str, list[str]]:
    """The float network of the bundle, byte by byte."""
    write_aside(target, (opened.path / SOURCE_NIR).read_bytes())
    pure = opened.program.conversion.get("pure_nir", True)
    notes = [] if pure else ["nir.read refuses this file: see the warnings of the conversion; neurodeploy reads it"]
    return "the float network that was quantised", notes


def _as_layers(program: Program, target: Path) -> tuple[str, list[str]]:
    from neurodeploy.bundle.nir_graph import write_program

    with writing(target), written_aside(target) as aside:
        write_program(aside, program)
    between = some(len(program.operations), "operation")
    note = f"between the layers: {between} of the host, named in the metadata, not computed"
    return "the linear layers, as the chip computes them", [note]


def _as_parts(opened: Bundle, target: Path) -> tuple[str, list[str]]:
    from neurodeploy.bundle.parts_folder import ORDER, write_parts

    rows = write_parts(target, opened)
    parts, cuts, host = (sum(kind in row for row in rows) for kind in ("part", "cut", "host"))
    rest = f"{some(cuts, 'piece')} that NIR has no nodes for, {some(host, 'operation')} of the host"
    note = f"between them, in {ORDER}: {rest}"
    return f"{some(parts, 'part')} of plain NIR, and all that runs them", [note]


def _as_nir(network: Network, target: Path, dt: float | None) -> tuple[str, list[str]]:
    from neurodeploy.conversion.spiking.to_nir import to_float
    from neurodeploy.frontends.nir.writer import write

    real = to_float(network, dt)
    notes = [*real.notes, *write(real, target)]
    return "the integers as real numbers", [f"{note.where}: {note.found}; {note.done}" for note in notes]


def _as_net(network: Network, target: Path) -> tuple[str, list[str]]:
    from neurodeploy.frontends.lavadl.writer import reading_options, write_net

    write_net(network, target)
    sparse, bits = reading_options(network)
    notes = []
    if sparse or bits:
        notes.append(f"read it with netx's sparse_fc_layer={sparse}, input_message_bits={bits}")
    return "the integers", notes
