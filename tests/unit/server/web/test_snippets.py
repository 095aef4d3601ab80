"""Code that asks a deployment: it can be run as it stands, whatever things are called."""

from __future__ import annotations

import ast
import json
import shlex

import pytest

from modelyard.server.web.snippets import uses

BASE = "http://127.0.0.1:8300"
HOSTILE = "x\"); import os  # ' $(id) `id`"


@pytest.mark.parametrize(
    "example", ['{"rows": [[0.5, 1]]}', json.dumps({"records": [{HOSTILE: HOSTILE}]})]
)
def test_names_of_strangers_stay_texts_in_what_is_copied(example: str) -> None:
    told = uses(BASE, "iris", example, ((HOSTILE, "FP32", "[1, 4]"),))
    words = shlex.split(told.curl.replace("\\\n", " "))
    assert words[words.index("-d") + 1] == example
    words = shlex.split(told.command)
    assert words[:2] == ["yard", "predict"]
    assert words[-1] == example
    (block,) = ast.parse(told.python).body[1:]
    assert isinstance(block, ast.With)
    names = [node.value for node in ast.walk(ast.parse(told.client))
             if isinstance(node, ast.Constant)]  # fmt: skip
    assert HOSTILE in names


def test_where_nothing_is_known_something_is_to_be_filled_in() -> None:
    told = uses(BASE, "iris", "", ())
    assert "[[...]]" in told.curl
    assert f"{BASE}/v2/models/iris" in told.protocol
    ast.parse(told.python)
