"""Render an HTML page of a data set: findings, pictures and statistics in a single file that needs no network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import PurePath

from segdata.draw.page import Section, page_html, pictures_html, plot_html, table_html
from segdata.draw.page_tiles import chip, swatch
from segdata.draw.pictures import LegendEntry, class_color
from segdata.errors import NAMED, Fault
from segdata.inspect.check import CheckReport
from segdata.inspect.check.findings import Finding
from segdata.inspect.check.meanings import MEANINGS
from segdata.inspect.preview.page_tiles import tile_html
from segdata.inspect.preview.pictures import Tile
from segdata.inspect.preview.similar import SimilarPairs, similar_html
from segdata.inspect.stats import ClassStats, StatsReport, plots

#: Command that makes the page; it replaces only its own pages.
PROGRAM = "segdata preview"

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
        similar: pairs of similar images, if the check searched for them and could.
    """

    tiles: Sequence[Tile]
    legend: Sequence[LegendEntry]
    choice: str
    alpha: float
    similar: SimilarPairs | None = None


def render_page(stats: StatsReport, check: CheckReport, show: PageContent) -> str:
    """Return the HTML of the page; the same reports and pictures give the same text."""
    tiles = [tile_html(tile, show.legend) for tile in show.tiles]
    sections = [
        Section("findings", "Findings", _findings(check)),
        *([Section("similar", "Similar images", similar_html(show.similar))] if check.near else []),
        Section("pictures", "Pictures", pictures_html(show.choice, _chips(show), {"": tiles}, alpha=show.alpha)),
        Section("classes", "Classes", _classes(stats)),
        Section("images", "Images", _images(stats)),
    ]
    return page_html(
        PROGRAM,
        PurePath(stats.path).name or stats.path,
        f"{_KINDS[stats.kind]} for {_TASKS[stats.task]}: {stats.path}",
        _facts(stats, check),
        sections,
        alpha=show.alpha,
    )


def _facts(stats: StatsReport, check: CheckReport) -> dict[str, str]:
    used = sum(item.images > 0 for item in stats.classes)
    facts = {"Samples": f"{stats.samples:,}", "Classes in use": f"{used} of {len(stats.classes)}"}
    if stats.task == "instance":
        facts["Instances"] = f"{sum(item.instances or 0 for item in stats.classes):,}"
        facts["Crowds"] = f"{stats.crowds:,}"
    else:
        facts["Pixels ignored"] = f"{stats.ignore_share:.2%}"
    return facts | {"Errors": f"{check.errors:,}", "Warnings": f"{check.warnings:,}"}


def _findings(check: CheckReport) -> str:
    """Return the findings of `check`: what each means, then what to do; and the checks that were not requested."""
    parts = [_finding(finding) for finding in check.findings]
    if not parts:
        parts = ['<p class="fine">No problems found.</p>']
    left = {
        "truncated images (segdata check --decode)": check.decoded,
        "identical images under different names (segdata check --hash)": check.hashed,
        "similar images (segdata preview --near)": check.near,
    }
    if missing := [what for what, done in left.items() if not done]:
        parts.append(f'<p class="muted">Not checked: {", ".join(missing)}.</p>')
    return "\n".join(parts)


def _finding(finding: Finding) -> str:
    return (
        f'<article class="finding"><h3><span class="{finding.severity}">{finding.severity}</span>'
        f"<code>{finding.code}</code><span>{finding.count:,} found</span></h3>"
        f"<p>{escape(MEANINGS[finding.code])}.</p><p>→ {escape(finding.advice)}</p>"
        f"{_details('Examples', finding.examples, finding.count)}</article>"
    )


def _details(summary: str, faults: Sequence[Fault], count: int) -> str:
    """Return the first of `count` faults as a list that its summary expands; empty without faults."""
    named = [escape(str(fault)) for fault in faults[:NAMED]]
    if count > len(named):
        named.append(f"… and {count - len(named):,} more")
    items = "".join(f"<li>{line}</li>" for line in named)
    return f"<details><summary>{summary}</summary><ul>{items}</ul></details>" if named else ""


def _chips(show: PageContent) -> list[str]:
    count = Counter(id_ for tile in show.tiles if tile.picture for id_ in tile.picture.keys)
    return [chip(entry, count[entry.id]) for entry in show.legend]


def _classes(stats: StatsReport) -> str:
    instance = stats.task == "instance"
    titles = ["id", "class", "pixels", "share", "images", "instances" if instance else "weight"]
    rows = [(not item.images, _class_cells(item, instance=instance)) for item in stats.classes]
    plot = plot_html(plots.class_figure(stats), "Share of pixels and number of images per class")
    return plot + table_html("Table of classes", titles, rows)


def _class_cells(item: ClassStats, *, instance: bool) -> list[str]:
    last = item.instances if instance else item.weight
    return [
        str(item.id),
        f"{swatch(class_color(item.id))}{escape(item.name)}",
        f"{item.pixels:,}",
        f"{item.share:.2%}",
        f"{item.images:,}",
        "–" if last is None else f"{last:,}" if instance else f"{last:.3f}",
    ]


def _images(stats: StatsReport) -> str:
    colors = {"Mean": stats.mean, "Standard deviation": stats.std}
    lines = [
        f"<p>{what} of red, green, blue: {', '.join(f'{value:.2f}' for value in values)} (0 to 255), "
        f"or {', '.join(f'{value / 255:.4f}' for value in values)} (0 to 1)</p>"
        for what, values in colors.items()
    ]
    figures = plot_html(plots.size_figure(stats), "Images by width and height")
    if stats.instances_per_image is not None:
        figures += plot_html(plots.instance_figure(stats), "Images by number of instances")
    left_out = {
        "unreadable sample": stats.unreadable,
        "invalid annotation": stats.annotations_left_out,
    }
    for what, faults in left_out.items():
        plural = "s" if len(faults) != 1 else ""
        lines.append(_details(f"{len(faults):,} {what}{plural}, not counted here", faults, len(faults)))
    return "\n".join([f'<div class="plots">{figures}</div>', *lines])
