"""Inspect a data set before training: count its contents, find faults, show its images."""
