"""The `check` command: find every problem in a data set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from segdata.console.options import EXISTING_DIR, cluster_options, json_option, source_options
from segdata.console.render import FAILED, emit, progress_bar, table
from segdata.inspect.check import CheckReport, check as check_dataset
from segdata.inspect.check.findings import Finding
from segdata.inspect.check.overlap import open_other
from segdata.text import plural


@click.command("check")
@source_options
@click.option(
    "--against",
    type=click.Path(exists=True, path_type=Path),
    multiple=True,
    metavar="LIST|JSON|SET",
    help="Data set that must not share images with this one; can be repeated",
)
@click.option("--against_images", type=EXISTING_DIR, help="Folder of the images of --against JSONs [default: --images]")
@click.option("--hash", is_flag=True, help="Compare the contents of images, not only their names")
@click.option("--decode", is_flag=True, help="Decode every image, to find truncated ones")
@click.option("--strict", is_flag=True, help="Exit with status 1 on warnings too")
@cluster_options
@json_option
@click.pass_context
def check_command(
    context: click.Context,
    /,
    path: Path,
    against: tuple[Path, ...],
    against_images: Path | None,
    strict: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Find every problem in a list file, a COCO JSON or a record set; exit with status 1 on errors.

    Finds missing, damaged and rotated files, color labels, label values outside the classes, invalid masks and boxes,
    duplicate images, and images that are also in --against. The report counts each kind of problem, names the first
    cases and says what to do. docs/check.md lists all kinds. Nothing is written.

    \b
    Example:
      segdata check data/voc_train_lst.txt --against data/voc_val_lst.txt --hash --decode
    """
    roots = {"data_root": options["data_root"], "images": against_images or options["images"]}
    others = [open_other(other, **roots) for other in against]
    report = check_dataset(path, against=others, progress=progress_bar, **options)
    emit(report, as_json, _check_text)
    context.exit(0 if report.ok(strict=strict) else FAILED)


def _check_text(report: CheckReport) -> str:
    depth = "images decoded" if report.decoded else "image headers read"
    compared = ", contents compared" if report.hashed else ""
    against = f", against {', '.join(report.against)}" if report.against else ""
    totals = (
        f"{report.path}: {plural(report.errors, 'error')}, "
        f"{plural(report.warnings, 'warning')} "
        f"in {plural(report.samples, 'sample')}"
    )
    return "\n\n".join([*_kinds(report.findings), f"{totals} ({depth}{compared}{against})"])


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
