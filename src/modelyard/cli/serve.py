"""Serving versions by themselves: `yard serve`."""

from __future__ import annotations

import gc
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from modelyard.cli.command import command
from modelyard.cli.params import TARGET, revision_of
from modelyard.cli.session import Session, pass_session
from modelyard.errors import Unsupported

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from modelyard.cli.text import Block
    from modelyard.core.names import ModelRevision
    from modelyard.registry.desk import Desk
    from modelyard.server.alone import Begun

__all__ = ["serve_command"]


@dataclass(frozen=True, slots=True)
class ServedView:
    """Where versions answer."""

    url: str
    grpc: str | None
    token: str | None
    models: Mapping[str, Sequence[str]]

    def json(self) -> object:
        models = {name: list(versions) for name, versions in self.models.items()}
        return {"url": self.url, "grpc": self.grpc, "token": self.token, "models": models}

    def lines(self) -> Iterable[Block]:
        yield f"serving {self.url}"
        if self.grpc:
            yield f"grpc: {self.grpc}"
        if self.token:
            yield f"token: {self.token}"
        for name, versions in self.models.items():
            yield f"  {name}: version {', '.join(versions)}"

    def ids(self) -> Iterable[str]:
        yield self.url


@command(
    "serve",
    examples=[
        "yard serve digits@prod --open",
        "yard serve vision/resnet@12 vision/resnet@11 digits --port 9000 --grpc-port 9001",
    ],
    see=["deploy", "predict", "up"],
)
@click.argument(
    "targets",
    metavar="MODEL[@REV]...",
    type=TARGET,
    nargs=-1,
    required=True,
    help="Default of REV: main.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8301, show_default=True,
    help="0 takes any that is free.",
)  # fmt: skip
@click.option("--grpc-port", type=click.IntRange(0, 65535), help="Speak gRPC too, on this port.")
@click.option(
    "--name", metavar="TEXT", help="What the protocol calls this server; some clients look for it."
)
@click.option(
    "--as", "called", metavar="NAME", help="Of the model in the protocol, if there is only one."
)
@click.option(
    "--token-file", type=click.Path(path_type=Path),
    help="Only who shows the token in this file may ask, and no account: for containers.",
)  # fmt: skip
@click.option("--open", "is_open", is_flag=True, help="Ask for no token; only for this machine.")
@click.option(
    "--trust", multiple=True, metavar="NAME",
    help="A name that loading may import, or '*' for all; repeat.",
)  # fmt: skip
@click.option(
    "--threads", type=click.IntRange(1, 256), default=1, help="Of the library, for one request."
)
@click.option("--replicas", type=click.IntRange(1, 256), default=1, help="Workers of each version.")
@click.option(
    "--placement", type=click.Choice(["auto", "inline", "process", "environment"]),
    default="auto", help="Where versions run.",
)  # fmt: skip
@click.option("--allow-host", multiple=True, metavar="NAME", help="A Host to answer for; repeat.")
@pass_session
def serve_command(
    session: Session,
    /,
    targets: tuple[ModelRevision, ...],
    host: str,
    port: int,
    grpc_port: int | None,
    name: str | None,
    called: str | None,
    token_file: Path | None,
    is_open: bool,
    trust: tuple[str, ...],
    threads: int,
    replicas: int,
    placement: str,
    allow_host: tuple[str, ...],
) -> None:
    """Serve some versions by themselves, without pages and API.

    They speak the Open Inference Protocol, each by the last part of its model's name. Of several
    versions of a model, the first answers where a request names none. What is to be followed,
    rolled out or rolled back is better deployed: yard deploy.
    """
    gc.disable()  # nothing that is loaded goes again; the server enables it when it is ready
    try:
        from modelyard.server import alone
        from modelyard.server.settings import Settings
    except ImportError as error:  # pragma: no cover
        raise Unsupported(
            "no-extra", "the server is not installed", hint="pip install 'modelyard[server]'"
        ) from error
    from modelyard.core.deployment import Limits
    from modelyard.registry.local import LocalYard

    settings = Settings(
        host=host, port=port, accounts=not is_open, hosts=allow_host, logs="warnings"
    )
    settings.check()
    yard = session.yard()
    desk: Desk = getattr(yard, "desk")  # noqa: B009 - yards of both kinds have one
    versions = [yard.resolve(each.model.text, revision_of(each)) for each in targets]
    wished = alone.wished_for(
        versions, called=called, trusted=trust, replicas=replicas, placement=placement,
        limits=Limits(threads=threads),
    )  # fmt: skip
    if token_file is not None and is_open:
        raise click.UsageError("--open asks for no token, and --token-file for one")
    house, token, shown = None, None, None
    if token_file is not None:
        from modelyard.serving.token_gate import read_token

        shown = read_token(session.cwd / token_file.expanduser())
    elif not is_open:
        if not isinstance(yard, LocalYard):
            raise Unsupported(
                "only-local", "who may ask is known where the yard's folder is",
                hint="--open lets everybody on this machine ask, --token-file who has the token",
            )  # fmt: skip
        from modelyard.registry.access import first_account

        house, token = yard.house, first_account(yard.house)

    def announce(begun: Begun) -> None:
        session.out.show(ServedView(begun.url, begun.grpc, token, begun.models))

    alone.serve_alone(
        desk,
        wished,
        settings,
        house=house,
        token=shown,
        grpc_port=grpc_port,
        name=name,
        announce=announce,
    )
