"""Prediction: images without labels to class ids, colors and overlays."""

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
from segdata.files import staged_directory
from segdata.labels.colormap import voc_palette
from segdata.labels.masks import encode_index_png
from segdata.parallel import Progress, silent
from segtrain.config.config import DeviceTarget
from segtrain.data.arrays import RgbImage
from segtrain.data.images import image_paths, is_stack, read_images
from segtrain.inference.semantic.segmenter import load_segmenter

#: Sub-directories of the result; each holds one ``STEM.png`` for each image.
INDEX_DIR, PALETTE_DIR, OVERLAY_DIR = "index", "palette", "overlay"

#: Of a multi-page TIFF: the class ids of all its pages, again as one.
STACK = "index.tif"


@dataclass(frozen=True, kw_only=True)
class PredictReport:
    """What `predict_semantic` wrote.

    Attributes:
        directory: holds ``index`` (class ids), ``palette`` (the same in VOC's colors) and ``overlay``; of one
            multi-page TIFF also ``index.tif``, the class ids of all its pages, unless one of them could not be read.
        loaded: parameters that the network got from the checkpoint: all it has.
        images: how many images were segmented.
        classes: the names of the classes that were found, by id.
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
    """Segment images, each at its own size; one at a time, so that memory is one's.

    Args:
        images: an image or multi-page TIFF, a directory of images, or an image list (see `image_paths`).
        ckpt_path: the checkpoint, its side file beside it.
        out: the directory to be written.
        data_root: what the paths of an image list are relative to; the list's folder by default.
        scales: input sizes as factors of `crop_size`.
        flip: also take the mirrored image.
        turn: also take the image turned by quarters.
        crop_size: input size at scale 1; None: the training's.
        device_target: where the network runs.
        overwrite: replace an earlier result in `out`.
        progress: shows how many images are done.

    Raises:
        InvalidInputError: when there is no image, two results would have the same name, or none can be read.
        TargetExistsError: when `out` is taken.
    """
    paths = image_paths(images, data_root)
    with staged_directory(out, overwrite=overwrite, ours=(INDEX_DIR, PALETTE_DIR, OVERLAY_DIR, STACK)) as staging:
        segmenter, info, loaded = load_segmenter(
            ckpt_path,
            scales=scales,
            flip=flip,
            turn=turn,
            crop_size=crop_size,
            batch_size=1,
            device_target=device_target,
        )
        for kind in (INDEX_DIR, PALETTE_DIR, OVERLAY_DIR):
            (staging / kind).mkdir()
        found: set[int] = set()
        faults: list[str] = []
        with ExitStack() as files, progress(total=len(paths), label="predict") as advance:
            stack = files.enter_context(TiffWriter(staging / STACK)) if is_stack(paths) else None
            for name, image in read_images(paths, faults):
                if image is not None:
                    (labels,) = segmenter([image])
                    _write(staging, f"{name}.png", image, labels)
                    found.update(np.unique(labels).tolist())
                    if stack:
                        stack.write(labels, photometric="minisblack", compression="zlib", metadata=None)
                advance(1)
        if stack and faults:
            # Its pages would not be those of the input.
            (staging / STACK).unlink()
        if len(faults) == len(paths):
            raise FaultsError(f"none of {len(paths)} images can be read", faults)
    names = tuple(info.class_names[id_] for id_ in sorted(found))
    return PredictReport(
        directory=str(out),
        loaded=len(loaded.loaded),
        images=len(paths) - len(faults),
        classes=names,
        faults=tuple(faults),
    )


def _write(directory: Path, name: str, image: RgbImage, labels: npt.NDArray[np.uint8]) -> None:
    (directory / INDEX_DIR / name).write_bytes(encode_index_png(labels))
    colored = Pillow.fromarray(labels, "P")
    colored.putpalette(voc_palette().tobytes())
    colored.save(directory / PALETTE_DIR / name)
    Pillow.fromarray(blend(image, label_overlay(labels), 0.5)).save(directory / OVERLAY_DIR / name)
