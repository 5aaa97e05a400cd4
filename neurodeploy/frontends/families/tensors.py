"""From the names of a file to the canonical names of `decoder`: nothing missing, nothing left over, every shape right.

The canonical name is that of transformers without its prefix: ``layers.0.self_attn.q_proj.weight``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np

from neurodeploy.errors import ModelError
from neurodeploy.frontends.families.decoder import Decoder
from neurodeploy.frontends.file_store import FileStore
from neurodeploy.frontends.files import no_such_tensor
from neurodeploy.frontends.wrapped import MappedStore, Source
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
