"""Pickles that would run something, written opcode by opcode. Most would make the file MARKER."""

from __future__ import annotations

import bz2
import gzip
import lzma
import struct
import zlib
from typing import NamedTuple

import zstandard
from format_builders import npy_header, zipped

__all__ = ["MARKER", "Hostile", "pickles"]

MARKER = "/tmp/modelyard-hostile-marker"
_COMMAND = f"touch {MARKER}"


class Hostile(NamedTuple):
    """A file, and what must be said of it: the kind of the refusal or of a finding."""

    path: str
    data: bytes
    kind: str
    says: str = ""
    """A word that the message must hold."""


def text(value: str) -> bytes:
    raw = value.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def short(value: str) -> bytes:
    raw = value.encode()
    return b"\x8c" + bytes((len(raw),)) + raw


def calling(module: str, name: str, argument: str = _COMMAND) -> bytes:
    """Protocol 4: STACK_GLOBAL, one argument, REDUCE."""
    return b"\x80\x04" + short(module) + short(name) + b"\x93" + text(argument) + b"\x85R."


SYSTEM = calling("os", "system")

_CALLS = {
    "os-system": ("os", "system"),
    "posix-system": ("posix", "system"),
    "subprocess": ("subprocess", "Popen"),
    "eval": ("builtins", "eval"),
    "exec-py2": ("__builtin__", "execfile"),
    "getattr": ("builtins", "getattr"),
    "import": ("builtins", "__import__"),
    "open": ("builtins", "open"),
    "pkgutil": ("pkgutil", "resolve_name"),
    "operator": ("_operator", "methodcaller"),
    "operator-attrgetter": ("operator", "attrgetter"),
    "marshal": ("marshal", "loads"),
    "function-type": ("types", "FunctionType"),
    "code-type": ("types", "CodeType"),
    "timeit": ("timeit", "timeit"),
    "cprofile": ("cProfile", "run"),
    "profile": ("profile", "run"),
    "pdb": ("pdb", "run"),
    "spawn": ("os", "spawnv_passfds"),
    "subinterpreters": ("_xxsubinterpreters", "run_string"),
    "pathlib-touch": ("pathlib", "Path.touch"),
    "osx-support": ("_osx_support", "_read_output"),
    "f2py": ("numpy.f2py.capi_maps", "getinit"),
    "numpy-runstring": ("numpy.testing._private.utils", "runstring"),
    "file-handler": ("logging", "FileHandler"),
    "dotted-logging": ("logging", "os.system"),
    "dotted-joblib": ("joblib.numpy_pickle", "os.system"),
    "dotted-numpy": ("numpy", "os.system"),
    "dotted-module": ("numpy.os", "system"),
    "torch-load": ("torch.serialization", "load"),
    "torch-load-bytes": ("torch.storage", "_load_from_bytes"),
    "joblib-load": ("joblib.numpy_pickle", "load"),
    "pickle-loads": ("_pickle", "loads"),
    "runpy": ("runpy", "run_path"),
    "ctypes": ("ctypes", "CDLL"),
    "asyncio": ("asyncio.unix_events", "_UnixSubprocessTransport._start"),
    "pip": ("pip._internal.cli.main", "main"),
    "sklearn-lookalike": ("sklearn.svm._classes", "SVC.fit"),
    "unicode-lookalike": ("оs", "system"),
    "functools-partial": ("functools", "partial"),
    "copyreg-extension": ("copyreg", "add_extension"),
    "webbrowser": ("webbrowser", "open"),
    "socket": ("socket", "create_connection"),
}


def pickles() -> dict[str, Hostile]:
    """All of them by name."""
    found = {
        f"pickle-{name}": Hostile("m.pkl", calling(*target), "pickle-global", target[1])
        for name, target in _CALLS.items()
    }
    return found | _spellings() | _packed() | _streams() | _broken() | _joblib() | _long()


