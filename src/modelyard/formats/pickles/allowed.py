"""The names that a pickle may import without alarm: exact, and few.

A list of what is allowed, because lists of what is forbidden are always behind. Each name only
builds a value: none opens, imports, evaluates, or gives back an attribute of something else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.formats.pickles.allowed_sklearn import SKLEARN

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["framework_of", "is_allowed"]

_SCALARS = (
    "bool bool_ int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64 "
    "complex64 complex128 str_ bytes_ object_ void datetime64 timedelta64 longlong ulonglong"
)
_RANDOM = "__randomstate_ctor __generator_ctor __bit_generator_ctor BitGenerator_ctor"
_MATHS = (
    "mean median sum min max amin amax std var prod log log1p log2 log10 exp expm1 sqrt square "
    "abs absolute sign sin cos tan tanh nan_to_num"
)
_ARRAYS = "_reconstruct scalar"
_STORAGES = (
    "FloatStorage DoubleStorage HalfStorage BFloat16Storage LongStorage IntStorage ShortStorage "
    "CharStorage ByteStorage BoolStorage ComplexFloatStorage ComplexDoubleStorage QInt8Storage "
    "QUInt8Storage QInt32Storage QUInt4x2Storage QUInt2x4Storage"
)
_TORCH_DTYPES = (
    "float32 float64 float16 bfloat16 uint8 int8 int16 int32 int64 bool complex32 complex64 "
    "complex128 uint16 uint32 uint64 float8_e4m3fn float8_e5m2 float8_e4m3fnuz float8_e5m2fnuz "
    "float8_e8m0fnu qint8 quint8 qint32 per_tensor_affine per_channel_affine strided sparse_coo "
    "device Size Tensor BoolTensor LongTensor FloatTensor"
)
_REBUILT = (
    "_rebuild_tensor _rebuild_tensor_v2 _rebuild_tensor_v3 _rebuild_parameter "
    "_rebuild_parameter_with_state _rebuild_qtensor _rebuild_sparse_tensor "
    "_rebuild_sparse_csr_tensor _rebuild_meta_tensor_no_storage _rebuild_device_tensor_from_numpy "
    "_rebuild_device_tensor_from_cpu_tensor _rebuild_nested_tensor _rebuild_wrapper_subclass"
)

_NAMES: dict[str, str] = {
    "builtins": "set frozenset object complex bytearray slice range int float str bytes bool "
    "list tuple dict",
    "__builtin__": "set frozenset object complex bytearray slice xrange int long float str "
    "unicode bytes bool list tuple dict",
    "copyreg": "_reconstructor",
    "copy_reg": "_reconstructor",
    "_codecs": "encode",
    "collections": "OrderedDict defaultdict deque Counter",
    "datetime": "datetime date time timedelta timezone",
    "decimal": "Decimal",
    "fractions": "Fraction",
    "uuid": "UUID",
    "numpy": f"dtype ndarray matrix {_SCALARS} {_MATHS}",
    "numpy.ma": "_mareconstruct MaskedArray",
    "numpy.core.multiarray": _ARRAYS,
    "numpy._core.multiarray": _ARRAYS,
    "numpy.core.numeric": "_frombuffer",
    "numpy._core.numeric": "_frombuffer",
    "numpy.ma.core": "_mareconstruct MaskedArray",
    "numpy.random": _RANDOM,
    "numpy.random._pickle": _RANDOM,
    "numpy.random._mt19937": "MT19937",
    "numpy.random._pcg64": "PCG64 PCG64DXSM",
    "numpy.random._philox": "Philox",
    "numpy.random._sfc64": "SFC64",
    "numpy.random._generator": "Generator",
    "numpy.random.mtrand": "RandomState",
    "numpy.random.bit_generator": "SeedSequence __pyx_unpickle_SeedSequence",
    "joblib.numpy_pickle": "NumpyArrayWrapper",
    "sklearn.externals.joblib.numpy_pickle": "NumpyArrayWrapper",
    "scipy.sparse._csr": "csr_matrix csr_array",
    "scipy.sparse._csc": "csc_matrix csc_array",
    "scipy.sparse._coo": "coo_matrix coo_array",
    "scipy.sparse._lil": "lil_matrix lil_array",
    "scipy.sparse._dok": "dok_matrix dok_array",
    "scipy.sparse.csr": "csr_matrix",
    "scipy.sparse.csc": "csc_matrix",
    "scipy.interpolate._bsplines": "BSpline",
    "scipy._lib.array_api_compat.numpy._aliases": "asarray",
    "torch": f"{_STORAGES} {_TORCH_DTYPES}",
    "torch.storage": "UntypedStorage TypedStorage",
    "torch._utils": _REBUILT,
    "torch._tensor": "_rebuild_from_type_v2",
    "torch.jit._pickle": "build_intlist build_tensorlist build_doublelist build_boollist",
    "torch.nn.parameter": "Parameter Buffer",
    "torch.serialization": "_get_layout",
    "xgboost.core": "Booster",
    "xgboost.sklearn": "XGBModel XGBClassifier XGBRegressor XGBRanker XGBRFClassifier "
    "XGBRFRegressor",
    "lightgbm.basic": "Booster",
    "lightgbm.sklearn": "LGBMModel LGBMClassifier LGBMRegressor LGBMRanker _LGBMClassifier",
}  # fmt: skip

_ALLOWED = frozenset(
    f"{module}.{name}" for module, names in _NAMES.items() for name in names.split()
) | frozenset(
    f"sklearn.{module}.{name}" for module, names in SKLEARN.items() for name in names.split()
)

_FRAMEWORKS = ("sklearn", "xgboost", "lightgbm", "transformers", "torch", "tensorflow", "keras")


def is_allowed(dotted: str) -> bool:
    """Whether `module.name` is known to build a value and do nothing else."""
    return dotted in _ALLOWED


def framework_of(names: Iterable[str]) -> str | None:
    """The library whose objects these names belong to."""
    roots = {name.partition(".")[0] for name in names}
    return next((known for known in _FRAMEWORKS if known in roots), None)
