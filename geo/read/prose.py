"""Text as people meant it, with the way back to the text as it is in the file.

A bulletin is pasted from a newspaper page, a PDF or a phone: page breaks cut words, punctuation is half
width, script may be traditional. `heal` closes that up. Every healed character comes from exactly one
character of the file, so any healed span can be quoted verbatim.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property

from geo.script import is_traditional, simple_char

Span = tuple[int, int]
"""Half-open: start, end."""
_Chars = tuple[list[str], list[int]]
"""Healed characters, and for each the offset in the file that it comes from."""

_END = "。！？"
_CLOSERS = "”’）》】"
_SENTENCE = re.compile(rf"[^{_END}\n]+(?:[{_END}]+[{_CLOSERS}]*|(?=\n)|$)|[{_END}]+[{_CLOSERS}]*")


@dataclass(frozen=True)
class Prose:
    r"""A text as it is in the file (`raw`) and healed (`text`).

    `origins[n]` is the offset in `raw` of the one character that `text[n]` comes from. In `text`, "\n" is a
    real end of a paragraph, headline or list line, punctuation beside Chinese is full width, digits and Latin
    are half width, script is simplified, and a tab stands between the cells of a table line.
    """

    raw: str
    text: str
    origins: tuple[int, ...]

    def raw_span(self, start: int, end: int) -> Span:
        """Return where a span of `text` lies in `raw`; both half-open, counted in code points.

        Raises
        ------
        ValueError
            If the span is not inside the text.
        """
        if not 0 <= start <= end <= len(self.text):
            raise ValueError(f"span {start}-{end} is not inside a text of {len(self.text)}")
        if start == end:
            spot = self.origins[start] if start < len(self.origins) else len(self.raw)
            return spot, spot
        return self.origins[start], self.origins[end - 1] + 1

    def raw_quote(self, start: int, end: int) -> str:
        """Return a span of `text` in the very words of the file."""
        first, last = self.raw_span(start, end)
        return self.raw[first:last]

    def paragraphs(self) -> list[Span]:
        """Return the span of every line of `text`, without its line end; empty lines do not occur."""
        return [found.span() for found in re.finditer(r"[^\n]+", self.text)]

    def sentences(self) -> list[Span]:
        """Return the sentences of `text` in order: each ends behind 。！？ and its quotes, or at a line end.

        A semicolon does not end a sentence. Line ends belong to none.
        """
        return list(self._sentences)

    def headlines(self) -> list[Span]:
        """Return the lines that stand over others: short, no full stop, and a line that ends a sentence follows.

        Bylines (本报记者 ...) and lines of a list or a form (1. ..., 名称：...) are not headlines.
        """
        return list(self._headlines)

    @cached_property
    def _sentences(self) -> tuple[Span, ...]:
        return tuple(found.span() for found in _SENTENCE.finditer(self.text))

    @cached_property
    def _headlines(self) -> tuple[Span, ...]:
        spans = self.paragraphs()
        lines = [self.text[start:end] for start, end in spans]
        return tuple(
            span
            for n, span in enumerate(spans)
            if _is_headline(lines[n]) and any(_is_sentence(line) for line in lines[n + 1 : n + 4])
        )


def heal(raw: str) -> Prose:
    """Return a text healed, with the offset in `raw` of every healed character.

    Healing the result again changes nothing. No text is refused.

    Parameters
    ----------
    raw
        Any text, line ends as they are in the file.
    """
    chars: _Chars = list(raw), list(range(len(raw)))
    while True:
        before = chars[0]
        for step in _STEPS:
            chars = step(chars)
        if chars[0] == before:
            return Prose(raw=raw, text="".join(chars[0]), origins=tuple(chars[1]))


# --- one character at a time ----------------------------------------------------------------------

_LINE_ENDS = "\n\r\f\v\x1c\x1d\x1e\x85\u2028\u2029"
_QUOTES = str.maketrans("「」『』﹁﹂﹃﹄", "“”‘’“”‘’")
_MAX_SHARE = 0.02
"""From this share of traditional characters on, a text is in traditional script throughout."""


def _fold(chars: _Chars) -> _Chars:
    """Fold widths and forms, drop what nobody sees; one character may become several, or none."""
    folded: _Chars = [], []
    for char, origin in zip(*chars, strict=True):
        for part in _fold_char(char):
            folded[0].append(part)
            folded[1].append(origin)
    return folded


@cache
def _fold_char(char: str) -> str:
    if char in _LINE_ENDS:
        return "\n"
    if char == "\t":
        return char
    if unicodedata.category(char) in ("Cc", "Cf") or 0xFE00 <= ord(char) <= 0xFE0F:
        return ""
    if char in "，…":
        # A comma typed wide is not the comma of 1,200; three full stops would end three sentences.
        return char
    folded = unicodedata.normalize("NFKC", char).translate(_QUOTES)
    if len(folded) > 1 and (folded[0].isdigit() or " " in folded):
        return char
    # ①, ² and ½ are not digits of the number beside them.
    return char if unicodedata.category(char) == "No" else folded


def _simplify(chars: _Chars) -> _Chars:
    """Write traditional characters as simplified, those used in both scripts only in a traditional text."""
    text = chars[0]
    old = sum(is_traditional(char) for char in text)
    if not old:
        return chars
    han = sum("\u4e00" <= char <= "\u9fff" for char in text)
    throughout = old >= han * _MAX_SHARE
    return [
        simple_char(char) if throughout or is_traditional(char) else char for char in text
    ], chars[1]


# --- punctuation and spaces -----------------------------------------------------------------------

_WIDE = dict(zip(",:;!?()", "，：；！？（）", strict=True))
_NO_SPACE_BESIDE = frozenset("，。：；！？、（）《》")


def _widen(chars: _Chars) -> _Chars:
    """Make punctuation full width unless it stands inside a number, a time or Latin text."""
    text = chars[0]
    wide = list(text)
    for n, char in enumerate(text):
        if char in _WIDE or char == ".":
            before = text[n - 1] if n else "\n"
            after = text[n + 1] if n + 1 < len(text) else "\n"
            wide[n] = _wide_char(char, before, after)
    _pair_quotes(wide)
    return wide, chars[1]


def _wide_char(char: str, before: str, after: str) -> str:
    if char == ".":
        stops = before > "\u2e80" or before in "”’%"
        return (
            "。" if stops and after != "." and not (after.isascii() and after.isalpha()) else char
        )
    if char in "()":
        return _WIDE[char]
    return char if _is_inside_latin(before) and _is_inside_latin(after) else _WIDE[char]


def _is_inside_latin(char: str) -> bool:
    return "!" <= char <= "~" and char not in '()"'


def _pair_quotes(chars: list[str]) -> None:
    """Turn the straight quotes of a line into “ and ”, if they come in pairs."""
    line: list[int] = []
    for n, char in enumerate([*chars, "\n"]):
        if char == '"':
            line.append(n)
        elif char == "\n":
            if len(line) % 2 == 0:
                for order, spot in enumerate(line):
                    chars[spot] = "“”"[order % 2]
            line = []


def _close_spaces(chars: _Chars) -> _Chars:
    """Keep one space (or tab) of a run, none at a line's ends or beside full-width punctuation."""
    kept: _Chars = [], []
    text = chars[0]
    for n, char in enumerate(text):
        if char != "\t" and char.isspace() and char != "\n":
            char = " "
        if char in " \t" and not _is_space_kept(char, kept[0], text, n):
            continue
        if char == "\t" and kept[0][-1] == " ":
            kept[0][-1], kept[1][-1] = char, chars[1][n]
            continue
        if char == "\n":
            _strip_end(kept)
            if not kept[0] or kept[0][-1] == "\n":
                continue
        kept[0].append(char)
        kept[1].append(chars[1][n])
    _strip_end(kept)
    if kept[0] and kept[0][-1] == "\n":
        _drop_last(kept)
    return kept


