"""What a mixture is made of: which tensor of which version goes to which place of the new one."""

from __future__ import annotations

import io
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from modelyard.core.mixing import COMPUTED
from modelyard.errors import Conflict, Corrupt, Unsupported
from modelyard.formats import Inspection, inspect
from modelyard.formats.reading import printable
from modelyard.formats.safetensors_writer import write_head
from modelyard.registry.blobs import open_blob
from modelyard.registry.inspections import inspection_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from modelyard.core.merge import Entry
    from modelyard.core.mixing.numbers import Bytes
    from modelyard.core.tensor import TensorInfo
    from modelyard.registry.files import Contents
    from modelyard.registry.house import House

__all__ = ["Held", "Plan", "Slot", "Source", "Target", "conflict", "plan"]

_SHOWN = 20
_TRAINING = ("optimizer.", "scheduler.", "rng_state")
"""How files begin that belong to the training of one version's weights."""


class Source(Protocol):
    """The bytes of a file of a version."""

    def read_into(self, start: int, out: Bytes) -> None: ...


class _Inline:
    """A file that git holds itself."""

    def __init__(self, content: bytes) -> None:
        self._content = np.frombuffer(content, np.uint8)

    def read_into(self, start: int, out: Bytes) -> None:
        out[:] = self._content[start : start + len(out)]


@dataclass(frozen=True, slots=True)
class _File:
    path: str
    mode: int
    source: Source
    inspection: Inspection


@dataclass(frozen=True, slots=True)
class Held:
    """A tensor of a version, and the file it is in."""

    file: _File
    info: TensorInfo

    @property
    def source(self) -> Source:
        return self.file.source


@dataclass(frozen=True, slots=True)
class Slot:
    """A tensor of the new version: its place in the file, and what it is made of."""

    name: str
    dtype: str
    start: int
    end: int
    sides: tuple[Held, ...]
    """That of the first version comes first."""
    base: Held | None

    @property
    def size(self) -> int:
        return self.end - self.start

    @property
    def elements(self) -> int:
        return self.sides[0].info.elements

    @property
    def versions(self) -> tuple[Held, ...]:
        """All that must be read."""
        return self.sides if self.base is None else (*self.sides, self.base)

    @property
    def is_computed(self) -> bool:
        """Whether values are mixed; others must be the same everywhere."""
        return self.dtype in COMPUTED


@dataclass(frozen=True, slots=True)
class Target:
    """A file of the new version: a head, and tensors without a gap after it."""

    path: str
    mode: int
    head: bytes
    slots: tuple[Slot, ...]
    inspection: Inspection
    """What it will tell of itself."""

    @property
    def size(self) -> int:
        return self.slots[-1].end if self.slots else len(self.head)


@dataclass(frozen=True, slots=True)
class Plan:
    """All files that are mixed; every other file is that of the first version."""

    targets: tuple[Target, ...]
    renamed: Mapping[str, str]
    """Torch files, by the safetensors files that take their places."""
    training: tuple[str, ...]
    """Files of the first version's training: they stay as they are."""

    @property
    def tensors(self) -> int:
        return sum(len(target.slots) for target in self.targets)


def plan(house: House, sides: Sequence[Contents], base: Contents | None) -> Plan:
    """Match the tensors of all versions by file and name, else by name.

    Raises:
        Unsupported: `not-mergeable`: weights in other formats than safetensors and torch.
        Conflict: `weights-conflict`: tensors that differ in shape or dtype, or are missing.
    """
    files = [_files(house, found) for found in sides]
    below = None if base is None else _files(house, base)
    training = tuple(path for path in sides[0].tree if _is_training(path))
    renamed = _renamed(files[0], sides[0])
    matched = _Match(sides, files, base, below)
    targets = []
    for file in files[0]:
        found = [matched.slot(Held(file, info)) for info in file.inspection.tensors]
        targets.append(_target(file, [slot for slot in found if slot is not None], renamed))
    matched.check()
    return Plan(tuple(targets), renamed, training)


