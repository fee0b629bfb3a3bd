from __future__ import annotations

import gzip
import json

import msgspec
import numpy as np
import pytest

from segdata.coco.annotations import Members
from segdata.coco.file import Image, read_coco
from segdata.coco.objects import decode_object
from segdata.errors import FaultsError, InvalidInputError

MEMBERS = {
    "info": {"year": 2017},
    "images": [{"id": 20, "file_name": "b.jpg", "height": 4, "width": 6}, {"id": 10, "file_name": "sub/a.jpg"}],
    "annotations": [
        {"id": 3, "image_id": 10, "category_id": 7, "area": 2.5, "segmentation": [[0, 0, 2, 0, 2, 2]]},
        {"id": 1, "image_id": 20, "category_id": 2, "iscrowd": 1, "segmentation": {"counts": [24], "size": [4, 6]}},
        {"id": 2, "image_id": 10, "category_id": 2, "iscrowd": 0, "segmentation": {"counts": "h0", "size": [4, 6]}},
        {"id": 4, "image_id": 99, "category_id": 2, "iscrowd": False, "segmentation": []},
        {"id": 5, "image_id": 10, "category_id": 1, "segmentation": [[0, 0, 2, 0, 2, 2], [3, 3, 4, 3, 4, 4]]},
        {"id": 6, "image_id": 10, "category_id": 2},
    ],
    "categories": [{"id": 7, "name": "dog"}, {"id": 2, "name": "cat"}],
}


def write(path, members):
    path.write_text(members if isinstance(members, str) else json.dumps(members))
    return path


def without(*keys, **changed):
    return {key: value for key, value in {**MEMBERS, **changed}.items() if key not in keys}


@pytest.fixture
def coco(tmp_path):
    return read_coco(write(tmp_path / "instances.json", MEMBERS))


def test_images_and_categories_come_in_file_order(coco):
    assert coco.images == (Image(20, "b.jpg", 4, 6), Image(10, "sub/a.jpg", None, None))
    assert [(category.id, category.name) for category in coco.categories] == [(7, "dog"), (2, "cat")]


def test_annotations_point_to_rows_and_unknown_ones_to_none(coco):
    assert coco.annotations.image.tolist() == [1, 0, 1, -1, 1, 1]
    assert coco.annotations.category.tolist() == [0, 1, 1, 1, -1, 1]


def test_missing_flags_mean_no_crowd_and_missing_areas_are_not_numbers(coco):
    assert coco.annotations.crowd.tolist() == [False, True, False, False, False, False]
    assert coco.annotations.area[0] == 2.5
    assert np.isnan(coco.annotations.area[1:]).all()


def test_what_not_every_reader_expects_is_counted(coco):
    assert coco.annotations.traits == {
        "without_iscrowd": 3,
        "without_segmentation": 2,
        "polygons_of_several_parts": 1,
        "compressed_rle": 1,
        "uncompressed_rle": 1,
    }


def test_annotations_are_grouped_by_image_in_file_order(coco):
    assert [(image.id, rows.tolist()) for image, rows in coco.by_image()] == [(20, [1]), (10, [0, 2, 4, 5])]


@pytest.mark.parametrize("name", ["", "  "])
def test_a_category_without_a_name_is_refused_and_named(tmp_path, name):
    path = write(tmp_path / "a.json", without(categories=[{"id": 7, "name": "dog"}, {"id": 2, "name": name}]))
    what = f"category 2 has the name {name!r}; expected a name. Name it"
    with pytest.raises(FaultsError, match="1 fault in categories") as error:
        read_coco(path)
    assert [str(fault) for fault in error.value.faults] == [f"categories[1]: {what}"]
    faults = []
    assert [category.name for category in read_coco(path, faults=faults).categories] == ["dog"]
    assert [(fault.code, fault.what) for fault in faults] == [("broken_member", what)]


def test_images_that_only_have_a_url_are_those_of_lvis(tmp_path):
    image = {"id": 1, "coco_url": "http://images.cocodataset.org/train2017/000000391895.jpg", "height": 4, "width": 6}
    with pytest.raises(FaultsError, match="1 fault in images") as error:
        read_coco(write(tmp_path / "a.json", without(images=[image])))
    (fault,) = error.value.faults
    assert fault.what.endswith("as in LVIS. Add the end of coco_url as file_name: 'train2017/000000391895.jpg'")
    image.pop("coco_url")
    with pytest.raises(FaultsError, match=r"missing required field `file_name`$"):
        read_coco(write(tmp_path / "a.json", without(images=[image])))


def test_an_annotation_stays_the_text_it_was(tmp_path):
    text = '{ "area":1.50e2 ,"id": 1,"image_id":20, "category_id":7}'
    path = write(tmp_path / "a.json", f'{{"images": [], "annotations": [ {text} ], "categories": []}}')
    assert bytes(read_coco(path).annotations.raw[0]).decode() == text


