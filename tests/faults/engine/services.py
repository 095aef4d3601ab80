"""Services that fail: an object store that answers with errors, a database that is restarted.

One yard lives through all faults of a series; every version that was ever acknowledged is compared.
"""

from __future__ import annotations

import http.client
import os
import shutil
import subprocess
import sys
import threading
import uuid
from contextlib import closing, contextmanager
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

import psycopg
from tests.faults.engine.check import Findings, read_back
from tests.faults.engine.lab import Lab, Row
from tests.faults.engine.yards import Wanted, commit_files, network, noise, small
from tests.services.fault_proxy import LOSE, PASS, RESET, Cut, FaultProxy, Pass, Reply
from tests.services.fixtures import mariadb, new_container
from tests.services.kinds import SERVICES
from tests.services.state import ROOT

from modelyard.errors import ModelyardError
from modelyard.registry import create
from modelyard.testing.models import read_tree, tree_digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["break_requests", "new_database", "refuse_all", "restart_database", "running"]

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


@contextmanager
def running(place: Path, name: str) -> Iterator[str]:
    """A service of our own; gives its address."""
    home = place / "services"
    os.environ.update(SERVICES[name].environ)
    try:
        yield _script(home, "start", name)
    finally:
        _script(home, "stop", name)


@contextmanager
def _behind_proxy(lab: Lab, name: str, kind: str) -> Iterator[tuple[_Series, FaultProxy]]:
    """A yard whose store is asked through a proxy."""
    place = lab.place()
    with running(place, name) as address, closing(FaultProxy(address)) as proxy:
        if name == "s3":
            bucket = f"faults-{uuid.uuid4().hex[:8]}"
            _make_bucket(address, bucket)
            end = f"endpoint={quote(proxy.url, safe='')}&region=us-east-1"
            store = f"s3://{bucket}/yard?{end}"
        else:
            store = f"azblob://{new_container(address)}/yard?endpoint={quote(proxy.url, safe='')}"
        yield _Series(lab, place, create(place / "yard", store=store), kind), proxy


def break_requests(name: str, kind: str) -> Callable[[Lab, int], list[Row]]:
    """Some requests to a store are hurt, from the n-th on."""

    def inflict(lab: Lab, count: int) -> list[Row]:
        with _behind_proxy(lab, name, kind) as (series, proxy):
            for _ in range(count):
                how = lab.rng.choice(list(_ACTIONS))
                first, length = lab.rng.randrange(4), lab.rng.choice((1, 1, 1, 2, 2, 3, 3, 20))
                actions = [PASS] * first + [_ACTIONS[how]] * length
                series.go(f"{how}, {length} times", partial(proxy.plan, actions), _off(proxy))
            return series.end()

    return inflict


def refuse_all(lab: Lab, count: int) -> list[Row]:
    """A store fails for longer than anybody waits: everything that needs it is refused."""
    with _behind_proxy(lab, "s3", "store away") as (series, proxy):
        series.be_patient(0.2)
        for _ in range(count):
            how = lab.rng.choice(["answers 500", "answers 503", "resets the connection"])
            first = lab.rng.randrange(6)
            actions = [PASS] * first + [_ACTIONS[how]] * 5000
            series.go(
                f"{how} after {first} requests", partial(proxy.plan, actions), _off(proxy),
                refused=first == 0,
            )  # fmt: skip
        return series.end()


def _off(proxy: FaultProxy) -> Callable[[], None]:
    return lambda: proxy.plan([])


def restart_database(name: str, kind: str) -> Callable[[Lab, int], list[Row]]:
    """A database is restarted, or crashed and started, while something happens."""

    def inflict(lab: Lab, count: int) -> list[Row]:
        place = lab.place()
        with running(place, name) as address:
            yard = create(place / "yard", catalog=new_database(address))
            series = _Series(lab, place, yard, kind)
            for _ in range(count):
                crash = ["--kill"] if lab.rng.random() < 0.5 else []
                timer = threading.Timer(
                    lab.rng.uniform(0, 0.15), _script, (place / "services", "restart", name, *crash)
                )
                series.go("crashed" if crash else "restarted", timer.start, timer.join)
            return series.end()

    return inflict


def new_database(address: str) -> str:
    """An empty database of PostgreSQL or MariaDB; gives its URL."""
    name = f"faults_{uuid.uuid4().hex[:8]}"
    if address.startswith("postgresql"):
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
    else:
        with mariadb(address) as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name}")
    return f"{address.rpartition('/')[0]}/{name}"


class _Series:
    """One yard and all that was acknowledged in it."""

    def __init__(self, lab: Lab, place: Path, yard, kind: str) -> None:
        self._lab, self._place, self._yard, self._kind = lab, place, yard, kind
        self._wanted = Wanted()
        self._rows: list[Row] = []
        self._turn = 0

    def be_patient(self, seconds: float) -> None:
        """How long the store's failed requests are tried again."""
        self._commit()  # it has answered once
        self._yard.house.backend._patience = seconds

    def go(
        self, where: str, hurt: Callable[[], None], heal: Callable[[], None], *,
        refused: bool = False,
    ) -> None:  # fmt: skip
        """Hurt the service, try something, heal it, and let the next command follow.

        Args:
            refused: Whether it can't have worked.
        """
        name, act = self._lab.rng.choice(
            [("commit", self._commit), ("checkout", self._checkout), ("gc", self._gc)][
                : 2 if refused else 3
            ]
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
        if refused and outcome == "acknowledged":
            outcome = "broken: acknowledged, and the store was not there"
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
        ((model, number), digest) = list(self._wanted.versions.items())[-1]
        out = self._place / "desk" / "tried"
        shutil.rmtree(out, ignore_errors=True)
        self._yard.checkout(model, number, out)
        if tree_digest(read_tree(out)) != digest:
            raise AssertionError(f"{model}@{number} is altered")
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
