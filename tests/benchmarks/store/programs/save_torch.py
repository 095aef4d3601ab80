"""Save the tensors of a safetensors file with torch.save: SOURCE DEST."""

from __future__ import annotations

import json
import struct
import sys
from pathlib import Path

import numpy as np
import torch

TYPES = {"F32": (np.float32, torch.float32), "BF16": (np.uint16, torch.bfloat16)}


def main(source: Path, dest: Path) -> None:
    raw = np.fromfile(source, np.uint8)
    (length,) = struct.unpack("<Q", raw[:8].tobytes())
    entries = json.loads(raw[8 : 8 + length].tobytes())
    entries.pop("__metadata__", None)
    tensors = {}
    for name, entry in entries.items():
        start, end = (8 + length + place for place in entry["data_offsets"])
        stored, kind = TYPES[entry["dtype"]]
        values = torch.from_numpy(raw[start:end].view(stored).reshape(entry["shape"]).copy())
        tensors[name] = values.view(kind) if kind == torch.bfloat16 else values
    half = dest.with_suffix(".part")
    torch.save(tensors, half)
    half.replace(dest)
    print(json.dumps({"torch": torch.__version__}))


main(Path(sys.argv[1]), Path(sys.argv[2]))
