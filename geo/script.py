"""Traditional and simplified script, one character at a time: a text keeps its length, so offsets into it hold."""

from __future__ import annotations

from functools import cache

from opencc import OpenCC


@cache
def is_traditional(char: str) -> bool:
    """Return whether a character is written so in traditional script only (乾 and 著 are in both)."""
    if char < "\u3400" or simple_char(char) == char:
        return False
    try:
        char.encode("gb2312")
    except UnicodeEncodeError:
        return True
    return False


@cache
def simple_char(char: str) -> str:
    """Return a character in simplified script; one that would become several stays as it is."""
    if char < "\u3400" or "\ud800" <= char <= "\udfff":
        return char
    simple = _converter().convert(char)
    return simple if len(simple) == 1 else char


@cache
def _converter() -> OpenCC:
    return OpenCC("t2s")
