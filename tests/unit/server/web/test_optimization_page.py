"""The page of an optimization, whatever whoever runs it elsewhere has kept of its trials."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelyard.core.access import NOBODY
from modelyard.core.decoding import decode_json
from modelyard.core.optimization import Goal, Optimization, PassDone, Recipe, Step, Trial
from modelyard.i18n import Language
from modelyard.registry.optimizations.outlines import outline
from modelyard.server.web.here import Here
from modelyard.server.web.pages import optimizations
from modelyard.server.web.rendering import environment

if TYPE_CHECKING:
    from collections.abc import Sequence

NOW = datetime(2026, 11, 23, tzinfo=UTC)
ZEROS = b"0" * 400
BODY = b'{"number": 0, "state": "done", "values": {"accuracy": 0.5}, '
RUN = Optimization(
    id=1, model="m", number=1, state="running", who="Ann", created=NOW, changed=NOW,
    recipe=Recipe(
        name="small", steps=(Step("tune"),), goals=(Goal("accuracy", "max"), Goal("size", "min")),
        trials=500, seconds=2.0,
    ),
)  # fmt: skip


def _page(run: Optimization, bodies: Sequence[bytes] = ()) -> Any:
    """As the server makes it of what is kept."""
    whole = {trial.number: trial for trial in (decode_json(b, Trial) for b in bodies)}
    kept = SimpleNamespace(
        get=lambda _: run, outlines=lambda _: tuple(outline(body.decode()) for body in bodies),
        trial=lambda _, number: whole.get(number),
    )  # fmt: skip
    ask: Any = SimpleNamespace(house=None, yard=SimpleNamespace(optimizations=kept), caller=NOBODY)
    return optimizations.show_optimization(ask, run.id)


def _shown(page: Any, language: str = "en") -> str:
    here = Here(
        prefix="", path="/optimizations/1", query="", language=Language.of(language), theme="auto",
        caller=NOBODY, base="http://127.0.0.1:8300", said=None, accounts=True,
    )  # fmt: skip
    html = environment(language).get_template("optimization.html").render(page=page, here=here)
    html.encode()
    return html


def _text(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", "", html).split())


# -- whatever is kept ------------------------------------------------------------------------------

_NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
_WORDS = st.text(st.characters(codec="utf-8"), max_size=20)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**400), 10**400) | _NUMBERS | _WORDS,
    lambda some: st.lists(some, max_size=3) | st.dictionaries(_WORDS, some, max_size=3),
    max_leaves=6,
)  # fmt: skip
_KEYS = st.sampled_from(["layer", "what", "change", "sparsity", "dtype", "shape", "cosine", "<x>"])
_METRICS = st.dictionaries(
    st.sampled_from(["accuracy", "size", "latency_p50", "parameters", "x"]), _NUMBERS
)
_STEPS = st.builds(
    PassDone, name=_WORDS, params=st.dictionaries(_WORDS, _JSON),
    kept=st.booleans(), why=_WORDS, seconds=_NUMBERS, before=_METRICS, after=_METRICS,
    notes=st.lists(_WORDS, max_size=3).map(tuple),
    changed=st.lists(st.dictionaries(_KEYS, _JSON), max_size=3).map(tuple),
)  # fmt: skip
_TRIALS = st.builds(
    Trial, number=st.integers(0, 9), state=st.sampled_from(["running", "done", "pruned", "failed"]),
    params=st.dictionaries(st.sampled_from(["0.tune.C", "1.tune.C", "1.prune", "<b>"]), _JSON),
    values=_METRICS, steps=st.lists(_STEPS, max_size=2).map(tuple), seconds=_NUMBERS,
    excess=st.dictionaries(st.sampled_from(["size<=1", "x"]), _NUMBERS),
    scores=st.dictionaries(st.sampled_from(["epoch 1", "epoch 2"]), _NUMBERS),
    reason=_WORDS,
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(
    st.lists(_TRIALS, max_size=4, unique_by=lambda trial: trial.number), _METRICS, _NUMBERS,
    st.dictionaries(_WORDS, _WORDS, max_size=3),
    st.sampled_from(["running", "done", "failed", "cancelled"]),
)  # fmt: skip
def test_the_page_shows_whatever_is_kept(
    trials: list[Trial],
    before: dict[str, float],
    seconds: float,
    environment: dict[str, str],
    state: Any,
) -> None:
    run = replace(RUN, before=before, seconds=seconds, environment=environment, state=state)
    page = _page(run, [msgspec.json.encode(trial) for trial in trials])
    _shown(page)


@pytest.mark.parametrize(
    "told",
    [
        b'"steps": [{"name": "tune", "changed": [{"layer": ["x"], "what": ["y"]}]}]}',
        b'"steps": [{"name": "tune", "changed": [{"layer": null, "what": {"a": 1}}]}]}',
        b'"steps": [{"name": "tune", "changed": [{"change": 1%s, "sparsity": true}]}]}' % ZEROS,
        b'"steps": [{"name": "tune", "params": {"a": 1%s}}]}' % ZEROS,
    ],
)  # fmt: skip
def test_odd_words_and_numbers_of_layers_are_shown_as_they_are(told: bytes) -> None:
    html = _shown(_page(RUN, [BODY + told]))
    assert "Passes of trial 0" in html
    assert len(html) < 100_000


def test_a_number_that_no_axis_has_room_for_leaves_its_axis_out() -> None:
    bodies = [
        b'{"number": %d, "state": "done", "values": {"accuracy": %d}, "params": {"a": %s, "b": %d}}'
        % (number, number, b"1" + b"0" * (400 * number), number)
        for number in range(2)
    ]
    page = _page(RUN, bodies)
    assert [axis.name for axis in page.parallel.axes] == ["b", "accuracy"]
    assert "Parallel coordinates" in _shown(page)


# -- how far it is ---------------------------------------------------------------------------------


def test_one_that_did_not_begin_says_that_it_waits() -> None:
    text = _text(_shown(_page(RUN)))
    assert "0 of 500 trials · it waits for its turn, or is being prepared" in text
    assert "of at most" not in text


def test_the_time_beside_the_budget_is_that_in_which_somebody_worked() -> None:
    run = replace(RUN, done=3, seconds=1.0, environment={"cpu": "x"})
    assert "3 of 500 trials · for 1 s of at most 2 s" in _text(_shown(_page(run)))
    assert "for 0 s of at most 2 s" in _text(_shown(_page(replace(run, done=0, seconds=0.0))))


@pytest.mark.parametrize(
    ("needs", "end"),
    [((), "--resume 1"), (("trust in it: --trust",), "--resume 1 --trust NAME")],
)
def test_who_goes_on_with_it_is_told_to_say_what_they_trust(
    monkeypatch: pytest.MonkeyPatch, needs: tuple[str, ...], end: str
) -> None:
    monkeypatch.setattr(
        "modelyard.optimization.planning.suggest", lambda *_: (SimpleNamespace(needs=needs),)
    )
    html = _shown(_page(replace(RUN, state="stopped")))
    assert re.findall(r"yard optimize --yard \S+ (--resume[^<\"]*)", html)[0] == end


# -- many ------------------------------------------------------------------------------------------


def _many(count: int) -> list[bytes]:
    """All on the front: whatever is better is larger."""
    return [
        msgspec.json.encode(Trial(
            number=n, state="done", values={"accuracy": n / count, "size": 1000.0 + n},
            params={"0.tune.C": n * 7 % count}, scores={"epoch 1": 0.5, "epoch 2": n / count},
        ))
        for n in range(count)
    ]  # fmt: skip


def test_of_very_many_trials_some_are_drawn_and_the_page_says_so() -> None:
    page = _page(RUN, _many(2000))
    assert all(line.front for line in page.trials)
    assert (len(page.field.spots), page.field.all_spots, page.all_trials) == (500, 2000, 2000)
    drawn = [spot.number for spot in page.field.spots]
    assert drawn == sorted(set(drawn))
    assert (drawn[0], drawn[-1]) == (0, 1999), "both ends of the front"
    text = _text(_shown(page))
    assert "500 of 2,000 trials are drawn; the table below has them all." in text
    assert text.count("200 of 2,000 trials are drawn") == 2, "as lines, and on their way"
    assert "are drawn" not in _text(_shown(_page(RUN, _many(20))))


def test_many_trials_of_which_none_beats_another_do_not_hold_up_the_server() -> None:
    bodies = _many(5000)
    began = time.process_time()
    page = _page(RUN, bodies)
    assert page.field is not None
    assert time.process_time() - began < 8, "it was a minute when each was compared with all"
