from __future__ import annotations

import io
import json
import pickle
import struct
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
import pytest
from hypothesis import given, strategies as st
from mindspore.train import serialization
from mindspore.train.checkpoint_pb2 import Checkpoint
from safetensors.numpy import save_file

from segdata.errors import InvalidInputError
from segtrain.checkpoints.weights import read_parameters, read_weights

#: Possible contents of a checkpoint; MindSpore stores a scalar with the shape [0].
VALUES = {
    "matrix": np.arange(6, dtype=np.float32).reshape(2, 3),
    "scalar": np.array(5, np.int32),
    "half": np.array([0.5], np.float16),
    "flags": np.array([True, False]),
}


def _save(path: Path, **options: Any) -> bytes:
    values = [{"name": name, "data": ms.Tensor(value)} for name, value in VALUES.items()]
    ms.save_checkpoint(values, str(path), **options)
    return path.read_bytes()


def _same(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> bool:
    return found.keys() == expected.keys() and all(
        found[name].dtype == value.dtype and np.array_equal(found[name], value) for name, value in expected.items()
    )


@pytest.mark.parametrize("options", [{}, {"crc_check": True}, {"append_dict": {"note": "a string is not a parameter"}}])
def test_a_checkpoint_is_read_as_it_was_written(tmp_path: Path, options: dict[str, Any]) -> None:
    _save(tmp_path / "a.ckpt", **options)
    assert _same(read_weights(tmp_path / "a.ckpt"), VALUES)


def _checkpoint(kind: str, dims: list[int], *pieces: bytes) -> bytes:
    """Return a checkpoint of one tensor in pieces, as MindSpore stores large ones."""
    stored = Checkpoint()
    for piece in pieces:
        value = stored.value.add(tag="weight")
        value.tensor.tensor_type, value.tensor.tensor_content = kind, piece
        value.tensor.dims.extend(dims)
    return stored.SerializeToString()


def test_a_tensor_in_pieces_is_put_together(tmp_path: Path) -> None:
    content = np.arange(4, dtype=np.float32).tobytes()
    (tmp_path / "a.ckpt").write_bytes(_checkpoint("Float32", [2, 2], content[:8], content[8:]))
    assert read_weights(tmp_path / "a.ckpt")["weight"].tolist() == [[0, 1], [2, 3]]


@pytest.mark.parametrize(
    "content",
    [
        _checkpoint("Float32", [1000], b"\0" * 4),
        _checkpoint("Float32", [1], b"\0" * 400),
        _checkpoint("Float32", [4], b"\0" * 8, b"\0" * 4),
        _checkpoint("Float32", [1 << 40], b"\0" * 4),
        _checkpoint("Float32", [1 << 33, 1 << 33], b"\0" * 4),
        _checkpoint("Float32", [-2, -2], b"\0" * 16),
        _checkpoint("Float32", [0, 5], b""),
        _checkpoint("Float32", [0], b""),
        _checkpoint("Complex", [1], b"\0" * 4),
        _checkpoint("", [1], b"\0" * 4),
        Checkpoint(value=[{"tag": "weight"}]).SerializeToString(),
    ],
    ids=[
        "few bytes",
        "many bytes",
        "a piece missing",
        "terabytes",
        "overflow",
        "negative",
        "no rows",
        "no bytes",
        "unknown type",
        "no type",
        "no tensor",
    ],
)
def test_a_tensor_whose_bytes_do_not_fit_its_shape_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.ckpt").write_bytes(content)
    with pytest.raises(
        InvalidInputError, match=r"a\.ckpt: damaged: weight has \d+ bytes, which does not match its shape .* and type "
    ):
        read_parameters(tmp_path / "a.ckpt")


@given(data=st.data())
def test_a_damaged_checkpoint_is_refused_or_still_well_formed(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("damaged") / "a.ckpt"
    content = bytearray(_save(path))
    if data.draw(st.booleans(), label="cut"):
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    else:
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    # MindSpore leaves its checkpoints read-only.
    path.unlink()
    path.write_bytes(content)
    try:
        found = read_weights(path)
    except InvalidInputError as error:
        assert str(error).startswith(str(path))
    else:
        assert sum(value.nbytes for value in found.values()) <= len(content)


@pytest.mark.parametrize("reader", [read_parameters, read_weights])
def test_missing_and_enormous_files_are_refused(tmp_path: Path, reader: Callable[[Path], object]) -> None:
    with pytest.raises(InvalidInputError, match=r"a\.ckpt: no such checkpoint"):
        reader(tmp_path / "a.ckpt")
    with (tmp_path / "a.ckpt").open("wb") as file:
        file.truncate(1 << 42)
    with pytest.raises(InvalidInputError, match=r"a\.ckpt: is larger than 2 GiB"):
        reader(tmp_path / "a.ckpt")


@pytest.mark.parametrize("reader", [read_parameters, read_weights])
def test_an_interrupt_is_not_taken_for_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reader: Callable[[Path], object]
) -> None:
    def interrupted(*_args: object, **_options: object) -> None:
        raise KeyboardInterrupt

    _save(tmp_path / "a.ckpt")
    # A function within MindSpore's loop over the tensors of a file.
    monkeypatch.setattr(serialization, "Parameter", interrupted)
    with pytest.raises(KeyboardInterrupt):
        reader(tmp_path / "a.ckpt")


def test_the_suffix_says_what_a_file_is(tmp_path: Path) -> None:
    (tmp_path / "a.bin").touch()
    with pytest.raises(
        InvalidInputError, match=r"a\.bin: not a weight file; expected .* \.ckpt, \.safetensors, \.pth or \.pt"
    ):
        read_weights(tmp_path / "a.bin")
    (tmp_path / "a.safetensors").touch()
    with pytest.raises(
        InvalidInputError, match=r"ends in \.ckpt\. Convert \.safetensors and \.pth with segtrain convert-checkpoint"
    ):
        read_parameters(tmp_path / "a.safetensors")


def test_safetensors_are_read_as_they_were_written(tmp_path: Path) -> None:
    save_file(VALUES, tmp_path / "a.safetensors")
    assert _same(read_weights(tmp_path / "a.safetensors"), VALUES)


def _safetensors(dtype: str, shape: list[int], size: int, body: bytes) -> bytes:
    header = json.dumps({"a": {"dtype": dtype, "shape": shape, "data_offsets": [0, size]}}).encode()
    return struct.pack("<Q", len(header)) + header + body


def test_bfloat16_in_safetensors_is_read(tmp_path: Path) -> None:
    # The upper half of a float32 is a bfloat16.
    upper = np.array([1.5, -2], np.float32).view(np.uint16)[1::2].tobytes()
    (tmp_path / "a.safetensors").write_bytes(_safetensors("BF16", [2], 4, upper))
    assert read_weights(tmp_path / "a.safetensors")["a"].astype(np.float32).tolist() == [1.5, -2]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "damaged or not a safetensors file"),
        (b"PK\x03\x04" * 9, "damaged or not a safetensors file"),
        (struct.pack("<Q", 1 << 45) + b"{}", "header too large"),
        (_safetensors("F32", [1 << 40], 1 << 42, b"\0" * 4), "file not fully covered"),
        (_safetensors("F32", [2], 8, b"\0" * 7), "file not fully covered"),
        (_safetensors("F8_E4M3", [4], 4, b"\0" * 4), "Save the weights as float32"),
    ],
    ids=["empty", "noise", "header of terabytes", "tensor of terabytes", "truncated", "float8"],
)
def test_damaged_safetensors_are_named(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "a.safetensors").write_bytes(content)
    with pytest.raises(InvalidInputError, match=rf"a\.safetensors: .*{words}"):
        read_weights(tmp_path / "a.safetensors")


