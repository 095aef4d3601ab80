"""Files into objects of torch."""

from __future__ import annotations

import os
import posixpath
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

from modelyard.core.extras import need
from modelyard.errors import Denied, InvalidInput
from modelyard.formats.reading import printable
from modelyard.frameworks.interface import Saved, bases_of
from modelyard.frameworks.torch import optimizers
from modelyard.frameworks.torch.archives import check_archive
from modelyard.frameworks.torch.calls import quiet
from modelyard.frameworks.torch.kinds import class_name, kind_of, module_of
from modelyard.frameworks.torch.pickles import load_file
from modelyard.frameworks.torch.saving import ABOUT
from modelyard.frameworks.torch.shards import read_json, weight_files
from modelyard.frameworks.torch.tensors import read_tensors
from modelyard.frameworks.torch.tree import build

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from modelyard.core.trust import Trust
    from modelyard.frameworks.interface import Files

__all__ = ["claims", "imported", "load", "set_modes", "tie"]

Json = Any

_SERIALIZERS = {"pt": "torch", "pth": "torch", "pt2": "export", "safetensors": "safetensors"}
_SHOWN = 6
_FORCED = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"


def claims(files: Files) -> Saved | None:
    """One file of torch, or shards of one model; other files may stand beside it."""
    paths = [path for path in files.paths() if path not in optimizers.FILES]
    found = [path for path in paths if _extension(path) in _SERIALIZERS]
    if len(found) > 1 or (found and _extension(found[0]) == "safetensors"):
        weights = weight_files(files)
        if weights is None or set(found) != set(weights.files):
            return None
        found = [weights.main]
    if not found:
        return None
    serializer = _SERIALIZERS.get(_extension(found[0]), "safetensors")
    try:
        cls = _about(files).get("class")
    except InvalidInput:
        return None  # a model.json of somebody else
    cls = cls if isinstance(cls, str) else "builtins.dict"
    return Saved(
        framework="torch", serializer=serializer, class_name=cls, details={"file": found[0]}
    )


def load(files: Files, saved: Saved, trust: Trust, into: Any = None) -> Any:
    """The object again; see the package."""
    need("torch", "torch")
    if into is not None and kind_of(into) not in ("module", "pair"):
        raise InvalidInput("no-into", "into= takes a torch module, such as load(into=Net())")
    if saved.serializer == "export":
        return _load_program(files, saved, trust, into)
    loaded, path = _content(files, saved, trust)
    if kind_of(loaded) != "state" and not _is_empty_state(loaded):
        if into is None:
            return loaded  # a whole module or program out of a trusted file
        loaded = module_of(loaded).state_dict() if kind_of(loaded) == "module" else {}
    about = _about(files)
    if about.get("kind", "state") == "state" and into is None:
        return loaded
    module = _module(about, loaded, path, trust, into)
    pair = about.get("kind") == "pair"
    return (module, optimizers.load(files, module)) if pair and into is None else module


def _content(files: Files, saved: Saved, trust: Trust) -> tuple[Any, str]:
    if saved.serializer == "torch":
        path = _file(files, saved, ("pt", "pth"))
        return load_file(files, path, trust), path
    weights = weight_files(files)
    if weights is None:
        raise InvalidInput("not-loadable", "there is no single safetensors model in these files")
    return read_tensors(files, weights.files), weights.main


def _load_program(files: Files, saved: Saved, trust: Trust, into: Any) -> Any:
    """A callable module; the program itself, if that was committed."""
    import torch

    if into is not None:
        raise InvalidInput("no-into", "an exported program brings its own code")
    path = _file(files, saved, ("pt2",))
    with files.open(path) as file:
        check_archive(file, path, trust)
        file.seek(0)
        try:
            with quiet(), _only_tensors(trust):
                program = torch.export.load(file)
                return program if saved.details.get("kind") == "program" else program.module()
        except Exception as error:
            reason = (str(error) or type(error).__name__).splitlines()[0]
            message = f"{path} can't be loaded: {printable(reason)}"
            raise InvalidInput("not-loadable", message) from error


@contextmanager
def _only_tensors(trust: Trust) -> Iterator[None]:
    """Torch unpickles tensors only, whatever its own code asks for: a second lock."""
    before = os.environ.get(_FORCED)
    if not trust.everything:
        os.environ[_FORCED] = "1"
    try:
        yield
    finally:
        os.environ.pop(_FORCED, None)
        if before is not None:
            os.environ[_FORCED] = before


def _module(about: Json, state: Any, path: str, trust: Trust, into: Any) -> Any:
    """A module with these tensors in it."""
    if into is not None:
        return _filled(module_of(into), state, path, about, assign=False)
    name = str(about.get("class"))
    if "tree" in about:
        module = build(about["tree"])
        assign = True
    else:
        module = _constructed(name, about.get("init"), trust)
        assign = False
    module = _filled(module, state, path, about, assign=assign)
    left = [n for n, t in (*module.named_parameters(), *module.named_buffers()) if t.is_meta]
    if left:
        raise InvalidInput("not-loadable", f"{path} has no values for {_some(left)}")
    return module


