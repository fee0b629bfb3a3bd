"""Legend of the classes of a network: a color and a name for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from segdata.draw.lettering import can_draw, draw_text, text_width
from segdata.labels.colormap import voc_palette

if TYPE_CHECKING:
    from PIL.Image import Image

#: Sizes in pixels: letters, height of a row, side of a color, margin.
_TEXT, _ROW, _SWATCH, _MARGIN = 14, 24, 16, 12

_INK = (32, 36, 40)


def draw_legend(names: Sequence[str]) -> Image:
    """Return a picture with a row for each class: its color in the masks and overlays, its id and its name.

    A name that no font here can draw is left out.
    """
    from PIL import Image, ImageDraw

    lines = [f"{id_}  {name}" if can_draw(name) else str(id_) for id_, name in enumerate(names)]
    left = _MARGIN + _SWATCH + 8
    width = left + max(int(text_width(line, _TEXT)) for line in lines) + _MARGIN
    picture = Image.new("RGB", (width, 2 * _MARGIN + _ROW * len(lines)), (255, 255, 255))
    draw = ImageDraw.Draw(picture)
    for number, (line, color) in enumerate(zip(lines, voc_palette().tolist(), strict=False)):
        top = _MARGIN + _ROW * number
        draw.rectangle((_MARGIN, top, _MARGIN + _SWATCH - 1, top + _SWATCH - 1), fill=tuple(color), outline=_INK)
        draw_text(draw, left, top, line, _TEXT, _INK)
    return picture
