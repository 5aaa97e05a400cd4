"""What the families share: the interface of a family, the settings and names of a GGUF file, and from the names of a file to
the canonical names of `decoder`: nothing missing, nothing left over, every shape right.

The canonical name is that of transformers without its prefix: ``layers.0.self_attn.q_proj.weight``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from neurodeploy.errors import ModelError
from neurodeploy.frontends.families.decoder import Decoder
from neurodeploy.frontends.families.fields import Fields
from neurodeploy.frontends.file_store import FileStore, MappedStore, Source
from neurodeploy.frontends.files import no_such_tensor
from neurodeploy.ir.graph import WeightStore

#: Prefixes of the text model in Hugging Face files: plain, inside a multimodal model (old, new names), the bare model.
PREFIXES = ("model.", "language_model.model.", "model.language_model.", "")
#: Tensors of other parts of a multimodal model, which a text does not pass through.
OTHER_PARTS = ("vision_tower.", "vision_model.", "multi_modal_projector.")
#: Tensors that hold nothing that was learnt: tables that old versions of transformers saved.
DERIVED = (".rotary_emb.inv_freq",)
#: What helps where a configuration and tensors do not fit together.
BELONG = "check that the configuration belongs to the weights"
#: Rows that are compared at a time.
ROWS = 4096


def huggingface_prefix(store: WeightStore, subject: object, table: str, prefixes: Sequence[str]) -> str:
    """The prefix of the text model's tensors. Raises ND1006 where its embedding table is under none of `prefixes`."""
    names = set(store.names())
    for prefix in prefixes:
        if prefix + table in names:
            return prefix
    raise no_such_tensor(prefixes[0] + table, names, subject)


def huggingface_name(prefix: str, names: Collection[str]) -> Callable[[str], str]:
    """Canonical name -> name in the file. The head stands beside the model, whatever the prefix of the model is."""
    beside = "language_model.lm_head." if "language_model.lm_head.weight" in names else "lm_head."

    def rename(name: str) -> str:
        return beside + name.removeprefix("lm_head.") if name.startswith("lm_head.") else prefix + name

    return rename


def other_part(name: str, derived: tuple[str, ...] = DERIVED) -> bool:
    """Whether a tensor of a Hugging Face file is one that a text model leaves alone."""
    bare = name.removeprefix("model.")
    return bare.startswith(OTHER_PARTS) or name.endswith(derived)


def bind(
    store: FileStore,
    sources: Mapping[str, Source],
    shapes: Mapping[str, tuple[int, ...]],
    subject: object,
    ignored: Callable[[str], bool] = lambda name: False,
) -> MappedStore:
    """A store under canonical names. Raises ND1006 for a tensor that is missing, left over or of a wrong shape."""
    present = set(store.names())
    wanted = {source.name for source in sources.values()}
    missing = sorted(wanted - present)
    if missing:
        error = no_such_tensor(missing[0], present, subject)
        others = f" ({len(missing)} of {len(wanted)} are missing)" if len(missing) > 1 else ""
        near = f" ({error.fix})" if error.fix else ""
        raise ModelError("ND1006", missing[0], error.problem + others, f"fetch the weights again, or {BELONG}{near}")
    left = sorted(name for name in present - wanted if not ignored(name))
    if left:
        more = f" and {len(left) - 1} more" if len(left) > 1 else ""
        problem = f"is in {subject}{more}, and the model that its configuration describes has no place for it"
        raise ModelError("ND1006", left[0], problem, BELONG)
    mapped = MappedStore(store, sources)
    for name, shape in shapes.items():
        if mapped.shape(name) != shape:
            problem = f"gives {name} the shape {mapped.shape(name)}, the configuration says {shape}"
            raise ModelError("ND1006", sources[name].name, problem, BELONG)
    return mapped


def check_size(net: Decoder, store: WeightStore, subject: object) -> None:
    """ND1006 for more layers and experts than there are tensors, before operations are made for each of them."""
    shapes = [store.shape(name) for name in store.names()]
    held = len(shapes) + sum(shape[0] for shape in shapes if len(shape) == 3)
    needed = len(net.layers) + sum(layer.experts for layer in net.layers)
    if needed > held:
        problem = f"has tensors for at most {held} layers and experts, the configuration says {needed}"
        raise ModelError("ND1006", subject, problem, BELONG)


def check_head(tied: bool, store: WeightStore, head: str, table: str, settings: str) -> None:
    """Whether a Hugging Face file has the head that its configuration says: its own, or the embedding table `table`.

    Some files hold a tied matrix twice: where the two differ it is not clear which one counts (ND1012). An untied model
    needs a head (ND1006). `settings` is where the setting stands, for the error texts.
    """
    stored = head in store.names()
    if not tied and not stored:
        problem = f"no such tensor, and tie_word_embeddings is false or not set in {settings}"
        fix = f"set tie_word_embeddings to true in {settings} if the embedding table is the head, or fetch the weights again"
        raise ModelError("ND1006", head, problem, fix)
    if tied and stored and not same_tensor(store, head, table):
        problem = f"differs from {table}, and tie_word_embeddings = True in {settings} says that they are one"
        fix = f"set tie_word_embeddings to false in {settings} to use both, or remove {head} from the file"
        raise ModelError("ND1012", head, problem, fix)


def same_tensor(store: WeightStore, first: str, second: str) -> bool:
    """Whether two tensors hold the same numbers."""
    if store.shape(first) != store.shape(second):
        return False
    rows = store.shape(first)[0]
    return all(
        np.array_equal(store.get(first, start, start + ROWS), store.get(second, start, start + ROWS))
        for start in range(0, rows, ROWS)
    )


