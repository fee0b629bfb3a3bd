"""Weight files: MindSpore checkpoints, safetensors and PyTorch's format. Each is checked before it is trusted."""

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
from segdata.text import plural

Parameters = dict[str, ms.Parameter]
Weights = dict[str, npt.NDArray[Any]]

#: Largest file that is read: the limit of a protobuf message, which is what a MindSpore checkpoint is. ResNet-101 with
#: head and optimizer takes a quarter of it.
_MAX_BYTES = 2**31 - 1

#: Size of a number in bytes, by MindSpore's name for its type.
_ITEM_BYTES = {"Bool": 1, "Float16": 2, "BFloat16": 2, "Float32": 4, "Float64": 8}
_ITEM_BYTES |= {f"{sign}{8 * size}": size for sign in ("Int", "UInt") for size in (1, 2, 4, 8)}

#: Keys under which PyTorch training programs store the parameters when a file holds more than those.
_STATE_DICTS = ("state_dict", "model")


def read_parameters(path: Path) -> Parameters:
    """Return the parameters of a MindSpore checkpoint by name, without the strings stored with them.

    Raises:
        InvalidInputError: when the file is not a MindSpore checkpoint or is damaged.
    """
    _check_size(path)
    if path.suffix != ".ckpt":
        raise InvalidInputError(
            f"{path}: not a MindSpore checkpoint; expected a file that ends in .ckpt. Convert .safetensors and .pth "
            "with segtrain convert-checkpoint."
        )
    _check_tensors(path)
    try:
        found = ms.load_checkpoint(str(path))
    except (ValueError, RuntimeError, TypeError, OSError) as error:
        _raise_interrupt(error)
        raise _damaged(path, "MindSpore checkpoint") from error
    return {name: value for name, value in found.items() if isinstance(value, ms.Parameter)}


def _raise_interrupt(error: BaseException) -> None:
    """Raise the interrupt that MindSpore made this error of: it takes every exception for a damaged file."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, KeyboardInterrupt):
            raise cause
        cause = cause.__cause__


def read_weights(path: Path) -> Weights:
    """Return the arrays in a weight file by name; the suffix determines the format.

    Args:
        path: MindSpore checkpoint (``.ckpt``), safetensors, or output of ``torch.save`` (``.pth``, ``.pt``). The
            latter is read by PyTorch's weights-only loader, which runs no code from the file.

    Raises:
        InvalidInputError: when the format is unknown, the file is damaged, or it needs PyTorch and that is not
            installed.
    """
    if path.suffix == ".ckpt":
        return {name: parameter.asnumpy() for name, parameter in read_parameters(path).items()}
    _check_size(path)
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    if path.suffix in (".pth", ".pt"):
        return _read_torch(path)
    raise InvalidInputError(f"{path}: not a weight file; expected a name that ends in .ckpt, .safetensors, .pth or .pt")


def _check_size(path: Path) -> None:
    if not path.is_file():
        raise InvalidInputError(f"{path}: no such checkpoint")
    if path.stat().st_size > _MAX_BYTES:
        raise InvalidInputError(f"{path}: is larger than 2 GiB; no network of segtrain needs that much")


def _check_tensors(path: Path) -> None:
    """Check that each tensor has as many bytes as its shape requires.

    MindSpore 2.10 does not check this: it reads past the end of data that is too short, and writes data that is too
    long over the memory behind the tensor. The format is ``checkpoint.proto`` in MindSpore's source.
    """
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
    from mindspore.train.checkpoint_pb2 import Checkpoint

    content = path.read_bytes()
    # `save_checkpoint(crc_check=True)` appends this word and ten more bytes.
    content = content[:-17] if content[-17:-10] == b"crc_num" else content
    try:
        stored = Checkpoint.FromString(content)
    # A name that is not UTF-8 raises ValueError.
    except (DecodeError, ValueError) as error:
        raise _damaged(path, "MindSpore checkpoint") from error
    # A large tensor is stored in several consecutive pieces, each with the full shape.
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
                f"{path}: damaged: {name} has {plural(found, 'byte')}, which does not match its shape "
                f"{dims} and type {kind or '(none)'}"
            )


def _read_safetensors(path: Path) -> Weights:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        # `load_file` checks the header against the size of the file.
        return load_file(path)
    except SafetensorError as error:
        raise InvalidInputError(f"{path}: damaged or not a safetensors file: {error}") from error
    except (TypeError, AttributeError) as error:
        raise InvalidInputError(
            f"{path}: contains numbers of a type that NumPy does not support ({error}). Save the weights as float32."
        ) from error


def _read_torch(path: Path) -> Weights:
    try:
        torch = importlib.import_module("torch")
    except ImportError as error:
        raise InvalidInputError(
            f"{path}: needs PyTorch, which is not installed. Install torch, or download the weights as .safetensors, "
            "the format in which timm publishes them."
        ) from error
    try:
        _check_unpacked_size(path)
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except InvalidInputError:
        raise
    # Its exceptions for damaged and for malicious files have no common base class.
    except Exception as error:
        raise InvalidInputError(
            f"{path}: damaged or contains more than weights; PyTorch's weights-only loader rejects it"
        ) from error
    for key in _STATE_DICTS:
        if isinstance(loaded, dict) and isinstance(loaded.get(key), dict):
            loaded = loaded[key]
    tensors = loaded.items() if isinstance(loaded, dict) else ()
    # NumPy has no bfloat16.
    weights = {str(name): value.float().numpy() for name, value in tensors if isinstance(value, torch.Tensor)}
    if not weights:
        raise InvalidInputError(
            f"{path}: contains no named parameters; expected the output of torch.save(model.state_dict())"
        )
    return weights


def _check_unpacked_size(path: Path) -> None:
    """Check the unpacked size that a zip archive, PyTorch's format since 1.6, declares."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > _MAX_BYTES:
                raise InvalidInputError(
                    f"{path}: is larger than 2 GiB when unpacked; no network of segtrain needs that much"
                )


def _damaged(path: Path, what: str) -> InvalidInputError:
    return InvalidInputError(f"{path}: damaged or not a {what}")
