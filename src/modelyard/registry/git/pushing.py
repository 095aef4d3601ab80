"""A push: commits become versions and refs move, all in one transaction or not at all."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from modelyard.catalog.queries import arrivals, models, refs
from modelyard.core.digest import Digest
from modelyard.core.names import MAIN, ModelName
from modelyard.errors import Conflict, Denied, InvalidInput, ModelyardError, NotFound, Unavailable
from modelyard.history.bundles import encode_bundle
from modelyard.history.commits import read_commit
from modelyard.history.packs import read_pack
from modelyard.registry.access.guards import check_in
from modelyard.registry.git.checking import Arrived, Checking
from modelyard.registry.git.refs import known, parse_ref
from modelyard.registry.histories.landing import Built, Landing, Written
from modelyard.registry.journal import ContentGone
from modelyard.registry.refs import apply_move, move_ref
from modelyard.registry.telling import tell_blobs
from modelyard.registry.transfer.arrival import Arriving
from modelyard.registry.transfer.schedule import dump_if_due

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import sqlalchemy as sa

    from modelyard.catalog.queries.models import ModelRow
    from modelyard.core.names import RefName
    from modelyard.core.version import RefKind
    from modelyard.registry.git.checking import Checked
    from modelyard.registry.house import House
    from modelyard.registry.journal import Journal
    from modelyard.registry.telling import Told

__all__ = ["Command", "Pushed", "push"]

_TRIES = 4
_MOST_REFS = 1_000


@dataclass(frozen=True, slots=True)
class Command:
    """One ref that a push wants to move."""

    ref: str
    """As git names it."""
    old: bytes | None
    new: bytes | None


@dataclass(slots=True)
class Pushed:
    """What became of a push."""

    refused: dict[str, str] = field(default_factory=dict)
    """Why, by ref; empty if everything was done."""
    words: list[str] = field(default_factory=list)
    """For the one who pushes."""
    is_unpacked: bool = True


def push(house: House, model: str, commands: Sequence[Command], pack: bytes | memoryview) -> Pushed:
    """Take a push for the house's caller. What is refused is told, not raised."""
    done = Pushed()
    try:
        if len(commands) > _MOST_REFS or len({c.ref for c in commands}) < len(commands):
            raise InvalidInput("bad-push", "too many refs, or one twice")
        for _ in range(_TRIES):
            try:
                return _Push(house, model, commands).run(pack)
            except ContentGone:
                continue
        raise Unavailable("store-changed", "gc ran meanwhile", hint="push again")
    except _Refused as refused:
        error, ref = refused.error, refused.ref
        others = f"not done, since {ref} was refused"
    except ModelyardError as caught:
        error, ref, others = caught, "", caught.message
    done.is_unpacked = error.kind not in ("bad-git-pack", "pack-too-large")
    done.refused = {c.ref: error.message if c.ref == ref else others for c in commands}
    done.words = [error.message, *([f"hint: {error.hint}"] if error.hint else [])]
    return done


class _Refused(Exception):
    """One ref is refused, and with it the whole push."""

    def __init__(self, ref: str, error: ModelyardError) -> None:
        super().__init__(error.message)
        self.ref = ref
        self.error = error


@dataclass(frozen=True, slots=True)
class _Move:
    """A command that was understood."""

    ref: str
    kind: RefKind
    name: RefName
    old: bytes | None
    """The commit where the ref is thought to be."""
    new: bytes | None