def test_without_pytorch_its_format_is_refused_with_the_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    (tmp_path / "a.pth").write_bytes(b"PK")
    with pytest.raises(InvalidInputError, match=r"a\.pth: .*Install torch, or download the weights as \.safetensors"):
        read_weights(tmp_path / "a.pth")


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("wrap", [lambda state: state, lambda state: {"state_dict": state, "epoch": 3}])
def test_pytorchs_own_format_is_read_by_pytorch(
    tmp_path: Path, wrap: Callable[[dict[str, Any]], dict[str, Any]], legacy: bool
) -> None:
    torch = pytest.importorskip("torch")
    tensors = {"weight": torch.arange(6.0).reshape(2, 3), "half": torch.tensor([1.5], dtype=torch.bfloat16)}
    torch.save(wrap(tensors), tmp_path / "a.pth", _use_new_zipfile_serialization=not legacy)
    found = read_weights(tmp_path / "a.pth")
    assert {name: value.tolist() for name, value in found.items()} == {"weight": [[0, 1, 2], [3, 4, 5]], "half": [1.5]}


def test_what_pytorch_saved_must_have_names(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    torch.save(torch.ones(3), tmp_path / "a.pt")
    with pytest.raises(InvalidInputError, match=r"a\.pt: contains no named parameters"):
        read_weights(tmp_path / "a.pt")


class _Malicious:
    def __reduce__(self) -> tuple[Any, ...]:
        return exec, ("raise SystemExit('code of the file was run')",)


def _zip(claimed: int | None = None) -> bytes:
    """Return an archive of one small file, with a false size if `claimed` is given."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", b"noise")
    content = bytearray(file.getvalue())
    if claimed:
        # Field "uncompressed size" of the central directory (APPNOTE.TXT, 4.3.12).
        start = content.index(b"PK\x01\x02") + 24
        content[start : start + 4] = struct.pack("<I", claimed)
    return bytes(content)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "damaged or contains more than weights"),
        (b"noise" * 99, "damaged or contains more than weights"),
        (_zip(), "damaged or contains more than weights"),
        (_zip()[:-9], "damaged or contains more than weights"),
        (_zip(claimed=2**31), "larger than 2 GiB when unpacked"),
        (pickle.dumps(_Malicious(), 2), "damaged or contains more than weights"),
        (pickle.dumps({"a": _Malicious()}, 2), "damaged or contains more than weights"),
    ],
    ids=["empty", "noise", "zip", "cut zip", "zip bomb", "code", "code within"],
)
def test_code_in_pytorchs_format_is_not_run_and_damage_is_named(tmp_path: Path, content: bytes, words: str) -> None:
    pytest.importorskip("torch")
    (tmp_path / "a.pth").write_bytes(content)
    with pytest.raises(InvalidInputError, match=rf"a\.pth: {words}"):
        read_weights(tmp_path / "a.pth")
