"""A connection that breaks at COMMIT: what took effect is found, what did not is done again."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from modelyard.catalog.engine import Catalog
from modelyard.errors import Denied, InvalidInput, ModelyardError, NotFound, Unavailable
from modelyard.registry import create

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow


class _Wire:
    """Stands between client and server; cuts the connection at a COMMIT when told to."""

    def __init__(self, port: int) -> None:
        self.cut: str | None = None
        """`before` the server gets the next COMMIT, or `after` it answered."""
        self.cuts = 0
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._port))
            for source, target in ((client, server), (server, client)):
                pump = threading.Thread(
                    target=self._pump, args=(source, target, client, server), daemon=True
                )
                pump.start()

    def _pump(
        self, source: socket.socket, target: socket.socket, client: socket.socket,
        server: socket.socket,
    ) -> None:  # fmt: skip
        answering = False
        try:
            while content := source.recv(1 << 16):
                if source is client and self.cut is not None and _commits(content):
                    if self.cut == "before":
                        break
                    answering = True
                    client.shutdown(socket.SHUT_WR)  # whatever the answer is
                target.sendall(content)
                if answering:
                    server.settimeout(5)
                    threading.Event().wait(0.3)  # the server has it, and ends the transaction
                    break
        except OSError:
            pass
        finally:
            if self.cut is not None and (answering or source is client):
                self.cuts += 1
                self.cut = None
            for end in (client, server):
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
                end.close()


def _commits(content: bytes) -> bool:
    """Whether a message is COMMIT, in either protocol, and not `READ COMMITTED`."""
    return content.rstrip(b"\0").endswith(b"COMMIT")


@pytest.fixture(params=["postgres_url", "mariadb_url"])
def url(request: pytest.FixtureRequest) -> str:
    found: str = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def wire(url: str) -> Iterator[_Wire]:
    found = _Wire(sa.make_url(url).port or 0)
    yield found
    found.close()


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_commit_is_made_once_whenever_the_connection_breaks(
    tmp_path: Path, url: str, wire: _Wire, when: str
) -> None:
    through = sa.make_url(url).set(port=wire.port, host="127.0.0.1").render_as_string()
    yard = create(tmp_path / "yard", catalog=through)
    file = tmp_path / "m.bin"
    file.write_bytes(b"1" * 200_000)
    yard.commit("m", file)
    for number in (2, 3, 4):
        file.write_bytes(bytes([number]) * 200_000)
        house = yard.house
        write = house.catalog.write

        def last(work: object, write=write) -> object:  # only the version's own transaction
            wire.cut = when
            return write(work)

        house.catalog.write = last  # type: ignore[method-assign]
        done = yard.commit("m", file)
        house.catalog.write = write  # type: ignore[method-assign]
        assert done.number == number
        yard.label("m", add={f"k{number}": "v"})
    assert wire.cuts >= 3
    assert [version.number for version in yard.log("m")] == [4, 3, 2, 1]
    assert len(list(yard.reflog("m", "main"))) == 4
    before = list(yard.log("m")), yard.label("m"), list(yard.reflog("m"))
    assert yard.verify(rebuild=True).ok
    # what was undone is in the store too, and does not come back
    assert (list(yard.log("m")), yard.label("m"), list(yard.reflog("m"))) == before
    yard.close()


def _failure(url: str) -> ModelyardError:
    catalog = Catalog.open(url)
    with pytest.raises(ModelyardError) as caught, catalog.read():
        pass
    catalog.close()
    return caught.value


def test_what_is_wrong_with_a_server_is_said_with_what_helps(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed = sa.make_url(url)
    nowhere = _failure(parsed.set(port=1).render_as_string())
    assert isinstance(nowhere, Unavailable)
    assert nowhere.kind == "catalog-unreachable"
    unnamed = _failure(parsed.set(host="no-such-host.invalid").render_as_string())
    assert unnamed.kind == "catalog-unreachable"
    absent = _failure(parsed.set(database="not_there").render_as_string())
    assert isinstance(absent, NotFound)
    assert absent.kind == "no-database"
    assert "not_there" in (absent.hint or "")
    monkeypatch.setenv("YARD_CATALOG_PASSWORD", "hush-hush")
    stranger = _failure(parsed.set(username="nobody").render_as_string())
    assert isinstance(stranger, Denied)
    assert stranger.kind == "catalog-login"
    for error in (nowhere, unnamed, absent, stranger):
        assert "hush-hush" not in f"{error} {error.hint} {error.__cause__}"


def test_a_password_in_the_url_is_refused_and_not_shown(url: str) -> None:
    parsed = sa.make_url(url)
    for bad in (
        parsed.set(password="hush-hush"),
        parsed.update_query_dict({"password": "hush-hush"}),
    ):
        with pytest.raises(InvalidInput) as caught:
            Catalog.open(bad.render_as_string(hide_password=False))
        assert caught.value.kind == "secret-in-url"
        assert "hush" not in f"{caught.value} {caught.value.hint}"
