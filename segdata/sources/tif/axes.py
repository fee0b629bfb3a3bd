"""Axes of a stack: which plane is where along time, depth and channels, and which planes of two stacks are partners.

Slices are numbered in canonical order: T is the slowest axis, then Z, then the others as stored. The order of pages in
the file does not matter.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from segdata.errors import InvalidInputError
from segdata.images.tiff_directories import UNKNOWN_AXES, StackLayout, axes_words
from segdata.text import plural

#: Axes that come first in canonical order.
_FIRST = "TZ"


@dataclass(frozen=True, eq=False)
class Planes:
    """The planes of a stack in canonical order; a plane's position is its index in that order.

    Attributes:
        where: name of the file, for messages.
        axes: a letter for each axis.
        pages: page in the file of each plane; one dimension for each axis.
        channels: names along axis C; empty if they are not known.
    """

    where: str
    axes: str
    pages: npt.NDArray[np.int64]
    channels: tuple[str, ...] = ()

    def __len__(self) -> int:
        return self.pages.size

    def __str__(self) -> str:
        return axes_words(self.axes, self.pages.shape)

    @property
    def unknown(self) -> bool:
        """Return whether an axis has no name, so that only the order of planes can tell partners."""
        return bool(UNKNOWN_AXES & set(self.axes))

    def at(self, positions: Sequence[int]) -> dict[str, npt.NDArray[np.int64]]:
        """Return the coordinates of the planes at `positions`, by axis."""
        coordinates = np.unravel_index(np.asarray(positions, np.int64), self.pages.shape or (1,))
        return dict(zip(self.axes, coordinates, strict=False))

    def only(self, axis: str, index: int) -> Planes:
        """Return the planes at `index` along `axis`, without that axis."""
        place = self.axes.index(axis)
        return replace(self, axes=self.axes.replace(axis, ""), pages=np.asarray(self.pages.take(index, place)))

    def channel_words(self, index: int) -> str:
        """Return a channel's number, and its name if it has one."""
        return f"{index} ({self.channels[index]})" if self.channels else str(index)


def canonical_planes(where: str, layout: StackLayout) -> Planes:
    """Return the planes of a layout in canonical order."""
    order = sorted(range(len(layout.axes)), key=lambda place: (_FIRST + layout.axes[place]).index(layout.axes[place]))
    pages = np.array(layout.pages, np.int64).reshape(layout.sizes).transpose(order)
    return Planes(where, "".join(layout.axes[place] for place in order), pages, layout.channels)


