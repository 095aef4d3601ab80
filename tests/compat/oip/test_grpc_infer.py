"""Inference over gRPC: raw and typed contents, streams, deadlines, and what is refused."""

import numpy as np
import pytest
from tests.compat.oip.tensors import WIRE, packed, raw_of, texts_of
from tests.compat.oip.test_http_binary import VALUES

from modelyard.serving.grpc.stubs import messages as m

FIELDS = {
    "BOOL": "bool_contents", "INT8": "int_contents", "INT16": "int_contents",
    "INT32": "int_contents", "INT64": "int64_contents", "UINT8": "uint_contents",
    "UINT16": "uint_contents", "UINT32": "uint_contents", "UINT64": "uint64_contents",
    "FP32": "fp32_contents", "FP64": "fp64_contents", "BYTES": "bytes_contents",
}  # fmt: skip
SUMS = (np.arange(16) + 1).tolist()


def _request(model="simple", outputs=(), **more):
    return m.ModelInferRequest(
        model_name=model, outputs=[{"name": name} for name in outputs], **more
    )


def _raw(request, name, datatype, shape, raw):
    request.inputs.add(name=name, datatype=datatype, shape=shape)
    request.raw_input_contents.append(raw)


def _typed(request, name, datatype, shape, values, field=None):
    given = request.inputs.add(name=name, datatype=datatype, shape=shape)
    getattr(given.contents, field or FIELDS[datatype]).extend(values)


def _simple(first=None, **more):
    request = _request(**more)
    first = np.arange(16, dtype="<i4").tobytes() if first is None else first
    _raw(request, "INPUT0", "INT32", [1, 16], first)
    _raw(request, "INPUT1", "INT32", [1, 16], np.ones(16, "<i4").tobytes())
    return request


def _numbers(answer, kind="<i4"):
    return {
        output.name: np.frombuffer(raw, kind).reshape(output.shape)
        for output, raw in zip(answer.outputs, answer.raw_output_contents, strict=True)
    }


def test_an_answer_has_every_field_of_the_protocol(rpc):
    answer = rpc.ModelInfer(_simple(id="42"))
    assert (answer.model_name, answer.model_version, answer.id) == ("simple", "1", "42")
    assert [(one.name, one.datatype, list(one.shape)) for one in answer.outputs] == [
        ("OUTPUT0", "INT32", [1, 16]), ("OUTPUT1", "INT32", [1, 16]),
    ]  # fmt: skip
    assert _numbers(answer)["OUTPUT0"].tolist() == [SUMS]
    assert not any(output.HasField("contents") for output in answer.outputs)


def test_typed_contents_are_taken(rpc):
    request = _request()
    _typed(request, "INPUT0", "INT32", [1, 16], range(16))
    _typed(request, "INPUT1", "INT32", [1, 16], [1] * 16)
    assert _numbers(rpc.ModelInfer(request))["OUTPUT0"].tolist() == [SUMS]


def _every(datatype, add):
    request = _request("every", outputs=[f"OUTPUT_{datatype}"])
    for name in VALUES:
        zeros = ["" if name == "BYTES" else 0] * 4
        add(request, name, VALUES[name] if name == datatype else zeros)
    return request


@pytest.mark.parametrize("datatype", VALUES)
def test_every_datatype_comes_back_bit_for_bit(rpc, datatype):
    def add(request, name, values):
        _raw(request, f"INPUT_{name}", name, [2, 2], raw_of(name, values))

    answer = rpc.ModelInfer(_every(datatype, add))
    assert [one.name for one in answer.outputs] == [f"OUTPUT_{datatype}"]
    assert answer.raw_output_contents[0] == raw_of(datatype, VALUES[datatype])


