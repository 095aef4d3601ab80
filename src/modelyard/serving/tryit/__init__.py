"""The page on which a deployment is tried: one document without foreign parts.

It works in `yard serve` too, where there are no other pages: no template engine, no session.
"""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import numpy as np

from modelyard.serving.feeding import plan_of
from modelyard.serving.oip.datatypes import name_of
from modelyard.serving.openapi import sample_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from modelyard.runtimes.tensors import TensorSpec
    from modelyard.serving.interface import Line, Served

__all__ = ["page", "page_of_all"]

Headers = list[tuple[bytes, bytes]]

_FIELDS: Final = 60
"""Columns of which each has a field of its own."""
_HERE: Final = Path(__file__).parent


def page(line: Line, served: Served, base: str = "") -> tuple[bytes, Headers]:
    """HTML with a form that predicts, and its headers.

    Args:
        base: The prefix of the server's paths, such as `/yard`.
    """
    name, plan, sample = line.name, plan_of(served), sample_of(served)
    url = f"{base}/predict/{quote(name)}"
    record: dict[str, Any] | None = None
    if plan.way == "table" and len(plan.inputs) <= _FIELDS:
        record = sample["records"][0]
    fields = "" if record is None else (
        '<div id="fields" class="fields">'
        + "".join(_field(spec, record.get(spec.name)) for spec in plan.inputs) + "</div>"
    )  # fmt: skip
    others = len(line.slots) - 1
    oip = escape(f"{base}/v2/models/{quote(name)}")
    more = f", and {others} more with a part of the requests" if others else ""
    shown = escape(json.dumps(sample, ensure_ascii=False, indent=_indent(sample)))
    parts = f"""<h1>{escape(name)}</h1>
<p>Version {served.number} of <b>{escape(served.model)}</b>{more}. {escape(served.framework)},
{escape(served.platform)}.</p>
<form id="try" data-url="{escape(url)}"><h2>Try it</h2>{fields}
<details id="raw"{"" if record is not None else " open"}><summary>As JSON</summary>
<label for="body">Body of the request</label>
<textarea id="body" rows="10" spellcheck="false">{shown}</textarea></details>
<p><label for="token">Token, if you are not signed in</label>
<input id="token" type="password" autocomplete="off"></p>
<p><button type="submit">Predict</button> <span id="took" role="status"></span></p>
<pre id="answer" aria-live="polite" tabindex="0" aria-label="Answer" hidden></pre>
<noscript><p>The form needs JavaScript; the command below does not.</p></noscript></form>
<h2>From a shell</h2>
<pre id="curl" tabindex="0" aria-label="Command">{escape(_curl(url, sample))}</pre>
{_specs("Takes", served.inputs)}{_specs("Gives", served.outputs)}
<h2>Paths</h2><ul>
<li><code>POST {escape(url)}</code> JSON, CSV, JSON lines, Arrow</li>
<li><code>POST {escape(url)}/invocations</code> as MLflow's servers</li>
<li><code>POST {oip}/infer</code> Open Inference Protocol</li>
<li><a href="{oip}/docs/dataplane.json">OpenAPI</a></li></ul>"""
    return _whole(name, parts)


def page_of_all(lines: Iterable[Line], base: str = "") -> tuple[bytes, Headers]:
    """HTML that lists what a server serves."""
    rows = [
        f'<tr><td><a href="{escape(base)}/predict/{escape(quote(line.name))}/docs">'
        f"{escape(line.name)}</a></td><td>"
        + ", ".join(escape(f"{slot.model}@{slot.number} {slot.state}") for slot in line.slots)
        + "</td></tr>"
        for line in sorted(lines, key=lambda line: line.name)
    ]
    table = (
        "<table><thead><tr><th>Name</th><th>Versions</th></tr></thead><tbody>"
        + "".join(rows) + "</tbody></table>"
    ) if rows else "<p>Nothing is served now.</p>"  # fmt: skip
    openapi = f'<p><a href="{escape(base)}/v2/docs/dataplane.json">OpenAPI</a></p>'
    return _whole("Served here", f"<h1>Served here</h1>{table}{openapi}")


def _whole(title: str, body: str) -> tuple[bytes, Headers]:
    style, script = _part("page.css"), _part("page.js")
    html = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{style}</style></head>"
        f"<body><main>{body}</main><script>{script}</script></body></html>"
    )
    policy = (
        f"default-src 'none'; style-src {_digest(style)}; script-src {_digest(script)};"
        " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return html.encode(), [
        (b"content-type", b"text/html; charset=utf-8"),
        (b"content-security-policy", policy.encode()),
        (b"referrer-policy", b"no-referrer"),
        (b"cache-control", b"no-store"),
    ]


@cache
def _part(name: str) -> str:
    return (_HERE / name).read_text("utf-8")


@cache
def _digest(text: str) -> str:
    """What the policy of the page knows a part of it by."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _indent(sample: dict[str, Any]) -> int | None:
    """Records are read by people, matrices are not."""
    return 2 if "records" in sample else None


def _field(spec: TensorSpec, value: Any) -> str:
    code = "U" if spec.dtype in ("string", "bytes") else np.dtype(spec.dtype).kind
    kind = {"b": "truth", "f": "number", "i": "number", "u": "number"}.get(code, "text")
    label = f"<label>{escape(spec.name)}<small>{escape(spec.dtype)}</small>"
    about = f'data-name="{escape(spec.name)}" data-kind="{kind}"'
    if kind == "truth":
        return f'{label}<input type="checkbox" {about}{" checked" if value else ""}></label>'
    shown = "" if value is None else escape(str(value))
    more = ' type="number" step="any"' if kind == "number" else ' type="text"'
    if code in "iu":
        more = ' type="number" step="1"'
    return f'{label}<input{more} {about} value="{shown}"></label>'


def _specs(title: str, specs: Sequence[TensorSpec]) -> str:
    rows = "".join(
        f"<tr><td>{escape(spec.name)}</td><td>{escape(spec.dtype)}</td>"
        f"<td>{name_of(spec.dtype)}</td><td>{escape(str(list(spec.shape)))}</td></tr>"
        for spec in specs
    )
    return (
        f"<h2>{title}</h2><table><thead><tr><th>Name</th><th>Type</th><th>Datatype</th>"
        f"<th>Shape</th></tr></thead><tbody>{rows}</tbody></table>"
    )


def _curl(url: str, sample: dict[str, Any]) -> str:
    body = json.dumps(sample, ensure_ascii=False)
    if len(body) > 2000:
        body = "@body.json"
    quoted = "'" + body.replace("'", "'\\''") + "'"
    return f"curl -H 'Content-Type: application/json' -d {quoted} HOST{url}"
