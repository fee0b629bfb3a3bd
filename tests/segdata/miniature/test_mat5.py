"""The writer of MATLAB v5 files, against scipy's reader."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy.io import loadmat, savemat, whosmat
from scipy.sparse import csc_matrix

from segdata.miniature.mat5 import cell_column, encode_struct, numbers, sparse_logical
from segdata.miniature.sbd import to_mat


def by_scipy(data: bytes) -> Any:
    """Return the only struct of a file."""
    return loadmat(io.BytesIO(data))["GT"][0, 0]


@given(arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9)))
def test_numbers_are_read_as_written(values: npt.NDArray[np.uint8]) -> None:
    found = by_scipy(encode_struct("GT", {"mask": numbers(values), "a_longer_name": numbers(values.T)}))
    assert found.dtype.names == ("mask", "a_longer_name")
    assert found["mask"].dtype == np.uint8
    assert np.array_equal(found["mask"], values)
    assert np.array_equal(found["a_longer_name"], values.T)


@given(arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9)), st.integers(1, 3))
def test_cells_of_sparse_matrices_are_read_as_written(values: npt.NDArray[np.bool_], count: int) -> None:
    matrices = [values, ~values, np.zeros_like(values)][:count]
    found = by_scipy(encode_struct("GT", {"cells": cell_column([sparse_logical(each) for each in matrices])}))
    assert found["cells"].shape == (count, 1)
    for sparse, expected in zip(found["cells"][:, 0], matrices, strict=True):
        assert np.array_equal(sparse.toarray().astype(bool), expected)


@pytest.mark.parametrize("classes", [(0,), (0, 3), (0, 1, 5, 20)])
def test_a_class_mask_has_the_fields_of_sbd(classes: tuple[int, ...]) -> None:
    mask = np.random.default_rng(0).choice(np.array(classes, np.uint8), (9, 12))
    data = to_mat(mask)
    assert whosmat(io.BytesIO(data)) == [("GTcls", (1, 1), "struct")]
    found = loadmat(io.BytesIO(data))["GTcls"][0, 0]
    assert found.dtype.names == ("Boundaries", "Segmentation", "CategoriesPresent")
    assert np.array_equal(found["Segmentation"], mask)
    assert found["CategoriesPresent"].ravel().tolist() == sorted(set(mask.ravel().tolist()) - {0})
    assert found["Boundaries"].shape == (20, 1)
    assert [each.nnz > 0 for each in found["Boundaries"][:, 0]] == [id_ in classes for id_ in range(1, 21)]


def test_a_struct_is_that_of_scipys_writer_to_the_byte() -> None:
    values = np.arange(12, dtype=np.uint8).reshape(3, 4)
    cell = np.empty((2, 1), object)
    cell[:, 0] = [csc_matrix(values > 6), csc_matrix(values > 20)]
    theirs = io.BytesIO()
    savemat(theirs, {"GT": {"cells": cell, "mask": values}}, do_compression=True)
    cells = cell_column([sparse_logical(values > 6), sparse_logical(values > 20)])
    ours = encode_struct("GT", {"cells": cells, "mask": numbers(values)})
    # Their description contains the date.
    assert ours[116:] == theirs.getvalue()[116:]
