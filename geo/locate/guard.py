"""The datum guard (偏移卫士): in which datum a batch of coordinates is most likely written.

A batch is read under each hypothesis and weighed against what is known of the district: its outline, its roads, and
places of the same names. The answer is a proposal with its evidence, never a conversion: a person decides. Where the
evidence does not tell two hypotheses apart, it says so.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely

from geo.errors import DatumError
from geo.locate.datum import Datum, to_wgs84

HYPOTHESES = (Datum.WGS84, Datum.GCJ02, Datum.BD09, "epsg:4550", "epsg:4529")
MIN_POINTS = 3
DECIDED = math.log(20.0)
"""How much more likely the best hypothesis must be than the next: 20 times."""
NEAR_ROAD_M = 25.0
"""How far from a road's middle a site along it usually is."""
NEAR_PLACE_M = 120.0
"""How far two sources usually put one place apart."""
OUTSIDE_M = 300.0
FAR_M = 3000.0
_ODD = 0.1
"""Share of points of a good batch that may be anywhere: a slip, another city, a site far from any road."""
_BEYOND = 0.01
_UNREADABLE = math.log(_ODD / FAR_M * _BEYOND) - 1
_METRES = 111_320.0

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A batch read in one datum.

    Attributes
    ----------
    datum, swapped
        How it was read: as `geo.locate.datum` calls it, and whether first and second number were exchanged.
    readable, inside
        How many of the points are in that datum's range, and how many of them in the district.
    road_m, place_m
        Median distance in metres to the nearest road, and to the known places of the same names; None if unknown.
    score
        Natural logarithm of the likelihood; only differences mean anything.
    points
        Longitude and latitude in degrees, EPSG:4326, shape (n, 2); NaN where not readable.
    """

    datum: str
    swapped: bool
    readable: int
    inside: int
    road_m: float | None
    place_m: float | None
    score: float
    points: Array


@dataclass(frozen=True, slots=True)
class Verdict:
    """All hypotheses, the likeliest first, and whether the first may be proposed."""

    hypotheses: tuple[Hypothesis, ...]
    decided: bool

    @property
    def proposed(self) -> Hypothesis | None:
        """The hypothesis to propose, None where the evidence does not tell."""
        return self.hypotheses[0] if self.decided else None


def guard_batch(
    points: npt.ArrayLike,
    outline: shapely.Geometry,
    *,
    roads: Sequence[shapely.Geometry] = (),
    known: Sequence[shapely.Point | None] = (),
) -> Verdict:
    """Weigh every hypothesis on a batch of coordinates.

    Parameters
    ----------
    points
        The numbers as written, shape (n, 2): first, second. At least `MIN_POINTS` for a verdict.
    outline
        The district, EPSG:4326.
    roads
        Lines of its roads, EPSG:4326; any number.
    known
        For each point where a place of its name is known to be, EPSG:4326, or None; as long as `points`, or empty.

    Returns
    -------
    verdict
        Hypotheses under which any point can be read, the likeliest first.

    Raises
    ------
    ValueError
        If the arrays are not of these shapes.
    """
    given = np.asarray(points, dtype="float64").reshape(-1, 2)
    if len(known) not in (0, len(given)):
        raise ValueError(f"{len(given)} points, but {len(known)} known places")
    ground = _Ground(outline, roads, known)
    found = [
        weighed
        for datum in HYPOTHESES
        for swapped in (False, True)
        if (weighed := _weigh(given, str(datum), swapped, ground)) is not None
    ]
    found.sort(key=lambda one: -one.score)
    clear = len(found) == 1 or (len(found) > 1 and found[0].score - found[1].score >= DECIDED)
    decided = bool(found) and clear and len(given) >= MIN_POINTS and found[0].inside > 0
    return Verdict(tuple(found), decided)


class _Ground:
    """The district in local metres, ready to measure distances."""

    def __init__(
        self,
        outline: shapely.Geometry,
        roads: Sequence[shapely.Geometry],
        known: Sequence[shapely.Point | None],
    ) -> None:
        west, south, east, north = shapely.bounds(outline)
        self._origin = np.array([(west + east) / 2, (south + north) / 2])
        self._scale = np.array([math.cos(math.radians(self._origin[1])), 1.0]) * _METRES
        self._outline = shapely.transform(outline, self.to_metres)
        shapely.prepare(self._outline)
        lines = [shapely.transform(road, self.to_metres) for road in roads]
        self._lines = np.array(lines, dtype=object)
        self._tree = shapely.STRtree(lines) if lines else None
        self._known = np.array(
            [(math.nan, math.nan) if one is None else (one.x, one.y) for one in known]
        ).reshape(-1, 2)

    def to_metres(self, lonlat: Array) -> Array:
        """Return positions in metres east and north of the district's middle; good within some tens of kilometres."""
        local: Array = (lonlat - self._origin) * self._scale
        return local

    def outside(self, lonlat: Array) -> Array:
        """Return how far each point is outside, in metres; 0 inside."""
        return np.asarray(shapely.distance(self._outline, shapely.points(self.to_metres(lonlat))))

    def from_roads(self, lonlat: Array) -> Array | None:
        """Return how far each point is from the nearest road, in metres; None if no road is known."""
        if self._tree is None:
            return None
        spots = shapely.points(self.to_metres(lonlat))
        return np.asarray(shapely.distance(spots, self._lines[self._tree.nearest(spots)]))

    def from_known(self, lonlat: Array, readable: npt.NDArray[np.bool_]) -> Array | None:
        """Return how far each point is from the known place of its name, in metres; None if none is known."""
        if not len(self._known):
            return None
        apart = self.to_metres(lonlat) - self.to_metres(self._known[readable])
        metres = np.hypot(apart[:, 0], apart[:, 1])
        return metres[~np.isnan(metres)] if not np.isnan(metres).all() else None


