"""`python -m tests.faults.engine.recorded FOLDER DESK SEED OPERATION...`: what strace looks at."""

from __future__ import annotations

import json
import os
import random
import sys
from pathlib import Path

from tests.faults.engine.victim import SMALL_PACK

from modelyard.core import chunks
from modelyard.errors import ModelyardError


def main(folder: str, desk: str, seed: str, *operations: str) -> None:
    chunks.PACK_LIMIT = SMALL_PACK
    if "FAULTS_NO_FSYNC" in os.environ:  # a store that forgets it, to be caught
        os.fsync = os.fdatasync = lambda _descriptor: None
    from tests.faults.engine.operations import OPERATIONS, Work, create

    acks = os.open(Path(desk) / "acks", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def tell(message: tuple) -> None:
        os.write(acks, json.dumps(message).encode() + b"\n")

    for operation in operations:
        work = Work(folder, Path(desk), tell, random.Random(int(seed)))
        try:
            {**OPERATIONS, "create": create}[operation](work)
        except ModelyardError as error:
            tell(("refused", f"{type(error).__name__} {error.kind}"))


main(*sys.argv[1:])
