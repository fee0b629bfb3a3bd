"""Prediction: images without labels to class ids, colours and overlays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow

from segdata.errors import FaultsError, InvalidInputError
from segdata.files import staged_directory
from segdata.labels.colormap import voc_palette
from segdata.labels.masks import encode_index_png
from segdata.labels.overlay import blend, label_overlay
from segdata.parallel import Progress, silent
from segtrain.config import DeviceTarget
from segtrain.data.images import image_paths
from segtrain.data.transforms import Image, decode_image
from segtrain.inference import load_segmenter

#: Sub-directories of the result; each holds one ``STEM.png`` for each image.
INDEX, PALETTE, OVERLAY = "index", "palette", "overlay"


@dataclass(frozen=True, kw_only=True)
class PredictReport:
    """What `predict` wrote.

    Attributes:
        directory: holds ``index`` (class ids), ``palette`` (the same in VOC's colours) and ``overlay``.
        images: how many images were segmented.
        classes: the names of the classes that were found, by id.
        faults: one sentence for each image that could not be read.
    """

    directory: str
    images: int
    classes: tuple[str, ...]
    faults: tuple[str, ...]


def predict(
    images: Path,
    ckpt_path: Path,
    out: Path,
    *,
    data_root: Path | None = None,
    scales: tuple[float, ...] = (1.0,),
    flip: bool = False,
    crop_size: int | None = None,
    device_target: DeviceTarget = "CPU",
    overwrite: bool = False,
    progress: Progress = silent,
) -> PredictReport:
    """Segment images, each at its own size; one at a time, so that memory is one's.

    Args:
        images: an image, a directory of images, or an image list (see `image_paths`).
        ckpt_path: the checkpoint, its side file beside it.
        out: the directory to be written.
        data_root: what the paths of an image list are relative to; the list's folder by default.
        scales: input sizes as factors of `crop_size`.
        flip: also take the mirrored image.
        crop_size: input size at scale 1; None: the training's.
        device_target: where the network runs.
        overwrite: replace an earlier result in `out`.
        progress: shows how many images are done.

    Raises:
        InvalidInputError: when there is no image, two results would have the same name, or none can be read.
        TargetExistsError: when `out` is taken.
    """
    paths = image_paths(images, data_root)
    with staged_directory(out, overwrite=overwrite, ours=(INDEX, PALETTE, OVERLAY)) as staging:
        segmenter, info = load_segmenter(
            ckpt_path, scales=scales, flip=flip, crop_size=crop_size, batch_size=1, device_target=device_target
        )
        for kind in (INDEX, PALETTE, OVERLAY):
            (staging / kind).mkdir()
        found: set[int] = set()
        faults: list[str] = []
        with progress(total=len(paths), label="predict") as advance:
            for name, image in _read(paths, faults):
                if image is not None:
                    (labels,) = segmenter([image])
                    _write(staging, f"{name}.png", image, labels)
                    found.update(np.unique(labels).tolist())
                advance(1)
        if len(faults) == len(paths):
            raise FaultsError(f"none of {len(paths)} images can be read", faults)
    names = tuple(info.class_names[id_] for id_ in sorted(found))
    return PredictReport(directory=str(out), images=len(paths) - len(faults), classes=names, faults=tuple(faults))


def _read(paths: Mapping[str, Path], faults: list[str]) -> Iterator[tuple[str, Image | None]]:
    """Yield name and pixels of each image, or None where a fault was noted instead."""
    for name, path in paths.items():
        try:
            yield name, decode_image(path.read_bytes())
        except InvalidInputError as error:
            faults.append(f"{path}: {error}")
            yield name, None
        except OSError as error:
            faults.append(f"{path}: {error.strerror}")
            yield name, None


def _write(directory: Path, name: str, image: Image, labels: npt.NDArray[np.uint8]) -> None:
    (directory / INDEX / name).write_bytes(encode_index_png(labels))
    coloured = Pillow.fromarray(labels, "P")
    coloured.putpalette(voc_palette().tobytes())
    coloured.save(directory / PALETTE / name)
    Pillow.fromarray(blend(image, label_overlay(labels), 0.5)).save(directory / OVERLAY / name)
