"""Labels of black and white among labels of class ids."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from segdata.errors import Fault
from segdata.labels.classes import Classes
from segdata.labels.colormap import IGNORE


@dataclass
class BinaryLabels:
    """Search for labels of only 0 and 255 whose white is probably an object, not the ignore label.

    In a set with ignored pixels, some labels have them beside a class. If none has, and others have classes without
    ignored pixels, the labels probably come from two programs.

    Attributes:
        classes: classes of the data set.

    Example:
        >>> labels = BinaryLabels(Classes(("ground", "road")))
        >>> labels.add("a.png", {0, 1})
        >>> labels.add("b.png", {0, 255})
        >>> [fault.where for fault in labels.faults()]
        ['b.png']
    """

    classes: Classes
    _binary: list[str] = field(default_factory=list)
    _with_class: bool = False
    _with_both: bool = False

    def add(self, name: str, values: Collection[int]) -> None:
        """Add the values of the label of the image `name`."""
        if set(values) - {0, IGNORE}:
            self._with_class = True
            self._with_both |= IGNORE in values
        elif len(values) == 2:
            self._binary.append(name)

    def faults(self) -> Iterator[Fault]:
        """Yield a fault for each label of only 0 and 255, if all of them are suspicious."""
        if self.classes.ignore_label == IGNORE and self._with_class and not self._with_both:
            what = (
                f"the label contains only 0 and {IGNORE}, others contain classes, and none has {IGNORE} beside a class"
            )
            yield from (Fault("binary_among_classes", name, what) for name in self._binary)
