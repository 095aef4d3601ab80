"""all-MiniLM-L6-v2 in numpy: reading text, and training its last layer by gradient descent.

The task is small and real: a question about a yard should find the command that answers it. It is
trained on the sentences of each command's help, and on one question for each command.
"""

from __future__ import annotations

import json
import re
import shutil
import unicodedata
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.cli.command import GlobalOption
from modelyard.cli.demo_zoo import Trained
from modelyard.cli.root import COMMANDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    Array = np.ndarray[Any, Any]

__all__ = ["MiniLM"]

HEADS = 12
LAST = "encoder.layer.5.output."
TRAINED = (LAST + "dense.weight", LAST + "dense.bias")
SHARPNESS = 10.0
STEPS = 10
RATE = 3e-4
LONGEST = 40

QUESTIONS = {
    "init": ("begin with an empty place for my models", "set up a new registry in this directory"),
    "commit": ("save my trained network", "upload a new model"),
    "checkout": ("download the model to my disk", "get the weights of an older release as files"),
    "status": ("did I modify anything here", "which files are different from what I fetched"),
    "pull": ("update my copy to the newest one", "switch this directory to a newer release"),
    "list": ("which models do we have", "overview of everything in the registry"),
    "search": ("find networks with accuracy above ninety percent", "look for a model about speech"),
    "show": ("what layers does this network have", "details of a single model"),
    "log": ("who changed the model and when", "timeline of all releases"),
    "diff": ("how do these two networks differ", "which layers moved during fine-tuning"),
    "cat": ("print the config file", "look at one file without downloading everything"),
    "label": ("attach a key and value to a model", "mark a network as approved"),
    "branch": ("try an experiment apart from the main line", "start a parallel line of work"),
    "tag": ("give a release a fixed name", "freeze a name for the published one"),
    "alias": ("point production at another release", "choose the champion"),
    "rollback": ("the new one is bad, go back to the one before", "undo the last deployment"),
    "revert": ("publish the old weights again", "bring the content of last week's model back"),
    "merge": ("join my experiment with the main line", "combine two lines of work"),
    "rename": ("the model needs a better title", "call it something else"),
    "delete": ("remove a model", "throw this one away"),
    "restore": ("I removed it by mistake, get it back", "undelete"),
    "gc": ("free disk space", "clean up what is no longer used"),
    "verify": ("check that nothing is corrupted", "is my data intact"),
    "stats": ("how much disk space do my models take", "how large is the registry"),
}
"""For each command a question to train on, and one that is held out."""


class MiniLM:
    """The encoder of the demo, from its PyPI package."""

    model = "text/minilm"
    about = (
        "all-MiniLM-L6-v2, 22.7 million parameters, as it comes in a PyPI package. Its last layer "
        "is trained, on the help of yard, to find the command that answers a question. 'top3' is "
        "how often the right one is among the first three, for questions it was not trained on."
    )
    labels: tuple[str, ...] = ("task=sentence-similarity", "任务=文本向量")

    def __init__(self, source: Path) -> None:
        self.source = source

    def base(self, folder: Path) -> Trained:
        shutil.copytree(self.source, folder)
        task = Task.read(folder)
        return Trained("as published", {"top3": task.score(task.weights)})

    def tune(self, base: Path, folder: Path) -> Trained:
        shutil.copytree(base, folder)
        task = Task.read(folder)
        weights = task.train(steps=STEPS, rate=RATE)
        _overwrite(folder / "model.safetensors", dict(zip(TRAINED, weights, strict=True)))
        params = {"steps": STEPS, "rate": RATE, "optimizer": "adam"}
        return Trained("last layer tuned on our help", {"top3": task.score(weights)}, params)

    def again(self, tuned: Path, folder: Path) -> Trained:
        shutil.copytree(tuned, folder, ignore=shutil.ignore_patterns("*.safetensors"))
        np.savez(folder / "model.npz", allow_pickle=False, **_read(tuned / "model.safetensors"))
        return Trained("the same as npz")


@dataclass(frozen=True, slots=True)
class Texts:
    """Texts, computed up to what is trained."""

    inner: Array
    around: Array
    mask: Array


