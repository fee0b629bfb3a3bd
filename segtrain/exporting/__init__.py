"""A checkpoint as a file for other programs: MindIR, ONNX or AIR."""
