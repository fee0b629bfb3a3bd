"""Label masks: classes, colors and PNG files."""
