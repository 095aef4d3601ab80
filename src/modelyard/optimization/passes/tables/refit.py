"""`refit`: the same algorithm with the same parameters, learned from these rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from modelyard.optimization.making import model_of_object
from modelyard.optimization.passes.data.learning import FROM_SCRATCH
from modelyard.optimization.passes.interface import Made
from modelyard.optimization.passes.tables.fitting import fitted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelyard.core.lineage import LineageKind
    from modelyard.optimization.passes.interface import Option
    from modelyard.optimization.state import Model, Subject, Work

__all__ = ["PASS"]


class _Refit:
    NAME = "refit"
    KIND: Literal["algorithm"] = "algorithm"
    LINEAGE: LineageKind = "tuned-from"
    SUMMARY = "Learn again from the data, with the same parameters"

    def why_not(self, subject: Subject) -> str | None:
        if subject.framework not in FROM_SCRATCH:
            return f"{subject.framework} objects do not learn from scratch"
        return None if subject.has_target else "it needs data with a target"

    def options(self, _subject: Subject) -> Mapping[str, Option]:
        return {}

    def run(self, model: Model, _params: Mapping[str, Any], work: Work) -> Made:
        assert work.train is not None
        obj = fitted(model.load(), work.train, work.seed)
        return Made(model=model_of_object(
            obj, work.folder(), like=model, example=work.train.inputs
        ))  # fmt: skip


PASS = _Refit()
