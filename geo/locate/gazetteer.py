"""The district's own list of places: what it says of a name, and where it says that nobody knows.

A name matches exactly (or by an alias) or not at all; near names are only ever suggested to a person.
"""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path

import shapely
from rapidfuzz import fuzz, process

from geo.errors import SchemaError, SourceError
from geo.locate.datum import parse_datum
from geo.locate.given import Boundary
from geo.locate.names import HOME, elsewhere, is_home, normalise_name
from geo.site import MAPPED, PRECISIONS, Match, Precision, Reason, SiteRecord

METHOD = "gazetteer"
SKETCH = "gazetteer sketch"
"""The method of a road drawn straight between known points: the map draws it dashed."""

PLACES = frozenset({"place", "address"})
ROADS = frozenset({"road"})
AREAS = frozenset({"street", "district"})
KINDS = PLACES | ROADS | AREAS

ACCEPT_SCORE = 90.0
ACCEPT_MARGIN = 5.0
_NEAR = 60.0  # a name less alike than this (0 to 100) is not worth a person's look


@dataclass(frozen=True, slots=True)
class Place:
    """One row of the gazetteer; `geometry` is EPSG:4326, lon-lat, or None where no coordinate is known."""

    place_id: str
    name: str
    kind: str
    precision: str
    geometry: shapely.Geometry | None = None
    uncertainty_m: float | None = None
    aliases: tuple[str, ...] = ()
    raw_x: float | None = None
    raw_y: float | None = None
    raw_datum: str = ""
    valid_from: date | None = None
    valid_to: date | None = None
    sketch: bool = False
    landmark: bool = False
    needs_confirmation: bool = False
    source: str = ""
    note: str = ""

    def valid_on(self, day: date | None) -> bool:
        """Return whether the row speaks of that day, both ends included; no day means: still today."""
        if day is None:
            return self.valid_to is None
        return (self.valid_from or date.min) <= day <= (self.valid_to or date.max)

    @property
    def reason(self) -> str:
        """Why the row cannot be put on the map as it is, or ""."""
        if self.needs_confirmation:
            return Reason.TO_CONFIRM
        if self.geometry is None:
            return Reason.NO_COORDINATE
        return Reason.FOUND if self.precision in MAPPED else Reason.TOO_COARSE


@dataclass(frozen=True, slots=True)
class Candidate:
    """One place a name may mean.

    `score` is 0 to 100; 100 is the same name. `geometry` (EPSG:4326, lon-lat) may be there although `reason`
    says why the place cannot be used without a person.
    """

    name: str
    score: float
    method: str
    source: str
    precision: str
    uncertainty_m: float | None
    geometry: shapely.Geometry | None
    reason: str
    note: str = ""

    @property
    def lon_lat(self) -> tuple[float, float] | None:
        """The point, or None for a line, an area or a place without a coordinate."""
        point = self.geometry
        return (point.x, point.y) if isinstance(point, shapely.Point) else None


def accept(candidates: Sequence[Candidate]) -> Candidate | None:
    """Return the candidate that may be taken without a person, or None: then a person chooses.

    The one rule of the app: score 90 or more, and 5 or more ahead of the second. (Among 100,000 names, score
    80 alone took 24.5 % of names that do not exist.)
    """
    ranked = sorted(candidates, key=lambda candidate: -candidate.score)
    if not ranked or ranked[0].score < ACCEPT_SCORE:
        return None
    clear = len(ranked) == 1 or ranked[0].score - ranked[1].score >= ACCEPT_MARGIN
    return ranked[0] if clear else None


