"""What every theme of the suite stands on: a clean yard, a desk to work at, and refusals."""

from __future__ import annotations

import re
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import pytest

from modelyard.errors import ModelyardError, Unsupported
from modelyard.testing.models import Tensors, read_tree, safetensors_bytes, write_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from modelyard.core.stats import VerifyReport
    from modelyard.core.version import Committed
    from modelyard.core.yard import Yard

__all__ = ["Desk", "YardCase", "attempt", "refused", "verified_anew"]

Error = TypeVar("Error", bound=ModelyardError)
Result = TypeVar("Result")
Given = ParamSpec("Given")


class YardCase:
    """Base of the themes. After each test the whole yard is read and must be whole."""

    @pytest.fixture
    def yard(self) -> Iterator[Yard]:
        """A new, empty yard: give your own."""
        raise NotImplementedError("subclass the suite with a `yard` fixture")

    @pytest.fixture
    def desk(self, yard: Yard, tmp_path: Path) -> Desk:
        return Desk(yard, tmp_path / "desk")

    @pytest.fixture(autouse=True)
    def _whole_afterwards(self, yard: Yard) -> Iterator[None]:
        yield
        report = yard.verify()
        assert report.ok, report.damage


class Desk:
    """Commits contents given as values, each from a new folder, and reads versions back."""

    def __init__(self, yard: Yard, root: Path) -> None:
        self.yard = yard
        self.root = root
        self._folders = count()

    def folder(self) -> Path:
        """A path where nothing is yet."""
        self.root.mkdir(parents=True, exist_ok=True)
        return self.root / str(next(self._folders))

    def commit(
        self,
        content: Mapping[str, bytes] | bytes = b"weights",
        model: str = "m",
        **rest: Any,
    ) -> Committed:
        """Commit a folder of these files, or bytes as the file `model.bin`."""
        files = {"model.bin": content} if isinstance(content, bytes) else content
        return self.yard.commit(model, write_tree(self.folder(), files), **rest)

    def commit_tensors(
        self, tensors: Tensors, model: str = "m", **rest: Any
    ) -> Committed:  # fmt: skip
        """Commit tensors as `model.safetensors`."""
        return self.commit({"model.safetensors": safetensors_bytes(tensors)}, model, **rest)

    def read(self, revision: str | int | None = None, model: str = "m") -> dict[str, bytes]:
        """All files of a version, by way of a checkout."""
        dest = self.folder()
        self.yard.checkout(model, revision, dest)
        return read_tree(dest)

    def numbers(self, model: str = "m", revision: str | int | None = None) -> list[int]:
        """Numbers of the log, newest first."""
        return [version.number for version in self.yard.log(model, revision)]

    def refs(self, model: str = "m") -> dict[str, tuple[str, int]]:
        """Kind and number by name."""
        return {ref.name: (ref.kind, ref.number) for ref in self.yard.refs(model)}


@contextmanager
def refused(
    cls: type[Error], kind: str | None = None, *, hint: bool = False
) -> Iterator[pytest.ExceptionInfo[Error]]:
    """The block raises `cls`, of this kind, and says why in a sentence a person can use."""
    with pytest.raises(cls) as caught:
        yield caught
    error = caught.value
    assert re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", error.kind), "a kind is a stable word"
    assert kind is None or error.kind == kind
    assert error.message.strip(), "an error has a sentence"
    assert len(error.message) < 2000
    assert error.hint is None or error.hint.strip()
    assert error.hint or not hint, "this error should say what to try next"


def verified_anew(yard: Yard) -> VerifyReport:
    """Read everything with a catalog that was made again; with the old one where that can't be."""
    try:
        return yard.verify(rebuild=True)
    except Unsupported as error:
        if error.kind != "only-local":
            raise
        return yard.verify()


def attempt(
    cls: type[Error], call: Callable[Given, Result], *args: Given.args, **rest: Given.kwargs
) -> Result | Error:
    """What the call gives, or the error that it raises: for what may be refused or not."""
    try:
        return call(*args, **rest)
    except cls as error:
        return error
