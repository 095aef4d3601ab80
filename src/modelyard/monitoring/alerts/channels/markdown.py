"""Markdown as Chinese chats understand it, cut to what they take."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from modelyard.monitoring.alerts.notices import Notice

__all__ = ["JSON", "error_code", "markdown"]

JSON: Final = {"content-type": "application/json; charset=utf-8"}
_SPECIAL: Final = re.compile(r"([\\`*_\[\]#|~])")
_TAGS: Final = str.maketrans({"<": "＜", ">": "＞"})
"""Tags call people (`<at id=all>`), and a backslash does not stop them everywhere."""


def markdown(notice: Notice, most: int, *, heading: str = "### ", is_link: bool = True) -> str:
    """A notice in at most so many bytes of UTF-8."""
    parts = [f"{heading}{_safe(notice.title)}"] if heading else []
    for _, words, evidence in notice.lines():
        parts.append(f"**{_safe(words)}**" + (f"\n{_safe(evidence)}" if evidence else ""))
    if notice.more:
        parts.append(f"and {notice.more} more")
    end = f"[{_safe(notice.deployment or 'alerts')}]({notice.link})" if is_link else notice.link
    room = most - len(end.encode()) - 2
    kept: list[str] = []
    for part in parts:
        cost = len(part.encode()) + 2
        if cost > room:
            break
        kept.append(part)
        room -= cost
    return "\n\n".join([*kept, end])


def error_code(body: bytes, *names: str) -> str:
    """What is wrong, if the answer is JSON whose code is not 0; it must be there."""
    try:
        told: Any = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return "the answer is no JSON"
    if not isinstance(told, dict):
        return "the answer has no code"
    code = next((told[name] for name in names if name in told), None)
    if code == 0 and not isinstance(code, bool):
        return ""
    if code is None:
        return "the answer has no code"
    words = str(told.get("errmsg") or told.get("msg") or told.get("StatusMessage") or "")
    return f"refused with code {str(code)[:20]}: {' '.join(words.split())[:80]}".rstrip(": ")


def _safe(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text.translate(_TAGS))
