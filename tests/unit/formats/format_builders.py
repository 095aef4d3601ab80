"""Tiny files of each format, written by hand, so that tests need no machine-learning library."""

from __future__ import annotations

import io
import json
import struct
import zipfile

import numpy as np


def safetensors(header: dict | str | bytes, body: bytes = b"") -> bytes:
    raw = header if isinstance(header, bytes) else None
    if raw is None:
        raw = (header if isinstance(header, str) else json.dumps(header)).encode()
    return struct.pack("<Q", len(raw)) + raw + body


def safetensors_of(arrays: dict[str, np.ndarray], metadata: dict | None = None) -> bytes:
    names = {"<f4": "F32", "<f8": "F64", "<i8": "I64", "|b1": "BOOL", "<f2": "F16"}
    header: dict = {} if metadata is None else {"__metadata__": metadata}
    body = b""
    for name, array in arrays.items():
        data = array.tobytes()
        header[name] = {
            "dtype": names[array.dtype.str],
            "shape": list(array.shape),
            "data_offsets": [len(body), len(body) + len(data)],
        }
        body += data
    return safetensors(header, body)


def zipped(members: dict[str, bytes], *, packed: bool = False) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED) as file:
        for name, data in members.items():
            file.writestr(zipfile.ZipInfo(name), data, file.compression)
    return out.getvalue()


def npy(array: np.ndarray, *, allow_pickle: bool = False) -> bytes:
    out = io.BytesIO()
    np.save(out, array, allow_pickle=allow_pickle)
    return out.getvalue()


def npy_header(text: str, body: bytes = b"") -> bytes:
    raw = text.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(raw)) + raw + body


def npz(arrays: dict[str, np.ndarray], *, packed: bool = False) -> bytes:
    out = io.BytesIO()
    (np.savez_compressed if packed else np.savez)(out, **arrays)
    return out.getvalue()


# --- protobuf ------------------------------------------------------------------------------


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = b""
    while value > 0x7F:
        out += bytes((value & 0x7F | 0x80,))
        value >>= 7
    return out + bytes((value,))


