"""Segmentation data sets to MindRecord shards that are validated, reproducible and verifiable.

Each command has one function of the same name, which takes its options as arguments and returns a report. The table of
public names is ``__init__.pyi``. Names are imported on first use, so that ``import segdata`` is cheap.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__all__ += ["__version__"]
