"""Convert masks whose values are objects to a COCO JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from segdata.arguments import FilePath, check_choice, check_number, check_several, local_path, local_paths
from segdata.coco.file import CrowdMeaning
from segdata.errors import Fault, InvalidInputError, OnError, collecting
from segdata.files.publishing import write_file
from segdata.images.header import ImageHeader, check_size
from segdata.images.reading import read_image_header
from segdata.labels.colormap import IGNORE, VOC_CLASSES
from segdata.parallel import Progress, chosen_workers, progress_map, silent
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
    objects_by_class,
    objects_of_one,
)
from segdata.sources.instance_masks.options import check_mask_options
from segdata.sources.instance_masks.pairing import MaskedImage, Names, pair_masks
from segdata.sources.instance_masks.regions import polygons_of, run_lengths
from segdata.sources.instance_masks.values import Values, read_values
from segdata.sources.instances import AnnotatedImage, Instance, make_instance
from segdata.sources.pairing import Naming

#: Category of objects whose masks do not tell one.
DEFAULT_CLASS = "object"

#: Endings of Cityscapes' names: of masks, and of images.
_CITYSCAPES_SUFFIXES = ("_gtFine_instanceIds", "_leftImg8bit")

#: What the report calls objects that are left out or named by assumption, and masks that usually are of one class.
_SMALL = "objects smaller than --min_area"
_ASSUMED = "objects with VOC's class names, because --class_names is not given"
_BINARY = "masks of only 0 and 255, one object each (mask-map --map binary, then --components, separates the parts)"

_BORDERS = "objects of value 255, although 254 is missing (void, as in VOC? --class_masks leaves it out)"


def masks_to_coco(
    masks: FilePath | Sequence[FilePath],
    images: FilePath,
    dst_path: FilePath,
    *,
    kind: MaskKind = "objects",
    class_masks: FilePath | None = None,
    class_folders: bool = False,
    class_name: str | None = None,
    class_names: Sequence[str] | None = None,
    mask_prefix: str = "",
    mask_suffix: str | None = None,
    image_prefix: str = "",
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
        kind: ``objects``: each value but 0 is an object; ``folders``: each mask is one object of the image that its
            folder is named after; ``components``: values are class ids, 255 is void, and each connected part is an
            object; ``cityscapes``: Cityscapes' ``instanceIds``, whose groups become crowds.
        class_masks: folder of index masks with the class of each object, as VOC's ``SegmentationClass``; 255 is void.
        class_folders: whether the folder of a mask, below `masks`, is the category of its objects; an image may have a
            mask in each.
        class_name: category of all objects; ``object`` by default.
        class_names: for class ids: their names from 0, the background; VOC's by default.
        mask_prefix: start of the names of masks, which is removed before pairing, in upper or lower case.
        mask_suffix: the same for their ending before the extension; for Cityscapes ``_gtFine_instanceIds``.
        image_prefix: start of the names of images.
        image_suffix: ending of the names of images; for Cityscapes ``_leftImg8bit``.
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
    check_several("class_names", class_names)
    images, dst_path, class_masks = local_path(images), local_path(dst_path), local_path(class_masks)
    check_choice("kind", kind, MaskKind)
    check_choice("crowd", crowd, CrowdMeaning)
    check_choice("on_error", on_error, OnError)
    check_number("min_area", min_area, 1)
    workers = chosen_workers(workers)
    check_mask_options(kind, class_masks, class_folders, class_name, class_names, crowd)
    places = local_paths(masks)
    if not dry_run:
        check_target_json(dst_path, overwrite=overwrite)
    suffixes = _CITYSCAPES_SUFFIXES if kind == "cityscapes" else ("", "")
    names = Names(
        Naming(mask_prefix, suffixes[0] if mask_suffix is None else mask_suffix),
        Naming(image_prefix, suffixes[1] if image_suffix is None else image_suffix),
        class_folders,
        kind == "folders",
    )
    unpaired: list[Fault] = []
    others = Counter[str]()
    paired = pair_masks(places, images, class_masks, names, unpaired, others)
    assumed = class_names is None and bool(kind == "components" or class_masks)
    class_names = tuple(class_names or VOC_CLASSES)
    reader = _Reader(kind, class_names, assumed, class_name or DEFAULT_CLASS, min_area, polygons, crowd)
    results = progress_map(reader, paired, total=len(paired), label="masks", progress=progress, workers=workers)
    without_image = (AnnotatedImage(Path(fault.where), faults=(fault,), usable=False) for fault in unpaired)
    found = collect(places[0], [*without_image, *results], on_error)
    _check_void(kind, places[0], found)
    categories = reader.categories(class_masks) or category_names(found.images)
    root = found.root()
    report = found.report(dst_path, root, categories, +others, written=not dry_run)
    if not dry_run:
        write_file(dst_path, encode_coco(found.images, root, categories, "instance masks"), overwrite=overwrite)
    return report


def _check_void(kind: MaskKind, source: Path, found: Collected) -> None:
    """Refuse masks of classes that contain only 0 and 255: all of their objects are void.

    Raises:
        InvalidInputError: when they do.
    """
    left_out = sum((image.left_out for image in found.images), Counter[str]())
    objects = left_out[_SMALL] or any(image.instances for image in found.images)
    if kind == "components" and left_out[VOID] and not objects:
        raise InvalidInputError(
            f"{source}: masks contain only 0 and {IGNORE}, which is void, so no object would be left. Make "
            f"{IGNORE} a class with segdata mask-map {source} --map binary --dst_path NEW.",
            "binary_mask",
        )


def _may_be_void(values: Sequence[int]) -> bool:
    """Return whether 255, the last of the sorted values, is probably not the number of an object."""
    return len(values) > 1 and values[-1] == IGNORE and values[-2] < IGNORE - 1


@dataclass(frozen=True)
class _Reader:
    """Reads the masks of an image."""

    kind: MaskKind
    class_names: tuple[str, ...]
    names_assumed: bool
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
                # With classes beside them, colors can only be objects: CVAT draws SegmentationObject in RGB.
                values = _values(path, header, colors=masked.class_mask is not None)
                regions = self._regions(values, folder, masked.class_mask, header)
                image.left_out.update(regions.left_out)
                if self.kind == "objects" and not folder and not masked.class_mask:
                    image.found[_BINARY] += [*regions.category] == [IGNORE]
                    image.found[_BORDERS] += _may_be_void([*regions.category])
                image = replace(image, instances=(*image.instances, *self._objects(regions, image)))
        return replace(image, faults=tuple(faults), usable=not faults)

    def _regions(self, values: Values, folder: str, class_mask: Path | None, header: ImageHeader) -> Regions:
        if self.kind == "components":
            return connected_objects(values, self.class_names)
        if self.kind == "cityscapes":
            groups = cityscapes_objects(values)
            return groups if self.crowd == "crowd" else replace(groups, crowds=frozenset())
        if self.kind == "folders":
            return objects_of_one(values.clip(max=1), self.class_name)
        if class_mask is None:
            return objects_of_one(values, folder or self.class_name)
        return objects_by_class(values, _values(class_mask, header), self.class_names)

    def _objects(self, regions: Regions, image: AnnotatedImage) -> Iterator[Instance]:
        from pycocotools import mask

        for value, rle in run_lengths(regions.values):
            category = regions.category.get(value)
            if category is None:
                continue
            if mask.area(rle) < self.min_area:
                image.left_out[_SMALL] += 1
                continue
            crowd = value in regions.crowds
            outlines = polygons_of(rle) if self.polygons and not crowd else None
            image.found["objects with holes, kept as RLE"] += self.polygons and not crowd and outlines is None
            image.found[_ASSUMED] += self.names_assumed
            yield make_instance(category, outlines or rle, image.height, image.width, crowd=crowd)


def _values(path: Path, header: ImageHeader, *, colors: bool = False) -> Values:
    values = read_values(path, colors=colors)
    height, width = values.shape
    check_size((height, width), header.shape, "its image has", orientation=header.orientation)
    return values
