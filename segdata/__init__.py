"""Segmentation data sets to MindRecord shards that are validated, reproducible and verifiable.

Each command but ``sample`` has a function of the same name (``split`` has `split_list` and `split_coco`), which takes
its options as arguments and returns a report. The table of public names is ``__init__.pyi``. Names are imported on
first use, so that ``import segdata`` is cheap.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__all__ += ["__version__"]
