"""Train, evaluate and predict on an object store: download the inputs, upload the outputs."""
