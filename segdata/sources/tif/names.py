"""Names of the files that a stack is sliced into, and the lists of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from segdata.files.publishing import write_file
from segdata.lists import Pair, write_list
from segdata.sources.tif.values import Format

_IMAGE_DIR, _LABEL_DIR = "images", "labels"

#: COCO JSON of each split of objects.
SLICE_JSONS = {"all": "instances_all.json", "train": "instances_train.json", "val": "instances_val.json"}

#: List file of each split.
SLICE_LISTS = {"all": "all_lst.txt", "train": "train_lst.txt", "val": "val_lst.txt"}


class SliceNames:
    """File names of slices, relative to the target: the name of the stack and the position of the slice."""

    def __init__(self, images: Path, count: int, image_format: Format) -> None:
        """Take the name of the stack, the number of its slices and the format of their files."""
        self._stem = images.stem.removesuffix(".ome")
        self._digits = max(4, len(str(count - 1)))
        self._format = image_format

    def image(self, position: int) -> str:
        """Return the file name of an image."""
        return f"{_IMAGE_DIR}/{self._stem}_{position:0{self._digits}}.{self._format}"

    def label(self, position: int) -> str:
        """Return the file name of a label."""
        return f"{_LABEL_DIR}/{self._stem}_{position:0{self._digits}}.png"

    def write_lists(self, staging: Path, splits: Mapping[str, Sequence[int]], *, labeled: bool) -> None:
        """Write a list file for each split; it names labels if there are any."""
        for split, positions in splits.items():
            path = staging / SLICE_LISTS[split]
            if labeled:
                pairs = [Pair(self.image(position), self.label(position)) for position in positions]
                write_list(path, pairs, overwrite=False)
            else:
                lines = "".join(f"{self.image(position)}\n" for position in positions)
                write_file(path, lines.encode(), overwrite=False)
