"""Files of weights: MindSpore's checkpoints, safetensors, PyTorch's own; none is believed before it is checked."""

from __future__ import annotations

import importlib
import math
import zipfile
from itertools import groupby
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy.typing as npt

from segdata.errors import InvalidInputError

Parameters = dict[str, ms.Parameter]
Weights = dict[str, npt.NDArray[Any]]

#: Largest file that is read. A MindSpore checkpoint is one protobuf message, which ends here; ResNet-101 with head and
#: optimizer takes a quarter of it.
_MAX_BYTES = 2**31 - 1

#: Bytes of a number by MindSpore's name of its type.
_ITEM_BYTES = {"Bool": 1, "Float16": 2, "BFloat16": 2, "Float32": 4, "Float64": 8}
_ITEM_BYTES |= {f"{sign}{8 * size}": size for sign in ("Int", "UInt") for size in (1, 2, 4, 8)}

#: Where training programs for PyTorch put the parameters, when a file holds more than them.
_STATE_DICTS = ("state_dict", "model")


def read_parameters(path: Path) -> Parameters:
    """Return the parameters of a MindSpore checkpoint by name; notes in it, which are strings, are none.

    Raises:
        InvalidInputError: when it is no MindSpore checkpoint, or a damaged one.
    """
    _check_size(path)
    if path.suffix != ".ckpt":
        raise InvalidInputError(
            f"{path}: expected a MindSpore checkpoint, a file that ends in .ckpt; segtrain "
            "convert-checkpoint makes one of .safetensors and .pth"
        )
    _check_tensors(path)
    try:
        found = ms.load_checkpoint(str(path))
    except (ValueError, RuntimeError, TypeError, OSError) as error:
        raise _damaged(path, "MindSpore checkpoint") from error
    return {name: value for name, value in found.items() if isinstance(value, ms.Parameter)}


def read_weights(path: Path) -> Weights:
    """Return the arrays in a file of weights by name; its suffix says what it is.

    Args:
        path: a MindSpore checkpoint (``.ckpt``), safetensors, or what ``torch.save`` wrote (``.pth``, ``.pt``), which
            PyTorch's loader for weights only reads: it runs no code of the file.

    Raises:
        InvalidInputError: when it is none of these, damaged, or needs a PyTorch that is not installed.
    """
    if path.suffix == ".ckpt":
        return {name: parameter.asnumpy() for name, parameter in read_parameters(path).items()}
    _check_size(path)
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    if path.suffix in (".pth", ".pt"):
        return _read_torch(path)
    raise InvalidInputError(f"{path}: expected weights in a file that ends in .ckpt, .safetensors, .pth or .pt")


def _check_size(path: Path) -> None:
    if not path.is_file():
        raise InvalidInputError(f"{path}: no such checkpoint")
    if path.stat().st_size > _MAX_BYTES:
        raise InvalidInputError(f"{path}: larger than 2 GiB, as no checkpoint of a network here is")


def _check_tensors(path: Path) -> None:
    """Check that each tensor has as many bytes as its shape says.

    MindSpore does not (2.10): it reads on behind bytes that are too few, and writes those that are too many over
    whatever lies behind the tensor. The format is ``checkpoint.proto`` in MindSpore's source.
    """
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
    from mindspore.train.checkpoint_pb2 import Checkpoint

    content = path.read_bytes()
    # `save_checkpoint(crc_check=True)` appends this word and ten bytes.
    content = content[:-17] if content[-17:-10] == b"crc_num" else content
    try:
        stored = Checkpoint.FromString(content)
    # A name that is no UTF-8 is a ValueError.
    except (DecodeError, ValueError) as error:
        raise _damaged(path, "MindSpore checkpoint") from error
    # A large tensor is stored in several pieces, one after the other, each with the whole shape.
    for name, group in groupby(stored.value, key=lambda value: value.tag):
        pieces = list(group)
        dims, kind = list(pieces[-1].tensor.dims), pieces[-1].tensor.tensor_type
        if kind == "str":
            continue
        # A scalar has the shape [0].
        size = math.prod([] if dims == [0] else dims) * _ITEM_BYTES.get(kind, 0)
        found = sum(len(piece.tensor.tensor_content) for piece in pieces)
        whole = all(piece.HasField("tensor") for piece in pieces)
        if not whole or min(dims, default=0) < 0 or found == 0 or found != size:
            raise InvalidInputError(
                f"{path}: damaged: {name} is said to be {dims} of {kind or 'no type'}, but has {found} bytes"
            )


def _read_safetensors(path: Path) -> Weights:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        # It checks the header against the size of the file.
        return load_file(path)
    except SafetensorError as error:
        raise InvalidInputError(f"{path}: not a safetensors file, or a damaged one: {error}") from error
    except (TypeError, AttributeError) as error:
        raise InvalidInputError(
            f"{path}: holds numbers of a type that NumPy lacks ({error}); save the weights as float32"
        ) from error


def _read_torch(path: Path) -> Weights:
    try:
        torch = importlib.import_module("torch")
    except ImportError as error:
        raise InvalidInputError(
            f"{path}: only PyTorch reads its own format, and it is not installed: install torch, or take the weights "
            "as .safetensors, as which timm publishes them"
        ) from error
    try:
        _check_unpacked_size(path)
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except InvalidInputError:
        raise
    # What it raises for damaged and for malicious files has no common class of its own.
    except Exception as error:
        raise InvalidInputError(
            f"{path}: damaged, or not only weights: PyTorch's loader for these refuses it"
        ) from error
    for key in _STATE_DICTS:
        if isinstance(loaded, dict) and isinstance(loaded.get(key), dict):
            loaded = loaded[key]
    tensors = loaded.items() if isinstance(loaded, dict) else ()
    # NumPy has no bfloat16.
    weights = {str(name): value.float().numpy() for name, value in tensors if isinstance(value, torch.Tensor)}
    if not weights:
        raise InvalidInputError(
            f"{path}: holds no parameters by name; expected what torch.save(model.state_dict()) writes"
        )
    return weights


def _check_unpacked_size(path: Path) -> None:
    """Check what a zip archive, which PyTorch writes since 1.6, says it becomes in memory."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > _MAX_BYTES:
                raise InvalidInputError(
                    f"{path}: larger than 2 GiB when unpacked, as no checkpoint of a network here is"
                )


def _damaged(path: Path, what: str) -> InvalidInputError:
    return InvalidInputError(f"{path}: not a {what}, or a damaged one")
