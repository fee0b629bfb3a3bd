"""Pictures of a page: a photograph, two overlay layers, and the boxes and their names, all embedded in the HTML."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
import numpy.typing as npt

from segdata.draw.overlay import Box, Overlay, ink_on
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
    height, width = picture.image.shape[:2]
    photograph = photograph_html(picture.image, description)
    return _layered(photograph, picture.overlay, height, width, full=min(width, picture.width))


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


def _layered(photograph: str, overlay: Overlay, height: int, width: int, *, full: int = 0) -> str:
    """Return the layers of a picture of `height` x `width`; at full size, it is `full` pixels wide."""
    boxes = "".join(_box(box) for box in overlay.boxes)
    # Large boxes first, so that the pointer finds small ones on top of them.
    names = "".join(_name(box, height, width) for box in sorted(overlay.boxes, key=_area, reverse=True))
    return (
        f'<span class="stack" style="--ratio:{width / height:.4f};--width:{full}px">{photograph}'
        f'<img class="layer fill" src="{_layer(overlay.fill, overlay.colors)}" alt="">'
        f'<img class="layer" src="{_layer(overlay.lines, overlay.colors_of_lines)}" alt="">'
        f'<svg class="layer boxes" viewBox="0 0 {width} {height}" aria-hidden="true">{boxes}</svg>'
        f'<span class="layer names" aria-hidden="true">{names}</span></span>'
    )


def keys_html(legend: Sequence[LegendEntry]) -> str:
    """Return what the filter compares with the checked classes: the keys of a tile's legend entries."""
    return " ".join(_key(entry.id) for entry in legend)


def _box(box: Box) -> str:
    x1, y1, x2, y2 = box.corners
    return f'<rect x="{x1:.1f}" y="{y1:.1f}" width="{x2 - x1:.1f}" height="{y2 - y1:.1f}" stroke="{_css(box.color)}"/>'


def _name(box: Box, height: int, width: int) -> str:
    """Return the name of a box over a picture of `height` x `width`.

    Letters have one size, whatever that of the picture. A box that is too small for letters shows its name to the
    pointer only.
    """
    x1, y1, x2, y2 = box.corners
    place = {"left": x1 / width, "top": y1 / height, "width": (x2 - x1) / width, "height": (y2 - y1) / height}
    style = ";".join(f"{name}:{share:.2%}" for name, share in place.items())
    text, colors = escape(box.text), f"background:{_css(box.color)};color:{_css(ink_on(box.color))}"
    return f'<span style="{style}" title="{text}"><b style="{colors}">{text}</b></span>'


def _area(box: Box) -> float:
    x1, y1, x2, y2 = box.corners
    return (x2 - x1) * (y2 - y1)


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
