"""What all drawn figures have in common: their colors, and how they become files."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure


#: The one color that carries numbers, and that of all writing and lines.
ACCENT = "#2f7fb5"


INK = "#3a3f44"


def to_png(made: Figure) -> bytes:
    """Return a figure as PNG; the same figure gives the same bytes."""
    return _save(made, format="png", dpi=150, metadata={"Software": None})


def to_svg(made: Figure) -> str:
    """Return a figure as an ``<svg>`` element for a page; the same figure gives the same text.

    Writing stays text. It and the lines have the page's color (``currentColor``); there is no ground.
    """
    from matplotlib import rc_context

    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    with rc_context({"svg.hashsalt": "segdata", "svg.fonttype": "none"}):
        text = _save(made, format="svg", metadata=nothing, transparent=True).decode()
    return text[text.index("<svg") :].replace(INK, "currentColor")


def _save(made: Figure, **options: Any) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # A letter that no font has is drawn as a box; the id beside the name still tells the class.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        made.savefig(buffer, **options)
    return buffer.getvalue()
