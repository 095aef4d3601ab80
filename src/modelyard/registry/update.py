"""Update: a version's object with other parameters, structure, optimizer or training."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from modelyard.core.lineage import LineageEdge
from modelyard.core.manifest import Manifest
from modelyard.core.names import ModelName
from modelyard.core.table import Table
from modelyard.core.trust import Trust
from modelyard.errors import InvalidInput
from modelyard.formats.tables import read_table
from modelyard.registry.commit import Request
from modelyard.registry.data import DataName, find_data, name_data
from modelyard.registry.publish import manifest_of
from modelyard.registry.saving import Wrapping, commit_object, load
from modelyard.registry.version_files import VersionFiles

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from modelyard.core.version import Committed, Progress
    from modelyard.registry.desk import Desk
    from modelyard.registry.files import Contents
    from modelyard.registry.saving import Loaded

__all__ = ["Changes", "update"]

_EXAMPLE = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What is to be different in the new version; applied in this order."""

    structure: Any = None
    """A plan, as the framework takes it."""
    params: Mapping[str, Any] = field(default_factory=dict)
    optimizer: Mapping[str, Any] = field(default_factory=dict)
    fit: object = None
    """Data to train with: a path, a dataset, a frame, or a pair of inputs and target."""
    target: str | None = None
    """The column of `fit` that is to be predicted."""
    epochs: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.structure is None and not self.params and not self.optimizer and self.fit is None:
            raise InvalidInput(
                "no-changes", "nothing is to be updated",
                hint="--set KEY=VALUE, --structure FILE, --optimizer name=..., --fit DATA",
            )  # fmt: skip
        if self.epochs is not None and not 0 < self.epochs <= 1_000_000:
            raise InvalidInput("bad-epochs", f"{self.epochs} epochs can't be trained")
        if not 0 <= self.seed < 2**32:
            raise InvalidInput("bad-seed", f"{self.seed} is no seed", hint="0 to 4294967295")
        if self.epochs is not None and self.fit is None:
            raise InvalidInput("no-fit-data", "epochs, but no data to train on", hint="--fit DATA")

    @property
    def is_of_tensors(self) -> bool:
        """Whether nothing but a structure is to be changed."""
        return self.structure is not None and not (
            self.params or self.optimizer or self.fit is not None
        )

    def sentence(self, data: str | None) -> str:
        """The message of a commit that says nothing else."""
        parts = []
        if self.structure is not None:
            parts.append("change the structure")
        if self.params:
            parts.append("set " + ", ".join(f"{k}={v}" for k, v in self.params.items()))
        if self.optimizer:
            parts.append("optimizer " + ", ".join(f"{k}={v}" for k, v in self.optimizer.items()))
        if data:
            parts.append(f"fit on {data}")
        text = "; ".join(parts)[:200]
        return text[:1].upper() + text[1:]


def update(
    desk: Desk,
    model: str,
    revision: str | int | None,
    changes: Changes,
    *,
    branch: str | None,
    message: str,
    trusted: Any,
    author: str,
    report: Callable[[Progress], None],
) -> Committed:
    """Load the object, change it, and commit it on top of the version that it came from.

    Metrics do not come along: the new version has not been measured.
    """
    found = desk.contents(model, revision)
    if changes.is_of_tensors and _is_weights(found):
        return _rewritten(desk, found, changes, branch, message, author, report)
    target_branch = desk.branch_for(found, branch)  # before anything is trained
    loaded = load(desk, found.model.name, found.version.number, trusted)
    before = loaded.framework.params(loaded.obj)
    obj, notes = _changed(loaded, changes, Trust.of(trusted))
    notes = (*notes, *_waiting(loaded, changes))
    example: Table | None = None
    named: DataName | None = None
    if changes.fit is not None:
        with ExitStack() as stack:
            table, target, named = _training_data(desk, changes, stack)
            obj = loaded.framework.fit(obj, table, target, epochs=changes.epochs, seed=changes.seed)
        example = table.take(slice(0, _EXAMPLE))
        notes = (*notes, f"fitted on {len(table):,} rows of {named.name}")
    elif changes.structure is not None:
        example = _example_for(loaded, obj)
    found = loaded.contents
    wrapping = Wrapping(
        serializer=loaded.saved.serializer, example=example,
        data=named, lineage=[LineageEdge("updated-from", found.title)],
    )  # fmt: skip
    request = Request(
        model=ModelName(found.model.name), source=Path(), author=author,
        message=message or changes.sentence(named.name if named else None),
        branch=target_branch, parent=found.version.number,
        manifest=_remaining(loaded, before, changes), keep=_beside(loaded),
    )  # fmt: skip
    done = commit_object(desk, request, obj, wrapping, report)
    return replace(done, notes=notes)


