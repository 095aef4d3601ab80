"""A container that holds the versions themselves and serves them, knowing no yard.

No secret is written: the token that callers show is a file that is given to the container.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import yaml

from modelyard.serving.export.plan import requirements

if TYPE_CHECKING:
    from modelyard.serving.export.plan import Plan

__all__ = ["container_files", "container_tars"]

_HTTP, _GRPC = 8301, 8302
_TOKEN: Final = "/run/secrets/token"

_DOCKERFILE: Final = """\
# {title}
# docker build -t {tag} .

FROM python:{python}-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PATH=/opt/modelyard/bin:$PATH
RUN python -m venv /opt/modelyard
COPY requirements.txt /tmp/
RUN pip install -r /tmp/requirements.txt
COPY versions /tmp/versions
RUN yard init /yard \\
{imports}

FROM python:{python}-slim-bookworm
LABEL org.opencontainers.image.title={title_json} \\
      org.opencontainers.image.version={sources_json} \\
      org.opencontainers.image.revision={commits_json}
RUN groupadd --gid 10001 yard \\
 && useradd --uid 10001 --gid yard --no-create-home --home-dir /nonexistent yard
COPY --from=build /opt/modelyard /opt/modelyard
COPY --from=build --chown=10001:10001 /yard /yard
ENV PATH=/opt/modelyard/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
WORKDIR /yard
EXPOSE {http} {grpc}
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \\
  CMD ["python", "-c", "import urllib.request as r; \
r.urlopen('http://127.0.0.1:{http}/v2/health/ready', timeout=4)"]
ENTRYPOINT {entrypoint}
"""

_IGNORE: Final = """\
*
!requirements.txt
!versions
"""


def container_tars(plan: Plan) -> list[str]:
    """Where the exports of the parts belong, in their order."""
    return [f"versions/{place}.tar" for place, _ in enumerate(plan.parts, 1)]


def container_files(plan: Plan) -> dict[str, str]:
    """Files of a folder to build a container from; `container_tars` are to be put beside them."""
    stable = plan.parts[0]
    sources = ", ".join(part.source for part in plan.parts)
    imports = " \\\n".join(
        f" && yard --yard /yard -q import /tmp/{file}" for file in container_tars(plan)
    )
    dockerfile = _DOCKERFILE.format(
        title=f"{plan.name}: {sources}",
        tag=plan.safe_name,
        python=plan.python,
        imports=imports,
        title_json=json.dumps(plan.name),
        sources_json=json.dumps(sources),
        commits_json=json.dumps(stable.commit),
        http=_HTTP,
        grpc=_GRPC,
        entrypoint=json.dumps(_entrypoint(plan)),
    )
    return {
        "Dockerfile": dockerfile,
        ".dockerignore": _IGNORE,
        "requirements.txt": "\n".join(requirements(plan)) + "\n",
        "compose.yaml": _compose(plan),
    }


def _entrypoint(plan: Plan) -> list[str]:
    """In the container versions are numbered anew, in their order for each model."""
    seen: dict[str, int] = {}
    targets = []
    for part in plan.parts:
        seen[part.model] = seen.get(part.model, 0) + 1
        targets.append(f"{part.model}@{seen[part.model]}")
    options = [
        "--host", "0.0.0.0", "--port", str(_HTTP), "--grpc-port", str(_GRPC),
        "--allow-host", "*", "--token-file", _TOKEN, "--threads", str(plan.spec.limits.threads),
        "--replicas", str(plan.spec.replicas), "--placement", plan.spec.placement,
    ]  # fmt: skip
    trusted = [word for name in plan.spec.trusted for word in ("--trust", name)]
    if len(seen) == 1:
        options += ["--as", plan.name]
    return ["yard", "--yard", "/yard", "serve", *targets, *options, *trusted]


def _compose(plan: Plan) -> str:
    service: dict[str, Any] = {
        "image": plan.safe_name,
        "build": ".",
        "ports": [f"127.0.0.1:{_HTTP}:{_HTTP}", f"127.0.0.1:{_GRPC}:{_GRPC}"],
        "secrets": ["token"],
        "restart": "unless-stopped",
        "stop_grace_period": "60s",
        "tmpfs": ["/tmp"],
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
    }
    content = {
        "name": plan.safe_name,
        "services": {"model": service},
        "secrets": {"token": {"file": "./token"}},
    }
    head = "# openssl rand -hex 24 > token && chmod 444 token && docker compose up -d\n\n"
    return head + yaml.safe_dump(content, sort_keys=False)
