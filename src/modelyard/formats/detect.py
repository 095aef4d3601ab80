"""Which format a file is: by its first bytes, and by its extension only where those don't tell."""

from __future__ import annotations

import re
from typing import Literal

__all__ = ["claimed_by", "detect", "is_text"]

_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
"""Bytes of no text; tabs, line ends, form feeds and colour escapes may be."""

Kind = Literal[
    "zip", "npy", "hdf5", "gguf", "litert", "pickle", "safetensors", "onnx", "savedmodel",
    "pmml", "ubj", "json", "lightgbm", "text", "unknown",
]  # fmt: skip

_MAGIC: tuple[tuple[bytes, Kind], ...] = (
    (b"PK\3\4", "zip"),
    (b"PK\5\6", "zip"),
    (b"\x93NUMPY", "npy"),
    (b"\x89HDF\r\n\x1a\n", "hdf5"),
    (b"GGUF", "gguf"),
    (b"tree\n", "lightgbm"),
)
_PACKED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"\x04\x22\x4d\x18")
_ZLIB = (b"\x78\x01", b"\x78\x9c", b"\x78\xda")

_CLAIMS: dict[str, tuple[str, ...]] = {
    "safetensors": ("safetensors",),
    "onnx": ("onnx",),
    "gguf": ("gguf",),
    "npz": ("npz",),
    "npy": ("npy",),
    "h5": ("hdf5", "keras"),
    "hdf5": ("hdf5", "keras"),
    "keras": ("keras", "hdf5"),
    "pt": ("torch", "pickle", "joblib"),
    "pth": ("torch", "pickle", "joblib"),
    "pkl": ("pickle", "joblib", "torch"),
    "pickle": ("pickle", "joblib", "torch"),
    "joblib": ("joblib", "pickle"),
    "tflite": ("litert",),
    "litert": ("litert",),
    "pmml": ("pmml",),
    "ubj": ("xgboost",),
    "skops": ("skops",),
} | dict.fromkeys(
    ("json", "txt", "md", "csv", "yaml", "yml", "py", "toml"), ("text", "xgboost", "lightgbm")
)


def detect(head: bytes, path: str, size: int) -> Kind:
    """The module that should open a file. `head` is its first 4 KiB, or all of it."""
    found = _by_magic(head, path, size)
    if found is not None:
        return found
    extension = extension_of(path)
    if extension == "safetensors" and not is_text(head):
        return "safetensors"
    if path.rpartition("/")[2] == "saved_model.pb":
        return "savedmodel"
    if extension == "onnx" and not is_text(head):
        return "onnx"
    if extension in ("pkl", "pickle", "joblib", "pt", "pth") and not is_text(head):
        return "pickle"
    if extension == "pb" and _looks_like_onnx(head):
        return "onnx"
    return "text" if is_text(head) else "unknown"


def _by_magic(head: bytes, path: str, size: int) -> Kind | None:
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if head[4:8] == b"TFL3":
        return "litert"
    if extension_of(path) == "safetensors" and _has_json_header(head, size):
        return "safetensors"  # its length may look like the start of a pickle
    if len(head) > 1 and head[0] == 0x80 and head[1] <= 5:
        return "pickle"
    if head.startswith(_PACKED) or head.startswith(_ZLIB):
        return "pickle"
    if head.startswith(b"\x5d\0\0") and extension_of(path) in ("lzma", "joblib", "pkl", "pickle"):
        return "pickle"
    if _has_json_header(head, size):
        return "safetensors"
    return _by_content(head)


def _has_json_header(head: bytes, size: int) -> bool:
    return head[8:9] == b"{" and 2 <= int.from_bytes(head[:8], "little") <= size - 8


def _by_content(head: bytes) -> Kind | None:
    begin = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if head[:1] == b"{" and head[1:2] in b"LilIU" and b"learner" in head[:32] and b"\0" in head:
        return "ubj"
    if begin == b"{" and is_text(head):
        return "json"
    if begin == b"<" and b"<PMML" in head:
        return "pmml"
    if head.startswith((b"\xff\xfe<\0", b"\xfe\xff\0<")):
        return "pmml"
    return None


def _looks_like_onnx(head: bytes) -> bool:
    """An ONNX model begins with its IR version, then names its producer or its graph."""
    return (
        len(head) > 3 and head[0] == 8 and 1 <= head[1] <= 30 and head[2] in b"\x12\x1a\x22\x3a\x42"
    )


def extension_of(path: str) -> str:
    """What stands behind the last dot of the name, in small letters."""
    name = path.rpartition("/")[2]
    return name.rpartition(".")[2].lower() if "." in name else ""


def claimed_by(path: str) -> tuple[str, ...]:
    """The formats that the extension promises; none if it promises nothing."""
    return _CLAIMS.get(extension_of(path), ())


def is_text(head: bytes) -> bool:
    """UTF-8 without control characters, as far as the head shows; its end may be cut."""
    if _CONTROL.search(head):
        return False
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return (
            error.reason == "unexpected end of data"
            and len(head) - error.start < 4
            and len(head) >= 4093
        )
    return True