@pytest.mark.parametrize(
    ("model", "datatype"), [("custom_identity_int32", "INT32"), ("simple_identity", "BYTES")]
)
def test_typed_contents_keep_their_values(rpc, model, datatype):
    values = VALUES[datatype]
    if datatype == "BYTES":
        values = [text.encode() for text in values]
    request = _request(model)
    _typed(request, "INPUT0", datatype, [2, 2], values)
    (raw,) = rpc.ModelInfer(request).raw_output_contents
    if datatype == "BYTES":
        assert texts_of(raw) == values
    else:
        assert np.frombuffer(raw, WIRE[datatype]).tolist() == values


def test_small_numbers_travel_as_wider_ones(rpc):
    request = _request("simple_int8")
    for name in ("INPUT0", "INPUT1"):
        _typed(request, name, "INT8", [1, 16], range(-8, 8))
    sums = np.frombuffer(rpc.ModelInfer(request).raw_output_contents[0], "i1")
    assert sums.tolist() == [2 * number for number in range(-8, 8)]


def test_a_version_is_asked_by_its_number_and_by_a_header(rpc):
    request = _request("total")
    _raw(request, "x", "FP32", [1, 4], np.ones(4, "<f4").tobytes())
    assert rpc.ModelInfer(request).model_version == "2"
    request.model_version = "1"
    answer = rpc.ModelInfer(request)
    assert (answer.model_version, _numbers(answer, "<f4")["total"].tolist()) == ("1", [4.0])


def test_outputs_are_given_as_asked_and_in_that_order(rpc):
    answer = rpc.ModelInfer(_simple(outputs=["OUTPUT1", "OUTPUT0"]))
    assert [output.name for output in answer.outputs] == ["OUTPUT1", "OUTPUT0"]
    assert _numbers(answer)["OUTPUT0"].tolist() == [SUMS]


def test_tensors_without_elements_are_tensors(rpc):
    request = _request("simple_identity")
    _raw(request, "INPUT0", "BYTES", [0, 5], b"")
    answer = rpc.ModelInfer(request)
    assert (list(answer.outputs[0].shape), list(answer.raw_output_contents)) == ([0, 5], [b""])
    request = _request("simple_identity")
    request.inputs.add(name="INPUT0", datatype="BYTES", shape=[0, 5])
    assert list(rpc.ModelInfer(request).outputs[0].shape) == [0, 5]


def test_a_scalar_has_an_empty_shape(rpc):
    request = _request("whole")
    _raw(request, "matrix", "FP32", [2, 3], np.ones(6, "<f4").tobytes())
    answer = rpc.ModelInfer(request)
    assert list(answer.outputs[0].shape) == []
    assert np.frombuffer(answer.raw_output_contents[0], "<f4").tolist() == [6.0]


def test_large_tensors_come_back_whole(rpc):
    data = np.random.default_rng(7).integers(-9, 9, (1500, 1000), dtype="<i4")
    request = _request("custom_identity_int32")
    _raw(request, "INPUT0", "INT32", data.shape, data.tobytes())
    assert rpc.ModelInfer(request).raw_output_contents[0] == data.tobytes()


# -- what is refused -------------------------------------------------------------------------


def _edited(**edits):
    """A good request with its first input changed."""
    request = _simple()
    for name, value in edits.items():
        if name == "shape":
            del request.inputs[0].shape[:]
            request.inputs[0].shape.extend(value)
        else:
            setattr(request.inputs[0], name, value)
    return request


