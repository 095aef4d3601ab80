"""Profiles made by asking a version: when it is evaluated, or because somebody wants one."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec

from modelyard.core.decoding import decode_packed
from modelyard.core.monitoring import ProfileInfo
from modelyard.core.version import Progress
from modelyard.errors import Corrupt, InvalidInput
from modelyard.formats.tables import read_table
from modelyard.monitoring.outputs import score_columns
from modelyard.monitoring.profiles import ProfileMaker, pack_profile, unpack_profile
from modelyard.monitoring.quality import realized
from modelyard.registry.access.door import known_name
from modelyard.registry.answers import guessed_suite
from modelyard.registry.asking import opened
from modelyard.registry.data import find_data
from modelyard.registry.local_desk import LocalDesk

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from modelyard.core.evaluation import Evaluation
    from modelyard.core.monitoring import Source, Task
    from modelyard.core.table import Table
    from modelyard.monitoring.profiles import Profile
    from modelyard.monitoring.rows import Array
    from modelyard.registry.desk import Desk
    from modelyard.registry.house import House
    from modelyard.runtimes import About, Prediction

__all__ = ["ProfileObserver", "make_profile"]

_BATCH: Final = 10_000
_TASKS: Final[Mapping[str, Task]] = {
    "classification": "classification",
    "regression": "regression",
    "ranking": "regression",
}
_log = logging.getLogger("modelyard.monitoring")


@dataclass(slots=True)
class ProfileObserver:
    """Looks on while a version is evaluated, and keeps what it saw as the version's reference.

    One that was made by `yard profile` stays, and one of many rows if these are a few. Whatever
    goes wrong, the evaluation goes on.
    """

    desk: Desk
    _maker: ProfileMaker = field(default_factory=ProfileMaker)
    _columns: int = 0
    """Of the scores."""
    _failed: bool = False

    def __call__(self, asked: Table, prediction: Prediction, truth: Array) -> None:
        if self._failed:
            return
        try:
            self._columns = score_columns(prediction.outputs)
            self._maker.add(asked.columns, prediction.outputs, truth)
        except Exception:
            self._failed = True
            _log.warning("no reference could be made of an evaluation", exc_info=True)

    def done(self, evaluation: Evaluation) -> None:
        if self._failed:
            return
        try:
            labels = evaluation.labels[: self._columns or None]
            made = self._maker.made(task=_TASKS.get(evaluation.suite, "other"), classes=labels)
            _keep(
                self.desk, evaluation.model, evaluation.number, made, self._maker.rows,
                "evaluation", evaluation.data, evaluation.data_digest,
            )  # fmt: skip
        except Exception:
            _log.warning("no reference could be made of an evaluation", exc_info=True)


def make_profile(
    house: House,
    model: str,
    revision: str | int | None,
    data: str | Path,
    *,
    target: str | None = None,
    groups: Sequence[str] = (),
    trusted: Any = None,
    report: Callable[[Progress], None] = lambda _: None,
) -> ProfileInfo:
    """Ask a version about every row of some data, and keep what that says as its reference.

    Args:
        target: The column with the truth; then it is known how right the version was, and its
            scores are calibrated.
        groups: Columns by whose values the version is to be fair.

    Raises:
        InvalidInput: `no-column`, `no-rows`, `no-inputs`; `no-group-column`, `bad-group`.
        Denied: `untrusted`, naming what the model's files would import.
        Unavailable: the model's process died, or took longer or more memory than it may.
    """
    name = known_name(house, house.caller, model, "writer")
    return profile_by_asking(
        LocalDesk(house), name, revision, data, target=target, groups=groups, trusted=trusted,
        report=report,
    )  # fmt: skip


def profile_by_asking(
    desk: Desk,
    model: str,
    revision: str | int | None,
    data: str | Path,
    *,
    target: str | None = None,
    groups: Sequence[str] = (),
    trusted: Any = None,
    report: Callable[[Progress], None] = lambda _: None,
) -> ProfileInfo:
    """`make_profile`, of a version of this machine or of a server; it is asked here."""
    with find_data(desk, data) as found:
        table = read_table(found.path)
    if len(table) == 0:
        raise InvalidInput("no-rows", "the data has no rows", hint="name another file")
    truth = None if target is None else table.column(target)
    inputs = table if target is None else _without(table, target)
    maker = ProfileMaker(groups=groups)
    with opened(desk, model, revision, trusted) as asked:
        about, name, number = asked.runtime.about, asked.model, asked.number
        inputs = inputs if about.features is None else inputs.known(about.features)
        for start in range(0, len(inputs), _BATCH):
            rows = slice(start, min(start + _BATCH, len(inputs)))
            batch = inputs.take(rows)
            outputs = asked.runtime.predict(batch).outputs
            maker.add(batch.columns, outputs, None if truth is None else truth[rows])
            report(Progress("profile", rows.stop, len(inputs)))
    classes = () if about.classes is None else about.classes.tolist()
    profile = maker.made(task=_task(about, truth), classes=classes)
    return _keep(desk, name, number, profile, maker.rows, "data", found.name, found.digest)


def _task(about: About, truth: Array | None) -> Task | None:
    if about.task in ("classification", "regression"):
        return _TASKS[about.task]
    if about.task is not None:
        return "other"
    return None if truth is None else _TASKS.get(guessed_suite(about, truth, None)[0])


def _without(table: Table, target: str) -> Table:
    if table.names == (target,):
        raise InvalidInput("no-inputs", "the data has no column besides the target")
    return table.without(target)


def _keep(
    desk: Desk, model: str, number: int, profile: Profile, rows: int, source: Source,
    data: str | None, digest: str | None,
) -> ProfileInfo:  # fmt: skip
    truth = profile.tile.truth
    measures = realized(profile.schema, truth, None) if truth.rows else ()
    info = ProfileInfo(
        model=model, number=number, created=datetime.now(UTC), source=source, rows=rows, data=data,
        data_digest=digest, schema=profile.schema, measures=tuple(measures),
    )  # fmt: skip
    return desk.keep_profile(info, pack_profile(profile), is_readable)


class _Sent(msgspec.Struct, forbid_unknown_fields=True):
    """A reference that was made elsewhere."""

    info: ProfileInfo
    body: bytes


def keep_sent(desk: Desk, model: str, number: int, content: bytes) -> ProfileInfo:
    """Keep a reference that a client made and packed. InvalidInput: `bad-sent-profile`."""
    try:
        sent = decode_packed(content, _Sent)
        if unpack_profile(sent.body).schema != sent.info.schema or sent.info.source == "traffic":
            raise InvalidInput("bad-sent-profile", "the reference is not the one that it is said")
    except (msgspec.MsgspecError, UnicodeError, RecursionError, Corrupt) as error:
        raise InvalidInput(
            "bad-sent-profile", f"the reference can't be read: {error}",
            hint="yard profile MODEL@REV --data FILE makes and sends one",
        ) from None  # fmt: skip
    info = replace(sent.info, model=model, number=number, created=datetime.now(UTC))
    return desk.keep_profile(info, sent.body, is_readable)


def is_readable(body: bytes) -> bool:
    """Whether this program can read a reference."""
    try:
        unpack_profile(body)
    except Corrupt:
        return False
    return True
