"""The notebooks of docs/notebooks run, as a reader would run them, and what they show holds; in the repository they are
empty.

Each is executed in a kernel of its own in an empty folder; last cells of ours look at what it has computed.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.docs.test_links import ROOT, broken_links
from tests.tiny import environment

FOLDER = ROOT / "docs" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
SECONDS = 300  # until a cell counts as hanging; all cells of one take under 20 where nothing else is at work
#: What must be true at the end of each, in its own variables.
HOLDS = {
    "language_model": (
        "abs(score['bits_per_byte_change']) < 0.002 and score['top1_agreement'] > 0.98",
        "len(said['tokens']) == 48 and said['text'] and 'float' in said",
        "mapping['fits'] and bundle.is_mapped and (out / 'demo.html').stat().st_size > 100_000",
        "0 < spent['generate']['joules_per_token']['chip']['high'] < spent['generate']['joules_per_token']['wall']['high']",
    ),
    "cnn_from_pytorch": (
        "(in_float == labels[test]).float().mean() > 0.9",
        "(on_chip == in_float).float().mean() > 0.99",
        "made['check']['largest_relative'] < 0.02 and made['multiply_adds']['on_chip'] == 1",
        "bundle.is_mapped and spent['sample']['joules_per_token']['wall']['nominal'] > 0",
    ),
    "snn_from_snntorch": (
        "check['before_rounding'] == 'exact' and check['share'] < 0.05",
        "row['reference_correct'] > 180 and abs(row['chip_correct'] - row['reference_correct']) <= 6",
        "(out / 'snn.nir').exists()",
    ),
    "sizing_a_system": (
        "small['fits'] and not large['fits'] and large['rows'][0]['chips'] > 1152",
        "len(found['rows']) == 4 and not any(row['error'] for row in found['rows']) and front",
        "bundle.is_mapped and chosen['joules_wall'] == min(row['joules_wall'] for row in found['rows'])",
    ),
}  # fmt: skip


def cells(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return found


def source(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def test_each_is_run() -> None:
    assert {path.stem for path in NOTEBOOKS} == set(HOLDS)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs_and_what_it_shows_holds(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    for name in ("ipykernel", "matplotlib", "pandas", "sklearn", "snntorch"):  # of the extra `test`
        pytest.importorskip(name)
    monkeypatch.setenv("PYTHONPATH", environment()["PYTHONPATH"])
    monkeypatch.setenv("MPLBACKEND", "agg")
    book = nbformat.read(path, as_version=4)
    for claim in HOLDS[path.stem]:
        book.cells.append(nbformat.v4.new_code_cell(f"assert {claim}"))
    resources = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(book, timeout=SECONDS, kernel_name="python3", resources=resources).execute()
    assert [each.name for each in tmp_path.iterdir()] == ["out"], "a reader's folder has more in it than the text says"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_holds_no_outputs_and_nothing_of_a_machine(path: Path) -> None:
    assert not leftovers(path)


def leftovers(path: Path) -> list[str]:
    """Outputs, counts of executions, metadata of an editor, paths of somebody's disk."""
    book = json.loads(path.read_text(encoding="utf-8"))
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    found = [] if book["metadata"] == {"kernelspec": kernel, "language_info": {"name": "python"}} else ["metadata"]
    for cell in book["cells"]:
        if cell["metadata"] or cell.get("outputs") or cell.get("execution_count") is not None:
            found.append(f"{cell['id']} was executed")
        found += re.findall(r"(?:/(?:home|root|Users|tmp|work|opt|mnt|var)/|\b[A-Z]:\\|file://)\S*", source(cell))
    return found


def test_leftovers_are_found(tmp_path: Path) -> None:
    book = json.loads(NOTEBOOKS[0].read_text(encoding="utf-8"))
    book["metadata"]["vscode"] = {}
    code = next(cell for cell in book["cells"] if cell["cell_type"] == "code")
    code |= {"execution_count": 3, "source": ["open('/home/me/x.nd')"]}
    (tmp_path / "a.ipynb").write_text(json.dumps(book), encoding="utf-8")
    assert leftovers(tmp_path / "a.ipynb") == ["metadata", f"{code['id']} was executed", "/home/me/x.nd')"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_its_links_lead_somewhere(path: Path) -> None:
    text = "\n\n".join(source(cell) for cell in cells(path) if cell["cell_type"] == "markdown")
    assert text.startswith("# ") and not broken_links(text, path)


def test_each_is_in_the_site() -> None:
    """`scripts/site_hooks.py` makes a page of each; here, that mkdocs.yml lists it."""
    listed = re.findall(r": notebooks/(\S+)\.md$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(listed) == [path.stem for path in NOTEBOOKS]
