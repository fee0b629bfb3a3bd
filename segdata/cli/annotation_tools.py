"""Commands for the exports of annotation tools: labelme, YOLO and masks of instances become COCO JSONs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import click

from segdata.coco.file import CrowdMeaning
from segdata.console.location import LocalPath
from segdata.console.options import (
    ANY_PATH,
    EXISTING_DIR,
    EXISTING_FILE,
    dry_run_option,
    json_option,
    names_in_file,
    on_error_option,
    overwrite_option,
    workers_option,
)
from segdata.console.render import emit, progress_bar
from segdata.errors import InvalidInputError, name_first
from segdata.labels.classes import read_class_names
from segdata.sources.coco_export import AnnotationsReport
from segdata.sources.instance_masks.convert import masks_to_coco
from segdata.sources.instance_masks.meaning import MaskKind
from segdata.sources.instances import is_background
from segdata.sources.labelme.convert import labelme
from segdata.sources.yolo.convert import yolo_seg
from segdata.text import plural, quoted


def _names_from_background(
    context: click.Context, parameter: click.Parameter, file: Path | None
) -> tuple[str, ...] | None:
    """Return the class names in `file`, the first of which must be that of class 0; a callback for options."""
    names = names_in_file(context, parameter, file)
    # Without an ignore label, `void` is not counted; with the ignore label 0, it is class 0.
    if file and names and not is_background(names[0]) and (first := read_class_names(file, 0)[0]) != names[0]:
        raise InvalidInputError(
            f"{file}: {quoted(first)} before {quoted(names[0])}: either may be class 0; expected the name of class 0 "
            f"first. Write background for {quoted(first)} if 0 means no object; otherwise, remove it."
        )
    return names


_dst_json_option = click.option("--dst_path", type=ANY_PATH, required=True, metavar="JSON", help="COCO JSON to write")


@click.command("labelme")
@click.argument("src_path", metavar="DIR", type=EXISTING_DIR)
@_dst_json_option
@click.option(
    "--class_names",
    type=EXISTING_FILE,
    callback=names_in_file,
    help="Categories in the order of their ids, one per line, such as labelme's labels.txt [default: labels, sorted]",
)
@click.option(
    "--ignore-label",
    "ignore_labels",
    multiple=True,
    metavar="NAME",
    help="Label of regions without a class, besides __ignore__; can be repeated",
)
@click.option("--line_width", type=click.IntRange(1, 1000), help="Width of lines in pixels [default: lines are faults]")
@on_error_option
@workers_option
@overwrite_option
@dry_run_option
@json_option
def labelme_command(as_json: bool, **options: Any) -> None:
    """Turn labelme's JSON files, also those in subfolders, into a COCO JSON.

    Polygons and rectangles stay polygons. Circles, lines and masks become RLE, drawn as labelme draws them. Shapes of
    one label and one group are one object. Regions labeled __ignore__ or _background_ are left out and counted.

    Images are found by imagePath, also with backslashes or in another case, or beside the JSON. An image that is only
    in its JSON is written to the folder NAME_images beside JSON. Images without a JSON are left out and counted. The
    report names the folder for --images.

    With --on-error skip, the box of a bad shape (a point, a line without --line_width) becomes a crowd, which training
    and evaluation ignore. Images with other faults are left out.

    \b
    Example:
      segdata labelme photos --class_names labels.txt --dst_path photos/instances.json
      segdata check photos/instances.json --images photos
    """
    emit(labelme(progress=progress_bar, **options), as_json, _annotations_text)


@click.command("yolo-seg")
@click.argument("src_path", metavar="DIR|YAML", type=LocalPath(exists=True))
@click.option("--dst_path", type=ANY_PATH, required=True, help="Directory to write")
@on_error_option
@workers_option
@overwrite_option
@dry_run_option
@json_option
def yolo_seg_command(as_json: bool, **options: Any) -> None:
    """Turn a YOLO segmentation data set into instances_train.json, instances_val.json and instances_test.json.

    The YAML names the classes and the images of each split; a folder may have images, labels and a classes.txt instead,
    and gives instances_all.json. The labels of images/a.jpg are in labels/a.txt; an image without a label file has no
    objects, but a split without any is an error. The category id is the class index plus 1.

    Lines with only a box are faults: YOLO data for detection has no masks. With --on-error skip, the box of a bad line
    becomes a crowd, which training and evaluation ignore. Images with other faults are left out.

    \b
    Example:
      segdata yolo-seg coco8-seg/data.yaml --dst_path coco8-json
      segdata check coco8-json/instances_train.json --images coco8-seg/images
    """
    emit(yolo_seg(progress=progress_bar, **options), as_json, _annotations_text)


@click.command("masks-to-coco")
@click.argument("masks", metavar="DIR|FILES", nargs=-1, required=True, type=LocalPath(exists=True))
@click.option(
    "--images", type=EXISTING_DIR, required=True, help="Folder of the images, which have the names of the masks"
)
@_dst_json_option
@click.option(
    "--components",
    "kind",
    flag_value="components",
    help="Values are class ids, 255 is void; each connected part is an object",
)
@click.option(
    "--mask-folders",
    "kind",
    flag_value="folders",
    help="Each mask is one object of the image that its folder is named after: ID/masks/*.png of ID.png (DSB 2018)",
)
@click.option("--cityscapes", "kind", flag_value="cityscapes", help="Values are those of Cityscapes' instanceIds")
@click.option(
    "--class_masks", type=EXISTING_DIR, help="Folder of index masks with the class of each object (SegmentationClass)"
)
@click.option("--class-folders", is_flag=True, help="The folder of a mask in DIR is the category of its objects")
@click.option("--class_name", metavar="NAME", help="Category of all objects [default: object]")
@click.option(
    "--class_names",
    type=EXISTING_FILE,
    callback=_names_from_background,
    help="For class ids: names from 0, the background, one per line [default: VOC's 21]",
)
@click.option("--mask_prefix", default="", help="Start of mask names, such as man_seg [default: any]")
@click.option(
    "--mask_suffix", help="Ending of mask names, such as _masks [default: none; with --cityscapes: _gtFine_instanceIds]"
)
@click.option("--image_prefix", default="", help="Start of image names, such as t [default: any]")
@click.option("--image_suffix", help="Ending of image names [default: none; with --cityscapes: _leftImg8bit]")
@click.option(
    "--min_area", type=click.IntRange(min=1), default=1, show_default=True, help="Leave out smaller objects, in pixels"
)
@click.option("--polygons", is_flag=True, help="Write polygons; objects with holes stay RLE")
@click.option(
    "--crowd",
    type=click.Choice(get_args(CrowdMeaning)),
    default="crowd",
    show_default=True,
    help="For --cityscapes: a group of objects is a crowd, or one object",
)
@on_error_option
@workers_option
@overwrite_option
@dry_run_option
@json_option
def masks_to_coco_command(as_json: bool, kind: MaskKind | None, **options: Any) -> None:
    """Turn masks whose values are objects into a COCO JSON.

    By default, each value but 0 is an object, as Cellpose, StarDist and ImageJ write them: PNG, TIFF or NPY of any
    integer type. Their category is --class_name, the folder of the mask, or the class in --class_masks, as in VOC.
    Cityscapes' groups become crowds; its suffixes are the default. Void pixels belong to no object and are counted.

    Boxes and areas come from the masks. An image without a mask is left out and counted; an empty mask is an image
    without objects.

    \b
    Example:
      segdata masks-to-coco nuclei/masks --images nuclei/images --class_name nucleus --dst_path nuclei/instances.json
      segdata check nuclei/instances.json --images nuclei/images
    """
    report = masks_to_coco(kind=kind or "objects", progress=progress_bar, **options)
    emit(report, as_json, _annotations_text)


def _annotations_text(report: AnnotationsReport) -> str:
    verb = "written to" if report.written else "would be written to"
    objects = ", ".join(f"{name}: {count}" for name, count in report.objects.items() if count)
    lines = [
        *(f"{plural(count, 'image')} {verb} {file}" for file, count in report.samples_by_file.items()),
        f"{plural(sum(report.objects.values()), 'object')} by category: {objects or 'none'}",
        f"crowds: {report.crowds}; images without objects: {report.without_objects}",
        *(f"{what}: {count}" for what, count in report.found.items()),
        *(f"left out, {what}: {count}" for what, count in report.left_out.items()),
        f"image folder, to use with the JSON: --images {report.root}",
    ]
    if report.faults:
        lines.append(f"{plural(len(report.faults), 'fault')}, {plural(report.images_left_out, 'image')} left out:")
        lines.append(name_first(report.faults))
    return "\n".join(lines)
