"""The district's own list of places: what it says of a name, and where it says that nobody knows.

A name matches exactly (or by an alias), or it is an address that the known roads and doors answer; near names are
only ever suggested to a person.
"""

from __future__ import annotations

import csv
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import shapely

from geo.day import read_day
from geo.errors import SchemaError, SourceError
from geo.locate.address import (
    Address,
    KnownDoor,
    KnownRoad,
    Spot,
    parse_address,
    resolve_address,
)
from geo.locate.datum import parse_datum
from geo.locate.given import Boundary
from geo.locate.index import SAME, NameIndex
from geo.locate.names import HOME, elsewhere, is_home, normalise_name
from geo.site import MAPPED, PRECISIONS, Match, Precision, Reason, SiteRecord

METHOD = "gazetteer"
SKETCH = "gazetteer sketch"
"""The method of a road drawn straight between known points: the map draws it dashed."""
ADDRESS = "gazetteer address"
"""The method of a place worked out from an address and the known roads."""

PLACES = frozenset({"place", "address"})
ROADS = frozenset({"road"})
AREAS = frozenset({"street", "district"})
KINDS = PLACES | ROADS | AREAS

ACCEPT_SCORE = 90.0
ACCEPT_MARGIN = 5.0
_NEAR = 50.0  # a name less alike than this (0 to 100) is not worth a person's look
_TELLING = 75.0  # a name at least this much alike is a reason to ask before "nobody knows" is said
_LOOKED_AT = 30  # hits for a name: a row may be hit by its name and by its aliases
_MASKS = 16  # days whose rows are remembered: a source has few
_SAME_ADDRESS = 98.0
# Taken off where the source names another subdistrict: no longer enough to be accepted.
_OTHER_STREET = 15.0


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
    street: str = ""

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

    `score` is 0 to 100; 100 is the same name. `margin` is how far that is above the best other candidate, `why`
    what the two names have in common, in words. `geometry` (EPSG:4326, lon-lat) may be there although `reason`
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
    margin: float = 0.0
    why: str = ""

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
        self._streets = {_bare_street(place.street) for place in self.places} - {""}
        self._masks: dict[tuple[frozenset[str], date | None], npt.NDArray[np.bool_]] = {}

    def locate(self, record: SiteRecord) -> Match | None:
        """Return where the record's name, or else its `place`, is; None if nothing is like it.

        A record that names another city in its `place` or `street` is `outside`, whatever its name. A stretch of
        a road is clipped from the road where its ends are known.
        """
        away = self._elsewhere(record.place) or self._elsewhere(record.street)
        if away:
            return Match(METHOD, reason=Reason.OUTSIDE, note=f"来源写明在{away}，不在本区")
        stretch, named = self._stretch(record), self._by_name(record)
        if stretch is None:
            return named or self._by_address(record) or self._asked(record)
        if stretch.geometry is not None or named is None:
            return stretch
        if named.geometry is None:
            return named
        return replace(named, note=f"来源只写其中一段，图上是整条路；{stretch.note}")

    def candidates(
        self,
        name: str,
        *,
        city: str = "",
        kind: str = "",
        day: date | None = None,
        street: str = "",
        limit: int = 10,
    ) -> list[Candidate]:
        """Return what a name may mean, best first.

        Parameters
        ----------
        name
            A name or an address.
        city
            Where to look: another city than the district's has no candidates, empty means the district.
        kind
            Code of the kind of site; empty means any kind of place.
        day
            Rows that were valid then; None means today.
        street
            The subdistrict a source names, or "": a place in another one loses 15.
        limit
            How many to return at most.
        """
        if not normalise_name(name, home=self.home) or not self._is_here(city):
            return []
        wanted = self._wanted(kind) if kind else KINDS
        found = {
            place.place_id: _candidate(place, SAME) for place in self._exact(name, wanted, day)
        }
        if not self._elsewhere(name):
            for place in self._same_address(name, wanted, day):
                found.setdefault(place.place_id, _same_address(place))
            spot = None if found else self._spot(name, kind, day)
            if spot is not None and spot.geometry is not None:
                found[""] = _spot_candidate(spot)  # of no row
            for score, why, place in self._near(name, wanted, day):
                found.setdefault(place.place_id, _candidate(place, score, why=why))
        by_id = {place.place_id: place for place in self.places} if street else {}
        seen = [self._in_street(c, by_id.get(place_id), street) for place_id, c in found.items()]
        return _ranked(seen)[:limit]

    # What a record says, one way after the other -----------------------------------------------------

    def _by_name(self, record: SiteRecord) -> Match | None:
        wanted, day = self._wanted(record.kind), record.as_of
        named = self._rows(record.name, wanted, day)
        placed = self._rows(record.place, wanted, day)
        if not named and not placed:
            placed = dict.fromkeys(self._exact(record.place, AREAS, day), SAME)
        scores, rows = placed | named, _agreed([*named], [*placed])
        address = self._address(record.place) if rows else None
        street = record.street or (address.street if address else "")
        return _answer([(scores[row] - self._street_penalty(row, street), row) for row in rows])

    def _rows(self, name: str, wanted: frozenset[str], day: date | None) -> dict[Place, float]:
        """Return the rows of a name, or else of the address that it is, with their scores."""
        exact = dict.fromkeys(self._exact(name, wanted, day), SAME)
        return exact or dict.fromkeys(self._same_address(name, wanted, day), _SAME_ADDRESS)

    def _stretch(self, record: SiteRecord) -> Match | None:
        """Return the stretch of a road that a record of a road names, None if it names none."""
        if record.kind not in self.road_kinds:
            return None
        for text in (record.place, record.name):
            address = self._address(text)
            if address is not None and address.between:
                spot = self._resolve(address, record.as_of)
                unknown = Match(ADDRESS, reason=Reason.NO_COORDINATE, note="没有这几条路的线形")
                return unknown if spot is None else _spot_match(spot)
        return None

    def _by_address(self, record: SiteRecord) -> Match | None:
        spot = self._spot(record.place, record.kind, record.as_of, whole_road=True)
        spot = spot or self._spot(record.name, record.kind, record.as_of)
        return None if spot is None else _spot_match(spot)

    def _asked(self, record: SiteRecord) -> Match | None:
        """Return a match that asks a person about names like the record's, None if there are none."""
        if self._elsewhere(record.name):
            return None
        near = self._near(record.name, self._wanted(record.kind), record.as_of)[:3]
        telling = [(score, why, place) for score, why, place in near if score >= _TELLING]
        if not telling:
            return None
        names = "；".join(f"{place.name}（{place.place_id}，{why}）" for _, why, place in telling)
        note = f"地名库没有这个名称，有相近的，须由人确认：{names}"
        return Match(METHOD, score=telling[0][0], reason=Reason.TO_CONFIRM, note=note)

    # Where to look -----------------------------------------------------------------------------------

    def _exact(self, name: str, wanted: frozenset[str], day: date | None) -> list[Place]:
        rows = self._names.get(normalise_name(name, home=self.home), ()) if name else ()
        return [place for place in rows if place.kind in wanted and place.valid_on(day)]

    def _same_address(self, name: str, wanted: frozenset[str], day: date | None) -> list[Place]:
        """Return the rows that are one address with a name, written another way."""
        address = self._address(name)
        key = None if address is None else address.key
        rows = self._addresses.get(key, ()) if key is not None else ()
        return [place for place in rows if place.kind in wanted and place.valid_on(day)]

    def _near(
        self, name: str, wanted: frozenset[str], day: date | None
    ) -> list[tuple[float, str, Place]]:
        """Return rows with a name like this one, best first: below `ACCEPT_SCORE`, so never taken unseen."""
        _, places = self._entries
        keep = self._fitting(wanted, day)
        best: dict[str, tuple[float, str, Place]] = {}
        for hit in self._index.search(name, _LOOKED_AT, keep=keep):
            place = places[hit.position]
            if _NEAR <= hit.score < ACCEPT_SCORE and place.place_id not in best:
                best[place.place_id] = hit.score, hit.reason, place
        return list(best.values())

    def _fitting(self, wanted: frozenset[str], day: date | None) -> npt.NDArray[np.bool_]:
        """Return for every entry whether its row is of a wanted kind and valid on a day."""
        if (wanted, day) not in self._masks:
            _, places = self._entries
            fits = (place.kind in wanted and place.valid_on(day) for place in places)
            if len(self._masks) >= _MASKS:
                self._masks.clear()
            self._masks[wanted, day] = np.fromiter(fits, dtype=bool, count=len(places))
        return self._masks[wanted, day]

    def _spot(
        self, text: str, kind: str, day: date | None, *, whole_road: bool = False
    ) -> Spot | None:
        """Return where an address is by the known roads and doors, None if it is none.

        A kind that is no road is on a line only if a person says so, and the name of a road alone is an answer
        for it only where `whole_road` says so.
        """
        address, is_road = self._address(text), kind in self.road_kinds
        if address is None or (is_road and not address.between):
            return None
        if not (whole_road or address.number or address.crossing or address.between):
            return None
        spot = self._resolve(address, day)
        if spot is None or spot.reason or is_road or not kind or _is_point(spot.geometry):
            return spot
        return replace(spot, score=min(spot.score, 80.0), reason=Reason.TO_CONFIRM)

    def _resolve(self, address: Address, day: date | None) -> Spot | None:
        roads, doors = self._known
        names = {address.road, address.crossing, *address.between} - {""}
        return resolve_address(
            address,
            [road for name in names for place, road in roads.get(name, ()) if place.valid_on(day)],
            [door for place, door in doors.get(address.road, ()) if place.valid_on(day)],
        )

    def _address(self, text: str) -> Address | None:
        return parse_address(text, home=self.home) if text and not self._elsewhere(text) else None

    # What is known, worked out when first asked for ---------------------------------------------------

    @cached_property
    def _entries(self) -> tuple[tuple[str, ...], tuple[Place, ...]]:
        """All names and aliases, and for each its row."""
        pairs = [(name, place) for place in self.places for name in (place.name, *place.aliases)]
        return tuple(name for name, _ in pairs), tuple(place for _, place in pairs)

    @cached_property
    def _index(self) -> NameIndex:
        return _index_of(self._entries[0], self.home)

    @cached_property
    def _written(self) -> list[tuple[Address, str, Place]]:
        """The rows whose name or alias is an address."""
        return [
            (address, name, place)
            for name, place in zip(*self._entries, strict=True)
            if place.kind in PLACES and (address := parse_address(name, home=self.home))
        ]

    @cached_property
    def _addresses(self) -> dict[tuple[object, ...], list[Place]]:
        by_key: dict[tuple[object, ...], list[Place]] = defaultdict(list)
        for address, _, place in self._written:
            if address.key is not None and place not in by_key[address.key]:
                by_key[address.key].append(place)
        return by_key

    @cached_property
    def _known(
        self,
    ) -> tuple[dict[str, list[tuple[Place, KnownRoad]]], dict[str, list[tuple[Place, KnownDoor]]]]:
        """The roads with a line and the doors with a point, by the name of the road."""
        roads, doors = defaultdict(list), defaultdict(list)
        for name, place in zip(*self._entries, strict=True):
            if place.kind in ROADS and not place.reason and place.geometry is not None:
                plain = normalise_name(name, home=self.home)
                known = KnownRoad(plain, place.geometry, place.uncertainty_m, place.sketch)
                roads[plain].append((place, known))
        for address, name, place in self._written:
            point = place.geometry
            if address.number and not place.reason and isinstance(point, shapely.Point):
                door = KnownDoor(name, address, point, place.precision, place.uncertainty_m)
                doors[address.road].append((place, door))
        return roads, doors

    # Context -----------------------------------------------------------------------------------------

    def _street_penalty(self, place: Place, street: str) -> float:
        """Return what a row loses because a source names another subdistrict than the row's."""
        ours, theirs = _bare_street(place.street), _bare_street(street)
        return _OTHER_STREET if ours and theirs in self._streets and ours != theirs else 0.0

    def _in_street(self, candidate: Candidate, place: Place | None, street: str) -> Candidate:
        penalty = 0.0 if place is None else self._street_penalty(place, street)
        if place is None or not penalty:
            return candidate
        why = f"{candidate.why}；不在{street}，在{place.street}"
        return replace(candidate, score=candidate.score - penalty, why=why)

    def _wanted(self, kind: str) -> frozenset[str]:
        return ROADS if kind in self.road_kinds else PLACES

    def _is_here(self, city: str) -> bool:
        return not city.strip() or is_home(city, home=self.home)

    def _elsewhere(self, text: str) -> str:
        return elsewhere(text, home=self.home) if text else ""


