"""Torch's zip files (`.pt`, `.pth`, `.bin`): a pickle of structure, and one member a storage."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, BinaryIO

from modelyard.core.version import Finding
from modelyard.formats.interface import Budget, Inspection
from modelyard.formats.pickles.arrays import arrays_of
from modelyard.formats.pickles.scan import Scan, findings_of, scan
from modelyard.formats.pickles.source import FileSource
from modelyard.formats.reading import bad, printable
from modelyard.formats.torch_tensors import KIND, Storage, tensors_of
from modelyard.formats.zips import STORED, Member, head_of, unpack

if TYPE_CHECKING:
    from modelyard.formats.pickles.values import Value

__all__ = ["inspect_members"]

_EXTRA = 20


def inspect_members(
    file: BinaryIO, path: str, entries: tuple[Member, ...], budget: Budget
) -> Inspection:
    """Tensors of `data.pkl`, and what every pickle in the file would import."""
    by_name = {member.name: member for member in entries}
    main = next(member for member in entries if member.name.rpartition("/")[2] == "data.pkl")
    root = main.name.removesuffix("data.pkl")
    findings = list(_structure(path, root, entries))
    little = _is_little(file, by_name.get(f"{root}byteorder"))

    def place(storage: Storage) -> tuple[int, int] | None:
        member = by_name.get(f"{root}data/{storage.key}")
        if member is None:
            raise bad(KIND, f"storage {printable(storage.key, 40)!r} is missing")
        if member.method != STORED or not little:
            return None
        return member.start, member.start + member.size

    result, value = _scan(file, main, budget)
    # Only TorchScript's reader takes such archives, and it resolves these names in the archive.
    own = "__torch__." if f"{root}constants.pkl" in by_name else "\0"
    findings += findings_of(result, f"{path}:{printable(main.name)}", own=own)
    tensors = tensors_of(result, value, place) + arrays_of(result.machine, value)
    if len(tensors) > budget.max_tensors:
        raise bad(KIND, f"{len(tensors)} tensors are too many")
    findings += _other_pickles(file, path, main, entries, budget)
    return Inspection("torch", "torch", tensors, _metadata(root, by_name), tuple(findings))


def _scan(file: BinaryIO, member: Member, budget: Budget) -> tuple[Scan, Value]:
    if member.method == STORED:
        source = FileSource(file, member.start, member.size)
    else:
        source = FileSource(io.BytesIO(unpack(file, member, budget.max_output // 8)))
        source.raw = False
    result = scan(source, budget)
    return result, result.roots[0] if result.roots else None


def _other_pickles(
    file: BinaryIO, path: str, main: Member, entries: tuple[Member, ...], budget: Budget
) -> list[Finding]:
    """A second pickle is read by TorchScript, or by nobody: it is looked at all the same."""
    found: list[Finding] = []
    others = [member for member in entries if member is not main and member.name.endswith(".pkl")]
    for member in others[:_EXTRA]:
        where = f"{path}:{printable(member.name)}"
        if member.name.rpartition("/")[2] != "constants.pkl":
            found.append(Finding("extra-pickle", "danger", "a pickle beside data.pkl", where))
        found += findings_of(_scan(file, member, budget)[0], where)
    if len(others) > _EXTRA:
        found.append(Finding("scan-incomplete", "danger", f"{len(others)} pickles", path))
    return found


def _structure(path: str, root: str, entries: tuple[Member, ...]) -> list[Finding]:
    found = []
    if any(member.name.startswith(f"{root}code/") for member in entries):
        message = "the file holds TorchScript code"
        found.append(Finding("torchscript", "warning", message, path))
    stray = [member.name for member in entries if not member.name.startswith(root)]
    if stray:
        message = f"{printable(stray[0])!r} lies outside of the model's folder"
        found.append(Finding("stray-member", "warning", message, path))
    return found


def _is_little(file: BinaryIO, member: Member | None) -> bool:
    return member is None or head_of(file, member, 8) == b"little"


def _metadata(root: str, by_name: dict[str, Member]) -> dict[str, Any]:
    return {"torchscript": True} if f"{root}constants.pkl" in by_name else {}
