"""From an opened checkpoint to a `Graph`: find the family, read its settings, bind its tensors; and what a report and a
generator want to know of it: name, licence, the tokens that begin and end a text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from neurodeploy.errors import ModelError
from neurodeploy.frontends import OpenedStore
from neurodeploy.frontends.families import ARCHITECTURES, GGUF, HUGGINGFACE, gemma3, gpt2, llama4, relatives
from neurodeploy.frontends.families.changing import GGUF as GGUF_KEYS
from neurodeploy.frontends.families.common import (
    Family,
    bind,
    check_head,
    check_size,
    gguf_fields,
    huggingface_name,
    huggingface_prefix,
    other_part,
)
from neurodeploy.frontends.families.decoder import Decoder, build
from neurodeploy.frontends.families.fields import ANOTHER, Fields
from neurodeploy.frontends.families.rope import DIVISORS, LONG, SHORT
from neurodeploy.frontends.file_store import FileStore, Source
from neurodeploy.frontends.files import read_json
from neurodeploy.ir.graph import Graph, ModelInfo

#: What a multimodal model says in its own settings for its text model.
SHARED = ("tie_word_embeddings", "eos_token_id", "bos_token_id")
#: Names of unknown settings that a note lists.
MOST_NAMES = 8


#: All families by name.
FAMILIES: Mapping[str, Family] = {
    **relatives.FAMILIES, **{family.name: family for family in (gemma3.FAMILY, llama4.FAMILY, gpt2.FAMILY)}
}  # fmt: skip


def _unknown(path: Path, what: str, name: object, known: Iterable[str]) -> ModelError:
    return ModelError("ND1011", path, f"{what} {name!r:.80} is not known; {', '.join(known)} are", ANOTHER)


def _text_fields(
    config: Mapping[str, Any], inner: str | None, subject: Path, family: Family
) -> tuple[Fields, list[str]]:
    """The settings of the text model: the object itself, or the one inside a multimodal model's; unknown names around it."""
    if inner is None:
        return Fields(config, subject, family.defaults, aliases=family.aliases), []
    outer = Fields(config, subject)
    text = {key: value for key, value in outer.table(inner).items() if value is not None}
    # What the larger model says of itself is the text model's where that is silent.
    text = {**{key: config[key] for key in SHARED if key in config}, **text}
    outer.ignore([*SHARED, *(name for name, value in config.items() if value == text.get(name))])
    fields = Fields(text, subject, family.defaults, aliases=family.aliases)
    fields.also([f"{found} beside {inner}" for found in outer.unsupported()])
    return fields, outer.unknown()


def from_huggingface(path: Path, opened: OpenedStore) -> Graph:
    """A folder with config.json and safetensors."""
    config, store = opened.config, opened.store
    architectures = config.get("architectures")
    first = architectures[0] if isinstance(architectures, list) and architectures else None
    kind = config.get("model_type") or (ARCHITECTURES.get(first) if isinstance(first, str) else None)
    if not isinstance(kind, str) or kind not in HUGGINGFACE:
        raise _unknown(path, "model_type", kind or first, HUGGINGFACE)
    name, inner = HUGGINGFACE[kind]
    family = FAMILIES[name]
    fields, around = _text_fields(config, inner, path / "config.json", family)
    net = family.huggingface(fields)
    positions = fields.natural("max_position_embeddings", net.positions)
    fields.finish()
    notes = _unknown_settings([*fields.unknown(), *around], path)

    rename = huggingface_name(huggingface_prefix(store, path, family.table, family.prefixes), store.names())
    head, settings = rename("lm_head.weight"), f"{'' if inner is None else f'{inner} of '}config.json"
    check_head(net.tied, store, head, rename(family.table), settings)

    def ignored(name: str) -> bool:
        return (net.tied and name == head) or other_part(name, family.derived)

    def source(name: str) -> Source:
        made = family.huggingface_source(name, net)
        return replace(made, name=rename(made.name))

    return _graph(path, family, net, positions, huggingface_info(path, fields.values), store, source, ignored, notes)


