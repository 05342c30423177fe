"""Names in healed text: where one ends by its suffix, where it begins, and what only looks like one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from geo.read.bulletin_words import (
    ADDRESS_AFTER,
    ADDRESS_BEFORE,
    AGENCY,
    BOUNDARY,
    ENDING,
    GENERIC,
    NOT_NAMES,
    PLAIN,
    ROAD,
    ROAD_GENERIC,
)

MAX_NAME = 30
_BRANCH = re.compile(
    r"（[^（），。]{1,10}(?:店|馆|部|区|[一二三四]期)）|[一二三四五]期(?!间)|(?:新|老|北|南|东|西)院区?"
)
_JOIN = re.compile(r"等?[、和及与]|以及")
_OWN = re.compile("[区县市镇](?:图书馆|博物馆|文化馆|体育馆|美术馆|展览馆|体育中心|文化中心)")
_PROJECT = re.compile(
    "(?:建设)?项目(?=现场|建设现场|工地|部|[，。、；：]|总投资|位于|建成|竣工|开工|停工|复工|主体|封顶|仍|尚|已|因|于)"
)
_PROJECT_CLASS = re.compile(
    "重点|重大|设施|民生|产业|新开工|续建|储备|招商|合作|科技|投资|工业|以上|类|等|[个大]$|抓|好$"
)
_LEAD = re.compile(r"(?:\d+[年月日号时点]?)+|[·&\-]+")
_STEM = re.compile(r"[（）“”·&\-]")


@dataclass(frozen=True, slots=True)
class Name:
    """One place where a name stands in healed text, half-open; `sort` is legal, shop, building, road or listed."""

    start: int
    end: int
    text: str
    sort: str
    rule: str


@dataclass(frozen=True, slots=True)
class PlaceName:
    """A name that is known in the district: `kind` is a kind of site, or street, community, place or ""."""

    name: str
    kind: str = ""


def find_names(text: str) -> list[Name]:
    """Return the names that their endings give away, in order, none inside another."""
    names = [name for found in ENDING.finditer(text) if (name := _name_at(text, found))]
    for found in _PROJECT.finditer(text):
        start = left_edge(text, found.start())
        stem = text[start : found.start()]
        if len(stem) >= 3 and is_name(stem) and not _PROJECT_CLASS.search(stem):
            names.append(Name(start, found.start(), stem, "building", "project"))
    return drop_inner(names)


def _name_at(text: str, found: re.Match[str]) -> Name | None:
    sort = str(found.lastgroup)
    start = left_edge(text, found.start())
    end = found.end()
    if branch := _BRANCH.match(text, end):
        end = branch.end()
    name = text[start:end]
    stem = text[start : found.start()]
    least = 1 if (sort == "legal" and len(found[0]) > 3) or _OWN.fullmatch(name) else 2
    if len(_STEM.sub("", stem)) < least or GENERIC.fullmatch(stem) or not is_name(name):
        return None
    return Name(start, end, name, sort, "suffix")


def left_edge(text: str, end: int) -> int:
    """Return where a name that runs up to `end` begins: behind punctuation or the last word of the sentence's own."""
    start = end
    while start > 0 and end - start < MAX_NAME:
        char = text[start - 1]
        if char == "）":
            opener = text.rfind("（", max(0, start - 9), start)
            if (
                opener <= 0
                or not _is_word(text[opener - 1])
                or not PLAIN.fullmatch(text, opener, start)
            ):
                break
            start = opener
        elif _is_word(char) or char in "·&":
            start -= 1
        else:
            break
    for found in BOUNDARY.finditer(text, start, end):
        start = found.end()
    if lead := _LEAD.match(text, start, end):
        start = lead.end()
    return start


def _is_word(char: str) -> bool:
    return char.isalnum() and char not in "①②③④⑤⑥⑦⑧⑨⑩"


def is_name(name: str) -> bool:
    """Tell whether a string may be the name of one place, and not a class of places or a phrase."""
    if not 2 <= len(name) <= MAX_NAME or not PLAIN.fullmatch(name):
        return False
    return not (GENERIC.fullmatch(name) or NOT_NAMES.search(name) or AGENCY.search(name))


