"""Training, evaluation and prediction on the URLs of a real S3 server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import Result
from json_reports import checked
from s3_server import READER, WRITER, Server, forget_connections, names, put, s3_server, use

import segtrain as segtrain_functions
from segdata.errors import InvalidInputError, SegDataError, TargetExistsError
from segdata.files.ownership import RESULT_MARKER
from segdata.records.convert import RECORD_SET
from segdata.store.publishing import UPLOAD, publish
from segdata.store.transfer import fetched, objects, remove, upload
from segdata.store.url import Url, local_place
from segtrain.checkpoints.reading import reading_checkpoint
from segtrain.config.config import Config
from segtrain.config.recipes import override, write_config
from segtrain.remote import programs
from segtrain.training.events import Event, Started, StepDone
from segtrain.training.fit import TrainingInterrupted
from segtrain.training.own_files import OWN_FILES
from segtrain.training.train_dir import TRAINING

if TYPE_CHECKING:
    from tests.segtrain.conftest import Miniature, Trained

Run = Callable[..., Result]

BUCKET = Url("s3", "bucket", "")
TRAIN, VAL = BUCKET / "records/train", BUCKET / "records/val"
FIT = ("fit", "--recipe", "unet_isbi_cpu", "--train_url", "{run}")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, miniature: Miniature) -> Iterator[Server]:
    """A server that this process finds, with the two record sets of the miniature."""
    with s3_server(tmp_path_factory.mktemp("s3")) as running, pytest.MonkeyPatch.context() as patch:
        use(running, patch)
        publish(miniature.train, TRAIN, RECORD_SET)
        publish(miniature.val, VAL, RECORD_SET)
        yield running
    forget_connections()


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("SEGDATA_WORK_DIR", str(tmp_path / "work"))
    return tmp_path / "work"


@pytest.fixture
def run(server: Server, tmp_path: Path) -> Url:
    """Return a URL without a training."""
    return BUCKET / tmp_path.name / "run"


@pytest.fixture
def sign_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[tuple[str, str]], None]]:
    """Return a function that makes this process another user of the server."""

    def change(user: tuple[str, str]) -> None:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", user[0])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", user[1])
        forget_connections()

    yield change
    forget_connections()


def files_below(directory: Path) -> list[str]:
    return sorted(path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file())


def steps(url: Url) -> list[int]:
    """Return the steps that the metrics at `url` name."""
    sizes = {name: size for name, size in objects(url) if name == "metrics.jsonl"}
    with fetched(url, sizes) as copy:
        lines = [json.loads(line) for line in (copy / "metrics.jsonl").read_text().splitlines()]
    return [line["step"] for line in lines if "loss" in line]


def interrupt_after(step: int) -> Callable[[Event], None]:
    def observe(event: Event) -> None:
        if isinstance(event, StepDone) and event.step == step:
            os.kill(os.getpid(), signal.SIGTERM)

    return observe


def test_an_interrupted_training_is_copied_out_and_resumes_from_the_store(
    segtrain: Run, quick: Config, quick_run: Trained, run: Url, work: Path, sign_in: Callable[[tuple[str, str]], None]
) -> None:
    upload(quick_run.directory, ["best.ckpt", "best.json"], run.parent / "checkpoint")
    config = override(quick, {"ckpt_pre_trained": f"{run.parent}/checkpoint/"})
    with pytest.raises(TrainingInterrupted, match=rf"^Stopped after step 3 of 6; {run}/last\.ckpt is complete\.$"):
        programs.fit(config, TRAIN, run, observe=interrupt_after(3), work_dir=work)
    numbered = ["unet_simple-1_2.ckpt", "unet_simple-1_2.json"]
    assert names(run) == [OWN_FILES, "config.yaml", "last.ckpt", "last.json", "metrics.jsonl", *numbered]
    assert steps(run) == [1, 2, 3]
    assert not local_place(run, work).exists()

    # Whoever may not write loses nothing: the results wait here, and are uploaded when the training resumes.
    sign_in(READER)
    again = ("fit", "--data_url", TRAIN, "--train_url", f"{run}/", "--eval_data_file", f"{VAL}/val.mindrecord1")
    denied = segtrain(*again, "--resume")
    assert (denied.exit_code, "resuming after step 3 of 6" in denied.stderr) == (1, True), denied.stderr
    left = local_place(run, work)
    assert "access denied (AccessDenied). Check the credentials" in denied.stderr
    assert f"The results are in {left}." in denied.stderr
    assert steps(run) == [1, 2, 3]
    taken = segtrain(*again, "--recipe", "unet_isbi_cpu")
    assert (taken.exit_code, f"not uploaded, in {left}. Continue it" in taken.stderr) == (1, True), taken.stderr

    sign_in(WRITER)
    done = segtrain(*again, "--resume", "--json")
    assert (done.exit_code, "resuming after step 6 of 6" in done.stderr) == (0, True), done.stderr
    assert checked(done.stdout, "segtrain fit")["path"] == str(run)
    assert steps(run) == [1, 2, 3, 4, 5, 6]
    kept = [name for name in names(run) if name.startswith("unet")]
    assert kept == [f"unet_simple-{end}" for end in ("2_2.ckpt", "2_2.json", "3_2.ckpt", "3_2.json")]
    assert not left.exists()
    taken = segtrain(*again, "--recipe", "unet_isbi_cpu")
    assert (taken.exit_code, f"{run}: already contains a training run" in taken.stderr) == (1, True), taken.stderr


def test_a_checkpoint_is_evaluated_and_used_straight_from_the_store(
    segtrain: Run, miniature: Miniature, quick_run: Trained, run: Url, work: Path, tmp_path: Path
) -> None:
    upload(quick_run.directory, ["best.ckpt", "best.json"], run)
    evaluated = segtrain("eval", "--data_url", VAL, "--checkpoint_url", run, "--json")
    assert evaluated.exit_code == 0, evaluated.output
    report = checked(evaluated.stdout, "segtrain eval")
    assert (report["data"], report["path"], report["samples"]) == (str(VAL), str(run / "best.ckpt"), 5)
    assert report["scores"]["mean_iou"] == pytest.approx(quick_run.report.best_score)

    exported = segtrain("export", "--checkpoint_url", run, "--out", tmp_path / "net.mindir")
    assert (exported.exit_code, (tmp_path / "net.mindir").is_file()) == (0, True), exported.output
    with pytest.raises(InvalidInputError, match=f"{run}/none: no such checkpoint"):
        segtrain_functions.export(f"{run}/none", tmp_path / "other.mindir", work_dir=work)

    images = miniature.root / "VOCdevkit" / "VOC2012" / "JPEGImages"
    upload(images, files_below(images), run / "images")
    for source, checkpoint, out in (
        (images, quick_run.directory / "best.ckpt", tmp_path / "out"),
        (run / "images", run / "best.ckpt", run / "out"),
    ):
        predicted = segtrain("predict", "--images", source, "--ckpt_path", checkpoint, "--out", out)
        assert (predicted.exit_code, f"15 images segmented into {out};" in predicted.stdout) == (0, True)
    assert names(run / "out") == files_below(tmp_path / "out")
    with fetched(run / "out", dict(objects(run / "out"))) as copy:
        for name in files_below(copy):
            assert (copy / name).read_bytes() == (tmp_path / "out" / name).read_bytes()


def test_a_record_set_in_the_store_is_segmented_like_a_local_one(
    segtrain: Run, miniature: Miniature, quick_run: Trained, run: Url, work: Path, tmp_path: Path
) -> None:
    predict = ("predict", "--ckpt_path", quick_run.directory / "best.ckpt")
    for source, out in (
        (miniature.val, tmp_path / "local"),
        (VAL, tmp_path / "set"),
        (VAL / "manifest.json", tmp_path / "manifest"),
        (VAL / "val.mindrecord1", tmp_path / "shard"),
    ):
        result = segtrain(*predict, "--images", source, "--out", out)
        assert (result.exit_code, f"5 images segmented into {out};" in result.stdout) == (0, True), result.output
        written = {name: (out / name).read_bytes() for name in files_below(out)}
        if out == tmp_path / "local":
            expected = written
        assert written == expected
    # Only one copy, which an evaluation uses, too.
    (copy,) = (path for path in (work / "records").iterdir() if path.is_dir())
    assert copy.name.startswith("val-")

    put(run, "x.mindrecord", b"another program's")
    result = segtrain(*predict, "--images", run, "--out", tmp_path / "none")
    assert (result.exit_code, f"{run}: no record set" in result.stderr) == (1, True), result.stderr


def fail_at_the_start(event: Event) -> None:
    if isinstance(event, Started):
        raise SegDataError("the observer has seen enough")


def test_what_there_is_of_a_failed_training_is_copied_out(quick: Config, run: Url, work: Path) -> None:
    with pytest.raises(SegDataError, match="seen enough"):
        programs.fit(quick, TRAIN, run, observe=fail_at_the_start, work_dir=work)
    assert names(run) == [OWN_FILES, "config.yaml"]
    assert not local_place(run, work).exists()


def test_a_training_that_cannot_begin_leaves_the_store_as_it_is(
    quick: Config, quick_run: Trained, run: Url, work: Path
) -> None:
    publish(quick_run.directory, run, TRAINING)
    remove(run, ["last.ckpt"])
    before = sorted(objects(run))
    with pytest.raises(InvalidInputError, match="num_classes = 7"):
        programs.fit(override(quick, {"num_classes": 7}), TRAIN, run, overwrite=True, work_dir=work)
    with pytest.raises(InvalidInputError, match=rf"{run}: contains no last.ckpt to resume from"):
        programs.fit(quick, TRAIN, run, resume=True, work_dir=work)
    assert sorted(objects(run)) == before
    assert not local_place(run, work).exists()


def test_results_that_wait_here_do_not_replace_newer_ones_in_the_store(
    quick: Config, quick_run: Trained, run: Url, work: Path
) -> None:
    publish(quick_run.directory, run, TRAINING)
    left = local_place(run, work)
    left.mkdir(parents=True)
    (left / "config.yaml").write_bytes((quick_run.directory / "config.yaml").read_bytes())
    (left / ".store.json").write_text("{}")
    message = rf"{left}: contains a training run that was not uploaded, but {run} has changed"
    with pytest.raises(SegDataError, match=message):
        programs.fit(quick, TRAIN, run, resume=True, work_dir=work)
    assert (left / "config.yaml").exists()


def test_a_folder_names_its_only_checkpoint(quick_run: Trained, run: Url, work: Path) -> None:
    upload(quick_run.directory, ["best.ckpt", "best.json"], run)
    with reading_checkpoint(run, work_dir=work) as local:
        assert local.read_bytes() == (quick_run.directory / "best.ckpt").read_bytes()
        assert local.with_name("best.json").read_bytes() == (quick_run.directory / "best.json").read_bytes()
    upload(quick_run.directory, ["last.ckpt"], run)
    with pytest.raises(
        InvalidInputError, match=r"contains 2 checkpoints; expected one. Name one of them:\n  best.ckpt\n  last.ckpt"
    ):
        reading_checkpoint(run, work_dir=work)


def test_predictions_replace_only_predictions(
    segtrain: Run, miniature: Miniature, quick_run: Trained, run: Url, work: Path, tmp_path: Path
) -> None:
    image = next((miniature.root / "VOCdevkit" / "VOC2012" / "JPEGImages").iterdir())
    upload(image.parent, [image.name], run)
    predict = ("predict", "--ckpt_path", quick_run.directory / "best.ckpt", "--images", run / image.name)
    out = run.parent / "out"
    assert segtrain(*predict, "--out", out).exit_code == 0
    result = segtrain(*predict, "--out", out)
    assert (result.exit_code, f"{out}: already exists (--overwrite" in result.stderr) == (1, True), result.stderr
    assert segtrain(*predict, "--out", out, "--overwrite").exit_code == 0
    pictures = [f"{kind}/{image.stem}.png" for kind in ("index", "overlay", "palette")]
    assert names(out) == sorted([RESULT_MARKER, "classes.txt", "legend.png", *pictures])
    put(out, "notes.txt")
    result = segtrain(*predict, "--out", out, "--overwrite")
    assert (result.exit_code, "would delete:\n  notes.txt" in result.stderr) == (1, True), result.stderr
    remove(out, ["notes.txt", RESULT_MARKER])
    result = segtrain(*predict, "--out", out, "--overwrite")
    assert (result.exit_code, "would delete:\n  classes.txt" in result.stderr) == (1, True), result.stderr


def test_an_image_in_the_store_that_cannot_be_read_is_named(
    segtrain: Run, quick_run: Trained, run: Url, work: Path, tmp_path: Path
) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"no image")
    upload(tmp_path, ["broken.jpg"], run)
    result = segtrain(
        "predict", "--ckpt_path", quick_run.directory / "best.ckpt", "--images", run, "--out", tmp_path / "out"
    )
    assert (result.exit_code, "\n  broken.jpg: not a readable image" in result.stderr) == (1, True), result.stderr


def test_several_processes_are_refused(
    segtrain: Run, quick_run: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MS_ROLE", "MS_WORKER")
    line = ["predict", "--ckpt_path", quick_run.directory / "best.ckpt", "--images", tmp_path, "--out"]
    result = segtrain(*line, tmp_path / "out")
    assert (result.exit_code, (tmp_path / "out").exists()) == (1, False)
    assert "predict runs in one process, but was started in several. Start it without msrun." in result.stderr


@pytest.mark.parametrize(
    ("images", "out"), [("photos", "photos/out"), ("photos", "photos"), ("s3://bucket/in", "s3://bucket/in/sub/out")]
)
def test_results_are_not_written_where_they_would_be_found_as_images(
    segtrain: Run, quick_run: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, images: str, out: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "1.png").write_bytes(b"")
    line = ["predict", "--ckpt_path", quick_run.directory / "best.ckpt", "--images", images, "--out", out]
    result = segtrain(*line, "--recursive")
    assert result.exit_code == 1
    assert f"{out}: is in {images}, where --recursive would find its results as images" in result.stderr
    assert [path.name for path in tmp_path.rglob("*")] == ["photos", "1.png"]


def test_a_prefix_without_images_is_named_by_its_url(
    segtrain: Run, quick_run: Trained, run: Url, work: Path, tmp_path: Path
) -> None:
    put(run, "notes.txt")
    result = segtrain(
        "predict", "--ckpt_path", quick_run.directory / "best.ckpt", "--images", run, "--out", tmp_path / "out"
    )
    assert (result.exit_code, f"{run}: contains no images; expected files" in result.stderr) == (1, True), result.stderr


KILLED = """
import os, signal, sys
from contextlib import contextmanager
from pathlib import Path
from segdata.store.url import parse_location
from segtrain.config.recipes import read_config
from segtrain.remote import programs

