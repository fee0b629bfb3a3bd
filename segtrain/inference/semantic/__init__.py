"""Semantic inference: input sizes, tiles, class ids and output files."""
