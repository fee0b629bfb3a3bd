"""Images that a network is trained on and evaluated on: their scores say nothing about new images."""

from __future__ import annotations

from segdata.errors import NAMED
from segdata.records.reader import RecordSet
from segdata.text import plural


def shared_images(training: RecordSet, evaluation: RecordSet) -> tuple[str, ...]:
    """Return a sentence if the two record sets have the same rows, or images of the same names."""
    if training.manifest.inputs == evaluation.manifest.inputs:
        return ("the evaluation set is the training set: its scores say nothing about new images",)
    known = set(training.names())
    shared = [name for name in evaluation.names() if name in known]
    if not shared:
        return ()
    images, more = plural(evaluation.manifest.rows, "image"), ", …" if len(shared) > NAMED else ""
    return (
        f"{len(shared)} of {images} of the evaluation set have the same names as images in the training set: "
        f"{', '.join(shared[:NAMED])}{more}. If they are the same images, scores will be too high; "
        "segdata check --against --hash compares their contents.",
    )