@lru_cache(maxsize=2)
def _index_of(names: tuple[str, ...], home: tuple[str, ...]) -> NameIndex:
    # Kept beyond one gazetteer: a page makes a new one for every question, from the same rows.
    return NameIndex(names, home=home)


def _bare_street(street: str) -> str:
    return normalise_name(street).removesuffix("街道")


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


def _answer(scored: list[tuple[float, Place]]) -> Match | None:
    """Return what the rows of a record's own name say."""
    if not scored:
        return None
    candidates = [_candidate(place, score) for score, place in scored]
    taken = accept(candidates)
    if taken is None:
        return _ambiguous(scored) if len(scored) > 1 else _other_street(*scored[0])
    score, place = scored[candidates.index(taken)]
    if place.reason:
        return _waiting(score, place)
    return Match(
        method=SKETCH if place.sketch else METHOD,
        geometry=place.geometry,
        precision=place.precision,
        uncertainty_m=place.uncertainty_m,
        score=score,
        raw_x=place.raw_x,
        raw_y=place.raw_y,
        raw_datum=place.raw_datum,
        note="" if score == SAME else f"与“{place.name}”是同一地址",
    )


def _waiting(score: float, place: Place) -> Match:
    return Match(METHOD, score=score, reason=place.reason, note=_why(place))


