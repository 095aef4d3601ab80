"""Errors: seven classes by what the catcher does, each with a kind, a sentence and a hint."""

from __future__ import annotations

import copy
import pickle

import pytest

from modelyard import errors
from modelyard.errors import ModelyardError

SEVEN = {
    "InvalidInput", "NotFound", "Conflict", "Denied", "Unavailable", "Corrupt", "Unsupported",
}  # fmt: skip
CLASSES = [getattr(errors, name) for name in sorted(SEVEN)]


def test_there_are_seven_classes_and_their_base():
    assert set(errors.__all__) == SEVEN | {"ModelyardError"}
    assert {cls.__name__ for cls in ModelyardError.__subclasses__()} == SEVEN


@pytest.mark.parametrize("cls", CLASSES)
def test_an_error_survives_a_pipe_between_processes(cls):
    error = cls("branch-moved", "main moved while you worked", hint="yard log main")
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(twin) is cls
        assert (twin.kind, twin.message, twin.hint) == (error.kind, error.message, error.hint)
        assert str(twin) == "main moved while you worked"


@pytest.mark.parametrize("cls", CLASSES)
def test_an_error_without_a_hint_is_whole(cls):
    error = cls("kind", "sentence")
    assert error.hint is None
    assert str(error) == "sentence"


@pytest.mark.parametrize("cls", CLASSES)
def test_a_class_says_what_the_catcher_does(cls):
    assert cls.__doc__
    assert issubclass(cls, ModelyardError)


def test_errors_are_caught_by_pythons_own_names_too():
    assert issubclass(errors.InvalidInput, ValueError)
    assert issubclass(errors.NotFound, LookupError)
