"""The site that mkdocs.yml describes: it builds without a warning, and no link or resource is missing or elsewhere."""

from __future__ import annotations

import ast
import json
import os
import posixpath
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

pytest.importorskip("mkdocs", reason="MkDocs is not installed; the extra docs has it")

ROOT = Path(__file__).resolve().parents[1]
LOADED = {"script": "src", "img": "src", "source": "src", "iframe": "src", "link": "href"}


def public_names(package: str) -> list[str]:
    """Return the public names of a package, from their table: an import needs MindSpore."""
    table = ast.parse((ROOT / package / "__init__.pyi").read_text(encoding="utf-8"))
    imports = [node for node in table.body if isinstance(node, ast.ImportFrom)]
    return [f"{package}.{alias.name}" for node in imports for alias in node.names]


PUBLIC = public_names("segdata") + public_names("segtrain")


def build(folder: Path, target: Path) -> subprocess.CompletedProcess[str]:
    """Build the site of the mkdocs.yml in `folder`."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(target)]
    # The theme's notice about the next MkDocs.
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


@dataclass
class Page(HTMLParser):
    """Names, links, loaded files and text of a page."""

    anchors: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)
    classes: set[str] = field(default_factory=set)
    language: str = ""
    text: str = ""

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.language = values.get("lang", "") if tag == "html" else self.language
        self.anchors += [values[name] for name in ("id", "name") if name in values and tag not in ("input", "meta")]
        self.classes |= {*values.get("class", "").split()}
        if tag == "a":
            self.links += [values["href"]] if "href" in values else []
        elif (attribute := LOADED.get(tag)) in values:
            self.loaded.append(values[attribute])

    def handle_data(self, data: str) -> None:
        self.text += data


@dataclass
class Site:
    """A built site."""

    folder: Path
    pages: dict[str, Page]

    def missing(self, page: str, link: str) -> bool:
        """Tell whether a link of a page leads to no file, or to no place in it."""
        if link.startswith("data:"):
            return False
        parts = urlsplit(link)
        path = posixpath.join(posixpath.dirname(page), unquote(parts.path))
        target = posixpath.normpath(path) if parts.path else page
        if not (self.folder / target).is_file():
            return True
        return bool(parts.fragment) and unquote(parts.fragment) not in self.pages[target].anchors


def read_site(folder: Path) -> Site:
    """Read all pages of a built site."""
    pages = {}
    for path in sorted(folder.rglob("*.html")):
        page = Page()
        page.feed(path.read_text(encoding="utf-8"))
        pages[path.relative_to(folder).as_posix()] = page
    return Site(folder, pages)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Return the site of this repository, built with warnings as errors."""
    folder = tmp_path_factory.mktemp("site")
    done = build(ROOT, folder)
    assert (done.returncode, re.findall(r"^(?:WARNING|ERROR).*", done.stderr, re.M)) == (0, []), done.stderr
    return read_site(folder)


def outside(link: str) -> bool:
    """Tell whether a link leaves the site; pictures of notebooks are in their pages."""
    return (urlsplit(link).scheme != "" or link.startswith("//")) and not link.startswith("data:image/")


def test_the_reference_lists_every_public_name_once() -> None:
    pages = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs" / "reference").glob("*.md"))]
    assert sorted(re.findall(r"^::: (\S+)$", "\n".join(pages), re.M)) == sorted(PUBLIC), "see docs/reference"