def _spellings() -> dict[str, Hostile]:
    """The same call in ways that scanners have overlooked."""
    arg = text(_COMMAND)
    old = f"cos\nsystem\n(S'{_COMMAND}'\ntR.".encode()
    escaped = f"\x80\x02S'o\\x73'\nS'sys\\x74em'\n\x93(S'{_COMMAND}'\ntR.".encode("latin-1")
    memo = b"\x80\x04" + short("system") + b"\x94" + short("os") + b"\x94" + b"h\x01h\x00\x93"
    long_memo = b"\x80\x02" + text("system") + b"r\x39\x30\0\0" + text("os") + b"j\x39\x30\0\0\x93"
    computed = b"\x80\x04cbuiltins\nstr\n" + text("os") + b"\x85R" + short("system") + b"\x93"
    return {
        "spelled-protocol-0": Hostile("m.pkl", old, "pickle-global", "os.system"),
        "spelled-as-text": Hostile("notes.txt", old, "pickle-global", "os.system"),
        "spelled-as-text-with-tail": Hostile(
            "notes.txt", old + b" and so on" * 99, "pickle-global", "os.system"
        ),
        "spelled-as-text-without-end": Hostile("m.pkl", old[:-1] + b"\n~~~", "bad-pickle"),
        "spelled-inst": Hostile(
            "m.pkl", f"(S'{_COMMAND}'\nios\nsystem\n.".encode(), "pickle-global", "os.system"
        ),
        "spelled-obj": Hostile("m.pkl", b"\x80\x02(cos\nsystem\n" + arg + b"o.", "pickle-global"),
        "spelled-newobj": Hostile(
            "m.pkl", b"\x80\x02cos\nsystem\n" + arg + b"\x85\x81.", "pickle-global"
        ),
        "spelled-newobj-ex": Hostile(
            "m.pkl", b"\x80\x04cos\nsystem\n" + arg + b"\x85}\x92.", "pickle-global"
        ),
        "spelled-escaped": Hostile("m.pkl", escaped, "pickle-global", "os.system"),
        "spelled-memo": Hostile("m.pkl", memo + arg + b"\x85R.", "pickle-global", "os.system"),
        "spelled-long-memo": Hostile("m.pkl", long_memo + arg + b"\x85R.", "pickle-global"),
        "spelled-dup": Hostile(
            "m.pkl", b"\x80\x04" + short("os") + b"20" + short("system") + b"\x93.", "pickle-global"
        ),
        "spelled-computed": Hostile("m.pkl", computed + b".", "pickle-computed-global"),
        "spelled-called-instance": Hostile(
            "m.pkl",
            b"\x80\x04csklearn.metrics._scorer\n_Scorer\n)\x81}b)R.",
            "pickle-computed-call",
        ),
        "spelled-called-result": Hostile(
            "m.pkl", b"\x80\x04(cbuiltins\nstr\n)Ro.", "pickle-computed-call"
        ),
        "spelled-ext1": Hostile("m.pkl", b"\x80\x02\x82\x01" + arg + b"\x85R.", "pickle-extension"),
        "spelled-ext2": Hostile("m.pkl", b"\x80\x02\x83\x01\x01.", "pickle-extension"),
        "spelled-ext4": Hostile("m.pkl", b"\x80\x02\x84\x01\0\0\1.", "pickle-extension"),
        "spelled-renamed": Hostile("weights.dat", SYSTEM, "pickle-global", "os.system"),
        "spelled-as-safetensors": Hostile("m.safetensors", SYSTEM, "misnamed"),
        "spelled-as-json": Hostile("config.json", SYSTEM, "pickle-global", "os.system"),
        "spelled-after-blob": Hostile(
            "m.pkl",
            b"\x80\x04B" + struct.pack("<I", 1 << 20) + bytes(1 << 20) + b"0" + SYSTEM[2:],
            "pickle-global",
            "os.system",
        ),
        "spelled-in-framed": Hostile(
            "m.pkl", b"\x80\x04\x95" + struct.pack("<Q", 8) + SYSTEM[2:], "pickle-global"
        ),
    }


