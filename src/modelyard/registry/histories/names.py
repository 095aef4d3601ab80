"""Names of another system's refs and labels, where ours are stricter. Nothing is dropped."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from modelyard.core.names import RefName, parse_label
from modelyard.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Container

    from modelyard.core.version import RefKind

__all__ = ["fit_label", "fit_labels", "fit_model", "fit_ref"]

_UNFIT_REF = re.compile(r"[\x00-\x20\x7f~^:?*\[\\@{}]+")
_UNFIT_KEY = re.compile(r"[^\w./-]+")
_UNFIT_MODEL = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST = 160


def fit_ref(name: str, kind: RefKind, taken: Container[str]) -> str:
    """The name itself if a ref may have it; else the nearest that it may have.

    Args:
        taken: Names that other refs of the model have.
    """
    wanted = name if _is_ref(name) else _mended(name)
    if not _is_ref(wanted):
        wanted = f"{kind}-{wanted}"  # all digits, hex digits, latest, HEAD
    if not _is_ref(wanted):
        wanted = f"{kind}-of-the-source"
    if wanted in taken:
        wanted = f"{kind}-{wanted}"
    number, base = 2, wanted
    while wanted in taken:
        wanted, number = f"{base}-{number}", number + 1
    return wanted


def _mended(name: str) -> str:
    parts = [_UNFIT_REF.sub("-", part).strip(".")[:100] for part in name.split("/")]
    parts = [part.removesuffix(".lock") for part in parts]
    text = "/".join(part for part in parts if part).replace("..", ".")
    return text.lstrip("-")[:_LONGEST].strip("/.")


def _is_ref(name: str) -> bool:
    try:
        RefName.parse(name)
    except InvalidInput:
        return False
    return True


def fit_label(key: str, value: str) -> tuple[str, str] | None:
    """A label that can be kept; None if nothing is left of its key."""
    name = _UNFIT_KEY.sub("-", key).strip("-./_")[:63].strip("-./_")
    text = "".join(c if c.isprintable() else " " for c in value)
    text = " ".join(text.split())[:256].strip()
    try:
        return parse_label(f"{name}={text}" if text else name)
    except InvalidInput:
        return None


def fit_labels(given: dict[str, str], renamed: dict[str, str]) -> dict[str, str]:
    """Labels as they can be kept; those that had to change are noted in `renamed`."""
    found: dict[str, str] = {}
    for key, value in given.items():
        label = fit_label(key, value)
        if label is None:
            renamed[key] = ""
            continue
        if label[0] != key:
            renamed[key] = label[0]
        found[label[0]] = label[1]
    return found


def fit_model(name: str) -> str:
    """A model's name made of any text: a folder's, a URL's last part, MLflow's."""
    text = _UNFIT_MODEL.sub("-", name)
    while ".." in text:
        text = text.replace("..", ".")
    text = text.strip("-._ ")[:96].strip("-._")
    for ending in (".git", ".lock"):
        text = text.removesuffix(ending)
    return text or "imported"
