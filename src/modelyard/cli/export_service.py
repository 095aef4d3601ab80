"""A deployment or a version, for containers and Kubernetes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

import click

from modelyard.cli.command import command
from modelyard.cli.session import Session, pass_session
from modelyard.errors import Conflict, InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from modelyard.cli.text import Block
    from modelyard.core.deployment import DeploymentSpec
    from modelyard.core.yard import Yard

__all__ = ["export_service_command"]


@dataclass(frozen=True, slots=True)
class WrittenView:
    """What was written."""

    folder: str
    files: Sequence[str]
    versions: Sequence[str]

    def json(self) -> object:
        return {
            "folder": self.folder, "files": list(self.files), "versions": list(self.versions),
        }  # fmt: skip

    def lines(self) -> Iterable[Block]:
        yield f"wrote {len(self.files)} files for {', '.join(self.versions)} into {self.folder}"
        for file in self.files:
            yield f"  {file}"

    def ids(self) -> Iterable[str]:
        yield self.folder


@command(
    "export-service",
    examples=[
        "yard export-service fraud --to docker fraud-container",
        "yard export-service vision/digits@prod --to docker digits",
        "yard export-service fraud --to kserve k8s --server https://models.example.org",
    ],
    see=["deploy", "serve", "export"],
)
@click.argument("target", metavar="NAME|MODEL@REV", help="A deployment, or a version.")
@click.argument(
    "folder", type=click.Path(path_type=Path), metavar="DIR", help="A new folder to write into."
)
@click.option(
    "--to", "kind", type=click.Choice(["docker", "kserve"]), required=True, help="For whom."
)
@click.option("--server", metavar="URL", help="The yard's server as the cluster reaches it.")
@click.option(
    "--image", default="modelyard", show_default=True, help="The container image that KServe runs."
)
@pass_session
def export_service_command(
    session: Session,
    target: str,
    folder: Path,
    kind: Literal["docker", "kserve"],
    server: str | None,
    image: str,
) -> None:
    """Write a container, or manifests for KServe, of a service.

    'docker' writes a Dockerfile, the versions themselves and a compose file: the container knows
    no yard. 'kserve' writes manifests whose pods fetch the version from the yard's server. No
    secret is written. Of a deployment, the stable version and canaries go along, no shadows.
    """
    from modelyard.serving.export import container_files, container_tars, kserve_files, plan_of

    yard = session.yard()
    plan = plan_of(yard, _spec(yard, target))
    place = session.cwd / folder.expanduser()
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise Conflict("folder-not-empty", f"{folder} is there already", hint="name a new folder")
    tars: list[str] = []
    if kind == "kserve":
        files = kserve_files(plan, server=_server(session, server), image=_image(image))
    else:
        files = container_files(plan)
        tars = container_tars(plan)
    place.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (place / name).write_text(text, encoding="utf-8")
    for name, part in zip(tars, plan.parts, strict=False):
        (place / name).parent.mkdir(exist_ok=True)
        yard.export(part.model, part.number, place / name)
    versions = [part.source for part in plan.parts]
    session.out.show(WrittenView(str(folder), [*files, *tars], versions))
    if kind == "docker":
        session.out.hint(f"openssl rand -hex 24 > {folder}/token, then: docker compose up -d")
    else:
        session.out.hint(f"kubectl apply -f {folder}/1-runtime.yaml -f {folder}/2-service.yaml")


def _spec(yard: Yard, target: str) -> DeploymentSpec:
    """Of a deployment by its name; or of a version, as `yard serve` would have it."""
    from modelyard.cli.params import revision_of
    from modelyard.core.deployment import DeploymentSpec, Share
    from modelyard.core.names import ModelRevision

    if "@" not in target and "/" not in target:
        return yard.deployments.get(target).spec
    parsed = ModelRevision.parse(target)
    version = yard.resolve(parsed.model.text, revision_of(parsed))
    name = re.sub(r"[^a-z0-9._-]+", "-", version.model.rpartition("/")[2].lower()).strip("-._")
    share = Share(
        model=version.model, revision=str(version.number), number=version.number,
        commit=version.commit,
    )  # fmt: skip
    return DeploymentSpec(name=name[:63] or "model", shares=(share,))


def _server(session: Session, told: str | None) -> str:
    url = told or session.yard_url()
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidInput(
            "bad-url", "pods fetch their version from a server", hint="--server https://HOST"
        )
    if parts.username or parts.password or parts.query or parts.fragment:
        raise InvalidInput("secret-in-url", "the server's URL must hold nothing but its address")
    return url.rstrip("/")


def _image(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._/:@-]{0,255}", name, re.ASCII):
        raise InvalidInput("bad-image", f"{name[:80]!r} names no image")
    return name
