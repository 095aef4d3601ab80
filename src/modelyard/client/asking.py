"""What a server is asked for and answers with a value: one request for each method."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from modelyard.client.desk import revision_in_path
from modelyard.client.jobs import run_job
from modelyard.client.moving import Moving
from modelyard.core.diff import Diff
from modelyard.core.evaluation import Choice, Comparison, Evaluation, Report
from modelyard.core.listed import Listed
from modelyard.core.names import ModelName, RefName, parse_revision
from modelyard.core.stats import GcReport, VerifyReport, YardStats
from modelyard.core.version import (
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
from modelyard.errors import Unsupported
from modelyard.registry.commit import checked_labels

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

__all__ = ["Asking"]

T = TypeVar("T")
Rev = str | int | None
_PAGE = 200


class Asking(Moving):
    """The methods of `Yard` that a server does by itself."""

    # -- models ----------------------------------------------------------------------------------

    def models(self, *, deleted: bool = False) -> Iterator[ModelInfo]:
        return self._each(ModelInfo, ("models",), deleted=deleted)

    def model_info(self, model: str) -> ModelInfo:
        return self._get(_of(model), ModelInfo)

    def rename(self, model: str, new_name: str) -> ModelInfo:
        body = {"name": ModelName.parse(new_name).text}
        return self.desk.connection.patch(_of(model), ModelInfo, body)

    def delete_model(self, model: str) -> ModelInfo:
        return self.desk.connection.delete(_of(model), ModelInfo)

    # -- versions --------------------------------------------------------------------------------

    def resolve(self, model: str, revision: Rev = None) -> VersionInfo:
        return self._get(_of(model, "versions", revision_in_path(revision)), VersionInfo)

    def show(self, model: str, revision: Rev = None) -> VersionDetail:
        path = _of(model, "versions", revision_in_path(revision), "detail")
        return self._get(path, VersionDetail)

    def log(self, model: str, revision: Rev = None) -> Iterator[VersionInfo]:
        return self._each(VersionInfo, _of(model, "versions"), revision=_checked(revision))

    def diff(
        self,
        a: str,
        b: str,
        *,
        limit: int | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> Diff:
        query = {"a": a, "b": b, "limit": limit}
        return self._job("GET", ("diff",), Diff, query=query, progress=progress)

    def delete_version(self, model: str, revision: Rev, *, purge: bool = False) -> VersionInfo:
        path = _of(model, "versions", revision_in_path(revision))
        return self.desk.connection.delete(path, VersionInfo, purge=purge or None)

    def restore(self, model: str, revision: Rev = None) -> ModelInfo:
        return self._post(_of(model, "restore"), ModelInfo, {"revision": _checked(revision)})

    def revert(self, model: str, revision: Rev, *, branch: str | None = None) -> Committed:
        body = {"revision": _checked(revision), "branch": branch}
        return self._post(_of(model, "revert"), Committed, body)

    def merge(self, model: str, source: Rev, *, into: str, message: str = "") -> Committed:
        body = {"source": _checked(source), "into": into, "message": message}
        return self._post(_of(model, "merge"), Committed, body)

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
        from modelyard.core.mixing import Mix

        Mix.parse(method, len(sources), weights=weights, density=density, scale=scale, seed=seed)
        body = {
            "sources": [_checked(source) for source in sources], "method": method,
            "base": _checked(base), "weights": None if weights is None else list(weights),
            "density": density, "scale": scale, "seed": seed, "into": into, "message": message,
        }  # fmt: skip
        return self._job("POST", _of(model, "mix"), Mixed, body=body, progress=progress)

    # -- refs ------------------------------------------------------------------------------------

    def refs(self, model: str) -> tuple[RefInfo, ...]:
        return self.desk.refs(model)

    def branch(self, model: str, name: str, revision: Rev = None) -> RefInfo:
        return self._ref(model, name, "branch", revision)

    def tag(self, model: str, name: str, revision: Rev = None) -> RefInfo:
        return self._ref(model, name, "tag", revision)

    def alias(self, model: str, name: str, revision: Rev = None) -> RefInfo:
        return self._ref(model, name, "alias", revision)

    def delete_ref(self, model: str, name: str) -> RefInfo:
        return self.desk.connection.delete(_of(model, "refs", RefName.parse(name).text), RefInfo)

    def rollback(self, model: str, alias: str, *, to: Rev = None) -> RefInfo:
        path = _of(model, "refs", RefName.parse(alias).text, "rollback")
        return self._post(path, RefInfo, {"to": _checked(to)})

    def reflog(self, model: str, ref: str | None = None) -> Iterator[RefMove]:
        return self._each(RefMove, _of(model, "reflog"), ref=ref)

    def _ref(self, model: str, name: str, kind: str, revision: Rev) -> RefInfo:
        body = {"kind": kind, "revision": _checked(revision)}
        path = _of(model, "refs", RefName.parse(name).text)
        return self.desk.connection.put(path, RefInfo, body)

    # -- finding ---------------------------------------------------------------------------------

    def search(self, query: str = "", *, limit: int = 30, after: str | None = None) -> Page:
        return self._get(("search",), Page, q=query, limit=limit, after=after)

    def label(
        self,
        model: str,
        revision: Rev = None,
        *,
        add: Mapping[str, str] | None = None,
        remove: Sequence[str] = (),
    ) -> Mapping[str, str]:
        path = _of(model, "labels")
        if not add and not remove:
            return self._get(path, dict[str, str], revision=_checked(revision))
        body = {
            "revision": _checked(revision), "add": checked_labels(add), "remove": list(remove),
        }  # fmt: skip
        return self.desk.connection.patch(path, dict[str, str], body)

    # -- choosing --------------------------------------------------------------------------------

    def evaluations(self, model: str, revision: Rev = None) -> Iterator[Evaluation]:
        return self._each(Evaluation, _of(model, "evaluations"), revision=_checked(revision))

    def reports(
        self, model: str, revision: Rev = None, kind: str | None = None
    ) -> Iterator[Report]:
        return self._each(Report, _of(model, "reports"), revision=_checked(revision), kind=kind)

    def compare(
        self,
        model: str,
        revisions: Sequence[Rev],
        *,
        metric: str | None = None,
        data: str | None = None,
        higher: bool | None = None,
    ) -> Comparison:
        body = {
            "revisions": [_checked(each) for each in revisions], "metric": metric,
            "data": self._data(data), "higher": higher,
        }  # fmt: skip
        return self._post(_of(model, "compare"), Comparison, body)

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
        body = {
            "metric": metric, "where": where, "alias": alias, "data": self._data(data),
            "higher": higher,
        }  # fmt: skip
        return self._post(_of(model, "best"), Choice, body)

    def _data(self, data: str | Path | None) -> str | None:
        """Data that lies here is named by its digest: the server has no file of that name."""
        from modelyard.registry.data import name_data

        if data is None or not Path(data).expanduser().exists():
            return None if data is None else str(data)
        [named] = name_data(self.desk, data).values()
        return named.digest

    # -- the house -------------------------------------------------------------------------------

    def gc(self, *, dry_run: bool = False) -> GcReport:
        return self._job("POST", ("house", "gc"), GcReport, body={"dry_run": dry_run})

    def verify(
        self,
        *,
        rebuild: bool = False,
        repair_from: Path | str | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> VerifyReport:
        if rebuild or repair_from is not None:
            raise Unsupported(
                "only-local", "a yard is rebuilt and repaired where its folder is",
                hint="run it on the server's machine, with --yard FOLDER",
            )  # fmt: skip
        path, body = ("house", "verify"), {"rebuild": False}
        done = self._job("POST", path, VerifyReport, body=body, progress=progress)
        if progress is not None:
            progress(Progress("verify", done.bytes, done.bytes))
        return done

    def stats(self) -> YardStats:
        return self._get(("house", "stats"), YardStats)

    # -- how -------------------------------------------------------------------------------------

    def _get(self, path: Sequence[str | int], cls: type[T], **query: Any) -> T:
        return self.desk.connection.get(path, cls, **query)

    def _post(self, path: Sequence[str | int], cls: type[T], body: object) -> T:
        return self.desk.connection.post(path, cls, body)

    def _job(self, method: str, path: Sequence[str | int], cls: type[T], **how: Any) -> T:
        return run_job(self.desk.connection, method, path, cls, **how)

    def _each(self, cls: type[T], path: Sequence[str | int], **query: Any) -> Iterator[T]:
        """All pages, the first of which is asked for now."""
        kind: Any = Listed[cls]  # type: ignore[valid-type]
        first: Listed[T] = self.desk.connection.get(path, kind, limit=_PAGE, **query)

        def pages() -> Iterator[T]:
            page, seen = first, set()
            yield from page.items
            while page.next is not None and page.next not in seen:
                seen.add(page.next)
                page = self.desk.connection.get(path, kind, limit=_PAGE, after=page.next, **query)
                yield from page.items

        return pages()


def _of(model: str, *rest: str) -> tuple[str, ...]:
    return ("models", ModelName.parse(model).text, *rest)


def _checked(revision: Rev) -> Rev:
    """A revision as it was given. InvalidInput: `bad-revision`."""
    if revision is not None:
        parse_revision(revision)
    return revision
