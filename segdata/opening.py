"""Open the data set at a path: a list file, a COCO JSON or a record set."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from segdata.arguments import FilePath, check_choice, local_path
from segdata.cluster import Workers
from segdata.coco.file import CrowdMeaning
from segdata.coco.hints import common_prefix
from segdata.dataset import CocoDataset, ListDataset
from segdata.errors import Fault, InvalidInputError, OptionError
from segdata.files.root import check_root
from segdata.images.values import Percentiles, ValueRange
from segdata.labels.classes import CLASS_NAMES, Classes
from segdata.mindrecord.index import index_path
from segdata.parallel import Progress, chosen_workers, silent
from segdata.recorded import ForeignDataset, RecordDataset
from segdata.records.foreign import is_foreign
from segdata.records.manifest import MANIFEST
from segdata.records.value_range import resolve_value_range
from segdata.samples import DatasetKind
from segdata.text import option_names

_log = logging.getLogger(__name__)

#: Reports of a list repeat this if its classes are not given, and no file beside it names them.
_ASSUMED = "class names: VOC's 21 are assumed. Give others with --class_names or --num_classes"


#: The cure when a URL is given for a data set, which is opened on this machine only.
REMOTE_SET = "Copy a record set with segdata.local_set."


def open_dataset(
    path: FilePath,
    *,
    data_root: FilePath | None = None,
    images: FilePath | None = None,
    classes: Classes | None = None,
    value_range: ValueRange | Percentiles | None = None,
    crowd: CrowdMeaning = "crowd",
    strip_prefix: str = "",
    image_field: str | None = None,
    label_field: str | None = None,
    faults: list[Fault] | None = None,
    workers: Workers | None = None,
    progress: Progress = silent,
) -> ListDataset | CocoDataset | RecordDataset | ForeignDataset:
    """Open the data set at `path`.

    A directory, a ``manifest.json``, a file with ``.mindrecord`` in its name or an index ``.db`` beside it is a record
    set, any other ``.json`` is a COCO JSON, and everything else is a list file.

    Args:
        path: list file, COCO JSON or record set.
        data_root: folder that the paths of a list are relative to; the list's folder by default.
        images: folder that the file names of the JSON are relative to; by default ``images`` next to the JSON's folder,
            or the JSON's own folder or ``images`` in it, if its first images are there.
        classes: classes of a list, those of VOC by default; or of a set without a manifest, whose classes are numbered
            by default.
        value_range: samples of deep images that mean black and white; percentiles are found by reading all images, but
            not in a set without a manifest. A record set with one knows its own.
        crowd: what `iscrowd` 1 means in a JSON: a region of objects that cannot be distinguished, or one ``object``, as
            CVAT writes it for each brush mask.
        strip_prefix: start of the image names in a JSON to remove.
        image_field: field of the encoded images in a set without a manifest; by default ``data``, or that of a form
            that is known by its fields.
        label_field: field of its index PNGs; by default ``label``.
        faults: if given, lines or members of the file that are not samples are left out and appended to this list
            instead of raised.
        workers: number of threads that find percentiles, by default one per CPU core, or a cluster.
        progress: reports their progress.

    Raises:
        InvalidInputError: when the data set cannot be opened, its percentiles cannot be found, or all its images are
            below another folder than the one that was named.
        OptionError: when the data set does not take a given option, or the folder of its images does not exist.
        FaultsError: when lines or members of the file are not samples.
    """
    path, data_root, images = local_path(path, REMOTE_SET), local_path(data_root), local_path(images)
    check_choice("crowd", crowd, CrowdMeaning)
    workers = chosen_workers(workers)
    kind = dataset_kind(path)
    _log.info("open %s: %s", path, kind)
    of_a_json = {"images": images, "crowd": crowd if crowd != "crowd" else None, "strip_prefix": strip_prefix or None}
    fields = {"image_field": image_field, "label_field": label_field}
    foreign = kind == "records" and is_foreign(path)
    given = {"data_root": data_root, "classes": classes, "value_range": value_range, **of_a_json, **fields}
    _check_options(path, "foreign" if foreign else kind, given)
    if foreign:
        return ForeignDataset(path, classes=classes, value_range=value_range, **fields)
    find = partial(resolve_value_range, value_range, workers=workers, progress=progress)
    if kind == "records":
        check_folder(path)
        return RecordDataset(path)
    if kind == "list":
        listed = ListDataset(path, (data_root or path.parent).absolute(), classes or Classes(), faults)
        names = [pair.image for pair in listed.pairs]
        check_root(path, listed.root, names, "--data_root")
        listed.unknown = () if classes else (_assumed(path),)
        listed.value_range = find(listed.root, names)
        return listed
    dataset = CocoDataset(path, images, faults, crowd=crowd, strip_prefix=strip_prefix)
    names = [image.file_name for image in dataset.coco.images]
    if not common_prefix(dataset.images, names):
        check_root(path, dataset.images, names, "--images")
    # Without readable names, nothing tells which folder is meant; the faults of the JSON are named then.
    if names and not dataset.images.is_dir():
        raise OptionError(f"{path}: image folder {dataset.images} does not exist. Name the folder with --images.")
    dataset.value_range = find(dataset.images, names)
    return dataset


def _assumed(path: Path) -> str:
    """Return what reports repeat if the classes of a list are not given; segdata writes their names beside it."""
    names = path.with_name(CLASS_NAMES)
    if not names.is_file():
        return _ASSUMED
    file = shlex.quote(str(names))
    return f"class names: VOC's 21 are assumed. For those beside the list, add --class_names {file}"


def dataset_kind(path: Path) -> DatasetKind:
    """Return the type of data set at `path`, judged by its name and by an index of MindRecord beside it."""
    if path.is_dir() or path.name == "manifest.json" or ".mindrecord" in path.name or index_path(path).is_file():
        return "records"
    return "coco" if path.suffix.lower() == ".json" else "list"


def check_folder(path: Path) -> None:
    """Refuse a folder without a manifest: it may contain a list file or a COCO JSON, which must be named itself.

    Raises:
        InvalidInputError: when `path` is such a folder.
    """
    if path.is_dir() and not (path / MANIFEST).exists():
        raise InvalidInputError(
            f"{path}: a folder with no record set; expected a list file, a COCO JSON or a record set. Name the file."
        )


#: What `open_dataset` can be given: a name for messages, and the options that apply.
_OPTIONS = {
    "list": ("a list file", ("data_root", "classes", "value_range")),
    "coco": ("a COCO JSON", ("images", "value_range", "crowd", "strip_prefix")),
    "records": ("a record set", ()),
    "foreign": ("a record set", ("classes", "value_range", "image_field", "label_field")),
}


def _check_options(path: Path, kind: str, given: Mapping[str, object]) -> None:
    what, used = _OPTIONS[kind]
    useless = [name for name, value in given.items() if value is not None and name not in used]
    if useless:
        raise OptionError(f"{path} is {what}, which does not take {option_names(useless)}")
