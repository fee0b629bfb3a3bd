"""Results for single images: written completely or not at all, so that one image does not cost the others theirs."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import cv2
from PIL import Image as Pillow

from segtrain.data.arrays import RgbImage


@contextmanager
def named_failures(faults: list[str], where: str, image: RgbImage) -> Iterator[None]:
    """Add a fault of the image `where` if memory is not enough for it, or OpenCV cannot represent its size."""
    try:
        yield
    except (MemoryError, cv2.error) as error:
        height, width = image.shape[:2]
        reason = getattr(error, "err", "") or str(error) or "not enough memory"
        what = f"{width} x {height} pixels are too many here: {reason.rstrip('.')}. Cut the image into parts."
        faults.append(f"{where}: {what}")


def write_pictures(directory: Path, name: str, pictures: Mapping[str, Pillow.Image | bytes]) -> None:
    """Write ``KIND/NAME.png`` to `directory` for each picture, once all of them are encoded."""
    encoded = {kind: picture if isinstance(picture, bytes) else _png(picture) for kind, picture in pictures.items()}
    for kind, data in encoded.items():
        path = directory / kind / f"{name}.png"
        # Images of a subfolder have its name in theirs.
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _png(picture: Pillow.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()
