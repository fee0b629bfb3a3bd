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
from segdata.sources.voc import find_devkit, voc_list
from segdata.sources.voc_decolor import voc_decolor


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
    assert sorted(os.listdir(devkit(root))) == ["ImageSets", "JPEGImages", "SegmentationClass", "SegmentationObject"]


def test_files_that_are_not_png_are_counted_as_left_out(root: Path) -> None:
    (devkit(root) / "SegmentationClass" / "notes.txt").write_text("")
    (devkit(root) / "SegmentationClass" / ".DS_Store").write_text("")
    assert voc_decolor(root).left_out == ("notes.txt",)


def test_a_dry_run_checks_and_writes_nothing(root: Path) -> None:
    report = voc_decolor(root, dry_run=True)
    assert (report.rewritten, report.written) == (6, False)
    assert not (devkit(root) / "SegmentationClassGray").exists()


def test_masks_are_replaced_together_but_only_when_asked(root: Path) -> None:
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
        "ImageSets", "JPEGImages", "SegmentationClass", "SegmentationClassGray", "SegmentationObject"
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
            with pytest.raises(InvalidInputError, match=r"SegmentationClass: is .*which would be replaced\. Choose"):
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
    again = voc_decolor(root, dst_path=target, overwrite=True)
    assert (again.masks, again.left_out) == (6, ())


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
        "VOCdevkit/VOC2012/JPEGImages/2012_000001.jpg: does not exist",
        "VOCdevkit/VOC2012/JPEGImages: 2012_000003 has several files: 2012_000003.jpg, 2012_000003.png",
        "VOCdevkit/VOC2012/SegmentationClassGray/2012_000002.png: does not exist",
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


def test_a_single_split_is_listed(root: Path) -> None:
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


def devkit_of(root: Path, lists: dict[str, str], images: list[str], masks: list[str]) -> Path:
    """Make a devkit of these id lists in ImageSets, empty images in JPEGImages and empty index masks."""
    for name, text in lists.items():
        (devkit(root) / "ImageSets" / name).parent.mkdir(parents=True, exist_ok=True)
        (devkit(root) / "ImageSets" / name).write_text(text)
    for folder, names in (("JPEGImages", images), ("SegmentationClassAug", masks)):
        for name in names:
            (devkit(root) / folder / name).parent.mkdir(parents=True, exist_ok=True)
            (devkit(root) / folder / name).touch()
    return root


def listed(root: Path, split: str | Path) -> dict[str, list[tuple[str, str]]]:
    """List a split; return its samples by the name of the list, without the folder of the devkit."""
    report = voc_list(root, split=split, label_dir="SegmentationClassAug")
    start = len("VOCdevkit/VOC2012/")
    return {
        Path(path).name: [(pair.image[start:], pair.label[start:]) for pair in read_list(Path(path))]
        for path in report.files.values()
    }


def test_any_id_list_of_the_devkit_is_a_split(tmp_path: Path) -> None:
    lists = {
        "Segmentation/train.txt": "0\n",
        "Segmentation/val.txt": "1\n2\n",
        "Segmentation/trainaug.txt": "0\n3\n4\n",
    }
    root = devkit_of(
        tmp_path,
        {**lists, "Main/trainaug.txt": "4\n", "extra.txt": "3\n"},
        [f"{index}.jpg" for index in range(6)],
        [f"{index}.png" for index in range(5)],
    )
    pairs = {index: (f"JPEGImages/{index}.jpg", f"SegmentationClassAug/{index}.png") for index in range(5)}
    expected = {"voc_trainaug_lst.txt": [pairs[0], pairs[3], pairs[4]]}
    assert listed(root, "trainaug") == expected
    assert listed(root, "Main/trainaug") == {"voc_Main_trainaug_lst.txt": [pairs[4]]}
    assert listed(root, "extra") == {"voc_extra_lst.txt": [pairs[3]]}
    assert set(voc_list(root, label_dir="SegmentationClassAug").files) == {"train", "val"}
    (tmp_path / "mine.txt").write_text("2\n")
    assert listed(root, tmp_path / "mine.txt") == {"voc_mine_lst.txt": [pairs[2]]}


