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


def check_loadable(house: House, share: Share, trust: Trust) -> None:
    """Whoever serves it looks into the files again.

    Raises:
        NotFound: `no-model`, `no-version`.
        Unsupported: `no-framework`.
        Denied: `untrusted`.
    """
    with stored(LocalDesk(house), share.model, share.revision or None) as version:
        saved = version.saved
        path = saved.details.get("file")
        if saved.serializer in ("pickle", "joblib") and isinstance(path, str):
            from modelyard.frameworks import pickling

            pickling.check(version.files, path, trust)