WRONG = {
    "another name": (
        lambda: _edited(name="MORE"), "unexpected inference input 'MORE' for model 'simple'",
    ),
    "another datatype": (
        lambda: _edited(datatype="FP32"),
        "inference input 'INPUT0' data-type is 'FP32', but model 'simple' expects 'INT32'",
    ),
    "another shape": (
        lambda: _edited(shape=[2, 8]),
        "unexpected shape for input 'INPUT0' for model 'simple'. Expected [-1,16], got [2,8]",
    ),
    "a smaller shape": (
        lambda: _edited(shape=[1, 8]),
        "unexpected total byte size 64 for input 'INPUT0', expecting 32",
    ),
    "fewer bytes": (
        lambda: _simple(first=b"\0" * 60),
        "unexpected total byte size 60 for input 'INPUT0', expecting 64",
    ),
    "a side below 0": (lambda: _edited(shape=[-1, 16]), "invalid shape"),
    "many sides": (lambda: _edited(shape=[1] * 64), "invalid shape"),
    "endless sides": (lambda: _edited(shape=[2**40, 2**40]), "unexpected total byte size 64"),
    "no datatype": (lambda: _edited(datatype=""), "invalid datatype"),
    "an unknown datatype": (lambda: _edited(datatype="INT31"), "invalid datatype"),
    "the same twice": (lambda: _edited(name="INPUT1"), "given twice"),
    "an unknown output": (
        lambda: _simple(outputs=["MORE"]), "unexpected inference output 'MORE' for model 'simple'",
    ),
    "nothing": (lambda: _request(), "expected 2 inputs but got 0 inputs for model 'simple'"),
}  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_is_told(rpc, refused, wrong):
    request, words = WRONG[wrong]
    assert words in refused("INVALID_ARGUMENT", lambda: rpc.ModelInfer(request()))


def test_contents_and_raw_contents_exclude_each_other(rpc, refused):
    request = _simple()
    request.inputs[0].contents.int_contents.extend(range(8))
    assert refused("INVALID_ARGUMENT", lambda: rpc.ModelInfer(request)).startswith(
        "contents field must not be specified when using raw_input_contents for 'INPUT0' for"
        " model 'simple'"
    )


def test_raw_contents_are_as_many_as_inputs(rpc, refused):
    request = _simple()
    del request.raw_input_contents[1]
    told = refused("INVALID_ARGUMENT", lambda: rpc.ModelInfer(request))
    assert told.startswith("unable to find data for input tensor 'INPUT1' for model 'simple'")
    request = _simple()
    request.raw_input_contents.append(b"")
    told = refused("INVALID_ARGUMENT", lambda: rpc.ModelInfer(request))
    assert "expected 2 raw_input_contents but got 3" in told


def test_typed_contents_are_of_the_datatype_that_is_named(rpc, refused):
    request = _request()
    _typed(request, "INPUT0", "INT32", [1, 16], [0] * 16, field="fp32_contents")
    told = refused("INVALID_ARGUMENT", lambda: rpc.ModelInfer(request))
    assert told.startswith(
        "unexpected explicit tensor data for input tensor 'INPUT0' for model 'simple' of type"
        " 'FP32', expected datatype 'INT32'"
    )
    request.inputs[0].contents.int_contents.extend([0] * 16)
    refused("INVALID_ARGUMENT", lambda: rpc.ModelInfer(request))


def test_typed_contents_fill_their_shape_and_fit_their_datatype(rpc, refused):
    request = _request("simple_int8")
    _typed(request, "INPUT0", "INT8", [1, 16], [0] * 15)
    refused("INVALID_ARGUMENT", lambda: rpc.ModelInfer(request))
    request = _request("simple_int8")
    _typed(request, "INPUT0", "INT8", [1, 16], [300] * 16)
    assert "INT8" in refused("INVALID_ARGUMENT", lambda: rpc.ModelInfer(request))


@pytest.mark.parametrize(
    "raw",
    [b"\x05\0\0\0abc", b"\x03\0\0", b"\xff\xff\xff\xffabc", packed([b"a", b"b"]), b"",
     packed([b"\xff\xfe"])],
)  # fmt: skip
def test_elements_of_bytes_that_are_broken_are_refused(rpc, refused, raw):
    request = _request("simple_identity")
    _raw(request, "INPUT0", "BYTES", [1, 1], raw)
    refused("INVALID_ARGUMENT", lambda: rpc.ModelInfer(request))