def test_the_path_of_a_list_in_the_devkit_is_its_name(tmp_path: Path) -> None:
    root = devkit_of(tmp_path, {"Segmentation/default.txt": "a\n"}, ["a.jpg"], ["a.png"])
    for split in ("default", "default.txt", devkit(root) / "ImageSets" / "Segmentation" / "default.txt"):
        assert list(voc_list(root, split=split, label_dir="SegmentationClassAug", dry_run=True).files) == ["default"]


def test_ids_may_have_spaces_and_folders_and_images_any_format(tmp_path: Path) -> None:
    ids = ["ride 1/frame 07", "ride 2/frame 07", "my photo", "scan.v2", "drawing"]
    images = ["ride 1/frame 07.png", "ride 2/frame 07.JPG", "my photo.bmp", "scan.v2.tif", "drawing.webp"]
    root = devkit_of(tmp_path, {"Segmentation/default.txt": "\n".join(ids)}, images, [f"{id_}.png" for id_ in ids])
    found = listed(root, "default")["voc_default_lst.txt"]
    assert found == [
        (f"JPEGImages/{image}", f"SegmentationClassAug/{id_}.png") for image, id_ in zip(images, ids, strict=True)
    ]


@pytest.mark.parametrize("line", ["../a", "/a", "x//a", "x\\a", "./a"])
def test_ids_outside_the_folder_are_refused(tmp_path: Path, line: str) -> None:
    root = devkit_of(tmp_path, {"Segmentation/default.txt": f"a\n{line}\n"}, ["a.jpg"], ["a.png"])
    with pytest.raises(FaultsError, match=r"default\.txt: 1 line is not an id:\n  line 2: expected one id, found"):
        listed(root, "default")


def test_a_list_of_one_class_is_refused_with_a_sentence(tmp_path: Path) -> None:
    root = devkit_of(tmp_path, {"Main/cat_train.txt": "a  1\nb -1\nc  0\n"}, ["a.jpg", "b.jpg", "c.jpg"], ["a.png"])
    with pytest.raises(InvalidInputError, match=r"Main_cat_train: has 1, 0 or -1 after each id, .* such as Main/train"):
        listed(root, "Main/cat_train")


def test_names_that_end_with_a_number_are_ids(tmp_path: Path) -> None:
    root = devkit_of(tmp_path, {"Segmentation/all.txt": "a 1\na 0\n"}, ["a 1.jpg", "a 0.jpg"], ["a 1.png", "a 0.png"])
    (devkit(root) / "ImageSets/Segmentation/all.txt").rename(devkit(root) / "ImageSets/Segmentation/frames.txt")
    assert len(listed(root, "frames")["voc_frames_lst.txt"]) == 2


def test_ids_in_another_form_are_named_with_the_form_that_matches(tmp_path: Path) -> None:
    images = ["Photo_1.jpg", "Photo_2.jpg", "Photo_3.jpg", "Photo_4.jpg"]
    lines = "photo_1\nPhoto_2.jpg\nJPEGImages/Photo_3\nPhoto_4 1\nPhoto_5\n"
    root = devkit_of(tmp_path, {"Segmentation/default.txt": lines}, images, ["Photo_5.png"])
    with pytest.raises(FaultsError) as error:
        listed(root, "default")
    assert [str(fault) for fault in error.value.faults] == [
        "default.txt: 4 of 5 ids match no image ('photo_1', 'Photo_2.jpg', 'JPEGImages/Photo_3', …); expected ids such "
        "as 'Photo_1'. Correct the ids.",
        "VOCdevkit/VOC2012/JPEGImages/Photo_5.jpg: does not exist",
    ]


def test_an_unknown_split_names_near_ones(tmp_path: Path) -> None:
    root = devkit_of(
        tmp_path, {"Segmentation/trainaug.txt": "a\n", "Segmentation/val.txt": "b\n"}, ["a.jpg"], ["a.png"]
    )
    with pytest.raises(InvalidInputError, match=r"train_aug\.txt: no such id list; did you mean trainaug\?"):
        listed(root, "train_aug")
