"""The miniature devkit has the form of the real one and is the same every time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segdata.errors import TargetExistsError
from segdata.labels.colormap import voc_palette
from segdata.miniature.voc import write_devkit


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def test_the_same_seed_gives_the_same_files(tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        write_devkit(tmp_path / name, train=3, val=1, seed=seed)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert contents(tmp_path / "a") != contents(tmp_path / "c")


def test_masks_are_palette_pngs_with_void_borders(tmp_path: Path) -> None:
    write_devkit(tmp_path / "a", train=3, val=1)
    for path in (tmp_path / "a").rglob("SegmentationClass/*.png"):
        mask = Image.open(path)
        assert mask.mode == "P"
        assert mask.getpalette() == voc_palette().ravel().tolist()
        assert {0, 255} < set(np.unique(np.asarray(mask)).tolist()) <= {0, 1, 2, 3, 255}
        assert Image.open(path.parent.parent / "JPEGImages" / f"{path.stem}.jpg").size == mask.size


def test_a_folder_with_something_in_it_is_never_touched(tmp_path: Path) -> None:
    (tmp_path / "VOCdevkit").mkdir()
    with pytest.raises(TargetExistsError):
        write_devkit(tmp_path)