def _other_street(score: float, place: Place) -> Match:
    if place.reason:
        return _waiting(score, place)
    note = f"{_why(place)}；来源写的街道不同，地名库为{place.street}，须由人确认"
    return Match(METHOD, score=score, reason=Reason.TO_CONFIRM, note=note)


def _ambiguous(scored: list[tuple[float, Place]]) -> Match:
    names = "；".join(f"{place.name}（{place.place_id}）" for _, place in scored)
    note = f"地名库中有 {len(scored)} 处符合，须由人选定：{names}"
    return Match(METHOD, score=scored[0][0], reason=Reason.AMBIGUOUS, note=note)


def _why(place: Place) -> str:
    """Say what the gazetteer knows and where, so that a person can decide."""
    known = f"{place.name}（{place.place_id}）"
    known += _point_in_words(place.geometry, place.uncertainty_m)
    return "地名库：" + "；".join(part for part in (known, place.note) if part)


def _is_point(shape: shapely.Geometry | None) -> bool:
    return isinstance(shape, shapely.Point)


def _point_in_words(point: shapely.Geometry | None, uncertainty_m: float | None) -> str:
    if not isinstance(point, shapely.Point):
        return ""
    within = "" if uncertainty_m is None else f"，± {uncertainty_m:.0f} m"
    return f"：{point.x:.5f}, {point.y:.5f}（WGS84{within}）"


