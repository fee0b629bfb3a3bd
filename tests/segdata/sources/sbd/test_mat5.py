"""One field of a struct in a MATLAB v5 file, against scipy's reader and against damage."""

from __future__ import annotations

import random
import struct
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy.io import loadmat, savemat
from scipy.sparse import csc_matrix

from segdata.errors import InvalidInputError
from segdata.sources.sbd.mat5 import MAX_MAT_BYTES, read_field

MASK = np.arange(12, dtype=np.uint8).reshape(3, 4)
INTEGERS = [np.uint8, np.int8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64]


def fault(path: Path) -> str:
    with pytest.raises(InvalidInputError) as caught:
        read_field(path, "GT", "mask")
    return str(caught.value)


@settings(max_examples=60, deadline=None)
@given(
    mask=st.sampled_from(INTEGERS).flatmap(lambda kind: arrays(kind, array_shapes(min_dims=2, max_dims=3, max_side=7))),
    place=st.integers(0, 3),
    compressed=st.booleans(),
)
def test_the_array_is_scipys_wherever_the_field_is(
    tmp_path_factory: pytest.TempPathFactory, mask: Any, place: int, compressed: bool
) -> None:
    path = tmp_path_factory.mktemp("mat") / "a.mat"
    cell = np.empty((2, 1), object)
    cell[:, 0] = [csc_matrix(np.eye(3, dtype=bool)), "text"]
    others = [("Boundaries", cell), ("a", np.float64(1.5)), ("a_long_field_name", np.zeros((0, 3)))]
    fields = dict([*others[:place], ("mask", mask), *others[place:]])
    savemat(path, {"first": np.ones(3), "GT": fields}, do_compression=compressed)
    expected = loadmat(path)["GT"][0]["mask"][0]
    found = read_field(path, "GT", "mask")
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    assert np.array_equal(found, expected)


def test_real_files_read_as_scipy_reads_them(real_data: Path) -> None:
    paths = sorted((real_data / "sbd" / "benchmark_RELEASE" / "dataset" / "cls").glob("*.mat"))
    assert len(paths) == 82
    for path in paths:
        expected = loadmat(path)["GTcls"][0]["Segmentation"][0]
        found = read_field(path, "GTcls", "Segmentation")
        assert found.dtype == expected.dtype
        assert np.array_equal(found, expected)


def test_a_file_of_the_other_byte_order_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.mat").write_bytes(file(one_field(numbers(MASK, order=">"), order=">"), order=">"))
    assert np.array_equal(read_field(tmp_path / "a.mat", "GT", "mask"), MASK)


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"other": np.ones(3), "more": 1}, "contains no variable GT; found other, more"),
        ({"GT": np.ones(3)}, "GT is not a 1x1 struct; expected an SBD file"),
        ({"GT": {"a": MASK, "b": MASK}}, "GT has no field mask; found a, b"),
        ({"GT": {"mask": {"deeper": MASK}}}, "GT.mask is not a full matrix of integers; expected an SBD file"),
        (
            {"GT": {"mask": csc_matrix(MASK.astype(float))}},
            "GT.mask is not a full matrix of integers; expected an SBD file",
        ),
        ({"GT": {"mask": MASK / 2}}, "GT.mask is not a full matrix of integers; expected an SBD file"),
        ({"GT": {"mask": "text"}}, "GT.mask is not a full matrix of integers; expected an SBD file"),
    ],
)
@pytest.mark.parametrize("compressed", [True, False])
def test_another_struct_is_said_to_be_one(
    tmp_path: Path, variables: dict[str, Any], sentence: str, compressed: bool
) -> None:
    savemat(tmp_path / "a.mat", variables, do_compression=compressed)
    assert fault(tmp_path / "a.mat") == sentence


def test_a_struct_array_is_not_taken_for_one_struct(tmp_path: Path) -> None:
    structs = np.zeros((1, 2), [("mask", object)])
    structs["mask"][:] = [[MASK, MASK]]
    savemat(tmp_path / "a.mat", {"GT": structs})
    assert fault(tmp_path / "a.mat") == "GT is not a 1x1 struct; expected an SBD file"


@pytest.mark.parametrize("offset", [0, 512])
def test_hdf5_is_recognized_and_the_cure_named(tmp_path: Path, offset: int) -> None:
    start = b"MATLAB 7.3 MAT-file".ljust(124) + b"\0\2IM"
    (tmp_path / "a.mat").write_bytes(start.ljust(offset, b"\0")[:offset] + b"\x89HDF\r\n\x1a\n" + bytes(100))
    assert fault(tmp_path / "a.mat") == "is a MATLAB v7.3 file (HDF5); expected v5. Write it with save(…, '-v7')."


