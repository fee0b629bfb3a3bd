"""A trained network as one file for other programs: MindIR, ONNX or AIR, its logits compared after loading it back."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Literal

import mindspore as ms
import msgspec
import numpy as np
import numpy.typing as npt
from mindspore import Tensor, nn

from segdata.errors import OptionError, SegDataError
from segdata.files import check_target_file, file_mode, write_file
from segtrain.checkpoints.checkpoint import CheckpointInfo, load_network, program_versions, read_info
from segtrain.config.config import Channels, DeviceTarget, FileFormat
from segtrain.config.unet import output_size
from segtrain.distributed.device import prepare_device
from segtrain.exporting.onnx import replace_layers
from segtrain.inference.semantic.segmenter import EvalSettings

#: Names of input and output in an ONNX file.
INPUT, OUTPUT = "images", "logits"

#: How an image is brought to the input's size.
RESIZED = (
    "resize bilinearly until the longer side is the input's, normalize, fill up with 0 at the bottom and on the "
    "right; of the output only the part that shows the image counts"
)
TILED = (
    "normalize at its own size, gray where there is one channel, mirror it at its borders and cut overlapping tiles; "
    "of each output the center counts"
)

#: Largest difference of two logits, as a share of the largest logit, that is rounding.
TOLERANCE = 1e-4


@dataclass(frozen=True, kw_only=True)
class ExportInfo:
    """The side file of an exported network: all that a program needs to feed it and to read its output.

    Attributes:
        model: the network's published name.
        class_names: names by class id.
        input_shape: images, channels (red, green, blue; or gray), height, width.
        output_shape: images, classes, height, width; the class of a pixel is the largest of its logits.
        image_mean: to be taken from red, green and blue (0 to 255) of every pixel.
        image_std: what the difference is then divided by.
        image_fit: how the published protocol brings an image to the input's size.
    """

    format: Literal["segtrain export"] = "segtrain export"
    format_version: int = 1
    model: str
    class_names: tuple[str, ...]
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    image_mean: Channels
    image_std: Channels
    image_fit: str
    program: dict[str, str] = field(default_factory=program_versions)


@dataclass(frozen=True, kw_only=True)
class ExportReport:
    """What `export` wrote.

    Attributes:
        path: the file.
        side_file: what says how to feed it.
        file_format: mindir, onnx or air.
        info: the content of the side file.
        bytes: size of the file.
        difference: largest difference between a logit of the file, loaded back, and of the checkpoint; None: not
            compared, since nothing here runs the format.
        largest: the largest absolute logit, to compare it with.
    """

    path: str
    side_file: str
    file_format: FileFormat
    info: ExportInfo
    bytes: int
    difference: float | None
    largest: float


def export(
    ckpt_path: Path,
    out: Path,
    *,
    file_format: FileFormat = "mindir",
    crop_size: int | None = None,
    batch_size: int = 1,
    device_target: DeviceTarget = "CPU",
    overwrite: bool = False,
) -> ExportReport:
    """Write the network of a checkpoint, weights included, as a file with an input of fixed size.

    It takes normalized images ``(N, 3, H, W)`` float32, of U-Net as many channels as it was trained on, and returns
    logits ``(N, K, H, W)``. MindIR is loaded back and compared on random input before anything is published, ONNX where
    onnxruntime is installed. AIR is for Ascend, and nothing loads it back here.

    Args:
        ckpt_path: the checkpoint, its side file beside it.
        out: the file to write; its name ends as the format is called. The side file is called the same with ``.json``
            after it.
        file_format: mindir, onnx or air.
        crop_size: height and width of the input in pixels; None: the training's.
        batch_size: images in the input.
        device_target: where the network runs.
        overwrite: replace an earlier file.

    Raises:
        OptionError: when name, format and device do not fit together.
        InvalidInputError: when the checkpoint is damaged or the input would be too small.
        TargetExistsError: when the file is there.
        SegDataError: when it is a Mask R-CNN, when MindSpore cannot write the network in this format, or what it wrote
            gives other logits.
    """
    _check_options(out, file_format, device_target)
    side_file = out.with_name(f"{out.name}.json")
    for path in (out, side_file):
        check_target_file(path, overwrite=overwrite)
    config = read_info(ckpt_path).config
    if config.mask_rcnn:
        raise SegDataError(
            f"{config.model} cannot be exported: what follows its network chooses boxes, and is no part of it"
        )
    side = EvalSettings(crop_size=crop_size or config.crop_size).crop_size
    if config.unet:
        output_size(side, config.unet.halvings, same_padding=config.same_padding)
    prepare_device(device_target, seed=config.seed)
    network, checkpoint, _ = load_network(ckpt_path)
    network.set_train(False)
    channels = config.unet.channels if config.unet else 3
    images = np.random.default_rng(config.seed).standard_normal((batch_size, channels, side, side), np.float32)
    logits = network(Tensor(images)).asnumpy()
    info = _describe(checkpoint, images, logits)

    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as folder:
        staged = Path(folder, out.name)
        _write(network, images, staged, file_format)
        difference = _compare(staged, images, logits, file_format)
        staged.chmod(file_mode())
        write_file(side_file, msgspec.json.format(msgspec.json.encode(info)) + b"\n", overwrite=overwrite)
        staged.replace(out)
    return ExportReport(
        path=str(out),
        side_file=str(side_file),
        file_format=file_format,
        info=info,
        bytes=out.stat().st_size,
        difference=difference,
        largest=float(np.abs(logits).max()),
    )


def _check_options(out: Path, file_format: FileFormat, device_target: DeviceTarget) -> None:
    if out.suffix != f".{file_format}":
        raise OptionError(f"{out}: expected a name that ends in .{file_format}, as the format is called")
    if file_format == "air" and device_target != "Ascend":
        raise OptionError(
            f"AIR is written on Ascend only, not on {device_target}; mindir and onnx are written anywhere"
        )


def _describe(
    checkpoint: CheckpointInfo, images: npt.NDArray[np.float32], logits: npt.NDArray[np.float32]
) -> ExportInfo:
    config = checkpoint.config
    return ExportInfo(
        model=config.model,
        class_names=checkpoint.class_names,
        input_shape=images.shape,
        output_shape=logits.shape,
        image_mean=config.image_mean,
        image_std=config.image_std,
        image_fit=TILED if config.unet else RESIZED,
    )


def _write(network: nn.Cell, images: npt.NDArray[np.float32], path: Path, file_format: FileFormat) -> None:
    try:
        if file_format == "onnx":
            from mindspore.onnx import export as export_onnx

            replace_layers(network)
            export_onnx(network, Tensor(images), file_name=str(path), input_names=[INPUT], output_names=[OUTPUT])
        else:
            ms.export(network, Tensor(images), file_name=str(path), file_format=file_format.upper())
    except (RuntimeError, ValueError, TypeError) as error:
        reason = str(error).strip().split("\n")[0]
        raise SegDataError(f"MindSpore cannot write this network as {file_format}: {reason}") from error
    if not path.is_file():
        raise SegDataError(f"MindSpore wrote no single file as {file_format}; is the network larger than a gigabyte?")


def _compare(
    path: Path, images: npt.NDArray[np.float32], logits: npt.NDArray[np.float32], file_format: FileFormat
) -> float | None:
    """Return the largest difference of the logits that the file at `path` gives; None: they cannot be had here.

    Raises:
        SegDataError: when it is more than rounding.
    """
    again = None if file_format == "air" else (_run_onnx if file_format == "onnx" else _run_mindir)(path, images)
    if again is None:
        return None
    difference = float(np.abs(again - logits).max())
    if not difference <= TOLERANCE * np.abs(logits).max():
        raise SegDataError(
            f"the network as MindSpore wrote it as {file_format} gives other logits than the checkpoint: they differ "
            f"by up to {difference:.3g}, and the largest is {np.abs(logits).max():.3g}; nothing was written"
        )
    return difference


def _run_mindir(path: Path, images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    network: nn.Cell = nn.GraphCell(ms.load(str(path)))
    logits: npt.NDArray[np.float32] = network(Tensor(images)).asnumpy()
    return logits


def _run_onnx(path: Path, images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32] | None:
    try:
        onnxruntime = import_module("onnxruntime")
    except ModuleNotFoundError:
        return None
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    logits: npt.NDArray[np.float32] = session.run([OUTPUT], {INPUT: images})[0]
    return logits
