"""Prediction of class ids, colored masks and overlays for images without labels."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image as Pillow
from tifffile import TiffWriter

from segdata.arguments import FilePath, check_choice, local_path
from segdata.draw.lettering import without_font
from segdata.draw.overlay import blend, label_overlay
from segdata.errors import FaultsError, OptionError
from segdata.files.ownership import check_inputs_outside
from segdata.files.publishing import staged_directory
from segdata.images.reading import as_picture
from segdata.labels.colormap import voc_palette
from segdata.labels.masks import count_values, encode_index_png
from segdata.parallel import Progress, silent
from segtrain.config.config import DeviceTarget
from segtrain.data.arrays import Label, RgbImage
from segtrain.data.classes import class_id
from segtrain.data.images import TIFF_SUFFIXES, Page, Source, image_paths, is_stack, read_images, shown
from segtrain.inference.results import named_failures, write_pictures
from segtrain.inference.semantic.legend import draw_legend
from segtrain.inference.semantic.segmenter import load_segmenter
from segtrain.inference.semantic.strips import class_map, kept
from segtrain.inference.semantic.tiff_results import write_labels, write_labels_file
from segtrain.inference.settings import AS_IN_TRAINING, EvalSettings

#: Subdirectories of the result; each holds one ``STEM.png`` per image.
RESULT_INDEX, RESULT_PALETTE, RESULT_OVERLAY = "index", "palette", "overlay"

#: Subdirectories of results that are not always there: class ids of TIFFs as TIFF, probabilities as NumPy arrays.
RESULT_TIFF, RESULT_PROBABILITIES = "tif", "probabilities"

#: Files with the class names by id, one per line, and with their colors.
RESULT_CLASSES, RESULT_LEGEND = "classes.txt", "legend.png"

#: Class ids of all pages of a multi-page TIFF, as a multi-page TIFF.
STACK = "index.tif"


@dataclass(frozen=True, kw_only=True)
class PredictReport:
    """Result of `predict_semantic`.

    Attributes:
        task: of the network.
        path: directory with ``index`` (class ids), ``palette`` (the same in VOC's colors) and ``overlay``;
            ``classes.txt`` has the class names by id, ``legend.png`` their colors. For a single multi-page TIFF also
            ``index.tif``, the class ids of all pages, unless a page failed; for other TIFFs ``tif``, their class ids as
            TIFF. These have the resolution and GeoTIFF tags of their images.
        loaded: number of parameters loaded from the checkpoint, always all of them.
        images: number of segmented images.
        class_names: names of the classes that were found, by id.
        problems: one sentence for each image that could not be read or is too large.
        without_font: names of classes that no font here can draw; the legend has their ids.
    """

    task: Literal["semantic"] = "semantic"
    path: str
    loaded: int
    images: int
    class_names: tuple[str, ...]
    problems: tuple[str, ...]
    without_font: tuple[str, ...] = ()


def predict_semantic(
    images: Path,
    ckpt_path: Path,
    out: Path,
    settings: EvalSettings = AS_IN_TRAINING,
    *,
    data_root: FilePath | None = None,
    recursive: bool = False,
    thresholds: Mapping[str, float] | None = None,
    probabilities: bool = False,
    device_target: DeviceTarget = "CPU",
    overwrite: bool = False,
    progress: Progress = silent,
) -> PredictReport:
    """Segment images at their original sizes, one at a time, so that memory does not grow with their number.

    Args:
        images: image or multi-page TIFF, directory of images, image list, record set or COCO JSON (see `image_paths`).
        ckpt_path: checkpoint, with its side file next to it.
        out: directory to write.
        settings: input size, scales, test-time augmentation, way of fitting.
        data_root: directory that the paths of an image list are relative to; the list's directory by default.
        recursive: also find the images in subfolders; results are in folders of the same names.
        thresholds: probability, 0 to 1, by class name, from which on a pixel has this class; see
            `segtrain.inference.semantic.strips.chosen`. Without thresholds, each pixel has its likeliest class.
        probabilities: also write ``probabilities/NAME.npy``, float16 ``(K, H, W)``.
        device_target: device to run the network on.
        overwrite: replace an earlier result in `out`.
        progress: reports the number of finished images.

    Raises:
        InvalidInputError: when there are no images, two results would have the same name, all images fail, or the
            network has no class of a threshold.
        OptionError: when a setting has no effect on this network, or is out of range for it.
        TargetExistsError: when `out` already exists.
    """
    data_root = local_path(data_root)
    check_choice("device_target", device_target, DeviceTarget)
    _check_thresholds(thresholds or {})
    paths = image_paths(images, data_root, recursive=recursive)
    check_inputs_outside(out, images, ckpt_path)
    with staged_directory(out, overwrite=overwrite) as staging:
        one = replace(settings, batch_size=settings.batch_size or 1)
        segmenter, info, loaded = load_segmenter(ckpt_path, one, device_target)
        by_id = {class_id(name, info.class_names): share for name, share in (thresholds or {}).items()}
        _describe(staging, info.class_names)
        found = np.zeros(256, bool)
        faults: list[str] = []
        with ExitStack() as files, progress(total=len(paths), label="predict") as advance:
            stack = files.enter_context(TiffWriter(staging / STACK)) if is_stack(paths) else None
            for name, image in read_images(paths, faults, info.image_range):
                if image is not None:
                    with named_failures(faults, shown(name, paths[name]), image):
                        (strips,) = segmenter.strips([image])
                        if probabilities:
                            strips = kept(strips, staging / RESULT_PROBABILITIES / f"{name}.npy", image.shape)
                        labels = class_map(strips, by_id)
                        write_pictures(staging, name, _pictures(image, labels))
                        found |= count_values(labels) > 0
                        _write_tiff(staging, name, labels, paths[name], stack)
                advance(1)
        if stack and faults:
            # Its pages would not match those of the input.
            (staging / STACK).unlink()
        if len(faults) == len(paths):
            raise FaultsError(f"no image can be segmented ({len(paths)} tried)", faults)
    return PredictReport(
        path=str(out),
        loaded=len(loaded.loaded),
        images=len(paths) - len(faults),
        class_names=tuple(info.class_names[id_] for id_ in np.flatnonzero(found)),
        problems=tuple(faults),
        without_font=without_font(info.class_names),
    )


def _check_thresholds(thresholds: Mapping[str, float]) -> None:
    for name, share in thresholds.items():
        if not 0 <= share <= 1:
            raise OptionError(f"threshold of {name} = {share:g}: expected a probability, 0 to 1")


def _describe(staging: Path, names: tuple[str, ...]) -> None:
    """Write the class names and the legend."""
    (staging / RESULT_CLASSES).write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
    draw_legend(names).save(staging / RESULT_LEGEND)


def _write_tiff(staging: Path, name: str, labels: Label, source: Source, stack: TiffWriter | None) -> None:
    """Write the class ids of an image that is a TIFF as TIFF, too."""
    if stack and isinstance(source, Page):
        write_labels(stack, labels, source)
    elif isinstance(source, Path) and source.suffix.lower() in TIFF_SUFFIXES:
        path = staging / RESULT_TIFF / f"{name}.tif"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_labels_file(path, labels, source)


def _pictures(image: RgbImage, labels: Label) -> dict[str, Pillow.Image | bytes]:
    colored = Pillow.fromarray(labels, "P")
    colored.putpalette(voc_palette().tobytes())
    overlay = Pillow.fromarray(blend(as_picture(image), label_overlay(labels), 0.5))
    return {RESULT_INDEX: encode_index_png(labels), RESULT_PALETTE: colored, RESULT_OVERLAY: overlay}
