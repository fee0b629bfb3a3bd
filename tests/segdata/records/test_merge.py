"""Record sets merged into one: the rows of all, each once, with the classes of all."""

from __future__ import annotations

import cProfile
import io
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings, strategies as st
from PIL import Image

from segdata.errors import FaultsError, InvalidInputError, TargetExistsError
from segdata.images.values import ValueRange
from segdata.labels.classes import Classes
from segdata.labels.masks import decode_index_png, encode_index_png
from segdata.lists import Pair, write_list
from segdata.opening import open_dataset
from segdata.records.convert import to_mindrecord
from segdata.records.manifest import Manifest
from segdata.records.manifest_file import read_manifest, write_manifest
from segdata.records.merge import SetMergeReport, merge_sets
from segdata.records.reader import open_set
from segdata.records.schema import unpack_masks
from segdata.records.unpack import unpack
from segdata.records.verify import verify

Labels = dict[str, Sequence[int]]


def picture(name: str) -> bytes:
    """Return an image that is another one for every name."""
    buffer = io.BytesIO()
    Image.new("RGB", (4, 2), tuple(name.encode().rjust(3)[-3:])).save(buffer, "PNG")
    return buffer.getvalue()


class Sets:
    """Record sets of images that are only named, and labels whose first row of pixels is given."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def semantic(self, name: str, names: Sequence[str], labels: Labels, *, ignore: int = 255, **options: Any) -> Path:
        folder = self.root / "files" / name
        folder.mkdir(parents=True)
        for image, values in labels.items():
            (folder / f"{image}.png").write_bytes(picture(image))
            (folder / f"{image}_label.png").write_bytes(encode_index_png(np.array([values, [0] * 4], np.uint8)))
        write_list(folder / "lst.txt", [Pair(f"{each}.png", f"{each}_label.png") for each in labels], overwrite=False)
        source = open_dataset(folder / "lst.txt", classes=Classes(tuple(names), ignore), **options)
        to_mindrecord(source, self.root / name, num_shards=1)
        return self.root / name

    def instance(self, name: str, names: dict[int, str], objects: dict[str, list[int]], *, first: int = 1) -> Path:
        """Write a set whose objects are squares; those of an image are given as ids of categories."""
        folder = self.root / "files" / name
        folder.mkdir(parents=True)
        images, annotations = [], []
        for row, (image, categories) in enumerate(objects.items()):
            (folder / f"{image}.png").write_bytes(picture(image))
            images.append({"id": first + row, "file_name": f"{image}.png", "height": 2, "width": 4})
            for place, category in enumerate(categories):
                polygon = [place, 0, place + 1, 0, place + 1, 2, place, 2]
                annotations.append(
                    {
                        "id": len(annotations),
                        "image_id": first + row,
                        "category_id": category,
                        "segmentation": [polygon],
                        "iscrowd": 0,
                    }
                )
        categories_of = [{"id": id_, "name": each} for id_, each in names.items()]
        members = {"images": images, "annotations": annotations, "categories": categories_of}
        (folder / "instances.json").write_bytes(msgspec.json.encode(members))
        to_mindrecord(open_dataset(folder / "instances.json", images=folder), self.root / name, num_shards=1)
        return self.root / name

    def merge(self, *parts: Path, out: str = "out", **options: Any) -> SetMergeReport:
        return merge_sets(parts, self.root / out, **{"num_shards": 1, **options})

    def rows(self, out: str = "out") -> dict[str, dict[str, Any]]:
        return {row["file_name"]: row for row in open_set(self.root / out)}

    def manifest(self, out: str = "out") -> Manifest:
        assert verify(self.root / out).problems == ()
        return open_set(self.root / out).manifest


@pytest.fixture
def sets(tmp_path: Path) -> Sets:
    return Sets(tmp_path)


def first_pixels(row: dict[str, Any]) -> list[int]:
    ids: npt.NDArray[np.uint8] = decode_index_png(row["label"])
    return ids[0].tolist()


# Semantic sets


def test_the_rows_are_those_of_the_parts(sets: Sets) -> None:
    names = ("sky", "cat", "dog")
    one = sets.semantic("one", names, {"a": [0, 1, 2, 255], "b": [0, 0, 0, 0]})
    two = sets.semantic("two", names, {"c": [1, 1, 1, 1]})
    report = sets.merge(one, two, num_shards=2)
    assert sets.rows() == {row["file_name"]: row for part in (one, two) for row in open_set(part)}
    assert report.parts == {str(one): 2, str(two): 1}
    assert (report.rows, report.repeated, report.labels_changed) == (3, 0, 0)


def test_a_merge_is_the_set_that_one_list_of_all_gives(devkit: Path, tmp_path: Path) -> None:
    lines = (devkit / "voc_trainval_lst.txt").read_text().splitlines(keepends=True)
    parts = []
    for name, part in (("one", lines[:7]), ("two", lines[7:])):
        (tmp_path / f"{name}.txt").write_text("".join(part))
        to_mindrecord(open_dataset(tmp_path / f"{name}.txt", data_root=devkit), tmp_path / name, num_shards=2)
        parts.append(tmp_path / name)
    whole = tmp_path / "x" / "set"
    to_mindrecord(open_dataset(devkit / "voc_trainval_lst.txt", data_root=devkit), whole, num_shards=3)
    for workers in (1, 4):
        merge_sets(parts, tmp_path / str(workers) / "set", num_shards=3, workers=workers)
        files = {path.name: path.read_bytes() for path in (tmp_path / str(workers) / "set").iterdir()}
        assert files == {path.name: path.read_bytes() for path in whole.iterdir()}


def test_classes_are_united_by_name_and_labels_follow(sets: Sets) -> None:
    one = sets.semantic("one", ("sky", "cat"), {"a": [0, 1, 1, 255]})
    two = sets.semantic("two", ("sky", "dog", "cat"), {"b": [0, 1, 2, 255], "c": [0, 0, 0, 0]})
    report = sets.merge(one, two)
    manifest = sets.manifest()
    assert manifest.class_names == ("sky", "cat", "dog")
    assert [info.pixels for info in manifest.classes] == [18, 3, 1]
    assert [info.original_id for info in manifest.classes] == [0, 1, 2]
    rows = sets.rows()
    assert {name: first_pixels(row) for name, row in rows.items()} == {
        "a.png": [0, 1, 1, 255],
        "b.png": [0, 2, 1, 255],
        "c.png": [0, 0, 0, 0],
    }
    assert report.labels_changed == 1
    assert rows["c.png"] == open_set(two)[[row["file_name"] for row in open_set(two)].index("c.png")]
    assert manifest.ignore_pixels == 2


NAMES = ("sky", "cat", "dog", "cow")


@settings(max_examples=5)
@given(
    st.lists(st.tuples(st.permutations(NAMES), st.integers(1, 4), st.sampled_from([9, 200])), min_size=2, max_size=3),
    st.data(),
)
def test_every_pixel_keeps_the_name_of_its_class(
    tmp_path_factory: pytest.TempPathFactory, parts: list[tuple[list[str], int, int]], data: st.DataObject
) -> None:
    sets = Sets(tmp_path_factory.mktemp("sets"))
    expected, paths = {}, []
    for number, (order, count, ignore) in enumerate(parts):
        names = order[:count]
        values = data.draw(st.lists(st.sampled_from([*range(count), ignore]), min_size=4, max_size=4))
        paths.append(sets.semantic(f"part{number}", names, {f"{number}": values}, ignore=ignore))
        expected[f"{number}.png"] = [None if value == ignore else names[value] for value in values]
    sets.merge(*paths)
    manifest = sets.manifest()
    named = dict(enumerate(manifest.class_names)) | {manifest.ignore_label: None}
    assert {name: [named[pixel] for pixel in first_pixels(row)] for name, row in sets.rows().items()} == expected
    assert manifest.class_names[: parts[0][1]] == tuple(parts[0][0][: parts[0][1]])


def test_ignored_pixels_stay_ignored(sets: Sets) -> None:
    one = sets.semantic("one", ("sky", "cat"), {"a": [0, 1, 7, 7]}, ignore=7)
    two = sets.semantic("two", ("sky", "cat"), {"b": [0, 1, 255, 255]})
    sets.merge(one, two)
    assert first_pixels(sets.rows()["b.png"]) == [0, 1, 7, 7]
    assert (sets.manifest().ignore_label, sets.manifest().ignore_pixels) == (7, 4)


def test_an_ignore_label_that_a_class_needs_becomes_255(sets: Sets) -> None:
    one = sets.semantic("one", ("sky", "cat"), {"a": [0, 1, 2, 2]}, ignore=2)
    two = sets.semantic("two", ("sky", "dog"), {"b": [0, 1, 1, 255]})
    sets.merge(one, two)
    assert {name: first_pixels(row) for name, row in sets.rows().items()} == {
        "a.png": [0, 1, 255, 255],
        "b.png": [0, 2, 2, 255],
    }
    assert (sets.manifest().ignore_label, sets.manifest().ignore_pixels) == (255, 3)


def test_a_class_with_the_ignore_label_is_not_a_class(sets: Sets) -> None:
    # ADE20K: class 0 is void.
    ade = sets.semantic("ade", ("void", "wall"), {"a": [0, 1, 1, 1]}, ignore=0)
    other = sets.semantic("other", ("wall", "door"), {"b": [0, 1, 255, 255]})
    sets.merge(ade, other, out="first")
    assert first_pixels(sets.rows("first")["b.png"]) == [1, 2, 0, 0]
    assert (sets.manifest("first").class_names, sets.manifest("first").ignore_label) == (("void", "wall", "door"), 0)
    sets.merge(other, ade, out="second")
    assert first_pixels(sets.rows("second")["a.png"]) == [255, 0, 0, 0]
    assert (sets.manifest("second").class_names, sets.manifest("second").ignore_label) == (("wall", "door"), 255)


def test_a_class_that_the_first_set_ignores_is_a_conflict(sets: Sets) -> None:
    ade = sets.semantic("ade", ("void", "wall"), {"a": [0, 1, 1, 1]}, ignore=0)
    other = sets.semantic("other", ("wall", "void"), {"b": [0, 1, 255, 255]})
    with pytest.raises(FaultsError, match="class 'void' has 1 pixel, which the first set ignores"):
        sets.merge(ade, other)
    assert not (sets.root / "out").exists()


def test_class_names_are_the_classes_of_the_result(sets: Sets) -> None:
    one = sets.semantic("one", ("sky", "cat"), {"a": [0, 1, 1, 255]})
    two = sets.semantic("two", ("sky", "dog", "bird"), {"b": [0, 1, 1, 255]})
    names = ("dog", "sky")
    with pytest.raises(FaultsError, match=r"--unknown ignore:\n  .*one: class 'cat' has 2 pixels$"):
        sets.merge(one, two, class_names=names)
    report = sets.merge(one, two, class_names=names, unknown="ignore")
    assert report.left_out == {"cat": 2, "bird": 0}
    assert {name: first_pixels(row) for name, row in sets.rows().items()} == {
        "a.png": [1, 255, 255, 255],
        "b.png": [1, 0, 0, 255],
    }
    assert (sets.manifest().class_names, sets.manifest().ignore_pixels) == (names, 4)


def test_more_classes_than_a_label_has_are_refused(sets: Sets) -> None:
    one = sets.semantic("one", [f"a{number}" for number in range(200)], {"a": [0, 0, 0, 0]})
    two = sets.semantic("two", [f"b{number}" for number in range(56)], {"b": [0, 0, 0, 0]})
    with pytest.raises(InvalidInputError, match="256 classes together; expected at most 255"):
        sets.merge(one, two)


def test_a_row_of_two_sets_appears_once_and_another_of_its_name_is_a_conflict(sets: Sets) -> None:
    names = ("sky", "cat")
    one = sets.semantic("one", names, {"a": [0, 1, 1, 1], "b": [0, 0, 0, 0]})
    # The same labels by other ids.
    same = sets.semantic("same", ("cat", "sky"), {"a": [1, 0, 0, 0]}, ignore=255)
    two = sets.semantic("two", names, {"b": [1, 1, 1, 1], "c": [0, 0, 0, 0]})
    with pytest.raises(FaultsError, match=r"--prefix:\n  b.png: its content differs in .*one and .*two$"):
        sets.merge(one, two)
    assert not (sets.root / "out").exists()
    report = sets.merge(one, two, prefix=True)
    assert set(sets.rows()) == {"one/a.png", "one/b.png", "two/b.png", "two/c.png"}
    assert report.repeated == 0
    moved = two.rename(sets.root / "files" / "one" / "one")
    with pytest.raises(FaultsError, match=r"--prefix puts them .* Rename a directory:\n  one \(2 times\)"):
        sets.merge(one, moved, prefix=True, out="same")
    again = sets.semantic("again", names, {"b": [0, 0, 0, 0]})
    report = sets.merge(one, again, out="once")
    assert (set(sets.rows("once")), report.repeated) == ({"a.png", "b.png"}, 1)
    assert sets.manifest("once").rows == 2
    # The second row of its label is another class.
    with pytest.raises(FaultsError, match=r"a\.png"):
        sets.merge(one, same, out="other")


def test_value_ranges_must_agree(sets: Sets) -> None:
    one = sets.semantic("one", ("sky",), {"a": [0, 0, 0, 0]}, value_range=ValueRange(0, 200))
    two = sets.semantic("two", ("sky",), {"b": [0, 0, 0, 0]})
    with pytest.raises(FaultsError, match=r"one --value_range:\n  .*one: 0:200\n  .*two: images of 8 bits"):
        sets.merge(one, two)
    sets.merge(one)
    assert sets.manifest().image_range == ValueRange(0, 200)


def test_images_of_more_bits_stay_as_they_are(sets: Sets) -> None:
    folder = sets.root / "deep"
    folder.mkdir()
    cv2.imwrite(str(folder / "deep.png"), np.arange(8, dtype=np.uint16).reshape(2, 4) * 500)
    (folder / "label.png").write_bytes(encode_index_png(np.zeros((2, 4), np.uint8)))
    write_list(folder / "lst.txt", [Pair("deep.png", "label.png")], overwrite=False)
    source = open_dataset(folder / "lst.txt", classes=Classes(("sky",)), value_range=ValueRange(0, 4000))
    to_mindrecord(source, sets.root / "one", num_shards=1)
    (folder / "deep.png").rename(folder / "other.png")
    write_list(folder / "lst.txt", [Pair("other.png", "label.png")], overwrite=True)
    source = open_dataset(folder / "lst.txt", classes=Classes(("sky",)), value_range=ValueRange(0, 4000))
    to_mindrecord(source, sets.root / "two", num_shards=1)
    sets.merge(sets.root / "one", sets.root / "two")
    assert sets.rows()["deep.png"]["data"] == (folder / "other.png").read_bytes()
    images = sets.manifest().images
    assert images and images.samples == {"uint16": 2}


# Instance sets


def test_instances_follow_their_classes_and_ids_stay_distinct(sets: Sets) -> None:
    one = sets.instance("one", {3: "cat", 7: "dog"}, {"a": [3, 7], "b": []})
    two = sets.instance("two", {3: "dog", 5: "cow", 9: "cat"}, {"c": [9, 5, 3]}, first=2)
    report = sets.merge(one, two)
    rows, manifest = sets.rows(), sets.manifest()
    assert manifest.class_names == ("cat", "dog", "cow")
    assert [info.original_id for info in manifest.classes] == [3, 7, 5]
    assert [(info.instances, info.pixels, info.images) for info in manifest.classes] == [
        (2, 4, 2),
        (2, 4, 2),
        (1, 2, 1),
    ]
    assert {name: (row["image_id"], row["labels"].tolist()) for name, row in rows.items()} == {
        "a.png": (1, [1, 2]),
        "b.png": (2, []),
        "c.png": (3, [1, 3, 2]),
    }
    (before,) = open_set(two)
    assert np.array_equal(rows["c.png"]["boxes"], before["boxes"])
    assert unpack_masks(rows["c.png"]["masks"]) == unpack_masks(before["masks"])
    assert (report.image_ids_changed, report.labels_changed) == (1, 1)
    assert manifest.options["boxes"] == "json"


def test_a_merged_set_that_is_taken_apart_gives_the_same_labels_again(sets: Sets) -> None:
    one = sets.instance("one", {3: "cat", 7: "dog"}, {"a": [3, 7], "b": []})
    two = sets.instance("two", {3: "dog", 5: "cow", 9: "cat"}, {"c": [9, 5, 3]}, first=2)
    sets.merge(one, two, num_shards=2)
    before = sets.manifest()
    # The order of the labels is not that of these ids.
    assert [info.original_id for info in before.classes] == [3, 7, 5]
    unpack(sets.root / "out", sets.root / "files" / "again")
    source = open_dataset(sets.root / "files" / "again" / "annotations" / "instances.json")
    to_mindrecord(source, sets.root / "again" / "out", num_shards=2)
    after = sets.manifest("again/out")
    assert (after.class_names, after.inputs, after.shards) == (before.class_names, before.inputs, before.shards)


def test_instances_of_other_classes_are_left_out(sets: Sets) -> None:
    one = sets.instance("one", {3: "cat", 7: "dog"}, {"a": [3, 7, 3], "b": [7]})
    report = sets.merge(one, class_names=("bird", "cat"), unknown="ignore")
    row = sets.rows()["a.png"]
    assert (row["labels"].tolist(), row["boxes"][:, 0].tolist()) == ([2, 2], [0.0, 2.0])
    assert len(unpack_masks(row["masks"])) == 2
    assert sets.rows()["b.png"]["boxes"].shape == (0, 4)
    assert report.left_out == {"dog": 2}
    assert [info.original_id for info in sets.manifest().classes] == [1, 3]


def test_an_image_of_two_instance_sets_appears_once(sets: Sets) -> None:
    one = sets.instance("one", {3: "cat"}, {"a": [3]})
    same = sets.instance("same", {1: "cat"}, {"a": [1], "z": []}, first=40)
    other = sets.instance("other", {3: "cat"}, {"a": []}, first=40)
    assert sets.merge(one, same).repeated == 1
    assert {name: row["image_id"] for name, row in sets.rows().items()} == {"a.png": 1, "z.png": 41}
    with pytest.raises(FaultsError, match="its content differs in"):
        sets.merge(one, other, out="b")
    sets.merge(one, other, out="b", prefix=True)
    assert {name: row["image_id"] for name, row in sets.rows("b").items()} == {"one/a.png": 1, "other/a.png": 40}


# What is refused


def test_sets_of_two_tasks_are_refused(sets: Sets) -> None:
    one, two = sets.semantic("one", ("sky",), {"a": [0] * 4}), sets.instance("two", {1: "cat"}, {"b": [1]})
    with pytest.raises(FaultsError, match=r"several tasks; .*\n  .*one: semantic\n  .*two: instance"):
        sets.merge(one, two)


def test_a_set_of_another_program_is_refused_with_the_cure(sets: Sets) -> None:
    one, two = sets.semantic("one", ("sky",), {"a": [0] * 4}), sets.semantic("two", ("sky",), {"b": [0] * 4})
    (two / "manifest.json").unlink()
    with pytest.raises(FaultsError, match=r"segdata adopt first:\n  .*two$"):
        sets.merge(one, two)


def test_rows_that_are_not_those_of_the_manifest_are_refused(sets: Sets) -> None:
    one, two = sets.semantic("one", ("sky",), {"a": [0] * 4}), sets.semantic("two", ("sky",), {"b": [0] * 4})
    manifest = read_manifest(two / "manifest.json")
    write_manifest(two, replace(manifest, inputs="0" * 64))
    with pytest.raises(FaultsError, match=r"two: its rows differ from those that were written"):
        sets.merge(one, two)
    assert not (sets.root / "out").exists()


def test_a_label_without_a_class_is_refused(sets: Sets) -> None:
    one = sets.semantic("one", ("sky", "cat"), {"a": [0, 0, 1, 1]})
    manifest = read_manifest(one / "manifest.json")
    write_manifest(one, replace(manifest, classes=manifest.classes[:1]))
    with pytest.raises(FaultsError, match="one: row 0: has the label 1, which is not a class of its set"):
        sets.merge(one)


def test_a_damaged_row_is_named(sets: Sets) -> None:
    one = sets.semantic("one", ("sky",), {"a": [0] * 4})
    shard = one / "one.mindrecord"
    data = shard.read_bytes()
    at = data.rindex(b"IHDR")
    shard.write_bytes(data[:at] + b"XXXX" + data[at + 4 :])
    with pytest.raises(FaultsError, match="damaged"):
        sets.merge(one)


def test_nothing_of_others_is_replaced(sets: Sets) -> None:
    one, two = sets.semantic("one", ("sky",), {"a": [0] * 4}), sets.semantic("two", ("sky",), {"b": [0] * 4})
    assert not sets.merge(one, two, dry_run=True).written
    assert not (sets.root / "out").exists()
    sets.merge(one, two)
    with pytest.raises(TargetExistsError, match="already exists"):
        sets.merge(one, two)
    sets.merge(one, overwrite=True)
    assert set(sets.rows()) == {"a.png"}
    with pytest.raises(InvalidInputError, match="is the target itself"):
        sets.merge(one, two, out="one", overwrite=True)


def test_an_interrupted_merge_resumes(sets: Sets, monkeypatch: pytest.MonkeyPatch) -> None:
    one = sets.semantic("one", ("sky",), {"a": [0] * 4, "b": [0] * 4})
    two = sets.semantic("two", ("road", "sky"), {"c": [1] * 4, "d": [0, 1, 0, 1]})
    sets.merge(one, two, out="expected/set", num_shards=2)
    from segdata.records import convert

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(convert, "move_shards", fail)
        with pytest.raises(convert.UnfinishedError, match="2 of 2 shards finished"):
            sets.merge(one, two, out="set", num_shards=2)
    report = sets.merge(one, two, out="set", num_shards=2, resume=True)
    assert report.shards_kept == 2
    for path in (sets.root / "set").iterdir():
        assert path.read_bytes() == (sets.root / "expected" / "set" / path.name).read_bytes()


#: Merges sets in two processes and prints how many bytes they are sent.
PROGRAM = """
import sys
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
import segdata.parallel
from segdata.records.merge import merge_sets

