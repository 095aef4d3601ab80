"""Whether a version can be served at all: by what is known of its files, before they are loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.registry.local_desk import LocalDesk
from modelyard.registry.saving import stored

if TYPE_CHECKING:
    from modelyard.core.deployment import Share
    from modelyard.core.trust import Trust
    from modelyard.registry.house import House

__all__ = ["check_loadable"]


def check_loadable(house: House, share: Share, trust: Trust, *, number: int | None) -> None:
    """Whoever serves it looks into the files again.

    Args:
        number: The version that is meant; None: the one that the share's revision means.

    Raises:
        NotFound: `no-model`, `no-version`.
        Unsupported: `no-framework`.
        Denied: `untrusted`.
        InvalidInput: `bad-serving`.
    """
    revision = share.revision if number is None else number
    from modelyard.runtimes.hooks import check_hooks

    with stored(LocalDesk(house), share.model, revision or None) as version:
        check_hooks(version.files, trust)
        saved = version.saved
        path = saved.details.get("file")
        if saved.serializer in ("pickle", "joblib") and isinstance(path, str):
            from modelyard.frameworks import pickling

            pickling.check(version.files, path, trust)
