"""Faults are collected, up to ten listed and the rest counted; similar names are suggested."""

from __future__ import annotations

import pytest

from segdata.errors import Fault, FaultsError, InvalidInputError, OptionError, collecting, faults_at, suggest


@pytest.mark.parametrize(("count", "last"), [(1, "  fault 0"), (10, "  fault 9"), (13, "  … and 3 more")])
def test_ten_faults_are_named_and_the_rest_counted(count: int, last: str) -> None:
    error = FaultsError("bad masks", [f"fault {index}" for index in range(count)])
    lines = str(error).split("\n")
    assert (lines[0], lines[-1], len(lines)) == ("bad masks:", last, 1 + min(count, 11))
    assert len(error.faults) == count


def test_a_near_name_is_proposed_whatever_its_case() -> None:
    assert suggest("Persn", ["dog", "person"]) == "did you mean person? Expected one of dog, person"
    assert suggest("RESNET50", ["ResNet50", "x"]).startswith("did you mean ResNet50?")


def test_a_name_like_none_gets_the_first_ten_that_there_are() -> None:
    assert suggest("zzz", [f"class {index:02}" for index in range(12)]).endswith("class 09 and 2 more")


def test_faults_are_collected_with_code_and_place() -> None:
    faults: list[Fault] = []
    with collecting(faults, "a.png"):
        raise InvalidInputError("is empty", "empty_file")
    with collecting(faults, "b.png"), faults_at("label of b.png"):
        raise InvalidInputError("truncated", "truncated")
    with collecting(faults, "c.png"):
        raise FaultsError("two", [Fault("rotated", "d.png", "turned"), "only a text"])
    with collecting(faults, "e.png"):
        raise MemoryError
    assert faults == [
        Fault("empty_file", "a.png", "is empty"),
        Fault("truncated", "label of b.png", "truncated"),
        Fault("rotated", "d.png", "turned"),
        Fault("invalid", "c.png", "only a text"),
        Fault("too_large", "e.png", "needs more memory than is available"),
    ]


@pytest.mark.parametrize("error", [OSError("full"), ValueError("a defect"), OptionError("wrong option")])
def test_what_no_sample_is_to_blame_for_is_raised(error: Exception) -> None:
    with pytest.raises(type(error)), collecting([], "a.png"):
        raise error
