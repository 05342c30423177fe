"""Roads whose text says from where to where: the words for a stretch, and the locator that finds it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from geo.category import fold
from geo.locate.gazetteer import Place
from geo.locate.names import HOME, normalise_name, simplify
from geo.locate.stretch import cut_road
from geo.site import Match, Precision, Reason, SiteRecord

METHOD = "road stretch"

# --- in words ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StretchNames:
    """The road and the two cross streets a text names; `road` is "" where the text leaves it to the context."""

    road: str
    first: str
    second: str


_SUFFIX = r"(?:大街|大道|公路|胡同|路|街|道|巷|弄)"
_CORNER = r"(?:的?(?:交叉路口|交叉口|交汇处|路口|街口|口))?"
_TO = r"(?:至|到|-+|—+|–|~|～|→)"
_AND = r"(?:与|和|及|、)"
_TAIL = r"(?:之?间)?的?(?:路?段|区间)?"


_BRACKETS = str.maketrans("[【〔{]】〕}", "(((())))")


def _name(group: str) -> str:
    return rf"(?P<{group}>[一-鿿\d]{{1,10}}?{_SUFFIX})"


_ENDS = (
    rf"(?:\(|:|,)?(?:从|自|由)?{_name('first')}{_CORNER}{_TO}{_name('second')}{_CORNER}{_TAIL}\)?",
    rf"(?:\(|:|,)?(?:位于|在)?{_name('first')}{_CORNER}{_AND}{_name('second')}{_CORNER}之?间的?(?:路?段)?\)?",
)
_FORMS = tuple(
    re.compile(form)
    for form in (
        *(rf"{_name('road')}{ends}" for ends in _ENDS),
        *_ENDS,
        rf"{_name('first')}{_AND}{_name('second')}之?间的?{_name('road')}(?:路?段)?",
        rf"(?:从|自|由)?{_name('first')}{_TO}{_name('second')}(?:之间)?的?{_name('road')}段?",
    )
)


def parse_stretch(text: str, *, home: Sequence[str] = HOME) -> StretchNames | None:
    """Return the names of a stretch of road, or None if the text names none.

    Parameters
    ----------
    text
        武圣路（新华路至民主路）, 武圣路新华路至民主路段, 新华路与民主路之间, 从新华路到民主路, 新华路—民主路段,
        新华路与民主路之间的武圣路 ...
    home
        Official names to drop from the front, largest first.
    """
    plain = simplify(fold(text)).translate(_BRACKETS).rstrip("。;,")
    while prefix := next((name for name in home if plain.startswith(name)), ""):
        plain = plain.removeprefix(prefix)
    if len(plain) > 60:
        return None
    for form in _FORMS:
        if found := form.fullmatch(plain):
            names = {"road": "", **found.groupdict()}
            return StretchNames(names["road"], names["first"], names["second"])
    return None


# --- as a locator -----------------------------------------------------------------------------------


class RoadLocator:
    """A locator that knows only stretches of road: a record of a road whose text says from where to where.

    Parameters
    ----------
    places
        Rows of the gazetteer; those of kind `road` with a line that is no sketch are used.
    home
        Official names to drop from the front of a name.
    road_kinds
        Kinds of site that are roads; all others are none of its business.
    """

    def __init__(
        self,
        places: Iterable[Place],
        *,
        home: Sequence[str] = HOME,
        road_kinds: Iterable[str] = ("parking",),
    ) -> None:
        self._home, self._kinds = tuple(home), frozenset(road_kinds)
        self._roads: dict[str, list[Place]] = defaultdict(list)
        for place in places:
            if place.kind == "road" and not (place.sketch or place.reason):
                for name in {normalise_name(n, home=home) for n in (place.name, *place.aliases)}:
                    self._roads[name].append(place)

    def locate(self, record: SiteRecord) -> Match | None:
        """Return the stretch, or why it is not known; None where the record names no stretch."""
        names = self._names(record) if record.kind in self._kinds else None
        if names is None:
            return None
        known = [self._line(name, record.as_of) for name in (names.road, names.first, names.second)]
        missing = [found for found in known if isinstance(found, Match)]
        if missing:
            return missing[0]
        road, first, second = (place for place in known if isinstance(place, Place))
        return _stretch_match(names, road, first, second)

    def _names(self, record: SiteRecord) -> StretchNames | None:
        for text in (record.place, record.name):
            names = parse_stretch(text, home=self._home)
            if names is not None:
                road = names.road or normalise_name(record.name, home=self._home)
                return StretchNames(road, names.first, names.second)
        return None

    def _line(self, name: str, day: date | None) -> Place | Match:
        rows = self._roads.get(normalise_name(name, home=self._home), ())
        valid = [place for place in rows if place.valid_on(day)]
        if len(valid) == 1:
            return valid[0]
        if valid:
            return _waiting(Reason.AMBIGUOUS, f"地名库中有 {len(valid)} 条路叫{name}")
        return _waiting(Reason.NO_COORDINATE, f"没有{name}的真实线形，不能截取路段")


def _stretch_match(names: StretchNames, road: Place, first: Place, second: Place) -> Match:
    where = f"{names.road}（{names.first}至{names.second}）"
    shapes = [place.geometry for place in (road, first, second) if place.geometry is not None]
    stretch = cut_road(*shapes)
    if stretch.line is None:
        return _waiting(Reason(stretch.reason), f"{where}：{stretch.note}")
    within = [p.uncertainty_m for p in (road, first, second) if p.uncertainty_m is not None]
    return Match(
        METHOD,
        geometry=stretch.line,
        precision=Precision.ROAD,
        uncertainty_m=max(within, default=None),
        score=95.0,
        note=f"按{names.first}、{names.second}两个路口截取；线形来源：{road.source}",
    )


def _waiting(reason: Reason, note: str) -> Match:
    return Match(METHOD, reason=reason, note=note)
