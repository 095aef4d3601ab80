"""Bytes out: checkouts, files with ranges, single tensors."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.errors import Conflict, ModelyardError, NotFound
from modelyard.testing.models import (
    Tensors,
    float32_of,
    layers,
    read_tree,
    safetensors_bytes,
    write_npz,
    write_tree,
)
from modelyard.testing.strategies import few, models
from modelyard.testing.yard.case import Desk, YardCase, refused

if TYPE_CHECKING:
    from modelyard.core.yard import Yard

__all__ = ["BytesTests"]


class BytesTests(YardCase):
    def test_a_checkout_tells_what_it_wrote(self, yard: Yard, desk: Desk) -> None:
        done = desk.commit({"a.bin": b"123", "b/c": b"4"})
        out = yard.checkout("m", "main", desk.folder())
        assert (out.model, out.number, out.commit) == ("m", 1, done.commit)
        assert (out.branch, out.files, out.size) == ("main", 2, 4)
        assert yard.checkout("m", 1, desk.folder()).branch is None

    def test_a_checkout_makes_the_folders_it_needs(self, yard: Yard, desk: Desk) -> None:
        desk.commit({"a.txt": b"a"})
        dest = desk.folder() / "deep" / "er"
        yard.checkout("m", None, str(dest))
        assert read_tree(dest) == {"a.txt": b"a"}

    def test_a_checkout_never_overwrites(self, yard: Yard, desk: Desk) -> None:
        desk.commit({"a.txt": b"committed", "b.txt": b"b"})
        dest = write_tree(desk.folder(), {"a.txt": b"mine", "other.txt": b"mine too"})
        with refused(Conflict, "dest-not-empty", hint=True):
            yard.checkout("m", 1, dest)
        assert read_tree(dest) == {"a.txt": b"mine", "other.txt": b"mine too"}

    def test_a_file_in_the_way_of_a_folder_is_not_overwritten(self, yard: Yard, desk: Desk) -> None:
        desk.commit({"a/b.txt": b"b"})
        dest = write_tree(desk.folder(), {"a": b"a file"})
        with refused(Conflict, "dest-not-empty"):
            yard.checkout("m", 1, dest)
        assert read_tree(dest) == {"a": b"a file"}

    def test_a_checkout_over_equal_files_is_fine(self, yard: Yard, desk: Desk) -> None:
        content = {"a.txt": b"a", "b.bin": b"\x00" * 200_000}
        desk.commit(content)
        dest = write_tree(desk.folder(), content)
        yard.checkout("m", 1, dest)
        assert read_tree(dest) == content

    def test_a_checkout_does_not_follow_links_out_of_its_folder(
        self, yard: Yard, desk: Desk
    ) -> None:
        desk.commit({"sub/a.txt": b"new"})
        outside = write_tree(desk.folder(), {"keep.txt": b"keep"})
        dest = write_tree(desk.folder(), {})
        (dest / "sub").symlink_to(outside)
        with refused(ModelyardError):
            yard.checkout("m", 1, dest)
        assert read_tree(outside) == {"keep.txt": b"keep"}

    def test_globs_choose_files(self, yard: Yard, desk: Desk) -> None:
        desk.commit({"a.md": b"1", "b.bin": b"2", "sub/c.md": b"3", "sub/d.bin": b"4"})
        dest = desk.folder()
        out = yard.checkout("m", 1, dest, files=["sub/*"])
        assert read_tree(dest) == {"sub/c.md": b"3", "sub/d.bin": b"4"}
        assert out.files == 2
        dest = desk.folder()
        yard.checkout("m", 1, dest, files=["a.md", "*.bin"])
        assert {"a.md", "b.bin"} <= set(read_tree(dest)) <= {"a.md", "b.bin", "sub/d.bin"}

    def test_a_glob_that_matches_nothing_is_not_found(self, yard: Yard, desk: Desk) -> None:
        desk.commit({"a.md": b"1"})
        dest = desk.folder()
        with refused(NotFound):
            yard.checkout("m", 1, dest, files=["*.onnx"])
        assert not dest.exists() or not read_tree(dest)

    def test_a_refused_checkout_leaves_nothing(self, yard: Yard, desk: Desk) -> None:
        desk.commit({"a.txt": b"a"})
        dest = desk.folder()
        with refused(NotFound):
            yard.checkout("m", 7, dest)
        assert not dest.exists()

    def test_a_changed_checkout_does_not_change_the_yard(self, yard: Yard, desk: Desk) -> None:
        content = {"a.txt": b"a" * 500, "b.bin": os.urandom(2_000_000)}
        desk.commit(content)
        dest = desk.folder()
        yard.checkout("m", 1, dest)
        for name in content:
            with (dest / name).open("r+b") as file:
                file.write(b"overwritten")
        assert desk.read(1) == content

    @few(20)
    @given(data=st.data())
    def test_an_open_file_reads_any_range(
        self, yard: Yard, desk: Desk, data: st.DataObject
    ) -> None:
        size = data.draw(st.sampled_from([0, 10, 90_000, 3_000_000]))
        content = np.random.default_rng(size).bytes(size)
        desk.commit({"x.bin": content}, f"m{size}")
        with yard.open(f"m{size}", None, "x.bin") as file:
            plain = io.BytesIO(content)
            for _ in range(data.draw(st.integers(1, 6))):
                start = data.draw(st.integers(0, size + 10))
                count = data.draw(st.integers(0, size))
                assert file.seek(start) == plain.seek(start)
                assert file.read(count) == plain.read(count)
                assert file.tell() == plain.tell()
            assert file.seek(0, io.SEEK_END) == size
            assert file.read() == b""
            file.seek(0)
            assert file.read() == content

    def test_an_open_file_is_a_binary_reader(self, yard: Yard, desk: Desk) -> None:
        desk.commit({"a.txt": b"line 1\nline 2\n"})
        with yard.open("m", 1, "a.txt") as file:
            assert file.readable()
            assert file.seekable()
            assert list(file) == [b"line 1\n", b"line 2\n"]
            file.seek(-7, io.SEEK_END)
            buffer = bytearray(4)
            assert file.readinto(buffer) == 4  # type: ignore[attr-defined]
            assert buffer == b"line"
        assert file.closed

    @pytest.mark.parametrize("path", ["nobody.txt", "", "../a.txt", "/a.txt", "a.txt/x", "sub"])
    def test_a_file_that_is_not_there_is_not_found(self, yard: Yard, desk: Desk, path: str) -> None:
        desk.commit({"a.txt": b"a", "sub/b.txt": b"b"})
        with refused(ModelyardError):
            yard.open("m", 1, path)

    @few(20)
    @given(tensors=models())
    def test_tensors_equal_numpy(self, yard: Yard, desk: Desk, tensors: Tensors) -> None:
        done = desk.commit_tensors(tensors)
        for name, values in tensors.items():
            read = yard.tensor("m", done.number, name)
            expected = float32_of(values)
            assert read.dtype.name == expected.dtype.name
            assert read.shape == values.shape
            np.testing.assert_array_equal(read, expected)

    def test_a_large_tensor_is_read_across_its_chunks(self, yard: Yard, desk: Desk) -> None:
        tensors = layers(3, count=2, width=900, dtype="bfloat16")
        desk.commit_tensors(tensors)
        read = yard.tensor("m", 1, "layer1.weight")
        assert read.dtype == np.float32
        np.testing.assert_array_equal(read, float32_of(tensors["layer1.weight"]))

    def test_tensors_of_npz_equal_numpy(self, yard: Yard, desk: Desk) -> None:
        tensors = layers(1)
        tensors["fortran"] = np.asfortranarray(np.arange(12.0).reshape(3, 4))
        yard.commit("m", write_npz(desk.folder() / "w.npz", tensors))
        for name, values in tensors.items():
            np.testing.assert_array_equal(yard.tensor("m", 1, name), values)

    def test_a_tensor_of_two_files_is_named_with_its_file(self, yard: Yard, desk: Desk) -> None:
        one, two = layers(1, count=1), layers(2, count=1)
        desk.commit(
            {"a.safetensors": safetensors_bytes(one), "b.safetensors": safetensors_bytes(two)}
        )
        with refused(ModelyardError, hint=True):
            yard.tensor("m", 1, "layer0.bias")
        for file, model in (("a", one), ("b", two)):
            read = yard.tensor("m", 1, f"{file}.safetensors:layer0.bias")
            np.testing.assert_array_equal(read, model["layer0.bias"])

    def test_a_tensor_that_is_not_there_is_not_found(self, yard: Yard, desk: Desk) -> None:
        desk.commit_tensors(layers(1))
        for name in ("nobody", "", "model.safetensors:nobody", "x:layer0.bias"):
            with refused(NotFound):
                yard.tensor("m", 1, name)
