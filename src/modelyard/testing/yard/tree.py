"""Folders: nesting, modes, links and names that trip other systems come back as they were."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given

from modelyard.errors import InvalidInput, ModelyardError
from modelyard.testing.models import read_tree, write_tree
from modelyard.testing.strategies import few, folder_trees
from modelyard.testing.yard.case import Desk, YardCase, attempt, refused

if TYPE_CHECKING:
    from modelyard.core.yard import Yard

__all__ = ["TreeTests"]


class TreeTests(YardCase):
    @few(15)
    @given(tree=folder_trees())
    def test_any_tree_comes_back_as_it_was(self, desk: Desk, tree: dict[str, bytes]) -> None:
        done = attempt(InvalidInput, desk.commit, tree)
        if isinstance(done, InvalidInput):  # a file that begins as a model's, and is none
            assert any(path in done.message for path in tree)
        else:
            assert desk.read(done.number) == tree

    def test_empty_files_are_files(self, desk: Desk) -> None:
        desk.commit({"empty": b"", "sub/empty.bin": b""})
        assert desk.read() == {"empty": b"", "sub/empty.bin": b""}

    def test_large_and_small_text_and_binary_come_back(self, desk: Desk) -> None:
        content = {
            "small.txt": b"text\r\nwith both\nends",
            "large.txt": b"a line of text\n" * 20_000,
            "small.bin": bytes(range(256)),
            "large.bin": os.urandom(300_000),
            "edge.txt": b"x" * 100_000,
            "latin1.txt": "é".encode("latin-1"),
            "bom.txt": b"\xef\xbb\xbfhello",
            "crlf.gitattributes": b"* text=auto\r\n",
        }
        desk.commit(content)
        assert desk.read() == content

    def test_text_that_looks_like_an_lfs_pointer_is_text(self, desk: Desk) -> None:
        pointer = (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"a" * 64 + b"\nsize 5\n"
        )
        desk.commit({"pointer.txt": pointer, "x.bin": b"\x00\x01"})
        assert desk.read() == {"pointer.txt": pointer, "x.bin": b"\x00\x01"}

    def test_gitattributes_of_the_user_come_back_as_they_were(self, desk: Desk) -> None:
        content = {".gitattributes": b"*.md text\n", "x.bin": b"\x00" * 200_000, "a.md": b"# a\n"}
        desk.commit(content)
        assert desk.read() == content

    def test_our_gitattributes_are_not_shown(self, yard: Yard, desk: Desk) -> None:
        desk.commit({"x.bin": b"\x00" * 200_000})
        assert desk.read() == {"x.bin": b"\x00" * 200_000}
        assert [file.path for file in yard.show("m").files] == ["x.bin"]

    def test_the_executable_bit_comes_back(self, yard: Yard, desk: Desk) -> None:
        folder = write_tree(desk.folder(), {"run.sh": b"#!/bin/sh\n", "x.bin": b"\x00", "a": b"a"})
        for name in ("run.sh", "x.bin"):
            (folder / name).chmod(0o755)
        yard.commit("m", folder)
        dest = desk.folder()
        yard.checkout("m", 1, dest)
        marked = {p.name for p in dest.iterdir() if p.is_file() and p.stat().st_mode & stat.S_IXUSR}
        assert marked == {"run.sh", "x.bin"}

    def test_a_new_mode_alone_is_a_change(self, yard: Yard, desk: Desk) -> None:
        folder = write_tree(desk.folder(), {"run.sh": b"#!/bin/sh\n"})
        yard.commit("m", folder)
        (folder / "run.sh").chmod(0o755)
        assert yard.commit("m", folder).created

    def test_a_link_inside_the_folder_gives_the_same_bytes(self, yard: Yard, desk: Desk) -> None:
        folder = write_tree(desk.folder(), {"v1/model.bin": b"\x00weights"})
        (folder / "latest.bin").symlink_to("v1/model.bin")
        yard.commit("m", folder)
        dest = desk.folder()
        yard.checkout("m", 1, dest)
        assert (dest / "latest.bin").read_bytes() == b"\x00weights"

    @pytest.mark.parametrize("target", ["/etc/hostname", "../outside.txt", "a/../../outside.txt"])
    def test_a_link_that_leads_out_of_the_folder_is_refused(
        self, yard: Yard, desk: Desk, target: str
    ) -> None:
        write_tree(desk.root, {"outside.txt": b"secret"})
        folder = write_tree(desk.folder(), {"a/b.txt": b"b"})
        (folder / "link").symlink_to(target)
        with refused(InvalidInput, "symlink-escapes"):
            yard.commit("m", folder)
        assert list(yard.models()) == []

    @pytest.mark.parametrize("target", ["gone", ".", "a"])
    def test_a_link_inside_is_kept_as_a_link(self, yard: Yard, desk: Desk, target: str) -> None:
        folder = write_tree(desk.folder(), {"a/b.txt": b"b"})
        (folder / "link").symlink_to(target)
        yard.commit("m", folder)
        dest = desk.folder()
        yard.checkout("m", 1, dest)
        assert (dest / "link").readlink() == Path(target)
        assert read_tree(dest / "a") == {"b.txt": b"b"}

    def test_a_loop_of_links_ends(self, yard: Yard, desk: Desk) -> None:
        folder = write_tree(desk.folder(), {"a/b.txt": b"b"})
        (folder / "a" / "up").symlink_to("..")
        yard.commit("m", folder)
        dest = desk.folder()
        yard.checkout("m", 1, dest)
        assert (dest / "a" / "up" / "a" / "b.txt").read_bytes() == b"b"

    @pytest.mark.parametrize(
        ("one", "other", "kind"),
        [
            ("README.md", "readme.md", "case-collision"),
            ("Sub/a", "sub/b", "case-collision"),
            ("é.txt", "e\u0301.txt", "unicode-collision"),
        ],
    )
    def test_names_that_are_one_name_elsewhere_are_refused(
        self, yard: Yard, desk: Desk, one: str, other: str, kind: str
    ) -> None:
        with refused(InvalidInput, kind):
            desk.commit({one: b"1", other: b"2"})
        assert list(yard.models()) == []

    @pytest.mark.parametrize(
        "name",
        ["a\\b", "new\nline", "tab\t", "\x7f", ".GIT/config", ".git", "git~1", ".gitmodules",
         ".gitmodules/x", ".g\u200cit", ".git "],
    )  # fmt: skip
    def test_a_name_that_harms_some_computer_is_refused(
        self, yard: Yard, desk: Desk, name: str
    ) -> None:
        with refused(InvalidInput):
            desk.commit({name: b"x", "good.txt": b"good"})
        assert list(yard.models()) == []

    def test_a_name_that_is_no_utf8_is_refused(self, yard: Yard, desk: Desk) -> None:
        folder = write_tree(desk.folder(), {"good.txt": b"good"})
        with open(os.fsencode(folder) + b"/bad\xff.txt", "wb") as file:
            file.write(b"bad")
        with refused(InvalidInput, "name-not-utf8") as caught:
            yard.commit("m", folder)
        caught.value.message.encode()

    def test_empty_folders_are_not_kept(self, yard: Yard, desk: Desk) -> None:
        desk.commit({"a.txt": b"a", "empty/": b"", "sub/empty/": b""})
        dest = desk.folder()
        yard.checkout("m", 1, dest)
        assert {path.name for path in dest.iterdir()} - {".yard"} == {"a.txt"}

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
    def test_a_pipe_is_refused_and_never_waited_for(self, yard: Yard, desk: Desk) -> None:
        folder = write_tree(desk.folder(), {"a.txt": b"a"})
        os.mkfifo(folder / "pipe")
        with refused(InvalidInput):
            yard.commit("m", folder)

    def test_an_unreadable_file_is_refused_with_its_name(self, yard: Yard, desk: Desk) -> None:
        folder = write_tree(desk.folder(), {"a.txt": b"a", "closed.bin": b"c"})
        (folder / "closed.bin").chmod(0)
        if os.access(folder / "closed.bin", os.R_OK):
            pytest.skip("root reads everything")
        with refused(ModelyardError) as caught:
            yard.commit("m", folder)
        assert "closed.bin" in str(caught.value)

    def test_a_thousand_files_are_one_version(self, desk: Desk) -> None:
        content = {f"part{i % 10}/{i:04}.json": b'{"i": %d}' % i for i in range(1000)}
        assert desk.commit(content).files == 1000
        assert desk.read() == content
