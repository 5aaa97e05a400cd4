"""Hooks of mkdocs.yml: pages from outside of docs/, links that are right in the repository and in the site, nothing remote.

A notebook of docs/notebooks is a page too: its words and its code, for it has no outputs. A link to a page is turned into
the one of the site, a link to another file of the repository, which the site has not, into its words. One that leads
nowhere is left as it is: then the build fails, for it is strict.
"""

from __future__ import annotations

import json
import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
#: Pages of the site that are files elsewhere.
OUTSIDE = {
    "README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md",
    "neurodeploy/embedded/model/README.md": "model.md",
}  # fmt: skip
SCHEMAS = "schemas/index.md"
NOTEBOOKS = "docs/notebooks/*.ipynb"
LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)#\s]+)(#[^)\s]*)?\)")
IMAGE = re.compile(r"(!\[[^\]]*\]\()([^)\s]+)\)")
#: What a page would fetch when it opens.
REMOTE = re.compile(r"""<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)=["']?(?:https?:)?//[^>]*>""")


def on_files(files: Files, config: Any) -> Files:
    for source, name in OUTSIDE.items():
        files.append(File.generated(config, name, content=(ROOT / source).read_text(encoding="utf-8")))
    names = sorted(path.name for path in (ROOT / "docs" / "schemas").glob("*.json"))
    listed = "".join(f"- [{name}]({name})\n" for name in names)
    text = f"# Schemas of answers\n\nThe JSON Schema of each verb's answer; see [Python](../python.md#schemas).\n\n{listed}"
    files.append(File.generated(config, SCHEMAS, content=text))
    for path in sorted(ROOT.glob(NOTEBOOKS)):
        files.append(File.generated(config, f"notebooks/{path.stem}.md", content=notebook(path)))
    return files


def notebook(path: Path) -> str:
    """The page of a notebook: its cells in order, and where the file itself is."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    texts = ["".join(cell["source"]) for cell in cells]
    kinds = [cell["cell_type"] for cell in cells]
    shown = [f"```python\n{text}\n```" if kind == "code" else text for kind, text in zip(kinds, texts, strict=True)]
    told = f'A notebook to run: <a href="{path.name}" download>{path.name}</a>; the tests run it too.'
    return "\n\n".join([shown[0], told, *shown[1:]]) + "\n"


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    name = page.file.src_uri
    source = {site: path for path, site in OUTSIDE.items()}.get(name, f"docs/{name}")

    def found(target: str) -> str | None:
        """The address in the site of a link in this page; "" for a file that the site has not; None for no file."""
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
        wanted = OUTSIDE.get(path) or (SCHEMAS if path == "docs/schemas" else path.removeprefix("docs/"))
        wanted = re.sub(r"\.ipynb$", ".md", wanted)
        if files.get_file_from_path(wanted) is not None and (path in OUTSIDE or path.startswith("docs/")):
            return posixpath.relpath(wanted, posixpath.dirname(name) or ".")
        return "" if (ROOT / path).exists() else None

    def link(match: re.Match[str]) -> str:
        words, target, anchor = match[1], match[2], match[3] or ""
        address = None if ":" in target or name == SCHEMAS else found(target)
        if address is None:
            return match[0]
        return f"[{words}]({address}{anchor})" if address else words

    def image(match: re.Match[str]) -> str:
        address = None if ":" in match[2] else found(match[2])
        return f"{match[1]}{address})" if address else match[0]

    parts = re.split(r"(^```.*?^```$)", markdown, flags=re.MULTILINE | re.DOTALL)
    return "".join(part if part.startswith("```") else IMAGE.sub(image, LINK.sub(link, part)) for part in parts)


def on_post_page(output: str, page: Any, config: Any) -> str:
    if remote := REMOTE.search(output):
        raise PluginError(f"{page.file.src_uri} would fetch {remote[0]:.200}")
    return output
