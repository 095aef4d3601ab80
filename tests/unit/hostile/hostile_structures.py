"""Files whose structure lies: lengths, offsets, counts, names."""

from __future__ import annotations

import json
import struct
import zlib

import numpy as np
from format_builders import (
    gguf,
    gguf_text,
    litert,
    npy_header,
    onnx,
    onnx_external,
    onnx_node,
    onnx_simple,
    onnx_tensor,
    pb,
    safetensors,
    varint,
    zipped,
)
from hostile_pickles import SYSTEM, Hostile, calling

__all__ = ["structures"]


def structures() -> dict[str, Hostile]:
    """All of them by name."""
    return _safetensors() | _zips() | _numpy() | _torch() | _onnx() | _gguf() | _keras() | _texts()


def _safetensors() -> dict[str, Hostile]:
    def entry(start: int, end: int, shape: object = None, dtype: object = "U8") -> dict:
        sides = [end - start] if shape is None else shape
        return {"dtype": dtype, "shape": sides, "data_offsets": [start, end]}

    good = json.dumps({"a": entry(0, 4)})
    cases: dict[str, bytes] = {
        "empty-length": b"\0" * 4,
        "length-beyond": struct.pack("<Q", 1 << 40) + b"{}",
        "length-huge": struct.pack("<Q", (1 << 64) - 1) + b"{}",
        "not-json": safetensors("{nope}"),
        "list": safetensors("[]"),
        "leading-space": safetensors(" " + good, bytes(4)),
        "duplicate-keys": safetensors(good[:-1] + "," + good[1:], bytes(4)),
        "duplicate-fields": safetensors(good.replace('"dtype"', '"dtype":"I8","dtype"'), bytes(4)),
        "overlap": safetensors({"a": entry(0, 4), "b": entry(2, 6)}, bytes(6)),
        "same-range": safetensors({"a": entry(0, 4), "b": entry(0, 4)}, bytes(4)),
        "gap": safetensors({"a": entry(0, 4), "b": entry(5, 6)}, bytes(6)),
        "beyond": safetensors({"a": entry(0, 400)}, bytes(4)),
        "trailing": safetensors(good, bytes(40)),
        "cut": safetensors(good, bytes(3)),
        "reversed": safetensors({"a": entry(4, 0, [4])}, bytes(4)),
        "negative-shape": safetensors({"a": entry(0, 4, [-1, -4])}, bytes(4)),
        "overflow-shape": safetensors({"a": entry(0, 4, [1 << 62, 4])}, bytes(4)),
        "float-shape": safetensors({"a": entry(0, 4, [4.0])}, bytes(4)),
        "nan-shape": safetensors(good.replace("[4]", "[NaN]"), bytes(4)),
        "bool-shape": safetensors({"a": entry(0, 1, [True])}, bytes(1)),
        "unknown-dtype": safetensors({"a": entry(0, 4, [4], "Q4")}, bytes(4)),
        "list-dtype": safetensors({"a": entry(0, 4, [4], [])}, bytes(4)),
        "extra-field": safetensors({"a": entry(0, 4) | {"code": "x"}}, bytes(4)),
        "bad-metadata": safetensors({"__metadata__": {"a": 1}, "a": entry(0, 4)}, bytes(4)),
        "deep": safetensors('{"a":' + "[" * 100_000 + "]" * 100_000 + "}"),
        "many-lists": safetensors('{"a":[' + "[]," * 3_000_000 + "[]]}"),
        "long-number": safetensors(good.replace("[4]", "[" + "9" * 100_000 + "]"), bytes(4)),
        "bad-text": safetensors(b'{"\xff\xfe":1}'),
    }
    return {
        f"safetensors-{name}": Hostile("m.safetensors", data, "bad-safetensors")
        for name, data in cases.items()
    }


