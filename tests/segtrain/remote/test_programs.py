"""Training, evaluation and prediction on the URLs of a real S3 server."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import Result
from s3_server import READER, WRITER, Server, forget_connections, s3_server, use

from segdata.errors import InvalidInputError, SegDataError
from segdata.records.publish import publish
from segdata.store.transfer import fetched, files_below, objects, remove, upload
from segdata.store.url import Url, local_place
from segtrain.config.config import Config
from segtrain.config.recipes import override
from segtrain.remote import programs
from segtrain.training.events import Event, Started, StepDone
from segtrain.training.fit import TrainingInterrupted

if TYPE_CHECKING:
    from tests.segtrain.conftest import Miniature, Trained

Run = Callable[..., Result]

BUCKET = Url("s3", "bucket", "")
TRAIN, VAL = BUCKET / "records/train", BUCKET / "records/val"
FIT = ("fit", "--recipe", "deeplabv3plus_cpu", "--train_url", "{run}")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, miniature: Miniature) -> Iterator[Server]:
    """A server that this process finds, with the two record sets of the miniature."""
    with s3_server(tmp_path_factory.mktemp("s3")) as running, pytest.MonkeyPatch.context() as patch:
        use(running, patch)
        publish(miniature.train, TRAIN)
        publish(miniature.val, VAL)
        yield running
    forget_connections()


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("SEGDATA_WORK_DIR", str(tmp_path / "work"))
    return tmp_path / "work"


@pytest.fixture
def run(server: Server, tmp_path: Path) -> Url:
    """Where no training lies yet."""
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


def names(url: Url) -> list[str]:
    return sorted(name for name, _ in objects(url))


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


def test_an_interrupted_training_is_copied_out_and_goes_on_from_the_store(
    segtrain: Run, small: Config, trained: Trained, run: Url, work: Path, sign_in: Callable[[tuple[str, str]], None]
) -> None:
    upload(trained.directory, ["best.ckpt", "best.json"], run.parent / "checkpoint")
    config = override(small, {"ckpt_pre_trained": f"{run.parent}/checkpoint/"})
    with pytest.raises(TrainingInterrupted, match=rf"^Stopped after step 3 of 6; {run}/last\.ckpt is complete\.$"):
        programs.fit(config, TRAIN, run, observe=interrupt_after(3), work_dir=work)
    numbered = ["DeepLabV3plus_s16-1_2.ckpt", "DeepLabV3plus_s16-1_2.json"]
    assert names(run) == [*numbered, "config.yaml", "last.ckpt", "last.json", "metrics.jsonl"]
    assert steps(run) == [1, 2, 3]
    assert not local_place(run, work).exists()

    # Whoever may not write loses nothing: the results wait here, and go out when the training goes on.
    sign_in(READER)
    again = ("fit", "--data_url", TRAIN, "--train_url", f"{run}/", "--eval_data_file", f"{VAL}/val.mindrecord1")
    denied = segtrain(*again, "--resume")
    assert (denied.exit_code, "resuming after step 3 of 6" in denied.stderr) == (1, True), denied.stderr
    left = local_place(run, work)
    assert "access denied (AccessDenied). Check the credentials" in denied.stderr
    assert f"The results are in {left}." in denied.stderr
    assert steps(run) == [1, 2, 3]
    taken = segtrain(*again, "--recipe", "deeplabv3plus_cpu")
    assert (taken.exit_code, f"not uploaded, in {left}. Resume it" in taken.stderr) == (1, True), taken.stderr

    sign_in(WRITER)
    done = segtrain(*again, "--resume", "--json")
    assert (done.exit_code, "resuming after step 6 of 6" in done.stderr) == (0, True), done.stderr
    assert json.loads(done.stdout)["train_dir"] == str(run)
    assert steps(run) == [1, 2, 3, 4, 5, 6]
    kept = [name for name in names(run) if name.startswith("DeepLab")]
    assert kept == [f"DeepLabV3plus_s16-{end}" for end in ("2_2.ckpt", "2_2.json", "3_2.ckpt", "3_2.json")]
    assert not left.exists()
    taken = segtrain(*again, "--recipe", "deeplabv3plus_cpu")
    assert (taken.exit_code, f"{run} already holds a training run" in taken.stderr) == (1, True), taken.stderr


def test_a_checkpoint_is_evaluated_and_used_straight_from_the_store(
    segtrain: Run, miniature: Miniature, trained: Trained, run: Url, work: Path, tmp_path: Path
) -> None:
    upload(trained.directory, ["best.ckpt", "best.json"], run)
    evaluated = segtrain("eval", "--data_url", VAL, "--checkpoint_url", run, "--json")
    assert evaluated.exit_code == 0, evaluated.output
    report = json.loads(evaluated.stdout)
    assert (report["data"], report["checkpoint"], report["rows"]) == (str(VAL), str(run), 5)
    assert report["scores"]["mean_iou"] == pytest.approx(trained.report.best_score)

    images = miniature.root / "VOCdevkit" / "VOC2012" / "JPEGImages"
    upload(images, files_below(images), run / "images")
    for source, checkpoint, out in (
        (images, trained.directory / "best.ckpt", tmp_path / "out"),
        (run / "images", run / "best.ckpt", run / "out"),
    ):
        predicted = segtrain("predict", "--images", source, "--ckpt_path", checkpoint, "--out", out)
        assert (predicted.exit_code, f"15 images segmented into {out};" in predicted.stdout) == (0, True)
    assert names(run / "out") == files_below(tmp_path / "out")
    with fetched(run / "out", dict(objects(run / "out"))) as copy:
        for name in files_below(copy):
            assert (copy / name).read_bytes() == (tmp_path / "out" / name).read_bytes()


def fail_at_the_start(event: Event) -> None:
    if isinstance(event, Started):
        raise SegDataError("the observer has seen enough")


def test_what_there_is_of_a_failed_training_is_copied_out(small: Config, run: Url, work: Path) -> None:
    with pytest.raises(SegDataError, match="seen enough"):
        programs.fit(small, TRAIN, run, observe=fail_at_the_start, work_dir=work)
    assert names(run) == ["config.yaml"]
    assert not local_place(run, work).exists()


def test_a_training_that_cannot_begin_leaves_the_store_as_it_is(
    small: Config, trained: Trained, run: Url, work: Path
) -> None:
    upload(trained.directory, ["config.yaml", "metrics.jsonl"], run)
    before = sorted(objects(run))
    with pytest.raises(InvalidInputError, match="num_classes = 7"):
        programs.fit(override(small, {"num_classes": 7}), TRAIN, run, overwrite=True, work_dir=work)
    with pytest.raises(InvalidInputError, match=rf"{run}: no last.ckpt to resume from"):
        programs.fit(small, TRAIN, run, resume=True, work_dir=work)
    assert sorted(objects(run)) == before
    assert not local_place(run, work).exists()


def test_results_that_wait_here_do_not_replace_newer_ones_in_the_store(
    small: Config, trained: Trained, run: Url, work: Path
) -> None:
    upload(trained.directory, ["config.yaml"], run)
    left = local_place(run, work)
    left.mkdir(parents=True)
    (left / "config.yaml").write_bytes((trained.directory / "config.yaml").read_bytes())
    (left / ".store.json").write_text("{}")
    message = rf"{left} holds a training run that was not uploaded, but {run} has changed"
    with pytest.raises(SegDataError, match=message):
        programs.fit(small, TRAIN, run, resume=True, work_dir=work)
    assert (left / "config.yaml").exists()


def test_a_folder_names_its_only_checkpoint(trained: Trained, run: Url, work: Path) -> None:
    upload(trained.directory, ["best.ckpt", "best.json"], run)
    local = programs.local_checkpoint(run, work_dir=work)
    assert local.read_bytes() == (trained.directory / "best.ckpt").read_bytes()
    assert local.with_name("best.json").read_bytes() == (trained.directory / "best.json").read_bytes()
    upload(trained.directory, ["last.ckpt"], run)
    with pytest.raises(
        InvalidInputError, match=r"contains 2 checkpoints; expected one. Name one of them:\n  best.ckpt\n  last.ckpt"
    ):
        programs.local_checkpoint(run, work_dir=work)
    # The side file of an earlier copy is not taken for that of a checkpoint that has none any more.
    remove(run, ["best.json"])
    assert not programs.local_checkpoint(run / "best.ckpt", work_dir=work).with_name("best.json").exists()


def test_predictions_replace_only_predictions(
    segtrain: Run, miniature: Miniature, trained: Trained, run: Url, work: Path, tmp_path: Path
) -> None:
    image = next((miniature.root / "VOCdevkit" / "VOC2012" / "JPEGImages").iterdir())
    upload(image.parent, [image.name], run)
    predict = ("predict", "--ckpt_path", trained.directory / "best.ckpt", "--images", run / image.name)
    out = run.parent / "out"
    (tmp_path / "index").mkdir()
    (tmp_path / "index" / "old.png").touch()
    upload(tmp_path, ["index/old.png"], out)
    result = segtrain(*predict, "--out", out)
    assert (result.exit_code, f"{out}: already exists (--overwrite" in result.stderr) == (1, True), result.stderr
    assert segtrain(*predict, "--out", out, "--overwrite").exit_code == 0
    assert names(out) == [f"{kind}/{image.stem}.png" for kind in ("index", "overlay", "palette")]
    (tmp_path / "notes.txt").touch()
    upload(tmp_path, ["notes.txt"], out)
    result = segtrain(*predict, "--out", out, "--overwrite")
    assert (result.exit_code, "would delete:\n  notes.txt" in result.stderr) == (1, True), result.stderr


def test_an_image_in_the_store_that_cannot_be_read_is_named_by_its_url(
    segtrain: Run, trained: Trained, run: Url, work: Path, tmp_path: Path
) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"no image")
    upload(tmp_path, ["broken.jpg"], run)
    result = segtrain(
        "predict", "--ckpt_path", trained.directory / "best.ckpt", "--images", run, "--out", tmp_path / "out"
    )
    assert (result.exit_code, f"{run}/broken.jpg: " in result.stderr) == (1, True), result.stderr


@pytest.mark.parametrize(
    ("args", "status", "words"),
    [
        ([*FIT, "--data_url", "{run}"], 1, "{run}: no record set"),
        ([*FIT, "--data_url", "{train}", "--checkpoint_url", "{run}/x.ckpt"], 1, "{run}/x.ckpt: no such checkpoint"),
        ([*FIT, "--data_url", "{train}", "--checkpoint_url", "nowhere.ckpt"], 2, "does not exist"),
        ([*FIT, "--data_url", "ftp://host/set"], 2, "expected a path, s3://BUCKET/… or obs://BUCKET/…"),
        (["fit", "--resume", "--data_url", "{train}", "--train_url", "{run}"], 2, "no training run to resume"),
        (["eval", "--data_url", "{run}", "--checkpoint_url", "{best}"], 1, "{run}: no record set"),
        (["eval", "--data_url", "{train}", "--checkpoint_url", "{run}"], 1, "{run}: no such checkpoint"),
        (["predict", "--images", "{run}", "--ckpt_path", "{best}", "--out", "out"], 1, "{run}: contains no images"),
    ],
)  # fmt: skip
def test_bad_urls_end_with_a_sentence_and_a_status(
    segtrain: Run, trained: Trained, run: Url, work: Path, args: list[str], status: int, words: str
) -> None:
    places = {"run": run, "train": TRAIN, "best": trained.directory / "best.ckpt"}
    result = segtrain(*(arg.format(**places) for arg in args))
    assert isinstance(result.exception, SystemExit), result.output
    assert (result.exit_code, words.format(**places) in result.stderr) == (status, True), result.stderr
    assert names(run) == []
    assert not local_place(run, work).exists()