def pb(number: int, value: int | str | bytes) -> bytes:
    """One field: a number as varint, text and bytes with their length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    raw = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(raw)) + raw


def onnx_tensor(
    name: str, dims: list[int], data: bytes, *, dtype: int = 1, field: int = 9
) -> bytes:
    return b"".join(pb(1, side) for side in dims) + pb(2, dtype) + pb(8, name) + pb(field, data)


def onnx_external(name: str, dims: list[int], **entries: str) -> bytes:
    parts = b"".join(pb(13, pb(1, key) + pb(2, value)) for key, value in entries.items())
    return b"".join(pb(1, side) for side in dims) + pb(2, 1) + pb(8, name) + parts + pb(14, 1)


def onnx_value(name: str, sides: list[int | str]) -> bytes:
    shape = b"".join(pb(1, pb(1, s) if isinstance(s, int) else pb(2, s)) for s in sides)
    return pb(1, name) + pb(2, pb(1, pb(1, 1) + pb(2, shape)))


def onnx_node(op: str, *, domain: str = "", attributes: bytes = b"", output: str = "y") -> bytes:
    return pb(1, "x") + pb(2, output) + pb(4, op) + attributes + (pb(7, domain) if domain else b"")


def onnx(graph: bytes, *, opset: int = 18) -> bytes:
    return pb(1, 9) + pb(2, "hand") + pb(7, graph) + pb(8, pb(1, "") + pb(2, opset))


def onnx_simple() -> bytes:
    weights = np.arange(6, dtype="<f4").tobytes()
    return onnx(
        pb(1, onnx_node("MatMul"))
        + pb(2, "g")
        + pb(5, onnx_tensor("w", [3, 2], weights))
        + pb(11, onnx_value("x", ["N", 3]))
        + pb(12, onnx_value("y", ["N", 2]))
    )


# --- gguf ----------------------------------------------------------------------------------


def gguf_text(text: str) -> bytes:
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw


def gguf(
    tensors: list[tuple[str, list[int], int, int]],
    body: bytes,
    *,
    keys: bytes = b"",
    count: int | None = None,
    key_count: int = 0,
    version: int = 3,
) -> bytes:
    out = b"GGUF" + struct.pack(
        "<IQQ", version, len(tensors) if count is None else count, key_count
    )
    out += keys
    for name, sides, kind, offset in tensors:
        out += gguf_text(name) + struct.pack("<I", len(sides))
        out += b"".join(struct.pack("<Q", side) for side in sides) + struct.pack(
            "<IQ", kind, offset
        )
    return out + b"\0" * (-len(out) % 32) + body


# --- flatbuffers ---------------------------------------------------------------------------


class Flat:
    """Writes tables from the front, children after parents: enough for a test."""

    def __init__(self) -> None:
        self.out = bytearray(b"\0\0\0\0TFL3")

    def align(self, size: int = 4) -> None:
        self.out += b"\0" * (-len(self.out) % size)

    def table(self, count: int) -> int:
        """A table of `count` fields of eight bytes each; gives its place."""
        self.align(8)
        vtable = len(self.out)
        self.out += struct.pack("<HH", 4 + 2 * count, 8 + 8 * count)
        self.out += b"".join(struct.pack("<H", 8 + 8 * index) for index in range(count))
        self.align(8)
        place = len(self.out)
        self.out += struct.pack("<iI", place - vtable, 0) + b"\0" * (8 * count)
        return place

    def drop(self, table: int, index: int) -> None:
        """Take a field away: it has its default then."""
        (back,) = struct.unpack_from("<i", self.out, table)
        struct.pack_into("<H", self.out, table - back + 4 + 2 * index, 0)

    def number(self, table: int, index: int, value: int) -> None:
        struct.pack_into("<q", self.out, table + 8 + 8 * index, value)

    def refer(self, table: int, index: int, target: int) -> None:
        at = table + 8 + 8 * index
        struct.pack_into("<I", self.out, at, target - at)

    def bytes(self, data: bytes, count: int | None = None) -> int:
        self.align(16)
        self.out += b"\0" * 12
        place = len(self.out)
        self.out += struct.pack("<I", len(data) if count is None else count) + data
        return place

    def vector(self, count: int) -> int:
        """Room for references to tables that come later, since references lead forward."""
        self.align(4)
        place = len(self.out)
        self.out += struct.pack("<I", count) + b"\0" * (4 * count)
        return place

    def point(self, vector: int, index: int, target: int) -> None:
        at = vector + 4 + 4 * index
        struct.pack_into("<I", self.out, at, target - at)


def litert(*, shape: tuple[int, ...] = (2, 3), buffer: int = 1, custom: str = "") -> bytes:
    flat = Flat()
    model = flat.table(5)
    struct.pack_into("<I", flat.out, 0, model)
    flat.number(model, 0, 3)
    vectors = [flat.vector(count) for count in (1, 1, 2)]
    for index, vector in zip((1, 2, 4), vectors, strict=True):
        flat.refer(model, index, vector)
    flat.refer(model, 3, flat.bytes(b"by hand"))
    codes, graph = flat.table(4), flat.table(3)
    tensors = flat.vector(1)
    empty, filled, tensor = flat.table(1), flat.table(1), flat.table(4)
    for vector, index, target in (
        (vectors[0], 0, codes),
        (vectors[1], 0, graph),
        (vectors[2], 0, empty),
        (vectors[2], 1, filled),
        (tensors, 0, tensor),
    ):
        flat.point(vector, index, target)
    if custom:
        flat.number(codes, 0, 32)
        flat.number(codes, 3, 32)
        flat.refer(codes, 1, flat.bytes(custom.encode()))
    else:
        flat.drop(codes, 1)
    flat.drop(empty, 0)
    flat.refer(filled, 0, flat.bytes(np.arange(6, dtype="<f4").tobytes()))
    flat.refer(tensor, 0, flat.bytes(struct.pack(f"<{len(shape)}i", *shape), len(shape)))
    flat.number(tensor, 2, buffer)
    flat.refer(tensor, 3, flat.bytes(b"w"))
    flat.refer(graph, 0, tensors)
    flat.refer(graph, 1, flat.bytes(struct.pack("<i", 0), 1))
    flat.refer(graph, 2, flat.bytes(struct.pack("<i", 0), 1))
    return bytes(flat.out)
