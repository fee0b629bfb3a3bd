"""Pictures: overlays on images, text, and common parts of figures."""
