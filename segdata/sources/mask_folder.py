"""Find the masks in a folder, and convert each to an index mask."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from segdata.cluster import Workers, check_shared
from segdata.encoded import File
from segdata.errors import Fault, FaultsError, InvalidInputError
from segdata.files.paths import real
from segdata.images.header import GIF_SUFFIX, IMAGE_SUFFIXES, LOSSY_SUFFIXES
from segdata.labels.colormap import IGNORE
from segdata.labels.mapping import Method, to_index_png
from segdata.labels.mask_mapping import MaskMapping, SourceCounts
from segdata.labels.value_map import identity_entries, parse_value_map
from segdata.parallel import Progress, map_faults
from segdata.sources.finder import files_below
from segdata.text import plural

_UNKNOWN_CURE = (
    "Give unknown values a class in the map; mask-map also ignores them (--unknown ignore), or maps anti-aliased "
    "colors to the nearest class (--nearest N)"
)

#: Number of masks that are read again to tell what to do with values that have no class.
_READ_AGAIN = 20


def find_masks(source: Path, target: Path, mask_suffix: str = "") -> tuple[list[str], list[str]]:
    """Return the masks below `source` and all other files, relative to it; `target` is not searched.

    Raises:
        InvalidInputError: when there are no masks.
        FaultsError: when two masks would get the same name.
    """
    if not source.is_dir():
        raise InvalidInputError(f"{source}: no such folder; expected a folder of masks")
    files = files_below(source)
    written = real(target)
    if written.is_relative_to(real(source)):
        files = [path for path in files if not real(path).is_relative_to(written)]
    names: list[str] = []
    others: list[str] = []
    for path in files:
        mask = path.suffix.lower() in IMAGE_SUFFIXES and path.stem.endswith(mask_suffix)
        (names if mask else others).append(path.relative_to(source).as_posix())
    if not names:
        ending = f"{mask_suffix}.png"
        gif = any(other.lower().endswith(GIF_SUFFIX) for other in others)
        cure = ". Convert GIFs to PNG, for example with mogrify -format png" if gif else ""
        raise InvalidInputError(
            f"{source}: contains no masks; expected files that end in {ending}, or TIFF or BMP{cure}"
        )
    by_target: dict[str, list[str]] = {}
    for name in names:
        by_target.setdefault(index_name(name), []).append(name)
    faults = [
        Fault("duplicate_image", name, f"would be the index mask of {' and '.join(several)}; expected one mask")
        for name, several in by_target.items()
        if len(several) > 1
    ]
    if faults:
        raise FaultsError(f"{source}: masks would get the same name", faults)
    return names, others


def index_name(name: str) -> str:
    """Return the name of the index mask of a mask.

    >>> index_name("a/b.tif")
    'a/b.png'
    """
    return PurePosixPath(name).with_suffix(".png").as_posix()


@dataclass(frozen=True)
class Converted:
    """Masks that were converted: their number by method, and their pixels by value and class."""

    methods: Counter[Method]
    counts: SourceCounts


def convert_masks(
    source: Path,
    names: Sequence[str],
    mapping: MaskMapping,
    target: Path | None,
    *,
    count: bool = True,
    workers: Workers,
    progress: Progress,
) -> Converted:
    """Convert the masks `names` below `source`; write them below `target`, unless it is None.

    Raises:
        FaultsError: when masks cannot be converted; names each.
    """
    if target:
        check_shared(workers, target)
    faults: list[Fault] = []
    methods: Counter[Method] = Counter()
    counts: SourceCounts = Counter()
    found_ids: set[int] = set()
    for method, mask_counts, ids in map_faults(
        partial(_convert, source, mapping, target, count),
        names,
        faults,
        name=str,
        total=len(names),
        label="masks",
        progress=progress,
        workers=workers,
        chunk=32,
    ):
        methods[method] += 1
        counts.update(mask_counts)
        found_ids |= ids
    if faults:
        unknown = [fault.where for fault in faults if fault.code == "value_outside_classes"]
        cure = f". {_index_mask_cure(source, unknown[:_READ_AGAIN], mapping) or _UNKNOWN_CURE}" if unknown else ""
        lossy = [name for name in names if Path(name).suffix.lower() in LOSSY_SUFFIXES]
        if len(lossy) < len(names) and any(fault.where in lossy for fault in faults):
            cure += (
                f". If {lossy[0]} is an image, name the folder of the masks, or the end of their names (--mask_suffix)"
            )
        raise FaultsError(f"{len(faults)} of {plural(len(names), 'mask')} cannot be converted{cure}", faults)
    if IGNORE in found_ids and found_ids <= {0, IGNORE} and mapping.map.ignore_label == IGNORE:
        raise InvalidInputError(
            f"{source}: gray masks contain only 0 and 255, which is the ignore label; only class 0 is left. Make "
            f"255 a class with segdata mask-map {source} --map binary --dst_path NEW.",
            "binary_mask",
        )
    return Converted(methods, counts)


def _index_mask_cure(source: Path, names: Sequence[str], mapping: MaskMapping) -> str:
    """Return what to do with masks that contain only class ids of the map and its ignore label; else an empty text.

    With unknown values ignored, they would get other classes: Cityscapes' train ids read as label ids, for example.
    """
    value_map = mapping.map
    known = value_map.byte_table
    classes = len(value_map.names) or int(known[known != value_map.ignore_label].max(initial=0)) + 1
    entries = identity_entries(classes, value_map.ignore_label)
    identity = MaskMapping(parse_value_map(entries, value_map.ignore_label))
    found: set[int] = set()
    try:
        for name in names:
            made = to_index_png(File(source, name, "missing_label").read(), identity)
            found |= {id_ for _, id_ in made.counts}
    except InvalidInputError:
        return ""
    # In masks of only 0 and 255, 255 is probably a class.
    if found <= {0, IGNORE}:
        return ""
    return f"They contain only class ids of this map. If they are index masks already, use --map {entries} instead"


def _convert(
    source: Path, mapping: MaskMapping, target: Path | None, count: bool, name: str
) -> tuple[Method, SourceCounts, frozenset[int]]:
    made = to_index_png(File(source, name, "missing_label").read(), mapping, count=count)
    if target:
        path = target / index_name(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(made.data)
    return made.method, made.counts, made.ids_found
