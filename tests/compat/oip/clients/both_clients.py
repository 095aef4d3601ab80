"""Our messages beside Triton's in one process: python both_clients.py PATH_OF_OUR_STUBS"""

import importlib.util
import sys

from running import run
from tritonclient.grpc import service_pb2 as theirs


def _ours(path):
    spec = importlib.util.spec_from_file_location("messages", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def check_one_process_holds_both(path):
    ours = _ours(path)
    request = theirs.ModelInferRequest(model_name="simple", id="7")
    request.inputs.add(name="x", datatype="FP32", shape=[1, 4])
    request.parameters["timeout"].int64_param = 5
    read = ours.ModelInferRequest.FromString(request.SerializeToString())
    assert type(read) is not type(request)
    assert read.SerializeToString(deterministic=True) == request.SerializeToString(
        deterministic=True
    )


def check_every_message_has_the_same_numbers_and_types(path):
    ours = _ours(path)
    known = theirs.DESCRIPTOR.message_types_by_name
    seen = 0
    for mine in ours.SERVICE.file.message_types_by_name.values():
        other = known.get(mine.name)
        if other is None:  # of the configuration, which has a file of its own there
            from tritonclient.grpc import model_config_pb2

            other = model_config_pb2.DESCRIPTOR.message_types_by_name[mine.name]
        seen += _same(mine, other)
    assert seen > 100, seen


def _same(mine, other):
    seen = 0
    for field in mine.fields:
        if (mine.name, field.name) in (
            ("ModelMetadataResponse", "properties"),  # of the open protocol only
        ):
            continue
        twin = other.fields_by_name[field.name]
        assert (field.number, field.type, field.is_repeated) == (
            twin.number, twin.type, twin.is_repeated,
        ), (mine.name, field.name)  # fmt: skip
        seen += 1
    for nested in mine.nested_types:
        if nested.name != "PropertiesEntry":
            seen += _same(nested, other.nested_types_by_name[nested.name])
    return seen


def check_every_method_has_the_same_types(path):
    twin = theirs.DESCRIPTOR.services_by_name["GRPCInferenceService"]
    for method in _ours(path).SERVICE.methods:
        other = twin.methods_by_name[method.name]
        assert (method.input_type.full_name, method.output_type.full_name) == (
            other.input_type.full_name, other.output_type.full_name,
        )  # fmt: skip
        assert (method.client_streaming, method.server_streaming) == (
            other.client_streaming, other.server_streaming,
        )  # fmt: skip


if __name__ == "__main__":
    run(globals(), sys.argv[1])
