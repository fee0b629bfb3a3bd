"""COCO JSONs merged into one: every image keeps its masks and the names of their classes."""

from __future__ import annotations

import cProfile
import json
from collections import Counter
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from pycocotools.coco import COCO

from segdata.coco.ids import DistinctIds
from segdata.errors import FaultsError, InvalidInputError, OptionError, TargetExistsError
from segdata.sources.coco.merge import CocoMergeReport, merge_jsons

SQUARE = [[1.0, 1.0, 3.0, 1.0, 3.0, 3.0, 1.0, 3.0]]
BAR = [[0, 0, 8, 0, 8, 2, 0, 2]]
RUNS = {"size": [6, 8], "counts": [7, 3, 38]}

Members = dict[str, Any]


def image(id_: int, name: str, **more: object) -> Members:
    return {"id": id_, "file_name": name, "height": 6, "width": 8, **more}


def annotation(id_: int, of: int, category: int, shape: object = SQUARE, **more: object) -> Members:
    return {
        "id": id_,
        "image_id": of,
        "category_id": category,
        "segmentation": shape,
        "area": 4.50,
        "iscrowd": 0,
        **more,
    }


def document(images: list[Members], annotations: list[Members], categories: dict[int, str], **more: object) -> Members:
    listed = [{"id": id_, "name": name, "supercategory": "animal"} for id_, name in categories.items()]
    return {"info": {"year": 2020}, "images": images, "annotations": annotations, "categories": listed, **more}


CATS = document(
    [image(1, "a.png"), image(2, "b.png")], [annotation(1, 1, 1), annotation(2, 2, 3)], {1: "cat", 3: "dog"}
)
DOGS = document(
    [image(1, "c.png"), image(9, "d.png")], [annotation(1, 1, 1, BAR), annotation(7, 9, 2)], {1: "dog", 2: "cow"}
)


