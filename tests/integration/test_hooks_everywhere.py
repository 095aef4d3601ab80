"""Webhooks of several servers on one catalog of each kind: every event is sent, and once."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING

import pytest
from tests.server.listening import listening

from modelyard.core.hooks import NewHook
from modelyard.registry import create, open_yard
from modelyard.registry.hooks import add_hook, deliveries_of
from modelyard.server.hooks import Deliverer
from modelyard.server.settings import Settings
from modelyard.server.state import Server

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

_SERVERS = 3
_WRITERS = 4
_ROUNDS = 12


@pytest.mark.parametrize("catalog", ["sqlite", "postgres_url", "mariadb_url"])
def test_every_event_is_sent_once_by_one_of_several_servers(
    catalog: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    url = None if catalog == "sqlite" else request.getfixturevalue(catalog)
    file = tmp_path / "model.txt"
    file.write_text("x")
    with create(tmp_path / "yard", catalog=url) as yard, listening() as listener:
        for at in range(_WRITERS):
            yard.commit(f"team/m{at}", file)
        hook = add_hook(yard.house, NewHook(url=f"{listener.url}/in")).hook
        yards = [open_yard(yard.house.root) for _ in range(_SERVERS)]
        servers = [Server(each, Settings(private_hooks=True)) for each in yards]
        senders = [Deliverer(server) for server in servers]
        for sender in senders:
            sender.start()

        def write(at: int) -> None:
            for turn in range(_ROUNDS):
                yard.label(f"team/m{at}", add={"turn": str(turn)})

        writers = [threading.Thread(target=write, args=(at,)) for at in range(_WRITERS)]
        for thread in writers:
            thread.start()
        for thread in writers:
            thread.join()
        expected, limit = _WRITERS * _ROUNDS, time.monotonic() + 30
        while time.monotonic() < limit and (
            len([d for d in deliveries_of(yard.house, hook.id, 1000) if d.state == "done"])
            < expected
        ):
            time.sleep(0.1)
        for sender, each in zip(senders, yards, strict=True):
            sender.stop()
            each.close()
        sent = [json.loads(body)["data"]["id"] for body in listener.bodies]
        assert len(sent) == expected
        assert sent == sorted(set(sent)), "in order, and none twice"
        assert {d.attempts for d in deliveries_of(yard.house, hook.id, 1000)} == {1}
