"""Events and webhooks through our own client."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest
from tests.server.listening import listening
from tests.server.running import running, start

from modelyard.client.addresses import Address
from modelyard.client.connection import Connection
from modelyard.client.events import RemoteHearing
from modelyard.core.events import Event, Wanted, wanted
from modelyard.core.hooks import HookChange, NewHook
from modelyard.errors import Denied, InvalidInput, NotFound
from modelyard.registry import open_yard

if TYPE_CHECKING:
    from pathlib import Path


def test_pages_and_webhooks_are_as_in_a_folder(tmp_path: Path) -> None:
    file = tmp_path / "m.txt"
    file.write_text("x")
    with running(tmp_path / "yard", private_hooks=True) as one, listening() as listener:
        connection = Connection(Address.parse(one.url), one.token)
        hearing = RemoteHearing(connection)
        made = hearing.add_hook(NewHook(url=f"{listener.url}/in", events=("version-committed",)))
        with open_yard(one.folder) as yard:
            yard.commit("team/a", file)
            yard.alias("team/a", "prod", 1)
        page = hearing.events(after=None, wanted=wanted(["ref-created"]), limit=10)
        assert [event.subject for event in page.items] == ["team/a@1"]
        assert hearing.test_hook(made.hook.id).is_good
        limit = time.monotonic() + 10
        while len(listener.bodies) < 2 and time.monotonic() < limit:
            time.sleep(0.02)
        while hearing.deliveries(made.hook.id, 5)[0].state != "done":
            time.sleep(0.02)
        (delivery,) = hearing.deliveries(made.hook.id, 5)
        assert hearing.redeliver(made.hook.id, delivery.id).state == "waiting"
        assert not hearing.change_hook(made.hook.id, HookChange(active=False)).active
        assert [hook.id for hook in hearing.hooks()] == [made.hook.id]
        assert hearing.remove_hook(made.hook.id).id == made.hook.id
        with pytest.raises(NotFound, match="no webhook"):
            hearing.remove_hook(made.hook.id)
        with pytest.raises(InvalidInput, match="no kind of event"):
            hearing.events(after=None, wanted=Wanted(frozenset({"x"})), limit=1)
        connection.close()


def test_who_follows_misses_nothing_while_the_server_is_started_again(tmp_path: Path) -> None:
    file = tmp_path / "m.txt"
    file.write_text("x")
    heard: list[Event] = []
    with running(tmp_path / "yard") as one, open_yard(tmp_path / "yard") as yard:
        port = one.url.rpartition(":")[2]
        connection = Connection(Address.parse(one.url), one.token)

        def listen() -> None:
            for event in RemoteHearing(connection).follow(after=0, wanted=Wanted()):
                heard.append(event)
                if event.new == 4:
                    return

        thread = threading.Thread(target=listen)
        thread.start()
        yard.commit("team/a", file)
        limit = time.monotonic() + 20
        while not heard and time.monotonic() < limit:
            time.sleep(0.02)
        one.process.kill()
        one.process.wait()
        file.write_text("y")
        yard.commit("team/a", file)
        other = start(tmp_path / "yard", "--port", port)
        for text in ("z", "w"):
            file.write_text(text)
            yard.commit("team/a", file)
        thread.join(30)
        other.stop()
        assert other.process.stdout is not None
        other.process.stdout.close()
        connection.close()
    assert [event.new for event in heard] == [1, 2, 3, 4]


def test_who_follows_without_a_right_to_is_told(tmp_path: Path) -> None:
    with running(tmp_path / "yard") as one:
        connection = Connection(Address.parse(one.url))
        with pytest.raises(Denied):
            next(RemoteHearing(connection).follow(after=None, wanted=Wanted()))
        connection.close()
