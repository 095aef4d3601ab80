"""Acts on a deployment: shares, rollouts, promotion, going back, and its end."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

from modelyard.core.deployment import Deployment, Share
from modelyard.errors import Conflict, InvalidInput, NotFound
from modelyard.server.routing import SIGNED_IN
from modelyard.server.state import Ask
from modelyard.server.web.acts import Acts, Done, Form
from modelyard.server.web.here import Undo, language_of
from modelyard.server.web.places import deployment_page
from modelyard.server.web.wishes import number, seconds, share_of

__all__ = ["acts"]

acts = Acts("deployment-acts")

_LOOKED_THROUGH = 1000
_MOST_STEPS = 50


@acts.act("/deployments/share/{name}", needs=SIGNED_IN)
def set_share(ask: Ask, form: Form, name: str) -> Done:
    """Give the canary another share."""
    before = ask.yard.deployments.get(name)
    _canary(before)
    spec = replace(before.spec.with_canary(number(form.one("percent"))), rollout=None)
    made = ask.yard.deployments.apply(spec, generation=_seen(form, before))
    text = language_of(ask.request).say(
        "The canary gets %(percent)s now.", percent=f"{_canary(made).percent:g} %"
    )
    return _done(before, made, text)


@acts.act("/deployments/canary/{name}", needs=SIGNED_IN)
def add_version(ask: Ask, form: Form, name: str) -> Done:
    """Try another version: with a share of the requests, or with copies of them."""
    before = ask.yard.deployments.get(name)
    spec, kind = before.spec, form.one("kind")
    if kind not in ("canary", "shadow"):
        raise InvalidInput("bad-choice", "there is canary, shadow to choose from")
    share = share_of(form.one("version"), form.one("percent"), shadow=kind == "shadow")
    if kind == "shadow":
        shares: tuple[Share, ...] = (*spec.shares, share)
    else:
        stable = replace(spec.stable, percent=spec.stable.percent - share.percent)
        shares = (stable, *spec.canaries, share, *spec.shadows)
    made = ask.yard.deployments.apply(
        replace(spec, shares=shares, rollout=None), generation=_seen(form, before)
    )
    words = language_of(ask.request)
    if kind == "shadow":
        text = words.say("%(version)s gets copies of requests.", version=share.source)
    else:
        text = words.say("%(version)s gets %(percent)s of the requests.", version=share.source,
                         percent=f"{share.percent:g} %")  # fmt: skip
    return _done(before, made, text)


@acts.act("/deployments/rollout/{name}", needs=SIGNED_IN)
def roll_out(ask: Ask, form: Form, name: str) -> Done:
    """Let the canary's share grow by steps."""
    before = ask.yard.deployments.get(name)
    steps = [number(step) for step in form.one("steps").replace("，", ",").split(",")[:_MOST_STEPS]]
    made = ask.yard.deployments.roll_out(
        name, steps, seconds(form.one("every")), generation=_seen(form, before)
    )
    text = language_of(ask.request).say(
        "The rollout begins: the canary gets %(percent)s now.", percent=f"{steps[0]:g} %"
    )
    return _done(before, made, text)


@acts.act("/deployments/promote/{name}", needs=SIGNED_IN)
def promote(ask: Ask, form: Form, name: str) -> Done:
    """The canary becomes the stable version."""
    before = ask.yard.deployments.get(name)
    made = ask.yard.deployments.promote(name, generation=_seen(form, before))
    text = language_of(ask.request).say(
        "%(version)s gets all requests now.", version=made.spec.stable.source
    )
    return _done(before, made, text)


@acts.act("/deployments/drop/{name}", needs=SIGNED_IN)
def drop(ask: Ask, form: Form, name: str) -> Done:
    """The canary goes; the stable version gets its requests."""
    before = ask.yard.deployments.get(name)
    spec = before.spec
    stable = replace(spec.stable, percent=100.0)
    spec = replace(spec, shares=(stable, *spec.shadows), rollout=None)
    made = ask.yard.deployments.apply(spec, generation=_seen(form, before))
    text = language_of(ask.request).say(
        "%(version)s gets all requests now.", version=made.spec.stable.source
    )
    return _done(before, made, text)


