"""Rules as people write them, in YAML, and the rules that every deployment has.

```yaml
defaults: true          # keep the usual rules; one with the same name takes a rule's place
rules:
  errors:
    when: error_rate > 5%
    for: 10s            # so long without a break; then it fires
    clear: 2%           # it is over once the value came back so far, for as long
    severity: critical  # info, warning or critical
    rows: 20            # requests or rows that must have been seen
    words: Too many requests fail
  slow:
    enabled: false
```
"""

from __future__ import annotations

import math
import re
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any, Final, cast, get_args

from modelyard.core.monitoring import Rule, RuleSet, Severity
from modelyard.core.plain_yaml import NotPlain, plain_yaml
from modelyard.errors import InvalidInput
from modelyard.monitoring.alerts.signals import SIGNALS

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["DEFAULTS", "amount", "default_set", "fires", "is_over", "parse", "quantity", "written"]

_LARGEST: Final = 64 << 10
"""Characters."""
_MOST: Final = 100
"""Rules."""
_LONGEST: Final = 7 * 86_400.0
"""Seconds that a rule may wait."""
_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,58}[a-z0-9])?", re.ASCII)
_WHEN: Final = re.compile(r"\s*([a-z0-9_]+)\s*(>=|<=|>|<)\s*(.+?)\s*", re.ASCII)
_AMOUNT: Final = re.compile(r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(%|ms|us|s|m|h|d)?")
_SCALES: Final = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_FIELDS: Final = frozenset({"when", "for", "clear", "severity", "rows", "words", "enabled"})

DEFAULTS: Final[tuple[Rule, ...]] = (
    Rule(name="errors", signal="error_rate", op=">", value=0.05, clear=0.02, rows=20,
         severity="critical", words="Too many requests fail"),
    Rule(name="rejected", signal="rejected_rate", op=">", value=0.1, clear=0.02, hold=5.0, rows=50,
         words="Too many requests are turned away"),
    Rule(name="slow", signal="latency_p99", op=">", value=2.0, clear=1.0, hold=30.0, rows=50,
         words="Answers take long"),
    Rule(name="saturated", signal="saturation", op=">", value=0.8, clear=0.6, hold=60.0, rows=100,
         words="Requests wait most of their time"),
    Rule(name="data-drift", signal="drifted_columns", op=">=", value=1.0, rows=500,
         words="Inputs are not what they were"),
    Rule(name="prediction-drift", signal="drifted_outputs", op=">=", value=1.0, rows=500,
         words="Predictions are not what they were"),
    Rule(name="bad-data", signal="violation_rate", op=">", value=0.05, clear=0.02, rows=200,
         words="Values are missing or out of range"),
    Rule(name="less-accurate", signal="accuracy_drop", op=">", value=0.03, clear=0.01, rows=200,
         severity="critical", words="It is right less often than on its reference"),
    Rule(name="seems-less-accurate", signal="estimated_accuracy_drop", op=">", value=0.03,
         clear=0.01, rows=1000, words="It seems to be right less often, from its own scores"),
    Rule(name="larger-errors", signal="error_growth", op=">", value=1.2, clear=1.1, rows=200,
         severity="critical", words="Its errors are larger than on its reference"),
    Rule(name="unfair", signal="unfair_groups", op=">=", value=1.0, rows=200,
         words="Groups are treated differently"),
    Rule(name="fault", signal="critical_anomalies", op=">=", value=1.0, severity="critical",
         words="Something is broken, or somebody attacks"),
    Rule(name="anomaly", signal="anomalies", op=">=", value=1.0,
         words="Something is out of the way"),
    Rule(name="unseen", signal="dropped_rows", op=">", value=0.0, severity="info",
         words="Monitoring could not take all rows"),
)  # fmt: skip
"""What every deployment is looked at by, unless it or its version says otherwise."""


@cache
def default_set() -> RuleSet:
    """`DEFAULTS`, with their YAML."""
    return RuleSet(rules=DEFAULTS, source="default", text=written(DEFAULTS))


def parse(text: str) -> tuple[Rule, ...]:
    """Rules of a YAML document.

    Raises:
        InvalidInput: `bad-rules`; the words name the rule and what is wrong with it.
    """
    top = _loaded(text)
    unknown = sorted(str(key) for key in top if key not in ("defaults", "rules", "version"))
    if unknown:
        raise _bad(f"{unknown[0][:60]!r} is nothing that rules have", "defaults, rules")
    keep = top.get("defaults", True)
    if not isinstance(keep, bool):
        raise _bad("'defaults' is true or false")
    given = top.get("rules") or {}
    if not isinstance(given, dict):
        raise _bad("'rules' holds rules by their names", "rules: {errors: {when: ...}}")
    known = {rule.name: rule for rule in DEFAULTS} if keep else {}
    for name, fields in given.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise _bad(
                f"{str(name)[:60]!r} can't name a rule",
                "small letters, digits, '-', '.' and '_', at most 60",
            )
        known[name] = _rule(name, fields, known.get(name))
    if len(known) > _MOST:
        raise _bad(f"{len(known)} rules are more than {_MOST}")
    return tuple(known.values())


def written(rules: Iterable[Rule]) -> str:
    """YAML of exactly these rules: `parse` gives them back."""
    import yaml

    plain = {"defaults": False, "rules": {rule.name: _plain(rule) for rule in rules}}
    return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=100)