def conflict(problems: Sequence[str]) -> Conflict:
    """What stands in the way of mixing: all of it if it can be read, else how much more."""
    shown = "; ".join(problems[:_SHOWN])
    more = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
    count = "1 tensor" if len(problems) == 1 else f"{len(problems)} tensors"
    return Conflict(
        "weights-conflict", f"{count} can't be mixed: {shown}{more}",
        hint="only versions of one architecture and dtype can be mixed (yard diff shows how far "
        "they are apart)",
    )  # fmt: skip


# -- files ---------------------------------------------------------------------------------------


def _files(house: House, found: Contents) -> list[_File]:
    """The files of a version that hold weights, all of formats that we can mix."""
    files, others = [], []
    for path, entry in sorted(found.tree.items()):
        if _is_training(path):
            continue
        inspection = _inspection(house, found, path, entry)
        scripted = bool(inspection.metadata.get("torchscript"))
        if not inspection.tensors and not scripted:
            continue
        if inspection.format in ("safetensors", "torch") and not scripted:
            files.append(_File(path, entry.mode, _source(house, found, entry), inspection))
        else:
            others.append(f"{path} ({'torchscript' if scripted else inspection.format})")
    if others or not files:
        shown = ", ".join(others[:5]) or f"no weights, or only as {found.version.formats or 'text'}"
        raise Unsupported(
            "not-mergeable", f"{found.title} holds {shown}",
            hint="weights can be mixed in safetensors and in torch's zip files",
        )  # fmt: skip
    for file in files:
        _check_places(found, file)
    return files


def _is_training(path: str) -> bool:
    return path.rpartition("/")[2].startswith(_TRAINING)


def _inspection(house: House, found: Contents, path: str, entry: Entry) -> Inspection:
    if entry.inline is None:
        return inspection_of(house, found.blob(entry))
    # inline files are text: of these only a safetensors file without any values is a model
    file = io.BytesIO(entry.inline if path.endswith(".safetensors") else b"")
    return inspect(file, path, scan=False)


def _source(house: House, found: Contents, entry: Entry) -> Source:
    if entry.inline is not None:
        return _Inline(entry.inline)
    return open_blob(house, found.blob(entry))


def _check_places(found: Contents, file: _File) -> None:
    for info in file.inspection.tensors:
        if info.elements and (info.start is None or info.end is None or info.order != "C"):
            raise Unsupported(
                "not-mergeable",
                f"{printable(info.name)} in {file.path} of {found.title} does not lie in one piece",
                hint="save contiguous tensors (tensor.contiguous()) as safetensors, and commit",
            )


def _renamed(files: Sequence[_File], found: Contents) -> dict[str, str]:
    """New names of torch files: what we write is safetensors."""
    torch = [file.path for file in files if file.inspection.format == "torch"]
    renamed = {}
    taken = set(found.tree)
    for path in torch:
        folder, slash, name = path.rpartition("/")
        alone = sum(other.rpartition("/")[0] == folder for other in torch) == 1
        stem = name.rpartition(".")[0] or name
        plain = f"{folder}{slash}model.safetensors"
        named = f"{folder}{slash}{stem.replace('pytorch_model', 'model')}.safetensors"
        free = [new for new in ([plain] if alone else []) + [named] if new not in taken]
        if not free:
            raise Unsupported(
                "not-mergeable", f"{path} would become {named}, and there is such a file already",
                hint="keep the weights in one format",
            )  # fmt: skip
        renamed[path] = free[0]
        taken.add(free[0])
    return renamed


# -- tensors -------------------------------------------------------------------------------------


