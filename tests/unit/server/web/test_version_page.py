"""What the page of a version tells of where the version came from."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from modelyard.server.web.pages.versions import _shown

ASK: Any = SimpleNamespace(
    caller=SimpleNamespace(may=lambda name, role: role == "reader" and name.startswith("open/"))
)


@pytest.mark.parametrize("rest", ["@3", "@3 sha256:" + "ab" * 32, "@3:rows.csv",
                                  "@3:rows.csv sha256:" + "ab" * 32])  # fmt: skip
def test_a_model_that_may_not_be_read_is_not_named(rest: str) -> None:
    assert _shown(ASK, f"hidden/data{rest}") == ""
    assert _shown(ASK, f"open/data{rest}") == f"open/data{rest}"


@pytest.mark.parametrize("source", ["rows.csv", "https://x.org/a@3", "sha256:" + "ab" * 32])
def test_what_is_kept_elsewhere_is_told(source: str) -> None:
    assert _shown(ASK, source) == source