@dataclass(frozen=True, slots=True)
class Task:
    """Questions and commands as the layers below the trained one see them."""

    train_on: Texts
    answers: Array
    held_out: Texts
    commands: Texts
    weights: tuple[Array, Array]
    norm: tuple[Array, Array]

    @classmethod
    def read(cls, folder: Path) -> Task:
        tensors = _read(folder / "model.safetensors")
        words = {w: i for i, w in enumerate((folder / "vocab.txt").read_text("utf-8").split("\n"))}

        def below(texts: Sequence[str]) -> Texts:
            return _below(tensors, [_tokens(text, words)[:LONGEST] for text in texts])

        pairs = [
            (number, text)
            for number, (name, asked) in enumerate(QUESTIONS.items())
            for text in [*_help(name), asked[0]]
        ]
        return cls(
            below([text for _, text in pairs]),
            np.array([number for number, _ in pairs]),
            below([asked[1] for asked in QUESTIONS.values()]),
            below([f"{name}: {COMMANDS[name].help}" for name in QUESTIONS]),
            (tensors[TRAINED[0]], tensors[TRAINED[1]]),
            (tensors[LAST + "LayerNorm.weight"], tensors[LAST + "LayerNorm.bias"]),
        )

    def score(self, weights: tuple[Array, Array]) -> float:
        """How often the right command is among the first three, for held-out questions."""
        asked, _ = self._embed(self.held_out, weights)
        commands, _ = self._embed(self.commands, weights)
        close = asked @ commands.T
        return float(np.mean((close > np.diag(close)[:, None]).sum(1) < 3))

    def train(self, *, steps: int, rate: float) -> tuple[Array, Array]:
        """Adam on the cross entropy of the right command among all."""
        weights = self.weights[0].copy(), self.weights[1].copy()
        first = [np.zeros_like(w) for w in weights]
        second = [np.zeros_like(w) for w in weights]
        for step in range(1, steps + 1):
            for i, slope in enumerate(self._slopes(weights)):
                first[i] = 0.9 * first[i] + 0.1 * slope
                second[i] = 0.999 * second[i] + 0.001 * slope**2
                size = np.sqrt(second[i] / (1 - 0.999**step)) + 1e-8
                weights[i][...] -= rate * first[i] / (1 - 0.9**step) / size
        return weights

    def _slopes(self, weights: tuple[Array, ...]) -> list[Array]:
        asked, back_asked = self._embed(self.train_on, weights)
        commands, back_commands = self._embed(self.commands, weights)
        error = _softmax(SHARPNESS * asked @ commands.T)
        error -= np.eye(len(commands), dtype=np.float32)[self.answers]
        error *= SHARPNESS / len(asked)
        ours, theirs = back_asked(error @ commands), back_commands(error.T @ asked)
        return [a + b for a, b in zip(ours, theirs, strict=True)]

    def _embed(self, texts: Texts, weights: tuple[Array, ...]) -> tuple[Array, Any]:
        """Unit vectors of texts, and how slopes go back from them to the weights."""
        gain, shift = self.norm
        summed = texts.inner @ weights[0].T + weights[1] + texts.around
        centred = summed - summed.mean(-1, keepdims=True)
        spread = np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-12)
        level = centred / spread
        share = (texts.mask / texts.mask.sum(1, keepdims=True))[:, :, None]
        pooled = ((level * gain + shift) * share).sum(1)
        length = np.linalg.norm(pooled, axis=1, keepdims=True)
        unit = pooled / length

        def back(slope: Array) -> tuple[Array, Array]:
            slope = (slope - unit * (slope * unit).sum(1, keepdims=True)) / length
            wide = slope[:, None, :] * share * gain
            along = level * (wide * level).mean(-1, keepdims=True)
            wide = wide - wide.mean(-1, keepdims=True) - along
            wide = (wide / spread).reshape(-1, wide.shape[-1])
            return wide.T @ texts.inner.reshape(len(wide), -1), wide.sum(0)

        return unit, back


def _below(tensors: Mapping[str, Array], tokens: Sequence[Sequence[int]]) -> Texts:
    """BERT up to the feed-forward layer whose output is trained."""
    longest = max(map(len, tokens))
    ids = np.array([[*line, *[0] * (longest - len(line))] for line in tokens])
    mask = (np.arange(longest) < np.array([[len(line)] for line in tokens])).astype(np.float32)
    place = "embeddings."
    state = tensors[place + "word_embeddings.weight"][ids]
    state = state + tensors[place + "position_embeddings.weight"][:longest]
    state = state + tensors[place + "token_type_embeddings.weight"][0]
    state = _norm(tensors, place + "LayerNorm", state)
    for index in range(6):
        layer = f"encoder.layer.{index}."
        mixed = _attend(tensors, layer + "attention.", state, mask)
        around = _norm(tensors, layer + "attention.output.LayerNorm", state + mixed)
        inner = _gelu(_dense(tensors, layer + "intermediate.dense", around))
        if index < 5:
            state = around + _dense(tensors, layer + "output.dense", inner)
            state = _norm(tensors, layer + "output.LayerNorm", state)
    return Texts(inner, around, mask)


