"""Scores of semantic networks as text: names, order and format, for every command that prints them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar

from segtrain.training.events import EVAL_LOSS, TITLES

_T = TypeVar("_T")

#: Name and format of each score, in the order in which they are printed.
_SCORES = {
    "miou": (TITLES["miou"], ".2%"),
    "pixel_accuracy": (TITLES["pixel_accuracy"], ".2%"),
    EVAL_LOSS: ("loss", ".4f"),
    "soft_dice": (TITLES["soft_dice"], ".2%"),
    "membrane_dice": ("membrane dice", ".2%"),
    "membrane_iou": ("membrane IoU", ".2%"),
    "membrane_pixel_error": ("pixel error", ".4f"),
    "membrane_rand": ("cells, Rand", ".4f"),
    "membrane_information": ("information", ".4f"),
}


def titled(scores: Mapping[str, _T]) -> Iterator[tuple[str, _T, str]]:
    """Yield the title, the value and the format of each of these scores, in the usual order."""
    for name, (title, form) in _SCORES.items():
        if name in scores:
            yield title, scores[name], form
