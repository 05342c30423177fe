"""较上期: what a new source says that the known sites do not, and the other way round.

Names decide, within a kind. Nothing is changed here: a comparison is a list of statements for a person to
accept or not. "Gone" says only that the new source does not name a site.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

import geopandas as gpd
import pandas as pd
from rapidfuzz import fuzz

from geo.category import Categories, fold, load_categories
from geo.site import SiteRecord, Source

HOME = ("辽宁省", "辽阳市", "白塔区")
"""What a name may begin with and still be the same name: the district and what it lies in, largest first."""
FIELDS = ("name", "status", "place", "street")
"""What may have changed. A field the new source leaves empty says nothing, nor does a status not known."""
ALIKE = 80.0
"""From this score on (0 to 100) two names that are not equal are shown to a person."""

TOO_COMMON = 1000
"""A pair of letters in more known names than this does not tell one name from another."""


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field of a known site, and what the new source says of it."""

    field: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A known site that a new name may mean; `score` is 0 to 100, 100 for equal names."""

    site_id: str
    name: str
    score: float


@dataclass(frozen=True, slots=True)
class Compared:
    """One site, as known and as the new source has it.

    Attributes
    ----------
    kind, name
        The known site's, or the new source's where no site is known.
    site_id
        The known site's id, "" where there is none or a person must choose.
    records
        Positions in the new source of every record that speaks of this site, in order.
    statuses
        What the new source says, each once; more than one is a contradiction.
    changes
        What differs from the known site.
    candidates
        Known sites a person may choose from.
    sources
        Where the new source says so.
    as_of
        The new source's latest date for the site; the known site's where it is gone.
    """

    kind: str
    name: str
    site_id: str = ""
    records: tuple[int, ...] = ()
    statuses: tuple[str, ...] = ()
    changes: tuple[FieldChange, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    sources: tuple[Source, ...] = ()
    as_of: date | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Every record of the new source and every known site, each in exactly one list.

    A known site that is a candidate of a doubtful match is there, not among the gone.
    """

    new: list[Compared] = field(default_factory=list)
    gone: list[Compared] = field(default_factory=list)
    changed: list[Compared] = field(default_factory=list)
    same: list[Compared] = field(default_factory=list)
    conflicting: list[Compared] = field(default_factory=list)
    doubtful: list[Compared] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """Return how many entries each list has, by its name."""
        return {name: len(getattr(self, name)) for name in self.__slots__}

    def as_dict(self) -> dict[str, Any]:
        """Return counts and lists ready for JSON: dates as text, empty fields left out."""
        lists = {name: [_plain(one) for one in getattr(self, name)] for name in self.__slots__}
        return {"counts": self.counts(), **lists}


def compare_sites(
    before: gpd.GeoDataFrame,
    after: Iterable[SiteRecord] | gpd.GeoDataFrame,
    *,
    categories: Categories | None = None,
    home: Sequence[str] = HOME,
) -> Comparison:
    """Return how a new source compares with the known sites.

    Parameters
    ----------
    before
        Known sites: a site table as defined in `geo.site`, any number of rows.
    after
        What the new source says: its records, or a site table. Places are not compared.
    categories
        Kinds and statuses; the district's own file by default.
    home
        Official names that may stand before a name, largest first.

    Returns
    -------
    comparison
        Records match a known site by an equal `site_id` of the same kind, else by an equal name as
        `name_key` has it. Names that are only alike are `doubtful`.

    Raises
    ------
    CategoryError
        If a kind of the new source is not in the file.
    """
    categories = categories or load_categories()
    known, said = _read_known(before), _read_said(after)
    matched, loose = _match(known, said, home)
    comparison = Comparison()
    claimed = set(matched)
    for spot, records in matched.items():
        _file_known(comparison, known[spot], records, categories)
    for records, candidates in _find_alike(known, loose, claimed, home):
        _file_loose(comparison, records, candidates, categories)
        claimed |= {spot for spot, _ in candidates}
    comparison.gone.extend(_gone(one) for n, one in enumerate(known) if n not in claimed)
    return comparison


def name_key(name: str, *, home: Sequence[str] = HOME) -> str:
    """Return a name for comparison only.

    Width, case, spaces and brackets make no difference, nor do the home province, city and district in front
    and a company's legal form at the end; a company may also leave out their 省, 市, 区. Another city's name
    stays. What would leave nothing stays too.
    """
    plain = _MARKS.sub("", fold(name))
    for long, short in _SAME_WORDS:
        plain = plain.replace(long, short)
    plain = _without(plain, home, least=1)
    bare = _COMPANY.sub("", plain)
    if bare != plain:
        bare = _without(bare, [word[:-1] for word in home if len(word) > 2], least=3)
    return bare or plain or fold(name)


