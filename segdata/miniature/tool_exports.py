"""Miniature exports of annotation tools: labelme, YOLO, masks of instance ids, Cityscapes, and COCO JSONs of tools."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np

from segdata.files.publishing import staged_directory
from segdata.miniature.tool_jsons import write_cvat, write_label_studio, write_roboflow
from segdata.miniature.tool_scenes import NAMES, Scene, draw_scenes
from segdata.miniature.voc import save_jpeg

#: Tools whose exports `write_export` imitates.
ToolKind = Literal["labelme", "yolo", "instance-masks", "cityscapes", "cvat", "label-studio", "roboflow"]

#: Cityscapes' class id and color of each drawn class, and of the ground and the void outlines.
_CITYSCAPES = {1: (26, (0, 0, 142)), 2: (24, (220, 20, 60)), 3: (33, (119, 11, 32)), 0: (7, (128, 64, 128))}
_VOID = (0, (0, 0, 0))


@dataclass(frozen=True)
class ToolSampleReport:
    """Location and contents of a miniature export."""

    root: str
    images: int
    objects: int
    categories: tuple[str, ...]


def write_export(root: Path, kind: ToolKind, *, train: int = 24, val: int = 8, seed: int = 0) -> ToolSampleReport:
    """Write a miniature export of an annotation tool, in its layout.

    Args:
        root: directory to create.
        kind: the tool. Exports without splits contain the images of both.
        train: number of images in the train split.
        val: number of images in the val split.
        seed: the same seed gives the same files.

    Raises:
        TargetExistsError: when `root` exists and is not empty.
    """
    scenes = draw_scenes(train, val, seed)
    with staged_directory(root, overwrite=False, ours=()) as staging:
        objects = _WRITERS[kind](staging, scenes)
    categories = {"instance-masks": ("object",), "cityscapes": ("car", "person", "bicycle")}
    return ToolSampleReport(str(root), len(scenes), objects, categories.get(kind, tuple(NAMES.values())))


def _labelme(root: Path, scenes: Sequence[Scene]) -> int:
    """Write images with labelme's JSON beside each, and its ``labels.txt``; return the number of objects."""
    objects = 0
    for scene in scenes:
        save_jpeg(root / f"{scene.name}.jpg", scene.image)
        shapes = [
            {
                "label": NAMES[id_],
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
        (root / f"{scene.name}.json").write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=2))
    (root / "labels.txt").write_text("\n".join(("__ignore__", "_background_", *NAMES.values(), "")))
    return objects


def _yolo(root: Path, scenes: Sequence[Scene]) -> int:
    """Write ``data.yaml``, ``images`` and ``labels``; return the number of objects."""
    objects = 0
    for scene in scenes:
        images, labels = (root / folder / scene.split for folder in ("images", "labels"))
        for folder in (images, labels):
            folder.mkdir(parents=True, exist_ok=True)
        save_jpeg(images / f"{scene.name}.jpg", scene.image)
        height, width = scene.parts.shape
        lines = [
            " ".join([str(id_ - 1), *(f"{share:.6f}" for share in (outline / (width, height)).ravel())])
            for id_, outline in scene.outlines()
        ]
        objects += len(lines)
        (labels / f"{scene.name}.txt").write_text("".join(f"{line}\n" for line in lines))
    names = "".join(f"  {id_ - 1}: {name}\n" for id_, name in NAMES.items())
    (root / "data.yaml").write_text(f"train: images/train\nval: images/val\nnames:\n{names}")
    return objects


def _instance_masks(root: Path, scenes: Sequence[Scene]) -> int:
    """Write ``images``, and ``masks`` of 16 bits in which each value is an object; return the number of objects."""
    from PIL import Image

    for folder in ("images", "masks"):
        (root / folder).mkdir()
    for scene in scenes:
        save_jpeg(root / "images" / f"{scene.name}.jpg", scene.image)
        Image.fromarray(scene.parts.astype(np.uint16)).save(root / "masks" / f"{scene.name}.png")
    return sum(len(scene.class_of) for scene in scenes)


def _cityscapes(root: Path, scenes: Sequence[Scene]) -> int:
    """Write ``leftImg8bit`` and ``gtFine``; return the number of objects, without the group in the first image."""
    from PIL import Image

    for index, scene in enumerate(scenes):
        ids = np.full(scene.label.shape, _VOID[0], np.int32)
        colors = np.zeros((*scene.label.shape, 3), np.uint8)
        for id_, (class_id, color) in _CITYSCAPES.items():
            ids[scene.label == id_], colors[scene.label == id_] = class_id, color
        objects = ids.copy()
        for number, id_ in enumerate(scene.class_of, start=1):
            class_id, _ = _CITYSCAPES[id_]
            is_group = index == 0 and number == 1
            objects[scene.parts == number] = class_id if is_group else 1000 * class_id + number
        images, masks = (root / folder / scene.split / "town" for folder in ("leftImg8bit", "gtFine"))
        for folder in (images, masks):
            folder.mkdir(parents=True, exist_ok=True)
        name = f"town_{scene.name}_000019"
        Image.fromarray(scene.image).save(images / f"{name}_leftImg8bit.png")
        Image.fromarray(ids.astype(np.uint8)).save(masks / f"{name}_gtFine_labelIds.png")
        Image.fromarray(objects.astype(np.uint16)).save(masks / f"{name}_gtFine_instanceIds.png")
        Image.fromarray(colors).save(masks / f"{name}_gtFine_color.png")
    return sum(len(scene.class_of) for scene in scenes) - bool(scenes[0].class_of)


_WRITERS: dict[ToolKind, Callable[[Path, Sequence[Scene]], int]] = {
    "labelme": _labelme,
    "yolo": _yolo,
    "instance-masks": _instance_masks,
    "cityscapes": _cityscapes,
    "cvat": write_cvat,
    "label-studio": write_label_studio,
    "roboflow": write_roboflow,
}
