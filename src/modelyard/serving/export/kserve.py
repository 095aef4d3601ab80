"""Manifests for KServe: our runtime for its services, and a way to our versions for all others.

The pods of our runtime fetch their version from the yard themselves, by number. For runtimes of
others there is a storage container for `yard://`, which writes a version's files where they look.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import yaml

if TYPE_CHECKING:
    from modelyard.serving.export.plan import Part, Plan

__all__ = ["kserve_files"]

_PORT, _GRPC = 8080, 8081
_SECRET: Final = "modelyard"
_HOME: Final = "/var/run/modelyard"
_FORMATS: Final = {
    "sklearn": "sklearn", "xgboost": "xgboost", "lightgbm": "lightgbm", "onnx": "onnx",
    "keras": "tensorflow", "torch": "pytorch", "transformers": "huggingface",
}  # fmt: skip


def kserve_files(plan: Plan, *, server: str, image: str) -> dict[str, str]:
    """Files to apply with kubectl, in the order of their names.

    Args:
        server: The yard's server, as the cluster reaches it.
        image: Of modelyard with what the frameworks need: `export-service --to docker` makes one.
    """
    stable, *canaries = plan.parts
    files = {
        "1-runtime.yaml": _text(
            "The runtime. It reads the Secret that the guide tells how to make.",
            _runtime(plan, server, image),
        ),
        "2-service.yaml": _text(
            f"{plan.name}: {stable.source}, commit {stable.commit}", _service(plan, stable, None)
        ),
    }
    if canaries:  # KServe knows one: what is applied last gets the share, the rest stays before
        canary = canaries[0]
        files["3-canary.yaml"] = _text(
            f"{plan.name}: {canary.percent:g} % to {canary.source}, once 2-service.yaml is ready.\n"
            "# Without canaryTrafficPercent it gets everything; with 2-service.yaml nothing.",
            _service(plan, canary, round(canary.percent)),
        )
    files["storage.yaml"] = _text(
        "For runtimes of others: storageUri: yard://HOST/MODEL@REV. Once for a cluster.",
        _storage(server, image),
    )
    files["files-service.yaml"] = _text(
        f"The files of {stable.source} in a runtime of KServe's own, by way of storage.yaml.",
        _files_service(plan, stable, server),
    )
    return files


def _runtime(plan: Plan, server: str, image: str) -> dict[str, Any]:
    args = [
        "serve", "$(YARD_VERSION)", "--as", "$(YARD_NAME)", "--host", "0.0.0.0",
        "--port", str(_PORT), "--grpc-port", str(_GRPC), "--allow-host", "*",
        "--token-file", f"{_HOME}/serve-token",
    ]  # fmt: skip
    container = {
        "name": "kserve-container",
        "image": image,
        "command": ["yard"],
        "args": args,
        "env": [
            {"name": "YARD", "value": server},
            {"name": "YARD_TOKEN", "valueFrom": _secret("yard-token")},
            {"name": "HOME", "value": "/tmp"},
        ],
        "ports": [
            {"name": "http1", "containerPort": _PORT, "protocol": "TCP"},
        ],
        "readinessProbe": {
            "httpGet": {"path": "/v2/health/ready", "port": _PORT}, "periodSeconds": 2,
            "failureThreshold": 150,
        },
        "livenessProbe": {
            "httpGet": {"path": "/v2/health/live", "port": _PORT}, "periodSeconds": 10,
            "initialDelaySeconds": 30, "timeoutSeconds": 5,
        },
        "securityContext": _closed(),
        "resources": _resources(plan),
        "volumeMounts": [
            {"name": "tokens", "mountPath": _HOME, "readOnly": True},
            {"name": "scratch", "mountPath": "/tmp"},
        ],
    }  # fmt: skip
    return {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "ServingRuntime",
        "metadata": {"name": "modelyard"},
        "spec": {
            "supportedModelFormats": [{"name": "modelyard", "version": "1", "autoSelect": False}],
            "protocolVersions": ["v2", "grpc-v2"],
            "containers": [container],
            "volumes": [
                {"name": "tokens", "secret": {"secretName": _SECRET}},
                {"name": "scratch", "emptyDir": {}},
            ],
        },
    }


def _service(plan: Plan, part: Part, canary: int | None) -> dict[str, Any]:
    """Our runtime takes the version from the pod's environment; nothing is downloaded before."""
    model: dict[str, Any] = {
        "modelFormat": {"name": "modelyard"},
        "runtime": "modelyard",
        "protocolVersion": "v2",
        "env": [
            {"name": "YARD_VERSION", "value": part.source},
            {"name": "YARD_NAME", "value": plan.name},
        ],
    }
    more = [word for name in plan.spec.trusted for word in ("--trust", name)]
    if more:
        model["args"] = more
    predictor: dict[str, Any] = {"minReplicas": plan.spec.replicas, "model": model}
    if canary is not None:
        predictor = {"canaryTrafficPercent": canary, **predictor}
    return _inference_service(plan.safe_name, part, predictor)


def _files_service(plan: Plan, part: Part, server: str) -> dict[str, Any]:
    where = server.partition("://")[2].strip("/")
    predictor = {
        "model": {
            "modelFormat": {"name": _FORMATS.get(part.framework or "", "onnx")},
            "protocolVersion": "v2",
            "storageUri": f"yard://{where}/{part.source}",
        },
    }
    return _inference_service(f"{plan.safe_name}-files", part, predictor)


def _inference_service(name: str, part: Part, predictor: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {
            "name": name,
            "annotations": {
                "modelyard.dev/version": part.source, "modelyard.dev/commit": part.commit,
            },
        },
        "spec": {"predictor": predictor},
    }  # fmt: skip


def _storage(server: str, image: str) -> dict[str, Any]:
    return {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "ClusterStorageContainer",
        "metadata": {"name": "modelyard"},
        "spec": {
            "container": {
                "name": "storage-initializer",
                "image": image,
                "command": ["python", "-m", "modelyard.cli.storage_initializer"],
                "env": [
                    {"name": "YARD", "value": server},
                    {"name": "YARD_TOKEN", "valueFrom": _secret("yard-token")},
                    {"name": "HOME", "value": "/tmp"},
                ],
                "resources": {
                    "requests": {"memory": "256Mi", "cpu": "100m"},
                    "limits": {"memory": "1Gi", "cpu": "1"},
                },
            },
            "supportedUriFormats": [{"prefix": "yard://"}],
            "workloadType": "initContainer",
        },
    }


def _secret(key: str) -> dict[str, Any]:
    return {"secretKeyRef": {"name": _SECRET, "key": key}}


def _closed() -> dict[str, Any]:
    return {
        "allowPrivilegeEscalation": False, "runAsNonRoot": True, "runAsUser": 10001,
        "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
    }  # fmt: skip


def _resources(plan: Plan) -> dict[str, Any]:
    cores = str(max(1, plan.spec.limits.threads))
    memory = f"{max(256, plan.spec.limits.memory >> 20)}Mi"
    return {
        "requests": {"cpu": cores, "memory": "256Mi"},
        "limits": {"cpu": cores, "memory": memory},
    }


def _text(comment: str, content: dict[str, Any]) -> str:
    return f"# {comment}\n\n" + yaml.safe_dump(content, sort_keys=False)
