"""The settings of a training: typed, checked, and published as recipes."""
