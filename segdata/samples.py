"""Samples of a data set, whose files are read on demand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from segdata.coco.annotations import Entry, measure
from segdata.encoded import Encoded
from segdata.errors import Fault
from segdata.images.reading import read_image
from segdata.images.values import ValueRange
from segdata.labels.masks import decode_index_png
from segdata.records.entry import stored_entry
from segdata.records.instance import Instances, make_instances

DatasetKind = Literal["list", "coco", "records"]


class Objects(Protocol):
    """The objects in an image, as a JSON or a record set has them."""

    @property
    def labels(self) -> npt.NDArray[np.int32]:
        """Labels, 1 to K, ``(N,)`` int32."""
        ...

    @property
    def shape(self) -> tuple[int | None, int | None]:
        """Height and width of the image; None where the data set does not say it."""
        ...

    def entry(self) -> Entry:
        """Return the image with its annotations in the form of a JSON."""
        ...

    def instances(self, height: int, width: int, faults: list[Fault]) -> Instances:
        """Return the usable instances of an image of this size; append the faults of the others."""
        ...


@dataclass(frozen=True, slots=True)
class CocoObjects:
    """The annotations of an image in a COCO JSON; see `Objects`."""

    listed: Entry

    @property
    def labels(self) -> npt.NDArray[np.int32]:
        """Labels of the annotations."""
        return self.listed.labels

    @property
    def shape(self) -> tuple[int | None, int | None]:
        """Size that the JSON says."""
        return self.listed.image.height, self.listed.image.width

    def entry(self) -> Entry:
        """Return the image with its annotations."""
        return self.listed

    def instances(self, height: int, width: int, faults: list[Fault]) -> Instances:
        """Return the usable instances; append the faults of the others."""
        annotations = tuple(measure(self.listed, height, width, faults))
        return make_instances(self.listed, annotations, height, width)[0]


@dataclass(frozen=True, slots=True)
class StoredObjects:
    """The instances of a row of a record set; see `Objects`."""

    stored: Instances

    @property
    def labels(self) -> npt.NDArray[np.int32]:
        """Labels of the instances."""
        return self.stored.labels

    @property
    def shape(self) -> tuple[int | None, int | None]:
        """Size of the image."""
        return self.stored.height, self.stored.width

    def entry(self) -> Entry:
        """Return the image with its instances as annotations, numbered from 1."""
        return stored_entry(self.stored)

    def instances(self, height: int, width: int, faults: list[Fault]) -> Instances:
        """Return the instances: all of a record set are usable."""
        return self.stored


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample with everything that a worker needs to process it; its files are not yet read or decoded.

    Attributes:
        name: name of the image in the list, JSON or record.
        image: the encoded image.
        label: the index PNG of a semantic sample, otherwise None.
        objects: the objects of an instance sample, otherwise None.
        value_range: value range of the data set.
    """

    name: str
    image: Encoded
    label: Encoded | None = None
    objects: Objects | None = None
    value_range: ValueRange | None = None

    def read_image(self) -> npt.NDArray[Any]:
        """Return the image as RGB ``(H, W, 3)``; see `segdata.images.reading.read_image`.

        Raises:
            InvalidInputError: when the file is missing, leaves its root, is not an image, is damaged or needs a value
                range.
        """
        return read_image(self.image.read(), self.value_range)

    def index_png(self) -> Encoded:
        """Return the encoded label of a semantic sample."""
        if self.label is None:
            raise TypeError(f"{self.name} has instances, not a label")
        return self.label

    def read_label(self) -> npt.NDArray[np.uint8]:
        """Return the class ids ``(H, W)`` uint8 of a semantic sample.

        Raises:
            InvalidInputError: when the file is missing, leaves its root or is not an index PNG.
        """
        return decode_index_png(self.index_png().read())

    def annotated(self) -> Objects:
        """Return the objects of an instance sample."""
        if self.objects is None:
            raise TypeError(f"{self.name} has a label, not instances")
        return self.objects

    def instances(self, height: int, width: int, faults: list[Fault]) -> Instances:
        """Return the usable instances of an instance sample; append the faults of the others.

        Args:
            height: height of the image.
            width: width of the image.
            faults: list to append to.
        """
        return self.annotated().instances(height, width, faults)