def _zips() -> dict[str, Hostile]:
    good = zipped({"a.npy": npy_header(_HEADER, bytes(8)), "b.npy": npy_header(_HEADER, bytes(8))})
    end = good.rfind(b"PK\5\6")
    bomb = bytearray(zipped({"a.npy": bytes(1000)}, packed=True))
    central = bomb.rfind(b"PK\1\2")
    struct.pack_into("<I", bomb, central + 24, 0xFFFF_FFF0)
    crypt = bytearray(good)
    crypt[good.rfind(b"PK\1\2") + 8] |= 1
    count = bytearray(good)
    struct.pack_into("<HH", count, end + 8, 60_000, 60_000)
    cases: dict[str, bytes] = {
        "cut": good[:-30],
        "prefix": good[:4] + b"MZ" + good[4:],
        "trailing": good + b"more",
        "member-size": _patched(good, b"PK\1\2", 20, b"\xff\xff\x00\x00"),
        "member-offset": _patched(good, b"PK\1\2", 42, b"\xff\xff\x00\x00"),
        "overlap": _patched(good, b"PK\1\2", 42, b"\0\0\0\0"),
        "local-name": good.replace(b"a.npy", b"c.npy", 1),
        "duplicate": good.replace(b"b.npy", b"a.npy"),
        "traversal": good.replace(b"b.npy", b"../.y"),
        "absolute": good.replace(b"b.npy", b"/.npy"),
        "drive": good.replace(b"b.npy", b"C:npy"),
        "backslash": good.replace(b"b.npy", b"..\\ay"),
        "nul": good.replace(b"b.npy", b"b\0npy"),
        "encrypted": bytes(crypt),
        "count": bytes(count),
        "bomb": bytes(bomb),
        "disks": _patched(good, b"PK\5\6", 4, b"\x07\0"),
    }
    return {f"zip-{name}": Hostile("a.npz", data, "bad-zip") for name, data in cases.items()}


_HEADER = "{'descr': '<f8', 'fortran_order': False, 'shape': (1,), }"


def _patched(data: bytes, magic: bytes, skip: int, new: bytes) -> bytes:
    at = data.rfind(magic) + skip
    return data[:at] + new + data[at + len(new) :]


def _numpy() -> dict[str, Hostile]:
    def header(descr: str, shape: str) -> bytes:
        return npy_header(f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}")

    cases = {
        "cut": header("'<f8'", "(4,)") + bytes(31),
        "huge": header("'<f8'", "(1000000000000,)"),
        "overflow": header("'<f8'", "(4611686018427387904, 8)"),
        "negative": header("'<f8'", "(-4,)") + bytes(32),
        "code": npy_header("__import__('os').system('x')"),
        "deep": npy_header("(" * 9000 + ")" * 9000),
        "length": b"\x93NUMPY\x02\x00" + struct.pack("<I", 1 << 31) + b"{",
        "version": b"\x93NUMPY\x09\x00\x10\x00" + b" " * 16,
        "dtype": header("'<q99'", "(4,)"),
        "float-shape": header("'<f8'", "(4.0,)") + bytes(32),
        "bool-shape": header("'<f8'", "(True,)") + bytes(32),
        "missing-field": npy_header("{'descr': '<f8'}"),
        "structured": header("[('a', '<f8', (-1,))]", "(4,)"),
    }
    return {f"npy-{name}": Hostile("a.npy", data, "bad-npy") for name, data in cases.items()}


def _torch_data(key: str, count: int, size: int, stride: int = 1, offset: int = 0) -> bytes:
    """A data.pkl with one float tensor over a storage."""

    def number(value: int) -> bytes:
        return b"\x8a\x08" + struct.pack("<q", value)

    def word(value: str) -> bytes:
        return b"X" + struct.pack("<I", len(value)) + value.encode()

    pid = b"(" + word("storage") + b"ctorch\nFloatStorage\n" + word(key) + word("cpu")
    pid += number(count) + b"tQ"
    view = number(offset) + number(size) + b"\x85" + number(stride) + b"\x85"
    tensor = b"ctorch._utils\n_rebuild_tensor_v2\n(" + pid + view + b"\x89}tR"
    return b"\x80\x02}" + word("w") + tensor + b"s."


