"""TensorFlow's SavedModel: a graph that predicts, and can't be changed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modelyard.core.extras import need
from modelyard.errors import InvalidInput
from modelyard.formats import inspect
from modelyard.formats.interface import Budget
from modelyard.formats.reading import printable
from modelyard.frameworks.keras.library import keras

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelyard.core.trust import Trust
    from modelyard.frameworks.interface import Files

__all__ = ["SavedGraph", "load_graph", "refuse"]

_LOADS = "tensorflow.saved_model.load"
"""The name that trusts what a graph does."""
_LISTED = 500
"""Operators that an inspection names at most."""
_LEADS_OUT = re.compile(
    r"File|Dataset|Reader|Summary|Rpc|Library|Abort|^(Eager)?Py|^_?(Send|Recv)|TPU|Tpu|Xla|Custom"
)
_QUIET = frozenset({"ShardedFilename", "SaveV2", "MergeV2Checkpoints", "RestoreV2"})
"""In every SavedModel, to save and restore itself."""


@dataclass(frozen=True, repr=False)
class SavedGraph:
    """The serving function of a SavedModel: named arrays in, named tensors out."""

    module: Any
    """What TensorFlow loaded; it owns the variables."""
    function: Any
    specs: Mapping[str, Any]
    """TensorSpec of each input by name."""

    def __repr__(self) -> str:
        return f"<SavedGraph of {', '.join(self.specs)}>"

    def __call__(self, inputs: Mapping[str, Any]) -> Any:
        """Predict a batch; `inputs` holds an array for each name of `specs`."""
        tensorflow = need("tensorflow", "keras")
        return self.function(**{
            name: tensorflow.convert_to_tensor(inputs[name], dtype=spec.dtype)
            for name, spec in self.specs.items()
        })  # fmt: skip


def load_graph(files: Files, folder: str, trust: Trust) -> SavedGraph:
    """Load a folder with `saved_model.pb`.

    Loading runs the graph's initializers, and predicting the rest. No list of operators says what
    TensorFlow can do, so the whole needs trust, and the operators known to be dangerous are named.

    Raises:
        Denied: `untrusted`.
        InvalidInput: `not-loadable`.
    """
    path = "saved_model.pb" if folder == "." else f"{folder}/saved_model.pb"
    if path not in files.paths():
        raise InvalidInput("not-loadable", f"there is no file {printable(path)}")
    trust.require(path, [_LOADS, *sorted(_operators(files, path))], why="would run a graph with")
    keras()  # sets what TensorFlow logs, and TensorFlow comes with it
    tensorflow = need("tensorflow", "keras")
    try:
        module = tensorflow.saved_model.load(str((files.folder() / path).parent))
        functions = module.signatures
        name = "serving_default" if "serving_default" in functions else min(functions)
        function = functions[name]
        return SavedGraph(module, function, dict(function.structured_input_signature[1]))
    except Exception as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise InvalidInput(
            "not-loadable", f"{path} can't be loaded: {printable(lines[0], 300)}",
            hint="it needs variables/ beside it, and a signature",
        ) from None  # fmt: skip


def _operators(files: Files, path: str) -> set[str]:
    """Names of operators known to touch files or run code."""
    with files.open(path) as file:
        try:
            found = inspect(file, path, budget=Budget(seconds=20.0))
        except InvalidInput as error:
            raise InvalidInput("not-loadable", error.message, hint=error.hint) from None
    operators = found.metadata.get("ops", {})
    if found.format != "savedmodel":
        raise InvalidInput("not-loadable", f"{path} is no SavedModel")
    judged = {
        finding.message.rpartition(" ")[2]
        for finding in found.findings
        if finding.kind == "unsafe-op"
    }
    named = {name for name in operators if _LEADS_OUT.search(name) and name not in _QUIET}
    crowd = {"more-operators-than-are-listed"} if len(operators) >= _LISTED else set()
    return judged | named | crowd


def refuse(what: str) -> InvalidInput:
    """Why a graph has no parameters, structure or optimizer to change."""
    return InvalidInput(
        "read-only", f"a SavedModel is a finished graph: it has no {what} to change",
        hint="update the .keras version that it was exported from",
    )  # fmt: skip
