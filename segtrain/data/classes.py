"""The classes of a record set and those of a network."""

from __future__ import annotations

from segdata.errors import InvalidInputError
from segdata.records.manifest import Manifest


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
