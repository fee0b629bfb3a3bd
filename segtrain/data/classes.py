"""The classes of a record set and those of a network."""

from __future__ import annotations

from segdata.errors import InvalidInputError, suggest
from segdata.records.manifest import Manifest


def class_id(name: str, names: tuple[str, ...]) -> int:
    """Return the id of the class called `name`.

    Raises:
        InvalidInputError: when there is no such class; near names are given.
    """
    if name not in names:
        raise InvalidInputError(f"no class is called {name!r}; {suggest(name, names)}")
    return names.index(name)


def check_classes(names: tuple[str, ...], manifest: Manifest) -> None:
    """Raise `InvalidInputError` when a record set has not exactly the classes `names`."""
    if len(names) != manifest.num_classes:
        raise InvalidInputError(
            f"record set {manifest.name} has {manifest.num_classes} classes, the network knows {len(names)}"
        )
    for wanted, found in zip(names, manifest.classes, strict=True):
        if wanted != found.name:
            raise InvalidInputError(
                f"class {found.id} is {found.name!r} in record set {manifest.name}, but {wanted!r} for the network"
            )
