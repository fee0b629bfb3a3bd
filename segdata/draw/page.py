"""The frame of an HTML page in a single file that needs no network: facts, sections, and pictures that can be enlarged.

Texts come from data sets and are not trusted: the functions here escape them, and the page's content security policy
allows only its own script, identified by its digest, and loads nothing else.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from segdata.draw.figures import to_svg
from segdata.errors import TargetExistsError
from segdata.files.ownership import check_target_file
from segdata.files.publishing import write_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: File name of a page in its directory.
PAGE = "index.html"

#: Bytes of a page that are read to recognize it.
_HEAD = 2048


@dataclass(frozen=True)
class Section:
    """A section of a page; `name` is its anchor, `body` is HTML."""

    name: str
    title: str
    body: str

    def html(self) -> str:
        """Return the section as HTML."""
        return (
            f'<section aria-labelledby="{self.name}">\n<h2 id="{self.name}">{escape(self.title)}</h2>\n'
            f"{self.body}\n</section>"
        )


def page_html(
    program: str, title: str, what: str, facts: Mapping[str, str], sections: Sequence[Section], *, alpha: float
) -> str:
    """Return a page; the same content gives the same text.

    Args:
        program: command that makes the page; `write_page` replaces only pages of the same command.
        title: title of the page.
        what: sentence below the title.
        facts: large figures at the top, by name.
        sections: sections in order; at most one of them has pictures (`pictures_html`).
        alpha: opacity of the overlays, 0 to 1.
    """
    here = files("segdata.draw")
    script = here.joinpath("page.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return Template(here.joinpath("page.html").read_text(encoding="utf-8")).substitute(
        policy=f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'",
        generator=program,
        title=escape(title),
        what=escape(what),
        facts="\n".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in facts.items()),
        sections="\n".join(section.html() for section in sections),
        strength=f"{alpha:g}",
        script=script,
    )


def pictures_html(
    about: str, chips: Sequence[str], groups: Mapping[str, Sequence[str]], *, alpha: float, wide: bool = False
) -> str:
    """Return the pictures of a page with their filter by class and the controls of their overlay.

    Args:
        about: sentence on how the pictures were chosen.
        chips: filter buttons (`segdata.draw.page_tiles.chip`).
        groups: tiles by heading; a heading may be empty.
        alpha: opacity of the overlays at first, 0 to 1.
        wide: whether each tile has several pictures side by side.
    """
    kind = "tiles wide" if wide else "tiles"
    shown = "\n".join(
        (f"<h3>{escape(heading)}</h3>\n" if heading else "") + f'<div class="{kind}">\n' + "\n".join(tiles) + "\n</div>"
        for heading, tiles in groups.items()
    )
    newline = "\n"
    return f"""<p class="muted">{escape(about)}</p>
<form class="controls" autocomplete="off">
<fieldset id="filter">
<legend>Show pictures with</legend>
{newline.join(chips)}
</fieldset>
<div class="row">
<button type="button" id="all" class="plain-button" disabled>Show all</button>
<label><input type="checkbox" id="overlay" checked> Overlay</label>
<label>Opacity <input type="range" id="strength" min="0" max="100" value="{100 * alpha:.0f}"></label>
<span role="status" class="muted"></span>
</div>
</form>
{shown}"""


def table_html(label: str, titles: Sequence[str], rows: Sequence[tuple[bool, Sequence[str]]]) -> str:
    """Return a table that scrolls sideways.

    Args:
        label: name of the table for screen readers.
        titles: titles of the columns; the second one holds text, the others numbers.
        rows: whether a row is grayed out, and its cells, already HTML.
    """
    head = "".join(f'<th scope="col">{escape(title)}</th>' for title in titles)
    body = "\n".join(_row_html(gray, cells) for gray, cells in rows)
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(label)}">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _row_html(gray: bool, cells: Sequence[str]) -> str:
    unseen = ' class="unseen"' if gray else ""
    return f"<tr{unseen}>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def plot_html(figure: Figure, title: str) -> str:
    """Return a figure that scrolls sideways, with its title for screen readers."""
    return f'<div class="scroll" tabindex="0" role="img" aria-label="{escape(title)}">{to_svg(figure)}</div>'


def check_page(directory: Path, program: str, *, overwrite: bool) -> None:
    """Reject a directory with a page that must not be replaced: the user names only the directory.

    Raises:
        TargetExistsError: when its page exists, unless `overwrite` is given and `program` wrote it.
    """
    page = directory / PAGE
    check_target_file(page, overwrite=overwrite)
    if page.exists() and f'<meta name="generator" content="{program}">'.encode() not in page.read_bytes()[:_HEAD]:
        raise TargetExistsError(
            f"{page}: exists, and this command did not write it, so it is not replaced. Move it away or choose another "
            "directory.",
            replaceable=False,
        )


def write_page(directory: Path, text: str, *, overwrite: bool) -> None:
    """Write a page to `directory`; see `check_page`."""
    write_file(directory / PAGE, text.encode(errors="backslashreplace"), overwrite=overwrite)
