"""`python -m tests.benchmarks.monitoring.cost`: what being watched costs a deployment.

Two measures, both of processor time, since walls of busy machines tell nothing. *Beside*: what the
threads of monitoring do with requests of one row and 20 numbers, at several rates, all of it: rows
made of records, tiles, answers, anomalies, fast rules, writing. *Served*: two real servers, one
of them watched, asked in turns over HTTP; the difference of their processor time for a request,
and of the median of what clients wait.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import socket
import sys
import tempfile
import time
from pathlib import Path
from statistics import mean, median
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from tests.benchmarks.store.checks import Check
from tests.benchmarks.store.sections import line
from tests.server.running import running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tests.server.running import Running

    from modelyard.server.monitoring import Watch
    from modelyard.serving.records import Record

__all__ = ["beside", "main", "make_yard", "served"]

MODEL, NAME, WIDTH = "bench/twenty", "twenty", 20
_ROWS: Final = 50_000
_RATES: Final = (100, 1_000, 5_000)
_ROUNDS: Final = 4


def make_yard(folder: Path) -> None:
    """A yard with a deployed ONNX model of 20 numbers and two classes, and its profile."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    import modelyard
    from modelyard.core.deployment import DeploymentSpec, Share
    from modelyard.registry import create

    random = np.random.default_rng(0)
    weights = random.normal(size=(WIDTH, 2)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "w"], ["sums"]),
            helper.make_node("Softmax", ["sums"], ["probabilities"], axis=1),
            helper.make_node("ArgMax", ["probabilities"], ["label"], axis=1, keepdims=0),
        ],
        "twenty",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", WIDTH])],
        [helper.make_tensor_value_info("label", TensorProto.INT64, ["n"]),
         helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", 2])],
        [numpy_helper.from_array(weights, "w")],
    )  # fmt: skip
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    made.ir_version = 9
    source = folder.parent / "twenty"
    source.mkdir()
    onnx.save(made, source / "model.onnx")
    inputs = random.normal(size=(20_000, WIDTH)).astype(np.float32)
    chance = 1 / (1 + np.exp(-(inputs @ weights) @ np.array([-1.0, 1.0])))
    truth = (random.random(len(inputs)) < chance).astype(int)
    table = folder.parent / "reference.csv"
    head = ",".join([*(f"x{i}" for i in range(WIDTH)), "truth"])
    np.savetxt(table, np.column_stack([inputs, truth]), "%.6g", ",", header=head, comments="")
    yard = create(folder)
    try:
        version = yard.commit(MODEL, source)
        modelyard.watch(yard).make_profile(MODEL, version.number, table, target="truth")
        share = Share(model=MODEL, revision=str(version.number))
        yard.deployments.apply(DeploymentSpec(name=NAME, shares=(share,)))
    finally:
        yard.close()


def beside(folder: Path) -> Iterator[Check]:
    """Microseconds of the threads beside requests, for each of them."""
    from modelyard.registry import open_yard
    from modelyard.server.app import make_app
    from modelyard.server.settings import Settings

    yard = open_yard(folder)
    try:
        app: Any = make_app(yard, Settings(accounts=False))
        watch = app.server.parts["monitoring"]
        records = _records(yard, _ROWS)
        watch.take(records[:1000])
        watch.takings.write()
        for rate in _RATES:
            yield from _at_rate(watch, records, rate)
    finally:
        yard.close()


