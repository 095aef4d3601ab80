"""Clients of a server that do what people do, and remember what was acknowledged."""

from __future__ import annotations

import hashlib
import random
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from modelyard.client.remote import RemoteYard
from modelyard.errors import Conflict, ModelyardError, NotFound, Unavailable
from modelyard.testing.models import layers, safetensors_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Client", "Known", "work_together"]


@dataclass(slots=True)
class Known:
    """What servers acknowledged, told by all clients."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    versions: dict[tuple[str, int], str] = field(default_factory=dict)
    """SHA-256 of `model.bin` or `model.safetensors`, by model and number."""
    aliases: dict[str, set[int | None]] = field(default_factory=dict)
    """Where the last moves of `champion` may have pointed it, by model; None: not there."""
    calls: dict[str, list[float]] = field(default_factory=dict)
    """Seconds of each kind of call."""
    errors: list[str] = field(default_factory=list)

    def took(self, name: str, seconds: float) -> None:
        with self.lock:
            self.calls.setdefault(name, []).append(seconds)

    def missing(self, yard: RemoteYard) -> list[str]:
        """Acknowledged versions that are not there, or not as they were."""
        wrong = []
        for (model, number), sha256 in sorted(self.versions.items()):
            try:
                files = {f.path: f.sha256 for f in yard.show(model, number).files}
                name = next(path for path in files if path.startswith("model."))
                with yard.open(model, number, name) as file:
                    found = hashlib.sha256(file.read()).hexdigest()
            except ModelyardError as error:
                wrong.append(f"{model}@{number}: {error}")
                continue
            if sha256 not in (found, files[name]) or found != sha256:
                wrong.append(f"{model}@{number} reads back as something else")
        return wrong


class Client:
    """One person's turns at a yard.

    Args:
        patient: Whether a server that is away is waited for, as when it is being killed.
    """

    def __init__(self, url: str, token: str, number: int, known: Known, *, patient: bool) -> None:
        self.yard = RemoteYard.at(url, token=token)
        self._known = known
        self._random = random.Random(number)
        self._own = f"team{number % 3}/model{number}"
        self._patient = patient
        self._folder = tempfile.TemporaryDirectory(prefix="yard-client-")
        self._turn = 0
        self._numbers: list[int] = []
        self._turns: list[tuple[int, Callable[[], None]]] = [
            (6, self._commit), (2, self._commit_tensors), (2, self._list), (3, self._search),
            (3, self._show), (2, self._log), (2, self._checkout), (2, self._alias), (1, self._diff),
            (1, self._label),
        ]  # fmt: skip

    def close(self) -> None:
        self.yard.close()
        self._folder.cleanup()

    def turn(self) -> None:
        """Do one thing; an error that should not be is noted."""
        weights = [weight for weight, _ in self._turns]
        work = self._random.choices([each for _, each in self._turns], weights)[0]
        started = time.perf_counter()
        try:
            work()
            self._known.took(work.__name__.lstrip("_"), time.perf_counter() - started)
        except Unavailable as error:
            if not self._patient:
                self._complain(work.__name__, error)
            else:
                time.sleep(0.05)
        except NotFound as error:
            if self._numbers:
                self._complain(work.__name__, error)
        except Conflict as error:  # it was killed between the change and the answer, and says so
            if not self._patient or error.kind != "outcome-unknown":
                self._complain(work.__name__, error)
        except ModelyardError as error:
            self._complain(work.__name__, error)

    def _complain(self, what: str, error: ModelyardError) -> None:
        with self._known.lock:
            self._known.errors.append(f"{what}: {type(error).__name__} {error.kind}: {error}")

    def _commit(self) -> None:
        self._turn += 1
        self._store("model.bin", self._random.randbytes(self._random.choice((300, 4000, 60_000))))

    def _commit_tensors(self) -> None:
        self._turn += 1
        self._store("model.safetensors", safetensors_bytes(layers(self._random.randrange(9))))

    def _store(self, name: str, content: bytes) -> None:
        place = Path(self._folder.name) / f"c{self._turn}" / name
        place.parent.mkdir()
        place.write_bytes(content)
        done = self.yard.commit(
            self._own, place.parent, message=f"turn {self._turn}",
            metrics={"accuracy": self._random.random()}, labels={"turn": str(self._turn)},
        )  # fmt: skip
        with self._known.lock:
            self._known.versions[self._own, done.number] = hashlib.sha256(content).hexdigest()
        self._numbers.append(done.number)

    def _number(self) -> int:
        return self._random.choice(self._numbers) if self._numbers else 1

    def _list(self) -> None:
        list(self.yard.models())

    def _search(self) -> None:
        self.yard.search(f"turn metric.accuracy>{self._random.random():.2f}", limit=10)

    def _show(self) -> None:
        self.yard.show(self._own, self._number())

    def _log(self) -> None:
        for _, _version in zip(range(50), self.yard.log(self._own), strict=False):
            pass

    def _checkout(self) -> None:
        self._turn += 1
        self.yard.checkout(self._own, self._number(), Path(self._folder.name) / f"o{self._turn}")

    def _alias(self) -> None:
        number = self._number()
        with self._known.lock:
            self._known.aliases.setdefault(self._own, {None}).add(number)
        self.yard.alias(self._own, "champion", number)
        with self._known.lock:
            self._known.aliases[self._own] = {number}

    def _diff(self) -> None:
        self.yard.diff(f"{self._own}@{self._number()}", f"{self._own}@{self._number()}")

    def _label(self) -> None:
        self.yard.label(self._own, self._number(), add={"seen": str(self._turn)})


def work_together(clients: list[Client], until: Callable[[], bool]) -> None:
    """All clients take turns, each in a thread, until it is over."""

    def work(client: Client) -> None:
        while not until():
            client.turn()

    threads = [threading.Thread(target=work, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