def _packed() -> dict[str, Hostile]:
    lzma_alone = lzma.compress(SYSTEM, format=lzma.FORMAT_ALONE)
    bomb = gzip.compress(b"\x80\x04" + b"N0" * (1 << 20) + SYSTEM[2:])
    return {
        "packed-gzip": Hostile("m.pkl", gzip.compress(SYSTEM), "pickle-global", "os.system"),
        "packed-gzip-renamed": Hostile("m.bin", gzip.compress(SYSTEM), "pickle-global"),
        "packed-gzip-members": Hostile(
            "m.pkl", gzip.compress(SYSTEM[:9]) + gzip.compress(SYSTEM[9:]), "pickle-global"
        ),
        "packed-bz2": Hostile("m.pkl", bz2.compress(SYSTEM), "pickle-global", "os.system"),
        "packed-xz": Hostile("m.joblib", lzma.compress(SYSTEM), "pickle-global", "os.system"),
        "packed-lzma": Hostile("m.joblib", lzma_alone, "pickle-global", "os.system"),
        "packed-zlib": Hostile("m.pkl.z", zlib.compress(SYSTEM), "pickle-global", "os.system"),
        "packed-zstd": Hostile("m.pkl", zstandard.compress(SYSTEM), "pickle-global", "os.system"),
        "packed-lz4": Hostile("m.joblib", b"\x04\x22\x4d\x18" + bytes(40), "scan-incomplete"),
        "packed-cut": Hostile("m.pkl", gzip.compress(SYSTEM)[:-12], "scan-incomplete"),
        "packed-late": Hostile("m.pkl", bomb, "pickle-global", "os.system"),
        "packed-bomb": Hostile("m.pkl", _gzip_bomb(), "scan-incomplete"),
        "packed-twice": Hostile("m.pkl", gzip.compress(gzip.compress(SYSTEM)), "bad-pickle"),
    }


