"""YAML from anywhere, as plain values: nothing in it is executed, and nothing stands for more than
it says.

An alias can stand for a billion laughs, so none is followed.
"""

from __future__ import annotations

from typing import Any

__all__ = ["NotPlain", "plain_yaml"]

Json = Any


class NotPlain(ValueError):
    """What is wrong with a text, and in which line; a sentence without a full stop."""


def plain_yaml(text: str, *, strict: bool = False) -> Json:
    """Values of a text: None where it is empty.

    Args:
        strict: For what is written for us: anchors and tags are refused too, and keys that stand
            there twice, of which the first would be forgotten.

    Raises:
        NotPlain: It is no YAML, has aliases, or, with `strict`, is more than plain values.
    """
    import yaml

    refused: tuple[type, ...] = (yaml.AliasToken,)
    if strict:
        refused += (yaml.AnchorToken, yaml.TagToken)
    try:
        for token in yaml.scan(text):
            if isinstance(token, refused):
                raise NotPlain(_at(token.start_mark, "no anchors, aliases or tags here"))
        if strict:
            _check_keys(yaml.compose(text, Loader=yaml.SafeLoader))
        return yaml.safe_load(text)
    except NotPlain:
        raise
    except yaml.YAMLError as error:
        said = getattr(error, "problem", None) or "this is no YAML"
        raise NotPlain(_at(getattr(error, "problem_mark", None), said)) from None
    except (RecursionError, ValueError):  # too deep; a date of the 31st of June
        raise NotPlain("this is no YAML that plain values are made of") from None


def _check_keys(node: Any) -> None:
    import yaml

    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise NotPlain(_at(key.start_mark, "this can't be a name"))
            if key.value in seen:
                raise NotPlain(_at(key.start_mark, f"{key.value[:60]!r} is there twice"))
            seen.add(key.value)
            _check_keys(value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            _check_keys(value)


def _at(mark: Any, said: str) -> str:
    return said if mark is None else f"line {mark.line + 1}: {said}"