def split_list(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """Return the items of A、B和C as spans; a 和 inside a name (和平, 建设和管理) does not split."""
    spans: list[tuple[int, int]] = []
    for piece in re.finditer("[^、]+", text[start:end]):
        spans.append((start + piece.start(), start + piece.end()))
    if len(spans) and (cut := _last_and(text, *spans[-1])):
        first, last = spans.pop()
        spans += [(first, cut[0]), (cut[1], last)]
    return spans


def _last_and(text: str, start: int, end: int) -> tuple[int, int] | None:
    for found in BOUNDARY.finditer(text, start, end):
        if found[0] in ("和", "与", "及", "以及") and start < found.start() and found.end() < end:
            return found.span()
    return None


def find_roads(text: str, start: int, end: int) -> list[Name]:
    """Return the roads named in a span of text; not 一带一路, 还路于民, 沿街 or the road of an address."""
    roads: list[Name] = []
    at = start
    while found := ROAD.search(text, at, end):
        at = found.end()
        first = left_edge(text, found.end() - 1)
        first = max(first, found.start(), start)
        name = text[first : found.end()]
        if len(name) < 2 or ROAD_GENERIC.fullmatch(name) or NOT_NAMES.search(name):
            continue
        if ADDRESS_AFTER.match(text, found.end()) or ADDRESS_BEFORE.search(
            text[max(0, first - 3) : first]
        ):
            continue
        if text.count("（", start, first) > text.count("）", start, first):
            continue
        roads.append(Name(first, found.end(), name, "road", "road"))
    return roads


_CALLED = re.compile("（(?:以下|下)?简称：?“?(?P<short>[^“”（），。]{2,12})”?）")


def find_short_names(text: str, names: Sequence[Name]) -> dict[str, str]:
    """Return the short names that a text gives itself, and their full names: X有限公司（以下简称“X”）."""
    ends = {name.end: name.text for name in names}
    found = ((ends.get(one.start()), one["short"]) for one in _CALLED.finditer(text))
    return {short: full for full, short in found if full and is_name(short)}


def find_agencies(text: str) -> list[str]:
    """Return the offices named in a text, each once, the long form where a short one follows."""
    found = [text[left_edge(text, one.start()) : one.end()] for one in AGENCY.finditer(text)]
    offices = [office for office in dict.fromkeys(found) if len(office) > 3]
    return [one for one in offices if not any(one != other and one in other for other in offices)]


def find_places(text: str, places: Sequence[PlaceName]) -> Iterator[tuple[int, int, PlaceName]]:
    """Return every known name in a text, longest first at each spot, none overlapping."""
    by_head: dict[str, list[PlaceName]] = {}
    for place in places:
        if len(place.name) >= 2:
            by_head.setdefault(place.name[:2], []).append(place)
    for group in by_head.values():
        group.sort(key=lambda place: -len(place.name))
    at = 0 if by_head else len(text)
    while at < len(text) - 1:
        group = by_head.get(text[at : at + 2], [])
        hit = next((place for place in group if text.startswith(place.name, at)), None)
        if hit:
            yield at, at + len(hit.name), hit
        at += len(hit.name) if hit else 1


def drop_inner(names: Iterable[Name]) -> list[Name]:
    """Return the names that lie in no other, in text order; of two that overlap the longer stays."""
    kept: list[Name] = []
    for name in sorted(names, key=lambda name: (name.start, -name.end)):
        if kept and name.start < kept[-1].end:
            if name.end - name.start > kept[-1].end - kept[-1].start:
                kept[-1] = name
        else:
            kept.append(name)
    return kept


def find_again(text: str, known: Iterable[Name], taken: Sequence[Name]) -> list[Name]:
    """Return where names found elsewhere in a text stand again, outside the spans already taken."""
    again: list[Name] = []
    used = bytearray(len(text))
    for one in taken:
        used[one.start : one.end] = b"\1" * (one.end - one.start)
    for name in sorted({one.text: one for one in known}.values(), key=lambda one: -len(one.text)):
        size = len(name.text)
        at = text.find(name.text)
        while at >= 0:
            if not any(used[at : at + size]):
                used[at : at + size] = b"\1" * size
                again.append(replace(name, start=at, end=at + size, rule="again"))
            at = text.find(name.text, at + size)
    return again


def joined(text: str, left: Name, right: Name) -> bool:
    """Tell whether two names stand in one list: A、B or A和B."""
    return _JOIN.fullmatch(text[left.end : right.start]) is not None
