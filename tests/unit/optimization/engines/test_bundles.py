"""Folders travel whole; engines have names."""

from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING

import pytest

from modelyard.errors import Unsupported
from modelyard.optimization.engines import engine_named
from modelyard.optimization.engines.bundles import packed, unpacked
from modelyard.optimization.engines.local import LocalEngine

if TYPE_CHECKING:
    from pathlib import Path


def test_a_folder_arrives_as_it_was(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "deep" / "empty").mkdir(parents=True)
    (source / "a.bin").write_bytes(bytes(range(256)))
    (source / "deep" / "b.txt").write_text("b")
    made = unpacked(packed(source), tmp_path / "made")
    names = sorted(path.relative_to(made).as_posix() for path in made.rglob("*"))
    assert names == ["a.bin", "deep", "deep/b.txt", "deep/empty"]
    assert (made / "a.bin").read_bytes() == bytes(range(256))


def test_a_file_arrives_under_its_name(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("a,b")
    made = unpacked(packed(tmp_path / "rows.csv"), tmp_path / "made")
    assert (made / "rows.csv").read_text() == "a,b"


def test_nothing_is_written_outside_of_the_folder(tmp_path: Path) -> None:
    bad = io.BytesIO()
    with tarfile.open(fileobj=bad, mode="w") as archive:
        entry = tarfile.TarInfo("../outside")
        entry.size = 1
        archive.addfile(entry, io.BytesIO(b"x"))
    with pytest.raises(tarfile.OutsideDestinationError):
        unpacked(bad.getvalue(), tmp_path / "made")
    assert not (tmp_path / "outside").exists()
    assert not (tmp_path / "made").exists()


def test_engines_have_names_and_are_taken_as_they_are() -> None:
    with engine_named("local") as engine:
        assert engine.name == "local"
        assert engine.at_once >= 1
    with LocalEngine(at_once=3) as own:
        assert engine_named(own) is own
    with pytest.raises(Unsupported) as caught:
        engine_named("cloud")
    assert caught.value.kind == "no-engine"
