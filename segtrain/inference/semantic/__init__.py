"""Class ids for images: input sizes, tiles and their results."""
