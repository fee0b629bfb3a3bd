"""MindSpore's own writer and readers as the oracle: the same bytes from the same rows, the same rows from a file."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segdata.mindrecord.btree import settle
from segdata.mindrecord.reader import ShardReader
from segdata.mindrecord.shards import SetReader

mindrecord = pytest.importorskip("mindspore.mindrecord")

Write = Callable[..., Any]
Row = dict[str, Any]
Fields = dict[str, dict[str, Any]]

PAGE, HEADER = 32 << 10, 1 << 20
PAIR: Fields = {"file_name": {"type": "string"}, "data": {"type": "bytes"}, "label": {"type": "bytes"}}
SCALAR: Fields = {
    "f": {"type": "float32"},
    "g": {"type": "float64"},
    "i": {"type": "int32"},
    "j": {"type": "int64"},
    "s": {"type": "string"},
}
INSTANCE: Fields = {
    "boxes": {"type": "float32", "shape": [-1, 4]},
    "data": {"type": "bytes"},
    "labels": {"type": "int32", "shape": [-1]},
    "wide": {"type": "int64", "shape": [2, -1]},
    "weights": {"type": "float64", "shape": [3]},
    "image_id": {"type": "int64"},
    "name": {"type": "string"},
}


def draw_value(form: dict[str, Any], luck: random.Random, size: int) -> Any:
    """Draw a value of a field, of about `size` bytes if it is text, bytes or an array."""
    kind = form["type"]
    if "shape" in form:
        fixed = int(np.prod([length for length in form["shape"] if length != -1]))
        count = fixed * (luck.randrange(1 + size // fixed // 8) if -1 in form["shape"] else 1)
        if kind.startswith("float"):
            return np.array([luck.uniform(-9, 9) for _ in range(count)], kind)
        # Every width of integer, positive and negative.
        bits = 31 if kind == "int32" else 63
        return np.array([luck.randrange(-(2**bits), 2**bits) >> luck.randrange(bits + 1) for _ in range(count)], kind)
    match kind:
        case "bytes":
            return luck.randbytes(luck.randrange(size))
        case "string":
            return "".join(luck.choices("aé中😀 \"'\\\n\x7f", k=luck.randrange(1 + size // 4)))
        case "int32":
            return luck.randrange(-(2**31), 2**31) >> luck.randrange(32)
        case "int64":
            return luck.randrange(-(2**63), 2**63) >> luck.randrange(64)
        case _:
            # FileWriter drops rows with a NumPy number of another type.
            return luck.choice([luck.uniform(-1, 1), 0.5, -0.0, 3.0, 1e39, 5e-324, np.dtype(kind).type(0.1)])


def draw_rows(fields: Fields, seed: int, count: int, size: int) -> list[Row]:
    luck = random.Random(seed)
    return [{name: draw_value(form, luck, size) for name, form in fields.items()} for _ in range(count)]


def draw_fields(seed: int) -> Fields:
    luck = random.Random(seed)
    forms: list[dict[str, Any]] = [
        {"type": luck.choice(["string", "int32", "int64", "float32", "float64", "bytes"])}
        if luck.random() < 0.6
        else {"type": luck.choice(["int32", "int64", "float32", "float64"]), "shape": luck.choice([[-1], [2], [-1, 3]])}
        for _ in range(luck.randrange(2, 9))
    ]
    # FileWriter loses rows whose only blob is empty; a second blob field prevents it.
    fields = {f"{luck.choice('aZ_q')}{number}": form for number, form in enumerate(forms)}
    return fields | {"b1": {"type": "bytes"}, "b2": {"type": "bytes"}}


CASES: dict[str, tuple[Fields, list[Row], dict[str, Any]]] = {
    "no rows": (PAIR, [], {}),
    "no rows, no index": ({"b": {"type": "bytes"}}, [], {}),
    "one row": (PAIR, draw_rows(PAIR, 0, 1, 50), {}),
    "one page": (PAIR, draw_rows(PAIR, 1, 20, 900), {}),
    "blob pages overflow": (PAIR, draw_rows(PAIR, 2, 100, 15_000), {}),
    "rows of exactly a page": ({"b": {"type": "bytes"}}, [{"b": bytes([n]) * (PAGE - 8)} for n in range(3)], {}),
    "a page of exactly four rows": (
        {"b": {"type": "bytes"}},
        [{"b": bytes([n]) * (PAGE // 4 - 8)} for n in range(9)],
        {},
    ),
    "raw rows of exactly a page": ({"s": {"type": "string"}}, [{"s": "a" * (PAGE - 8 - 6)}] * 3, {}),
    "raw pages overflow": ({"s": {"type": "string"}}, draw_rows({"s": {"type": "string"}}, 3, 300, 9000), {}),
    "raw and blob pages overflow": (PAIR, draw_rows(PAIR, 4, 60, 3000), {}),
    "long text in the index": (
        PAIR,
        [{"file_name": f"{n}é" * (n * 977 % 3000), "data": b"a", "label": b""} for n in range(200)],
        {},
    ),
    "no blob field": (SCALAR, draw_rows(SCALAR, 5, 500, 40), {}),
    "no scalar": ({"b": {"type": "bytes"}}, [{"b": bytes([n]) * 40} for n in range(1, 200)], {}),
    "one array": ({"l": {"type": "int64", "shape": [-1]}}, [{"l": np.arange(-n, n)} for n in range(1, 300)], {}),
    "one float array": (
        {"l": {"type": "float64", "shape": [-1]}},
        [{"l": np.arange(n) / 3} for n in range(1, 200)],
        {},
    ),
    "arrays of all types": (INSTANCE, draw_rows(INSTANCE, 6, 200, 600), {}),
    "arrays without values": (
        INSTANCE,
        [row | {"boxes": np.zeros((0, 4), np.float32)} for row in draw_rows(INSTANCE, 7, 3, 1)],
        {},
    ),
    "arrays that are parts of others": (
        {"l": {"type": "int32", "shape": [-1, 2]}, "b": {"type": "bytes"}},
        [{"l": np.arange(40, dtype=np.int32).reshape(10, 4)[::2, 1:3], "b": b""}],
        {},
    ),
    "ends of integers": (
        {"i": {"type": "int32"}, "j": {"type": "int64"}, "b": {"type": "bytes"}},
        [
            {"i": max(-(2**31), min(value, 2**31 - 1)), "j": value, "b": b"x"}
            for bits in (5, 7, 8, 15, 16, 31, 32, 62)
            for value in (2**bits - 1, 2**bits, -(2**bits), -(2**bits) - 1)
        ],
        {},
    ),
    "one index field": (SCALAR, draw_rows(SCALAR, 8, 50, 40), {"index_fields": ("i",)}),
    "index fields in another order": (SCALAR, draw_rows(SCALAR, 9, 50, 40), {"index_fields": ("s", "f", "j")}),
    "a description": (PAIR, draw_rows(PAIR, 10, 5, 40), {"description": 'a "é中"\\/\n\t\x01\x7f'}),
    "a header that grows": (PAIR, draw_rows(PAIR, 11, 900, 15_000), {"header_size": 4 << 20}),
    "large pages": (PAIR, draw_rows(PAIR, 12, 40, 30_000), {"page_size": 1 << 20}),
    "many rows": (PAIR, draw_rows(PAIR, 13, 8000, 20), {}),
    "many fields": (
        {f"f{n:02}": {"type": "int32"} for n in range(40)},
        draw_rows({f"f{n:02}": {"type": "int32"} for n in range(40)}, 14, 100, 1),
        {},
    ),
    **{
        f"drawn {seed}": (draw_fields(seed), draw_rows(draw_fields(seed), seed, 30 + seed * 7, 100 + seed * 60), {})
        for seed in range(24)
    },
}


def file_writer(path: Path, fields: Fields, form: dict[str, Any], shards: int = 1) -> Any:
    writer = mindrecord.FileWriter(str(path), shards)
    writer.set_header_size(form.get("header_size", HEADER))
    writer.set_page_size(form.get("page_size", PAGE))
    writer.add_schema(fields, form.get("description", ""))
    if "index_fields" in form:
        writer.add_index(list(form["index_fields"]))
    return writer


def as_lists(row: Row) -> Row:
    """Return a row with arrays as lists, for comparison."""
    return {
        name: (value.dtype.name, value.shape, value.tolist()) if isinstance(value, np.ndarray) else value
        for name, value in sorted(row.items())
    }


def file_reader(path: Path) -> list[Row]:
    """Return the rows that FileReader returns; it returns -0.0 and very small floats as 0."""
    return [as_lists(row) for row in mindrecord.FileReader(str(path)).get_next()]


def expected(fields: Fields, rows: Sequence[Row]) -> list[Row]:
    """Return rows as a reader should return them: arrays in the shape of their field, plain numbers."""
    return [
        as_lists(
            {
                name: np.reshape(value, fields[name]["shape"])
                if "shape" in fields[name]
                else value.item()
                if isinstance(value, np.generic)
                else value
                for name, value in row.items()
            }
        )
        for row in rows
    ]


@pytest.mark.parametrize("case", CASES)
def test_bytes_are_those_of_file_writer(tmp_path: Path, write: Write, case: str) -> None:
    fields, rows, form = CASES[case]
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    theirs.mkdir()
    ours.mkdir()
    writer = file_writer(theirs / "x", fields, form)
    if rows:
        writer.write_raw_data([dict(row) for row in rows])
    writer.commit()
    write(ours, fields, [rows], **{"header_size": HEADER, **form})

    assert (ours / "x").read_bytes() == (theirs / "x").read_bytes()
    assert file_reader(ours / "x") == file_reader(theirs / "x")
    assert [as_lists(row) for row in SetReader(theirs / "x")] == expected(fields, rows)
    assert [as_lists(row) for row in SetReader(ours / "x")] == expected(fields, rows)
    # SQLite leaves remains in unused bytes of a page, other ones in each version.
    settle(theirs / "x.db")
    assert (ours / "x.db").read_bytes() == (theirs / "x.db").read_bytes()


@pytest.mark.parametrize("fields", [PAIR, SCALAR, INSTANCE], ids=["pair", "scalar", "instance"])
@pytest.mark.parametrize("count", [2, 11])
def test_bytes_of_several_shards_are_those_of_file_writer(
    tmp_path: Path, write: Write, fields: Fields, count: int
) -> None:
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    theirs.mkdir()
    ours.mkdir()
    writer = file_writer(theirs / "x", fields, {}, count)
    writer.write_raw_data(draw_rows(fields, count, 50, 3000))
    writer.commit()
    # FileWriter draws which rows go into which shard.
    names = [f"x{number:0{len(str(count - 1))}}" for number in range(count)]
    shards = [ShardReader(theirs / name) for name in names]
    rows = [[shard.row(number) for number in range(len(shard))] for shard in shards]
    write(ours, fields, rows, names=tuple(names), header_size=HEADER)
    for name in names:
        settle(theirs / f"{name}.db")
        for suffix in ("", ".db"):
            assert (ours / f"{name}{suffix}").read_bytes() == (theirs / f"{name}{suffix}").read_bytes()


@pytest.mark.parametrize("fields", [PAIR, SCALAR, INSTANCE], ids=["pair", "scalar", "instance"])
@pytest.mark.parametrize("append", [False, True], ids=["calls", "append"])
def test_files_written_in_several_calls_are_read(tmp_path: Path, fields: Fields, append: bool) -> None:
    """Then pages of both types alternate, groups grow, and the last group of a raw page may move to another page."""
    rows = draw_rows(fields, 3, 120, 6000)
    writer = file_writer(tmp_path / "x", fields, {})
    for start in range(0, 120, 7):
        if append and start == 70:
            writer.commit()
            writer = mindrecord.FileWriter.open_for_append(str(tmp_path / "x"))
        writer.write_raw_data([dict(row) for row in rows[start : start + 7]])
    writer.commit()
    assert [as_lists(row) for row in SetReader(tmp_path / "x")] == expected(fields, rows)


@pytest.fixture
def numbered(tmp_path: Path, write: Write) -> tuple[Path, list[Row]]:
    """Three shards of 30 rows, some of whose bytes end with zeros."""
    rows = [{"k": n, "data": bytes([n, 0]) * (n * 300), "boxes": np.full((n, 4), n, np.float32)} for n in range(1, 31)]
    fields = {"k": {"type": "int32"}, "data": {"type": "bytes"}, "boxes": {"type": "float32", "shape": [-1, 4]}}
    write(tmp_path, fields, [rows[:11], rows[11:13], rows[13:]])
    return tmp_path, rows


def mind_dataset(path: Path, **options: Any) -> list[Row]:
    from mindspore.dataset import MindDataset

    data = MindDataset(str(path), num_parallel_workers=1, **options)
    return list(data.create_dict_iterator(num_epochs=1, output_numpy=True))


@pytest.mark.parametrize("name", ["x0", "x1", "x2"])
def test_mind_dataset_reads_the_set_by_any_shard(numbered: tuple[Path, list[Row]], name: str) -> None:
    folder, rows = numbered
    found = mind_dataset(folder / name, shuffle=False)
    assert [row["k"].item() for row in found] == [row["k"] for row in rows]
    assert [row["data"].view(np.uint8).tobytes() for row in found] == [row["data"] for row in rows]
    assert all(np.array_equal(row["boxes"], good["boxes"]) for row, good in zip(found, rows, strict=True))


@pytest.mark.parametrize("mode", [None, True, "GLOBAL", "FILES", "INFILE"])
def test_mind_dataset_shuffles_the_set(numbered: tuple[Path, list[Row]], mode: Any) -> None:
    from mindspore.dataset import Shuffle

    shuffle = getattr(Shuffle, mode) if isinstance(mode, str) else mode
    found = mind_dataset(numbered[0] / "x1", shuffle=shuffle, columns_list=["k"])
    assert sorted(row["k"].item() for row in found) == list(range(1, 31))


def test_mind_dataset_samples_the_set(numbered: tuple[Path, list[Row]]) -> None:
    from mindspore.dataset import RandomSampler, SequentialSampler, SubsetSampler

    def keys(sampler: Any) -> list[int]:
        return [row["k"].item() for row in mind_dataset(numbered[0] / "x0", sampler=sampler, columns_list=["k"])]

    assert keys(SubsetSampler([29, 0, 12])) == [30, 1, 13]
    assert keys(SequentialSampler(9, 5)) == [10, 11, 12, 13, 14]
    # PKSampler returns the first row for all classes, in sets by FileWriter too.
    assert sorted(keys(RandomSampler())) == list(range(1, 31))


def test_mind_dataset_divides_the_set_among_ranks(numbered: tuple[Path, list[Row]]) -> None:
    options: dict[str, Any] = {"shuffle": False, "num_shards": 4, "columns_list": ["k"]}
    found = Counter(
        row["k"].item() for rank in range(4) for row in mind_dataset(numbered[0] / "x2", shard_id=rank, **options)
    )
    # 30 rows on four ranks: each has eight, so that two rows repeat.
    assert set(found) == set(range(1, 31))
    assert found.total() == 32


def test_mindspore_reads_an_empty_blob_and_an_empty_shard(tmp_path: Path, write: Write) -> None:
    """FileWriter refuses rows whose only blob is empty; the readers do not."""
    write(tmp_path, {"b": {"type": "bytes"}, "k": {"type": "int32"}}, [[{"b": b"", "k": 1}, {"b": b"x", "k": 2}], []])
    assert list(mindrecord.FileReader(str(tmp_path / "x1")).get_next()) == [{"b": b"", "k": 1}, {"b": b"x", "k": 2}]
    assert [row["k"].item() for row in mind_dataset(tmp_path / "x0", shuffle=False)] == [1, 2]


def test_mindspore_takes_the_reserved_end_for_encryption(tmp_path: Path) -> None:
    """Our writer refuses what FileWriter writes and its own reader refuses."""
    writer = file_writer(tmp_path / "x", {"s": {"type": "string"}}, {})
    writer.write_raw_data([{"s": "ENCRYPT"}])
    writer.commit()
    with pytest.raises(RuntimeError, match="encrypted"):
        mindrecord.FileReader(str(tmp_path / "x"))
    assert SetReader(tmp_path / "x")[:] == [{"s": "ENCRYPT"}]


def test_an_encrypted_file_is_refused(tmp_path: Path) -> None:
    from segdata.errors import InvalidInputError

    mindrecord.set_enc_key("0123456789012345")
    try:
        writer = file_writer(tmp_path / "x", {"s": {"type": "string"}}, {})
        writer.write_raw_data([{"s": "a"}])
        writer.commit()
    finally:
        mindrecord.set_enc_key(None)
    with pytest.raises(InvalidInputError, match="x: an encrypted MindRecord file"):
        SetReader(tmp_path / "x")
