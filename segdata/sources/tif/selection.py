"""Open the stacks to slice: resolution, axes, value range and the form of their pages."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from segdata.cluster import Workers
from segdata.errors import InvalidInputError
from segdata.images.tiff import Stack, open_stack
from segdata.images.tiff_directories import plain_layout
from segdata.images.tiff_pixels import PageForm
from segdata.images.values import Percentiles, ValueRange
from segdata.parallel import Progress
from segdata.sources.tif.axes import Planes, canonical_planes, named_layout
from segdata.sources.tif.tracks import Track, track_range
from segdata.sources.tif.values import Depth


def open_at_level(files: ExitStack, path: Path, level: int, max_page_mb: int, *, optional: bool = False) -> Stack:
    """Open a stack at a level; if that is `optional`, a stack of one resolution is opened at that.

    Raises:
        InvalidInputError: when the stack cannot be read or has no such level.
    """
    stack = files.enter_context(open_stack(path, max_page_mb=max_page_mb))
    if level and not (optional and stack.levels() == 1):
        return files.enter_context(open_stack(path, max_page_mb=max_page_mb, level=level))
    return stack


def stack_planes(stack: Stack, axes: str | None, option: str) -> Planes:
    """Return the planes of a stack along the axes that `option` names, or by its metadata.

    Raises:
        InvalidInputError: when the axes do not match the pages.
    """
    where = str(stack.path)
    if axes is None:
        return canonical_planes(where, stack.layout())
    try:
        known = stack.layout()
    except InvalidInputError:
        # The axes replace metadata that does not match the file.
        known = plain_layout(len(stack))
    return canonical_planes(where, named_layout(axes, f"{where}: {option}", known))


def label_form(masks: Stack, first: int, stack: Stack, form: PageForm, *, colors: bool) -> PageForm:
    """Return the form of the label pages; refuse pages that do not match those of the images.

    Args:
        masks: the labels.
        first: one of their pages.
        stack: the images.
        form: the form of these.
        colors: whether labels may be colors.

    Raises:
        InvalidInputError: when they have another size, several samples per pixel that are not colors, or values that
            compression may have changed.
    """
    mask_form = masks.form(first)
    if mask_form.samples != 1 and not colors:
        raise InvalidInputError(
            f"{masks.path}: {mask_form}; expected labels with one sample per pixel, or a --map of colors",
            "label_mode",
        )
    if mask_form.lossy:
        raise InvalidInputError(
            f"{masks.path}: values changed by compression (as in JPEG or WebP); expected labels without loss, such as "
            "LZW or Deflate. Export them again.",
            "label_mode",
        )
    if (mask_form.width, mask_form.height) != (form.width, form.height):
        raise InvalidInputError(
            f"{masks.path}: has pages of {mask_form.width} x {mask_form.height} pixels; "
            f"expected {form.width} x {form.height}, as in {stack.path}",
            "size_mismatch",
        )
    return mask_form


def choose_range(
    track: Track,
    chosen: Sequence[int],
    depth: Depth,
    wanted: ValueRange | Percentiles | None,
    workers: Workers,
    progress: Progress,
) -> ValueRange | None:
    """Return the value range to scale by; None keeps the samples.

    Raises:
        InvalidInputError: when the samples need a value range; names the range that they have.
    """
    if depth == "keep" or (wanted is None and track.form.image_dtype == np.uint8):
        return None
    if isinstance(wanted, ValueRange):
        return wanted
    found = track_range(track, chosen, wanted or Percentiles(), workers=workers, progress=progress)
    if wanted is None:
        low, high = f"{found.low:.10g}", f"{found.high:.10g}"
        raise InvalidInputError(
            f"{track.stack.path}: {track.form.image_dtype} samples from {low} to {high}; expected a value range to "
            f"scale them to 8 bits. Add --value_range {low}:{high}, or --value_range auto.",
            "no_value_range",
        )
    return found
