"""`Deployments`: what can be done with the deployments of a yard, here or on a server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from modelyard.core.deployment import Deployment, DeploymentChange, DeploymentSpec

__all__ = ["Deployments"]


class Deployments(Protocol):
    """`yard.deployments`. Each change is one row of history, and one line of the audit log.

    All raise NotFound `no-deployment`, and Conflict `deployment-changed` where `generation` is
    given and somebody else was first.
    """

    def list(self) -> tuple[Deployment, ...]:
        """All that the caller may read, by name."""

    def get(self, name: str) -> Deployment:
        """One deployment, with what the servers say of it."""

    def apply(self, spec: DeploymentSpec, *, generation: int | None = None) -> Deployment:
        """Deploy, or change what is deployed. Revisions are looked up; nothing is loaded yet.

        A rollout with the steps and the canary that it has goes on where it is. While it is
        paused, it keeps the versions of the shares that it has: `resume` lets it follow again.

        Args:
            generation: The one that the caller has seen; 0 if it must be new.

        Raises:
            NotFound: `no-model`, `no-version`.
            Denied: `untrusted`: a version would run code that the spec does not trust.
            Unsupported: `no-framework`: nobody can load it.
            Conflict: `no-canary`: a rollout needs one canary.
        """

    def roll_out(
        self, name: str, steps: Sequence[float], every: float, *, generation: int | None = None
    ) -> Deployment:
        """Let the canary's share grow by steps. Conflict: `no-canary`."""

    def promote(self, name: str, *, generation: int | None = None) -> Deployment:
        """The canary becomes the stable version, at once. Conflict: `no-canary`."""

    def pause(self, name: str) -> Deployment:
        """Take no step, and follow no alias, until `resume`."""

    def resume(self, name: str) -> Deployment:
        """Go on after a pause: an alias is followed at once, a step comes after its interval."""

    def roll_back(
        self, name: str, *, to: int | None = None, generation: int | None = None
    ) -> Deployment:
        """Back to what was before: a canary is dropped; else the shares of the stable version
        before this one. What followed an alias that has moved on is paused, for it would follow it
        again. Conflict: `nothing-before`.

        Args:
            to: A generation: all that was wished then is wished again, but for its rollout.
        """

    def undeploy(self, name: str) -> Deployment:
        """Serve it no more; its history stays."""

    def changes(self, name: str, *, before: int | None = None) -> Iterator[DeploymentChange]:
        """Newest first; of deployments that are gone too.

        Args:
            before: Only generations below this one.
        """