class Gazetteer:
    """A locator that knows the district's places by name.

    Parameters
    ----------
    places
        The rows, as from `read_gazetteer`.
    home
        Official names of the district and what it lies in: dropped from the front of a name.
    road_kinds
        Kinds of site that are roads and match only roads; all others match only places and addresses, and by
        their `place` also a subdistrict or district.
    """

    def __init__(
        self,
        places: Iterable[Place],
        *,
        home: Sequence[str] = HOME,
        road_kinds: Iterable[str] = ("parking",),
    ) -> None:
        self.places = tuple(places)
        self.home = tuple(home)
        self.road_kinds = frozenset(road_kinds)
        self._names: dict[str, list[Place]] = defaultdict(list)
        for place in self.places:
            # A set: a name and an alias may come out the same, and one row must not rival itself.
            for name in {normalise_name(n, home=home) for n in (place.name, *place.aliases)}:
                self._names[name].append(place)

    def locate(self, record: SiteRecord) -> Match | None:
        """Return where the record's name, or else its `place`, is; None if no row has that name.

        A record that names another city in its `place` or `street` is `outside`, whatever its name.
        """
        away = self._elsewhere(record.place) or self._elsewhere(record.street)
        if away:
            return Match(METHOD, reason=Reason.OUTSIDE, note=f"来源写明在{away}，不在本区")
        wanted = self._wanted(record.kind)
        named = self._exact(record.name, wanted, record.as_of)
        placed = self._exact(record.place, wanted, record.as_of) if record.place else []
        if not named and not placed and record.place:
            placed = self._exact(record.place, AREAS, record.as_of)
        return _answer(_agreed(named, placed))

    def candidates(
        self, name: str, *, city: str = "", kind: str = "", day: date | None = None, limit: int = 10
    ) -> list[Candidate]:
        """Return what a name may mean, best first; see `geo.locate.candidates`."""
        if not normalise_name(name, home=self.home) or not self._is_here(city):
            return []
        wanted = self._wanted(kind) if kind else KINDS
        found = [(100.0, place) for place in self._exact(name, wanted, day)]
        if not self._elsewhere(name):
            known = {place.place_id for _, place in found}
            near = self._near(name, lambda p: p.kind in wanted and p.valid_on(day))
            found += [(score, place) for score, place in near if place.place_id not in known]
        return [_candidate(place, score) for score, place in found[:limit]]

    def _exact(self, name: str, wanted: frozenset[str], day: date | None) -> list[Place]:
        rows = self._names.get(normalise_name(name, home=self.home), ())
        return [place for place in rows if place.kind in wanted and place.valid_on(day)]

    def _near(self, name: str, keep: Callable[[Place], bool]) -> Iterator[tuple[float, Place]]:
        """Give rows with a name like this one, best first: below `ACCEPT_SCORE`, so never taken unseen."""
        plain, seen = normalise_name(name, home=self.home), set[str]()
        likely = process.extract(
            plain, self._names.keys(), scorer=fuzz.ratio, score_cutoff=_NEAR, limit=50
        )
        for other, score, _ in likely:
            for place in self._names[other]:
                if place.place_id not in seen and keep(place):
                    seen.add(place.place_id)
                    yield min(round(score, 1), ACCEPT_SCORE - 1), place

    def _wanted(self, kind: str) -> frozenset[str]:
        return ROADS if kind in self.road_kinds else PLACES

    def _is_here(self, city: str) -> bool:
        return not city.strip() or is_home(city, home=self.home)

    def _elsewhere(self, text: str) -> str:
        return elsewhere(text, home=self.home) if text else ""


def _agreed(named: list[Place], placed: list[Place]) -> list[Place]:
    """Return the rows that speak for a record: those of its name, and of its place where they contradict."""
    if not named or not placed:
        return named or placed
    if all(place.reason == Reason.NO_COORDINATE for place in named):
        return placed
    contradicts = [p for p in placed if all(_far_apart(p, n) for n in named)]
    return named + contradicts


def _far_apart(one: Place, other: Place) -> bool:
    if one.reason or other.reason or one.geometry is None or other.geometry is None:
        return False
    apart_m = Boundary(one.geometry).metres_outside(other.geometry)
    return apart_m > (one.uncertainty_m or 0) + (other.uncertainty_m or 0)


def _answer(rows: list[Place]) -> Match | None:
    taken = accept([_candidate(place, 100.0) for place in rows])
    if taken is None:
        return _ambiguous(rows) if rows else None
    place = rows[0]
    if place.reason:
        return Match(METHOD, score=100.0, reason=place.reason, note=_why(place))
    return Match(
        method=SKETCH if place.sketch else METHOD,
        geometry=place.geometry,
        precision=place.precision,
        uncertainty_m=place.uncertainty_m,
        score=100.0,
        raw_x=place.raw_x,
        raw_y=place.raw_y,
        raw_datum=place.raw_datum,
    )


def _ambiguous(rows: list[Place]) -> Match:
    names = "；".join(f"{place.name}（{place.place_id}）" for place in rows)
    note = f"地名库中有 {len(rows)} 处符合，须由人选定：{names}"
    return Match(METHOD, score=100.0, reason=Reason.AMBIGUOUS, note=note)


def _why(place: Place) -> str:
    """Say what the gazetteer knows and where, so that a person can decide."""
    known = f"{place.name}（{place.place_id}）"
    point = place.geometry
    if isinstance(point, shapely.Point):
        within = "" if place.uncertainty_m is None else f"，± {place.uncertainty_m:.0f} m"
        known += f"：{point.x:.5f}, {point.y:.5f}（WGS84{within}）"
    return "地名库：" + "；".join(part for part in (known, place.note) if part)


