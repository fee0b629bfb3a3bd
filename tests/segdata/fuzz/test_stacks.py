"""TIFF stacks with damaged directories: pages of the form that the file says, or an error message."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import tifffile
from damaged_files import damaged
from hypothesis import given, settings, strategies as st

from segdata.errors import InvalidInputError
from segdata.images.reading import read_image, read_image_header
from segdata.images.tiff import open_stack

PAGES = np.random.default_rng(0).integers(0, 256, (3, 12, 16)).astype(np.uint8)


def stack(pages: np.ndarray, **options: object) -> tuple[bytes, bytes]:
    """Return a TIFF file in two parts: its strips, and the directories behind them, where the damage is done."""
    buffer = io.BytesIO()
    # All directories come behind the pixels of the first page.
    tifffile.imwrite(buffer, pages, **options)
    data = buffer.getvalue()
    return data[:8], data[8:]


STACKS = [
    stack(PAGES, photometric="minisblack"),
    stack(PAGES, photometric="minisblack", compression="zlib", predictor=True),
    stack(PAGES.astype(">u2"), photometric="minisblack", byteorder=">", imagej=True),
    stack(PAGES, photometric="minisblack", bigtiff=True, ome=True, metadata={"axes": "ZYX"}),
    stack(np.repeat(PAGES[..., None], 3, 3), photometric="rgb", tile=(16, 16)),
]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stacks") / "stack.tif"


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=4 * settings.default.max_examples)
@given(data=st.sampled_from(STACKS).flatmap(lambda parts: damaged(parts[1], most=4).map(lambda end: parts[0] + end)))
def test_a_damaged_stack_has_pages_or_is_a_sentence(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    try:
        with open_stack(path, max_page_mb=8) as stack:
            for index in range(min(len(stack), 5)):
                form = stack.form(index)
                assert stack.read(index, form).shape[:2] == (form.height, form.width)
            assert stack.layout
    except InvalidInputError as error:
        assert str(error)


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=4 * settings.default.max_examples)
@given(data=st.sampled_from(STACKS).flatmap(lambda parts: damaged(parts[1], most=4).map(lambda end: parts[0] + end)))
def test_a_damaged_tiff_is_an_image_or_a_sentence(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    try:
        header, image = read_image_header(path), read_image(path)
    except InvalidInputError as error:
        assert str(error)
        return
    assert image.shape[:2] in {(header.height, header.width), (header.width, header.height)}
