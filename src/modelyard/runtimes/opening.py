"""A version opened to serve: its files become a `TensorRuntime`, here or in a child process."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final

from modelyard.core.trust import Trust
from modelyard.errors import Denied, InvalidInput, ModelyardError, Unsupported
from modelyard.frameworks import FolderFiles, named
from modelyard.runtimes.examples import example_of
from modelyard.runtimes.graphs import open_graph

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from modelyard.core.deployment import Placement
    from modelyard.frameworks import Framework, Saved
    from modelyard.runtimes.tensors import TensorRuntime

__all__ = ["example_of", "open_here", "open_version"]

_FILE: Final = "model.onnx"
_HOOKS: Final = "serving.yaml"
_PACKAGES: Final = "environment"
"""What must be trusted before packages of a version's own are installed."""
_GB: Final = 1 << 30


def open_version(
    folder: Path,
    saved: Saved,
    *,
    trust: Trust = Trust(),  # noqa: B008 - frozen
    signature: Any = None,
    placement: Placement = "auto",
    threads: int = 1,
    memory: int = 8 * _GB,
    environment: Mapping[str, Any] | None = None,
) -> TensorRuntime:
    """Load a version and make it answer.

    ONNX graphs live in this process, since nothing in them is code; every other framework lives in
    a child process, unless `inline` is asked for.

    Args:
        folder: The version's files. They must stay where they are until it is closed.
        saved: How they were saved.
        trust: What they may run; only in a child process. `environment` as a name allows the
            packages of `placement="environment"`.
        signature: Of the version's manifest.
        placement: `auto`, `inline`, `process`, or `environment`: a process with the packages that
            the version was made with.
        threads: Of the library that predicts, for one request.
        memory: Bytes that a child process may take.
        environment: Of the version's manifest; for `placement="environment"`.

    Raises:
        Denied: `untrusted`, naming what loading would import, or the packages of its own.
        InvalidInput: `not-loadable`: files are damaged; `bad-serving`: `serving.yaml` is;
            `no-packages`: it does not tell those that it was made with.
        Unsupported: `no-extra`, `no-framework`, `no-signature`, `no-tensors`, `no-uv`.
        Unavailable: `model-died`, `model-timeout`, `model-failed` while it loads;
            `no-environment`: its packages can't be installed.
    """
    here = placement == "auto" and _is_graph(saved) and not has_hooks(folder)
    if here or placement == "inline":
        try:
            return open_here(folder, saved, trust=Trust(), signature=signature, threads=threads)
        except Denied as error:
            hint = "code of a version runs in a child process only: placement process"
            raise Denied("untrusted", error.message, hint=hint) from None
    from modelyard.runtimes.tensor_process import open_child

    place: Path | None = None
    if placement == "environment":
        from modelyard.runtimes.environments import environment_of

        _check_packages(trust)
        place = environment_of(environment)
    return open_child(
        folder, saved, trust=trust, signature=signature, threads=threads, memory=memory,
        environment=place,
    )  # fmt: skip


def _check_packages(trust: Trust) -> None:
    """Whoever wrote the version names them, and they run before anything is fenced off."""
    if not trust.allows(_PACKAGES):
        raise Denied(
            "untrusted", "placement environment would run the packages that this version names",
            hint="if you trust those who made it: trusted=['environment'], --trust environment",
        )  # fmt: skip


def open_here(
    folder: Path, saved: Saved, *, trust: Trust, signature: Any = None, threads: int = 1
) -> TensorRuntime:
    """As `open_version`, in this process, whatever it runs."""
    if not has_hooks(folder):
        return _open(folder, saved, trust, signature, threads)
    from modelyard.runtimes.hooks import HookedTensors, read_hooks

    hooks = read_hooks(folder)
    trust.require("serving.yaml", hooks.names, why="would run")
    inner = _open(folder, saved, trust, signature, threads)
    hooked = HookedTensors(folder, hooks, inner, trust)
    with contextlib.suppress(InvalidInput):  # values that were made up need not suit it
        hooked.look(example_of(folder, signature, hooked.inputs) or {})
    return hooked


def _open(folder: Path, saved: Saved, trust: Trust, signature: Any, threads: int) -> TensorRuntime:
    if _is_graph(saved):
        return open_graph(folder, str(saved.details.get("file", _FILE)), threads=threads)
    from modelyard.runtimes import runtime_of
    from modelyard.runtimes.tables import TableTensors, inputs_of

    framework = named(saved.framework)
    obj = framework.load(FolderFiles(folder), saved, trust)
    signature = signature or _told(framework, obj)
    runtime = runtime_of(saved.framework, obj, signature)
    platform = f"{saved.framework}_{saved.serializer}"
    inputs = inputs_of(runtime, signature, _width(obj))
    tensors = TableTensors(runtime, platform, inputs, signature)
    example = example_of(folder, signature, inputs) or {}
    if saved.framework == "sklearn" and len(example) == 1:
        from modelyard.runtimes.estimators import quick_answers

        tensors.hurry(quick_answers(obj, next(iter(example.values()))))
    try:
        tensors.look(example)
    except ModelyardError as error:
        if not tensors.outputs:
            raise Unsupported(
                "no-signature", f"nobody knows what this version gives: {error}",
                hint="commit it with example=ROWS, from which the signature is inferred",
            ) from None  # fmt: skip
    return tensors


def has_hooks(folder: Path) -> bool:
    """Whether the version declares functions around the model: see `hooks`."""
    return (folder / _HOOKS).is_file()


def _is_graph(saved: Saved) -> bool:
    return saved.framework == "onnx" or saved.serializer == "onnx"


def _told(framework: Framework, obj: Any) -> Any:
    """What the object tells of itself without an example."""
    if framework.NAME == "keras":
        from modelyard.frameworks.keras.tensors import inputs_of

        specs = inputs_of(obj)
        rows = [[-1, *(-1 if side is None else side for side in spec.row)] for spec in specs]
        return {"inputs": [
            {"name": spec.name, "dtype": spec.dtype, "shape": row}
            for spec, row in zip(specs, rows, strict=True)
        ]}  # fmt: skip
    try:
        return framework.signature(obj, None)
    except ModelyardError:
        return None


def _width(obj: Any) -> int | None:
    """Columns of the matrix that an object was fitted with."""
    for name in ("n_features_in_", "num_features", "num_feature", "n_features_"):
        found = getattr(obj, name, None)
        if callable(found):
            try:
                found = found()
            except Exception:  # whatever a library raises that is not fitted
                continue
        if isinstance(found, int) and found > 0:
            return found
    return None
