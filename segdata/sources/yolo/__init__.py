"""YOLO: one text file for each image, with polygons relative to its size."""
