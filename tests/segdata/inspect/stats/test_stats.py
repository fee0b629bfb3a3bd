"""Statistics of data sets, compared with numbers counted by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from math import sqrt
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st
from PIL import Image

from segdata.dataset import CocoDataset, ListDataset
from segdata.errors import FaultsError, InvalidInputError
from segdata.inspect import stats as module
from segdata.inspect.stats import SizeCount, StatsReport, class_weights, stats
from segdata.labels.classes import Classes
from segdata.labels.masks import encode_index_png
from segdata.lists import Pair, write_list
from segdata.opening import open_dataset

CLASSES = Classes(("sky", "road", "car", "tram"))

#: Two images in one color a column, with their labels: 3 x 2 and 2 x 1 pixels.
PAIRS = [
    ([[(10, 20, 30)] * 3] * 2, [[0, 0, 1], [1, 255, 0]]),
    ([[(200, 0, 100), (100, 0, 100)]], [[0, 2]]),
]


def semantic(root: Path, pairs: Sequence[tuple[object, object]] = PAIRS, classes: Classes = CLASSES) -> ListDataset:
    """Write images and labels, given as nested lists, and their list."""
    found = [Pair(f"{index}.png", f"{index}_label.png") for index in range(len(pairs))]
    for pair, (image, label) in zip(found, pairs, strict=True):
        Image.fromarray(np.array(image, np.uint8)).save(root / pair.image)
        (root / pair.label).write_bytes(encode_index_png(np.array(label, np.uint8)))
    write_list(root / "list.txt", found, overwrite=True)
    return ListDataset(root / "list.txt", root, classes)


#: Masks of 3 x 2 pixels as run lengths, down the columns: the left one, the left two, the right one.
LEFT, LEFT_TWO, RIGHT = [0, 2, 4], [0, 4, 2], [4, 2]


def instance(root: Path, annotations: Sequence[tuple[int, int, list[int], int]], images: int = 3) -> CocoDataset:
    """Write black images of 3 x 2 pixels and annotations of them: image, category (7 or 9), runs, iscrowd."""
    (root / "annotations").mkdir()
    (root / "images").mkdir()
    for index in range(images):
        Image.new("RGB", (3, 2)).save(root / "images" / f"{index}.png")
    members = {
        "images": [{"id": index, "file_name": f"{index}.png", "width": 3, "height": 2} for index in range(images)],
        "categories": [{"id": 7, "name": "cat"}, {"id": 9, "name": "dog"}],
        "annotations": [
            {"id": id_, "image_id": image, "category_id": category, "iscrowd": crowd}
            | {"segmentation": {"size": [2, 3], "counts": runs}}
            for id_, (image, category, runs, crowd) in enumerate(annotations)
        ],
    }
    (root / "annotations" / "instances.json").write_text(json.dumps(members))
    return CocoDataset(root / "annotations" / "instances.json", root / "images")


def test_pixels_images_and_shares_of_each_class(tmp_path: Path) -> None:
    report = stats(semantic(tmp_path))
    found = [(item.id, item.name, item.pixels, item.images, item.instances) for item in report.classes]
    assert found == [(0, "sky", 4, 2, None), (1, "road", 2, 1, None), (2, "car", 1, 1, None), (3, "tram", 0, 0, None)]
    assert [item.share for item in report.classes] == [4 / 7, 2 / 7, 1 / 7, 0]
    assert (report.ignore_label, report.ignore_pixels, report.ignore_share) == (255, 1, 1 / 8)
    assert (report.path, report.kind, report.task) == (str(tmp_path / "list.txt"), "list", "semantic")
    assert (report.samples, tuple(map(str, report.unreadable)), tuple(map(str, report.annotations_left_out))) == (
        2,
        (),
        (),
    )
    assert (report.instances_per_image, report.crowds) == (None, None)


def test_weights_are_the_median_frequency_over_that_of_the_class(tmp_path: Path) -> None:
    # Frequencies: sky 4 of 8 pixels, road 2 of the 6 of its image, car 1 of 2.
    report = stats(semantic(tmp_path))
    assert [item.weight for item in report.classes] == [1, pytest.approx(1.5), 1, None]


@given(st.dictionaries(st.integers(0, 20), st.tuples(st.integers(1, 10**9), st.integers(0, 10**9)), min_size=1))
def test_weighted_frequencies_are_all_the_same(counts: dict[int, tuple[int, int]]) -> None:
    pixels = {id_: own for id_, (own, _) in counts.items()}
    around = {id_: own + others for id_, (own, others) in counts.items()}
    weights = class_weights(pixels, around)
    weighted = [weights[id_] * pixels[id_] / around[id_] for id_ in counts]
    assert weighted == pytest.approx([weighted[0]] * len(counts))
    assert len(counts) % 2 == 0 or 1 in weights.values()


def test_mean_and_deviation_are_over_pixels_not_images(tmp_path: Path) -> None:
    report = stats(semantic(tmp_path))
    assert report.mean == ((6 * 10 + 200 + 100) / 8, 6 * 20 / 8, (6 * 30 + 2 * 100) / 8)
    assert report.std == pytest.approx((sqrt(4300), sqrt(75), sqrt(918.75)), rel=1e-14)


def test_images_of_one_color_deviate_by_nothing_at_all(tmp_path: Path) -> None:
    report = stats(semantic(tmp_path, [([[(1, 77, 255)] * 7] * 3, [[0] * 7] * 3)] * 3))
    assert (report.mean, report.std) == ((1, 77, 255), (0, 0, 0))


def test_gray_images_count_as_red_green_and_blue(tmp_path: Path) -> None:
    assert stats(semantic(tmp_path, [([[3, 5]], [[0, 0]])])).mean == (4, 4, 4)


def test_the_most_frequent_size_comes_first_then_the_smaller(tmp_path: Path) -> None:
    pairs = [(np.zeros((height, width, 3)), np.zeros((height, width))) for height, width in [(3, 4), (2, 9), (2, 5)]]
    report = stats(semantic(tmp_path, [*pairs, pairs[1]]))
    assert report.sizes == (SizeCount(9, 2, 2), SizeCount(4, 3, 1), SizeCount(5, 2, 1))


def test_the_ignore_label_is_not_a_class_even_where_a_class_has_its_id(tmp_path: Path) -> None:
    classes = Classes(("nothing", "road"), ignore_label=0)
    report = stats(semantic(tmp_path, [([[(0, 0, 0)] * 4], [[0, 0, 0, 1]])], classes))
    assert [(item.pixels, item.images, item.share, item.weight) for item in report.classes] == [
        (0, 0, 0, None),
        (1, 1, 1, 1),
    ]
    assert (report.ignore_pixels, report.ignore_share) == (3, 0.75)


def test_labels_without_any_class_have_shares_of_zero(tmp_path: Path) -> None:
    report = stats(semantic(tmp_path, [([[(0, 0, 0)]], [[255]])]))
    assert {(item.share, item.weight) for item in report.classes} == {(0, None)}
    assert report.ignore_share == 1


def test_instances_are_counted_without_crowds_and_overlaps_twice(tmp_path: Path) -> None:
    report = stats(instance(tmp_path, [(0, 7, LEFT, 0), (0, 7, LEFT_TWO, 0), (0, 9, RIGHT, 1), (1, 9, RIGHT, 0)]))
    found = [(item.id, item.name, item.pixels, item.images, item.instances) for item in report.classes]
    assert found == [(1, "cat", 6, 1, 2), (2, "dog", 2, 1, 1)]
    assert [(item.share, item.weight) for item in report.classes] == [(0.75, None), (0.25, None)]
    assert (report.crowds, report.instances_per_image) == (1, (1, 1, 1))
    assert (report.ignore_label, report.ignore_pixels, report.ignore_share) == (None, 0, 0)
    assert (report.kind, report.task, report.samples) == ("coco", "instance", 3)


def test_annotations_without_a_mask_are_named(tmp_path: Path) -> None:
    report = stats(instance(tmp_path, [(0, 7, LEFT, 0), (1, 7, [6], 0), (2, 8, LEFT, 0), (5, 7, LEFT, 0)]))
    assert report.classes[0].instances == 1
    assert [fault.split(":")[0] for fault in tuple(map(str, report.annotations_left_out))] == [
        "annotation 2",
        "annotation 3",
        "annotation 1 (1.png)",
    ]
    assert tuple(map(str, report.unreadable)) == ()


def test_a_list_and_its_record_set_hold_the_same(devkit: Path, voc_records: Path) -> None:
    listed, recorded = (stats(open_dataset(path)) for path in (devkit / "voc_train_lst.txt", voc_records))
    assert replace(recorded, path=listed.path, kind="list", unknown=listed.unknown) == listed
    assert listed.samples == 10


def test_a_json_and_its_record_set_hold_the_same(coco: Path, coco_records: Path) -> None:
    listed, recorded = (stats(open_dataset(path)) for path in (coco / "annotations" / "instances.json", coco_records))
    assert replace(recorded, path=listed.path, kind="coco") == listed
    assert listed.crowds == 1


@pytest.mark.parametrize("form", ["list", "coco", "records"])
def test_one_worker_and_several_processes_give_the_same_report(
    form: str, devkit: Path, coco: Path, coco_records: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = {
        "list": devkit / "voc_train_lst.txt",
        "coco": coco / "annotations" / "instances.json",
        "records": coco_records,
    }
    monkeypatch.setattr(module, "_PROCESSES_FROM", 0)
    one, several = (stats(open_dataset(path[form]), workers=workers) for workers in (1, 3))
    assert one == several


def test_samples_that_cannot_be_read_are_named_and_in_no_number(tmp_path: Path) -> None:
    whole = stats(semantic(tmp_path))
    dataset = semantic(tmp_path, [*PAIRS, *[PAIRS[0]] * 6])
    (tmp_path / "2.png").unlink()
    (tmp_path / "3.png").write_bytes((tmp_path / "3.png").read_bytes()[:50])
    (tmp_path / "4_label.png").unlink()
    Image.new("P", (3, 2)).save(tmp_path / "5_label.png")
    (tmp_path / "6_label.png").write_bytes(encode_index_png(np.zeros((3, 2), np.uint8)))
    (tmp_path / "7_label.png").write_bytes(encode_index_png(np.array([[0, 4, 0], [0, 9, 77]], np.uint8)))
    report = stats(dataset)
    starts = [
        "2.png: does not exist",
        "3.png: not a readable image",
        "4_label.png: does not exist",
        "5_label.png: 1-bit palette PNG",
        "6_label.png: 2 x 3 pixels, but its image has 3 x 2",
        "7_label.png: pixel (x=1, y=0) has value 4; expected 0 to 3 or 255 (3 such values)",
    ]
    found = zip(map(str, report.unreadable), starts, strict=True)
    assert [text[: len(start)] for text, start in found] == starts
    assert replace(report, samples=2, unreadable=()) == whole
    assert report.samples == 8


def test_an_image_of_another_size_than_its_json_says_is_left_out(tmp_path: Path) -> None:
    dataset = instance(tmp_path, [(0, 7, LEFT, 0), (1, 7, LEFT, 0)])
    Image.new("RGB", (4, 2)).save(tmp_path / "images" / "1.png")
    report = stats(dataset)
    assert tuple(map(str, report.unreadable)) == ("1.png: 4 x 2 pixels, but the JSON says 3 x 2",)
    assert (report.classes[0].instances, report.instances_per_image) == (1, (1, 1))


def test_a_data_set_without_one_readable_sample_is_refused(tmp_path: Path) -> None:
    dataset = semantic(tmp_path)
    for index in range(2):
        (tmp_path / f"{index}.png").unlink()
    with pytest.raises(FaultsError, match="none of its 2 samples can be read") as error:
        stats(dataset)
    assert tuple(map(str, error.value.faults)) == ("0.png: does not exist", "1.png: does not exist")


def test_a_json_without_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="contains no samples"):
        stats(instance(tmp_path, [], images=0))


def test_the_real_voc_cut_has_the_pixels_that_numpy_counts(tmp_path: Path, real_data: Path) -> None:
    from segdata.sources.voc_decolor import voc_decolor

    devkit = real_data / "voc2012" / "VOCdevkit" / "VOC2012"
    (tmp_path / "images").symlink_to(devkit / "JPEGImages")
    voc_decolor(real_data / "voc2012", src_path=devkit / "SegmentationClass", dst_path=tmp_path / "labels")
    names = sorted(path.stem for path in (devkit / "SegmentationClass").glob("*.png"))[::3]
    write_list(
        tmp_path / "l.txt", [Pair(f"images/{name}.jpg", f"labels/{name}.png") for name in names], overwrite=False
    )
    report = stats(open_dataset(tmp_path / "l.txt"))
    assert_equals_brute_force(report, devkit, names)


def assert_equals_brute_force(report: StatsReport, devkit: Path, names: list[str]) -> None:
    """Count again, from the palette masks and with NumPy's own sums over all pixels."""
    labels = [np.asarray(Image.open(devkit / "SegmentationClass" / f"{name}.png")) for name in names]
    counts = np.bincount(np.concatenate([label.ravel() for label in labels]), minlength=256)
    assert [item.pixels for item in report.classes] == counts[:21].tolist()
    assert report.ignore_pixels == counts[255] == counts.sum() - counts[:21].sum()
    assert [item.images for item in report.classes] == [
        sum(bool((label == id_).any()) for label in labels) for id_ in range(21)
    ]
    assert (report.samples, len(tuple(map(str, report.unreadable)))) == (50, 0)
    images = [np.asarray(Image.open(devkit / "JPEGImages" / f"{name}.jpg")).reshape(-1, 3) for name in names]
    number = sum(map(len, images))
    mean = sum(image.sum(0, dtype=np.int64) for image in images) / number
    assert report.mean == pytest.approx(mean.tolist(), rel=1e-12)
    variance = sum(np.square(image - mean).sum(0) for image in images) / number
    assert report.std == pytest.approx(np.sqrt(variance).tolist(), rel=1e-9)