def _torch() -> dict[str, Hostile]:
    def file(pickled: bytes, **members: bytes) -> bytes:
        rest = {name.replace("__", "/").replace("_pkl", ".pkl"): m for name, m in members.items()}
        return zipped({"m/data.pkl": pickled, "m/data/0": bytes(16), "m/version": b"3\n"} | rest)

    good = _torch_data("0", 4, 4)
    cases = {
        "global": (file(SYSTEM), "pickle-global"),
        "extra-pickle": (file(good, m__evil_pkl=SYSTEM), "extra-pickle"),
        "second-root": (file(good, n__data_pkl=SYSTEM), "extra-pickle"),
        "constants": (file(good, m__constants_pkl=SYSTEM), "pickle-global"),
        "stray": (file(good, evil=b"x"), "stray-member"),
        "script": (file(good, m__code__x=b"x"), "torchscript"),
        "missing-storage": (file(_torch_data("9", 4, 4)), "bad-torch"),
        "short-storage": (file(_torch_data("0", 400, 400)), "bad-torch"),
        "view-beyond": (file(_torch_data("0", 4, 5)), "bad-torch"),
        "offset-beyond": (file(_torch_data("0", 4, 4, offset=1)), "bad-torch"),
        "stride-beyond": (file(_torch_data("0", 4, 4, stride=1 << 40)), "bad-torch"),
        "cut-pickle": (file(good[:-9]), "bad-pickle"),
        "traversal": (file(good, **{"m__..__x": b""}), "bad-zip"),
        "packed": (zipped({"m/data.pkl": SYSTEM}, packed=True), "pickle-global"),
    }
    found = {f"torch-{name}": Hostile("m.pt", *case) for name, case in cases.items()}
    found["torch-renamed"] = Hostile("m.bin", file(SYSTEM), "pickle-global")
    return found


def _onnx() -> dict[str, Hostile]:
    def tensors(*raw: bytes) -> bytes:
        return onnx(pb(1, onnx_node("Add")) + b"".join(pb(5, tensor) for tensor in raw))

    def external(**entries: str) -> bytes:
        return tensors(onnx_external("w", [2], **entries))

    deep = onnx_node("Add")
    for _ in range(80):
        deep = onnx_node("If", attributes=pb(5, pb(1, "a") + pb(6, pb(1, deep))))
    good = onnx_simple()
    cases = {
        "cut": (good[:-7], "bad-onnx"),
        "no-graph": (pb(1, 9) + pb(2, "x"), "bad-onnx"),
        "two-graphs": (good + pb(7, b""), "bad-onnx"),
        "length": (pb(1, 9) + b"\x3a" + varint(1 << 40), "bad-onnx"),
        "varint": (pb(1, 9) + b"\x3a" + b"\xff" * 11, "bad-onnx"),
        "wire": (pb(1, 9) + b"\x3b", "bad-onnx"),
        "field-zero": (pb(1, 9) + b"\x00\x00", "bad-onnx"),
        "short-raw": (tensors(onnx_tensor("w", [9], bytes(8))), "bad-onnx"),
        "negative": (tensors(onnx_tensor("w", [-1], bytes(8))), "bad-onnx"),
        "overflow": (tensors(onnx_tensor("w", [1 << 47] * 3, bytes(8))), "bad-onnx"),
        "dtype": (tensors(onnx_tensor("w", [1], bytes(8), dtype=99)), "bad-onnx"),
        "twice-raw": (tensors(onnx_tensor("w", [2], bytes(8)) + pb(9, bytes(8))), "bad-onnx"),
        "dims": (tensors(onnx_tensor("w", [1] * 100, bytes(4))), "bad-onnx"),
        "deep": (onnx(pb(1, deep)), "bad-onnx"),
        "custom-op": (onnx(pb(1, onnx_node("Run", domain="evil.ops"))), "custom-op"),
        "no-location": (external(offset="0"), "bad-onnx"),
        "bad-offset": (external(location="w.bin", offset="-8"), "bad-onnx"),
        "long-offset": (external(location="w.bin", offset="9" * 50), "bad-onnx"),
        "bad-length": (external(location="w.bin", length="9"), "bad-onnx"),
        "traversal": (external(location="../../etc/passwd"), "external-data"),
        "absolute": (external(location="/etc/passwd"), "external-data"),
        "backslash": (external(location="..\\..\\x"), "external-data"),
        "drive": (external(location="C:/x"), "external-data"),
        "url": (external(location="http://x/y"), "external-data"),
        "many-fields": (onnx(b"".join([pb(2, "")] * 3_000_000)), "bad-onnx"),
    }
    return {f"onnx-{name}": Hostile("m.onnx", *case) for name, case in cases.items()} | {
        "savedmodel-pyfunc": Hostile(
            "saved_model.pb", pb(1, 1) + pb(2, pb(2, pb(1, pb(2, "PyFunc")))), "unsafe-op"
        ),
        "savedmodel-read": Hostile(
            "saved_model.pb", pb(2, pb(2, pb(2, pb(1, pb(3, pb(2, "ReadFile")))))), "unsafe-op"
        ),
        "savedmodel-cut": Hostile("saved_model.pb", pb(2, pb(2, b"x" * 50))[:-9], "bad-savedmodel"),
    }


