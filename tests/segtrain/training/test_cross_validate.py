from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from statistics import mean, stdev

import pytest
from click.testing import Result
from json_reports import checked

from segdata.labels.map_file import load_map
from segdata.lists import read_list
from segdata.miniature.tif import write_stacks
from segdata.sources.tif.slice import tif_slice

Run = Callable[..., Result]

SMALL = ("repeat=1", "warmup_steps=0", "batch_size=2", "crop_size=48", "train_epochs=1", "unet.width=4")
SMALL += ("unet.poolings=0", "unet.patch=1", "unet.elastic=0")


@pytest.fixture(scope="module")
def slices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stacks")
    write_stacks(folder, pages=4, size=70)
    images, labels = folder / "train-volume.tif", folder / "train-labels.tif"
    tif_slice(images, labels=labels, map=load_map("0:0,255:1"), dst_path=folder / "slices")
    (folder / "names.txt").write_text("membrane\ncell\n")
    return folder / "slices"


def _arguments(slices: Path, directory: Path, *more: object) -> list[object]:
    settings = [part for setting in SMALL for part in ("--set", setting)]
    return [
        "cross-validate", "--recipe", "unet_isbi_cpu", "--data_root", slices, "--data_lst", slices / "all_lst.txt",
        "--class_names", slices.parent / "names.txt", "--train_dir", directory, *settings, *more,
    ]  # fmt: skip


def test_each_fold_is_evaluated_on_what_it_did_not_train_on(segtrain: Run, slices: Path, tmp_path: Path) -> None:
    directory = tmp_path / "folds"
    settings = ["--scales", 1, "--scales", 1.25, "--flip", "--membrane", "membrane"]
    result = segtrain(*_arguments(slices, directory, "--folds", 2, *settings, "--json"))
    assert result.exit_code == 0, result.output
    whole, validated = read_list(slices / "all_lst.txt"), []
    for fold in range(2):
        train, val = (read_list(directory / f"fold_{fold}" / f"{name}_lst.txt") for name in ("train", "val"))
        assert {*train, *val} == {*whole} and not {*train} & {*val}
        validated += val
    assert (len(validated), {*validated}) == (len(whole), {*whole})

    report = checked(result.stdout, "segtrain cross-validate")
    assert report["path"] == str(directory)
    assert list(report["folds"]) == ["0", "1"]
    for fold in report["folds"].values():
        assert (fold["settings"]["crop_size"], fold["settings"]["overlap"]) == (48, 4)
        assert (fold["settings"]["scales"], fold["settings"]["flip"]) == ([1, 1.25], True)
    for name in ("miou", "pixel_accuracy", "soft_dice", "membrane_iou"):
        scores = report["scores"][name]
        assert 0 <= scores["mean"] <= 1 and scores["deviation"] is not None
    found = [fold["scores"]["mean_iou"] for fold in report["folds"].values()]
    assert report["scores"]["miou"] == {"mean": pytest.approx(mean(found)), "deviation": pytest.approx(stdev(found))}


def test_one_fold_alone_has_no_deviation_and_is_resumed(segtrain: Run, slices: Path, tmp_path: Path) -> None:
    arguments = _arguments(slices, tmp_path / "folds", "--folds", 2, "--fold", 1)
    result = segtrain(*arguments)
    assert result.exit_code == 0, result.output
    assert "2 folds, blocks; evaluated fold 1\n" in result.stdout
    val = tmp_path / "folds" / "fold_1" / "val_lst.txt"
    evaluated = segtrain("eval", "--data_root", slices, "--data_lst", val, "--ckpt_path", tmp_path / "folds" / "fold_1")
    # Names, values and order are those that eval prints for the only fold.
    printed = [line.rsplit(maxsplit=2)[:2] for line in result.stdout.split("\n\n")[1].splitlines()[1:]]
    assert printed == [line.rsplit(maxsplit=1) for line in evaluated.stdout.split("\n\n")[2].splitlines()]
    assert [path.name for path in (tmp_path / "folds").iterdir()] == ["fold_1"]
    again = segtrain(*arguments)
    assert again.exit_code == 1
    assert "already contains a training run" in again.stderr
    resumed = segtrain(*arguments, "--resume")
    assert resumed.exit_code == 0, resumed.output
    assert "resuming after step 1 of 1" in resumed.stderr
    assert resumed.stdout == result.stdout


