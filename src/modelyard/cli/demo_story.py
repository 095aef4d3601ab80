"""The story that `yard demo` and `make demo` tell: the main job of a yard, on real models.

Every command that is shown is the command that runs, and what follows it is its own output. The
story takes a folder of its own, with the yard in `yard` and the models in `models`, and leaves all
else alone.
"""
# mypy: disable-error-code="import-not-found, import-untyped"

from __future__ import annotations

import os
import shlex
import shutil
import sys
import textwrap
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelyard.cli import demo_improved, demo_measured, demo_served, demo_watched
from modelyard.cli.demo_zoo import Trained, Zoo, own_zoo
from modelyard.errors import Conflict, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np

    Array = np.ndarray[Any, Any]

__all__ = ["MARK", "run"]

MARK = ".yard-demo"
"""The file that says that a folder belongs to the demo and may be made anew."""

_WIDTH = 88


# -- the telling -------------------------------------------------------------------------------


def run(path: Path, zoo: Zoo | None = None) -> None:
    """Tell the story in a folder: new, empty, or of an earlier telling.

    Raises:
        Conflict: `folder-not-empty`: the folder holds other things.
        Unavailable: `demo-stopped`: a command ended otherwise than the story says.
    """
    folder = path.expanduser().absolute()
    _claim(folder)
    zoo = zoo or own_zoo()
    began = time.monotonic()
    with _surroundings(folder):
        story = Story(folder)
        for chapter in _CHAPTERS:
            chapter(story, zoo)
    _farewell(story, time.monotonic() - began)


class Story:
    """Says sentences, and runs the commands that it shows."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._chapter = 0
        self._names: dict[str, Any] = {}

    def title(self, text: str) -> None:
        self._chapter += 1
        self._print("\n" + _bold(f"{self._chapter}. {text}"))

    def say(self, text: str) -> None:
        self._print("\n" + textwrap.fill(text, _WIDTH))

    def yard(self, *args: object) -> None:
        """Run one `yard` command as a shell would; anything but success ends the story."""
        words = [str(arg) for arg in args]
        self._print("\n" + _bold(f"$ yard {shlex.join(words)}"))
        code = _call(words)
        if code:
            raise Unavailable(
                "demo-stopped", f"'yard {words[0]}' ended with {code}",
                hint=f"look at the yard: yard --yard {self.folder / 'yard'} list",
            )  # fmt: skip

    def lines(self, *lines: str) -> None:
        self._print("".join(f"\n  {line}" for line in lines))

    def shell(self, line: str, act: Callable[[], object]) -> None:
        """Show a line of shell, and do what it says."""
        self._print("\n" + _bold(f"$ {line}"))
        act()

    def commit(self, model: str, folder: Path, trained: Trained, *more: object) -> None:
        marks = [f"--metric={k}={v:.4g}" for k, v in trained.metrics.items()]
        marks += [f"--param={k}={v}" for k, v in trained.params.items()]
        place = folder.relative_to(self.folder)
        self.yard("commit", model, place, "-m", trained.message, *marks, *more)

    def python(self, *lines: str) -> None:
        """Run lines of Python, each shown as in Python's own shell, with what it gives."""
        self._print()
        for line in lines:
            self._print(_bold(">>> " + line.replace("\n", "\n... ")))
            try:
                code = compile(line, "<demo>", "eval")
            except SyntaxError:
                exec(line, self._names)
            else:
                value = eval(code, self._names)
                if value is not None:
                    self._print(repr(value))

    def _print(self, text: str = "") -> None:
        print(text, flush=True)  # noqa: T201 - telling is what this is for


def _begin(story: Story, zoo: Zoo) -> None:
    story.title("A yard is a folder")
    story.say("It keeps models, their versions and their history. Nothing else has to run.")
    story.yard("init", "yard")
    story.shell("export YARD=$PWD/yard", lambda: None)


def _published(story: Story, zoo: Zoo) -> None:
    if not zoo.releases:
        return
    story.title("Models that others published")
    story.say(
        "These files come from packages on PyPI, release after release. What a release shares "
        "with the one before is stored once: compare the size with what was new."
    )
    for release in zoo.releases:
        marks = [f"--label={label}" for label in release.labels]
        story.commit(release.model, release.folder, Trained(release.message), *marks)
    last = zoo.releases[-1].model
    story.say("The files are opened to look inside, and nothing in them is executed.")
    story.yard("show", last)


