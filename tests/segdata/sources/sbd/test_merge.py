"""SBD merged with VOC: the arithmetic, the masks, the list, and everything that may be wrong with a release."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from scipy.io import loadmat, savemat

from segdata.errors import FaultsError, InvalidInputError, TargetExistsError
from segdata.files.ownership import RESULT_MARKER
from segdata.lists import Pair, read_ids, read_list
from segdata.miniature.sbd import to_mat, write_release
from segdata.miniature.voc import write_devkit
from segdata.sources.sbd.merge import read_mask, sbd_merge
from segdata.sources.sbd.splits import SplitCounts, Splits, find_release, read_splits
from segdata.sources.voc_decolor import voc_decolor

#: The miniature's lists: VOC train 0 to 5, VOC val 6 to 8, and these.
SBD_TRAIN = [3, 6, 9, 10, 11, 13, 14]
SBD_VAL = [0, 12, 14]
ONLY_SBD = [9, 10, 11, 13, 14, 12]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    data = tmp_path / "data"
    write_devkit(data, train=6, val=3)
    write_release(data, voc_train=6, voc_val=3)
    voc_decolor(data)
    return data


def dataset(root: Path) -> Path:
    return root / "benchmark_RELEASE" / "dataset"


def lists(root: Path) -> Path:
    return root / "VOCdevkit" / "VOC2012" / "ImageSets" / "Segmentation"


def id_(index: int) -> str:
    return f"2012_{index:06}"


def segmentation(path: Path) -> npt.NDArray[np.uint8]:
    mask: npt.NDArray[np.uint8] = loadmat(path)["GTcls"][0]["Segmentation"][0]
    return mask


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def only_lists(root: Path, voc: Path, sbd: Path) -> Path:
    """Create a data root of nothing but the four id lists."""
    for folder in (lists(root), dataset(root)):
        folder.mkdir(parents=True)
    for split in ("train", "val"):
        shutil.copy(voc / f"{split}.txt", lists(root) / f"{split}.txt")
        shutil.copy(sbd / f"sbd_{split}.txt", dataset(root) / f"{split}.txt")
    return root


def test_every_term_of_the_arithmetic_is_counted(root: Path) -> None:
    assert sbd_merge(root).counts == SplitCounts(
        voc_train=6, sbd_train=7, sbd_val=3, sbd_both=1, in_voc_train=2, in_voc_val=1, samples=12
    )


def test_the_counts_follow_from_the_four_lists() -> None:
    splits = Splits(voc_train=["a", "b"], voc_val=["v", "w"], sbd_train=["v", "x", "a", "y"], sbd_val=["y", "w", "z"])
    assert splits.only_sbd() == ["x", "y", "z"]
    counts = splits.counts()
    assert counts == SplitCounts(
        voc_train=2, sbd_train=4, sbd_val=3, sbd_both=1, in_voc_train=1, in_voc_val=2, samples=5
    )
    assert counts.samples == 2 + 4 + 3 - 1 - 1 - 2


def test_the_official_lists_alone_give_the_usual_figure(real_data: Path, tmp_path: Path) -> None:
    root = only_lists(tmp_path, real_data / "voc2012" / "official_lists", real_data / "sbd" / "official_lists")
    report = sbd_merge(root, dry_run=True, expect_count=10_582)
    assert report.counts == SplitCounts(
        voc_train=1464, sbd_train=8498, sbd_val=2857, sbd_both=0, in_voc_train=1134, in_voc_val=1103, samples=10_582
    )
    assert report.missing == {
        "benchmark_RELEASE/dataset/cls": 9118,
        "benchmark_RELEASE/dataset/img": 9118,
        "VOCdevkit/VOC2012/SegmentationClassGray": 1464,
        "VOCdevkit/VOC2012/JPEGImages": 1464,
    }
    splits = read_splits(lists(root).parents[1], dataset(root))
    assert len(splits.voc_val) == 1449
    published = (real_data / "sbd" / "official_lists" / "train_aug.txt").read_text().split()
    assert {*splits.only_sbd(), *splits.voc_train} == set(published)


def test_the_list_has_sbd_train_then_sbd_val_then_voc_train(root: Path) -> None:
    sbd_merge(root)
    sbd, voc = "benchmark_RELEASE/dataset", "VOCdevkit/VOC2012"
    assert read_list(root / "vocaug_train_lst.txt") == [
        *(Pair(f"{sbd}/img/{id_(i)}.jpg", f"{sbd}/cls_png_gray/{id_(i)}.png") for i in ONLY_SBD),
        *(Pair(f"{voc}/JPEGImages/{id_(i)}.jpg", f"{voc}/SegmentationClassGray/{id_(i)}.png") for i in range(6)),
    ]


def test_every_mask_is_the_array_of_its_mat_file(root: Path) -> None:
    sbd_merge(root)
    masks = dataset(root) / "cls_png_gray"
    assert sorted(contents(masks)) == [RESULT_MARKER, *(f"{id_(i)}.png" for i in sorted(ONLY_SBD))]
    for path in masks.glob("*.png"):
        gray = Image.open(path)
        assert gray.mode == "L"
        assert np.array_equal(np.asarray(gray), segmentation(dataset(root) / "cls" / f"{path.stem}.mat"))


def test_vocs_own_masks_win(root: Path) -> None:
    sbd_merge(root)
    label = next(pair.label for pair in read_list(root / "vocaug_train_lst.txt") if id_(3) in pair.image)
    assert (np.asarray(Image.open(root / label)) == 255).any()
    assert not (segmentation(dataset(root) / "cls" / f"{id_(3)}.mat") == 255).any()


def test_one_worker_and_four_write_the_same_bytes(root: Path) -> None:
    sbd_merge(root, dst_path=root / "one", list_file=Path("one.txt"), workers=1)
    sbd_merge(root, dst_path=root / "four", list_file=Path("four.txt"), workers=4)
    assert contents(root / "one") == contents(root / "four")
    assert (root / "one.txt").read_text().replace("one/", "four/") == (root / "four.txt").read_text()


@pytest.mark.parametrize(
    "respell",
    [
        pytest.param(lambda text: text.rstrip("\n"), id="no newline at the end"),
        pytest.param(lambda text: text.replace("\n", "\r\n"), id="CRLF"),
        pytest.param(lambda text: "\n" + text.replace("\n", "\n\n") + "\n", id="blank lines"),
        pytest.param(lambda text: text.replace("\n", "  \n"), id="spaces"),
        pytest.param(lambda text: "\ufeff" + text, id="byte order mark"),
    ],
)
@pytest.mark.parametrize("where", ["voc train", "voc val", "sbd train", "sbd val"])
def test_the_spelling_of_a_list_lets_no_val_image_in(root: Path, respell: Callable[[str], str], where: str) -> None:
    expected = sbd_merge(root, dry_run=True).counts
    name, split = where.split()
    path = (lists(root) if name == "voc" else dataset(root)) / f"{split}.txt"
    path.write_bytes(respell(path.read_text()).encode())
    assert sbd_merge(root).counts == expected
    names = {Path(pair.image).stem for pair in read_list(root / "vocaug_train_lst.txt")}
    assert not names & set(read_ids(lists(root) / "val.txt"))


def test_the_release_is_found_from_each_of_its_levels(root: Path) -> None:
    levels = (root, root / "benchmark_RELEASE", dataset(root))
    assert {find_release(level) for level in levels} == {dataset(root)}


def test_no_release_says_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"expected benchmark_RELEASE/dataset/train\.txt"):
        find_release(tmp_path)


def test_release_and_devkit_may_be_named(root: Path) -> None:
    (root / "elsewhere").mkdir()
    (root / "benchmark_RELEASE").rename(root / "elsewhere" / "sbd")
    (root / "VOCdevkit").rename(root / "elsewhere" / "voc")
    report = sbd_merge(root, sbd_root=root / "elsewhere" / "sbd", voc_root=root / "elsewhere" / "voc")
    assert report.counts.samples == 12
    assert read_list(root / "vocaug_train_lst.txt")[-1].image == "elsewhere/voc/VOC2012/JPEGImages/2012_000005.jpg"


def test_a_linked_release_stays_below_the_data_root(root: Path, tmp_path: Path) -> None:
    (root / "benchmark_RELEASE").rename(tmp_path / "mounted")
    (root / "benchmark_RELEASE").symlink_to(tmp_path / "mounted")
    sbd_merge(root)
    assert read_list(root / "vocaug_train_lst.txt")[0].image.startswith("benchmark_RELEASE/dataset/img/")


@pytest.mark.parametrize("option", ["sbd_root", "voc_root", "dst_path"])
def test_a_folder_outside_the_data_root_is_refused(root: Path, tmp_path: Path, option: str) -> None:
    shutil.copytree(root, tmp_path / "other")
    with pytest.raises(InvalidInputError, match="is outside the data root"):
        sbd_merge(root, **{option: tmp_path / "other"})


def test_another_count_than_expected_is_explained_and_nothing_written(root: Path) -> None:
    with pytest.raises(InvalidInputError) as caught:
        sbd_merge(root, expect_count=10)
    assert str(caught.value) == (
        "12 samples, 2 more than the 10 expected: VOC train 6 + SBD train 7 + SBD val 3 - in both 1 - in VOC train 2 "
        "- in VOC val 1"
    )
    assert not (dataset(root) / "cls_png_gray").exists()
    assert not (root / "vocaug_train_lst.txt").exists()
    assert sbd_merge(root, expect_count=12).written


def test_a_dry_run_checks_and_writes_nothing(root: Path) -> None:
    before = sorted(root.rglob("*"))
    report = sbd_merge(root, dry_run=True)
    assert (report.counts.samples, report.written, report.missing) == (12, False, {})
    (dataset(root) / "cls" / f"{id_(9)}.mat").write_bytes(b"broken")
    with pytest.raises(FaultsError, match=r"2012_000009\.mat: is not a MATLAB v5 file"):
        sbd_merge(root, dry_run=True)
    assert sorted(root.rglob("*")) == before


def test_all_faults_of_all_mat_files_are_named_at_once(root: Path) -> None:
    cls = dataset(root) / "cls"
    (cls / f"{id_(9)}.mat").unlink()
    (cls / f"{id_(10)}.mat").write_bytes((cls / f"{id_(10)}.mat").read_bytes()[:400])
    (cls / f"{id_(11)}.mat").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(600))
    savemat(cls / f"{id_(13)}.mat", {"GTinst": {"Segmentation": np.zeros((4, 4), np.uint8)}})
    mask = segmentation(cls / f"{id_(14)}.mat")
    (cls / f"{id_(14)}.mat").write_bytes(to_mat(mask[:, 3:]))
    beyond = segmentation(cls / f"{id_(12)}.mat").copy()
    beyond[5, 7] = 21
    savemat(cls / f"{id_(12)}.mat", {"GTcls": {"Segmentation": beyond}})
    with pytest.raises(FaultsError) as caught:
        sbd_merge(root)
    height, width = mask.shape
    assert sorted(map(str, caught.value.faults)) == [
        "benchmark_RELEASE/dataset/cls/2012_000009.mat: does not exist",
        "benchmark_RELEASE/dataset/cls/2012_000010.mat: is a truncated or damaged MATLAB file",
        "benchmark_RELEASE/dataset/cls/2012_000011.mat: is a MATLAB v7.3 file (HDF5); expected v5. Write it with "
        "save(…, '-v7').",
        "benchmark_RELEASE/dataset/cls/2012_000012.mat: pixel (x=7, y=5) has value 21; expected 0 to 20 (SBD has "
        "no ignore label)",
        "benchmark_RELEASE/dataset/cls/2012_000013.mat: contains no variable GTcls; found GTinst",
        f"benchmark_RELEASE/dataset/cls/2012_000014.mat: {width - 3} x {height} pixels, but its image 2012_000014.jpg "
        f"has {width} x {height}",
    ]
    assert not (dataset(root) / "cls_png_gray").exists()
    assert not (root / "vocaug_train_lst.txt").exists()


def test_files_missing_and_damaged_around_the_masks_are_named_too(root: Path) -> None:
    (dataset(root) / "img" / f"{id_(9)}.jpg").unlink()
    (dataset(root) / "img" / f"{id_(10)}.jpg").write_bytes(b"no image")
    (dataset(root) / "img" / f"{id_(11)}.png").touch()
    (lists(root).parents[1] / "JPEGImages" / f"{id_(1)}.jpg").unlink()
    (lists(root).parents[1] / "SegmentationClassGray" / f"{id_(2)}.png").unlink()
    with pytest.raises(FaultsError) as caught:
        sbd_merge(root)
    assert sorted(map(str, caught.value.faults)) == [
        "VOCdevkit/VOC2012/JPEGImages/2012_000001.jpg: does not exist",
        "VOCdevkit/VOC2012/SegmentationClassGray/2012_000002.png: does not exist",
        "benchmark_RELEASE/dataset/cls/2012_000010.mat: its image 2012_000010.jpg: not a readable image: "
        "unknown image format",
        "benchmark_RELEASE/dataset/img/2012_000009.jpg: does not exist",
        "benchmark_RELEASE/dataset/img: 2012_000011 has several files: 2012_000011.jpg, 2012_000011.png",
    ]


@pytest.mark.parametrize("mask", [np.full((2, 3), -1, np.int16), np.full((2, 3), 300, np.uint16)])
def test_a_value_that_eight_bits_would_fold_into_a_class_is_refused(
    tmp_path: Path, mask: npt.NDArray[np.int16]
) -> None:
    savemat(tmp_path / "a.mat", {"GTcls": {"Segmentation": mask}})
    with pytest.raises(InvalidInputError, match=rf"pixel \(x=0, y=0\) has value {mask[0, 0]}"):
        read_mask(tmp_path / "a.mat")


@pytest.mark.parametrize("shape", [(0, 0), (2, 3, 4)])
def test_a_mask_that_is_not_an_image_is_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    savemat(tmp_path / "a.mat", {"GTcls": {"Segmentation": np.zeros(shape, np.uint8)}})
    with pytest.raises(InvalidInputError, match="expected height and width"):
        read_mask(tmp_path / "a.mat")


def test_vocs_masks_must_have_been_made(root: Path) -> None:
    shutil.rmtree(lists(root).parents[1] / "SegmentationClassGray")
    with pytest.raises(InvalidInputError, match="Make it from SegmentationClass with voc-decolor"):
        sbd_merge(root)


@pytest.mark.parametrize("dry_run", [False, True])
@pytest.mark.parametrize(
    ("respell", "found"),
    [
        (lambda id_: f"{id_}.jpg", "2012_000006.jpg"),
        (lambda id_: f"{id_}.PNG", "2012_000006.PNG"),
        (lambda id_: f"{id_}.mat", "2012_000006.mat"),
        (lambda id_: f"{id_}.x", "2012_000006.x"),
    ],
)
@pytest.mark.parametrize(("where", "count"), [("voc train", 6), ("voc val", 3), ("sbd train", 7), ("sbd val", 3)])
def test_ids_that_match_no_image_are_refused_and_the_near_form_is_shown(
    root: Path, respell: Callable[[str], str], found: str, where: str, count: int, dry_run: bool
) -> None:
    name, split = where.split()
    path = (lists(root) if name == "voc" else dataset(root)) / f"{split}.txt"
    ids = read_ids(path)
    path.write_text("".join(f"{respell(each)}\n" for each in ids))
    with pytest.raises(FaultsError, match="ids in 1 list match no image") as caught:
        sbd_merge(root, dry_run=dry_run)
    shown = ", ".join(repr(respell(each)) for each in ids[:3]) + (", …" if count > 3 else "")
    assert tuple(map(str, caught.value.faults)) == (
        f"{path}: {count} of {count} ids match no image ({shown}); expected ids such as {ids[0]!r}. Correct the ids.",
    )
    assert not (root / "vocaug_train_lst.txt").exists()


def test_an_id_in_another_case_is_refused(root: Path) -> None:
    (lists(root).parents[1] / "JPEGImages" / f"{id_(6)}.jpg").rename(
        lists(root).parents[1] / "JPEGImages" / "Photo_6.jpg"
    )
    path = lists(root) / "val.txt"
    path.write_text(f"photo_6\n{id_(7)}\n{id_(8)}\n")
    with pytest.raises(FaultsError, match=r"1 of 3 ids match no image \('photo_6'\); expected ids such as 'Photo_6'"):
        sbd_merge(root)


def test_endings_are_found_in_the_lists_alone(root: Path, tmp_path: Path) -> None:
    shutil.rmtree(lists(root).parents[1] / "JPEGImages")
    shutil.rmtree(dataset(root) / "img")
    assert sbd_merge(root, dry_run=True).counts.samples == 12
    path = lists(root) / "val.txt"
    path.write_text(path.read_text().replace("\n", ".jpg\n"))
    with pytest.raises(FaultsError, match="expected ids such as '2012_000006'"):
        sbd_merge(root, dry_run=True)


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_val_id_without_an_image_is_refused(root: Path, dry_run: bool) -> None:
    with (lists(root) / "val.txt").open("a") as file:
        file.write("2012_000009\u200b\n")
    with pytest.raises(
        FaultsError, match=r"1 of 4 ids match no image .*; expected ids of images\. Correct the ids, or"
    ):
        sbd_merge(root, dry_run=dry_run)


def test_an_image_of_vocs_val_split_may_be_sbds_alone(root: Path) -> None:
    (lists(root).parents[1] / "JPEGImages" / f"{id_(6)}.jpg").unlink()
    assert sbd_merge(root).counts.samples == 12


@pytest.mark.parametrize("folder", ["cls", "img"])
def test_a_fifo_is_named_instead_of_waited_for(root: Path, folder: str) -> None:
    path = next((dataset(root) / folder).glob(f"{id_(9)}.*"))
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(FaultsError, match="is a FIFO; expected a regular file"):
        sbd_merge(root)


def test_an_id_in_vocs_train_and_val_is_refused(root: Path) -> None:
    with (lists(root) / "train.txt").open("a") as file:
        file.write(f"{id_(7)}\n")
    with pytest.raises(FaultsError, match=r"1 id is both in train.txt and in val.txt\. Remove .*:\n  2012_000007"):
        sbd_merge(root)


def test_an_id_twice_in_a_list_is_refused(root: Path) -> None:
    with (dataset(root) / "val.txt").open("a") as file:
        file.write(f"{id_(12)}\n")
    with pytest.raises(FaultsError, match=r"dataset/val.txt: duplicate ids:\n  2012_000012"):
        sbd_merge(root)


def test_a_missing_list_is_named(root: Path) -> None:
    (lists(root) / "val.txt").unlink()
    with pytest.raises(InvalidInputError, match=r"Segmentation/val\.txt: cannot be read"):
        sbd_merge(root, dry_run=True)


def test_masks_and_list_are_replaced_only_when_asked_and_only_if_they_are_ours(root: Path) -> None:
    sbd_merge(root)
    with pytest.raises(TargetExistsError, match=r"vocaug_train_lst\.txt: already exists"):
        sbd_merge(root)
    (root / "vocaug_train_lst.txt").unlink()
    with pytest.raises(TargetExistsError, match="cls_png_gray: already exists"):
        sbd_merge(root)
    sbd_merge(root, overwrite=True)
    (dataset(root) / "cls_png_gray" / "notes.txt").touch()
    with pytest.raises(TargetExistsError, match="would delete"):
        sbd_merge(root, overwrite=True)


def test_the_miniature_has_sbds_layout(root: Path, real_data: Path) -> None:
    genuine = loadmat(real_data / "sbd" / "benchmark_RELEASE" / "dataset" / "cls" / "2008_000051.mat")["GTcls"]
    drawn = loadmat(dataset(root) / "cls" / f"{id_(9)}.mat")["GTcls"]
    assert (drawn.shape, drawn.dtype.names) == (genuine.shape, genuine.dtype.names)
    for field in genuine.dtype.names:
        assert drawn[field][0, 0].dtype == genuine[field][0, 0].dtype
        assert drawn[field][0, 0].ndim == genuine[field][0, 0].ndim
    boundaries, mask = drawn["Boundaries"][0, 0], drawn["Segmentation"][0, 0]
    assert boundaries.shape == genuine["Boundaries"][0, 0].shape
    assert boundaries[0, 0].dtype == genuine["Boundaries"][0, 0][0, 0].dtype
    assert all(boundary.shape == mask.shape for boundary in boundaries[:, 0])
    assert [int(i) for i in drawn["CategoriesPresent"][0, 0][:, 0]] == sorted({*mask.flat} - {0})


def test_the_same_seed_gives_the_same_release(root: Path, tmp_path: Path) -> None:
    write_release(tmp_path / "again", voc_train=6, voc_val=3)
    write_release(tmp_path / "other", voc_train=6, voc_val=3, seed=1)
    for folder in ("cls", "img"):
        first, again, other = (contents(dataset(at) / folder) for at in (root, tmp_path / "again", tmp_path / "other"))
        assert first == again != other


def test_the_real_cut_merges_with_the_devkits(real_data: Path, tmp_path: Path) -> None:
    shutil.copytree(real_data / "voc2012" / "VOCdevkit", tmp_path / "VOCdevkit")
    shutil.copytree(real_data / "sbd" / "benchmark_RELEASE", tmp_path / "benchmark_RELEASE")
    voc_decolor(tmp_path)
    report = sbd_merge(tmp_path)
    counts = report.counts
    assert (counts.voc_train, counts.sbd_train, counts.sbd_val, counts.samples) == (90, 61, 21, 172)
    pairs = read_list(tmp_path / "vocaug_train_lst.txt")
    assert len(pairs) == 172
    for pair in pairs:
        with Image.open(tmp_path / pair.image) as image, Image.open(tmp_path / pair.label) as label:
            assert label.mode == "L"
            assert image.size == label.size
            if pair.label.startswith("benchmark"):
                expected = segmentation(dataset(tmp_path) / "cls" / f"{Path(pair.label).stem}.mat")
                assert np.array_equal(np.asarray(label), expected)