def fires(rule: Rule, value: float) -> bool:
    """Whether a value is as bad as a rule says."""
    return _compare(value, rule.op, rule.value)


def is_over(rule: Rule, value: float) -> bool:
    """Whether a value has come back so far that what fires may end."""
    return not _compare(value, rule.op, rule.value if rule.clear is None else rule.clear)


def amount(text: str) -> tuple[float, str] | None:
    """A number with its unit: `5%`, `250 ms`, `10m`, `0.3`. Shares and seconds are what counts."""
    found = _AMOUNT.fullmatch(text.strip())
    if found is None:
        return None
    number, unit = float(found[1]), found[2] or ""
    if unit == "%":
        return number / 100, "share"
    return (number * _SCALES[unit], "seconds") if unit else (number, "")


def quantity(value: float | None, unit: str) -> str:
    """A signal's value as people read it: `5 %`, `250 ms`, `3`."""
    if value is None:
        return "-"
    if unit == "share":
        return f"{_short(value * 100)} %"
    if unit == "seconds":
        return f"{_short(value * 1000)} ms" if abs(value) < 1 else f"{_short(value)} s"
    return f"{_short(value)}/s" if unit == "rate" else _short(value)


def _short(number: float) -> str:
    text = f"{number:.3g}"
    return f"{number:.0f}" if "e" in text and abs(number) < 1e15 and abs(number) >= 1 else text


def _compare(value: float, op: str, other: float) -> bool:
    if op == ">":
        return value > other
    if op == ">=":
        return value >= other
    return value < other if op == "<" else value <= other


def _loaded(text: str) -> dict[Any, Any]:
    """A mapping, from YAML without aliases and without a key that stands there twice."""
    if len(text) > _LARGEST:
        raise _bad(f"rules of {len(text)} characters are too long", f"at most {_LARGEST}")
    try:
        top = plain_yaml(text, strict=True)
    except NotPlain as error:
        raise _bad(str(error)) from None
    if top is None:
        return {}
    if not isinstance(top, dict):
        raise _bad("rules are a mapping", "rules: {errors: {when: error_rate > 5%}}")
    return top


