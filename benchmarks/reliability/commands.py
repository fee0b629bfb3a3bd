"""The commands that write, as they replace the result of an earlier run; shared by the measurements of this folder.

Each one is run twice: the first result is there before a fault, the second is what the faulty run was to write.
"""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

#: Bytes that no command may change, beside every result.
PRECIOUS = "thesis.tex"

#: Files that may differ between two runs with the same arguments: they have times, or speeds, or hold digests of both.
_VARIES = ("metrics.jsonl", ".segtrain-files.json")

_TRAINING = [
    "--recipe", "unet_isbi_cpu", "--batch_size", "4", "--crop_size", "34", "--train_epochs", "2", "--save_steps", "1",
    "--set", "repeat=1", "--set", "model.width=4", "--set", "model.poolings=1", "--set", "model.patch=1",
    "--set", "model.channels=3", "--set", "schedule.warmup_steps=0",
]  # fmt: skip


@dataclass(frozen=True)
class Command:
    """A command that writes.

    Attributes:
        name: name in the tables.
        arguments: command line, relative to the folder of the data.
        old: arguments of the first run.
        new: arguments of the second run, which replaces the result of the first.
        results: files and directories that it writes.
        lists: training and validation list, which must share no image.
        again: arguments of the run after a fault.
        made: directory among the data that is the result of the first run; it need not be made again.
    """

    name: str
    arguments: tuple[str, ...]
    old: tuple[str, ...]
    new: tuple[str, ...]
    results: tuple[str, ...]
    lists: tuple[str, ...] = ()
    again: tuple[str, ...] = ("--overwrite",)
    made: str = ""

    @property
    def program(self) -> str:
        return "segtrain" if self.arguments[0] in ("fit", "predict") else "segdata"

    def line(self, *more: str) -> list[str]:
        """Return the command line."""
        return [sys.executable, "-m", self.program, *self.arguments, *more]


# fmt: off
VOC = "voc/voc_train_lst.txt"
COCO = ("--annotations", "coco/annotations/instances.json", "--images", "coco/images")

COMMANDS = (
    Command("voc-decolor", ("voc-decolor", "--data_root", "voc", "--dst_path", "out/gray"), (), (), ("out/gray",)),
    Command(
        "voc-list",
        ("voc-list", "--data_root", "voc", "--dst_path", "out/lists"),
        ("--label_dir", "SegmentationClass"),
        (),
        tuple(f"out/lists/voc_{split}_lst.txt" for split in ("train", "val", "trainval")),
        ("out/lists/voc_train_lst.txt", "out/lists/voc_val_lst.txt"),
    ),
    Command(
        "split",
        ("split", VOC, "--dst_path", "out/sides", "--ratio", "0.5"),
        ("--seed", "1"),
        ("--seed", "2"),
        ("out/sides/voc_train_train.txt", "out/sides/voc_train_val.txt"),
        ("out/sides/voc_train_train.txt", "out/sides/voc_train_val.txt"),
    ),
    Command(
        "pair-list",
        (
            "pair-list", "--images", "voc/VOCdevkit/VOC2012/JPEGImages", "--data_root", "voc",
            "--labels", "voc/VOCdevkit/VOC2012/SegmentationClassGray", "--dst_path", "voc/pairs.txt",
        ),
        ("--recursive",),
        (),
        ("voc/pairs.txt",),
    ),
    Command(
        "sbd-merge",
        ("sbd-merge", "--data_root", "sbd", "--dst_path", "sbd/out/merged"),
        (),
        (),
        ("sbd/out/merged", "sbd/vocaug_train_lst.txt"),
    ),
    Command(
        "coco-subset",
        ("coco-subset", *COCO, "--dst_path", "out/subset"),
        ("--max_images", "3"),
        ("--max_images", "5"),
        ("out/subset",),
    ),
    Command("coco-to-masks", ("coco-to-masks", *COCO, "--dst_path", "out/masks"), (), (), ("out/masks",)),
    Command(
        "tif-slice",
        ("tif-slice", "--images", "tif/train-volume.tif", "--dst_path", "out/pages"),
        ("--pages", "1-8"),
        (),
        ("out/pages",),
    ),
    Command(
        "labelme",
        ("labelme", "labelme", "--dst_path", "out/labelme.json"),
        ("--ignore-label", "triangle"),
        (),
        ("out/labelme.json", "out/labelme_images"),
    ),
    Command("yolo-seg", ("yolo-seg", "yolo", "--dst_path", "out/yolo"), (), (), ("out/yolo",)),
    Command(
        "masks-to-coco",
        ("masks-to-coco", "cells/masks", "--images", "cells/images", "--dst_path", "out/cells.json"),
        ("--min_area", "500"),
        (),
        ("out/cells.json",),
    ),
    Command(
        "to-mindrecord",
        ("to-mindrecord", VOC, "--dst_path", "out/records", "--num_shards", "4"),
        ("--seed", "1"),
        ("--seed", "2"),
        ("out/records",),
        again=("--overwrite", "--resume"),
    ),
    Command(
        "preview",
        ("preview", VOC, "--html", "out/page", "--out", "out/sheet.png", "--count", "4"),
        ("--seed", "1"),
        ("--seed", "2"),
        ("out/page/index.html", "out/sheet.png"),
    ),
    Command(
        "stats", ("stats", "--plot", "out/a.png"), (VOC,), ("voc/voc_val_lst.txt",), ("out/a.png",),
    ),
    Command(
        "fit",
        ("fit", "--data_file", "set", "--eval_data_file", "set", "--train_dir", "out/run", *_TRAINING),
        (),
        ("--set", "seed=2"),
        ("out/run",),
        made="run",
    ),
    Command(
        "predict",
        (
            "predict", "--images", "voc/VOCdevkit/VOC2012/JPEGImages", "--ckpt_path", "run/last.ckpt",
            "--out", "out/found",
        ),
        ("--flip",),
        (),
        ("out/found",),
    ),
)
# fmt: on


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def checked(command: list[str], folder: Path) -> None:
    done = run(command, folder)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")