def test_a_shape_is_what_json_decodes(coco):
    decoder = msgspec.json.Decoder(Members)
    shapes = [decode_object(raw, decoder) for raw in coco.annotations.raw]
    assert [shape.id for shape in shapes] == [3, 1, 2, 4, 5, 6]
    assert [shape.segmentation for shape in shapes] == [item.get("segmentation") for item in MEMBERS["annotations"]]


@pytest.mark.parametrize("gap", [1, 10**12])
def test_ids_with_any_gaps_are_found(tmp_path, gap):
    images = [{"id": number * gap, "file_name": f"{number}.jpg"} for number in range(-3, 30)]
    annotations = [
        {"id": index, "image_id": image["id"] + off, "category_id": 1}
        for index, (image, off) in enumerate((image, off) for image in images[::-1] for off in (0, 10**15))
    ]
    path = write(tmp_path / "a.json", {"images": images, "annotations": annotations, "categories": []})
    rows = read_coco(path).annotations.image
    assert rows[::2].tolist() == list(range(len(images)))[::-1]
    assert set(rows[1::2]) == {-1}


def test_a_byte_order_mark_is_accepted(tmp_path):
    path = tmp_path / "bom.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(MEMBERS).encode())
    assert len(read_coco(path).images) == 2


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (gzip.compress, "is compressed; expected JSON. Unpack it with gunzip"),
        (lambda data: data.decode().encode("utf-16"), "is UTF-16 or UTF-32 text; expected UTF-8. Save it as UTF-8"),
        (lambda data: b"\xfe\xff" + data.decode().encode("utf-16-be"), "is UTF-16 or UTF-32 text"),
        (lambda data: data.decode().encode("utf-32"), "is UTF-16 or UTF-32 text"),
        (lambda data: data + b"\xff", "not UTF-8 text (near byte"),
    ],
)
def test_another_encoding_is_refused_with_the_cure(tmp_path, change, sentence):
    path = tmp_path / "a.json"
    path.write_bytes(change(json.dumps(MEMBERS).encode()))
    with pytest.raises(InvalidInputError) as caught:
        read_coco(path)
    assert sentence in str(caught.value)


@pytest.mark.parametrize("crowd", [2, -1, 0.5, "1"])
def test_a_crowd_flag_that_is_neither_0_nor_1_is_refused(tmp_path, crowd):
    annotation = {"id": 1, "image_id": 20, "category_id": 2, "iscrowd": crowd}
    path = write(tmp_path / "a.json", without(annotations=[annotation]))
    with pytest.raises(FaultsError) as caught:
        read_coco(path)
    (fault,) = caught.value.faults
    assert fault.where == "annotations[0]" and "`$.iscrowd`; expected 0 or 1." in fault.what
    faults = []
    assert not read_coco(path, faults=faults).annotations.raw
    assert faults == [fault]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "is empty; expected COCO instances"),
        ("{", "damaged JSON: Input data was truncated"),
        ('{"images": [], "info": {"x": NaN}}', "contains NaN at byte 29, which is not JSON; expected a number"),
        ('{"images": [], "info": {"x": -Infinity}}', "contains Infinity at byte"),
        (json.dumps(MEMBERS)[:-40], "damaged JSON: Input data was truncated"),
        ('{"images": [}', "damaged JSON: .*byte 12"),
        ("[]", "not a COCO instances file; expected an object"),
        ("a.jpg a.png", "not a JSON file; expected COCO instances"),
        ("{}", "has no lists 'images', 'annotations', 'categories'; it has nothing"),
        (without("annotations"), "has no list 'annotations'; it has 'info', 'images', 'categories'"),
        (without(images={"a": 1}), "has no list 'images'"),
        ('{"images": ' + "[" * 100_000, "nested too deeply"),
    ],
)
def test_a_file_that_is_not_coco_is_refused_with_a_sentence(tmp_path, text, sentence):
    with pytest.raises(InvalidInputError, match=sentence):
        read_coco(write(tmp_path / "bad.json", text))


@pytest.mark.parametrize(
    ("members", "sentence"),
    [
        ({"version": "5.0.1", "shapes": [], "imagePath": "a.jpg"}, "of labelme; .* with segdata labelme"),
        ({"_via_settings": {}, "_via_img_metadata": {}}, "of VIA; .* Export the annotations as COCO"),
        ({"a.jpg1": {"filename": "a.jpg", "regions": []}}, "of VIA; .* Export the annotations as COCO"),
        ({"info": {}, "categories": {"label": {}}, "items": []}, "of Datumaro; "),
        ({"description": "", "size": {"height": 3, "width": 4}, "objects": []}, "of Supervisely; "),
        ({"version": "2.0", "item": {"name": "a.jpg"}, "annotations": []}, "of V7 Darwin; "),
    ],
)
def test_the_json_of_another_tool_is_told_how_to_convert_it(tmp_path, members, sentence):
    with pytest.raises(InvalidInputError, match=sentence):
        read_coco(write(tmp_path / "a.json", json.dumps(members)))


