"""What people type after a command, parsed once: model names, revisions, `key=value` pairs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar

import click

from modelyard.cli.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from click.shell_completion import CompletionItem

    from modelyard.core.names import ModelRevision
    from modelyard.core.trust import TrustAll
    from modelyard.core.yard import Yard

__all__ = [
    "CHANGES",
    "DEPLOYED",
    "DURATION",
    "LABEL",
    "METRIC",
    "MODEL",
    "PARAM",
    "PART",
    "SETTING",
    "TARGET",
    "revision_of",
    "scalar",
    "trust_options",
    "trusted_of",
]


class Target(click.ParamType["ModelRevision"]):
    """`MODEL@REV`, or `MODEL` alone."""

    name = "target"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> ModelRevision:
        from modelyard.core.names import ModelRevision

        if isinstance(value, ModelRevision):
            return value
        return ModelRevision.parse(str(value))

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        model, at, _ = incomplete.partition("@")
        return _items(_refs(ctx, model) if at else _models(ctx), incomplete)


class Model(click.ParamType[str]):
    """The name of a model, without a revision."""

    name = "model"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        name, at, _ = str(value).partition("@")
        if at:
            self.fail(f"give the model without a revision: {name}", param, ctx)
        return str(TARGET.convert(value, param, ctx).model)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        return _items(_models(ctx), incomplete)


class Metric(click.ParamType["tuple[str, float]"]):
    """`key=number`."""

    name = "key=number"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, float]:
        key, text = _pair(self, str(value), param, ctx)
        try:
            return key, float(text)
        except ValueError:
            self.fail(f"{text!r} is no number", param, ctx)


class Param(click.ParamType["tuple[str, Any]"]):
    """`key=value`, where the value is a JSON number, truth value or null, or else text."""

    name = "key=value"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, Any]:
        key, text = _pair(self, str(value), param, ctx)
        return key, scalar(text)


class Setting(click.ParamType["tuple[str, Any]"]):
    """`key=value`, where the value is any JSON, or else text."""

    name = "key=value"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, Any]:
        key, text = _pair(self, str(value), param, ctx)
        try:
            return key, json.loads(text, parse_constant=float)
        except (ValueError, RecursionError):
            return key, text


class Changes(click.ParamType["dict[str, Any]"]):
    """`name=adam,lr=1e-3`: several settings of scalars at once."""

    name = "key=value,..."

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> dict[str, Any]:
        if isinstance(value, dict):
            return value
        pairs = (_pair(self, text, param, ctx) for text in str(value).split(","))
        return {key: scalar(text) for key, text in pairs}


class Label(click.ParamType["tuple[str, str]"]):
    """`key=value`, or a bare key."""

    name = "key[=value]"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        from modelyard.core.names import parse_label

        return parse_label(str(value))


class Duration(click.ParamType[float]):
    """`90s`, `10m`, `2h`, `1d`: seconds."""

    name = "time"
    _seconds: ClassVar = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        text = str(value)
        unit = text[-1:] if text[-1:].isalpha() else ""
        try:
            seconds = float(text.removesuffix(unit)) * self._seconds[unit]
        except (ValueError, KeyError):
            seconds = -1.0
        if not 0 < seconds < float("inf"):
            self.fail(f"{text!r} is no time such as 90s, 10m, 2h or 1d", param, ctx)
        return seconds


class Part(click.ParamType["tuple[ModelRevision, float | None]"]):
    """`MODEL@REV=5`: a version and percents."""

    name = "model@rev=percent"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[ModelRevision, float | None]:
        text, equals, percent = str(value).partition("=")
        target = TARGET.convert(text, param, ctx)
        try:
            number = float(percent.removesuffix("%")) if equals else None
        except ValueError:
            number = -1.0
        if number is not None and not 0 <= number <= 100:
            self.fail(f"{percent!r} is no share of 0 to 100 percent", param, ctx)
        return target, number

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        return TARGET.shell_complete(ctx, param, incomplete)


class Deployed(click.ParamType[str]):
    """The name of a deployment."""

    name = "deployment"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        from modelyard.core.deployment import check_name

        return check_name(str(value))

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        names = _ask(ctx, lambda yard: [each.name for each in yard.deployments.list()])
        return _items(names, incomplete)


TARGET = Target()
MODEL = Model()
METRIC = Metric()
PARAM = Param()
LABEL = Label()
SETTING = Setting()
CHANGES = Changes()
DURATION = Duration()
PART = Part()
DEPLOYED = Deployed()


def trust_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--trust NAME` and `--trust-all`, for commands that load objects."""
    everything = click.option(
        "--trust-all", is_flag=True, help="Let the files import whatever they name."
    )
    names = click.option(
        "--trust", metavar="NAME", multiple=True,
        help="A global that loading may import: module.Class.",
    )  # fmt: skip
    return names(everything(function))


def trusted_of(names: tuple[str, ...], *, everything: bool) -> tuple[str, ...] | TrustAll | None:
    """What was trusted, as the yard takes it."""
    from modelyard.core.trust import TRUST_ALL

    return TRUST_ALL if everything else names or None


def scalar(text: str) -> str | int | float | bool | None:
    """The JSON scalar that the text spells, or the text."""
    try:
        value = json.loads(text, parse_constant=lambda name: name)
    except ValueError:
        return text
    return text if isinstance(value, (dict, list)) else value


def revision_of(target: ModelRevision) -> str | None:
    """The revision as the yard takes it; None if none was given."""
    return None if target.revision is None else str(target.revision)


def _pair(
    kind: click.ParamType[Any], value: str, param: click.Parameter | None, ctx: click.Context | None
) -> tuple[str, str]:
    key, equals, text = value.partition("=")
    if not key.strip() or not equals:
        kind.fail(f"{value!r} is not of the form {kind.name}", param, ctx)
    return key.strip(), text.strip()


def _models(ctx: click.Context) -> list[str]:
    return _ask(ctx, lambda yard: [model.name for model in yard.models()])


def _refs(ctx: click.Context, model: str) -> list[str]:
    return _ask(ctx, lambda yard: [f"{model}@{ref.name}" for ref in yard.refs(model)])


def _ask(ctx: click.Context, question: Callable[[Yard], list[str]]) -> list[str]:
    """What the yard answers; nothing if it can't, for a shell has no place for errors."""
    from modelyard.errors import ModelyardError

    session = ctx.ensure_object(Session)
    try:
        return question(session.yard())
    except (ModelyardError, OSError):
        return []
    finally:
        session.close()


def _items(names: Iterable[str], incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    return [CompletionItem(name) for name in names if name.startswith(incomplete)]
