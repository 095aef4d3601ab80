"""The model card: README.md with a YAML head, as the Hub writes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from modelyard.core.names import parse_label
from modelyard.core.plain_yaml import NotPlain, plain_yaml
from modelyard.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CARD_PATH", "Card", "read_card", "split_card"]

CARD_PATH = "README.md"
_LONGEST_HEAD = 20_000
_LONGEST_DESCRIPTION = 300


@dataclass(frozen=True, slots=True)
class Card:
    """What a card says in ways that can be searched."""

    labels: Mapping[str, str] = field(default_factory=dict)
    description: str = ""


def read_card(text: str) -> Card:
    """Labels from the head's plain values, a description from it or from the first paragraph.

    `tags` and other lists become bare labels and `key=first`, nested values are left to readers of
    the card. A head that is no YAML is no error: people write cards by hand.
    """
    head, body = split_card(text)
    content = _parse(head) if head else {}
    labels: dict[str, str] = {}
    for key, value in content.items():
        if key == "description":
            continue
        if key == "tags" and isinstance(value, list):
            for tag in value:
                _add(labels, str(tag), "")
        elif isinstance(value, list):
            _add(labels, str(key), ",".join(map(str, value)) if len(value) < 9 else "")
        elif isinstance(value, str | int | float | bool):
            _add(labels, str(key), str(value).lower() if isinstance(value, bool) else str(value))
    description = str(content.get("description") or _first_paragraph(body))
    return Card(labels, " ".join(description.split())[:_LONGEST_DESCRIPTION])


def split_card(text: str) -> tuple[str, str]:
    """The YAML head of a card, empty if it has none, and the rest."""
    if not text.startswith("---\n"):
        return "", text
    end = text.find("\n---", 4)
    if end < 0 or end > _LONGEST_HEAD:
        return "", text
    return text[4:end], text[end + 4 :]


def _parse(head: str) -> dict[Any, Any]:
    try:
        content = plain_yaml(head)
    except NotPlain:
        return {}
    return content if isinstance(content, dict) else {}


def _add(labels: dict[str, str], key: str, value: str) -> None:
    try:
        name, rest = parse_label(f"{key}={value}" if value else key)
    except InvalidInput:
        return
    labels[name] = rest


def _first_paragraph(body: str) -> str:
    lines: list[str] = []
    for line in body.splitlines():
        stripped = line.strip()
        if stripped.startswith(("#", "```", "|", "<", "![", "[!")):
            if lines:
                break
            continue
        if not stripped and lines:
            break
        if stripped:
            lines.append(stripped)
    return " ".join(lines)
