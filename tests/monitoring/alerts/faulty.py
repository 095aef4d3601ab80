"""A model with a planted fault, who asks it, and who hears of it."""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import httpx2

__all__ = ["Heard", "ask", "deploy", "doubling", "hearing", "play", "until"]


def doubling(folder: Path) -> Path:
    """A model that doubles numbers, and fails where it is given one above 90."""
    import onnx
    from onnx import TensorProto, helper

    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "x"], ["y"])], "doubling",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 1])],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(model, folder / "model.onnx")
    (folder / "serving.yaml").write_text("postprocess: hooks.py:check\n")
    (folder / "hooks.py").write_text(
        "def check(outputs):\n"
        "    if (outputs['y'] > 180).any():\n"
        "        raise RuntimeError('a planted fault')\n"
        "    return outputs\n"
    )
    return folder


def deploy(api: httpx2.Client, name: str, model: str) -> None:
    """And wait until it answers."""
    share = {"model": model, "revision": "1", "percent": 100}
    wish = {"shares": [share], "trusted": ["hooks.check"]}
    made = api.put(f"/api/v1/deployments/{name}", json=wish)
    assert made.status_code == 200, made.text
    until(lambda: api.get(f"/v2/models/{name}/ready").status_code == 200)


def ask(api: httpx2.Client, name: str, number: float = 1.0) -> int:
    """The status of an answer."""
    row = {"name": "x", "shape": [1, 1], "datatype": "FP32", "data": [number]}
    return api.post(f"/v2/models/{name}/infer", json={"inputs": [row]}).status_code


@contextlib.contextmanager
def play(api: httpx2.Client, name: str, *, a_second: float = 100.0) -> Iterator[dict[str, float]]:
    """Ask again and again while the block lasts; `number` is what is asked for."""
    state = {"number": 1.0, "asked": 0.0}
    over = threading.Event()

    def run() -> None:
        while not over.wait(1 / a_second):
            ask(api, name, state["number"])
            state["asked"] += 1

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        over.set()
        thread.join()


class Heard:
    """What somebody was told, with the moments."""

    def __init__(self) -> None:
        self.bodies: list[Any] = []
        self.headers: list[dict[str, str]] = []
        self.raw: list[bytes] = []
        self.paths: list[str] = []
        self.times: list[float] = []
        self.answer = b""
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                outer.times.append(time.monotonic())
                outer.raw.append(body)
                outer.paths.append(self.path)
                outer.headers.append({k.lower(): v for k, v in self.headers.items()})
                outer.bodies.append(json.loads(body))
                self.send_response(200)
                self.send_header("content-length", str(len(outer.answer)))
                self.end_headers()
                self.wfile.write(outer.answer)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"


@contextlib.contextmanager
def hearing(answer: bytes = b"") -> Iterator[Heard]:
    one = Heard()
    one.answer = answer
    thread = threading.Thread(target=one.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield one
    finally:
        one.server.shutdown()
        one.server.server_close()
        thread.join()


def until(done: Callable[[], object], seconds: float = 30.0) -> Any:
    """Wait for something; its value."""
    end = time.monotonic() + seconds
    while not (found := done()):
        assert time.monotonic() < end, f"not within {seconds:g} s"
        time.sleep(0.01)
    return found
