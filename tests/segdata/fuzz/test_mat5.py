"""SBD's .mat files damaged in every way: an error message, or the same values as scipy."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from damaged_files import damaged
from hypothesis import example, given, settings, strategies as st
from worker_functions import mask_by_scipy

from segdata.errors import InvalidInputError
from segdata.miniature.sbd import to_mat
from segdata.sources.sbd.mat5 import read_field

MASK = np.array([[0, 0, 3, 3, 0], [0, 3, 3, 3, 0], [0, 0, 20, 0, 0]], np.uint8)
FILE = to_mat(MASK)
HEADER = FILE[:128]
#: The struct in the file's only compressed element, after the 8-byte tag of that element; and where its first field
#: begins and ends, the sparse matrices that `read_field` skips.
STRUCT = zlib.decompress(FILE[136:])
FIRST = STRUCT.index(struct.pack("<I", 14), 8)
SECOND = FIRST + 8 + struct.unpack_from("<I", STRUCT, FIRST + 4)[0]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mat") / "a.mat"


def packed(matrix: bytes) -> bytes:
    body = zlib.compress(matrix, 1)
    return struct.pack("<II", 15, len(body)) + body


def read(path: Path, data: bytes) -> np.ndarray[Any, Any] | None:
    """Return the mask of `data` as a file; None for an error message. Every other exception is a failure."""
    path.write_bytes(data)
    try:
        return read_field(path, "GTcls", "Segmentation")
    except InvalidInputError as error:
        assert str(error)
        return None


class Scipy:
    """scipy's reader in a separate process, because some damage crashes the process (scipy 1.17)."""

    def __init__(self) -> None:
        self._start()

    def _start(self) -> None:
        self.pool = ProcessPoolExecutor(1, mp_context=get_context("forkserver"))

    def read(self, path: Path) -> np.ndarray[Any, Any] | None:
        """Return the mask; None when it finds damage, possibly in a field that `read_field` skips."""
        try:
            mask: np.ndarray[Any, Any] = self.pool.submit(mask_by_scipy, str(path)).result()
        except BrokenProcessPool:
            self.pool.shutdown()
            self._start()
            return None
        except Exception:
            return None
        return mask


@pytest.fixture(scope="module")
def scipy() -> Iterator[Scipy]:
    scipy = Scipy()
    yield scipy
    scipy.pool.shutdown()


def test_the_sound_file_is_read_either_way(path: Path, scipy: Scipy) -> None:
    for data in (FILE, HEADER + packed(STRUCT), HEADER + STRUCT):
        assert np.array_equal(read(path, data), MASK)
        assert np.array_equal(scipy.read(path), MASK)


@settings(max_examples=3 * settings.default.max_examples)
@given(data=damaged(FILE))
def test_damage_to_the_file_is_a_sentence_or_changes_nothing(path: Path, data: bytes) -> None:
    found = read(path, data)
    assert found is None or np.array_equal(found, MASK)


@settings(max_examples=2 * settings.default.max_examples)
@given(boundaries=damaged(STRUCT[FIRST:SECOND], most=3), compressed=st.booleans())
@example(boundaries=b"", compressed=True)
@example(boundaries=b"", compressed=False)
def test_damage_to_a_field_that_is_stepped_over_is_a_sentence_or_changes_nothing(
    path: Path, boundaries: bytes, compressed: bool
) -> None:
    matrix = STRUCT[:FIRST] + boundaries + STRUCT[SECOND:]
    found = read(path, HEADER + (packed(matrix) if compressed else matrix))
    assert found is None or np.array_equal(found, MASK)


@settings(max_examples=4 * settings.default.max_examples)
@given(front=st.just(STRUCT[:FIRST]) | damaged(STRUCT[:FIRST]), back=damaged(STRUCT[SECOND:]), compressed=st.booleans())
def test_what_a_damaged_struct_says_is_what_scipy_reads(
    path: Path, scipy: Scipy, front: bytes, back: bytes, compressed: bool
) -> None:
    matrix = front + STRUCT[FIRST:SECOND] + back
    found = read(path, HEADER + (packed(matrix) if compressed else matrix))
    if found is not None and (expected := scipy.read(path)) is not None:
        assert found.shape == expected.shape
        assert np.array_equal(found, expected)