def _is_weights(found: Contents) -> bool:
    """Files that were committed as files, with safetensors among them: no object is needed."""
    return manifest_of(found.all_files).saved is None and any(
        path.endswith(".safetensors") for path in found.tree
    )


def _rewritten(
    desk: Desk,
    found: Contents,
    changes: Changes,
    branch: str | None,
    message: str,
    author: str,
    report: Callable[[Progress], None],
) -> Committed:
    """Carry out a plan on tensors, file to file and tensor by tensor."""
    from modelyard.frameworks.torch.plan import rewrite

    old = manifest_of(found.all_files)
    edge = LineageEdge("updated-from", found.title).encode()
    manifest = Manifest(params=old.params, data=old.data, lineage=(edge, *old.lineage))
    with VersionFiles(desk, found) as files, TemporaryDirectory(prefix="yard-save-") as place:
        notes = rewrite(files, changes.structure, Path(place))
        request = Request(
            model=ModelName(found.model.name), source=Path(place), author=author,
            message=message or changes.sentence(None), manifest=manifest,
            branch=desk.branch_for(found, branch), parent=found.version.number,
        )  # fmt: skip
        return replace(desk.commit(request, report), notes=notes)


def _changed(loaded: Loaded, changes: Changes, trust: Trust) -> tuple[Any, tuple[str, ...]]:
    framework, obj = loaded.framework, loaded.obj
    notes: tuple[str, ...] = ()
    if changes.structure is not None:
        obj, notes = framework.set_structure(obj, changes.structure, trust)
    if changes.params:
        obj = framework.set_params(obj, changes.params)
    if changes.optimizer:
        obj = framework.set_optimizer(obj, changes.optimizer)
    return obj, notes


def _waiting(loaded: Loaded, changes: Changes) -> tuple[str, ...]:
    """What is set but does not count before the object is fitted."""
    fit_only = getattr(loaded.framework, "fit_only", None)
    if changes.fit is not None or fit_only is None or not changes.params:
        return ()
    names = fit_only(loaded.obj, changes.params)
    if not names:
        return ()
    return (f"{', '.join(names)} will count when it is fitted: --fit DATA does it",)


def _training_data(desk: Desk, changes: Changes, stack: ExitStack) -> tuple[Table, Any, DataName]:
    """Inputs, target, and which data that is: named once, as it was read."""
    data = changes.fit
    if isinstance(data, str | Path):
        found = stack.enter_context(find_data(desk, data))
        table, name = read_table(found.path), found.data
    else:
        [name] = name_data(desk, {"train": data}).values()
        if isinstance(data, tuple) and len(data) == 2:
            return Table.of(data[0]), data[1], name
        table = Table.of(data)
    if changes.target is None:
        raise InvalidInput(
            "no-target", f"which column of {name.name} is to be predicted?",
            hint=f"target= or --target: {', '.join(table.names[:12])}",
        )  # fmt: skip
    return table.without(changes.target), table.column(changes.target), name


def _example_for(loaded: Loaded, obj: Any) -> Table | None:
    """Two rows of nothing that the changed object takes: what it gives for them is its signature.

    None if it takes them not, or must be fitted first.
    """
    import numpy as np

    signature = loaded.manifest.signature
    if signature is None:
        return None
    try:
        columns = {}
        for each in signature["inputs"]:
            shape = (2, *(max(length, 1) for length in each["shape"][1:]))
            is_text = each["dtype"] == "string"
            columns[each["name"]] = np.full(shape, "" if is_text else 0, object if is_text
                                            else each["dtype"])  # fmt: skip
        example = Table(columns)
        loaded.framework.signature(obj, example)
    except Exception:  # made-up rows may be refused in any way
        return None
    return example


def _remaining(loaded: Loaded, before: Mapping[str, Any], changes: Changes) -> Manifest:
    """What was said of the old version and still holds: not what the object says itself."""
    old = loaded.manifest
    if changes.fit is not None:
        told = {"target": changes.target, "epochs": changes.epochs, "seed": changes.seed}
        return Manifest(params={f"fit.{k}": v for k, v in told.items() if v is not None})
    params = {
        name: value
        for name, value in old.params.items()
        if name not in before and not name.startswith("optimizer.")
    }
    lineage = tuple(edge for edge in old.lineage if edge.get("kind") == "trained-on")
    manifest = Manifest(params=params, data=old.data, lineage=lineage)
    if changes.structure is not None:
        return manifest
    return replace(manifest, signature=old.signature, example=old.example)


def _beside(loaded: Loaded) -> Callable[[str], bool]:
    """The files that are not the object's own stay."""
    details = loaded.saved.details
    own = {*details.get("files", ()), details.get("file")}
    return lambda path: path not in own