def test_a_list_that_is_not_of_this_split_is_kept_unless_told_otherwise(
    segtrain: Run, slices: Path, tmp_path: Path
) -> None:
    foreign = tmp_path / "fold_1" / "val_lst.txt"
    foreign.parent.mkdir()
    foreign.write_text("my/own.png labels/own.png\n")
    for more in ([], ["--resume"]):
        refused = segtrain(*_arguments(slices, tmp_path, "--folds", 2, *more))
        assert refused.exit_code == 1
        assert f"{foreign}: already exists; expected nothing, or the list that" in refused.stderr
        assert foreign.read_text() == "my/own.png labels/own.png\n"
        # Nothing of another fold was begun.
        assert {path.name for path in tmp_path.rglob("*")} == {"fold_1", "val_lst.txt"}
    replaced = segtrain(*_arguments(slices, tmp_path, "--folds", 2, "--fold", 1, "--overwrite"))
    assert replaced.exit_code == 0, replaced.output
    assert len(read_list(foreign)) == 2


def test_a_run_with_other_folds_is_refused_before_anything_is_replaced(
    segtrain: Run, slices: Path, tmp_path: Path
) -> None:
    arguments = _arguments(slices, tmp_path, "--fold", 0)
    assert segtrain(*arguments, "--folds", 2).exit_code == 0
    # The lock is a file of its own beside the directory.
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for more in (["--folds", 4], ["--folds", 4, "--resume"], ["--folds", 2, "--order", "course", "--resume"]):
        assert "_lst.txt: already exists" in segtrain(*arguments, *more).stderr
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("more", "status", "words"),
    [
        (["--resume", "--overwrite"], 1, "--overwrite replaces it; expected only one of the two"),
        (["--set", "early_stopping=2"], 1, "early_stopping = 2: has no effect, because a fold is evaluated only at"),
        (["--fold", 5], 1, "fold = 5: does not exist; expected 0 to 4"),
        (["--set", "unet.widht=4"], 2, "unknown setting 'unet.widht'; did you mean unet.width"),
        (
            ["--set", "mask_rcnn.max_instances=4"],
            2,
            "mask_rcnn.max_instances: not a setting of unet_simple; only mask_rcnn has it",
        ),
        ([], 1, "5 folds of 4"),
        (["--folds", 2, "--membrane", "membran"], 1, "unknown class 'membran'; did you mean membrane"),
    ],
)
def test_what_cannot_work_is_told(
    segtrain: Run, slices: Path, tmp_path: Path, more: list[object], status: int, words: str
) -> None:
    result = segtrain(*_arguments(slices, tmp_path / "folds", *more))
    assert (result.exit_code, words in result.stderr) == (status, True), result.output
    assert not list(tmp_path.rglob("*.ckpt"))


def test_instances_have_no_list_to_make_folds_of(segtrain: Run, slices: Path, tmp_path: Path) -> None:
    result = segtrain(
        "cross-validate", "--recipe", "mask_rcnn_cpu", "--data_root", slices, "--data_lst", slices / "all_lst.txt",
        "--train_dir", tmp_path / "folds",
    )  # fmt: skip
    assert result.exit_code == 1
    assert "mask_rcnn: cannot be cross-validated" in result.stderr


def test_several_processes_are_refused(
    segtrain: Run, slices: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MS_ROLE", "MS_WORKER")
    done = segtrain(*_arguments(slices, tmp_path / "folds"))
    assert (done.exit_code, (tmp_path / "folds").exists()) == (1, False)
    assert "cross-validate runs in one process, but was started in several. Start it without msrun." in done.stderr
