"""`tune`: the same algorithm with other hyper-parameters, learned anew."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, Literal

from modelyard.errors import InvalidInput
from modelyard.frameworks import framework_of
from modelyard.optimization.making import model_of_object
from modelyard.optimization.passes.interface import Choice, Made, Range
from modelyard.optimization.passes.tables.fitting import fitted, known_params
from modelyard.optimization.passes.tables.networks import trained
from modelyard.optimization.passes.tables.spaces import space_of, spaces_in
from modelyard.optimization.passes.tables.stopping import best_rounds, rounds_name
from modelyard.optimization.subjects import subject_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelyard.optimization.passes.interface import Option
    from modelyard.optimization.state import Model, Subject, Work

__all__ = ["PASS", "Tune"]

Json = Any

_STOP = "early_stopping_by_valid"
_NETWORKS = ("torch", "keras")
_FRAMEWORKS = ("sklearn", "xgboost", "lightgbm", *_NETWORKS)


class Tune:
    """Hyper-parameters of scikit-learn's estimators and the steps of its pipelines, of XGBoost and
    LightGBM; learning rate and epochs of networks of torch and Keras, which go on learning."""

    NAME = "tune"
    KIND: Literal["algorithm"] = "algorithm"
    LINEAGE: Literal["tuned-from"] = "tuned-from"
    SUMMARY = "searches hyper-parameters, and learns with the best of them"

    def why_not(self, subject: Subject) -> str | None:
        if subject.framework not in _FRAMEWORKS or subject.serializer == "onnx":
            return "only an object that can learn has hyper-parameters"
        if not subject.has_target:
            return "without a target nothing can be learned"
        if not self.options(subject):
            name = subject.class_name.rpartition(".")[2]
            if not name:
                return "nobody knows the class of a loose file: commit the object instead"
            return f"no hyper-parameters of {name} are known to be worth a search"
        return None

    def options(self, subject: Subject) -> Mapping[str, Option]:
        if subject.framework in _NETWORKS:
            return {
                "learning_rate": Range(1e-5, 3e-2, 1e-3, log=True),
                "epochs": Range(1, 60, 10, log=True, whole=True),
            }
        if subject.framework != "sklearn" or not subject.structure:
            found = space_of(
                subject.class_name, columns=subject.columns, rows=subject.rows, scaled=False
            )
        else:
            found = spaces_in(subject.structure, columns=subject.columns, rows=subject.rows)
        name = rounds_name(subject.class_name)
        if name is not None:
            found[name] = Choice((300,)) if subject.rows > 20_000 else Choice((500,))
            found[_STOP] = Choice((True,))
        return found

    def run(self, model: Model, params: Mapping[str, Json], work: Work) -> Made:
        if work.train is None or work.train.target is None:
            raise InvalidInput(
                "no-target", "without a target nothing can be learned", hint="--target COL"
            )
        given = dict(params)
        stop = bool(given.pop(_STOP, False))
        obj = model.load()
        if model.saved.framework in _NETWORKS:
            found, chosen = trained(obj, given, work)
        else:
            self._check_names(obj, given, model, work)
            found, chosen = self._fitted(obj, given, work, stop=stop)
        made = model_of_object(found, work.folder(), like=model, example=work.train.inputs)
        return Made(model=made, params=chosen)

    def _check_names(self, obj: Any, given: Mapping[str, Json], model: Model, work: Work) -> None:
        """InvalidInput `bad-pass-option`: the object has no such parameter.

        Passes before this one may have put the object into a pipeline: names that it had before
        are no mistakes.
        """
        odd = sorted(set(given) - set(framework_of(obj).params(obj)))
        for each in (model, work.source) if odd else ():
            known = self.options(subject_of(each, work.train, work.task))
            odd = [name for name in odd if name not in known]
        if odd:
            known = framework_of(obj).params(obj)
            near = difflib.get_close_matches(odd[0], known, 3)
            raise InvalidInput(
                "bad-pass-option", f"the model has no parameter {odd[0]!r:.60} to be tuned",
                hint=f"there is {', '.join(near or sorted(known)[:20])}",
            )  # fmt: skip

    def _fitted(
        self, obj: Any, given: Mapping[str, Json], work: Work, *, stop: bool
    ) -> tuple[Any, dict[str, Json]]:
        """The object learned anew, and what early stopping chose."""
        assert work.train is not None
        framework = framework_of(obj)
        name = rounds_name(type(obj).__name__)
        if stop and name is not None and work.valid is None:
            given = {key: value for key, value in given.items() if key != name}  # as it was
        changes = known_params(obj, given)
        obj = framework.set_params(obj, changes) if changes else obj
        found = fitted(obj, work.train, work.seed)
        chosen: dict[str, Json] = {}
        if stop and name is not None and work.valid is not None:
            rounds = best_rounds(found, work.valid, work.task)
            chosen[_STOP] = False  # these rounds again need no rows to stop by
            if rounds is not None and rounds < int(changes.get(name, rounds + 1)):
                chosen[name] = rounds
                found = fitted(framework.set_params(obj, {name: rounds}), work.train, work.seed)
        return found, chosen


PASS = Tune()