def _is_space_kept(char: str, kept: list[str], text: list[str], n: int) -> bool:
    if not kept or kept[-1] in "\n\t":
        return False
    if char == "\t":
        return True
    after = text[n + 1] if n + 1 < len(text) else "\n"
    return kept[-1] != " " and kept[-1] not in _NO_SPACE_BESIDE and after not in _NO_SPACE_BESIDE


def _strip_end(kept: _Chars) -> None:
    while kept[0] and kept[0][-1] in " \t":
        _drop_last(kept)


def _drop_last(kept: _Chars) -> None:
    kept[0].pop()
    kept[1].pop()


# --- lines ----------------------------------------------------------------------------------------

_LIST_MARK = re.compile(
    r"[（(]?(?:[一二三四五六七八九十]{1,3}|\d{1,3})[）)、.．]|第[一二三四五六七八九十\d]{1,3}[章节条批、，：]"
    r"|[一二三四五六七八九]是|[\u2460-\u24ff\u3220-\u3229●◆■▲★◎○•·\-—]|【"
)
_BYLINE = re.compile(
    r"本报|本刊|新华社|记者|通讯员|来源：|编辑：|作者：|(?:\S{2,4} )?\S{2,4} [摄文]$|图/|文/"
)
_LABEL = re.compile(r"[^，。：；、]{1,12}：")
_OPENER = re.compile(
    r"(?:\d{1,4}年)?\d{1,2}月|近日|日前|连日来|近期|今年|去年|目前|截至|据|为[^，]{1,14}，"
)
# Nothing begins with a stop, or with one character and a stop (公|司，): that is the tail of a cut sentence.
_TAIL = re.compile(r"[^\d一二三四五六七八九十]?[，。、；！？）》”]")
_STOPS = frozenset("。！？；：…!?;:")
_HEADLINE_MAX = 45
_TITLE_MAX = 32


