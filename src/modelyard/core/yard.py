"""The `Yard` protocol: every use case, once. `LocalYard` and `RemoteYard` implement it.

Model names and revisions come in as text or value (`"vision/resnet"`, `"champion"`, `12`) and are
parsed by the implementation at its door. Every method may raise `InvalidInput` for names it can't
parse and `NotFound` for what does not exist.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO, Literal, Protocol, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy as np

    from modelyard.core.deploying import Deployments
    from modelyard.core.diff import Diff
    from modelyard.core.evaluation import Choice, Comparison, Evaluation, Report
    from modelyard.core.handles import Model
    from modelyard.core.optimizing import Optimizations
    from modelyard.core.stats import GcReport, VerifyReport, YardStats
    from modelyard.core.transfer import BackedUp, Copied, Exported
    from modelyard.core.trust import TrustAll
    from modelyard.core.version import (
        CheckedOut,
        Committed,
        Mixed,
        ModelInfo,
        Page,
        Progress,
        RefInfo,
        RefMove,
        VersionDetail,
        VersionInfo,
    )

__all__ = ["Yard"]

Rev = str | int | None
"""A revision as text or number; None is the tip of `main`, or else the latest version."""


class Yard(Protocol):
    """One registry of models: a folder or a server."""

    url: str
    """Its folder, or the server's address."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def model(self, name: str) -> Model:
        """A handle on a model, there or not; nothing is fetched yet."""

    @property
    def deployments(self) -> Deployments:
        """Versions as services: what is wished, what became of it."""

    @property
    def optimizations(self) -> Optimizations:
        """Recipes that were run on versions, their trials, and what came of them."""

    # -- models ----------------------------------------------------------------------------------

    def models(self, *, deleted: bool = False) -> Iterator[ModelInfo]:
        """All models by name; with `deleted`, those that could be restored instead."""

    def model_info(self, model: str) -> ModelInfo:
        """One model, as `models` lists it."""

    def rename(self, model: str, new_name: str) -> ModelInfo:
        """The old name redirects until it is used again. Conflict: `model-exists`."""

    def delete_model(self, model: str) -> ModelInfo:
        """Undone by `restore` until gc. Its name is free at once."""

    # -- versions --------------------------------------------------------------------------------

    def commit(
        self,
        model: str,
        source: Path | str | object,
        *,
        message: str = "",
        branch: str | None = None,
        parent: Rev = None,
        only: Sequence[str] = (),
        metrics: Mapping[str, float] | None = None,
        params: Mapping[str, Any] | None = None,
        labels: Mapping[str, str] | None = None,
        author: str | None = None,
        kind: Literal["model", "dataset"] = "model",
        data: object = None,
        serializer: str | None = None,
        example: Any = None,
        scan: bool = True,
        progress: Callable[[Progress], None] | None = None,
    ) -> Committed:
        """Store a file, a folder or an object as the next version of `model`, made if it is new.

        With an object go its parameters, optimizer and structure, the versions of the packages that
        are imported, and the git commit of the calling file.

        Args:
            source: A path, or an object of a library that `frameworks` knows. Of the files that the
                parent has, an object keeps Markdown only.
            data: What it was trained on: a path, a dataset (`data/wine@3`), an array or a frame,
                or several of them by role (`{"train": ..., "test": ...}`); kept by digest.
            serializer: How an object is saved; the framework's safe way if None.
            example: A few rows of input, from which the signature is inferred.
            branch: Where it goes; `main` if None. A new branch begins at `parent`, or at `main`.
            parent: The version this was made from. Conflict `branch-moved` if the branch exists
                and points elsewhere.
            scan: Whether to look for what a file would do if it were loaded; its structure is
                read in any case.
            only: Globs; only matching files are taken from `source`, the rest is as in the parent.
        """

    def update(
        self,
        model: str,
        revision: Rev = None,
        *,
        params: Mapping[str, Any] | None = None,
        structure: Any = None,
        optimizer: Mapping[str, Any] | None = None,
        fit: object = None,
        target: str | None = None,
        epochs: int | None = None,
        seed: int = 0,
        branch: str | None = None,
        message: str = "",
        trusted: Iterable[str] | TrustAll | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> Committed:
        """A new version of the same object, changed; its lineage says `updated-from`.

        Args:
            params: Parameters by name, as `show` lists them (`clf__C`).
            structure: A plan for steps, layers or tensors; see the guide of the framework.
            optimizer: `{"name": "adam", "lr": 1e-3}`: really used, if there is `fit` too.
            fit: Train on this: a path, a dataset (`data/wine@3`), a frame with the column `target`,
                or a pair of inputs and target.
            branch: Where it goes; the branch that ends at the revision if None.

        Raises:
            InvalidInput: `no-param`, `bad-param`, `bad-structure`, `bad-optimizer`: the hint names
                what is valid. `no-changes`, `not-a-tip`, `no-target`.
            Denied: `untrusted`, as `load`.
        """

    def resolve(self, model: str, revision: Rev = None) -> VersionInfo:
        """The version that a revision means. NotFound: `no-version`, `version-deleted`."""

    def show(self, model: str, revision: Rev = None) -> VersionDetail:
        """Everything about one version; no weight is read."""

    def log(self, model: str, revision: Rev = None) -> Iterator[VersionInfo]:
        """Ancestors of the revision, children first; without one, all versions of the model."""

    def diff(
        self, a: str, b: str, *, limit: int | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> Diff:  # fmt: skip
        """From `a` to `b`, each `MODEL@REV`. Tensors with equal chunks are not read."""

    def delete_version(self, model: str, revision: Rev, *, purge: bool = False) -> VersionInfo:
        """Leave a tombstone. Conflict `protected`: a tag or an alias points at it.

        A branch that ends here goes back to the nearest ancestor that lives.

        Purged content goes with the next gc and can't be restored.
        """

    def restore(self, model: str, revision: Rev = None) -> ModelInfo:
        """Undo a deletion of a model, or of a version by its number, until gc took its bytes."""

    def revert(self, model: str, revision: Rev, *, branch: str | None = None) -> Committed:
        """A new version on the branch with the content of an old one."""

    def merge(self, model: str, source: Rev, *, into: str, message: str = "") -> Committed:
        """Three-way merge of files. Conflict `merge-conflict` names every file in conflict."""

    def mix(
        self,
        model: str,
        sources: Sequence[Rev],
        *,
        method: str,
        base: Rev = None,
        weights: Sequence[float] | None = None,
        density: float | None = None,
        scale: float | None = None,
        seed: int | None = None,
        into: str | None = None,
        message: str = "",
        progress: Callable[[Progress], None] | None = None,
    ) -> Mixed:
        """Mix the weights of several versions into a new one, which has them as parents.

        All files but those of weights are the first version's. Weights are read in safetensors and
        in torch's zip files, and written as safetensors.

        Args:
            method: `average`, `weighted`, `slerp`, `ties`, `dare` or `task-arithmetic`.
            base: For the last three, what the versions were tuned from; their newest common
                ancestor if None.
            weights: One for each version. `weighted` and `slerp` bring them to a sum of 1; with a
                base they are factors of what each version changed.
            density: Share of each version's changes that `ties` and `dare` keep; 0.2 if None.
            scale: Factor of the merged change, with a base; 1 if None.
            seed: What `dare` drops at random depends on it alone; 0 if None.
            into: The branch that gets the new version, at the first version or new. If None, the
                branch whose tip the first version is.

        Raises:
            InvalidInput: `bad-mix` for numbers that can't be, `no-base`, `not-a-tip`.
            Conflict: `weights-conflict` names tensors that differ in shape or dtype or are missing.
            Unsupported: `not-mergeable` for weights in other formats.
        """

    # -- bytes -----------------------------------------------------------------------------------

    def checkout(
        self,
        model: str,
        revision: Rev,
        dest: Path | str,
        *,
        files: Sequence[str] = (),
        progress: Callable[[Progress], None] | None = None,
    ) -> CheckedOut:
        """Write a version's files into `dest`, whole or not at all.

        Existing files in `dest` that differ are a Conflict `dest-not-empty`, never overwritten.
        """

    def open(self, model: str, revision: Rev, path: str) -> BinaryIO:
        """A seekable file object that fetches only the ranges that are read."""

    def tensor(self, model: str, revision: Rev, name: str) -> np.ndarray:
        """One tensor by name (`file:name` if several files have it), by range read.

        bfloat16 and float8 come as float32.
        """

    def load(
        self,
        model: str,
        revision: Rev = None,
        *,
        trusted: Iterable[str] | TrustAll | None = None,
        isolated: bool = False,
        into: object = None,
    ) -> Any:
        """The Python object again. Nothing that a file names is run unless it is trusted.

        Args:
            trusted: Names of globals (`module.qualname`) that loading may import, or `TRUST_ALL`.
            isolated: Load in a child process without network, secrets and file system, and give a
                proxy that predicts (`predict`, `predict_proba`, `transform`, ...).
            into: A torch module of a class of your own, which gets the weights.

        Raises:
            Denied: `untrusted`: names every global that is not trusted.
            Unsupported: `no-extra`, `no-framework`.
        """

    # -- refs ------------------------------------------------------------------------------------

    def refs(self, model: str) -> tuple[RefInfo, ...]:
        """All branches, tags and aliases of a model."""

    def branch(self, model: str, name: str, revision: Rev = None) -> RefInfo:
        """Make a branch. Conflict `ref-exists`."""

    def tag(self, model: str, name: str, revision: Rev = None) -> RefInfo:
        """Make a tag. Conflict `ref-exists`: tags never move."""

    def alias(self, model: str, name: str, revision: Rev = None) -> RefInfo:
        """Point an alias, new or not, at a version."""

    def delete_ref(self, model: str, name: str) -> RefInfo:
        """Delete a branch, tag or alias; versions stay. NotFound: `no-ref`."""

    def rollback(self, model: str, alias: str, *, to: Rev = None) -> RefInfo:
        """Point an alias back: to where it pointed before, or to `to`."""

    def reflog(self, model: str, ref: str | None = None) -> Iterator[RefMove]:
        """Every move of one ref, or of all, newest first."""

    # -- finding ---------------------------------------------------------------------------------

    def search(self, query: str = "", *, limit: int = 30, after: str | None = None) -> Page:
        """Versions that a query finds, `limit` a page; `after` is the `next` of the page before.

        InvalidInput: `bad-query`, `bad-limit`, `bad-page-token`.
        """

    def label(
        self,
        model: str,
        revision: Rev = None,
        *,
        add: Mapping[str, str] | None = None,
        remove: Sequence[str] = (),
    ) -> Mapping[str, str]:
        """Set and remove labels of a version, or of the model if no revision is given."""

    # -- measuring and choosing ------------------------------------------------------------------

    def evaluate(
        self,
        model: str,
        revision: Rev = None,
        *,
        data: str | Path,
        target: str,
        suite: str | None = None,
        slices: Sequence[str] = (),
        group: str | None = None,
        name: str | None = None,
        trusted: Iterable[str] | TrustAll | None = None,
        timeout: float | None = None,
        memory: int | None = None,
        seed: int = 0,
        progress: Callable[[Progress], None] | None = None,
    ) -> Evaluation:
        """Measure a version on data, in a child process, and keep the result with it.

        Its measures become metrics of the version, which can be searched and sorted by.

        Args:
            data: CSV, Parquet, Arrow or NPZ; or a committed dataset (`data/wine@3`).
            target: The column that is to be predicted. All others are given to the model, or
                those that it names.
            suite: `classification`, `regression`, `ranking` or `embedding`; guessed if None.
            slices: Columns by whose values the rows are measured apart too.
            group: The column that names the query; it makes the suite `ranking`.
            name: What the data is called, if not by its path.
            timeout: Seconds for loading and for each batch.
            memory: Bytes that the model's process may take.
            seed: Of the resampling behind the intervals.

        Raises:
            InvalidInput: `no-column`, `labels-differ`, `wrong-suite`, `missing-target`.
            Denied: `untrusted`, as `load`.
            Unavailable: `model-timeout`, `model-died`.
        """

    def evaluations(self, model: str, revision: Rev = None) -> Iterator[Evaluation]:
        """Evaluations of a version, or of all that live, newest first."""

    def compare(
        self,
        model: str,
        revisions: Sequence[Rev],
        *,
        metric: str | None = None,
        data: str | None = None,
        higher: bool | None = None,
    ) -> Comparison:
        """The latest evaluations of versions on one dataset, tested against the leader.

        Args:
            metric: What decides; the suite's first one if None.
            data: Name or digest of the dataset; the last one that all were measured on if None.
            higher: Whether more is better, for metrics that nobody knows by name.

        Raises:
            NotFound: `not-evaluated`: the hint names the command to run.
            InvalidInput: `different-data`, `no-metric`, `metric-direction`, `too-few-versions`.
        """

    def best(
        self,
        model: str,
        *,
        metric: str,
        where: str = "",
        alias: str | None = None,
        data: str | None = None,
        higher: bool | None = None,
    ) -> Choice:
        """The best version by a metric; in a tie there is no winner.

        Args:
            where: Conditions: `size<10MB latency_p50<5ms accuracy>=0.9 params.C<1 label:x`.
            alias: Point it at the winner. In a tie it stays where it is if that is one of the
                tied, else it goes to the smallest, then the fastest, then the oldest of them.
            data: Name or digest of the dataset; the one that most versions were measured on if
                None. Without any evaluation committed metrics decide.

        Raises:
            NotFound: `not-evaluated`, `nothing-fits`.
            InvalidInput: `metric-direction`, `bad-query`.
        """

    def keep_report(
        self,
        model: str,
        revision: Rev,
        kind: str,
        content: Mapping[str, Any],
        *,
        data: str | Path | None = None,
        suite: str = "",
        outcomes: Mapping[str, np.ndarray] | None = None,
    ) -> Report:
        """Keep what was found out about a version elsewhere.

        Args:
            kind: `evaluation`, `explanation`, `profile` or `optimization`. An evaluation's content
                has `measures`: objects with `name`, `value` and perhaps `low` and `high`.
            data: What it was found with: kept by name and digest.
            outcomes: Columns by row, as docs/guides/evaluate.md tells; for paired tests.

        Raises:
            InvalidInput: `bad-report`.
        """

    def reports(
        self, model: str, revision: Rev = None, kind: str | None = None
    ) -> Iterator[Report]:
        """Reports of a version, or of all that live, newest first."""

    # -- the house -------------------------------------------------------------------------------

    def gc(self, *, dry_run: bool = False) -> GcReport:
        """Give back the bytes that nothing needs; with `dry_run`, tell how many."""

    def verify(
        self,
        *,
        rebuild: bool = False,
        repair_from: Path | str | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> VerifyReport:
        """Read everything, tell what is damaged.

        Args:
            rebuild: Make the catalog again first, from the store alone.
            repair_from: Another yard's folder: damaged and missing chunks are taken from there.
        """

    def stats(self) -> YardStats:
        """Bytes of the yard and of each model."""

    # -- other yards and files -------------------------------------------------------------------

    def copy_to(
        self,
        target: Yard | Path | str,
        model: str,
        revision: Rev = None,
        *,
        dry_run: bool = False,
        progress: Callable[[Progress], None] | None = None,
    ) -> Copied:
        """Copy a model into another yard: only chunks that it lacks travel, each of them checked.

        Commits, numbers, labels, reports and refs come along. Numbers that are taken there become
        the next ones; refs and labels that differ there stay, and are told as conflicts. Run again
        after an interruption, it sends what is missing.

        Args:
            target: Another yard, or its folder.
            revision: Only this version and its ancestors; the whole model if None.
        """

    def mirror_to(
        self,
        target: Yard | Path | str,
        *,
        dry_run: bool = False,
        progress: Callable[[Progress], None] | None = None,
    ) -> Copied:
        """Copy all models; what is there already costs no request to either store."""

    def backup(
        self, file: Path | str | None, *, progress: Callable[[Progress], None] | None = None
    ) -> BackedUp:
        """Write the whole yard into a new file, as of one moment; `registry.restore_backup` reads
        it. Without a file, the catalog's rows go into the store. Conflict: `file-exists`.
        """

    def export(self, model: str, revision: Rev, file: Path | str) -> Exported:
        """Write one version into a new tar file: docs/spec/export-1.md. Conflict: `file-exists`."""

    def import_version(self, file: Path | str, *, model: str | None = None) -> Committed:
        """Commit what `export` wrote, checked, and once only.

        Args:
            model: Its name; as in the file if None.

        Raises:
            InvalidInput: `bad-export`; nothing was committed.
        """

    def close(self) -> None:
        """Let go of files and threads; nothing can be asked afterwards."""
