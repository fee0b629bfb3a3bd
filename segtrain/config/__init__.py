"""Training settings: typed, checked, and published as recipes."""
