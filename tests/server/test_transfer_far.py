"""Transfer through a server whose catalog and packs are far away."""

from __future__ import annotations

import pytest
from tests.server.running import running
from tests.server.sending import Sender, cut, random_file

from modelyard.registry import create

pytestmark = pytest.mark.slow


def test_postgresql_and_s3_take_and_give_versions(tmp_path, postgres_url, s3_url):
    create(tmp_path / "yard", store=s3_url, catalog=postgres_url).close()
    frames = cut(random_file(6 << 20))
    with running(tmp_path / "yard") as one, one.client() as client:
        sender = Sender(client, "t/m")
        sender.send(frames[:3], 0)
        sender.send(frames[3:], 1)
        assert sender.finish({"w.bin": frames, "small.bin": b"\0" * 10}).status_code == 201
        assert sender.file(1, "w.bin") == b"".join(bytes(f.content) for f in frames)
        layout = sender.layout(1)
        answer = sender.encoded(1, layout.etag, 0, layout.size)
        assert (answer.status_code, len(answer.content)) == (206, layout.size)
