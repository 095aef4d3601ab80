"""What is known of a model before it is loaded: by which passes say whether they may help."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from modelyard.errors import ModelyardError
from modelyard.formats import inspect
from modelyard.optimization.state import Subject

if TYPE_CHECKING:
    from modelyard.optimization.state import Model, Rows, Task

__all__ = ["subject_of"]


def subject_of(model: Model, rows: Rows | None, task: Task) -> Subject:
    """The subject of a model and of the rows that it may learn from."""
    target = None if rows is None else rows.target
    classes = 0
    if task == "classification" and target is not None:
        classes = len(np.unique(target.astype(str) if target.dtype.kind == "O" else target))
    structure = model.saved.details.get("structure", ())
    return Subject(
        framework=model.saved.framework, serializer=model.saved.serializer,
        class_name=model.saved.class_name, size=model.size, task=task,
        rows=0 if rows is None else len(rows),
        columns=0 if rows is None else len(rows.inputs.names), classes=classes,
        has_target=target is not None, structure=tuple(map(str, structure)),
        operators=_operators(model),
    )  # fmt: skip


def _operators(model: Model) -> dict[str, int]:
    found: dict[str, int] = {}
    for path in sorted(model.folder.glob("*.onnx")):
        try:
            with path.open("rb") as stream:
                ops = inspect(stream, path.name, scan=False).metadata.get("ops", {})
        except ModelyardError:
            continue
        for name, count in ops.items():
            found[name] = found.get(name, 0) + int(count)
    return found
