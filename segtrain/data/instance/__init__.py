"""Batches for instance networks: images with their boxes and masks."""
