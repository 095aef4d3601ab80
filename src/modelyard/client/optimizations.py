"""`RemoteYard.optimizations`: what a server keeps of recipes that were run on its versions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.client.desk import revision_in_path
from modelyard.core.names import ModelName, parse_revision
from modelyard.core.optimization import Optimization, Trial
from modelyard.core.wire import builtins, decode, encode

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from modelyard.client.connection import Connection
    from modelyard.core.optimization import Recipe
    from modelyard.core.optimizing import Optimizations

__all__ = ["RemoteOptimizations"]

_PAGE = 50
_LARGEST = 256 << 20
"""Bytes of an answer with trials."""


class RemoteOptimizations:
    """`core.optimizing.Optimizations` over HTTP."""

    def __init__(self, connection: Connection) -> None:
        self._at = connection

    def list(self, model: str | None = None) -> Iterator[Optimization]:
        """Page by page, the first of which is asked for now."""
        name = None if model is None else ModelName.parse(model).text
        page = self._page(name, None)

        def rest() -> Iterator[Optimization]:
            shown = page
            yield from shown
            while len(shown) == _PAGE:
                shown = self._page(name, shown[-1].id)
                yield from shown

        return rest()

    def get(self, id: int) -> Optimization:
        return self._at.get(_of(id), Optimization)

    def trials(self, id: int, *, after: int = -1) -> Sequence[Trial]:
        query = {"after": after}
        reply = self._at.request("GET", _of(id, "trials"), query=query, limit=_LARGEST)
        return decode(reply.content, tuple[Trial, ...])

    def begin(
        self, model: str, revision: str | int | None, recipe: Recipe, *, engine: str = "local",
        alias: str | None = None,
    ) -> Optimization:  # fmt: skip
        if revision is not None:
            parse_revision(revision)
        path = ["models", ModelName.parse(model).text, "optimizations"]
        body = {"revision": revision, "recipe": builtins(recipe), "engine": engine, "alias": alias}
        return self._at.post(path, Optimization, body)

    def claim(self, id: int) -> Optimization:
        return self._at.post(_of(id, "claim"), Optimization)

    def keep(self, optimization: Optimization, trials: Sequence[Trial] = ()) -> bool:
        content = encode({"optimization": optimization, "trials": list(trials)})
        reply = self._at.request(
            "PUT", _of(optimization.id), content=content, key="",  # twice is as once
            headers={"content-type": "application/json"},
        )  # fmt: skip
        return decode(reply.content, bool)

    def cancel(self, id: int) -> Optimization:
        return self._at.post(_of(id, "cancel"), Optimization)

    def start(
        self,
        model: str,
        revision: str | int | None = None,
        *,
        recipe: str = "auto",
        data: str | None = None,
        target: str | None = None,
        budget: float | None = None,
        trials: int | None = None,
        alias: str | None = None,
        engine: str = "local",
        seed: int | None = None,
        trusted: Sequence[str] = (),
    ) -> Optimization:
        """Let the server run one by itself: it answers as soon as that has begun.

        Args:
            recipe: A name of those that are built in, or YAML.
            data: A dataset of the server's yard.
            budget: Seconds.
            trusted: Names that loading may import; `*` is everything.
        """
        path = ["models", ModelName.parse(model).text, "versions", revision_in_path(revision),
                "optimize"]  # fmt: skip
        body = {
            "recipe": recipe, "data": data, "target": target, "budget": budget, "trials": trials,
            "alias": alias, "engine": engine, "seed": seed, "trusted": list(trusted),
        }  # fmt: skip
        return self._at.post(path, Optimization, body)

    def _page(self, model: str | None, before: int | None) -> tuple[Optimization, ...]:
        query = {"model": model, "before": before, "limit": _PAGE}
        return self._at.get(["optimizations"], tuple[Optimization, ...], **query)


def _of(id: int, *rest: str) -> list[str | int]:
    return ["optimizations", id, *rest]


if TYPE_CHECKING:
    _: type[Optimizations] = RemoteOptimizations