class Merging:
    """JSONs in folders of their own, each beside its images."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.out = root / "out.json"
        self.jsons: list[Path] = []

    def add(self, members: Members, folder: str | None = None) -> Path:
        path = self.root / (folder or f"part{len(self.jsons)}") / f"{len(self.jsons)}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(members))
        self.jsons.append(path)
        return path

    def __call__(self, *members: Members, folder: str | None = None, **options: Any) -> CocoMergeReport:
        for each in members:
            self.add(each, folder)
        options = {"images": [path.parent for path in self.jsons], **options}
        return merge_jsons(self.jsons, self.out, **options)

    @property
    def result(self) -> Members:
        return json.loads(self.out.read_text())


@pytest.fixture
def merging(tmp_path: Path) -> Merging:
    return Merging(tmp_path)


def objects(path: Path, prefix: str = "") -> dict[str, list[tuple[str, int, bytes]]]:
    """Return the classes and masks of each image, as pycocotools reads them."""
    coco = COCO(path)
    return {
        prefix + each["file_name"]: sorted(
            (coco.cats[one["category_id"]]["name"], one["iscrowd"], coco.annToMask(one).tobytes())
            for one in coco.imgToAnns[each["id"]]
        )
        for each in coco.imgs.values()
    }


def test_every_image_keeps_its_masks_and_classes(merging: Merging) -> None:
    report = merging(CATS, DOGS)
    expected = objects(merging.jsons[0], "part0/") | objects(merging.jsons[1], "part1/")
    assert objects(merging.out) == expected
    assert report.root == str(merging.root)
    assert report.categories == {"cat": 1, "dog": 2, "cow": 1}
    assert report.renumbered == {"images": 1, "annotations": 1, "categories": 1}
    assert (report.samples, report.annotations, report.shared, report.repeated) == (4, 4, 0, 0)


def test_ids_are_kept_where_they_are_free(merging: Merging) -> None:
    merging(CATS, DOGS)
    assert [each["id"] for each in merging.result["images"]] == [1, 2, 3, 9]
    assert [each["id"] for each in merging.result["annotations"]] == [1, 2, 3, 7]
    assert {each["name"]: each["id"] for each in merging.result["categories"]} == {"cat": 1, "dog": 3, "cow": 2}


@given(st.lists(st.lists(st.integers(-3, 9), unique=True), max_size=4))
def test_distinct_ids_are_distinct_and_the_first_keeps_its_own(parts: list[list[int]]) -> None:
    every = list(chain.from_iterable(parts))
    ids = DistinctIds(every)
    given_ids = [ids.take(id_) for id_ in every]
    assert len(set(given_ids)) == len(every)
    assert set(every) <= set(given_ids)
    assert all(
        every.index(old) != row or new == old for row, (old, new) in enumerate(zip(every, given_ids, strict=True))
    )


#: Images by name, each with the (category, shape) of its annotations.
DRAWN = st.dictionaries(
    st.sampled_from("pqrst"), st.lists(st.tuples(st.sampled_from(["cat", "dog", "cow"]), st.sampled_from([0, 1, 2])))
)


@settings(max_examples=30)
@given(st.lists(DRAWN, min_size=1, max_size=3), st.permutations(["cat", "dog", "cow"]), st.booleans())
def test_the_objects_of_an_image_are_those_of_all_parts(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[dict[str, Any]], names: list[str], shared: bool
) -> None:
    merging = Merging(tmp_path_factory.mktemp("coco"))
    expected: dict[str, Counter[tuple[str, int]]] = {}
    for number, images in enumerate(drawn):
        folder = "" if shared else f"part{number}/"
        order = names[number % 3 :] + names[: number % 3]
        categories = dict(enumerate(order, start=number))
        ids = {name: id_ for id_, name in categories.items()}
        listed = [image(row, f"{name}.png") for row, name in enumerate(images)]
        every = [(row, ids[category], shape) for row, found in enumerate(images.values()) for category, shape in found]
        made = [
            annotation(row, of, category, (SQUARE, BAR, RUNS)[shape]) for row, (of, category, shape) in enumerate(every)
        ]
        merging.add(document(listed, made, categories), "same" if shared else None)
        for name, found in images.items():
            # Repeated objects are those of an earlier part, not of the same.
            now = Counter(found)
            known = expected.setdefault(f"{folder}{name}.png", Counter())
            known |= now if not known else Counter({key: count for key, count in now.items() if key not in known})
            expected[f"{folder}{name}.png"] = known
    merging()
    prefixed = {name if len(drawn) > 1 else name.rpartition("/")[2]: found for name, found in expected.items()}
    result, names_of = merging.result, {each["id"]: each["name"] for each in merging.result["categories"]}
    found: dict[str, Counter[tuple[str, int]]] = {each["file_name"]: Counter() for each in result["images"]}
    files = {each["id"]: each["file_name"] for each in result["images"]}
    for each in result["annotations"]:
        shape = [SQUARE, BAR, RUNS].index(each["segmentation"])
        found[files[each["image_id"]]][names_of[each["category_id"]], shape] += 1
    assert found == prefixed


def test_an_image_of_two_parts_gets_the_annotations_of_both_once(merging: Merging) -> None:
    one = document([image(1, "a.png")], [annotation(1, 1, 1), annotation(2, 1, 1, BAR, bbox=[0, 0, 8, 2])], {1: "cat"})
    # The same square in other digits, the same bar without a box, and the same square as another class.
    again = [[1, 1, 3, 1, 3, 3, 1, 3]]
    two = document(
        [image(5, "./a.png")],
        [annotation(3, 5, 7, again), annotation(4, 5, 7, BAR), annotation(5, 5, 8)],
        {7: "cat", 8: "dog"},
    )
    report = merging(one, two, folder="same")
    assert [each["file_name"] for each in merging.result["images"]] == ["a.png"]
    assert [(each["id"], each["image_id"], each["category_id"]) for each in merging.result["annotations"]] == [
        (1, 1, 1), (2, 1, 1), (4, 1, 1), (5, 1, 8),
    ]  # fmt: skip
    assert (report.shared, report.repeated) == (1, 1)


def test_the_work_grows_with_the_objects_of_an_image_and_not_with_their_square(merging: Merging) -> None:
    calls = []
    for count in (100, 400):
        shapes = [[[0, 0, 8, 0, 8, 1 + number / count]] for number in range(count)]
        made = [annotation(number, 1, 1, shape) for number, shape in enumerate(shapes, start=1)]
        merging.jsons.clear()
        parts = [document([image(1, "a.png")], made, {1: "cat"}) for _ in range(2)]
        profile = cProfile.Profile()
        report = profile.runcall(merging, *parts, folder="same", overwrite=True)
        assert (report.annotations, report.repeated) == (count, count)
        calls.append(sum(each.callcount for each in profile.getstats()))
    assert calls[1] < 5 * calls[0]


def test_two_sizes_of_an_image_are_a_conflict(merging: Merging) -> None:
    other = document([image(1, "a.png", width=9)], [], {})
    with pytest.raises(FaultsError, match=r"a.png: has 8 x 6 pixels in .*0.json and 9 x 6 in .*1.json"):
        merging(CATS, other, folder="same")
    assert not merging.out.exists()


def test_one_part_alone_is_written_as_it_is(merging: Merging) -> None:
    merging(CATS, images=[merging.root / "part0"])
    assert merging.result == CATS
    assert b"4.5," in merging.out.read_bytes()
    merging.jsons = [merging.out]
    first, merging.out = merging.out.read_bytes(), merging.root / "again.json"
    merging(images=[merging.root / "part0"])
    assert merging.out.read_bytes() == first


def test_the_text_of_what_does_not_change_is_kept(merging: Merging) -> None:
    path = merging.add(CATS)
    path.write_text(path.read_text().replace("3.0", "3.00").replace('"area": 4.5', '"area":  4.50'))
    merging()
    assert merging.out.read_text().count('"area":  4.50') == 2
    assert merging.out.read_text().count("3.00") == 8


def test_class_names_are_the_categories_of_the_result(merging: Merging) -> None:
    names = ("cow", "sheep", "dog", "cat")
    report = merging(CATS, DOGS, class_names=names)
    assert [(each["id"], each["name"]) for each in merging.result["categories"]] == list(enumerate(names, start=1))
    assert report.categories == {"cow": 1, "sheep": 0, "dog": 2, "cat": 1}
    assert objects(merging.out) == objects(merging.jsons[0], "part0/") | objects(merging.jsons[1], "part1/")


def test_other_classes_are_refused_or_left_out_and_counted(merging: Merging) -> None:
    unused = document([image(1, "e.png")], [], {1: "horse"})
    with pytest.raises(
        FaultsError, match=r"--unknown ignore:\n  .*0.json: class 'cat' has 1 annotation\n  .*'cow' has"
    ) as caught:
        merging(CATS, DOGS, unused, class_names=("dog",))
    assert len(caught.value.faults) == 2
    report = merging(class_names=("dog",), unknown="ignore")
    assert report.left_out == {"cat": 1, "cow": 1, "horse": 0}
    assert [each["category_id"] for each in merging.result["annotations"]] == [1, 1]
    assert report.samples == 5


def test_two_categories_of_one_name_in_a_part_are_refused(merging: Merging) -> None:
    with pytest.raises(FaultsError, match="2 classes have the name 'cat'"):
        merging(document([], [], {1: "cat", 2: "cat"}), DOGS)


def test_what_differs_between_the_parts_is_named(merging: Merging) -> None:
    other = document([image(1, "z.png")], [], {1: "cat"}, type="instances") | {"info": {"year": 2021}}
    other["categories"][0]["supercategory"] = "pet"
    report = merging(CATS | {"type": "captions"}, other)
    assert [str(warning) for warning in report.warnings] == [
        f"category 'cat': supercategory 'animal' in {merging.jsons[0]} and 'pet' in {merging.jsons[1]}; kept 'animal'",
        f"{merging.jsons[1]}: member 'type' differs from that of the first JSON",
    ]
    assert merging.result["info"] == {"year": 2020}
    assert merging.result["categories"][0]["supercategory"] == "animal"


def test_licenses_stay_those_of_their_images(merging: Merging) -> None:
    free, paid, ours = ({"id": 1, "name": "free"}, {"id": 1, "name": "paid"}, {"id": 2, "name": "free"})
    one = document([image(1, "a.png", license=1)], [], {}, licenses=[free])
    two = document(
        [image(1, "b.png", license=1), image(2, "c.png", license=2), image(3, "d.png")], [], {}, licenses=[paid, ours]
    )
    merging(one, two)
    names = {each["id"]: each["name"] for each in merging.result["licenses"]}
    found = {each["file_name"]: names.get(each.get("license")) for each in merging.result["images"]}
    assert found == {"part0/a.png": "free", "part1/b.png": "paid", "part1/c.png": "free", "part1/d.png": None}
    assert sorted(names.values()) == ["free", "paid"]


@pytest.mark.parametrize(
    ("members", "sentence"),
    [
        (document([image(1, "a.png")], [annotation(1, 2, 1)], {1: "cat"}), "1 annotation with an unknown image"),
        (document([image(1, "a.png"), image(2, "./a.png")], [], {}), "several image objects"),
        (document([image(1, "../a.png")], [], {}), "outside the data root"),
        ({"images": []}, "has no lists 'annotations', 'categories'"),
    ],
)
def test_parts_with_faults_are_refused(merging: Merging, members: Members, sentence: str) -> None:
    with pytest.raises(InvalidInputError, match=sentence):
        merging(CATS, members)
    assert not merging.out.exists()


def test_the_image_folder_is_found_or_asked_for(merging: Merging) -> None:
    folder = merging.add(CATS).parent
    with pytest.raises(OptionError, match="Name the folder with --images"):
        merging(images=[])
    (folder / "a.png").touch()
    assert merging(images=[]).root == str(folder)


def test_nothing_of_others_is_replaced(merging: Merging) -> None:
    assert not merging(CATS, dry_run=True).written
    assert not merging.out.exists()
    merging.out.write_text('{"my": "settings"}')
    with pytest.raises(TargetExistsError, match="already exists"):
        merging()
    with pytest.raises(TargetExistsError, match="is not a COCO JSON"):
        merging(overwrite=True)
    merging.out = merging.jsons[0]
    with pytest.raises(InvalidInputError, match="is the target itself"):
        merging(overwrite=True)


def test_no_polygon_is_parsed_unless_a_box_of_a_shared_image_repeats(
    merging: Merging, monkeypatch: pytest.MonkeyPatch
) -> None:
    from segdata.sources.coco import merge_objects

    def refuse(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(merge_objects, "decode_object", refuse)
    assert merging(CATS, DOGS).annotations == 4