class _Match:
    """Finds each tensor of the first version in the others, and keeps what does not fit."""

    def __init__(
        self,
        sides: Sequence[Contents],
        files: Sequence[Sequence[_File]],
        base: Contents | None,
        below: Sequence[_File] | None,
    ) -> None:
        self._first = f"version {sides[0].version.number}"
        self._others = [_Names(found, of) for found, of in zip(sides[1:], files[1:], strict=True)]
        self._base = None if base is None or below is None else _Names(base, below)
        self._problems: list[str] = []

    def slot(self, first: Held) -> Slot | None:
        """The new tensor in the first one's place; None if it does not fit."""
        info = first.info
        found = [self._found(first, names) for names in self._others]
        base = None if self._base is None else self._found(first, self._base)
        if None in found or (self._base is not None and base is None):
            return None
        sides = (first, *(held for held in found if held is not None))
        return Slot(info.name, info.dtype, info.start or 0, info.end or 0, sides, base)

    def check(self) -> None:
        """Conflict, if there was any."""
        for names in self._others:
            self._problems += [
                f"{_short(held.info.name)}: only in {names.title}" for held in names.unused()
            ]
        if self._problems:
            raise conflict(self._problems)

    def _found(self, first: Held, names: _Names) -> Held | None:
        info, name = first.info, _short(first.info.name)
        held = names.take(first)
        if held is None:
            self._problems.append(f"{name}: not in {names.title}")
            return None
        other = held.info
        if other.shape != info.shape:
            told = f"{_shape(info)} in {self._first}, {_shape(other)} in {names.title}"
        elif other.dtype != info.dtype:
            told = f"{info.dtype} in {self._first}, {other.dtype} in {names.title}"
        elif other.nbytes != info.nbytes:
            raise Corrupt("bad-inspection", f"{name} of {names.title} has an impossible range")
        else:
            return held
        self._problems.append(f"{name}: {told}")
        return None


class _Names:
    """The tensors of one version by name."""

    def __init__(self, found: Contents, files: Iterable[_File]) -> None:
        self.title = f"version {found.version.number}"
        self._all: dict[tuple[str, str], Held] = {}
        self._by_name: dict[str, list[Held]] = defaultdict(list)
        self._used: set[tuple[str, str]] = set()
        for file in files:
            for info in file.inspection.tensors:
                held = Held(file, info)
                self._all[file.path, info.name] = held
                self._by_name[info.name].append(held)

    def take(self, like: Held) -> Held | None:
        """The tensor of this file and name, or the first of this name."""
        exact = self._all.get((like.file.path, like.info.name))
        held = exact or next(iter(self._by_name.get(like.info.name, ())), None)
        if held is not None:
            self._used.add((held.file.path, held.info.name))
        return held

    def unused(self) -> list[Held]:
        return [held for key, held in self._all.items() if key not in self._used]


def _target(file: _File, slots: Sequence[Slot], renamed: Mapping[str, str]) -> Target:
    """A safetensors file keeps its head, and so its order, metadata and alignment."""
    if file.inspection.format == "safetensors":
        return _like(file, slots)
    head, placed = write_head([slot.sides[0].info for slot in slots], {"format": "pt"})
    by_name = {slot.name: slot for slot in slots}
    moved = [
        Slot(t.name, t.dtype, t.start or 0, t.end or 0, by_name[t.name].sides, by_name[t.name].base)
        for t in placed
    ]
    told = Inspection("safetensors", "torch", placed, {"metadata": {"format": "pt"}})
    return Target(renamed[file.path], file.mode, head, tuple(moved), told)


def _like(file: _File, slots: Sequence[Slot]) -> Target:
    length = np.empty(8, np.uint8)
    file.source.read_into(0, length)
    head = np.empty(8 + int.from_bytes(length.tobytes(), "little"), np.uint8)
    file.source.read_into(0, head)
    ordered = sorted(slots, key=lambda slot: (slot.start, slot.end))
    return Target(file.path, file.mode, head.tobytes(), tuple(ordered), file.inspection)


def _short(name: str) -> str:
    return printable(name, 60)


def _shape(info: TensorInfo) -> str:
    return "x".join(map(str, info.shape)) or "scalar"
