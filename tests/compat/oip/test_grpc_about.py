"""The protocol over gRPC, but for inference."""

import grpc
import pytest

import modelyard
from modelyard.serving.grpc.stubs import health
from modelyard.serving.grpc.stubs import messages as m


def test_the_server_lives_and_is_ready(rpc):
    assert rpc.ServerLive().live
    assert rpc.ServerReady().ready


def test_the_server_tells_its_name_version_and_extensions(rpc, http):
    told = rpc.ServerMetadata()
    assert (told.name, told.version) == ("modelyard", modelyard.__version__)
    assert list(told.extensions) == http.get("/v2").json()["extensions"]


def test_probes_are_told_whether_it_is_ready(server):
    with grpc.insecure_channel(server.grpc) as channel:
        call = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=health.HealthCheckRequest.SerializeToString,
            response_deserializer=health.HealthCheckResponse.FromString,
        )
        for name in ("", "inference.GRPCInferenceService"):
            told = call(health.HealthCheckRequest(service=name), timeout=10)
            assert told == health.HealthCheckResponse(status="SERVING")
        with pytest.raises(grpc.RpcError) as caught:
            call(health.HealthCheckRequest(service="other"), timeout=10)
        assert caught.value.code() == grpc.StatusCode.NOT_FOUND


def test_a_model_is_ready_with_and_without_a_version(rpc):
    assert rpc.ModelReady(name="total").ready
    assert rpc.ModelReady(name="total", version="1").ready


@pytest.mark.parametrize("asked", [{"name": "nothing"}, {"name": "total", "version": "9"}])
@pytest.mark.parametrize("what", ["ModelReady", "ModelMetadata", "ModelConfig", "ModelStatistics"])
def test_what_is_not_served_is_an_unknown_model(rpc, refused, asked, what):
    told = refused("NOT_FOUND", lambda: getattr(rpc, what)(**asked))
    assert told.startswith("Request for unknown model")


def test_metadata_are_the_same_as_over_http(rpc, http):
    for name in ("simple", "every", "whole", "total"):
        told = rpc.ModelMetadata(name=name)
        expected = http.get(f"/v2/models/{name}").json()
        assert (told.name, told.platform) == (expected["name"], expected["platform"])
        assert list(told.versions) == expected["versions"]
        for ours, theirs in ((told.inputs, "inputs"), (told.outputs, "outputs")):
            assert [
                {"name": one.name, "datatype": one.datatype, "shape": list(one.shape)}
                for one in ours
            ] == expected[theirs]


def test_a_model_has_a_configuration(rpc):
    config = rpc.ModelConfig(name="simple").config
    assert (config.name, config.max_batch_size > 1) == ("simple", True)
    assert [(one.name, list(one.dims)) for one in config.input] == [
        ("INPUT0", [16]), ("INPUT1", [16]),
    ]  # fmt: skip
    assert {one.data_type for one in config.output} == {m.ModelInput(data_type=8).data_type}
    every = rpc.ModelConfig(name="every").config
    assert [one.data_type for one in every.input] == list(range(1, 14))


def test_the_repository_is_listed(rpc, http):
    found = [
        {"name": one.name, "version": one.version, "state": one.state, "reason": one.reason}
        for one in rpc.RepositoryIndex().models
    ]
    assert found == http.post("/v2/repository/index").json()
    assert len(rpc.RepositoryIndex(ready=True).models) == len(found)


def test_a_model_is_unloaded_and_loaded_again(rpc, refused):
    asked = m.ModelInferRequest(model_name="densenet_onnx")
    rpc.RepositoryModelUnload(model_name="densenet_onnx")
    try:
        assert not rpc.ModelReady(name="densenet_onnx").ready
        assert "not ready" in refused("UNAVAILABLE", lambda: rpc.ModelInfer(asked))
        (one,) = [o for o in rpc.RepositoryIndex().models if o.name == "densenet_onnx"]
        assert (one.state, one.reason) == ("UNAVAILABLE", "unloaded")
        assert "densenet_onnx" not in {o.name for o in rpc.RepositoryIndex(ready=True).models}
    finally:
        rpc.RepositoryModelLoad(model_name="densenet_onnx")
    assert rpc.ModelReady(name="densenet_onnx").ready


def test_what_is_not_there_fails_to_load_in_the_words_that_clients_look_for(rpc, refused):
    told = refused("INTERNAL", lambda: rpc.RepositoryModelLoad(model_name="nothing"))
    assert told.startswith("failed to load 'nothing'")
    refused("NOT_FOUND", lambda: rpc.RepositoryModelUnload(model_name="nothing"))


def test_nobody_loads_a_version_with_other_files_or_settings(rpc, refused):
    for name in ("config", "file:1/model.onnx"):
        asked = m.RepositoryModelLoadRequest(model_name="simple")
        asked.parameters[name].string_param = '{"max_batch_size":"16"}'
        told = refused("INTERNAL", lambda asked=asked: rpc.RepositoryModelLoad(asked))
        assert told.startswith("failed to load 'simple'")


def test_there_are_no_other_repositories(rpc, refused):
    for what in ("RepositoryIndex", "RepositoryModelLoad", "RepositoryModelUnload"):
        refused("UNIMPLEMENTED", lambda what=what: getattr(rpc, what)(repository_name="other"))


def test_statistics_are_the_same_as_over_http(rpc, http):
    (told,) = rpc.ModelStatistics(name="simple").model_stats
    (expected,) = http.get("/v2/models/simple/stats").json()["model_stats"]
    assert told.inference_count == expected["inference_count"]
    for part in ("success", "fail", "queue", "compute_infer"):
        ours, theirs = getattr(told.inference_stats, part), expected["inference_stats"][part]
        assert (ours.count, ours.ns) == (theirs["count"], theirs["ns"])
    everything = rpc.ModelStatistics().model_stats
    assert {"simple", "total"} <= {one.name for one in everything}
    (one,) = rpc.ModelStatistics(name="total", version="1").model_stats
    assert one.version == "1"


@pytest.mark.parametrize("name", ["SystemSharedMemoryStatus", "TraceSetting", "Nothing"])
def test_what_is_not_spoken_is_told_so(server, name):
    with grpc.insecure_channel(server.grpc) as channel:
        call = channel.unary_unary(f"/inference.GRPCInferenceService/{name}")
        with pytest.raises(grpc.RpcError) as caught:
            call(b"", timeout=10)
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_bytes_that_are_no_message_end_the_call_and_nothing_else(server, rpc):
    with grpc.insecure_channel(server.grpc) as channel:
        call = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
        for broken in (b"\xff" * 40, b"\x0a\xff\xff\xff\xff\x0f", b"\x0f"):
            with pytest.raises(grpc.RpcError) as caught:
                call(broken, timeout=10)
            assert caught.value.code().name == "INVALID_ARGUMENT"
            assert "message" in caught.value.details()
    assert rpc.ServerLive().live