def _trained(story: Story, zoo: Zoo) -> None:
    story.title("Models of our own, in variants and branches")
    story.say(zoo.trainer.about)
    digits = "vision/digits"
    _train(story, zoo, digits, "linear-weak")
    _train(story, zoo, digits, "linear")
    story.say("A different idea goes to a branch of its own, which begins at version 1.")
    _train(story, zoo, digits, "other", "--branch=other", "--parent=1")
    _train(story, zoo, "tables/wine", "wine-linear")
    _train(story, zoo, "tables/wine", "wine-trees")
    story.say("The history of the digits is a graph:")
    story.yard("log", digits)


def _compared(story: Story, zoo: Zoo) -> None:
    story.title("What changed between two versions")
    story.say("Tensor by tensor, with what was measured. Weights of pickles are found too.")
    story.yard("diff", "vision/digits@1", "2")


def _tuned(story: Story, zoo: Zoo) -> None:
    encoder = zoo.encoder
    story.title("A bigger model, fine-tuned")
    story.say(encoder.about)
    base, tuned, again = (
        story.folder / "models" / f"encoder-{kind}" for kind in ("base", "tuned", "again")
    )
    marks = [f"--label={label}" for label in encoder.labels]
    story.commit(encoder.model, base, encoder.base(base), *marks)
    result = encoder.tune(base, tuned)
    story.say("Now a few steps of training, and the whole model is saved again. Only the layers "
              "that moved cost anything:")  # fmt: skip
    story.commit(encoder.model, tuned, result)
    story.yard("diff", f"{encoder.model}@1", "2")
    story.say("The same tensors in another file format are recognised, and cost almost nothing:")
    story.commit(encoder.model, again, encoder.again(tuned, again), "--branch=other-format")


def _found(story: Story, zoo: Zoo) -> None:
    story.title("Finding models")
    story.yard("list")
    story.say("Labels are put on models or versions, at any time, in any language.")
    for model in ("vision/digits", "tables/wine"):
        story.yard("label", model, "task=classify", "任务=分类")
    story.say("By label and by what was measured; the best first:")
    story.yard("search", "label:task=classify", "metric.accuracy>0.9", "sort:metric.accuracy-desc")
    story.say("In Chinese, from two characters on:")
    story.yard("search", "分类")
    if any("语音检测" in label for r in zoo.releases for label in r.labels):
        story.yard("search", "语音", "format:onnx", "size:<10MB")


def _pointed(story: Story, zoo: Zoo) -> None:
    story.title("Which version is in use, and back in one step")
    story.say("An alias is a name that may be pointed anywhere. Every move is remembered.")
    digits = "vision/digits"
    story.yard("alias", digits, "champion", "2")
    story.yard("alias", digits, "champion", "other")
    story.say("It does badly on real traffic? Point it back; no file is copied.")
    story.yard("rollback", digits, "champion")
    story.yard("log", f"{digits}@champion", "--moves")


def _worked(story: Story, zoo: Zoo) -> None:
    story.title("Checkout, change, commit")
    story.say("A checkout is a folder of plain files that remembers where it came from.")
    story.yard("checkout", "vision/digits", "work")
    with _inside(story, "work"):
        story.say("Write a model card, README.md, into it:")
        story.shell("cat README.md", _write_card)
        story.yard("status")
        story.yard("commit", "-m", "a model card")
    story.say("What the card says can be found:")
    story.yard("search", "手写数字")


def _merged(story: Story, zoo: Zoo) -> None:
    story.title("Merge, and revert")
    digits = "vision/digits"
    story.say("Somebody else began at version 2 and adds the names of the classes, on a branch.")
    story.yard("branch", digits, "names", "2")
    folder = story.folder / "models" / "digits-linear"
    names = "".join(f"{n}\n" for n in range(10))
    place = folder.relative_to(story.folder) / "classes.txt"
    story.shell(f"seq 0 9 > {place}", lambda: place.write_text(names))
    story.commit(digits, folder, Trained("names of the classes"), "--branch=names")
    story.say("Meanwhile main got a card. A merge takes both:")
    story.yard("merge", digits, "names", "--into", "main")
    story.yard("log", digits)
    story.say("Revert makes a new version with the content of an old one. History stays, and "
              "no weight is stored again:")  # fmt: skip
    story.yard("revert", digits, "1")


