"""Both backends of this package keep what `testing.BackendTests` asks of any."""

import os
import time

import pytest

from modelyard.errors import Denied, Unavailable
from modelyard.store.local import LocalBackend
from modelyard.store.memory import MemoryBackend
from modelyard.testing import BackendTests


class TestLocalBackend(BackendTests):
    @pytest.fixture
    def backend(self, tmp_path):
        backend = LocalBackend(tmp_path / "store")
        yield backend
        backend.close()


class TestMemoryBackend(BackendTests):
    @pytest.fixture
    def backend(self):
        return MemoryBackend()


def test_a_disk_that_refuses_is_unavailable_and_leaves_no_part(tmp_path, monkeypatch):
    backend = LocalBackend(tmp_path / "store")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(Unavailable) as caught:
        backend.put("packs/aa/b.pack", b"x")
    assert caught.value.kind == "disk-full"
    assert not list((tmp_path / "store").rglob("*.part"))


def test_a_place_without_permission_is_denied(tmp_path, monkeypatch):
    backend = LocalBackend(tmp_path / "store")

    def forbidden(*args, **kwargs):
        raise PermissionError(13, "Permission denied", "packs/aa")

    monkeypatch.setattr("os.open", forbidden)
    with pytest.raises(Denied):
        backend.get("packs/aa/b.pack")


def test_leftovers_go_when_they_are_old(tmp_path):
    backend = LocalBackend(tmp_path / "store")
    backend.put("packs/aa/b", b"x")
    part = tmp_path / "store" / "packs" / "aa" / "c.0badcafe.part"
    part.write_bytes(b"half")
    assert backend.remove_leftovers() == 0  # its writer may be alive
    os.utime(part, (time.time() - 4000,) * 2)
    assert backend.remove_leftovers() == 1
    assert list(backend.keys()) == ["packs/aa/b"]
    assert not part.exists()


def test_what_was_appended_and_not_synced_is_given_back(tmp_path):
    """A disk that is full is not left full by the commit that filled it."""
    backend = LocalBackend(tmp_path / "store")
    pack = backend.append("packs/aa/b.pack", 0)
    pack.write([b"kept"])
    pack.sync()
    pack.write([b"lost" * 1000])
    pack.close()
    assert backend.get("packs/aa/b.pack") == b"kept"
    again = backend.append("packs/aa/b.pack", 4)
    again.write([b" too"])
    again.sync()
    again.close()
    assert backend.get("packs/aa/b.pack") == b"kept too"
