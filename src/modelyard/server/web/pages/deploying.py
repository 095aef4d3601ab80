"""The form that deploys a version, or changes what is deployed."""

from __future__ import annotations

import re
from dataclasses import dataclass

from modelyard.core.deployment import DeploymentSpec, Share, check_name
from modelyard.core.names import ModelRevision
from modelyard.core.version import RefInfo
from modelyard.errors import Conflict, InvalidInput, NotFound
from modelyard.registry import refs
from modelyard.registry.access import known_name
from modelyard.server.routing import SIGNED_IN
from modelyard.server.state import Ask
from modelyard.server.web.acts import Acts, Done, Form
from modelyard.server.web.here import Undo, language_of
from modelyard.server.web.places import deployment_page
from modelyard.server.web.twins import Pages
from modelyard.server.web.wishes import spec_of

__all__ = ["acts", "pages"]

pages = Pages("deploying")
acts = Acts("deploying")

_REFS = 100


@dataclass(frozen=True, slots=True)
class DeployPage:
    """A form, filled with what is deployed or what is proposed."""

    name: str
    version: str
    """`MODEL@REV` that gets the traffic; empty if nothing was chosen."""
    spec: DeploymentSpec | None
    """What is deployed under the name; None for a new one."""
    generation: int
    """Of what the form was filled with; 0 for a new one."""
    canaries: tuple[Share, ...]
    shadows: tuple[Share, ...]
    model: str
    """Whose versions are offered; empty if none was chosen."""
    number: int | None
    """The version that was chosen on its page."""
    refs: tuple[RefInfo, ...]
    """Its aliases and branches, which can be followed."""


@pages.page("/deploy", "deploy.html", needs=SIGNED_IN)
def show_deploy(ask: Ask, *, name: str = "", version: str = "") -> DeployPage:
    """Deploy a version, or change a deployment by its name."""
    spec, generation = None, 0
    if name:
        found = ask.yard.deployments.get(name)
        spec, generation = found.spec, found.generation
        version = version or spec.stable.source
    model, number, offered = _offered(ask, version)
    return DeployPage(
        name=name or _proposed(ask, model), version=version, spec=spec, generation=generation,
        canaries=spec.canaries if spec else (), shadows=spec.shadows if spec else (),
        model=model, number=number, refs=offered,
    )  # fmt: skip


@acts.act("/deploy", needs=SIGNED_IN)
def deploy(ask: Ask, form: Form) -> Done:
    """Deploy; the use case looks who may, and that nobody else was first."""
    name, words = check_name(form.one("name")), language_of(ask.request)
    shown = _generation(form)
    try:
        before = ask.yard.deployments.get(name)
    except NotFound as error:
        if error.kind != "no-deployment":
            raise
        before = None
    if before is not None and not shown:
        raise Conflict(
            "deployment-changed", f"there is a deployment named {name} already",
            hint="change that one, or choose another name",
        )  # fmt: skip
    spec = spec_of(form, before.spec if before else None)
    made = ask.yard.deployments.apply(spec, generation=shown)
    if before is None:
        text = words.say("%(name)s is deployed. It answers as soon as it is loaded.", name=name)
        undo = Undo(f"/do/deployments/undeploy/{name}", {"sure": name})
    elif made.generation == before.generation:
        text, undo = words.say("%(name)s is as it was.", name=name), None
    else:
        text = words.say("%(name)s is changed.", name=name)
        fields = {"to": str(before.generation), "generation": str(made.generation)}
        undo = Undo(f"/do/deployments/rollback/{name}", fields)
    return Done(deployment_page(name), text, undo)


def _generation(form: Form) -> int:
    """What the form was filled with; 0 is for a new one."""
    text = form.one("generation") or "0"
    if not re.fullmatch("[0-9]{1,15}", text):
        raise InvalidInput("bad-choice", "say which change the form was made of")
    return int(text)


def _offered(ask: Ask, version: str) -> tuple[str, int | None, tuple[RefInfo, ...]]:
    """The model of a version, its number, and what can be followed in its place."""
    if not version:
        return "", None, ()
    named = ModelRevision.parse(version)
    model = known_name(ask.house, ask.caller, named.model.text, "reader")
    info = ask.yard.resolve(model, str(named.revision) if named.revision else None)
    kinds = ("alias", "branch")
    found = [ref for ref in refs.all_refs(ask.house, model) if ref.kind in kinds]
    return model, info.number, tuple(sorted(found, key=lambda ref: ref.kind))[:_REFS]


def _proposed(ask: Ask, model: str) -> str:
    """A name that is not taken: the model's own last part."""
    plain = re.sub(r"[^a-z0-9._-]+", "-", model.rpartition("/")[2].lower()).strip("._-")[:60]
    if not plain:
        return ""
    taken = {one.name for one in ask.yard.deployments.list()}
    names = [plain, *(f"{plain}-{at}" for at in range(2, 100))]
    return next((name for name in names if name not in taken), plain)
