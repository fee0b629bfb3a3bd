"""What trained networks say of images: class ids and instances."""
