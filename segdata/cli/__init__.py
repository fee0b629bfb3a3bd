"""The segdata command line: each command collects its options, calls one function and renders the report."""

from __future__ import annotations

import click

from segdata.console.lazy import CONTEXT
from segdata.console.render import CommandGroup

#: The commands in the order of the way, by heading in the help: module and name of each in this package, and the first
#: sentence of its help.
_COMMANDS = {
    "Try it": {
        "sample": (
            "miniature:sample_command",
            "Write a miniature of a raw data set: colored shapes on a textured background.",
        ),
    },
    "Raw data to a list file": {
        "voc-decolor": (
            "voc:voc_decolor_command",
            "Turn color masks into index masks: 8-bit gray PNGs whose pixels are class ids, with 255 for ignore.",
        ),
        "voc-list": (
            "voc:voc_list_command",
            "Write voc_train_lst.txt, voc_val_lst.txt, …: image and label path of each sample, relative to the data "
            "root.",
        ),
        "sbd-merge": (
            "sbd:sbd_merge_command",
            "Merge SBD with VOC's train split: write index masks from .mat files, and vocaug_train_lst.txt.",
        ),
        "mask-map": (
            "mask_map:mask_map_command",
            "Turn the masks in a folder into index masks: 8-bit gray PNGs whose pixels are class ids.",
        ),
        "pair-list": (
            "folders:pair_list_command",
            "Write a list file from two folders, pairing images and labels of the same name.",
        ),
        "tif-slice": (
            "tif:tif_slice_command",
            "Slice a TIFF stack into images/NAME_0007.png and its labels into index masks, and write list files.",
        ),
    },
    "Raw data to a COCO JSON": {
        "labelme": (
            "annotation_tools:labelme_command",
            "Turn labelme's JSON files, also those in subfolders, into a COCO JSON.",
        ),
        "yolo-seg": (
            "annotation_tools:yolo_seg_command",
            "Turn a YOLO segmentation data set into instances_train.json, instances_val.json and instances_test.json.",
        ),
        "masks-to-coco": (
            "annotation_tools:masks_to_coco_command",
            "Turn masks whose values are objects into a COCO JSON.",
        ),
    },
    "Between lists and COCO JSONs": {
        "coco-subset": (
            "coco:coco_subset_command",
            "Select part of a COCO data set by category, image id or number of images.",
        ),
        "coco-to-masks": (
            "coco:coco_to_masks_command",
            "Turn COCO instances into index masks, with a list file and a file of class names.",
        ),
        "split": (
            "split:split_command",
            "Split a list or a COCO JSON into NAME_train, NAME_val and, with three shares, NAME_test.",
        ),
        "merge": (
            "merge:merge_command",
            "Merge lists into a list, COCO JSONs into a COCO JSON, or record sets into a record set.",
        ),
    },
    "Inspect and fix a data set": {
        "info": (
            "info:info_command",
            "Show what a data set contains, without reading its samples.",
        ),
        "check": (
            "check:check_command",
            "Find every problem in a list file, a COCO JSON or a record set; exit with status 1 on errors.",
        ),
        "fix": (
            "fix:fix_command",
            "Correct the faults that check finds in a list file or a COCO JSON, where the cure is certain.",
        ),
        "stats": (
            "stats:stats_command",
            "Show statistics: pixels and images per class, image sizes, mean and standard deviation of the colors.",
        ),
        "preview": (
            "preview:preview_command",
            "Show images overlaid with their labels, as a contact sheet, as an HTML page, or both.",
        ),
    },
    "Record sets": {
        "to-mindrecord": (
            "records:to_mindrecord_command",
            "Write the samples of a list file or a COCO JSON as MindRecord shards with a manifest.",
        ),
        "verify": (
            "records:verify_command",
            "Check that a record set is intact; otherwise report the reason and exit with status 1.",
        ),
        "unpack": (
            "record_tools:unpack_command",
            "Take a record set apart: back to images, index PNGs and a list file, or to images and a COCO JSON.",
        ),
        "adopt": (
            "record_tools:adopt_command",
            "Check MindRecord files of another program, and write the manifest that verify and segtrain need.",
        ),
    },
}


@click.group(cls=CommandGroup, context_settings=CONTEXT)
@click.version_option(package_name="segdata")
def main() -> None:
    """Turn segmentation data sets into validated, reproducible and verifiable MindRecord shards."""


for _section, _commands in _COMMANDS.items():
    for _name, (_place, _summary) in _commands.items():
        main.list_command(_name, f"segdata.cli.{_place}", _summary, _section)
