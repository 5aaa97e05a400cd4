"""From an opened checkpoint to a `Graph`: find the family, read its settings, bind its tensors."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from neurodeploy.errors import ModelError
from neurodeploy.frontends import OpenedStore
from neurodeploy.frontends.families import ARCHITECTURES, GGUF, HUGGINGFACE
from neurodeploy.frontends.families.common import NO_EFFECT, Family
from neurodeploy.frontends.families.decoder import Decoder, build
from neurodeploy.frontends.families.fields import ANOTHER, Fields
from neurodeploy.frontends.families.info import gguf_info, huggingface_info
from neurodeploy.frontends.families.rope import DIVISORS, LONG, SHORT
from neurodeploy.frontends.families.tensors import (
    bind,
    huggingface_name,
    huggingface_prefix,
    other_part,
    same_tensor,
)
from neurodeploy.frontends.wrapped import Source
from neurodeploy.ir.graph import Graph, ModelInfo, WeightStore

#: Settings of a multimodal model beside its text model that text does not depend on.
AROUND = frozenset(
    {
        "text_config", "vision_config", "mm_tokens_per_image", "boi_token_index", "eoi_token_index",
        "image_token_index", "image_token_id", "boi_token_id", "eoi_token_id", "tie_word_embeddings",
    }
)  # fmt: skip


def _family(module: str) -> Family:
    family: Family = importlib.import_module(f"neurodeploy.frontends.families.{module}").FAMILY
    return family


def _unknown(path: Path, what: str, name: object, known: Mapping[str, Any]) -> ModelError:
    return ModelError("ND1011", path, f"{what} {name!r:.80} is not known; {', '.join(known)} are", ANOTHER)


def _text_settings(config: Mapping[str, Any], inner: str | None, subject: Path) -> dict[str, Any]:
    """The settings of the text model: the object itself, or the one inside a multimodal model's."""
    if inner is None:
        return dict(config)
    outer = Fields(config, subject)
    outer.ignore(AROUND | NO_EFFECT)
    outer.finish()
    shared = ("tie_word_embeddings", "eos_token_id", "bos_token_id")
    inherited = {key: config[key] for key in shared if key in config}
    return {**inherited, **{key: value for key, value in outer.table(inner).items() if value is not None}}


def from_huggingface(path: Path, opened: OpenedStore) -> Graph:
    """A folder with config.json and safetensors."""
    config, store = opened.config, opened.store
    architectures = config.get("architectures")
    first = architectures[0] if isinstance(architectures, list) and architectures else None
    kind = config.get("model_type") or (ARCHITECTURES.get(first) if isinstance(first, str) else None)
    if not isinstance(kind, str) or kind not in HUGGINGFACE:
        raise _unknown(path, "model_type", kind or first, HUGGINGFACE)
    module, inner = HUGGINGFACE[kind]
    family = _family(module)
    text = _text_settings(config, inner, path / "config.json")
    fields = Fields(text, path / "config.json", family.defaults)
    fields.ignore(NO_EFFECT)
    net = family.huggingface(fields)
    fields.finish()

    rename = huggingface_name(huggingface_prefix(store, path, family.table, family.prefixes), store.names())
    head, table = rename("lm_head.weight"), rename(family.table)
    # Some files hold the shared matrix twice. Where the two differ it is not clear which one counts.
    twice = net.tied and head in store.names()
    if twice and not same_tensor(store, head, table):
        raise fields.refuse("tie_word_embeddings", f"{head} is in the file and differs from {table}")

    def ignored(name: str) -> bool:
        return (twice and name == head) or other_part(name, family.derived)

    def source(name: str) -> Source:
        made = family.huggingface_source(name, net)
        return replace(made, name=rename(made.name))

    positions = fields.natural("max_position_embeddings")
    info = huggingface_info(path, family.name, net, text, net.positions or positions)
    return _graph(net, info, store, source, path, ignored, _fewer_positions(net, positions, path))


def from_gguf(path: Path, opened: OpenedStore) -> Graph:
    """A .gguf file."""
    metadata, store = opened.config, opened.store
    architecture = metadata.get("general.architecture")
    family = _family(GGUF[architecture]) if isinstance(architecture, str) and architecture in GGUF else None
    if family is None or family.gguf is None or family.gguf_source is None:
        raise _unknown(path, "general.architecture", architecture, GGUF)
    stem = f"{architecture}."
    settings = {key.removeprefix(stem): value for key, value in metadata.items() if key.startswith(stem)}
    fields = Fields(settings, path)
    net = family.gguf(fields, store)
    fields.finish()
    positions = fields.natural("context_length")
    info = gguf_info(path, family.name, net, metadata, net.positions or positions)
    make, tables = family.gguf_source, (DIVISORS, SHORT, LONG)
    notes = _fewer_positions(net, positions, path)
    return _graph(net, info, store, lambda name: make(name, net), path, lambda name: name in tables, notes)


def _graph(
    net: Decoder,
    info: ModelInfo,
    store: WeightStore,
    source: Callable[[str], Source],
    path: Path,
    ignored: Callable[[str], bool],
    notes: tuple[str, ...],
) -> Graph:
    built = build(net)
    weights = bind(store, {name: source(name) for name in built.tensors}, built.tensors, path, ignored)
    return Graph(info, built.populations, tuple(built.ops), weights, notes=notes)


def _fewer_positions(net: Decoder, said: int, path: Path) -> tuple[str, ...]:
    """A note for whoever converts, where the model's positions are right for fewer tokens than it says."""
    if net.positions is None or net.positions >= said:
        return ()
    return (
        f"{path} takes texts of up to {net.positions} tokens here, not {said}: longer ones would need other rotary"
        " frequencies for all of their tokens",
    )
