"""Names of models: what `fit` and `convert` both know without a file. One table, with the shapes that it stands for.

``models/FAMILY.json`` has for each name the model's title, its hub ids, its configuration and where that is from. A hub id
stands for its shape in `fit`; in `convert` it is the copy in the hub's cache, or the answer is the command that fetches it.
Names of closed models are told apart: nobody outside has what they would need.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from neurodeploy.errors import ModelError

_MODELS = Path(__file__).parent / "models"


@dataclass(frozen=True, slots=True)
class Known:
    """A model by name.

    hub : ids of the Hugging Face hub that have this shape, the one to fetch first. config : as config.json has it.
    gated : its licence must be accepted on the hub. exclude : files of the repository that nobody needs here.
    closed : the maker, where the shape is public and the weights are not.
    """

    name: str
    title: str
    source: str
    config: Mapping[str, Any]
    hub: tuple[str, ...] = ()
    gated: bool = False
    exclude: tuple[str, ...] = ()
    closed: str = ""


@lru_cache(maxsize=1)
def known() -> Mapping[str, Known]:
    """All names, in order."""
    found: dict[str, Known] = {}
    for path in sorted(_MODELS.glob("*.json")):
        page = json.loads(path.read_text(encoding="utf-8"))
        for name, entry in page["models"].items():
            hub = tuple(entry.get("hub", ()))
            source = entry.get("source") or page["source"]
            found[name] = Known(
                name, entry["name"], source.format(*hub),
                _merged(page["config"], entry["config"]), hub, bool(entry.get("gated")),
                tuple(entry.get("exclude") or page.get("exclude", ())), entry.get("closed", ""),
            )  # fmt: skip
    return dict(sorted(found.items()))


def _merged(common: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    found = {**common, **own}
    if isinstance(common.get("text_config"), dict):
        found["text_config"] = {**common["text_config"], **own.get("text_config", {})}
    return found


#: Words at the end of a name that say how a model was trained on, not what shape it has.
TRAINED = ("instruct", "it", "chat", "base", "hf", "pt")
#: A name that may be an id of the hub: owner and repository.
HUB_ID = re.compile(r"\w[\w.-]{0,95}/\w[\w.-]{0,95}")


def find(text: str) -> Known | None:
    """The entry of a name, a hub id, or either written a little differently: ``llama3.2:1b``, ``gpt-2``."""
    return _index().get(text.lower()) or (None if _is_path(text) else _index().get(_plain(text)))


def _is_path(text: str) -> bool:
    """Whether a text is meant as a path: it is written like one, or the folder that it would be in is there."""
    return ("/" in text or text[:1] in ".~") and (not HUB_ID.fullmatch(text) or Path(text).parent.is_dir())


@lru_cache(maxsize=1)
def _index() -> dict[str, Known]:
    found: dict[str, Known] = {}
    for name, entry in known().items():
        for form in (name, *(hub.lower() for hub in entry.hub)):
            found[form] = entry
        for form in (_plain(name), *map(_plain, entry.hub)):
            found.setdefault(form, entry)
    return found


def _plain(text: str) -> str:
    """A name without its owner, what says how it was trained, "meta" and marks between words."""
    words = re.split(r"[-_:\s]+", text.lower().rsplit("/", 1)[-1].removeprefix("meta-"))
    while len(words) > 1 and words[-1] in TRAINED:
        words.pop()
    return "".join(words)


def taken_for(text: str, entry: Known) -> str:
    """A note where a hub id is not one of the entry's own: a copy or a descendant of it, by its name."""
    if not HUB_ID.fullmatch(text) or text.lower() in map(str.lower, entry.hub):
        return ""
    known_as = entry.hub[0] if entry.hub else entry.title
    return f"{text} is taken for the shape of {known_as} by its name: its own files were not read"