class _Push:
    """One attempt."""

    def __init__(self, house: House, model: str, commands: Sequence[Command]) -> None:
        self._house = house
        self._known = known(house, model)
        self._name = ModelName.parse(model)
        self._commands = commands
        self._objects = Arrived(house, self._known)
        self._checking = Checking(house, self._known, self._objects)

    def run(self, pack: bytes | memoryview) -> Pushed:
        if any(command.new is not None for command in self._commands) and pack:
            self._objects.found = {o.sha: o for o in read_pack(pack, self._objects)}
        moves = [self._understood(command) for command in self._commands]
        built = self._built(moves)
        if self._known.model_id is None and not built:
            raise InvalidInput("nothing-to-push", "there is nothing that would make the model")
        landing = self._land(moves, built)
        return Pushed(words=[*self._checking.words, *landing.told])

    def _understood(self, command: Command) -> _Move:
        try:
            kind, name = parse_ref(command.ref)
            there = self._known.refs.get(command.ref)
            self._check_old(command, kind, there)
            new = None
            if command.new is not None:
                new = self._checking.commit_of(command.new, peel=kind == "tag")
            if new != command.new:
                self._checking.words[
                    f"tag {name}: its message is not kept, only which commit it is on"
                ] = None
            if kind == "tag" and there is not None and new != there:
                raise Conflict("tag-moves", f"tag {name} is there already, and tags never move")
            if kind == "branch" and new is None and name.text == MAIN:
                raise Denied("main-stays", f"{MAIN} can't be deleted by a push")
            if kind == "branch" and there and new and not self._checking.descends(new, there):
                raise Conflict(
                    "not-fast-forward", f"{name} only moves forward: git pull first",
                    hint="to undo, yard revert; to go another way, push to a new branch",
                )  # fmt: skip
            return _Move(command.ref, kind, name, there, new)
        except ModelyardError as error:
            raise _Refused(command.ref, error) from None

    def _check_old(self, command: Command, kind: RefKind, there: bytes | None) -> None:
        # an annotated tag is seen here as the commit it is on, so its old name may be either
        # pushed again since the answer was lost: it is where it is to go already
        if kind == "branch" and there not in (command.old, command.new):
            raise Conflict("ref-moved", f"{command.ref} moved meanwhile: git pull, then push again")
        if command.new is None and there is None:
            raise NotFound("no-ref", f"{command.ref} is not there")

    def _built(self, moves: Sequence[_Move]) -> list[Built]:
        """Every commit that is new, with the branch that it comes to."""
        built: list[Built] = []
        seen: set[bytes] = set()
        for move in sorted(moves, key=lambda m: (m.kind != "branch", m.name.text != MAIN)):
            if move.new is None:
                continue
            try:
                fresh = [c for c in self._checking.fresh([move.new]) if c not in seen]
                if fresh and move.kind != "branch":
                    raise InvalidInput(
                        "tag-without-branch", f"tag {move.name} is on a commit of no branch",
                        hint="push the branch too",
                    )  # fmt: skip
                for commit in fresh:
                    seen.add(commit)
                    built.append(_built(self._checking.check(commit), move.name.text))
            except ModelyardError as error:
                raise _Refused(move.ref, error) from None
        return built

    def _land(self, moves: Sequence[_Move], built: Sequence[Built]) -> _PushLanding:
        house = self._house
        session = house.session()
        try:
            session.prepare()

            def work(connection: sa.Connection) -> _PushLanding:
                row = models.by_name(connection, self._name.text)
                landing = _PushLanding(
                    house, session, connection, self._name, self._objects,
                    row.kind if row else "model", "git push",
                )  # fmt: skip
                landing.moves = moves
                landing.run(built)
                return landing

            landing = house.catalog.write(work)
            session.registered()
        finally:
            session.close()
        fresh = [item for one in built for item in (*one.objects, one.commit)]
        house.objects.put(landing.model_id, fresh)
        dump_if_due(house)
        return landing


def _built(checked: Checked, branch: str) -> Built:
    card = checked.card
    return Built(
        commit=checked.commit, parents=checked.parents, objects=checked.objects, branch=branch,
        created=0, blobs={Digest(raw): row for raw, row in checked.blobs.items()},
        labels=dict(card.labels) if card else {}, formats=checked.formats,
        framework=checked.framework, description=card.description if card else None,
        arrived=checked.arrived,
    )  # fmt: skip


