"""A service for people who run containers themselves: Dockerfiles, and manifests for KServe."""

from __future__ import annotations

from modelyard.serving.export.container import container_files, container_tars
from modelyard.serving.export.kserve import kserve_files
from modelyard.serving.export.plan import Part, Plan, plan_of

__all__ = ["Part", "Plan", "container_files", "container_tars", "kserve_files", "plan_of"]
