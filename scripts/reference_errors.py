"""The page of errors and findings."""

from __future__ import annotations

import ast
import re

from reference_kinds import ERRORS, PACKAGE, Way, kinds, source, ways

__all__ = ["error_page"]

_SHOWN = 3
"""A kind that is told in more ways than these shows only the first."""

_INTRODUCTION = """\
# Errors and findings

This page is made from the code by `make docs`.

Every error is a `modelyard.errors.ModelyardError` of one of seven classes, which say what the one
who catches it can do. It has

- `kind`: a word to program against, which never changes;
- `message`: a sentence for people, which may change;
- `hint`: what to try next, or None.

`yard --json` writes them as `{"error": {"kind": ..., "message": ..., "hint": ...}}`.

Below, `{...}` stands for what is filled in. A kind with many messages is shown with one of them.
See [From Python](../guides/sdk.md#when-something-goes-wrong) for how to catch them.
"""

_COMMAND_LINE = """\
## Only from the command line

The commands report these in the same form, with the
[exit codes](config.md#exit-codes) of the command line. In Python, the exception itself comes.
"""

_FINDINGS = """\
## Findings

A finding is no error: the file is committed, and `yard show` and `version.detail.findings` tell
what to know before the file is trusted.
[Model files that modelyard opens](../guides/formats.md#refused-or-a-finding) says what each means,
and for which format. A file that was committed before modelyard could refuse it has a finding of
the kind of the error instead.
"""


def error_page() -> str:
    """The page of all kinds."""
    code = source()
    parts = [_INTRODUCTION]
    for name in ERRORS:
        parts.append(f"## {name}\n\n{_doc(name)}\n")
        parts.append(_error_table(kinds(list(ways(code, name)))))
    here = [*ways(code, "Failure"), *ways(code, "ModelyardError")]
    parts += [_COMMAND_LINE, _error_table(kinds(here))]
    parts += [_FINDINGS, _finding_table(kinds(list(ways(code, "Finding"))))]
    return "\n".join(parts)


def _doc(name: str) -> str:
    tree = ast.parse((PACKAGE / "errors.py").read_text(encoding="utf-8"))
    found = next(n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == name)
    return ast.get_docstring(found) or ""


def _error_table(found: dict[str, list[Way]]) -> str:
    lines = ["| kind | message | hint |", "|---|---|---|"]
    for kind, told in found.items():
        said = list(dict.fromkeys((way.message, way.hint) for way in told if way.distance == 0))
        said = said or [(told[0].message, told[0].hint)]
        shown = said if len(said) <= _SHOWN else said[:1]
        for number, (message, hint) in enumerate(shown):
            first = "" if number else f"`{kind}`"
            lines.append(f"| {first} | {_cell(message)} | {_cell(hint)} |")
    return "\n".join(lines) + "\n"


def _finding_table(found: dict[str, list[Way]]) -> str:
    lines = ["| kind | severity | message |", "|---|---|---|"]
    for kind, told in found.items():
        said = {way.severity for way in told}
        severities = [word for word in ("info", "warning", "danger") if word in said]
        lines.append(f"| `{kind}` | {', '.join(severities)} | {_cell(told[0].message)} |")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    """Text as it may stand in a table."""
    return " ".join(re.sub(r"([\\|*<>\[\]]|\b_|_\b)", r"\\\1", text).split())
