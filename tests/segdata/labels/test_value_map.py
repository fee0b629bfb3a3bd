"""Classes of values: lists of VALUE:CLASS, lookup, and which gray masks a map of colors can read."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, strategies as st

from segdata.errors import InvalidInputError
from segdata.labels.value_map import ValueMap, ValueSpan, is_value_list, parse_value_map, threshold_map, voc_colormap


def ids(value_map: ValueMap, *values: float, nearest: float | None = None) -> list[int]:
    found: list[int] = value_map.ids(np.array(values), nearest).tolist()
    return found


def test_entries_are_values_ranges_and_all_others() -> None:
    value_map = parse_value_map(" 0:0, 1-300 : 1,400:255,*:7")
    assert ids(value_map, 0, 1, 300, 301, 400, -5) == [0, 1, 1, 7, 255, 7]
    assert ids(parse_value_map("-3--1:2,1-3:0-2"), -4, -3, -1, 0, 1, 2, 3) == [-1, 2, 2, -1, 0, 1, 2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0:0,", "'': expected VALUE:CLASS"),
        ("0=1", "'0=1': expected VALUE:CLASS, such as 0:0, 1-300:1, 1-3:0-2 or *:1"),
        ("0:256", "classes of 0 to 255"),
        ("*:1,*:2", "expected one entry for *"),
        ("*:1-2", "expected one entry for *"),
        ("3-1:0", "expected a rising range"),
        ("1-3:0-1", "as many classes"),
        ("0-5:1,3:2", "value 3 has two classes, 1 and 2"),
        ("7:1,7:1", "value 7 has two classes, 1 and 1"),
    ],
)
def test_a_faulty_entry_is_named(text: str, message: str) -> None:
    with pytest.raises(InvalidInputError) as error:
        parse_value_map(text)
    assert message in str(error.value)


def test_a_list_is_told_from_a_name() -> None:
    assert all(map(is_value_list, ["0:0", "*:1", " 1-3:0-2", "-1:0"]))
    assert not any(map(is_value_list, ["voc", "maps/0.txt", "C:/map.txt", "3d.txt"]))


def test_fractions_have_no_class_unless_a_near_value_has() -> None:
    value_map = parse_value_map("0:0,10-20:1")
    assert ids(value_map, 0.0, 0.5, 10.5, 20.0) == [0, -1, -1, 1]
    assert ids(value_map, -2, 2.4, 5, 8, 21, 23, nearest=2.5) == [0, 0, -1, 1, 1, -1]
    assert ids(value_map, 5, nearest=5) == [0], "the lower of two equally near values"


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=8, unique=True), st.integers(-60, 60), st.integers(0, 9))
def test_the_nearest_value_is_the_nearest(known: list[int], value: int, limit: int) -> None:
    value_map = ValueMap(spans=tuple(ValueSpan(low, low, id_) for id_, low in enumerate(sorted(known))))
    best = min(sorted(known), key=lambda each: abs(each - value))
    expected = sorted(known).index(best) if abs(best - value) <= limit else -1
    assert ids(value_map, value, nearest=limit) == [expected]


def test_values_of_any_type_are_looked_up() -> None:
    value_map = parse_value_map("0:0,65535:1,4000000000:2")
    for dtype in (np.uint16, np.uint32, np.int64, np.uint64, np.float64):
        values = [0, 65535, *([4_000_000_000] if np.dtype(dtype).itemsize > 2 else [])]
        assert value_map.ids(np.array(values, dtype)).tolist() == list(range(len(values)))
    assert value_map.byte_table[:2].tolist() == [0, -1]


def test_a_threshold_is_the_first_value_of_class_1() -> None:
    assert ids(threshold_map(10), 0, 9, 10, 65535) == [0, 0, 1, 1]


@pytest.mark.parametrize(
    ("colors", "by_color"),
    [
        ({(0, 0, 0): 0, (255, 255, 255): 1}, True),
        ({(0, 0, 0): 0, (90, 90, 90): 1}, True),
        ({(0, 0, 0): 0, (200, 0, 0): 1, (255, 255, 255): 255}, False),
        ({(0, 0, 0): 0, (200, 0, 0): 1, (255, 255, 255): 2}, True),
        ({(0, 0, 0): 255, (200, 0, 0): 0}, True),
        (dict(voc_colormap().colors), False),
    ],
)
def test_gray_masks_are_colors_if_class_ids_would_contradict_them(
    colors: dict[tuple[int, int, int], int], by_color: bool
) -> None:
    names = tuple(f"class {id_}" for id_ in range(len({*colors.values()} - {255})))
    assert ValueMap(names, colors=colors).gray_by_color == by_color


def test_the_expected_values_are_said_in_few_words() -> None:
    assert parse_value_map("0:0").expected_values() == "0"
    assert parse_value_map("0:0,1-300:1,400:2").expected_values() == "0, 1 to 300 or 400"
    many = parse_value_map(",".join(f"{2 * value}:0" for value in range(30)))
    assert many.expected_values() == "0, 2, 4, 6, 8, 10, 12, 14, 16, … or 58"


def test_a_map_can_be_sent_to_a_worker() -> None:
    value_map = voc_colormap()
    assert value_map.byte_table[255] == 255
    assert pickle.loads(pickle.dumps(value_map)) == value_map


def test_gray_made_from_color_is_named_for_what_it_is() -> None:
    diagnosis = voc_colormap().gray_diagnosis([0, 38, 220])
    assert diagnosis is not None and "luminance of void" in diagnosis
    assert voc_colormap().gray_diagnosis([0, 14, 255]) is None
    assert voc_colormap().gray_diagnosis([0, 14, 19]) is None, "boat and cat could be motorbike and train"
    assert voc_colormap().gray_diagnosis([0, 38, 39]) is None, "39 is not the luminance of any color"


def test_a_range_of_classes_is_as_long_as_its_range_of_values() -> None:
    assert ids(parse_value_map("5-7:10-12"), 5, 6, 7) == [10, 11, 12]
    with pytest.raises(InvalidInputError, match="one class or as many classes"):
        parse_value_map("5-7:10-13")


def test_maps_keep_the_ignore_label_and_name_their_classes() -> None:
    listed = parse_value_map("0:0,1:9,255:7", 7)
    assert (listed.ignore_label, [listed.name(id_) for id_ in (0, 7, 9)]) == (7, ["class_0", "void", "class_9"])
    threshold = threshold_map(100, 9)
    assert (threshold.ignore_label, threshold.names) == (9, ("background", "foreground"))
    assert ids(threshold, 0, 99, 100) == [0, 0, 1]


@pytest.mark.parametrize(
    ("text", "words"),
    [("3:0", "3"), ("3:0,5:1", "3 or 5"), ("0:0,3:0,5-9:1", "0, 3 or 5 to 9")],
)
def test_the_values_with_a_class_are_named_in_words(text: str, words: str) -> None:
    assert parse_value_map(text).expected_values() == words


def test_colors_without_a_class_are_minus_one_or_have_the_class_of_all_others() -> None:
    packed = np.array([0x000000, 0x050505, 0x102030], np.int32)
    assert parse_value_map("0:4").color_ids(packed).tolist() == [4, -1, -1]
    assert parse_value_map("0:4,*:6").color_ids(packed).tolist() == [4, 6, 6]
    assert ValueMap(colors={(0, 0, 0): 3}, other=2).color_ids(packed).tolist() == [3, 2, 2]
    assert parse_value_map("0:4").color_ids(packed).dtype == np.int16
