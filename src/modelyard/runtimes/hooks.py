"""Functions of a version that prepare its inputs and finish its outputs: `serving.yaml`.

    preprocess: hooks.py:prepare        # a function of {name: array} that gives {name: array}
    postprocess: hooks.py:finish        # the same for outputs
    inputs:                             # what callers give, where that is not what the model takes
      - {name: text, dtype: string, shape: [-1]}

They are code, so they run only if they are trusted by name (`hooks.prepare`), and only in a child
process.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import util
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from modelyard.core.plain_yaml import NotPlain, plain_yaml
from modelyard.errors import InvalidInput, ModelyardError, Unavailable
from modelyard.formats.reading import printable
from modelyard.runtimes.tables import seen_specs, spec_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from modelyard.core.trust import Trust
    from modelyard.frameworks import Files
    from modelyard.runtimes.tensors import Array, TensorRuntime, TensorSpec

__all__ = ["HOOKS", "HookedTensors", "Hooks", "check_hooks", "read_hooks"]

HOOKS: Final = "serving.yaml"
_LARGEST: Final = 100_000
_PLACE: Final = re.compile(r"((?:[A-Za-z_]\w*/)*[A-Za-z_]\w*)\.py:([A-Za-z_]\w*)", re.ASCII)
_KEYS: Final = frozenset({"preprocess", "postprocess", "inputs", "outputs"})


@dataclass(frozen=True, slots=True)
class Hooks:
    """What `serving.yaml` declares."""

    preprocess: str | None = None
    """`FILE.py:FUNCTION`."""
    postprocess: str | None = None
    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """What must be trusted: `hooks.prepare`."""
        return tuple(_dotted(place) for place in (self.preprocess, self.postprocess) if place)


def read_hooks(folder: Path) -> Hooks:
    """Read `serving.yaml`; nothing is run. InvalidInput: `bad-serving`."""
    try:
        with (folder / HOOKS).open("rb") as file:
            return _parsed(file.read(_LARGEST + 1))
    except OSError:
        raise _bad("it can't be read") from None


def check_hooks(files: Files, trust: Trust) -> None:
    """Whether functions that a stored version declares are trusted; nothing is run.

    Raises:
        Denied: `untrusted`.
        InvalidInput: `bad-serving`.
    """
    if HOOKS in files.paths():
        trust.require(HOOKS, _parsed(files.read(HOOKS)).names, why="would run")


def _parsed(data: bytes) -> Hooks:
    if len(data) > _LARGEST:
        raise _bad("it is too large")
    try:
        content = plain_yaml(data.decode("utf-8")) or {}
    except UnicodeDecodeError:
        raise _bad("it is no YAML") from None
    except NotPlain as error:
        raise _bad(str(error)) from None
    if not isinstance(content, dict) or not set(content) <= _KEYS:
        raise _bad(f"it may have {', '.join(sorted(_KEYS))}, and nothing else")
    for key in ("preprocess", "postprocess"):
        place = content.get(key)
        if place is not None and not (isinstance(place, str) and _PLACE.fullmatch(place)):
            raise _bad(f"{key} must be FILE.py:FUNCTION")
    return Hooks(
        content.get("preprocess"), content.get("postprocess"),
        _specs(content, "inputs"), _specs(content, "outputs"),
    )  # fmt: skip


class HookedTensors:
    """A `TensorRuntime` between two functions of its version."""

    parallel: bool = False
    pid: int | None = None

    def __init__(self, folder: Path, hooks: Hooks, inner: TensorRuntime, trust: Trust) -> None:
        """Imports the functions. Denied: `untrusted`. InvalidInput: `bad-serving`."""
        trust.require(HOOKS, hooks.names, why="would run")
        self._inner = inner
        self._prepare = _function(folder, hooks.preprocess)
        self._finish = _function(folder, hooks.postprocess)
        self.framework = inner.framework
        self.platform = inner.platform
        self.classes = getattr(inner, "classes", None)
        self.inputs = hooks.inputs or inner.inputs
        self.outputs = hooks.outputs or inner.outputs
        self.columns = all(spec.shape == (-1,) for spec in self.inputs)
        first = [spec.shape[:1] for spec in self.inputs]
        self.rows = inner.rows and all(side == (-1,) for side in first)
        self._looks = not hooks.outputs

    def look(self, feeds: Mapping[str, Array]) -> None:
        """Learn what comes out by asking. Raises as `run`."""
        if self._looks:
            self.outputs = seen_specs(self.run(feeds), self.outputs)

    def run(
        self,
        feeds: Mapping[str, Array],
        outputs: Sequence[str] | None = None,
        seconds: float | None = None,
    ) -> dict[str, Array]:
        given = _arrays("preprocess", self._prepare, dict(feeds))
        for spec in self._inner.inputs:  # functions need not care for float64 or float32
            array = given.get(spec.name)
            if array is not None and spec.dtype != "string" and str(array.dtype) != spec.dtype:
                given[spec.name] = _cast(spec, array)
        found = _arrays("postprocess", self._finish, self._inner.run(given, None, seconds))
        try:
            return {name: found[name] for name in (found if outputs is None else outputs)}
        except KeyError as error:
            raise InvalidInput("bad-inputs", f"there is no output {error}") from None

    def close(self) -> None:
        self._inner.close()


def _arrays(
    what: str, function: Callable[[dict[str, Array]], Any] | None, given: dict[str, Array]
) -> dict[str, Array]:
    """What a function makes of arrays; any error of it in a sentence."""
    if function is None:
        return given
    try:
        made = function(given)
        return {str(name): _array(value) for name, value in made.items()}
    except ModelyardError:
        raise
    except ValueError as error:  # this is how it says that it can't take them
        raise InvalidInput("bad-inputs", f"{what}: {_line(error)}") from None
    except Exception as error:
        message = f"{what} failed: {type(error).__name__}: {_line(error)}"
        raise Unavailable("model-failed", message) from None


def _cast(spec: TensorSpec, array: Array) -> Array:
    try:
        return array.astype(spec.dtype)
    except (OverflowError, TypeError, ValueError):
        reason = f"{spec.name} takes {spec.dtype}, not these values"
        raise InvalidInput("bad-inputs", f"preprocess: {reason}") from None


def _array(value: Any) -> Array:
    array = np.asarray(value)
    return array.astype(object) if array.dtype.kind == "U" else array


def _line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return printable(lines[0] if lines else "", 300)


def _function(folder: Path, place: str | None) -> Callable[[dict[str, Array]], Any] | None:
    """Import a file of the version, and take a function out of it."""
    if place is None:
        return None
    file, _, name = place.partition(":")
    path = folder / file
    if not (path.is_file() and path.resolve().is_relative_to(folder.resolve())):
        raise _bad(f"there is no file {file}")
    spec = util.spec_from_file_location(_dotted(place).rpartition(".")[0], path)
    if spec is None or spec.loader is None:
        raise _bad(f"{file} can't be imported")
    module = util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever code raises
        raise _bad(f"{file} can't be imported: {type(error).__name__}: {_line(error)}") from None
    found = getattr(module, name, None)
    if not callable(found):
        raise _bad(f"{file} has no function {name}")
    return found  # type: ignore[no-any-return]


def _dotted(place: str) -> str:
    return place.replace(".py:", ".").replace("/", ".")


def _specs(content: Mapping[str, Any], side: str) -> tuple[TensorSpec, ...]:
    try:
        return tuple(spec_of(entry) for entry in content.get(side) or ())
    except (KeyError, TypeError, ValueError):
        raise _bad(f"{side} must be a list of name, dtype and shape") from None


def _bad(message: str) -> InvalidInput:
    return InvalidInput(
        "bad-serving", f"{HOOKS}: {message}", hint="docs/guides/runtimes.md shows what it may have"
    )
