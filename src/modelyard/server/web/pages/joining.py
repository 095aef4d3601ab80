"""New versions out of old ones: merging into a branch, which is shown before, and reverting."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from modelyard.core.version import RefInfo, VersionInfo
from modelyard.errors import Conflict
from modelyard.registry.joining import MergePlan, plan_merge
from modelyard.server.routing import on_model
from modelyard.server.state import Ask
from modelyard.server.web.acts import Acts, Done, Form
from modelyard.server.web.here import language_of
from modelyard.server.web.places import model_page, version_page
from modelyard.server.web.twins import Pages

if TYPE_CHECKING:
    from modelyard.core.version import Committed

__all__ = ["acts", "pages"]

acts = Acts("joining")
pages = Pages("joining")

_SHOWN = 100


@dataclass(frozen=True, slots=True)
class MergePage:
    """What a merge would do, or which one is wanted."""

    model: str
    source: VersionInfo
    """The version that is merged."""
    branches: tuple[RefInfo, ...]
    """Into which it could be merged: those that end elsewhere."""
    into: str | None
    """Which of them is chosen."""
    plan: MergePlan | None
    """What would happen; None until a branch is chosen. At most 100 files are listed."""
    files: int
    """How many files would change."""


@pages.page("/merge/{model:path}", "merge.html", needs=on_model("writer"))
def show_merge(
    ask: Ask, model: str, *, source: str | None = None, into: str | None = None
) -> MergePage:
    """Look at a merge before it is made."""
    version = ask.yard.resolve(model, source)
    branches = tuple(
        ref for ref in ask.yard.refs(model) if ref.kind == "branch" and ref.number != version.number
    )
    if into is None:
        return MergePage(model, version, branches, None, None, 0)
    plan = plan_merge(ask.house, model, version.number, into)
    files = len(plan.changes)
    shown = replace(plan, changes=plan.changes[:_SHOWN], conflicts=plan.conflicts[:_SHOWN])
    return MergePage(model, version, branches, plan.into, shown, files)


@acts.act("/merge/{model:path}", needs=on_model("writer"))
def merge(ask: Ask, form: Form, model: str) -> Done:
    """Merge the files of a version into a branch; conflicts are shown and change nothing."""
    source, into = form.one("source"), form.one("into")
    try:
        done = ask.yard.merge(model, source, into=into, message=form.text("message").strip())
    except Conflict as error:
        if error.kind != "merge-conflict":
            raise
        # the page that it came from tells of each file
        text = language_of(ask.request).say("Nothing was merged: both sides changed the same.")
        query = urlencode({"source": source, "into": into})
        return Done(f"{model_page(model, 'merge')}?{query}", text)
    return _made(ask, done)


@acts.act("/revert/{model:path}", needs=on_model("writer"))
def revert(ask: Ask, form: Form, model: str) -> Done:
    """Make a new version on the branch with the content of an old one."""
    branch = form.one("branch") or None
    return _made(ask, ask.yard.revert(model, form.one("revision"), branch=branch))


def _made(ask: Ask, done: Committed) -> Done:
    words = language_of(ask.request)
    if done.created:
        text = words.say("Version %(number)s is made on the branch %(branch)s.",
                         number=done.number, branch=done.branch)  # fmt: skip
    else:
        text = words.say("Nothing to do: version %(number)s of the branch %(branch)s has it all.",
                         number=done.number, branch=done.branch)  # fmt: skip
    return Done(version_page(done.model, done.number), text)
