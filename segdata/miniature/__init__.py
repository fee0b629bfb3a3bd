"""Miniatures of the raw data sets, generated from a seed for the demo, for tests and for trying things out."""
