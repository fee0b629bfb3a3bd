"""Common parts of all figures: colors and export to files."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure


#: Colors of figures: `ACCENT` for data, `INK` for text and lines.
ACCENT = "#2f7fb5"


INK = "#3a3f44"


def to_png(made: Figure) -> bytes:
    """Render a figure as PNG; the same figure gives the same bytes."""
    return _save(made, format="png", dpi=150, metadata={"Software": None})


def to_svg(made: Figure) -> str:
    """Render a figure as an ``<svg>`` element for a page; the same figure gives the same text.

    Text stays text. Text and lines have the color of the page (``currentColor``); the background is transparent.
    """
    from matplotlib import rc_context

    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    with rc_context({"svg.hashsalt": "segdata", "svg.fonttype": "none"}):
        text = _save(made, format="svg", metadata=nothing, transparent=True).decode()
    return text[text.index("<svg") :].replace(INK, "currentColor")


def _save(made: Figure, **options: Any) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # A letter without a glyph is drawn as a box; the id next to the name still identifies the class.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        made.savefig(buffer, **options)
    return buffer.getvalue()
