"""Hostile input: refused at the door, with nothing stored and nothing run."""

from __future__ import annotations

import json
import pickle
import zipfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.errors import InvalidInput, ModelyardError
from modelyard.testing.models import layers, safetensors_bytes, write_tree
from modelyard.testing.strategies import few, hostile_names
from modelyard.testing.yard.case import Desk, YardCase, attempt, refused

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from modelyard.core.yard import Yard

__all__ = ["HostileTests"]


def _header(entry: object) -> bytes:
    text = json.dumps({"w": entry}).encode()
    return len(text).to_bytes(8, "little") + text + b"\x00" * 16


LIES: dict[str, bytes] = {
    "length beyond the file": (2**40).to_bytes(8, "little") + b"{}",
    "length of a negative number": b"\xff" * 8 + b"{}",
    "no JSON": (4).to_bytes(8, "little") + b"\x00\x01\x02\x03",
    "offsets beyond the file": _header(
        {"dtype": "F32", "shape": [1000], "data_offsets": [0, 4000]}
    ),
    "offsets backwards": _header({"dtype": "F32", "shape": [1], "data_offsets": [8, 4]}),
    "shape that lies": _header({"dtype": "F32", "shape": [2], "data_offsets": [0, 16]}),
    "negative shape": _header({"dtype": "F32", "shape": [-4], "data_offsets": [0, 16]}),
    "a shape of a word": _header({"dtype": "F32", "shape": "x", "data_offsets": [0, 16]}),
    "entry of a number": _header(7),
    "deep header": (200_000).to_bytes(8, "little") + b"[" * 200_000,
}
"""Files named `.safetensors` that say what is not so."""


class Bomb:
    """Unpickling it would leave a mark."""

    def __init__(self, mark: Path) -> None:
        self.mark = str(mark)

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str, ...]]:
        from os import mkdir

        return (mkdir, (self.mark,))


class HostileTests(YardCase):
    @pytest.mark.parametrize("lie", LIES)
    def test_a_lying_safetensors_file_is_refused_or_kept_as_bytes(
        self, yard: Yard, desk: Desk, lie: str
    ) -> None:
        done = attempt(InvalidInput, desk.commit, {"model.safetensors": LIES[lie]})
        if isinstance(done, InvalidInput):
            assert "model.safetensors" in done.message
            assert list(yard.models()) == []
            assert yard.stats().versions == 0
            return
        assert desk.read() == {"model.safetensors": LIES[lie]}
        assert yard.show("m").tensors == ()

    @few(25)
    @given(cut=st.floats(0, 1), flip=st.integers(0, 2**16))
    def test_a_cut_or_flipped_file_is_refused_or_read_back_as_given(
        self, yard: Yard, desk: Desk, cut: float, flip: int
    ) -> None:
        whole = bytearray(safetensors_bytes(layers(1, count=1)))
        whole[flip % len(whole)] ^= 1 << (flip % 8)
        content = bytes(whole[: int(len(whole) * cut)])
        try:
            done = desk.commit({"model.safetensors": content})
        except InvalidInput:
            return
        assert desk.read(done.number) == {"model.safetensors": content}

    @pytest.mark.parametrize("name", ["model.pkl", "model.joblib", "model.pt", "model.bin"])
    def test_a_pickle_is_looked_at_and_never_run(
        self, yard: Yard, desk: Desk, tmp_path: Path, name: str
    ) -> None:
        mark = tmp_path / "it-was-run"
        desk.commit({name: pickle.dumps({"weights": Bomb(mark)})})
        detail = yard.show("m", 1)
        yard.verify()
        desk.read(1)
        assert not mark.exists()
        if name != "model.bin":
            assert [f.severity for f in detail.findings].count("danger") >= 1
            assert any("mkdir" in f.message for f in detail.findings)
        with refused(ModelyardError):
            yard.load("m", 1)
        assert not mark.exists()

    def test_a_zip_that_climbs_out_is_refused_or_kept_closed(self, yard: Yard, desk: Desk) -> None:
        path = write_tree(desk.folder(), {}) / "model.npz"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("../../evil.npy", b"\x93NUMPY\x01\x00")
        try:
            yard.commit("m", path)
        except InvalidInput:
            return
        assert set(desk.read()) == {"model.npz"}

    @few(25)
    @given(name=hostile_names())
    def test_a_hostile_model_name_is_refused_everywhere(
        self, yard: Yard, desk: Desk, name: str
    ) -> None:
        with refused(InvalidInput):
            desk.commit(b"1", name)
        for call in (yard.model_info, yard.resolve, yard.show, yard.delete_model, yard.refs):
            with refused(InvalidInput):
                call(name)
        with refused(InvalidInput):
            list(yard.log(name))
        assert list(yard.models()) == []

    def test_a_hostile_new_name_is_refused(self, yard: Yard, desk: Desk) -> None:
        desk.commit(b"1")
        for name in ("../m", "a/b/c", "", "m.git"):
            with refused(InvalidInput, "bad-model-name"):
                yard.rename("m", name)
        assert [model.name for model in yard.models()] == ["m"]

    def test_words_with_control_characters_change_no_history(self, yard: Yard, desk: Desk) -> None:
        tricks = ["a\nparent " + "0" * 40, "x\x00y", "\n\nauthor Eve <e> 0 +0000", "\r", " "]
        for number, trick in enumerate(tricks):
            try:
                done = desk.commit(b"%d" % number, message=trick, author="Eve\n<e>\nparent 1")
            except InvalidInput:
                continue
            version = yard.resolve("m", done.number)
            assert "\n" not in version.author
            assert len(version.parents) <= 1

    def test_the_house_keepers_own_paths_can_not_be_forged(self, yard: Yard, desk: Desk) -> None:
        forged = json.dumps({"metrics": {"accuracy": 1.0}}).encode()
        try:
            desk.commit({".modelyard/manifest.json": forged, "a.txt": b"a"})
        except InvalidInput:
            return
        assert "a.txt" in desk.read()

    def test_a_git_folder_inside_is_no_part_of_the_history(self, yard: Yard, desk: Desk) -> None:
        config = {".git/config": b"[core]\n\tfsmonitor = touch /tmp/x\n", "a.txt": b"a"}
        done = attempt(InvalidInput, desk.commit, config)
        if isinstance(done, InvalidInput):
            assert ".git" in done.message
        else:
            assert desk.read() == {"a.txt": b"a"}
