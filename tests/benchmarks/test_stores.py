"""What stores and databases may cost, as far as it is the same on every machine: counts, shares."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.benchmarks.stores.places import Traffic
from tests.benchmarks.stores.steps import Statements

from modelyard.registry import create
from modelyard.testing.models import layers, safetensors_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.services.fault_proxy import FaultProxy

    from modelyard.registry.local import LocalYard


@pytest.fixture
def traffic(s3_url: str, faulty_http: Callable[[str], FaultProxy]) -> Traffic:
    server = s3_url.partition("endpoint=")[2].partition("&")[0]
    return Traffic(faulty_http(server))


@pytest.fixture
def far(s3_url: str, traffic: Traffic, tmp_path: Path) -> Iterator[LocalYard]:
    """A yard whose packs are in S3, behind the traffic."""
    head, _, rest = s3_url.partition("endpoint=")
    store = f"{head}endpoint={traffic.endpoint}&{rest.partition('&')[2]}"
    with create(tmp_path / "far", store=store) as made:
        traffic.since()
        yield made


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Ten tensors of 1 MiB."""
    path = tmp_path / "model.safetensors"
    path.write_bytes(safetensors_bytes(layers(1, count=10, width=512)))
    return path


def change_last_tenth(model: Path) -> None:
    content = bytearray(model.read_bytes())
    values = np.frombuffer(content, np.float32, offset=len(content) - (1 << 20))
    values *= np.random.default_rng(2).normal(1, 1e-2, values.size).astype(np.float32)
    model.write_bytes(content)


def test_a_commit_to_s3_sends_two_objects_and_asks_for_each(
    far: LocalYard, traffic: Traffic, model: Path
) -> None:
    far.commit("m", model)
    seen = traffic.since()
    assert seen["PUT"] <= 2
    assert seen.get("HEAD", 0) <= 3
    assert "GET" not in seen
    assert seen["sent"] < 0.9 * model.stat().st_size


def test_a_changed_version_is_copied_to_s3_in_few_requests_and_bytes(
    yard: LocalYard, far: LocalYard, traffic: Traffic, model: Path
) -> None:
    yard.commit("m", model)
    yard.copy_to(far, "m")
    traffic.since()
    change_last_tenth(model)
    yard.commit("m", model)
    yard.copy_to(far, "m", 2)
    seen = traffic.since()
    sent, received = seen.pop("sent"), seen.pop("received")
    assert sent <= 0.12 * model.stat().st_size
    assert received < 0.01 * model.stat().st_size
    assert sum(seen.values()) <= 8


def test_a_mirror_with_nothing_new_asks_s3_for_next_to_nothing(
    yard: LocalYard, far: LocalYard, traffic: Traffic, model: Path
) -> None:
    yard.commit("m", model)
    yard.mirror_to(far)
    traffic.since()
    yard.mirror_to(far)
    seen = traffic.since()
    del seen["received"]
    assert seen.pop("sent") == 0
    assert sum(seen.values()) <= 2


class TestStatements:
    """To a catalog on PostgreSQL, where each is a question to another machine."""

    @pytest.fixture
    def told(self, postgres_url: str, tmp_path: Path) -> Iterator[tuple[LocalYard, Statements]]:
        with ExitStack() as stack:
            made = stack.enter_context(create(tmp_path / "sql", catalog=postgres_url))
            for number in range(3):
                for name in ("a", "b", "c"):
                    self.commit(made, name, tmp_path, number)
            yield made, Statements(made)

    def commit(self, yard: LocalYard, name: str, tmp_path: Path, number: int) -> None:
        file = tmp_path / "weights.bin"
        file.write_bytes(np.random.default_rng(number).bytes(20_000) + name.encode())
        yard.commit(name, file, message=f"step {number}", labels={"n": str(number)})

    def test_a_small_commit_says_a_bounded_number(
        self, told: tuple[LocalYard, Statements], tmp_path: Path
    ) -> None:
        yard, statements = told
        self.commit(yard, "a", tmp_path, 9)
        assert statements.statements <= 60
        assert statements.transactions <= 7

    def test_a_search_says_as_many_for_three_models_as_for_one(
        self, told: tuple[LocalYard, Statements]
    ) -> None:
        yard, statements = told
        counts = []
        for query in ("name:a", "step"):
            before = statements.statements
            assert yard.search(query).items
            counts.append(statements.statements - before)
        assert counts[1] <= counts[0] + 2
