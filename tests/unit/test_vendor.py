"""What is not ours among the files of the pages: listed, checked, and written again from npm's."""

from __future__ import annotations

import hashlib
import io
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
VENDOR = ROOT / "src/modelyard/server/web/static/vendor"


def _vendor(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts/vendor.py"), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _archive(folder: Path, content: bytes) -> str:
    """A package as npm packs it; its SHA-512."""
    folder.mkdir(exist_ok=True)
    with tarfile.open(folder / "tiny-1.0.tgz", "w:gz") as archive:
        for name, data in (("package/dist/tiny.js", content), ("package/LICENSE", b"free")):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return hashlib.sha512((folder / "tiny-1.0.tgz").read_bytes()).hexdigest()


def _listed(folder: Path, sha512: str, content: bytes) -> None:
    folder.mkdir()
    files = [("tiny.js", "dist/tiny.js", content), ("tiny.licence.txt", "LICENSE", b"free")]
    told = f'[[package]]\nname = "tiny"\nversion = "1.0"\nlicence = "0BSD"\nsha512 = "{sha512}"\n'
    for name, path, data in files:
        digest = hashlib.sha256(data).hexdigest()
        told += f'[[package.files]]\nname = "{name}"\npath = "{path}"\nsha256 = "{digest}"\n'
    (folder / "vendor.toml").write_text(told)


def test_every_file_of_others_is_listed_and_unchanged() -> None:
    told = _vendor("--check")
    assert told.returncode == 0, told.stderr


def test_a_changed_file_and_one_more_are_found(tmp_path: Path) -> None:
    folder = tmp_path / "vendor"
    shutil.copytree(VENDOR, folder)
    with (folder / "htmx.min.js").open("a") as file:
        file.write("alert(1)")
    assert "htmx.min.js was changed" in _vendor("--check", "--folder", folder).stderr
    shutil.copy(VENDOR / "htmx.min.js", folder)
    (folder / "other.js").write_text("")
    told = _vendor("--check", "--folder", folder)
    assert told.returncode == 1
    assert "other.js is not in vendor.toml" in told.stderr


def test_files_are_written_from_the_archive_that_the_list_names(tmp_path: Path) -> None:
    sha512 = _archive(tmp_path / "npm", b"1")
    _listed(tmp_path / "vendor", sha512, b"1")
    told = _vendor("--folder", tmp_path / "vendor", "--from", tmp_path / "npm")
    assert told.returncode == 0, told.stderr
    assert (tmp_path / "vendor" / "tiny.js").read_bytes() == b"1"


def test_another_archive_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    _archive(tmp_path / "npm", b"2")
    _listed(tmp_path / "vendor", "0" * 128, b"1")
    told = _vendor("--folder", tmp_path / "vendor", "--from", tmp_path / "npm")
    assert told.returncode == 1
    assert "has the SHA-512" in told.stderr
    assert not (tmp_path / "vendor" / "tiny.js").exists()