#: Names of models that are not published -> who has them. Matched against the whole name without its owner.
CLOSED: tuple[tuple[str, str], ...] = (
    (r"(chat-?gpt|gpt-?[345](\.\d+)?(o|v)?|o[1345]|codex|dall-?e|sora)([-.:].*)?", "OpenAI"),
    (r"(text-)?(davinci|curie|babbage|ada)([-.:].*)?", "OpenAI"),
    (r"claude([-.:\d].*)?|(sonnet|opus|haiku)([-.:\d].*)?", "Anthropic"),
    (r"(gemini|bard|palm|lamda|imagen|veo)([-.:\d].*)?", "Google"),
    (r"grok([-.:]?[3-9].*)?", "xAI"),
    (r"(mistral-(medium|next)|le-chat)([-.:].*)?", "Mistral AI"),
    (r"qwen[\d.]*-?(max|plus|turbo)([-.:].*)?", "Alibaba"),
    (r"(amazon-)?(nova|titan)-(pro|lite|micro|premier|text)([-.:].*)?", "Amazon"),
    (r"(github-)?copilot([-.:].*)?", "GitHub"),
)  # fmt: skip


def check_open(text: str) -> None:
    """Raises ND1014 where a name is that of a model whose weights and shape its maker keeps."""
    if _is_path(text):
        return
    last = re.sub(r"[_\s]+", "-", text.lower().rsplit("/", 1)[-1])
    for pattern, maker in CLOSED:
        if re.fullmatch(pattern, last):
            problem = f"is a closed model of {maker}: nobody outside has its weights or its shape"
            raise ModelError(
                "ND1014", text, problem, "take an open model, such as gpt-oss-20b: `neurodeploy fit --list`"
            )


def fetch_command(entry: Known | None, repository: str, only: str = "") -> str:
    """What fetches a repository into the hub's cache; `hf` comes with the package huggingface_hub."""
    rest = f" {only}" if only else "".join(f' --exclude "{pattern}"' for pattern in (entry.exclude if entry else ()))
    gate = (
        f" (accept its licence at huggingface.co/{repository} and `hf auth login` first)"
        if entry and entry.gated
        else ""
    )
    return f"`hf download {repository}{rest}`{gate}"


def in_cache(text: str, needs: str) -> Path | None:
    """The folder of a hub id, or of a known name, in the hub's cache, where it has a file `needs` (a pattern)."""
    entry = find(text)
    ids = [text] if HUB_ID.fullmatch(text) else list(entry.hub) if entry else []
    if not ids:
        return None
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    for repository in ids:
        try:
            found = try_to_load_from_cache(repository, "config.json")
        except (HFValidationError, OSError):
            continue
        if isinstance(found, str) and any(Path(found).parent.glob(needs)):
            return Path(found).parent
    return None


def to_fetch(text: str) -> ModelError | None:
    """The error of a model that has to be fetched before `convert` can read it; None for a text that is no such name.

    Raises ND1014 for a closed model, ND1011 where `convert` does not read that family: nothing is fetched in vain.
    """
    entry = find(text)
    if entry is None:
        check_open(text)
        return None
    if entry.closed:
        problem = f"its shape is public ({entry.source}), its weights are {entry.closed}'s own"
        raise ModelError(
            "ND1014", text, problem, f"`neurodeploy fit {entry.name}` counts it; take an open model to convert"
        )
    from neurodeploy.frontends.families import HUGGINGFACE

    kind = str(entry.config.get("model_type", "mamba"))
    if kind not in HUGGINGFACE:
        problem = f"{entry.title} is of the family {kind}, which convert does not read; {', '.join(HUGGINGFACE)} are"
        raise ModelError("ND1011", text, problem, f"`neurodeploy fit {entry.name}` counts it without its weights")
    repository = text if HUB_ID.fullmatch(text) else entry.hub[0]
    fix = f"{fetch_command(entry, repository)}, then the same command again"
    return ModelError("ND1002", text, f"{entry.title} is known, and its weights are not on this machine", fix)


def nearest(text: str, names: Iterable[str] = ()) -> str:
    """ "did you mean ...? " with a near name, or nothing, and where the names are."""
    near = difflib.get_close_matches(text.lower(), [*names, *known()], n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    return f"{hint}`neurodeploy fit --list` prints the {len(known())} names that are known"
