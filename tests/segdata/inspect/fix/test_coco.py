"""Each fault planted in a COCO JSON is cured, or left with its question; everything else keeps its text."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings, strategies as st
from msgspec import Raw
from PIL import Image
from planted_coco import FAULTS, WITH_OPTION, Planted, change, counts, planted_copy, turn

from segdata.errors import InvalidInputError, OptionError, TargetExistsError
from segdata.inspect.check import check
from segdata.inspect.check.overlap import open_other
from segdata.inspect.fix import fix
from segdata.inspect.fix.report import FixReport
from segdata.miniature.coco import write_coco

#: The image that faults are planted into; the earlier ones have objects in parts and a crowd.
AT = 3

#: What nobody can cure without an answer.
LEFT = {
    "image outside",
    "image stored turned",
    "gray image",
    "image of another size",
    "image without annotations",
    "annotation without a mask",
    "annotation with an empty mask",
    "polygon of two points",
    "polygon of odd coordinates",
    "polygon of words",
    "polygon far outside",
    "runs of another size",
    "runs that do not fill",
    "runs in a damaged string",
    "name in the other JSON",
    "content twice, masks differ",
}


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("coco") / "data"
    write_coco(root, images=7)
    return root


@pytest.fixture
def planted(sample: Path, tmp_path: Path) -> Planted:
    return planted_copy(sample, tmp_path / "data")


def fixed(planted: Planted, **options: Any) -> FixReport:
    """Write the planted data set, and fix it with what it is compared with."""
    planted.write()
    if planted.other:
        other = planted.root / "annotations" / "other.json"
        other.write_text(json.dumps({"images": planted.other, "annotations": [], "categories": []}))
        options |= {"against": [open_other(other)], "drop_from": planted.json}
    return fix(planted.json, planted.json.with_name("fixed.json"), workers=1, **options)


def result(planted: Planted) -> Any:
    return json.loads(planted.json.with_name("fixed.json").read_text())


def outcome(report: FixReport) -> dict[str, tuple[int, int]]:
    """Return how many faults of each code were cured and left."""
    return {one.code: (one.cured, one.left) for one in report.codes}


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith("fixed")
    }


def objects(path: Path) -> set[bytes]:
    """Return the JSON text of all objects."""
    members = msgspec.json.decode(path.read_bytes(), type=dict[str, Raw])
    lists = [msgspec.json.decode(members[key], type=list[Raw]) for key in ("images", "annotations", "categories")]
    return {bytes(raw) for each in lists for raw in each}


@pytest.mark.parametrize("fault", [*FAULTS, *WITH_OPTION])
def test_a_fault_is_cured_or_left_with_its_question(planted: Planted, fault: str) -> None:
    code, plant, *options = (FAULTS | WITH_OPTION)[fault]
    plant(planted, AT)
    asked: dict[str, Any] = dict.fromkeys(options, True)
    planted.write()
    before = digests(planted.root)
    report = fixed(planted, **asked)
    found = outcome(report)
    assert found[code] == ((0, 1) if fault in LEFT else (1, 0))
    assert all(bool(one.question) == bool(one.left) and bool(one.cure) == bool(one.cured) for one in report.codes)
    # The source did not change, and what had no fault kept its text.
    target = planted.json.with_name("fixed.json")
    assert before.items() <= digests(planted.root).items()
    assert len(objects(target) - objects(planted.json)) <= 2
    # What is left is what check finds in the result.
    options_again = {"against": [open_other(planted.root / "annotations" / "other.json")]} if planted.other else {}
    left = {one.code: one.left for one in report.codes if one.left}
    assert counts(check(target, workers=1, **asked, **options_again)) == left
    again = fix(target, planted.json.with_name("fixed_again.json"), workers=1, **asked)
    assert (again.cured, planted.json.with_name("fixed_again.json").read_bytes()) == (0, target.read_bytes())


def test_all_faults_at_once_are_cured_but_for_those_left(tmp_path: Path) -> None:
    # Turned images need an answer, which one option gives.
    answered = {"image stored turned", "polygon of words"}
    plants = {name: plant for name, plant in (WITH_OPTION | FAULTS).items() if plant[0] != "truncated"}
    write_coco(tmp_path / "clean", images=len(plants) + 4)
    planted = planted_copy(tmp_path / "clean", tmp_path / "data")
    for number, (_, plant, *_) in enumerate(plants.values(), start=2):
        plant(planted, number)
    report = fixed(planted, hash=True, upright="turn", drop=["bad_polygon"])
    kinds = {code for code, *_ in plants.values()}
    assert kinds <= {one.code for one in report.codes}
    assert sum(one.found for one in report.codes) >= len(plants)
    left = {code for name, (code, *_) in plants.items() if name in LEFT - answered} - {"bad_polygon"}
    # Images that lost all their annotations are told, too.
    assert {one.code for one in report.codes if one.left} == left | {"no_annotation"}


def test_a_clean_set_keeps_its_bytes(planted: Planted) -> None:
    planted.json.write_bytes(text := json.dumps(planted.members, indent=2).encode() + b"\n\n")
    report = fix(planted.json, planted.json.with_name("fixed.json"), workers=1)
    assert (report.codes, report.samples, report.written) == ((), 6, True)
    assert planted.json.with_name("fixed.json").read_bytes() == text


def test_a_dry_run_writes_nothing(planted: Planted) -> None:
    change(iscrowd=...)(planted, AT)
    planted.write()
    before = sorted(planted.root.rglob("*"))
    assert fixed(planted, dry_run=True).cured == 1
    assert sorted(planted.root.rglob("*")) == before


def test_only_chosen_codes_are_cured(planted: Planted) -> None:
    change(iscrowd=..., area=...)(planted, AT)
    assert outcome(fixed(planted, only=["no_area"])) == {"no_area": (1, 0), "no_iscrowd": (0, 1)}


def test_what_has_no_certain_cure_is_dropped_on_request(planted: Planted) -> None:
    change(segmentation=[["a", "b", "c", "d", "e", "f"]])(planted, AT)
    id_ = planted.annotation(AT)["id"]
    assert outcome(fixed(planted, drop=["bad_polygon"]))["bad_polygon"] == (1, 0)
    assert id_ not in {item["id"] for item in result(planted)["annotations"]}


def test_parts_without_an_area_are_dropped_and_the_rest_of_the_polygon_stays(planted: Planted) -> None:
    part = planted.annotation(AT)["segmentation"][0]
    change(segmentation=[[1, 1, 5, 5], part])(planted, AT)
    assert outcome(fixed(planted)) == {"bad_polygon": (1, 0)}
    (found,) = [item for item in result(planted)["annotations"] if item["id"] == planted.annotation(AT)["id"]]
    assert found["segmentation"] == [part]


def test_ids_that_are_text_become_numbers_and_references_follow(planted: Planted) -> None:
    image, annotation = planted.image(AT), planted.annotation(AT)
    renamed = {planted.image(AT)["id"]: str(image["id"]), planted.image(4)["id"]: "frame-four"}
    for item in (*planted.members["images"], *planted.members["annotations"]):
        key = "image_id" if "image_id" in item else "id"
        item[key] = renamed.get(item[key], item[key])
    annotation["id"] = "x9"
    report = fixed(planted)
    assert report.left == 0
    members = result(planted)
    assert all(type(item["id"]) is int for key in ("images", "annotations") for item in members[key])
    ids = {item["file_name"]: item["id"] for item in members["images"]}
    assert ids[image["file_name"]] == int(renamed[int(image["id"])])
    shapes = {
        ids_of: sorted(len(item["segmentation"]) for item in members["annotations"] if item["image_id"] == ids_of)
        for ids_of in ids.values()
    }
    assert all(shapes.values())
    assert len(members["annotations"]) == len(planted.members["annotations"])


def test_lists_by_id_and_numbers_that_json_does_not_know_are_read(planted: Planted) -> None:
    annotation = planted.annotation(AT)
    annotation["area"] = float("nan")
    ids = [item["id"] for item in planted.members["images"]]
    planted.members["images"] = {str(item.pop("id")): item for item in planted.members["images"]}
    assert {code: one for code, one in outcome(fixed(planted)).items() if code != "no_area"} == {
        "not_a_dataset": (1, 0)
    }
    members = result(planted)
    assert [item["id"] for item in members["images"]] == ids
    (found,) = [item for item in members["annotations"] if item["id"] == annotation["id"]]
    assert found["area"] > 0


@pytest.mark.parametrize("text", ['{"images": [', '{"a": 1}', '{"images": [], "annotations": [], "categories": []}'])
def test_a_file_that_is_not_a_coco_json_is_refused(planted: Planted, text: str) -> None:
    planted.json.write_text(text)
    target = planted.json.with_name("fixed.json")
    with pytest.raises(InvalidInputError, match=f"^{planted.json}: "):
        fix(planted.json, target, images=planted.root / "images", workers=1)
    assert not target.exists()


def test_objects_of_one_file_are_joined_unless_their_sizes_differ(planted: Planted) -> None:
    first = planted.image(AT)
    planted.members["images"].append({**first, "id": 999, "file_name": f"./{first['file_name']}"})
    planted.add_annotation(AT, image_id=999)
    planted.add_annotation(AT, image_id=999, segmentation=[[1, 1, 9, 1, 9, 9]], bbox=[1, 1, 8, 8], area=32)
    assert outcome(fixed(planted)) == {"duplicate_image": (1, 0)}
    members = result(planted)
    assert [item["id"] for item in members["images"]] == [item["id"] for item in planted.members["images"][:-1]]
    # The repeated annotation is gone, the other one belongs to the first object.
    assert len(members["annotations"]) == len(planted.members["annotations"]) - 1
    assert members["annotations"][-1]["image_id"] == first["id"]
    planted.members["images"][-1]["width"] += 1
    planted.json.with_name("fixed.json").unlink()
    assert outcome(fixed(planted))["duplicate_image"] == (0, 1)


def test_a_prefix_of_all_image_names_is_removed(planted: Planted) -> None:
    for item in planted.members["images"]:
        item["file_name"] = f"/srv/upload/{item['file_name']}"
    report = fixed(planted, images=planted.root / "images")
    assert (report.left, outcome(report)["image_prefix"]) == (0, (1, 0))
    assert result(planted)["images"][0]["file_name"] == "000000000001.jpg"


def test_files_that_are_mostly_missing_are_not_dropped(planted: Planted, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    report = fixed(planted, images=tmp_path / "elsewhere")
    assert outcome(report) == {"missing_image": (0, 6)}
    assert planted.json.with_name("fixed.json").read_bytes() == planted.json.read_bytes()


def test_polygons_of_crowds_stay_if_all_annotations_are_crowds(planted: Planted) -> None:
    for item in planted.members["annotations"]:
        item["iscrowd"] = 1
    found = outcome(fixed(planted))
    assert found["only_crowds"] == (0, 1)
    assert found["crowd_polygon"][0] == 0


@pytest.mark.parametrize("upright", ["turn", "keep"])
def test_a_turned_image_is_saved_upright(planted: Planted, upright: Any) -> None:
    turn(planted, AT)
    image = planted.image(AT)
    if upright == "keep":
        # Annotated on the upright image.
        image["width"], image["height"] = image["height"], image["width"]
        planted.members["annotations"] = [
            item for item in planted.members["annotations"] if item["image_id"] != image["id"]
        ]
        planted.add_annotation(
            4, image_id=image["id"], segmentation=[[2, 2, 20, 2, 20, 9]], bbox=[2, 2, 18, 7], area=63
        )
    width, height = Image.open(planted.file(AT)).size
    report = fixed(planted, upright=upright)
    assert (report.left, report.new_files) == (0, 1)
    folder = Path(report.root)
    assert folder == planted.json.with_name("fixed_files")
    new = Image.open(folder / image["file_name"])
    assert (new.size, new.getexif().get(0x0112, 1)) == ((height, width), 1)
    listed = result(planted)["images"][AT]
    assert (listed["width"], listed["height"]) == (height, width)
    # All other images are there with the same bytes.
    others = [item["file_name"] for item in planted.members["images"] if item is not image]
    assert all((folder / name).read_bytes() == (planted.root / "images" / name).read_bytes() for name in others)
    assert counts(check(planted.json.with_name("fixed.json"), images=folder)) == {}


def test_nothing_is_replaced_without_being_asked(planted: Planted) -> None:
    fixed(planted)
    with pytest.raises(TargetExistsError, match="already exists"):
        fixed(planted)
    fixed(planted, overwrite=True)
    planted.json.with_name("fixed.json").write_text("notes")
    with pytest.raises(TargetExistsError, match="not a COCO JSON"):
        fixed(planted, overwrite=True)


def test_options_of_a_list_are_refused(planted: Planted) -> None:
    with pytest.raises(OptionError, match="does not take --resize-labels"):
        fixed(planted, resize_labels=True)
    with pytest.raises(OptionError, match=r"Run segdata fix .*other\.json --against"):
        fix(planted.write(), planted.root / "x.json", drop_from=planted.root / "other.json")


@pytest.mark.parametrize(
    ("annotations", "images"),
    [
        ("tiny_coco_dataset/annotations/instances_val2017.json", "tiny_coco_dataset/val2017"),
        ("enginbozaba_tiny_coco/annotations/instances_train2017.json", "enginbozaba_tiny_coco/images/train2017"),
    ],
)
def test_a_real_set_keeps_its_bytes(real_data: Path, tmp_path: Path, annotations: str, images: str) -> None:
    source = real_data / "coco" / annotations
    report = fix(source, tmp_path / "fixed.json", images=real_data / "coco" / images, workers=1)
    assert (report.cured, report.new_files) == (0, 0)
    assert (tmp_path / "fixed.json").read_bytes() == source.read_bytes()


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["7", "x", "1.5", "-1"]),
    lambda inner: st.lists(inner, max_size=8) | st.dictionaries(st.sampled_from(["size", "counts", "id"]), inner),
    max_leaves=12,
)


@settings(max_examples=25)
@given(data=st.data())
def test_any_value_in_any_place_is_cured_or_left_and_nothing_raised(
    sample: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    members = json.loads((sample / "annotations" / "instances.json").read_text())
    for _ in range(2):
        item = data.draw(
            st.sampled_from([one for key in ("images", "annotations", "categories") for one in members[key]])
        )
        item[data.draw(st.sampled_from(sorted(item)))] = data.draw(values)
    path = tmp_path_factory.mktemp("any") / "x.json"
    path.write_text(json.dumps(members))
    report = fix(path, path.with_name("fixed.json"), images=sample / "images", workers=1)
    again = fix(path.with_name("fixed.json"), path.with_name("again.json"), images=sample / "images", workers=1)
    assert (again.cured, {one.code: one.left for one in again.codes}) == (
        0,
        {one.code: one.left for one in report.codes if one.left},
    )
    assert path.with_name("again.json").read_bytes() == path.with_name("fixed.json").read_bytes()