def make_data(folder: Path) -> None:
    """Write the inputs of all commands."""
    segdata = [sys.executable, "-m", "segdata"]
    for kind in ("coco", "sbd", "tif"):
        checked([*segdata, "sample", kind, "--kind", kind], folder)
    for name, kind in (("voc", "voc"), ("labelme", "labelme"), ("yolo", "yolo"), ("cells", "instance-masks")):
        checked([*segdata, "sample", name, "--kind", kind, "--train", "6", "--val", "2"], folder)
    for image in (folder / "labelme").glob("*.jpg"):
        # Images that are only in their JSONs become a second result.
        described = json.loads(image.with_suffix(".json").read_text())
        described["imageData"] = base64.b64encode(image.read_bytes()).decode()
        image.with_suffix(".json").write_text(json.dumps(described))
        image.unlink()
    for root in ("voc", "sbd"):
        checked([*segdata, "voc-decolor", "--data_root", root], folder)
    checked([*segdata, "voc-list", "--data_root", "voc"], folder)
    checked([*segdata, "to-mindrecord", VOC, "--dst_path", "set", "--num_shards", "2"], folder)
    training = [sys.executable, "-m", "segtrain", "fit", "--data_file", "set", "--train_dir", "run", *_TRAINING]
    checked(training, folder)


def make_old(command: Command, data: Path, folder: Path) -> None:
    """Make a copy of the data with the result of the first run, and somebody's own file beside it."""
    shutil.copytree(data, folder)
    for result in command.results:
        (folder / result).parent.mkdir(parents=True, exist_ok=True)
        (folder / result).with_name(PRECIOUS).write_text("years of work")
    if command.made:
        shutil.copytree(folder / command.made, folder / command.results[0])
    else:
        checked(command.line(*command.old), folder)


def state(command: Command, folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file under a final name, by path."""
    found = {}
    for result in command.results:
        path = folder / result
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and file.name not in _VARIES and not file.name.startswith(".training"):
                found[file.relative_to(folder).as_posix()] = _digest(file)
    return found


def others(command: Command, folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file that is not a result, by path; hidden files beside results do not count."""
    results = [folder / result for result in command.results]
    return {
        path.relative_to(folder).as_posix(): _digest(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and not any(path == result or result in path.parents for result in results)
        and not any(part.startswith(".") and part != ".segdata-files.json" for part in path.relative_to(folder).parts)
    }


def left_over(folder: Path) -> list[str]:
    """Return the hidden files and directories that a finished run must not leave."""
    known = (".segdata-files.json", ".segtrain-files.json")
    return [str(path.relative_to(folder)) for path in folder.rglob(".*") if path.name not in known]


def leaks(command: Command, folder: Path) -> int:
    """Return the number of images that are both in the training and in the validation list."""
    sides = [
        {line.split()[0] for line in (folder / name).read_text().splitlines()}
        for name in command.lists
        if (folder / name).exists()
    ]
    return len(set.intersection(*sides)) if len(sides) == 2 else 0


def readable(command: Command, folder: Path) -> bool:
    """Return whether the checkpoints of a training directory are complete; a name may be missing."""
    from segdata.errors import SegDataError
    from segtrain.checkpoints.checkpoint import read_checkpoint

    for path in (folder / command.results[0]).glob("[!.]*.ckpt"):
        try:
            read_checkpoint(path)
        except SegDataError as error:
            print(f"{command.name}: {error}", flush=True)
            return False
    return True


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
