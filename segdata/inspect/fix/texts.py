"""Cures of each type of fault, and the questions about what is left."""

from __future__ import annotations

from segdata.errors import Code
from segdata.inspect.fix.upright import JPEG_QUALITY

_DROPPED = (
    "samples dropped; paths with backslashes corrected if the files exist. Not if these are more than half of all"
)

#: What is done about faults that have a cure.
CURES: dict[Code, str] = {
    "not_a_dataset": "JSON: NaN and Infinity become null, objects by id become lists",
    "broken_line": "two paths with spaces separated by a TAB if both files exist; other lines dropped",
    "broken_member": (
        "ids and sizes in quotes become numbers, ids that are words get a free number; unusable sizes are computed "
        "again; annotations without an image_id or category_id dropped"
    ),
    "duplicate_id": "copies of an object dropped; other annotations get a free id",
    "duplicate_image": (
        "repeated lines dropped; image objects of one file joined, and annotations that several of them have dropped"
    ),
    "missing_image": _DROPPED,
    "image_prefix": "prefix removed from the image names",
    "missing_label": _DROPPED,
    "outside_root": "list: absolute paths below the data root become relative; JSON: see image_prefix",
    "empty_file": _DROPPED,
    "unreadable": _DROPPED,
    "truncated": _DROPPED,
    "size_mismatch": (
        "JSON: size taken from the file if the image has no masks, or only RLE of that size. List, with "
        "--resize-labels: labels of an exact multiple or fraction resized by the nearest pixel"
    ),
    "rotated": (
        f"with --upright: image saved upright (JPEG encoded again with quality {JPEG_QUALITY}, other formats without "
        "loss); labels and annotations drawn on the stored pixels are rotated with it"
    ),
    "label_mode": (
        "VOC's colors become class ids for VOC's classes; values that are all class ids become 8-bit gray. With --map: "
        "all labels mapped"
    ),
    "value_outside_classes": "with --map: all labels mapped",
    "binary_mask": "with --map: all labels mapped",
    "binary_among_classes": "with --map: all labels mapped",
    "label_all_ignore": "samples dropped",
    "orphan_annotation": "annotations dropped, unless these are more than half of all",
    "no_size": "width and height taken from the image file",
    "no_segmentation": "RLE under another name used; annotations without mask, box and area dropped",
    "bad_polygon": (
        "parts of one or two points dropped if others are left; flat lists nested; parts far outside cut off if the "
        "box confirms the rest"
    ),
    "bad_rle": "counts become integers; swapped sizes, runs along rows and a missing last run corrected if the box "
    "confirms it",
    "empty_mask": (
        "annotations dropped; polygons with coordinates from 0 to 1 scaled to pixels if the box confirms it"
    ),
    "area_mismatch": "area computed from the mask",
    "bad_box": "box computed from the mask",
    "box_mismatch": (
        "box computed from the mask; x and y of the mask exchanged, or polygons with coordinates from 0 to 1 scaled to "
        "pixels, if the box confirms it"
    ),
    "crowd_polygon": "polygons of crowds become RLE, unless all annotations are crowds",
    "no_iscrowd": "iscrowd 0 added",
    "no_area": "area computed from the mask",
    "duplicate_content": "all but the first copy dropped, unless their labels cannot be compared",
    "overlap": "with --drop-from: images dropped",
    "overlap_content": "with --drop-from: images dropped",
    "overlap_near": "with --drop-from: images dropped",
}

_FILES = "Are these files lost, or is the folder wrong (--data_root, --images)? Restore them, or name the folder."
_DROP_FROM = "Which of the two sets keeps these images? Run fix on the other one, and name it with --drop-from."
_EXPOSURE = "Is the exposure right? Images of more than 8 bits may need another --value_range."
_REFUSED = "none: fix refuses what is left"
_MAP = "Which class does each value or color mean? Say so with --map."

