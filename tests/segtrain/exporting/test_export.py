from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import mindspore as ms
import numpy as np
import pytest
from click.testing import Result
from json_reports import checked
from mindspore import Tensor, nn

from segdata.errors import InvalidInputError, OptionError, SegDataError, TargetExistsError
from segtrain.checkpoints.checkpoint import load_network
from segtrain.cli.export import _text as export_text
from segtrain.config.config import FileFormat
from segtrain.exporting import export as exporting
from segtrain.exporting.export import ExportInfo, ExportReport, export

if TYPE_CHECKING:
    from tests.segtrain.conftest import Trained

needs_onnxruntime = pytest.mark.skipif(
    importlib.util.find_spec("onnxruntime") is None, reason="onnxruntime is not installed"
)


def _images(*shape: int) -> np.ndarray:
    return np.random.default_rng(7).standard_normal(shape).astype(np.float32)


def _logits(trained: Trained, images: np.ndarray) -> np.ndarray:
    network, _, _ = load_network(trained.directory / "best.ckpt")
    network.set_train(False)
    return network(Tensor(images)).asnumpy()


def _weights(checkpoint: Path) -> int:
    """Return the bytes of all numbers of a network."""
    network, _, _ = load_network(checkpoint)
    return sum(each.nbytes for each in network.get_parameters())


def test_mindir_that_is_loaded_back_gives_the_logits_of_the_checkpoint(trained: Trained, tmp_path: Path) -> None:
    report = export(trained.directory / "best.ckpt", tmp_path / "net.mindir", batch_size=2, crop_size=49)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.mindir", "net.mindir.json"]
    assert Path(report.path).stat().st_mode & 0o200
    assert report.difference is not None
    assert report.difference <= 1e-4 * report.largest

    images = _images(2, 3, 49, 49)
    loaded = nn.GraphCell(ms.load(report.path))(Tensor(images)).asnumpy()
    np.testing.assert_allclose(loaded, _logits(trained, images), atol=1e-4)

    side = json.loads(Path(report.side_file).read_text())
    assert (side["input_shape"], side["output_shape"]) == ([2, 3, 49, 49], [2, 4, 49, 49])
    assert side["class_names"] == ["background", "aeroplane", "bicycle", "bird"]
    assert (side["image_mean"], side["image_std"]) == ([123.675, 116.28, 103.53], [58.395, 57.12, 57.375])


