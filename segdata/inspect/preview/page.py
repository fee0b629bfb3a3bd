"""Render an HTML page of a data set: findings, pictures and statistics in a single file that needs no network.

File and class names come from the data set and are not trusted: all text is escaped, and the page's content security
policy allows only its own script, identified by its digest, and loads nothing else.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import PurePath
from string import Template
from typing import TYPE_CHECKING

from segdata.draw.figures import to_svg
from segdata.errors import NAMED, Fault
from segdata.inspect.check import CheckReport
from segdata.inspect.check.findings import Finding
from segdata.inspect.preview.page_tiles import chip, swatch, tile_html
from segdata.inspect.preview.pictures import LegendEntry, Tile, class_color
from segdata.inspect.stats import ClassStats, StatsReport, plots

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_KINDS = {"list": "List file", "coco": "COCO JSON", "records": "Record set"}
_TASKS = {"semantic": "semantic segmentation", "instance": "instance segmentation"}


@dataclass(frozen=True)
class PageContent:
    """Pictures of a page.

    Attributes:
        tiles: pictures in display order.
        legend: legend of the classes they show.
        choice: description of how they were chosen.
        alpha: opacity of the overlays, 0 to 1.
    """

    tiles: Sequence[Tile]
    legend: Sequence[LegendEntry]
    choice: str
    alpha: float


def is_page(start: bytes) -> bool:
    """Return whether a file that begins with `start` is a page of this program."""
    return b'<meta name="generator" content="segdata preview">' in start


def render_page(stats: StatsReport, check: CheckReport, show: PageContent) -> str:
    """Return the HTML of the page; the same reports and pictures give the same text."""
    here = files("segdata.inspect.preview")
    script = here.joinpath("page.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return Template(here.joinpath("page.html").read_text(encoding="utf-8")).substitute(
        policy=f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'",
        title=escape(PurePath(stats.path).name or stats.path),
        what=f"{_KINDS[stats.kind]} for {_TASKS[stats.task]}: {escape(stats.path)}",
        facts=_facts(stats, check),
        findings=_findings(check),
        choice=escape(show.choice),
        chips=_chips(show),
        tiles="\n".join(tile_html(tile, show.legend) for tile in show.tiles),
        classes=_classes(stats),
        images=_images(stats),
        strength=f"{show.alpha:g}",
        percent=f"{100 * show.alpha:.0f}",
        script=script,
    )


def _facts(stats: StatsReport, check: CheckReport) -> str:
    used = sum(item.images > 0 for item in stats.classes)
    facts = {"Samples": f"{stats.samples:,}", "Classes in use": f"{used} of {len(stats.classes)}"}
    if stats.task == "instance":
        facts["Instances"] = f"{sum(item.instances or 0 for item in stats.classes):,}"
        facts["Crowds"] = f"{stats.crowds:,}"
    else:
        facts["Pixels ignored"] = f"{stats.ignore_share:.2%}"
    facts |= {"Errors": f"{check.errors:,}", "Warnings": f"{check.warnings:,}"}
    return "\n".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in facts.items())


def _findings(check: CheckReport) -> str:
    """Return the findings of `check`, and the checks that were not requested."""
    parts = [_finding(finding) for finding in check.findings]
    if not parts:
        parts = ['<p class="fine">No problems found.</p>']
    left = {
        "truncated images (segdata check --decode)": check.decoded,
        "identical images under different names (segdata check --hash)": check.hashed,
    }
    if missing := [what for what, done in left.items() if not done]:
        parts.append(f'<p class="muted">Not checked: {", ".join(missing)}.</p>')
    return "\n".join(parts)


def _finding(finding: Finding) -> str:
    return (
        f'<article class="finding"><h3><span class="{finding.severity}">{finding.severity}</span>'
        f"<code>{finding.code}</code><span>{finding.count:,} found</span></h3><p>{escape(finding.advice)}</p>"
        f"{_details('Examples', finding.examples, finding.count)}</article>"
    )


def _details(summary: str, faults: Sequence[Fault], count: int) -> str:
    """Return the first of `count` faults as a list that its summary expands; empty without faults."""
    named = [escape(str(fault)) for fault in faults[:NAMED]]
    if count > len(named):
        named.append(f"… and {count - len(named):,} more")
    items = "".join(f"<li>{line}</li>" for line in named)
    return f"<details><summary>{summary}</summary><ul>{items}</ul></details>" if named else ""


def _chips(show: PageContent) -> str:
    count = Counter(id_ for tile in show.tiles if tile.picture for id_ in tile.picture.keys)
    return "\n".join(chip(entry, count[entry.id]) for entry in show.legend)


def _classes(stats: StatsReport) -> str:
    instance = stats.task == "instance"
    titles = ["id", "class", "pixels", "share", "images", "instances" if instance else "weight"]
    rows = "\n".join(_class_row(item, instance=instance) for item in stats.classes)
    head = "".join(f'<th scope="col">{title}</th>' for title in titles)
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    plot = _plot(plots.class_figure(stats), "Share of pixels and number of images per class")
    return f'{plot}<div class="scroll" tabindex="0" role="region" aria-label="Table of classes">{table}</div>'


def _class_row(item: ClassStats, *, instance: bool) -> str:
    last = item.instances if instance else item.weight
    cells = [
        str(item.id),
        f"{swatch(class_color(item.id))}{escape(item.name)}",
        f"{item.pixels:,}",
        f"{item.share:.2%}",
        f"{item.images:,}",
        "–" if last is None else f"{last:,}" if instance else f"{last:.3f}",
    ]
    unseen = "" if item.images else ' class="unseen"'
    return f"<tr{unseen}>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _images(stats: StatsReport) -> str:
    colors = {"Mean": stats.mean, "Standard deviation": stats.std}
    lines = [
        f"<p>{what} of red, green, blue: {', '.join(f'{value:.2f}' for value in values)} (0 to 255), "
        f"or {', '.join(f'{value / 255:.4f}' for value in values)} (0 to 1)</p>"
        for what, values in colors.items()
    ]
    figures = _plot(plots.size_figure(stats), "Images by width and height")
    if stats.instances_per_image is not None:
        figures += _plot(plots.instance_figure(stats), "Images by number of instances")
    left_out = {
        "unreadable sample": stats.left_out,
        "invalid annotation": stats.annotations_left_out,
    }
    for what, faults in left_out.items():
        plural = "s" if len(faults) != 1 else ""
        lines.append(_details(f"{len(faults):,} {what}{plural}, not counted here", faults, len(faults)))
    return "\n".join([f'<div class="plots">{figures}</div>', *lines])


def _plot(figure: Figure, title: str) -> str:
    return f'<div class="scroll" tabindex="0" role="img" aria-label="{title}">{to_svg(figure)}</div>'
