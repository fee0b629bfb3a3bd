"""The public names of segdata: the one table that `__all__`, the imports on first use and type checkers read."""

from .cluster import (
    Cluster as Cluster,
    Workers as Workers,
)
from .coco.annotations import Boxes as Boxes
from .dataset import (
    CocoDataset as CocoDataset,
    Dataset as Dataset,
    ListDataset as ListDataset,
    RecordDataset as RecordDataset,
    open_dataset as open_dataset,
)
from .errors import (
    Code as Code,
    Fault as Fault,
    FaultsError as FaultsError,
    InvalidInputError as InvalidInputError,
    OnError as OnError,
    OptionError as OptionError,
    SegDataError as SegDataError,
    TargetExistsError as TargetExistsError,
)
from .images.reading import read_image as read_image
from .images.values import (
    Percentiles as Percentiles,
    ValueRange as ValueRange,
    parse_value_range as parse_value_range,
)
from .inspect.check import (
    CheckReport as CheckReport,
    check as check,
)
from .inspect.check.findings import Finding as Finding
from .inspect.preview import (
    PreviewReport as PreviewReport,
    preview as preview,
)
from .inspect.stats import (
    ClassStats as ClassStats,
    SizeCount as SizeCount,
    StatsReport as StatsReport,
    stats as stats,
)
from .labels.classes import Classes as Classes
from .labels.colormap import (
    ColorMap as ColorMap,
    load_colormap as load_colormap,
    read_class_names as read_class_names,
)
from .labels.masks import decode_index_png as decode_index_png
from .labels.png import PngError as PngError
from .lists import (
    Pair as Pair,
    read_list as read_list,
    write_list as write_list,
)
from .lists.folds import (
    Fold as Fold,
    LastBlock as LastBlock,
    Order as Order,
)
from .lists.split import (
    ClassShare as ClassShare,
    SplitReport as SplitReport,
    split_list as split_list,
)
from .parallel import Progress as Progress
from .records.convert import (
    Convertible as Convertible,
    ConvertReport as ConvertReport,
    UnfinishedError as UnfinishedError,
    to_mindrecord as to_mindrecord,
)
from .records.fetch import (
    info as info,
    local_set as local_set,
)
from .records.manifest import (
    ClassInfo as ClassInfo,
    ImageInfo as ImageInfo,
    Manifest as Manifest,
    Shard as Shard,
)
from .records.reader import (
    RecordSet as RecordSet,
    open_set as open_set,
    read_rows as read_rows,
)
from .records.resume import PlanChangedError as PlanChangedError
from .records.verify import (
    VerifyReport as VerifyReport,
    verify as verify,
)
from .sources.coco.masks import (
    MasksReport as MasksReport,
    coco_to_masks as coco_to_masks,
)
from .sources.coco.media import Media as Media
from .sources.coco.select import (
    CategoryMatch as CategoryMatch,
    Choice as Choice,
    Crowd as Crowd,
)
from .sources.coco.subset import (
    SubsetCategory as SubsetCategory,
    SubsetReport as SubsetReport,
    coco_subset as coco_subset,
)
from .sources.coco_export import AnnotationsReport as AnnotationsReport
from .sources.folders import (
    FolderReport as FolderReport,
    pair_list as pair_list,
)
from .sources.instance_masks.convert import masks_to_coco as masks_to_coco
from .sources.instance_masks.meaning import MaskKind as MaskKind
from .sources.labelme.convert import labelme as labelme
from .sources.sbd.merge import (
    MergeReport as MergeReport,
    sbd_merge as sbd_merge,
)
from .sources.sbd.splits import SplitCounts as SplitCounts
from .sources.tif.slice import (
    SliceReport as SliceReport,
    tif_slice as tif_slice,
)
from .sources.tif.values import (
    Depth as Depth,
    Format as Format,
    UnmappedLabelsError as UnmappedLabelsError,
)
from .sources.voc import (
    DecolorReport as DecolorReport,
    ListReport as ListReport,
    voc_decolor as voc_decolor,
    voc_list as voc_list,
)
from .sources.yolo.convert import yolo_seg as yolo_seg
from .store.url import (
    Location as Location,
    Url as Url,
    parse_location as parse_location,
)

__version__: str
__all__: list[str]
