"""The transformers library, without its network, its bars and its way of finding classes."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from modelyard.core.extras import need
from modelyard.errors import InvalidInput
from modelyard.formats.reading import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["library", "public_class", "refused", "secluded"]

_LOGGERS = 40  # errors only


def library() -> Any:
    """The module. Unsupported: `no-extra`."""
    need("torch", "transformers")
    return need("transformers", "transformers")


def public_class(name: str, base: str) -> type | None:
    """A class that the library itself exports, by its own name or `module.qualname`.

    Args:
        base: `PreTrainedModel` or `PreTrainedTokenizerBase`.
    """
    short = name.rpartition(".")[2]
    if not short.isidentifier() or short.startswith("_"):
        return None
    with secluded():
        try:
            found = getattr(library(), short, None)
        except Exception:  # its own imports may fail: then it is not there
            return None
    if not isinstance(found, type) or not found.__module__.startswith("transformers."):
        return None
    if name not in (short, f"transformers.{short}", f"{found.__module__}.{found.__qualname__}"):
        return None
    names = {f"{cls.__module__}.{cls.__qualname__}" for cls in found.__mro__}
    return found if any(one.rpartition(".")[2] == base for one in names) else None


@contextmanager
def secluded() -> Iterator[None]:
    """No request leaves this process, no bar is drawn, nothing is logged below an error."""
    hub: Any = need("huggingface_hub.constants", "transformers")
    logging: Any = need("transformers.utils.logging", "transformers")
    was_offline, level = hub.HF_HUB_OFFLINE, logging.get_verbosity()
    has_bars = logging.is_progress_bar_enabled()
    hub.HF_HUB_OFFLINE = True
    logging.set_verbosity(_LOGGERS)
    logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            for category in (UserWarning, FutureWarning, DeprecationWarning):
                warnings.simplefilter("ignore", category)
            yield
    finally:
        hub.HF_HUB_OFFLINE = was_offline
        logging.set_verbosity(level)
        if has_bars:
            logging.enable_progress_bar()


def refused(what: str, error: BaseException) -> InvalidInput:
    """What the library raised over a file, as our error."""
    text = str(error) or type(error).__name__
    line = printable(text.strip().splitlines()[0])
    return InvalidInput("not-loadable", f"{what} can't be loaded: {line}")