def _deleted(story: Story, zoo: Zoo) -> None:
    story.title("Deleting is undone as easily")
    story.yard("delete", "tables/wine", "--yes")
    story.yard("list", "--deleted")
    story.yard("restore", "tables/wine")


def _scripted(story: Story, zoo: Zoo) -> None:
    story.title("The same from Python")
    model = zoo.encoder.model
    story.python(
        "import modelyard",
        "yard = modelyard.open('yard')",
        f"model = yard.model('{model}')",
        "print(model['main'])",
        "print(model.diff(1, 2).summary())",
        "change = model.diff(1, 2).tensors[0]",
        "tensor = model['main'].tensor(change.name)    # one tensor, by range read",
        "change.name, tensor.shape, tensor.dtype",
        "yard.close()",
    )


def _weighed(story: Story, zoo: Zoo) -> None:
    story.title("On disk, against plain copies")
    story.say("Every byte is read back and checked:")
    story.yard("verify")
    story.say("And counted. 'as copies' is what a folder for each version would take:")
    story.yard("stats")


def _farewell(story: Story, seconds: float) -> None:
    yard = _short(story.folder / "yard")
    story.say(f"That was all, in {seconds:.0f} s. To look around:")
    look = ("list", "log vision/digits", "show vision/digits@champion", "stats")
    story.lines(*(f"yard --yard {yard} {words}" for words in look), "yard --help")


_CHAPTERS = (
    _begin, _published, _trained, _compared, _tuned, demo_measured.kept, demo_measured.chosen,
    demo_measured.understood, demo_improved.improved, demo_served.served, demo_watched.watched,
    _found, _pointed, _worked, _merged, _deleted, _scripted, _weighed,
)  # fmt: skip


def _write_card() -> None:
    card = "---\nlicense: mit\n---\n# Digits\nReads one digit of 8x8 pixels. 识别手写数字。"
    Path("README.md").write_text(card + "\n", encoding="utf-8")
    print(card, flush=True)  # noqa: T201 - what cat would show


def _train(story: Story, zoo: Zoo, model: str, variant: str, *more: str) -> None:
    kind = variant if variant.startswith("wine") else f"digits-{variant}"
    folder = story.folder / "models" / kind
    folder.mkdir(parents=True)
    story.commit(model, folder, zoo.trainer.train(variant, folder), *more)


# -- surroundings ------------------------------------------------------------------------------


def _claim(folder: Path) -> None:
    """Make the folder ours, and take away what an earlier telling left."""
    if folder.exists() and not (folder / MARK).exists() and any(folder.iterdir()):
        raise Conflict(
            "folder-not-empty", f"{folder} holds other things",
            hint="name a new folder: yard demo --dir PATH",
        )  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARK).touch()
    for name in ("yard", "models", "work"):
        shutil.rmtree(folder / name, ignore_errors=True)
    (folder / "models").mkdir()


@contextmanager
def _surroundings(folder: Path) -> Iterator[None]:
    """Work in the folder with its yard, as somebody called Ann, and put all back at the end."""
    place = Path.cwd()
    kept = dict(os.environ)
    os.environ |= {"YARD": str(folder / "yard"), "YARD_AUTHOR": "Ann Lee <ann@example.com>"}
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(place)
        os.environ.clear()
        os.environ.update(kept)


@contextmanager
def _inside(story: Story, name: str) -> Iterator[None]:
    place = Path.cwd()
    story.shell(f"cd {name}", lambda: os.chdir(name))
    yield
    story.shell("cd ..", lambda: os.chdir(place))


def _call(args: list[str]) -> int:
    from modelyard.cli.root import root

    try:
        root.main(args, prog_name="yard")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def _short(path: Path) -> str:
    """As seen from the working directory, if that is shorter."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _bold(text: str) -> str:
    plain = os.environ.get("NO_COLOR") or not sys.stdout.isatty()
    return text if plain else f"\x1b[1m{text}\x1b[0m"
