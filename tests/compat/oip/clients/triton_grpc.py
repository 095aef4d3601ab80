"""tritonclient over gRPC: python triton_grpc.py HOST:PORT"""

# ruff: noqa: PT017 - there is no pytest in that environment

import queue
import sys

import numpy as np
import tritonclient.grpc as client
import tritonclient.grpc.aio as aio
from running import run
from triton_http import EVERY, FIRST, SECOND, is_right
from tritonclient.utils import InferenceServerException


def simple(first=FIRST):
    inputs = []
    for name, array in (("INPUT0", first), ("INPUT1", SECOND)):
        kind = "INT64" if array.dtype == np.int64 else "INT32"
        inputs.append(client.InferInput(name, array.shape, kind).set_data_from_numpy(array))
    return inputs


def wanted():
    return [client.InferRequestedOutput(f"OUTPUT{n}") for n in (0, 1)]


def check_health(url):
    with client.InferenceServerClient(url) as one:
        assert one.is_server_live()
        assert one.is_server_ready()
        assert one.is_model_ready("simple")
        assert one.is_model_ready("total", "1")


def check_metadata(url):
    with client.InferenceServerClient(url) as one:
        told = one.get_model_metadata("simple")
        assert [tensor.name for tensor in told.inputs] == ["INPUT0", "INPUT1"]
        assert list(one.get_model_metadata("simple", as_json=True)["versions"]) == ["1"]
        assert one.get_model_config("simple").config.max_batch_size > 0
        assert "statistics" in one.get_server_metadata().extensions


def check_unknown_models_are_told_in_its_words(url):
    with client.InferenceServerClient(url) as one:
        for ask in (one.get_model_metadata, one.get_model_config, one.get_inference_statistics):
            try:
                ask("nothing")
            except InferenceServerException as error:
                assert "Request for unknown model" in error.message()
                assert error.status() == "StatusCode.NOT_FOUND"
            else:
                raise AssertionError(ask)


def check_infer(url):
    with client.InferenceServerClient(url) as one:
        is_right(one.infer("simple", simple(), outputs=wanted()))
        is_right(one.infer("simple", simple(), headers={"test": "1"}, client_timeout=20))
        result = one.infer("simple", simple(), model_version="1", request_id="r1")
        assert result.get_response().id == "r1"


def check_infer_packed(url):
    with client.InferenceServerClient(url) as one:
        for way in ("gzip", "deflate"):
            is_right(one.infer("simple", simple(), compression_algorithm=way))


def check_every_datatype(url):
    with client.InferenceServerClient(url) as one:
        inputs, arrays = [], {}
        for name, kind in EVERY.items():
            if kind is np.object_:
                array = np.array([["a", "ünï"], ["", "he\0llo"]], object)
            else:
                array = np.array([[0, 1], [1, 0]]).astype(kind)
            arrays[name] = array
            tensor = client.InferInput(f"INPUT_{name}", array.shape, name)
            inputs.append(tensor.set_data_from_numpy(array))
        result = one.infer("every", inputs)
        for name, array in arrays.items():
            found = result.as_numpy(f"OUTPUT_{name}")
            if name == "BYTES":
                assert [text.decode() for text in found.ravel()] == array.ravel().tolist()
            else:
                assert found.dtype == array.dtype
                assert (found == array).all(), name


def check_many_at_once(url):
    found = queue.Queue()
    with client.InferenceServerClient(url) as one:
        for _ in range(60):
            one.async_infer("simple", simple(), lambda result, error: found.put((result, error)))
        for _ in range(60):
            result, error = found.get(timeout=20)
            assert error is None
            is_right(result)


def check_stream(url):
    found = queue.Queue()
    with client.InferenceServerClient(url) as one:
        one.start_stream(lambda result, error: found.put((result, error)))
        for number in range(40):
            one.async_stream_infer("simple", simple(), request_id=str(number))
        one.async_stream_infer("simple", simple(FIRST.astype(np.int64)), request_id="wrong")
        for number in range(40):
            result, error = found.get(timeout=20)
            assert error is None
            assert result.get_response().id == str(number)
            is_right(result)
        _, error = found.get(timeout=20)
        assert "data-type is 'INT64'" in str(error)
        one.stop_stream()


async def check_asyncio(url):
    async with aio.InferenceServerClient(url) as one:
        assert await one.is_server_ready()
        is_right(await one.infer("simple", simple(), outputs=wanted()))

        async def asked():
            for number in range(5):
                yield {"model_name": "simple", "inputs": simple(), "request_id": str(number)}

        ids = []
        async for result, error in one.stream_infer(asked()):
            assert error is None
            is_right(result)
            ids.append(result.get_response().id)
        assert ids == ["0", "1", "2", "3", "4"]


def check_a_call_that_is_cancelled(url):
    found = queue.Queue()
    with client.InferenceServerClient(url) as one:
        call = one.async_infer("simple", simple(), lambda result, error: found.put((result, error)))
        call.cancel()
        found.get(timeout=20)
        is_right(one.infer("simple", simple()))


def check_errors_are_exceptions_with_states(url):
    with client.InferenceServerClient(url) as one:
        try:
            one.infer("simple", simple(FIRST.astype(np.int64)))
        except InferenceServerException as error:
            assert "data-type is 'INT64', but model 'simple' expects 'INT32'" in error.message()
            assert error.status() == "StatusCode.INVALID_ARGUMENT"
        else:
            raise AssertionError("it was taken")


def check_repository(url):
    with client.InferenceServerClient(url) as one:
        names = {each.name for each in one.get_model_repository_index().models}
        assert {"simple", "every"} <= names
        one.unload_model("whole")
        assert not one.is_model_ready("whole")
        one.load_model("whole")
        assert one.is_model_ready("whole")
        try:
            one.load_model("nothing")
        except InferenceServerException as error:
            assert "failed to load" in error.message()
        else:
            raise AssertionError("it was loaded")


def check_statistics(url):
    with client.InferenceServerClient(url) as one:
        (told,) = one.get_inference_statistics("simple").model_stats
        assert told.inference_stats.success.count > 0
        assert len(one.get_inference_statistics().model_stats) > 5


def check_pings_of_a_client_that_asks_nothing(url):
    options = client.KeepAliveOptions(
        keepalive_time_ms=10_000,
        keepalive_permit_without_calls=True,
        http2_max_pings_without_data=0,
    )
    with client.InferenceServerClient(url, keepalive_options=options) as one:
        is_right(one.infer("simple", simple()))


if __name__ == "__main__":
    run(globals(), sys.argv[1])
