"""Another engine, that goes no further once a version turns out not to be trusted.

Every task would fail alike, so nothing is said of any of them: they can still be run, once somebody
says that the version is trusted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.errors import Denied

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from modelyard.optimization.engines.interface import Engine, Result, Task

__all__ = ["Refusing"]


class Refusing:
    """Runs tasks as another engine does; what it is made of is closed by whoever made it."""

    def __init__(self, inner: Engine) -> None:
        self._inner = inner
        self.name = inner.name
        self.at_once = inner.at_once
        self.asked = False
        """Whether it was given anything to run."""

    def run(
        self, tasks: Sequence[Task], tell: Callable[[int, str, float | None], bool],
        left: Callable[[], bool] = lambda: True,
    ) -> Iterator[Result]:  # fmt: skip
        """As `Engine.run`. Denied: `untrusted`; what runs beside it is ended."""
        self.asked = self.asked or bool(tasks)
        refused: Result | None = None
        for result in self._inner.run(tasks, tell, left):
            if result.untrusted:
                refused = result
                break
            yield result
        if refused is not None:
            raise Denied("untrusted", refused.reason, hint=refused.hint or None)

    def cancel(self) -> None:
        """As `Engine.cancel`."""
        self._inner.cancel()

    def close(self) -> None:
        """As `Engine.close`."""
        self._inner.close()


if TYPE_CHECKING:
    _: type[Engine] = Refusing
