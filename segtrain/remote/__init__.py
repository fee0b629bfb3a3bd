"""The programs with an object store in place of a disk: inputs are copied in, outputs copied out."""
