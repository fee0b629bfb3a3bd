"""Classes of a record set and of a network."""

from __future__ import annotations

from segdata.errors import InvalidInputError, suggest
from segdata.records.manifest import Manifest


def class_id(name: str, names: tuple[str, ...]) -> int:
    """Return the id of the class `name`.

    Raises:
        InvalidInputError: when there is no such class. The message suggests similar names.
    """
    if name not in names:
        raise InvalidInputError(f"unknown class {name!r}; {suggest(name, names)}")
    return names.index(name)


def check_classes(names: tuple[str, ...], manifest: Manifest) -> None:
    """Raise `InvalidInputError` unless a record set has exactly the classes `names`."""
    if len(names) != manifest.num_classes:
        raise InvalidInputError(
            f"record set {manifest.name}: has {manifest.num_classes} class{'es' if manifest.num_classes != 1 else ''}; "
            f"expected {len(names)}, as in the network"
        )
    for wanted, found in zip(names, manifest.classes, strict=True):
        if wanted != found.name:
            raise InvalidInputError(
                f"record set {manifest.name}: class {found.id} is {found.name!r}; "
                f"expected {wanted!r}, as in the network"
            )