def _weigh(given: Array, datum: str, swapped: bool, ground: _Ground) -> Hypothesis | None:
    """Return how well a batch fits a hypothesis, or None if no point can be read so."""
    lonlat = _read(given[:, ::-1] if swapped else given, datum)
    readable = ~np.isnan(lonlat[:, 0])
    if not readable.any():
        return None
    here = lonlat[readable]
    outside, road = ground.outside(here), ground.from_roads(here)
    place = ground.from_known(here, readable)
    evidence = [(outside, OUTSIDE_M), (road, NEAR_ROAD_M), (place, NEAR_PLACE_M)]
    given_evidence = [(metres, near) for metres, near in evidence if metres is not None]
    # A point that cannot be read at all is odder than any that can.
    score = len(given_evidence) * _UNREADABLE * float((~readable).sum())
    score += sum(_fit(metres, near) for metres, near in given_evidence)
    return Hypothesis(
        datum,
        swapped,
        int(readable.sum()),
        int((outside <= 0).sum()),
        None if road is None else float(np.median(road)),
        None if place is None else float(np.median(place)),
        score,
        lonlat,
    )


def _fit(metres: Array, near: float) -> float:
    """Return the log-likelihood of distances: most are about `near`, a few may be anything up to `FAR_M` and beyond."""
    good = (1 - _ODD) * np.exp(-metres / near) / near
    odd = _ODD / FAR_M * np.where(metres > FAR_M, _BEYOND, 1.0)
    return float(np.log(good + odd).sum())


def _read(given: Array, datum: str) -> Array:
    """Return longitude and latitude in EPSG:4326 for numbers in a datum, NaN where they are out of its range."""
    try:
        return np.column_stack(to_wgs84(given[:, 0], given[:, 1], datum))
    except DatumError:
        lonlat = np.full_like(given, np.nan)  # one of them is out of range: then one by one
    for n, (x, y) in enumerate(given):
        try:
            lonlat[n] = to_wgs84(float(x), float(y), datum)
        except DatumError:
            continue
    return lonlat