def _gguf() -> dict[str, Hostile]:
    one = [("w", [4], 0, 0)]
    key = gguf_text("k")
    text_array = key + struct.pack("<IIQ", 9, 8, 1 << 60)
    cases = {
        "count": gguf(one, bytes(16), count=1 << 60),
        "key-count": gguf(one, bytes(16), key_count=1 << 60),
        "version": gguf(one, bytes(16), version=77),
        "big-endian": gguf(one, bytes(16), version=3 << 24),
        "cut": gguf(one, bytes(8)),
        "offset": gguf([("w", [4], 0, 1 << 62)], bytes(16)),
        "unaligned": gguf([("w", [4], 0, 7)], bytes(64)),
        "overlap": gguf([("w", [16], 0, 0), ("v", [16], 0, 32)], bytes(128)),
        "duplicate": gguf([("w", [4], 0, 0), ("w", [4], 0, 32)], bytes(64)),
        "type": gguf([("w", [4], 999, 0)], bytes(16)),
        "block": gguf([("w", [5], 12, 0)], bytes(999)),
        "dims": gguf([("w", [1] * 90, 0, 0)], bytes(16)),
        "overflow": gguf([("w", [1 << 40, 1 << 40], 0, 0)], bytes(16)),
        "name": b"GGUF" + struct.pack("<IQQQ", 3, 1, 0, 1 << 60) + bytes(64),
        "array": gguf(one, bytes(16), keys=text_array, key_count=1),
        "nested": gguf(
            one, bytes(16), keys=key + struct.pack("<I", 9) * 9 + bytes(99), key_count=1
        ),
        "value-type": gguf(one, bytes(16), keys=key + struct.pack("<I", 99), key_count=1),
        "duplicate-key": gguf(
            one, bytes(16), keys=(key + struct.pack("<IB", 0, 1)) * 2, key_count=2
        ),
        "alignment": gguf(
            one,
            bytes(16),
            keys=gguf_text("general.alignment") + struct.pack("<II", 4, 0),
            key_count=1,
        ),
    }
    return {f"gguf-{name}": Hostile("m.gguf", data, "bad-gguf") for name, data in cases.items()} | {
        "litert-cut": Hostile("m.tflite", litert()[:-30], "bad-litert"),
        "litert-shape": Hostile("m.tflite", litert(shape=(9, 9)), "bad-litert"),
        "litert-buffer": Hostile("m.tflite", litert(buffer=77), "bad-litert"),
        "litert-root": Hostile("m.tflite", b"\xff\xff\xff\x7fTFL3" + bytes(64), "bad-litert"),
        "litert-custom": Hostile("m.tflite", litert(custom="Evil"), "custom-op"),
    }


