"""Cure the faults that `check` finds in a list or a COCO JSON, as far as one cure is certain; the source stays."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from segdata.arguments import FilePath, check_choice, check_opened, local_path
from segdata.coco.file import read_coco
from segdata.coco.hints import find_image_folder
from segdata.dataset import Dataset
from segdata.errors import Code, InvalidInputError, OptionError, suggest
from segdata.files.ownership import check_inputs_outside, check_target_directory
from segdata.files.paths import copy_file
from segdata.files.publishing import staged_directory, write_file
from segdata.images.values import Percentiles, ValueRange
from segdata.inspect.check import CheckReport
from segdata.inspect.check.findings import ERRORS
from segdata.inspect.fix.files import NewFiles
from segdata.inspect.fix.report import FixReport, fixed_codes
from segdata.inspect.fix.rounds import OF_THE_SET, Rounds, Wishes
from segdata.inspect.fix.text import readable
from segdata.inspect.fix.texts import QUESTIONS
from segdata.inspect.fix.upright import Upright
from segdata.labels.classes import Classes
from segdata.labels.value_map import ValueMap
from segdata.lists.publish import check_target_lists
from segdata.opening import dataset_kind
from segdata.parallel import Progress, chosen_workers, silent
from segdata.samples import DatasetKind
from segdata.sources.coco.media import Media
from segdata.sources.coco_export import check_target_json
from segdata.temporary import temporary_folder
from segdata.text import option_names

#: The types of data sets to fix, as messages name them.
_KINDS = {"list": "a list file", "coco": "a COCO JSON"}


def fix(
    source: FilePath,
    dst_path: FilePath,
    *,
    data_root: FilePath | None = None,
    images: FilePath | None = None,
    classes: Classes | None = None,
    value_range: ValueRange | Percentiles | None = None,
    only: Collection[Code] = (),
    drop: Collection[Code | Literal["errors"]] = (),
    against: Sequence[Dataset] = (),
    drop_from: FilePath | None = None,
    upright: Upright | None = None,
    resize_labels: bool = False,
    map: ValueMap | None = None,
    hash: bool = False,
    decode: bool = False,
    near: bool = False,
    quality: bool = False,
    media: Media = "copy",
    workers: int | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
    progress: Progress = silent,
) -> FixReport:
    """Write a list or a COCO JSON without the faults of `source` whose cure is certain; ``docs/check.md`` lists them.

    The source does not change. Lines and objects without a fault keep their text; without any fault, the result has the
    same bytes. If images or labels need other pixels, they are in the folder ``NAME_files`` beside ``NAME.txt`` or
    ``NAME.json``, with all other files of the set.

    Args:
        source: list file or COCO JSON.
        dst_path: list or JSON to write.
        data_root: see `open_dataset`.
        images: see `open_dataset`.
        classes: see `open_dataset`.
        value_range: see `open_dataset`.
        only: codes of the faults to cure; all by default.
        drop: codes of the faults whose samples and annotations are dropped if no cure is certain; ``errors`` stands for
            all errors of samples and annotations.
        against: see `check`.
        drop_from: the data set that images of `against` are dropped from; only `source` can be.
        upright: save images with an EXIF orientation upright; ``turn`` turns labels and annotations with them, ``keep``
            keeps them. Where their size tells what they fit, it decides.
        resize_labels: resize labels whose size is an exact multiple or fraction of that of the image.
        map: class of each value of the labels of a list; applied to all labels if one of them has other values.
        hash: see `check`.
        decode: see `check`.
        near: see `check`.
        quality: see `check`.
        media: how unchanged files get into the folder of new ones.
        workers: number of processes, by default one per CPU core.
        overwrite: replace an earlier result.
        dry_run: check and cure a copy, write nothing.
        progress: reports progress.

    Raises:
        OptionError: when the source does not take an option, a code is unknown, or `drop` has a fault of the data set
            itself.
        InvalidInputError: when `source` is a record set or cannot be read, `dst_path` is of another type, or no sample
            would be left.
        TargetExistsError: when the target exists.

    Example:
        >>> report = fix(Path("instances.json"), Path("fixed.json"), images=Path("images"))
        >>> [(code.code, code.cured, code.left) for code in report.codes]
        [('bad_polygon', 3, 0), ('no_iscrowd', 90, 0)]
    """
    for other in against:
        check_opened("against", other)
    source, dst_path, drop_from = local_path(source), local_path(dst_path), local_path(drop_from)
    data_root, images = local_path(data_root), local_path(images)
    check_choice("media", media, Media)
    check_choice("upright", upright, Upright, optional=True)
    workers = chosen_workers(workers)
    kind = _check_target(source, dst_path, [other.path for other in against], overwrite=overwrite)
    dropped = _dropped(drop)
    _check_codes(only=only, drop=dropped)
    given = {"data_root": data_root, "images": images, "map": map, "resize_labels": resize_labels}
    _check_options(source, kind, drop_from, against, **given)
    folder = dst_path.with_name(f"{dst_path.stem}_files")
    wishes = Wishes({*only, *dropped} if only else (), dropped, drop_from is not None, upright, resize_labels, map)
    places: dict[str, Any] = {"value_range": value_range, "against": against, "hash": hash, "decode": decode}
    places |= {"near": near, "quality": quality, "workers": workers, "progress": progress} | (
        {"classes": classes} if kind == "list" else {}
    )
    with TemporaryDirectory(prefix="segdata-fix-", dir=temporary_folder("cures")) as work:
        copy = Path(work, source.name)
        copy_file(source, copy)
        root = (data_root or source.parent) if kind == "list" else (images or _image_folder(source, Path(work)))
        root = root.absolute()
        rounds = Rounds(copy, NewFiles(root, Path(work, "files")), classes or Classes(), wishes, places)
        try:
            result = rounds.run()
        except OptionError as error:
            raise OptionError(str(error).replace(str(copy), str(source))) from error
        _check_result(source, rounds, result)
        new_files = len(rounds.files.names.intersection(rounds.names))
        if new_files:
            check_inputs_outside(folder, root)
            check_target_directory(folder, overwrite=overwrite)
        if not dry_run and new_files:
            with staged_directory(folder, overwrite=overwrite) as staging:
                rounds.files.publish(staging, rounds.names, media, workers=workers, progress=progress)
        if not dry_run:
            write_file(dst_path, copy.read_bytes(), overwrite=overwrite)
    new_root = str(folder.absolute() if new_files else root)
    return FixReport(
        path=str(dst_path),
        source=str(source),
        kind=kind,
        root=new_root,
        samples=result.samples,
        codes=fixed_codes(rounds, result, {str(copy): str(dst_path), str(rounds.files.root): new_root}),
        new_files=new_files,
        written=not dry_run,
    )


def _check_target(source: Path, target: Path, others: Sequence[Path], *, overwrite: bool) -> DatasetKind:
    kind = dataset_kind(source)
    if kind == "records":
        raise InvalidInputError(
            f"{source}: is a record set, whose rows were checked when they were written; expected a list or a COCO "
            "JSON. Fix its source, and write it again with to-mindrecord."
        )
    if dataset_kind(target) != kind:
        suffix = "a name that ends in .json" if kind == "coco" else "a path such as fixed_lst.txt"
        raise InvalidInputError(f"{target}: does not fit {source}, which is {_KINDS[kind]}; expected {suffix}")
    check_inputs_outside(target, source, *others)
    if kind == "coco":
        check_target_json(target, overwrite=overwrite)
    else:
        check_target_lists([target], overwrite=overwrite)
    return kind


def _check_options(
    source: Path, kind: DatasetKind, drop_from: Path | None, against: Sequence[Dataset], **given: object
) -> None:
    useless = ("images",) if kind == "list" else ("data_root", "map", "resize_labels")
    if names := [name for name in useless if given[name]]:
        raise OptionError(f"{source} is {_KINDS[kind]}, which does not take {option_names(names)}")
    if drop_from is not None and drop_from.absolute() != source.absolute():
        first, other = str(drop_from), str(source)
        command = shlex.join(["segdata", "fix", first, "--against", other, "--drop-from", first, "--dst_path", "NEW"])
        raise OptionError(
            f"--drop-from {drop_from}: fix drops only from the data set that it writes, {source}. Run {command}."
        )
    if drop_from is not None and not against:
        raise OptionError("--drop-from: has no effect without --against")


def _dropped(codes: Collection[Code | Literal["errors"]]) -> list[Code]:
    """Return the codes to drop, with those of all errors of samples and annotations in place of ``errors``."""
    if useless := [code for code in codes if code in OF_THE_SET]:
        raise OptionError(
            f"--drop {useless[0]}: is a fault of the data set, not of some samples or annotations; expected another "
            "code. Run segdata check for its cure."
        )
    errors: list[Code] = [code for code in ERRORS if code not in OF_THE_SET] if "errors" in codes else []
    return [*errors, *(code for code in codes if code != "errors")]


def _check_codes(**given: Collection[str]) -> None:
    for option, codes in given.items():
        for code in codes:
            if code not in QUESTIONS:
                raise OptionError(f"--{option} {code}: is not the code of a fault; {suggest(code, QUESTIONS)}")


def _check_result(source: Path, rounds: Rounds, result: CheckReport) -> None:
    """Refuse a source that is not a data set, and cures that leave nothing of it."""
    for finding in result.findings:
        if finding.code == "not_a_dataset":
            gone = ", ".join(sorted({*rounds.applied, *rounds.dropped} - {"not_a_dataset"}))
            what = f"has no sample without a fault ({gone}), so nothing would be left" if gone else ""
            raise InvalidInputError(f"{source}: {what or finding.examples[0].what}")


def _image_folder(source: Path, work: Path) -> Path:
    """Return the folder of the images of a JSON; if it cannot be parsed, a readable copy in `work` is."""
    readable_copy = work / "readable.json"
    for path in (source, readable_copy):
        try:
            return find_image_folder(replace(read_coco(path, faults=[]), path=source))
        except InvalidInputError:
            if path == readable_copy or (text := readable(source)) is None:
                break
            readable_copy.write_bytes(text)
    return source.parent
