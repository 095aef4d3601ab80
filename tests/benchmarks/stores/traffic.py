"""Requests and bytes between us and S3, counted by a proxy; the same for boto3 and DVC."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from tests.benchmarks.store.checks import Check
from tests.benchmarks.stores.running import step, yard

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.benchmarks.stores.places import Traffic
    from tests.benchmarks.stores.running import Bench

__all__ = ["traffic"]

_SHARE, _REQUESTS = 0.12, 40


def traffic(bench: Bench) -> Iterator[Check]:
    """Straight into S3, copied to S3, mirrored again, and by others."""
    base, changed = (bench.model(case, bench.traffic_mb) for case in "ab")
    wire = bench.places.traffic()
    yield from _straight(bench, wire, base, changed)
    yield from _copied(bench, wire, base, changed)
    yield from _boto3(bench, wire, base, changed)


def _straight(bench: Bench, wire: Traffic, base: Path, changed: Path) -> Iterator[Check]:
    folder = bench.folder("straight")
    step("init", yard=folder / "yard", store=bench.places.s3(wire.endpoint), catalog=None)
    wire.since()
    step("commit", yard=folder / "yard", file=base)
    yield from _checks(wire, "commit to S3", base, "sent")
    step("commit", yard=folder / "yard", file=changed)
    yield from _checks(wire, "commit to S3, last tenth changed", base, "sent", share=_SHARE)
    step("checkout", yard=folder / "yard", number=1, dest=folder / "out")
    yield from _checks(wire, "checkout from S3", base, "received")
    step("checkout", yard=folder / "yard", number=2, dest=folder / "again")
    yield from _checks(wire, "checkout from S3, last tenth changed", base, "received")


def _copied(bench: Bench, wire: Traffic, base: Path, changed: Path) -> Iterator[Check]:
    folder = bench.folder("copied")
    ours, theirs = folder / "ours", folder / "theirs"
    step("init", yard=ours, store=None, catalog=None)
    step("init", yard=theirs, store=bench.places.s3(wire.endpoint), catalog=None)
    step("commit", yard=ours, file=base)
    wire.since()
    yard("copy", "bench/m", ours, theirs)
    yield from _checks(wire, "yard copy to S3", base, "sent")
    step("commit", yard=ours, file=changed)
    yard("copy", "bench/m@2", ours, theirs)
    yield from _checks(wire, "yard copy to S3, last tenth changed", base, "sent", share=_SHARE)
    yard("mirror", ours, theirs)
    yield from _checks(wire, "yard mirror again, nothing new", base, "sent")


def _boto3(bench: Bench, wire: Traffic, base: Path, changed: Path) -> Iterator[Check]:
    import boto3

    client = boto3.client("s3", endpoint_url=wire.endpoint, region_name="us-east-1")
    bucket = bench.places.bucket()
    wire.since()
    client.upload_file(str(base), bucket, "a.bin")
    yield from _checks(wire, "boto3: upload", base, "sent", limited=False)
    client.upload_file(str(changed), bucket, "b.bin")
    yield from _checks(wire, "boto3: upload, last tenth changed", base, "sent", limited=False)
    client.download_file(bucket, "a.bin", str(bench.folder("boto3") / "out"))
    yield from _checks(wire, "boto3: download", base, "received", limited=False)


def dvc(bench: Bench) -> Iterator[Check]:
    """`dvc push` of both versions, from its own environment (the first time 100 MB to install)."""
    from tests.benchmarks.store import venvs
    from tests.benchmarks.store.measure import quiet

    base, changed = (bench.model(case, bench.traffic_mb) for case in "ab")
    wire, folder = bench.places.traffic(), bench.folder("dvc")
    program = venvs.command_of(bench.work, "dvc-s3", "dvc")
    keys = {name: os.environ[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
    env = quiet(bench.work / "home", AWS_DEFAULT_REGION="us-east-1", **keys)

    def run(*words: str) -> None:
        subprocess.run([program, *words], cwd=folder, env=env, check=True, capture_output=True)

    run("init", "--no-scm", "-q")
    run("remote", "add", "-q", "-d", "s3", f"s3://{bench.places.bucket()}/dvc")
    run("remote", "modify", "s3", "endpointurl", wire.endpoint)
    wire.since()
    for file, what in ((base, "push"), (changed, "push, last tenth changed")):
        (folder / "model.bin").unlink(missing_ok=True)
        os.link(file, folder / "model.bin")
        run("add", "-q", "model.bin")
        run("push", "-q")
        yield from _checks(wire, f"DVC: {what}", base, "sent", limited=False)


def _checks(
    wire: Traffic,
    what: str,
    file: Path,
    way: str,
    *,
    share: float | None = None,
    limited: bool = True,
) -> Iterator[Check]:
    """Two numbers: bytes as a part of the version's, and requests for each GB of the version."""
    counts = wire.since()
    size = file.stat().st_size
    moved = counts.pop(way)
    counts.pop("received" if way == "sent" else "sent")
    requests = sum(counts.values())
    methods = ", ".join(f"{count} {method}" for method, count in sorted(counts.items()))
    note = f"{moved / 1e6:,.1f} of {size / 1e6:,.1f} MB"
    yield Check(what, f"{way}, of the version", moved / size, share, note=note)
    limit = _REQUESTS if limited else None
    note = f"{requests} requests: {methods}" if requests else "no request"
    yield Check(what, "requests per GB of the version", requests / size * 1e9, limit, note=note)
