"""Scripts, styles and letters of others that pages use: fetched by npm, checked, written.

python scripts/vendor.py               fetch what vendor.toml names, and write its files
python scripts/vendor.py --check       fetch nothing: are the files there, and no others?
python scripts/vendor.py --from DIR    take the archives (NAME-VERSION.tgz) from a folder
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "src/modelyard/server/web/static/vendor"
LIST = "vendor.toml"


class Wrong(Exception):
    """What came, or what is there, is not what the list says."""


@dataclass(frozen=True, slots=True)
class File:
    """One file of a package."""

    name: str
    """Here."""
    path: str
    """In the package."""
    sha256: str


@dataclass(frozen=True, slots=True)
class Package:
    """One package as `vendor.toml` has it."""

    name: str
    version: str
    licence: str
    sha512: str
    """Of the archive that npm gives."""
    files: tuple[File, ...]

    @property
    def archive(self) -> str:
        """The name under which `npm pack` writes it."""
        return f"{self.name.removeprefix('@').replace('/', '-')}-{self.version}.tgz"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--from", dest="source", type=Path)
    parser.add_argument("--folder", type=Path, default=FOLDER)
    given = parser.parse_args()
    try:
        packages = read(given.folder)
        if given.check:
            check(given.folder, packages)
        elif given.source:
            write(given.folder, packages, given.source)
        else:
            with tempfile.TemporaryDirectory() as scratch:
                fetch(packages, Path(scratch))
                write(given.folder, packages, Path(scratch))
    except Wrong as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def read(folder: Path) -> list[Package]:
    """The list."""
    told = tomllib.loads((folder / LIST).read_text())
    return [
        Package(**{**package, "files": tuple(File(**file) for file in package["files"])})
        for package in told["package"]
    ]


def check(folder: Path, packages: list[Package]) -> None:
    """Every file is in the list and as it says, and every package has its licence."""
    files = [file for package in packages for file in package.files]
    listed = {file.name for file in files} | {LIST}
    there = {path.name for path in folder.iterdir()}
    for name in sorted(listed ^ there):
        raise Wrong(f"{name} is {'missing' if name in listed else 'not in ' + LIST}")
    for file in files:
        digest = hashlib.sha256((folder / file.name).read_bytes()).hexdigest()
        if digest != file.sha256:
            raise Wrong(f"{file.name} was changed: its SHA-256 is {digest}")
    for package in packages:
        if not any(file.name.endswith(".licence.txt") for file in package.files):
            raise Wrong(f"{package.name} has no licence here")


def fetch(packages: list[Package], into: Path) -> None:
    """The archives, by npm."""
    for package in packages:
        wanted = f"{package.name}@{package.version}"
        command = ["npm", "pack", "--silent", "--ignore-scripts", wanted]
        subprocess.run(command, cwd=into, check=True, stdout=subprocess.DEVNULL)


def write(folder: Path, packages: list[Package], source: Path) -> None:
    """The files of all archives, if each archive is what it should be."""
    found: dict[str, bytes] = {}
    for package in packages:
        archive = source / package.archive
        digest = hashlib.sha512(archive.read_bytes()).hexdigest()
        if digest != package.sha512:
            raise Wrong(f"{package.archive} has the SHA-512 {digest}, not {package.sha512}")
        with tarfile.open(archive) as opened:
            for file in package.files:
                content = opened.extractfile(f"package/{file.path}")
                if content is None:
                    raise Wrong(f"{package.archive} has no file {file.path}")
                found[file.name] = content.read()
    for name, data in found.items():
        target = folder / name
        if not target.exists() or target.read_bytes() != data:
            target.write_bytes(data)
            print(f"{name}: {len(data)} bytes")
    check(folder, packages)


if __name__ == "__main__":
    sys.exit(main())
