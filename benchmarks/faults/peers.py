"""Run a peer on planted data sets; started by run.py with the Python of the peer's own environment.

    python peers.py PEER TASKS.json RESULTS.json

Each data set is read in a process of its own, since some faults end or stop the peer's.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import stat
import sys
import time
import warnings
from importlib import import_module, metadata
from pathlib import Path

#: Seconds after which a peer is taken to hang.
PATIENCE = 120


def datumaro(case: dict) -> list[str]:
    """Import the JSON, decode the images and validate objects as segmentation and detection."""
    import datumaro as dm
    from datumaro.plugins.validators import DetectionValidator, SegmentationValidator

    source = Path(case["source"])
    dataset = dm.Dataset.import_from(str(source.parents[2] / "datumaro" / source.parents[1].name), "coco_instances")
    for item in dataset:
        _ = item.media.data if item.media else None
    found = []
    for validator in (SegmentationValidator, DetectionValidator):
        options = dict.fromkeys(("few_samples_thr", "far_from_mean_thr"), 5)
        report = validator(imbalance_ratio_thr=50, dominance_ratio_thr=0.8, topk_bins=0.1, **options).validate(dataset)
        found += [
            f"{one['anomaly_type']} {one.get('item_id', '')}: {one['description']}"
            for one in report["validation_reports"]
        ]
    return found


def hotcoco(case: dict) -> list[str]:
    """Load the JSON and take its health check."""
    from hotcoco import COCO

    coco = COCO(case["source"])
    report = coco.healthcheck()
    return [json.dumps(one, default=str) for key in ("errors", "warnings") for one in report[key]]


def pycocotools(case: dict) -> list[str]:
    """Load the JSON and decode every mask, as an evaluation does."""
    from pycocotools.coco import COCO

    coco = COCO(case["source"])
    for annotation in coco.loadAnns(coco.getAnnIds()):
        coco.loadImgs(annotation["image_id"])
        coco.loadCats(annotation["category_id"])
        coco.annToMask(annotation)
    return []


def cleanvision(case: dict) -> list[str]:
    """Find all issues of the images."""
    from cleanvision import Imagelab

    files = [path for path in case["images"] if os.path.exists(path) and not stat.S_ISDIR(os.stat(path).st_mode)]
    lab = Imagelab(filepaths=files)
    lab.find_issues(n_jobs=1, verbose=False)
    columns = [name for name in lab.issues.columns if name.startswith("is_")]
    return [
        f"{Path(path).name}: {name[3:-6]}"
        for path, row in lab.issues[columns].iterrows()
        for name in columns
        if row[name]
    ]


def segdata(case: dict) -> list[str]:
    """Return code and sentence of every fault that `segdata check` finds; of a stack, what `tif-slice` says."""
    if case["kind"] == "stack":
        from click.testing import CliRunner

        from segdata.cli import main

        words = ["tif-slice", "--images", case["source"], "--labels", case["labels"], "--dst_path", "out", "--dry-run"]
        result = CliRunner().invoke(main, words)
        return [f"{'error' if result.exit_code else 'note'} {line}" for line in result.output.splitlines()]
    return checked(Path(case["source"]), case)


def checked(path: Path, case: dict, **places) -> list[str]:
    from segdata.inspect.check import check

    every: list = []
    check(path, against=others(case), hash=True, decode=True, near=True, quality=True, workers=1, every=every, **places)
    return [f"{fault.code} {fault}" for fault in every]


def others(case: dict) -> list:
    from segdata.inspect.check.overlap import open_other

    return [open_other(Path(case["against"]))] if case["against"] else []


def fix(case: dict) -> list[str]:
    """Return what `segdata fix` leaves: code, how (``asks`` with a question, ``left`` without), sentence.

    Faults that are left without options are tried again with all options that cure without a guess of the program's.
    """
    from segdata.inspect.fix import fix

    source = Path(case["source"])
    depth = {"hash": True, "decode": True, "near": True, "quality": True, "workers": 1, "against": others(case)}
    found = []
    for how, options in (("default", {}), ("options", wishes(case))):
        target = source.with_name(f"fixed_{how}{source.suffix}")
        report = fix(source, target, **depth, **options)
        place = {"data_root": Path(report.root)} if report.kind == "list" else {"images": Path(report.root)}
        found += [f"{how} {line}" for line in checked(target, case, **place)]
        found += [f"{how} question {one.code}: {one.question}" for one in report.codes if one.question]
    return found


def wishes(case: dict) -> dict:
    codes = sorted({code for codes in case["codes"].values() for code in codes})
    options: dict = {"drop": codes, "upright": "turn", "drop_from": Path(case["source"]) if case["against"] else None}
    return {**options, "resize_labels": True} if case["kind"] == "list" else options


PEERS = {
    "segdata": segdata,
    "fix": fix,
    "datumaro": datumaro,
    "hotcoco": hotcoco,
    "pycocotools": pycocotools,
    "cleanvision": cleanvision,
}


#: What each of them imports.
IMPORTS = {
    "segdata": ("segdata.cli", "segdata.inspect.check", "cv2"),
    "fix": ("segdata.inspect.fix", "cv2"),
    "datumaro": ("datumaro", "datumaro.plugins.validators"),
    "hotcoco": ("hotcoco",),
    "pycocotools": ("pycocotools.coco",),
    "cleanvision": ("cleanvision",),
}


def attempt(peer: str, case: dict, sender) -> None:
    """Send what the peer says, what it raises, its seconds, and the peak of its memory in MiB."""
    with open(os.devnull, "w") as nothing:
        os.dup2(nothing.fileno(), 1)
        os.dup2(nothing.fileno(), 2)
    warnings.simplefilter("ignore")
    start = time.perf_counter()
    said, raised = [], ""
    try:
        said = PEERS[peer](case)
    except BaseException as error:
        raised = f"{type(error).__name__}: {error}"
    seconds = time.perf_counter() - start
    sender.send((said, raised, seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))
    sender.close()


def main() -> None:
    peer, tasks, results = sys.argv[1:]
    found = []
    context = multiprocessing.get_context("fork")
    # Imported once; the figures are for reading data sets.
    for module in IMPORTS[peer]:
        import_module(module)
    for case in json.loads(Path(tasks).read_text()):
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=attempt, args=(peer, case, sender))
        process.start()
        sender.close()
        try:
            answer = receiver.recv() if receiver.poll(PATIENCE) else ([], "hangs", PATIENCE, 0)
        except EOFError:
            answer = ([], "dies", 0, 0)
        process.kill()
        process.join()
        found.append(dict(zip(("said", "raised", "seconds", "memory"), answer, strict=True)))
    Path(results).write_text(
        json.dumps({"version": metadata.version("segdata" if peer == "fix" else peer), "found": found})
    )


if __name__ == "__main__":
    main()
