"""Cut a COCO file of train2017's size to one category: coco-subset against pycocotools and json.

python benchmarks/coco_subset.py [--annotations JSON --category NAME … --repeats N]

Without --annotations, the script creates a file in a temporary directory: 118,287 images, 860,001 annotations with
polygons, one category as frequent as COCO's person and 79 others. Each run is a separate process, interpreter start
included; both sides write only the JSON, no images.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

IMAGES, ANNOTATIONS, CATEGORIES = 118_287, 860_001, 80


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--annotations", type=Path, help="use this file instead of creating one")
    parser.add_argument("--category", action="append", help="default: person and one of the others")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--run", choices=RUNS, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        RUNS[options.run](options.annotations, options.category[0], options.out)
        print(peak_memory())
        return
    with tempfile.TemporaryDirectory() as folder:
        source = options.annotations or make_file(Path(folder, "instances.json"))
        for category in options.category or ["category 7", "person"]:
            compare(source, category, options.repeats, Path(folder))


def compare(source: Path, category: str, repeats: int, folder: Path) -> None:
    seconds: dict[str, list[float]] = {name: [] for name in RUNS}
    memory: dict[str, list[float]] = {name: [] for name in RUNS}
    size = source.stat().st_size
    for repeat in range(repeats):
        for name in RUNS:
            out = folder / f"{name}-{category}-{repeat}"
            start = time.perf_counter()
            done = subprocess.run(
                [
                    sys.executable,
                    __file__,
                    "--run",
                    name,
                    "--annotations",
                    source,
                    "--category",
                    category,
                    "--out",
                    out,
                ],
                check=True,
                capture_output=True,
                text=True,
            )
            seconds[name].append(time.perf_counter() - start)
            memory[name].append(int(done.stdout.splitlines()[-1]))
        kept = check_equal(*(folder / f"{name}-{category}-{repeat}" for name in RUNS))
    base = median(seconds["pycocotools"])
    print(f"{size / 2**20:.0f} MiB, cut to {category!r}: {kept}; median of {repeats} runs\n")
    print("| | seconds | times as fast | peak memory MiB | relative to the file |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for name in RUNS:
        took, peak = median(seconds[name]), median(memory[name])
        print(f"| {name} | {took:.2f} | {base / took:.1f} | {peak / 2**20:.0f} | {peak / size:.2f} |")
    print()


def peak_memory() -> int:
    """Return the peak memory of this process in bytes; `getrusage` would include that of its parent."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.split("VmHWM:")[1].split()[0])


def check_equal(ours: Path, theirs: Path) -> str:
    """Check that both ways kept the same objects; return their numbers as text."""
    left, right = json.loads((ours / "annotations" / "instances.json").read_text()), json.loads(theirs.read_text())
    for key in ("images", "annotations"):
        by_id = [{item["id"]: item for item in side[key]} for side in (left, right)]
        assert by_id[0] == by_id[1], f"{key} differ"
    return f"{len(left['images']):,} images, {len(left['annotations']):,} annotations"


def run_segdata(source: Path, category: str, out: Path) -> None:
    from segdata.sources.coco.select import Choice
    from segdata.sources.coco.subset import coco_subset

    coco_subset(source, None, out, choice=Choice(categories=[category]), media="none")


def run_pycocotools(source: Path, category: str, out: Path) -> None:
    from pycocotools.coco import COCO

    coco = COCO(source)
    images = coco.getImgIds(catIds=coco.getCatIds(catNms=[category]))
    annotations = coco.loadAnns(coco.getAnnIds(imgIds=images))
    used = {annotation["category_id"] for annotation in annotations}
    members = {
        **coco.dataset,
        "images": coco.loadImgs(images),
        "annotations": annotations,
        "categories": [category for category in coco.dataset["categories"] if category["id"] in used],
    }
    with out.open("w") as file:
        json.dump(members, file)


RUNS = {"segdata": run_segdata, "pycocotools": run_pycocotools}


def make_file(path: Path, seed: int = 0) -> Path:
    """Write a COCO file with the counts, key order and approximate object size of instances_train2017.json."""
    rng = random.Random(seed)
    polygons = [json.dumps(_polygons(rng)) for _ in range(5000)]
    with path.open("w") as file:
        file.write('{"info": {"description": "made for a benchmark"}, "licenses": [], "images": [')
        for index in range(IMAGES):
            file.write(f"{', ' if index else ''}{_image(index)}")
        file.write('], "annotations": [')
        for index in range(ANNOTATIONS):
            file.write(f"{', ' if index else ''}{_annotation(rng, index, rng.choice(polygons))}")
        categories = [
            {"supercategory": "made", "id": id_, "name": f"category {id_}"} for id_ in range(1, CATEGORIES + 1)
        ]
        categories[0]["name"] = "person"
        file.write(f'], "categories": {json.dumps(categories)}}}')
    return path


def _image(index: int) -> str:
    name = f"{index:012}.jpg"
    return (
        f'{{"license": 3, "file_name": "{name}", "coco_url": "http://images.cocodataset.org/train2017/{name}", '
        f'"height": 480, "width": 640, "date_captured": "2013-11-14 11:18:45", '
        f'"flickr_url": "http://farm9.staticflickr.com/8186/8119368305_4e622c8349_z.jpg", "id": {9 + 4 * index}}}'
    )


def _annotation(rng: random.Random, index: int, polygons: str) -> str:
    image = rng.randrange(IMAGES)
    box = [round(rng.uniform(1, 300), 2) for _ in range(4)]
    person = image % 100 < 54 and rng.random() < 0.56
    return (
        f'{{"segmentation": {polygons}, "area": {rng.uniform(10, 90_000)}, "iscrowd": 0, '
        f'"image_id": {9 + 4 * image}, "bbox": {box}, '
        f'"category_id": {1 if person else rng.randint(2, CATEGORIES)}, "id": {1000 + index}}}'
    )


def _polygons(rng: random.Random) -> list[list[float]]:
    parts = rng.choice((1, 1, 1, 1, 2))
    return [[round(rng.uniform(0, 640), 2) for _ in range(2 * rng.randint(4, 34))] for _ in range(parts)]


if __name__ == "__main__":
    main()
