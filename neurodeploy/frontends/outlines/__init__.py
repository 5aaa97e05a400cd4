"""Hollow programs: from a configuration, a table of tensors or a name to islands and operations without weights.

`read_hollow` takes a Hugging Face folder or its bare config.json, a .gguf file, or a name of `frontends.names`. A new
family is a row of `rows.ROWS`, or a function from `Settings` to a `Sketch` and one line of `FAMILIES`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from neurodeploy.errors import ModelError
from neurodeploy.frontends import names
from neurodeploy.frontends.families import ARCHITECTURES, HUGGINGFACE
from neurodeploy.frontends.families.reading import FAMILIES as CONVERTED
from neurodeploy.frontends.files import cannot_open, read_json
from neurodeploy.frontends.outlines import decoders, gemma3n, openelm, original_mamba, recurrent
from neurodeploy.frontends.outlines.draw import Sketch, hollow
from neurodeploy.frontends.outlines.rows import GENERIC, NEEDED, ROWS, Row
from neurodeploy.frontends.outlines.settings import Settings, check_unread, fields_of, text_part
from neurodeploy.frontends.packaged import DEMO, PACKAGED, resolve
from neurodeploy.ir.program import Program
from neurodeploy.storage.opening import open_regular
from neurodeploy.synapses.hollow import noted

#: Largest config.json that is read.
CONFIG_LIMIT = 16_000_000


@dataclass(frozen=True, slots=True)
class Reader:
    """How a ``model_type`` is read: settings -> `Sketch`, what transformers assumes for missing ones, other names."""

    read: Callable[[Settings], Sketch]
    defaults: Mapping[str, Any] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)


def _row(row: Row) -> Reader:
    return Reader(partial(decoders.of_row, row), row.defaults, row.aliases)


#: Names of the original checkpoints, which transformers' own conversions keep beside its names.
MAMBA = {"d_model": "hidden_size", "n_layer": "num_hidden_layers", "d_inner": "intermediate_size"}
#: ``model_type`` of config.json -> its reader.
FAMILIES: Mapping[str, Reader] = {
    **{
        kind: Reader(partial(decoders.of_family, CONVERTED[name]), CONVERTED[name].defaults)
        for kind, (name, _) in HUGGINGFACE.items()
    },
    **{kind: _row(row) for kind, row in ROWS.items()},
    "hgrn_bit": Reader(recurrent.hgrn_bit),
    "gla_swa": Reader(recurrent.gla_swa),
    "mamba": Reader(recurrent.mamba, aliases=MAMBA),
    "falcon_mamba": Reader(recurrent.mamba, aliases=MAMBA),
    "mamba2": Reader(recurrent.mamba2, aliases=MAMBA),
    "gemma3n_text": Reader(gemma3n.gemma3n, gemma3n.DEFAULTS),
    "gemma3n": Reader(gemma3n.gemma3n, gemma3n.DEFAULTS),
    "openelm": Reader(openelm.openelm, openelm.DEFAULTS, openelm.ALIASES),
    "rwkv": Reader(recurrent.rwkv, aliases={"context_length": "max_position_embeddings"}),
}
_GENERIC = _row(GENERIC)


def read_hollow(model: str | Path, *, generic: bool = False) -> Program:
    """The hollow program of a folder with config.json, a config.json, a .gguf file, a name or hub id of `names`, or "demo".

    generic : take a ``model_type`` that is not known for a decoder like Llama's.

    Raises `ModelError`: ND1001 and ND1004 of files, ND1012 for settings, ND1013 for sizes that are not read, ND1014 for a
    closed model, ND2040 for a family that is not known, ND2041 for a size beyond any model's, ND2042 where there is neither
    such a file nor such a name.
    """
    path = Path(model).expanduser()
    if str(model) == DEMO:
        path = resolve(DEMO)
    elif str(model) in PACKAGED or not path.exists():
        entry = names.find(str(model))
        if entry is not None:
            made = config_hollow(entry.config, entry.title, entry.title, entry.source, generic)
            taken = names.taken_for(str(model), entry)
            return noted(made, taken) if taken else made
        cached = names.in_cache(str(model), "config.json")
        if cached is None:
            raise _nowhere(model)
        return config_hollow(
            read_json(cached / "config.json", CONFIG_LIMIT), model, str(model), "the hub's cache", generic
        )
    if path.is_dir():
        inside = sorted(path.glob("*.gguf"))
        if not (path / "config.json").is_file() and len(inside) == 1:
            return read_hollow(inside[0])
        if not (path / "config.json").is_file():
            raise ModelError("ND1003", path, "has no config.json", "give the model's own folder, or a .gguf file")
        path, title = path / "config.json", DEMO if str(model) == DEMO else path.resolve().name
    else:
        try:
            with open_regular(path) as file:
                magic = file.read(4)
        except OSError as error:
            raise cannot_open(path, error) from None
        if magic == b"GGUF" or path.suffix.lower() == ".gguf":
            from neurodeploy.frontends.outlines.gguf import gguf_hollow

            return gguf_hollow(path)
        if path.suffix.lower() != ".json":
            fix = "give a folder with config.json, a config.json, a .gguf, .nir or .net file, or a bundle"
            raise ModelError("ND1003", path, "is no configuration and no model file that we know", fix)
        title = path.resolve().parent.name if path.name == "config.json" else path.stem
    return config_hollow(read_json(path, CONFIG_LIMIT), path, title, str(path.name), generic)


def _nowhere(model: str | Path) -> ModelError:
    names.check_open(str(model))
    problem = "is no file, no folder and no model that is known by name"
    if names.HUB_ID.fullmatch(str(model)):
        fix = f"if it is a model of the hub, {names.fetch_command(None, str(model), 'config.json')} is enough"
    else:
        fix = names.nearest(str(model), (DEMO,))
    return ModelError("ND2042", model, problem, fix)


def config_hollow(config: Mapping[str, Any], subject: object, name: str, source: str, generic: bool = False) -> Program:
    """The hollow program of a config.json object."""
    settings, left = text_part(config, subject)
    settings = original_mamba.translated(settings, subject) or settings
    kind = _kind(config, settings, subject, generic)
    reader = FAMILIES.get(kind, _GENERIC)
    fields, notes = fields_of(settings, subject, reader.defaults, reader.aliases)
    sketch = reader.read(fields)
    family = kind if kind in FAMILIES else f"{kind}, taken for a decoder like llama"
    notes += check_unread(fields, family, kind in FAMILIES)
    if kind not in FAMILIES:
        notes.insert(0, f"model_type {kind!r:.60} is not known: its layers are taken for Llama's, which may be wrong")
    return noted(hollow(sketch, name, family, source, left), *notes)


def _kind(config: Mapping[str, Any], settings: Mapping[str, Any], subject: object, generic: bool) -> str:
    """The ``model_type`` that decides: of the text model where there is one, else by ``architectures``."""
    architectures = config.get("architectures")
    first = architectures[0] if isinstance(architectures, list) and architectures else None
    named = [settings.get("model_type"), config.get("model_type"), ARCHITECTURES.get(str(first))]
    kinds = [kind for kind in named if isinstance(kind, str) and kind]
    for kind in kinds:
        if kind in FAMILIES:
            return kind
    kind = kinds[0] if kinds else str(first or "none")
    have = {GENERIC.aliases.get(name, name) for name, value in settings.items() if isinstance(value, (int, list))}
    lacking = [name for name in NEEDED if name not in have]
    if generic and not lacking:
        return kind
    fix = (
        "--generic takes it for a decoder like Llama's: the sizes that this needs are there"
        if not lacking
        else f"--generic cannot help: {', '.join(lacking)} {'is' if len(lacking) == 1 else 'are'} missing"
    )
    problem = f"model_type {kind!r:.80} is not known; {', '.join(FAMILIES)} are"
    raise ModelError("ND2040", subject, problem, fix)
