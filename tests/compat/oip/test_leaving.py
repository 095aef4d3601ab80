"""Clients that leave while they are computed for harm nobody, and are not waited for."""

import os
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import httpx2
import pytest
from tests.compat.oip.conftest import Stub
from tests.compat.oip.serving import make_yard, serving

from modelyard.serving.grpc.stubs import messages as m


@pytest.fixture(scope="module")
def slow(tmp_path_factory):
    with serving(make_yard(tmp_path_factory.mktemp("slow"), ["slow"]), "slow") as server:
        yield server


def _rows(number):
    request = m.ModelInferRequest(model_name="slow", id=str(number))
    given = request.inputs.add(name="x", datatype="FP32", shape=[1, 4])
    given.contents.fp32_contents.extend([number, 1, 2, 3])
    return request


def _waits(server):
    """Rows that wait, once nobody is left who should."""
    for _ in range(100):
        metrics = httpx2.get(f"{server.url}/metrics").text
        waiting = "modelyard_inference_waiting_rows{"
        (line,) = [line for line in metrics.splitlines() if line.startswith(waiting)]
        if line.endswith(" 0"):
            return 0
        time.sleep(0.1)
    return line


def test_of_many_calls_those_that_are_not_cancelled_are_answered_right(slow):
    with grpc.insecure_channel(slow.grpc) as channel:
        call = channel.unary_unary(
            "/inference.GRPCInferenceService/ModelInfer",
            request_serializer=m.ModelInferRequest.SerializeToString,
            response_deserializer=m.ModelInferResponse.FromString,
        )
        asked = [call.future(_rows(number), timeout=60) for number in range(60)]
        for future in asked[::3]:
            future.cancel()
        for number, future in enumerate(asked):
            if number % 3:
                answer = future.result(60)
                assert answer.id == str(number)
                total = answer.raw_output_contents[0]
                assert memoryview(total).cast("f").tolist() == [number + 6.0]
    assert _waits(slow) == 0


def test_calls_that_can_wait_no_longer_are_told_so_and_others_are_answered(slow):
    stub = Stub(slow.grpc)
    hurried = [_rows(number) for number in range(20)]
    for request in hurried:
        request.parameters["timeout"].int64_param = 2_000
    with ThreadPoolExecutor(30) as pool:
        patient = [pool.submit(stub.ModelInfer, _rows(number)) for number in range(8)]
        late = [pool.submit(stub.ModelInfer, request) for request in hurried]
        assert [f.result().id for f in patient] == [str(number) for number in range(8)]
        states = {_state(future) for future in late}
    stub.channel.close()
    assert states <= {"OK", "DEADLINE_EXCEEDED", "UNAVAILABLE"}
    assert states - {"OK"}
    assert _waits(slow) == 0


def _state(future):
    error = future.exception()
    return "OK" if error is None else error.code().name


def test_connections_that_break_off_harm_nobody(slow):
    body = b'{"inputs":[{"name":"x","shape":[1,4],"datatype":"FP32","data":[1,2,3,4]}]}'
    head = b"POST /v2/models/slow/infer HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
    host, _, port = slow.http.partition(":")
    for sent in (head % len(body) + body, head % len(body) + body[:30], head[:40]):
        for _ in range(10):
            with socket.create_connection((host, int(port))) as connection:
                connection.sendall(sent)
    answer = httpx2.post(f"{slow.url}/v2/models/slow/infer", content=body, timeout=30)
    assert answer.json()["outputs"][0]["data"] == [10.0]
    assert _waits(slow) == 0


def test_streams_that_break_off_harm_nobody(slow):
    stub = Stub(slow.grpc)
    for _ in range(5):
        stream = stub.stream(_rows(number) for number in range(1000))
        next(stream)
        stream.cancel()
    assert memoryview(stub.ModelInfer(_rows(4)).raw_output_contents[0]).cast("f").tolist() == [10.0]
    stub.channel.close()
    assert _waits(slow) == 0


def test_a_server_that_is_told_to_stop_answers_what_it_began(tmp_path):
    with serving(make_yard(tmp_path, ["slow"]), "slow") as server:
        stub = Stub(server.grpc)
        with ThreadPoolExecutor(20) as pool:
            asked = [pool.submit(stub.ModelInfer, _rows(number)) for number in range(20)]
            assert asked[0].result().id == "0"
            os.kill(server.pid, signal.SIGTERM)
            states = [_state(future) for future in asked]
            os.waitid(os.P_PID, server.pid, os.WEXITED | os.WNOWAIT)  # a second signal is rude
        assert set(states) <= {"OK", "UNAVAILABLE"}, states  # what came after the end is refused
        assert states.count("OK") >= 10, states
        stub.channel.close()


def test_an_open_stream_does_not_keep_a_server_from_stopping(tmp_path):
    with serving(make_yard(tmp_path, ["total"]), "total") as server:
        stub, over = Stub(server.grpc), threading.Event()

        def asked():
            yield _total()
            over.wait(60)

        stream = stub.stream(asked())
        assert next(stream).infer_response.model_name == "total"
        begun = time.monotonic()
        os.kill(server.pid, signal.SIGTERM)
        with pytest.raises(grpc.RpcError) as caught:
            next(stream)
        over.set()
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
        os.waitid(os.P_PID, server.pid, os.WEXITED | os.WNOWAIT)
        assert time.monotonic() - begun < 10
        stub.channel.close()


def _total():
    request = _rows(1)
    request.model_name = "total"
    return request
