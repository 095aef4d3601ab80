"""Channels: where people are told of alerts; and what comes from an Alertmanager."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field

from modelyard.core.channels import Channel, MadeChannel, NewChannel
from modelyard.core.hooks import Tried
from modelyard.monitoring.alerts.desk import LocalTelling
from modelyard.monitoring.alerts.receiving import Received, receive
from modelyard.server.api.inputs import Body
from modelyard.server.outside import Door
from modelyard.server.routing import Answer, Routes, on_yard
from modelyard.server.state import Ask

__all__ = ["routes"]

routes = Routes("alerts")

Key = Annotated[str, Path(min_length=1, max_length=60, examples=["ops"])]
Address = Annotated[
    str, Field(min_length=1, max_length=2000, examples=["https://ci.example.org/alerts"])
]
Text = Annotated[str, Field(min_length=1, max_length=500)]


class ChannelBody(Body):
    """A channel that is to be made."""

    name: Annotated[str, Field(min_length=1, max_length=60, examples=["ops"])]
    kind: Literal["webhook", "email", "slack", "dingtalk", "feishu", "wecom"]
    address: Address = Field(description="A URL; of `email`, addresses with commas between them.")
    pattern: Annotated[str, Field(min_length=1, max_length=63)] = Field(
        "*", description="Of deployments: `*`, `fraud-*` or a name."
    )
    severity: Literal["info", "warning", "critical"] = "warning"
    secret: Text | None = Field(
        None, description="Of `dingtalk` and `feishu`, what signs; of `email`, the password."
    )
    relay: Text | None = Field(None, description="Of `email`: `smtp://USER@HOST:587`.")
    sender: Text | None = Field(None, description="Of `email`: the address it comes from.")


class AlertBody(BaseModel):
    """An alert of an Alertmanager."""

    model_config = ConfigDict(extra="ignore")

    status: Literal["firing", "resolved"]
    labels: dict[str, str]
    annotations: dict[str, str] = {}
    generatorURL: Annotated[str, Field(max_length=8000)] = ""


class AlertmanagerBody(BaseModel):
    """A request of an Alertmanager's webhook; what else is in it is not looked at."""

    model_config = ConfigDict(extra="ignore")

    version: Annotated[str, Field(max_length=10)] = "4"
    alerts: Annotated[list[AlertBody], Field(max_length=1000)]


@routes.get("/channels", needs=on_yard("admin"), answers=list[Channel])
def list_channels(ask: Ask) -> list[Channel]:
    """Where people are told of alerts, without what is secret."""
    return _telling(ask).channels()


@routes.post(
    "/channels", needs=on_yard("admin"), answers=MadeChannel, status=201, secret=True
)  # fmt: skip
def add_channel(ask: Ask, *, body: ChannelBody) -> Answer:
    """Make a channel. The secret that signs what is sent to a webhook is shown only now."""
    given: dict[str, Any] = body.model_dump()
    made = _telling(ask).add_channel(NewChannel(**given))
    return Answer(made, 201, {"location": f"{ask.base}/api/v1/channels/{made.channel.name}"})


@routes.delete("/channels/{name}", needs=on_yard("admin"), answers=Channel)
def remove_channel(ask: Ask, name: Key) -> Channel:
    """Tell nobody there any more."""
    return _telling(ask).remove_channel(name)


@routes.post("/channels/{name}/test", needs=on_yard("admin"), answers=Tried)
def test_channel(ask: Ask, name: Key) -> Tried:
    """Send a notice that means nothing, now, and tell what came of it."""
    return _telling(ask).test_channel(name)


@routes.post("/alertmanager", needs=on_yard("writer"), answers=Received)
def take_alerts(ask: Ask, *, body: AlertmanagerBody) -> Received:
    """Take alerts of an Alertmanager into the inbox: name this as a URL of its `webhook_configs`.

    The label `deployment` says which deployment an alert is about. People are not told again.
    """
    return receive(ask.house, [each.model_dump() for each in body.alerts])


def _telling(ask: Ask) -> LocalTelling:
    from modelyard.server.telling import base_of

    settings = ask.server.settings
    return LocalTelling(ask.house, Door(private=settings.private_hooks), base_of(settings))