def _rule(name: str, fields: Any, known: Rule | None) -> Rule:
    if not isinstance(fields, dict):
        raise _bad(f"rule {name}: it has no fields", f"{name}: {{when: error_rate > 5%}}")
    unknown = sorted(str(key) for key in fields if key not in _FIELDS)
    if unknown:
        raise _bad(
            f"rule {name}: {unknown[0][:60]!r} is nothing that a rule has",
            ", ".join(sorted(_FIELDS)),
        )
    made = known
    if "when" in fields:
        made = _condition(name, fields["when"], known)
    if made is None:
        raise _bad(f"rule {name}: 'when' says what it looks at", "when: error_rate > 5%")
    unit = SIGNALS[made.signal].unit
    if "for" in fields:
        hold = _number(name, "for", fields["for"], "seconds")
        if not 0 <= hold <= _LONGEST:
            raise _bad(f"rule {name}: 'for' is from 0 s to 7 d")
        made = replace(made, hold=hold)
    if "clear" in fields:
        clear = fields["clear"]
        made = replace(made, clear=None if clear is None else _number(name, "clear", clear, unit))
    if made.clear is not None and _compare(made.clear, made.op, made.value):
        raise _bad(f"rule {name}: 'clear' is on the same side as 'when': it would never be over")
    if "severity" in fields:
        if fields["severity"] not in get_args(Severity):
            raise _bad(f"rule {name}: no such severity", "info, warning, critical")
        made = replace(made, severity=cast("Severity", fields["severity"]))
    if "rows" in fields:
        rows = fields["rows"]
        if not isinstance(rows, int) or isinstance(rows, bool) or not 0 <= rows <= 1 << 53:
            raise _bad(f"rule {name}: 'rows' is a whole number")
        made = replace(made, rows=rows)
    if "words" in fields:
        if not isinstance(fields["words"], str) or len(fields["words"]) > 200:
            raise _bad(f"rule {name}: 'words' is a text of at most 200 characters")
        made = replace(made, words=" ".join(fields["words"].split()))
    if "enabled" in fields:
        if not isinstance(fields["enabled"], bool):
            raise _bad(f"rule {name}: 'enabled' is true or false")
        made = replace(made, enabled=fields["enabled"])
    return made


def _condition(name: str, given: Any, known: Rule | None) -> Rule:
    found = _WHEN.fullmatch(given) if isinstance(given, str) else None
    if found is None:
        raise _bad(f"rule {name}: {str(given)[:80]!r} is no condition", "when: error_rate > 5%")
    signal, op, text = found.groups()
    if signal not in SIGNALS:
        import difflib

        near = difflib.get_close_matches(signal, SIGNALS, 3) or ["error_rate", "latency_p99"]
        raise _bad(f"rule {name}: there is no signal {signal[:60]!r}", f"such as {', '.join(near)}")
    value = _number(name, "when", text, SIGNALS[signal].unit)
    if known is None or known.signal != signal:
        return Rule(name=name, signal=signal, op=cast("Any", op), value=value,
                    words="" if known is None else known.words,
                    severity="warning" if known is None else known.severity)  # fmt: skip
    clear = known.clear
    if clear is not None and _compare(clear, op, value):
        clear = None
    return replace(known, op=cast("Any", op), value=value, clear=clear)


def _number(name: str, key: str, given: Any, unit: str) -> float:
    found = None
    if isinstance(given, int | float) and not isinstance(given, bool):
        found = float(given), ""
    elif isinstance(given, str):
        found = amount(given)
    if found is None or not math.isfinite(found[0]):
        raise _bad(f"rule {name}: {key}: {str(given)[:40]!r} is no number", "such as 5%, 250 ms, 3")
    if found[1] and found[1] != unit and not (found[1] == "share" and unit == "number"):
        raise _bad(f"rule {name}: {key}: {str(given)[:40]!r} is not in the unit of the signal")
    return found[0]


def _plain(rule: Rule) -> dict[str, Any]:
    unit = SIGNALS[rule.signal].unit
    told: dict[str, Any] = {"when": f"{rule.signal} {rule.op} {_exact(rule.value, unit)}"}
    if rule.hold:
        told["for"] = _exact(rule.hold, "seconds")
    if rule.clear is not None:
        told["clear"] = _exact(rule.clear, unit)
    told["severity"] = rule.severity
    if rule.rows:
        told["rows"] = rule.rows
    if rule.words:
        told["words"] = rule.words
    if not rule.enabled:
        told["enabled"] = False
    return told


def _exact(value: float, unit: str) -> str | float | int:
    """In the unit that people read, if nothing is lost by it."""
    if unit == "share" and float(f"{value * 100:g}") / 100 == value:
        return f"{value * 100:g}%"
    if unit == "seconds":
        if 0 < abs(value) < 1 and float(f"{value * 1000:g}") * 1e-3 == value:
            return f"{value * 1000:g}ms"
        if float(f"{value:g}") == value and "e" not in f"{value:g}":
            return f"{value:g}s"
    return int(value) if value.is_integer() and abs(value) < 1e15 else value


def _bad(words: str, hint: str | None = None) -> InvalidInput:
    return InvalidInput("bad-rules", words, hint=hint or "yard rules NAME shows how they look")
