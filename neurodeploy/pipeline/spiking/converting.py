"""`convert` of a spiking network: a NIR file or a lava-dl .net into a bundle."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from neurodeploy.bundle.files import digest
from neurodeploy.bundle.folders import refuse_others
from neurodeploy.errors import UserError
from neurodeploy.ir.graph import ModelInfo
from neurodeploy.ir.network import Network
from neurodeploy.ir.program import Program
from neurodeploy.neurons.registry import beyond_chip
from neurodeploy.pipeline.session import Progress
from neurodeploy.pipeline.spiking.reading import NetOptions, NirOptions, Read, read_net_file, read_nir_file

SUFFIXES = (".nir", ".net")


def is_spiking_file(model: str | Path) -> bool:
    """By its name: a NIR file or a lava-dl network."""
    return Path(model).suffix.lower() in SUFFIXES


def convert_network(
    model: str | Path,
    out: str | Path,
    *,
    dt: float | None = None,
    gain: str = "auto",
    source: str | None = None,
    reset: str | None = None,
    v_reset: float | None = None,
    unit_gain: bool | None = None,
    scheme: str | None = None,
    weight_bits: int | None = None,
    calibration: str | Path | None = None,
    layout: str | None = None,
    compat: str | None = None,
    num_layers: int | None = None,
    skip_layers: int | None = None,
    input_message_bits: int | None = None,
    input_shape: tuple[int, ...] | None = None,
    reset_interval: int | None = None,
    reset_offset: int | None = None,
    spike_exp: int | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Convert a .nir or .net file into the bundle `out`; the dictionary is what ``convert --json`` prints.

    dt : seconds of a time step. NIR needs it, or a `source`, which implies it; a .net runs without. Where R and the time
    constants of a NIR file speak of another one it is refused (ND1214) unless `gain` or `source` is given.

    Of NIR: `gain` the meaning of r ("physical", "per-step", "auto"); `source` the framework whose conventions and
    defaults the file follows, with `v_reset` and `unit_gain` for what its exporter leaves out; `reset` "value",
    "subtract", with a source also "subtract-next"; `scheme` "euler" or "exponential"; `weight_bits` 1..8; `calibration`
    a typical input, whose largest currents choose the scales, `layout` the order of its axes (see `run_network`);
    `compat` "lava" or "lava-dl": the truncations of the published bridge. What stays open is in "open_questions", the
    first entry of the result, what rounding lost entirely in "losses".

    Of .net, as netx's `Network`: `num_layers`, `skip_layers`, `input_message_bits`, `input_shape` (x, y, channels),
    `reset_interval` and `reset_offset` in steps, `spike_exp`.

    Raises ND3261 for options that say nothing about such a file, ND3265, ND3267, and the errors of the frontends.
    """
    began = time.perf_counter()
    path = Path(model)
    nir_only: dict[str, object] = {
        "--gain": None if gain == "auto" else gain, "--source": source, "--reset": reset, "--v-reset": v_reset,
        "--unit-gain": unit_gain, "--scheme": scheme, "--weight-bits": weight_bits,
        "--calibration": calibration, "--layout": layout, "--compat": compat,
    }  # fmt: skip
    net_only: dict[str, object] = {
        "--num-layers": num_layers, "--skip-layers": skip_layers, "--input-message-bits": input_message_bits,
        "--input-shape": input_shape, "--reset-interval": reset_interval, "--reset-offset": reset_offset,
        "--spike-exp": spike_exp,
    }  # fmt: skip
    is_net = path.suffix.lower() == ".net"
    _refuse(path, nir_only if is_net else net_only)
    refuse_others(Path(out))
    if progress:
        progress("convert", 0, 3)
    if is_net:
        read = read_net_file(path, NetOptions(
            dt, num_layers, skip_layers or 0, input_message_bits or 0, input_shape, reset_interval, reset_offset or 0,
            6 if spike_exp is None else spike_exp,
        ))  # fmt: skip
    else:
        read = read_nir_file(path, NirOptions(
            dt, gain, source, reset, v_reset, unit_gain, scheme, weight_bits, calibration, layout, compat,
            kept=_kept(nir_only, out),
        ), progress and partial(progress, "join linear nodes"))  # fmt: skip
    network, shapes = read.network, read.conversion["shapes"]
    read.warnings[:0] = [line for p in network.populations.values() for line in beyond_chip(p)]
    if progress:
        progress("convert", 1, 3)
    _write(path, Path(out), read)
    if progress:
        progress("convert", 3, 3)
    return {
        "open_questions": read.questions,
        "losses": read.losses,
        "command_as_meant": read.command,
        "bundle": str(out),
        "network": network.name,
        "family": read.family,
        "dt_s": None if network.dt is None else network.dt.value,
        "neurons": network.neurons,
        "populations": len(network.populations),
        "synapses": synapses(network),
        "projections": len(network.projections),
        "inputs": {name: shapes.get(name, list(network.populations[name].shape)) for name in network.inputs},
        "outputs": {name: list(network.populations[name].shape) for name in network.outputs},
        "worst_errors": sorted(read.errors, key=lambda row: -(row["relative"] or 0.0))[:8],
        "warnings": read.warnings,
        "seconds": time.perf_counter() - began,
    }


def _write(path: Path, out: Path, read: Read) -> None:
    """The bundle says nothing of where the file lay: the same file gives the same bytes."""
    from neurodeploy.bundle.network_writer import write_network_bundle
    from simulators.reference import ReferenceRunner

    network = read.network
    info = ModelInfo(network.name, read.family, 0, 0, len(network.populations), 0, path.name)
    # The lists, not copies: writing the float network may add to them before they are written themselves.
    read.conversion |= {
        "open_questions": read.questions, "losses": read.losses, "warnings": read.warnings, "errors": read.errors
    }  # fmt: skip
    file = {"name": path.name, "size": path.stat().st_size, "sha256": digest(path)}
    origin = {"model": path.name, "path": "", "files": [file]}
    program = Program.of_network(info, network, read.conversion)
    write_network_bundle(out, program, origin, ReferenceRunner().run, read.save_nir)


def synapses(network: Network) -> int:
    """All connections, those of shared kernels counted one by one."""
    return sum(p.synapse.count() for p in network.projections)


def _kept(options: Mapping[str, object], out: str | Path) -> tuple[str, ...]:
    """The options of a call that an error repeats: all but those that it is about, the gain and the source."""
    repeated = {name: value for name, value in options.items() if name not in ("--gain", "--source")}
    words = [word for name, value in repeated.items() for word in _words(name, value)]
    return (*words, "--out", str(out))


def _words(name: str, value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, bool):
        return (name if value else name.replace("--", "--no-", 1),)
    return (name, str(value))


def _refuse(path: Path, options: dict[str, object]) -> None:
    """Options that say nothing about a file of this kind are an error, not ignored."""
    for name, value in options.items():
        if value is not None:
            raise UserError("ND3261", name, f"says nothing about {path.name}", "leave it out")
