"""Cures of the objects of a COCO JSON: sizes, names, objects that are there twice or belong to nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from segdata.coco.hints import common_prefix
from segdata.coco.ids import DistinctIds
from segdata.errors import Code, Fault
from segdata.inspect.check.whole_set import was_compared
from segdata.inspect.fix.annotations import ANNOTATION_CURES
from segdata.inspect.fix.document import CocoDraft
from segdata.inspect.fix.members import cure_members, object_ids

#: Cure of one kind of fault: takes the draft of a JSON, and all faults of one code.
CocoCure: TypeAlias = Callable[[CocoDraft, Sequence[Fault]], None]


def cure_ids(draft: CocoDraft, faults: Sequence[Fault]) -> None:
    """Drop copies of an object; give other annotations with the id of an earlier one an id of their own."""
    free = DistinctIds(object_ids(draft, "annotations"))
    first: dict[str, dict[Any, Any]] = {}
    for key, row in (place for fault in faults if (place := draft.place(fault.where))):
        if key not in first:
            every = (draft.get(key, at) for at in reversed(range(len(draft.lists[key]))))
            first[key] = {one["id"]: one for one in every if isinstance(one, dict) and type(one.get("id")) is int}
        found = draft.get(key, row)
        same = {"images": "file_name", "categories": "name"}.get(key)
        earlier = first[key][found["id"]]
        if found == earlier or (same and found[same] == earlier.get(same)):
            draft.drop(key, row)
        elif key == "annotations":
            draft.set(key, row, {"id": free.take(None)})


def cure_prefix(draft: CocoDraft, faults: Sequence[Fault]) -> None:
    """Remove the start of image names without which the files exist."""
    names = draft.names()
    missing = [name for name in names if draft.header(name) is None]
    prefix = common_prefix(draft.folder, missing)
    for name in missing if prefix else ():
        if name.startswith(prefix) and (draft.folder / name[len(prefix) :]).is_file():
            for row in draft.image_rows(name):
                draft.set("images", row, {"file_name": name[len(prefix) :]})


def cure_repeated_image(draft: CocoDraft, faults: Sequence[Fault]) -> None:
    """Join the image objects of one file unless their sizes differ; drop annotations that several have."""
    for fault in faults:
        rows = draft.image_rows(fault.where)
        images = [draft.get("images", row) for row in rows]
        # Another cure may have dropped the image.
        if not images or any(len({image.get(side) for image in images} - {None}) > 1 for side in ("width", "height")):
            continue
        kept = images[0]["id"]
        known = [_content(draft, row) for row in draft.annotations_of(kept)]
        for row, image in zip(rows[1:], images[1:], strict=True):
            draft.drop("images", row)
            for annotation in draft.annotations_of(image["id"]):
                if (content := _content(draft, annotation)) in known:
                    draft.drop("annotations", annotation)
                else:
                    known.append(content)
                    draft.set("annotations", annotation, {"image_id": kept})


def _content(draft: CocoDraft, row: int) -> dict[str, Any]:
    return {name: value for name, value in draft.get("annotations", row).items() if name not in ("id", "image_id")}


def drop_annotations(draft: CocoDraft, faults: Sequence[Fault]) -> None:
    """Drop annotations, unless these are more than half of all."""
    rows = [row for fault in faults if (row := draft.annotation_row(fault.where)) is not None]
    if 2 * len(rows) <= len(draft.lists["annotations"]):
        for row in rows:
            draft.drop("annotations", row)


def drop_images(draft: CocoDraft, faults: Sequence[Fault]) -> None:
    """Drop images with their annotations, unless these are more than half of all."""
    rows = [row for fault in faults for row in draft.image_rows(fault.where)]
    if 2 * len(rows) <= len(draft.lists["images"]):
        for row in rows:
            draft.drop_image(row)


def drop_objects(draft: CocoDraft, faults: Sequence[Fault]) -> None:
    """Drop the objects that faults name, however many they are; images with their annotations."""
    for fault in faults:
        if place := draft.place(fault.where):
            draft.drop(*place)
        elif (annotation := draft.annotation_row(fault.where)) is not None:
            draft.drop("annotations", annotation)
        for row in draft.image_rows(fault.where):
            draft.drop_image(row)


def drop_copied_images(draft: CocoDraft, faults: Sequence[Fault]) -> None:
    """Drop copies of an earlier image; those whose instances cannot be compared stay."""
    drop_objects(draft, [fault for fault in faults if was_compared(fault)])


def cure_no_size(draft: CocoDraft, faults: Sequence[Fault]) -> None:
    """Take width and height from the image file."""
    for fault in faults:
        header = draft.header(fault.where)
        for row in draft.image_rows(fault.where) if header else ():
            image = draft.get("images", row)
            sizes = {"width": header.width, "height": header.height} if header else {}
            draft.set("images", row, {name: size for name, size in sizes.items() if image.get(name) is None})


def cure_size(draft: CocoDraft, faults: Sequence[Fault]) -> None:
    """Take the size from the image file if the image has no masks, or all of them are RLE of that size."""
    for fault in faults:
        header = draft.header(fault.where)
        for row in draft.image_rows(fault.where) if header and header.orientation == 1 else ():
            image = draft.get("images", row)
            masks = [draft.get("annotations", at).get("segmentation") for at in draft.annotations_of(image["id"])]
            size = [header.height, header.width] if header else []
            if all(isinstance(mask, dict) and mask.get("size") == size for mask in masks):
                draft.set("images", row, {"height": size[0], "width": size[1]})


def cure_annotations(code: Code) -> CocoCure:
    """Return the cure of all annotations with a fault, by that of one."""
    cure = ANNOTATION_CURES[code]

    def cure_each(draft: CocoDraft, faults: Sequence[Fault]) -> None:
        for row in dict.fromkeys(draft.annotation_row(fault.where) for fault in faults):
            annotation = None if row is None else draft.get("annotations", row)
            shape = draft.shape_of(annotation) if annotation else None
            if row is None or not annotation or not shape:
                continue
            values = cure(annotation, *shape)
            if values is None:
                draft.drop("annotations", row)
            else:
                draft.set("annotations", row, values)

    return cure_each


#: Cures by the fault that they cure, in the order in which they are applied: lists before objects before masks.
COCO_CURES: Mapping[Code, CocoCure] = {
    "broken_member": cure_members,
    "duplicate_id": cure_ids,
    "image_prefix": cure_prefix,
    "duplicate_image": cure_repeated_image,
    "orphan_annotation": drop_annotations,
    "missing_image": drop_images,
    "empty_file": drop_images,
    "unreadable": drop_images,
    "truncated": drop_images,
    "duplicate_content": drop_copied_images,
    "no_size": cure_no_size,
    "size_mismatch": cure_size,
    **{code: cure_annotations(code) for code in ANNOTATION_CURES},
}
