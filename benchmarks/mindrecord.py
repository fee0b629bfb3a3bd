"""Measure the MindRecord writer and reader against MindSpore's, and the writer against a copy of the same bytes.

    python benchmarks/mindrecord.py [--megabytes 1024] [--part write|read]

Rows have the sizes of VOC's: an image of about 100 kB and a label of about 2 kB, random bytes. Each way of writing runs
in a process of its own, which reports its seconds (without imports), its processor time and its highest memory.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from timing import print_table

COMMON = """
import hashlib, json, os, random, resource, sys, time, zlib
from pathlib import Path
folder, count = Path(sys.argv[1]), int(sys.argv[2])
SCHEMA = {"file_name": {"type": "string"}, "data": {"type": "bytes"}, "label": {"type": "bytes"}}
luck = random.Random(1)
image, label = luck.randbytes(160_000), luck.randbytes(3_000)
sizes = [(luck.randrange(50_000, 150_000), luck.randrange(1_000, 3_000)) for _ in range(count)]

def rows():
    for number, (data, mask) in enumerate(sizes):
        yield {"file_name": f"JPEGImages/{number:06}.jpg", "data": image[:data], "label": label[:mask]}
"""

FILE_WRITER = """
from mindspore.mindrecord import FileWriter
start = time.perf_counter(), time.process_time()
writer = FileWriter(str(folder / "x"), 1)
writer.add_schema(SCHEMA, "voc")
batch, size = [], 0
for row in rows():
    batch.append(row)
    size += len(row["data"])
    if size > 32 << 20:
        writer.write_raw_data(batch)
        batch, size = [], 0
writer.write_raw_data(batch)
writer.commit()
"""

WAYS = {
    "a file of the same bytes, no digest": """
start = time.perf_counter(), time.process_time()
with (folder / "x").open("wb") as file:
    for row in rows():
        file.write(row["data"])
        file.write(row["label"])
""",
    "the same, with CRC-32 and SHA-256": """
start = time.perf_counter(), time.process_time()
digest = hashlib.sha256()
with (folder / "x").open("wb") as file:
    for row in rows():
        for part in (row["data"], row["label"]):
            zlib.crc32(part)
            digest.update(part)
            file.write(part)
""",
    "segdata.mindrecord, with CRC-32 and SHA-256": """
from segdata.mindrecord.form import SetForm
from segdata.mindrecord.rows import measure_row
from segdata.mindrecord.schema import row_schema
from segdata.mindrecord.writer import ShardWriter
start = time.perf_counter(), time.process_time()
schema = row_schema(SCHEMA)
measured = [
    measure_row(schema, {"file_name": f"JPEGImages/{number:06}.jpg", "data": data, "label": mask})
    for number, (data, mask) in enumerate(sizes)
]
form = SetForm(schema=schema, addresses=("x",), header_size=1 << 20)
with ShardWriter(folder / "x", form, 0, measured) as writer:
    for row in rows():
        writer.write(row)
    writer.close()
""",
    "FileWriter, batches of 32 MB, no digest": FILE_WRITER,
    "the same, then CRC-32 and SHA-256": FILE_WRITER
    + """
for row in rows():
    for part in (row["data"], row["label"]):
        zlib.crc32(part)
digest = hashlib.sha256()
with (folder / "x").open("rb") as file:
    while block := file.read(1 << 20):
        digest.update(block)
""",
}

END = """
seconds, processor = time.perf_counter() - start[0], time.process_time() - start[1]
print(json.dumps([seconds, processor, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""


def run(way: str, folder: Path, count: int) -> tuple[float, ...]:
    """Return seconds, seconds of processor time and the highest memory in MiB of one way."""
    for path in folder.iterdir():
        path.unlink()
    command = [sys.executable, "-c", COMMON + WAYS[way] + END, str(folder), str(count)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return tuple(json.loads(done.stdout.splitlines()[-1]))


def write(folder: Path, count: int) -> None:
    best: dict[str, tuple[float, ...]] = {}
    for _ in range(3):
        for way in WAYS:
            best[way] = tuple(map(min, best.get(way, (1e9,) * 3), run(way, folder, count)))
    table = [
        (way, f"{seconds:.2f}", f"{processor:.2f}", f"{memory:.0f}")
        for way, (seconds, processor, memory) in best.items()
    ]
    print_table([("way", "s", "processor, s", "memory, MiB"), *table])


def read(folder: Path, count: int) -> None:
    from mindspore.dataset import MindDataset, SubsetSampler
    from mindspore.mindrecord import FileReader

    from segdata.mindrecord.shards import SetReader

    run("segdata.mindrecord, with CRC-32 and SHA-256", folder, count)
    numbers = [random.Random(2).randrange(count) for _ in range(2000)]
    rows = SetReader(folder / "x")

    def mind_dataset() -> None:
        data = MindDataset(str(folder / "x"), sampler=SubsetSampler(numbers), num_parallel_workers=1)
        for _ in data.create_dict_iterator(num_epochs=1, output_numpy=True):
            pass

    def file_reader() -> None:
        for _ in FileReader(str(folder / "x")).get_next():
            pass

    ways: dict[str, tuple[Callable[[], object], int]] = {
        "SetReader, rows at random": (lambda: [None for _ in rows.read(numbers)], len(numbers)),
        "SetReader, file names at random": (lambda: [None for _ in rows.read(numbers, ["file_name"])], len(numbers)),
        "MindDataset with SubsetSampler, opening included": (mind_dataset, len(numbers)),
        "SetReader, all rows in order": (lambda: [None for _ in rows], count),
        "FileReader, all rows in order": (file_reader, count),
        "SetReader, opening": (lambda: SetReader(folder / "x"), count),
    }
    table = []
    for name, (way, number) in ways.items():
        seconds, processor = (each / number * 1e6 for each in fastest(way))
        table.append((name, f"{seconds:.1f}", f"{processor:.1f}"))
    print_table([("way", "µs per row", "processor, µs per row"), *table])


def fastest(way: Callable[[], object]) -> tuple[float, float]:
    """Return the least seconds and the least seconds of processor time of five calls."""
    found = []
    for _ in range(5):
        start = time.perf_counter(), time.process_time()
        way()
        found.append((time.perf_counter() - start[0], time.process_time() - start[1]))
    seconds, processor = zip(*found, strict=True)
    return min(seconds), min(processor)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=1024)
    parser.add_argument("--part", choices=["write", "read"])
    arguments = parser.parse_args()
    count = arguments.megabytes * 1_000_000 // 102_000
    with tempfile.TemporaryDirectory() as folder:
        for part, measure in {"write": write, "read": read}.items():
            if arguments.part in (None, part):
                measure(Path(folder), count)


if __name__ == "__main__":
    main()
