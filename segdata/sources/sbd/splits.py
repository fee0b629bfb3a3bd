"""Read the id lists of SBD and VOC, and count the training samples that they give together."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from segdata.errors import FaultsError, InvalidInputError
from segdata.lists import read_ids
from segdata.sources.finder import near_id, no_image
from segdata.sources.voc import ID_LISTS
from segdata.text import check_unique, plural

#: Number of samples that the official lists of VOC 2012 and SBD give.
USUAL_COUNT = 10_582


def find_release(root: Path) -> Path:
    """Return the directory with SBD's ``train.txt``: `root` itself, or ``dataset`` in it or in its benchmark_RELEASE.

    Raises:
        InvalidInputError: when there is no such directory.
    """
    for folder in (root / "benchmark_RELEASE" / "dataset", root / "dataset", root):
        if (folder / "train.txt").is_file():
            return folder
    raise InvalidInputError(
        f"{root}: contains no SBD release; expected benchmark_RELEASE/dataset/train.txt in it, "
        "or benchmark_RELEASE itself"
    )


@dataclass(frozen=True)
class SplitCounts:
    """Arithmetic behind the number of samples.

    ``samples = voc_train + sbd_train + sbd_val - sbd_both - in_voc_train - in_voc_val``.

    Attributes:
        voc_train: ids in VOC's train split.
        sbd_train: ids in SBD's train split.
        sbd_val: ids in SBD's val split.
        sbd_both: ids that are in both splits of SBD.
        in_voc_train: SBD ids that are in VOC's train split; VOC's masks are used.
        in_voc_val: SBD ids that are in VOC's val split; they are left out.
        samples: result: VOC's train split plus the ids that only SBD has.
    """

    voc_train: int
    sbd_train: int
    sbd_val: int
    sbd_both: int
    in_voc_train: int
    in_voc_val: int
    samples: int


@dataclass(frozen=True)
class Splits:
    """The four id lists, each in the order of its file."""

    voc_train: list[str]
    voc_val: list[str]
    sbd_train: list[str]
    sbd_val: list[str]

    def check_images(self, devkit: Path, dataset: Path, images: Collection[str], *, missing: bool) -> None:
        """Check that the ids name images: an id of VOC's val split that names none would let its image into training.

        Args:
            devkit: see `read_splits`.
            dataset: see `read_splits`.
            images: ids of all images of VOC and SBD.
            missing: also refuse ids of VOC's val split that look right but have no image. Those of the other lists
                are found as missing files.

        Raises:
            FaultsError: naming each list with its first such ids.
        """
        faults = []
        lowered = {image.lower(): image for image in images}
        lists = (self.voc_train, self.voc_val, self.sbd_train, self.sbd_val)
        for path, ids in zip(_list_paths(devkit, dataset), lists, strict=True):
            near = {id_: near_id(id_, lowered) for id_ in ids if id_ not in images}
            wrong = [id_ for id_ in near if near[id_] or (missing and ids is self.voc_val)]
            if wrong:
                faults.append(f"{path}: {no_image(wrong, len(ids), next(filter(None, near.values()), ''))}")
        if faults:
            raise FaultsError(f"ids in {plural(len(faults), 'list')} match no image", faults)

    def only_sbd(self) -> list[str]:
        """Return the ids that SBD adds: SBD's train list, then its val list, without ids in VOC's train or val."""
        known = {*self.voc_train, *self.voc_val}
        return [id_ for id_ in dict.fromkeys([*self.sbd_train, *self.sbd_val]) if id_ not in known]

    def counts(self) -> SplitCounts:
        """Return the counts behind the number of samples."""
        sbd = {*self.sbd_train, *self.sbd_val}
        return SplitCounts(
            voc_train=len(self.voc_train),
            sbd_train=len(self.sbd_train),
            sbd_val=len(self.sbd_val),
            sbd_both=len(self.sbd_train) + len(self.sbd_val) - len(sbd),
            in_voc_train=len(sbd.intersection(self.voc_train)),
            in_voc_val=len(sbd.intersection(self.voc_val)),
            samples=len(self.voc_train) + len(self.only_sbd()),
        )


def read_splits(devkit: Path, dataset: Path) -> Splits:
    """Read the id lists of VOC and SBD, without blanks around the ids.

    Raises:
        InvalidInputError: when a list cannot be read or is empty.
        FaultsError: when an id is in a list twice, or is in both VOC's train and VOC's val.
    """
    paths = _list_paths(devkit, dataset)
    lists = [read_ids(path) for path in paths]
    for path, ids in zip(paths, lists, strict=True):
        check_unique(ids, f"{path}: duplicate ids")
    splits = Splits(*lists)
    leaks = sorted({*splits.voc_train} & {*splits.voc_val})
    if leaks:
        raise FaultsError(
            f"{devkit / ID_LISTS}: {len(leaks)} {'ids are' if len(leaks) != 1 else 'id is'} "
            "both in train.txt and in val.txt. Remove them from one of the two",
            leaks,
        )
    return splits


def _list_paths(devkit: Path, dataset: Path) -> list[Path]:
    return [devkit / ID_LISTS / "train.txt", devkit / ID_LISTS / "val.txt", dataset / "train.txt", dataset / "val.txt"]
