"""The few callables whose meaning the inspection must know, to find arrays."""

from __future__ import annotations

__all__ = ["role_of"]

_ROLES = {
    "numpy.dtype": "dtype",
    "numpy.core.multiarray._reconstruct": "reconstruct",
    "numpy._core.multiarray._reconstruct": "reconstruct",
    "numpy.core.numeric._frombuffer": "frombuffer",
    "numpy._core.numeric._frombuffer": "frombuffer",
    "joblib.numpy_pickle.NumpyArrayWrapper": "wrapper",
    "sklearn.externals.joblib.numpy_pickle.NumpyArrayWrapper": "wrapper",
    "copyreg._reconstructor": "reconstructor",
    "copy_reg._reconstructor": "reconstructor",
    "torch._utils._rebuild_tensor": "tensor",
    "torch._utils._rebuild_tensor_v2": "tensor",
    "torch._utils._rebuild_tensor_v3": "tensor",
    "torch._utils._rebuild_parameter": "parameter",
    "torch._utils._rebuild_parameter_with_state": "parameter",
    "torch._tensor._rebuild_from_type_v2": "typed",
    "collections.OrderedDict": "",
}


def role_of(dotted: str) -> str:
    """The role of a callable; empty for all that has none."""
    return _ROLES.get(dotted, "")
