"""Views of alerts, rules, silences and channels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from modelyard.cli.text import Block, Column, Span, Spans, Table
from modelyard.cli.views import words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from modelyard.core.channels import Channel, MadeChannel
    from modelyard.core.hooks import Tried
    from modelyard.core.monitoring import Alert, Rule, RuleSet, Silence

__all__ = [
    "AlertsView", "ChannelsView", "MadeChannelView", "RulesView", "SignalsView",
    "SilencesView", "ToldView",
]  # fmt: skip

_COLOURS: Final = {"critical": "bad", "warning": "warn", "info": "dim"}


@dataclass(frozen=True, slots=True)
class AlertsView:
    """Alerts, newest first."""

    alerts: Sequence[Alert]

    def json(self) -> object:
        return {"items": list(self.alerts)}

    def lines(self) -> Iterator[Block]:
        if not self.alerts:
            yield "no alerts"
            return
        titles = ("id", "state", "severity", "deployment", "rule", "what", "since", "until")
        columns = [Column(t, right=t == "id", flexible=t == "what") for t in titles]
        yield Table(columns, [_alert(alert) for alert in self.alerts])

    def ids(self) -> Iterator[str]:
        return (str(alert.id) for alert in self.alerts)


def _alert(alert: Alert) -> Spans:
    fires = alert.state == "firing"
    state = "silenced" if alert.silenced else "firing" if fires else "over"
    return [
        str(alert.id),
        Span(state, "bad" if fires and not alert.silenced else "dim"),
        Span(alert.severity, _COLOURS[alert.severity]),
        Span(alert.deployment or "-", "bold"),
        alert.rule,
        alert.words,
        words.minute(alert.since),
        words.minute(alert.until) if alert.until else "",
    ]


@dataclass(frozen=True, slots=True)
class RulesView:
    """The rules of a deployment."""

    name: str
    rules: RuleSet

    def json(self) -> object:
        return self.rules

    def lines(self) -> Iterator[Block]:
        source = {
            "default": "the usual rules", "version": "rules of its stable version",
            "deployment": "rules of its own",
        }.get(self.rules.source, self.rules.source)  # fmt: skip
        changed = ""
        if self.rules.changed is not None:
            changed = f", set by {self.rules.who} {words.minute(self.rules.changed)}"
        yield [Span(self.name, "bold"), f": {source}{changed}"]
        if not self.rules.rules:
            yield "none: nobody is told of anything"
            return
        titles = ("rule", "when", "for", "clear", "severity", "rows", "words")
        columns = [Column(t, right=t == "rows", flexible=t == "words") for t in titles]
        yield Table(columns, [_rule(rule) for rule in self.rules.rules])

    def ids(self) -> Iterator[str]:
        return (rule.name for rule in self.rules.rules)


def _rule(rule: Rule) -> Spans:
    from modelyard.monitoring.alerts.rules import quantity
    from modelyard.monitoring.alerts.signals import SIGNALS

    unit = SIGNALS[rule.signal].unit
    off = "" if rule.enabled else " (off)"
    return [
        Span(rule.name + off, "name" if rule.enabled else "dim"),
        f"{rule.signal} {rule.op} {quantity(rule.value, unit)}",
        quantity(rule.hold, "seconds") if rule.hold else "",
        "" if rule.clear is None else quantity(rule.clear, unit),
        Span(rule.severity, _COLOURS[rule.severity]),
        str(rule.rows) if rule.rows else "",
        rule.words,
    ]


@dataclass(frozen=True, slots=True)
class SignalsView:
    """What rules may look at."""

    def json(self) -> object:
        from modelyard.monitoring.alerts.signals import SIGNALS

        return {
            "items": [
                {"name": s.name, "unit": s.unit, "fast": s.fast, "words": s.words,
                 "subjects": s.subjects}
                for s in SIGNALS.values()
            ]
        }  # fmt: skip

    def lines(self) -> Iterator[Block]:
        from modelyard.monitoring.alerts.signals import SIGNALS

        titles = ("signal", "unit", "looked at", "what")
        columns = [Column(t, flexible=t == "what") for t in titles]
        rows: list[Spans] = [
            [
                Span(s.name, "name"), s.unit, "twice a second" if s.fast else "every 30 s",
                s.words + (f" By {s.subjects}." if s.subjects else ""),
            ]
            for s in SIGNALS.values()
        ]  # fmt: skip
        yield Table(columns, rows)

    def ids(self) -> Iterator[str]:
        from modelyard.monitoring.alerts.signals import SIGNALS

        return iter(SIGNALS)


@dataclass(frozen=True, slots=True)
class SilencesView:
    """Silences that hold, or one that was made."""

    silences: Sequence[Silence]
    done: str = ""

    def json(self) -> object:
        return {"items": list(self.silences)}

    def lines(self) -> Iterator[Block]:
        if not self.silences:
            yield self.done or "no silences"
            return
        titles = ("id", "deployment", "rule", "until", "who", "reason")
        columns = [Column(t, right=t == "id", flexible=t == "reason") for t in titles]
        yield Table(
            columns,
            [
                [
                    str(s.id), Span(s.deployment or "all", "bold"), s.rule or "all",
                    words.minute(s.until), s.who, s.reason,
                ]
                for s in self.silences
            ],
        )  # fmt: skip

    def ids(self) -> Iterator[str]:
        return (str(silence.id) for silence in self.silences)


@dataclass(frozen=True, slots=True)
class ChannelsView:
    """Where people are told."""

    channels: Sequence[Channel]
    done: str = ""

    def json(self) -> object:
        return {"items": list(self.channels)}

    def lines(self) -> Iterator[Block]:
        if not self.channels:
            yield "no channels"
        elif self.done:
            yield from (f"{self.done} channel {channel.name}" for channel in self.channels)
        else:
            titles = ("channel", "kind", "address", "deployments", "from", "made by")
            columns = [Column(t, flexible=t == "address") for t in titles]
            yield Table(columns, [_channel(channel) for channel in self.channels])

    def ids(self) -> Iterator[str]:
        return (channel.name for channel in self.channels)


def _channel(channel: Channel) -> Spans:
    return [
        Span(channel.name, "name"), channel.kind, channel.address, channel.pattern,
        Span(channel.severity, _COLOURS[channel.severity]), channel.who,
    ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class MadeChannelView:
    """A new channel, and the secret of a webhook."""

    made: MadeChannel

    def json(self) -> object:
        return self.made

    def lines(self) -> Iterator[Block]:
        channel = self.made.channel
        yield f"channel {channel.name} tells {channel.kind} {channel.address}"
        if self.made.secret:
            yield f"secret: {self.made.secret}"

    def ids(self) -> Iterator[str]:
        yield self.made.channel.name


@dataclass(frozen=True, slots=True)
class ToldView:
    """What came of a test."""

    tried: Tried

    def json(self) -> object:
        return self.tried

    def lines(self) -> Iterator[Block]:
        told = "it was taken" if self.tried.is_good else self.tried.error
        yield f"{told}, {self.tried.seconds:.2f} s"

    def ids(self) -> Iterator[str]:
        yield str(self.tried.status or self.tried.error)
