"""Classes and value range of a record set, and those that a network was trained with."""

from __future__ import annotations

from segdata.errors import InvalidInputError, suggest
from segdata.images.values import ValueRange
from segdata.records.manifest import Manifest
from segdata.records.schema import TaskName


def class_id(name: str, names: tuple[str, ...]) -> int:
    """Return the id of the class `name`.

    Raises:
        InvalidInputError: when there is no such class. The message suggests similar names.
    """
    if name not in names:
        raise InvalidInputError(f"unknown class {name!r}; {suggest(name, names)}")
    return names.index(name)


def check_task(wanted: TaskName, manifest: Manifest) -> None:
    """Raise `InvalidInputError` unless a record set to evaluate on is of the task of the training set."""
    if manifest.task != wanted:
        raise InvalidInputError(
            f"record set {manifest.name}: is for {manifest.task} segmentation; expected {wanted} segmentation, as the "
            "training set. Choose another --eval_data_file."
        )


def check_classes(names: tuple[str, ...], manifest: Manifest) -> None:
    """Raise `InvalidInputError` unless a record set has exactly the classes `names`."""
    if len(names) != manifest.num_classes:
        raise InvalidInputError(
            f"record set {manifest.name}: has {manifest.num_classes} class{'es' if manifest.num_classes != 1 else ''}; "
            f"expected {len(names)}, as in the network. Write it again with the same class names."
        )
    for wanted, found in zip(names, manifest.classes, strict=True):
        if wanted != found.name:
            raise InvalidInputError(
                f"record set {manifest.name}: class {found.id} is {found.name!r}; "
                f"expected {wanted!r}, as in the network. Write it again with the same class names."
            )


def check_labeled(manifest: Manifest) -> None:
    """Raise `InvalidInputError` if a semantic record set has no pixel of a class, so nothing to learn or to score."""
    if manifest.task == "semantic" and not any(each.pixels for each in manifest.classes):
        raise InvalidInputError(
            f"record set {manifest.name}: every pixel has the ignore label, {manifest.ignore_label}; expected pixels "
            "with a class. Check the labels with segdata check."
        )


def check_value_range(wanted: tuple[float, float] | None, manifest: Manifest) -> None:
    """Check that the images of a record set are scaled as those that a network was trained on.

    Raises:
        InvalidInputError: when the record set has another value range.
    """
    if wanted != manifest.value_range:
        raise InvalidInputError(
            f"record set {manifest.name}: has {_range_text(manifest.value_range)}; expected {_range_text(wanted)}, "
            f"as in the training set. {_rewrite(wanted)}."
        )


def _range_text(value_range: tuple[float, float] | None) -> str:
    return f"value range {ValueRange(*value_range)}" if value_range else "8-bit images without a value range"


def _rewrite(value_range: tuple[float, float] | None) -> str:
    if value_range:
        return f"Write it again with segdata to-mindrecord --value_range {ValueRange(*value_range)}"
    return "Write it again with its images scaled to 8 bits, or train on a set with a value range"