def from_gguf(path: Path, opened: OpenedStore) -> Graph:
    """A .gguf file."""
    metadata, store = opened.config, opened.store
    architecture = metadata.get("general.architecture")
    family = FAMILIES[architecture] if isinstance(architecture, str) and architecture in GGUF else None
    if family is None or family.gguf is None or family.gguf_source is None:
        raise _unknown(path, "general.architecture", architecture, GGUF)
    fields = gguf_fields(metadata, str(architecture), family, store, path)
    net = family.gguf(fields, store)
    positions = fields.natural("max_position_embeddings")
    fields.finish(GGUF_KEYS)
    make, tables = family.gguf_source, (DIVISORS, SHORT, LONG)
    notes, info = _unknown_settings(fields.unknown(GGUF_KEYS), path), gguf_info(path, metadata)
    return _graph(
        path, family, net, positions, info, store, lambda name: make(name, net), lambda name: name in tables, notes
    )


def _graph(
    path: Path, family: Family, net: Decoder, said: int, about: Mapping[str, Any], store: FileStore,
    source: Callable[[str], Source], ignored: Callable[[str], bool], notes: tuple[str, ...],
) -> Graph:  # fmt: skip
    """`said` : positions by the file. A note says where the model's are right for fewer tokens."""
    check_size(net, store, path)
    built, most = build(net), net.positions or said
    weights = bind(store, {name: source(name) for name in built.tensors}, built.tensors, path, ignored)
    info = ModelInfo(
        family=family.name, vocab_size=net.vocab, hidden_size=net.hidden, layers=len(net.layers), max_positions=most,
        tied_embeddings=net.tied, **about,
    )  # fmt: skip
    if most < said:
        why = "longer ones would need other rotary frequencies for all of their tokens"
        notes = (f"{path} takes texts of up to {most} tokens here, not {said}: {why}", *notes)
    return Graph(info, built.populations, tuple(built.ops), weights, notes=notes)


def _unknown_settings(names: list[str], path: Path) -> tuple[str, ...]:
    """A note for whoever converts: settings that no list of `changing` has and that are taken to change nothing."""
    if not names:
        return ()
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    shown = f"{', '.join(names[:MOST_NAMES])}{more}"
    return (f"{path}: settings that nothing here knows are taken to change nothing: {shown}",)


#: Bytes of a README that are searched for its front matter.
README_LIMIT = 1 << 20
UNKNOWN = "unknown"


def huggingface_info(path: Path, config: Mapping[str, Any]) -> dict[str, Any]:
    """`config` is the object with the token numbers; generation_config.json goes before it, as in transformers."""
    settings, generation = dict(config), path / "generation_config.json"
    if generation.is_file():
        settings.update({key: value for key, value in read_json(generation).items() if value is not None})
    name, ends = path.resolve().name, settings.get("eos_token_id")
    licence = readme_licence(path / "README.md")
    return _info(name, name, licence, settings.get("bos_token_id"), ends if isinstance(ends, list) else [ends])


def gguf_info(path: Path, metadata: Mapping[str, Any]) -> dict[str, Any]:
    """From the ``general.*`` and ``tokenizer.ggml.*`` keys."""
    bos, *ends = (metadata.get(f"tokenizer.ggml.{key}_token_id") for key in ("bos", "eos", "eot"))
    licence = str(metadata.get("general.license") or UNKNOWN)
    return _info(str(metadata.get("general.name") or path.stem), path.name, licence, bos, list(dict.fromkeys(ends)))


def _info(name: str, source: str, licence: str, bos: object, ends: list[object]) -> dict[str, Any]:
    """Fields of `ModelInfo`; a token is a whole number, whatever else a file says."""
    tokens = tuple(token for token in ends if type(token) is int)
    return {
        "name": name, "source": source, "licence": licence, "eos_tokens": tokens,
        "bos_token": bos if type(bos) is int else None,
    }  # fmt: skip


def readme_licence(path: Path) -> str:
    """The ``license`` of a model card's front matter (YAML between two lines ``---``), or "unknown"."""
    if not path.is_file():
        return UNKNOWN
    with path.open("rb") as file:
        text = file.read(README_LIMIT).decode("utf-8", errors="replace")
    front = re.match(r"\s*---\s*\n(.*?)\n---\s*(\n|$)", text, re.DOTALL)
    found = re.search(r"^license:[ \t]*[\"']?([^\s\"'#]+)", front.group(1), re.MULTILINE) if front else None
    return found.group(1) if found else UNKNOWN