@acts.act("/deployments/rollback/{name}", needs=SIGNED_IN)
def roll_back(ask: Ask, form: Form, name: str) -> Done:
    """Back to what was before, or to an older change."""
    before = ask.yard.deployments.get(name)
    to = _generation(form.one("to")) if form.one("to") else None
    made = ask.yard.deployments.roll_back(name, to=to, generation=_seen(form, before))
    text = language_of(ask.request).say(
        "%(name)s went back. Requests go to %(versions)s.", name=made.name,
        versions=", ".join(
            f"{share.model}@{share.number}" for share in made.spec.shares if not share.shadow
        ),
    )  # fmt: skip
    return _done(before, made, text)


@acts.act("/deployments/pause/{name}", needs=SIGNED_IN)
def pause(ask: Ask, form: Form, name: str) -> Done:
    """Take no step, follow no name."""
    made = ask.yard.deployments.pause(name)
    text = language_of(ask.request).say(
        "%(name)s is paused: no step is taken, and no name followed.", name=made.name
    )
    return Done(deployment_page(name), text, Undo(f"/do/deployments/resume/{name}", {}))


@acts.act("/deployments/resume/{name}", needs=SIGNED_IN)
def resume(ask: Ask, form: Form, name: str) -> Done:
    """Go on with a rollout, and with following names."""
    made = ask.yard.deployments.resume(name)
    text = language_of(ask.request).say("%(name)s goes on.", name=made.name)
    return Done(deployment_page(name), text, Undo(f"/do/deployments/pause/{name}", {}))


@acts.act("/deployments/undeploy/{name}", needs=SIGNED_IN)
def undeploy(ask: Ask, form: Form, name: str) -> Done:
    """Serve it no more."""
    words = language_of(ask.request)
    if form.one("sure") != name:
        ask.yard.deployments.get(name)
        text = words.say("Nothing was ended: the name was not repeated.")
        return Done(deployment_page(name), text, is_problem=True)
    gone = ask.yard.deployments.undeploy(name)
    text = words.say("%(name)s is undeployed. Its history stays.", name=name)
    undo = Undo(f"/do/deployments/again/{name}", {"generation": str(gone.generation)})
    return Done("/deployments", text, undo)


@acts.act("/deployments/again/{name}", needs=SIGNED_IN)
def deploy_again(ask: Ask, form: Form, name: str) -> Done:
    """Deploy what was undeployed, as it was."""
    generation = _generation(form.one("generation"))
    past = islice(ask.yard.deployments.changes(name), _LOOKED_THROUGH)
    spec = next((one.spec for one in past if one.generation <= generation), None)
    if spec is None:
        raise NotFound("no-deployment", f"{name[:80]} was never deployed")
    ask.yard.deployments.apply(replace(spec, rollout=None), generation=0)
    text = language_of(ask.request).say("%(name)s is deployed as it was.", name=name)
    return Done(deployment_page(name), text)


def _done(before: Deployment, made: Deployment, text: str) -> Done:
    name = made.name
    fields = {"to": str(before.generation), "generation": str(made.generation)}
    undo = Undo(f"/do/deployments/rollback/{name}", fields)
    return Done(deployment_page(name), text, undo if made.generation > before.generation else None)


def _canary(deployment: Deployment) -> Share:
    """The one canary. Conflict: `no-canary`."""
    if len(deployment.spec.canaries) != 1:
        raise Conflict("no-canary", f"{deployment.name} has not one canary, whose share is set")
    return deployment.spec.canaries[0]


def _seen(form: Form, now: Deployment) -> int:
    """The change that the page showed: nobody else's is overwritten."""
    return _generation(form.one("generation")) if form.one("generation") else now.generation


def _generation(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise InvalidInput("bad-choice", f"{text[:40]!r} is no change's number")
    return int(text)
