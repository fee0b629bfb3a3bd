"""Train, evaluate and predict segmentation models from record sets."""
