"""Somebody's own folders of images and labels, paired by name."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from PIL import Image

from segdata.errors import FaultsError, InvalidInputError, TargetExistsError
from segdata.images.header import IMAGE_SUFFIXES
from segdata.lists import Pair, read_list
from segdata.sources.folders import FolderReport, pair_list


def picture(path: Path, *, size: tuple[int, int] = (6, 4), mode: str = "RGB") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size).save(path)
    return path


def pairs(root: Path, **options: object) -> list[tuple[str, str]]:
    """Pair `images` and `labels` below `root`; return the list's lines."""
    pair_list(root / "images", root / "labels", root / "list.txt", overwrite=True, **options)
    return [(pair.image, pair.label) for pair in read_list(root / "list.txt")]


def faults(root: Path, **options: object) -> FaultsError:
    with pytest.raises(FaultsError) as caught:
        pairs(root, **options)
    assert not (root / "list.txt").exists()
    return caught.value


def test_names_are_paired_whatever_their_endings(tmp_path: Path) -> None:
    for name in ("d.jpg", "a.JPG", "c.tif", "b.jpeg", "e.v2.png", "f.PNG"):
        picture(tmp_path / "images" / name)
        picture(tmp_path / "labels" / f"{Path(name).stem}.png", mode="L")
    assert pairs(tmp_path) == [
        ("images/a.JPG", "labels/a.png"),
        ("images/b.jpeg", "labels/b.png"),
        ("images/c.tif", "labels/c.png"),
        ("images/d.jpg", "labels/d.png"),
        ("images/e.v2.png", "labels/e.v2.png"),
        ("images/f.PNG", "labels/f.png"),
    ]


@pytest.mark.parametrize(
    ("image_suffix", "label_suffix"),
    [("", "_mask.png"), ("", "_mask"), ("", "_MASK.PNG"), (".jpg", "_mask"), (".JPG", "_mask.png")],
)
def test_a_suffix_is_cut_off_before_names_are_compared(tmp_path: Path, image_suffix: str, label_suffix: str) -> None:
    picture(tmp_path / "images" / "a.jpg")
    picture(tmp_path / "labels" / "a_mask.png", mode="L")
    picture(tmp_path / "labels" / "a_overlay.png")
    found = pairs(tmp_path, image_suffix=image_suffix, label_suffix=label_suffix)
    assert found == [("images/a.jpg", "labels/a_mask.png")]


def test_labels_named_after_the_full_image_name_are_paired(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "a.jpg")
    picture(tmp_path / "labels" / "a.jpg.png", mode="L")
    assert pairs(tmp_path, label_suffix=".jpg.png") == [("images/a.jpg", "labels/a.jpg.png")]


def test_folders_below_are_paired_by_their_path_when_asked(tmp_path: Path) -> None:
    for folder in ("x", "y", "y/z"):
        picture(tmp_path / "images" / folder / "1.jpg")
        picture(tmp_path / "labels" / folder / "1.png", mode="L")
    assert pairs(tmp_path, recursive=True) == [
        ("images/x/1.jpg", "labels/x/1.png"),
        ("images/y/1.jpg", "labels/y/1.png"),
        ("images/y/z/1.jpg", "labels/y/z/1.png"),
    ]
    with pytest.raises(InvalidInputError, match="Search subfolders with --recursive"):
        pair_list(tmp_path / "images", tmp_path / "labels", tmp_path / "other.txt")


def both(root: Path, name: str) -> None:
    """Draw an image and its label."""
    picture(root / "images" / f"{name}.jpg")
    picture(root / "labels" / f"{name}.png", mode="L")


def test_linked_folders_are_searched_under_the_name_of_the_link(tmp_path: Path) -> None:
    both(tmp_path, "a/1")
    both(tmp_path / "store", "2")
    for side in ("images", "labels"):
        (tmp_path / side / "b").symlink_to(tmp_path / "store" / side)
    assert pairs(tmp_path, recursive=True) == [
        ("images/a/1.jpg", "labels/a/1.png"),
        ("images/b/2.jpg", "labels/b/2.png"),
    ]


def test_a_folder_is_searched_once_under_its_own_name_and_further_links_are_named(tmp_path: Path) -> None:
    both(tmp_path, "z/1")
    for link, target in (("a", "z"), ("z/loop", ".."), ("up", "..")):
        (tmp_path / "images" / link).symlink_to(target)
    report = pair_list(tmp_path / "images", tmp_path / "labels", tmp_path / "list.txt", recursive=True)
    assert read_list(tmp_path / "list.txt") == [Pair("images/z/1.jpg", "labels/z/1.png")]
    assert report.left_out_folders == tuple(str(tmp_path / "images" / link) for link in ("a", "up/images", "z/loop"))


