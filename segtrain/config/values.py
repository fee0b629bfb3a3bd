"""Value ranges of numeric settings, as types."""

from __future__ import annotations

from typing import Annotated

import msgspec

#: Above 0.
Positive = Annotated[float, msgspec.Meta(gt=0)]

#: 0 or more.
Amount = Annotated[float, msgspec.Meta(ge=0)]

#: An integer, 1 or more.
Count = Annotated[int, msgspec.Meta(ge=1)]

#: 0 to 1.
Fraction = Annotated[float, msgspec.Meta(ge=0, le=1)]

#: 0 or more, below 1.
ProperFraction = Annotated[float, msgspec.Meta(ge=0, lt=1)]

#: 0 or more, below 1/2.
MinorFraction = Annotated[float, msgspec.Meta(ge=0, lt=0.5)]

#: Red, green and blue.
Channels = tuple[float, float, float]

#: Side in pixels of an image that is halved five times.
InputSide = Annotated[int, msgspec.Meta(ge=32, multiple_of=32)]