@needs_onnxruntime
def test_onnx_gives_the_logits_of_the_checkpoint_in_onnxruntime(trained: Trained, tmp_path: Path) -> None:
    import onnxruntime

    # An even size, for which the padding of pooling differs between sides.
    report = export(trained.directory / "best.ckpt", tmp_path / "net.onnx", file_format="onnx", crop_size=50)
    assert report.difference is not None
    images = _images(1, 3, 50, 50)
    session = onnxruntime.InferenceSession(report.path, providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(session.run(["logits"], {"images": images})[0], _logits(trained, images), atol=1e-4)


def test_onnx_without_onnxruntime_is_written_and_said_not_to_be_compared(
    segtrain: Callable[..., Result], quick_run: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(exporting, "import_module", missing)
    checkpoint = quick_run.directory / "best.ckpt"
    result = segtrain("export", "--ckpt_path", checkpoint, "--format", "onnx", "--out", tmp_path / "net.onnx")
    assert result.exit_code == 0, result.output
    compared = "logits not compared: this needs onnxruntime, which is not installed"
    assert f"images 1 x 3 x 66 x 66, logits 1 x 4 x 66 x 66; {compared}" in result.stdout
    assert (tmp_path / "net.onnx").stat().st_size > _weights(checkpoint)


@pytest.mark.parametrize(
    ("file_format", "difference", "words"),
    [
        ("mindir", 1e-6, "when loaded back, logits differ by at most 1e-06 (the largest is 3)"),
        ("onnx", 1e-6, "when loaded back, logits differ by at most 1e-06 (the largest is 3)"),
        ("onnx", None, "logits not compared: this needs onnxruntime, which is not installed"),
        ("air", None, "logits not compared: AIR cannot be loaded back"),
    ],
)
def test_every_format_has_a_text(file_format: FileFormat, difference: float | None, words: str) -> None:
    three = (1.0, 1.0, 1.0)
    info = ExportInfo(
        model="unet", class_names=("a", "b"), input_shape=(1, 3, 66, 66), output_shape=(1, 2, 66, 66),
        image_mean=three, image_std=three, image_fit="tiles",
    )  # fmt: skip
    report = ExportReport(
        path="net", side_file="net.json", file_format=file_format, info=info, bytes=10, difference=difference, largest=3
    )
    assert export_text(report).endswith(f"images 1 x 3 x 66 x 66, logits 1 x 2 x 66 x 66; {words}")


def test_a_file_that_gives_other_logits_is_not_published(
    quick_run: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "_run_mindir", lambda _path, images: np.zeros((1, 4, *images.shape[2:])))
    with pytest.raises(SegDataError, match="gives different logits than the checkpoint"):
        export(quick_run.directory / "best.ckpt", tmp_path / "net.mindir")
    assert list(tmp_path.iterdir()) == []


def test_what_mindspore_cannot_write_is_a_sentence(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Its exporter does not support the network's own pooling and resizing.
    monkeypatch.setattr(exporting, "replace_layers", lambda _network: None)
    with pytest.raises(SegDataError, match=r"MindSpore cannot write this network as onnx: .*not"):
        export(trained.directory / "best.ckpt", tmp_path / "net.onnx", file_format="onnx")
    assert list(tmp_path.iterdir()) == []


def test_the_command_reports_as_json_and_replaces_what_it_is_told_to(
    segtrain: Callable[..., Result], quick_run: Trained, tmp_path: Path
) -> None:
    out = tmp_path / "net.mindir"
    out.touch()
    checkpoint = quick_run.directory / "best.ckpt"
    result = segtrain("export", "--ckpt-path", checkpoint, "--out", out, "--overwrite", "--json")
    assert result.exit_code == 0, result.output
    report = checked(result.stdout, "segtrain export")
    assert report["info"]["input_shape"] == [1, 3, 66, 66]
    assert report["bytes"] == out.stat().st_size > _weights(checkpoint)


def test_files_in_the_way_are_kept(trained: Trained, tmp_path: Path) -> None:
    (tmp_path / "net.mindir.json").write_text("mine")
    with pytest.raises(TargetExistsError, match=r"net\.mindir\.json: already exists"):
        export(trained.directory / "best.ckpt", tmp_path / "net.mindir")
    assert [path.name for path in tmp_path.iterdir()] == ["net.mindir.json"]


def test_name_format_and_device_must_fit_together(trained: Trained, tmp_path: Path) -> None:
    checkpoint = trained.directory / "best.ckpt"
    with pytest.raises(
        OptionError, match=r"net\.mindir: does not match --format onnx; expected a name that ends in \.onnx"
    ):
        export(checkpoint, tmp_path / "net.mindir", file_format="onnx")
    with pytest.raises(OptionError, match="AIR can only be written on Ascend, not on CPU"):
        export(checkpoint, tmp_path / "net.air", file_format="air")
    with pytest.raises(InvalidInputError, match="expected inputs of at least 33 pixels"):
        export(checkpoint, tmp_path / "net.mindir", crop_size=20)


@pytest.mark.parametrize(
    ("args", "status", "words"),
    [
        (["--ckpt_path", "/nowhere.ckpt", "--out", "{out}.mindir"], 2, "'/nowhere.ckpt' does not exist"),
        (["--ckpt_path", "{ckpt}", "--out", "{out}.air", "--format", "air"], 1, "AIR can only be written on Ascend"),
        (["--ckpt_path", "{ckpt}", "--out", "{out}.onnx"], 1, "expected a name that ends in .mindir"),
        (["--ckpt_path", "{ckpt}", "--out", "{out}.tflite", "--format", "tflite"], 2, "'tflite' is not one of"),
        (["--ckpt_path", "{ckpt}"], 2, "--out"),
    ],
)
def test_bad_calls_end_with_a_sentence_and_a_status(
    segtrain: Callable[..., Result], trained: Trained, tmp_path: Path, args: list[str], status: int, words: str
) -> None:
    places = {"ckpt": trained.directory / "best.ckpt", "out": tmp_path / "net"}
    result = segtrain("export", *(arg.format(**places) for arg in args))
    assert result.exit_code == status, result.output
    assert words in result.stderr
    assert list(tmp_path.iterdir()) == []
