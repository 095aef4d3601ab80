"""KServe's clients: python kserve_client.py HOST:PORT HOST:GRPC_PORT"""

# ruff: noqa: PT017 - there is no pytest in that environment

import sys

import httpx
import numpy as np
from kserve import (
    InferenceGRPCClient,
    InferenceRESTClient,
    InferInput,
    InferOutput,
    InferRequest,
    RESTConfig,
)
from kserve.protocol.infer_type import RequestedOutput
from running import run

FIRST = np.arange(16, dtype=np.int32).reshape(1, 16)
SECOND = np.ones((1, 16), np.int32)


def _rest():
    return InferenceRESTClient(RESTConfig(protocol="v2", retries=1, timeout=20))


def _request(binary, model="simple", **more):
    inputs = []
    for name, array in (("INPUT0", FIRST), ("INPUT1", SECOND)):
        tensor = InferInput(name, list(array.shape), "INT32")
        tensor.set_data_from_numpy(array, binary_data=binary)
        inputs.append(tensor)
    return InferRequest(model_name=model, infer_inputs=inputs, request_id="r1", **more)


def _is_right(answer):
    assert (answer.model_name, answer.id) == ("simple", "r1")  # it reads no version by itself
    sums, differences = (output.as_numpy() for output in answer.outputs)
    assert (sums == FIRST + SECOND).all(), sums
    assert (differences == FIRST - SECOND).all()
    assert isinstance(answer.outputs[0], InferOutput)


async def check_rest_health(http, rpc):
    async with _rest() as one:
        assert await one.is_server_live(f"http://{http}")
        assert await one.is_server_ready(f"http://{http}")
        assert await one.is_model_ready(f"http://{http}", "simple")
        assert not await one.is_model_ready(f"http://{http}", "nothing")


async def check_rest_infer_json(http, rpc):
    async with _rest() as one:
        _is_right(await one.infer(f"http://{http}", _request(False), model_name="simple"))


async def check_rest_infer_raw(http, rpc):
    async with _rest() as one:
        _is_right(await one.infer(f"http://{http}", _request(True), model_name="simple"))
        asked = [RequestedOutput(f"OUTPUT{n}", parameters={"binary_data": True}) for n in (0, 1)]
        request = _request(True, request_outputs=asked)
        _is_right(await one.infer(f"http://{http}", request, model_name="simple"))


async def check_rest_infer_text(http, rpc):
    texts = np.array([["a", "ünï"], ["", "one"]], object)
    tensor = InferInput("INPUT0", [2, 2], "BYTES")
    async with _rest() as one:
        for binary in (True, False):
            tensor.set_data_from_numpy(texts, binary_data=binary)
            request = InferRequest(model_name="simple_identity", infer_inputs=[tensor])
            answer = await one.infer(f"http://{http}", request, model_name="simple_identity")
            found = answer.outputs[0].as_numpy().ravel().tolist()
            found = [item.decode() if isinstance(item, bytes) else item for item in found]
            assert found == texts.ravel().tolist(), found


async def check_rest_errors_carry_their_words(http, rpc):
    async with _rest() as one:
        try:
            await one.infer(f"http://{http}", _request(False), model_name="nothing")
        except httpx.HTTPStatusError as error:
            assert "Request for unknown model" in str(error)
        else:
            raise AssertionError("it was taken")


async def check_grpc_health(http, rpc):
    async with InferenceGRPCClient(rpc) as one:
        assert await one.is_server_live()
        assert await one.is_server_ready()
        assert await one.is_model_ready("simple")


async def check_grpc_infer_raw(http, rpc):
    async with InferenceGRPCClient(rpc) as one:
        _is_right(await one.infer(_request(True)))


async def check_grpc_infer_typed(http, rpc):
    async with InferenceGRPCClient(rpc) as one:
        _is_right(await one.infer(_request(False)))


async def check_grpc_errors_have_states(http, rpc):
    import grpc

    async with InferenceGRPCClient(rpc) as one:
        try:
            await one.infer(_request(True, model="nothing"))
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.NOT_FOUND
        else:
            raise AssertionError("it was taken")


if __name__ == "__main__":
    run(globals(), *sys.argv[1:])
