"""Prediction of instances: images without labels to pictures and COCO results."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
from PIL import Image as Pillow

from segdata.errors import FaultsError, OptionError
from segdata.files import staged_directory
from segdata.parallel import Progress, silent
from segdata.records.manifest import ClassInfo
from segtrain.checkpoints.checkpoint import CheckpointInfo
from segtrain.config.config import Config, DeviceTarget
from segtrain.data.arrays import RgbImage
from segtrain.data.images import image_paths, read_images
from segtrain.data.instance.batches import network_input
from segtrain.inference.instance.detections import Detections, Result, locate, result_entries, write_results
from segtrain.inference.instance.detector import Detector, load_detector, settings_of
from segtrain.inference.instance.pictures import cut_out, draw_instances

#: What the result holds: pictures, one ``STEM.png`` for each image; COCO results, and the images these are of.
_OVERLAY, _CUTOUT, _RESULTS, _IMAGES = "overlay", "cutout", "results.json", "images.json"


@dataclass(frozen=True, kw_only=True)
class InstancePredictReport:
    """What `predict_instances` wrote.

    Attributes:
        directory: holds ``overlay``, ``cutout`` where it was asked for, ``results.json`` (COCO results) and
            ``images.json`` (a COCO file of the images they are of).
        loaded: parameters that the network got from the checkpoint: all it has.
        images: how many images were looked at.
        instances: how many instances were found, by class.
        faults: one sentence for each image that could not be read.
    """

    task: Literal["instance"] = "instance"
    directory: str
    loaded: int
    images: int
    instances: dict[str, int]
    faults: tuple[str, ...]


def predict_instances(
    images: Path,
    ckpt_path: Path,
    out: Path,
    *,
    data_root: Path | None = None,
    score: float = 0.5,
    cutout: bool = False,
    device_target: DeviceTarget = "CPU",
    overwrite: bool = False,
    progress: Progress = silent,
) -> InstancePredictReport:
    """Find instances in images, each at its own size; one at a time, so that memory is one's.

    Args:
        images: an image, a directory of images, or an image list (see `image_paths`).
        ckpt_path: the checkpoint, its side file beside it.
        out: the directory to be written.
        data_root: what the paths of an image list are relative to; the list's folder by default.
        score: from which score on an instance counts, 0 to 1; what the network was set to leave out stays out.
        cutout: also cut the instances out of their background.
        device_target: where the network runs.
        overwrite: replace an earlier result in `out`.
        progress: shows how many images are done.

    Raises:
        OptionError: when the score is none.
        InvalidInputError: when there is no image, two results would have the same name, or none can be read.
        TargetExistsError: when `out` is taken.
    """
    if not 0 <= score <= 1:
        raise OptionError(f"score = {score}: expected 0 to 1")
    paths = image_paths(images, data_root)
    with staged_directory(out, overwrite=overwrite, ours=(_OVERLAY, _CUTOUT, _RESULTS, _IMAGES)) as staging:
        detector, info, loaded = load_detector(ckpt_path, device_target)
        for kind in (_OVERLAY, _CUTOUT) if cutout else (_OVERLAY,):
            (staging / kind).mkdir()
        classes = _classes(info)
        faults: list[str] = []
        counts: Counter[str] = Counter()
        entries: list[Result] = []
        described: list[dict[str, Any]] = []
        with progress(total=len(paths), label="predict") as advance:
            for number, (name, image) in enumerate(read_images(paths, faults), start=1):
                if image is not None:
                    found = _likely(_detect(detector, image, info.config), score)
                    counts.update(info.class_names[label - 1] for label in found.labels.tolist())
                    entries += result_entries(number, found, classes)
                    size = {"height": image.shape[0], "width": image.shape[1]}
                    described.append({"id": number, "file_name": paths[name].name, **size})
                    _draw(staging, f"{name}.png", image, found, info.class_names, cutout=cutout)
                advance(1)
        if len(faults) == len(paths):
            raise FaultsError(f"none of {len(paths)} images can be read", faults)
        write_results(staging / _RESULTS, entries, overwrite=False)
        categories = [{"id": each.original_id, "name": each.name} for each in classes]
        (staging / _IMAGES).write_bytes(
            msgspec.json.encode({"images": described, "annotations": [], "categories": categories})
        )
    return InstancePredictReport(
        directory=str(out),
        loaded=len(loaded.loaded),
        images=len(paths) - len(faults),
        instances=dict(counts.most_common()),
        faults=tuple(faults),
    )


def _classes(info: CheckpointInfo) -> list[ClassInfo]:
    return [
        ClassInfo(id=id_, name=name, original_id=original, pixels=0, images=0)
        for id_, (name, original) in enumerate(zip(info.class_names, info.original_ids, strict=True), start=1)
    ]


def _detect(detector: Detector, image: RgbImage, config: Config) -> Detections:
    planes, content = network_input(image, config, settings_of(config))
    (found,) = locate(
        detector(planes[None], np.array([content], np.float32)), [content], [(image.shape[0], image.shape[1])]
    )
    return found


def _likely(found: Detections, score: float) -> Detections:
    kept = found.scores >= score
    masks = tuple(mask for mask, keep in zip(found.masks, kept, strict=True) if keep)
    return replace(found, boxes=found.boxes[kept], scores=found.scores[kept], labels=found.labels[kept], masks=masks)


def _draw(
    directory: Path, name: str, image: RgbImage, found: Detections, class_names: tuple[str, ...], *, cutout: bool
) -> None:
    Pillow.fromarray(draw_instances(image, found, class_names)).save(directory / _OVERLAY / name)
    if cutout:
        Pillow.fromarray(cut_out(image, found), "RGBA").save(directory / _CUTOUT / name)
