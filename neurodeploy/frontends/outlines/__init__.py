"""Outlines: from a configuration, a table of tensors or a name to shapes, without weights.

`read_outline` takes a Hugging Face folder or its bare config.json, a .gguf file, or a name of `known`. A new family is a
function from `Fields` to a `Sketch` and one line of `FAMILIES`.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from neurodeploy.errors import ModelError
from neurodeploy.frontends.families import ARCHITECTURES, HUGGINGFACE
from neurodeploy.frontends.families.fields import Fields
from neurodeploy.frontends.files import cannot_open, read_json
from neurodeploy.frontends.outlines import decoders, plain, recurrent
from neurodeploy.frontends.outlines.draw import Sketch, outline
from neurodeploy.frontends.outlines.settings import fields_of, text_part
from neurodeploy.ir.outline import Outline
from neurodeploy.storage.opening import open_regular

#: Largest config.json that is read.
CONFIG_LIMIT = 16_000_000
#: Tokens before the one that is priced, where nothing is asked.
CONTEXT = 1024
_MODELS = Path(__file__).parent / "models"

_Family = tuple[Callable[[Fields], Sketch], Callable[[], Mapping[str, Any]]]


def _own(module: str) -> _Family:
    return partial(decoders.of_family, module), partial(decoders.family_defaults, module)


def _relative(kind: str) -> _Family:
    return partial(decoders.relative, kind), lambda: {**decoders.LLAMA, **decoders.RELATIVES[kind].defaults}


def _plain(kind: str) -> _Family:
    return partial(plain.plain, kind), lambda: plain.TABLE[kind].defaults


#: ``model_type`` of config.json -> how its settings become a `Sketch`, and what transformers assumes for missing ones.
FAMILIES: Mapping[str, _Family] = {
    **{kind: _own(module) for kind, (module, _) in HUGGINGFACE.items()},
    **{kind: _relative(kind) for kind in decoders.RELATIVES},
    **{kind: _plain(kind) for kind in plain.TABLE},
    "hgrn_bit": (recurrent.hgrn_bit, dict),
    "gla_swa": (recurrent.gla_swa, dict),
    "mamba": (recurrent.mamba, dict),
    "mamba2": (recurrent.mamba2, dict),
}


def known() -> dict[str, str]:
    """Models whose configurations come with the package: name -> what it is and where its configuration is from."""
    found = {}
    for path in sorted(_MODELS.glob("*.json")):
        entry = json.loads(path.read_text(encoding="utf-8"))
        found[path.stem] = f"{entry['name']}: {entry['source']}"
    return found


def read_outline(model: str | Path, context: int = CONTEXT, *, generic: bool = False) -> Outline:
    """The outline of a folder with config.json, a config.json, a .gguf file, or a name of `known`.

    generic : take a ``model_type`` that is not known for a decoder like Llama's.

    Raises `ModelError`: ND1001 and ND1004 of files, ND1012 for settings, ND2040 for a family that is not known, ND2041 for
    a size beyond any model's, ND2042 where there is neither such a file nor such a name.
    """
    path = Path(model)
    name = str(model).lower()
    if not path.exists() and name in known():
        entry = read_json(_MODELS / f"{name}.json")
        return config_outline(entry["config"], entry["name"], entry["name"], entry["source"], context, generic)
    if path.is_dir():
        inside = sorted(path.glob("*.gguf"))
        if not (path / "config.json").is_file() and len(inside) == 1:
            return read_outline(inside[0], context)
        if not (path / "config.json").is_file():
            raise ModelError("ND1003", path, "has no config.json", "give the model's own folder, or a .gguf file")
        path, title = path / "config.json", path.resolve().name
    else:
        if not path.exists():
            raise _nowhere(model)
        try:
            with open_regular(path) as file:
                magic = file.read(4)
        except OSError as error:
            raise cannot_open(path, error) from None
        if magic == b"GGUF" or path.suffix.lower() == ".gguf":
            from neurodeploy.frontends.outlines.gguf import gguf_outline

            return gguf_outline(path, context)
        if path.suffix.lower() != ".json":
            fix = "give a folder with config.json, a config.json, a .gguf, .nir or .net file, or a bundle"
            raise ModelError("ND1003", path, "is no configuration and no model file that we know", fix)
        title = path.resolve().parent.name if path.name == "config.json" else path.stem
    return config_outline(read_json(path, CONFIG_LIMIT), path, title, str(path.name), context, generic)


def _nowhere(model: str | Path) -> ModelError:
    names = list(known())
    near = difflib.get_close_matches(str(model).lower(), names, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    problem = "is no file, no folder and no model that comes with the package"
    return ModelError("ND2042", model, problem, f"{hint}names: {', '.join(names)}")


def config_outline(
    config: Mapping[str, Any], subject: object, name: str, source: str, context: int = CONTEXT, generic: bool = False
) -> Outline:
    """The outline of a config.json object; `context` is cut to the model's positions."""
    settings, left = text_part(config, subject)
    kind = _kind(config, settings, subject, generic)
    read, defaults = FAMILIES[kind] if kind in FAMILIES else FAMILIES["llama"]
    fields, notes = fields_of(settings, subject, defaults())
    sketch = read(fields)
    family = kind if kind in FAMILIES else f"{kind}, taken for a decoder like llama"
    if kind not in FAMILIES:
        notes.append(f"model_type {kind!r:.60} is not known: its layers are taken for Llama's, which may be wrong")
    made = outline(sketch, name, family, source, min(context, sketch.max_positions), left)
    if not notes:
        return made
    from dataclasses import replace

    return replace(made, notes=(*made.notes, *notes))


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
    lacking = [name for name in decoders.GENERIC if not isinstance(settings.get(name), int)]
    if generic and not lacking:
        return kind
    fix = (
        "--generic takes it for a decoder like Llama's: the sizes that this needs are there"
        if not lacking
        else f"--generic cannot help: {', '.join(lacking)} {'is' if len(lacking) == 1 else 'are'} missing"
    )
    problem = f"model_type {kind!r:.80} is not known; {', '.join(FAMILIES)} are"
    raise ModelError("ND2040", subject, problem, fix)