def _candidate(place: Place, score: float) -> Candidate:
    return Candidate(
        name=place.name,
        score=score,
        method=SKETCH if place.sketch else METHOD,
        source=place.source,
        precision=place.precision,
        uncertainty_m=place.uncertainty_m,
        geometry=place.geometry,
        reason=place.reason,
        note=place.note,
    )


# --- the file -------------------------------------------------------------------------------------

_COLUMNS = (
    "place_id name aliases kind_hint lon lat wkt raw_x raw_y raw_datum precision uncertainty_m "
    "valid_from valid_to sketch needs_confirmation source note"
).split()


def read_gazetteer(path: Path) -> tuple[Place, ...]:
    """Return the rows of a gazetteer file.

    Parameters
    ----------
    path
        A CSV file like data/gazetteer.csv, UTF-8. Read once and kept until the file changes.

    Raises
    ------
    SourceError
        If there is no such file or it is not a UTF-8 table.
    SchemaError
        Lists every fault, with its line.
    """
    try:
        stat = path.stat()
        return _read_gazetteer(path, (stat.st_mtime_ns, stat.st_size))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SourceError(f"{path.name} cannot be read: {error}") from error


@lru_cache(maxsize=4)
def _read_gazetteer(path: Path, _stamp: tuple[int, int]) -> tuple[Place, ...]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        table = csv.DictReader(file)
        missing = [name for name in _COLUMNS if name not in (table.fieldnames or ())]
        if missing:
            raise SchemaError(path.name, [f"column {name} is missing" for name in missing])
        places, faults = [], []
        for row in table:
            try:
                places.append(_place(row))
            except ValueError as error:
                faults.append(f"line {table.line_num}: {error}")
    ids = [place.place_id for place in places]
    faults += [f"place_id {i} appears twice" for i in sorted({i for i in ids if ids.count(i) > 1})]
    if faults:
        raise SchemaError(path.name, faults)
    return tuple(places)


def _place(row: Mapping[str, str | None]) -> Place:
    """Return one row of the file; `ValueError` (a `DatumError` is one) says what is wrong with it."""
    if None in row or None in row.values():
        raise ValueError("it has more or fewer cells than the header")
    cell = {name: (value or "").strip() for name, value in row.items()}
    kind, precision = cell["kind_hint"], cell["precision"]
    if not cell["place_id"] or not cell["name"]:
        raise ValueError("place_id and name are needed")
    if kind not in KINDS:
        raise ValueError(f'kind_hint "{kind}" is not one of {", ".join(sorted(KINDS))}')
    if precision not in PRECISIONS:
        raise ValueError(f'precision "{precision}" is not one of {", ".join(PRECISIONS)}')
    geometry = _geometry(cell["lon"], cell["lat"], cell["wkt"])
    if (geometry is None) != (precision == Precision.NONE):
        raise ValueError("a coordinate and a precision belong together")
    return Place(
        place_id=cell["place_id"],
        name=cell["name"],
        kind=kind,
        precision=precision,
        geometry=geometry,
        uncertainty_m=_number(cell["uncertainty_m"]),
        aliases=tuple(filter(None, (alias.strip() for alias in cell["aliases"].split("|")))),
        raw_x=_number(cell["raw_x"]),
        raw_y=_number(cell["raw_y"]),
        raw_datum=parse_datum(cell["raw_datum"]) if cell["raw_datum"] else "",
        valid_from=_day(cell["valid_from"]),
        valid_to=_day(cell["valid_to"]),
        sketch=_yes(cell["sketch"]),
        landmark=_yes(cell.get("landmark", "")),
        needs_confirmation=_yes(cell["needs_confirmation"]),
        source=cell["source"],
        note=cell["note"],
    )


def _geometry(lon: str, lat: str, wkt: str) -> shapely.Geometry | None:
    if wkt:
        try:
            return shapely.from_wkt(wkt)
        except shapely.errors.ShapelyError as error:
            raise ValueError(f"wkt cannot be read: {error}") from error
    x, y = _number(lon), _number(lat)
    if (x is None) != (y is None):
        raise ValueError("lon and lat belong together")
    return None if x is None or y is None else shapely.Point(x, y)


def _number(text: str) -> float | None:
    if not text:
        return None
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is not a number to use")
    return value


def _day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None


def _yes(text: str) -> bool:
    if text not in ("", "0", "1"):
        raise ValueError(f'"{text}" is not 0 or 1')
    return text == "1"
