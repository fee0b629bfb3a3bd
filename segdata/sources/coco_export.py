"""The instances of all images of an export, written as a COCO JSON, with a report."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from segdata.coco.file import read_coco
from segdata.errors import Fault, FaultsError, InvalidInputError, OnError, TargetExistsError
from segdata.files.ownership import check_target_file
from segdata.files.paths import normal
from segdata.sources.finder import folded
from segdata.sources.instances import AnnotatedImage, Segmentation
from segdata.text import is_unicode, plural, quoted


@dataclass(frozen=True)
class AnnotationsReport:
    """Report of `labelme`, `yolo_seg` and `masks_to_coco`.

    Attributes:
        path: the COCO JSON, or the directory of several.
        root: folder that the image names in the JSON are relative to; `--images` of later commands.
        samples: number of images.
        samples_by_file: number of images by JSON.
        without_objects: number of images without objects.
        objects: number of objects by category, in the order of the category ids, without crowds.
        crowds: number of crowds. Faulty objects that ``on_error="skip"`` kept as crowds are among them.
        left_out: number of things that are not objects, by what they are.
        found: number of other things, by what they are.
        faults: of what was left out, or became a crowd, with ``on_error="skip"``.
        images_left_out: number of images left out with ``on_error="skip"``.
        written: false after a dry run.
    """

    path: str
    root: str
    samples: int
    samples_by_file: dict[str, int]
    without_objects: int
    objects: dict[str, int]
    crowds: int
    left_out: dict[str, int]
    found: dict[str, int]
    faults: tuple[Fault, ...]
    images_left_out: int
    written: bool


@dataclass(frozen=True)
class Collected:
    """The usable images of an export, sorted by path, with the faults of the others."""

    images: tuple[AnnotatedImage, ...]
    faults: tuple[Fault, ...]
    total: int

    def root(self) -> Path:
        """Return the nearest folder above all images."""
        return Path(os.path.commonpath([image.path.parent for image in self.images]))

    def report(
        self,
        dst_path: Path,
        root: Path,
        categories: Sequence[str],
        others: Counter[str],
        *,
        files: dict[str, int] | None = None,
        written: bool,
    ) -> AnnotationsReport:
        """Return the report of these images, written to `dst_path`; `others` are left out besides.

        `files` has the number of images by JSON, if there are several.
        """
        instances = [instance for image in self.images for instance in image.instances]
        objects = Counter(instance.category for instance in instances if not instance.crowd)
        return AnnotationsReport(
            path=str(dst_path),
            root=str(root),
            samples=len(self.images),
            samples_by_file=files or {str(dst_path): len(self.images)},
            without_objects=sum(not image.instances for image in self.images),
            objects={name: objects[name] for name in categories},
            crowds=sum(instance.crowd for instance in instances),
            left_out=dict(sorted(sum((image.left_out for image in self.images), others).items())),
            found=dict(sorted(sum((image.found for image in self.images), _alike(categories)).items())),
            faults=self.faults,
            images_left_out=self.total - len(self.images),
            written=written,
        )


def _alike(categories: Sequence[str]) -> Counter[str]:
    """Count the categories that are probably one: their names differ only by case or blanks."""
    forms: dict[str, list[str]] = {}
    for name in categories:
        forms.setdefault(" ".join(folded(name).split()), []).append(name)
    several = [names for names in forms.values() if len(names) > 1]
    alike = "categories that differ only by case or blanks"
    return Counter({f"{alike} ({', '.join(map(quoted, names))})": len(names) for names in several})


def check_target_json(path: Path, *, overwrite: bool) -> None:
    """Reject a target that must not be replaced: with `overwrite`, only a COCO JSON is.

    Raises:
        TargetExistsError: when it exists, and `overwrite` is false or it is another file.
    """
    check_target_file(path, overwrite=overwrite)
    if path.exists() and path.stat().st_size:
        try:
            read_coco(path, faults=[])
        except InvalidInputError as error:
            raise TargetExistsError(
                f"{path}: exists and is not a COCO JSON, so it is not replaced. Move it away.", replaceable=False
            ) from error


def collect(source: Path, results: Iterable[AnnotatedImage], on_error: OnError) -> Collected:
    """Return the usable images among `results`, one for each file.

    Of equal results for one file, the first counts. If they differ, the file is left out: nothing says which objects
    it shows, and those of the others would become background.

    Raises:
        FaultsError: for faults, unless skipped, and when no image is left.
    """
    found: dict[Path, AnnotatedImage] = {}
    faults: list[Fault] = []
    for result in results:
        faults += result.faults
        first = found.setdefault(result.path, result)
        if first is not result:
            what = "is annotated by several files, or is in several splits; expected one. Remove or merge the others"
            faults.append(Fault("duplicate_image", str(result.path), what))
            same = result.usable and result.instances == first.instances
            found[result.path] = replace(first, usable=first.usable and same)
    kept = {path: image for path, image in found.items() if image.usable}
    if faults and on_error == "fail":
        raise FaultsError(
            f"{source}: {plural(len(faults), 'fault')}; nothing was written. Correct the annotations, or leave "
            "them out with --on-error skip",
            faults,
        )
    if not kept:
        raise FaultsError(f"{source}: no image without faults; expected at least 1", faults)
    return Collected(tuple(kept[path] for path in sorted(kept)), tuple(faults), len(found))


def category_names(found: Iterable[AnnotatedImage]) -> tuple[str, ...]:
    """Return the names of all categories, sorted: never in the order of first appearance."""
    return tuple(sorted({instance.category for image in found for instance in image.instances}))


def encode_coco(images: Sequence[AnnotatedImage], root: Path, categories: Sequence[str], description: str) -> bytes:
    """Return a COCO instances JSON; ids count from 1, in the order of `images` and `categories`.

    Args:
        images: in the order of their ids.
        root: folder that the file names are relative to.
        categories: their names in the order of their ids.
        description: ``info.description`` of the JSON.

    Raises:
        FaultsError: when the name of an image is not Unicode, or has a backslash.
    """
    ids = {name: number for number, name in enumerate(categories, start=1)}
    names = [normal(image.path).relative_to(root).as_posix() for image in images]
    if foreign := [repr(name) for name in names if not is_unicode(name)]:
        raise FaultsError("file names are not valid Unicode. Rename these files", foreign)
    if windows := [repr(name) for name in names if "\\" in name]:
        raise FaultsError(
            "file names contain a backslash, which separates folders in a COCO JSON. Rename them", windows
        )
    annotations = [(number, item) for number, image in enumerate(images, start=1) for item in image.instances]
    members = {
        "info": {"description": description},
        "licenses": [],
        "images": [
            {"id": number, "file_name": name, "width": image.width, "height": image.height}
            for number, (name, image) in enumerate(zip(names, images, strict=True), start=1)
        ],
        "annotations": [
            {
                "id": number,
                "image_id": image_id,
                "category_id": ids[item.category],
                "segmentation": _as_json(item.segmentation),
                "area": item.area,
                "bbox": item.bbox,
                "iscrowd": int(item.crowd),
            }
            for number, (image_id, item) in enumerate(annotations, start=1)
        ],
        "categories": [{"id": number, "name": name, "supercategory": ""} for name, number in ids.items()],
    }
    return msgspec.json.encode(members) + b"\n"


def _as_json(segmentation: Segmentation) -> object:
    if isinstance(segmentation, list):
        return segmentation
    return {"size": segmentation["size"], "counts": segmentation["counts"].decode()}
