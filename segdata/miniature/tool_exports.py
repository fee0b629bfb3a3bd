"""Miniature exports of annotation tools: labelme, YOLO and masks of instance ids."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from segdata.files.publishing import staged_directory
from segdata.labels.colormap import IGNORE
from segdata.miniature.scene import SHAPES, draw
from segdata.miniature.voc import save_jpeg
from segdata.sources.instance_masks.regions import number_parts
from segdata.sources.instance_masks.values import Values

_NAMES = {id_: name for id_, name, _ in SHAPES}


@dataclass(frozen=True)
class ToolSampleReport:
    """Location and contents of a miniature export."""

    root: str
    images: int
    objects: int
    categories: tuple[str, ...]


@dataclass(frozen=True)
class _Scene:
    """An image ``(H, W, 3)``, its objects numbered from 1 ``(H, W)``, and the class of each."""

    name: str
    image: npt.NDArray[np.uint8]
    parts: Values
    class_of: list[int]

    def outlines(self) -> Iterator[tuple[int, npt.NDArray[np.int32]]]:
        """Yield the class and the outline ``(N, 2)``, x and y, of each object."""
        import cv2

        for number, id_ in enumerate(self.class_of, start=1):
            part = (self.parts == number).astype(np.uint8)
            found, _ = cv2.findContours(part, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
            if len(found[0]) >= 3:
                yield id_, found[0].reshape(-1, 2)


def write_labelme(root: Path, *, images: int = 32, seed: int = 0) -> ToolSampleReport:
    """Write images with labelme's JSON beside each, and its ``labels.txt``.

    Args:
        root: directory to create.
        images: number of images.
        seed: the same seed gives the same files.

    Raises:
        TargetExistsError: when `root` exists and is not empty.
    """
    objects = 0
    with staged_directory(root, overwrite=False, ours=()) as staging:
        for scene in _scenes(images, seed):
            save_jpeg(staging / f"{scene.name}.jpg", scene.image)
            shapes = [
                {
                    "label": _NAMES[id_],
                    "points": outline.tolist(),
                    "group_id": None,
                    "shape_type": "polygon",
                    "flags": {},
                }
                for id_, outline in scene.outlines()
            ]
            objects += len(shapes)
            document: dict[str, object] = {
                "version": "5.5.0",
                "flags": {},
                "shapes": shapes,
                "imagePath": f"{scene.name}.jpg",
                "imageData": None,
                "imageHeight": scene.image.shape[0],
                "imageWidth": scene.image.shape[1],
            }
            (staging / f"{scene.name}.json").write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=2))
        (staging / "labels.txt").write_text("\n".join(("__ignore__", "_background_", *_NAMES.values(), "")))
    return ToolSampleReport(str(root), images, objects, tuple(_NAMES.values()))


def write_yolo(root: Path, *, train: int = 24, val: int = 8, seed: int = 0) -> ToolSampleReport:
    """Write ``data.yaml``, ``images`` and ``labels`` of a YOLO segmentation data set.

    Args:
        root: directory to create.
        train: number of images in the train split.
        val: number of images in the val split.
        seed: the same seed gives the same files.

    Raises:
        TargetExistsError: when `root` exists and is not empty.
    """
    objects = 0
    with staged_directory(root, overwrite=False, ours=()) as staging:
        for folder in ("images", "labels"):
            for split in ("train", "val"):
                (staging / folder / split).mkdir(parents=True)
        for index, scene in enumerate(_scenes(train + val, seed)):
            split = "train" if index < train else "val"
            save_jpeg(staging / "images" / split / f"{scene.name}.jpg", scene.image)
            height, width = scene.parts.shape
            lines = [
                " ".join([str(id_ - 1), *(f"{share:.6f}" for share in (outline / (width, height)).ravel())])
                for id_, outline in scene.outlines()
            ]
            objects += len(lines)
            (staging / "labels" / split / f"{scene.name}.txt").write_text("".join(f"{line}\n" for line in lines))
        names = "".join(f"  {id_ - 1}: {name}\n" for id_, name in _NAMES.items())
        (staging / "data.yaml").write_text(f"train: images/train\nval: images/val\nnames:\n{names}")
    return ToolSampleReport(str(root), train + val, objects, tuple(_NAMES.values()))


def write_instance_masks(root: Path, *, images: int = 32, seed: int = 0) -> ToolSampleReport:
    """Write ``images``, and ``masks`` of 16 bits in which each value is an object.

    Args:
        root: directory to create.
        images: number of images.
        seed: the same seed gives the same files.

    Raises:
        TargetExistsError: when `root` exists and is not empty.
    """
    from PIL import Image

    objects = 0
    with staged_directory(root, overwrite=False, ours=()) as staging:
        for folder in ("images", "masks"):
            (staging / folder).mkdir()
        for scene in _scenes(images, seed):
            save_jpeg(staging / "images" / f"{scene.name}.jpg", scene.image)
            Image.fromarray(scene.parts.astype(np.uint16)).save(staging / "masks" / f"{scene.name}.png")
            objects += len(scene.class_of)
    return ToolSampleReport(str(root), images, objects, ("object",))


def _scenes(count: int, seed: int) -> Iterator[_Scene]:
    for index in range(count):
        image, label = draw(np.random.default_rng((seed, index)))
        yield _Scene(f"{index + 1:06}", image, *number_parts(label.astype(np.int32), IGNORE))