def named_layout(text: str, where: str, known: StackLayout) -> StackLayout:
    """Return the layout of a file whose axes `text` names, the slowest first, such as ``TZYX`` or ``T2Z5YX``.

    A size that is not given follows from the number of pages, or from `known` if that has as many axes.

    Args:
        text: axes of the pages in the order of the file; a size may follow each letter.
        where: name of the file and of the option, for messages.
        known: layout by the metadata of the file.

    Raises:
        InvalidInputError: when `text` is not in this form, or names more or fewer planes than there are pages.
    """
    match = re.fullmatch(r"((?:[A-RT-W]\d*|Z\d*)*?)(?:S?YX|YXS)", text.upper())
    found = re.findall(r"([A-Z])(\d*)", match[1]) if match else []
    axes, count = "".join(axis for axis, _ in found), len(known.pages)
    if match is None or len(set(axes)) < len(axes):
        raise InvalidInputError(f"{where} {text}: expected different letters that end in YX, as in TZYX or T2Z5YX")
    sizes = [int(size or 0) for _, size in found]
    if not any(sizes) and len(known.sizes) == len(sizes):
        sizes = list(known.sizes)
    if sizes.count(0) == 1:
        sizes[sizes.index(0)] = max(1, count // math.prod(size or 1 for size in sizes))
    if sizes.count(0) > 1:
        raise InvalidInputError(f"{where} {text}: gives no sizes; expected the size of all axes but one, as in T2ZYX")
    if math.prod(sizes) != count:
        raise InvalidInputError(
            f"{where} {text}: names {plural(math.prod(sizes), 'plane')}; expected {count}, one for each page"
        )
    named = [(axis, size) for axis, size in zip(axes, sizes, strict=True) if size > 1]
    return StackLayout(
        "".join(axis for axis, _ in named), tuple(size for _, size in named), tuple(range(count)), known.channels
    )


def find_channel(planes: Planes, wanted: str | None) -> int | None:
    """Return the index of the channel that `wanted` numbers (from 0) or names; None if there are no channels.

    Raises:
        InvalidInputError: when there are several channels and `wanted` is None or none of them, or it is given without
            channels.
    """
    if "C" not in planes.axes:
        if wanted is not None:
            raise InvalidInputError(
                f"{planes.where}: has no axis C ({planes}); expected channels to choose from. Remove --channel, or "
                "name the axes with --axes."
            )
        return None
    count = planes.pages.shape[planes.axes.index("C")]
    if wanted is not None and wanted in planes.channels:
        return planes.channels.index(wanted)
    if wanted is not None and re.fullmatch(r"\d{1,9}", wanted) and int(wanted) < count:
        return int(wanted)
    listed = ", ".join(map(planes.channel_words, range(count)))
    found = f"has {count} channels" if wanted is None else f"has no channel {wanted}"
    raise InvalidInputError(f"{planes.where}: {found}; expected one of {listed}. Choose it with --channel.")


def label_channel(labels: Planes, images: Planes, channel: int | None) -> Planes:
    """Return the labels of the chosen channel of the images; labels without channels are of all channels.

    Raises:
        InvalidInputError: when the labels have other channels than the images.
    """
    if "C" not in labels.axes or channel is None:
        return labels
    counts = [planes.pages.shape[planes.axes.index("C")] for planes in (labels, images)]
    if counts[0] != counts[1]:
        raise InvalidInputError(
            f"{labels.where}: has {plural(counts[0], 'channel')}; expected {counts[1]}, as in {images.where}, or none"
        )
    return labels.only("C", channel)


def partners(images: Planes, chosen: Sequence[int], labels: Planes) -> list[int]:
    """Return the page in the file of the labels for each chosen position in the images.

    Planes with equal coordinates are partners. Labels may have all planes or only the chosen ones. If an axis is
    unknown, there must be as many labels, and the order tells partners.

    Raises:
        InvalidInputError: when the labels do not match the images.
    """
    if images.unknown or labels.unknown:
        return _by_order(images, chosen, labels)
    found = f"axes {labels}" if labels.axes else "1 page"
    lacking = "".join(axis for axis in labels.axes if axis not in images.axes)
    if lacking:
        raise _unmatched(labels, f"{found}, of which {lacking} is not in the images", images, chosen)
    coordinates = images.at(chosen)
    index = []
    for axis, size in zip(labels.axes, labels.pages.shape, strict=True):
        values, ranks = np.unique(coordinates[axis], return_inverse=True)
        if size not in (images.pages.shape[images.axes.index(axis)], len(values)):
            raise _unmatched(labels, found, images, chosen)
        index.append(ranks if size == len(values) else coordinates[axis])
    pages = np.broadcast_to(labels.pages[tuple(index)], len(chosen))
    if len(set(pages.tolist())) < len(chosen):
        raise _unmatched(labels, f"{found}, fewer than the images", images, chosen)
    numbers: list[int] = pages.tolist()
    return numbers


def _by_order(images: Planes, chosen: Sequence[int], labels: Planes) -> list[int]:
    if len(labels) not in (len(images), len(chosen)):
        raise _unmatched(labels, plural(len(labels), "page"), images, chosen)
    pages: list[int] = labels.pages.ravel().tolist()
    return pages if len(labels) == len(chosen) else [pages[position] for position in chosen]


def _unmatched(labels: Planes, found: str, images: Planes, chosen: Sequence[int]) -> InvalidInputError:
    axes = "" if images.unknown else f" ({images})"
    selected = f", or the {len(chosen)} chosen" if len(chosen) < len(images) else ""
    return InvalidInputError(
        f"{labels.where}: has {found}; expected {plural(len(images), 'page')}{axes}{selected}, as in "
        f"{images.where}. Choose images with --pages or --channel, or name axes with --axes and --label_axes."
    )
