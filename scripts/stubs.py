"""The messages of serving/grpc/*.proto as Python: made by grpcio-tools, written, committed.

python scripts/stubs.py             write src/modelyard/serving/grpc/stubs/*.{py,pyi}
python scripts/stubs.py --check     write nothing: are they as they would be made now?

What `protoc --python_out` writes is not taken: it refuses any protobuf older than the one that
made it, and puts its names into the pool that all libraries share, where every other client of
the protocol has the same ones. Only its description of the messages is.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from grpc_tools import protoc

FOLDER = Path(__file__).resolve().parent.parent / "src/modelyard/serving/grpc"
FILES = {"inference": "messages", "health": "health"}
"""Modules by the file that they are made of."""

_CODE = '''"""Messages of `{name}.proto`. Made by scripts/stubs.py: do not edit."""

# ruff: noqa
# fmt: off

from google.protobuf import descriptor_pool, message_factory

_POOL = descriptor_pool.DescriptorPool()  # our own: other clients bring the same names
_FILE = _POOL.AddSerializedFile(
{description}
)
SERVICE = _FILE.services_by_name["{service}"]

'''


def make() -> dict[str, str]:
    """The texts of the files, by name."""
    found = {}
    for name, module in FILES.items():
        description, typed = _described(name)
        found[f"{module}.py"] = _code(name, description)
        found[f"{module}.pyi"] = _types(typed)
    return found


def _described(name: str) -> tuple[FileDescriptorProto, str]:
    """What protoc says of a file, and the types that it writes."""
    own = f"modelyard_{name}"  # a name that no other library's file has
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / f"{own}.proto").write_bytes((FOLDER / f"{name}.proto").read_bytes())
        found = Path(folder) / "found"
        told = protoc.main(
            [
                "protoc", f"-I{folder}", f"--descriptor_set_out={found}", f"--pyi_out={folder}",
                f"{own}.proto",
            ]
        )  # fmt: skip
        if told:
            raise SystemExit(told)
        (description,) = FileDescriptorSet.FromString(found.read_bytes()).file
        return description, (Path(folder) / f"{own}_pb2.pyi").read_text()


def _code(name: str, description: FileDescriptorProto) -> str:
    description.ClearField("source_code_info")
    whole = description.SerializeToString(deterministic=True)
    lines = "\n".join(f"    {whole[at : at + 56]!r}" for at in range(0, len(whole), 56))
    names = [message.name for message in description.message_type]
    classes = "".join(
        f'{name} = message_factory.GetMessageClass(_FILE.message_types_by_name["{name}"])\n'
        for name in names
    )
    (service,) = (one.name for one in description.service)
    return _CODE.format(name=name, description=lines, service=service) + classes


def _types(typed: str) -> str:
    """As protoc tells them; the base classes have no types of their own here."""
    typed = re.sub(r"^DESCRIPTOR: .*$", "SERVICE: _descriptor.ServiceDescriptor", typed, flags=re.M)
    head = '"""Made by scripts/stubs.py: do not edit."""\n\n# ruff: noqa\n# fmt: off\n'
    head += '# mypy: disable-error-code="misc, metaclass, type-arg"\n\n'
    return head + typed


def main() -> int:
    stale = []
    for name, text in make().items():
        path = FOLDER / "stubs" / name
        if path.exists() and path.read_text() == text:
            continue
        stale.append(name)
        if "--check" not in sys.argv:
            path.write_text(text)
    for name in stale:
        print(("stale: " if "--check" in sys.argv else "written: ") + name)
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
