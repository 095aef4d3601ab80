"""How a server is to run. Read at the edge once; nothing below looks at the environment."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Literal

from modelyard.errors import Denied, InvalidInput
from modelyard.monitoring.export.otlp_settings import OtlpSettings
from modelyard.server.oidc_settings import OidcSettings
from modelyard.serving.engines.ray_settings import RaySettings
from modelyard.serving.exposition import ALIASES

__all__ = ["Settings", "is_loopback"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What `yard up` and `yard server` decide."""

    host: str = "127.0.0.1"
    port: int = 8300
    """0: any that is free."""
    grpc_port: int | None = None
    """Where deployments answer over gRPC; nowhere if None."""
    models_memory: int | None = None
    """Bytes that all versions together may take in one process and its workers; what is asked the
    least sleeps then. None: half of the machine's, or the container's."""
    workers: int = 1
    """Processes that share the port."""
    prefix: str = ""
    """Path that a proxy puts in front, `/models`; empty if there is none."""
    accounts: bool = True
    """Whether callers must say who they are. Without, only loopback may be listened to."""
    hosts: tuple[str, ...] = ()
    """Host headers that are answered beside those of loopback and `host`."""
    proxies: tuple[str, ...] = ()
    """Addresses or networks whose X-Forwarded-* is believed."""
    url: str | None = None
    """What people see in their browser, for links; from the request if None."""
    largest_body: int = 64 << 20
    """Bytes of one request, where no route says otherwise."""
    largest_head: int = 64 << 10
    """Bytes of the request line and all headers."""
    seconds: float = 60.0
    """Within which a request is answered once it is read, where no route says otherwise."""
    patience: float = 15.0
    """Seconds in which the head of a request, or the next part of its body, must arrive."""
    stop_seconds: float = 30.0
    """How long requests and jobs may go on after the server was told to stop."""
    at_once: int = 1000
    """Requests under way in one process; more are told to come again."""
    requests_per_minute: int = 60_000
    """By one account."""
    predictions_per_minute: int = 6_000_000
    """By one account; a deployment may allow less."""
    strangers_per_minute: int = 600
    """Requests by one address that is not signed in."""
    jobs: int = 4
    """Long jobs at once in one process; more wait."""
    logs: Literal["json", "warnings"] = "json"
    """One line of JSON for each request, or only what went wrong; to stderr."""
    direct: bool = True
    """Whether who may read every model reads from the store itself, if it can sign URLs."""
    private_hooks: bool = False
    """Whether webhooks may go to private addresses."""
    monitoring: bool = True
    """Whether what deployments do is watched."""
    metric_aliases: tuple[str, ...] = ()
    """Servers by whose names metrics of deployments are told too: `triton`, `mlserver`."""
    ray: RaySettings | None = None
    """Where deployments with the engine `ray` run."""
    otlp: OtlpSettings | None = None
    """An OpenTelemetry collector that is told of requests; without one nothing is sent."""
    oidc: OidcSettings | None = None
    """An OpenID Connect provider to sign in through."""

    @property
    def has_cluster(self) -> bool:
        """Whether it was given machines of others, beside the cluster that it may start itself."""
        return self.ray is not None and self.ray.address is not None

    def check(self) -> None:
        """Denied: `open-to-all`. InvalidInput: `bad-setting`."""
        if not self.accounts and not is_loopback(self.host):
            raise Denied(
                "open-to-all",
                f"without accounts, everybody who reaches {self.host} would be admin",
                hint="leave out --no-accounts, or listen on 127.0.0.1",
            )  # fmt: skip
        if self.prefix and (not self.prefix.startswith("/") or self.prefix.endswith("/")):
            raise InvalidInput("bad-setting", "--prefix is a path such as /models")
        if self.workers < 1:
            raise InvalidInput("bad-setting", "there must be at least one worker")
        for alias in self.metric_aliases:
            if alias not in ALIASES:
                raise InvalidInput(
                    "bad-setting", f"--metric-names: {alias[:40]!r} is no server that we know",
                    hint=f"one of {', '.join(ALIASES)}",
                )  # fmt: skip
        for proxy in self.proxies:
            try:
                ipaddress.ip_network(proxy, strict=False)
            except ValueError:
                raise InvalidInput(
                    "bad-setting", f"--trust-proxy: {proxy[:60]!r} is no address and no network",
                    hint="such as 10.0.0.7 or 10.0.0.0/24",
                ) from None  # fmt: skip


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens there."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