def _gzip_bomb() -> bytes:
    """A block of two gigabytes: a length that is honest once unpacked."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    out = packer.compress(b"\x80\x04\x8e" + struct.pack("<Q", 2 << 30))
    step = bytes(1 << 22)
    for _ in range(100):
        out += packer.compress(step)
    return out + packer.flush()


def _streams() -> dict[str, Hostile]:
    clean = b"\x80\x04N."
    return {
        "stream-second": Hostile("m.pkl", clean + SYSTEM, "pickle-global", "os.system"),
        "stream-third": Hostile("m.pkl", clean * 2 + SYSTEM, "pickle-global", "os.system"),
        "stream-trailing": Hostile("m.pkl", clean + b"\xff" * 100, "trailing-bytes"),
        "stream-many": Hostile("m.pkl", clean * 5000 + SYSTEM, "scan-incomplete"),
        "stream-in-npy": Hostile("a.npy", _object_npy(SYSTEM), "pickle-global", "os.system"),
        "stream-in-npz": Hostile(
            "a.npz", zipped({"x.npy": _object_npy(SYSTEM)}), "pickle-global", "os.system"
        ),
        "stream-in-packed-npz": Hostile(
            "a.npz", zipped({"x.npy": _object_npy(SYSTEM)}, packed=True), "pickle-global"
        ),
    }


def _object_npy(pickled: bytes) -> bytes:
    return npy_header("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", pickled)


def _broken() -> dict[str, Hostile]:
    return {
        "broken-cut": Hostile("m.pkl", SYSTEM[:-4], "bad-pickle"),
        "broken-opcode": Hostile("m.pkl", b"\x80\x04\xff.", "bad-pickle"),
        "broken-protocol": Hostile("m.pkl", b"\x80\x04\x80\x09.", "bad-pickle"),
        "broken-length": Hostile("m.pkl", b"\x80\x04\x8e" + b"\xff" * 8 + b".", "bad-pickle"),
        "broken-text-length": Hostile("m.pkl", b"\x80\x04\x8d" + b"\xff" * 8 + b".", "bad-pickle"),
        "broken-frame": Hostile("m.pkl", b"\x80\x04\x95" + b"\xff" * 8 + b"N.", "bad-pickle"),
        "broken-stack": Hostile("m.pkl", b"\x80\x04R.", "bad-pickle"),
        "broken-mark": Hostile("m.pkl", b"\x80\x04Nt.", "bad-pickle"),
        "broken-memo": Hostile("m.pkl", b"\x80\x04h\x07.", "bad-pickle"),
        "broken-number": Hostile("m.pkl", b"\x80\x04Ixyz\n.", "bad-pickle"),
        "broken-long": Hostile("m.pkl", b"\x80\x04\x8b\xff\xff\xff\xff.", "bad-pickle"),
        "broken-huge-memo": Hostile("m.pkl", b"\x80\x04Nr\xff\xff\xff\xff\xff.", "bad-pickle"),
        "broken-line": Hostile("m.pkl", b"\x80\x04c" + b"a" * 600_000, "scan-incomplete"),
    }


def _joblib() -> dict[str, Hostile]:
    return {
        "joblib-long": Hostile("m.joblib", _wrapper((1 << 50,)) + b"\x01\xff.", "bad-pickle"),
        "joblib-negative": Hostile("m.joblib", _wrapper((-5,)) + b"\x01\xff.", "bad-pickle"),
        "joblib-dtype": Hostile(
            "m.joblib", _wrapper((1,), b"V3,x") + b"\x01\xff.", "scan-incomplete"
        ),
        "joblib-padding": Hostile("m.joblib", _wrapper((1,)) + SYSTEM[2:], "bad-pickle"),
        "joblib-hidden": Hostile(
            "m.joblib",
            _wrapper((len(SYSTEM),), b"u1", aligned=False) + SYSTEM + b".",
            "joblib-legacy",
        ),
        "joblib-objects": Hostile(
            "m.joblib", _wrapper((1,), b"O8") + SYSTEM + b".", "pickle-global", "os.system"
        ),
        "joblib-nested": Hostile("m.joblib", _wrapper((1,), b"O8") * 200, "scan-incomplete"),
    }


def _wrapper(shape: tuple[int, ...], dtype: bytes = b"u1", *, aligned: bool = True) -> bytes:
    """A NumpyArrayWrapper up to its BUILD, after which joblib's loader reads the array."""
    sides = b"".join(b"\x8a\x08" + struct.pack("<q", side) for side in shape)
    name = b"X" + struct.pack("<I", len(dtype)) + dtype
    state = text("shape") + b"(" + sides + b"t" + text("order") + text("C")
    state += text("dtype") + b"cnumpy\ndtype\n" + name + b"\x89\x88\x87R"
    if aligned:
        state += text("numpy_array_alignment_bytes") + b"K\x10"
    return b"\x80\x04cjoblib.numpy_pickle\nNumpyArrayWrapper\n)\x81}(" + state + b"ub"


def _long() -> dict[str, Hostile]:
    """Work without end: each must stop at the budget."""
    return {
        "long-opcodes": Hostile(
            "m.pkl", b"\x80\x04" + b"N0" * 17_000_000 + SYSTEM, "scan-incomplete"
        ),
        "long-stack": Hostile("m.pkl", b"\x80\x04" + b"}" * 5_000_000, "scan-incomplete"),
        "long-marks": Hostile("m.pkl", b"\x80\x04" + b"(" * 5_000_000, "scan-incomplete"),
        "long-memo": Hostile("m.pkl", b"\x80\x04N" + b"\x94" * 5_000_000, "scan-incomplete"),
        "long-dup": Hostile("m.pkl", b"\x80\x04]" + b"2" * 5_000_000, "scan-incomplete"),
        "long-tuples": Hostile("m.pkl", b"\x80\x04N" + b"\x85" * 5_000_000, "scan-incomplete"),
        "long-lists": Hostile("m.pkl", b"\x80\x04" + b"]" * 400_000 + b"a" * 399_999 + b".", ""),
        "long-names": Hostile("m.pkl", _names(50_000), "pickle-global", "more names"),
        "long-laughs": Hostile("m.pkl", b"\x80\x04N" + b"2\x86" * 300_000 + b".", ""),
    }


def _names(count: int) -> bytes:
    return b"\x80\x04" + b"".join(b"cm%d\nf\n0" % index for index in range(count)) + b"N."
