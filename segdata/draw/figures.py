"""Common parts of all figures: colors and export to files."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING, Any

from segdata.draw.lettering import fallback_font, in_first_font

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
    # Each text names its fonts: matplotlib's other default ones would only make pages larger.
    with rc_context({"svg.hashsalt": "segdata", "svg.fonttype": "none", "font.sans-serif": ["DejaVu Sans"]}):
        text = _save(made, format="svg", metadata=nothing, transparent=True).decode()
    return text[text.index("<svg") :].replace(INK, "currentColor")


def _save(made: Figure, **options: Any) -> bytes:
    _choose_fonts(made)
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # A letter without a glyph is drawn as a box; the id next to the name still identifies the class.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        made.savefig(buffer, **options)
    return buffer.getvalue()


def _choose_fonts(made: Figure) -> None:
    """Let the texts of a figure have letters of the fallback font, if any of them needs it."""
    from matplotlib import font_manager
    from matplotlib.text import Text

    texts: list[Text] = made.findobj(Text)
    path = fallback_font() if not all(in_first_font(text.get_text()) for text in texts) else None
    if path:
        font_manager.fontManager.addfont(path)
        family = font_manager.get_font(path).family_name
        for text in texts:
            text.set_fontfamily(["DejaVu Sans", family, "sans-serif"])
