"""The documents are run: their commands in a real shell, in order, in a home of their own.

What is run: the lines that begin with `$ ` in ```console and ```sh blocks (`> ` continues one), and
```python blocks. Lines below a command, or a ```text block below Python, are the output it must
have: names of commits, times, sizes, seconds and widths of columns may differ, and `...` stands for
anything. A command fails if and only if an `error:` line is shown. `<!-- setup ... -->` has hidden
commands; `<!-- not run -->` before a block leaves it out. `<!-- services ... -->` has lines such as
`s3://models/team s3_url`: where readers see that URL, the test uses the fixture's. `8300 free_port`
is such a line too, for servers; what runs in the background is ended with the document.

Documents that import TensorFlow, torch or Transformers are marked `heavy`. The two READMEs have the
same commands, which are run once.

`WRITE_DOCUMENTS=1 pytest tests/integration/test_documents.py -k WORD` writes the real output into
documents that show one that is not right, but for outputs with `...`.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.integration.forked import forked_yard

ROOT = Path(__file__).resolve().parents[2]
READMES = (ROOT / "README.md", ROOT / "README.zh-CN.md")
RUN = [
    READMES,
    *((path,) for path in sorted((ROOT / "docs/guides").glob("*.md"))),
    *((path,) for path in sorted((ROOT / "docs/zh").glob("*.md"))),
]
READ = [
    *sorted(ROOT.glob("*.md")),
    *sorted(path for path in (ROOT / "docs").rglob("*.md") if "reference" not in path.parts),
]
TRAIN = (ROOT / "docs/guides/train.py").read_text()

PIECE = re.compile(
    r"^<!-- setup\n(?P<setup>.*?)^-->$"
    r"|(?P<skip>^<!-- not run -->\n)?^```(?P<kind>\w*)\n(?P<body>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
SERVICES = re.compile(r"^<!-- services\n(.*?)^-->$", re.MULTILINE | re.DOTALL)
HEAVY = re.compile(r"^ *(?:import|from) (?:keras|tensorflow|torch|transformers)\b", re.MULTILINE)
VARIES = [
    (re.compile(r"\b[0-9a-f]{7,64}\b"), "COMMIT"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d"), "TIME"),
    (re.compile(r"\b\d+(\.\d+)? ([kMGT]?B|KiB|MiB)\b"), "SIZE"),
    (re.compile(r"\b\d+\.\d+ s\b"), "SECONDS"),
    (re.compile(r'"(seconds|size|new_bytes)":[\d.]+'), r"\1"),
    (re.compile(r"\b\d+ chunks?\b"), "CHUNKS"),
    (re.compile(r"^saved .*", re.MULTILINE), "SAVED"),
    (re.compile(r" +"), " "),
    (re.compile(r" $", re.MULTILINE), ""),
]


@dataclass(frozen=True)
class Step:
    """A command of a document, and the output that is shown for it."""

    line: int
    command: str
    shown: str
    start: int
    end: int
    """Where the shown output is in the document's text."""

    @property
    def fails(self) -> bool:
        return bool(re.search(r"""^(error:|\{"error")""", self.shown, re.MULTILINE))


@dataclass(frozen=True)
class Outcome:
    code: int
    output: str


def steps_of(text):
    steps = []
    for piece in PIECE.finditer(text):
        line = text.count("\n", 0, piece.start()) + 1
        if piece["setup"]:
            steps.append(Step(line, piece["setup"], "", piece.end(), piece.end()))
        elif piece["skip"]:
            continue
        elif piece["kind"] in ("console", "sh"):
            steps += _commands(piece["body"], piece.start("body"), line)
        elif piece["kind"] == "python":
            command = f"python - <<'END'\n{piece['body']}END"
            shown = re.compile(r"\n*```text\n(.*?)^```$", re.MULTILINE | re.DOTALL).match(
                text, piece.end()
            )
            span = shown.span(1) if shown else (piece.end(), piece.end())
            steps.append(Step(line, command, shown[1] if shown else "", *span))
    return steps


def _commands(body, offset, line):
    found = []
    for match in re.finditer(r"^\$ (.*\n(?:> .*\n)*)((?:(?!\$ ).*\n)*)", body, re.MULTILINE):
        command = re.sub(r"^> ", "", match[1], flags=re.MULTILINE).rstrip("\n")
        at = line + 1 + body.count("\n", 0, match.start())
        start, end = offset + match.start(2), offset + match.end(2)
        found.append(Step(at, command, match[2], start, end))
    return found


