"""A yard in the name of somebody, with the rights that they have at each moment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.errors import Denied, NotFound
from modelyard.registry.access import known_name
from modelyard.registry.local import LocalYard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from modelyard.core.access import Caller
    from modelyard.core.optimization import Optimization, Recipe, Trial
    from modelyard.core.optimizing import Optimizations
    from modelyard.core.version import RefInfo
    from modelyard.registry.desk import Desk
    from modelyard.registry.house import House

__all__ = ["YardOf"]


class YardOf:
    """What an optimization needs of a yard; whoever lost a right meanwhile may do no more.

    Args:
        caller: Who it is, as of now; Denied or NotFound if they are not there any more.
        model: That they must be writer of.
    """

    def __init__(self, house: House, caller: Callable[[], Caller], model: str) -> None:
        self._house = house
        self._model = model
        self._caller = caller
        self.url = str(house.root)
        self.refused: Denied | NotFound | None = None
        """Why no more could be kept."""

    @property
    def desk(self) -> Desk:
        """As `LocalYard.desk`."""
        return self._now().desk

    @property
    def optimizations(self) -> Optimizations:
        """As `LocalYard.optimizations`; who may keep nothing any more is told to end."""
        return _Kept(self)

    def alias(self, model: str, name: str, revision: str | int | None = None) -> RefInfo:
        """As `LocalYard.alias`."""
        return self._now().alias(model, name, revision)

    def _now(self) -> LocalYard:
        try:
            caller = self._caller()
            known_name(self._house, caller, self._model, "writer")
            return LocalYard(self._house.on_behalf_of(caller))
        except (Denied, NotFound) as error:
            self.refused = error
            raise


class _Kept:
    """`core.optimizing.Optimizations` of it."""

    def __init__(self, yard: YardOf) -> None:
        self._yard = yard

    def list(self, model: str | None = None) -> Iterator[Optimization]:
        return self._now().list(model)

    def get(self, id: int) -> Optimization:
        return self._now().get(id)

    def trials(self, id: int, *, after: int = -1) -> Sequence[Trial]:
        return self._now().trials(id, after=after)

    def begin(
        self, model: str, revision: str | int | None, recipe: Recipe, *, engine: str = "local",
        alias: str | None = None,
    ) -> Optimization:  # fmt: skip
        return self._now().begin(model, revision, recipe, engine=engine, alias=alias)

    def claim(self, id: int) -> Optimization:
        return self._now().claim(id)

    def keep(self, optimization: Optimization, trials: Sequence[Trial] = ()) -> bool:
        """False too if the caller may not any more: it ends as if it had been cancelled."""
        try:
            return self._now().keep(optimization, trials)
        except (Denied, NotFound) as error:
            self._yard.refused = error
            return False

    def cancel(self, id: int) -> Optimization:
        return self._now().cancel(id)

    def _now(self) -> Optimizations:
        return self._yard._now().optimizations


if TYPE_CHECKING:
    _: type[Optimizations] = _Kept
