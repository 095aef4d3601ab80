"""tritonclient over HTTP: python triton_http.py HOST:PORT"""

# ruff: noqa: PT017 - there is no pytest in that environment

import sys

import numpy as np
import tritonclient.http as client
import tritonclient.http.aio as aio
from running import run
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

EVERY = {
    "BOOL": np.bool_, "UINT8": np.uint8, "UINT16": np.uint16, "UINT32": np.uint32,
    "UINT64": np.uint64, "INT8": np.int8, "INT16": np.int16, "INT32": np.int32,
    "INT64": np.int64, "FP16": np.float16, "FP32": np.float32, "FP64": np.float64,
    "BYTES": np.object_,
}  # fmt: skip
FIRST = np.arange(16, dtype=np.int32).reshape(1, 16)
SECOND = np.ones((1, 16), np.int32)


def simple(binary=True, first=FIRST, second=SECOND):
    inputs = []
    for name, array in (("INPUT0", first), ("INPUT1", second)):
        one = client.InferInput(name, array.shape, np_to_triton_dtype(array.dtype))
        one.set_data_from_numpy(array, binary_data=binary)
        inputs.append(one)
    return inputs


def wanted(binary=True):
    return [client.InferRequestedOutput(f"OUTPUT{n}", binary_data=binary) for n in (0, 1)]


def is_right(result):
    assert (result.as_numpy("OUTPUT0") == FIRST + SECOND).all()
    assert (result.as_numpy("OUTPUT1") == FIRST - SECOND).all()


def check_health(url):
    with client.InferenceServerClient(url) as one:
        assert one.is_server_live()
        assert one.is_server_ready()
        assert one.is_model_ready("simple")
        assert one.is_model_ready("total", "1")
        assert not one.is_model_ready("nothing")


def check_metadata(url):
    with client.InferenceServerClient(url) as one:
        assert "binary_tensor_data" in one.get_server_metadata()["extensions"]
        told = one.get_model_metadata("simple", query_params={"a": 1})
        assert [tensor["name"] for tensor in told["inputs"]] == ["INPUT0", "INPUT1"]
        assert one.get_model_config("simple")["max_batch_size"] > 0


def check_unknown_models_are_told_in_its_words(url):
    with client.InferenceServerClient(url) as one:
        for ask in (one.get_model_metadata, one.get_model_config, one.get_inference_statistics):
            try:
                ask("nothing")
            except InferenceServerException as error:
                assert "Request for unknown model" in error.message()
            else:
                raise AssertionError(ask)


def check_infer_in_all_four_ways(url):
    with client.InferenceServerClient(url) as one:
        for there in (True, False):
            for back in (True, False):
                is_right(one.infer("simple", simple(there), outputs=wanted(back)))
            is_right(one.infer("simple", simple(there)))


def check_infer_of_a_version_with_an_id(url):
    array = np.ones((3, 4), np.float32)
    one_input = client.InferInput("x", array.shape, "FP32").set_data_from_numpy(array)
    with client.InferenceServerClient(url) as one:
        result = one.infer("total", [one_input], model_version="1", request_id="r1")
        told = result.get_response()
        assert (told["model_version"], told["id"]) == ("1", "r1")
        assert result.as_numpy("total").tolist() == [4.0] * 3


def check_every_datatype(url):
    with client.InferenceServerClient(url) as one:
        for binary in (True, False):
            inputs, arrays = [], {}
            for name, kind in EVERY.items():
                if kind is np.object_:
                    array = np.array([["a", "ünï"], ["", "he\0llo"]], object)
                else:
                    array = np.array([[0, 1], [1, 0]]).astype(kind)
                arrays[name] = array
                tensor = client.InferInput(f"INPUT_{name}", array.shape, name)
                tensor.set_data_from_numpy(array, binary_data=binary or kind is np.float16)
                inputs.append(tensor)
            outputs = [
                client.InferRequestedOutput(f"OUTPUT_{n}", binary_data=binary or n == "FP16")
                for n in EVERY
            ]
            result = one.infer("every", inputs, outputs=outputs)
            for name, array in arrays.items():
                found = result.as_numpy(f"OUTPUT_{name}")
                if name == "BYTES":
                    found = [x.decode() if isinstance(x, bytes) else x for x in found.ravel()]
                    assert found == array.ravel().tolist(), found
                else:
                    assert found.dtype == array.dtype
                    assert (found == array).all(), name


def check_compression_both_ways(url):
    data = np.zeros((64, 512), np.int32)
    with client.InferenceServerClient(url) as one:
        for there in (None, "gzip", "deflate"):
            for back in (None, "gzip", "deflate"):
                tensor = client.InferInput("INPUT0", data.shape, "INT32").set_data_from_numpy(data)
                result = one.infer(
                    "custom_identity_int32", [tensor],
                    request_compression_algorithm=there, response_compression_algorithm=back,
                )  # fmt: skip
                assert (result.as_numpy("OUTPUT0") == data).all()


def check_many_at_once(url):
    with client.InferenceServerClient(url, concurrency=8) as one:
        asked = [one.async_infer("simple", simple(), outputs=wanted()) for _ in range(60)]
        for each in asked:
            is_right(each.get_result())


async def check_asyncio(url):
    async with aio.InferenceServerClient(url) as one:
        assert await one.is_server_live()
        result = await one.infer("simple", simple(), outputs=wanted())
        is_right(result)


def check_errors_are_exceptions_with_states(url):
    wrong = simple(first=FIRST.astype(np.int64))
    with client.InferenceServerClient(url) as one:
        try:
            one.infer("simple", wrong)
        except InferenceServerException as error:
            assert "data-type is 'INT64', but model 'simple' expects 'INT32'" in error.message()
            assert error.status() == "400"
        else:
            raise AssertionError("it was taken")


def check_repository(url):
    with client.InferenceServerClient(url) as one:
        names = {each["name"] for each in one.get_model_repository_index()}
        assert {"simple", "every"} <= names
        one.unload_model("simple_int8")
        assert not one.is_model_ready("simple_int8")
        one.load_model("simple_int8")
        assert one.is_model_ready("simple_int8")
        try:
            one.load_model("nothing")
        except InferenceServerException as error:
            assert "failed to load" in error.message()
        else:
            raise AssertionError("it was loaded")


def check_statistics(url):
    with client.InferenceServerClient(url) as one:
        (told,) = one.get_inference_statistics("simple")["model_stats"]
        assert told["inference_stats"]["success"]["count"] > 0
        assert len(one.get_inference_statistics()["model_stats"]) > 5


def check_a_request_made_by_hand(url):
    body, length = client.InferenceServerClient.generate_request_body(simple(), outputs=wanted())
    import urllib.request

    headers = {"Inference-Header-Content-Length": str(length)}
    request = urllib.request.Request(f"http://{url}/v2/models/simple/infer", body, headers)
    with urllib.request.urlopen(request) as answer:
        size = int(answer.headers["Inference-Header-Content-Length"])
        result = client.InferenceServerClient.parse_response_body(answer.read(), header_length=size)
    is_right(result)


if __name__ == "__main__":
    run(globals(), sys.argv[1])
