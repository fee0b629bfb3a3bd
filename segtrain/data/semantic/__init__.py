"""Batches for semantic networks: crops and tiles of images with their class ids."""
