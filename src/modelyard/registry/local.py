"""`LocalYard`: a yard in a folder of this machine. Each method is one use case of this package."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, Protocol, Self, runtime_checkable

from modelyard.core.handles import Model
from modelyard.core.names import ModelName
from modelyard.errors import Unsupported
from modelyard.registry import (
    checkout,
    commit,
    compare,
    deletion,
    files,
    finding,
    joining,
    refs,
    reports,
    saving,
    stats,
    views,
)
from modelyard.registry.house import House, create_house, is_empty, open_house
from modelyard.registry.local_desk import LocalDesk
from modelyard.registry.settings import CATALOG, STORE, Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import numpy as np

    from modelyard.core.diff import Diff
    from modelyard.core.evaluation import Choice, Comparison, Evaluation, Report
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
    from modelyard.core.yard import Yard
    from modelyard.registry.deployments import LocalDeployments
    from modelyard.registry.optimizations import LocalOptimizations

__all__ = ["LocalYard"]

Rev = str | int | None


class LocalYard:
    """One yard, for any number of threads; close it, or use it in a `with` statement."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.url = str(house.root)
        self.desk = LocalDesk(house)

    @classmethod
    def create(
        cls,
        path: Path | str,
        *,
        author: str = "unknown",
        store: str | None = None,
        catalog: str | None = None,
        key: str | None = None,
    ) -> LocalYard:
        """Make a yard in an empty or new folder. Conflict: `yard-exists`, `folder-not-empty`."""
        if key is not None and not key.startswith("env:"):
            key = str(_absolute(key))
        settings = Settings(store=store or STORE, catalog=catalog or CATALOG, key=key)
        return cls(create_house(_absolute(path), author, settings))

    @staticmethod
    def can_begin(path: Path | str) -> bool:
        """Whether `create` would make a yard here: the folder is empty, or not there yet."""
        root = _absolute(path)
        return not root.exists() or (root.is_dir() and is_empty(root))

    @classmethod
    def at(cls, path: Path | str, *, author: str = "unknown") -> LocalYard:
        """Open a yard's folder. NotFound: `no-yard`."""
        return cls(open_house(_absolute(path), author))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"modelyard.open({self.url!r})"

    def close(self) -> None:
        self.house.close()

    @property
    def deployments(self) -> LocalDeployments:
        # imported when something is deployed: most who open a yard never do
        from modelyard.registry.deployments import LocalDeployments

        return LocalDeployments(self.house)

    @property
    def optimizations(self) -> LocalOptimizations:
        from modelyard.registry.optimizations import LocalOptimizations

        return LocalOptimizations(self.house)

    def model(self, name: str) -> Model:
        """A handle; nothing is fetched yet."""
        return Model(self, ModelName.parse(name).text)

    # -- models ----------------------------------------------------------------------------------

    def models(self, *, deleted: bool = False) -> Iterator[ModelInfo]:
        return views.list_models(self.house, deleted=deleted)

    def model_info(self, model: str) -> ModelInfo:
        return views.model_info(self.house, model)

    def rename(self, model: str, new_name: str) -> ModelInfo:
        return deletion.rename(self.house, model, new_name)

    def delete_model(self, model: str) -> ModelInfo:
        return deletion.delete_model(self.house, model)

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
        return saving.commit_source(
            self.desk, model, source,
            message=message, branch=branch, parent=parent, only=only, metrics=metrics,
            params=params, labels=labels, author=author, kind=kind, data=data,
            serializer=serializer, example=example, scan=scan, report=progress or _silent,
        )  # fmt: skip

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
        from modelyard.registry.update import Changes, update

        changes = Changes(
            params=params or {}, structure=structure, optimizer=optimizer or {}, fit=fit,
            target=target, epochs=epochs, seed=seed,
        )  # fmt: skip
        return update(
            self.desk, model, revision, changes,
            branch=branch, message=message, trusted=trusted, author=self.house.author,
            report=progress or _silent,
        )  # fmt: skip

    def resolve(self, model: str, revision: Rev = None) -> VersionInfo:
        return views.resolve(self.house, model, revision)

    def show(self, model: str, revision: Rev = None) -> VersionDetail:
        return views.describe(self.house, model, revision)

    def log(self, model: str, revision: Rev = None) -> Iterator[VersionInfo]:
        return views.log(self.house, model, revision)

    def diff(
        self,
        a: str,
        b: str,
        *,
        limit: int | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> Diff:
        return compare.diff(self.house, a, b, limit, progress or _silent)

    def delete_version(self, model: str, revision: Rev, *, purge: bool = False) -> VersionInfo:
        return deletion.delete_version(self.house, model, revision, purge=purge)

    def restore(self, model: str, revision: Rev = None) -> ModelInfo:
        return deletion.restore(self.house, model, revision)

    def revert(self, model: str, revision: Rev, *, branch: str | None = None) -> Committed:
        return joining.revert(self.house, model, revision, branch)

    def merge(self, model: str, source: Rev, *, into: str, message: str = "") -> Committed:
        return joining.merge(self.house, model, source, into, message)

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
        # numpy's share of this module is imported when something is mixed
        from modelyard.core.mixing import Mix
        from modelyard.registry import mixing

        wish = Mix.parse(
            method, len(sources), weights=weights, density=density, scale=scale, seed=seed
        )
        return mixing.mix(
            self.house, model, sources, wish,
            base=base, into=into, message=message, report=progress or _silent,
        )  # fmt: skip

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
        return checkout.write_out(
            self.desk, self.url, model, revision, Path(dest).expanduser(), files,
            progress or _silent,
        )  # fmt: skip

    def open(self, model: str, revision: Rev, path: str) -> BinaryIO:
        return files.open_file(self.house, files.contents(self.house, model, revision), path)

    def tensor(self, model: str, revision: Rev, name: str) -> np.ndarray:
        return files.tensor(self.house, files.contents(self.house, model, revision), name)

    def load(
        self,
        model: str,
        revision: Rev = None,
        *,
        trusted: Iterable[str] | TrustAll | None = None,
        isolated: bool = False,
        into: object = None,
    ) -> Any:
        if isolated:
            return saving.load_isolated(self.desk, model, revision, trusted)
        return saving.load(self.desk, model, revision, trusted, into).obj

    # -- refs ------------------------------------------------------------------------------------

    def refs(self, model: str) -> tuple[RefInfo, ...]:
        return refs.all_refs(self.house, model)

    def branch(self, model: str, name: str, revision: Rev = None) -> RefInfo:
        return refs.create(self.house, model, name, "branch", revision)

    def tag(self, model: str, name: str, revision: Rev = None) -> RefInfo:
        return refs.create(self.house, model, name, "tag", revision)

    def alias(self, model: str, name: str, revision: Rev = None) -> RefInfo:
        return refs.move_alias(self.house, model, name, revision)

    def delete_ref(self, model: str, name: str) -> RefInfo:
        return refs.delete(self.house, model, name)

    def rollback(self, model: str, alias: str, *, to: Rev = None) -> RefInfo:
        return refs.rollback(self.house, model, alias, to)

    def reflog(self, model: str, ref: str | None = None) -> Iterator[RefMove]:
        return refs.reflog(self.house, model, ref)

    # -- finding ---------------------------------------------------------------------------------

    def search(self, query: str = "", *, limit: int = 30, after: str | None = None) -> Page:
        return finding.search(self.house, query, limit, after)

    def label(
        self,
        model: str,
        revision: Rev = None,
        *,
        add: Mapping[str, str] | None = None,
        remove: Sequence[str] = (),
    ) -> Mapping[str, str]:
        return finding.label(self.house, model, revision, commit.checked_labels(add), remove)

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
        from modelyard.registry.evaluate import Measurement, evaluate
        from modelyard.registry.origin import code_of_caller

        how = Measurement(
            target=target, suite=suite, slices=slices, group=group, name=name, trusted=trusted,
            timeout=timeout, memory=memory, seed=seed, code=code_of_caller() or {},
        )  # fmt: skip
        return evaluate(self.desk, model, revision, data, how, report=progress or _silent)

    def evaluations(self, model: str, revision: Rev = None) -> Iterator[Evaluation]:
        return reports.evaluations(self.house, model, revision)

    def compare(
        self,
        model: str,
        revisions: Sequence[Rev],
        *,
        metric: str | None = None,
        data: str | None = None,
        higher: bool | None = None,
    ) -> Comparison:
        from modelyard.registry.contest import compare

        return compare(self.house, model, revisions, metric=metric, data=data, higher=higher)

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
        from modelyard.registry.choose import choose

        return choose(
            self.house, model, metric=metric, where=where, alias=alias, data=data, higher=higher
        )

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
        return reports.keep_report(
            self.house, model, revision, kind, content, data=data, suite=suite, outcomes=outcomes
        )

    def reports(
        self, model: str, revision: Rev = None, kind: str | None = None
    ) -> Iterator[Report]:
        return reports.reports_of(self.house, model, revision, kind)

    # -- the house -------------------------------------------------------------------------------

    def gc(self, *, dry_run: bool = False) -> GcReport:
        from modelyard.registry.gc import gc

        return gc(self.house, dry_run=dry_run)

    def verify(
        self,
        *,
        rebuild: bool = False,
        repair_from: Path | str | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> VerifyReport:
        from modelyard.registry.verify import verify

        report = progress or _silent
        if repair_from is None:
            return verify(self.house, rebuild=rebuild, report=report)
        source = open_house(_absolute(repair_from), self.house.author)
        try:
            return verify(self.house, rebuild=rebuild, report=report, source=source)
        finally:
            source.close()

    def rekey(self, key: str) -> int:
        """Wrap the keys of all packs by another master key, `env:NAME` or a file; how many."""
        from modelyard.registry.rekey import rekey

        return rekey(self.house, key if key.startswith("env:") else str(_absolute(key)))

    def stats(self) -> YardStats:
        return stats.stats(self.house)

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
        from modelyard.registry.transfer.copying import copy

        if isinstance(target, TakesBundles):
            return _sent(self, target, model, revision, dry_run=dry_run)
        with _other(self, target) as other:
            return copy(
                self.house, other, model, revision,
                whole=revision is None, dry_run=dry_run, report=progress or _silent,
            )  # fmt: skip

    def mirror_to(
        self,
        target: Yard | Path | str,
        *,
        dry_run: bool = False,
        progress: Callable[[Progress], None] | None = None,
    ) -> Copied:
        from modelyard.registry.transfer.copying import mirror

        if isinstance(target, TakesBundles):
            return joined(
                [_sent(self, target, m.name, None, dry_run=dry_run) for m in self.models()],
                self.url, target.url, dry_run=dry_run,
            )  # fmt: skip
        with _other(self, target) as other:
            return mirror(self.house, other, dry_run=dry_run, report=progress or _silent)

    def backup(
        self,
        file: Path | str | None,
        *,
        progress: Callable[[Progress], None] | None = None,
    ) -> BackedUp:
        from modelyard.registry.transfer.backup import backup
        from modelyard.registry.transfer.schedule import dump_now

        if file is None:
            return dump_now(self.house)
        return backup(self.house, _absolute(file), progress or _silent)

    def export(self, model: str, revision: Rev, file: Path | str) -> Exported:
        from modelyard.registry.transfer.exporting import export

        return export(self.house, model, revision, _absolute(file))

    def import_version(self, file: Path | str, *, model: str | None = None) -> Committed:
        from modelyard.registry.transfer.importing import import_version

        return import_version(self.house, _absolute(file), model)


@runtime_checkable
class TakesBundles(Protocol):
    """A yard elsewhere, which copies what it is sent in a file."""

    url: str

    def take_bundle(self, bundle: Path, *, dry_run: bool = False) -> Copied: ...


def _sent(
    yard: LocalYard, target: TakesBundles, model: str, revision: Rev, *, dry_run: bool
) -> Copied:
    """Send a model in a file."""
    from modelyard.registry.bundles import bundle

    with TemporaryDirectory(prefix="yard-bundle-") as room:
        file = bundle(yard.house, model, revision, Path(room))
        return replace(target.take_bundle(file, dry_run=dry_run), source=yard.url)


def joined(parts: Sequence[Copied], source: str, target: str, *, dry_run: bool) -> Copied:
    """What several copies did together."""
    from modelyard.core.transfer import Copied

    return Copied(
        source=source, target=target, models=tuple(m for part in parts for m in part.models),
        versions=sum(part.versions for part in parts), chunks=sum(part.chunks for part in parts),
        bytes=sum(part.bytes for part in parts), dry_run=dry_run,
        seconds=round(sum(part.seconds for part in parts), 3),
    )  # fmt: skip


@contextmanager
def _other(yard: LocalYard, target: Yard | Path | str) -> Iterator[House]:
    """The house of another yard, opened if only its folder was given."""
    if isinstance(target, LocalYard):
        yield target.house
        return
    place = target if isinstance(target, Path) else str(getattr(target, "url", target))
    if "://" in str(place):
        raise Unsupported(
            "no-remote",
            f"{place}: only folders can be opened",
            hint="yard init FOLDER --store URL makes one for a store",
        )
    house = open_house(_absolute(place), yard.house.author)
    try:
        yield house
    finally:
        house.close()


def _absolute(path: Path | str) -> Path:
    return Path(path).expanduser().absolute()


def _silent(_progress: Progress) -> None:
    pass