def test_a_link_to_the_labels_brings_no_images(tmp_path: Path) -> None:
    both(tmp_path, "1")
    (tmp_path / "images" / "masks").symlink_to(tmp_path / "labels")
    assert pairs(tmp_path, recursive=True) == [("images/1.jpg", "labels/1.png")]


def test_hidden_folders_are_left_out(tmp_path: Path) -> None:
    both(tmp_path, "1")
    picture(tmp_path / "images" / ".cache" / "2.jpg")
    assert pairs(tmp_path, recursive=True) == [("images/1.jpg", "labels/1.png")]


@pytest.mark.parametrize("recursive", [False, True])
def test_folders_that_cannot_be_read_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recursive: bool
) -> None:
    both(tmp_path, "a/1")
    both(tmp_path, "b/1")
    both(tmp_path, "1")
    scan = os.scandir
    shut = [tmp_path / "images" / name for name in (("a", "b") if recursive else ("",))]

    def refuse(path: Path) -> Any:
        if path in shut:
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr("os.scandir", refuse)
    error = faults(tmp_path, recursive=recursive)
    assert list(map(str, error.faults)) == [f"{path}: cannot be read: Permission denied" for path in shut]


def test_a_link_that_leads_nowhere_in_a_circle_is_named(tmp_path: Path) -> None:
    both(tmp_path, "1")
    (tmp_path / "images" / "self").symlink_to("self")
    with pytest.raises(FaultsError, match="self: cannot be read: Too many levels of symbolic links"):
        pairs(tmp_path, recursive=True)


def test_a_fifo_named_like_an_image_is_named_instead_of_waited_for(tmp_path: Path) -> None:
    both(tmp_path, "1")
    both(tmp_path, "2")
    (tmp_path / "images" / "2.jpg").unlink()
    os.mkfifo(tmp_path / "images" / "2.jpg")
    assert [str(fault) for fault in faults(tmp_path).faults] == ["images/2.jpg: is a FIFO; expected a regular file"]


def test_the_command_names_links_that_were_left_out(segdata: Callable[..., Result], tmp_path: Path) -> None:
    both(tmp_path, "a/1")
    (tmp_path / "images" / "b").symlink_to("a")
    options = ("--images", tmp_path / "images", "--labels", tmp_path / "labels", "--dst_path", tmp_path / "list.txt")
    result = segdata("pair-list", *options, "--recursive")
    assert result.exit_code == 0, result.output
    assert f"left out, links to folders that were already searched: {tmp_path}/images/b\n" in result.output


@pytest.mark.parametrize("suffixes", [{"label_suffix": "_mask"}, {"image_suffix": "_rgb"}])
def test_images_and_labels_may_share_a_folder(tmp_path: Path, suffixes: dict[str, str]) -> None:
    image = f"a{suffixes.get('image_suffix', '')}.png"
    label = f"a{suffixes.get('label_suffix', '')}.png"
    picture(tmp_path / image)
    picture(tmp_path / label, mode="L")
    pair_list(tmp_path, tmp_path, tmp_path / "list.txt", **suffixes)
    assert read_list(tmp_path / "list.txt") == [Pair(image, label)]


