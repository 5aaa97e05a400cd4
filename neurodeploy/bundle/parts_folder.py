"""A bundle whose weights lie in parts of plain NIR (`bundle.nir_parts`), for other tools, and complete: it opens like any.

    parts.json            the pieces in order: parts with their files, cuts with their populations, operations of the host;
                          what each reads and makes
    parts/NNNN.nir        a part: Input, Linear or Affine, Scale, Output; its borders in the metadata as in parts.json
    parts/integers.h5     what NIR has no field for beside those weights
    network.h5            the cuts, and every multiplier and shift

All else is as in `neurodeploy.bundle`; program.json names the parts as the places of weights, so that what is read back is
what was written, integer for integer.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.bundle.files import readable, writing
from neurodeploy.bundle.folders import folder_aside
from neurodeploy.bundle.hdf5 import new_hdf5
from neurodeploy.bundle.nir_graph import units_of
from neurodeploy.bundle.nir_parts import Piece, graph_of, piece_row, pieces_of
from neurodeploy.bundle.populations import Collected, Place, projection_row, write_arrays
from neurodeploy.bundle.reader import MAPPING, Bundle
from neurodeploy.bundle.writer import FOLDER, seal
from neurodeploy.errors import UserError
from neurodeploy.frontends.nir.schema import lay_out
from neurodeploy.ir.network import Projection
from neurodeploy.ir.population import Population
from neurodeploy.ir.program import Program
from neurodeploy.ir.typed import Row
from neurodeploy.synapses import Dense

PARTS, ORDER = "parts", "parts.json"
INTEGERS = f"{PARTS}/integers.h5"
#: Members that are written anew, not copied.
_AGAIN = ("program.json", "conversion.json", "network.h5", ORDER, MAPPING)


def part_files(program: Program) -> list[tuple[str | None, Any]]:
    """Every piece in order, a part with the name of its file."""
    found, count = list[tuple[str | None, Any]](), 0
    for piece in pieces_of(program):
        part = isinstance(piece, Piece) and piece.part
        found.append((f"{PARTS}/{count:04d}.nir" if part else None, piece))
        count += part
    return found


def write_parts(target: Path, opened: Bundle) -> list[Row]:
    """Write the bundle `target`; the rows of its parts.json. ND3291 where NIR has no part of the program."""
    program = opened.program
    pieces, units = part_files(program), units_of(program)
    if not any(file for file, _ in pieces):
        problem = "has no population that NIR has a node for and that keeps no state"
        raise UserError("ND3291", program.network.name, problem, "name a file that ends in .nir or .net")
    rows, known, beside = list[Row](), dict[Population | Projection, Row](), dict[str, NDArray[Any]]()
    with folder_aside(target, PARTS, "vectors") as work, writing(target):
        for file, piece in pieces:
            rows.append(piece_row(program, piece, file or ""))
            if file:
                nodes, edges = graph_of(program, piece, units)
                with new_hdf5(work / file) as hdf5:
                    lay_out(hdf5, nodes, edges, {"neurodeploy": json.dumps(rows[-1])})
                for name in piece.populations:
                    for p in program.network.into(name):
                        if isinstance(p.synapse, Dense):
                            known[p] = _row(p, file, Collected(beside, INTEGERS).under(f"{len(known)}"))
        write_arrays(work / INTEGERS, beside)
        (work / ORDER).write_bytes(readable({"pieces": rows}))
        for member in opened.manifest["members"]:
            if member not in _AGAIN and member.split("/")[0] not in (FOLDER, PARTS):
                (work / member).parent.mkdir(exist_ok=True)
                shutil.copyfile(opened.path / member, work / member)
        seal(work, program, known, opened.manifest["source"])
    return rows


def _row(p: Projection, file: str, place: Place) -> Row:
    weight = np.asarray(p.synapse.matrix())
    lies = {"array": [str(weight.dtype), list(weight.shape)], "in": file, "as": f"node/nodes/{p.name}/weight"}

    def beside(key: str, array: NDArray[Any]) -> dict[str, Any]:
        return lies if key == "weight" else place(key, array)

    return {**projection_row(p, beside), "synapse": {"kind": p.synapse.kind, "weight": lies, "by_row": True}}