sent = 0

class Counting(ForkingPickler):
    @classmethod
    def dumps(cls, value, protocol=None):
        global sent
        found = ForkingPickler.dumps(value, protocol)
        sent += len(found)
        return found

if __name__ == "__main__":
    import multiprocessing.connection
    multiprocessing.connection._ForkingPickler = Counting
    segdata.parallel.PROCESSES_FROM = 1
    *parts, out, shards = sys.argv[1:]
    merge_sets([Path(part) for part in parts], Path(out), num_shards=int(shards), workers=2)
    print(sent)
"""


def test_what_worker_processes_are_sent_grows_with_the_shards_and_not_with_their_square(sets: Sets) -> None:
    (sets.root / "program.py").write_text(PROGRAM)
    sent = []
    for shards in (8, 64):
        parts = []
        for name in ("a", "b"):
            rows = {f"{name}{number}": [0] * 4 for number in range(shards)}
            parts.append(sets.semantic(f"{name}-{shards}", ("sky",), rows))
            sets.merge(parts[-1], out=f"{name}{shards}", num_shards=shards)
        command = [sys.executable, "program.py", f"a{shards}", f"b{shards}", f"both/{shards}", str(shards)]
        done = subprocess.run(command, cwd=sets.root, capture_output=True, text=True, check=True)
        sent.append(int(done.stdout))
        sets.merge(
            sets.root / f"a{shards}", sets.root / f"b{shards}", out=f"alone/{shards}", num_shards=shards, workers=1
        )
        for path in (sets.root / "alone" / str(shards)).iterdir():
            assert path.read_bytes() == (sets.root / "both" / str(shards) / path.name).read_bytes()
    # One process may have been sent all, or each of the two a half.
    assert sent[1] < 2.5 * 8 * sent[0]


def test_classes_that_a_row_does_not_have_cost_it_nothing(sets: Sets) -> None:
    calls = []
    for count in (10, 510):
        names = {id_: f"class {id_}" for id_ in range(1, count + 1)}
        part = sets.instance(f"part-{count}", names, {f"{row}": [1] for row in range(300)})
        profile = cProfile.Profile()
        report = profile.runcall(sets.merge, part, out=f"out{count}", workers=1)
        assert (report.rows, report.labels_changed) == (300, 0)
        calls.append(sum(each.callcount for each in profile.getstats()))
    assert calls[1] - calls[0] < 300 * 500 / 2


def test_a_merge_may_open_the_shards_of_all_sets_at_once(sets: Sets) -> None:
    for name in ("a", "b"):
        part = sets.semantic(f"{name}-one", ("sky",), {f"{name}{number}": [0] * 4 for number in range(60)})
        sets.merge(part, out=name, num_shards=60)
    program = (
        "import resource, sys; from pathlib import Path; from segdata.records.merge import merge_sets; "
        "resource.setrlimit(resource.RLIMIT_NOFILE, (130, int(sys.argv[1]))); "
        "merge_sets([Path('a'), Path('b')], Path('out'), num_shards=2)"
    )
    command = [sys.executable, "-c", program]
    refused = subprocess.run([*command, "150"], cwd=sets.root, capture_output=True, text=True)
    assert refused.stderr.splitlines()[-1].endswith(
        "b: has 60 files, and this process may open 150 at once; expected a limit of 184 or more. Raise it with "
        "ulimit -n, or write the set again with fewer shards (--num_shards)."
    )
    subprocess.run([*command, "200"], cwd=sets.root, check=True)
    assert len(sets.rows()) == 120


def test_mindspore_reads_the_merged_set(sets: Sets) -> None:
    pytest.importorskip("mindspore")
    one = sets.semantic("one", ("sky", "cat"), {"a": [0, 1, 1, 255]})
    two = sets.semantic("two", ("cat", "sky"), {"b": [0, 1, 1, 255]})
    sets.merge(one, two, num_shards=2)
    assert verify(sets.root / "out", with_mindspore=True).problems == ()
