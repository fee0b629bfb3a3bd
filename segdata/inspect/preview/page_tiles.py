"""Tiles of the page: a sample's name and its picture, or the reason why it is missing."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from segdata.draw.page_tiles import breakable, keys_html, stack
from segdata.draw.pictures import LegendEntry
from segdata.inspect.preview.pictures import Tile


def tile_html(tile: Tile, legend: Sequence[LegendEntry]) -> str:
    """Return a tile: its name, and its picture as a button that enlarges it or the reason why it is missing."""
    name, picture = escape(tile.name), tile.picture
    if picture is None:
        return (
            f'<figure class="tile" data-classes=""><div class="problem">{escape(tile.problem)}</div>'
            f'<figcaption class="name">{breakable(name)}</figcaption></figure>'
        )
    entries = [entry for entry in legend if entry.id in picture.keys]
    names = escape(", ".join(entry.name for entry in entries if entry.id))
    about = f"{picture.width} × {picture.height}{': ' if names else ''}{names}"
    return (
        f'<figure class="tile" data-classes="{keys_html(entries)}">'
        f'<button type="button" class="open" aria-label="Enlarge {name}">{stack(picture, f"{name}, {about}")}</button>'
        f'<figcaption><span class="name">{breakable(name)}</span><br><span class="about muted">{about}</span>'
        "</figcaption></figure>"
    )