@pytest.mark.parametrize("data", [b"", b"x" * 60, b"\x89PNG\r\n\x1a\n" + bytes(300)])
def test_a_file_of_another_format_is_recognized_as_such(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.mat").write_bytes(data)
    assert fault(tmp_path / "a.mat") == f"is not a MATLAB v5 file ({len(data)} bytes)"


@pytest.mark.parametrize("compressed", [True, False])
def test_no_cut_file_is_read(tmp_path: Path, compressed: bool) -> None:
    savemat(tmp_path / "a.mat", {"GT": {"mask": MASK}}, do_compression=compressed)
    data = (tmp_path / "a.mat").read_bytes()
    for length in range(128, len(data) - 8 * (not compressed)):
        (tmp_path / "cut.mat").write_bytes(data[:length])
        assert fault(tmp_path / "cut.mat") in (
            "is a truncated or damaged MATLAB file",
            "contains no variable GT; found nothing",
        )


@pytest.mark.parametrize("compressed", [True, False])
def test_damage_anywhere_never_ends_in_another_error(tmp_path: Path, compressed: bool) -> None:
    savemat(tmp_path / "a.mat", {"GT": {"other": np.zeros((2, 2)), "mask": MASK}}, do_compression=compressed)
    data = (tmp_path / "a.mat").read_bytes()
    rng = random.Random(0)
    refused = 0
    for turn in range(2000):
        damaged = bytearray(data)
        for _ in range(1 + turn % 3):
            damaged[rng.randrange(124, len(data))] = rng.choice([0, 1, 5, 255, rng.randrange(256)])
        (tmp_path / "damaged.mat").write_bytes(damaged)
        try:
            read_field(tmp_path / "damaged.mat", "GT", "mask")
        except InvalidInputError:
            refused += 1
    assert refused > 600


def test_a_negative_size_is_damage(tmp_path: Path) -> None:
    (tmp_path / "a.mat").write_bytes(file(one_field(numbers(MASK, shape=(-3, -4)))))
    assert fault(tmp_path / "a.mat") == "is a truncated or damaged MATLAB file"


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        pytest.param(
            lambda: file(one_field(numbers(MASK, shape=(1 << 30, 1 << 30)))), "truncated or damaged", id="shape"
        ),
        pytest.param(
            lambda: file(one_field(matrix(1, (1 << 30, 1), b""))), "not a full matrix", id="cells without end"
        ),
        pytest.param(
            lambda: file(compress(struct.pack("<II", 14, 1 << 31) + bytes(1 << 20))),
            "claims a variable of 2147483648 bytes",
            id="claim",
        ),
        pytest.param(
            lambda: file(compress(struct.pack("<II", 14, 1000) + bytes(1 << 28))), "truncated or damaged", id="bomb"
        ),
        pytest.param(
            lambda: file(compress(struct.pack("<II", 14, MAX_MAT_BYTES - 8) + bytes(1 << 20))),
            "truncated or damaged",
            id="less than claimed",
        ),
    ],
)
def test_memory_does_not_follow_what_a_file_claims(tmp_path: Path, data: Any, sentence: str) -> None:
    (tmp_path / "a.mat").write_bytes(data())
    tracemalloc.start()
    try:
        assert sentence in fault(tmp_path / "a.mat")
        assert tracemalloc.get_traced_memory()[1] < 2 * MAX_MAT_BYTES
    finally:
        tracemalloc.stop()


def test_a_file_too_large_is_not_read_to_its_end(tmp_path: Path) -> None:
    with (tmp_path / "a.mat").open("wb") as sparse:
        sparse.truncate(20 * MAX_MAT_BYTES)
    tracemalloc.start()
    try:
        assert "larger than" in fault(tmp_path / "a.mat")
        assert tracemalloc.get_traced_memory()[1] < 3 * MAX_MAT_BYTES
    finally:
        tracemalloc.stop()


def file(variable: bytes, order: str = "<") -> bytes:
    """Return a MATLAB v5 file of one variable."""
    return b"MATLAB 5.0".ljust(124) + struct.pack(f"{order}H", 0x0100) + (b"IM" if order == "<" else b"MI") + variable


def element(kind: int, body: bytes, order: str = "<") -> bytes:
    return struct.pack(f"{order}II", kind, len(body)) + body + bytes(-len(body) % 8)


def matrix(class_: int, shape: tuple[int, ...], name: bytes, *parts: bytes, order: str = "<") -> bytes:
    flags = element(6, struct.pack(f"{order}II", class_, 0), order)
    dimensions = element(5, struct.pack(f"{order}{len(shape)}i", *shape), order)
    return element(14, b"".join((flags, dimensions, element(1, name, order), *parts)), order)


def numbers(mask: Any, *, shape: tuple[int, ...] | None = None, order: str = "<") -> bytes:
    """Return a matrix without a name, as fields are; `shape` may differ from its data."""
    return matrix(9, shape or mask.shape, b"", element(2, mask.tobytes(order="F"), order), order=order)


def one_field(field: bytes, order: str = "<") -> bytes:
    """Return the struct GT with one field, `mask`."""
    names = element(5, struct.pack(f"{order}i", 8), order) + element(1, b"mask".ljust(8, b"\0"), order)
    return matrix(2, (1, 1), b"GT", names, field, order=order)


def compress(variable: bytes) -> bytes:
    body = zlib.compress(variable)
    return struct.pack("<II", 15, len(body)) + body