def test_objects_by_key_are_told_how_to_become_lists(tmp_path):
    by_key = {str(item["id"]): item for item in MEMBERS["annotations"]}
    path = write(tmp_path / "a.json", json.dumps({**MEMBERS, "annotations": by_key}))
    with pytest.raises(InvalidInputError, match="'annotations' is an object; expected a list") as error:
        read_coco(path)
    assert f"jq '.annotations |= [.[]]' {path} > NEW.json" in str(error.value)


def test_a_missing_file_is_refused_with_a_sentence(tmp_path):
    with pytest.raises(InvalidInputError, match="cannot be read: No such file"):
        read_coco(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("key", "objects", "fault"),
    [
        ("images", [{"id": 1}], r"images\[0\]: Object missing required field `file_name`"),
        ("images", [{"id": "1", "file_name": "a"}], r"images\[0\]: Expected `int`, got `str`"),
        ("images", [{"id": 2**63, "file_name": "a"}], r"images\[0\]: "),
        ("images", [{"id": 1.0, "file_name": "a"}], r"got `float` - at `\$.id`; expected an integer. Number"),
        ("images", [{"id": 1, "file_name": "a", "width": 6.0}], r"at `\$.width`; expected an integer, in pixels"),
        ("images", [{"id": 1, "file_name": "a", "height": "4"}], r"at `\$.height`; expected an integer, in pixels"),
        ("categories", [{"id": 1}], r"categories\[0\]: Object missing required field `name`"),
        ("categories", [{"id": 1, "name": "a"}, 7], r"categories\[1\]: Expected `object`, got `int`"),
        ("annotations", [{"id": 1, "image_id": 1}], r"annotations\[0\]: .*`category_id`"),
        ("annotations", [{"id": 1, "image_id": 1, "category_id": None}], r"annotations\[0\]: "),
    ],
)
def test_objects_that_lack_what_makes_them_one_are_named(tmp_path, key, objects, fault):
    with pytest.raises(FaultsError, match=fault):
        read_coco(write(tmp_path / "bad.json", without(**{key: objects})))


def test_all_faults_of_a_list_are_counted(tmp_path):
    captions = [{"id": number, "image_id": 20, "caption": "a dog"} for number in range(2000)]
    with pytest.raises(FaultsError, match="2000 faults in annotations") as error:
        read_coco(write(tmp_path / "captions.json", without(annotations=captions)))
    assert len(error.value.faults) == 2000


@pytest.mark.parametrize("key", ["images", "annotations", "categories"])
def test_ids_given_twice_are_refused(tmp_path, key):
    twice = [*MEMBERS[key], MEMBERS[key][0]]
    with pytest.raises(FaultsError, match=f"1 duplicate id in {key}:\n  id {MEMBERS[key][0]['id']}"):
        read_coco(write(tmp_path / "twice.json", without(**{key: twice})))


def test_a_file_name_that_is_not_utf_8_is_a_fault(tmp_path):
    path = tmp_path / "latin.json"
    path.write_bytes(json.dumps(MEMBERS).encode().replace(b"b.jpg", b"\xe9.jpg"))
    with pytest.raises(InvalidInputError):
        read_coco(path)


@pytest.mark.parametrize("place", ['"id": 1', '"file_name": "a.jpg"', '"segmentation": []', '"bbox": []', '"x": 0'])
@pytest.mark.parametrize("lenient", [False, True])
def test_nested_brackets_are_a_sentence(tmp_path, place, lenient):
    known = '"segmentation": [], "bbox": [], "x": 0, "image_id": 1, "category_id": 1'
    text = f'{{"images": [{{"id": 1, "file_name": "a.jpg"}}], "categories": [], "annotations": [{{"id": 1, {known}}}]}}'
    # Too deep for every Python: up to 3.11 the limit is 1000, then 10,000, and from 3.14 on the size of the stack.
    nested = "[" * 200_000 + "]" * 200_000
    path = write(tmp_path / "a.json", text.replace(place, f"{place.split(':')[0]}: {nested}"))
    with pytest.raises(InvalidInputError, match="nested too deeply"):
        read_coco(path, faults=[] if lenient else None)


def test_a_file_that_is_shortened_while_it_is_used_ends_nothing(tmp_path):
    path = write(tmp_path / "a.json", MEMBERS)
    found = read_coco(path)
    path.write_text("")
    assert [json.loads(bytes(raw))["id"] for raw in found.annotations.raw] == [3, 1, 2, 4, 5, 6]
