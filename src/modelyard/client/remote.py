"""`RemoteYard`: a yard on a server. Bytes and objects are handled here, all else is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, Self

from modelyard.client.addresses import Address
from modelyard.client.asking import Asking
from modelyard.client.connection import Connection
from modelyard.client.desk import RemoteDesk
from modelyard.core.handles import Model
from modelyard.core.names import ModelName
from modelyard.registry import files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import numpy as np

    from modelyard.client.deployments import RemoteDeployments
    from modelyard.client.monitoring import RemoteMonitoring
    from modelyard.client.optimizations import RemoteOptimizations
    from modelyard.core.evaluation import Evaluation, Report
    from modelyard.core.trust import TrustAll
    from modelyard.core.version import CheckedOut, Committed, Progress

__all__ = ["RemoteYard"]

Rev = str | int | None


class RemoteYard(Asking):
    """One yard, for any number of threads; close it, or use it in a `with` statement."""

    def __init__(self, desk: RemoteDesk) -> None:
        super().__init__(desk)
        self.url = desk.connection.address.url

    @classmethod
    def at(
        cls,
        url: str,
        *,
        token: str | None = None,
        author: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> RemoteYard:
        """Open a yard by its URL; nothing is asked yet.

        Args:
            token: Who you are; else `$YARD_TOKEN`, else what `yard login` kept.
            environment: Where the rest comes from; empty if not given.
        """
        from modelyard.client.cache import RangeCache
        from modelyard.client.credentials import token_for
        from modelyard.client.uploads import uploads_folder

        address, around = Address.parse(url), environment or {}
        connection = Connection(address, token or token_for(address, around))
        cache, uploads = RangeCache.of(around), uploads_folder(around)
        return cls(RemoteDesk(connection, author or "", cache, uploads))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"modelyard.open({self.url!r})"

    def close(self) -> None:
        self.desk.close()

    def model(self, name: str) -> Model:
        """A handle; nothing is fetched yet."""
        return Model(self, ModelName.parse(name).text)

    @property
    def deployments(self) -> RemoteDeployments:
        from modelyard.client.deployments import RemoteDeployments

        return RemoteDeployments(self.desk.connection)

    @property
    def monitoring(self) -> RemoteMonitoring:
        from modelyard.client.monitoring import RemoteMonitoring

        return RemoteMonitoring(self.desk)

    @property
    def optimizations(self) -> RemoteOptimizations:
        from modelyard.client.optimizations import RemoteOptimizations

        return RemoteOptimizations(self.desk.connection)

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
        from modelyard.registry.saving import commit_source

        return commit_source(
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
            branch=branch, message=message, trusted=trusted, author=self.desk.author,
            report=progress or _silent,
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
        from modelyard.registry.checkout import write_out

        # the files themselves are going to lie here: nothing of them is cached
        return write_out(
            self.desk.without_cache(), self.url, model, revision, Path(dest).expanduser(), files,
            progress or _silent,
        )  # fmt: skip

    def open(self, model: str, revision: Rev, path: str) -> BinaryIO:
        return files.open_file(self.desk, self.desk.contents(model, revision), path)

    def tensor(self, model: str, revision: Rev, name: str) -> np.ndarray:
        return files.tensor(self.desk, self.desk.contents(model, revision), name)

    def load(
        self,
        model: str,
        revision: Rev = None,
        *,
        trusted: Iterable[str] | TrustAll | None = None,
        isolated: bool = False,
        into: object = None,
    ) -> Any:
        from modelyard.registry import saving

        if isolated:
            return saving.load_isolated(self.desk, model, revision, trusted)
        return saving.load(self.desk, model, revision, trusted, into).obj

    # -- measuring -------------------------------------------------------------------------------

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
        from modelyard.registry.data import DataName, find_data

        named = DataName("", "")
        if data is not None:
            with find_data(self.desk, data) as found:
                named = DataName(found.name, found.digest)
        return self.desk.keep_report(
            model, revision, kind, content, data=named, suite=suite, outcomes=outcomes
        )


def _silent(_progress: Progress) -> None:
    pass
