"""Sentences for translators: collected from code and templates, merged, compiled.

python scripts/words.py            after sentences or translations changed
python scripts/words.py --from F   and take translations from JSON {sentence: translation}
python scripts/words.py --check    fails if that was not done, or something is not translated
"""

from __future__ import annotations

import argparse
import fcntl
import io
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from words_told import patterns

SOURCE = Path(__file__).resolve().parent.parent / "src" / "modelyard"
CATALOGUE = SOURCE / "locales" / "zh" / "LC_MESSAGES" / "modelyard.po"
KEYWORDS = {
    "_": None, "gettext": None, "ngettext": (1, 2), "say": None, "say_many": (1, 2),
    "many": (1, 2),
}  # fmt: skip
_DAY = datetime(2026, 1, 1, tzinfo=UTC)
"""The same sentences give the same file, on whatever day."""
METHODS = [
    ("server/web/templates/**.html", "jinja2"),
    ("server/**.py", "python"),
]
TOLD = "told"
"""Context of what is told by its pattern: see `modelyard.told`."""
TELLERS = (
    "optimization/**/*.py",
    *(f"monitoring/{name}/*.py" for name in ("anomalies", "drift", "quality")),
    *(f"monitoring/alerts/{name}.py" for name in ("evaluator", "rules", "signals")),
    "monitoring/looking.py",
)
"""Modules whose sentences are kept in English, and told by pages in another language."""
SINGLE = (
    "better", "holds", "reference", "rows", "trees", "window", "worse", "; ", ": ", ", ",
    "{signal} is {value} ({op} {limit})",
)  # fmt: skip
"""Words that are filled in, what joins sentences, and those with less than two words."""
UNTOLD = tuple(
    f"optimization/{name}.py" for name in ("data_findings", "machine", "recipes/reading")
)
"""Modules of these whose sentences no page tells, or by the kinds of errors."""
OPTIONS = {
    "server/web/templates/**.html": {
        "trimmed": "true", "newstyle_gettext": "true", "extensions": "jinja2.ext.do",
        "silent": "false",  # a template that can't be read would lose its sentences
    },
}  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--from", dest="source", type=Path)
    given = parser.parse_args()
    with Path(__file__).open() as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        return _run(given)


def _run(given: argparse.Namespace) -> int:
    more = json.loads(given.source.read_text()) if given.source else {}
    catalogue = merged(more)
    untold = [m.id for m in catalogue if m.id and (m.fuzzy or not all(_strings(m)))]
    told, others = _parted(catalogue)
    made = {
        CATALOGUE: _written(write_po, catalogue),
        CATALOGUE.with_suffix(".mo"): _written(write_mo, others),
        CATALOGUE.with_name("told.json"): msgspec.json.format(msgspec.json.encode(told), indent=1),
    }
    for message in untold:
        print(f"not translated: {message!r}", file=sys.stderr)
    if given.check:
        same = all(path.is_file() and path.read_bytes() == body for path, body in made.items())
        if not same:
            print("run: make words", file=sys.stderr)
        return 0 if same and not untold else 1
    for path, body in made.items():
        path.write_bytes(body)
    return 0


def merged(more: dict[str, str | list[str]]) -> Catalog:
    """All sentences there are, with the translations there are; those that went are dropped."""
    fresh = Catalog(locale="zh")
    found = extract_from_dir(SOURCE, METHODS, OPTIONS, KEYWORDS, comment_tags=["words:"])
    for file, _, message, comments, context in found:
        fresh.add(message, locations=[(file, 0)], auto_comments=comments, context=context)
    for word in SINGLE:
        fresh.add(word, context=TOLD)
    for file in sorted(path for files in TELLERS for path in SOURCE.glob(files)):
        name = file.relative_to(SOURCE).as_posix()
        if name not in UNTOLD:
            for pattern in patterns(file.read_text(encoding="utf-8")):
                fresh.add(pattern, locations=[(name, 0)], context=TOLD)
    known = read_po(io.BytesIO(CATALOGUE.read_bytes())) if CATALOGUE.exists() else Catalog("zh")
    made = Catalog(
        project="modelyard", locale="zh", charset="utf-8", fuzzy=False, creation_date=_DAY,
        revision_date=_DAY, last_translator="modelyard", language_team="modelyard",
        msgid_bugs_address="", copyright_holder="modelyard",
        header_comment="# Chinese sentences of modelyard; written by scripts/words.py.",
    )  # fmt: skip
    for message in sorted((m for m in fresh if m.id), key=lambda m: (m.locations, str(m.id))):
        name = message.id[0] if isinstance(message.id, tuple) else message.id
        told = known.get(message.id, message.context)
        if name in more:
            given = more[name]
            message.string = (given,) if message.pluralizable and isinstance(given, str) else given
        elif told is not None and not told.fuzzy:
            message.string = told.string
        made[message.id] = message
    return made


def _parted(catalogue: Catalog) -> tuple[dict[str, str], Catalog]:
    """What is told by its pattern, and all else."""
    told: dict[str, str] = {}
    others = Catalog(locale="zh", charset="utf-8", fuzzy=False)
    others.mime_headers = catalogue.mime_headers
    for message in catalogue:
        if message.context == TOLD:
            told[str(message.id)] = str(message.string)
        else:
            others[message.id] = message
    return told, others


def _strings(message: object) -> tuple[str, ...]:
    string = message.string  # type: ignore[attr-defined]
    return string if isinstance(string, tuple | list) else (string,)


def _written(write: object, catalogue: Catalog) -> bytes:
    out = io.BytesIO()
    options = {"width": 100, "include_lineno": False} if write is write_po else {}
    write(out, catalogue, **options)  # type: ignore[operator]
    return out.getvalue()


if __name__ == "__main__":
    sys.exit(main())
