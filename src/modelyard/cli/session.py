"""One call of `yard`: what its global options say, its output, and its yard, opened when needed."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import click

from modelyard.cli.output import Output

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from modelyard.client.remote import RemoteYard
    from modelyard.config import YardChoice
    from modelyard.core.yard import Yard
    from modelyard.registry.checkout import Checkout
    from modelyard.registry.local import LocalYard

__all__ = ["Session", "pass_session"]

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(slots=True)
class Session:
    """State of one call; every command is given it."""

    out: Output = field(default_factory=Output)
    yard_option: str | None = None
    debug: bool = False
    _yard: Yard | None = None

    @property
    def environment(self) -> Mapping[str, str]:
        return os.environ

    @property
    def cwd(self) -> Path:
        return Path.cwd()

    def yard(self) -> Yard:
        """The yard to look at. NotFound `no-yard` if there is none yet."""
        return self._open(self._choice())

    def yard_url(self) -> str:
        """Which yard that is: a folder, or a server's URL. Nothing is opened."""
        return self._choice().url

    def local_yard(self) -> LocalYard:
        """The yard, if it is a folder of this machine. Unsupported: `only-local`."""
        from modelyard.errors import Unsupported
        from modelyard.registry.local import LocalYard

        yard = self.yard()
        if not isinstance(yard, LocalYard):
            raise Unsupported("only-local", "this is done where the yard's folder is")
        return yard

    def yard_to_fill(self) -> Yard:
        """The yard to commit to: the user's own is made if it is not there yet."""
        choice = self._choice()
        if choice.source == "default" and not Path(choice.url).exists():
            from modelyard import registry

            registry.create(choice.url, author=self.author()).close()
            self.out.say(f"made your yard in {choice.url}")
        return self._open(choice)

    def yard_of(self, checkout: Checkout) -> Yard:
        """The yard that a checkout came from; only `--yard` says otherwise, if it has moved."""
        from modelyard.config import YardChoice, choose_yard

        if self.yard_option:
            return self._open(
                choose_yard(self.yard_option, environment=self.environment, cwd=self.cwd)
            )
        return self._open(YardChoice(checkout.yard_url, "checkout"))

    @contextmanager
    def yard_at(self, place: str) -> Iterator[Yard]:
        """A yard that is named beside the one of `--yard`, open as long as it takes."""
        from modelyard import registry

        if "://" in place:
            with self._remote(place) as yard:
                yield yard
            return
        folder = self.cwd / Path(place).expanduser()
        with registry.open_yard(folder, author=self.author()) as local:
            yield local

    def checkout(self) -> Checkout:
        """The checkout around the working directory. NotFound `no-checkout` outside of one."""
        from modelyard.registry.checkout import open_checkout

        return open_checkout(self.cwd)

    def author(self) -> str:
        from modelyard.config import default_author

        return default_author(self.environment)

    def close(self) -> None:
        if self._yard is not None:
            self._yard.close()
            self._yard = None

    def _choice(self) -> YardChoice:
        from modelyard.config import choose_yard

        return choose_yard(
            self.yard_option,
            environment=self.environment,
            cwd=self.cwd,
            checkout=self._remembered,
        )

    def _remembered(self) -> str | None:
        from modelyard.errors import NotFound

        try:
            return self.checkout().yard_url
        except NotFound:
            return None

    def _open(self, choice: YardChoice) -> Yard:
        from modelyard import registry
        from modelyard.errors import NotFound

        if "://" in choice.url:
            if self._yard is None:
                self._yard = self._remote(choice.url)
            return self._yard
        if choice.source == "default" and not Path(choice.url).exists():
            raise NotFound(
                "no-yard",
                "there is no yard here yet",
                hint=f"'yard commit MODEL PATH -m MSG' makes your own in {choice.url}, "
                "'yard init FOLDER' one elsewhere",
            )
        if self._yard is None:
            self._yard = registry.open_yard(choice.url, author=self.author())
        return self._yard

    def _remote(self, url: str) -> RemoteYard:
        """The yard of a server. Unsupported: `no-remote` for the URL of anything else."""
        from modelyard.client.addresses import is_address
        from modelyard.client.remote import RemoteYard
        from modelyard.errors import Unsupported

        if not is_address(url):
            raise Unsupported(
                "no-remote",
                f"{url}: only folders and servers can be opened",
                hint="yard init FOLDER --store URL makes one for a store",
            )
        author = self.environment.get("YARD_AUTHOR")
        return RemoteYard.at(url, author=author, environment=self.environment)


def pass_session(
    function: Callable[Concatenate[Session, P], R],
) -> Callable[P, R]:
    """Give a command's function the session as its first argument."""
    decorated: Any = click.make_pass_decorator(Session, ensure=True)(function)
    return decorated  # type: ignore[no-any-return]
