"""`export --lava`: a spiking network as a plain Lava script that runs without us, on Lava's simulation or on a board."""

from __future__ import annotations

import io
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from neurodeploy.bundle import AnyPath
from neurodeploy.bundle.files import check_place, writing
from neurodeploy.errors import BundleError, NeurodeployError, UserError, some
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.pipeline.streams import first_sample, open_spiking
from neurodeploy.storage.temporary import written_aside

#: In the first line of every script.
MARK = "on Lava, written by neurodeploy"


def export_lava(
    bundle: AnyPath,
    out: str | Path,
    *,
    input: str | Path | None = None,
    steps: int | None = None,
    layout: str | None = None,
) -> dict[str, Any]:
    """Write ``script.py``, beside it ``script.npz`` with weights and parameters, ``script_repairs.py``, which lets Lava run
    on newer Python, and ``script.net`` where lava-dl's format can say the network; the dictionary is what ``export
    --json`` prints.

    `input` goes into the .npz: its first sample, `steps` of it. Without it the script asks for one.

    Raises ND4104 to ND4106 for what Lava has no process for, ND3250 for a language model, ND3294 for operations of a host,
    ND5012 for another ending, ND5004 where a file cannot be written or is in the way.
    """
    from simulators.lava.script import plain_script

    place = Path(out)
    if place.suffix != ".py":
        raise BundleError(
            "ND5012", place, "is to be a Lava script and does not end in .py", f"name {place.with_suffix('.py')}"
        )
    check_place(place)
    opened = open_spiking(bundle)
    if opened.program.host:
        problem = f"has {some(len(opened.program.host), 'operation')} of a host, which no process of Lava's computes"
        raise UserError("ND3294", bundle, problem, "run it here, or convert the part without them")
    network, given = opened.program.network, dict[str, Ints]()
    notes = ["the script wants --input F.npz; neurons in the order of the chip: (x, y, channel)"]
    if input is not None:
        given, notes = first_sample(input, opened, steps, layout)
    script = plain_script(network, place.name, {name: array.astype(np.int32) for name, array in given.items()})
    packed = io.BytesIO()
    np.savez(packed, **script.arrays)  # type: ignore[arg-type]
    files = {
        place.with_suffix(".npz"): packed.getvalue(),
        place.with_name(f"{place.stem}_repairs.py"): script.repairs.encode(),
        place: script.text.encode(),
    }
    net = place.with_suffix(".net")
    _check_siblings(place, [*files, net])
    notes += _net(network, net)
    _write(files)
    written = [path for path in (*files, net) if path.is_file()]
    return {
        "file": str(place), "format": "lava", "what": f"{some(len(written), 'file')} for Lava",
        "bytes": sum(path.stat().st_size for path in written), "notes": notes,
    }  # fmt: skip


def _net(network: Any, place: Path) -> list[str]:
    """The network for lava-dl's netx too, where the format has words for it; an older one that was ours goes."""
    from neurodeploy.frontends.lavadl.writer import reading_options, write_net

    try:
        write_net(network, place)
    except NeurodeployError as error:
        if error.code != "ND1290":
            raise
        with writing(place):
            place.unlink(missing_ok=True)
        return [f"no {place.name}: {error.subject}: {error.problem}"]
    sparse, bits = reading_options(network)
    return [f"netx reads {place.name} with sparse_fc_layer={sparse}, input_message_bits={bits}"]


def _check_siblings(place: Path, files: list[Path]) -> None:
    """ND5004 where a file whose name follows from that of the script is not from such a call."""
    ours = False
    if place.is_file():
        with writing(place), place.open("rb") as file:
            ours = MARK.encode() in file.read(1000)
    for path in files:
        if path == place:
            continue
        if path.exists() and not ours:
            fix = "choose another name of the script, or move that file away yourself"
            raise BundleError("ND5004", path, "exists and was not written by a verb like this one", fix)
        check_place(path)


def _write(files: Mapping[Path, bytes]) -> None:
    """All of them aside, then renamed one after the other, the script last."""
    with ExitStack() as stack:
        for path, content in reversed([*files.items()]):
            stack.enter_context(writing(path))
            stack.enter_context(written_aside(path)).write_bytes(content)
