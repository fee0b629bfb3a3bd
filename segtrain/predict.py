"""Prediction: images without labels to class ids, colours and overlays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow

from segdata.errors import FaultsError, InvalidInputError
from segdata.files import names_by_stem, staged_directory
from segdata.image_header import IMAGE_SUFFIXES
from segdata.labels.colormap import voc_palette
from segdata.labels.masks import encode_index_png
from segdata.labels.overlay import blend, label_overlay
from segdata.parallel import Progress, silent
from segtrain.config import DeviceTarget
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
    scales: tuple[float, ...] = (1.0,),
    flip: bool = False,
    crop_size: int | None = None,
    device_target: DeviceTarget = "CPU",
    overwrite: bool = False,
    progress: Progress = silent,
) -> PredictReport:
    """Segment one image, or all images of a directory, at their own size; one at a time, so that memory is one's.

    Args:
        images: an image file or a directory of them.
        ckpt_path: the checkpoint, its side file beside it.
        out: the directory to be written.
        scales: input sizes as factors of `crop_size`.
        flip: also take the mirrored image.
        crop_size: input size at scale 1; None: the training's.
        device_target: where the network runs.
        overwrite: replace an earlier result in `out`.
        progress: shows how many images are done.

    Raises:
        InvalidInputError: when there is no image, two would have the same name, or none can be read.
        TargetExistsError: when `out` is taken.
    """
    paths = _image_paths(images)
    with staged_directory(out, overwrite=overwrite, ours=(INDEX, PALETTE, OVERLAY)) as staging:
        segmenter, info = load_segmenter(
            ckpt_path, scales=scales, flip=flip, crop_size=crop_size, batch_size=1, device_target=device_target
        )
        for name in (INDEX, PALETTE, OVERLAY):
            (staging / name).mkdir()
        found: set[int] = set()
        faults: list[str] = []
        with progress(total=len(paths), label="predict") as advance:
            for path, image in _read(paths, faults):
                if image is not None:
                    (labels,) = segmenter([image])
                    _write(staging, f"{path.stem}.png", image, labels)
                    found.update(np.unique(labels).tolist())
                advance(1)
        if len(faults) == len(paths):
            raise FaultsError(f"none of {len(paths)} images can be read", faults)
    names = tuple(info.class_names[id_] for id_ in sorted(found))
    return PredictReport(directory=str(out), images=len(paths) - len(faults), classes=names, faults=tuple(faults))


def _image_paths(images: Path) -> list[Path]:
    if not images.is_dir():
        if not images.is_file():
            raise InvalidInputError(f"{images}: no such file or directory")
        return [images]
    by_stem = names_by_stem(images, IMAGE_SUFFIXES)
    if not by_stem:
        raise InvalidInputError(f"{images}: no image in it (looked for {', '.join(IMAGE_SUFFIXES)})")
    if clashes := [" and ".join(names) for names in by_stem.values() if len(names) > 1]:
        raise FaultsError(f"{images}: results of {len(clashes)} images would have the same name", clashes)
    return [images / name for names in by_stem.values() for name in names]


def _read(paths: list[Path], faults: list[str]) -> Iterator[tuple[Path, Image | None]]:
    """Yield each image, or None where a fault was noted instead."""
    for path in paths:
        try:
            yield path, decode_image(path.read_bytes())
        except InvalidInputError as error:
            faults.append(f"{path}: {error}")
            yield path, None
        except OSError as error:
            faults.append(f"{path}: {error.strerror}")
            yield path, None


def _write(directory: Path, name: str, image: Image, labels: npt.NDArray[np.uint8]) -> None:
    (directory / INDEX / name).write_bytes(encode_index_png(labels))
    coloured = Pillow.fromarray(labels, "P")
    coloured.putpalette(voc_palette().tobytes())
    coloured.save(directory / PALETTE / name)
    Pillow.fromarray(blend(image, label_overlay(labels), 0.5)).save(directory / OVERLAY / name)
