"""Slice TIFF stacks page by page into images, index masks and lists."""
