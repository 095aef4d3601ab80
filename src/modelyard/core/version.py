"""What a yard tells about models and versions: frozen values, the same in SDK, JSON and SQL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from modelyard.core.lineage import LineageEdge

if TYPE_CHECKING:
    from modelyard.core.tensor import TensorInfo

__all__ = [
    "CheckedOut",
    "Committed",
    "FileInfo",
    "Finding",
    "Mixed",
    "ModelInfo",
    "Page",
    "Progress",
    "RefInfo",
    "RefKind",
    "RefMove",
    "Report",
    "TensorEntry",
    "VersionDetail",
    "VersionInfo",
    "human_size",
]

RefKind = Literal["branch", "tag", "alias"]
Json = Any


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a long call is. `total` is None while it is not known."""

    phase: str
    """A verb for people: `read`, `write`, `verify`."""
    done: int
    total: int | None
    """In bytes, as `done`."""


Report = "Callable[[Progress], None]"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about a file that its reader should know before trusting it."""

    kind: str
    """Stable: `pickle-global`, `lambda-layer`, `external-data`, ..."""
    severity: Literal["info", "warning", "danger"]
    """`danger`: loading the file may run code, or read other files."""
    message: str
    """A sentence for people."""
    where: str = ""
    """File inside the version, and member or opcode offset inside the file."""


@dataclass(frozen=True, slots=True)
class FileInfo:
    """A file of a version."""

    path: str
    size: int
    sha256: str
    format: str
    """`safetensors`, `onnx`, ..., `text`, or `unknown`."""


@dataclass(frozen=True, slots=True)
class TensorEntry:
    """A tensor of a version: the file it is in, and what is known of it without reading."""

    file: str
    name: str
    """As its file spells it."""
    dtype: str
    shape: tuple[int, ...]
    nbytes: int | None
    """Bytes of the raw values; None for opaque dtypes without a range."""

    @classmethod
    def of(cls, file: str, info: TensorInfo) -> TensorEntry:
        """An entry for a tensor of a file."""
        return cls(file, info.name, info.dtype, info.shape, info.nbytes)


@dataclass(frozen=True, slots=True)
class RefInfo:
    """Where a branch, tag or alias points."""

    name: str
    """As it is written after `@`."""
    kind: RefKind
    number: int
    commit: str


@dataclass(frozen=True, slots=True)
class RefMove:
    """One move of a ref, as the reflog keeps it. `old` or `new` is None at birth and deletion."""

    ref: str
    """Its name."""
    kind: RefKind
    old: int | None
    new: int | None
    who: str
    time: datetime
    reason: str
    """What moved it: `commit`, `rollback`, ..."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionInfo:
    """One version, as lists and logs show it."""

    model: str
    number: int
    commit: str
    parents: tuple[int, ...]
    """Numbers of the parent versions: none for the first, two for a merge."""
    branch: str
    author: str
    time: datetime
    message: str
    """What the author said of it."""
    refs: tuple[str, ...] = ()
    """Branches, tags and aliases that point here now."""
    size: int
    """Bytes of all files."""
    new_bytes: int
    """Bytes that storing this version added."""
    files: int
    """How many files."""
    formats: tuple[str, ...] = ()
    """Formats of its files, as `FileInfo.format`."""
    framework: str | None = None
    """What made it, as its files tell; None where they do not."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    deleted: datetime | None = None

    @property
    def title(self) -> str:
        """`flowers/iris@1`, which can be pasted back."""
        return f"{self.model}@{self.number}"

    def __str__(self) -> str:
        new = human_size(self.new_bytes)
        return f"{self.title} {self.commit[:7]} {human_size(self.size)} ({new} new)"


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionDetail:
    """Everything about one version. `tensors` come from headers; no weight was read."""

    version: VersionInfo
    """What lists and logs show."""
    files: tuple[FileInfo, ...]
    """By path."""
    tensors: tuple[TensorEntry, ...]
    params: Mapping[str, Json]
    metadata: Mapping[str, Mapping[str, Json]]
    """What each file says of itself, by path."""
    findings: tuple[Finding, ...]
    """What to know before the files are trusted."""
    signature: Json | None
    """Inputs and outputs, where known."""
    card: str
    """README.md as committed; empty if there is none."""
    saved: Mapping[str, Json] = field(default_factory=dict)
    """How an object was saved: `framework`, `serializer`, `class`, `structure`."""
    environment: Mapping[str, Json] = field(default_factory=dict)
    """`python`, `platform`, and `packages` with their versions."""
    code: Mapping[str, str] = field(default_factory=dict)
    """The git commit of the code that made it: `commit`, `file`, `changed`, `remote`."""
    data: Mapping[str, str] = field(default_factory=dict)
    """What it was trained on, by role: name and digest."""
    lineage: tuple[LineageEdge, ...] = ()
    """Where it came from, other than by its parents."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """One model, as `yard list` shows it."""

    name: str
    """With its namespace: `flowers/iris`."""
    kind: Literal["model", "dataset"]
    description: str
    """Of its card: from the head, or else the first paragraph."""
    created: datetime
    updated: datetime
    versions: int
    latest: int | None
    """Number of the newest version that is not deleted."""
    size: int
    """Bytes of the latest version's files."""
    refs: tuple[RefInfo, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    deleted: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """What a commit did. `created` is False if the content equals the parent's."""

    model: str
    number: int
    commit: str
    branch: str
    size: int
    new_bytes: int
    files: int
    seconds: float
    created: bool = True
    warnings: tuple[str, ...] = ()
    """What new files would do if they were loaded; the version is stored all the same."""
    notes: tuple[str, ...] = ()
    """What was done on the way, in sentences: layers kept, rows fitted."""

    def __str__(self) -> str:
        new = human_size(self.new_bytes)
        return f"{self.model}@{self.number} {self.commit[:7]} {human_size(self.size)} ({new} new)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixed(Committed):
    """What mixing the weights of several versions did."""

    tensors: int
    """How many the new version's files hold."""
    read_bytes: int
    """Bytes of weights that were read, of all versions and as often as the method needed them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedOut:
    """What a checkout wrote."""

    model: str
    number: int
    commit: str
    branch: str | None
    """The branch that commits from this folder go to; None if checked out by number or tag."""
    dest: str
    """The folder."""
    files: int
    size: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Page:
    """A page of search results, newest first unless sorted; `next` continues after it."""

    items: tuple[VersionInfo, ...]
    """What was found."""
    next: str | None


def human_size(count: int) -> str:
    """`97.5 kB`: decimal units, as disks and downloads are counted."""
    size = float(count)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if abs(size) < 999.95 or unit == "TB":
            return f"{count} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    raise AssertionError
