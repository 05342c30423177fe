"""Coordinates that the source itself gives, and whether they can be in the district at all."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress

import numpy as np
import shapely

from geo.errors import DatumError
from geo.locate.datum import parse_datum, to_wgs84
from geo.site import MAPPED, Match, Precision, Reason, SiteRecord

METHOD = "given"
TOLERANCE_M = 3000.0
"""How far outside the district's outline a site may be: neighbours' sites beside the border are wanted."""

_Pair = tuple[float, float]

_METRES_PER_DEGREE = 111_195.0  # of latitude, on a sphere of 6,371 km


class Boundary:
    """A shape on the ground, ready to say how far outside it something is.

    Parameters
    ----------
    outline
        Any geometry, EPSG:4326 (lon-lat).
    """

    def __init__(self, outline: shapely.Geometry) -> None:
        self._east = math.cos(math.radians(shapely.get_y(shapely.centroid(outline))))
        self._outline = self._in_metres(outline)
        shapely.prepare(self._outline)

    def metres_outside(self, shape: shapely.Geometry) -> float:
        """Return how far the farthest vertex of a shape (EPSG:4326) is outside, 0 if all are inside.

        Within 1 % as long as both lie in one city; far away it only tells near from far.
        """
        vertices = shapely.points(shapely.get_coordinates(self._in_metres(shape)))
        return float(shapely.distance(vertices, self._outline).max())

    def _in_metres(self, shape: shapely.Geometry) -> shapely.Geometry:
        scale = np.array([self._east, 1.0]) * _METRES_PER_DEGREE
        return shapely.transform(shape, lambda lonlat: lonlat * scale)


class GivenCoordinates:
    """A locator that takes a record's own coordinates.

    What the source says is kept as it is in `raw_x`, `raw_y`, `raw_datum`. A source that does not say how exact
    its coordinates are gets precision `poi` (`road` for a line, `community` for an area), because it puts its own
    site there, with a note that nobody stated it and no uncertainty. Coordinates that cannot be read without
    guessing wait for a person.

    Parameters
    ----------
    outline
        The district, EPSG:4326. A site farther outside than the tolerance is not drawn, wherever its name
        could be found: its own source says that it is elsewhere, or in which datum is wrong. None checks nothing.
    tolerance_m
        See `TOLERANCE_M`.
    ahead
        Records that will be asked for: their points are converted in one go, which for BD-09 is some hundred
        times faster than one by one. The answers are the same.
    """

    def __init__(
        self,
        outline: shapely.Geometry | None = None,
        *,
        tolerance_m: float = TOLERANCE_M,
        ahead: Iterable[SiteRecord] = (),
    ) -> None:
        self._boundary = None if outline is None else Boundary(outline)
        self._tolerance_m = tolerance_m
        self._converted = _convert_ahead(ahead)

    def locate(self, record: SiteRecord) -> Match | None:
        """Return where the record itself says it is; None if it gives no coordinate."""
        point = _point(record)
        if point is None and len(record.path) < 2 and record.geometry is None:
            return None
        if point == (0.0, 0.0) and record.geometry is None:
            return _waiting(record, Reason.NO_COORDINATE, "来源坐标写作 0, 0，视为没有坐标")
        if not record.datum:
            return _waiting(record, Reason.TO_CONFIRM, "来源给出坐标，但没有写明坐标系，须由人确认")
        try:
            return self._answer(record, self._shape(record, point))
        except DatumError as error:
            return _waiting(record, Reason.TO_CONFIRM, f"来源坐标无法直接读取：{error}")

    def _shape(self, record: SiteRecord, point: _Pair | None) -> shapely.Geometry:
        """Return what the record gives, in EPSG:4326: its shape, else its line, else its point."""
        if record.geometry is not None:
            return shapely.transform(record.geometry, lambda xy: _lonlat(xy, record.datum))
        if point is None or len(record.path) > 1:
            return shapely.LineString(_lonlat(np.array(record.path, "float64"), record.datum))
        known = self._converted.get((record.datum, point))
        return shapely.Point(known or to_wgs84(*point, record.datum))

    def _answer(self, record: SiteRecord, shape: shapely.Geometry) -> Match:
        precision = str(record.precision or _USUAL[int(shapely.get_dimensions(shape))])
        outside_m = self._boundary.metres_outside(shape) if self._boundary else 0.0
        if outside_m > self._tolerance_m:
            lon, lat = shapely.get_coordinates(shape)[0]
            where = f"换算为 WGS84 是 {lon:.5f}, {lat:.5f}，在区界外 {outside_m / 1000:.1f} km"
            return _waiting(record, Reason.OUTSIDE, f"来源坐标{where}，未上图")
        if precision not in MAPPED:
            return _waiting(record, Reason.TOO_COARSE, "来源坐标的精度不足以上图")
        return Match(
            method=METHOD,
            geometry=shape,
            precision=precision,
            uncertainty_m=record.uncertainty_m,
            score=100.0,
            raw_x=record.x,
            raw_y=record.y,
            raw_datum=parse_datum(record.datum),
            note="" if record.precision else "坐标由来源给出，精度未说明",
        )


_USUAL = (Precision.POI, Precision.ROAD, Precision.COMMUNITY)
"""What a point, a line and an area are taken for by a source that does not state its precision."""


def _lonlat(vertices: np.ndarray, datum: str) -> np.ndarray:
    """Return vertices (n, 2), easting or longitude first, as WGS84 longitude and latitude."""
    return np.column_stack(to_wgs84(vertices[:, 0], vertices[:, 1], datum))


def _point(record: SiteRecord) -> _Pair | None:
    """Return the record's own numbers if both are there."""
    if record.x is None or record.y is None or math.isnan(record.x) or math.isnan(record.y):
        return None
    return (record.x, record.y)


def _convert_ahead(records: Iterable[SiteRecord]) -> dict[tuple[str, _Pair], _Pair]:
    """Return raw to WGS84 for all points of some records, by datum."""
    by_datum: dict[str, set[_Pair]] = defaultdict(set)
    for record in records:
        point = _point(record)
        if point is not None and record.datum:
            by_datum[record.datum].add(point)
    converted = {}
    for datum, points in by_datum.items():
        xs, ys = zip(*points, strict=True)
        # One bad value refuses them all: then each is converted, and explained, when its record is asked for.
        with suppress(DatumError):
            lons, lats = to_wgs84(xs, ys, datum)
            for point, lon, lat in zip(points, lons.tolist(), lats.tolist(), strict=True):
                converted[datum, point] = (lon, lat)
    return converted


def _waiting(record: SiteRecord, reason: Reason, note: str) -> Match:
    return Match(
        METHOD,
        raw_x=record.x,
        raw_y=record.y,
        raw_datum=record.datum,
        reason=reason,
        note=note,
    )