def test_images_and_labels_in_one_folder_need_a_suffix(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    with pytest.raises(InvalidInputError, match="Name the suffix of the labels with --label_suffix"):
        pair_list(tmp_path, tmp_path, tmp_path / "list.txt")


def test_labels_in_a_folder_of_the_image_folder_are_not_images(tmp_path: Path) -> None:
    picture(tmp_path / "1.jpg")
    picture(tmp_path / "more" / "2.jpg")
    picture(tmp_path / "labels" / "1.png", mode="L")
    picture(tmp_path / "labels" / "more" / "2.png", mode="L")
    pair_list(tmp_path, tmp_path / "labels", tmp_path / "list.txt", recursive=True)
    assert read_list(tmp_path / "list.txt") == [Pair("1.jpg", "labels/1.png"), Pair("more/2.jpg", "labels/more/2.png")]


def test_paths_are_relative_to_the_nearest_folder_above_or_the_one_named(tmp_path: Path) -> None:
    picture(tmp_path / "data" / "set" / "images" / "a.jpg")
    picture(tmp_path / "data" / "set" / "masks" / "a.png", mode="L")
    folders = tmp_path / "data" / "set" / "images", tmp_path / "data" / "set" / "masks"
    report = pair_list(*folders, tmp_path / "near.txt")
    assert report.root == str(tmp_path / "data" / "set")
    assert read_list(tmp_path / "near.txt") == [Pair("images/a.jpg", "masks/a.png")]
    report = pair_list(*folders, tmp_path / "far.txt", data_root=tmp_path / "data")
    assert report.root == str(tmp_path / "data")
    assert read_list(tmp_path / "far.txt") == [Pair("set/images/a.jpg", "set/masks/a.png")]
    with pytest.raises(InvalidInputError, match="is outside the data root"):
        pair_list(*folders, tmp_path / "none.txt", data_root=folders[0])


def test_names_with_spaces_come_back_from_the_list(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "my photo 1.jpg")
    picture(tmp_path / "labels" / "my photo 1.png", mode="L")
    assert pairs(tmp_path) == [("images/my photo 1.jpg", "labels/my photo 1.png")]


def test_all_faults_are_named_at_once(tmp_path: Path) -> None:
    for name in ("a", "b", "c", "d", "e", "f"):
        picture(tmp_path / "images" / f"{name}.jpg")
    for name in ("a", "c", "d", "e", "f", "g"):
        picture(tmp_path / "labels" / f"{name}.png", mode="L")
    picture(tmp_path / "images" / "c.png")
    picture(tmp_path / "labels" / "d.png", size=(4, 6), mode="L")
    (tmp_path / "labels" / "e.png").write_bytes(b"no image")
    (tmp_path / "images" / "f.jpg").write_bytes(b"")
    error = faults(tmp_path)
    assert error.what == (
        "1 valid pair, but also images without a label (1), ambiguous names (1), pairs of different sizes (1), "
        "damaged files (2), labels without an image (1); nothing was written. Leave out images and labels that have no "
        "partner with --unpaired skip"
    )
    assert list(map(str, error.faults)) == [
        "images/b.jpg: no label",
        "several files have the same name: images/c.jpg, images/c.png, labels/c.png",
        "images/d.jpg: 6 x 4 pixels, but its label labels/d.png has 4 x 6",
        "labels/e.png: not a readable image: unknown image format",
        "images/f.jpg: is empty (0 bytes); expected an image",
        "labels/g.png: no image",
    ]


def test_two_endings_of_one_image_name_are_ambiguous(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "a.jpg")
    picture(tmp_path / "images" / "a.JPG")
    picture(tmp_path / "labels" / "a.png", mode="L")
    assert "images/a.JPG, images/a.jpg, labels/a.png" in str(faults(tmp_path))


def test_names_that_never_meet_get_the_hint_at_suffixes(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "a.jpg")
    picture(tmp_path / "labels" / "a_mask.png", mode="L")
    with pytest.raises(InvalidInputError, match=r"images are named like a, labels like a_mask\. Name the suffix"):
        pairs(tmp_path)


@pytest.mark.parametrize("empty", ["images", "labels"])
def test_a_folder_without_images_says_what_was_expected(tmp_path: Path, empty: str) -> None:
    picture(tmp_path / "images" / "a.jpg")
    picture(tmp_path / "labels" / "a.png", mode="L")
    for path in (tmp_path / empty).iterdir():
        path.rename(path.with_suffix(".txt"))
    with pytest.raises(InvalidInputError, match=rf"{empty}: contains no {empty}; expected files that end in \.jpg"):
        pairs(tmp_path)


def test_kinds_of_labels_and_what_was_left_out_are_counted(tmp_path: Path) -> None:
    for name in "abcdef":
        picture(tmp_path / "images" / f"{name}.jpg")
    for name, mode in (("a", "L"), ("b", "L"), ("c", "P"), ("d", "RGB"), ("e", "1")):
        picture(tmp_path / "labels" / f"{name}.png", mode=mode)
    picture(tmp_path / "labels" / "f.tif", mode="L")
    for name in ("images/a.json", "images/b.JSON", "labels/Thumbs.db", "labels/README", "labels/._a.png"):
        (tmp_path / name).touch()
    assert pair_list(tmp_path / "images", tmp_path / "labels", tmp_path / "list.txt") == FolderReport(
        path=str(tmp_path / "list.txt"),
        root=str(tmp_path),
        samples=6,
        labels={"8-bit gray PNG": 2, "1-bit palette PNG": 1, "8-bit RGB PNG": 1, "1-bit gray PNG": 1, "TIFF L": 1},
        left_out={".json": 2, ".db": 1, "README": 1},
        unpaired={},
        unlisted=0,
        left_out_folders=(),
        written=True,
    )


def test_a_dry_run_checks_and_writes_nothing(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "a.jpg")
    picture(tmp_path / "labels" / "a.png", mode="L")
    report = pair_list(tmp_path / "images", tmp_path / "labels", tmp_path / "list.txt", dry_run=True)
    assert (report.samples, report.written) == (1, False)
    assert not (tmp_path / "list.txt").exists()
    picture(tmp_path / "images" / "b.jpg")
    with pytest.raises(FaultsError, match=r"images/b\.jpg: no label"):
        pair_list(tmp_path / "images", tmp_path / "labels", tmp_path / "list.txt", dry_run=True)


def test_a_list_is_replaced_only_when_asked(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "a.jpg")
    picture(tmp_path / "labels" / "a.png", mode="L")
    (tmp_path / "list.txt").write_text("old.jpg old.png\n")
    with pytest.raises(TargetExistsError):
        pair_list(tmp_path / "images", tmp_path / "labels", tmp_path / "list.txt")
    assert (tmp_path / "list.txt").read_text() == "old.jpg old.png\n"
    assert len(pairs(tmp_path)) == 1


def test_a_real_devkit_pairs_as_two_folders(real_data: Path, tmp_path: Path) -> None:
    devkit = real_data / "voc2012" / "VOCdevkit" / "VOC2012"
    report = pair_list(devkit / "JPEGImages", devkit / "SegmentationClass", tmp_path / "list.txt")
    assert (report.samples, report.labels) == (150, {"8-bit palette PNG": 150})


def test_only_the_ids_of_a_file_are_listed(tmp_path: Path) -> None:
    for name in ("a", "b", "ride 1/c", "ride 1/d"):
        both(tmp_path, name)
    picture(tmp_path / "images" / "no label.jpg")
    (tmp_path / "ids.txt").write_text("ride 1/d\na\n")
    found = pairs(tmp_path, ids=tmp_path / "ids.txt", recursive=True)
    assert found == [("images/a.jpg", "labels/a.png"), ("images/ride 1/d.jpg", "labels/ride 1/d.png")]
    report = pair_list(
        tmp_path / "images", tmp_path / "labels", tmp_path / "l.txt", ids=tmp_path / "ids.txt", recursive=True
    )
    assert (report.samples, report.unlisted, report.unpaired) == (2, 3, {})


def test_ids_that_match_no_image_are_shown_with_a_near_form(tmp_path: Path) -> None:
    for name in "abcde":
        both(tmp_path, name)
    (tmp_path / "ids.txt").write_text("a\nB.jpg\nc.png\nimages/d\ne.jpg\n")
    with pytest.raises(InvalidInputError) as error:
        pairs(tmp_path, ids=tmp_path / "ids.txt", unpaired="skip")
    assert str(error.value) == (
        f"{tmp_path}/ids.txt: 4 of 5 ids match no image ('B.jpg', 'c.png', 'images/d', …); expected ids such as 'b'. "
        "Correct the ids."
    )
    assert not (tmp_path / "list.txt").exists()


def test_an_id_without_a_label_or_twice_in_the_file_is_an_error(tmp_path: Path) -> None:
    both(tmp_path, "a")
    picture(tmp_path / "images" / "b.jpg")
    (tmp_path / "ids.txt").write_text("a\nb\n")
    assert list(map(str, faults(tmp_path, ids=tmp_path / "ids.txt").faults)) == ["images/b.jpg: no label"]
    (tmp_path / "ids.txt").write_text("a\nb\na\n")
    assert "duplicate ids:\n  a (2 times)" in str(faults(tmp_path, ids=tmp_path / "ids.txt"))


@pytest.mark.parametrize("prefixes", [("img_", "mask_"), ("", "mask_"), ("IMG_", "Mask_")])
def test_a_prefix_is_cut_off_before_names_are_compared(tmp_path: Path, prefixes: tuple[str, str]) -> None:
    image = f"{prefixes[0].lower()}1.jpg"
    picture(tmp_path / "images" / image)
    picture(tmp_path / "labels" / "mask_1.png", mode="L")
    picture(tmp_path / "labels" / "overlay_1.png")
    found = pairs(tmp_path, image_prefix=prefixes[0], label_prefix=prefixes[1])
    assert found == [(f"images/{image}", "labels/mask_1.png")]


def test_a_prefix_and_a_suffix_are_both_cut_off_and_tell_files_of_one_folder_apart(tmp_path: Path) -> None:
    picture(tmp_path / "scan_1.png")
    picture(tmp_path / "gt_scan_1_v2.png", mode="L")
    pair_list(tmp_path, tmp_path, tmp_path / "list.txt", label_prefix="gt_", label_suffix="_v2.png")
    assert read_list(tmp_path / "list.txt") == [Pair("scan_1.png", "gt_scan_1_v2.png")]


def test_a_name_that_is_only_a_prefix_or_shorter_is_not_paired(tmp_path: Path) -> None:
    both(tmp_path, "a")
    picture(tmp_path / "labels" / "a_a.png", mode="L")
    picture(tmp_path / "labels" / "a_.png", mode="L")
    assert pairs(tmp_path, label_prefix="a_") == [("images/a.jpg", "labels/a_a.png")]


def test_masks_that_are_gifs_are_refused_with_a_sentence(tmp_path: Path) -> None:
    for name in ("a", "b"):
        picture(tmp_path / "images" / f"{name}.jpg")
        picture(tmp_path / "labels" / f"{name}_mask.gif", mode="L")
    error = faults(tmp_path, label_suffix="_mask")
    assert error.what == "0 valid pairs, but also unsupported files (2); nothing was written"
    assert str(error.faults[0]) == (
        "labels/a_mask.gif: is a GIF, which is not paired; expected another format. Convert it, for example with "
        "mogrify -format png"
    )


def test_images_of_every_format_but_gif_are_paired(tmp_path: Path) -> None:
    for suffix in IMAGE_SUFFIXES:
        name = suffix[1:]
        picture(tmp_path / "images" / f"{name}{suffix}", mode="L" if suffix == ".pgm" else "RGB")
        picture(tmp_path / "labels" / f"{name}.png", mode="L")
    assert pairs(tmp_path) == [
        (f"images/{suffix[1:]}{suffix}", f"labels/{suffix[1:]}.png") for suffix in sorted(IMAGE_SUFFIXES)
    ]


def test_gifs_that_are_not_in_a_pair_are_left_out_and_counted(tmp_path: Path) -> None:
    both(tmp_path, "a")
    picture(tmp_path / "images" / "a.gif", mode="L")
    picture(tmp_path / "labels" / "preview.gif", mode="L")
    report = pair_list(tmp_path / "images", tmp_path / "labels", tmp_path / "list.txt")
    assert (report.samples, report.left_out) == (1, {".gif": 2})


def test_files_without_a_counterpart_are_left_out_and_counted_when_asked(tmp_path: Path) -> None:
    both(tmp_path, "a")
    for name in ("b", "c"):
        picture(tmp_path / "images" / f"{name}.jpg")
    picture(tmp_path / "labels" / "d.png", mode="L")
    assert pairs(tmp_path, unpaired="skip") == [("images/a.jpg", "labels/a.png")]
    report = pair_list(tmp_path / "images", tmp_path / "labels", tmp_path / "l.txt", unpaired="skip")
    assert report.unpaired == {"images without a label": 2, "labels without an image": 1}
    assert len(faults_of_damage(tmp_path)) == 1


@pytest.mark.parametrize(("image", "label"), [("B", "b"), ("caf\xe9", "cafe\u0301")])
@pytest.mark.parametrize("unpaired", ["error", "skip"])
def test_a_label_in_another_case_is_never_left_out(tmp_path: Path, image: str, label: str, unpaired: str) -> None:
    both(tmp_path, "a")
    picture(tmp_path / f"images/{image}.jpg")
    picture(tmp_path / f"labels/{label}.png", mode="L")
    caught = faults(tmp_path, unpaired=unpaired)
    assert sorted(fault.code for fault in caught.faults) == ["missing_image", "missing_label"]
    assert f"Rename files whose names differ only by case or Unicode form, such as {min(image, label)}" in str(caught)
    (tmp_path / f"labels/{label}.png").rename(tmp_path / f"labels/{image}.png")
    assert len(pairs(tmp_path, unpaired=unpaired)) == 2


def faults_of_damage(root: Path) -> tuple[object, ...]:
    """Damage the image of the pair; files without a counterpart stay left out, and the damage is an error."""
    (root / "images" / "a.jpg").write_bytes(b"no image")
    (root / "list.txt").unlink()
    return faults(root, unpaired="skip").faults
