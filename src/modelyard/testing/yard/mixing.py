"""Mixing: the weights of versions become those of a new one; what does not fit is named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from modelyard.core.names import MAIN
from modelyard.errors import Conflict, InvalidInput, NotFound, Unsupported
from modelyard.testing.models import (
    float32_of,
    layers,
    safetensors_bytes,
    to_bfloat16,
)
from modelyard.testing.yard.case import Desk, YardCase, refused

if TYPE_CHECKING:
    from modelyard.core.yard import Yard
    from modelyard.testing.models import Tensors

__all__ = ["MixingTests"]

NAME = "layer0.weight"


def stepped(step: float, **more: Any) -> Tensors:
    """A small network, each weight moved by `step`."""
    return {name: (values + step).astype("f4") for name, values in layers(1, **more).items()}


def three(desk: Desk) -> None:
    """Version 1 on main, and 2 and 3 tuned from it on the branches `a` and `b`."""
    desk.commit_tensors(stepped(0), metrics={"accuracy": 0.5})
    for branch, step in (("a", 1), ("b", 3)):
        files = {
            "model.safetensors": safetensors_bytes(stepped(step), metadata={"format": "pt"}),
            "config.json": f'{{"of": "{branch}"}}'.encode(),
        }
        desk.commit(files, branch=branch, parent=1, metrics={"accuracy": 0.9}, params={"lr": 1})


class MixingTests(YardCase):
    def test_a_mixture_is_a_version_with_its_sources_as_parents(
        self, yard: Yard, desk: Desk
    ) -> None:
        three(desk)
        done = yard.mix("m", ["a", 3], method="average")
        assert (done.number, done.branch, done.created, done.tensors) == (4, "a", True, 6)
        version = yard.resolve("m", 4)
        assert version.parents == (2, 3)
        assert version.message.strip() == "Merge 2 and 3 by average"
        assert desk.refs() == {MAIN: ("branch", 1), "a": ("branch", 4), "b": ("branch", 3)}
        assert np.allclose(yard.tensor("m", 4, NAME), stepped(2)[NAME], atol=1e-6)

    def test_all_but_the_weights_is_the_first_versions(self, yard: Yard, desk: Desk) -> None:
        three(desk)
        yard.mix("m", ["b", "a"], method="average")
        files = desk.read(4)
        assert files["config.json"] == b'{"of": "b"}'
        old = desk.read(3)["model.safetensors"]
        size = 8 + int.from_bytes(old[:8], "little")
        assert files["model.safetensors"][:size] == old[:size], "the head stays as it is"

    def test_what_was_measured_of_the_sources_is_not_said_of_the_mixture(
        self, yard: Yard, desk: Desk
    ) -> None:
        three(desk)
        yard.mix("m", ["a", "b"], method="ties", density=0.5, message="both")
        shown = yard.show("m", 4)
        assert shown.version.metrics == {}
        assert shown.version.message.strip() == "both"
        assert shown.params["merge.method"] == "ties"
        assert (shown.params["merge.density"], shown.params["merge.base"]) == (0.5, 1)
        assert "lr" not in shown.params

    @pytest.mark.parametrize(
        ("method", "numbers", "step"),
        [
            ("weighted", {"weights": [3, 1]}, 1.5),
            ("task-arithmetic", {}, 4),
            ("task-arithmetic", {"scale": -1}, -4),
            ("ties", {"density": 1}, 2),
            ("dare", {"density": 1}, 4),
        ],
    )
    def test_each_method_finds_the_base_by_itself(
        self, yard: Yard, desk: Desk, method: str, numbers: dict[str, Any], step: float
    ) -> None:
        three(desk)
        yard.mix("m", ["a", "b"], method=method, into="new", **numbers)
        assert np.allclose(yard.tensor("m", "new", NAME), stepped(step)[NAME], atol=1e-5)

    def test_a_base_may_be_named(self, yard: Yard, desk: Desk) -> None:
        three(desk)
        yard.mix("m", ["b"], method="task-arithmetic", base="a", scale=2, into="far")
        assert np.allclose(yard.tensor("m", "far", NAME), stepped(5)[NAME], atol=1e-5)
        assert yard.resolve("m", "far").parents == (3,)

    def test_a_new_branch_begins_at_the_first_version(self, yard: Yard, desk: Desk) -> None:
        three(desk)
        desk.commit_tensors(stepped(5), branch="a")
        with refused(InvalidInput, "not-a-tip", hint=True):
            yard.mix("m", [2, 3], method="average")
        with refused(InvalidInput, "not-a-tip", hint=True):
            yard.mix("m", [2, 3], method="average", into="a")
        done = yard.mix("m", [2, 3], method="average", into="soup")
        assert (done.branch, yard.resolve("m", "soup").parents) == ("soup", (2, 3))
        yard.tag("m", "v1", 1)
        with refused(Conflict, "not-a-branch"):
            yard.mix("m", [2, 3], method="average", into="v1")

    def test_versions_that_share_nothing_have_no_base(self, yard: Yard, desk: Desk) -> None:
        three(desk)
        with refused(InvalidInput, "no-base", hint=True):
            yard.mix("m", ["a"], method="task-arithmetic")
        with refused(NotFound):
            yard.mix("m", ["a", "b"], method="ties", base=99)

    def test_tensors_that_do_not_fit_are_all_named(self, yard: Yard, desk: Desk) -> None:
        three(desk)
        other = stepped(2)
        other[NAME] = np.zeros((16, 8), "f4")
        other["layer1.weight"] = other["layer1.weight"].astype("f2")
        other["extra"] = other.pop("layer2.bias")
        desk.commit_tensors(other, branch="c", parent=1)
        with refused(Conflict, "weights-conflict", hint=True) as caught:
            yard.mix("m", ["a", "c"], method="average")
        for said in (
            "4 tensors", "layer0.weight: 16x16 in version 2, 16x8 in version 4",
            "layer1.weight: float32 in version 2, float16 in version 4",
            "layer2.bias: not in version 4", "extra: only in version 4",
        ):  # fmt: skip
            assert said in caught.value.message
        assert desk.numbers() == [4, 3, 2, 1]

    def test_of_many_that_do_not_fit_the_first_are_named(self, yard: Yard, desk: Desk) -> None:
        desk.commit_tensors({f"t{i}": np.ones(3, "f4") for i in range(50)})
        desk.commit_tensors({f"t{i}": np.ones(4, "f4") for i in range(50)}, branch="b")
        with refused(Conflict, "weights-conflict") as caught:
            yard.mix("m", [MAIN, "b"], method="average")
        assert "50 tensors" in caught.value.message
        assert "and 30 more" in caught.value.message

    def test_whole_numbers_must_agree_but_for_counters(self, yard: Yard, desk: Desk) -> None:
        same = {"ids": np.arange(5), "on": np.array([True, False, True])}
        for branch, step in ((MAIN, 1), ("b", 2)):
            counter = {"bn.num_batches_tracked": np.array(step), "w": np.full(3, step, "f4")}
            desk.commit_tensors({**same, **counter}, branch=branch)
        desk.commit_tensors({**same, **counter, "ids": np.arange(5) * 2}, branch="c")
        yard.mix("m", [MAIN, "b"], method="average", into="new")
        assert yard.tensor("m", "new", "bn.num_batches_tracked") == 1
        assert yard.tensor("m", "new", "ids").tolist() == [0, 1, 2, 3, 4]
        assert yard.tensor("m", "new", "w").tolist() == [1.5] * 3
        with refused(Conflict, "weights-conflict") as caught:
            yard.mix("m", ["b", "c"], method="average")
        assert "ids" in caught.value.message

    def test_every_dtype_and_shape_comes_back_as_itself(self, yard: Yard, desk: Desk) -> None:
        rng = np.random.default_rng(3)
        sides = []
        for branch in (MAIN, "b"):
            values = rng.normal(size=(300, 700))
            tensors = {
                "double": values, "single": values.astype("f4"), "half": values.astype("f2"),
                "brain": to_bfloat16(values.astype("f4")), "scalar": np.array(values[0, 0], "f4"),
                "none": np.zeros((0, 4), "f4"), "odd": np.array([True] * 3),
                "last": values[0].astype("f4"),
            }  # fmt: skip
            desk.commit_tensors(tensors, branch=branch)
            sides.append({name: float32_of(v) for name, v in tensors.items()})
        yard.mix("m", [MAIN, "b"], method="average", into="new")
        for name in ("double", "single", "half", "scalar", "last"):
            mean = (sides[0][name].astype("f8") + sides[1][name].astype("f8")) / 2
            made = yard.tensor("m", "new", name)
            assert made.dtype == sides[0][name].dtype
            assert np.allclose(made, mean.astype(made.dtype), rtol=1e-3 if name == "half" else 1e-6)
        mean = (sides[0]["brain"] + sides[1]["brain"]) / np.float32(2)
        assert np.array_equal(yard.tensor("m", "new", "brain"), float32_of(to_bfloat16(mean)))
        assert yard.tensor("m", "new", "none").shape == (0, 4)

    def test_a_mixture_of_equal_models_is_that_model(self, yard: Yard, desk: Desk) -> None:
        for branch in (MAIN, "b"):
            desk.commit_tensors(stepped(0), branch=branch)
        before = desk.read(MAIN)
        done = yard.mix("m", [MAIN, "b"], method="average")
        assert desk.read(MAIN) == before
        assert done.new_bytes < 5000

    def test_shards_are_matched_by_name(self, yard: Yard, desk: Desk) -> None:
        halves = [dict(list(stepped(s).items())[at:end]) for s in (0, 2) for at, end in
                  ((0, 3), (3, 6))]  # fmt: skip
        index = b'{"weight_map": {}}'
        desk.commit({
            "1.safetensors": safetensors_bytes(halves[0]), "model.safetensors.index.json": index,
            "2.safetensors": safetensors_bytes(halves[1]),
        })  # fmt: skip
        desk.commit_tensors({**halves[2], **halves[3]}, branch="b", parent=1)
        yard.mix("m", [MAIN, "b"], method="average")
        files = desk.read(MAIN)
        assert set(files) == {"1.safetensors", "2.safetensors", "model.safetensors.index.json"}
        assert files["model.safetensors.index.json"] == index
        for name in (NAME, "layer2.bias"):
            assert np.allclose(yard.tensor("m", MAIN, name), stepped(1)[name], atol=1e-6)

    def test_weights_in_other_formats_are_refused_by_name(self, yard: Yard, desk: Desk) -> None:
        three(desk)
        desk.commit({"notes.txt": b"no weights"}, branch="text", parent=1)
        with refused(Unsupported, "not-mergeable", hint=True):
            yard.mix("m", ["a", "text"], method="average")

    @pytest.mark.parametrize(
        ("sources", "numbers"),
        [
            ([], {"method": "average"}),
            (["a"], {"method": "average"}),
            (["a", 2], {"method": "average"}),
            (["a", "b"], {"method": "mean"}),
            (["a", "b"], {"method": "average", "base": 1}),
            (["a", "b"], {"method": "ties", "density": 2}),
            (["a", "b"], {"method": "weighted", "weights": [1, 2, 3]}),
        ],
    )
    def test_a_mixture_that_can_not_be_is_refused(
        self, yard: Yard, desk: Desk, sources: list[Any], numbers: dict[str, Any]
    ) -> None:
        three(desk)
        with refused(InvalidInput, "bad-mix", hint=True):
            yard.mix("m", sources, **numbers)
        assert desk.numbers() == [3, 2, 1]

    def test_a_state_of_training_is_not_mixed(self, yard: Yard, desk: Desk) -> None:
        state = {
            branch: safetensors_bytes({"step": np.full(9, step, "f4")})
            for branch, step in ((MAIN, 1), ("b", 2))
        }
        for branch, step in ((MAIN, 1), ("b", 3)):
            files = {"model.safetensors": safetensors_bytes(stepped(step))}
            desk.commit(files | {"optimizer.safetensors": state[branch]}, branch=branch)
        done = yard.mix("m", [MAIN, "b"], method="average")
        assert desk.read(MAIN)["optimizer.safetensors"] == state[MAIN]
        assert any("optimizer.safetensors" in warning for warning in done.warnings)
