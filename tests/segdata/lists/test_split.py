"""Splitting a list in two: every sample is on one side, and stays there."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from hypothesis import assume, given, strategies as st

from segdata.errors import Fault, FaultsError, InvalidInputError, TargetExistsError
from segdata.labels.masks import encode_index_png
from segdata.lists import Pair, read_list, write_list
from segdata.lists.draw import Draw, side_shares
from segdata.lists.split import split_list
from segdata.miniature.voc import write_devkit
from segdata.sources.voc import INDEX_DIR, voc_list
from segdata.sources.voc_decolor import voc_decolor

Run = Callable[..., Result]

paths = st.builds("{}/{}.jpg".format, st.sampled_from("abcd"), st.integers(0, 999))
path_lists = st.lists(paths, min_size=8, max_size=60, unique=True)
ratios = st.floats(0.2, 0.8)


def listed(path: Path, images: Sequence[str]) -> Path:
    """Write a list of `images`, each with its own label."""
    write_list(path, [Pair(image, f"{image}.png") for image in images], overwrite=True)
    return path


def labeled(root: Path, classes: Sequence[Sequence[int]]) -> Path:
    """Write a label with these values for each sample, and their list."""
    (root / "labels").mkdir(parents=True)
    pairs = [Pair(f"images/{index:03}.jpg", f"labels/{index:03}.png") for index in range(len(classes))]
    for pair, values in zip(pairs, classes, strict=True):
        (root / pair.label).write_bytes(encode_index_png(np.array([values], np.uint8)))
    write_list(root / "all.txt", pairs, overwrite=False)
    return root / "all.txt"


def sides(folder: Path, images: Sequence[str], **options: object) -> dict[str, str]:
    """Split a list of `images` and return the side of each. Skip examples with an empty side."""
    try:
        report = split_list(listed(folder / "l.txt", images), overwrite=True, **options)
    except InvalidInputError as error:
        assume("split is empty" not in str(error))
        raise
    return {pair.image: side for side, path in report.files.items() for pair in read_list(Path(path))}


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("split")


IMAGES = [f"{video}/{frame}.jpg" for video in "abcdefgh" for frame in range(12)]


def test_every_sample_comes_to_one_list_and_keeps_its_place(tmp_path: Path) -> None:
    report = split_list(listed(tmp_path / "l.txt", IMAGES), ratio=0.75)
    train, val = (read_list(Path(report.files[side])) for side in ("train", "val"))
    assert sorted([*train, *val], key=lambda pair: IMAGES.index(pair.image)) == read_list(tmp_path / "l.txt")
    for found in (train, val):
        assert found == sorted(found, key=lambda pair: IMAGES.index(pair.image))
    assert report.samples == report.groups == {"train": len(train), "val": len(val)}
    assert 60 <= len(train) <= 84
    assert (report.written, report.classes) == (True, ())


def side_of(
    images: Sequence[str], ratio: float, seed: int = 0, classes: Sequence[frozenset[int]] | None = None
) -> dict[str, str]:
    """Return the side of each group. Skip examples with an empty side."""
    try:
        sides = Draw(side_shares(ratio), seed, exact=False).sides(Path("l.txt"), images, classes)
    except InvalidInputError:
        assume(False)
    return dict(zip(images, sides, strict=True))


@given(data=st.data(), images=path_lists, ratio=ratios, seed=st.integers())
def test_no_sample_changes_sides_when_others_come_or_go(
    data: st.DataObject, images: list[str], ratio: float, seed: int
) -> None:
    few = data.draw(st.lists(st.sampled_from(images), min_size=2, unique=True))
    every, part = (side_of(some, ratio, seed) for some in (images, few))
    assert part == {image: every[image] for image in few}


@pytest.mark.parametrize(
    "options", [{}, {"exact": True}, {"stratify": True}, {"exact": True, "stratify": True}], ids=str
)
@pytest.mark.parametrize("ratio", [0.5, (0.4, 0.3, 0.3)])
def test_a_group_is_never_divided(tmp_path: Path, options: dict[str, bool], ratio: float) -> None:
    source = labeled(tmp_path, [[index % 3] for index in range(60)])
    report = split_list(source, ratio=ratio, group=r"/\d(\d\d)", workers=1, **options)
    assert sum(report.groups.values()) == 60
    report = split_list(source, ratio=ratio, group=r"(\d)\.jpg", workers=1, overwrite=True, **options)
    assert sum(report.groups.values()) == 10
    sides = [{pair.image[-5] for pair in read_list(Path(path))} for path in report.files.values()]
    assert sum(map(len, sides)) == len(set().union(*sides)) == 10


@given(
    groups=st.lists(st.tuples(st.text(max_size=3), st.integers(0, 3)), unique_by=lambda group: group[0], min_size=1),
    new=st.text(min_size=4),
    ratio=ratios,
)
def test_a_new_group_moves_at_most_one_other_of_its_stratum_and_none_of_the_rest(
    groups: list[tuple[str, int]], new: str, ratio: float
) -> None:
    # One class per image: rarity does not matter, and the class is the stratum.
    before, after = (
        side_of([key for key, _ in some], ratio, classes=[frozenset({id_}) for _, id_ in some])
        for some in (groups, [*groups, (new, 3)])
    )
    moved = [id_ for key, id_ in groups if before[key] != after[key]]
    assert moved in ([], [3])


def test_the_seed_chooses_another_split(folder: Path) -> None:
    found = [sides(folder, IMAGES, ratio=0.5, seed=seed) for seed in (0, 0, 1)]
    assert found[0] == found[1] != found[2]


@pytest.mark.parametrize(
    ("expression", "groups"), [("^[a-h]", 8), ("^([a-h])/", 8), ("/(?P<frame>[0-9]+)", 12), (r"^(.)/(\d)", 8)]
)
def test_the_group_is_the_first_parenthesis_or_the_complete_match(tmp_path: Path, expression: str, groups: int) -> None:
    report = split_list(listed(tmp_path / "l.txt", IMAGES), ratio=0.5, group=expression)
    assert sum(report.groups.values()) == groups


def test_a_stratified_split_takes_the_ratio_of_each_stratum(tmp_path: Path) -> None:
    # Class 7 is in 5 images, 3 in 15; the rest have only background, and one has only void.
    classes = [[0, 7, 3]] * 5 + [[0, 3, 255]] * 10 + [[0]] * 20 + [[255]]
    report = split_list(labeled(tmp_path, classes), ratio=0.6, stratify=True)
    assert report.samples == {"train": 3 + 6 + 12 + 1, "val": 2 + 4 + 8}
    assert [(item.id, item.images) for item in report.classes] == [(0, 35), (3, 15), (7, 5)]
    assert [tuple(item.shares.values()) for item in report.classes] == [
        (21 / 22, 1),
        (9 / 22, 6 / 14),
        (3 / 22, 2 / 14),
    ]


def test_a_groups_stratum_is_the_rarest_class_of_all_its_images(tmp_path: Path) -> None:
    # Ten groups of ten images; in five of the groups one image has class 5.
    classes = [[0, 5] if index % 20 == 7 else [0] for index in range(100)]
    report = split_list(labeled(tmp_path, classes), ratio=0.6, stratify=True, group=r"/(\d\d)")
    assert report.groups == {"train": 6, "val": 4}
    shares = [(item.id, item.shares) for item in report.classes]
    assert shares == [(0, {"train": 1.0, "val": 1.0}), (5, {"train": 3 / 60, "val": 2 / 40})]


def test_the_number_of_workers_changes_nothing(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    source = labeled(tmp_path, [rng.integers(0, 5, 3).tolist() for _ in range(60)])
    report = split_list(source, ratio=0.7, stratify=True, workers=1, dst_path=tmp_path / "one")
    other = split_list(source, ratio=0.7, stratify=True, workers=4, dst_path=tmp_path / "more")
    assert (report.samples, report.classes) == (other.samples, other.classes)
    for side in ("train", "val"):
        assert Path(report.files[side]).read_bytes() == Path(other.files[side]).read_bytes()


@pytest.mark.parametrize(
    ("name", "stem"),
    [("voc_trainval_lst.txt", "voc_trainval"), ("my_list.txt", "my"), ("all.v2.txt", "all.v2"), ("alist", "alist")],
)
def test_the_lists_are_named_after_the_list(tmp_path: Path, name: str, stem: str) -> None:
    report = split_list(listed(tmp_path / name, IMAGES), ratio=0.5, dst_path=tmp_path / "made")
    assert sorted(path.name for path in (tmp_path / "made").iterdir()) == [f"{stem}_train.txt", f"{stem}_val.txt"]
    assert report.files["val"] == str(tmp_path / "made" / f"{stem}_val.txt")


def test_a_dry_run_says_the_same_and_writes_nothing(tmp_path: Path) -> None:
    source = listed(tmp_path / "l.txt", IMAGES)
    dry = split_list(source, ratio=0.5, dry_run=True)
    assert [path.name for path in tmp_path.iterdir()] == ["l.txt"]
    assert (dry.written, dry.samples) == (False, split_list(source, ratio=0.5).samples)


@pytest.mark.parametrize("taken", ["l_train.txt", "l_val.txt"])
def test_neither_list_is_written_when_one_exists(tmp_path: Path, taken: str) -> None:
    source = listed(tmp_path / "l.txt", IMAGES)
    (tmp_path / taken).write_text("old.jpg old.png\n")
    with pytest.raises(TargetExistsError, match=taken):
        split_list(source, ratio=0.5)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["l.txt", taken]
    split_list(source, ratio=0.5, overwrite=True)
    assert (tmp_path / taken).read_text() != "old.jpg old.png\n"


@pytest.mark.parametrize("dst_path", [None, "there"])
def test_no_image_stays_in_the_test_list_of_an_earlier_split(tmp_path: Path, dst_path: str | None) -> None:
    source = listed(tmp_path / "l_lst.txt", IMAGES)
    folder = tmp_path / dst_path if dst_path else None
    split_list(source, ratio=(0.4, 0.3, 0.3), exact=True, dst_path=folder)
    before = {path: path.read_text() for path in tmp_path.rglob("*.txt")}
    with pytest.raises(
        TargetExistsError, match=r"l_test\.txt: contains \d+ images that would be in another split"
    ) as caught:
        split_list(source, ratio=0.5, exact=True, dst_path=folder, overwrite=True)
    assert not caught.value.replaceable
    assert {path: path.read_text() for path in tmp_path.rglob("*.txt")} == before
    (folder or tmp_path).joinpath("l_test.txt").unlink()
    split_list(source, ratio=0.5, exact=True, dst_path=folder, overwrite=True)


@pytest.mark.parametrize("text", ["other.jpg other.png\n", "an id\nlist\n", ""])
def test_a_test_list_of_other_images_stays(tmp_path: Path, text: str) -> None:
    (tmp_path / "l_test.txt").write_text(text)
    split_list(listed(tmp_path / "l.txt", IMAGES), ratio=0.5)
    assert (tmp_path / "l_test.txt").read_text() == text


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_file_that_only_has_the_name_of_a_side_is_found_before_the_work(tmp_path: Path, overwrite: bool) -> None:
    (tmp_path / "l_val.txt").write_text("2007_000032\n2007_000033\n")
    with pytest.raises(TargetExistsError, match=r"l_val\.txt: "):
        split_list(tmp_path / "l.txt", ratio=0.5, overwrite=overwrite)
    assert (tmp_path / "l_val.txt").read_text() == "2007_000032\n2007_000033\n"


def test_an_image_in_two_spellings_never_comes_to_both_sides(tmp_path: Path) -> None:
    lines = [f"{spelling}{index}.jpg {index}.png\n" for index in range(20) for spelling in ("v/", "./v//")]
    (tmp_path / "l.txt").write_text("".join(lines))
    with pytest.raises(FaultsError, match=r"v/0\.jpg \(2 times\)"):
        split_list(tmp_path / "l.txt", ratio=0.5)
    assert [path.name for path in tmp_path.iterdir()] == ["l.txt"]


def test_the_spelling_of_a_path_does_not_change_its_side(tmp_path: Path) -> None:
    (tmp_path / "dots.txt").write_text("".join(f"./{image} {image}.png\n" for image in IMAGES))
    plain, dots = (
        split_list(source, ratio=0.5) for source in (listed(tmp_path / "l.txt", IMAGES), tmp_path / "dots.txt")
    )
    for side in ("train", "val"):
        assert read_list(Path(dots.files[side])) == read_list(Path(plain.files[side]))


def test_when_the_second_list_cannot_be_replaced_the_first_is_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = listed(tmp_path / "l.txt", IMAGES)
    split_list(source, ratio=0.5, seed=1)
    before = {path.name: path.read_text() for path in tmp_path.iterdir()}
    replace = Path.replace

    def fail_on_val(self: Path, target: Path) -> Path:
        if target == tmp_path / "l_val.txt" and self.parent.name == "new":
            raise OSError(28, "No space left on device", str(target))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", fail_on_val)
    with pytest.raises(OSError, match="No space left"):
        split_list(source, ratio=0.5, seed=2, overwrite=True)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == before


def test_a_label_that_is_a_fifo_is_named_instead_of_waited_for(tmp_path: Path) -> None:
    source = labeled(tmp_path, [[0]] * 4)
    (tmp_path / "labels/002.png").unlink()
    os.mkfifo(tmp_path / "labels/002.png")
    with pytest.raises(FaultsError, match=r"labels/002\.png: is a FIFO; expected a regular file"):
        split_list(source, ratio=0.5, stratify=True)


def test_neither_list_is_written_when_one_cannot_be_told_in_a_list(tmp_path: Path) -> None:
    (tmp_path / "l.txt").write_text("".join(f"{index}.jpg #{index}.png\n" for index in range(20)))
    with pytest.raises(FaultsError, match="cannot be used in a list"):
        split_list(tmp_path / "l.txt", ratio=0.5)
    assert [path.name for path in tmp_path.iterdir()] == ["l.txt"]


def test_versions_of_an_image_never_come_to_several_splits(tmp_path: Path) -> None:
    # Roboflow's augmentation: three files of each image, named by a hash.
    names = [name.removesuffix(".jpg") for name in IMAGES]
    images = [f"train/{name}_jpg.rf.{hash}.jpg" for name in names for hash in ("0a", "1b", "2c")] + ["train/own.jpg"]
    with pytest.raises(InvalidInputError, match=r"train/a/0_jpg\.rf\.0a\.jpg and .*1b\.jpg: are versions") as caught:
        split_list(listed(tmp_path / "l.txt", images), ratio=0.7)
    cure = re.search("--group '(.*)'", str(caught.value))
    assert cure
    side_of = sides(tmp_path, images, ratio=0.7, group=cure[1])
    assert set(side_of.values()) == {"train", "val"} and side_of.keys() == set(images)
    for name in names:
        assert len({side for image, side in side_of.items() if image.startswith(f"train/{name}_jpg.")}) == 1
    sides(tmp_path, images[::3], ratio=0.7)


def test_paths_without_a_group_are_named(tmp_path: Path) -> None:
    with pytest.raises(FaultsError, match=r"finds no text in 12 of 96 image paths; .*:\n  c/0\.jpg\n") as error:
        split_list(listed(tmp_path / "l.txt", IMAGES), ratio=0.5, group="^([abdefgh])|c/")
    assert len(tuple(map(str, error.value.faults))) == 12


@pytest.mark.parametrize(
    ("ratio", "stratify", "cure"), [(1e-9, False, "another --seed"), (0.01, True, "another --ratio")]
)
def test_an_empty_side_is_an_error_that_says_what_to_do(
    tmp_path: Path, ratio: float, stratify: bool, cure: str
) -> None:
    source = labeled(tmp_path, [[0]] * 5)
    with pytest.raises(InvalidInputError, match=rf"the train split is empty \(5 samples in total\).*{cure}"):
        split_list(source, ratio=ratio, stratify=stratify)
    assert not (tmp_path / "all_val.txt").exists()


@pytest.mark.parametrize("ratio", [0, 1, -0.5, 80, float("nan")])
def test_a_ratio_that_is_not_a_share_is_refused(tmp_path: Path, ratio: float) -> None:
    with pytest.raises(InvalidInputError, match="expected a share for training between 0 and 1"):
        split_list(listed(tmp_path / "l.txt", IMAGES), ratio=ratio)


def test_labels_that_cannot_be_read_are_all_named(tmp_path: Path) -> None:
    source = labeled(tmp_path, [[0]] * 6)
    (tmp_path / "labels/001.png").unlink()
    (tmp_path / "labels/004.png").write_bytes(b"GIF89a")
    source.write_text(source.read_text() + "x.jpg ../x.png\n")
    with pytest.raises(FaultsError, match="3 of 7 labels cannot be read") as error:
        split_list(source, ratio=0.5, stratify=True)
    assert [fault.split(": ")[0] for fault in tuple(map(str, error.value.faults))[:2]] == [
        "labels/001.png",
        "labels/004.png",
    ]
    assert "is outside the data root" in str(error.value.faults[2])


def test_real_classes_are_as_frequent_on_both_sides(real_data: Path, tmp_path: Path) -> None:
    voc_decolor(real_data / "voc2012", dst_path=tmp_path / INDEX_DIR)
    ids = [path.stem for path in sorted((tmp_path / INDEX_DIR).glob("*.png"))]
    write_list(tmp_path / "l.txt", [Pair(f"{id_}.jpg", f"{INDEX_DIR}/{id_}.png") for id_ in ids], overwrite=False)
    report = split_list(tmp_path / "l.txt", ratio=0.8, stratify=True)
    assert sum(report.samples.values()) == 150
    assert [item.id for item in report.classes] == [0, 1, 3, 5, 7, 8, 9, 10, 11, 12, 13, 15, 16, 17, 18, 20]
    assert max(abs(item.shares["train"] - item.shares["val"]) for item in report.classes) < 0.1


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_devkit(tmp_path / "data", train=20, val=1)
    voc_decolor(tmp_path / "data")
    voc_list(tmp_path / "data", split="train")
    return tmp_path / "data"


def test_the_command_says_how_many_went_where(segdata: Run, root: Path) -> None:
    result = segdata("split", root / "voc_train_lst.txt", "--ratio", 0.8)
    assert result.exit_code == 0, result.output
    counts = [(root / f"voc_train_{side}.txt").read_text().count("\n") for side in ("train", "val")]
    assert [int(number) for number in re.findall(r"^(\d+) samples \(", result.output, re.MULTILINE)] == counts
    assert sum(counts) == 20


def test_the_command_shows_the_share_of_every_class(segdata: Run, root: Path) -> None:
    options = ("--ratio", 0.5, "--stratify", "--group", r"(\d)\.jpg", "--dst-path", root / "halves", "--dry_run")
    result = segdata("split", root / "voc_train_lst.txt", *options)
    assert result.exit_code == 0, result.output
    assert "samples in 5 groups (50.0%, requested 50%) would be written to" in result.output
    assert "class  images  of train  of val\n    0      20    100.0%  100.0%" in result.output
    assert not (root / "halves").exists()


def test_the_report_as_json(segdata: Run, root: Path, tmp_path: Path) -> None:
    (tmp_path / "lists").mkdir()
    moved = (root / "voc_train_lst.txt").rename(tmp_path / "lists" / "l.txt")
    result = segdata("split", moved, "--ratio", 0.5, "--stratify", "--data_root", root, "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.output)
    assert report["files"]["train"] == str(tmp_path / "lists" / "l_train.txt")
    assert sum(report["samples"].values()) == 20
    assert report["classes"][0] == {"id": 0, "name": None, "images": 20, "shares": {"train": 1.0, "val": 1.0}}


@pytest.mark.parametrize(
    ("options", "status", "sentence"),
    [
        ((), 2, "Missing option '--ratio'"),
        (("--ratio", "1"), 2, "ratio 1: expected a share for training between 0 and 1, such as 0.8"),
        (("--ratio", "0.8,0.1"), 2, "ratio 0.8,0.1: expected a share for training"),
        (("--ratio", "0.8;0.2"), 2, "'0.8;0.2': expected numbers with commas between them, such as 0.8,0.1,0.1"),
        (("--ratio", "0.5", "--group", "("), 1, "'(': is not a valid regular expression: missing )"),
        (("--ratio", "0.5", "--group", "cat"), 1, "'cat': finds no text in 20 of 20 image paths"),
        (("--ratio", "0.5", "--stratify", "--data_root", "{root}/VOCdevkit"), 1, "20 of 20 labels cannot be read"),
        (("--ratio", "0.5", "--seed", "x"), 2, "'x' is not a valid integer"),
    ],
    ids=str,
)
def test_bad_input_gets_a_sentence_and_a_status(
    segdata: Run, root: Path, options: tuple[str, ...], status: int, sentence: str
) -> None:
    result = segdata("split", root / "voc_train_lst.txt", *(option.format(root=root) for option in options))
    assert (result.exit_code, sentence in result.output) == (status, True), result.output
    assert "Traceback" not in result.output
    assert sorted(path.name for path in root.iterdir()) == ["VOCdevkit", "voc_train_lst.txt"]


def test_an_existing_list_names_the_way_out(segdata: Run, root: Path) -> None:
    line = ("split", root / "voc_train_lst.txt", "--ratio", 0.5)
    assert segdata(*line).exit_code == 0
    result = segdata(*line)
    assert (result.exit_code, "already exists (--overwrite replaces it)" in result.output) == (1, True), result.output
    assert segdata(*line, "--overwrite").exit_code == 0


def test_an_id_list_is_refused(segdata: Run, root: Path) -> None:
    ids = root / "VOCdevkit/VOC2012/ImageSets/Segmentation/train.txt"
    result = segdata("split", ids, "--ratio", 0.5)
    assert (result.exit_code, "an id list or an image list" in result.output) == (1, True), result.output


def test_the_seed_is_0_if_none_is_given(folder: Path) -> None:
    images = [f"v/{index}.jpg" for index in range(30)]
    assert sides(folder, images, ratio=0.5) == sides(folder, images, ratio=0.5, seed=0)


def test_the_seed_chooses_another_stratified_split(tmp_path: Path) -> None:
    path = labeled(tmp_path, [[index % 2] for index in range(40)])
    texts = []
    for seed in (0, 1, 1):
        report = split_list(path, ratio=0.5, seed=seed, stratify=True, overwrite=True)
        texts.append(Path(report.files["train"]).read_text())
    assert texts[0] != texts[1] == texts[2]


def test_labels_are_counted_while_they_are_read(tmp_path: Path) -> None:
    shown: list[tuple[int, str]] = []
    done: list[int] = []

    @contextmanager
    def progress(*, total: int, label: str) -> Iterator[Callable[[int], None]]:
        shown.append((total, label))
        yield done.append

    split_list(labeled(tmp_path, [[0, 1]] * 9), ratio=0.5, stratify=True, progress=progress)
    assert (shown, sum(done)) == ([(9, "labels")], 9)


def test_a_label_that_is_not_there_is_a_missing_label(tmp_path: Path) -> None:
    path = labeled(tmp_path, [[0]] * 5)
    (tmp_path / "labels/003.png").unlink()
    with pytest.raises(FaultsError) as error:
        split_list(path, ratio=0.5, stratify=True)
    assert error.value.faults == (Fault("missing_label", "labels/003.png", "does not exist"),)
