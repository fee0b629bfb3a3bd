"""Convert a YOLO segmentation data set to COCO JSONs, one for each split."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

from segdata.arguments import FilePath, check_choice, local_path
from segdata.errors import Fault, FaultsError, InvalidInputError, OnError, collecting
from segdata.files.ownership import check_inputs_outside, check_target_directory
from segdata.files.publishing import staged_directory
from segdata.parallel import Progress, chosen_workers, progress_map, silent
from segdata.sources.coco_export import AnnotationsReport, collect, encode_coco
from segdata.sources.finder import folded
from segdata.sources.instances import AnnotatedImage, read_upright
from segdata.sources.yolo.labels import read_objects
from segdata.sources.yolo.layout import CLASSES_FILE, LABEL_SUFFIX, label_path, read_yolo
from segdata.text import plural


def yolo_seg(
    src_path: FilePath,
    dst_path: FilePath,
    *,
    on_error: OnError = "fail",
    workers: int | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
    progress: Progress = silent,
) -> AnnotationsReport:
    """Write ``instances_train.json``, ``instances_val.json`` and ``instances_test.json`` of a YOLO data set.

    The label file of an image is in the folder ``labels`` in the place of ``images``. An image without one has no
    objects. Category ids are YOLO's class indices plus 1. Repeated lines are left out and counted.

    Args:
        src_path: the YAML of the data set, or its folder. A folder may have a ``classes.txt`` instead of a YAML; its
            only JSON is ``instances_all.json``.
        dst_path: directory to write.
        on_error: ``fail`` stops at faults; with ``skip``, the box of a faulty line becomes a crowd of its class, and an
            image with any other fault is left out. A line with only a box is a fault.
        workers: number of threads; all processors by default.
        overwrite: replace the files of an earlier run.
        dry_run: check everything, but write nothing.
        progress: reports progress.

    Raises:
        InvalidInputError: when the YAML is not valid, or no image of a split has a label file.
        FaultsError: when there are faults, unless skipped, no image is left, or splits share files through links.
        TargetExistsError: when `dst_path` already exists.
    """
    src_path, dst_path = local_path(src_path), local_path(dst_path)
    check_choice("on_error", on_error, OnError)
    workers = chosen_workers(workers)
    check_inputs_outside(dst_path, src_path)
    check_target_directory(dst_path, overwrite=overwrite)
    layout = read_yolo(src_path)
    every = [image for images in layout.splits.values() for image in images]
    labels = {label_path(image) for image in every}
    _check_labels(src_path, layout.splits)
    _check_links(src_path, layout.splits)
    unpaired = _label_files({label.parent for label in labels}) - labels
    results = progress_map(
        partial(_read_image, layout.names, {folded(str(path)): path.name for path in unpaired}),
        every,
        total=len(every),
        label="labels",
        progress=progress,
        workers=workers,
    )
    found = collect(src_path, results, on_error)
    root = found.root()
    split_of = {image: split for split, images in reversed(layout.splits.items()) for image in images}
    data: dict[str, bytes] = {}
    files: dict[str, int] = {}
    for split in layout.splits:
        images = [image for image in found.images if split_of[image.path] == split]
        data[f"instances_{split}.json"] = encode_coco(images, root, layout.names, "YOLO")
        files[str(dst_path / f"instances_{split}.json")] = len(images)
    if not dry_run:
        with staged_directory(dst_path, overwrite=overwrite) as staging:
            for name, content in data.items():
                (staging / name).write_bytes(content)
    others = Counter({"label files without an image": len(unpaired)})
    return found.report(dst_path, root, layout.names, others, files=files, written=not dry_run)


def _check_labels(source: Path, splits: Mapping[str, Sequence[Path]]) -> None:
    """Refuse splits without any image, or any label file: all of their images would be taken for background.

    Raises:
        InvalidInputError: when there is one.
    """
    for split, images in splits.items():
        if not images or any(label_path(image).is_file() for image in images):
            continue
        where = f"{source}: {split}" if len(splits) > 1 else str(source)
        if not any(image.exists() for image in images):
            raise InvalidInputError(
                f"{where}: none of its {plural(len(images), 'image')} exists, such as {images[0]}; expected paths of "
                "images. Correct the lists of images.",
                "missing_image",
            )
        rest = ", or leave this split out of the YAML" if len(splits) > 1 else ""
        raise InvalidInputError(
            f"{where}: no image has a label file, such as {label_path(images[0])}; expected labels beside images. Move "
            f"them there{rest}. If the images show no objects, add one empty label file.",
            "missing_label",
        )


def _check_links(source: Path, splits: Mapping[str, Sequence[Path]]) -> None:
    """Refuse images that are in several splits under different names, because files or folders are links.

    Raises:
        FaultsError: when there are some; names each.
    """
    first: dict[tuple[int, int], tuple[str, Path]] = {}
    faults: list[Fault] = []
    for split, images in splits.items():
        for image in filter(Path.exists, images):
            status = image.stat()
            earlier, path = first.setdefault((status.st_dev, status.st_ino), (split, image))
            if earlier != split and path != image:
                faults.append(
                    Fault("same_file", str(image), f"is the same file as {path} in {earlier}, through a link")
                )
    if faults:
        raise FaultsError(f"{source}: splits share images. Leave these images out of one of the splits", faults)


def _label_files(folders: Iterable[Path]) -> set[Path]:
    every = (path for folder in folders for path in folder.glob("*"))
    return {path for path in every if path.suffix.lower() == LABEL_SUFFIX and path.name != CLASSES_FILE}


def _read_image(names: Sequence[str], unpaired: Mapping[str, str], path: Path) -> AnnotatedImage:
    """Return the objects and faults of an image; `unpaired` are label files without an image, by folded path."""
    faults: list[Fault] = []
    with collecting(faults, str(path)):
        header = read_upright(path)
        image = AnnotatedImage(path, *header.shape)
        label = label_path(path)
        # A link that leads nowhere, or a FIFO, is a fault and not an image without objects.
        if os.path.lexists(label):
            return read_objects(image, label, names)
        if near := unpaired.get(folded(str(label))):
            raise InvalidInputError(
                f"has no label file {label.name}, but there is {near}; expected the same name. Rename the file.",
                "missing_label",
            )
        image.found["images without a label file"] += 1
        return image
    return AnnotatedImage(path, faults=tuple(faults), usable=False)
