"""The ranges that numbers of the settings have, as types."""

from __future__ import annotations

from typing import Annotated

import msgspec

#: Above 0.
Positive = Annotated[float, msgspec.Meta(gt=0)]

#: 0 or more.
Amount = Annotated[float, msgspec.Meta(ge=0)]

#: A whole number, 1 or more.
Count = Annotated[int, msgspec.Meta(ge=1)]

#: 0 to 1.
Fraction = Annotated[float, msgspec.Meta(ge=0, le=1)]

#: 0 to 1, 1 excluded.
ProperFraction = Annotated[float, msgspec.Meta(ge=0, lt=1)]

#: 0 to 1/2, 1/2 excluded.
MinorFraction = Annotated[float, msgspec.Meta(ge=0, lt=0.5)]

#: The side of an image that is halved five times, in pixels.
InputSide = Annotated[int, msgspec.Meta(ge=32, multiple_of=32)]
