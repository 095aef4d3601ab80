"""Services that fail: an object store that answers with errors, a database that is restarted.

One yard lives through all faults of a series; every version that was ever acknowledged is compared.
"""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import threading
import uuid
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from tests.faults.engine.check import Findings, read_back
from tests.faults.engine.lab import Lab, Row
from tests.faults.engine.yards import Wanted, commit_files, network, noise, small
from tests.services.fault_proxy import LOSE, PASS, RESET, Cut, FaultProxy, Pass, Reply
from tests.services.kinds import SERVICES
from tests.services.state import ROOT

from modelyard.errors import ModelyardError
from modelyard.registry import create

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["break_requests", "restart_database"]

_ACTIONS = {
    "answers 500": Reply(500), "answers 503": Reply(503, retry_after=0), "is slow": Pass(0.2),
    "cuts the answer": Cut(40), "loses the reply": LOSE, "resets the connection": RESET,
}  # fmt: skip


def _script(home: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "services"), *words],
        env={**os.environ, "YARD_SERVICES_HOME": str(home)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.partition("\t")[2].strip()


def break_requests(lab: Lab, count: int) -> list[Row]:
    """S3 through a proxy that hurts some requests from the n-th on."""
    place = lab.place()
    os.environ.update(SERVICES["s3"].environ)
    address = _script(place / "services", "start", "s3")
    proxy = FaultProxy(address)
    try:
        bucket = f"faults-{uuid.uuid4().hex[:8]}"
        _make_bucket(address, bucket)
        store = f"s3://{bucket}/yard?endpoint={quote(proxy.url, safe='')}&region=us-east-1"
        series = _Series(lab, place, create(place / "yard", store=store), "service errors")
        for _ in range(count):
            name = lab.rng.choice(list(_ACTIONS))
            first, length = lab.rng.randrange(4), lab.rng.choice((1, 1, 1, 2, 2, 3, 3, 20))
            actions = [PASS] * first + [_ACTIONS[name]] * length
            series.go(f"{name}, {length} times", lambda a=actions: proxy.plan(a), proxy_off(proxy))
        return series.end()
    finally:
        proxy.close()
        _script(place / "services", "stop", "s3")


def proxy_off(proxy: FaultProxy) -> Callable[[], None]:
    return lambda: proxy.plan([])


def restart_database(lab: Lab, count: int) -> list[Row]:
    """PostgreSQL is restarted, or crashed and started, while something happens."""
    place = lab.place()
    home = place / "services"
    address = _script(home, "start", "postgres")
    try:
        series = _Series(lab, place, create(place / "yard", catalog=address), "database restarted")
        for _ in range(count):
            crash = ["--kill"] if lab.rng.random() < 0.5 else []
            timer = threading.Timer(
                lab.rng.uniform(0, 0.15), _script, (home, "restart", "postgres", *crash)
            )
            series.go("crashed" if crash else "restarted", timer.start, timer.join)
        return series.end()
    finally:
        _script(home, "stop", "postgres")


class _Series:
    """One yard and all that was acknowledged in it."""

    def __init__(self, lab: Lab, place: Path, yard, kind: str) -> None:
        self._lab, self._place, self._yard, self._kind = lab, place, yard, kind
        self._wanted = Wanted()
        self._rows: list[Row] = []
        self._turn = 0

    def go(self, where: str, hurt: Callable[[], None], heal: Callable[[], None]) -> None:
        """Hurt the service, try something, heal it, and let the next command follow."""
        name, act = self._lab.rng.choice(
            [("commit", self._commit), ("checkout", self._checkout), ("gc", self._gc)]
        )
        before = self._wanted.acknowledged
        found, outcome = Findings(), "acknowledged"
        hurt()
        try:
            act()
        except ModelyardError as error:
            outcome = f"refused: {type(error).__name__} {error.kind}"
        except Exception as error:
            outcome = f"broken: {type(error).__name__}: {error}"
        heal()
        try:
            self._commit()
            read_back(self._yard, self._place / "desk", self._last(), found)
        except Exception as error:
            found.wrong.append(f"the next command: {type(error).__name__} {error}")
        told = self._wanted.acknowledged - before
        self._rows.append(Row(self._kind, name, where, outcome, told, found))

    def end(self) -> list[Row]:
        """Compare everything; what is not as promised is put to the last row."""
        found = self._rows[-1].findings
        if not (report := self._yard.verify()).ok:
            found.wrong.append(f"verify: {report.damage}")
        read_back(self._yard, self._place / "desk", self._wanted, found)
        self._yard.close()
        self._lab.rows += self._rows
        return self._rows

    def _commit(self) -> None:
        self._turn += 1
        model, files = self._lab.rng.choice(
            [("net", network(1, self._turn)), ("small", small(self._turn)),
             ("junk", noise(self._turn, 60_000))]
        )  # fmt: skip
        message = commit_files(self._yard, self._place / "desk", model, files, "main")
        self._wanted.note(message)

    def _checkout(self) -> None:
        if not self._wanted.versions:
            return self._commit()
        found = Findings()
        read_back(self._yard, self._place / "desk", self._last(), found)
        if found.lost and "altered" in found.lost[0]:
            raise AssertionError(found.lost)
        return None

    def _gc(self) -> None:
        self._yard.gc()

    def _last(self) -> Wanted:
        return Wanted(dict(list(self._wanted.versions.items())[-1:]))


def _make_bucket(address: str, bucket: str) -> None:
    place = urlsplit(address)
    connection = http.client.HTTPConnection(place.hostname or "", place.port)
    connection.request("PUT", f"/{bucket}")
    assert connection.getresponse().status == 200
