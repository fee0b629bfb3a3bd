"""Convert masks whose values are objects to a COCO JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from segdata.coco.file import CrowdMeaning
from segdata.errors import Fault, InvalidInputError, OnError, OptionError, collecting
from segdata.files.publishing import write_file
from segdata.images.header import ImageHeader, check_size
from segdata.images.reading import read_image_header
from segdata.labels.colormap import IGNORE, VOC_CLASSES
from segdata.parallel import Progress, default_workers, progress_map, silent
from segdata.sources.coco_export import (
    AnnotationsReport,
    Collected,
    category_names,
    check_target_json,
    collect,
    encode_coco,
)
from segdata.sources.instance_masks.meaning import (
    CITYSCAPES,
    VOID,
    MaskKind,
    Regions,
    cityscapes_objects,
    connected_objects,
    is_background,
    objects_by_class,
    objects_of_one,
)
from segdata.sources.instance_masks.pairing import MaskedImage, Names, pair_masks
from segdata.sources.instance_masks.regions import polygons_of, run_lengths
from segdata.sources.instance_masks.values import Values, read_values
from segdata.sources.instances import AnnotatedImage, Instance, make_instance
from segdata.text import option_names

#: Category of objects whose masks do not tell one.
DEFAULT_CLASS = "object"

#: Endings of Cityscapes' names: of masks, and of images.
_CITYSCAPES_SUFFIXES = ("_gtFine_instanceIds", "_leftImg8bit")

#: What the report calls masks that are usually masks of one class.
_BINARY = "masks of only 0 and 255, one object each (mask-map --map binary, then --components, separates the parts)"


def masks_to_coco(
    masks: Path | Sequence[Path],
    images: Path,
    dst_path: Path,
    *,
    kind: MaskKind = "objects",
    class_masks: Path | None = None,
    class_folders: bool = False,
    class_name: str | None = None,
    class_names: Sequence[str] | None = None,
    mask_suffix: str | None = None,
    image_suffix: str | None = None,
    min_area: int = 1,
    polygons: bool = False,
    crowd: CrowdMeaning = "crowd",
    on_error: OnError = "fail",
    workers: int | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
    progress: Progress = silent,
) -> AnnotationsReport:
    """Write a COCO JSON of masks: PNG, TIFF or NPY files whose stored values are objects or classes.

    Args:
        masks: folder of the masks with its subfolders, or files.
        images: folder of the images, which have the names of the masks.
        dst_path: the JSON to write.
        kind: ``objects``: each value but 0 is an object; ``components``: values are class ids, 255 is void, and each
            connected part is an object; ``cityscapes``: Cityscapes' ``instanceIds``, whose groups become crowds.
        class_masks: folder of index masks with the class of each object, as VOC's ``SegmentationClass``; 255 is void.
        class_folders: whether the folder of a mask, below `masks`, is the category of its objects; an image may have a
            mask in each.
        class_name: category of all objects; ``object`` by default.
        class_names: for class ids: their names from 0, the background; VOC's by default.
        mask_suffix: ending of the names of masks before the extension; for Cityscapes ``_gtFine_instanceIds``.
        image_suffix: the same of images; for Cityscapes ``_leftImg8bit``.
        min_area: leave out objects of fewer pixels.
        polygons: write polygons along the edges of the pixels; objects with holes stay RLE.
        crowd: what the groups of Cityscapes become: crowds, or one ``object`` each.
        on_error: ``fail`` stops at faults, ``skip`` leaves out and counts the images that have them.
        workers: number of threads; all processors by default.
        overwrite: replace `dst_path`.
        dry_run: check everything, but write nothing.
        progress: reports progress.

    Raises:
        OptionError: when an option does not fit the kind of masks.
        InvalidInputError: when there are no masks, or masks of classes contain only 0 and 255.
        FaultsError: when there are faults, unless skipped, or no image is left.
        TargetExistsError: when `dst_path` already exists; only a COCO JSON is replaced.
    """
    _check_options(kind, class_masks, class_folders, class_name, class_names, crowd)
    places = [masks] if isinstance(masks, Path) else list(masks)
    if not dry_run:
        check_target_json(dst_path, overwrite=overwrite)
    suffixes = _CITYSCAPES_SUFFIXES if kind == "cityscapes" else ("", "")
    names = Names(
        suffixes[0] if mask_suffix is None else mask_suffix,
        suffixes[1] if image_suffix is None else image_suffix,
        class_folders,
    )
    unpaired: list[Fault] = []
    others = Counter[str]()
    paired = pair_masks(places, images, class_masks, names, unpaired, others)
    reader = _Reader(kind, tuple(class_names or VOC_CLASSES), class_name or DEFAULT_CLASS, min_area, polygons, crowd)
    results = progress_map(
        reader, paired, total=len(paired), label="masks", progress=progress, workers=workers or default_workers()
    )
    without_image = (AnnotatedImage(Path(fault.where), faults=(fault,), usable=False) for fault in unpaired)
    found = collect(places[0], [*without_image, *results], on_error)
    _check_void(kind, places[0], found)
    categories = reader.categories(class_masks) or category_names(found.images)
    root = found.root()
    report = found.report(dst_path, root, categories, +others, written=not dry_run)
    if not dry_run:
        write_file(dst_path, encode_coco(found.images, root, categories, "instance masks"), overwrite=overwrite)
    return report


def _check_options(
    kind: MaskKind,
    class_masks: Path | None,
    class_folders: bool,
    class_name: str | None,
    class_names: Sequence[str] | None,
    crowd: CrowdMeaning,
) -> None:
    given = {"class_masks": class_masks, "class_folders": class_folders, "class_name": class_name}
    sources = [name for name, value in given.items() if value]
    if kind != "objects" and sources:
        raise OptionError(
            f"{option_names(sources[:1])}: these masks already contain the classes; expected masks whose values are "
            "objects"
        )
    if len(sources) > 1:
        raise OptionError(f"{option_names(sources)}: each gives the classes; expected only one of them")
    if class_names is not None and kind != "components" and not class_masks:
        raise OptionError("--class_names: these masks have no class ids; expected --components or --class_masks")
    if crowd != "crowd" and kind != "cityscapes":
        raise OptionError("--crowd: only Cityscapes' masks have groups, which are crowds; expected --cityscapes")
    misplaced = [id_ for id_, name in enumerate(class_names or ()) if id_ and is_background(name)]
    if misplaced:
        raise OptionError(
            f"--class_names: {(class_names or ())[misplaced[0]]!r} is class {misplaced[0]}; expected class 0, whose "
            "pixels belong to no object. Put it first, and convert the masks again in this order, such as with segdata "
            "voc-decolor --colormap or segdata mask-map."
        )


def _check_void(kind: MaskKind, source: Path, found: Collected) -> None:
    """Refuse masks of classes that contain only 0 and 255: all of their objects are void.

    Raises:
        InvalidInputError: when they do.
    """
    left_out = sum((image.left_out for image in found.images), Counter[str]())
    if kind == "components" and list(+left_out) == [VOID] and not any(image.instances for image in found.images):
        raise InvalidInputError(
            f"{source}: masks contain only 0 and {IGNORE}, which is void, so no object would be left. Make "
            f"{IGNORE} a class with segdata mask-map {source} --map binary --dst_path NEW.",
            "binary_mask",
        )


@dataclass(frozen=True)
class _Reader:
    """Reads the masks of an image."""

    kind: MaskKind
    class_names: tuple[str, ...]
    class_name: str
    min_area: int
    polygons: bool
    crowd: CrowdMeaning

    def categories(self, class_masks: Path | None) -> tuple[str, ...]:
        """Return the names of the categories; empty if folders tell them."""
        if self.kind == "cityscapes":
            return tuple(CITYSCAPES.values())
        return self.class_names[1:] if self.kind == "components" or class_masks else ()

    def __call__(self, masked: MaskedImage) -> AnnotatedImage:
        faults: list[Fault] = []
        image = AnnotatedImage(masked.image)
        with collecting(faults, str(masked.image)):
            header = read_image_header(masked.image)
            image = replace(image, height=header.height, width=header.width)
            image.found["images rotated by EXIF"] += header.orientation != 1
        for path, folder in masked.masks if not faults else ():
            with collecting(faults, str(path)):
                values = _values(path, header)
                regions = self._regions(values, folder, masked.class_mask, header)
                image.found.update(self._without_object(values))
                image.left_out.update(regions.left_out)
                image.found[_BINARY] += self.kind == "objects" and not folder and [*regions.category] == [IGNORE]
                image = replace(image, instances=(*image.instances, *self._objects(regions, image)))
        return replace(image, faults=tuple(faults), usable=not faults)

    def _regions(self, values: Values, folder: str, class_mask: Path | None, header: ImageHeader) -> Regions:
        if self.kind == "components":
            return connected_objects(values, self.class_names)
        if self.kind == "cityscapes":
            groups = cityscapes_objects(values)
            return groups if self.crowd == "crowd" else replace(groups, crowds=frozenset())
        if class_mask is None:
            return objects_of_one(values, folder or self.class_name)
        return objects_by_class(values, _values(class_mask, header), self.class_names)

    def _without_object(self, values: Values) -> Counter[str]:
        """Count the pixels of class 0, which is always background, if its name is that of another class."""
        if self.kind != "components" or is_background(self.class_names[0]):
            return Counter()
        return Counter({f"pixels of class 0 ({self.class_names[0]}), taken as background": int((values == 0).sum())})

    def _objects(self, regions: Regions, image: AnnotatedImage) -> Iterator[Instance]:
        from pycocotools import mask

        for value, rle in run_lengths(regions.values):
            category = regions.category.get(value)
            if category is None:
                continue
            if mask.area(rle) < self.min_area:
                image.left_out["objects smaller than --min_area"] += 1
                continue
            crowd = value in regions.crowds
            outlines = polygons_of(rle) if self.polygons and not crowd else None
            image.found["objects with holes, kept as RLE"] += self.polygons and not crowd and outlines is None
            yield make_instance(category, outlines or rle, image.height, image.width, crowd=crowd)


def _values(path: Path, header: ImageHeader) -> Values:
    values = read_values(path)
    height, width = values.shape
    check_size((height, width), header.shape, "its image has", orientation=header.orientation)
    return values
