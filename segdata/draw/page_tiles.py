"""Pictures of a page: a photograph, two overlay layers and a drawing of the boxes, all embedded in the HTML."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
import numpy.typing as npt

from segdata.draw.overlay import Box, Overlay
from segdata.draw.pictures import LegendEntry, Picture
from segdata.labels.colormap import Color

_JPEG_QUALITY = 85

#: Key of pixels without a class, in the page's script.
_IGNORED = "ignored"


def chip(entry: LegendEntry, count: int) -> str:
    """Return a filter button: a class, its color, and the number of pictures that show it."""
    return (
        f'<label class="chip"><input type="checkbox" value="{_key(entry.id)}">{swatch(entry.color, entry.hatched)}'
        f'<span>{escape(entry.name)}</span><span class="count">{count}</span></label>'
    )


def swatch(color: Color | None, hatched: bool = False) -> str:
    """Return a small square of a color; without a color, it is empty."""
    filled = f' style="background:{_css(color)}"' if color else ""
    return f'<span class="swatch{" hatched" if hatched else ""}"{filled}></span>'


def _key(id_: int | None) -> str:
    return _IGNORED if id_ is None else str(id_)


def _css(color: Color) -> str:
    red, green, blue = color
    return f"#{red:02x}{green:02x}{blue:02x}"


def breakable(path: str) -> str:
    """Let the browser break a path after each slash."""
    return path.replace("/", "/<wbr>")


def stack(picture: Picture, description: str) -> str:
    """Return a picture as HTML: the photograph, and over it the layers of its overlay."""
    return _layered(photograph_html(picture.image, description), picture.overlay, *picture.image.shape[:2])


def photograph_html(image: npt.NDArray[np.uint8], description: str) -> str:
    """Return an RGB image ``(H, W, 3)`` uint8 as HTML, without an overlay."""
    return f'<img src="{_photograph(image)}" alt="{description}">'


def panels(image: npt.NDArray[np.uint8], overlays: Mapping[str, Overlay], description: str) -> str:
    """Return one image with several overlays side by side, by their titles; the photograph is embedded once."""
    height, width = image.shape[:2]
    shown = "".join(
        f'<span class="panel"><span class="muted">{escape(title)}</span><span class="frame">'
        f"{_layered(_named(f'{title}: {description}'), overlay, height, width)}</span></span>"
        for title, overlay in overlays.items()
    )
    return f'<span class="panels" style="--photo:url({_photograph(image)})">{shown}</span>'


def _named(description: str) -> str:
    return f'<span class="photo" role="img" aria-label="{description}"></span>'


def _layered(photograph: str, overlay: Overlay, height: int, width: int) -> str:
    boxes = "".join(_box(box) for box in overlay.boxes)
    return (
        f'<span class="stack" style="--ratio:{width / height:.4f}">{photograph}'
        f'<img class="layer fill" src="{_layer(overlay.fill, overlay.colors)}" alt="">'
        f'<img class="layer" src="{_layer(overlay.lines, overlay.colors)}" alt="">'
        f'<svg class="layer boxes" viewBox="0 0 {width} {height}" aria-hidden="true">{boxes}</svg></span>'
    )


def keys_html(legend: Sequence[LegendEntry]) -> str:
    """Return what the filter compares with the checked classes: the keys of a tile's legend entries."""
    return " ".join(_key(entry.id) for entry in legend)


def _box(box: Box) -> str:
    x1, y1, x2, y2 = box.corners
    return (
        f'<rect x="{x1:.1f}" y="{y1:.1f}" width="{x2 - x1:.1f}" height="{y2 - y1:.1f}" stroke="{_css(box.color)}"/>'
        f'<text x="{x1 + 4:.1f}" y="{y1 + 14:.1f}">{escape(box.text)}</text>'
    )


def _photograph(image: npt.NDArray[np.uint8]) -> str:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=_JPEG_QUALITY)
    return _data_uri("image/jpeg", file.getvalue())


def _layer(indices: npt.NDArray[np.uint8], colors: npt.NDArray[np.uint8]) -> str:
    """Return ``(H, W)`` indices as a palette PNG with 0 transparent, as a data URI."""
    from PIL import Image

    layer = Image.fromarray(indices)
    layer.putpalette(colors.tobytes())
    file = io.BytesIO()
    layer.save(file, "PNG", transparency=0, optimize=True)
    return _data_uri("image/png", file.getvalue())


def _data_uri(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
