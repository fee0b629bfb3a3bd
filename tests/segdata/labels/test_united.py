"""Classes of several data sets become one list of names."""

from __future__ import annotations

import pytest

from segdata.errors import FaultsError, InvalidInputError
from segdata.labels.united import PartClasses, classes_left_out, unite_classes

PETS = PartClasses("pets", ["cat", "dog"], [5, 3], "pixel")
FARM = PartClasses("farm", ["dog", "cow"], [1, 0], "pixel")


def test_the_names_of_the_first_data_set_come_first_and_each_name_once() -> None:
    assert unite_classes([PETS, FARM], None, unknown="error") == ("cat", "dog", "cow")
    assert unite_classes([FARM, PETS], None, unknown="error") == ("dog", "cow", "cat")


def test_chosen_names_are_taken_in_their_order_and_unused_classes_may_be_left_out() -> None:
    assert unite_classes([PETS, FARM], ["horse", "dog", "cat"], unknown="error") == ("horse", "dog", "cat")


def test_classes_of_one_name_in_a_data_set_cannot_be_united() -> None:
    twins = PartClasses("twins", ["dog", "cat", "dog", "dog"], [1, 1, 1, 1], "object")
    with pytest.raises(FaultsError, match="expected different names") as error:
        unite_classes([PETS, twins], None, unknown="ignore")
    assert [(fault.code, fault.where, fault.what) for fault in error.value.faults] == [
        ("duplicate_category", "twins", "3 classes have the name 'dog'")
    ]


@pytest.mark.parametrize(("one", "other"), [("dog", "dog "), ("caf\xe9", "cafe\u0301")])
def test_names_in_two_spellings_are_not_two_classes(one: str, other: str) -> None:
    first, second = (PartClasses(name, [name], [1], "object") for name in (one, other))
    with pytest.raises(FaultsError, match="Class names in several spellings") as error:
        unite_classes([first, second], None, unknown="error")
    what = f"2 classes have the name {one!r}, apart from spaces or Unicode form (NFC, NFD)"
    assert [fault.what for fault in error.value.faults] == [what]
    both = PartClasses("both", [one, other], [1, 1], "object")
    with pytest.raises(FaultsError, match="expected different names"):
        unite_classes([both], None, unknown="error")


def test_a_class_in_use_that_is_not_chosen_is_refused_or_counted() -> None:
    with pytest.raises(FaultsError, match=r"--class_names does not list\. Add them, or .* --unknown ignore") as error:
        unite_classes([PETS, FARM], ["dog"], unknown="error")
    assert [(fault.code, fault.where, fault.what) for fault in error.value.faults] == [
        ("invalid", "pets", "class 'cat' has 5 pixels")
    ]
    assert unite_classes([PETS, FARM], ["dog"], unknown="ignore") == ("dog",)
    assert classes_left_out([PETS, FARM, PETS], ["dog"]) == {"cat": 10, "cow": 0}


class CountedName(str):
    """A name that counts how often names are compared."""

    compared = 0

    def __eq__(self, other: object) -> bool:
        CountedName.compared += 1
        return str(self) == other

    __hash__ = str.__hash__


def test_thousands_of_classes_are_not_compared_pair_by_pair() -> None:
    names = [CountedName(f"class {number}") for number in range(2000)]
    many = PartClasses("many", names, [1] * 2000, "object")
    CountedName.compared = 0
    wanted = [CountedName(name) for name in names[::-1]]
    assert unite_classes([many], wanted, unknown="error") == tuple(wanted)
    assert classes_left_out([many], wanted[1:]) == {"class 1999": 1}
    assert CountedName.compared < 10 * 2000


def test_a_chosen_name_that_appears_twice_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="Class names that appear several times"):
        unite_classes([PETS], ["cat", "dog", "cat"], unknown="ignore")