# --- both sides in one shape ------------------------------------------------------------------------

_MARKS = re.compile(r"""[()\[\]{}<>"'“”‘’「」『』《》〈〉【】〔〕・·]""")
_COMPANY = re.compile("(?:股份有限|有限责任|有限)?公司$")
_SAME_WORDS = (("农村商业银行", "农商银行"), ("农商行", "农商银行"))
_MAX_NAME = 120  # characters of a name that are compared; a name from a file may be of any length


@dataclass(frozen=True, slots=True)
class _Site:
    """What either side says of a site."""

    kind: str
    name: str
    status: str
    site_id: str
    place: str
    street: str
    as_of: date | None
    source: Source


def _without(name: str, words: Iterable[str], *, least: int) -> str:
    for word in words:
        if name.startswith(word) and len(name) >= len(word) + least:
            name = name[len(word) :]
    return name


def _read_known(sites: gpd.GeoDataFrame) -> list[_Site]:
    texts = "kind name status site_id place street".split()
    parts = (sites[f"source_{part}"] for part in ("file", "where", "quote"))
    sources = [Source(*source) for source in zip(*parts, strict=True)]
    days = [None if pd.isna(day) else day.date() for day in sites["as_of"]]
    columns = [sites[column].tolist() for column in texts]
    return [_Site(*row) for row in zip(*columns, days, sources, strict=True)]


def _read_said(after: Iterable[SiteRecord] | gpd.GeoDataFrame) -> list[_Site]:
    if isinstance(after, pd.DataFrame):
        return _read_known(after)
    return [
        _Site(r.kind, r.name, r.status, r.site_id, r.place, r.street, r.as_of, r.source)
        for r in after
    ]


# --- which record means which site ------------------------------------------------------------------

_Records = list[tuple[int, _Site]]
"""Records that speak of one site, with their positions in the new source."""


def _match(
    known: list[_Site], said: list[_Site], home: Sequence[str]
) -> tuple[dict[int, _Records], dict[tuple[str, str], _Records]]:
    """Return records by the position of the known site they mean, and the others by kind and name."""
    by_id = {(one.kind, one.site_id): spot for spot, one in enumerate(known)}
    by_name: dict[tuple[str, str], list[int]] = defaultdict(list)
    for spot, one in enumerate(known):
        by_name[_key(one, home)].append(spot)
    matched: dict[int, _Records] = defaultdict(list)
    loose: dict[tuple[str, str], _Records] = defaultdict(list)
    for position, one in enumerate(said):
        key = _key(one, home)
        namesakes = by_name.get(key, [])
        if (one.kind, one.site_id) in by_id:
            matched[by_id[one.kind, one.site_id]].append((position, one))
        elif len(namesakes) == 1:
            matched[namesakes[0]].append((position, one))
        else:
            loose[key].append((position, one))
    return dict(matched), dict(loose)


def _key(one: _Site, home: Sequence[str]) -> tuple[str, str]:
    return one.kind, name_key(one.name, home=home)[:_MAX_NAME]


_Candidates = list[tuple[int, Candidate]]


def _find_alike(
    known: list[_Site],
    loose: dict[tuple[str, str], _Records],
    claimed: set[int],
    home: Sequence[str],
) -> Iterator[tuple[_Records, _Candidates]]:
    """Yield each unknown name with the known sites it may mean, each known site at most once.

    Namesakes come first, all of them; then the best of the names alike, the most alike first.
    """
    free = {spot: _key(one, home) for spot, one in enumerate(known) if spot not in claimed}
    index = _Bigrams(free)
    chosen: dict[tuple[str, str], _Candidates] = {}
    for key in loose:
        spots = [spot for spot in index.equal(key) if spot in free]
        if spots:
            chosen[key] = [
                (spot, Candidate(known[spot].site_id, known[spot].name, 100.0)) for spot in spots
            ]
            for spot in spots:
                del free[spot]
    pairs = [
        (-score, order, spot, key)
        for order, key in enumerate(loose)
        if key not in chosen
        for spot, score in index.alike(key)
    ]
    for minus, _, spot, key in sorted(pairs):
        if spot in free and key not in chosen:
            one = known[spot]
            chosen[key] = [(spot, Candidate(one.site_id, one.name, round(-minus, 1)))]
            del free[spot]
    for key, records in loose.items():
        yield records, chosen.get(key, [])


