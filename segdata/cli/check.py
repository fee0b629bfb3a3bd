"""The command that finds everything that can be wrong with a data set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from segdata.console.options import EXISTING_DIR, cluster_options, json_option, source_options
from segdata.console.render import FAILED, emit, progress_bar, table
from segdata.inspect.check import CheckReport, Finding
from segdata.inspect.check import check as check_dataset
from segdata.inspect.check.overlap import open_other


@click.command("check")
@source_options
@click.option(
    "--against",
    type=click.Path(exists=True, path_type=Path),
    multiple=True,
    metavar="LIST|JSON|SET",
    help="Data set that must not have the same images; may be given repeatedly",
)
@click.option("--against_images", type=EXISTING_DIR, help="Of such a JSON: folder of the images [default: --images]")
@click.option("--hash", is_flag=True, help="Compare the contents of images too, not only their names")
@click.option("--decode", is_flag=True, help="Decode every image too, to find truncated ones")
@click.option("--strict", is_flag=True, help="Exit 1 on warnings too")
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
    """Find everything that can be wrong with a list, a COCO JSON or a record set; exit 1 on errors.

    Missing, damaged and turned files, labels in color or with values of no class, masks and boxes that are none,
    images that are there twice or in --against too: each kind is counted, its first cases are named, and it is said
    what to do. docs/check.md lists them all. Nothing is written.

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
    depth = "images decoded" if report.decoded else "of images the headers read"
    compared = ", contents compared" if report.hashed else ""
    against = f", against {', '.join(report.against)}" if report.against else ""
    totals = f"{report.path}: {report.errors} errors, {report.warnings} warnings in {report.samples} samples"
    return "\n\n".join([*_kinds(report.findings), f"{totals} ({depth}{compared}{against})"])


def _kinds(findings: tuple[Finding, ...]) -> list[str]:
    """List the kinds in columns, below each its first cases and what to do."""
    rows = [(finding.code, finding.severity, str(finding.count)) for finding in findings]
    header, *lines = table([("code", "severity", "count"), *rows], right=(2,)).split("\n")
    blocks = ["\n".join((line, *_details(finding))) for line, finding in zip(lines, findings, strict=True)]
    return [header, *blocks] if blocks else []


def _details(finding: Finding) -> list[str]:
    more = finding.count - len(finding.examples)
    unnamed = [f"  … and {more} more"] if more else []
    return [*(f"  {example}" for example in finding.examples), *unnamed, f"  → {finding.advice}"]