def test_every_page_of_the_repository_is_in_the_site(site: Site) -> None:
    pages = {path.relative_to(ROOT / "docs").with_suffix(".html").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    pages |= {path.with_suffix(".html").name for path in ROOT.glob("*.md")} - {"README.html"}
    pages |= {f"examples/{path.stem}.html" for path in (ROOT / "examples").glob("*.ipynb")}
    assert {*site.pages} == pages | {"index.html", "benchmarks/index.html", "404.html"}
    assert "turns the segmentation data sets people actually have" in site.pages["index.html"].text


def test_links_and_anchors_lead_somewhere(site: Site) -> None:
    # The page for wrong addresses does not know its own, so it has links from the root of the site.
    links = [
        (name, link) for name, page in site.pages.items() if name != "404.html" for link in [*page.links, *page.loaded]
    ]
    assert len(links) > 1000
    assert [(name, link) for name, link in links if not outside(link) and site.missing(name, link)] == []


def test_nothing_is_loaded_from_elsewhere(site: Site) -> None:
    assert {link for page in site.pages.values() for link in page.loaded if outside(link)} == set()
    for style in site.folder.rglob("*.css"):
        text = style.read_text(encoding="utf-8")
        addresses = re.findall(r"""url\(\s*["']?([^"')]+)|@import\s+["']([^"']+)""", text)
        assert [a or b for a, b in addresses if outside(a or b) and not (a or b).startswith("data:")] == [], style.name


def test_nothing_makes_the_theme_load_from_elsewhere(site: Site) -> None:
    # It loads a library for diagrams and math, and asks GitHub about a repository that a page names.
    for page in site.pages.values():
        assert page.classes & {"mermaid", "arithmatex", "md-source"} == set()


def test_every_public_name_has_an_entry_with_a_description(site: Site) -> None:
    reference = {name: page for name, page in site.pages.items() if name.startswith("reference/")}
    anchors = [anchor for page in reference.values() for anchor in page.anchors]
    assert [name for name in PUBLIC if anchors.count(name) != 1] == []
    source = "\n".join((site.folder / name).read_text(encoding="utf-8") for name in reference)
    entries = re.split(r"(?=<h[23] )", source)
    texts = {match[1]: entry for entry in entries if (match := re.match(r'<h3 id="([\w.]+)"', entry))}
    assert sorted(name for name in PUBLIC if not re.search(r"<p>(?!\s*Bases:)", texts[name])) == []


def test_chinese_pages_say_so_and_their_words_are_found(site: Site) -> None:
    chinese = {name for name, page in site.pages.items() if page.language == "zh-CN"}
    assert chinese == {"README_CN.html", *(name for name in site.pages if name.startswith("tutorials/zh/"))}
    assert {page.language for name, page in site.pages.items() if name not in chinese} == {"en"}
    index = json.loads((site.folder / "search" / "search_index.json").read_text())
    assert index["config"]["lang"] == ["en", "zh"]
    words = {word for entry in index["docs"] for word in re.split(index["config"]["separator"], entry["text"])}
    assert {"训练", "语义", "to_mindrecord", "crop_size"} <= words


NOTEBOOK = [
    {"cell_type": "markdown", "source": ["# Notes\n", "\n", "[a](../docs/guide/a.md)"]},
    {
        "cell_type": "code",
        "source": "%%bash\nls -a",
        "outputs": [{"output_type": "stream", "text": ["b.txt\n", "```\n", "<i>c.txt"]}],
    },
    {
        "cell_type": "code",
        "source": ["import a\n", "a"],
        "outputs": [{"output_type": "display_data", "data": {"image/png": "aGk=\n", "text/plain": ["<Figure>"]}}],
    },
]


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Return a repository with two pages, a notebook and the hooks of this one."""
    root = tmp_path / "repository"
    files = {
        "mkdocs.yml": "site_name: small\nuse_directory_urls: false\nhooks: [scripts/site_hooks.py]\n",
        "README.md": "# Small\n\n![Dot](docs/dot.png) [A](docs/guide/a.md#b-c) `[no](link.md)`\n",
        "CHANGES.md": "# Changes\n\n[guides](docs/guide), [tool](tool.py)\n",
        "docs/dot.png": "",
        "docs/guide/a.md": "# A\n\n## B `c`\n\n[home](../../README.md#small), [notebook](../../examples/n.ipynb)\n"
        "\n```\n[no](link.md)\n```\n",
        "examples/n.ipynb": json.dumps({"cells": NOTEBOOK}),
        "tool.py": "print()",
        "segdata/__init__.pyi": "",
        "segtrain/__init__.pyi": "",
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "site_hooks.py", root / "scripts")
    return root


def test_links_work_in_the_repository_and_in_the_site(small: Path, tmp_path: Path) -> None:
    done = build(small, tmp_path / "built")
    assert done.returncode == 0, done.stderr
    site = read_site(tmp_path / "built")
    assert {"guide/a.html#b-c"} <= {*site.pages["index.html"].links}
    assert "dot.png" in site.pages["index.html"].loaded
    assert {"../index.html#small", "../examples/n.html"} <= {*site.pages["guide/a.html"].links}
    assert {"guide/a.html", "tool.py"} <= {*site.pages["CHANGES.html"].links}
    assert (tmp_path / "built" / "tool.py").read_text() == "print()"
    assert all("[no](link.md)" in site.pages[name].text for name in ("index.html", "guide/a.html"))


def test_a_notebook_is_a_page_with_its_outputs(small: Path, tmp_path: Path) -> None:
    done = build(small, tmp_path / "built")
    assert done.returncode == 0, done.stderr
    page = read_site(tmp_path / "built").pages["examples/n.html"]
    assert "../guide/a.html" in page.links
    assert [text in page.text for text in ("ls -a", "b.txt\n```\n<i>c.txt", "import a\na")] == [True] * 3
    assert "%%bash" not in page.text and "<Figure>" not in page.text
    assert "data:image/png;base64,aGk=" in page.loaded


@pytest.mark.parametrize(
    ("page", "link", "message"),
    [
        ("README.md", "docs/gone.md", "index.md: no file docs/gone.md to link to"),
        ("docs/guide/a.md", "../../gone.py", "guide/a.md: no file ../../gone.py to link to"),
        ("docs/guide/a.md", "../../README.md#gone", "does not contain an anchor '#gone'"),
    ],
)
def test_a_link_to_nowhere_stops_the_build(small: Path, tmp_path: Path, page: str, link: str, message: str) -> None:
    with (small / "mkdocs.yml").open("a") as config:
        config.write("validation: {anchors: warn}\n")
    with (small / page).open("a") as text:
        text.write(f"\n[gone]({link})\n")
    done = build(small, tmp_path / "built")
    assert done.returncode == 1
    assert message in done.stderr