class _Bigrams:
    """Known names by their pairs of letters, so that not every name is compared with every other."""

    def __init__(self, keys: dict[int, tuple[str, str]]) -> None:
        self.names: dict[tuple[str, str], list[int]] = defaultdict(list)
        self.pairs: dict[tuple[str, str], list[int]] = defaultdict(list)
        self.keys = dict(keys)
        for spot, key in self.keys.items():
            self.names[key].append(spot)
            for pair in _pairs(key[1]):
                self.pairs[key[0], pair].append(spot)

    def equal(self, key: tuple[str, str]) -> list[int]:
        """Return the positions of the sites of this very kind and name."""
        return self.names.get(key, [])

    def alike(self, key: tuple[str, str]) -> Iterator[tuple[int, float]]:
        """Yield position and score of the sites whose names are alike."""
        kind, name = key
        found = [self.pairs.get((kind, pair), []) for pair in _pairs(name)]
        telling = [spots for spots in found if len(spots) <= TOO_COMMON]
        shared = Counter(spot for spots in telling for spot in spots)
        for spot, count in shared.items():
            other = self.keys[spot][1]
            if 2 * count >= min(len(telling), len(_pairs(other))):
                score = score_names(name, other)
                if score >= ALIKE:
                    yield spot, score


def _pairs(name: str) -> set[str]:
    return {name[n : n + 2] for n in range(len(name) - 1)} or {name}


def score_names(one: str, other: str) -> float:
    """Return how alike two normalised names are, 0 to 100; names with other numbers in them are not alike.

    A name inside the other (易发式 in 易发式电气设备) scores 90.
    """
    if _DIGITS.findall(one) != _DIGITS.findall(other):
        return 0.0
    short, long = sorted((one, other), key=len)
    inside = 90.0 if len(short) >= 3 and short in long else 0.0
    return max(float(fuzz.ratio(one, other)), inside)


_DIGITS = re.compile(r"\d+|[一二三四五六七八九十]+(?=[期号段标区组])")


# --- what is said of each ---------------------------------------------------------------------------


def _statuses(records: _Records, categories: Categories) -> tuple[str, ...]:
    """Return what records say of one site, each status once; not known says nothing beside a known one."""
    said = list(dict.fromkeys(one.status for _, one in records))
    unknown = categories.kind(records[0][1].kind).unknown
    return tuple([status for status in said if status != unknown] or said)


def _file_known(
    comparison: Comparison, site: _Site, records: _Records, categories: Categories
) -> None:
    statuses = _statuses(records, categories)
    changes = tuple(_changes(site, records, statuses, categories))
    entry = _entry(records, statuses, site=site, changes=changes)
    if len(statuses) > 1:
        comparison.conflicting.append(entry)
    else:
        (comparison.changed if changes else comparison.same).append(entry)


def _file_loose(
    comparison: Comparison, records: _Records, candidates: _Candidates, categories: Categories
) -> None:
    statuses = _statuses(records, categories)
    entry = _entry(records, statuses, candidates=tuple(one for _, one in candidates))
    if candidates:
        comparison.doubtful.append(entry)
    else:
        (comparison.conflicting if len(statuses) > 1 else comparison.new).append(entry)


def _entry(
    records: _Records,
    statuses: tuple[str, ...],
    *,
    site: _Site | None = None,
    changes: tuple[FieldChange, ...] = (),
    candidates: tuple[Candidate, ...] = (),
) -> Compared:
    named = site or records[0][1]
    days = [one.as_of for _, one in records if one.as_of]
    return Compared(
        kind=named.kind,
        name=named.name,
        site_id=site.site_id if site else "",
        records=tuple(position for position, _ in records),
        statuses=statuses,
        changes=changes,
        candidates=candidates,
        sources=tuple(dict.fromkeys(one.source for _, one in records)),
        as_of=max(days, default=None),
    )


def _changes(
    site: _Site, records: _Records, statuses: tuple[str, ...], categories: Categories
) -> Iterator[FieldChange]:
    """Yield what differs: of a status only what is certain, of the rest the last that is said."""
    for name in FIELDS:
        old = getattr(site, name)
        if name == "status":
            unknown = categories.kind(site.kind).unknown
            new = statuses[0] if len(statuses) == 1 and statuses[0] != unknown else old
        else:
            new = next((text for _, one in records[::-1] if (text := getattr(one, name))), old)
        # Another spelling of one name is no change.
        same = name_key if name == "name" else fold
        if same(old) != same(new):
            yield FieldChange(name, old, new)


def _gone(site: _Site) -> Compared:
    return Compared(
        site.kind,
        site.name,
        site.site_id,
        statuses=(site.status,),
        sources=(site.source,),
        as_of=site.as_of,
    )


def _plain(entry: Compared) -> dict[str, Any]:
    texts = asdict(entry)
    texts["as_of"] = entry.as_of.isoformat() if entry.as_of else None
    texts["records"] = list(entry.records)
    return {name: value for name, value in texts.items() if value}
