"""A path here or a URL there: what a place is called, and what copies files to and from an object store."""
