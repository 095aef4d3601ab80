"""Monitoring of a real server that answers real requests: asked over HTTP, told of truth."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.server.running import Running, running

from modelyard.client.remote import RemoteYard
from modelyard.core.deployment import DeploymentSpec, Share
from modelyard.core.monitoring import FeedbackSummary, Monitor
from modelyard.core.wire import decode
from modelyard.errors import Denied, InvalidInput, NotFound
from modelyard.registry import open_yard

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx2

pytestmark = pytest.mark.slow

SOON = 30.0


class Site:
    """A server that serves `fraud`, a version that is right about nine times of ten."""

    def __init__(self, server: Running, yard: RemoteYard, client: httpx2.Client) -> None:
        self.server, self.yard, self.client = server, yard, client
        self.rng = np.random.default_rng(5)

    def asked(self, requests: int, rows: int = 10, scale: float = 1.0) -> list[tuple[str, Any]]:
        """Ask; the id of each request, and the truth of its rows."""
        told = []
        for _ in range(requests):
            amounts, truth = drawn(self.rng, rows, scale)
            ages = self.rng.integers(18, 80, rows).astype(float)
            body = {"columns": {"amount": amounts.tolist(), "age": ages.tolist()}}
            answer = self.client.post("/predict/fraud", json=body)
            assert answer.status_code == 200, answer.text
            told.append((answer.headers["x-request-id"], truth.tolist()))
        return told

    def joined(self, send: Any) -> FeedbackSummary:
        """What comes of feedback once the answers that it is about are written."""
        limit = time.monotonic() + SOON
        while True:
            found: FeedbackSummary = send()
            if not found.unknown or time.monotonic() > limit:
                return found
            time.sleep(0.25)

    def seen(self, requests: int) -> Monitor:
        """When so many requests have been taken note of."""
        limit = time.monotonic() + SOON
        while True:
            found = self.yard.monitoring.look("fraud")
            if found.versions[0].performance.requests >= requests:
                return found
            assert time.monotonic() < limit, found
            time.sleep(0.1)


def drawn(rng: np.random.Generator, rows: int, scale: float = 1.0) -> tuple[Any, Any]:
    amounts = rng.exponential(50.0 * scale, rows)
    truth = np.where(amounts / 50 + rng.normal(0, 0.3, rows) > 1, "bad", "good")
    return amounts, truth


def fill(folder: Path) -> None:
    import pandas as pd
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(4)
    amounts, truth = drawn(rng, 3000)
    inputs = pd.DataFrame({"amount": amounts, "age": rng.integers(18, 80, 3000).astype(float)})
    data = folder.parent / "reference.csv"
    inputs.assign(verdict=truth).to_csv(data, index=False)
    with open_yard(folder) as yard:
        yard.commit("risk/fraud", LogisticRegression().fit(inputs, truth), example=inputs[:2])
        yard.commit("data/payments", data, kind="dataset")


@contextmanager
def monitored(folder: Path) -> Iterator[Site]:
    with running(folder) as server, server.client() as client:
        fill(folder)
        with RemoteYard.at(server.url, token=server.token) as yard:
            made = yard.monitoring.make_profile(
                "risk/fraud", 1, "data/payments@1", target="verdict"
            )
            assert made.rows == 3000
            share = Share(model="risk/fraud", revision="1")
            yard.deployments.apply(DeploymentSpec(name="fraud", shares=(share,)))
            limit = time.monotonic() + 60
            while yard.deployments.get("fraud").state != "ready":
                assert time.monotonic() < limit
                time.sleep(0.05)
            yield Site(server, yard, client)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with monitored(tmp_path_factory.mktemp("monitored") / "yard") as found:
        yield found


def test_requests_are_seen_truth_is_joined_and_what_moved_is_told(site: Site) -> None:
    watching = site.yard.monitoring
    told = site.asked(30)
    seen = site.seen(30)
    (version,) = seen.versions
    assert version.performance.outcomes == {"ok": version.performance.requests}
    assert version.performance.p50 is not None
    assert 0 < version.performance.p50 < 5
    truths = [{"request": request, "truth": truth} for request, truth in told]
    summary = site.joined(lambda: watching.feedback("fraud", truths))
    assert (summary.joined + summary.duplicate, summary.unknown) == (300, 0)
    again = watching.feedback("fraud", truths)
    assert (again.joined, again.duplicate) == (0, 300)
    (version,) = watching.look("fraud").versions
    accuracy = next(each for each in version.realized if each.name == "accuracy")
    assert accuracy.value is not None
    assert accuracy.value > 0.8
    assert version.labelled == 300
    site.asked(100, scale=3.0)
    limit = time.monotonic() + SOON
    while True:
        drift = {each.column: each for each in watching.look("fraud").versions[0].drift}
        if drift["amount"].suspected:
            break
        assert time.monotonic() < limit, drift
        time.sleep(0.2)
    assert drift["amount"].score > drift["age"].score
    assert not drift["age"].suspected
    assert {"requests", "latency_p99", "drift_score"} <= {
        each.name for each in watching.series("fraud")
    }
    (one,) = watching.fleet()
    assert (one.deployment, one.models) == ("fraud", ("risk/fraud@1",))
    assert one.accuracy is not None


@pytest.mark.parametrize("kind", ["json", "jsonl", "csv"])
def test_truth_is_taken_as_people_have_it(site: Site, kind: str) -> None:
    told = site.asked(3, rows=2)
    lines = [
        {"request": request, "truth": value, "row": row}
        for request, truth in told
        for row, value in enumerate(truth)
    ]
    if kind == "csv":
        body = "truth,row,request\n" + "".join(
            f"{x['truth']},{x['row']},{x['request']}\n" for x in lines
        )
    elif kind == "json":
        body = json.dumps(lines)
    else:
        body = "\n".join(map(json.dumps, lines))
    media = {"csv": "text/csv", "json": "application/json", "jsonl": "application/jsonl"}[kind]

    def send() -> FeedbackSummary:
        answer = site.client.post(
            "/api/v1/deployments/fraud/feedback", content=body, headers={"content-type": media}
        )
        assert answer.status_code == 200, answer.text
        return decode(answer.content, FeedbackSummary)

    summary = site.joined(send)
    assert (summary.joined + summary.duplicate, summary.unknown) == (6, 0)


def test_truth_that_is_none_is_refused_with_its_line(site: Site) -> None:
    for media, body, kind in (
        ("text/csv", b"a,b\n", "bad-feedback"), ("application/json", b"5", "bad-feedback"),
        ("application/jsonl", b'{"request":"x"}', "bad-feedback"),
        ("image/png", b"", "wrong-media-type"),
    ):  # fmt: skip
        answer = site.client.post(
            "/api/v1/deployments/fraud/feedback", content=body, headers={"content-type": media}
        )
        assert answer.json()["kind"] == kind, answer.text
    with pytest.raises(InvalidInput):
        site.yard.monitoring.feedback("fraud", [{"request": 5, "truth": 1}])


def test_many_truths_are_streamed(site: Site) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"request,truth\n"
        for at in range(200):
            yield b"".join(b"nobody-%d,good\n" % (at * 500 + i) for i in range(500))

    answer = site.client.post(
        "/api/v1/deployments/fraud/feedback", content=pieces(),
        headers={"content-type": "text/csv"},
    )  # fmt: skip
    assert answer.status_code == 200, answer.text
    told = decode(answer.content, FeedbackSummary)
    assert (told.joined, told.duplicate, told.conflicting) == (0, 0, 0)
    assert told.unknown + told.late == 100_000


def test_a_stream_tells_how_it_is_and_what_changes(site: Site) -> None:
    path = "/api/v1/deployments/fraud/monitoring/stream"
    found: list[Monitor] = []
    with site.client.stream("GET", path, params={"window": 600}, timeout=SOON) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        for line in answer.iter_lines():
            if line.startswith("data: "):
                found.append(decode(line[6:].encode(), Monitor))
                before, now = found[0].versions[0], found[-1].versions[0]
                if now.performance.requests > before.performance.requests:
                    break
                if len(found) == 1:
                    site.asked(2)
    missing = site.client.get("/api/v1/deployments/nobody/monitoring/stream")
    assert missing.status_code == 404


def test_an_account_has_twenty_streams_at_most(site: Site) -> None:
    path = "/api/v1/deployments/fraud/monitoring/stream"
    with ExitStack() as open_ones:
        for _ in range(20):
            stream = site.client.stream("GET", path, timeout=SOON)
            assert open_ones.enter_context(stream).status_code == 200
        answer = site.client.get(path)
        assert (answer.status_code, answer.json()["kind"]) == (503, "too-many-streams")
        assert site.client.get("/deployments/fraud/monitoring/live").status_code == 503
    until = time.monotonic() + 20
    while True:  # the server sees that they are gone
        with site.client.stream("GET", path, timeout=SOON) as answer:
            if answer.status_code == 200:
                break
        assert time.monotonic() < until
        time.sleep(0.2)


def test_an_open_page_is_told_of_news(site: Site) -> None:
    path = "/deployments/fraud/monitoring/live"
    until = time.monotonic() + SOON
    with site.client.stream("GET", path, timeout=SOON) as answer:
        assert answer.status_code == 200
        for line in answer.iter_lines():
            if line == "event: news":
                break
            assert time.monotonic() < until
            site.asked(2)


def test_a_reference_is_made_of_datasets_and_never_of_the_servers_files(site: Site) -> None:
    path = "/api/v1/models/risk%2Ffraud/versions/1/profile"
    file = site.server.folder.parent / "reference.csv"
    for data in (
        str(file),
        "/etc/passwd",
        "~/.ssh/id_rsa",
        "reference.csv",
        "none/such@1",
        "~nosuch/x",
    ):
        answer = site.client.post(path, json={"data": data})
        assert answer.status_code in (404, 422), answer.text
        assert answer.json()["kind"] in ("no-data", "no-model"), answer.text
    assert site.client.get(path).json()["data"].startswith("data/payments@1")


def test_who_may_not_see_a_deployment_is_told_there_is_none(site: Site) -> None:
    made = site.client.post("/api/v1/accounts", json={"name": "eve"})
    assert made.status_code == 201, made.text
    token = site.client.post("/api/v1/tokens", json={"account": "eve"}).json()["secret"]
    with RemoteYard.at(site.server.url, token=token) as eve:
        assert eve.monitoring.fleet() == ()
        for call in (
            lambda: eve.monitoring.look("fraud"),
            lambda: eve.monitoring.feedback("fraud", [{"request": "a", "truth": "good"}]),
            lambda: eve.monitoring.rules("fraud"),
        ):
            with pytest.raises(NotFound, match="fraud"):
                call()
    give = {"account": "eve", "pattern": "risk/*", "role": "reader"}
    assert site.client.put("/api/v1/roles", json=give).status_code == 200
    with RemoteYard.at(site.server.url, token=token) as eve:
        assert eve.monitoring.look("fraud").deployment == "fraud"
        for change in (
            lambda: eve.monitoring.feedback("fraud", [{"request": "a", "truth": "good"}]),
            lambda: eve.monitoring.set_rules("fraud", "rules: {}"),
            lambda: eve.monitoring.silence("fraud"),
            lambda: eve.monitoring.silence(""),
        ):
            with pytest.raises(Denied):
                change()


# -- the command line ------------------------------------------------------------------------------


def yard(site: Site, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    home = site.server.folder.parent
    return subprocess.run(
        [sys.executable, "-m", "modelyard", "--yard", site.server.url, *words], text=True,
        input=stdin, capture_output=True, timeout=60, check=False, cwd=home,
        env={"PATH": "", "HOME": str(home), "YARD_TOKEN": str(site.server.token)},
    )  # fmt: skip


def test_the_terminal_tells_the_fleet_and_one_of_it(site: Site) -> None:
    site.asked(2)
    fleet = yard(site, "monitor")
    assert fleet.returncode == 0, fleet.stderr
    assert "fraud" in fleet.stdout
    one = yard(site, "monitor", "fraud", "--since", "10m")
    assert "risk/fraud@1  100 %" in one.stdout, one.stderr
    assert "compared with data/payments@1" in one.stdout
    told = yard(site, "--json", "monitor", "fraud")
    assert decode(told.stdout.encode(), Monitor).deployment == "fraud"
    assert yard(site, "-q", "monitor").stdout == "fraud\n"
    missing = yard(site, "--json", "monitor", "nobody")
    assert json.loads(missing.stdout)["error"]["kind"] == "no-deployment"


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet", "pipe"])
def test_a_file_of_truth_is_sent(site: Site, kind: str) -> None:
    import pandas as pd

    told = site.asked(3, rows=1)
    table = pd.DataFrame({"id": [r for r, _ in told], "label": [t[0] for _, t in told]})
    file = site.server.folder.parent / f"truth-{kind}.{kind}"
    stdin, place = "", str(file)
    if kind == "csv":
        table.to_csv(file, index=False)
    elif kind == "jsonl":
        table.to_json(file, orient="records", lines=True)
    elif kind == "parquet":
        table.to_parquet(file)
    else:
        stdin, place = table.to_csv(index=False), "-"

    def send() -> FeedbackSummary:
        done = yard(
            site, "--json", "feedback", "fraud", place, "--request", "id", "--truth", "label",
            stdin=stdin,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return decode(done.stdout.encode(), FeedbackSummary)

    summary = site.joined(send)
    assert (summary.joined + summary.duplicate, summary.unknown) == (3, 0)


def test_following_tells_each_change_as_a_line_of_json(site: Site) -> None:
    home = site.server.folder.parent
    with subprocess.Popen(
        [sys.executable, "-m", "modelyard", "--yard", site.server.url, "--json", "monitor",
         "fraud", "--follow", "--every", "0.2s"],
        stdout=subprocess.PIPE, text=True, cwd=home,
        env={"PATH": "", "HOME": str(home), "YARD_TOKEN": str(site.server.token)},
    ) as process:  # fmt: skip
        assert process.stdout is not None
        try:
            first = decode(process.stdout.readline().encode(), Monitor)
            site.asked(5)
            requests = first.versions[0].performance.requests
            while True:
                then = decode(process.stdout.readline().encode(), Monitor)
                if then.versions[0].performance.requests >= requests + 5:
                    break
        finally:
            process.terminate()


def test_a_report_is_one_file_that_asks_for_nothing(site: Site, tmp_path: Path) -> None:
    from html.parser import HTMLParser

    site.asked(2)
    for language, word in (("en", "Performance"), ("zh", 'lang="zh"')):
        file = tmp_path / f"{language}.html"
        done = yard(site, "report", "fraud", "--html", str(file), "--language", language)
        assert done.returncode == 0, done.stderr
        text = file.read_text()
        assert word in text
        assert "risk/fraud@1" in text
        sources: list[str] = []

        class Reader(HTMLParser):
            def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
                assert tag not in ("script", "link", "img", "iframe", "object")
                sources.extend(  # noqa: B023 - used before the next one
                    value or "" for name, value in attrs if name in ("src", "href", "xlink:href")
                )

        Reader().feed(text)
        assert sources == []
        assert "url(" not in text
        assert "@import" not in text


def test_on_a_terminal_following_redraws_a_screen_of_its_own(site: Site) -> None:
    import os
    import pty
    import select

    home = site.server.folder.parent
    words = [sys.executable, "-m", "modelyard", "--yard", site.server.url, "monitor", "fraud",
             "--follow", "--every", "0.2s"]  # fmt: skip
    child, terminal = pty.fork()
    if child == 0:  # pragma: no cover - another process
        os.execve(words[0], words, {
            "HOME": str(home), "YARD_TOKEN": str(site.server.token), "TERM": "xterm",
        })  # fmt: skip
    seen = b""
    while seen.count(b"risk/fraud@1") < 3:
        assert select.select([terminal], [], [], 60.0)[0], seen
        seen += os.read(terminal, 65_536)
    os.write(terminal, b"\x03")
    with contextlib.suppress(OSError):  # Linux says so at the end of a terminal
        while piece := os.read(terminal, 65_536):
            seen += piece
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 130
    assert b"\x1b[?1049h" in seen
    assert seen.rstrip().endswith(b"\x1b[?1049l"), "the screen is as it was"
    assert b"Traceback" not in seen
