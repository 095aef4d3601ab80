"""`YardTests`: everything the `Yard` protocol promises, theme by theme."""

from __future__ import annotations

from modelyard.testing.yard.bytes import BytesTests
from modelyard.testing.yard.case import Desk, YardCase, refused
from modelyard.testing.yard.commit import CommitTests
from modelyard.testing.yard.crowd import CrowdTests
from modelyard.testing.yard.deletion import DeletionTests
from modelyard.testing.yard.deployments import DeploymentTests
from modelyard.testing.yard.diff import DiffTests
from modelyard.testing.yard.evaluation import EvaluationTests
from modelyard.testing.yard.history import HistoryTests
from modelyard.testing.yard.hostile import HostileTests
from modelyard.testing.yard.house import HouseTests
from modelyard.testing.yard.merge import MergeTests
from modelyard.testing.yard.mixing import MixingTests
from modelyard.testing.yard.monitoring import MonitoringTests
from modelyard.testing.yard.objects import ObjectTests
from modelyard.testing.yard.optimizations import OptimizationTests
from modelyard.testing.yard.refs import RefTests
from modelyard.testing.yard.search import SearchTests
from modelyard.testing.yard.tree import TreeTests

__all__ = ["Desk", "YardCase", "YardTests", "refused"]


class YardTests(
    CommitTests,
    TreeTests,
    RefTests,
    HistoryTests,
    MergeTests,
    MixingTests,
    BytesTests,
    DiffTests,
    DeletionTests,
    SearchTests,
    HouseTests,
    HostileTests,
    ObjectTests,
    CrowdTests,
    EvaluationTests,
    DeploymentTests,
    MonitoringTests,
    OptimizationTests,
):
    """Subclass it with a `yard` fixture that gives a new, empty yard."""
