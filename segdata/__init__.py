"""Segmentation data sets to MindRecord shards that are validated, reproducible and verifiable.

One function for each command, what it takes, and the manifest. They are imported on first use: ``import segdata`` is
cheap.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from segdata.dataset import open_dataset as open_dataset
    from segdata.inspect.check import check as check
    from segdata.inspect.preview import preview as preview
    from segdata.inspect.stats import stats as stats
    from segdata.lists.split import split_list as split_list
    from segdata.records.convert import to_mindrecord as to_mindrecord
    from segdata.records.instance import CocoSource as CocoSource
    from segdata.records.manifest import Manifest as Manifest
    from segdata.records.manifest import open_set as open_set
    from segdata.records.semantic import ListSource as ListSource
    from segdata.records.verify import verify as verify
    from segdata.sources.coco.masks import coco_to_masks as coco_to_masks
    from segdata.sources.coco.subset import coco_subset as coco_subset
    from segdata.sources.folders import pair_list as pair_list
    from segdata.sources.sbd.merge import sbd_merge as sbd_merge
    from segdata.sources.tif.slice import tif_slice as tif_slice
    from segdata.sources.voc import voc_decolor as voc_decolor
    from segdata.sources.voc import voc_list as voc_list

_PUBLIC = {
    "CocoSource": "segdata.records.instance:CocoSource",
    "ListSource": "segdata.records.semantic:ListSource",
    "Manifest": "segdata.records.manifest:Manifest",
    "check": "segdata.inspect.check:check",
    "coco_subset": "segdata.sources.coco.subset:coco_subset",
    "coco_to_masks": "segdata.sources.coco.masks:coco_to_masks",
    "open_dataset": "segdata.dataset:open_dataset",
    "open_set": "segdata.records.manifest:open_set",
    "pair_list": "segdata.sources.folders:pair_list",
    "preview": "segdata.inspect.preview:preview",
    "sbd_merge": "segdata.sources.sbd.merge:sbd_merge",
    "split_list": "segdata.lists.split:split_list",
    "stats": "segdata.inspect.stats:stats",
    "tif_slice": "segdata.sources.tif.slice:tif_slice",
    "to_mindrecord": "segdata.records.convert:to_mindrecord",
    "verify": "segdata.records.verify:verify",
    "voc_decolor": "segdata.sources.voc:voc_decolor",
    "voc_list": "segdata.sources.voc:voc_list",
}

__all__ = [
    "CocoSource",
    "ListSource",
    "Manifest",
    "check",
    "coco_subset",
    "coco_to_masks",
    "open_dataset",
    "open_set",
    "pair_list",
    "preview",
    "sbd_merge",
    "split_list",
    "stats",
    "tif_slice",
    "to_mindrecord",
    "verify",
    "voc_decolor",
    "voc_list",
]


def __getattr__(name: str) -> object:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'segdata' has no attribute {name!r}")
    module, _, attribute = _PUBLIC[name].partition(":")
    return getattr(import_module(module), attribute)
