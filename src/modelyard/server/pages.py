"""The few pages that there are without the web interface: plain HTML, without any script."""

from __future__ import annotations

import base64
import hashlib
from html import escape
from urllib.parse import quote

from starlette.responses import Response

__all__ = ["link_page", "login_page", "onward_page"]

_STYLE = """\
:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; margin: 12vh auto; max-width: 24rem; padding: 0 1rem }
h1 { font-size: 1.4rem; font-weight: 600 }
label { display: block; margin: 1rem 0 0.25rem }
input { box-sizing: border-box; font: inherit; padding: 0.5rem; width: 100% }
button { font: inherit; margin-top: 1.25rem; padding: 0.5rem 1.25rem }
.problem { border-left: 0.25rem solid #c33; padding-left: 0.75rem }
"""

_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'"
)

_PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="robots" content="noindex">
<title>{title} - modelyard</title>
<style>{style}</style>
<h1>{title}</h1>
{body}
</html>
"""
_LOGIN = """\
{problem}<form method="post" action="{prefix}/login">
<input type="hidden" name="next" value="{next}">
<label for="name">Account</label>
<input id="name" name="name" autocomplete="username" autocapitalize="none" autofocus required
 maxlength="100">
<label for="password">Password or token</label>
<input id="password" name="password" type="password" autocomplete="current-password" required
 maxlength="1000">
<button>Sign in</button>
</form>
"""
_ELSEWHERE = """\
<p><a href="{prefix}/login/oidc?next={next}">Sign in with {title}</a></p>
"""
_ONWARD = """\
<meta http-equiv="refresh" content="0; url={go_to}">
<p><a href="{go_to}">Go on</a></p>
"""
_LINK = """\
<form method="post" action="{prefix}/login">
<input type="hidden" name="code" value="{code}">
<button autofocus>Sign in</button>
</form>
"""


def login_page(
    prefix: str, *, go_to: str, problem: str = "", status: int = 200, elsewhere: str | None = None
) -> Response:
    """Asks who somebody is; `problem` says why the last try was none.

    Args:
        elsewhere: What the provider is called through which one may sign in too.
    """
    told = f'<p class="problem" role="alert">{escape(problem)}</p>\n' if problem else ""
    body = _LOGIN.format(problem=told, prefix=escape(prefix), next=escape(go_to))
    if elsewhere:
        body += _ELSEWHERE.format(
            prefix=escape(prefix), next=escape(quote(go_to, "")), title=escape(elsewhere)
        )
    return _page("Sign in", body, status)


def onward_page(prefix: str, go_to: str) -> Response:
    """Sends a browser on by itself: then strict cookies go along, too."""
    body = _ONWARD.format(go_to=escape(prefix + go_to))
    return _page("Signed in", body)


def link_page(prefix: str, code: str) -> Response:
    """A link is used up by a click, and not by whatever looks at it before."""
    return _page("Sign in", _LINK.format(prefix=escape(prefix), code=escape(code)))


def _page(title: str, body: str, status: int = 200) -> Response:
    text = _PAGE.format(title=escape(title), style=_STYLE, body=body)
    return Response(text, status, {"content-security-policy": _POLICY}, media_type="text/html")
