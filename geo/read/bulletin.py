"""Bulletins: from prose to the sites it names, what it says of each, and the words that say so.

Rules only, no model: names by how they end and by the lists they stand in, stages by verbs and how they are
said. What a sentence does not say is not assumed: such a site gets its kind's `unknown`. Every mention keeps
the span of its quote in the file.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property

from geo.category import Categories, load_categories
from geo.errors import CategoryError
from geo.read.bulletin_names import Name, PlaceName, find_agencies, find_places
from geo.read.bulletin_reader import Found, Walk, settle_kinds
from geo.read.bulletin_words import SAYS
from geo.read.prose import Prose, Span, heal
from geo.site import RowProblem, SiteRecord, Source

__all__ = ["Bulletin", "Mention", "PlaceName", "read_bulletin"]


@dataclass(frozen=True, slots=True)
class Mention:
    """One place in a bulletin where a site is named, and what is said of it there.

    `name_span` and `quote_span` are half-open offsets in code points into the raw text; `quote` is the raw
    text there. `status` is a code of `kind`; `status_words` are the words that say it, with … where they are
    split, "" if nothing is said. `date_words` is the day as written near it. `rule` tells what found the name
    and what its status; `needs_look` marks weak evidence, `conflict` a site of which different things are said.
    """

    kind: str
    name: str
    status: str
    status_words: str
    name_span: Span
    quote_span: Span
    quote: str
    evidence: str
    aliases: tuple[str, ...] = ()
    place: str = ""
    street: str = ""
    agencies: tuple[str, ...] = ()
    as_of: date | None = None
    date_words: str = ""
    rule: str = ""
    needs_look: bool = False
    conflict: bool = False


@dataclass(frozen=True)
class Bulletin:
    """What a bulletin says: its mentions in text order, what could not be read, and its date if it states one."""

    file: str
    prose: Prose
    mentions: list[Mention]
    problems: list[RowProblem] = field(default_factory=list)
    as_of: date | None = None

    @cached_property
    def records(self) -> list[SiteRecord]:
        """One record per site and stated status, in the order of first mention.

        A site of which nothing is said has one record with its kind's `unknown`. One of which different things
        are said has a record for each, all with the same `site_id` and a note: a person decides.
        """
        stated = {(one.kind, one.name) for one in self.mentions if one.status_words}
        chosen: dict[tuple[str, str, str], Mention] = {}
        for one in self.mentions:
            if one.status_words or (one.kind, one.name) not in stated:
                key = (one.kind, one.name, one.status)
                if key not in chosen or (chosen[key].needs_look and not one.needs_look):
                    chosen[key] = one
        return [self._record(one) for one in sorted(chosen.values(), key=lambda one: one.name_span)]

    def _record(self, mention: Mention) -> SiteRecord:
        start, end = mention.quote_span
        notes = [f"又称{'、'.join(mention.aliases)}"] if mention.aliases else []
        notes += ["通报中另有不同说法，请核对"] if mention.conflict else []
        notes += ["依据较弱，请核对"] if mention.needs_look else []
        return SiteRecord(
            kind=mention.kind,
            name=mention.name,
            status=mention.status,
            source=Source(self.file, f"字 {start}–{end}", mention.quote),
            as_of=mention.as_of,
            place=mention.place,
            street=mention.street,
            note="；".join(notes),
        )


def read_bulletin(
    raw: str,
    *,
    file: str,
    categories: Categories | None = None,
    places: Sequence[PlaceName] = (),
    as_of: date | None = None,
    model: bool = False,
) -> Bulletin:
    """Return what a bulletin says of enterprises, projects and roads.

    Parameters
    ----------
    raw
        The text as it is in the file; all offsets of the result count its code points.
    file
        What to call the source in records.
    categories
        Kinds and statuses; the district's own file by default. A kind that it does not have is not read.
    places
        Names known in the district; any number.
    as_of
        The day to take where the bulletin does not state one, and the year for a day without a year.
    model
        Also ask the installed name model (extra `names`) for names that the rules do not find.

    Raises
    ------
    SourceError
        If `model` is asked for and not installed.
    """
    categories = categories or load_categories()
    prose = heal(raw)
    day = stated_date(prose.text, as_of)
    names = [
        _place_name(start, end, place) for start, end, place in find_places(prose.text, places)
    ]
    names = [name for name in names if name.sort]
    if model:
        from geo.read.names_model import model_names

        names += model_names(prose.text)
    walk = Walk(prose, names)
    settled = _Settled(walk.run(), walk.short_names, prose, categories, day)
    return Bulletin(file, prose, settled.mentions(), settled.problems(file), day)


_SORTS = {"enterprise": "shop", "project": "building", "parking": "road", "road": "road"}


def _place_name(start: int, end: int, place: PlaceName) -> Name:
    return Name(start, end, place.name, _SORTS.get(place.kind, ""), "gazetteer")


# --- dates ----------------------------------------------------------------------------------------

_UNTIL = re.compile(
    r"(?:截至|截止)(?:到|目前)?[^，。；\n\d]{0,6}(?:(\d{4})年)?(\d{1,2})月(\d{1,2})日"
)
_FULL = r"(\d{4})[年\-./](\d{1,2})[月\-./](\d{1,2})日?"
_STATED = (re.compile(rf"(?:日期|时间)：{_FULL}"), re.compile(rf"^{_FULL}$", re.M))
_DAY = re.compile(r"(?:\d{4}年)?\d{1,2}月\d{1,2}日")


def stated_date(text: str, given: date | None) -> date | None:
    """Return a bulletin's own date, else `given`.

    The year of 截至9月18日 is one that the text states with that month, or that of `given`; it is not guessed.
    """
    until = _UNTIL.search(text)
    if until:
        year = until[1] or _year_beside(text, until[2]) or (str(given.year) if given else "")
        if year and (day := _date(year, until[2], until[3])):
            return day
    for pattern in _STATED:
        days = [day for found in pattern.finditer(text) if (day := _date(*found.groups()))]
        if days:
            return days[-1]
    return given


def _year_beside(text: str, month: str) -> str:
    """Return the one year that a text states together with a month, or ""."""
    stated = re.findall(r"(\d{4})年(\d{1,2})月", text)
    years = {year for year, other in stated if int(other) == int(month)}
    return years.pop() if len(years) == 1 else ""


def _date(year: str, month: str, day: str) -> date | None:
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return None


# --- from what was found to mentions --------------------------------------------------------------

MAX_QUOTE = 600
"""A longer quote is no quote: then it is the name alone, and the evidence is cut."""
_SHORT = re.compile(r"([\u4e00-\u9fff]{2,8})(?:公司|集团|厂|支行|银行|行|店|社)")
_BUSINESS = re.compile("(?:公司|集团|厂|行|店|社|部|院|馆|城|场)$")
_THAT = re.compile("该公司|该行|该厂|该企业|该店|该社|该集团|这家企业")
_AT = re.compile(r"(?:位于|坐落于|坐落在|地处)([^，。；]{2,20}?)的$")
_STREET = re.compile(r"(?:.*[区市县])?([\u4e00-\u9fff]{2,5}?街道)(?!办)")


class _Settled:
    """What was found, with kinds, statuses, aliases and spans settled."""

    def __init__(
        self,
        found: list[Found],
        short_names: dict[str, str],
        prose: Prose,
        categories: Categories,
        day: date | None,
    ) -> None:
        self.prose, self.text, self.day = prose, prose.text, day
        self.categories = categories
        self._known = {kind.code for kind in categories}
        self.full = _full_names(found) | short_names
        found = [self._unalias(one) for one in found]
        self.kinds = settle_kinds(found, self.text)
        found = [one for one in found if self.kinds[one.name.text] in self._known]
        self.aliases = self._aliases(found)
        said = {one.name.text for one in found if self._status(one)[1]}
        self.found = [one for one in found if one.name.text in said or _is_plainly_a_site(one.name)]
        self._heads = sorted({0, *(start for start, _ in prose.headlines())})
        self._days = [found.span() for found in _DAY.finditer(self.text)]
        self._offices: dict[Span, tuple[str, ...]] = {}

    def mentions(self) -> list[Mention]:
        """Return one mention for each place where a site is named, in text order."""
        made = [self._mention(one) for one in self.found]
        return _flag_conflicts(sorted(made, key=lambda one: one.name_span))

    def problems(self, file: str) -> list[RowProblem]:
        """Return one problem for each status a form states in words that no category has."""
        return [
            self._problem(one, file) for one in self.found if one.words and not self._status(one)[1]
        ]

    def _problem(self, found: Found, file: str) -> RowProblem:
        start, end = self.prose.raw_span(*found.quote)
        kind = self.kinds[found.name.text]
        labels = "、".join(status.label["zh"] for status in self.categories.kind(kind).statuses)
        message = f'{found.name.text}: status "{found.words}" is not one of {labels}'
        return RowProblem(file, f"字 {start}–{end}", message)

    def _unalias(self, found: Found) -> Found:
        full = self.full.get(found.name.text)
        return replace(found, name=replace(found.name, text=full, rule="alias")) if full else found

    def _aliases(self, found: list[Found]) -> dict[str, tuple[str, ...]]:
        kept: dict[str, dict[str, None]] = {}
        for short, full in self.full.items():
            kept.setdefault(full, {})[short] = None
        business = [one.name for one in found if self.kinds[one.name.text] == "enterprise"]
        starts = [name.start for name in business]
        for that in _THAT.finditer(self.text):
            before = bisect_left(starts, that.start()) - 1
            if before >= 0 and starts[before] > self.text.rfind("\n", 0, that.start()):
                kept.setdefault(business[before].text, {})[that[0]] = None
        return {full: tuple(words) for full, words in kept.items()}

    def _status(self, found: Found) -> tuple[str, str]:
        """Return a status code of the settled kind, and the words that say it ("" if nothing does)."""
        kind = self.kinds[found.name.text]
        stage = found.stage
        said = SAYS.get(kind, {}).get(stage.meaning, "") if stage else ""
        shown = found.words or (stage.words if stage and said else "")
        for word in (found.words, said, shown.replace("…", "")):
            try:
                if word:
                    return self.categories.read_status(kind, word).code, shown
            except CategoryError:
                continue
        return self.categories.kind(kind).unknown, ""

    def _mention(self, found: Found) -> Mention:
        name = found.name
        kind = self.kinds[name.text]
        status, words = self._status(found)
        quote = self._quote(found) if words else (name.start, name.end)
        spans = [self.prose.raw_span(*span) for span in ((name.start, name.end), quote)]
        day_words = self._date_words(found)
        place, street = _stated_place(self.text[max(0, name.start - 26) : name.start])
        return Mention(
            kind=kind,
            name=name.text,
            status=status,
            status_words=words,
            name_span=spans[0],
            quote_span=spans[1],
            quote=self.prose.raw[slice(*spans[1])],
            evidence=self._evidence(found),
            aliases=self.aliases.get(name.text, ()),
            place=place,
            street=street,
            agencies=self._agencies(name.start) if kind == "parking" else (),
            as_of=self._as_of(found, day_words),
            date_words=day_words,
            rule=f"{name.rule}+{found.rule}" if words else name.rule,
            needs_look=found.weak or name.rule == "model",
        )

    def _quote(self, found: Found) -> Span:
        start, end = found.quote
        return (start, end) if end - start <= MAX_QUOTE else (found.name.start, found.name.end)

    def _evidence(self, found: Found) -> str:
        start, end = found.evidence
        if end - start > MAX_QUOTE:
            start = max(start, min(found.quote[0], end - MAX_QUOTE))
        return self.prose.raw_quote(start, min(end, start + MAX_QUOTE))

    def _agencies(self, at: int) -> tuple[str, ...]:
        span = self._article(at)
        if span not in self._offices:
            self._offices[span] = tuple(find_agencies(self.text[slice(*span)]))
        return self._offices[span]

    def _date_words(self, found: Found) -> str:
        """Return the last day written before the end of the quote, in the same article, as written."""
        start, _ = self._article(found.name.start)
        end = max(found.quote[1], found.name.end)
        last = bisect_left(self._days, (end, end)) - 1
        day = self._days[last] if last >= 0 else (0, 0)
        return self.text[slice(*day)] if day[0] >= start and day[1] <= end else ""

    def _as_of(self, found: Found, words: str) -> date | None:
        """Return the day a status is said of: its own within the bulletin's year, else the bulletin's."""
        numbers = re.findall(r"\d+", words)
        if self.day is None or found.stage is None or found.stage.manner in ("plan", "urge"):
            return self.day
        year = numbers[0] if len(numbers) == 3 else str(self.day.year)
        own = _date(year, numbers[-2], numbers[-1]) if len(numbers) >= 2 else None
        return own if own and own <= self.day else self.day

    def _article(self, at: int) -> Span:
        """Return the stretch between headlines that a place is in."""
        number = bisect_right(self._heads, at)
        end = self._heads[number] if number < len(self._heads) else len(self.text)
        return self._heads[number - 1], end


def _stated_place(before: str) -> tuple[str, str]:
    """Return place and street as the words right before a name state them, "" where they do not."""
    at = _AT.search(before)
    place = at[1] if at else ""
    tail = re.split(r"[^\u4e00-\u9fff]|位于|坐落于|坐落在|地处|在|对|由|和|与", before)[-1]
    street = _STREET.match(place or tail)
    if street and not place and tail[street.end() :] not in ("", "的"):
        street = None
    return ("" if street and place.endswith("街道") else place), street[1] if street else ""


def _is_plainly_a_site(name: Name) -> bool:
    """Tell whether a name is a record even where nothing is said of it."""
    return name.sort in ("legal", "road", "form") or name.rule in ("gazetteer", "alias")


def _full_names(found: list[Found]) -> dict[str, str]:
    """Return short names and the one full name each is part of: 鸿宇公司 for 辽阳鸿宇晶体有限公司."""
    names = list(dict.fromkeys(one.name.text for one in found if one.name.sort != "road"))
    tails = [(name, name[1:]) for name in names if _BUSINESS.search(name)]
    full = {}
    for short in names:
        if stem := _SHORT.fullmatch(short):
            word = stem[1]
            longer = [one for one, tail in tails if word in tail and len(one) > len(short)]
            if len(longer) == 1:
                full[short] = longer[0]
    return full


def _flag_conflicts(mentions: list[Mention]) -> list[Mention]:
    """Mark every mention of a site of which different statuses are stated."""
    said: dict[tuple[str, str], set[str]] = {}
    for one in mentions:
        if one.status_words:
            said.setdefault((one.kind, one.name), set()).add(one.status)
    return [replace(one, conflict=len(said.get((one.kind, one.name), ())) > 1) for one in mentions]
