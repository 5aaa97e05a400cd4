"""`convert`: a checkpoint, a NIR file, a lava-dl network or a spiking module becomes a bundle of integers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from neurodeploy.errors import UserError
from neurodeploy.pipeline.checkpoint import convert_checkpoint
from neurodeploy.pipeline.hollow import convert_hollow, is_hollow
from neurodeploy.pipeline.modules import convert_module, is_spiking_module
from neurodeploy.pipeline.opening import Converted
from neurodeploy.pipeline.reading import NET_OPTIONS, NirOptions
from neurodeploy.pipeline.session import KINDS, STREAM, TEXT, Progress, refuse
from neurodeploy.pipeline.spiking_file import convert_file, is_spiking_file
from neurodeploy.pipeline.tensors import OPTIONS as OF_TENSORS
from neurodeploy.pipeline.tensors import convert_tensors, is_module, is_onnx
from neurodeploy.pipeline.verbs import called

#: Options by what they are for.
OF_CHECKPOINTS = (
    "calibration", "preset", "payload_bits", "weight_bits", "rounding", "input_range", "calibration_tokens", "on_chip",
    "context", "kv_bits", "events", "keep_of", "head_top",
)  # fmt: skip
OF_FILES = {
    ".nir": tuple(field.name for field in fields(NirOptions) if field.name not in ("verb", "kept")),
    ".net": NET_OPTIONS,
}


@called
def convert(
    model: Any,
    out: str | Path,
    *,
    example_inputs: Any = None,
    tolerance: float | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Converted:
    """Convert into the bundle `out`; the dictionary is what ``convert --json`` prints, its `.bundle` the bundle. None as an
    option is its default.

    **A language model**: a Hugging Face folder, a .gguf, a hub id or another name (`frontends.names`). `calibration` is a
    text file (default: the embedded one); `preset` one of `conversion.presets.PRESETS` (default: "default"); `payload_bits`,
    `weight_bits`, `rounding`, `input_range`, `calibration_tokens`, `on_chip`, `context`, `kv_bits`, `events`, `keep_of`,
    `head_top` change single fields of it. Interrupted (ND3009), it leaves finished islands in a hidden folder beside `out`.
    The same call goes on with them and writes the same bytes as one that was not interrupted: a digest of model, text,
    options and versions names the folder.

    Of a folder with a config.json and no weights, or a bare config.json, of any family that `fit` reads, it makes a bundle
    without weights, which `map`, `energy`, `explain` and `report` take; what runs a model refuses it (ND2111).

    **A module or an ONNX file**: a `torch.nn.Module`, or an .onnx of opset 13 or newer. `example_inputs`: arrays or
    tensors (samples, ...), one or a tuple of them, one for each input; `calibration`: further ones, or a .npy or .npz
    file. Ranges are measured on both, and the bundle is compared with its original on them: "check" has the error of
    each output, the operations that lose most and what was clipped; with a `tolerance` a larger relative error is
    ND1312 and nothing is written. `payload_bits` 4 to 16, `weight_bits` 2 to 16: of more than 8 each weight is two
    synapses. `on_chip` "projections", "block" (default: norms too) or "all" (softmax and products of two values too:
    attention). `state`: inputs that are outputs of the step before, "h=1" or {"h": 1}, an output by name or number. They
    stay on the chip and are 0 at first, samples are the steps of one stream, and of what is given for them only the shape
    counts (ND1318). What stays on the host is in "on_host", each with its line and a reason.

    **A spiking network**: a .nir or .net file. `dt`: seconds of a time step. NIR needs it, or a `source`, which implies it;
    a .net runs without. Where R and the time constants of a NIR file speak of another one it is refused (ND1214) unless
    `gain` or `source` is given.

    Of NIR: `gain` the meaning of r ("physical", "per-step", "auto"); `source` the framework whose conventions and
    defaults the file follows, with `v_reset` and `unit_gain` for what its exporter leaves out; `reset` "value",
    "subtract", with a source also "subtract-next"; `scheme` "euler" or "exponential"; `weight_bits` 1..8; `calibration`
    a typical input, whose largest currents choose the scales, `layout` the order of its axes (see `run`);
    `compat` "lava" or "lava-dl": the truncations of the published bridge. What stays open is in "open_questions", the
    first entry of the result, what rounding lost entirely in "losses".

    Of .net, as netx's `Network`: `num_layers`, `skip_layers`, `input_message_bits`, `input_shape` (x, y, channels),
    `reset_interval` and `reset_offset` in steps, `spike_exp`.

    **A spiking module**: a torch.nn.Module with neurons of snnTorch, Norse, SpikingJelly, sinabs or lava-dl's SLAYER, whose
    attributes say what a file leaves out. `example_inputs`: a tensor or array with axes for time and samples before the
    neurons, time first (of sinabs samples first, of SLAYER time last, as their layers have it) unless `layout` says
    otherwise. It is the calibration, and it is run in the framework and on the chip: "check" in the result says how many
    bins differ. `tolerance`: the share of them that may (ND1278). `dt` of SpikingJelly and SLAYER, `weight_bits`,
    `calibration` but of SLAYER. The module keeps its states and its mode. A `nir.NIRGraph` is taken with the options of a
    NIR file.

    Nothing of name `out` appears or changes unless all went well. Raises ND3264 for options of the other kind of model,
    ND3261 for those that say nothing about such a file, ND3265, ND3267, and the errors of the frontends.
    """
    own = {"example_inputs": example_inputs, "tolerance": tolerance}
    return Converted("convert", _converted(model, out, progress, options, own))


def _converted(
    model: Any, out: str | Path, progress: Progress | None, options: dict[str, Any], own: dict[str, Any]
) -> dict[str, Any]:
    known = {*OF_CHECKPOINTS, *OF_TENSORS, *(name for names in OF_FILES.values() for name in names)}
    for name in options:
        if name not in known:
            raise TypeError(f"convert() got an unexpected keyword argument {name!r}")
    given = {name: value for name, value in options.items() if value is not None}
    if is_spiking_module(model):
        _only(".nir", "a spiking module", given)
        return convert_module(model, Path(out), given, progress, **own)
    if is_module(model) or is_onnx(model):
        for name in given:
            if name not in OF_TENSORS:
                fix = "leave it out: " + ", ".join(OF_TENSORS) + " are those of a module or an ONNX file"
                raise UserError("ND3261", f"--{name.replace('_', '-')}", "says nothing about a network of tensors", fix)
        return convert_tensors(model, Path(out), given | own, progress)
    for name, value in own.items():
        if value is not None:
            flag = f"--{name.replace('_', '-')}"
            raise UserError("ND3261", flag, f"says nothing about {model!s:.200}, which is no module", "leave it out")
    path = Path(model)
    if is_hollow(path):
        return convert_hollow(path, Path(out), **given)
    if not is_spiking_file(path):
        refuse(KINDS[STREAM].several, {name: given[name] for name in given if name not in OF_CHECKPOINTS})
        return convert_checkpoint(model, Path(out), progress, **given)
    of_files = {name for names in OF_FILES.values() for name in names}
    refuse(KINDS[TEXT].several, {name: given[name] for name in given if name not in of_files})
    _only(path.suffix.lower(), path.name, given)
    return convert_file(path, Path(out), given, progress)


def _only(suffix: str, what: str, given: Mapping[str, object]) -> None:
    """ND3261 for an option that files of this kind do not have."""
    for name in given:
        if name not in OF_FILES[suffix]:
            raise UserError("ND3261", f"--{name.replace('_', '-')}", f"says nothing about {what}", "leave it out")
