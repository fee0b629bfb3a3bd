"""Copies that were recompressed, resized, cropped, mirrored or rotated are found, and other images are not."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from segdata.errors import Fault, FaultsError
from segdata.images.values import ValueRange
from segdata.inspect.check import CheckReport, check
from segdata.inspect.check.near_hash import ORIENTATIONS, SIGNATURE_BYTES, alike, gray, orient, signature, thumbnail
from segdata.inspect.check.near_index import propose
from segdata.inspect.check.overlap import open_other
from segdata.opening import open_dataset
from segdata.records.convert import to_mindrecord

Change = Callable[[np.ndarray], np.ndarray]

#: Number of pictures in a drawn set.
PICTURES = 24


def texture(seed: int, height: int = 150, width: int = 200) -> np.ndarray:
    """Draw a picture of clouds and bars, ``(H, W, 3)`` uint8."""
    draw = np.random.default_rng(seed)
    clouds = sum(
        cv2.resize(draw.normal(0, 90 / cells, (cells, cells, 3)), (width, height), interpolation=cv2.INTER_CUBIC)
        for cells in (4, 9, 20)
    )
    for _ in range(12):
        top, left = draw.integers(0, height), draw.integers(0, width)
        clouds[top : top + 25, left : left + 25] += draw.normal(0, 60, 3)
    return np.clip(clouds + draw.uniform(70, 180), 0, 255).astype(np.uint8)


CHANGES: dict[str, tuple[Change, str]] = {
    "compressed again": (lambda image: image, ""),
    "half the size": (lambda image: cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), ""),
    "cropped at the top and left": (lambda image: image[15:, 20:], ""),
    "cropped all around": (lambda image: image[7:-7, 10:-10], ""),
    "mirrored": (lambda image: image[:, ::-1], ", mirrored"),
    "upside down": (lambda image: image[::-1], ", mirrored"),
    "turned left": (lambda image: np.rot90(image), ", rotated by 90°"),
    "turned right": (lambda image: np.rot90(image, 3), ", rotated by 90°"),
    "turned by a half": (lambda image: image[::-1, ::-1], ", rotated by 180°"),
    "transposed": (lambda image: image.swapaxes(0, 1), ", rotated and mirrored"),
    "cropped and mirrored": (lambda image: image[8:-7, 5:-15][:, ::-1], ", mirrored"),
    "gray": (lambda image: cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR), ""),
}


def write(root: Path, name: str, pictures: Sequence[tuple[str, np.ndarray]], quality: int = 90) -> Path:
    """Write pictures as JPEGs with a label each, and return their list."""
    root.mkdir(exist_ok=True)
    lines = []
    for stem, image in pictures:
        cv2.imwrite(str(root / f"{stem}.jpg"), np.ascontiguousarray(image), [cv2.IMWRITE_JPEG_QUALITY, quality])
        cv2.imwrite(str(root / f"{stem}.png"), np.zeros(image.shape[:2], np.uint8))
        lines.append(f"{stem}.jpg {stem}.png\n")
    (root / name).write_text("".join(lines))
    return root / name


@pytest.fixture(scope="module")
def pictures() -> list[tuple[str, np.ndarray]]:
    return [(f"p{seed:02d}", texture(seed)) for seed in range(PICTURES)]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, pictures: list[tuple[str, np.ndarray]]) -> Path:
    """A folder with the pictures and one copy for each change, of another picture each."""
    folder = tmp_path_factory.mktemp("near") / "data"
    write(folder, "pictures.txt", pictures)
    changed = [(f"c{row:02d}", change(pictures[row][1])) for row, (change, _) in enumerate(CHANGES.values())]
    write(folder, "copies.txt", changed, quality=60)
    lines = (folder / "pictures.txt").read_text() + (folder / "copies.txt").read_text()
    (folder / "both.txt").write_text(lines)
    (folder / "copies_first.txt").write_text("".join(sorted(lines.splitlines(keepends=True))))
    return folder


def said(report: CheckReport) -> dict[str, list[str]]:
    return {finding.code: [str(fault) for fault in finding.examples] for finding in report.findings}


def found(path: Path, **options: object) -> list[str]:
    """Return the sentences on all similar images in a set; no other fault is expected."""
    every: list[Fault] = []
    check(path, near=True, every=every, **{"workers": 1, **options})
    assert {fault.code for fault in every} <= {"near_duplicate", "overlap_near"}
    return [str(fault) for fault in every]


def test_pictures_that_are_not_alike_are_not_found(root: Path) -> None:
    report = check(root / "pictures.txt", near=True, workers=1)
    assert (report.findings, report.near, report.decoded, report.quality) == ((), True, True, False)


def test_each_change_is_found_and_named_whatever_the_workers(root: Path) -> None:
    expected = [f"c{row:02d}.jpg: is similar to p{row:02d}.jpg{how}" for row, (_, how) in enumerate(CHANGES.values())]
    assert found(root / "both.txt", workers=1) == expected
    assert found(root / "both.txt", workers=3) == expected


def test_the_order_of_both_images_does_not_matter(root: Path) -> None:
    expected = [f"p{row:02d}.jpg: is similar to c{row:02d}.jpg{how}" for row, (_, how) in enumerate(CHANGES.values())]
    assert found(root / "copies_first.txt") == expected


def test_without_the_option_nothing_is_said(root: Path) -> None:
    assert check(root / "both.txt", decode=True, hash=True, workers=1).findings == ()


@pytest.mark.parametrize("ours, theirs", [("c", "p"), ("p", "c")])
def test_images_of_another_set_are_named_with_it(root: Path, ours: str, theirs: str) -> None:
    lists = {"c": root / "copies.txt", "p": root / "pictures.txt"}
    expected = [
        f"{ours}{row:02d}.jpg: is similar to {theirs}{row:02d}.jpg in {lists[theirs]}{how}"
        for row, (_, how) in enumerate(CHANGES.values())
    ]
    every: list[Fault] = []
    report = check(lists[ours], near=True, against=[open_dataset(lists[theirs])], every=every, workers=1)
    assert [str(fault) for fault in every] == expected
    assert (report.errors, report.ok()) == (len(CHANGES), False)


def test_deep_images_of_a_list_are_compared_in_the_value_range_of_the_set(tmp_path: Path) -> None:
    deep = cv2.cvtColor(texture(1), cv2.COLOR_BGR2GRAY).astype(np.uint16) * 16
    images = {"ours": deep, "mirrored": deep[:, ::-1], "eight": (deep[:, ::-1] // 16).astype(np.uint8)}
    for name, image in images.items():
        cv2.imwrite(str(tmp_path / f"{name}.png"), np.ascontiguousarray(image))
        cv2.imwrite(str(tmp_path / f"{name}_label.png"), np.zeros(deep.shape, np.uint8))
        (tmp_path / f"{name}.txt").write_text(f"{name}.png {name}_label.png\n")
    for name in ("mirrored", "eight"):
        other = tmp_path / f"{name}.txt"
        expected = [f"ours.png: is similar to {name}.png in {other}, mirrored"]
        assert found(tmp_path / "ours.txt", value_range=ValueRange(0, 4095), against=[open_dataset(other)]) == expected


def test_what_has_the_same_content_is_said_once(root: Path, tmp_path: Path) -> None:
    picture = ("a", texture(1))
    path = write(tmp_path, "list.txt", [picture, ("b", texture(1))])
    (tmp_path / "other.txt").write_text("a.jpg a.png\n")
    report = check(path, near=True, hash=True, workers=1)
    assert list(said(report)) == ["duplicate_content"]
    report = check(path, near=True, against=[open_dataset(tmp_path / "other.txt")], workers=1)
    assert said(report) == {
        "overlap": [f"a.jpg: also in {tmp_path / 'other.txt'}"],
        "overlap_near": [f"b.jpg: is similar to a.jpg in {tmp_path / 'other.txt'}"],
        "near_duplicate": ["b.jpg: is similar to a.jpg"],
    }


def test_images_of_one_color_are_alike_if_the_color_is(tmp_path: Path) -> None:
    colors = {"black": 0, "also_black": 1, "gray": 90, "white": 255}
    flat = [(name, np.full((40, 60, 3), value, np.uint8)) for name, value in colors.items()]
    assert found(write(tmp_path, "list.txt", flat)) == ["also_black.jpg: is similar to black.jpg"]


def test_many_images_of_one_color_are_each_said_once(tmp_path: Path) -> None:
    flat = np.zeros((16, 16, 3), np.uint8)
    sentences = found(write(tmp_path, "list.txt", [(f"{row:03d}", flat) for row in range(60)]))
    assert [sentence.split(":")[0] for sentence in sentences] == [f"{row:03d}.jpg" for row in range(1, 60)]


def test_a_json_and_a_record_set_are_searched_like_a_list(root: Path, tmp_path: Path) -> None:
    to_mindrecord(open_dataset(root / "both.txt"), tmp_path / "set", num_shards=2)
    # A set has its rows in a seeded order.
    assert len(found(tmp_path / "set")) == len(CHANGES)
    files = [line.split()[0] for line in (root / "both.txt").read_text().splitlines()]
    images = [{"id": number, "file_name": name} for number, name in enumerate(files)]
    for image in images:
        image["height"], image["width"] = cv2.imread(str(root / str(image["file_name"]))).shape[:2]
    path = tmp_path / "x.json"
    path.write_text(json.dumps({"images": images, "annotations": [], "categories": [{"id": 1, "name": "a"}]}))
    report = check(path, images=root, near=True, workers=1)
    assert {one.code: one.count for one in report.findings}["near_duplicate"] == len(CHANGES)
    report = check(root / "copies.txt", near=True, against=[open_dataset(tmp_path / "set")], workers=1)
    assert [(one.code, one.count) for one in report.findings] == [("overlap", len(CHANGES))]
    (tmp_path / "moved").symlink_to(root)
    moved = [line.replace("c", "moved/c") for line in (root / "copies.txt").read_text().splitlines()]
    (tmp_path / "moved.txt").write_text("\n".join(moved))
    report = check(tmp_path / "moved.txt", near=True, against=[open_other(path, images=root)], workers=1)
    assert {one.code: one.count for one in report.findings} == {"overlap_near": len(CHANGES), "same_file": len(CHANGES)}


def test_a_damaged_image_is_a_finding_and_the_others_are_searched(root: Path, tmp_path: Path) -> None:
    path = write(tmp_path, "list.txt", [(name, texture(1)) for name in ("a", "b", "c")])
    (tmp_path / "a.jpg").write_bytes((tmp_path / "a.jpg").read_bytes()[:2000])
    assert {code: len(faults) for code, faults in said(check(path, near=True, workers=1)).items()} == {
        "truncated": 1,
        "near_duplicate": 1,
    }
    with pytest.raises(FaultsError, match="1 image to compare with cannot be read"):
        check(root / "pictures.txt", near=True, against=[open_dataset(path)], workers=1)


def test_an_empty_list_does_not_fail_in_the_search(tmp_path: Path, root: Path) -> None:
    (tmp_path / "none.txt").write_text("gone.jpg gone.png\n")
    others = [open_dataset(root / "copies.txt")]
    report = check(tmp_path / "none.txt", near=True, against=others, workers=1)
    assert list(said(report)) == ["missing_image", "missing_label"]


def test_the_command_searches_and_says_so(segdata: Callable[..., object], root: Path) -> None:
    result = segdata("check", root / "copies.txt", "--near", "--against", root / "pictures.txt", "--workers", 1)
    assert result.exit_code == 1
    assert "c04.jpg: is similar to p04.jpg" in result.output
    assert "similar images searched" in result.output


def signatures(images: Sequence[np.ndarray]) -> np.ndarray:
    return np.array([list(signature(thumbnail(image))) for image in images], np.uint8)


def test_an_image_is_kept_in_less_than_100_bytes() -> None:
    assert len(signature(thumbnail(texture(0)))) == SIGNATURE_BYTES < 100


@pytest.mark.parametrize("orientation", range(len(ORIENTATIONS)))
def test_an_oriented_copy_is_proposed_with_the_orientation_that_undoes_it(orientation: int) -> None:
    square = texture(5, 120, 120)
    turned = np.stack([orient(square[..., band], orientation) for band in range(3)], axis=2)
    ((question, row, found, part, far),) = propose(signatures([square]), signatures([turned]), same=False).tolist()
    small = gray(thumbnail(turned))
    assert (question, row, part, far) == (0, 0, 16, 0)
    assert np.abs(orient(small, found).astype(int) - gray(thumbnail(square))).max() <= 2


@settings(max_examples=25, deadline=None)
@given(bits=st.lists(st.integers(0, 39), max_size=3, unique=True), seed=st.integers(0, 2**32 - 1))
def test_hashes_that_differ_in_three_bits_are_always_proposed(bits: list[int], seed: int) -> None:
    index = np.random.default_rng(seed).integers(0, 256, (50, SIGNATURE_BYTES), np.uint8)
    asked = index[7:8].copy()
    for bit in bits:
        asked[0, 80 + bit // 8] ^= 128 >> bit % 8
    pairs = propose(index, asked, same=False)
    assert (pairs[0, 1], pairs[0, 4]) == (7, len(bits))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), other=st.integers(0, 2**32 - 1))
def test_being_alike_is_symmetric_for_complete_images(seed: int, other: int) -> None:
    first, second = (gray(thumbnail(texture(number, 60, 60))) for number in (seed, other))
    assert alike(first, second) == alike(second, first) == (seed == other)
