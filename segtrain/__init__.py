"""Train, evaluate and use segmentation networks on record sets.

Each command but ``rank-table`` has a function, usually of the same name (``eval`` is `evaluate`), which takes paths and
object-store URLs and returns a report. The table of public names is ``__init__.pyi``. Names are imported on first use,
so that ``import segtrain`` is cheap.
"""

import lazy_loader

from segdata import __version__ as __version__

_import_name, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__all__ += ["__version__"]


def __getattr__(name: str) -> object:
    """Import a public name on first use."""
    # Not at the top: an import of segtrain alone imports no module of it.
    from segtrain.requirements import naming_the_extra

    with naming_the_extra():
        return _import_name(name)
