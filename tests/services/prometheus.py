"""Prometheus and Alertmanager of one test: real ones, on free ports, in a folder of the test.

    with Prometheus(folder, {"yard": ["127.0.0.1:8000"]}, webhook="http://127.0.0.1:9/") as one:
        one.rules("groups: ...")          # checked by promtool, read at once
        one.until('up{job="yard"} == 1')  # the samples, as soon as there are some
        one.alerts()                      # what Alertmanager has

Everything is quick (scraped and evaluated each second), so that a test sees in seconds what takes
minutes elsewhere. Only the first 5 seconds pass without a scrape: Prometheus looks for targets,
and for Alertmanager, at that pace, which no setting changes. `until("up == 1")` waits for it.
Debian's packages: `scripts/services install`.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Any, Self

import yaml

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["PROGRAMS", "Prometheus", "installed", "promtool"]

PROGRAMS = ("prometheus", "promtool", "prometheus-alertmanager")
_PATIENCE = 60.0
"""Seconds that a server may take to become ready: machines are busy when tests run."""


def installed() -> bool:
    return all(shutil.which(program) for program in PROGRAMS)


def promtool(*words: str, text: str | None = None, folder: Path | None = None) -> tuple[int, str]:
    """The exit code and what was said; `text` goes to its standard input."""
    done = subprocess.run(
        ["promtool", *words], input=text, capture_output=True, text=True, cwd=folder, timeout=60
    )
    return done.returncode, done.stdout + done.stderr


class Prometheus:
    """Prometheus, and Alertmanager if somebody is to be told. Ends with its `with` block."""

    def __init__(
        self,
        folder: Path,
        targets: Mapping[str, Sequence[str]] | None = None,
        *,
        webhook: str | None = None,
        token: str | None = None,
        path: str = "/metrics",
        interval: float = 1.0,
    ) -> None:
        """
        Args:
            targets: `HOST:PORT`s by job; `watch` changes them.
            webhook: An address that Alertmanager tells at once, of what fires and of what is over.
            token: For scraping, and for the webhook: `Authorization: Bearer`.
            path: What is scraped.
            interval: Seconds from one scrape, or evaluation of rules, to the next.
        """
        self.folder = folder / "prometheus"
        self.folder.mkdir(parents=True)
        self._targets, self._webhook, self._token = dict(targets or {}), webhook, token
        self._path, self._interval = path, f"{round(interval * 1000)}ms"
        self._processes: list[subprocess.Popen[bytes]] = []
        self.url = self.alertmanager = ""

    def __enter__(self) -> Self:
        try:
            if self._webhook is not None:
                self._start_alertmanager()
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End both; SIGTERM first, as their makers want it."""
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._processes.clear()

    def watch(self, job: str, targets: Sequence[str]) -> None:
        """Scrape these from now on: read by file_sd, without a reload."""
        self._targets[job] = list(targets)
        groups = [{"targets": list(all_of), "labels": {"job": name}}
                  for name, all_of in self._targets.items()]  # fmt: skip
        part = self.folder / "targets.part"
        part.write_text(json.dumps(groups))
        part.replace(self.folder / "targets.json")

    def rules(self, text: str) -> None:
        """The rules that hold from now on."""
        (self.folder / "rules.yml").write_text(text)
        code, told = promtool("check", "rules", "rules.yml", folder=self.folder)
        assert code == 0, told
        _ask(f"{self.url}/-/reload", b"")

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The samples of an expression, now: `metric` and `value` ([time, text]) of each.

        Raises AssertionError with Prometheus' words where the expression is wrong.
        """
        return self._api("query", query=expression)["result"]

    def range(
        self, expression: str, *, seconds: float = 60.0, step: float = 1.0
    ) -> list[dict[str, Any]]:
        """The series of an expression, up to now: `metric` and `values` of each."""
        now = time.time()
        return self._api(
            "query_range", query=expression, start=now - seconds, end=now, step=step
        )["result"]  # fmt: skip

    def exemplars(self, expression: str, *, seconds: float = 60.0) -> list[dict[str, Any]]:
        now = time.time()
        return self._api("query_exemplars", query=expression, start=now - seconds, end=now)

    def value(self, expression: str) -> float | None:
        """The only sample's; None if there is none."""
        found = self.query(expression)
        assert len(found) <= 1, f"{expression} has {len(found)} samples"
        return float(found[0]["value"][1]) if found else None

    def until(self, expression: str, *, seconds: float = 30.0) -> list[dict[str, Any]]:
        """The samples of an expression, as soon as it has some; AssertionError if it never has."""
        end = time.monotonic() + seconds
        while not (found := self.query(expression)):
            assert time.monotonic() < end, f"no data after {seconds:g} s: {expression}"
            time.sleep(0.1)
        return found

    def targets(self) -> list[dict[str, Any]]:
        """What is scraped: `health`, `lastError`, `labels` of each."""
        return self._api("targets", state="active")["activeTargets"]

    def alerts(self) -> list[dict[str, Any]]:
        """What Alertmanager has."""
        return _ask(f"{self.alertmanager}/api/v2/alerts")

    def _api(self, what: str, **words: Any) -> Any:
        query = urllib.parse.urlencode(words)
        return _ask(f"{self.url}/api/v1/{what}?{query}")["data"]

    def _start(self) -> None:
        self.watch("yard", self._targets.get("yard", ()))
        (self.folder / "rules.yml").write_text("groups: []\n")
        (self.folder / "token").write_text(self._token or "")
        scrape: dict[str, Any] = {
            "job_name": "yard",
            "metrics_path": self._path,
            "file_sd_configs": [{"files": ["targets.json"], "refresh_interval": "1s"}],
        }
        if self._token is not None:
            scrape["authorization"] = {"credentials_file": "token"}
        config: dict[str, Any] = {
            "global": {"scrape_interval": self._interval, "scrape_timeout": self._interval,
                       "evaluation_interval": self._interval},
            "rule_files": ["rules.yml"],
            "scrape_configs": [scrape],
        }  # fmt: skip
        if self.alertmanager:
            place = self.alertmanager.removeprefix("http://")
            managers = [{"static_configs": [{"targets": [place]}]}]
            config["alerting"] = {"alertmanagers": managers}
        (self.folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        self.url = self._launch(
            "prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data",
            "--web.listen-address={place}", "--web.enable-lifecycle", "--log.level=warn",
            "--enable-feature=exemplar-storage",
        )  # fmt: skip

    def _start_alertmanager(self) -> None:
        hook: dict[str, Any] = {"url": self._webhook, "send_resolved": True}
        if self._token is not None:
            hook["http_config"] = {"authorization": {"credentials": self._token}}
        config = {
            "route": {"receiver": "hook", "group_by": ["alertname", "deployment"],
                      "group_wait": "0s", "group_interval": "1s", "repeat_interval": "1h"},
            "receivers": [{"name": "hook", "webhook_configs": [hook]}],
        }  # fmt: skip
        (self.folder / "alertmanager.yml").write_text(yaml.safe_dump(config))
        self.alertmanager = self._launch(
            "prometheus-alertmanager", "--config.file=alertmanager.yml", "--storage.path=alerts",
            "--web.listen-address={place}", "--cluster.listen-address=", "--log.level=warn",
        )  # fmt: skip

    def _launch(self, *command: str) -> str:
        """Its address, once it is ready."""
        for _ in range(3):  # somebody may take the port before it does
            place = f"127.0.0.1:{_free_port()}"
            with open(self.folder / f"{command[0]}.log", "wb") as log:
                process = subprocess.Popen(
                    [word.format(place=place) for word in command],
                    cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                )  # fmt: skip
            end = time.monotonic() + _PATIENCE
            while process.poll() is None and time.monotonic() < end:
                with contextlib.suppress(OSError):
                    _ask(f"http://{place}/-/ready")
                    if process.poll() is None:
                        self._processes.append(process)
                        return f"http://{place}"
                time.sleep(0.02)
            process.kill()
            process.wait()
        told = (self.folder / f"{command[0]}.log").read_text("utf-8", "replace")[-1500:]
        raise RuntimeError(f"{command[0]} does not become ready; the end of its log:\n{told}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _ask(url: str, body: bytes | None = None) -> Any:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body), timeout=10) as answer:
            told = answer.read()
    except urllib.error.HTTPError as error:
        if error.code == 503:
            raise  # not ready yet: an OSError
        raise AssertionError(f"{url}: {error.read().decode(errors='replace')[:800]}") from None
    return json.loads(told) if told[:1] in (b"{", b"[") else told
