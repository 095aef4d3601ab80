"""PMML: XML that describes a model. Document types and entities are refused unread."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, NoReturn
from xml.parsers import expat

from modelyard.formats.interface import Inspection
from modelyard.formats.reading import Json, Region, bad, printable

if TYPE_CHECKING:
    from modelyard.formats.interface import Budget

__all__ = ["inspect"]

KIND = "bad-pmml"
_STEP = 1 << 16
_ENCODINGS = ("utf-8", "utf-16", "us-ascii", "ascii", "iso-8859-1")


class _Walk:
    """Counts depth and elements, and keeps the few attributes that describe the model."""

    def __init__(self, budget: Budget) -> None:
        self.depth = 0
        self.first = ""
        self.model: str | None = None
        self.metadata: dict[str, Json] = {}
        self.inputs: list[Json] = []
        self.budget = budget

    def start(self, name: str, attributes: dict[str, str]) -> None:
        plain = name.rpartition(":")[2]
        self.depth += 1
        if self.depth > 4 * self.budget.max_depth:
            raise bad(KIND, "elements are nested too deeply")
        if self.depth == 1:
            self.first = plain
            self.metadata["version"] = printable(attributes.get("version", ""), 20)
        elif self.depth == 2 and plain.endswith("Model") and self.model is None:
            self.model = plain
            for key in ("modelName", "functionName", "algorithmName"):
                if key in attributes:
                    self.metadata[key] = printable(attributes[key])
        elif plain == "Application":
            self.metadata["producer"] = printable(attributes.get("name", ""))
        elif plain == "DataField" and len(self.inputs) < 1000:
            dtype = printable(attributes.get("dataType", ""), 40)
            name_ = printable(attributes.get("name", ""))
            self.inputs.append({"name": name_, "dtype": dtype, "shape": [None]})

    def end(self, _name: str) -> None:
        self.depth -= 1

    def refuse(self, *_args: Json) -> NoReturn:
        raise bad(KIND, "document types and entities are not allowed")

    def declaration(self, _version: str, encoding: str | None, _standalone: int) -> None:
        if encoding is not None and encoding.lower() not in _ENCODINGS:
            raise bad(KIND, f"the encoding {printable(encoding, 40)!r} is not allowed")


def inspect(file: BinaryIO, path: str, budget: Budget) -> Inspection:
    """The kind of model and its fields; a very large file is read as far as the budget goes."""
    region = Region(file, kind=KIND)
    walk = _Walk(budget)
    parser = expat.ParserCreate()
    parser.StartElementHandler = walk.start
    parser.EndElementHandler = walk.end
    parser.XmlDeclHandler = walk.declaration
    for name in ("StartDoctypeDecl", "EntityDecl", "UnparsedEntityDecl", "ExternalEntityRef"):
        setattr(parser, f"{name}Handler", walk.refuse)
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    try:
        for pos in range(0, region.size, _STEP):
            if budget.spent:
                walk.metadata["complete"] = False
                break
            parser.Parse(region.upto(pos, _STEP), False)
        else:
            parser.Parse(b"", True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        if hasattr(error, "kind"):
            raise
        raise bad(KIND, f"no well-formed XML: {printable(str(error))}") from None
    if walk.first != "PMML":
        return Inspection("text")
    metadata = walk.metadata | {"model": walk.model}
    metadata["signature"] = {"inputs": walk.inputs, "outputs": []}
    return Inspection("pmml", "pmml", (), metadata)
