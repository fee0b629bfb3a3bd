"""The files that a data set is read from, which no command may replace."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from segdata.dataset import Dataset
from segdata.encoded import File
from segdata.errors import InvalidInputError


def input_files(dataset: Dataset) -> Iterator[Path]:
    """Yield the path of a data set, then those of its images and labels; nothing is read."""
    yield dataset.path
    # Rows of a record set are in its shards, which are not single images.
    if dataset.kind != "records":
        for sample in dataset.samples():
            for encoded in (sample.image, sample.label):
                if isinstance(encoded, File):
                    # A path that leaves its root is a fault of the sample.
                    with suppress(InvalidInputError):
                        yield encoded.find()
