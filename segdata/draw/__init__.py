"""Pictures: colors over an image, letters, and what figures have in common."""
