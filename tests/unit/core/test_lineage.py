from __future__ import annotations

import os
import random
import shutil
import subprocess
from itertools import combinations
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.core.lineage import (
    LineageEdge,
    ancestors,
    graph_lanes,
    is_ancestor,
    merge_bases,
)
from modelyard.errors import Corrupt, InvalidInput

if TYPE_CHECKING:
    from pathlib import Path

Graph = dict[int, tuple[int, ...]]
CROSSED: Graph = {1: (), 2: (1,), 3: (1,), 4: (2, 3), 5: (3, 2), 6: (4,), 7: (5,)}


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    graph: Graph = {}
    for number in range(1, draw(st.integers(1, 16)) + 1):
        older = st.lists(st.sampled_from(range(1, number)), unique=True, max_size=3)
        graph[number] = tuple(draw(older)) if number > 1 else ()
    return graph


def contained(graph: Graph, start: int) -> set[int]:
    """Start and all its ancestors, by definition."""
    found, waiting = set(), [start]
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting += graph[node]
    return found


@given(graphs(), st.data())
def test_the_log_has_every_ancestor_once_and_children_first(
    graph: Graph, data: st.DataObject
) -> None:
    start = data.draw(st.sampled_from(sorted(graph)))
    log = list(ancestors(start, graph.__getitem__))
    assert set(log) == contained(graph, start)
    assert log == sorted(log, reverse=True)
    place = {node: index for index, node in enumerate(log)}
    assert len(place) == len(log)
    assert all(place[node] < place[parent] for node in log for parent in graph[node])


@given(graphs())
def test_merge_bases_are_the_common_ancestors_that_no_other_contains(graph: Graph) -> None:
    for a in graph:
        for b in graph:
            common = contained(graph, a) & contained(graph, b)
            best = {n for n in common if not any(n in contained(graph, m) - {m} for m in common)}
            assert merge_bases(a, b, graph.__getitem__) == tuple(sorted(best, reverse=True))
            assert is_ancestor(a, b, graph.__getitem__) == (a in contained(graph, b))


def test_crossed_merges_have_two_bases() -> None:
    assert merge_bases(6, 7, CROSSED.__getitem__) == (3, 2)


def test_a_log_is_lazy() -> None:
    asked: list[int] = []

    def parents(node: int) -> tuple[int, ...]:
        asked.append(node)
        return (node - 1,)

    walk = ancestors(1_000_000, parents)
    assert [next(walk) for _ in range(3)] == [1_000_000, 999_999, 999_998]
    assert len(asked) == 2
    assert merge_bases(1_000_000, 999_990, parents) == (999_990,)
    assert not is_ancestor(999_999, 999_998, parents)
    assert len(asked) < 20


def test_a_parent_that_is_not_older_is_corrupt() -> None:
    with pytest.raises(Corrupt):
        list(ancestors(2, {2: (3,), 3: (2,)}.__getitem__))


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
@pytest.mark.parametrize("seed", range(4))
def test_merge_bases_are_gits(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    graph: Graph = {
        n: tuple(rng.sample(range(max(1, n - 6), n), k=min(n - 1, rng.choice((1, 1, 1, 2, 3)))))
        for n in range(1, 31)
    }
    sha_of = import_graph(tmp_path, graph)
    number_of = {sha: number for number, sha in sha_of.items()}
    for a, b in rng.sample(list(combinations(graph, 2)), k=40):
        out = git(tmp_path, "merge-base", "--all", sha_of[a], sha_of[b])
        expected = sorted((number_of[sha] for sha in out.split()), reverse=True)
        assert merge_bases(a, b, graph.__getitem__) == tuple(expected)


def import_graph(folder: Path, graph: Graph) -> dict[int, str]:
    git(folder, "init", "--bare", "--quiet")
    stream = ["feature done"]
    for number, parents in graph.items():
        stream += [f"commit refs/heads/v{number}", f"mark :{number}"]
        stream += [f"committer a <a> {1_700_000_000 + number} +0000", "data 1", str(number % 10)]
        stream += [f"{'merge' if i else 'from'} :{p}" for i, p in enumerate(parents)]
        stream += [""]
    marks = folder / "marks"
    git(folder, "fast-import", "--quiet", f"--export-marks={marks}",
        data="\n".join([*stream, "done", ""]))  # fmt: skip
    lines = (line.split() for line in marks.read_text().splitlines())
    return {int(mark[1:]): sha for mark, sha in lines}


def git(folder: Path, *args: str, data: str | None = None) -> str:
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(
        ["git", *args], cwd=folder, env=env, input=data, capture_output=True, text=True
    )
    assert done.returncode in (0, 1), done.stderr  # merge-base answers 1 for none
    return done.stdout


def drawn(graph: Graph) -> list[str]:
    """The log as text: a node, or a line that goes on, in each column; then the edges."""
    rows = graph_lanes((node, graph[node]) for node in sorted(graph, reverse=True))
    return [f"{row.node}@{row.column}/{row.width} {row.edges}" for row in rows]


def test_a_straight_history_is_one_lane() -> None:
    assert drawn({1: (), 2: (1,), 3: (2,)}) == [
        "3@0/1 ((0, 0),)",
        "2@0/1 ((0, 0),)",
        "1@0/1 ()",
    ]


def test_a_merge_opens_a_lane_and_a_fork_closes_it() -> None:
    assert drawn({1: (), 2: (1,), 3: (1,), 4: (2, 3)}) == [
        "4@0/2 ((0, 0), (0, 1))",
        "3@1/2 ((0, 0), (1, 1))",
        "2@0/2 ((0, 0), (1, 0))",
        "1@0/1 ()",
    ]


def test_a_freed_lane_is_used_again() -> None:
    graph: Graph = {1: (), 2: (), 3: (), 4: (2, 3)}
    assert drawn(graph) == ["4@0/2 ((0, 0), (0, 1))", "3@1/2 ((0, 0),)", "2@0/1 ()", "1@0/1 ()"]


@given(graphs())
def test_lanes_connect_every_node_with_its_parents(graph: Graph) -> None:
    rows = list(graph_lanes((node, graph[node]) for node in sorted(graph, reverse=True)))
    lines: dict[int, set[int]] = {}  # column -> nodes that lead here from above
    for row in rows:
        assert row.column < row.width
        reached = lines.pop(row.column, set())
        assert reached == {child for child in graph if row.node in graph[child]}
        lines = {
            to: set().union(
                *(
                    {row.node} if start == row.column else lines[start]
                    for start, end in row.edges
                    if end == to
                )
            )
            for _, to in row.edges
        }
        assert all(to < row.width for _, to in row.edges)
    assert not lines


def test_edges_of_lineage_are_parsed() -> None:
    edge = LineageEdge.parse({"kind": "tuned-from", "source": "vision/resnet@3", "note": "x"})
    assert str(edge) == "tuned-from vision/resnet@3"
    assert LineageEdge.parse(edge.encode()) == edge


@pytest.mark.parametrize(
    "fields",
    [{}, {"kind": "stolen-from", "source": "x"}, {"kind": "trained-on"},
     {"kind": "trained-on", "source": ""}, {"kind": "trained-on", "source": "a\nb"},
     {"kind": "trained-on", "source": "x" * 501}],
)  # fmt: skip
def test_odd_edges_are_refused(fields: dict[str, str]) -> None:
    with pytest.raises(InvalidInput) as refused:
        LineageEdge.parse(fields)
    assert refused.value.kind == "bad-lineage"
