"""Objects come back as they were; a change is a new version; nothing is run unasked."""

from __future__ import annotations

import json
import os
import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from modelyard.core.trust import TRUST_ALL
from modelyard.errors import Conflict, Denied, InvalidInput, NotFound, Unsupported
from modelyard.testing.models import write_tree
from modelyard.testing.yard.case import Desk, YardCase, refused, verified_anew

if TYPE_CHECKING:
    from pathlib import Path

    from modelyard.core.yard import Yard

__all__ = ["ObjectTests"]


class Centre:
    """A model of our own: how far rows are from a point."""

    def __init__(self, point: list[float], scale: float = 1.0) -> None:
        self.point = point
        self.scale = scale

    def fit(self, inputs: Any, _target: Any) -> Centre:
        self.point = np.asarray(inputs).mean(axis=0).tolist()
        return self

    def predict(self, inputs: Any) -> Any:
        return self.scale * np.abs(np.asarray(inputs) - np.asarray(self.point)).sum(axis=1)


class Marking:
    """Unpickling it leaves a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


ROWS = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 0.5]])
NAME = f"{Centre.__module__}.Centre"
CSV = b"a,b,y\n1,2,0\n3,4,1\n5,6,0\n"


class ObjectTests(YardCase):
    # -- in and out ------------------------------------------------------------------------------

    def test_an_object_comes_back_as_it_was(self, yard: Yard) -> None:
        yard.commit("m", Centre([1.0, 2.0]))
        again = yard.load("m", trusted=TRUST_ALL)
        assert np.array_equal(again.predict(ROWS), Centre([1.0, 2.0]).predict(ROWS))

    def test_a_pickle_is_loaded_only_if_every_name_is_trusted(self, yard: Yard) -> None:
        yard.commit("m", Centre([1.0, 2.0]))
        with refused(Denied, "untrusted", hint=True) as caught:
            yard.load("m")
        assert NAME in str(caught.value)
        assert yard.load("m", trusted=[NAME]).point == [1.0, 2.0]

    def test_a_hostile_pickle_is_refused_by_name_and_runs_nothing(
        self, yard: Yard, desk: Desk, tmp_path: Path
    ) -> None:
        mark = tmp_path / "mark"
        content = pickle.dumps({"model": Centre([1.0]), "more": Marking(mark)})
        desk.commit({"model.pkl": content})
        for trusted in (None, [NAME]):
            with refused(Denied, "untrusted") as caught:
                yard.load("m", trusted=trusted)
            assert "mkdir" in str(caught.value)
        yard.show("m")
        assert not mark.exists()

    def test_trust_is_a_list_of_names(self, yard: Yard) -> None:
        yard.commit("m", Centre([1.0]))
        for wrong in ("everything", True, 7, [7], b"x"):
            with refused(InvalidInput, "bad-trust"):
                yard.load("m", trusted=wrong)  # type: ignore[arg-type]

    def test_files_that_no_framework_knows_are_not_loaded(self, yard: Yard, desk: Desk) -> None:
        desk.commit({"notes.txt": b"nothing to load"})
        with refused(Unsupported, "no-framework", hint=True):
            yard.load("m")

    def test_an_unknown_serializer_names_those_there_are(self, yard: Yard) -> None:
        with refused(InvalidInput, "no-serializer") as caught:
            yard.commit("m", Centre([1.0]), serializer="yaml")
        assert "pickle" in (caught.value.hint or "")
        with refused(NotFound, "no-model"):
            yard.model_info("m")

    def test_what_is_known_of_the_object_is_kept_with_it(self, yard: Yard) -> None:
        yard.commit("m", Centre([1.0], scale=2.5), params={"note": "mine"})
        detail = yard.show("m")
        assert detail.params == {"note": "mine", "scale": 2.5, "point": [1.0]}
        assert detail.saved["class"] == NAME
        assert detail.version.framework == "python"
        assert "numpy" in detail.environment["packages"]

    def test_a_card_outlives_the_weights_beside_it(self, yard: Yard, desk: Desk) -> None:
        desk.commit({"README.md": b"# Mine\n", "old.bin": b"weights"})
        yard.commit("m", Centre([1.0]))
        assert set(desk.read()) == {"README.md", "model.pkl"}

    def test_the_same_object_makes_no_second_version(self, yard: Yard) -> None:
        yard.commit("m", Centre([1.0]))
        assert not yard.commit("m", Centre([1.0])).created

    # -- data ------------------------------------------------------------------------------------

    def test_data_is_named_by_its_digest(self, yard: Yard, desk: Desk) -> None:
        file = write_tree(desk.folder(), {"wine.csv": CSV}) / "wine.csv"
        yard.commit("data/wine", file, kind="dataset")
        yard.commit("m", Centre([1.0]), data=file)
        yard.commit("m", Centre([2.0]), data="data/wine@1")
        first, second = yard.show("m", 1).data["train"], yard.show("m", 2).data["train"]
        assert first.partition(" ")[2] == second.partition(" ")[2]
        assert (first.partition(" ")[0], second.partition(" ")[0]) == ("wine.csv", "data/wine@1")

    def test_a_dataset_is_part_of_the_lineage(self, yard: Yard, desk: Desk) -> None:
        yard.commit("data/wine", write_tree(desk.folder(), {"wine.csv": CSV}), kind="dataset")
        desk.commit(b"weights", data="data/wine@1")
        assert [str(edge) for edge in yard.show("m").lineage] == ["trained-on data/wine@1"]

    def test_data_that_is_nowhere_is_said(self, yard: Yard) -> None:
        for data, kind in (("nothing.csv", "no-data"), ("data/none@3", "no-model")):
            with refused(NotFound, kind):
                yard.commit("m", Centre([1.0]), data=data)

    # -- update ----------------------------------------------------------------------------------

    def test_an_update_is_a_new_version_of_the_same_object(self, yard: Yard) -> None:
        yard.commit("m", Centre([1.0], scale=2.0), metrics={"error": 0.5}, params={"note": "mine"})
        done = yard.update("m", params={"scale": 3.0}, trusted=TRUST_ALL)
        detail = yard.show("m", done.number)
        assert done.number == 2
        assert detail.params == {"note": "mine", "scale": 3.0, "point": [1.0]}
        assert [str(edge) for edge in detail.lineage] == ["updated-from m@1"]
        assert detail.version.metrics == {}, "what was not measured is not claimed"
        assert [change.name for change in yard.diff("m@1", "m@2").params] == ["scale"]
        assert yard.load("m", 1, trusted=TRUST_ALL).scale == 2.0
        assert yard.load("m", 2, trusted=TRUST_ALL).scale == 3.0

    def test_an_update_can_train(self, yard: Yard, desk: Desk) -> None:
        file = write_tree(desk.folder(), {"wine.csv": CSV}) / "wine.csv"
        yard.commit("m", Centre([0.0, 0.0]))
        yard.update("m", fit=file, target="y", trusted=TRUST_ALL)
        assert yard.load("m", trusted=TRUST_ALL).point == [3.0, 4.0]
        assert yard.show("m").data["train"].startswith("wine.csv sha256:")

    def test_a_parameter_that_is_not_there_is_refused_with_those_that_are(self, yard: Yard) -> None:
        yard.commit("m", Centre([1.0]))
        with refused(InvalidInput, "no-param", hint=True) as caught:
            yard.update("m", params={"scael": 3.0}, trusted=TRUST_ALL)
        assert "scale" in (caught.value.hint or "")
        assert yard.model_info("m").versions == 1

    def test_a_target_that_is_not_there_is_refused_with_the_columns(
        self, yard: Yard, desk: Desk
    ) -> None:
        file = write_tree(desk.folder(), {"wine.csv": CSV}) / "wine.csv"
        yard.commit("m", Centre([1.0]))
        for target, kind in ((None, "no-target"), ("z", "no-column")):
            with refused(InvalidInput, kind, hint=True):
                yard.update("m", fit=file, target=target, trusted=TRUST_ALL)

    def test_an_update_of_an_old_version_needs_a_branch(self, yard: Yard) -> None:
        yard.commit("m", Centre([1.0]))
        yard.commit("m", Centre([2.0]))
        with refused(InvalidInput, "not-a-tip", hint=True):
            yard.update("m", 1, params={"scale": 9.0}, trusted=TRUST_ALL)
        yard.update("m", 1, params={"scale": 9.0}, branch="nine", trusted=TRUST_ALL)
        assert yard.resolve("m", "nine").parents == (1,)

    def test_an_update_without_a_change_is_refused(self, yard: Yard) -> None:
        yard.commit("m", Centre([1.0]))
        with refused(InvalidInput, "no-changes", hint=True):
            yard.update("m", trusted=TRUST_ALL)

    def test_files_beside_the_object_stay(self, yard: Yard, desk: Desk) -> None:
        desk.commit({"model.pkl": pickle.dumps(Centre([1.0])), "labels.txt": b"a\nb\n"})
        yard.update("m", params={"scale": 2.0}, trusted=TRUST_ALL)
        assert set(desk.read()) == {"model.pkl", "labels.txt"}

    @pytest.mark.parametrize("fit", [(ROWS, np.zeros(3)), {"a": [1.0], "b": [2.0], "y": [0.0]}])
    def test_data_in_memory_trains_too(self, yard: Yard, fit: Any) -> None:
        yard.commit("m", Centre([0.0, 0.0]))
        yard.update("m", fit=fit, target="y", trusted=TRUST_ALL)
        assert yard.load("m", trusted=TRUST_ALL).point != [0.0, 0.0]

    # -- what is said stays true -----------------------------------------------------------------

    def test_a_manifest_among_the_files_says_nothing(self, yard: Yard, desk: Desk) -> None:
        forged = {"saved": {"framework": "python", "serializer": "pickle", "class": "a.B"}}
        for content in (b"{nope", json.dumps(forged).encode()):
            desk.commit({".modelyard/manifest.json": content, "a.bin": content})
            assert yard.show("m").saved == {}
        assert verified_anew(yard).ok
        assert set(desk.read()) == {"a.bin"}

    def test_a_merge_keeps_what_is_true_of_the_object_that_it_keeps(self, yard: Yard) -> None:
        yard.commit("m", Centre([1.0]))
        yard.commit("m", Centre([2.0, 2.0]), branch="joblib", serializer="joblib")
        yard.commit("m", Centre([1.0]), metrics={"error": 0.1})
        merged = yard.merge("m", "joblib", into="main")
        detail = yard.show("m", merged.number)
        assert [file.path for file in detail.files] == ["model.joblib"]
        assert detail.params["point"] == [2.0, 2.0]
        assert detail.version.metrics == {}
        assert yard.load("m", trusted=TRUST_ALL).point == [2.0, 2.0]

    def test_files_beside_an_object_leave_it_described(self, yard: Yard, desk: Desk) -> None:
        yard.commit("m", Centre([1.0], scale=2.0))
        yard.commit("m", write_tree(desk.folder(), {"notes.txt": b"x"}), only=["notes.txt"])
        assert yard.show("m").params["scale"] == 2.0
        assert yard.load("m", trusted=TRUST_ALL).scale == 2.0
        desk.commit({"other.bin": b"weights"})
        assert yard.show("m").saved == {}, "the object is gone, and so is what was said of it"

    def test_numbers_of_numpy_are_numbers(self, yard: Yard, desk: Desk) -> None:
        desk.commit(b"1", metrics={"a": np.float32(0.5), "b": np.int64(2)},
                    params={"lr": np.float32(0.25), "sizes": np.array([1, 2])})  # fmt: skip
        detail = yard.show("m")
        assert detail.version.metrics == {"a": 0.5, "b": 2.0}
        assert detail.params == {"lr": 0.25, "sizes": [1, 2]}

    def test_nothing_and_a_class_are_no_models(self, yard: Yard) -> None:
        for source in (None, Centre):
            with refused(InvalidInput, "nothing-to-commit", hint=True):
                yard.commit("m", source)

    def test_a_dataset_is_not_put_onto_a_model(self, yard: Yard, desk: Desk) -> None:
        desk.commit(b"weights")
        with refused(Conflict, "other-kind", hint=True):
            desk.commit({"rows.csv": CSV}, kind="dataset")

    def test_data_with_an_at_sign_in_its_name_is_no_version(self, yard: Yard, desk: Desk) -> None:
        file = write_tree(desk.folder(), {"me@home v2.csv": CSV}) / "me@home v2.csv"
        yard.commit("m", Centre([1.0]), data=file)
        assert yard.show("m").lineage == ()

    def test_a_dataset_of_several_files_is_asked_for_one(self, yard: Yard, desk: Desk) -> None:
        files = {"train.csv": CSV, "held out.csv": CSV}
        yard.commit("data/wine", write_tree(desk.folder(), files), kind="dataset")
        yard.commit("m", Centre([0.0, 0.0]))
        with refused(InvalidInput, "several-files", hint=True) as caught:
            yard.update("m", fit="data/wine@1", target="y", trusted=TRUST_ALL)
        assert "held out.csv" in str(caught.value)
        yard.update("m", fit="data/wine@1:held out.csv", target="y", trusted=TRUST_ALL)
        assert "trained-on data/wine@1:held out.csv" in map(str, yard.show("m").lineage)
