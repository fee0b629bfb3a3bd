"""Draw the contact sheet: a legend of the classes, and a grid of pictures with overlays and names."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from segdata.draw.lettering import class_text, draw_text, shorten, text_width, wrap
from segdata.draw.overlay import blend, draw_boxes, hatching
from segdata.draw.pictures import LegendEntry
from segdata.inspect.preview.pictures import Tile
from segdata.labels.colormap import Color

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

#: Size of a tile in pixels, without its name.
TILE_WIDTH, TILE_HEIGHT = 300, 225

_MARGIN, _GAP = 24, 14
_TITLE, _TEXT, _TAG = 20, 13, 11
_LINE = 20
_ROW = TILE_HEIGHT + _LINE + 2 + _GAP
_SWATCH = 14

_PAPER: Color = (255, 255, 255)
_INK: Color = (32, 36, 40)
_MUTED: Color = (104, 112, 120)
_ALARM: Color = (170, 30, 30)
_PALE: Color = (238, 240, 242)


def draw_sheet(
    tiles: Sequence[Tile], legend: Sequence[LegendEntry], *, title: str, subtitle: str, alpha: float
) -> bytes:
    """Return the contact sheet as PNG bytes.

    Args:
        tiles: pictures of at most `TILE_WIDTH` x `TILE_HEIGHT` pixels, row by row.
        legend: legend of the classes.
        title: first line.
        subtitle: second line.
        alpha: opacity of the overlays, 0 to 1.
    """
    from PIL import Image, ImageDraw

    columns = max(math.ceil(math.sqrt(len(tiles))), 2)
    width = 2 * _MARGIN + columns * (TILE_WIDTH + _GAP) - _GAP
    lines = _legend_lines(_legend_texts(legend, width - 2 * _MARGIN), width - 2 * _MARGIN)
    head = _MARGIN + _TITLE + 12 + _LINE + 6 + _LINE * len(lines) + _GAP
    height = head + math.ceil(len(tiles) / columns) * _ROW + _MARGIN - _GAP
    sheet = Image.new("RGB", (width, height), _PAPER)
    draw = ImageDraw.Draw(sheet)
    draw_text(draw, _MARGIN, _MARGIN, shorten(title, _TITLE, width - 2 * _MARGIN), _TITLE, _INK)
    draw_text(draw, _MARGIN, _MARGIN + _TITLE + 12, shorten(subtitle, _TEXT, width - 2 * _MARGIN), _TEXT, _MUTED)
    for number, line in enumerate(lines, start=1):
        _draw_legend(draw, line, _MARGIN + _TITLE + 12 + 6 + _LINE * number)
    for number, tile in enumerate(tiles):
        row, column = divmod(number, columns)
        _draw_tile(sheet, draw, tile, _MARGIN + column * (TILE_WIDTH + _GAP), head + row * _ROW, alpha)
    file = io.BytesIO()
    sheet.save(file, "PNG")
    return file.getvalue()


def _draw_tile(sheet: Image, draw: ImageDraw, tile: Tile, left: int, top: int, alpha: float) -> None:
    from PIL import Image

    draw.rectangle((left, top, left + TILE_WIDTH - 1, top + TILE_HEIGHT - 1), fill=_PALE)
    picture = tile.picture
    if picture is None:
        for number, line in enumerate(wrap(tile.problem, _TEXT, TILE_WIDTH - 24)[: TILE_HEIGHT // _LINE - 1]):
            draw_text(draw, left + 12, top + 12 + _LINE * number, line, _TEXT, _ALARM)
    else:
        pixels = draw_boxes(blend(picture.image, picture.overlay, alpha), picture.overlay.boxes, _TAG)
        height, width = pixels.shape[:2]
        middle = left + (TILE_WIDTH - width) // 2, top + (TILE_HEIGHT - height) // 2
        sheet.paste(Image.fromarray(pixels), middle)
    draw_text(draw, left, top + TILE_HEIGHT + 5, shorten(tile.name, _TEXT, TILE_WIDTH), _TEXT, _MUTED)


def _legend_texts(legend: Sequence[LegendEntry], width: float) -> list[tuple[LegendEntry, str]]:
    """Return the entries with their names, none longer than a line."""
    return [(each, shorten(class_text(each.name, each.id), _TEXT, width - _SWATCH - 6)) for each in legend]


def _legend_lines(
    legend: Sequence[tuple[LegendEntry, str]], width: float
) -> list[list[tuple[float, LegendEntry, str]]]:
    """Wrap the legend entries into lines; each entry has its distance from the left."""
    lines: list[list[tuple[float, LegendEntry, str]]] = []
    left = width
    for entry, text in legend:
        needed = _SWATCH + 6 + text_width(text, _TEXT) + 18
        if left + needed > width or not lines:
            lines.append([])
            left = 0.0
        lines[-1].append((left, entry, text))
        left += needed
    return lines


def _draw_legend(draw: ImageDraw, line: Sequence[tuple[float, LegendEntry, str]], top: int) -> None:
    from PIL import Image

    for offset, entry, text in line:
        left = _MARGIN + round(offset)
        box = (left, top + 1, left + _SWATCH - 1, top + _SWATCH)
        if entry.hatched:
            draw.rectangle(box, fill=_MUTED)
            draw.bitmap((left, top + 1), Image.fromarray(hatching(_SWATCH, _SWATCH)), fill=_PAPER)
        else:
            draw.rectangle(box, fill=entry.color, outline=entry.color or _MUTED)
        draw_text(draw, left + _SWATCH + 6, top - 1, text, _TEXT, _INK)
