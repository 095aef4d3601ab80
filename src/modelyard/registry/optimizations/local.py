"""`LocalYard.optimizations`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import msgspec

from modelyard.catalog.queries import models, optimizations
from modelyard.catalog.queries.optimizations import OptimizationRow
from modelyard.core.decoding import decode_json
from modelyard.core.optimization import Optimization, Trial
from modelyard.errors import Conflict, InvalidInput, NotFound
from modelyard.registry.access.door import known_name, readable
from modelyard.registry.access.notes import write_note
from modelyard.registry.lookup import find_model, find_version, moment
from modelyard.registry.optimizations.ending import OVER, settled
from modelyard.registry.optimizations.outlines import outline
from modelyard.registry.refs import check_alias

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    import sqlalchemy as sa

    from modelyard.core.optimization import Recipe
    from modelyard.core.optimizing import Optimizations
    from modelyard.registry.house import House

__all__ = ["PATIENCE", "LocalOptimizations"]

PATIENCE: Final = 30_000_000
"""Microseconds without a sign of life, after which an optimization has stopped."""
_PAGE = 50
_HIGHEST: Final = 1_000_000
"""Number of a trial."""


class LocalOptimizations:
    """`core.optimizing.Optimizations` over a house."""

    def __init__(self, house: House) -> None:
        self._house = house

    def list(
        self, model: str | None = None, *, before: int | None = None
    ) -> Iterator[Optimization]:
        """As in the protocol; only those with an id below `before`."""
        house = self._house
        may = readable(house, house.caller)
        while True:
            with house.catalog.read() as connection:
                key = None if model is None else find_model(connection, model, house.caller).id
                rows = optimizations.page(connection, key, before, _PAGE)
                names = _names(connection, {row.model_id for row in rows})
                now = house.catalog.now(connection)
            for row in rows:
                name = names.get(row.model_id)
                if name is not None and may(name):
                    yield _optimization(row, name, now)
            if len(rows) < _PAGE:
                return
            before = rows[-1].id

    def get(self, id: int) -> Optimization:
        with self._house.catalog.fresh() as connection:
            row, name = self._row(connection, id, "reader")
            return _optimization(row, name, self._house.catalog.now(connection))

    def trials(self, id: int, *, after: int = -1) -> Sequence[Trial]:
        with self._house.catalog.fresh() as connection:
            row, _ = self._row(connection, id, "reader")
            bodies = optimizations.trials(connection, id, after)
        return tuple(settled(decode_json(body, Trial), row.state) for body in bodies)

    def outlines(self, id: int) -> Sequence[Trial]:
        """Its trials in order, without what their passes changed layer by layer."""
        with self._house.catalog.fresh() as connection:
            row, _ = self._row(connection, id, "reader")
            bodies = optimizations.trials(connection, id, -1)
        return tuple(settled(outline(body), row.state) for body in bodies)

    def trial(self, id: int, number: int) -> Trial | None:
        """One of its trials, whole; None if there is none of this number."""
        with self._house.catalog.fresh() as connection:
            row, _ = self._row(connection, id, "reader")
            body = optimizations.trial(connection, id, number)
        return None if body is None else settled(decode_json(body, Trial), row.state)

    def begin(
        self, model: str, revision: str | int | None, recipe: Recipe, *, engine: str = "local",
        alias: str | None = None,
    ) -> Optimization:  # fmt: skip
        house = self._house
        known = known_name(house, house.caller, model, "writer")

        def work(connection: sa.Connection) -> Optimization:
            row = find_model(connection, known, house.caller)
            version = find_version(connection, row, revision)
            if alias is not None:
                check_alias(connection, row, alias)
            now = house.catalog.now(connection)
            made = Optimization(
                id=0, model=row.name, number=version.number, recipe=recipe, state="running",
                who=house.author, created=moment(now), changed=moment(now), engine=engine,
                alias=alias,
            )  # fmt: skip
            key = optimizations.add(connection, OptimizationRow(
                0, row.id, version.number, "running", house.author[:200], now, now, _body(made),
            ))  # fmt: skip
            told = {"model": row.name, "number": version.number, "optimization": key,
                    "recipe": recipe.name}  # fmt: skip
            write_note(house, connection, "optimization", told, model=row.id)
            return replace(made, id=key)

        return house.catalog.write(work)

    def claim(self, id: int) -> Optimization:
        def work(connection: sa.Connection) -> Optimization:
            row, name = self._row(connection, id, "writer", lock=True)
            now = self._house.catalog.now(connection)
            found = _optimization(row, name, now)
            if found.state == "running":
                raise Conflict("optimization-runs", f"somebody works on optimization {id} already",
                               hint=f"yard optimizations {id} --follow")  # fmt: skip
            if found.state in ("done", "cancelled"):
                raise _ended(id, found)
            again = replace(found, state="running", reasons=(), claims=found.claims + 1)
            optimizations.change(connection, id, "running", now, _body(again))
            return again

        return self._house.catalog.write(work)

    def keep(self, optimization: Optimization, trials: Sequence[Trial] = ()) -> bool:
        odd = [each.number for each in trials if not 0 <= each.number <= _HIGHEST]
        if odd:
            raise InvalidInput("bad-trial", f"no trial has the number {str(odd[0])[:40]}",
                               hint=f"0 to {_HIGHEST:,}")  # fmt: skip
        bodies = {each.number: msgspec.json.encode(each).decode() for each in trials}

        def work(connection: sa.Connection) -> bool:
            row, name = self._row(connection, optimization.id, "writer", lock=True)
            known = _optimization(row, name, self._house.catalog.now(connection))
            told = _as_begun(optimization, known)
            if row.state in OVER:  # whoever says the same once more has been heard
                return row.state == told.state and _body(told) == row.body
            if told.claims != known.claims:
                return False
            optimizations.put_trials(connection, row.id, bodies)
            return self._change(connection, told)

        return self._house.catalog.write(work)

    def cancel(self, id: int) -> Optimization:
        def work(connection: sa.Connection) -> Optimization:
            row, name = self._row(connection, id, "writer", lock=True)
            found = _optimization(row, name, self._house.catalog.now(connection))
            if found.state not in ("running", "stopped"):
                raise _ended(id, found)
            ended = replace(found, state="cancelled", sentence=f"{found.title}: cancelled")
            self._change(connection, ended)
            return ended

        return self._house.catalog.write(work)

    def _change(self, connection: sa.Connection, optimization: Optimization) -> bool:
        now = self._house.catalog.now(connection)
        optimizations.change(
            connection, optimization.id, optimization.state, now, _body(optimization)
        )
        return True

    def _row(
        self, connection: sa.Connection, id: int, role: str, *, lock: bool = False
    ) -> tuple[OptimizationRow, str]:
        """The row, and the name of its model."""
        house = self._house
        row = optimizations.get(connection, id, lock=lock) if 0 < id < 2**62 else None
        names = {} if row is None else _names(connection, {row.model_id})
        name = names.get(row.model_id) if row is not None else None
        if row is None or name is None or not readable(house, house.caller)(name):
            raise NotFound("no-optimization", f"there is no optimization {id}",
                           hint="yard optimizations lists them")  # fmt: skip
        if role == "writer":
            known_name(house, house.caller, name, "writer")
        return row, name


def _names(connection: sa.Connection, keys: Collection[int]) -> dict[int, str]:
    """Of models that live."""
    rows = (models.by_id(connection, key) for key in keys)
    return {row.id: row.name for row in rows if row is not None and not row.deleted}


def _optimization(row: OptimizationRow, model: str, now: int) -> Optimization:
    """What a row says, as it is now: its model may have another name, its worker may be dead."""
    found = decode_json(row.body, Optimization)
    state = row.state
    if state == "running" and now - row.changed > PATIENCE:
        state = "stopped"
    return replace(
        found, id=row.id, model=model, state=state,  # type: ignore[arg-type]
        created=moment(row.created), changed=moment(row.changed),
    )  # fmt: skip


def _as_begun(now: Optimization, known: Optimization) -> Optimization:
    """What is said of one, but for what was settled when it began."""
    recipe = replace(now.recipe, data=known.recipe.data, target=known.recipe.target)
    return replace(
        now, model=known.model, number=known.number, who=known.who, created=known.created,
        engine=known.engine, alias=known.alias, recipe=recipe,
    )  # fmt: skip


def _body(optimization: Optimization) -> str:
    return msgspec.json.encode(optimization).decode()


def _ended(id: int, found: Optimization) -> Conflict:
    return Conflict("optimization-ended", f"optimization {id} is over: {found.state}")


if TYPE_CHECKING:
    _: type[Optimizations] = LocalOptimizations
