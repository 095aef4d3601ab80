"""Pickle and joblib files: whatever is not trusted by name is refused, and nothing of it runs."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import pickle
import pickletools
import re
import sys
import zlib
from collections import OrderedDict

import joblib
import numpy as np
import pytest

from modelyard.core.trust import TRUST_ALL, Trust
from modelyard.errors import Denied, InvalidInput
from modelyard.frameworks import pickling

BENIGN = (
    "collections.OrderedDict", "numpy.dtype", "numpy.ndarray", "builtins.list", "builtins.object",
    "numpy._core.multiarray._reconstruct", "numpy._core.multiarray.scalar", "builtins.getattr",
    "numpy._core.numeric._frombuffer", "copyreg._reconstructor",
    "joblib.numpy_pickle.NumpyArrayWrapper",
)  # fmt: skip
ALL_BENIGN = Trust.of(BENIGN)
PACKERS = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "zlib": zlib.compress}


class Runs:
    """Unpickled, it makes a folder."""

    def __init__(self, place):
        self.place = place

    def __reduce__(self):
        return os.mkdir, (str(self.place),)


@pytest.fixture
def marker(tmp_path):
    return tmp_path / "marker"


def joblib_of(obj):
    content = io.BytesIO()
    joblib.dump(obj, content)
    return content.getvalue()


def short(text):
    return b"\x8c" + bytes([len(text)]) + text.encode()


def refused(files, trust=ALL_BENIGN):
    with pytest.raises(Denied) as error:
        pickling.load(files, "model.pkl", trust)
    assert error.value.kind == "untrusted"
    return error.value.message


# --- what would run --------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("trust", [Trust(), ALL_BENIGN], ids=["nothing", "all that is benign"])
def test_a_call_is_refused_by_name(protocol, trust, marker, folder_files):
    content = pickle.dumps([OrderedDict(a=1), Runs(marker)], protocol=protocol)

    assert "posix.mkdir" in refused(folder_files({"model.pkl": content}), trust)
    assert not marker.exists()


@pytest.mark.parametrize("packer", PACKERS)
@pytest.mark.parametrize("dump", [pickle.dumps, joblib_of])
def test_packing_hides_nothing(packer, dump, marker, folder_files):
    content = PACKERS[packer](dump({"weights": np.arange(1000.0), "x": Runs(marker)}))

    assert "posix.mkdir" in refused(folder_files({"model.pkl": content}))
    assert not marker.exists()


def test_a_pickle_inside_an_object_array_of_joblib_is_seen(marker, folder_files):
    array = np.array([1, Runs(marker)], dtype=object)

    assert "posix.mkdir" in refused(folder_files({"model.pkl": joblib_of([array])}))
    assert not marker.exists()


def test_one_evil_name_among_those_of_an_estimator_is_refused(marker, folder_files):
    from sklearn.linear_model import LinearRegression

    model = LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0])
    model.extra = Runs(marker)
    trust = Trust.of([*BENIGN, "sklearn.linear_model._base.LinearRegression"])

    assert refused(folder_files({"model.pkl": joblib_of(model)}), trust).endswith(" posix.mkdir")
    assert not marker.exists()


def test_a_second_pickle_behind_the_first_is_refused(marker, folder_files):
    content = pickle.dumps({"a": 1}) + pickle.dumps(Runs(marker))
    assert "posix.mkdir" in refused(folder_files({"model.pkl": content}))

    content = pickle.dumps({"a": 1}) + pickle.dumps({"b": 1})
    assert "2 pickles" in refused(folder_files({"model.pkl": content}))


NO_NAME = {
    "a dotted name": b"\x80\x04" + short("logging") + short("os.mkdir") + b"\x93.",
    "a computed name": b"\x80\x04" + short("os") + b"]\x93.",
    "the extension registry": b"\x80\x02\x82\x01.",
    "a call of what was called": (
        b"\x80\x04" + short("builtins") + short("getattr") + b"\x93"
        + short("builtins") + short("list") + b"\x93" + short("append") + b"\x86R)R."
    ),
    "bytes behind the end": pickle.dumps({"a": 1}) + b"\0\0 and something else",
}  # fmt: skip


@pytest.mark.parametrize("what", NO_NAME)
def test_what_no_name_describes_needs_trust_in_everything(what, folder_files):
    files = folder_files({"model.pkl": NO_NAME[what]})
    named = Trust.of([*BENIGN, "logging.os.mkdir"])

    with pytest.raises(Denied) as error:
        pickling.load(files, "model.pkl", named)
    assert "TRUST_ALL" in error.value.hint


@pytest.mark.parametrize("name", ["joblib.numpy_pickle", "joblib.numpy_pickle_compat"])
def test_arrays_that_joblib_would_read_from_other_files_need_trust_in_everything(
    name, folder_files
):
    content = b"\x80\x02c" + name.encode() + b"\nNDArrayWrapper\n)\x81."
    files = folder_files({"model.pkl": content, "other.npy": b""})

    assert "other files" in refused(files, Trust.of([f"{name}.NDArrayWrapper"]))


def test_the_loader_finds_nothing_that_the_walk_has_not_seen(marker):
    from modelyard.frameworks.pickling import _joblib_unpickler, _Locked

    pairs = frozenset({("builtins", "list"), ("joblib.numpy_pickle", "NumpyArrayWrapper")})
    inner = np.array([Runs(marker)], dtype=object)
    for unpickler, content in (
        (_Locked, pickle.dumps(Runs(marker))),
        (_joblib_unpickler, joblib_of(Runs(marker))),
        (_joblib_unpickler, joblib_of(inner)),
    ):
        with pytest.raises(pickle.UnpicklingError, match="was not there"):
            unpickler(io.BytesIO(content), pairs).load()
    assert not marker.exists()


# --- what loads ------------------------------------------------------------------------------


def values():
    return {
        "a": np.arange(5.0), "b": OrderedDict(c=np.float32(2)),
        "d": np.array(["x", None, 3], dtype=object), "e": np.asfortranarray(np.eye(3)),
    }  # fmt: skip


@pytest.mark.parametrize("dump", [pickle.dumps, joblib_of])
@pytest.mark.parametrize("packer", [None, *PACKERS])
@pytest.mark.parametrize("trust", [ALL_BENIGN, Trust.of(TRUST_ALL)], ids=["names", "all"])
def test_trusted_values_come_back_packed_or_not(dump, packer, trust, folder_files):
    content = dump(values())
    packed = PACKERS[packer](content) if packer else content
    if packer == "gz" and trust.everything:
        packed = gzip.compress(content, mtime=0)

    again = pickling.load(folder_files({"model.pkl": packed}), "model.pkl", trust)

    assert list(again) == ["a", "b", "d", "e"]
    assert all(np.array_equal(again[name], values()[name]) for name in "ade")
    assert again["b"]["c"] == 2


def test_names_are_those_of_the_file_also_where_numpy_has_renamed_its_modules(folder_files):
    old = pickle.dumps(np.arange(3), protocol=2).replace(b"numpy._core", b"numpy.core")
    files = folder_files({"model.pkl": old})
    names = re.findall(r"[\w.]+\.\w+", refused(files, Trust()).partition("import ")[2])

    assert "numpy.core.multiarray._reconstruct" in names
    assert np.array_equal(pickling.load(files, "model.pkl", Trust.of(names)), np.arange(3))


def test_saved_pickles_have_protocol_five_and_arrays_of_joblib_lie_open(tmp_path):
    pickling.dump_pickle({"a": np.arange(100)}, tmp_path / "a.pkl")
    pickling.dump_joblib({"a": np.arange(100)}, tmp_path / "a.joblib")

    first = next(iter(pickletools.genops((tmp_path / "a.pkl").read_bytes())))
    assert (first[0].name, first[1]) == ("PROTO", 5)
    assert np.arange(100).tobytes() in (tmp_path / "a.joblib").read_bytes()


@pytest.mark.parametrize("unsavable", [lambda: 1, sys.stdout, (n for n in "ab")])
def test_what_can_not_be_pickled_is_not_savable_and_leaves_no_file(unsavable, tmp_path):
    with pytest.raises(InvalidInput) as error:
        pickling.dump_pickle(unsavable, tmp_path / "a.pkl")
    assert error.value.kind == "not-savable"
    assert not list(tmp_path.iterdir())


# --- damage ----------------------------------------------------------------------------------


@pytest.mark.parametrize("trust", [ALL_BENIGN, Trust.of(TRUST_ALL)], ids=["names", "all"])
@pytest.mark.parametrize("dump", [pickle.dumps, joblib_of])
def test_a_cut_file_is_not_loadable_wherever_it_is_cut(dump, trust, folder_files):
    content = dump(values())
    for end in range(0, len(content) - 1, 37):
        files = folder_files({"model.pkl": content[:end]})
        with pytest.raises((InvalidInput, Denied)) as error:
            pickling.load(files, "model.pkl", trust)
        assert error.value.kind in ("not-loadable", "untrusted")


def test_a_class_that_is_not_here_is_named(folder_files):
    files = folder_files({"model.pkl": b"\x80\x02cno_such_module\nThing\n)\x81."})

    with pytest.raises(InvalidInput, match="no_such_module") as error:
        pickling.load(files, "model.pkl", Trust.of(["no_such_module.Thing"]))
    assert error.value.kind == "not-loadable"
