"""Serving a yard over HTTP: `yard up` for one machine, `yard server` for production."""

from __future__ import annotations

import gc
import platform
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from modelyard.cli.command import command
from modelyard.cli.evaluate import Bytes
from modelyard.cli.session import Session, pass_session
from modelyard.errors import Unsupported

if TYPE_CHECKING:
    from collections.abc import Iterable

    from modelyard.cli.text import Block
    from modelyard.server.run import Begun

__all__ = ["server_command", "up_command"]


_THIS_MACHINE = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class BegunView:
    """Where a server answers, and how to get in."""

    url: str
    token: str | None
    link: str | None

    def json(self) -> object:
        return {"url": self.url, "token": self.token, "link": self.link}

    def lines(self) -> Iterable[Block]:
        yield f"serving {self.url}"
        if self.token:
            yield f"token: {self.token}"
        if self.link:
            yield f"link: {self.link}"

    def ids(self) -> Iterable[str]:
        yield self.url
        if self.token:
            yield f"token: {self.token}"


_host = click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
_port = click.option(
    "--port", type=click.IntRange(0, 65535), default=8300, show_default=True,
    help="0 takes any that is free.",
)  # fmt: skip
_grpc_port = click.option(
    "--grpc-port", type=click.IntRange(1, 65535), help="Deployments answer gRPC there too."
)
_models_memory = click.option(
    "--models-memory", metavar="SIZE", type=Bytes(),
    help="Of all versions that are loaded: 2GiB; those asked the least sleep. Half the machine's.",
)  # fmt: skip
_no_accounts = click.option(
    "--no-accounts", is_flag=True, help="Ask nobody who they are; only for this machine."
)
_no_monitoring = click.option("--no-monitoring", is_flag=True, help="Do not watch deployments.")


@command("up", examples=["yard up", "yard up --port 0 --no-browser"], see=["server", "login"])
@_host
@_port
@_grpc_port
@_models_memory
@_no_accounts
@_no_monitoring
@click.option("--no-browser", is_flag=True, help="Open no browser.")
@pass_session
def up_command(
    session: Session,
    host: str,
    port: int,
    grpc_port: int | None,
    models_memory: int | None,
    no_accounts: bool,
    no_monitoring: bool,
    no_browser: bool,
) -> None:
    """Serve your yard on this machine.

    Takes the yard of --yard, $YARD or the folder above, else your own; it is made if it is not
    there. The first time, a token of the account 'admin' is shown, once. On a terminal there is a
    link to sign in with, once, and a browser opens it.
    """
    terminal = sys.stdout.isatty()
    told = _settings(
        host=host,
        port=port,
        grpc_port=grpc_port,
        models_memory=models_memory,
        accounts=not no_accounts,
        monitoring=not no_monitoring,
        logs="warnings",
    )

    def announce(begun: Begun) -> None:
        view = _view(begun)
        session.out.show(view)
        if begun.token:
            session.out.hint(f"keep the token: it is not shown again; yard login {begun.url}")
        if host not in _THIS_MACHINE:
            session.out.hint(
                f"others reach it as http://{platform.node()}:{begun.url.rpartition(':')[2]}, "
                "and all can read along: a proxy with https belongs in front"
            )
        if terminal and not no_browser and _has_browser(session):
            import webbrowser

            webbrowser.open(view.link or begun.url)

    link = "always" if terminal else "first"
    _serve(session, _folder(session), told, announce, link=link)