class _PushLanding(Landing):
    """The transaction: each version has a line of its own in the audit log, as any commit has."""

    moves: Sequence[_Move] = ()
    model_id = 0
    told: Sequence[str] = ()

    def write(
        self,
        journal: Journal,
        row: ModelRow,
        coming: Sequence[Built],
        numbers: Mapping[bytes, int],
        *,
        is_new: bool,
    ) -> list[Written]:
        self.model_id = row.id
        self._tips = {ref.name: ref.number for ref in refs.of_models(self.connection, [row.id])}
        self._were = dict(self._tips)
        self._check_moves(row, numbers)
        told: set[int] = set()
        written: list[Written] = []
        for one in coming:
            ((_, fresh),) = self.parts(row, [one])
            rows = [blob for blob in self.kept([one]) if blob.id not in told]
            told.update(blob.id for blob in rows)
            detail = self._detail_of(one, numbers, tell_blobs(self.connection, rows))
            if is_new and not written:
                detail["kind"] = self.kind
            bundle = journal.write(
                "commit", who=read_commit(one.commit.body).author[:200], model=row.id,
                name=row.name, detail=detail, objects=encode_bundle(fresh),
            )  # fmt: skip
            self._tips[one.branch] = detail["number"]
            written.append(Written(_rows(one, numbers, detail, journal.now), fresh, bundle))
        self.told = [f"{one.branch}: version {numbers[one.commit.sha]}" for one in coming[-20:]]
        arrivals.take(
            self.connection, self.name.text, self.house.caller.id,
            {blob.sha256 for blob in self.kept(coming)},
        )  # fmt: skip
        return written

    def finish(self, journal: Journal, row: ModelRow, numbers: Mapping[bytes, int]) -> None:
        for move in self.moves:
            name = move.name.text
            new = None if move.new is None else numbers[move.new]
            if self._tips.get(name) != new:
                reason = "delete" if new is None else "push"
                old = self._tips.get(name)
                move_ref(self.house, journal, row, name, move.kind, old, new, reason)
            elif new is not None and self._were.get(name) != new:
                # the entry of its last commit told of it
                apply_move(self.connection, row.id, name, move.kind, self._were.get(name), new)

    def _check_moves(self, row: ModelRow, numbers: Mapping[bytes, int]) -> None:
        kinds = {ref.name: ref.kind for ref in refs.of_models(self.connection, [row.id])}
        for move in self.moves:
            name = move.name.text
            there = self._were.get(name)
            if kinds.get(name, move.kind) != move.kind:
                raise _Refused(move.ref, Conflict(
                    "ref-exists", f"{row.name} has {_a(kinds[name])} {name} already",
                    hint="choose another name; branches, tags and aliases share theirs",
                ))  # fmt: skip
            lost = move.new is not None and move.new not in numbers
            if lost or there != (None if move.old is None else numbers.get(move.old)):
                raise _Refused(move.ref, Conflict(
                    "ref-moved", f"{name} moved meanwhile: git pull, then push again"
                ))  # fmt: skip
            new = None if move.new is None else numbers[move.new]
            if new != there:
                try:
                    check_in(self.connection, self.house.caller, row.name, name, new)
                except ModelyardError as error:
                    raise _Refused(move.ref, error) from None

    def _detail_of(
        self, one: Built, numbers: Mapping[bytes, int], told: Sequence[Told]
    ) -> dict[str, Any]:
        """What the journal says of a commit beside its git objects."""
        optional: dict[str, Any] = {
            "old": self._tips.get(one.branch), "blobs": list(told), "labels": dict(one.labels),
            "formats": " ".join(one.formats), "framework": one.framework,
        }  # fmt: skip
        number = numbers[one.commit.sha]
        detail = {"number": number, "branch": one.branch, "new_bytes": one.arrived}
        return detail | {key: value for key, value in optional.items() if value}


def _rows(
    one: Built, numbers: Mapping[bytes, int], detail: Mapping[str, Any], now: int
) -> dict[str, Any]:
    """The version as `put_versions` takes it."""
    number = detail["number"]
    arriving = Arriving(
        number, one.commit.sha, tuple(numbers[parent] for parent in one.parents), one.branch, now,
        detail["new_bytes"], " ".join(one.formats), one.framework, 0,
    )  # fmt: skip
    told: dict[str, Any] = {"versions": [arriving.told()]}
    if one.labels:
        told["labels"] = {number: dict(one.labels)}
    if one.description is not None:
        told["description"] = one.description
    return told


def _a(kind: str) -> str:
    return f"an {kind}" if kind == "alias" else f"a {kind}"
