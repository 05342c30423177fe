"""Messages of the stages in the reader's language. They are written in English where they arise.

`messages.toml` holds a Chinese wording for each, with names in braces where the values stand. A value is text and
nothing else: it is cut out of the message and put into the wording, never read as a pattern or a format.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path

Values = tuple[str, ...]

_FILE = Path(__file__).with_name("messages.toml")
_TOP = ("message", "fault", "why")
_GAP = re.compile(r"\{(\w+)(?::(\w+)(\?)?)?\}")
_MEETING = re.compile(r"[\u4e00-\u9fff][A-Za-z0-9]|[A-Za-z0-9][\u4e00-\u9fff]")
_FORMS = {
    "int": re.compile(r"[0-9][0-9,]*"),
    "number": re.compile(r"[-+]?[0-9][0-9.,]*(?:e[-+]?[0-9]+)?|[-+]?inf|nan"),
    "word": re.compile(r"\S+"),
    "names": re.compile(r"\w+(?:, \w+)*"),
    "title": re.compile(r'[^:;"]+\.\w{1,8}'),
}
MAX_LENGTH = 4_000
"""Characters; a longer message is nobody's reading, and stays as it is."""
MAX_PARTS = 40
"""Pieces joined in one message; with more of them, each must stand for itself."""
_READINGS = 100


def explain(message: str, language: str) -> str:
    """Return a message of the stages in a language.

    Parameters
    ----------
    message
        As it arose, in English.
    language
        zh or en.

    Returns
    -------
    wording
        The message itself for en, if nobody knows it, and if it can be read in two ways. Else its Chinese, with
        every value in it (file names, words, numbers) as it was.
    """
    return _explain(message, _TOP) if language == "zh" else message


def explain_where(where: str, language: str) -> str:
    """Return a place in a file (row 5, feature 3, column 2) in a language; as it is, if it is none we name."""
    return _explain(where, ("where",)) if language == "zh" else where


@lru_cache(maxsize=4096)
def _explain(text: str, sections: Sequence[str]) -> str:
    if len(text) > MAX_LENGTH:
        return text
    found = (_piece(section, text) for section in sections)
    return next((wording for wording in found if wording is not None), text)


# ---- patterns ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Pattern:
    """A message with gaps, and its wording.

    `literals` stand around the gaps, one more than those. `forms` says what may be in each gap: "" (anything), a key
    of `_FORMS`, "list", or a section; with a question mark, anything if the section does not know it. The wording is
    its own words and the numbers of gaps.
    """

    literals: tuple[str, ...]
    forms: tuple[str, ...]
    wording: tuple[str | int, ...]

    def explained(self, text: str) -> str | None:
        """Return the wording of a text; None if it is another message, or can be read in two ways."""
        if not (text.startswith(self.literals[0]) and text.endswith(self.literals[-1])):
            return None
        readings = islice(_readings(text, self.literals), _READINGS)
        filled = islice((f for f in map(self._fill, readings) if f is not None), 2)
        first, second = next(filled, None), next(filled, None)
        return first if second is None else None

    def _fill(self, values: Values) -> str | None:
        told = []
        for form, value in zip(self.forms, values, strict=True):
            piece = _gap(form, value)
            if piece is None:
                return None
            told.append(piece)
        return _joined(part if isinstance(part, str) else told[part] for part in self.wording)


def _joined(parts: Iterable[str]) -> str:
    """Return the parts in a row, with a space where Chinese meets a letter or digit, as it is printed."""
    text = ""
    for part in parts:
        text += " " + part if _MEETING.fullmatch(text[-1:] + part[:1]) else part
    return text


def _gap(form: str, value: str) -> str | None:
    """Return what stands in the wording for a value; None if the value cannot stand in such a gap."""
    if not form:
        return value
    if form == "list":
        return value.replace(", ", "、")
    if form in _FORMS:
        return value if _FORMS[form].fullmatch(value) else None
    if form == "which" and not value:
        return ""
    told = _piece(form.rstrip("?"), value)
    return value if told is None and form.endswith("?") else told


