"""Images that are stored rotated (EXIF orientation), saved upright; labels and annotations rotated with them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from segdata.coco.rle import decode_rle, to_rle
from segdata.encoded import File
from segdata.errors import Fault, InvalidInputError
from segdata.images.header import ImageHeader, open_pillow
from segdata.images.reading import read_image_header, read_samples
from segdata.inspect.fix.annotations import finite_numbers
from segdata.inspect.fix.document import CocoDraft
from segdata.inspect.fix.files import NewFiles
from segdata.inspect.fix.lines import ListDraft
from segdata.labels.masks import decode_index_png, encode_index_png

#: Whether labels and annotations are rotated with their image, as they were drawn on the stored pixels, or are kept.
Upright: TypeAlias = Literal["turn", "keep"]

#: Quality of a JPEG that is rotated: no library of segdata rotates one without decoding it. Other formats lose nothing.
JPEG_QUALITY = 95

#: Options of Pillow that keep pixels; JPEG has none.
_SAVE: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": JPEG_QUALITY, "subsampling": 0},
    "WEBP": {"lossless": True, "exact": True},
}


def turned(pixels: npt.NDArray[Any], orientation: int) -> npt.NDArray[Any]:
    """Return pixels ``(H, W, …)`` upright, by their EXIF orientation (EXIF 2.32, tag 0x0112)."""
    if orientation >= 5:
        pixels = np.swapaxes(pixels, 0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels[::-1] if orientation in (3, 4, 7, 8) else pixels


def turned_points(points: Sequence[float], orientation: int, height: int, width: int) -> list[float]:
    """Return points ``[x0, y0, x1, y1, …]`` in a stored image of `height` x `width` pixels as they are when upright."""
    x, y = np.reshape(np.array(points, float), (-1, 2)).T
    if orientation >= 5:
        x, y, height, width = y, x, width, height
    if orientation in (2, 3, 6, 7):
        x = width - x
    if orientation in (3, 4, 7, 8):
        y = height - y
    found: list[float] = np.stack([x, y], axis=1).ravel().tolist()
    return found


def upright_image(data: bytes) -> bytes:
    """Return an encoded image with upright pixels and orientation 1, in the same format.

    JPEG is encoded again with `JPEG_QUALITY`; the pixels of other formats do not change.

    Raises:
        InvalidInputError: when it cannot be decoded or encoded, or other pixels would be saved: Pillow reads color PNGs
            of 16 bits with 8.
    """
    from PIL import ImageOps

    target = io.BytesIO()
    try:
        with open_pillow(data) as image:
            form = (image.format or "").replace("MPO", "JPEG")
            upright = ImageOps.exif_transpose(image)
            kept = {name: upright.info[name] for name in ("exif", "icc_profile") if upright.info.get(name)}
            upright.save(target, form, **kept, **_SAVE.get(form, {}))
    except Exception as error:
        # Decoders may raise any exception on damaged data.
        raise InvalidInputError(f"cannot be rotated: {error}", "unreadable") from error
    saved = target.getvalue()
    if form != "JPEG":
        before, after = turned(read_samples(data), read_image_header(data).orientation), read_samples(saved)
        if before.dtype != after.dtype or not np.array_equal(before, after):
            raise InvalidInputError(
                f"cannot be rotated: as {form}, its pixels would change. Save it upright in another program.",
                "unsupported_image",
            )
    return saved


def turned_annotation(annotation: dict[str, Any], orientation: int, height: int, width: int) -> dict[str, Any]:
    """Return mask, box and key points of an annotation of a stored image of `height` x `width` pixels when upright.

    A box that is not four numbers stays: it has a cure of its own.

    Raises:
        InvalidInputError: when the mask or the key points cannot be used.
    """
    from pycocotools import mask

    rle = to_rle(annotation.get("segmentation"), height, width)
    segmentation = annotation["segmentation"]
    if isinstance(segmentation, list):
        values: dict[str, Any] = {
            "segmentation": [turned_points(part, orientation, height, width) for part in segmentation]
        }
    else:
        made = mask.encode(np.asfortranarray(turned(decode_rle(rle), orientation)))
        values = {"segmentation": {"size": list(made["size"]), "counts": made["counts"].decode()}}
    if box := finite_numbers(annotation.get("bbox"), 4):
        x, y, w, h = box
        xs, ys = np.reshape(turned_points([x, y, x + w, y + h], orientation, height, width), (2, 2)).T.tolist()
        values["bbox"] = [min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)]
    if annotation.get("keypoints"):
        values["keypoints"] = _turned_keypoints(annotation["keypoints"], orientation, height, width)
    return values


def _turned_keypoints(keypoints: object, orientation: int, height: int, width: int) -> list[float]:
    """Return COCO's key points ``[x0, y0, v0, …]`` when upright; those with v = 0 have no place, and stay."""
    numbers = finite_numbers(keypoints)
    if numbers is None or len(numbers) % 3:
        raise InvalidInputError("has keypoints that are not groups of three numbers", "broken_member")
    found: list[float] = []
    for x, y, v in np.reshape(numbers, (-1, 3)).tolist():
        found += [*(turned_points([x, y], orientation, height, width) if v else (x, y)), int(v)]
    return found


@dataclass(frozen=True)
class UprightCures:
    """Cures that save images upright.

    Attributes:
        files: takes the new images and labels.
        upright: what to do with labels and annotations where their size does not tell.
    """

    files: NewFiles
    upright: Upright

    def _turns(self, header: ImageHeader, shape: tuple[Any, Any]) -> bool | None:
        """Return whether what is drawn at this size is rotated with the image; None if it fits neither way."""
        if None in shape:
            return self.upright == "turn"
        if header.orientation >= 5 and header.height != header.width:
            return {header.shape: True, header.shape[::-1]: False}.get(shape)
        return self.upright == "turn" if shape == header.shape else None

    def in_list(self, draft: ListDraft, faults: Sequence[Fault]) -> None:
        """Save the images of samples upright, and rotate the labels that fit the stored pixels."""
        for row in dict.fromkeys(row for fault in faults for row in draft.rows(fault.where)):
            pair = draft.pairs[row]
            try:
                header = read_image_header(File(self.files.root, pair.image).find())
                label = decode_index_png(self.files.read(pair.label))
                turns = self._turns(header, (label.shape[0], label.shape[1]))
                image = upright_image(self.files.read(pair.image))
            except InvalidInputError:
                continue
            if turns is None or len(draft.rows(pair.label)) > 1:
                continue
            if turns:
                self.files.write(pair.label, encode_index_png(turned(label, header.orientation)))
            self.files.write(pair.image, image)
            draft.changed = True

    def in_coco(self, draft: CocoDraft, faults: Sequence[Fault]) -> None:
        """Save images upright, and rotate the annotations that fit the stored pixels."""
        for row in [row for fault in faults for row in draft.image_rows(fault.where)]:
            image, header = draft.get("images", row), draft.header(name := draft.name(row))
            stated = image.get("height"), image.get("width")
            turns = self._turns(header, stated) if header else None
            if header is None or turns is None:
                continue
            rows = draft.annotations_of(image["id"]) if turns else []
            try:
                values = [
                    turned_annotation(draft.get("annotations", at), header.orientation, *header.shape) for at in rows
                ]
                data = upright_image(self.files.read(name))
            except InvalidInputError:
                continue
            for at, changes in zip(rows, values, strict=True):
                draft.set("annotations", at, changes)
            height, width = turned(np.empty(header.shape, bool), header.orientation).shape
            draft.set("images", row, {"height": height, "width": width} if turns else {})
            self.files.write(name, data)
            draft.changed = True
