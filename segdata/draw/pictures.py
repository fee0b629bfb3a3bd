"""Pictures of samples: a scaled image with its overlay, and the legend of their classes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from segdata.draw.overlay import Overlay
from segdata.labels.colormap import Color, voc_palette

#: Longest side, in pixels, up to which ``integer`` enlarges: browsers enlarge further without loss.
_ENLARGED = 640

#: How images that are smaller than their frame are enlarged; see `fitted`.
Enlarge = Literal["never", "integer", "fill"]


@dataclass(frozen=True)
class Picture:
    """A sample ready for display.

    Attributes:
        width: width of the original image in pixels.
        height: height of the original image in pixels.
        image: RGB, ``(h, w, 3)`` uint8, scaled to the view.
        overlay: overlay of the same size.
        classes: class ids in the label or of the instances, ascending, without the ignore label.
        ignored: whether any pixel has the ignore label.
    """

    width: int
    height: int
    image: npt.NDArray[np.uint8]
    overlay: Overlay
    classes: tuple[int, ...]
    ignored: bool = False

    @property
    def keys(self) -> tuple[int | None, ...]:
        """Ids of its legend entries."""
        return (*self.classes, None) if self.ignored else self.classes


@dataclass(frozen=True)
class LegendEntry:
    """Color of a class: id None stands for pixels without a class, color None for an image without tint."""

    id: int | None
    name: str
    color: Color | None

    @property
    def hatched(self) -> bool:
        """Whether its pixels are hatched instead of filled."""
        return self.id is None


def class_color(id_: int) -> Color | None:
    """Return the color of a class; None for class 0, which does not tint the image."""
    red, green, blue = voc_palette()[id_ % 256].tolist()
    return (red, green, blue) if id_ else None


def legend_of(
    keys: Collection[int | None], labels: Mapping[int, str], ignore_label: int | None
) -> tuple[LegendEntry, ...]:
    """Return an entry for each class, by id, and one for pixels without a class.

    Args:
        keys: ids of the classes; None stands for pixels without a class.
        labels: class name by id.
        ignore_label: label of pixels without a class.
    """
    entries = [
        LegendEntry(id_, labels.get(id_, f"{id_} (not a class)"), class_color(id_))
        for id_ in sorted(key for key in keys if key is not None)
    ]
    if None in keys:
        entries.append(LegendEntry(None, f"ignored ({ignore_label})", None))
    return tuple(entries)


def fitted(
    height: int, width: int, most_height: int, most_width: int, *, enlarge: Enlarge = "never"
) -> tuple[int, int]:
    """Return the height and width of a picture of an image in a frame, with the aspect ratio of the image.

    Args:
        height: height of the image.
        width: width of the image.
        most_height: height of the frame.
        most_width: width of the frame.
        enlarge: ``fill`` enlarges smaller images to the frame; ``integer`` only by an integer, up to 640 pixels,
            so that a pixel becomes a square and its edges are thin; ``never`` leaves them as they are.

    >>> fitted(24, 24, 640, 640, enlarge="integer")
    (624, 624)
    """
    scale = min(most_width / width, most_height / height)
    if scale > 1 and enlarge != "fill":
        scale = max(int(min(scale, _ENLARGED / max(height, width))), 1) if enlarge == "integer" else 1
    return max(round(height * scale), 1), max(round(width * scale), 1)


def scaled_image(image: npt.NDArray[np.uint8], height: int, width: int) -> npt.NDArray[np.uint8]:
    """Return an RGB image ``(H, W, 3)`` uint8, resized to `height` x `width`."""
    from PIL import Image

    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.LANCZOS))


def scaled_ids(ids: npt.NDArray[np.uint8], height: int, width: int) -> npt.NDArray[np.uint8]:
    """Return ids ``(H, W)`` uint8, resized to `height` x `width` by nearest neighbor; the same array at the same size.

    >>> scaled_ids(np.array([[1, 2]], np.uint8), 2, 4).tolist()
    [[1, 1, 2, 2], [1, 1, 2, 2]]
    """
    if ids.shape == (height, width):
        return ids
    rows, columns = (
        (2 * np.arange(size) + 1) * of // (2 * size) for size, of in zip((height, width), ids.shape, strict=True)
    )
    scaled: npt.NDArray[np.uint8] = ids[rows[:, None], columns]
    return scaled