@dataclass(frozen=True, slots=True)
class Family:
    """How a family's checkpoints are read.

    huggingface : settings of config.json -> network; may raise ND1012
    defaults : what transformers assumes for settings that config.json leaves out
    huggingface_source : canonical tensor name, network -> `Source` without the file's prefix; usually of the same name
    gguf : settings of the file (keys without "ARCHITECTURE."), store -> network; None where GGUF is not read
    gguf_source : canonical tensor name, network -> `Source` in a .gguf file
    aliases : names in config.json -> those that the family reads
    table, prefixes : name of the embedding table in a Hugging Face file, and what may stand before it and all others
    derived : ends of names of tensors that hold nothing that was learnt
    """

    name: str
    huggingface: Callable[[Fields], Decoder]
    defaults: Mapping[str, Any]
    huggingface_source: Callable[[str, Decoder], Source] = lambda name, net: Source(name)
    gguf: Callable[[Fields, WeightStore], Decoder] | None = None
    gguf_source: Callable[[str, Decoder], Source] | None = None
    aliases: Mapping[str, str] = field(default_factory=dict)
    table: str = "embed_tokens.weight"
    prefixes: tuple[str, ...] = PREFIXES
    derived: tuple[str, ...] = DERIVED


#: config.json: activations -> the `act` of a "glu".
ACTIVATIONS = {"silu": "silu", "swish": "silu", "gelu_pytorch_tanh": "gelu_tanh"}

#: Settings of a .gguf file by the names of config.json.
GGUF_SETTINGS = {
    "embedding_length": "hidden_size", "attention.head_count": "num_attention_heads", "block_count": "num_hidden_layers",
    "attention.head_count_kv": "num_key_value_heads", "attention.key_length": "head_dim",
    "feed_forward_length": "intermediate_size", "context_length": "max_position_embeddings",
    "attention.layer_norm_rms_epsilon": "rms_norm_eps", "attention.layer_norm_epsilon": "layer_norm_epsilon",
    "attention.sliding_window": "sliding_window",
}  # fmt: skip
#: What a .gguf file does not say, because it follows from the architecture: the family's default holds.
UNSAID = ("hidden_act", "hidden_activation", "activation_function")
#: canonical part of a layer -> GGUF part.
GGUF_LAYER = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
GGUF_TOP = {
    "embed_tokens": "token_embd", "embed_positions": "position_embd", "norm": "output_norm", "lm_head": "output",
}  # fmt: skip


def gguf_name(name: str, layer: Mapping[str, str]) -> str:
    """``layers.3.self_attn.q_proj.weight`` -> ``blk.3.attn_q.weight``."""
    stem, suffix = name.rsplit(".", 1)
    if stem in GGUF_TOP:
        return f"{GGUF_TOP[stem]}.{suffix}"
    _, index, part = stem.split(".", 2)
    return f"blk.{index}.{layer[part]}.{suffix}"


def gguf_source(
    layer: Mapping[str, str], stored: Callable[[str, Decoder], Source] = lambda name, net: Source(name),
    interleaved: bool = False,
) -> Callable[[str, Decoder], Source]:  # fmt: skip
    """A `Family.gguf_source`. layer : canonical part -> GGUF part; stored : the canonical name of what holds a tensor.

    interleaved : llama.cpp interleaves the rows of q and k in this architecture.
    """

    def source(name: str, net: Decoder) -> Source:
        made, part = stored(name, net), name.rsplit(".", 2)[-2]
        heads = {"q_proj": net.heads, "k_proj": net.kv_heads}.get(part, 0) if interleaved else 0
        return replace(made, name=gguf_name(made.name, layer), heads=heads)

    return source


def gguf_settings(metadata: Mapping[str, Any], architecture: str) -> dict[str, Any]:
    """The keys below "ARCHITECTURE.", arrays as lists; one value for every layer, as the format allows, is that value."""
    stem = f"{architecture}."
    found = {key.removeprefix(stem): value for key, value in metadata.items() if key.startswith(stem)}
    settings = {key: value.tolist() if isinstance(value, np.ndarray) else value for key, value in found.items()}
    layers = settings.get("block_count")
    for key, value in settings.items():
        if isinstance(value, list) and value and len(value) == layers and value.count(value[0]) == layers:
            settings[key] = value[0]
    return settings


def gguf_fields(
    metadata: Mapping[str, Any], architecture: str, family: Family, store: WeightStore, path: Path
) -> Fields:
    """The settings by the names of config.json, and what the tensors tell: rows of the vocabulary, a head of its own."""
    if "token_embd.weight" not in store.names():
        raise ModelError("ND1006", "token_embd.weight", f"no such tensor in {path}", "fetch the file again")
    told = {
        "vocab_size": store.shape("token_embd.weight")[0],
        "tie_word_embeddings": "output.weight" not in store.names(),
    }
    unsaid = {name: family.defaults[name] for name in UNSAID if name in family.defaults}
    settings = {**gguf_settings(metadata, architecture), **told}
    return Fields(settings, path, unsaid, f"{architecture}.", GGUF_SETTINGS)


def gguf_rotated(fields: Fields, dim: int, partial: bool = False) -> int:
    """Of the neurons of a head how many are rotated: all, unless `partial`. Key and value length must agree."""
    rotated = fields.natural("rope.dimension_count", dim, most=dim)
    for name, length in (("attention.value_length", fields.natural("attention.value_length", dim)),
                         ("rope.dimension_count", dim if partial else rotated)):  # fmt: skip
        if length != dim:
            raise fields.refuse(name, f"heads have {dim} neurons, and all of them are needed here")
    return rotated


def check_heads(fields: Fields, heads: int, kv_heads: int) -> None:
    """Every key-value head serves the same number of query heads."""
    if heads % kv_heads:
        raise fields.refuse("num_key_value_heads", f"{heads} attention heads cannot be shared out over it")
