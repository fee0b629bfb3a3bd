"""Pictures of samples: a scaled image with its overlay, and the legend of their classes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from segdata.draw.overlay import Overlay
from segdata.labels.colormap import Color, voc_palette


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


def fitted(height: int, width: int, most_height: int, most_width: int, *, enlarge: bool = False) -> tuple[int, int]:
    """Return the height and width of a picture of an image in a frame, with the aspect ratio of the image.

    Args:
        height: height of the image.
        width: width of the image.
        most_height: height of the frame.
        most_width: width of the frame.
        enlarge: whether to enlarge smaller images to the frame.
    """
    scale = min(most_width / width, most_height / height)
    if not enlarge:
        scale = min(scale, 1.0)
    return max(round(height * scale), 1), max(round(width * scale), 1)


def scaled_image(image: npt.NDArray[np.uint8], height: int, width: int) -> npt.NDArray[np.uint8]:
    """Return an RGB image ``(H, W, 3)`` uint8, resized to `height` x `width`."""
    from PIL import Image

    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.LANCZOS))


def scaled_ids(ids: npt.NDArray[np.uint8], height: int, width: int) -> npt.NDArray[np.uint8]:
    """Return ids ``(H, W)`` uint8, resized to `height` x `width` by nearest neighbor."""
    from PIL import Image

    return np.asarray(Image.fromarray(ids).resize((width, height), Image.Resampling.NEAREST))
