"""Export of checkpoints to files for other programs: MindIR, ONNX or AIR."""
