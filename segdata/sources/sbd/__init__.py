"""Merge SBD and VOC into one list without validation images."""
