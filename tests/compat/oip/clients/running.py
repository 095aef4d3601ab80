"""Runs the checks of a script: all functions that begin with `check_`, in their order."""

import asyncio
import inspect
import json
import traceback


def run(names, *given):
    """Call each check, and print what became of them as JSON."""
    found = {}
    for name, function in list(names.items()):
        if not name.startswith("check_"):
            continue
        try:
            result = function(*given)
            if inspect.isawaitable(result):
                asyncio.run(result)
        except BaseException:
            found[name.removeprefix("check_")] = traceback.format_exc()[-3000:]
        else:
            found[name.removeprefix("check_")] = None
    print(json.dumps(found))
