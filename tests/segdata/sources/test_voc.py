"""A VOC devkit: masks to class ids, splits to list files."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segdata.errors import FaultsError, InvalidInputError, TargetExistsError
from segdata.files.ownership import RESULT_MARKER
from segdata.labels.colormap import voc_palette
from segdata.lists import Pair, read_list
from segdata.miniature.voc import write_devkit
from segdata.sources.voc import find_devkit, voc_decolor, voc_list


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_devkit(tmp_path / "data", train=4, val=2)
    return tmp_path / "data"


def devkit(root: Path) -> Path:
    return root / "VOCdevkit" / "VOC2012"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_the_devkit_is_found_from_each_of_its_levels(root: Path) -> None:
    assert find_devkit(root) == find_devkit(root / "VOCdevkit") == find_devkit(devkit(root)) == devkit(root)


def test_two_years_are_not_chosen_between(root: Path) -> None:
    shutil.copytree(devkit(root), root / "VOCdevkit" / "VOC2007")
    with pytest.raises(InvalidInputError, match="VOC2007, VOC2012; expected one year"):
        find_devkit(root)


def test_no_devkit_says_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="expected VOCdevkit/VOC2012/JPEGImages"):
        find_devkit(tmp_path)


def test_every_mask_becomes_its_class_ids(root: Path) -> None:
    report = voc_decolor(root)
    assert (report.masks, report.rewritten, report.by_color, report.copied) == (6, 6, 0, 0)
    for path in (devkit(root) / "SegmentationClass").iterdir():
        gray = Image.open(devkit(root) / "SegmentationClassGray" / path.name)
        assert gray.mode == "L"
        assert np.array_equal(np.asarray(gray), np.asarray(Image.open(path)))


def test_one_worker_and_four_write_the_same_bytes(root: Path, tmp_path: Path) -> None:
    voc_decolor(root, dst_path=tmp_path / "one", workers=1)
    voc_decolor(root, dst_path=tmp_path / "four", workers=4)
    assert contents(tmp_path / "one") == contents(tmp_path / "four")


def test_all_faulty_masks_are_named_and_nothing_is_written(root: Path) -> None:
    folder = devkit(root) / "SegmentationClass"
    names = sorted(path.name for path in folder.iterdir())
    (folder / names[0]).write_bytes((folder / names[0]).read_bytes()[:-20])
    Image.new("RGB", (3, 3), (1, 2, 3)).save(folder / names[1])
    Image.fromarray(voc_palette()[np.full((3, 3), 15)]).convert("L").save(folder / names[2])
    with pytest.raises(FaultsError, match="3 of 6 masks") as error:
        voc_decolor(root)
    assert [fault.split(":")[0] for fault in tuple(map(str, error.value.faults))] == names[:3]
    assert [
        "truncated" in str(error.value.faults[0]),
        "(1, 2, 3)" in str(error.value.faults[1]),
    ] == [True, True]
    assert "gray made from color" in str(error.value.faults[2])
    assert sorted(os.listdir(devkit(root))) == ["ImageSets", "JPEGImages", "SegmentationClass"]


def test_files_that_are_no_png_are_counted_as_left_out(root: Path) -> None:
    (devkit(root) / "SegmentationClass" / "notes.txt").write_text("")
    (devkit(root) / "SegmentationClass" / ".DS_Store").write_text("")
    assert voc_decolor(root).left_out == ("notes.txt",)


def test_a_dry_run_checks_and_writes_nothing(root: Path) -> None:
    report = voc_decolor(root, dry_run=True)
    assert (report.rewritten, report.written) == (6, False)
    assert not (devkit(root) / "SegmentationClassGray").exists()


def test_masks_are_replaced_as_a_whole_but_only_when_asked(root: Path) -> None:
    voc_decolor(root)
    before = contents(devkit(root) / "SegmentationClassGray")
    assert sorted(before) == [RESULT_MARKER, *sorted(os.listdir(devkit(root) / "SegmentationClass"))]
    for dry_run in (False, True):
        with pytest.raises(TargetExistsError, match="already exists") as error:
            voc_decolor(root, dry_run=dry_run)
        assert error.value.replaceable
    (devkit(root) / "SegmentationClass" / "2012_000000.png").unlink()
    voc_decolor(root, overwrite=True)
    del before["2012_000000.png"]
    after = contents(devkit(root) / "SegmentationClassGray")
    assert {**after, RESULT_MARKER: b""} == {**before, RESULT_MARKER: b""}
    assert sorted(os.listdir(devkit(root))) == [
        "ImageSets", "JPEGImages", "SegmentationClass", "SegmentationClassGray"
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["mine.png", "notes.txt"])
def test_masks_are_never_replaced_together_with_files_of_someone_else(root: Path, name: str) -> None:
    voc_decolor(root)
    (devkit(root) / "SegmentationClassGray" / name).write_text("mine")
    before = contents(devkit(root) / "SegmentationClassGray")
    for dry_run in (False, True):
        with pytest.raises(TargetExistsError, match=f"would delete:\n  {name}\n") as error:
            voc_decolor(root, overwrite=True, dry_run=dry_run)
        assert not error.value.replaceable
    assert contents(devkit(root) / "SegmentationClassGray") == before


def test_photographs_with_the_names_of_masks_are_never_replaced(root: Path, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for name in os.listdir(devkit(root) / "SegmentationClass"):
        Image.new("RGB", (40, 30), (10, 20, 30)).save(tmp_path / "photos" / name)
    before = contents(tmp_path / "photos")
    for dry_run in (False, True):
        with pytest.raises(TargetExistsError, match=r"photos: has no \.segdata-files\.json") as error:
            voc_decolor(root, dst_path=tmp_path / "photos", overwrite=True, dry_run=dry_run)
        assert not error.value.replaceable
    assert contents(tmp_path / "photos") == before


@pytest.mark.parametrize("target", ["SegmentationClass", "a link to it", "."])
def test_the_masks_themselves_are_never_replaced(root: Path, target: str) -> None:
    source = devkit(root) / "SegmentationClass"
    (devkit(root) / "a link to it").symlink_to(source)
    before = contents(source)
    for overwrite in (False, True):
        for dry_run in (False, True):
            with pytest.raises(
                InvalidInputError, match=r"SegmentationClass: is .*which would be replaced; expected an"
            ):
                voc_decolor(root, dst_path=devkit(root) / target, overwrite=overwrite, dry_run=dry_run)
    assert contents(source) == before


def test_masks_of_an_earlier_run_are_not_replaced_while_they_are_the_source(root: Path) -> None:
    voc_decolor(root)
    gray = devkit(root) / "SegmentationClassGray"
    with pytest.raises(InvalidInputError, match="is the target itself, which would be replaced"):
        voc_decolor(root, src_path=gray, overwrite=True)
    assert voc_decolor(root, src_path=gray, dst_path=devkit(root) / "again").left_out == ()


def test_the_target_may_be_a_folder_below_the_masks(root: Path) -> None:
    target = devkit(root) / "SegmentationClass" / "gray"
    assert voc_decolor(root, dst_path=target).masks == 6
    assert voc_decolor(root, dst_path=target, overwrite=True).left_out == ("gray",)


def test_the_lists_are_relative_to_the_given_root(root: Path) -> None:
    voc_decolor(root)
    report = voc_list(root)
    assert report.samples == {"train": 4, "val": 2, "trainval": 6}
    first = read_list(root / "voc_train_lst.txt")[0]
    prefix = "VOCdevkit/VOC2012"
    assert first == Pair(f"{prefix}/JPEGImages/2012_000000.jpg", f"{prefix}/SegmentationClassGray/2012_000000.png")
    voc_list(devkit(root), split="val")
    assert read_list(devkit(root) / "voc_val_lst.txt")[0].image == "JPEGImages/2012_000004.jpg"


def test_ids_are_stripped_so_that_no_val_image_slips_into_train(root: Path) -> None:
    voc_decolor(root)
    folder = devkit(root) / "ImageSets" / "Segmentation"
    (folder / "train.txt").write_bytes(b"2012_000000\r\n\r\n2012_000004 ")
    with pytest.raises(FaultsError, match=r"2012_000004: both in train\.txt and in val\.txt"):
        voc_list(root, split="train")


def test_every_fault_of_the_splits_is_reported_at_once(root: Path) -> None:
    voc_decolor(root)
    (devkit(root) / "JPEGImages" / "2012_000001.jpg").unlink()
    (devkit(root) / "SegmentationClassGray" / "2012_000002.png").unlink()
    shutil.copy(devkit(root) / "JPEGImages" / "2012_000003.jpg", devkit(root) / "JPEGImages" / "2012_000003.png")
    with (devkit(root) / "ImageSets" / "Segmentation" / "train.txt").open("a") as file:
        file.write("2012_000000\n")
    with pytest.raises(FaultsError) as error:
        voc_list(root, split="train")
    assert tuple(map(str, error.value.faults)) == (
        "train.txt: 2012_000000 appears 2 times",
        "VOCdevkit/VOC2012/JPEGImages/2012_000001.jpg: missing",
        "VOCdevkit/VOC2012/JPEGImages: 2012_000003 has several files: 2012_000003.jpg, 2012_000003.png",
        "VOCdevkit/VOC2012/SegmentationClassGray/2012_000002.png: missing",
    )
    assert not list(root.glob("*.txt"))


def test_masks_that_were_not_made_yet_are_said_to_be_missing(root: Path) -> None:
    with pytest.raises(InvalidInputError, match="Make it from SegmentationClass with voc-decolor"):
        voc_list(root)


def test_a_split_that_is_not_there_is_an_error_only_by_name(root: Path) -> None:
    voc_decolor(root)
    (devkit(root) / "ImageSets" / "Segmentation" / "trainval.txt").unlink()
    assert set(voc_list(root, dry_run=True).samples) == {"train", "val"}
    with pytest.raises(InvalidInputError, match=r"trainval\.txt"):
        voc_list(root, split="trainval")


def test_a_split_that_stands_alone_is_listed(root: Path) -> None:
    voc_decolor(root)
    for split in ("train", "val"):
        (devkit(root) / "ImageSets" / "Segmentation" / f"{split}.txt").unlink()
    assert voc_list(root, split="trainval", dry_run=True).samples == {"trainval": 6}


def test_a_list_is_replaced_only_when_asked(root: Path) -> None:
    voc_decolor(root)
    voc_list(root, split="val")
    with pytest.raises(TargetExistsError, match="voc_val_lst"):
        voc_list(root)
    assert not (root / "voc_train_lst.txt").exists()
    voc_list(root, overwrite=True)
    assert len(read_list(root / "voc_train_lst.txt")) == 4


def test_the_real_cut_gives_90_and_60_pairs_with_the_same_pixels(real_data: Path, tmp_path: Path) -> None:
    shutil.copytree(real_data / "voc2012" / "VOCdevkit", tmp_path / "VOCdevkit", copy_function=shutil.copyfile)
    for folder in (tmp_path / "VOCdevkit").rglob("*"):
        folder.chmod(0o755)
    assert voc_decolor(tmp_path).rewritten == 150
    assert voc_list(tmp_path).samples == {"train": 90, "val": 60, "trainval": 150}
    for path in (devkit(tmp_path) / "SegmentationClass").iterdir():
        gray = np.asarray(Image.open(devkit(tmp_path) / "SegmentationClassGray" / path.name))
        assert np.array_equal(gray, np.asarray(Image.open(path)))
