"""Perceptual hashes of an image and of parts of it, from which those of a mirrored or rotated copy follow.

Hashes propose pairs of images that may be similar; `alike` then compares their thumbnails.

A hash has the signs of low frequencies of the discrete cosine transform, as pHash has. A mirrored image has the same
frequencies with other signs, and a rotated one has them in another order, so that one hash gives those of all eight
orientations. A cropped copy has the hash of a window of its original.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from segdata.images.reading import as_picture

#: Side of the gray thumbnail that hashes are made of, in pixels.
SIDE = 80

#: Side of a window, 0.9 of the thumbnail, and its places on each axis.
_WINDOW = 72
_PLACES = (0, 3, 5, 8)

#: Hashes of an image: one of each window, and its own, the last.
HASHES = len(_PLACES) ** 2 + 1

#: Bytes of a hash, and of all that is kept of an image: its hashes and four bytes of tone.
HASH_BYTES = 5
SIGNATURE_BYTES = HASHES * HASH_BYTES + 4

#: Frequencies (down, across) of the bits: the 40 lowest that a turn maps to each other.
_FREQUENCIES = (
    *((u, v) for u in range(8) for v in range(8) if 0 < u + v <= 7),
    *((4, 4), (3, 5), (5, 3), (2, 6), (6, 2)),
)

#: Orientations of an image: whether it is transposed first, then mirrored upside down, then left to right.
ORIENTATIONS = tuple(
    (turned, down, across) for turned in (False, True) for down in (False, True) for across in (False, True)
)

#: Correlation of the thumbnails of similar images: real copies have 0.95 and more, two slices of a stack up to 0.76.
_ALIKE = 0.85

#: Sides of a copy on the thumbnail of its original, in pixels of 80: complete, or cropped by up to 15 %.
_SIDES = (80, 76, 72, 68)

#: Pixels at each edge of a copy that are left out, as room to shift it.
_EDGE = 4

#: Deviation of gray below which an image has one color, and the difference of two colors that are the same.
_FLAT = 2.0
_SAME_COLOR = 4.0

#: Amplitude below which a frequency is rounding, in gray levels summed over the thumbnail.
_NOTHING = 1e-3


def _waves() -> npt.NDArray[np.float64]:
    """Return the cosines of the windows' and of the thumbnail's frequencies along one axis, ``(5, 8, 80)``."""
    waves = np.zeros((len(_PLACES) + 1, 8, SIDE))
    for row, (start, size) in enumerate([*((place, _WINDOW) for place in _PLACES), (0, SIDE)]):
        at = np.arange(size) + 0.5
        waves[row, :, start : start + size] = np.cos(np.pi * np.arange(8)[:, None] * at / size)
    return waves


_WAVES = _waves()
_DOWN, _ACROSS = np.array(_FREQUENCIES).T


def thumbnail(image: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Return an RGB image ``(H, W, 3)`` of `read_image` as RGB ``(80, 80, 3)`` uint8, whatever its proportions."""
    import cv2

    small: npt.NDArray[np.uint8] = cv2.resize(as_picture(image), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return small


def gray(small: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return an RGB picture as gray, ``(H, W)`` uint8."""
    import cv2

    found: npt.NDArray[np.uint8] = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    return found


def signature(small: npt.NDArray[np.uint8]) -> bytes:
    """Return what is kept of a `thumbnail`, `SIGNATURE_BYTES`: the hashes of its windows, its own, and its tone.

    The tone has the mean and the deviation of gray, and the means of both differences of color.
    """
    import cv2

    level, red, blue = cv2.split(cv2.cvtColor(small, cv2.COLOR_RGB2YCrCb))
    tone = np.array([level.mean(), level.std(), red.mean(), blue.mean()])
    kept: bytes = np.rint(tone).astype(np.uint8).tobytes()
    return _hashes(level) + kept


def _hashes(level: npt.NDArray[np.uint8]) -> bytes:
    waves = _WAVES.reshape(-1, SIDE)
    amplitudes = (waves @ level @ waves.T).reshape(len(_WAVES), 8, len(_WAVES), 8)
    windows = amplitudes[:-1, :, :-1].transpose(0, 2, 1, 3).reshape(-1, 8, 8)
    every = np.concatenate([windows, amplitudes[-1, :, -1][None]])
    bits: npt.NDArray[np.uint8] = np.packbits(every[:, _DOWN, _ACROSS] > _NOTHING, axis=1)
    return bits.tobytes()


def oriented(hashes: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return the hashes ``(N, 5)`` that the images would have in each of the `ORIENTATIONS`, ``(8, N, 5)``.

    >>> small = np.random.default_rng(0).integers(0, 256, (80, 80, 3)).astype(np.uint8)
    >>> own, mirrored = (np.frombuffer(signature(picture), np.uint8) for picture in (small, small[:, ::-1]))
    >>> bool((oriented(own[None, 80:85])[1] == mirrored[80:85]).all())
    True
    """
    bits = np.unpackbits(hashes, axis=1)
    places = {frequency: place for place, frequency in enumerate(_FREQUENCIES)}
    other = [places[v, u] for u, v in _FREQUENCIES]
    found = []
    for turned, down, across in ORIENTATIONS:
        odd = (down & _DOWN & 1) ^ (across & _ACROSS & 1)
        found.append(np.packbits((bits[:, other] if turned else bits) ^ odd.astype(np.uint8), axis=1))
    return np.stack(found)


def orient(small: npt.NDArray[Any], orientation: int) -> npt.NDArray[Any]:
    """Return a gray thumbnail in one of the `ORIENTATIONS`."""
    turned, down, across = ORIENTATIONS[orientation]
    small = small.T if turned else small
    small = small[::-1] if down else small
    return small[:, ::-1] if across else small


def alike(copy: npt.NDArray[np.uint8], original: npt.NDArray[np.uint8]) -> bool:
    """Return whether a gray thumbnail ``(80, 80)`` shows the same as another, or as a part of it."""
    import cv2

    flat = [picture.std() < _FLAT for picture in (copy, original)]
    if any(flat):
        return all(flat) and abs(float(copy.mean()) - float(original.mean())) <= _SAME_COLOR
    # Fine texture that is shifted by a part of a pixel would not fit.
    smooth = cv2.blur(original, (3, 3))
    for height in _SIDES:
        for width in _SIDES:
            small = cv2.blur(cv2.resize(copy, (width, height), interpolation=cv2.INTER_AREA), (3, 3))
            inner = small[_EDGE:-_EDGE, _EDGE:-_EDGE]
            if cv2.matchTemplate(smooth, inner, cv2.TM_CCOEFF_NORMED).max() >= _ALIKE:
                return True
    return False