def run(steps, place, urls=None, programs=None):
    """Run all steps in one shell; what each gave.

    `urls` are those to use, by those shown; `programs` is a folder that comes first in the PATH.
    """
    real = urls or {}
    home = place / "home"
    home.mkdir()
    (home / "train.py").write_text(TRAIN)
    script = ["trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT", "last=0"]
    for number, step in enumerate(steps):
        command = step.command
        for shown, used in real.items():
            command = command.replace(shown, used)
        (place / f"{number}.sh").write_text(command)
        script.append(
            f"step=$(<{place}/{number}.sh); (exit $last); "
            f'{{ eval "$step"; }} >{place}/{number}.out 2>&1 </dev/null; last=$?; '
            f"echo $last >{place}/{number}.code"
        )
    done = subprocess.run(
        ["bash", "-c", "\n".join(script)], cwd=home, env=_environment(home, programs), timeout=600,
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    outcomes = []
    for number in range(len(steps)):
        output = (place / f"{number}.out").read_text().replace(str(home), "/home/ann")
        for shown, used in real.items():
            output = output.replace(used, shown)
        outcomes.append(Outcome(int((place / f"{number}.code").read_text()), output))
    return outcomes


def _environment(home, programs):
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("YARD", "GIT_", "XDG_"))}
    places = [programs, Path(sys.executable).parent, kept.get("PATH", "")]
    path = os.pathsep.join(str(place) for place in places if place)
    return kept | {
        "HOME": str(home), "PATH": path, "NO_COLOR": "1", "OPENBLAS_NUM_THREADS": "1",
        "LC_ALL": "C.UTF-8", "TF_CPP_MIN_LOG_LEVEL": "3", "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "YARD_AUTHOR": "Ann Lee <ann@example.com>",
    }  # fmt: skip


def matches(shown, output):
    wished = [re.escape(part) for part in _steady(shown).split("...")]
    return re.fullmatch(".*?".join(wished), _steady(output), re.DOTALL) is not None


def _steady(text):
    text = text.strip()
    for pattern, word in VARIES:
        text = pattern.sub(word, text)
    return text


def _id(path):
    return str(path.relative_to(ROOT))


def _marked(documents):
    text = documents[0].read_text(encoding="utf-8")
    marks = [pytest.mark.heavy] if HEAVY.search(text) else []
    return pytest.param(documents, id=_id(documents[0]), marks=marks)


@pytest.fixture
def shared_s3_url(s3_url):
    """Another place in the same bucket."""
    return s3_url.replace("/prefix", "/shared")


@pytest.fixture
def free_port():
    """A port of this machine that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return str(listening.getsockname()[1])


@pytest.fixture(scope="module")
def forked(tmp_path_factory):
    """A `yard` that starts at once."""
    with forked_yard(tmp_path_factory.mktemp("forked")) as programs:
        yield programs


@pytest.mark.slow
@pytest.mark.parametrize("documents", [_marked(documents) for documents in RUN])
def test_the_commands_of_a_document_do_what_it_says(documents, tmp_path, request, forked):
    texts = [document.read_text(encoding="utf-8") for document in documents]
    told = [steps_of(text) for text in texts]
    services = [line.split() for part in SERVICES.findall(texts[0]) for line in part.splitlines()]
    urls = {shown: request.getfixturevalue(fixture) for shown, fixture in services}
    programs = None if documents == READMES else forked
    outcomes = run(told[0], tmp_path, urls, programs)
    if os.environ.get("WRITE_DOCUMENTS"):
        write(documents[0], told[0], outcomes)
        return
    for document, steps in zip(documents, told, strict=True):
        for step, outcome in zip(steps, outcomes, strict=True):
            where = f"{document.name}:{step.line}: {step.command}\n"
            assert bool(outcome.code) == step.fails, f"{where}gave {outcome}"
            assert not step.shown.strip() or matches(step.shown, outcome.output), (
                f"{where}shown:\n{step.shown}\nwas:\n{outcome.output}"
            )


@pytest.mark.parametrize("document", READ, ids=_id)
def test_links_lead_somewhere(document):
    text = re.sub(r"^```.*?^```$", "", document.read_text(encoding="utf-8"), flags=re.M | re.S)
    links = re.findall(r"\]\(([^)\s]+)\)|(?:src|srcset|href)=\"([^\"]+)\"", text)
    for target in (first or second for first, second in links):
        if not re.match(r"[a-z]+:|#", target):
            assert (document.parent / target.split("#")[0]).exists(), target


def test_the_index_lists_every_page():
    listed = _linked(ROOT / "docs/index.md") | _linked(ROOT / "docs/reference/index.md")
    assert {path for path in (ROOT / "docs").rglob("*.md") if path.name != "index.md"} <= listed


def _linked(document):
    links = re.findall(r"\]\(([^)#\s]+)", document.read_text(encoding="utf-8"))
    return {(document.parent / link).resolve() for link in links}


def test_both_readmes_have_the_same_commands():
    english, chinese = (steps_of(path.read_text(encoding="utf-8")) for path in READMES)
    assert [step.command for step in english] == [step.command for step in chinese]


def test_a_shown_output_may_differ_in_what_varies():
    assert matches("m@1 3f9c2ab\n97.5 kB,   0.1 s\n", "m@1 1234567\n1.0 MB, 2.3 s")
    assert matches("a ... b\n...", "a 1 b\nc\nd")
    assert not matches("m@1 3f9c2ab on main", "m@2 3f9c2ab on main")


def write(document, steps, outcomes):
    """Put the real output into a document where the one it shows is not right."""
    text = document.read_text(encoding="utf-8")
    for step, was in reversed(list(zip(steps, outcomes, strict=True))):
        if bool(was.code) != step.fails:
            print(f"{document.name}:{step.line}: {step.command}: {was}")
        shown = step.shown.strip()
        if shown and "..." not in shown and not matches(shown, was.output):
            text = text[: step.start] + was.output.rstrip() + "\n" + text[step.end :]
    document.write_text(text, encoding="utf-8")
