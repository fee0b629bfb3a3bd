"""Miniature COCO JSONs with the oddities of the tools that export them: CVAT, Label Studio and Roboflow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from segdata.miniature.coco import box_of, uncompressed_rle
from segdata.miniature.tool_scenes import NAMES, Scene
from segdata.miniature.voc import save_jpeg
from segdata.sources.coco.subset import MEDIA_DIR


def write_cvat(root: Path, scenes: Sequence[Scene]) -> int:
    """Write CVAT's COCO 1.0 of masks drawn with the brush, RLE with `iscrowd` 1; return the number of objects."""

    def annotate(scene: Scene) -> Iterable[dict[str, Any]]:
        for number, id_ in enumerate(scene.class_of, start=1):
            mask = scene.parts == number
            shape = {"segmentation": uncompressed_rle(mask), "area": float(mask.sum()), "bbox": box_of(mask)}
            yield {"category_id": id_, **shape, "iscrowd": 1, "attributes": {"occluded": False}}

    images = root / MEDIA_DIR / "default"
    images.mkdir(parents=True)
    (root / "annotations").mkdir()
    categories = [{"id": id_, "name": name, "supercategory": ""} for id_, name in NAMES.items()]
    path = root / "annotations" / "instances_default.json"
    return _write(path, images, scenes, annotate, categories, lambda name: name, first_id=1)


def write_label_studio(root: Path, scenes: Sequence[Scene]) -> int:
    r"""Write Label Studio's ``result.json``, made on Windows: ids from 0, names such as ``images\a.jpg``."""
    (root / MEDIA_DIR).mkdir()
    categories = [{"id": id_ - 1, "name": name} for id_, name in NAMES.items()]

    def annotate(scene: Scene) -> Iterable[dict[str, Any]]:
        for annotation in _polygons(scene, first_category=0):
            yield {**annotation, "ignore": 0}

    path = root / "result.json"
    return _write(path, root / MEDIA_DIR, scenes, annotate, categories, lambda name: f"{MEDIA_DIR}\\{name}", first_id=0)


def write_roboflow(root: Path, scenes: Sequence[Scene]) -> int:
    """Write Roboflow's folders ``train`` and ``valid``, each with its JSON beside the images, and a root category."""
    categories = [{"id": 0, "name": "shapes", "supercategory": "none"}]
    categories += [{"id": id_, "name": name, "supercategory": "shapes"} for id_, name in NAMES.items()]
    objects = 0
    for split, folder in (("train", root / "train"), ("val", root / "valid")):
        folder.mkdir()
        chosen = [scene for scene in scenes if scene.split == split]
        path = folder / "_annotations.coco.json"
        objects += _write(path, folder, chosen, _polygons, categories, _roboflow_name, first_id=0)
    return objects


def _roboflow_name(name: str) -> str:
    return f"{name.replace('.', '_')}.rf.{sha256(name.encode()).hexdigest()[:32]}.jpg"


def _write(
    path: Path,
    images: Path,
    scenes: Sequence[Scene],
    annotate: Callable[[Scene], Iterable[dict[str, Any]]],
    categories: Sequence[dict[str, Any]],
    name_of: Callable[[str], str],
    *,
    first_id: int,
) -> int:
    """Write the images of scenes and the JSON; ids count from `first_id`. Return the number of annotations."""
    entries: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for image_id, scene in enumerate(scenes, start=first_id):
        name = name_of(f"{scene.name}.jpg")
        save_jpeg(images / name.rpartition("\\")[2], scene.image)
        height, width = scene.label.shape
        entries.append({"id": image_id, "file_name": name, "width": width, "height": height})
        for annotation in annotate(scene):
            annotations.append({"id": first_id + len(annotations), "image_id": image_id, **annotation})
    members = {"info": {}, "licenses": [], "images": entries, "annotations": annotations, "categories": categories}
    path.write_bytes(msgspec.json.encode(members))
    return len(annotations)


def _polygons(scene: Scene, first_category: int = 1) -> Iterable[dict[str, Any]]:
    for id_, outline in scene.outlines():
        (left, top), (right, bottom) = outline.min(0).tolist(), outline.max(0).tolist()
        x, y = outline.T.astype(float)
        area = abs(float(x @ np.roll(y, 1) - y @ np.roll(x, 1))) / 2
        shape = {"segmentation": [outline.ravel().tolist()], "bbox": [left, top, right - left, bottom - top]}
        yield {"category_id": id_ - 1 + first_category, **shape, "area": area, "iscrowd": 0}
