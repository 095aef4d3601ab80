"""Tasks spread over a Ray cluster, with the same results as on this machine."""

from __future__ import annotations

import secrets
import threading
from collections import deque
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import msgspec

from modelyard.core.decoding import decode_json
from modelyard.errors import Unavailable
from modelyard.optimization.engines.bundles import packed, unpacked
from modelyard.optimization.engines.interface import NO_TIME, Limits, Result
from modelyard.optimization.engines.ray_task import Parcel, run_parcel
from modelyard.optimization.engines.worker import RUNNER
from modelyard.runtimes.clusters import begin_ray, check_ray, imported_ray

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from modelyard.optimization.engines.interface import Engine, Task

    Tell = Callable[[int, str, float | None], bool]

__all__ = ["RayEngine"]

_EVERY: Final = 0.1
_STORE: Final = 256 << 20


class RayEngine:
    """Runs each task in a child process of one of Ray's workers.

    Workers need modelyard and the libraries of the passes. Files travel with the tasks where
    workers don't see those of this machine.
    """

    name = "ray"

    def __init__(
        self, limits: Limits | None = None, *, address: str | None = None, cpus: int = 2,
        runner: str = RUNNER,
    ) -> None:  # fmt: skip
        """Connect.

        Args:
            address: `HOST:PORT` or `auto`; None: the Ray that this process is connected to, or one
                that is started here, listening to loopback only, and ends with the engine.
            cpus: Of the cluster that is started here.

        Raises:
            Unsupported: `no-extra`: Ray is not installed.
            Unavailable: `no-ray`: it does not start, or nobody is at the address.
        """
        self._limits = limits or Limits()
        self._runner = runner
        self._ray = imported_ray(own=address is None)
        self._own = not self._ray.is_initialized()
        self._token = f".{secrets.token_hex(8)}"
        self._contents: dict[str, Any] = {}
        self._cancelled = threading.Event()
        self.sees_files = True
        """Whether workers may use files of this machine that they see; else all travel."""
        if self._own:
            if address is not None:
                check_ray(address)
            try:
                begin_ray(self._ray, address=address, cpus=cpus, store=_STORE)
            except Exception as error:
                self._ray.shutdown()
                said = str(error).strip().partition("\n")[0][:200]
                raise Unavailable(
                    "no-ray", f"Ray does not answer on {address or 'this machine'}: {said}",
                    hint="look into /tmp/ray/session_latest/logs on that machine",
                ) from error  # fmt: skip
        found = self._ray.cluster_resources().get("CPU", 1)
        self.at_once = max(1, int(found) // self._limits.threads)
        self._mailbox = self._ray.remote(num_cpus=0)(_Mailbox).remote()
        self._function = self._ray.remote(
            num_cpus=self._limits.threads, max_retries=2, runtime_env={"env_vars": {}}
        )(run_parcel)

    def run(
        self, tasks: Sequence[Task], tell: Tell, left: Callable[[], bool] = lambda: True
    ) -> Iterator[Result]:
        """As `Engine.run`."""
        waiting, running = deque(tasks), dict[Any, "Task"]()
        if self.sees_files:
            for made in {task.made for task in tasks if Path(task.made).is_dir()}:
                Path(made, self._token).touch()
        try:
            while waiting or running:
                if self._cancelled.is_set() or not left():
                    for task in (*running.values(), *waiting):
                        if self._cancelled.is_set():
                            yield Result(trial=task.trial, state="failed", reason="cancelled")
                        else:
                            yield Result(trial=task.trial, state="pruned", reason=NO_TIME)
                    return
                while waiting and len(running) < self.at_once:
                    task = waiting.popleft()
                    running[self._function.remote(self._parcel(task), self._mailbox)] = task
                done, _ = self._ray.wait(list(running), timeout=_EVERY)
                self._read_mail(tell)
                for reference in done:
                    yield self._result(reference, running.pop(reference))
        finally:
            for reference in running:
                with suppress(Exception):
                    self._ray.cancel(reference, force=True)
            for made in {task.made for task in tasks}:
                with suppress(OSError):
                    Path(made, self._token).unlink()

    def cancel(self) -> None:
        """As `Engine.cancel`."""
        self._cancelled.set()

    def close(self) -> None:
        """Let go of the cluster, and end it if it was started here. It may be called again."""
        if self._own:
            self._own = False
            self._ray.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _parcel(self, task: Task) -> Parcel:
        """The task, and what it needs in Ray's store: once for all tasks."""
        paths = [task.source.folder, *(place.folder for _, place in task.candidates)]
        paths += [] if task.data is None else [task.data]
        for path in paths:
            if path not in self._contents and Path(path).exists():
                self._contents[path] = self._ray.put(packed(Path(path)))
        contents = {path: self._contents[path] for path in paths if path in self._contents}
        return Parcel(msgspec.json.encode(task), self._limits, self._runner, self._token, contents)

    def _read_mail(self, tell: Tell) -> None:
        for number, trial, what, score in self._ray.get(self._mailbox.read.remote()):
            self._mailbox.answer.remote(number, tell(trial, what, score))

    def _result(self, reference: Any, task: Task) -> Result:
        try:
            content, files = self._ray.get(reference)
            result = decode_json(content, Result)
        except Exception as error:  # a worker or its machine died, more than once
            said = str(error).strip().partition("\n")[0][:300]
            return Result(
                trial=task.trial, state="failed", reason=f"{type(error).__name__}: {said}"
            )
        if files is not None and result.place is not None:
            folder = unpacked(files, Path(task.out, "from-ray"))
            result = replace(result, place=replace(result.place, folder=str(folder)))
        return result


class _Mailbox:
    """An actor between workers and the engine: what tasks tell, and the answers they wait for."""

    def __init__(self) -> None:
        self._news: list[tuple[int, int, str, float | None]] = []
        self._waiting: dict[int, Any] = {}
        self._count = 0

    async def tell(self, trial: int, what: str, score: float | None) -> bool:
        """Whether it is to be given up; waits for that only if there is a score."""
        import asyncio

        self._count += 1
        number = self._count
        self._news.append((number, trial, what, score))
        if score is None:
            return False
        self._waiting[number] = asyncio.get_running_loop().create_future()
        return bool(await self._waiting[number])

    async def read(self) -> list[tuple[int, int, str, float | None]]:
        """What was told since the last time."""
        news, self._news = self._news, []
        return news

    async def answer(self, number: int, give_up: bool) -> None:
        """To what was told under this number."""
        waiting = self._waiting.pop(number, None)
        if waiting is not None:
            waiting.set_result(give_up)


if TYPE_CHECKING:
    _: type[Engine] = RayEngine
