"""A miniature VOC devkit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from segdata.files.publishing import staged_directory
from segdata.labels.colormap import IGNORE, VOC_CLASSES, voc_palette
from segdata.miniature.scene import SHAPES, draw
from segdata.sources.instance_masks.regions import number_parts
from segdata.sources.voc import COLOR_DIR, ID_LISTS, IMAGE_DIR

#: Folder of the masks whose values are objects.
_OBJECT_DIR = "SegmentationObject"


@dataclass(frozen=True)
class VocMiniature:
    """Location and contents of the miniature devkit."""

    root: str
    train: int
    val: int
    classes: tuple[str, ...]


def write_devkit(root: Path, *, train: int = 24, val: int = 8, seed: int = 0) -> VocMiniature:
    """Write a miniature VOC devkit: colored shapes on a textured background, and palette masks with void borders.

    The masks of `COLOR_DIR` have class ids, those of ``SegmentationObject`` numbers of objects.

    Args:
        root: directory to create; contains ``VOCdevkit/VOC2012``.
        train: number of images in the train split.
        val: number of images in the val split.
        seed: the same seed gives the same files.

    Raises:
        TargetExistsError: when `root` exists and is not empty.
    """
    names = [image_id(index) for index in range(train + val)]
    with staged_directory(root, overwrite=False, ours=()) as staging:
        devkit = staging / "VOCdevkit" / "VOC2012"
        for folder in (IMAGE_DIR, COLOR_DIR, _OBJECT_DIR, ID_LISTS):
            (devkit / folder).mkdir(parents=True)
        for index, name in enumerate(names):
            image, label = draw(np.random.default_rng((seed, index)))
            save_jpeg(devkit / IMAGE_DIR / f"{name}.jpg", image)
            save_palette_png(devkit / COLOR_DIR / f"{name}.png", label)
            objects, _ = number_parts(label.astype(np.int32), IGNORE)
            objects[label == IGNORE] = IGNORE
            save_palette_png(devkit / _OBJECT_DIR / f"{name}.png", objects.astype(np.uint8))
        for split, ids in (("train", names[:train]), ("val", names[train:]), ("trainval", names)):
            write_ids(devkit / ID_LISTS / f"{split}.txt", ids)
    return VocMiniature(str(root), train, val, tuple(VOC_CLASSES[id_] for id_, _, _ in SHAPES))


def image_id(index: int) -> str:
    """Return the id of scene `index`, in the format of VOC's ids."""
    return f"2012_{index:06}"


def save_jpeg(path: Path, image: npt.NDArray[np.uint8]) -> None:
    """Write an RGB image ``(H, W, 3)``."""
    from PIL import Image

    Image.fromarray(image).save(path, quality=90)


def save_palette_png(path: Path, label: npt.NDArray[np.uint8]) -> None:
    """Write class ids ``(H, W)`` like VOC's masks: as an 8-bit palette PNG with VOC's 256 colors."""
    from PIL import Image

    image = Image.fromarray(label, "L")
    image.putpalette(voc_palette().tobytes())
    image.save(path)


def write_ids(path: Path, ids: Sequence[str]) -> None:
    """Write an id list in the format of VOC's ImageSets and SBD."""
    path.write_text("".join(f"{id_}\n" for id_ in ids))
