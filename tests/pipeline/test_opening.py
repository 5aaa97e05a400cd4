"""`open`: a bundle as an object whose methods are the verbs, and which stands wherever a path of a bundle does."""

from __future__ import annotations

import inspect
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import neurodeploy as nd
from neurodeploy.errors import BundleError
from tests.pipeline.networks import Files
from tests.tiny import unchanged

ROOT = Path(__file__).parents[2]
#: Verbs that take a bundle first.
METHODS = ("map", "explain", "run", "generate", "eval", "energy", "report", "verify", "export", "fit", "diff")


@pytest.fixture(scope="module")
def mapped(files: Files, tmp_path_factory: pytest.TempPathFactory) -> nd.Bundle:
    place = tmp_path_factory.mktemp("opening") / "x.nd"
    return nd.open(shutil.copytree(files.plain_nd, place))


def timeless(found: Any) -> Any:
    """Without how long the simulation or the search took."""
    return {key: value for key, value in found.items() if key not in ("seconds", "steps_per_s", "metrics")}


def test_names() -> None:
    verbs = {"calibrate", "convert", "demo", "doctor", "explore", *METHODS}
    assert set(dir(nd)) == set(nd.__all__) == {"Bundle", "__version__", "open", *verbs}
    for name in dir(nd):
        assert getattr(nd, name) is not None


@pytest.mark.parametrize("verb", METHODS)
def test_a_method_is_the_verb(verb: str) -> None:
    """With its signature and documentation, less the bundle."""
    method, function = getattr(nd.Bundle, verb), getattr(nd, verb)
    assert method is function and method.__doc__
    bound = inspect.signature(getattr(nd.Bundle.__new__(nd.Bundle), verb))
    assert list(bound.parameters) == list(inspect.signature(function).parameters)[1:]


def test_every_verb_takes_one(mapped: nd.Bundle, files: Files, tmp_path: Path) -> None:
    """As a method and as an argument: what it finds is what it finds of the path."""
    fed: dict[str, Any] = {"input": files.spikes}
    path = mapped.path
    with unchanged(path):
        assert timeless(mapped.run(**fed)) == timeless(nd.run(mapped, **fed)) == timeless(nd.run(str(path), **fed))
        assert timeless(mapped.eval(**fed)) == timeless(nd.eval(path, **fed))
        assert mapped.explain() == nd.explain(path) and mapped.verify() == nd.verify(path)
        assert mapped.energy(**fed) == nd.energy(path, **fed)
        first, second = mapped.report(tmp_path / "a.html", **fed), nd.report(path, tmp_path / "b.html", **fed)
        assert first["data"] == second["data"]
        mapped.export(tmp_path / "a.nir"), nd.export(path, tmp_path / "b.nir")
        mapped.export(tmp_path / "lava.py", format="lava", **fed)
        mapped.export(tmp_path / "sanafe", format="sanafe", **fed)
        assert timeless(mapped.fit("oheo-gulch")) == timeless(nd.fit(path, "oheo-gulch"))
    assert (tmp_path / "a.nir").read_bytes() == (tmp_path / "b.nir").read_bytes()
    assert timeless(mapped.map("kapoho-point")) == timeless(nd.map(path, "kapoho-point"))


def test_a_language_model_takes_one(llama_bundle: Path) -> None:
    opened = nd.open(llama_bundle)
    assert opened.generate("abc", 3) == nd.generate(llama_bundle, "abc", 3)


def test_bundles_side_by_side(llama_bundle: Path, tmp_path: Path) -> None:
    other = nd.open(shutil.copytree(llama_bundle, tmp_path / "other.nd"))
    found = nd.energy(llama_bundle, prompt_tokens=8, tokens=2, beside=[other])
    assert len(found["variants"]) == 3


def test_what_it_says(files: Files, tmp_path: Path) -> None:
    made = nd.convert(files.plain, tmp_path / "x.nd", dt=1e-3)
    opened = made.bundle
    assert opened == nd.open(tmp_path / "x.nd") and hash(opened) == hash(nd.open(tmp_path / "x.nd"))
    assert os.fspath(opened) == str(opened) == str(tmp_path / "x.nd") == made["bundle"]
    size = sum(
        file.stat().st_size for file in opened.path.rglob("*") if file.name != "manifest.json" and file.is_file()
    )
    assert opened.size_bytes == size
    assert repr(opened).startswith(f"{opened.path}: a spiking network from plain.nir, ")
    assert repr(opened).endswith(", not mapped") and not opened.is_mapped
    opened.map("oheo-gulch")
    assert repr(opened).endswith(", mapped") and "<dd>yes</dd>" in opened._repr_html_()
    assert opened.manifest == json.loads((opened.path / "manifest.json").read_text())


def test_what_is_no_bundle(files: Files, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="ND5001"):
        nd.open(tmp_path)
    place = Path(shutil.copytree(files.plain_nd, tmp_path / "x.nd"))
    manifest = place / "manifest.json"
    manifest.write_text(manifest.read_text().replace("plain.nir", "other.nir"))
    with pytest.raises(BundleError, match="ND5002"):
        nd.open(place)


#: A user's script: each line that is wrong says so, and with what.
SCRIPT = """
from pathlib import Path
import neurodeploy as nd

b: nd.Bundle = nd.convert("x.nir", Path("x.nd"), dt=1e-3).bundle
found = b.map(system="oheo-gulch", max_rows=3)
cores: int = found["cores_used"]
rule: str = b.explain()[0]["rule"]
nd.energy(b, input="spikes.npy").save("energy.csv").read_text().upper()
b.run(input="spikes.npy").show()
b.map(system=3)  # arg-type
b.nothere()  # attr-defined
nd.run(b, steps="many")  # arg-type
nd.verify(b).nothere  # attr-defined
nd.run(bundle=7, text="a")  # arg-type
nd.explain(b).keys()  # attr-defined
"""


def test_mypy_sees_the_types_in_a_users_script(tmp_path: Path) -> None:
    """With --strict: every mistake, at its line, and nothing else."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT, encoding="utf-8")
    config = tmp_path / "mypy.ini"
    config.write_text("[mypy]\nfollow_imports = silent\nstrict = True\n", encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--config-file", str(config), "--cache-dir", str(tmp_path / "cache")]
    done = subprocess.run(
        [*command, str(script)], env={**os.environ, "MYPYPATH": str(ROOT)}, capture_output=True, text=True, check=False,
        cwd=tmp_path,
    )  # fmt: skip
    assert done.stderr == "" and done.returncode == 1, done.stdout + done.stderr
    found = [line.split(":", 2) for line in done.stdout.splitlines() if ": error: " in line]
    said = {int(number): text.rpartition("[")[2].rstrip("]") for _, number, text in found}
    wanted = {i: line.partition("# ")[2] for i, line in enumerate(SCRIPT.splitlines(), 1) if "  # " in line}
    assert said == wanted


@pytest.mark.parametrize("package", ["neurodeploy", "partitioner", "simulators", "targets"])
def test_packages_say_that_they_are_typed(package: str) -> None:
    assert (ROOT / package / "py.typed").is_file()
    ignored = subprocess.run(["git", "check-ignore", "-q", f"{package}/py.typed"], cwd=ROOT, check=False)
    assert ignored.returncode == 1  # what git ignores is not in the wheel
