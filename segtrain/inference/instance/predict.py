"""Prediction of instances in images without labels, written as pictures and COCO results."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
from PIL import Image as Pillow

from segdata.arguments import FilePath, check_choice, local_path
from segdata.draw.lettering import without_font
from segdata.errors import FaultsError, OptionError
from segdata.files.ownership import check_inputs_outside
from segdata.files.publishing import staged_directory
from segdata.images.reading import as_picture
from segdata.parallel import Progress, silent
from segdata.records.manifest import ClassInfo
from segtrain.checkpoints.info import CheckpointInfo, read_info
from segtrain.config.config import Config, DeviceTarget
from segtrain.config.mask_rcnn import MaskRcnn
from segtrain.data.arrays import RgbImage
from segtrain.data.images import file_name, image_paths, read_images, shown
from segtrain.data.instance.samples import network_input
from segtrain.inference.instance.detections import Detections, Result, locate, result_entries, write_results
from segtrain.inference.instance.detector import Detector, load_detector
from segtrain.inference.instance.pictures import cut_out, draw_instances
from segtrain.inference.results import named_failures, write_pictures
from segtrain.inference.settings import AS_IN_TRAINING, EvalSettings

#: Contents of the result: pictures, one ``STEM.png`` per image; COCO results, and a COCO file of their images.
_OVERLAY, _CUTOUT, _RESULTS, _IMAGES = "overlay", "cutout", "results.json", "images.json"


@dataclass(frozen=True, kw_only=True)
class InstancePredictReport:
    """Result of `predict_instances`.

    Attributes:
        task: of the network.
        path: directory with ``overlay``, ``cutout`` if requested, ``results.json`` (COCO results) and
            ``images.json`` (a COCO file of their images).
        loaded: number of parameters loaded from the checkpoint, always all of them.
        images: number of images processed.
        instances: number of instances found, by class.
        problems: one sentence for each image that could not be read or is too large.
        without_font: names of found classes that no font here can draw; the pictures have their ids.
    """

    task: Literal["instance"] = "instance"
    path: str
    loaded: int
    images: int
    instances: dict[str, int]
    problems: tuple[str, ...]
    without_font: tuple[str, ...] = ()


def predict_instances(
    images: Path,
    ckpt_path: Path,
    out: Path,
    settings: EvalSettings = AS_IN_TRAINING,
    *,
    data_root: FilePath | None = None,
    recursive: bool = False,
    score: float = 0.5,
    cutout: bool = False,
    device_target: DeviceTarget = "CPU",
    overwrite: bool = False,
    progress: Progress = silent,
) -> InstancePredictReport:
    """Find instances in images at their original sizes, one at a time, so that memory does not grow with their number.

    Args:
        images: image, directory of images, image list, record set or COCO JSON (see `image_paths`).
        ckpt_path: checkpoint, with its side file next to it.
        out: directory to write.
        settings: none has an effect; they are for semantic networks.
        data_root: directory that the paths of an image list are relative to; the list's directory by default.
        recursive: also find the images in subfolders; results are in folders of the same names.
        score: lowest score of an instance to keep, 0 to 1; the network's own score threshold still applies.
        cutout: write pictures of the instances cut out of their background, too.
        device_target: device to run the network on.
        overwrite: replace an earlier result in `out`.
        progress: reports the number of finished images.

    Raises:
        OptionError: when `score` is out of range, or a setting is given.
        InvalidInputError: when there are no images, two results would have the same name, or all images fail.
        TargetExistsError: when `out` already exists.
    """
    data_root = local_path(data_root)
    check_choice("device_target", device_target, DeviceTarget)
    if not 0 <= score <= 1:
        raise OptionError(f"score = {score}: expected 0 to 1")
    settings.check_only([], read_info(ckpt_path).config.model.name)
    paths = image_paths(images, data_root, recursive=recursive)
    check_inputs_outside(out, images, ckpt_path)
    with staged_directory(out, overwrite=overwrite) as staging:
        detector, info, loaded = load_detector(ckpt_path, device_target)
        for kind in (_OVERLAY, _CUTOUT) if cutout else (_OVERLAY,):
            (staging / kind).mkdir()
        classes = _classes(info)
        faults: list[str] = []
        counts: Counter[str] = Counter()
        entries: list[Result] = []
        described: list[dict[str, Any]] = []
        with progress(total=len(paths), label="predict") as advance:
            for number, (name, image) in enumerate(read_images(paths, faults, info.image_range), start=1):
                if image is not None:
                    with named_failures(faults, shown(name, paths[name]), image):
                        found = _likely(_detect(detector, image, info.config), score)
                        write_pictures(staging, name, _pictures(image, found, info.class_names, cutout=cutout))
                        counts.update(info.class_names[label - 1] for label in found.labels.tolist())
                        entries += result_entries(number, found, classes)
                        size = {"height": image.shape[0], "width": image.shape[1]}
                        described.append({"id": number, "file_name": file_name(name, paths[name]), **size})
                advance(1)
        if len(faults) == len(paths):
            raise FaultsError(f"no image can be segmented ({len(paths)} tried)", faults)
        write_results(staging / _RESULTS, entries, overwrite=False)
        categories = [{"id": each.original_id, "name": each.name} for each in classes]
        (staging / _IMAGES).write_bytes(
            msgspec.json.encode({"images": described, "annotations": [], "categories": categories})
        )
    return InstancePredictReport(
        path=str(out),
        loaded=len(loaded.loaded),
        images=len(paths) - len(faults),
        instances=dict(counts.most_common()),
        problems=tuple(faults),
        without_font=without_font(name for name, _ in counts.most_common()),
    )


def _classes(info: CheckpointInfo) -> list[ClassInfo]:
    return [
        ClassInfo(id=id_, name=name, original_id=original, pixels=0, images=0)
        for id_, (name, original) in enumerate(zip(info.class_names, info.original_ids, strict=True), start=1)
    ]


def _detect(detector: Detector, image: RgbImage, config: Config) -> Detections:
    planes, content = network_input(image, config, config.model_as(MaskRcnn))
    (found,) = locate(
        detector(planes[None], np.array([content], np.float32)), [content], [(image.shape[0], image.shape[1])]
    )
    return found


def _likely(found: Detections, score: float) -> Detections:
    kept = found.scores >= score
    masks = tuple(mask for mask, keep in zip(found.masks, kept, strict=True) if keep)
    return replace(found, boxes=found.boxes[kept], scores=found.scores[kept], labels=found.labels[kept], masks=masks)


def _pictures(
    image: RgbImage, found: Detections, class_names: tuple[str, ...], *, cutout: bool
) -> dict[str, Pillow.Image]:
    picture = as_picture(image)
    drawn = {_OVERLAY: Pillow.fromarray(draw_instances(picture, found, class_names))}
    return {**drawn, _CUTOUT: Pillow.fromarray(cut_out(picture, found), "RGBA")} if cutout else drawn
