"""Convert a folder of masks of any kind to index masks, by a map of their values or colors."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from segdata.arguments import FilePath, check_choice, check_number, local_path
from segdata.cluster import Workers
from segdata.errors import InvalidInputError, OptionError
from segdata.files.ownership import check_inputs_outside
from segdata.files.publishing import staged_unless
from segdata.labels.classes import CLASS_NAMES, write_class_names
from segdata.labels.colormap import IGNORE
from segdata.labels.mask_mapping import MaskMapping, SourceCounts, Unknown
from segdata.labels.value_map import ValueMap, threshold_map
from segdata.parallel import Progress, chosen_workers, silent
from segdata.sources.mask_folder import convert_masks, find_masks


@dataclass(frozen=True)
class MappedValue:
    """Pixels of a set of masks that had one value or color.

    Attributes:
        source: what they had: ``"255"``, ``"(128, 0, 0)"``, or ``"other colors"``.
        id: the class id that they get, or the ignore label.
        name: name of the class.
        pixels: their number.
    """

    source: str
    id: int
    name: str
    pixels: int


@dataclass(frozen=True)
class MaskMapReport:
    """Report of `mask_map`.

    Attributes:
        path: folder of the index masks.
        source: folder of the masks.
        masks: number of masks.
        rewritten: number of masks whose palette was removed without re-encoding the pixels.
        mapped: number of masks whose values or colors were mapped.
        copied: number of masks that were already index masks.
        values: what became what, by value.
        class_names_file: file of the class names, in `path`; None if the map has no names.
        left_out: number of other files by extension, and of masks without the suffix.
        written: false after a dry run.
    """

    path: str
    source: str
    masks: int
    rewritten: int
    mapped: int
    copied: int
    values: tuple[MappedValue, ...]
    class_names_file: str | None
    left_out: dict[str, int]
    written: bool


def mask_map(
    src_path: FilePath,
    dst_path: FilePath,
    *,
    map: ValueMap | None = None,
    threshold: int | None = None,
    nearest: float | None = None,
    unknown: Unknown = "error",
    mask_suffix: str = "",
    ignore_label: int = IGNORE,
    workers: Workers | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
    progress: Progress = silent,
) -> MaskMapReport:
    """Convert the masks in a folder and its subfolders to index PNGs: 8-bit gray, pixel = class id.

    Masks are PNG, TIFF or BMP files: gray, with a palette, RGB or RGBA, of 1 to 16 bits, or TIFFs of any integers.
    Their names and subfolders are kept. With `nearest` or `threshold`, JPEG and WebP are accepted too.

    Args:
        src_path: folder of masks.
        dst_path: folder to write.
        map: class of each value or color, see `load_map`; its ignore label counts.
        threshold: instead of `map`: gray values from here on are class 1, lower ones class 0.
        nearest: largest difference of gray values, or Euclidean distance of colors in RGB, at which an unknown value
            takes the class of the nearest known one.
        unknown: ``error`` refuses values without a class, ``ignore`` gives them the ignore label.
        mask_suffix: ending of the names of masks before the extension, such as ``_labelIds``; other files are left out.
        ignore_label: label of pixels without a class, for `threshold`.
        workers: number of threads, all CPU cores by default; or a cluster.
        overwrite: replace the masks of an earlier run.
        dry_run: read and check everything, but write nothing.
        progress: reports progress.

    Raises:
        OptionError: when not exactly one of `map` and `threshold` is given, or `nearest` with `threshold`.
        InvalidInputError: when there are no masks, they are in `dst_path`, which would be replaced, or no value reaches
            `threshold`.
        FaultsError: when masks are damaged, not opaque, or have a value without a class, or two would get one name;
            names each. Nothing is written.
        TargetExistsError: when `dst_path` already exists.
    """
    src_path, dst_path = local_path(src_path), local_path(dst_path)
    check_choice("unknown", unknown, Unknown)
    check_number("threshold", threshold, 1, 65535)
    check_number("ignore_label", ignore_label, 0, IGNORE)
    workers = chosen_workers(workers)
    mapping = _mapping(map, threshold, nearest, unknown, ignore_label)
    check_inputs_outside(dst_path, src_path)
    names, left_out = find_masks(src_path, dst_path, mask_suffix)
    class_names = mapping.map.names
    with staged_unless(dry_run, dst_path, overwrite=overwrite) as staging:
        converted = convert_masks(src_path, names, mapping, staging, workers=workers, progress=progress)
        if threshold is not None:
            _check_reached(src_path, threshold, converted.counts)
        if staging and class_names:
            write_class_names(staging / CLASS_NAMES, class_names)
    return MaskMapReport(
        path=str(dst_path),
        source=str(src_path),
        masks=len(names),
        rewritten=converted.methods["rewritten"],
        mapped=converted.methods["mapped"],
        copied=converted.methods["copied"],
        values=_values(converted.counts, mapping.map),
        class_names_file=str(dst_path / CLASS_NAMES) if class_names else None,
        left_out=dict(Counter(_kind(name) for name in left_out).most_common()),
        written=not dry_run,
    )


def _mapping(
    map: ValueMap | None, threshold: int | None, nearest: float | None, unknown: Unknown, ignore_label: int
) -> MaskMapping:
    if (map is None) == (threshold is None):
        raise OptionError(
            "--map or --threshold: expected one of them, which says the class of each mask value, such as --map "
            "0:0,255:1"
        )
    if map is not None:
        return MaskMapping(map, nearest, unknown)
    if nearest is not None:
        raise OptionError(
            "--nearest has no effect with --threshold, which gives each value a class. Leave out one of them."
        )
    assert threshold is not None
    return MaskMapping(threshold_map(threshold, ignore_label), None, unknown, shown=True)


def _check_reached(source: Path, threshold: int, counts: SourceCounts) -> None:
    """Check that some value reaches the threshold, unless all masks are black.

    Raises:
        InvalidInputError: when none does.
    """
    highest = max((value for value, _ in counts if isinstance(value, int | float)), default=0)
    if 0 < highest < threshold:
        raise InvalidInputError(
            f"{source}: the highest gray value is {highest:g}, so no pixel would be foreground; expected values of "
            f"{threshold} or more. Lower --threshold.",
            "binary_mask",
        )


def _values(counts: SourceCounts, value_map: ValueMap) -> tuple[MappedValue, ...]:
    """Return numbers first, then colors, then words; each in order."""
    ordered = sorted(counts.items(), key=lambda item: (isinstance(item[0][0], str), *_as_tuple(item[0][0])))
    return tuple(MappedValue(str(source), id_, value_map.name(id_), pixels) for (source, id_), pixels in ordered)


def _as_tuple(source: object) -> tuple[object, ...]:
    return (1, source) if isinstance(source, tuple) else (0, source)


def _kind(name: str) -> str:
    path = PurePosixPath(name)
    return f"*{path.suffix.lower()}" if path.suffix.lower() else path.name
