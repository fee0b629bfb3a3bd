"""Meaning of each type of fault, as the page of `preview` and ``docs/check.md`` explain it."""

from __future__ import annotations

from segdata.errors import Code

#: What each fault is.
MEANINGS: dict[Code, str] = {
    "not_a_dataset": "The file is not a list, a COCO JSON or a record set, or contains no samples",
    "broken_line": "A line of a list does not contain exactly two paths",
    "broken_member": "An image, annotation or category of a JSON lacks a member, or has one of the wrong type",
    "duplicate_id": "An image, annotation or category has the same id as an earlier one",
    "duplicate_image": (
        "An image appears more than once in the list, or its file name more than once in the JSON, also if "
        "spelled differently (./a//b.jpg and a/b.jpg)"
    ),
    "duplicate_category": "Several categories of a JSON have the same name, or differ only by spaces or Unicode form",
    "record_damaged": "What segdata verify finds: the set is not what was written",
    "missing_image": "An image does not exist",
    "image_prefix": (
        "Images are missing, but exist under their names without a prefix that they share, such as the folder"
        " of an annotation tool"
    ),
    "missing_label": "A label does not exist",
    "outside_root": "A path is absolute or leaves its root",
    "empty_file": "An image or label has 0 bytes",
    "unreadable": (
        "An image cannot be identified, a label is not a PNG or is damaged, a file is not a regular file (a "
        "folder, FIFO, socket or device), or permission to read it is denied"
    ),
    "truncated": "An image or label ends early. Images cut off after their header are found with --decode",
    "too_large": (
        "An image, a label or the size in a JSON claims more pixels than is plausible, or the row of an image"
        " would be larger than MindRecord's limit of 256 MiB"
    ),
    "unsupported_image": (
        "An image has pixels that cannot be read as gray or RGB without loss (CMYK, L*a*b*, several bands, "
        "colors multiplied by alpha), or a file contains several images"
    ),
    "no_value_range": (
        "An image has samples of more than 8 bits, signed samples or fractions, and nothing says which of "
        "them are black and white"
    ),
    "size_mismatch": "Image and label differ in size, or the image does not have the size given in its JSON",
    "rotated": "The EXIF orientation of an image is not 1",
    "mixed_modes": "An image is gray, 1-bit or 16-bit, or has alpha or a palette, while most images do not",
    "dark": "With --quality: 99 % of the pixels are darker than 80 of 255",
    "bright": "With --quality: 95 % of the pixels are brighter than 240 of 255",
    "low_contrast": "With --quality: 98 % of the pixels are within fewer than 25 gray levels",
    "blurry": "With --quality: the image has no sharp edge",
    "odd_aspect": "With --quality: one side is more than 3 times the other",
    "label_mode": "A label is not 8-bit gray: a palette, RGB or 16-bit PNG, or a JPEG",
    "gray_from_color": "A label contains the gray values of VOC's colors: a tool read a color mask as a photograph",
    "value_outside_classes": "A label contains a value that is neither a class nor the ignore label",
    "binary_mask": (
        "All labels together contain only 0 and 255, while 255 is the ignore label and classes other than 0 exist"
    ),
    "binary_among_classes": (
        "A label contains only 0 and 255, the ignore label; others contain classes, and none has 255 beside a class"
    ),
    "label_all_ignore": "Every pixel of a label has the ignore label",
    "class_conflict": "With --against: a class has another label in the other JSON or record set",
    "class_unused": (
        "No sample contains this class. Not reported for VOC's default classes, nor when a label or object "
        "cannot be read"
    ),
    "orphan_annotation": "An annotation refers to an image or a category that the JSON does not contain",
    "no_size": "An image object has no width or no height",
    "no_annotation": "No annotation refers to this image",
    "no_segmentation": "An annotation has no mask, or an empty one",
    "bad_polygon": (
        "A polygon has fewer than three points, an odd number of coordinates, coordinates that are not "
        "numbers, or a point far outside the image"
    ),
    "bad_rle": "An RLE has a different size from the image, does not fill it, or is damaged",
    "empty_mask": "A mask covers no pixels",
    "area_mismatch": (
        "The area is less than half or more than twice that of the mask, and differs by more than 10 pixels"
    ),
    "bad_box": "A box is not four numbers, or has no area inside the image as float32, the type in record sets",
    "box_mismatch": (
        "The box and the mask's own box overlap by less than half (intersection over union), and an edge is "
        "more than 2 pixels off"
    ),
    "crowd_polygon": "An annotation with iscrowd 1 has polygons",
    "only_crowds": (
        "All annotations are crowds (iscrowd 1), or some are crowds with attributes, as CVAT writes brush masks: "
        "training ignores them"
    ),
    "no_iscrowd": "An annotation has no iscrowd; 0 is assumed",
    "no_area": "An annotation has no area",
    "same_file": (
        "Two images, in the set or in a data set named by --against, are one file under two names (links, "
        "hard links), or their names differ only by case or Unicode form (NFC, NFD)"
    ),
    "duplicate_content": "With --hash: two images have the same bytes",
    "near_duplicate": "With --near: an image is similar to an earlier one",
    "label_conflict": "With --hash: two images have the same bytes but different labels or instances",
    "overlap": "A data set named by --against also contains the image, under the same name",
    "overlap_name": (
        "A data set named by --against has an image with the same file name in another folder, and the name "
        "is unique in both sets"
    ),
    "overlap_content": "With --hash: a data set named by --against has an image with the same bytes under another name",
    "overlap_near": "With --near: an image is similar to one in a data set named by --against",
    "invalid": "Anything else",
}
