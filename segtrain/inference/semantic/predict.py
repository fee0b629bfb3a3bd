"""Prediction of class ids, colored masks and overlays for images without labels."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow
from tifffile import TiffWriter

from segdata.draw.overlay import blend, label_overlay
from segdata.errors import FaultsError
from segdata.files import check_inputs_outside, staged_directory
from segdata.images.reading import as_picture
from segdata.labels.colormap import voc_palette
from segdata.labels.masks import encode_index_png
from segdata.parallel import Progress, silent
from segtrain.config.config import DeviceTarget
from segtrain.data.arrays import RgbImage
from segtrain.data.images import image_paths, is_stack, read_images
from segtrain.inference.semantic.segmenter import load_segmenter

#: Subdirectories of the result; each holds one ``STEM.png`` per image.
RESULT_INDEX, RESULT_PALETTE, RESULT_OVERLAY = "index", "palette", "overlay"

#: Class ids of all pages of a multi-page TIFF, as a multi-page TIFF.
STACK = "index.tif"


@dataclass(frozen=True, kw_only=True)
class PredictReport:
    """Result of `predict_semantic`.

    Attributes:
        directory: directory with ``index`` (class ids), ``palette`` (the same in VOC's colors) and ``overlay``; for a
            single multi-page TIFF also ``index.tif``, the class ids of all pages, unless a page could not be read.
        loaded: number of parameters loaded from the checkpoint, always all of them.
        images: number of segmented images.
        classes: names of the classes that were found, by id.
        faults: one sentence for each image that could not be read.
    """

    task: Literal["semantic"] = "semantic"
    directory: str
    loaded: int
    images: int
    classes: tuple[str, ...]
    faults: tuple[str, ...]


def predict_semantic(
    images: Path,
    ckpt_path: Path,
    out: Path,
    *,
    data_root: Path | None = None,
    scales: tuple[float, ...] = (1.0,),
    flip: bool = False,
    turn: bool = False,
    crop_size: int | None = None,
    device_target: DeviceTarget = "CPU",
    overwrite: bool = False,
    progress: Progress = silent,
) -> PredictReport:
    """Segment images at their original sizes, one at a time, so that memory does not grow with their number.

    Args:
        images: image or multi-page TIFF, directory of images, or image list (see `image_paths`).
        ckpt_path: checkpoint, with its side file next to it.
        out: directory to write.
        data_root: directory that the paths of an image list are relative to; the list's directory by default.
        scales: input sizes as factors of `crop_size`.
        flip: test-time augmentation with the mirrored image.
        turn: test-time augmentation with the image rotated by 90, 180 and 270 degrees.
        crop_size: input size at scale 1; None keeps that used in training.
        device_target: device to run the network on.
        overwrite: replace an earlier result in `out`.
        progress: reports the number of finished images.

    Raises:
        InvalidInputError: when there are no images, two results would have the same name, or no image can be read.
        TargetExistsError: when `out` already exists.
    """
    paths = image_paths(images, data_root)
    check_inputs_outside(out, images, ckpt_path)
    with staged_directory(out, overwrite=overwrite) as staging:
        segmenter, info, loaded = load_segmenter(
            ckpt_path,
            scales=scales,
            flip=flip,
            turn=turn,
            crop_size=crop_size,
            batch_size=1,
            device_target=device_target,
        )
        for kind in (RESULT_INDEX, RESULT_PALETTE, RESULT_OVERLAY):
            (staging / kind).mkdir()
        found: set[int] = set()
        faults: list[str] = []
        with ExitStack() as files, progress(total=len(paths), label="predict") as advance:
            stack = files.enter_context(TiffWriter(staging / STACK)) if is_stack(paths) else None
            for name, image in read_images(paths, faults, info.image_range):
                if image is not None:
                    (labels,) = segmenter([image])
                    _write(staging, f"{name}.png", image, labels)
                    found.update(np.unique(labels).tolist())
                    if stack:
                        stack.write(labels, photometric="minisblack", compression="zlib", metadata=None)
                advance(1)
        if stack and faults:
            # Its pages would not match those of the input.
            (staging / STACK).unlink()
        if len(faults) == len(paths):
            raise FaultsError(f"no image can be read ({len(paths)} tried)", faults)
    names = tuple(info.class_names[id_] for id_ in sorted(found))
    return PredictReport(
        directory=str(out),
        loaded=len(loaded.loaded),
        images=len(paths) - len(faults),
        classes=names,
        faults=tuple(faults),
    )


def _write(directory: Path, name: str, image: RgbImage, labels: npt.NDArray[np.uint8]) -> None:
    (directory / RESULT_INDEX / name).write_bytes(encode_index_png(labels))
    colored = Pillow.fromarray(labels, "P")
    colored.putpalette(voc_palette().tobytes())
    colored.save(directory / RESULT_PALETTE / name)
    Pillow.fromarray(blend(as_picture(image), label_overlay(labels), 0.5)).save(directory / RESULT_OVERLAY / name)
