"""The `check` command: find every problem in a data set."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import click

from segdata.console.options import (
    ANY_PATH,
    against_options,
    cluster_options,
    json_option,
    overwrite_option,
    source_options,
)
from segdata.console.render import FAILED, emit, not_known, progress_bar, table
from segdata.errors import Fault, TargetExistsError
from segdata.files.ownership import check_target_file
from segdata.files.publishing import write_file
from segdata.inspect.check import CheckReport, check as check_dataset
from segdata.inspect.check.findings import Finding
from segdata.inspect.check.overlap import open_others
from segdata.regular import read_start
from segdata.text import plural

#: First line of the CSV file.
_HEADER = "code,severity,where,what\r\n"


@click.command("check")
@source_options
@against_options
@click.option("--hash", is_flag=True, help="Compare the contents of images, not only their names")
@click.option("--decode", is_flag=True, help="Decode every image, to find truncated ones")
@click.option("--near", is_flag=True, help="Find similar images: resized, cropped slightly, mirrored or rotated")
@click.option("--quality", is_flag=True, help="Find dark, bright, low-contrast, blurry and very elongated images")
@click.option("--strict", is_flag=True, help="Exit with status 1 on warnings too")
@click.option("--out", "--dst_path", type=ANY_PATH, metavar="FILE.csv", help="Also write all faults, one per line")
@cluster_options
@overwrite_option
@json_option
@click.pass_context
def check_command(
    context: click.Context,
    /,
    path: Path,
    against: tuple[Path, ...],
    against_images: Path | None,
    strict: bool,
    out: Path | None,
    overwrite: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Find every problem in a list file, a COCO JSON or a record set; exit with status 1 on errors.

    Finds missing, damaged and rotated files, color labels, label values outside the classes, invalid masks and boxes,
    duplicate images, and images that are also in --against. With --near, copies that were recompressed, resized,
    cropped slightly, mirrored or rotated count too. The report counts each kind of problem, names the first cases and
    says what to do; --json and --out have all cases. segdata fix --drop errors writes the list or the JSON without
    them. docs/check.md, in the repository, lists all kinds.

    \b
    Example:
      segdata check data/voc_train_lst.txt --against data/voc_val_lst.txt --hash --decode
    """
    places = {name: options[name] for name in ("data_root", "images", "strip_prefix")}
    others = open_others(against, against_images, **places)
    if out:
        _check_csv(out, overwrite=overwrite)
    every: list[Fault] | None = [] if as_json or out else None
    report = check_dataset(path, against=others, every=every, progress=progress_bar, **options)
    if out:
        write_file(out, _csv(report), overwrite=overwrite)
    emit(report, as_json, _check_text)
    context.exit(0 if report.ok(strict=strict) else FAILED)


def _check_csv(path: Path, *, overwrite: bool) -> None:
    """Refuse to replace any file but the CSV of an earlier check: it may be the list, or an image."""
    check_target_file(path, overwrite=overwrite)
    if path.exists() and not read_start(path, len(_HEADER)).startswith(_HEADER.encode()):
        raise TargetExistsError(
            f"{path}: exists and is not a CSV file of segdata check, so it is not replaced. Choose another --out.",
            replaceable=False,
        )


def _csv(report: CheckReport) -> bytes:
    """Return all faults as CSV in UTF-8 (RFC 4180), with a header."""
    severity = {finding.code: finding.severity for finding in report.findings}
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    text.write(_HEADER)
    writer.writerows((fault.code, severity[fault.code], fault.where, fault.what) for fault in report.faults)
    return text.getvalue().encode("utf-8", "backslashreplace")


def _check_text(report: CheckReport) -> str:
    depth = "images decoded" if report.decoded else "image headers read"
    compared = ", contents compared" if report.hashed else ""
    compared += ", similar images searched" if report.near else ""
    compared += ", quality checked" if report.quality else ""
    against = f", against {', '.join(report.against)}" if report.against else ""
    totals = (
        f"{report.path}: {plural(report.errors, 'error')}, "
        f"{plural(report.warnings, 'warning')} "
        f"in {plural(report.samples, 'sample')}"
    )
    lines = [f"{totals} ({depth}{compared}{against})", *not_known(report.unknown)]
    return "\n\n".join([*_kinds(report.findings), "\n".join(lines)])


def _kinds(findings: tuple[Finding, ...]) -> list[str]:
    """Return a header and one block per kind: its columns, first cases and advice."""
    rows = [(finding.code, finding.severity, str(finding.count)) for finding in findings]
    header, *lines = table([("code", "severity", "count"), *rows], right=(2,)).split("\n")
    blocks = ["\n".join((line, *_details(finding))) for line, finding in zip(lines, findings, strict=True)]
    return [header, *blocks] if blocks else []


def _details(finding: Finding) -> list[str]:
    more = finding.count - len(finding.examples)
    unnamed = [f"  … and {more} more"] if more else []
    return [*(f"  {example}" for example in finding.examples), *unnamed, f"  → {finding.advice}"]
