"""Explanations of any model that a runtime can ask: importance, dependence, SHAP."""

from __future__ import annotations

from modelyard.optimization.explain.explaining import explain

__all__ = ["explain"]
