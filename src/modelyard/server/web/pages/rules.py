"""The rules by which people are told of a deployment: shown, changed, and where they come from."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.responses import Response

from modelyard.core.monitoring import Rule, RuleSet
from modelyard.errors import InvalidInput
from modelyard.monitoring.alerts.rules import quantity
from modelyard.monitoring.alerts.signals import SIGNALS
from modelyard.server.routing import SIGNED_IN, on_yard
from modelyard.server.state import Ask
from modelyard.server.web.acts import Acts, Done, Form
from modelyard.server.web.deployed import may_change
from modelyard.server.web.here import Undo, language_of
from modelyard.server.web.rendering import html
from modelyard.server.web.twins import Pages
from modelyard.server.web.watched import monitoring_of

__all__ = ["RulesPage", "acts", "pages"]

pages = Pages("rules")
acts = Acts("rules")


@dataclass(frozen=True, slots=True)
class RuleLine:
    """A rule as people read it."""

    rule: Rule
    limit: str
    """With its unit: `5 %`."""
    clear: str
    """When it is over; empty if that is when it does not hold."""


@dataclass(frozen=True, slots=True)
class RulesPage:
    """The rules of a deployment."""

    deployment: str
    rules: RuleSet
    text: str
    """What stands in the form: the rules as YAML, or what somebody sent that is wrong."""
    problem: str
    """What is wrong with what was sent; empty if nothing was."""
    may_change: bool
    """Whether the caller may write other rules."""

    @property
    def lines(self) -> tuple[RuleLine, ...]:
        """With units."""
        return tuple(map(_line, self.rules.rules))


@pages.page("/deployments/{name}/rules", "rules.html", needs=on_yard("none"))
def show_rules(ask: Ask, name: str) -> RulesPage:
    """The rules that hold."""
    spec = ask.yard.deployments.get(name).spec
    rules = monitoring_of(ask).rules(name)
    return RulesPage(name, rules, rules.text, "", may_change(ask.caller, spec))


@acts.act("/rules/set/{name}", needs=SIGNED_IN)
def set_rules(ask: Ask, form: Form, name: str) -> Done | Response:
    """Write rules for this deployment; what is wrong with them is told beside them."""
    monitoring = monitoring_of(ask)
    before = monitoring.rules(name)
    try:
        monitoring.set_rules(name, form.text("text"))
    except InvalidInput as error:
        hint = f" ({error.hint})" if error.hint else ""
        page = RulesPage(name, before, form.text("text"), f"{error}{hint}", may_change=True)
        return html(ask, "rules.html", page, status=422, at=f"/deployments/{name}/rules")
    text = language_of(ask.request).say("The rules of %(name)s are changed.", name=name)
    return Done(f"/deployments/{name}/rules", text, _back(before, name))


@acts.act("/rules/drop/{name}", needs=SIGNED_IN)
def drop_rules(ask: Ask, form: Form, name: str) -> Done:
    """Back to the rules that the version brings, or the yard has."""
    monitoring = monitoring_of(ask)
    before = monitoring.rules(name)
    monitoring.set_rules(name, None)
    text = language_of(ask.request).say("%(name)s has no rules of its own any more.", name=name)
    return Done(f"/deployments/{name}/rules", text, _back(before, name))


def _line(rule: Rule) -> RuleLine:
    unit = SIGNALS[rule.signal].unit if rule.signal in SIGNALS else ""
    clear = "" if rule.clear is None else quantity(rule.clear, unit)
    return RuleLine(rule, quantity(rule.value, unit), clear)


def _back(before: RuleSet, name: str) -> Undo:
    """What takes a change back; rules of other places come again when the own ones go."""
    if before.source == "deployment":
        return Undo(f"/do/rules/set/{name}", {"text": before.text})
    return Undo(f"/do/rules/drop/{name}", {})