uploads = 0

@contextmanager
def kill(total, label):
    global uploads
    uploads += label.startswith("upload")
    if uploads == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    yield lambda count: None

target, source, other, work = (parse_location(text) for text in sys.argv[2:])
if sys.argv[1] == "fit":
    programs.fit(read_config(other), source, target, work_dir=work, progress=kill)
else:
    programs.predict(source, other, target, work_dir=work, progress=kill)
"""


def killed(*args: object) -> None:
    """Run a program that is killed when its second group of files is about to be uploaded."""
    done = subprocess.run([sys.executable, "-c", KILLED, *map(str, args)], capture_output=True, text=True)
    assert done.returncode == -9, done.stderr


def test_killed_uploads_of_predictions_are_completed_by_running_again(
    segtrain: Run, miniature: Miniature, quick_run: Trained, run: Url, work: Path
) -> None:
    images = miniature.root / "VOCdevkit" / "VOC2012" / "JPEGImages"
    killed("predict", run, images, quick_run.directory / "best.ckpt", work)
    assert (UPLOAD in names(run), RESULT_MARKER in names(run)) == (True, False)
    again = segtrain("predict", "--images", images, "--ckpt_path", quick_run.directory / "best.ckpt", "--out", run)
    assert again.exit_code == 0, again.stderr
    stems = sorted(path.stem for path in images.iterdir())
    pictures = [f"{kind}/{stem}.png" for kind in ("index", "overlay", "palette") for stem in stems]
    assert names(run) == sorted([RESULT_MARKER, "classes.txt", "legend.png", *pictures])
    assert not local_place(run, work).exists()


def test_a_killed_upload_of_a_training_is_completed_by_resuming(
    segtrain: Run, quick: Config, run: Url, work: Path, tmp_path: Path
) -> None:
    (tmp_path / "settings.yaml").write_text(write_config(quick))
    killed("fit", run, TRAIN, tmp_path / "settings.yaml", work)
    assert UPLOAD in names(run)
    assert not [name for name in names(run) if name.endswith(".ckpt")]
    elsewhere = segtrain("fit", "--resume", "--recipe", "unet_isbi_cpu", "--data_url", TRAIN, "--train_url", run,
                         "--work_dir", tmp_path / "other")  # fmt: skip
    assert (elsewhere.exit_code, "in progress or was interrupted" in elsewhere.stderr) == (1, True), elsewhere.stderr
    again = segtrain("fit", "--resume", "--data_url", TRAIN, "--train_url", run)
    assert again.exit_code == 0, again.stderr
    assert steps(run) == [1, 2, 3, 4, 5, 6]
    assert {"config.yaml", "last.ckpt", "last.json", "metrics.jsonl"} < {*names(run)}
    assert UPLOAD not in names(run)
    assert not local_place(run, work).exists()


def test_objects_beside_a_training_are_left_alone(quick: Config, run: Url, work: Path) -> None:
    put(run, "notes.txt", b"mine")
    programs.fit(quick, TRAIN, run, observe=lambda _event: None, work_dir=work)
    programs.fit(override(quick, {"train_epochs": 1}), TRAIN, run, overwrite=True, work_dir=work)
    assert steps(run) == [1, 2]
    assert "notes.txt" in names(run)


def test_a_checkpoint_that_no_training_wrote_is_not_replaced(quick: Config, run: Url, work: Path) -> None:
    put(run, "best.ckpt", b"mine")
    with pytest.raises(TargetExistsError, match=r"would delete:\n  best\.ckpt"):
        programs.fit(quick, TRAIN, run, overwrite=True, work_dir=work)
    assert names(run) == ["best.ckpt"]


@pytest.mark.parametrize(
    ("args", "status", "words"),
    [
        ([*FIT, "--data_url", "{run}"], 1, "{run}: no record set"),
        ([*FIT, "--data_url", "{train}", "--checkpoint_url", "{run}/x.ckpt"], 1, "{run}/x.ckpt: no such checkpoint"),
        ([*FIT, "--data_url", "{train}", "--checkpoint_url", "nowhere.ckpt"], 2, "does not exist"),
        ([*FIT, "--data_url", "ftp://host/set"], 2, "expected a path, s3://BUCKET/… or obs://BUCKET/…"),
        (["fit", "--resume", "--data_url", "{train}", "--train_url", "{run}"], 2, "{run}/config.yaml: no such object"),
        (["eval", "--data_url", "{run}", "--checkpoint_url", "{best}"], 1, "{run}: no record set"),
        (["eval", "--data_url", "{train}", "--checkpoint_url", "{run}"], 1, "{run}: no such checkpoint"),
        (["predict", "--images", "{run}", "--ckpt_path", "{best}", "--out", "out"], 1, "{run}: no such object"),
    ],
)  # fmt: skip
def test_bad_urls_end_with_a_sentence_and_a_status(
    segtrain: Run, quick_run: Trained, run: Url, work: Path, args: list[str], status: int, words: str
) -> None:
    places = {"run": run, "train": TRAIN, "best": quick_run.directory / "best.ckpt"}
    result = segtrain(*(arg.format(**places) for arg in args))
    assert isinstance(result.exception, SystemExit), result.output
    assert (result.exit_code, words.format(**places) in result.stderr) == (status, True), result.stderr
    assert names(run) == []
    assert not local_place(run, work).exists()
