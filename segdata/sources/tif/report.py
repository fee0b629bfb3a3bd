"""Report of `tif_slice`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: How labels were assigned to images: by the coordinates of their planes, or by order if an axis is not known.
Pairing = Literal["axes", "order"]


@dataclass(frozen=True)
class SliceReport:
    """Report of `tif_slice`.

    Attributes:
        path: directory of the slices; with ``instances``, the image names in the JSONs are relative to it.
        source: stack of the images.
        label_source: stack of the labels; None without one.
        stack_pages: number of planes of the stack, or of the chosen channel of it.
        axes: axes of the image stack in the order of the slices, the slowest first.
        sizes: size of each axis.
        channel: number and name of the chosen channel; None if there is one.
        level: resolution: 0 is the full one.
        pairing: how labels were assigned to images; None without labels.
        form: size in pixels, data type and color of every page.
        scaled: the values that became 0 and 255; None if values were kept.
        clipped: number of samples outside this range.
        label_pixels: number of pixels by class id, over all pages.
        border_class: class id of pixels between touching objects; None without ``border``.
        objects: number of objects by category, in the order of the category ids; empty without ``instances``.
        binary: whether the labels are black-and-white masks, in which all pixels of a page are one object.
        class_names_file: file of the class names, in `path`; None if they are not known, or in the JSONs.
        split: how the pages were divided; None if all are in one list.
        files: list file of each split; with ``instances``, its COCO JSON.
        split_pages: positions (from 0) of each split, in the order of its list.
        written: false after a dry run.
    """

    path: str
    source: str
    label_source: str | None
    stack_pages: int
    axes: str
    sizes: tuple[int, ...]
    channel: str | None
    level: int
    pairing: Pairing | None
    form: str
    scaled: tuple[float, float] | None
    clipped: int
    label_pixels: dict[int, int]
    border_class: int | None
    objects: dict[str, int]
    binary: bool
    class_names_file: str | None
    split: str | None
    files: dict[str, str]
    split_pages: dict[str, list[int]]
    written: bool

    @property
    def pages(self) -> int:
        """Return the number of sliced pages."""
        return sum(map(len, self.split_pages.values()))
