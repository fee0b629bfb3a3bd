"""The segdata command line: each command collects its options, calls one function and renders the report."""

from __future__ import annotations

import click

from segdata.cli import annotation_tools, check, coco, folders, miniature, preview, records, sbd, split, stats, tif, voc
from segdata.console.options import CONTEXT
from segdata.console.render import CommandGroup


@click.group(cls=CommandGroup, context_settings=CONTEXT)
@click.version_option(package_name="segdata")
def main() -> None:
    """Turn segmentation data sets into validated, reproducible and verifiable MindRecord shards."""


for _command in (
    miniature.sample_command,
    voc.voc_decolor_command,
    voc.voc_list_command,
    sbd.sbd_merge_command,
    folders.pair_list_command,
    split.split_command,
    tif.tif_slice_command,
    annotation_tools.labelme_command,
    annotation_tools.yolo_seg_command,
    annotation_tools.masks_to_coco_command,
    coco.coco_subset_command,
    coco.coco_to_masks_command,
    records.to_mindrecord_command,
    records.verify_command,
    records.info_command,
    check.check_command,
    stats.stats_command,
    preview.preview_command,
):
    main.add_command(_command)