#: What a person must answer where a fault is left.
QUESTIONS: dict[Code, str] = {
    "not_a_dataset": _REFUSED,
    "broken_line": "Which image and which label does the line mean?",
    "broken_member": "What is the value of the member that is missing or invalid?",
    "duplicate_id": "Which of the objects with this id is right, and which annotations belong to it?",
    "duplicate_image": "Which label, or which size, of the image is right? Remove the other line or object.",
    "duplicate_category": "Do these categories mean one class? Give their annotations one category_id, or rename one.",
    "record_damaged": _REFUSED,
    "missing_image": _FILES,
    "image_prefix": "Which start of the names is not part of them?",
    "missing_label": _FILES,
    "outside_root": "Which folder is above all files? Name it with --data_root or --images.",
    "empty_file": _FILES,
    "unreadable": _FILES,
    "truncated": _FILES,
    "too_large": "Is the size in the header or in the JSON right? If it is, split the image.",
    "unsupported_image": "How should these pixels become gray or RGB? Convert the images.",
    "no_value_range": "Which samples are black and white? Say so with --value_range in each command.",
    "size_mismatch": (
        "Was the image resized after it was annotated, or is its label or size that of another image? In a list, "
        "--resize-labels resizes labels of an exact multiple or fraction."
    ),
    "rotated": (
        "Were labels and annotations drawn on the stored pixels (--upright turn) or on the upright image (--upright "
        "keep)? Save upright in another program: TIFFs, color PNGs of 16 bits, and images whose label another image "
        "has too, or fits neither way."
    ),
    "mixed_modes": "Should all images be of one mode? Programs other than segdata may read these in another way.",
    "label_mode": f"{_MAP} JPEG and WebP change values: convert such labels with segdata mask-map.",
    "gray_from_color": "Where are the color masks that these labels were made from?",
    "value_outside_classes": f"{_MAP} Or name all classes with --num_classes or --class_names.",
    "binary_mask": f"Is 255 a class? {_MAP}",
    "binary_among_classes": f"Is 255 an object in these labels? {_MAP}",
    "label_all_ignore": "Are these labels right? They are more than half of all.",
    "class_conflict": "Which ids do these classes have? Give them the same ones in both data sets.",
    "class_unused": "Are samples of these classes missing, or are the classes not in this set?",
    "orphan_annotation": "Where are the images and categories of these annotations? They are more than half of all.",
    "no_size": "Which size do these images have? Their files cannot be read.",
    "no_annotation": "Does the image show none of the classes, or are its annotations missing?",
    "no_segmentation": "What is the mask of these objects? Draw it, or remove the annotations.",
    "bad_polygon": "What is the outline of these objects? Draw it again, or remove the annotations.",
    "bad_rle": "Which mask does this RLE mean? Encode it again at the size of the image.",
    "empty_mask": "Are the coordinates fractions of the image's size? Nothing confirms it.",
    "area_mismatch": "What is the mask of these objects?",
    "bad_box": "What is the mask of these objects? Without one, their box cannot be computed.",
    "box_mismatch": "What is the mask of these objects?",
    "crowd_polygon": "Are these annotations crowds, or is each of them one object?",
    "only_crowds": (
        "Is each of them one object? Then use --crowd object in later commands, or coco-subset --crowd object."
    ),
    "no_iscrowd": "Are these annotations crowds?",
    "no_area": "What is the mask of these objects?",
    "same_file": "Do both names mean one image? Remove one of them.",
    "duplicate_content": "Which of the copies should be kept?",
    "label_conflict": "Which of the labels is right? Remove the other image.",
    "overlap": _DROP_FROM,
    "overlap_name": "Are these the same images? --hash compares their contents.",
    "overlap_content": _DROP_FROM,
    "near_duplicate": "Do both images show the same? Drop one with --drop near_duplicate, or keep both in one set.",
    "overlap_near": f"Do both images show the same? {_DROP_FROM}",
    "dark": _EXPOSURE,
    "bright": _EXPOSURE,
    "low_contrast": _EXPOSURE,
    "blurry": "Can the objects be distinguished?",
    "odd_aspect": "Is the image a strip or a montage? Crop or tile it.",
    "invalid": "How can the fault in the message be corrected?",
}
