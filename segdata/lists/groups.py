"""Groups of images that belong in one split: frames of a video, slices of a patient, versions of an image."""

from __future__ import annotations

import re
from collections.abc import Sequence

from segdata.errors import FaultsError, InvalidInputError

#: What Roboflow puts between the name of an image and the hash of a version of it.
_VERSION = ".rf."


def group_keys(images: Sequence[str], expression: str | None) -> list[str]:
    """Return the group of each image: what `expression` finds in its path, or without one the path itself.

    Raises:
        InvalidInputError: when the expression is not a valid regular expression, or is missing although there are
            several versions of an image.
        FaultsError: with every path in which it finds no group.
    """
    if expression is None:
        _check_versions(images)
        return list(images)
    try:
        pattern = re.compile(expression)
    except (re.error, OverflowError, RecursionError) as error:
        raise InvalidInputError(f"--group {expression!r}: is not a valid regular expression: {error}") from error
    matches = [pattern.search(image) for image in images]
    keys = [match[min(pattern.groups, 1)] if match else None for match in matches]
    groups = [key for key in keys if key is not None]
    if len(groups) < len(images):
        unmatched = [image for image, key in zip(images, keys, strict=True) if key is None]
        raise FaultsError(
            f"--group {expression!r}: finds no text in {len(unmatched)} of {len(images)} image paths; expected some in "
            "each. Change the expression so that it matches these, too",
            unmatched,
        )
    return groups


def _check_versions(images: Sequence[str]) -> None:
    """Refuse versions of one image, such as turned ones, whose draws would be independent.

    Raises:
        InvalidInputError: when there are some.
    """
    first: dict[str, str] = {}
    for image in images:
        original = image.partition(_VERSION)[0]
        other = first.setdefault(original, image)
        if other != image:
            raise InvalidInputError(
                f"{other} and {image}: are versions of one image by Roboflow; expected all of them in one split. Keep "
                rf"them together with --group '(.*?)(?:\.rf\.|$)'."
            )