def _at_rate(watch: Watch, records: Sequence[Record], rate: int) -> Iterator[Check]:
    """As a server's threads have it at a rate; the best of some rounds, since others work too."""
    each = max(rate // 4, 1)
    groups = min(len(records) // each, 240)
    rows = groups * each
    best: dict[str, float] = {}
    for _ in range(_ROUNDS):
        spent = _round(watch, records, each, groups)
        if not best or sum(spent.values()) < sum(best.values()):
            best = spent
    told = ", ".join(f"{what} {took / rows * 1e6:.2f}" for what, took in best.items())
    total = sum(best.values()) / rows * 1e6
    yield Check("beside", f"{rate:,} requests of one row a second", total,
                5.0 if rate >= 1000 else None, "us a row", note=told)  # fmt: skip


def _round(watch: Watch, records: Sequence[Record], each: int, groups: int) -> dict[str, float]:
    """Seconds by what they were for: four groups a second, and what is repeated."""
    spent = {"take": 0.0, "judge": 0.0, "write": 0.0}
    now = time.time() - groups / 4
    for place in range(groups):
        some = records[place * each : (place + 1) * each]
        for record in some:
            record.time = now + place / 4
        begun = time.process_time()
        watch.take(some)
        if place % 4 == 3:  # as if a second had passed
            watch.takings._fold_due(0.0)
        spent["take"] += time.process_time() - begun
        if place % 2 == 1:
            begun = time.process_time()
            watch._judge.fast(now + place / 4)
            for deployment, found in watch.takings.anomalies(now + place / 4):
                watch._judge.note(deployment, found)
            spent["judge"] += time.process_time() - begun
        if place % 20 == 19:
            begun = time.process_time()
            watch.takings.write()
            spent["write"] += time.process_time() - begun
    return spent


def _records(yard: Any, count: int) -> list[Record]:
    from modelyard.core.deployment import Limits
    from modelyard.serving.interface import Line, Slot, Timing
    from modelyard.serving.records import Record

    spec = yard.deployments.get(NAME).spec
    assert isinstance(spec.limits, Limits)
    version = yard.resolve(MODEL, None)

    async def asleep() -> Any:
        raise NotImplementedError

    slot = Slot(MODEL, version.number, version.commit, asleep)
    place = Line(NAME, spec, 1, (slot,), (1.0,))
    random = np.random.default_rng(1)
    inputs = random.normal(size=(count, 1, WIDTH)).astype(np.float32)
    second = random.uniform(size=count).astype(np.float32)
    scores = np.stack([1 - second, second], axis=1)[:, None, :]
    labels = (second > 0.5).astype(np.int64)[:, None]
    took = random.lognormal(11, 0.3, count).astype(int)
    found = []
    for i in range(count):
        timing = Timing(1_000, 20_000, 20_000 + int(took[i]))
        found.append(Record(
            place, 0.0, f"bench-{i:x}", f"client-{i % 20}", slot.version, MODEL, slot.commit,
            timing, 40_000 + int(took[i]), feeds={"x": inputs[i]},
            outputs={"label": labels[i], "probabilities": scores[i]}, decoded=15_000,
        ))  # fmt: skip
    return found


def served(folder: Path, *, requests: int = 40_000, each: int = 400) -> Iterator[Check]:
    """Processor time of a request of a server that is watched, and of one that is not.

    They are asked in short turns, so that whatever else the machine does meets both.
    """
    other = folder.parent / "other" / "yard"
    other.parent.mkdir()
    make_yard(other)
    bodies = _bodies(2_000)
    took: dict[str, list[float]] = {"monitored": [], "not monitored": []}
    with (
        running(folder, accounts=False, log="warnings") as watched,
        running(other, accounts=False, log="warnings", no_monitoring=True) as bare,
    ):
        servers = {"monitored": watched, "not monitored": bare}
        for one in servers.values():
            _until_ready(one.url)
            _ask(one.url, bodies, 3_000)
        idle = _spent(servers, lambda: time.sleep(10))
        begun = time.monotonic()

        def turn() -> None:
            for name, one in servers.items():
                took[name] += _ask(one.url, bodies, each)

        spent = [_spent(servers, turn) for _ in range(requests // each)]
        rate = requests / (time.monotonic() - begun)
        modes = {_mode(one.url) for one in servers.values()}
    half = {name: median(some) * 1e6 for name, some in took.items()}
    if modes != {"inline"}:  # a call that took 20 ms, on a busy machine, moved one to a thread
        yield Check("served", "not comparable: one computes in a thread", float("nan"))
        return
    for name in servers:
        cost = _middle([one[name] for one in spent]) / each * 1e6
        told = f"p50 {half[name]:.0f} us; idle {idle[name] / 10 * 1e3:.1f} ms a second"
        yield Check("served", f"a request, {name}", cost, None, "us of processor", note=told)
    differences = [one["monitored"] - one["not monitored"] for one in spent]
    more = _middle(differences) / each * 1e6
    yield Check("served", "more processor time, all in", more, 5.0, "us a request",
                note=f"at {rate:,.0f} requests a second")  # fmt: skip
    longer = (half["monitored"] / half["not monitored"] - 1) * 100
    yield Check("served", "longer median wait", longer, 1.0, "%",
                note="of clients on the same cores, one request at a time")  # fmt: skip


def _spent(servers: Mapping[str, Running], work: Callable[[], None]) -> dict[str, float]:
    """Processor seconds of each server while something is done."""
    before = {name: _processor(one.process.pid) for name, one in servers.items()}
    work()
    return {name: _processor(one.process.pid) - before[name] for name, one in servers.items()}


def _middle(values: list[float]) -> float:
    """The mean without the tenth part at each end, where other work of the machine is."""
    cut = len(values) // 10
    return mean(sorted(values)[cut : len(values) - cut])


def _processor(pid: int) -> float:
    """Seconds that the threads of a process took so far, to the nanosecond."""
    total = 0
    for place in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            total += int((place / "schedstat").read_text().split()[0])
    return total / 1e9


def _bodies(count: int) -> list[bytes]:
    random = np.random.default_rng(2)
    found = []
    for row in random.normal(size=(count, WIDTH)).round(4).tolist():
        told = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, WIDTH], "data": row}]}
        body = json.dumps(told).encode()
        head = (
            f"POST /v2/models/{NAME}/infer HTTP/1.1\r\nhost: 127.0.0.1\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        found.append(head.encode() + body)
    return found


def _ask(url: str, bodies: Sequence[bytes], count: int) -> list[float]:
    """One after the other on one connection; seconds that each took."""
    host, _, port = url.removeprefix("http://").partition(":")
    took = []
    with contextlib.closing(socket.create_connection((host, int(port)), timeout=30)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for place in range(count):
            begun = time.perf_counter()
            connection.sendall(bodies[place % len(bodies)])
            answer = _whole(connection)
            took.append(time.perf_counter() - begun)
            if not answer.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(answer[:500].decode("utf-8", "replace"))
    return took


def _whole(connection: socket.socket) -> bytes:
    """An answer, which may come in two pieces."""
    answer = b""
    while True:
        answer += connection.recv(65536)
        head, _, body = answer.partition(b"\r\n\r\n")
        told = re.search(rb"(?i)content-length: *(\d+)", head)
        if told is not None and len(body) >= int(told[1]):
            return answer


def _mode(url: str) -> str:
    """Where the version computes."""
    import httpx2

    found = re.search(r'modelyard_model_info{.*mode="(\w+)"', httpx2.get(f"{url}/metrics").text)
    return "" if found is None else found[1]


def _until_ready(url: str) -> None:
    import httpx2

    end = time.monotonic() + 60
    while httpx2.get(f"{url}/v2/models/{NAME}/ready").status_code != 200:
        if time.monotonic() > end:
            raise RuntimeError("the deployment does not become ready")
        time.sleep(0.1)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=["beside", "served"])
    parser.add_argument("--requests", type=int, default=40_000)
    given = parser.parse_args()
    missed = 0
    for part in given.parts:
        with tempfile.TemporaryDirectory(prefix="yard-cost-") as place:
            folder = Path(place) / "yard"
            make_yard(folder)
            told = beside(folder) if part == "beside" else served(folder, requests=given.requests)
            for check in told:
                print(line(check), flush=True)
                missed += check.passed is False
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
