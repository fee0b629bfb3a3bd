"""Hooks of ``mkdocs.yml``: the files of the repository as a site, and the docstrings as its reference.

Files outside ``docs/`` become part of the site, and links between files work there as on GitHub. A public name in code
style becomes a link to its entry in the reference, in pages and in docstrings. A notebook becomes a page with the
outputs that are saved in it.
"""

from __future__ import annotations

import ast
import json
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import griffe
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import get_plugin_logger
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
# Code, or the second half of a link or picture. Code comes first, so that what resembles a link in it stays as it is.
LINK = re.compile(r"^ *```.*?^ *```|\[?`(?P<name>[^`\n]+)`|\]\((?P<path>[^)#:\s]+)(?P<anchor>#[^)\s]*)?\)", re.M | re.S)

#: Types of the pictures that a notebook may contain.
IMAGES = ("image/png", "image/jpeg")

log = get_plugin_logger("site")


def _public_names(package: str) -> dict[str, str]:
    table = ast.parse((ROOT / package / "__init__.pyi").read_text(encoding="utf-8"))
    names = [alias.name for node in table.body if isinstance(node, ast.ImportFrom) for alias in node.names]
    return {name: f"{package}.{name}" for name in names}


#: The full name of each public name. No name is in both packages.
NAMES = _public_names("segdata") | _public_names("segtrain")

#: Pages on which `UNet` is the class of this name; elsewhere it may be that of another program.
ABOUT_PYTHON = ("json.md", "python.md", "reference/")


def site_path(path: str) -> str:
    """Return the path in the site of a file of the repository; the README is the first page, a notebook is a page."""
    return "index.md" if path == "README.md" else re.sub(r"\.ipynb$", ".md", path.removeprefix("docs/"))


def repository_path(path: str) -> str:
    """Return the path in the repository of a file of the site."""
    sources = ["README.md"] if path == "index.md" else [f"docs/{path}", path, re.sub(r"\.md$", ".ipynb", path)]
    return next(source for source in sources if (ROOT / source).is_file())


def link_to_reference(code: re.Match[str], *, types: bool = True) -> str:
    """Return code in Markdown, as a link if it is a public name with its package or, with `types`, that of a type."""
    name = code["name"]
    full = NAMES.get(name) if types and name and name[0].isupper() else name
    # A link stays the link that it is.
    return f"[`{name}`][{full}]" if full in NAMES.values() and code[0][0] == "`" else code[0]


def _file(config: MkDocsConfig, path: str) -> File:
    if path.endswith(".ipynb"):
        return File.generated(config, site_path(path), content=notebook_page(ROOT / path))
    return File.generated(config, site_path(path), abs_src_path=str(ROOT / path))


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of the repository's first folder, the notebooks, and every file that a page links to."""
    outside = [path for pattern in ("*.md", "examples/*.ipynb") for path in ROOT.glob(pattern)]
    waiting = [path.relative_to(ROOT).as_posix() for path in outside] + [f"docs/{file.src_uri}" for file in files]
    seen: set[str] = set()
    while waiting:
        path = waiting.pop()
        if path in seen or not (ROOT / path).is_file():
            continue
        seen.add(path)
        if files.get_file_from_path(site_path(path)) is None:
            files.append(_file(config, path))
        if path.endswith(".md"):
            links = LINK.finditer((ROOT / path).read_text(encoding="utf-8"))
            folder = posixpath.dirname(path)
            waiting += [posixpath.normpath(posixpath.join(folder, link["path"])) for link in links if link["path"]]
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links between files of the repository into links between files of the site."""
    source = posixpath.dirname(repository_path(page.file.src_uri))
    here = posixpath.dirname(page.file.src_uri)

    def translated(link: re.Match[str]) -> str:
        if not link["path"]:
            return link_to_reference(link, types=page.file.src_uri.startswith(ABOUT_PYTHON))
        path = site_path(posixpath.normpath(posixpath.join(source, link["path"])))
        # GitHub shows the list of files of a folder; here, it is its first page.
        inside = [file.src_uri for file in files.documentation_pages() if file.src_uri.startswith(f"{path}/")]
        path = min(inside, default=path)
        if files.get_file_from_path(path) is None:
            log.warning(f"{page.file.src_uri}: no file {link['path']} to link to")
        return f"]({posixpath.relpath(path, here or '.')}{link['anchor'] or ''})"

    return LINK.sub(translated, markdown)


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Mark the short words in code style, options above all: browsers would break lines at their dashes."""
    return re.sub(r"<code>(?=[^<\s]{1,32}</code>)", '<code class="word">', html)


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Say which pages are in Chinese, for screen readers and the choice of glyphs."""
    chinese = page.file.src_uri == "README_CN.md" or "/zh/" in page.file.src_uri
    return output.replace('<html lang="en"', '<html lang="zh-CN"', 1) if chinese else output


class Docstrings(griffe.Extension):
    """Adapts docstrings to the reference, whose pages are in one folder of the site."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Give an example the heading by which griffe knows it; link public names and pages of ``docs/``."""
        if obj.docstring:
            text = re.sub(r"^Example:$", "Examples:", obj.docstring.value, flags=re.M)
            text = re.sub(r"``docs/([\w-]+)\.md``", r"[\1](../\1.md)", text)
            head, examples, rest = text.partition("Examples:")
            obj.docstring.value = LINK.sub(link_to_reference, head) + examples + rest


def notebook_page(path: Path) -> str:
    """Return the text, code, printed lines and pictures of a notebook as Markdown."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return "\n\n".join(part for cell in cells for part in _cell(cell)) + "\n"


def _cell(cell: dict[str, Any]) -> Iterator[str]:
    source = "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        yield source
    elif cell["cell_type"] == "code":
        shell = source.startswith("%%bash\n")
        yield _block("bash" if shell else "python", source.removeprefix("%%bash\n"))
        for output in cell["outputs"]:
            yield from _output(output)


def _output(output: dict[str, Any]) -> Iterator[str]:
    data = output.get("data", {})
    images = [kind for kind in IMAGES if kind in data]
    if images:
        content = "".join("".join(data[images[0]]).split())
        yield f'<img alt="Output of the cell above" src="data:{images[0]};base64,{content}">'
    elif text := "".join(output.get("text", data.get("text/plain", ""))):
        yield _block("text", text)


def _block(language: str, text: str) -> str:
    # Longer than any fence in the text.
    fence = "`" * max(3, *(len(line) - len(line.lstrip("`")) + 1 for line in text.split("\n")))
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"
