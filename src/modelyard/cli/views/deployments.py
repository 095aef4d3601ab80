"""Deployments as people read them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from modelyard.cli.text import Column, Span, Table, bar
from modelyard.cli.views import words
from modelyard.core.version import human_size

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from modelyard.cli.text import Block, Spans
    from modelyard.core.deployment import (
        Deployment,
        DeploymentChange,
        Rollout,
        ServedVersion,
        Share,
    )

__all__ = ["DeploymentView", "DeploymentsView", "shares_told"]

_STYLES = {"ready": "good", "failed": "bad", "asleep": "dim", "waiting": "warn", "loading": "warn"}
_CELLS = 12


@dataclass(frozen=True, slots=True)
class DeploymentsView:
    """All deployments."""

    deployments: Sequence[Deployment]

    def json(self) -> object:
        return {"items": list(self.deployments)}

    def lines(self) -> Iterator[Block]:
        if not self.deployments:
            yield "no deployments"
            return
        columns = [
            Column("name"), Column("state"), Column("serves", flexible=True),
            Column("servers", right=True), Column("requests/s", right=True), Column("changed"),
        ]  # fmt: skip
        yield Table(columns, [_row(each) for each in self.deployments])

    def ids(self) -> Iterator[str]:
        return (each.name for each in self.deployments)


@dataclass(frozen=True, slots=True)
class DeploymentView:
    """One deployment, with what was just done to it, or with all that is known of it."""

    deployment: Deployment
    done: str = ""
    changes: Sequence[DeploymentChange] | None = None

    def json(self) -> object:
        if self.changes is None:
            return self.deployment
        return {"deployment": self.deployment, "changes": list(self.changes)}

    def lines(self) -> Iterator[Block]:
        one, is_over = self.deployment, self.done == "undeployed"
        # what was just done to it the servers are yet to hear
        head: Spans = [f"{self.done} " if self.done else "", Span(one.name, "bold")]
        if (
            self.changes is not None
            or self.done == "deployed"
            or (one.state == "waiting" and not is_over)
        ):
            head += [", ", Span(one.state, _STYLES.get(one.state, ""))]
        yield head
        yield Table([Column(), Column(right=True), Column(), Column()], [
            _share(each) for each in one.spec.shares
        ], indent=2)  # fmt: skip
        if one.spec.rollout is not None:
            yield f"  {_rollout(one.spec.rollout)}"
        if one.spec.paused:
            yield [
                Span("  paused", "warn"),
                f": no alias is followed until 'yard resume {one.name}'",
            ]
        if self.changes is not None:
            yield from self._more(self.changes)

    def _more(self, changes: Sequence[DeploymentChange]) -> Iterator[Block]:
        spec = self.deployment.spec
        for name, text in (
            ("engine", spec.engine if spec.replicas == 1 else f"{spec.engine} x {spec.replicas}"),
            ("placement", spec.placement), ("sticky", spec.sticky or ""),
            ("trusted", ", ".join(spec.trusted)), ("redact", ", ".join(spec.redact)),
        ):  # fmt: skip
            if text and text != "auto":
                yield words.fact(name, text)
        for server in self.deployment.servers:
            late = "" if server.generation >= self.deployment.generation else ", not yet there"
            yield ""
            yield [Span(server.server, "bold"), Span(late, "dim")]
            columns = [Column(), Column(), Column(), Column(right=True), Column(right=True),
                       Column(flexible=True)]  # fmt: skip
            yield Table(columns, [_served(each) for each in server.versions], indent=2)
        if changes:
            yield ""
            columns = [Column("generation", right=True), Column("time"), Column("what"),
                       Column("who"), Column("serves", flexible=True)]  # fmt: skip
            yield Table(columns, [
                [str(each.generation), words.minute(each.time), Span(each.action, "good"),
                 each.who.partition(" <")[0], shares_told(each.spec.shares)]
                for each in changes
            ])  # fmt: skip

    def ids(self) -> Iterator[str]:
        yield self.deployment.name


def shares_told(shares: Sequence[Share]) -> str:
    """`fraud@prod (4) 95 %, fraud@5 5 %`."""
    alone = len(shares) == 1
    return ", ".join(_named(each) + ("" if alone else f" {each.percent:g} %") for each in shares)


def _named(share: Share) -> str:
    number = "" if share.number is None or str(share.number) == share.revision else (
        f" ({share.number})"
    )  # fmt: skip
    return f"{share.source}{number}{' shadow' if share.shadow else ''}"


def _row(one: Deployment) -> Spans:
    rates = [v.rate for server in one.servers for v in server.versions if v.rate is not None]
    return [
        Span(one.name, "bold"), Span(one.state, _STYLES.get(one.state, "")),
        shares_told(one.spec.shares), str(len(one.servers)),
        f"{sum(rates):.4g}" if rates else "-", words.minute(one.updated),
    ]  # fmt: skip


def _share(share: Share) -> Spans:
    kind = "shadow" if share.shadow else ""
    return [
        Span(_named(share).removesuffix(" shadow"), "name"), f"{share.percent:g} %",
        bar(share.percent / 100, cells=_CELLS), Span(kind, "dim"),
    ]  # fmt: skip


def _rollout(rollout: Rollout) -> str:
    steps = " > ".join(
        f"[{step:g}]" if at == rollout.step else f"{step:g}"
        for at, step in enumerate(rollout.steps)
    )
    if rollout.due is None:
        return f"rollout {steps}, paused"
    left = max(0.0, (rollout.due - datetime.now(UTC)).total_seconds())
    return f"rollout {steps}, next step in {left / 60:.0f} min" if left >= 90 else (
        f"rollout {steps}, next step in {left:.0f} s"
    )  # fmt: skip


def _served(one: ServedVersion) -> Spans:
    memory = "" if one.memory is None else human_size(one.memory)
    asked = words.count(one.requests, "request") if one.requests else ""
    return [
        Span(f"{one.model}@{one.number}", "name"), Span(one.state, _STYLES.get(one.state, "")),
        one.mode or "", memory, asked, words.first_line(one.reason or ""),
    ]  # fmt: skip
