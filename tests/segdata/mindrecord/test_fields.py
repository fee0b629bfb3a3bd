from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as arrays

from segdata.errors import InvalidInputError
from segdata.mindrecord.fields import (
    check_value,
    decode_blob_field,
    encode_blob_field,
    pack_integers,
    stored_size,
    unpack_integers,
    value_bytes,
)
from segdata.mindrecord.schema import FieldForm

#: Both ends of each width, and both neighbors.
EDGES = sorted({sign * 2**bits + step for bits in (7, 15, 31) for sign in (-1, 1) for step in (-1, 0, 1)} | {-(2**63)})


@given(st.lists(st.one_of(st.sampled_from(EDGES), st.integers(-(2**63), 2**63 - 1)), max_size=50))
def test_packed_integers_come_back(values: list[int]) -> None:
    packed = pack_integers(np.array(values, np.int64))
    assert unpack_integers(packed).tolist() == values


def test_integers_are_packed_as_mindspore_packs_them() -> None:
    # Read off FileWriter's output for these values: count, two bytes of width codes, then the values.
    values = np.array([1, -1, 127, 128, -129, 40000], np.int32)
    assert pack_integers(values).hex() == "00000006" + "0160" + "01" + "ff" + "7f" + "8000" + "7fff" + "409c0000"


@given(
    st.sampled_from(["int32", "int64", "float32", "float64"]).flatmap(
        lambda name: arrays.arrays(name, arrays.array_shapes(min_dims=1, max_dims=2, min_side=0, max_side=9))
    )
)
def test_arrays_come_back_and_their_size_is_known(array: np.ndarray) -> None:
    shape = (-1, *array.shape[1:]) if 0 not in array.shape[1:] else (-1,)
    form = FieldForm(type=str(array.dtype), shape=shape)
    stored = encode_blob_field(form, array)
    assert stored_size(form, array) == (len(stored), array.nbytes)
    back = decode_blob_field(form, stored, packed=True)
    assert isinstance(back, np.ndarray)
    assert back.dtype == array.dtype
    assert back.tobytes() == array.tobytes()


@given(st.binary(max_size=60))
def test_any_bytes_are_integers_or_refused(data: bytes) -> None:
    try:
        values = unpack_integers(data)
    except InvalidInputError as error:
        assert "values" in str(error)
    else:
        assert unpack_integers(pack_integers(values)).tolist() == values.tolist()


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"\0\0", "has 2 bytes; expected the number of values in 4"),
        (b"\xff\xff\xff\xff\0", "has 5 bytes; expected 4294967295 values"),
        (b"\0\0\0\1\0", "has 5 bytes; expected 6 for 1 values"),
        (b"\0\0\0\1\0\1\2", "has 7 bytes; expected 6 for 1 values"),
    ],
)
def test_integers_with_a_false_length_are_refused(data: bytes, sentence: str) -> None:
    with pytest.raises(InvalidInputError, match=f"^{sentence}$") as error:
        unpack_integers(data)
    assert error.value.code == "record_damaged"


def test_old_files_do_not_pack_integers() -> None:
    form = FieldForm(type="int32", shape=(-1,))
    array = np.array([1, -2], np.int32)
    assert np.array_equal(decode_blob_field(form, array.tobytes(), packed=False), array)


@pytest.mark.parametrize(
    ("form", "data", "sentence"),
    [
        (FieldForm(type="float64", shape=(-1,)), bytes(7), "has 7 bytes; expected a multiple of 8"),
        (FieldForm(type="float32", shape=(-1, 4)), bytes(12), r"has 3 values; expected shape \[-1, 4\]"),
        (FieldForm(type="float32", shape=(2, 2)), bytes(12), r"has 3 values; expected shape \[2, 2\]"),
        (FieldForm(type="int32", shape=(-1,)), pack_integers(np.array([2**40])), "has a value outside int32"),
        (FieldForm(type="int32", shape=(-1,)), pack_integers(np.array([2**31])), "has a value outside int32"),
        (FieldForm(type="int32", shape=(-1,)), pack_integers(np.array([0, -(2**31) - 1])), "has a value outside int32"),
    ],
)
def test_a_damaged_array_is_refused(form: FieldForm, data: bytes, sentence: str) -> None:
    with pytest.raises(InvalidInputError, match=f"^{sentence}$") as error:
        decode_blob_field(form, data, packed=True)
    assert error.value.code == "record_damaged"


@pytest.mark.parametrize(
    ("form", "value", "sentence"),
    [
        (FieldForm(type="int32"), True, "is bool; expected an integer"),
        (FieldForm(type="int32"), 2**31, "is 2147483648; expected -2147483648 to 2147483647 (int32)"),
        (FieldForm(type="int64"), -(2**63) - 1, "expected -9223372036854775808 to"),
        (FieldForm(type="int32"), 1.0, "is float; expected an integer"),
        (FieldForm(type="float32"), 1, "is int; expected a float"),
        (FieldForm(type="string"), b"a", "is bytes; expected a string"),
        (FieldForm(type="string"), "\ud800", "expected a string that UTF-8 can represent"),
        (FieldForm(type="bytes"), "a", "is str; expected bytes"),
        (FieldForm(type="int32", shape=(-1,)), [1], "is list; expected a NumPy array of int32"),
        (FieldForm(type="int32", shape=(-1,)), np.zeros(1), "is array of float64; expected a NumPy array of int32"),
        (FieldForm(type="float64", shape=(-1, 4)), np.zeros(3), "has shape (3,); expected [-1, 4]"),
        (FieldForm(type="float64", shape=(2,)), np.zeros(3), "has shape (3,); expected [2]"),
    ],
)
def test_a_value_of_another_type_is_named(form: FieldForm, value: Any, sentence: str) -> None:
    assert sentence in (check_value(form, value) or "")


@pytest.mark.parametrize(
    ("form", "value", "expected"),
    [
        (FieldForm(type="string"), "é", "é".encode()),
        (FieldForm(type="int32"), -2, b"\xfe" + b"\xff" * 7),
        (FieldForm(type="float64"), 1.0, bytes(6) + b"\xf0\x3f"),
        (FieldForm(type="bytes"), b"a\0", b"a\0"),
        (FieldForm(type="int32", shape=(-1,)), np.array([1, 2], "<i4"), b"\1\0\0\0\2\0\0\0"),
        (FieldForm(type="float32", shape=(-1, 2)), np.ones((4, 2), np.float32)[::2], np.ones(4, "<f4").tobytes()),
    ],
)
def test_the_bytes_of_a_field_do_not_depend_on_the_machine(form: FieldForm, value: Any, expected: bytes) -> None:
    assert check_value(form, value) is None
    assert value_bytes(form, value) == expected


@pytest.mark.parametrize("name", ["int32", "int64"])
def test_the_ends_of_a_type_belong_to_it(name: str) -> None:
    ends = np.array([np.iinfo(name).min, np.iinfo(name).max], name)
    form = FieldForm(type=name, shape=(-1,))
    assert np.array_equal(decode_blob_field(form, pack_integers(ends), packed=True), ends)
    for value in ends.tolist():
        assert check_value(FieldForm(type=name), value) is None
