"""Segmentation data sets to verifiable MindRecord shards."""
