"""Graphs of ONNX: converted into, made simpler, and with fewer bits."""
