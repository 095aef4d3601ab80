"""Words that mean the same wherever a value has them, so that no field need repeat it.

A field's own text goes before these. A word is followed by a type where it has two meanings.
"""

from __future__ import annotations

__all__ = ["WORDS"]

WORDS = {
    "author": "Who committed it: a name, often with an address.",
    "blobs": "How many distinct contents of files.",
    "branch": "The branch it was committed on.",
    "change": "What happened to it from the old side to the new.",
    "chunks": "How many distinct chunks.",
    "commit": "The id of its git commit: 40 hex digits.",
    "created: datetime": "When it was made, in UTC.",
    "deleted": "When it was deleted; None if it was not.",
    "dtype": "Numpy's name, `bfloat16`, `float8_e4m3fn`, or an opaque name such as `ggml.q4_k`.",
    "file": "The path of the file that it is in.",
    "files: int": "How many files.",
    'kind: Literal["branch", "tag", "alias"]': "What sort of name it is.",
    'kind: Literal["model", "dataset"]': "Whether it is a model or a dataset.",
    "labels": "Its labels, by key.",
    "metrics: Mapping[str, float]": "What it was measured at, by name.",
    "model": "The name of the model.",
    "models": "How many models.",
    "new": "What it is now.",
    "new_bytes": "Bytes that storing it added.",
    "new_size": "Bytes now; None if it is gone.",
    "number": "The number of the version in its model.",
    "old": "What it was before.",
    "old_size": "Bytes before; None if it was not there.",
    "packs": "How many packs.",
    "params: Mapping[str, Any]": "What it was made with, by name.",
    "path": "The path inside the version, with slashes.",
    "refs: tuple[RefInfo, ...]": "Branches, tags and aliases.",
    "seconds": "How long it took.",
    "sha256": "The SHA-256 of its bytes: 64 hex digits.",
    "shape": "Its sides, outermost first.",
    "size": "Bytes of all files.",
    "time": "When, in UTC.",
    "updated": "When it last changed, in UTC.",
    "versions: int": "How many versions.",
    "who": "Who did it.",
    "yard": "The yard that it belongs to.",
}
