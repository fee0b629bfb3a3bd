"""The JSON that labelme writes for an image, and the encoded images and masks in it.

Format: ``labelme/_label_file.py`` of labelme 3 to 7. Early versions lack sizes, flags, groups and shape types; other
programs write the same format.
"""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from segdata.errors import InvalidInputError
from segdata.images.reading import read_image_header, read_samples
from segdata.regular import read_regular

#: The largest JSON that is read, in MB: an embedded image is at most a row of a record set, 256 MiB.
_MAX_JSON_MB = 512
_MAX_IMAGE_MB = 256


class ToolShape(msgspec.Struct, frozen=True):
    """One shape: its label, its points in pixels, and what kind it is."""

    label: str
    points: list[tuple[float, float]]
    shape_type: str | None = None
    group_id: int | str | None = None
    flags: dict[str, Any] | None = None
    mask: str | None = None

    @property
    def kind(self) -> str:
        """Return the type of the shape; a missing one is a polygon."""
        return self.shape_type or "polygon"


class Document(msgspec.Struct, frozen=True, rename="camel"):
    """The members of labelme's JSON; `shapes` is None in a JSON of another program."""

    shapes: list[ToolShape] | None = None
    image_path: str | None = None
    image_data: str | None = None
    image_height: int | None = None
    image_width: int | None = None
    flags: dict[str, Any] | None = None


def read_document(path: Path) -> Document:
    """Return the JSON of an image.

    Raises:
        InvalidInputError: when it cannot be read, is too large, or is damaged.
    """
    try:
        data = read_regular(path, at_most=_MAX_JSON_MB << 20)
    except OSError as error:
        raise InvalidInputError(f"cannot be read: {error.strerror}", "unreadable") from error
    try:
        return msgspec.json.decode(data.removeprefix(b"\xef\xbb\xbf"), type=Document)
    except msgspec.ValidationError as error:
        if not data.lstrip().startswith(b"{") or b'"shapes"' not in data:
            return Document()
        raise InvalidInputError(f"not a labelme file: {error}", "broken_member") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInputError(f"damaged JSON: {error}", "broken_member") from error


def embedded_image(document: Document) -> bytes:
    """Return the encoded image in a JSON.

    Raises:
        InvalidInputError: when it is too large, or not base64.
    """
    return _decode("imageData", document.image_data or "")


def annotated_size(document: Document) -> tuple[int | None, int | None]:
    """Return height and width of the image that was annotated; None where the JSON does not tell.

    Files of labelme 3 tell it only by the image in them.
    """
    stated = document.image_height, document.image_width
    if None not in stated or not document.image_data:
        return stated
    try:
        return read_image_header(embedded_image(document)).shape
    except InvalidInputError:
        return stated


def embedded_mask(shape: ToolShape) -> npt.NDArray[np.bool_]:
    """Return the mask of a shape, ``(H, W)`` of its box.

    Raises:
        InvalidInputError: when there is no mask, or it is damaged, not gray, or of another size than the box.
    """
    if not shape.mask:
        raise InvalidInputError("contains no mask; expected a PNG", "no_segmentation")
    if len(shape.points) != 2:
        raise InvalidInputError(f"has {len(shape.points)} points; expected the 2 corners of its mask", "bad_box")
    data = _decode("mask", shape.mask)
    header = read_image_header(data)
    # The box contains its last row and column. Fractional corners may round apart.
    (x0, y0), (x1, y1) = np.round(shape.points)
    width, height = x1 - x0 + 1, y1 - y0 + 1
    if abs(header.width - width) > 1 or abs(header.height - height) > 1:
        raise InvalidInputError(
            f"contains a mask of {header.size} pixels; expected {width:g} x {height:g} as its box", "size_mismatch"
        )
    samples = read_samples(data)
    if samples.ndim != 2:
        raise InvalidInputError("contains a mask in color; expected gray", "label_mode")
    return samples > 0


def _decode(member: str, text: str) -> bytes:
    if len(text) // 4 * 3 > _MAX_IMAGE_MB << 20:
        raise InvalidInputError(
            f"{member} contains {len(text) / 4 * 3 / 2**20:,.0f} MB; expected at most {_MAX_IMAGE_MB} MB", "too_large"
        )
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidInputError(f"{member} is damaged: {error}", "unreadable") from error
