"""MLServer's types, codecs, gRPC stubs and batch command: python mlserver_client.py HTTP GRPC"""

import json
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

import grpc
import numpy as np
from mlserver.codecs import NumpyCodec, NumpyRequestCodec, PandasCodec, StringCodec
from mlserver.grpc import dataplane_pb2 as pb
from mlserver.grpc import model_repository_pb2 as repository
from mlserver.grpc.converters import ModelInferRequestConverter, ModelInferResponseConverter
from mlserver.grpc.dataplane_pb2_grpc import GRPCInferenceServiceStub
from mlserver.types import (
    InferenceErrorResponse,
    InferenceRequest,
    InferenceResponse,
    MetadataModelResponse,
    MetadataServerResponse,
    RepositoryIndexResponse,
)
from running import run

ROWS = np.arange(8, dtype=np.float32).reshape(2, 4)


def _post(url, value):
    request = urllib.request.Request(url, value.encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return answer.read()


def _asked(name="x", rows=ROWS):
    return InferenceRequest(id="r1", inputs=[NumpyCodec.encode_input(name, rows)])


def check_metadata_fit_its_types(http, rpc):
    with urllib.request.urlopen(f"http://{http}/v2") as answer:
        assert MetadataServerResponse.model_validate_json(answer.read()).name == "modelyard"
    with urllib.request.urlopen(f"http://{http}/v2/models/total") as answer:
        told = MetadataModelResponse.model_validate_json(answer.read())
    assert (told.name, told.versions, told.inputs[0].shape) == ("total", ["2", "1"], [-1, 4])


def check_rest_infer_with_its_codecs(http, rpc):
    told = _post(f"http://{http}/v2/models/total/infer", _asked().model_dump_json())
    answer = InferenceResponse.model_validate_json(told)
    assert (answer.model_name, answer.model_version, answer.id) == ("total", "2", "r1")
    assert NumpyCodec.decode_output(answer.outputs[0]).tolist() == [6.0, 22.0]


def check_rest_infer_of_text(http, rpc):
    asked = InferenceRequest(inputs=[StringCodec.encode_input("INPUT0", ["a", "ünï", ""])])
    told = _post(f"http://{http}/v2/models/simple_identity/infer", asked.model_dump_json())
    answer = InferenceResponse.model_validate_json(told)
    assert StringCodec.decode_output(answer.outputs[0]) == ["a", "ünï", ""]


def check_rest_infer_with_a_request_codec(http, rpc):
    asked = NumpyRequestCodec.encode_request(ROWS)
    asked.inputs[0].name = "x"
    told = _post(f"http://{http}/v2/models/total/infer", asked.model_dump_json())
    answer = InferenceResponse.model_validate_json(told)
    assert NumpyRequestCodec.decode_response(answer).tolist() == [6.0, 22.0]
    assert PandasCodec.decode_response(answer)["total"].tolist() == [6.0, 22.0]


def check_rest_errors_fit_its_types(http, rpc):
    try:
        _post(f"http://{http}/v2/models/nothing/infer", _asked().model_dump_json())
    except urllib.request.HTTPError as error:
        told = InferenceErrorResponse.model_validate_json(error.read())
        assert "unknown model" in told.error
    else:
        raise AssertionError("it was taken")


def check_the_repository_fits_its_types(http, rpc):
    told = RepositoryIndexResponse.model_validate_json(
        _post(f"http://{http}/v2/repository/index", "{}")
    )
    assert {"total", "simple"} <= {item.name for item in told.root}


def check_grpc_infer(http, rpc):
    with grpc.insecure_channel(rpc) as channel:
        stub = GRPCInferenceServiceStub(channel)
        for raw in (False, True):
            asked = ModelInferRequestConverter.from_types(_asked(), "total", use_raw=raw)
            answer = ModelInferResponseConverter.to_types(stub.ModelInfer(asked, timeout=20))
            assert (answer.model_name, answer.id) == ("total", "r1")
            assert NumpyCodec.decode_output(answer.outputs[0]).tolist() == [6.0, 22.0]


def check_grpc_metadata_and_health(http, rpc):
    with grpc.insecure_channel(rpc) as channel:
        stub = GRPCInferenceServiceStub(channel)
        assert stub.ServerLive(pb.ServerLiveRequest()).live
        assert stub.ServerReady(pb.ServerReadyRequest()).ready
        assert stub.ModelReady(pb.ModelReadyRequest(name="total", version="1")).ready
        told = stub.ModelMetadata(pb.ModelMetadataRequest(name="total"))
        assert list(told.inputs[0].shape) == [-1, 4]


def check_grpc_repository(http, rpc):
    with grpc.insecure_channel(rpc) as channel:
        index = channel.unary_unary(
            "/inference.GRPCInferenceService/RepositoryIndex",
            request_serializer=repository.RepositoryIndexRequest.SerializeToString,
            response_deserializer=repository.RepositoryIndexResponse.FromString,
        )
        told = index(repository.RepositoryIndexRequest(), timeout=20)
        assert {"total", "simple"} <= {item.name for item in told.models}


def check_its_batch_command(http, rpc):
    """`mlserver infer`, unmodified, of a file with requests."""
    with tempfile.TemporaryDirectory() as folder:
        asked, told = Path(folder) / "asked", Path(folder) / "told"
        asked_for = [_asked(rows=ROWS + number) for number in range(30)]
        for number, one in enumerate(asked_for):
            one.id = str(number)  # by which it takes groups apart again
        lines = [one.model_dump_json() for one in asked_for]
        asked.write_text("\n".join(lines) + "\n")
        for size in ("4",):
            done = subprocess.run(
                [
                    Path(sys.executable).parent / "mlserver", "infer", "-u", http, "-m", "total",
                    "-i", asked, "-o", told, "--workers", "4", "--batch-size", size,
                ],
                capture_output=True, text=True, timeout=100,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr[-2000:]
            answers = [json.loads(line) for line in told.read_text().splitlines()]
            assert len(answers) == 30, done.stderr[-2000:]
            found = sorted(answer["outputs"][0]["data"][0] for answer in answers)
            assert found == [6.0 + 4 * number for number in range(30)], found


if __name__ == "__main__":
    run(globals(), *sys.argv[1:])
