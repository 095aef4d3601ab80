"""What a commit says beside its files: `.modelyard/manifest.json`, part of the tree, immutable."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from modelyard.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["MANIFEST_PATH", "Manifest", "plain"]

MANIFEST_PATH = ".modelyard/manifest.json"
_MAX_BYTES = 90_000
"""Below the 100 KB that git keeps inline (tree-1.md)."""


def plain(value: Any) -> Any:
    """Numbers and arrays of numpy, torch and others as Python has them."""
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if hasattr(value, "tolist") and not isinstance(value, str | bytes):
        return value.tolist()
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """Parameters, metrics and circumstances given at commit."""

    params: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    signature: Mapping[str, Any] | None = None
    framework: str | None = None
    saved: Mapping[str, Any] | None = None
    """How an object was saved (`frameworks.Saved`); None for files that were committed as files."""
    example: Mapping[str, Any] | None = None
    """A few rows of input: `{"inputs": [{"name", "dtype", "shape", "data"}]}`."""
    environment: Mapping[str, Any] | None = None
    code: Mapping[str, str] | None = None
    data: Mapping[str, str] | None = None
    lineage: tuple[Mapping[str, str], ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Keys of a later modelyard, kept as they are."""

    @property
    def own_files(self) -> frozenset[str]:
        """Paths that hold the saved object; none for files that were committed as files."""
        saved = self.saved or {}
        files = {*saved.get("files", ()), saved.get("file")}
        return frozenset(path for path in files if isinstance(path, str))

    def __post_init__(self) -> None:
        for name, value in self.metrics.items():
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise InvalidInput("bad-metric", f"metric {name!r} is no number: {value!r}")
            if not math.isfinite(value):
                raise InvalidInput("bad-metric", f"metric {name!r} is {value}, not finite")
        for name in (*self.metrics, *self.params):
            if not isinstance(name, str) or not name.isprintable() or not 0 < len(name) <= 200:
                raise InvalidInput("bad-name", f"{str(name)[:80]!r} can't name a metric or param")

    def encode(self) -> bytes:
        """Canonical JSON: sorted keys, two spaces, UTF-8, newline at the end."""
        fields = {name: getattr(self, name) for name in _FIELDS}
        content = {name: value for name, value in fields.items() if value}
        try:
            text = json.dumps(
                {**self.extra, **content},
                sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False,
            )  # fmt: skip
            encoded = (text + "\n").encode()
        except (TypeError, ValueError) as error:
            raise InvalidInput("bad-params", f"params can't be written as JSON: {error}") from None
        if len(encoded) > _MAX_BYTES:
            raise InvalidInput(
                "manifest-too-large",
                f"params and metrics take {len(encoded)} bytes, more than {_MAX_BYTES}",
                hint="commit large tables as a file",
            )
        return encoded

    @classmethod
    def decode(cls, text: bytes) -> Self:
        """Read a manifest. InvalidInput: `bad-manifest`."""
        try:
            content = json.loads(text)
            if not isinstance(content, dict):
                raise TypeError("it is no object")
            known = {name: content.pop(name) for name in _FIELDS if name in content}
            if "lineage" in known:
                known["lineage"] = tuple(dict(edge) for edge in known["lineage"])
            for name, value in known.items():
                if not isinstance(value, _FIELDS[name]):
                    raise TypeError(f"{name} is a {type(value).__name__}")
            _check_lists(known.get("saved", {}))
            return cls(**known, extra=content)
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            raise InvalidInput("bad-manifest", f"{MANIFEST_PATH} can't be read: {error}") from None


def _check_lists(saved: Mapping[str, Any]) -> None:
    for name in ("files", "structure"):
        found = saved.get(name, [])
        if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
            raise TypeError(f"{name} of saved is no list of texts")


_FIELDS = {
    "params": dict, "metrics": dict, "signature": dict, "framework": str, "saved": dict,
    "example": dict, "environment": dict, "code": dict, "data": dict, "lineage": tuple,
}  # fmt: skip
