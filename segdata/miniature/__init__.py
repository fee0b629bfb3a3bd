"""A miniature of each raw data set, made from a seed: for the demo, for tests, for a first look."""
