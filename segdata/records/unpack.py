"""Take a record set apart: back to images with index PNGs and a list file, or with a COCO JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from segdata.arguments import FilePath, check_number, check_several, local_path
from segdata.errors import Fault
from segdata.files.ownership import check_inputs_outside, check_target_directory
from segdata.files.publishing import staged_directory
from segdata.images.values import ValueRange
from segdata.labels.colormap import IGNORE
from segdata.parallel import Progress, chosen_workers, silent
from segdata.records.opening import opened_rows
from segdata.records.schema import TaskName
from segdata.records.unpack_job import CLASSES, UnpackJob
from segdata.store.access import writing
from segdata.store.product import RESULTS
from segdata.store.url import Location, parse_location


@dataclass(frozen=True)
class UnpackReport:
    """Report of `unpack`.

    Attributes:
        path: the directory or URL of the files.
        source: the record set.
        task: semantic or instance.
        rows: number of rows, each with an image.
        file: the list file or the COCO JSON, in `path`.
        class_names_file: file of the class names, in `path`; None in an instance set and if they are not known.
        ignore_label: label of pixels without a class; None in an instance set and if it is not known.
        value_range: samples of deep images that mean black and white.
        instances: number of instances; None in a semantic set, and after a dry run.
        renamed: images that could not keep the name of their row, since another row has it.
        odd: labels that are not index PNGs, and class names that no file of names can have.
        written: false after a dry run.
    """

    path: str
    source: str
    task: TaskName
    rows: int
    file: str
    class_names_file: str | None
    ignore_label: int | None
    value_range: ValueRange | None
    instances: int | None
    renamed: tuple[Fault, ...]
    odd: tuple[Fault, ...]
    written: bool


def unpack(
    location: Location,
    dst_path: Location,
    *,
    image_field: str | None = None,
    label_field: str | None = None,
    class_names: Sequence[str] | None = None,
    ignore_label: int | None = None,
    workers: int | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
    work_dir: FilePath | None = None,
    progress: Progress = silent,
) -> UnpackReport:
    """Write the rows of a record set as files: ``to_mindrecord`` of the result gives the same rows again.

    A semantic set becomes the images under the names of its rows, index PNGs below ``labels``, ``NAME_lst.txt`` and
    ``classes.txt``; images and labels are the bytes of the rows. An instance set becomes ``images`` and
    ``annotations/instances.json``, with the ids of images and categories of the COCO JSON that it was written from; all
    masks are RLE.

    Sets without a manifest are taken apart too. Their fields are told, or known: those of segdata, and those of the
    model zoo's DeepLabV3 and Mask R-CNN. Images without a name are numbered by row.

    Args:
        location: the set's directory, manifest or any shard, as a path or a URL.
        dst_path: directory or URL to write.
        image_field: field of the encoded images, in a set without a manifest.
        label_field: field of the index PNGs, in a set without a manifest.
        class_names: names of the classes of a set without a manifest, from id 0 (semantic) or 1 (instance).
        ignore_label: label of pixels without a class, in a semantic set without a manifest.
        workers: number of threads; all CPU cores by default.
        overwrite: replace the files of an earlier run.
        dry_run: check the names of the rows, but write nothing.
        work_dir: directory for copies if a location is a URL; by default ``~/.cache/segdata``.
        progress: reports progress.

    Example:
        >>> unpack(Path("records/voc_train"), Path("voc_train")).file
        'voc_train_lst.txt'

    Raises:
        InvalidInputError: when there is no set, its fields are not those of images and labels, or its rows have changed
            since they were written.
        OptionError: when an option has no effect on this set.
        FaultsError: when rows are damaged, or have names that no file below `dst_path` can have; names them.
        TargetExistsError: when `dst_path` already exists.
        SegDataError: when a store cannot be reached or denies access.
    """
    check_several("class_names", class_names)
    check_number("ignore_label", ignore_label, 0, IGNORE)
    work_dir = local_path(work_dir)
    workers = chosen_workers(workers)
    location, place = parse_location(location), parse_location(dst_path)
    fields = {"image_field": image_field, "label_field": label_field}
    with (
        opened_rows(location, **fields, work_dir=work_dir, progress=progress) as found,
        writing(place, RESULTS, overwrite=overwrite, dry_run=dry_run, work_dir=work_dir, progress=progress) as target,
    ):
        overwrite = overwrite or target != place
        check_inputs_outside(target, found.shard_paths[0])
        check_target_directory(target, overwrite=overwrite)
        job = UnpackJob(found, str(location), class_names, ignore_label, workers, progress)
        names = job.plan(target)
        odd: list[Fault] = []
        instances = None
        if not dry_run:
            with staged_directory(target, overwrite=overwrite) as staging:
                if found.task == "semantic":
                    odd = job.write_pairs(staging, names)
                else:
                    instances = job.write_objects(staging, names)
        manifest = job.manifest
        in_file = found.task == "semantic" and job.class_names and not any(fault.where == CLASSES for fault in odd)
        return UnpackReport(
            path=str(place),
            source=str(location),
            task=found.task,
            rows=len(found),
            file=str(place / job.samples),
            class_names_file=str(place / CLASSES) if in_file else None,
            ignore_label=job.ignore_label,
            value_range=manifest.image_range if manifest else None,
            instances=instances,
            renamed=names.renamed,
            odd=tuple(odd),
            written=not dry_run,
        )