def _attend(tensors: Mapping[str, Array], layer: str, state: Array, mask: Array) -> Array:
    count, length, width = state.shape

    def split(name: str) -> Array:
        made = _dense(tensors, f"{layer}self.{name}", state)
        return made.reshape(count, length, HEADS, -1).transpose(0, 2, 1, 3)

    query, key, value = split("query"), split("key"), split("value")
    close = query @ key.transpose(0, 1, 3, 2) / np.sqrt(width / HEADS)
    close = _softmax(close + (mask[:, None, None, :] - 1) * 1e9)
    joined = (close @ value).transpose(0, 2, 1, 3).reshape(count, length, width)
    return _dense(tensors, layer + "output.dense", joined)


def _dense(tensors: Mapping[str, Array], name: str, state: Array) -> Array:
    result: Array = state @ tensors[name + ".weight"].T + tensors[name + ".bias"]
    return result


def _norm(tensors: Mapping[str, Array], name: str, state: Array) -> Array:
    centred = state - state.mean(-1, keepdims=True)
    level = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-12)
    result: Array = level * tensors[name + ".weight"] + tensors[name + ".bias"]
    return result


def _gelu(values: Array) -> Array:
    result: Array = values * 0.5 * (1 + _erf(values / np.sqrt(2)))
    return result


def _erf(values: Array) -> Array:
    """Abramowitz and Stegun 7.1.26: right to 1.5e-7."""
    t = 1 / (1 + 0.3275911 * np.abs(values))
    series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741
             + t * (-1.453152027 + t * 1.061405429))))  # fmt: skip
    result: Array = np.sign(values) * (1 - series * np.exp(-(values**2)))
    return result


def _softmax(values: Array) -> Array:
    powers = np.exp(values - values.max(-1, keepdims=True))
    result: Array = powers / powers.sum(-1, keepdims=True)
    return result


def _help(name: str) -> list[str]:
    """The sentences that tell what a command and its options do, but for the one in the list."""
    command = getattr(import_module(f"modelyard.cli.{COMMANDS[name].module}"), f"{name}_command")
    sentences = re.split(r"(?<=[.;:])\s+", " ".join(command.help.split()))[1:]
    options = [p.help for p in command.params if not isinstance(p, GlobalOption)]
    return [text for text in [*sentences, *options] if text and len(text) > 12]


def _tokens(text: str, words: Mapping[str, int]) -> list[int]:
    """WordPiece: the longest known beginnings of each word."""
    plain = unicodedata.normalize("NFD", text.lower())
    spaced = "".join(c if c.isalnum() else f" {c} " for c in plain if not unicodedata.combining(c))
    ids = [words["[CLS]"]]
    for word in spaced.split():
        start = 0
        while start < len(word):
            mark = "##" if start else ""
            ends = range(len(word), start, -1)
            end = next((e for e in ends if mark + word[start:e] in words), None)
            if end is None:
                ids.append(words["[UNK]"])
                break
            ids.append(words[mark + word[start:end]])
            start = end
    return [*ids, words["[SEP]"]]


def _places(path: Path) -> dict[str, tuple[int, int, list[int], str]]:
    """Where each tensor of a safetensors file lies: start, end, shape, dtype."""
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(size))
    return {
        name: (8 + size + entry["data_offsets"][0], 8 + size + entry["data_offsets"][1],
               entry["shape"], entry["dtype"])
        for name, entry in header.items() if name != "__metadata__"
    }  # fmt: skip


def _read(path: Path) -> dict[str, Array]:
    content = path.read_bytes()
    kinds = {"F32": "<f4", "I64": "<i8"}
    return {
        name: np.frombuffer(content[start:end], kinds[dtype]).reshape(shape)
        for name, (start, end, shape, dtype) in _places(path).items()
    }


def _overwrite(path: Path, tensors: Mapping[str, Array]) -> None:
    """Put new values into a safetensors file, in place of those that were there."""
    places = _places(path)
    with path.open("r+b") as file:
        for name, values in tensors.items():
            file.seek(places[name][0])
            file.write(np.ascontiguousarray(values, "<f4").tobytes())
