"""Convert the JSON files of labelme to a COCO JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from segdata.arguments import FilePath, check_choice, check_number, check_several, local_path
from segdata.errors import Fault, InvalidInputError, OnError, collecting, suggest
from segdata.files.ownership import check_target_directory
from segdata.files.paths import normal
from segdata.files.publishing import staged_directory, write_file
from segdata.images.header import IMAGE_SUFFIXES, ImageHeader, check_size
from segdata.parallel import Progress, chosen_workers, progress_map, silent
from segdata.sources.coco_export import AnnotationsReport, category_names, check_target_json, collect, encode_coco
from segdata.sources.finder import files_below
from segdata.sources.instances import AnnotatedImage, Instance, crowd_over, read_upright
from segdata.sources.labelme.document import Document, ToolShape, annotated_size, embedded_image, read_document
from segdata.sources.labelme.images import ImageFinder
from segdata.sources.labelme.shapes import check_shape, extent, object_of

#: Labels of labelme's examples: pixels of unknown class, and pixels that belong to no object.
VOID_LABEL = "__ignore__"
BACKGROUND_LABEL = "_background_"

#: Ends the name of the folder of images that only the JSON files contained.
_EMBEDDED = "_images"

#: What the report calls them.
_EXTRACTED = "images extracted from a JSON"


def labelme(
    src_path: FilePath,
    dst_path: FilePath,
    *,
    class_names: Sequence[str] | None = None,
    ignore_labels: Sequence[str] = (),
    line_width: int | None = None,
    on_error: OnError = "fail",
    workers: int | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
    progress: Progress = silent,
) -> AnnotationsReport:
    """Write a COCO JSON of the labelme files in a folder and its subfolders.

    Polygons and rectangles stay polygons; circles, lines and masks become RLE of what labelme draws. Shapes of
    one label and one `group_id` are one object. An image that is only in its JSON is written to ``DST_images`` beside
    the target.

    Args:
        src_path: folder of the JSON files; other JSON files in it are counted.
        dst_path: the JSON to write.
        class_names: names of the categories in the order of their ids, 1 to K; `ignore_labels`, ``__ignore__`` and
            ``_background_`` do not count. By default, the labels found, sorted.
        ignore_labels: labels of pixels of unknown class, besides ``__ignore__``. COCO has no such regions, so that
            these shapes are left out and counted, like those of ``_background_``.
        line_width: width of lines in pixels; without it, lines are faults.
        on_error: ``fail`` stops at faults; with ``skip``, the box of a faulty shape becomes a crowd of its label, and
            an image with any other fault is left out.
        workers: number of threads; all processors by default.
        overwrite: replace the files of an earlier run.
        dry_run: check everything, but write nothing.
        progress: reports progress.

    Raises:
        InvalidInputError: when there are no labelme files, or no objects.
        FaultsError: when there are faults, unless skipped, or no image is left.
        TargetExistsError: when a target already exists; only a COCO JSON is replaced.
    """
    check_several("class_names", class_names)
    check_several("ignore_labels", ignore_labels)
    src_path, dst_path = local_path(src_path), local_path(dst_path)
    check_choice("on_error", on_error, OnError)
    check_number("line_width", line_width, 1, 1000)
    workers = chosen_workers(workers)
    embedded = normal(dst_path).with_name(f"{dst_path.stem}{_EMBEDDED}")
    if not dry_run:
        check_target_json(dst_path, overwrite=overwrite)
    files = files_below(src_path, (".json",))
    without_object = (*ignore_labels, VOID_LABEL, BACKGROUND_LABEL)
    known = tuple(name for name in class_names or () if name not in without_object)
    reader = _Reader(normal(src_path), embedded, known, without_object, line_width)
    others = Counter[str]()
    results = []
    read = progress_map(reader, files, total=len(files), label="labelme", progress=progress, workers=workers)
    for file, result in zip(files, read, strict=True):
        if result is None:
            others["other JSON files"] += not _same(file, dst_path)
        else:
            results.append(result)
    if not results:
        xml = ". XML of LabelMe is not read: export COCO" if files_below(src_path, (".xml",)) else ""
        raise InvalidInputError(f"{src_path}: contains no labelme files; expected *.json with shapes{xml}")
    found = collect(src_path, results, on_error)
    categories = reader.categories or category_names(found.images)
    if not categories:
        raise InvalidInputError(
            f"{src_path}: contains no objects; expected at least one. Name them with --class_names."
        )
    root = found.root()
    others["images without a JSON"] = _without_json(src_path, results)
    report = found.report(dst_path, root, categories, +others, written=not dry_run)
    data = encode_coco(found.images, root, categories, "labelme")
    inner = {image.path: image.embedded for image in found.images if image.embedded}
    if inner:
        check_target_directory(embedded, overwrite=overwrite)
    if not dry_run:
        if inner:
            with staged_directory(embedded, overwrite=overwrite) as staging:
                _write_images({staging / path.relative_to(embedded): file for path, file in inner.items()})
        # Last: a run that is killed here leaves images that no new JSON names.
        write_file(dst_path, data, overwrite=overwrite)
    return report


def _without_json(folder: Path, results: Sequence[AnnotatedImage]) -> int:
    """Return the number of images in `folder` that no JSON names; a faulty JSON counts for the image of its name."""
    named = {normal(result.path) for result in results}
    images = [normal(path) for path in files_below(folder, IMAGE_SUFFIXES)]
    return sum(named.isdisjoint((path, path.with_suffix(".json"))) for path in images)


def _same(file: Path, target: Path) -> bool:
    return target.exists() and file.samefile(target)


def _write_images(files: Mapping[Path, Path]) -> None:
    for path, file in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(embedded_image(read_document(file)))


@dataclass(frozen=True)
class _Reader:
    """Reads one JSON: its objects and faults, or None if another program wrote it.

    Attributes:
        folder: folder of all files, which messages name them in.
        embedded: folder for images that only a JSON contains.
        categories: known labels; any if empty.
        without_object: labels of regions that belong to no object.
        line_width: see `labelme`.
        finder: finds the images.
    """

    folder: Path
    embedded: Path
    categories: tuple[str, ...]
    without_object: tuple[str, ...]
    line_width: int | None
    finder: ImageFinder = field(default_factory=ImageFinder)

    def __call__(self, file: Path) -> AnnotatedImage | None:
        name = normal(file).relative_to(self.folder)
        faults: list[Fault] = []
        place = file
        with collecting(faults, name.as_posix()):
            document = read_document(file)
            if document.shapes is None:
                return None
            path, header, found = self._image(document, file, name)
            check_size(header.shape, annotated_size(document), "its JSON gives")
            if not found[_EXTRACTED]:
                # Until it is known whose the shapes are, they may be objects of this image.
                place = path
                self.finder.check_name(file, path, document.image_path or "")
            # Written again if it is there: it may be from an earlier run, and the image in the JSON another one now.
            embedded = file if found[_EXTRACTED] else None
            image = AnnotatedImage(path, *header.shape, found=found, embedded=embedded)
            return self._with_objects(image, document, name.as_posix())
        return AnnotatedImage(place, faults=tuple(faults), usable=False)

    def _image(self, document: Document, file: Path, name: Path) -> tuple[Path, ImageHeader, Counter[str]]:
        """Return the image, its header, and how it was found."""
        stated = document.image_path or ""
        if path := self.finder.find(file.parent, stated):
            try:
                renamed = not (file.parent / stated).is_file()
                return normal(path), read_upright(path), Counter({"images found at another path": int(renamed)})
            except InvalidInputError as error:
                raise InvalidInputError(f"{path.name}: {error}", error.code) from error
        if not document.image_data:
            own = self.finder.namesake(file)
            cure = f"If it is {own!r} now, set imagePath to that" if own else "Move the image there"
            raise InvalidInputError(
                f"image {stated!r} does not exist, and the file does not contain it; expected it at this path or "
                f"beside the JSON. {cure}.",
                "missing_image",
            )
        header = read_upright(embedded_image(document))
        return (
            self.embedded / name.with_name(name.stem + header.suffix),
            header,
            Counter({_EXTRACTED: 1}),
        )

    def _with_objects(self, image: AnnotatedImage, document: Document, name: str) -> AnnotatedImage:
        instances: list[Instance] = []
        faults: list[Fault] = []
        usable = True
        for numbers, shapes in _groups(document.shapes or ()):
            label = shapes[0].label
            if label in self.without_object:
                image.left_out[f"shapes labeled {label}"] += len(shapes)
                continue
            before = len(faults)
            with collecting(faults, f"{name}: shape {', '.join(map(str, numbers))} ({shapes[0].kind}, {label!r})"):
                instances.append(self._object(shapes, image))
            if len(faults) > before:
                points = [point for shape in shapes for point in extent(shape, self.line_width)]
                usable &= bool(points) and (label in self.categories or not self.categories)
                instances += crowd_over(label, points, image.height, image.width) if usable else ()
        flags = [document.flags, *(shape.flags for shape in document.shapes or ())]
        image.found.update(f"flag {flag}, ignored" for each in flags for flag, is_set in (each or {}).items() if is_set)
        return replace(image, instances=tuple(instances), faults=tuple(faults), usable=usable)

    def _object(self, shapes: Sequence[ToolShape], image: AnnotatedImage) -> Instance:
        label = shapes[0].label
        if self.categories and label not in self.categories:
            known = suggest(label, self.categories)
            raise InvalidInputError(f"unknown label: {known}. Add it to --class_names, or use --ignore-label.")
        for shape in shapes:
            check_shape(shape, image.height, image.width, self.line_width)
        return object_of(shapes, image.height, image.width, self.line_width)


def _groups(shapes: Sequence[ToolShape]) -> list[tuple[list[int], list[ToolShape]]]:
    """Return the objects: the numbers (from 1) and shapes of each, in the order of their first shapes."""
    objects: dict[object, tuple[list[int], list[ToolShape]]] = {}
    for number, shape in enumerate(shapes, start=1):
        key = (shape.label, shape.group_id) if shape.group_id is not None else number
        numbers, members = objects.setdefault(key, ([], []))
        numbers.append(number)
        members.append(shape)
    return list(objects.values())
