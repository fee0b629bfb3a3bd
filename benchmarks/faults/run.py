"""Plant faults in data sets, one at a time and all at once, and see which program finds, names and cures them.

    python benchmarks/faults/run.py [--peers DIR] [--out DIR] [--all]

DIR/NAME/bin/python is the environment of a peer: datumaro, hotcoco, pycocotools, cleanvision; others are skipped:

    python -m venv DIR/hotcoco && DIR/hotcoco/bin/pip install hotcoco

A fault is found if the program says anything that it does not say of the clean set, or raises an exception; named, if
it says so in a finding instead of an exception; for segdata, if the finding has the right code. All of it counts in a
peer's favor, whatever it says. A fault is cured if `segdata check` no longer finds it in what `segdata fix` writes.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from plantings import Case, coco_cases, list_cases, record_cases, stack_cases

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from timing import print_table

#: Kinds of data sets that each program reads.
READS = {
    "segdata": ("list", "coco", "records", "stack"),
    "datumaro": ("coco",),
    "hotcoco": ("coco",),
    "pycocotools": ("coco",),
    "cleanvision": ("list", "coco"),
}

KINDS = {"list": "list of images and masks", "coco": "COCO JSON", "records": "record set", "stack": "TIFF stack"}

#: Names of cases that have not exactly one fault.
CLEAN, ALL = "clean", "all at once"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", type=Path, default=Path("peers"))
    parser.add_argument("--out", type=Path)
    parser.add_argument("--all", action="store_true", help="also print a row for each fault")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="faults-") as temporary:
        out = options.out or Path(temporary)
        cases = [
            *list_cases(out / "list"),
            *coco_cases(out / "coco"),
            *record_cases(out / "records"),
            *stack_cases(out / "stack"),
        ]
        answers = {}
        for name, kinds in READS.items():
            python = Path(sys.executable) if name == "segdata" else options.peers / name / "bin" / "python"
            if python.exists():
                answers[name] = ask(python, name, [case for case in cases if case.kind in kinds], out)
        cured = ask(Path(sys.executable), "fix", [case for case in cases if case.kind in ("list", "coco")], out)
    summary(cases, answers, cured)
    at_once(cases, answers)
    if options.all:
        every(cases, answers, cured)


Answer = dict[str, Any]


def ask(python: Path, name: str, cases: list[Case], out: Path) -> dict[str, Any]:
    """Return the version of a program, and what it says of each data set, by kind and fault."""
    tasks, results = out / f"{name}_tasks.json", out / f"{name}.json"
    tasks.write_text(json.dumps([asdict(case) for case in cases]))
    subprocess.run([python, Path(__file__).with_name("peers.py"), name, tasks, results], check=True, cwd=out)
    read = json.loads(results.read_text())
    answers = {(case.kind, case.fault): answer for case, answer in zip(cases, read["found"], strict=True)}
    return {"version": read["version"], "answers": answers}


def new(answers: dict[tuple[str, str], Answer], case: Case) -> list[str]:
    """Return what is said of a case and not of the clean set, without the folders that differ."""
    clean = Counter(map(plain, answers[case.kind, CLEAN]["said"]))
    return list((Counter(map(plain, answers[case.kind, case.fault]["said"])) - clean).elements())


def plain(sentence: str) -> str:
    return " ".join(word for word in sentence.split() if "/" not in word)


def found_and_named(name: str, answers: dict[tuple[str, str], Answer], case: Case) -> tuple[bool, bool]:
    said, raised = new(answers, case), answers[case.kind, case.fault]["raised"]
    if name != "segdata":
        return bool(said or raised), bool(said)
    (words,) = case.codes.values()
    if case.kind == "stack":
        return bool(said or raised), any(words[0] in sentence for sentence in said)
    return bool(said or raised), any(sentence.split()[0] in words for sentence in said)


def is_cured(cured: dict[tuple[str, str], Answer], case: Case, how: str) -> bool:
    """Return whether the result has no fault with a code of the case that the clean set has not."""
    answer = cured[case.kind, case.fault]
    (words,) = case.codes.values()
    left = [sentence for sentence in new(cured, case) if sentence.startswith(how)]
    return not answer["raised"] and not any(sentence.split()[1] in words for sentence in left)


def asks(cured: dict[tuple[str, str], Answer], case: Case) -> bool:
    return any(sentence.startswith("default question") for sentence in cured[case.kind, case.fault]["said"])


def singles(cases: list[Case], kind: str) -> list[Case]:
    return [case for case in cases if case.kind == kind and case.fault not in (CLEAN, ALL)]


def summary(cases: list[Case], answers: dict[str, dict[str, Any]], cured: dict[str, Any]) -> None:
    """Print, for each kind of data set and program, the faults found, named and cured."""
    rows = [("data set", "program", "faults", "found", "named", "cured", "cured with options", "or asked", "median s")]
    for kind, called in KINDS.items():
        single = singles(cases, kind)
        for name, program in answers.items():
            if kind not in READS[name]:
                continue
            results = [found_and_named(name, program["answers"], case) for case in single]
            seconds = sorted(program["answers"][kind, case.fault]["seconds"] for case in single)
            cures = ("", "", "")
            if name == "segdata" and kind in ("list", "coco"):
                default = [is_cured(cured["answers"], case, "default") for case in single]
                wished = [is_cured(cured["answers"], case, "options") for case in single]
                asked = [one or asks(cured["answers"], case) for one, case in zip(wished, single, strict=True)]
                cures = (str(sum(default)), str(sum(wished)), str(sum(asked)))
            found, named = (str(sum(column)) for column in zip(*results, strict=True))
            version = f"{name} {program['version']}"
            rows.append((called, version, str(len(single)), found, named, *cures, f"{seconds[len(seconds) // 2]:.2f}"))
    print_table(rows)


def at_once(cases: list[Case], answers: dict[str, dict[str, Any]]) -> None:
    """Print what each program says of all faults at once; for segdata, how many of them its findings cover."""
    rows = [("all faults at once", "program", "faults", "said", "s", "peak, MiB")]
    for case in cases:
        if case.fault != ALL:
            continue
        for name, program in answers.items():
            if case.kind not in READS[name]:
                continue
            answer, said = program["answers"][case.kind, ALL], new(program["answers"], case)
            codes = Counter(sentence.split()[0] for sentence in said)
            covered = sum(any(codes[code] for code in words) for words in case.codes.values())
            text = f"{len(said)} findings" + (f", codes of {covered} faults" if name == "segdata" else "")
            text = f"{answer['raised'].split(':')[0]}, nothing else" if answer["raised"] else text
            costs = (f"{answer['seconds']:.1f}", f"{answer['memory']:.0f}")
            rows.append((KINDS[case.kind], name, str(len(case.codes)), text, *costs))
    print_table(rows)


def every(cases: list[Case], answers: dict[str, dict[str, Any]], cured: dict[str, Any]) -> None:
    """Print a row for each fault."""
    rows = [("data set", "fault", *answers, "cured")]
    for kind in KINDS:
        for case in singles(cases, kind):
            cells = []
            for name, program in answers.items():
                found, named = found_and_named(name, program["answers"], case) if kind in READS[name] else (None, None)
                cells.append("" if found is None else "named" if named else "found" if found else "no")
            cure = ""
            if kind in ("list", "coco"):
                at = cured["answers"]
                cure = "yes" if is_cured(at, case, "default") else "option" if is_cured(at, case, "options") else "no"
                cure += ", asks" if cure == "no" and asks(at, case) else ""
                cure = f"raises {at[kind, case.fault]['raised']}"[:120] if at[kind, case.fault]["raised"] else cure
            rows.append((kind, case.fault, *cells, cure))
    print_table(rows)


if __name__ == "__main__":
    main()
