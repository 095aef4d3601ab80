"""Optimizations as somebody may see them who must not know of their data."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from modelyard.registry.data import may_read_dataset

if TYPE_CHECKING:
    from modelyard.core.optimization import Optimization
    from modelyard.registry.house import House

__all__ = ["hidden_data"]

_INSTEAD = "its data"


def hidden_data(house: House, optimization: Optimization) -> Optimization:
    """The same without the name and the digest of its data, for whom that dataset is hidden.

    Who began it has named the data, and reads the name again.
    """
    data = optimization.recipe.data
    if data is None or optimization.who == house.author or may_read_dataset(house.caller, data):
        return optimization
    name = data.partition(":")[0].partition("@")[0]
    named = re.compile(rf"(?<![\w/]){re.escape(name)}(@[\w.]+)?(:\S+)?(?![\w/])")

    def told(text: str) -> str:
        return named.sub(_INSTEAD, text.replace(data, _INSTEAD))

    return replace(
        optimization, recipe=replace(optimization.recipe, data=None), data_digest="",
        sentence=told(optimization.sentence), reasons=tuple(map(told, optimization.reasons)),
    )  # fmt: skip
