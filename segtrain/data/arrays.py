"""Geometry and normalization of image and label, as plain functions on arrays.

An image is uint8 ``(H, W, 3)`` in RGB order, its label uint8 ``(H, W)``. The published models were fed BGR although
their backbones were trained on RGB; here everything is RGB. Labels are resampled by nearest neighbor only, so that
no value appears that was not there.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from segdata.errors import InvalidInputError
from segdata.labels.masks import count_values

RgbImage = npt.NDArray[np.uint8]
Label = npt.NDArray[np.uint8]
Pixels = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int32]


def decode_image(data: bytes) -> RgbImage:
    """Return an encoded image as RGB, as it is stored: like the label, it is not turned by an EXIF orientation.

    Raises:
        InvalidInputError: when the bytes are no image.
    """
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error as error:
        # Of no bytes at all, and of more pixels than OpenCV takes memory for.
        raise InvalidInputError(f"the image cannot be decoded: OpenCV refuses it ({error.err})") from error
    if pixels is None:
        raise InvalidInputError("the image cannot be decoded")
    image: RgbImage = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
    return image


def window(side: int, scale: float, size: int, rng: np.random.Generator) -> tuple[slice, int]:
    """Choose which pixels of a side of `side` pixels, resized by `scale`, are seen in a crop of `size`.

    A side that does not exceed the crop then is taken whole. Of a longer one so many pixels are taken as the crop
    shows, every place being equally likely.

    Returns:
        The pixels, and the size they are to be resized to: `size`, or of a whole side ``int(scale * side)`` as
        published, at least 1.
    """
    resized = max(int(scale * side), 1)
    if resized <= size:
        return slice(0, side), resized
    seen = max(round(size / scale), 1)
    start = int(rng.integers(side - seen + 1))
    return slice(start, start + seen), size


def normalize(image: RgbImage, mean: npt.ArrayLike, std: npt.ArrayLike, planes: Pixels) -> None:
    """Fill `planes` ``(3, H, W)`` with ``(image - mean) / std`` by channel, and 0 (the mean) beyond the image.

    The image ``(h, w, 3)`` stands at the top left; `mean` and `std` are on the scale 0 to 255.
    """
    height, width = image.shape[:2]
    inside = planes[:, :height, :width]
    # In place and plane by plane: several times as fast as on (h, w, 3).
    inside[:] = image.transpose(2, 0, 1)
    inside -= np.asarray(mean, np.float32)[:, None, None]
    inside /= np.asarray(std, np.float32)[:, None, None]
    planes[:, height:] = 0
    planes[:, :height, width:] = 0


def resize_long_side(image: RgbImage, target: int) -> RgbImage:
    """Resize bilinearly so that the longer side is `target`, the other in proportion (rounded down, at least 1)."""
    height, width = image.shape[:2]
    longer = max(height, width)
    size = (max(width * target // longer, 1), max(height * target // longer, 1))
    resized: RgbImage = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
    return resized


def check_label(label: Label, shape: tuple[int, ...], *, num_classes: int, ignore_label: int) -> None:
    """Check that `label` fits an image of `shape` and holds class ids and the ignore label only.

    Raises:
        InvalidInputError: naming the sizes or the first value that is neither.
    """
    if label.shape != shape[:2]:
        raise InvalidInputError(
            f"the image is {shape[1]} x {shape[0]} pixels and its label {label.shape[1]} x {label.shape[0]}: "
            "expected the same"
        )
    counts = count_values(label)
    counts[:num_classes] = counts[ignore_label] = 0
    if counts.any():
        raise InvalidInputError(
            f"the label holds {counts.nonzero()[0][0]}; expected 0 to {num_classes - 1} or {ignore_label}"
        )


def augment(
    image: RgbImage,
    label: Label,
    rng: np.random.Generator,
    pixels: Pixels,
    labels: Ids,
    *,
    min_scale: float,
    max_scale: float,
    mean: npt.ArrayLike,
    std: npt.ArrayLike,
    ignore_label: int,
) -> None:
    """Fill `pixels` and `labels` with one random training crop: scale, pad, crop, mirror with probability one half.

    The published order resizes (the image bicubically on uint8), normalizes and pads the whole image before it is
    cropped. Here what the crop will show is cut out first. It begins and ends at whole pixels of the image, so that
    the crop's scale is off by up to half of one of them; nothing else differs but the outermost pixels, for which the
    bicubic filter does not see beyond the window.

    Args:
        image: uint8 ``(H, W, 3)``.
        label: uint8 ``(H, W)``.
        rng: what is random is drawn from it.
        pixels: float32 ``(3, size, size)``, filled with the normalized crop, 0 (the mean color) beyond the image.
        labels: int32 ``(size, size)``, filled with its label, `ignore_label` beyond the image.
        min_scale: smallest factor of the random scaling.
        max_scale: largest factor.
        mean: of red, green, blue, 0 to 255.
        std: their standard deviation.
        ignore_label: label of what lies beyond the image.
    """
    scale = rng.uniform(min_scale, max_scale)
    rows, height = window(image.shape[0], scale, len(labels), rng)
    columns, width = window(image.shape[1], scale, len(labels), rng)
    if rng.random() < 0.5:
        pixels, labels = pixels[..., ::-1], labels[:, ::-1]
    seen = cv2.resize(image[rows, columns], (width, height), interpolation=cv2.INTER_CUBIC)
    normalize(seen, mean, std, pixels)
    labels[:] = ignore_label
    labels[:height, :width] = cv2.resize(label[rows, columns], (width, height), interpolation=cv2.INTER_NEAREST)