def test_an_unknown_model_or_version_is_told_in_the_words_that_clients_look_for(rpc, refused):
    for asked in (_request("nothing"), _request("simple", model_version="9")):
        told = refused("NOT_FOUND", lambda asked=asked: rpc.ModelInfer(asked))
        assert told.startswith("Request for unknown model: ")


def test_shared_memory_is_not_taken(rpc, refused):
    request = _simple()
    request.inputs[0].parameters["shared_memory_region"].string_param = "region"
    assert "shared memory" in refused("UNIMPLEMENTED", lambda: rpc.ModelInfer(request))


def test_a_deadline_that_passed_is_refused(rpc, refused):
    request = _simple()
    request.parameters["timeout"].int64_param = 1  # microsecond
    refused("DEADLINE_EXCEEDED", lambda: rpc.ModelInfer(request))
    request.parameters["timeout"].int64_param = 9_000_000
    assert rpc.ModelInfer(request).model_name == "simple"


def test_a_message_that_is_too_large_is_refused(rpc, refused):
    request = _request("custom_identity_int32")
    _raw(request, "INPUT0", "INT32", [1, 17 << 20], b"\0" * (68 << 20))
    refused("RESOURCE_EXHAUSTED", lambda: rpc.ModelInfer(request))
    assert rpc.ServerLive().live


# -- streams ---------------------------------------------------------------------------------


def test_a_stream_is_answered_in_order(rpc):
    asked = [
        _simple(first=np.full(16, number, "<i4").tobytes(), id=str(number)) for number in range(200)
    ]
    answers = list(rpc.stream(iter(asked)))
    assert [answer.infer_response.id for answer in answers] == [str(n) for n in range(200)]
    assert [_numbers(answer.infer_response)["OUTPUT0"][0, 0] for answer in answers] == [
        number + 1 for number in range(200)
    ]
    assert all(answer.infer_response.parameters["triton_final_response"].bool_param
               for answer in answers)  # fmt: skip


def test_what_fails_in_a_stream_does_not_end_it(rpc):
    asked = [
        _simple(id="a"),
        _edited(datatype="FP32"),
        _request("nothing", id="c"),
        _simple(id="d"),
    ]
    answers = list(rpc.stream(iter(asked)))
    assert [bool(answer.error_message) for answer in answers] == [False, True, True, False]
    assert answers[2].error_message.startswith("Request for unknown model")
    assert [answer.infer_response.id for answer in answers] == ["a", "", "c", "d"]


def test_a_stream_may_ask_for_states_instead(rpc, refused):
    asked = [_simple(id="a"), _request("nothing"), _simple(id="b")]
    refused("NOT_FOUND", lambda: list(rpc.stream(iter(asked), triton_grpc_error="true")))


def test_a_stream_that_is_left_leaves_nothing_behind(rpc):
    def for_ever():
        while True:
            yield _simple()

    stream = rpc.stream(for_ever())
    assert next(stream).infer_response.model_name == "simple"
    stream.cancel()
    assert rpc.ModelInfer(_simple()).model_name == "simple"


def test_an_empty_stream_ends(rpc):
    assert list(rpc.stream(iter(()))) == []


def test_ids_for_logs_and_kinds_of_errors_come_with_the_end_of_a_call(server):
    import grpc

    with grpc.insecure_channel(server.grpc) as channel:
        call = channel.unary_unary(
            "/inference.GRPCInferenceService/ModelInfer",
            request_serializer=m.ModelInferRequest.SerializeToString,
            response_deserializer=m.ModelInferResponse.FromString,
        )
        metadata = (("x-request-id", "order-7"),)
        _, done = call.with_call(_simple(), metadata=metadata, timeout=10)
        assert dict(done.trailing_metadata())["x-request-id"] == "order-7"
        with pytest.raises(grpc.RpcError) as caught:
            call(_request("nothing"), metadata=metadata, timeout=10)
    told = dict(caught.value.trailing_metadata())
    assert (told["x-request-id"], told["modelyard-kind"]) == ("order-7", "no-deployment")