@command(
    "server",
    examples=[
        "yard server --yard /srv/yard --workers 4 --allow-host models.example.org",
        "yard server --host 0.0.0.0 --allow-host models.example.org --trust-proxy 10.0.0.0/24",
    ],
    see=["up", "login"],
)
@_host
@_port
@_grpc_port
@_models_memory
@click.option("--workers", type=click.IntRange(1, 64), default=1, help="Processes on this port.")
@click.option("--prefix", default="", metavar="PATH", help="Path that a proxy puts in front.")
@click.option("--url", metavar="URL", help="Address that people see, for links.")
@click.option("--allow-host", multiple=True, metavar="NAME", help="A Host to answer for; repeat.")
@click.option(
    "--trust-proxy", multiple=True, metavar="ADDRESS",
    help="A proxy, or a network of them, whose X-Forwarded-* is believed; repeat.",
)  # fmt: skip
@_no_accounts
@click.option("--stop-seconds", type=float, default=30.0, help="For what is under way at the end.")
@click.option(
    "--log", "logs", type=click.Choice(["json", "warnings"]), default="json",
    help="A line for each request, or only what went wrong.",
)  # fmt: skip
@click.option(
    "--patience", type=float, default=15.0, help="Seconds for a head, or a part of a body."
)
@click.option("--seconds", type=float, default=60.0, help="In which a request is answered.")
@click.option("--no-direct", is_flag=True, help="Give no URLs to read from the store itself.")
@click.option("--private-hooks", is_flag=True, help="Webhooks may go to private addresses.")
@_no_monitoring
@click.option(
    "--metric-names", multiple=True, type=click.Choice(["triton", "mlserver"]),
    help="Metrics by this server's names too; repeat.",
)  # fmt: skip
@pass_session
def server_command(
    session: Session,
    /,
    no_accounts: bool,
    no_direct: bool,
    no_monitoring: bool,
    allow_host: tuple[str, ...],
    trust_proxy: tuple[str, ...],
    metric_names: tuple[str, ...],
    **options: Any,
) -> None:
    """Serve a yard in production, behind a proxy.

    The proxy has the certificate. Writes one line of JSON for each request to stderr. SIGTERM lets
    requests and jobs end. Several servers may serve one yard, if its catalog and store are
    services. The first time, a token of the account 'admin' is shown, once.
    """
    told = _settings(
        accounts=not no_accounts, direct=not no_direct, hosts=allow_host, proxies=trust_proxy,
        monitoring=not no_monitoring, metric_aliases=metric_names, **options,
    )  # fmt: skip
    _serve(session, _folder(session), told, lambda begun: session.out.show(_view(begun)))


def _settings(**told: Any) -> Any:
    try:
        from modelyard.server.settings import Settings
    except ImportError as error:  # pragma: no cover
        raise _no_extra() from error
    return Settings(**told)


def _serve(
    session: Session, folder: Path, settings: Any, announce: Any, *, link: Any = "never"
) -> None:
    gc.disable()  # nothing that is loaded goes again; the server enables it when it is ready
    try:
        import fastapi  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise _no_extra() from error
    from dataclasses import replace

    from modelyard.monitoring.export.otlp_settings import OtlpSettings
    from modelyard.server.oidc_settings import read_oidc
    from modelyard.server.run import serve
    from modelyard.serving.engines.ray_settings import RaySettings

    ray = RaySettings.read(session.environment, opener="modelyard.client.places:open_place")
    settings = replace(
        settings, oidc=read_oidc(session.environment), ray=ray,
        otlp=OtlpSettings.read(session.environment),
    )  # fmt: skip
    serve(folder, settings, author=session.author(), announce=announce, link=link)


def _view(begun: Begun) -> BegunView:
    link = f"{begun.url}/login?code={begun.code}" if begun.code else None
    return BegunView(begun.url, begun.token, link)


def _folder(session: Session) -> Path:
    """Of the yard to serve, made if it is not there yet."""
    from modelyard import registry
    from modelyard.config import choose_yard
    from modelyard.registry.local import LocalYard

    choice = choose_yard(session.yard_option, environment=session.environment, cwd=session.cwd)
    if "://" in choice.url:
        whence = "$YARD" if choice.source == "environment" else "--yard"
        raise Unsupported(
            "only-local",
            f"a server serves a yard's folder, and {whence} is {choice.url[:120]}",
            hint="name the folder: yard --yard FOLDER up; your own is served if YARD is not set",
        )
    folder = Path(choice.url)
    if choice.source != "folder" and LocalYard.can_begin(folder):
        registry.create(folder, author=session.author()).close()
        session.out.say(f"made a yard in {folder}")
    return folder


def _has_browser(session: Session) -> bool:
    """Not on a machine that is only reached by ssh."""
    seen = session.environment
    return sys.platform == "darwin" or bool(seen.get("DISPLAY") or seen.get("WAYLAND_DISPLAY"))


def _no_extra() -> Unsupported:
    return Unsupported(
        "no-extra", "the server is not installed", hint="pip install 'modelyard[server]'"
    )