def _constructed(name: str, arguments: Json, trust: Trust) -> Any:
    """An object of a foreign class, whose code is imported: only if it is trusted."""
    shown = printable(name)
    if not trust.allows(name):
        raise Denied(
            "untrusted", f"loading would import {shown} and construct it",
            hint=f"load(into={shown.rpartition('.')[2]}(...)) fills an object of yours; or, if "
            f"you trust it: trusted=[{shown!r}]",
        )  # fmt: skip
    cls = imported(name)
    given = arguments if isinstance(arguments, dict) else {}
    try:
        made = cls(**given)
    except Exception as error:
        raise InvalidInput(
            "not-loadable", f"{shown} can't be constructed: {printable(str(error))}",
            hint="load(into=...) fills one that you have made; or give the class an attribute "
            "init_args, a dict of what it is constructed with",
        ) from error  # fmt: skip
    if kind_of(made) != "module":
        raise InvalidInput("not-loadable", f"{shown} is no torch module")
    return made


def imported(name: str) -> Any:
    parts = name.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        try:
            found: Any = import_module(".".join(parts[:cut]))
            for part in parts[cut:]:
                found = getattr(found, part)
        except ImportError:
            continue
        except Exception:
            break
        if isinstance(found, type):
            return found
        break
    raise InvalidInput(
        "not-loadable", f"{printable(name)} can't be imported here",
        hint="load(into=...) fills an object of yours",
    )  # fmt: skip


def _filled(module: Any, state: Mapping[str, Any], path: str, about: Json, *, assign: bool) -> Any:
    """Fill strictly: every name must be on both sides, with the same shape."""
    import torch

    own = module.state_dict(keep_vars=True)
    problems = [
        f"missing: {_some([name for name in own if name not in state])}",
        f"unexpected: {_some([name for name in state if name not in own])}",
        "other shapes: " + _some([
            f"{name} {list(state[name].shape)} for {list(own[name].shape)}"
            for name in own
            if isinstance(own[name], torch.Tensor)
            and isinstance(state.get(name), torch.Tensor)
            and state[name].shape != own[name].shape
        ]),
    ]  # fmt: skip
    problems = [problem for problem in problems if not problem.endswith(": ")]
    if problems:
        raise InvalidInput(
            "not-loadable", f"{path} does not fit {class_name(module)}; {'; '.join(problems)}",
            hint="commit an updated structure (`yard update --structure`), or mend the module",
        )  # fmt: skip
    try:
        module.load_state_dict(dict(state), strict=True, assign=assign)
    except Exception as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        message = f"{path} does not fill {class_name(module)}: {printable(reason)}"
        raise InvalidInput("not-loadable", message) from error
    if assign:
        tie(module, state)
        set_modes(module, about)
    return module


def tie(module: Any, state: Mapping[str, Any]) -> None:
    """Parameters that were one tensor become one parameter again."""
    first: dict[int, tuple[str, Any]] = {}
    named = dict(module.named_parameters(remove_duplicate=False))
    for name, tensor in state.items():
        if name not in named:
            continue
        kept = first.setdefault(id(tensor), (name, named[name]))
        if kept[0] != name:
            parent, _, leaf = name.rpartition(".")
            setattr(module.get_submodule(parent), leaf, kept[1])


def set_modes(module: Any, about: Json) -> None:
    """What was frozen is frozen, what was in evaluation mode is so again."""
    frozen, otherwise = about.get("frozen", []), about.get("otherwise", [])
    training = about.get("training", False) is True
    parameters = dict(module.named_parameters(remove_duplicate=False))
    for name, parameter in parameters.items():
        if parameter.is_floating_point() or parameter.is_complex():
            parameter.requires_grad_(name not in frozen)
    for path, part in module.named_modules():
        part.training = training != (path in otherwise)


def _about(files: Files) -> dict[str, Json]:
    return read_json(files, ABOUT) if ABOUT in files.paths() else {}


def _file(files: Files, saved: Saved, extensions: tuple[str, ...]) -> str:
    named = saved.details.get("file")
    if named in files.paths():
        return str(named)
    found = [path for path in files.paths() if _extension(path) in extensions]
    if len(found) != 1:
        raise InvalidInput("not-loadable", f"there is no single .{extensions[0]} file")
    return found[0]


def _extension(path: str) -> str:
    return posixpath.splitext(path)[1].lower().removeprefix(".")


def _is_empty_state(loaded: Any) -> bool:
    return bases_of(loaded) >= {"builtins.dict"} and not loaded


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(map(printable, names[:_SHOWN])) + more
