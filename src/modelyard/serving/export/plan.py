"""What is exported: versions with their parts of the traffic, and what they need to run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelyard.core.deployment import DeploymentSpec, Share
    from modelyard.core.version import VersionDetail
    from modelyard.core.yard import Yard

__all__ = ["Part", "Plan", "plan_of", "requirements"]

_EXTRAS: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "sklearn": ("sklearn", ("scikit-learn", "skops", "joblib", "numpy", "scipy")),
    "xgboost": ("xgboost", ("xgboost", "numpy")),
    "lightgbm": ("lightgbm", ("lightgbm", "numpy")),
    "keras": ("keras", ("keras", "tensorflow", "tensorflow-cpu", "h5py", "numpy")),
    "torch": ("torch", ("torch", "safetensors", "numpy")),
    "transformers": ("transformers", ("transformers", "torch", "safetensors", "tokenizers")),
    "onnx": ("", ()),
}
"""By framework: our extra, and the packages whose versions change answers."""
_LATEST: Final = "3.13"
_PYTHON: Final = re.compile(r"3\.(1[1-9]|[2-9][0-9])(\.\d+)?", re.ASCII)
_VERSION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.!_-]{0,60}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Part:
    """One version of a service."""

    model: str
    number: int
    commit: str
    percent: float
    framework: str | None
    python: str | None
    """As it was made with: `3.11`."""
    packages: Mapping[str, str]
    """Of those that were imported where it was made."""

    @property
    def source(self) -> str:
        return f"{self.model}@{self.number}"


@dataclass(frozen=True, slots=True)
class Plan:
    """A service that is to run elsewhere."""

    name: str
    spec: DeploymentSpec
    parts: tuple[Part, ...]
    """The stable version first, then canaries. Shadows stay behind."""

    @property
    def python(self) -> str:
        """Of the container: as the stable version was made with, if we run there."""
        told = self.parts[0].python or ""
        return ".".join(told.split(".")[:2]) if _PYTHON.fullmatch(told) else _LATEST

    @property
    def safe_name(self) -> str:
        """As Kubernetes and Docker take names (RFC 1123)."""
        return re.sub(r"[^a-z0-9-]+", "-", self.name.lower()).strip("-")[:50] or "model"


def plan_of(yard: Yard, spec: DeploymentSpec) -> Plan:
    """Look the versions up. NotFound: `no-model`, `no-version`."""
    shares = (spec.stable, *spec.canaries)
    return Plan(spec.name, spec, tuple(_part(yard, share) for share in shares))


def requirements(plan: Plan) -> list[str]:
    """Lines for pip: modelyard with what these frameworks need, and their packages pinned."""
    extras, pins = {"serving"}, dict[str, str]()
    for part in plan.parts:
        extra, packages = _EXTRAS.get(part.framework or "", ("", ()))
        extras |= {extra} - {""}
        for name in packages:
            version = part.packages.get(name)
            if version and _VERSION.fullmatch(version):
                pins.setdefault(name, version)  # the stable version's counts
    return [
        f"modelyard[{','.join(sorted(extras))}]",
        *(f"{name}=={version}" for name, version in sorted(pins.items())),
    ]


def _part(yard: Yard, share: Share) -> Part:
    detail: VersionDetail = yard.show(share.model, share.commit or share.revision)
    info = detail.version
    environment: Any = detail.environment or {}
    packages = environment.get("packages")
    framework: Any = detail.saved.get("framework") or getattr(info, "framework", None)
    return Part(
        model=info.model, number=info.number, commit=info.commit, percent=share.percent,
        framework=str(framework) if framework else None,
        python=environment.get("python"), packages=packages if isinstance(packages, dict) else {},
    )  # fmt: skip
