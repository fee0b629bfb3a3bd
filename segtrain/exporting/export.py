"""Export of a trained network to a file for other programs: MindIR, ONNX or AIR, with a check of its logits."""

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

from segdata.arguments import FilePath, check_choice, check_number, local_path
from segdata.errors import OptionError, SegDataError
from segdata.files.ownership import check_target_file
from segdata.files.publishing import file_mode, write_file
from segdata.parallel import Progress, silent
from segdata.store.url import Location
from segtrain.checkpoints.checkpoint import load_network
from segtrain.checkpoints.info import CheckpointInfo, program_versions, read_info
from segtrain.checkpoints.reading import reading_checkpoint
from segtrain.config.config import DeviceTarget, FileFormat
from segtrain.config.networks import SemanticNetwork
from segtrain.config.values import Channels
from segtrain.distributed.device import prepare_device
from segtrain.exporting.onnx import replace_layers
from segtrain.inference.semantic.fitting import completed, fitting_of, input_form
from segtrain.inference.settings import EvalSettings

#: Names of the input and the output in an ONNX file.
INPUT, OUTPUT = "images", "logits"

#: Largest difference between two logits, as a share of the largest logit, that counts as rounding.
TOLERANCE = 1e-4


@dataclass(frozen=True, kw_only=True)
class ExportInfo:
    """Side file of an exported network: everything a program needs to feed it and to read its output.

    Attributes:
        format: what the file is.
        format_version: version of its format.
        model: the network's published name.
        class_names: names by class id.
        input_shape: images, channels (red, green, blue; or gray), height, width.
        output_shape: images, classes, height, width; a pixel's class is the one with the largest logit.
        image_mean: to be subtracted from red, green and blue (0 to 255) of every pixel.
        image_std: divisor of the difference.
        image_fit: how the published protocol fits an image to the input size.
        program: versions of the programs that wrote the file, by name.
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
    """Result of `export`.

    Attributes:
        path: exported file.
        side_file: file that describes its input and output.
        file_format: mindir, onnx or air.
        info: content of the side file.
        bytes: size of the exported file.
        difference: largest difference between the logits of the file, loaded back, and those of the checkpoint; None
            if they were not compared because nothing here runs the format.
        largest: largest absolute logit, for scale.
    """

    path: str
    side_file: str
    file_format: FileFormat
    info: ExportInfo
    bytes: int
    difference: float | None
    largest: float


def export(
    ckpt_path: Location,
    out: FilePath,
    *,
    file_format: FileFormat = "mindir",
    crop_size: int | None = None,
    batch_size: int = 1,
    device_target: DeviceTarget = "CPU",
    overwrite: bool = False,
    work_dir: FilePath | None = None,
    progress: Progress = silent,
) -> ExportReport:
    """Export the network of a checkpoint, weights included, to a file with an input of fixed size.

    The exported network takes normalized images ``(N, 3, H, W)`` float32 (a U-Net: as many channels as it was trained
    on) and returns logits ``(N, K, H, W)``. Before the file is published, MindIR is loaded back and compared on random
    input; so is ONNX if onnxruntime is installed. AIR is for Ascend and cannot be loaded back here.

    Args:
        ckpt_path: path or URL of the checkpoint, with its side file next to it.
        out: file to write; its suffix must be the format's name. The side file has the same name plus ``.json``.
        file_format: mindir, onnx or air.
        crop_size: height and width of the input in pixels; None keeps those used in training.
        batch_size: number of images in the input.
        device_target: device to run the network on.
        overwrite: replace an existing file.
        work_dir: directory for the copy of a checkpoint in a store; by default ``~/.cache/segdata``.
        progress: reports the progress of the download.

    Raises:
        OptionError: when file name, format and device do not match.
        InvalidInputError: when the checkpoint is damaged or the input would be too small.
        TargetExistsError: when the file already exists.
        SegDataError: when the network is a Mask R-CNN, when MindSpore cannot write it in this format, or when the
            exported file gives different logits.
    """
    out, work_dir = local_path(out), local_path(work_dir)
    check_choice("file_format", file_format, FileFormat)
    check_choice("device_target", device_target, DeviceTarget)
    check_number("batch_size", batch_size, 1)
    _check_options(out, file_format, device_target)
    side_file = out.with_name(f"{out.name}.json")
    for path in (out, side_file):
        check_target_file(path, overwrite=overwrite)
    with reading_checkpoint(ckpt_path, work_dir=work_dir, progress=progress) as copy:
        config = read_info(copy).config
        if not isinstance(config.model, SemanticNetwork):
            raise SegDataError(
                f"{config.model.name} cannot be exported: the selection of boxes that follows the network is not part "
                "of it; expected a semantic network"
            )
        fitting = fitting_of(completed(EvalSettings(crop_size=crop_size), config), config)
        prepare_device(device_target, seed=config.seed)
        network, checkpoint, _ = load_network(copy)
    network.set_train(False)
    images = input_form(config).empty(batch_size, fitting.side)
    np.random.default_rng(config.seed).standard_normal(dtype=np.float32, out=images)
    logits = network(Tensor(images)).asnumpy()
    info = _describe(checkpoint, images, logits, fitting.description)

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
        raise OptionError(
            f"{out}: does not match --format {file_format}; expected a name that ends in .{file_format}. Rename it, or "
            "choose another --format."
        )
    if file_format == "air" and device_target != "Ascend":
        raise OptionError(
            f"AIR can only be written on Ascend, not on {device_target}. Choose mindir or onnx, which work on every "
            "device."
        )


def _describe(
    checkpoint: CheckpointInfo, images: npt.NDArray[np.float32], logits: npt.NDArray[np.float32], image_fit: str
) -> ExportInfo:
    config = checkpoint.config
    return ExportInfo(
        model=config.model.name,
        class_names=checkpoint.class_names,
        input_shape=images.shape,
        output_shape=logits.shape,
        image_mean=config.image_mean,
        image_std=config.image_std,
        image_fit=image_fit,
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
        raise SegDataError(
            f"MindSpore did not write {file_format} as a single file. Check whether the network exceeds 1 GB."
        )


def _compare(
    path: Path, images: npt.NDArray[np.float32], logits: npt.NDArray[np.float32], file_format: FileFormat
) -> float | None:
    """Return the largest difference between `logits` and those of the file at `path`; None if nothing here runs it.

    Raises:
        SegDataError: when the difference exceeds rounding.
    """
    again = None if file_format == "air" else (_run_onnx if file_format == "onnx" else _run_mindir)(path, images)
    if again is None:
        return None
    difference = float(np.abs(again - logits).max())
    if not difference <= TOLERANCE * np.abs(logits).max():
        raise SegDataError(
            f"the {file_format} file that MindSpore wrote gives different logits than the checkpoint: they differ by "
            f"up to {difference:.3g}, and the largest is {np.abs(logits).max():.3g}; nothing was written"
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