def _keras() -> dict[str, Hostile]:
    def file(config: object) -> bytes:
        text = config if isinstance(config, str) else json.dumps(config)
        return zipped({"config.json": text.encode(), "metadata.json": b"{}"})

    layer = {"class_name": "Dense", "module": "keras.layers"}

    def layers(*more: dict) -> dict:
        return {"class_name": "Sequential", "config": {"layers": [layer, *more]}}

    function = {"class_name": "function", "module": "builtins", "config": "os.system"}
    cases = {
        "lambda": (file(layers({"class_name": "Lambda"})), "lambda-layer"),
        "lambda-function": (file(layers({"fn": {"class_name": "__lambda__"}})), "lambda-layer"),
        "torch-wrapper": (file(layers({"class_name": "TorchModuleWrapper"})), "lambda-layer"),
        "module": (file(layers({"class_name": "system", "module": "os"})), "keras-module"),
        "module-lookalike": (file(layers({"class_name": "X", "module": "kerasx"})), "keras-module"),
        "function": (file(layers({"activation": function})), "keras-function"),
        "registered": (
            file(layers({"class_name": "X", "registered_name": "evil>X"})),
            "keras-custom",
        ),
        "duplicate": (file('{"class_name": "A", "class_name": "B"}'), "bad-keras"),
        "list": (file([]), "bad-keras"),
        "deep": (file('{"a":' + "[" * 5000 + "]" * 5000 + "}"), "bad-keras"),
        "code": (
            zipped({"config.json": b"{}", "metadata.json": b"{}", "x.py": b""}),
            "stray-member",
        ),
    }
    skops = {"__class__": "system", "__module__": "os", "__loader__": "FunctionNode"}
    return {f"keras-{name}": Hostile("m.keras", *case) for name, case in cases.items()} | {
        "skops-type": Hostile(
            "m.skops", zipped({"schema.json": json.dumps(skops).encode()}), "skops-type"
        ),
        "hdf5-cut": Hostile("m.h5", b"\x89HDF\r\n\x1a\n\2\x08\x08" + bytes(20), "bad-hdf5"),
        "hdf5-zeros": Hostile("m.h5", b"\x89HDF\r\n\x1a\n" + bytes(500), "scan-incomplete"),
        "hdf5-version": Hostile("m.h5", b"\x89HDF\r\n\x1a\n\x09" + bytes(500), "bad-hdf5"),
    }


def _texts() -> dict[str, Hostile]:
    laughs = '<!ENTITY a "ha">' + "".join(
        f'<!ENTITY {chr(98 + i)} "{f"&{chr(97 + i)};" * 10}">' for i in range(9)
    )
    pmml = "<PMML version='4.4'>{}</PMML>"
    ubj = b"{L" + struct.pack(">q", 7) + b"learner"
    array = b"[$d#L" + struct.pack(">q", 1 << 40)
    return {
        "pmml-laughs": Hostile(
            "m.pmml",
            f"<?xml version='1.0'?><!DOCTYPE x [{laughs}]>{pmml.format('&j;')}".encode(),
            "bad-pmml",
        ),
        "pmml-external": Hostile(
            "m.pmml",
            f"<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>{pmml.format('&e;')}".encode(),
            "bad-pmml",
        ),
        "pmml-deep": Hostile("m.pmml", pmml.format("<a>" * 9000).encode(), "bad-pmml"),
        "pmml-cut": Hostile("m.pmml", pmml.format("<a>").encode(), "bad-pmml"),
        "xgboost-array": Hostile("m.ubj", ubj + array, "bad-xgboost"),
        "xgboost-deep": Hostile("m.ubj", ubj + b"[" * 100_000, "bad-xgboost"),
        "xgboost-cut": Hostile("m.ubj", ubj + b"{", "bad-xgboost"),
        "xgboost-count": Hostile("m.ubj", ubj + b"[#L" + b"\x7f" * 8, "bad-xgboost"),
        "xgboost-nulls": Hostile("m.ubj", ubj + b"[" + b"Z" * 3_000_000, "bad-xgboost"),
        "xgboost-json": Hostile("m.json", b'{"learner": {}, "learner": {}}', "bad-xgboost"),
        "xgboost-json-deep": Hostile("m.json", b'{"learner": ' + b"[" * 200_000, "bad-xgboost"),
        "lfs-pointer": Hostile(
            "m.safetensors", b"version https://git-lfs.github.com/spec/v1\n", "lfs-pointer"
        ),
        "index-duplicate": Hostile(
            "m.index.json", b'{"weight_map": {}, "weight_map": {}}', "bad-index"
        ),
        "zlib-text": Hostile(
            "m.pkl", zlib.compress(calling("os", "popen")), "pickle-global", "popen"
        ),
        "gap-filled": Hostile("m.npz", np.zeros(4).tobytes(), "misnamed"),
    }
