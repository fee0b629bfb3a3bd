"""Convert raw data sets to list files or COCO JSON; one module per data set."""
