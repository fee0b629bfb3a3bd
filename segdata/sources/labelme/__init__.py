"""labelme: one JSON for each image, with polygons, other shapes and masks."""
