"""Check a copy of a data set and cure what was found, until nothing changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from segdata.errors import Code, Fault
from segdata.inspect.check import CheckReport, check
from segdata.inspect.fix.document import CocoDraft
from segdata.inspect.fix.files import NewFiles
from segdata.inspect.fix.labels import LabelCures
from segdata.inspect.fix.lines import LIST_CURES, ListCure, ListDraft, drop_each_line
from segdata.inspect.fix.objects import COCO_CURES, CocoCure, drop_objects
from segdata.inspect.fix.text import readable
from segdata.inspect.fix.upright import Upright, UprightCures
from segdata.labels.classes import Classes
from segdata.labels.value_map import ValueMap

_Draft = TypeVar("_Draft", CocoDraft, ListDraft)
_Cure: TypeAlias = Callable[[_Draft, Sequence[Fault]], None]

#: Cures that change how other faults name their objects; the copy is checked again before others are applied.
_ALONE: tuple[Code, ...] = ("broken_line", "broken_member", "duplicate_id", "image_prefix")

#: Images that another data set has as well.
_OVERLAPS: tuple[Code, ...] = ("overlap", "overlap_content", "overlap_near")

#: Faults of one of two samples that are alike: a cure of other faults may drop the other sample, so they come last.
_ALIKE: tuple[Code, ...] = ("duplicate_content", "near_duplicate", "same_file", "label_conflict")

#: Faults of the data set itself, which name no samples or annotations to drop.
OF_THE_SET: tuple[Code, ...] = (
    "not_a_dataset",
    "record_damaged",
    "image_prefix",
    "binary_mask",
    "class_unused",
    "class_conflict",
    "duplicate_category",
    "only_crowds",
)

#: Faults of labels that a map of their values cures.
_MAPPED: tuple[Code, ...] = ("value_outside_classes", "binary_mask", "binary_among_classes")

#: More rounds than the longest chain of cures.
_ROUNDS = 20


@dataclass(frozen=True)
class Wishes:
    """Cures that are applied only on request.

    Attributes:
        only: codes to cure; all if empty.
        drop: codes of faults whose samples and annotations are dropped if no cure is certain.
        drop_overlap: drop images that other sets have as well.
        upright: save rotated images upright.
        resize_labels: resize labels of an exact multiple or fraction.
        map: class of each value of the labels.
    """

    only: Collection[Code] = ()
    drop: Collection[Code] = ()
    drop_overlap: bool = False
    upright: Upright | None = None
    resize_labels: bool = False
    map: ValueMap | None = None


@dataclass
class Rounds:
    """The rounds of cures of a copy of a list or JSON.

    Attributes:
        path: the copy, which is changed.
        files: images and labels; takes new ones.
        classes: classes of a list.
        wishes: which cures are applied.
        places: arguments of `check` besides the path and the folder of the files.
        found: number of faults by code, those that another cure brought to light included.
        names: names of the files of the result.
        applied: codes whose cure changed something.
        dropped: codes whose samples or annotations were dropped because no cure was certain.
    """

    path: Path
    files: NewFiles
    classes: Classes
    wishes: Wishes
    places: Mapping[str, Any]
    found: Counter[Code] = field(default_factory=Counter)
    names: list[str] = field(default_factory=list)
    applied: set[Code] = field(default_factory=set)
    dropped: set[Code] = field(default_factory=set)

    @cached_property
    def _labels(self) -> LabelCures:
        return LabelCures(self.files, self.classes, self.wishes.map)

    @property
    def _coco(self) -> bool:
        return self.path.suffix.lower() == ".json"

    def run(self) -> CheckReport:
        """Cure until nothing changes; return the report on the result."""
        before: Counter[Code] = Counter()
        for number in range(_ROUNDS):
            faults: list[Fault] = []
            root: dict[str, Any] = {"images" if self._coco else "data_root": self.files.root}
            report = check(self.path, every=faults, **root, **self.places)
            now = Counter(fault.code for fault in faults)
            self.found += now - before
            before = now
            if number == _ROUNDS - 1 or not self._round(report, faults):
                break
        return report

    def _round(self, report: CheckReport, faults: Sequence[Fault]) -> bool:
        """Apply the cures to the copy; return whether it changed."""
        chosen: dict[Code, list[Fault]] = {}
        for fault in faults:
            if not self.wishes.only or fault.code in self.wishes.only:
                chosen.setdefault(fault.code, []).append(fault)
        # Crowds that a tool makes of brush masks may be objects, whose polygons are not replaced.
        if any(fault.code == "only_crowds" for fault in faults):
            chosen.pop("crowd_polygon", None)
        if report.task is None:
            text = readable(self.path) if self._coco and "not_a_dataset" in chosen else None
            if text is not None:
                self.applied.add("not_a_dataset")
                self.path.write_bytes(text)
            return text is not None
        draft: CocoDraft | ListDraft
        if self._coco:
            draft = CocoDraft(self.path, self.files.root)
            self._apply(self._coco_cures(), dict.fromkeys(self.wishes.drop, drop_objects), draft, chosen)
        else:
            draft = ListDraft(self.path, self.files.root)
            self._apply(self._list_cures(), dict.fromkeys(self.wishes.drop, drop_each_line), draft, chosen)
        self.names = draft.names()
        if draft.changed:
            self.path.write_bytes(draft.close())
            self.files.settle(self.names)
        return draft.changed

    def _apply(
        self,
        cures: Mapping[Code, _Cure[_Draft]],
        drops: Mapping[Code, _Cure[_Draft]],
        draft: _Draft,
        faults: Mapping[Code, Sequence[Fault]],
    ) -> None:
        """Apply the cures; if none of them changes anything, drop what was asked for."""
        for done, every in ((self.applied, cures), (self.dropped, drops)):
            for alike in (False, True):
                if not draft.changed:
                    chosen = {code: cure for code, cure in every.items() if (code in _ALIKE) == alike}
                    done.update(_apply(chosen, draft, faults))

    def _coco_cures(self) -> Mapping[Code, CocoCure]:
        cures: dict[Code, CocoCure] = {}
        if self.wishes.drop_overlap:
            cures |= dict.fromkeys(_OVERLAPS, drop_objects)
        if self.wishes.upright:
            cures["rotated"] = UprightCures(self.files, self.wishes.upright).in_coco
        # Images are rotated before their size is taken from the file, which would look as if it had been known.
        return {**cures, **COCO_CURES}

    def _list_cures(self) -> Mapping[Code, ListCure]:
        labels = self._labels
        cures: dict[Code, ListCure] = {"label_mode": labels.convert}
        if self.wishes.map:
            cures |= dict.fromkeys(_MAPPED, labels.convert)
        if self.wishes.resize_labels:
            cures["size_mismatch"] = labels.resize
        if self.wishes.drop_overlap:
            cures |= dict.fromkeys(_OVERLAPS, drop_each_line)
        if self.wishes.upright:
            cures["rotated"] = UprightCures(self.files, self.wishes.upright).in_list
        return {**LIST_CURES, **cures}


def _apply(
    cures: Mapping[Code, _Cure[_Draft]], draft: _Draft, faults: Mapping[Code, Sequence[Fault]]
) -> Iterator[Code]:
    """Apply the cures of an unchanged draft in their order; yield the codes of those that change it."""
    changed = False
    for code, cure in cures.items():
        if code in faults:
            draft.changed = False
            cure(draft, faults[code])
            if draft.changed:
                yield code
            changed |= draft.changed
            if draft.changed and code in _ALONE:
                return
    draft.changed = changed
