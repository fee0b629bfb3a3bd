"""The public names of segdata: the one table that `__all__`, the imports on first use and type checkers read."""

from .arguments import FilePath as FilePath
from .cluster import (
    Cluster as Cluster,
    Workers as Workers,
)
from .coco.annotations import Boxes as Boxes
from .coco.file import CrowdMeaning as CrowdMeaning
from .dataset import (
    CocoDataset as CocoDataset,
    Dataset as Dataset,
    ListDataset as ListDataset,
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
from .inspect.fix import fix as fix
from .inspect.fix.report import (
    FixedCode as FixedCode,
    FixReport as FixReport,
)
from .inspect.fix.upright import Upright as Upright
from .inspect.foreign_info import (
    FieldInfo as FieldInfo,
    ForeignInfo as ForeignInfo,
    ShardInfo as ShardInfo,
)
from .inspect.info import (
    CategoryInfo as CategoryInfo,
    SetInfo as SetInfo,
    SourceInfo as SourceInfo,
    info as info,
)
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
from .labels.classes import (
    Classes as Classes,
    read_class_names as read_class_names,
)
from .labels.map_file import load_map as load_map
from .labels.mask_mapping import Unknown as Unknown
from .labels.masks import decode_index_png as decode_index_png
from .labels.png import PngError as PngError
from .labels.value_map import (
    ValueMap as ValueMap,
    ValueSpan as ValueSpan,
)
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
from .lists.merge import ListMergeReport as ListMergeReport
from .lists.split import split_list as split_list
from .lists.split_report import (
    ClassShare as ClassShare,
    SplitReport as SplitReport,
)
from .merging import merge as merge
from .opening import open_dataset as open_dataset
from .parallel import Progress as Progress
from .recorded import (
    ForeignDataset as ForeignDataset,
    RecordDataset as RecordDataset,
)
from .records.adopt import (
    AdoptReport as AdoptReport,
    adopt as adopt,
)
from .records.convert import (
    Convertible as Convertible,
    UnfinishedError as UnfinishedError,
    to_mindrecord as to_mindrecord,
)
from .records.convert_report import ConvertReport as ConvertReport
from .records.fetch import local_set as local_set
from .records.manifest import (
    ClassInfo as ClassInfo,
    ImageInfo as ImageInfo,
    Manifest as Manifest,
    Shard as Shard,
)
from .records.merge import SetMergeReport as SetMergeReport
from .records.reader import (
    RecordSet as RecordSet,
    open_set as open_set,
    read_rows as read_rows,
)
from .records.resume import PlanChangedError as PlanChangedError
from .records.unpack import (
    UnpackReport as UnpackReport,
    unpack as unpack,
)
from .records.verify import (
    VerifyReport as VerifyReport,
    verify as verify,
)
from .sources.coco.masks import (
    MasksReport as MasksReport,
    coco_to_masks as coco_to_masks,
)
from .sources.coco.media import Media as Media
from .sources.coco.merge import CocoMergeReport as CocoMergeReport
from .sources.coco.select import (
    CategoryMatch as CategoryMatch,
    Choice as Choice,
    Crowd as Crowd,
)
from .sources.coco.split import split_coco as split_coco
from .sources.coco.subset import (
    SubsetCategory as SubsetCategory,
    SubsetReport as SubsetReport,
    coco_subset as coco_subset,
)
from .sources.coco_export import AnnotationsReport as AnnotationsReport
from .sources.folders import (
    FolderReport as FolderReport,
    Unpaired as Unpaired,
    pair_list as pair_list,
)
from .sources.instance_masks.convert import masks_to_coco as masks_to_coco
from .sources.instance_masks.meaning import MaskKind as MaskKind
from .sources.labelme.convert import labelme as labelme
from .sources.mask_map import (
    MappedValue as MappedValue,
    MaskMapReport as MaskMapReport,
    mask_map as mask_map,
)
from .sources.sbd.merge import (
    SbdMergeReport as SbdMergeReport,
    sbd_merge as sbd_merge,
)
from .sources.sbd.splits import SplitCounts as SplitCounts
from .sources.tif.meaning import UnmappedLabelsError as UnmappedLabelsError
from .sources.tif.report import SliceReport as SliceReport
from .sources.tif.slice import tif_slice as tif_slice
from .sources.tif.values import (
    Depth as Depth,
    Format as Format,
)
from .sources.voc import (
    ListReport as ListReport,
    voc_list as voc_list,
)
from .sources.voc_decolor import (
    DecolorReport as DecolorReport,
    voc_decolor as voc_decolor,
)
from .sources.yolo.convert import yolo_seg as yolo_seg
from .store.url import (
    Location as Location,
    Url as Url,
    parse_location as parse_location,
)

__version__: str
__all__: list[str]
