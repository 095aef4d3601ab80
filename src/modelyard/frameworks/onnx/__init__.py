"""ONNX: a `ModelProto`, saved as it is.

Nothing of a model runs when it is loaded. Operators that are not part of ONNX need code, so they
must be trusted by name (`domain::Op`); weights in other files must lie within the version.
"""

from __future__ import annotations

from modelyard.frameworks.interface import bases_of
from modelyard.frameworks.onnx.changing import set_structure
from modelyard.frameworks.onnx.reading import signature, structure
from modelyard.frameworks.onnx.saving import claims, load, save
from modelyard.frameworks.onnx.settings import fit, optimizer, params, set_optimizer, set_params

__all__ = [
    "NAME",
    "SERIALIZERS",
    "claims",
    "fit",
    "load",
    "optimizer",
    "params",
    "recognises",
    "save",
    "set_optimizer",
    "set_params",
    "set_structure",
    "signature",
    "structure",
]

NAME = "onnx"
SERIALIZERS = ("onnx",)


def recognises(obj: object) -> bool:
    """A model as protobuf; not the bytes of one, and not a graph alone."""
    return not bases_of(obj).isdisjoint({"onnx.onnx_ml_pb2.ModelProto", "onnx.onnx_pb.ModelProto"})
