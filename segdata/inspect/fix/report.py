"""Report of `fix`: what was found, cured and left of each type of fault."""

from __future__ import annotations

from dataclasses import dataclass, replace

from segdata.errors import Code, Fault
from segdata.inspect.check import CheckReport
from segdata.inspect.check.findings import ERRORS, Severity
from segdata.inspect.fix.rounds import Rounds
from segdata.inspect.fix.texts import CURES, QUESTIONS
from segdata.samples import DatasetKind


@dataclass(frozen=True)
class FixedCode:
    """Outcome for all faults of one type.

    Attributes:
        code: type of the fault; ``docs/check.md`` explains each.
        severity: error or warning.
        found: number of faults, including those that appeared when another one was cured.
        cured: number of faults that are gone.
        left: number of faults of the result.
        cure: what was done; empty if nothing was cured.
        question: what a person must answer; empty if nothing is left.
        examples: the first faults that are left.
    """

    code: Code
    severity: Severity
    found: int
    cured: int
    left: int
    cure: str
    question: str
    examples: tuple[Fault, ...]


@dataclass(frozen=True)
class FixReport:
    """Report of `fix`; without codes, the data set was clean, and the result has the same bytes.

    Attributes:
        path: the new list or JSON.
        source: the one that was read.
        kind: ``list`` or ``coco``.
        root: folder that the names in the result are relative to; `--data_root` or `--images` of later commands.
        samples: number of samples of the result.
        codes: what became of each type of fault, errors first.
        new_files: number of images and labels whose pixels changed; they are in `root`, with all others.
        written: false after a dry run.
    """

    path: str
    source: str
    kind: DatasetKind
    root: str
    samples: int
    codes: tuple[FixedCode, ...]
    new_files: int
    written: bool

    @property
    def cured(self) -> int:
        """Total number of faults that are gone."""
        return sum(code.cured for code in self.codes)

    @property
    def left(self) -> int:
        """Total number of faults of the result."""
        return sum(code.left for code in self.codes)


def fixed_codes(rounds: Rounds, result: CheckReport, names: dict[str, str]) -> tuple[FixedCode, ...]:
    """Return the outcome for each type of fault that the rounds found.

    Args:
        rounds: the finished rounds.
        result: the check of their result.
        names: names of files and folders in messages, in place of those of the copies.
    """
    left = {finding.code: finding for finding in result.findings}
    codes = []
    for code, found in rounds.found.items():
        finding = left.get(code)
        count = finding.count if finding else 0
        examples = finding.examples if finding else ()
        codes.append(
            FixedCode(
                code=code,
                severity="error" if code in ERRORS else "warning",
                found=found,
                cured=found - count,
                left=count,
                cure=_cure(code, rounds) if found > count else "",
                question=QUESTIONS[code] if count else "",
                examples=tuple(_renamed(one, names) for one in examples),
            )
        )
    return tuple(sorted(codes, key=lambda one: (one.severity, one.code)))


def _renamed(fault: Fault, names: dict[str, str]) -> Fault:
    """Return a fault with the names of the user's files in place of those of the copies."""
    where, what = fault.where, fault.what
    for copy, name in names.items():
        where, what = where.replace(copy, name), what.replace(copy, name)
    return replace(fault, where=where, what=what)


def _cure(code: Code, rounds: Rounds) -> str:
    """Return what was done about the faults of one type that are gone."""
    done = [CURES[code]] if code in rounds.applied and code in CURES else []
    done += ["samples or annotations dropped, as --drop says"] if code in rounds.dropped else []
    return "; ".join(done) or "corrected by the cure of another fault"
