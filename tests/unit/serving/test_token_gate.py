"""One token for all who ask."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from modelyard.errors import Denied, InvalidInput
from modelyard.serving.token_gate import TokenGate, read_token

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = "0123456789abcdef0123"


@pytest.mark.parametrize("shown", [f"Bearer {TOKEN}", f"bearer {TOKEN}", f"BEARER  {TOKEN} "])
def test_who_shows_the_token_comes_in(shown: str) -> None:
    gate, headers = TokenGate(TOKEN), {b"authorization": shown.encode()}
    assert gate.known(headers, "10.0.0.1", None) is not None
    assert asyncio.run(gate.look(headers, None, None)).name == "token"


@pytest.mark.parametrize(
    "shown",
    [f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", "Bearer ", "Bearer", TOKEN, f"Basic {TOKEN}", ""],
)
def test_nobody_else_does(shown: str) -> None:
    gate, headers = TokenGate(TOKEN), {b"authorization": shown.encode()}
    assert gate.known(headers, None, None) is None
    with pytest.raises(Denied) as caught:
        asyncio.run(gate.look(headers, None, None))
    assert caught.value.kind == "bad-token"
    assert TOKEN not in str(caught.value)


def test_who_shows_nothing_is_told_what_to_show() -> None:
    with pytest.raises(Denied) as caught:
        asyncio.run(TokenGate(TOKEN).look({}, None, None))
    assert caught.value.kind == "not-signed-in"
    assert "Bearer" in (caught.value.hint or "")


def test_a_file_holds_the_token(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    assert read_token(tmp_path / "token") == TOKEN


@pytest.mark.parametrize("text", ["", "short", "two words and more", "Schlüssel-zu-allem-hier"])
def test_what_is_no_token_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "token").write_text(text, encoding="utf-8")
    with pytest.raises(InvalidInput) as caught:
        read_token(tmp_path / "token")
    assert caught.value.kind == "bad-token-file"
    assert text not in str(caught.value) or not text
    with pytest.raises(InvalidInput):
        read_token(tmp_path / "nowhere")