def _readings(text: str, literals: Sequence[str]) -> Iterator[Values]:
    """Yield the values of every way to read a text as literals with anything between them.

    The text must begin with the first literal and end with the last.
    """
    if len(literals) == 1:
        if text == literals[0]:
            yield ()
        return
    end = len(text) - len(literals[-1])
    inner = literals[1:-1]
    # From here on back a literal has room for those after it: nothing is tried in vain.
    latest, limit = [], end
    for literal in reversed(inner):
        limit = text.rfind(literal, 0, limit)
        if limit < 0:
            return
        latest.append(limit)
    yield from _cut(text, len(literals[0]), end, inner, latest[::-1])


def _cut(
    text: str, start: int, end: int, inner: Sequence[str], latest: Sequence[int]
) -> Iterator[Values]:
    if not inner:
        if start <= end:
            yield (text[start:end],)
        return
    at = text.find(inner[0], start)
    while 0 <= at <= latest[0]:
        for rest in _cut(text, at + len(inner[0]), end, inner[1:], latest[1:]):
            yield (text[start:at], *rest)
        at = text.find(inner[0], at + 1)


# ---- sections ----------------------------------------------------------------------------------------------------


def _piece(section: str, text: str) -> str | None:
    """Return the wording of a text that a section knows, or of several that it knows in a row; else None."""
    joint = _joints().get(section)
    if joint is None or joint[0] not in text:
        return _one(section, text)
    parts = text.split(joint[0])
    # reach[n] is the wording of all from part n on, each piece as short as can be.
    reach: list[list[str] | None] = [None] * len(parts) + [[]]
    widest = len(parts) if len(parts) <= MAX_PARTS else 1
    for start in reversed(range(len(parts))):
        for stop in range(start + 1, min(start + widest, len(parts)) + 1):
            rest = reach[stop]
            told = None if rest is None else _one(section, joint[0].join(parts[start:stop]))
            if told is not None and rest is not None:
                reach[start] = [told, *rest]
                break
    if reach[0] is None:
        return None
    first, *others = reach[0]
    return _joined([first, *(part for told in others for part in (joint[1], told))])


def _one(section: str, text: str) -> str | None:
    whole, patterns = _sections()[section]
    if text in whole:
        return whole[text]
    found = (pattern.explained(text) for pattern in patterns)
    return next((wording for wording in found if wording is not None), None)


@lru_cache(maxsize=1)
def load_messages() -> dict[str, dict[str, str]]:
    """Return the wordings by section and English message; see the file."""
    return tomllib.loads(_FILE.read_text(encoding="utf-8"))


@lru_cache(maxsize=1)
def _joints() -> dict[str, tuple[str, str]]:
    return {section: (joint[0], joint[1]) for section, joint in load_messages()["joined"].items()}


@lru_cache(maxsize=1)
def _sections() -> dict[str, tuple[dict[str, str], tuple[_Pattern, ...]]]:
    """Return for each section its messages without a value, and its patterns, the most specific first."""
    sections = {}
    for name, words in load_messages().items():
        if name == "joined":
            continue
        plain = {english: chinese for english, chinese in words.items() if "{" not in english}
        patterns = [_compiled(english, words[english]) for english in words.keys() - plain.keys()]
        patterns.sort(key=_vagueness)
        sections[name] = (plain, tuple(patterns))
    return sections


def _vagueness(pattern: _Pattern) -> tuple[int, int, int, Values]:
    letters = sum(map(len, pattern.literals))
    return -letters, pattern.forms.count(""), len(pattern.forms), pattern.literals


def _compiled(english: str, chinese: str) -> _Pattern:
    names = [gap[1] for gap in _GAP.finditer(english)]
    # Splitting by a pattern with three groups gives four items for each gap: the text before it, and they.
    literals = _GAP.split(english)[::4]
    forms = tuple((gap[2] or "") + (gap[3] or "") for gap in _GAP.finditer(english))
    wording: list[str | int] = []
    for number, part in enumerate(_GAP.split(chinese)):
        if number % 4 < 2 and part:
            wording.append(names.index(part) if number % 4 else part)
    return _Pattern(tuple(literals), forms, tuple(wording))
