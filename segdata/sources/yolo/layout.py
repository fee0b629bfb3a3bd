"""Class names, splits and images of a YOLO data set: its YAML, or folders beside a classes.txt.

Format: the "Instance Segmentation Datasets Overview" of the Ultralytics documentation, and its
``ultralytics/data/utils.py``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from segdata.errors import FaultsError, InvalidInputError
from segdata.files.paths import normal
from segdata.images.header import IMAGE_SUFFIXES
from segdata.labels.classes import check_not_numbered
from segdata.regular import read_regular
from segdata.sources.finder import files_below
from segdata.text import check_unique, text_lines

#: Bytes of the largest YAML that is read.
_YAML_BYTES = 1 << 20

#: Names of a split in YAML files, by the name of its JSON.
SPLITS = {"train": ("train",), "val": ("val", "validation", "valid"), "test": ("test",)}

CLASSES_FILE = "classes.txt"

#: End of the names of label files.
LABEL_SUFFIX = ".txt"


@dataclass(frozen=True)
class YoloLayout:
    """The parts of a YOLO data set.

    Attributes:
        names: class names by index.
        splits: the images of each split, sorted.
    """

    names: tuple[str, ...]
    splits: dict[str, tuple[Path, ...]]


class _Yaml(msgspec.Struct, frozen=True):
    names: list[str | int] | dict[int, str | int] | None = None
    nc: int | None = None
    path: str | None = None
    train: str | list[str] | None = None
    val: str | list[str] | None = None
    validation: str | list[str] | None = None
    valid: str | list[str] | None = None
    test: str | list[str] | None = None
    kpt_shape: Any = None


def read_yolo(source: Path) -> YoloLayout:
    """Return the layout of a data set.

    Args:
        source: its YAML, or its folder: with one YAML, or with a ``classes.txt`` and either ``images`` and ``labels``
            or images with their labels beside them.

    Raises:
        InvalidInputError: when the YAML is damaged, too large or ambiguous, or defines no classes or no images.
        FaultsError: when folders of images are missing; names each.
    """
    file = _find_yaml(source) if source.is_dir() else source
    if file is None:
        images = source / "images"
        places = images if images.exists() else source
        return YoloLayout(_names_by_line(source / CLASSES_FILE), {"all": _images_in(places)})
    read = _read_yaml(file)
    if read.kpt_shape is not None:
        raise InvalidInputError(f"{file}: describes keypoints (kpt_shape); expected a data set of polygons")
    root = file.parent / (read.path or "")
    splits: dict[str, tuple[Path, ...]] = {}
    faults: list[str] = []
    for split, keys in SPLITS.items():
        value = next((value for key in keys if (value := getattr(read, key))), None)
        if value:
            splits[split] = tuple(
                _split_images(root, file.parent, split, [value] if isinstance(value, str) else value, faults)
            )
    if faults:
        raise FaultsError(f"{file}: folders or lists of images are missing. Correct them, or the member path", faults)
    if not any(splits.values()):
        raise InvalidInputError(f"{file}: names no images; expected folders of images as train, val or test")
    return YoloLayout(_names(file, read), splits)


def label_path(image: Path) -> Path:
    """Return the label file of an image: the last folder ``images`` in its path becomes ``labels``, if there is one."""
    parts = list(image.parts[:-1])
    if "images" in parts:
        last = len(parts) - 1 - parts[::-1].index("images")
        parts[last] = "labels"
    return Path(*parts, f"{image.stem}{LABEL_SUFFIX}")


def _find_yaml(folder: Path) -> Path | None:
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in (".yaml", ".yml"))
    usual = [path for path in files if path.stem in ("data", "dataset")]
    if len(files) > 1 and len(usual) != 1:
        raise InvalidInputError(
            f"{folder}: contains several YAML files ({', '.join(path.name for path in files)}). Name one of them."
        )
    if not files and not (folder / CLASSES_FILE).is_file():
        raise InvalidInputError(f"{folder}: names no classes; expected data.yaml or {CLASSES_FILE}")
    return next(iter(usual or files), None)


def _read_yaml(file: Path) -> _Yaml:
    import yaml

    try:
        found = yaml.safe_load(read_regular(file, at_most=_YAML_BYTES))
        if not isinstance(found, dict):
            raise InvalidInputError("not a YOLO data set; expected YAML with names, train and val")
        return msgspec.convert(found, _Yaml)
    except OSError as error:
        raise InvalidInputError(f"{file}: cannot be read: {error.strerror}") from error
    except msgspec.ValidationError as error:
        cure = "Quote names such as 'yes' and 'no', but not the indices"
        raise InvalidInputError(f"{file}: not a YOLO data set: {error}. {cure}.") from error
    except InvalidInputError as error:
        raise InvalidInputError(f"{file}: {error}", error.code) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        text = str(error).partition("\n")[0]
        raise InvalidInputError(f"{file}: damaged YAML: {text}") from error


def _names_by_line(file: Path) -> tuple[str, ...]:
    """Return class names whose index is the number of their line, from 0."""
    lines = text_lines(file)
    skipped = set(range(1, len(lines) + 1)) - {number for number, _ in lines}
    if skipped:
        raise InvalidInputError(
            f"{file}: line {min(skipped)} is blank or a comment; expected a class name, because YOLO's class index is "
            "the number of the line, from 0. Remove the line if it has no index, or write names into a data.yaml."
        )
    names = [name for _, name in lines]
    check_not_numbered(file, names)
    check_unique(names, f"{file}: duplicate classes")
    return tuple(names)


def _names(file: Path, read: _Yaml) -> tuple[str, ...]:
    if read.names is None and read.nc is None:
        raise InvalidInputError(f"{file}: defines no classes; expected names")
    names = read.names if read.names is not None else [f"class_{index}" for index in range(read.nc or 0)]
    by_index = names if isinstance(names, dict) else dict(enumerate(names))
    if sorted(by_index) != list(range(len(by_index))) or not by_index:
        raise InvalidInputError(f"{file}: names has the ids {sorted(by_index)}; expected 0 to {len(by_index) - 1}")
    if read.nc not in (None, len(by_index)):
        raise InvalidInputError(
            f"{file}: nc is {read.nc}, but names lists {len(by_index)} classes. Correct one of them."
        )
    ordered = [str(by_index[index]) for index in range(len(by_index))]
    check_unique(ordered, f"{file}: duplicate classes")
    return tuple(ordered)


def _split_images(root: Path, beside: Path, split: str, values: Sequence[str], faults: list[str]) -> Iterator[Path]:
    for value in values:
        place = _existing(root, beside, value)
        if place is None:
            faults.append(f"{split}: {value}: no such folder or list below {root}")
        elif place.is_dir():
            yield from _images_in(place)
        else:
            # `./` is relative to the list, other paths to the data set.
            for _, line in text_lines(place):
                yield normal((place.parent if line.startswith("./") else root) / line)


def _existing(root: Path, beside: Path, value: str) -> Path | None:
    """Return the folder or list that a YAML names.

    Exports of Roboflow say ``../train/images`` for a folder beside the YAML; `path` is often that of another machine.
    """
    inner = value.removeprefix("../")
    places = (root / value, root / inner, beside / value, beside / inner)
    return next((place for place in places if place.exists()), None)


def _images_in(folder: Path) -> tuple[Path, ...]:
    """Return the images below a folder, sorted; hidden files and folders are left out."""
    files = [normal(path) for path in files_below(folder, IMAGE_SUFFIXES)]
    if not files:
        raise InvalidInputError(f"{folder}: contains no images; expected files that end in {', '.join(IMAGE_SUFFIXES)}")
    return tuple(files)
