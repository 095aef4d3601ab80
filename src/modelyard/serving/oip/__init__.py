"""The Open Inference Protocol, version 2, over HTTP: bytes to tensors and tensors to bytes.

Sources: kserve/open-inference-protocol (rest), and Triton's extensions binary_tensor_data,
model_repository and statistics. docs/spec/inference-1.md tells what of them is spoken.
"""