def _close_lines(chars: _Chars) -> _Chars:
    """Take out the line ends that cut a word or a sentence."""
    text, origins = chars
    lines = _split_lines(text)
    wrap = _wrap_width([end - start for start, end in lines])
    kept: _Chars = [], []
    line = ""
    for n, (start, end) in enumerate(lines):
        piece = "".join(text[start:end])
        if n and _is_cut(line, piece, wrapped=_wraps(lines[n - 1], wrap)):
            gap = " " if _is_latin(line[-1:]) and _is_latin(piece[:1]) else ""
            line += gap + piece
        else:
            gap, line = ("\n" if n else ""), piece
        if gap:
            kept[0].append(gap)
            kept[1].append(origins[start - 1])
        kept[0].extend(text[start:end])
        kept[1].extend(origins[start:end])
    return kept


def _split_lines(text: list[str]) -> list[Span]:
    ends = [n for n, char in enumerate(text) if char == "\n"]
    return list(zip([0, *(n + 1 for n in ends)], [*ends, len(text)], strict=True))


def _wrap_width(widths: list[int]) -> int:
    """Return the width a text was wrapped at, 0 if its lines are whole paragraphs."""
    widest = max(widths)
    wrapped = sum(width >= widest - 2 for width in widths)
    return widest if 20 <= widest <= 60 and wrapped >= 3 else 0


def _wraps(line: Span, wrap: int) -> bool:
    return wrap > 0 and line[1] - line[0] >= wrap - 2


def _is_cut(line: str, below: str, *, wrapped: bool) -> bool:
    """Tell whether the end of a line cuts a sentence that goes on below."""
    if not line or not below or _ends_sentence(line) or "\t" in line or "\t" in below:
        return False
    if _is_symbol(below[0]) or _is_symbol(line[-1]):
        return False
    if _TAIL.match(below) or line[-1] in "，、（《“" or _is_open(line):
        return True
    if _LIST_MARK.match(below) or _BYLINE.match(below) or _BYLINE.search(line[-12:]):
        return False
    if _LABEL.match(below) and (_LABEL.match(line) or not _is_body(line)):
        return False
    if _is_short_title(line) and _OPENER.match(below):
        return False
    return _is_body(line) or wrapped


def _ends_sentence(line: str) -> bool:
    return line.rstrip(_CLOSERS)[-1:] in _STOPS or bool(_REMARK.search(line))


_REMARK = re.compile(rf"[{_END}][”’」』]?（[^（）]*）$")
"""A remark in brackets behind a sentence ends the line as the sentence would."""


def _is_open(line: str) -> bool:
    """Tell whether a line ends inside a title or brackets."""
    return any(line.rfind(opener) > line.rfind(closer) for opener, closer in ("《》", "（）"))


def _is_body(line: str) -> bool:
    if _LIST_MARK.match(line) and len(line) <= _TITLE_MAX and "。" not in line:
        return False
    return any(stop in line for stop in "，。；") or (len(line) >= 20 and "、" in line)


def _is_short_title(line: str) -> bool:
    return len(line) <= _TITLE_MAX and "。" not in line


def _is_symbol(char: str) -> bool:
    """Tell whether a character is an emoji or a bullet: those stand where a line begins or ends."""
    return unicodedata.category(char) == "So"


def _is_latin(char: str) -> bool:
    return char.isascii() and char.isalpha()


def _is_headline(line: str) -> bool:
    if len(line) > _HEADLINE_MAX or "\t" in line or _ends_sentence(line) or "。" in line:
        return False
    listed = _LABEL.match(line) or re.match(r"[（(]?\d{1,3}[）)、.．]|[\u2460-\u24ff]", line)
    return not (listed or _BYLINE.match(line) or _BYLINE.search(line[-12:]))


def _is_sentence(line: str) -> bool:
    return _ends_sentence(line) and len(line) > 12


_STEPS: tuple[Callable[[_Chars], _Chars], ...] = (
    _fold,
    _simplify,
    _widen,
    _close_spaces,
    _close_lines,
)
