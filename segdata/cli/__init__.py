"""The command line of segdata: each command collects its options, makes one call and renders the report."""

from __future__ import annotations

import click

from segdata.cli import check, coco, folders, miniature, preview, records, sbd, split, stats, tif, voc
from segdata.console.options import CONTEXT
from segdata.console.render import CommandGroup


@click.group(cls=CommandGroup, context_settings=CONTEXT)
@click.version_option(package_name="segdata")
def main() -> None:
    """Turn segmentation data sets into MindRecord shards that are validated, reproducible and verifiable."""


for _command in (
    miniature.make_sample,
    voc.decolor,
    voc.make_lists,
    sbd.merge,
    folders.pair_list,
    split.split,
    tif.slice_stack,
    coco.subset,
    coco.make_masks,
    records.to_mindrecord,
    records.verify,
    records.info,
    check.check,
    stats.stats,
    preview.preview,
):
    main.add_command(_command)