def _spot_match(spot: Spot) -> Match:
    """Return what an address and the known roads say, as a locator's answer."""
    if spot.reason or spot.score < ACCEPT_SCORE:
        where = _point_in_words(spot.geometry, spot.uncertainty_m)
        note = f"地址推断：{spot.name}{where}；{spot.note}"
        return Match(ADDRESS, score=spot.score, reason=spot.reason or Reason.TO_CONFIRM, note=note)
    return Match(
        method=ADDRESS,
        geometry=spot.geometry,
        precision=spot.precision,
        uncertainty_m=spot.uncertainty_m,
        score=spot.score,
        note=spot.note,
    )


def _spot_candidate(spot: Spot) -> Candidate:
    return Candidate(
        name=spot.name,
        score=spot.score,
        method=f"{ADDRESS} sketch" if spot.sketch else ADDRESS,
        source="",
        precision=spot.precision,
        uncertainty_m=spot.uncertainty_m,
        geometry=spot.geometry,
        reason=spot.reason,
        note=spot.note,
        why="按地址推断",
    )


def _same_address(place: Place) -> Candidate:
    return _candidate(place, _SAME_ADDRESS, why="同一地址的另一种写法")


def _candidate(place: Place, score: float, *, why: str = "同名") -> Candidate:
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
        why=why,
    )


def _ranked(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Return candidates best first, each with its margin."""
    ranked = sorted(candidates, key=lambda candidate: -candidate.score)
    best, second = [*(candidate.score for candidate in ranked[:2]), 0.0, 0.0][:2]
    return [
        replace(candidate, margin=round(candidate.score - (best if number else second), 1))
        for number, candidate in enumerate(ranked)
    ]


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
    rows = Counter(place.place_id for place in places)
    faults += [f"place_id {i} appears twice" for i in sorted(i for i in rows if rows[i] > 1)]
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
        valid_from=read_day(cell["valid_from"], refuse=ValueError),
        valid_to=read_day(cell["valid_to"], refuse=ValueError),
        sketch=_yes(cell["sketch"]),
        landmark=_yes(cell.get("landmark", "")),
        needs_confirmation=_yes(cell["needs_confirmation"]),
        source=cell["source"],
        note=cell["note"],
        street=cell.get("street", ""),
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


def _yes(text: str) -> bool:
    if text not in ("", "0", "1"):
        raise ValueError(f'"{text}" is not 0 or 1')
    return text == "1"
