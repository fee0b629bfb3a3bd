"""Judge the quality of an image: dark, bright, without contrast, blurred, or much longer than wide."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from segdata.errors import Fault
from segdata.images.reading import as_picture

#: An image is dark if 99 of 100 pixels are below this gray level, bright if 95 of 100 are above that one.
DARK = 80
BRIGHT = 240

#: Gray levels between the 1st and the 99th percentile, below which an image has little contrast.
CONTRAST = 25

#: An image is blurred if the variance of its Laplacian is below this part of the variance of its gray levels.
SHARPNESS = 0.01

#: Longer side of the image that blur is measured on, in pixels: noise of larger ones would count as sharp.
_LONGER_SIDE = 512

#: The longer side of an image is at most this many times the shorter.
ASPECT = 3.0


def quality_faults(name: str, image: npt.NDArray[Any]) -> Iterator[Fault]:
    """Yield what is unusual about an image.

    An image without contrast has no edges, so only one of dark, bright, low contrast and blurry is reported.

    Args:
        name: name of the image.
        image: RGB ``(H, W, 3)``, values 0 to 255; see `read_image`.

    >>> [fault.code for fault in quality_faults("night.jpg", np.full((40, 200, 3), 9, np.uint8))]
    ['odd_aspect', 'dark']
    """
    height, width = image.shape[:2]
    longer, shorter = max(height, width), min(height, width)
    if longer > ASPECT * shorter:
        yield Fault("odd_aspect", name, f"{width} x {height}; one side is {longer / shorter:.1f} times the other")
    gray = _gray(image)
    first, fifth, last = np.percentile(gray, [1, 5, 99])
    if last < DARK:
        yield Fault("dark", name, f"99 % of the pixels are darker than {last:.0f} of 255")
    elif fifth > BRIGHT:
        yield Fault("bright", name, f"95 % of the pixels are brighter than {fifth:.0f} of 255")
    elif last - first < CONTRAST:
        yield Fault("low_contrast", name, f"98 % of the pixels are between {first:.0f} and {last:.0f} of 255")
    elif (sharpness := _sharpness(gray)) < SHARPNESS:
        yield Fault("blurry", name, f"sharpness {sharpness:.4f}; expected {SHARPNESS:g} or more")


def _gray(image: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Return the gray levels of an image, its longer side at most `_LONGER_SIDE`."""
    import cv2

    scale = _LONGER_SIDE / max(image.shape[:2])
    picture = as_picture(image)
    if scale < 1:
        height, width = (max(1, round(size * scale)) for size in image.shape[:2])
        picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    found: npt.NDArray[np.uint8] = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    return found


def _sharpness(gray: npt.NDArray[np.uint8]) -> float:
    import cv2

    return float(cv2.Laplacian(gray, cv2.CV_32F).var() / max(float(gray.var()), 1.0))
