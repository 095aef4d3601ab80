"""Messages of `health.proto`. Made by scripts/stubs.py: do not edit."""

# ruff: noqa
# fmt: off

from google.protobuf import descriptor_pool, message_factory

_POOL = descriptor_pool.DescriptorPool()  # our own: other clients bring the same names
_FILE = _POOL.AddSerializedFile(
    b'\n\x16modelyard_health.proto\x12\x0egrpc.health.v1".\n\x12HealthCheckR'
    b'equest\x12\x18\n\x07service\x18\x01 \x01(\tR\x07service"\xb1\x01\n\x13HealthCheckResponse'
    b'\x12I\n\x06status\x18\x01 \x01(\x0e21.grpc.health.v1.HealthCheckResponse.Se'
    b'rvingStatusR\x06status"O\n\rServingStatus\x12\x0b\n\x07UNKNOWN\x10\x00\x12\x0b\n\x07SER'
    b'VING\x10\x01\x12\x0f\n\x0bNOT_SERVING\x10\x02\x12\x13\n\x0fSERVICE_UNKNOWN\x10\x032\\\n\x06Health\x12R'
    b'\n\x05Check\x12".grpc.health.v1.HealthCheckRequest\x1a#.grpc.healt'
    b'h.v1.HealthCheckResponse"\x00b\x06proto3'
)
SERVICE = _FILE.services_by_name["Health"]

HealthCheckRequest = message_factory.GetMessageClass(_FILE.message_types_by_name["HealthCheckRequest"])
HealthCheckResponse = message_factory.GetMessageClass(_FILE.message_types_by_name["HealthCheckResponse"])
