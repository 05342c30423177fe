"""A district's roads and places from an OSM extract or a GIS layer, as rows the gazetteer takes.

Segments of one name that hang together are one road; roads of one name that do not are several, so that a person
is asked. Nothing is named that its source does not name, and what is left out is counted.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import shapely

from geo.locate.built import (
    BuiltGazetteer,
    BuiltRow,
    read_built,
    read_places,
    with_built,
    write_gazetteer,
)
from geo.locate.features import Found, Left, osm_features
from geo.locate.gazetteer import Place
from geo.locate.layers import LayerFields, Layers
from geo.locate.names import HOME, normalise_name
from geo.locate.stretch import Plane
from geo.osm import ATTRIBUTION, Bbox, Progress, check_bbox, is_osm, no_progress
from geo.site import PRECISIONS, RowProblem

__all__ = [
    "BuiltGazetteer",
    "BuiltRow",
    "LayerFields",
    "build_gazetteer",
    "merge_lines",
    "read_built",
    "read_places",
    "with_built",
    "write_gazetteer",
]

ROAD_GAP_M = 500.0
"""Segments of one name farther apart than this are two roads of one name."""
SAME_PLACE_M = 200.0
"""A node and a building of one name nearer than this are one place."""
BEYOND_M = 300.0
"""How far outside an outline a road or place may be and still belong: outlines are not that exact."""


def build_gazetteer(
    path: Path,
    *,
    bbox: Bbox,
    outline: shapely.Geometry | None = None,
    fields: LayerFields | None = None,
    layer: str = "",
    datum: str = "",
    encoding: str = "",
    attribution: str = "",
    home: Sequence[str] = HOME,
    progress: Progress = no_progress,
    cancelled: Callable[[], bool] = lambda: False,
) -> BuiltGazetteer:
    """Return the named roads and places of a file.

    Parameters
    ----------
    path
        An OSM extract (.osm.pbf, .osm) or a layer (.gpkg, .shp, .geojson, .csv): lines become roads; points and
        areas places.
    bbox
        West, south, east, north in degrees, EPSG:4326. Roads are clipped to it.
    outline
        The district, EPSG:4326; rows more than 300 m outside are left out. None keeps the whole box.
    fields, layer, encoding
        Where a layer keeps its names; which layer (all, if ""); a shapefile's text encoding.
    datum
        What a layer's coordinates are in, any word `parse_datum` knows; "" takes what the file says. OSM is WGS84.
    attribution
        How a layer's owner wants to be named; an OSM extract has its own.
    home
        Official names that make no difference in front of a name.
    progress, cancelled
        Told the stage and the share done; asked again and again whether to stop.

    Raises
    ------
    SourceError
        If the file cannot be read, has no field with names, or was cancelled.
    DatumError
        If neither the file nor `datum` says what its coordinates are in.
    """
    check_bbox(bbox)
    days: list[str] = []
    if is_osm(path):
        found, datum = osm_features(path, bbox, days.append, progress, cancelled), "wgs84"
        attribution = attribution or ATTRIBUTION
    else:
        source = Layers(path, fields or LayerFields(), layer, datum, encoding)
        found, datum = source.features(progress, cancelled), source.datum
    inside = _Inside(bbox, outline)
    for item in found:
        inside.take(item, path.name)
    progress("rows", 0.9)
    day = "".join(days)
    said = "；".join(filter(None, (path.name, day, attribution)))
    rows = [*_roads(inside.roads, said, home), *_places(inside.places, said, home, datum)]
    counts = {**inside.counts, "problems": len(inside.problems)}
    progress("done", 1.0)
    return BuiltGazetteer(
        tuple(rows), path.name, day, attribution, bbox, datum, counts, tuple(inside.problems)
    )


class _Inside:
    """Sorts what is found into roads and places inside the box, and counts the rest."""

    def __init__(self, bbox: Bbox, outline: shapely.Geometry | None) -> None:
        self._box = shapely.box(*bbox)
        self._plane = Plane(self._box)
        self._near = None if outline is None else self._plane.flat(outline).buffer(BEYOND_M)
        self.roads: list[Found] = []
        self.places: list[Found] = []
        self.problems: list[RowProblem] = []
        words = ("read", "roads", "places", "unnamed", "other", "outside")
        self.counts: dict[str, int] = dict.fromkeys(words, 0)

    def take(self, item: Found | Left | RowProblem, file: str) -> None:
        self.counts["read"] += 1
        if isinstance(item, RowProblem):
            self.problems.append(item)
            return
        try:
            self._sort(item)
        except Left as left:
            self.counts[str(left)] += 1
        except shapely.errors.ShapelyError as error:
            self.problems.append(RowProblem(file, "", f"its shape cannot be used: {error}"))

    def _sort(self, item: Found | Left) -> None:
        if isinstance(item, Left):
            raise item
        if item.kind != "road":
            if not shapely.intersects(self._box, _spot(item.geometry)):
                raise Left("outside")
            self._refuse_far(item.geometry)
            self.places.append(item)
            self.counts["places"] += 1
            return
        lines = _lines(shapely.intersection(item.geometry, self._box))
        if not lines:
            raise Left("outside")
        self._refuse_far(shapely.MultiLineString(lines))
        self.roads += [replace(item, geometry=line) for line in lines]
        self.counts["roads"] += 1

    def _refuse_far(self, shape: shapely.Geometry) -> None:
        if self._near is not None and not self._near.intersects(self._plane.flat(shape)):
            raise Left("outside")


def _lines(shape: shapely.Geometry) -> list[shapely.LineString]:
    parts = shapely.get_parts(shape)
    return [p for p in parts if isinstance(p, shapely.LineString) and not p.is_empty]


def _spot(shape: shapely.Geometry) -> shapely.Point:
    """Return a point that stands for a shape and lies in it."""
    return shape if isinstance(shape, shapely.Point) else shapely.point_on_surface(shape)


# --- one name, one road -----------------------------------------------------------------------------


def _roads(found: Iterable[Found], said: str, home: Sequence[str]) -> Iterator[BuiltRow]:
    by_name: dict[str, list[Found]] = defaultdict(list)
    for item in found:
        by_name[normalise_name(item.name, home=home)].append(item)
    for items in by_name.values():
        groups = _near_groups(items, ROAD_GAP_M)
        note = "范围内另有同名道路，相距 500 m 以上" if len(groups) > 1 else ""
        for group in groups:
            line = merge_lines([item.geometry for item in group])
            yield _row(group, line, said, note=note)


def _near_groups(items: Sequence[Found], reach_m: float) -> list[list[Found]]:
    """Return features in groups that hang together at a distance up to `reach_m`."""
    if len(items) == 1:
        return [list(items)]
    shapes = np.array([item.geometry for item in items], dtype=object)
    flat = Plane(shapely.box(*shapely.total_bounds(shapes))).flat(shapes)
    pairs = shapely.STRtree(flat).query(flat, predicate="dwithin", distance=reach_m)
    groups: dict[int, list[Found]] = defaultdict(list)
    for item, owner in zip(items, _owners(len(items), pairs), strict=True):
        groups[owner].append(item)
    return list(groups.values())


def _owners(count: int, pairs: np.ndarray) -> list[int]:
    """Return for each of `count` things the first one it hangs together with, by pairs (2 × n)."""
    owner = list(range(count))

    def find(n: int) -> int:
        while owner[n] != n:
            owner[n] = owner[owner[n]]
            n = owner[n]
        return n

    for one, other in pairs.T.tolist():
        low, high = sorted((find(one), find(other)))
        owner[high] = low
    return [find(n) for n in range(count)]


def merge_lines(lines: Sequence[shapely.Geometry]) -> shapely.LineString | shapely.MultiLineString:
    """Return lines joined end to end; where two carriageways meet they stay apart.

    Parameters
    ----------
    lines
        LineStrings or MultiLineStrings, EPSG:4326.
    """
    singles = [part for line in lines for part in _lines(line)]
    ends = {xy for line in singles for xy in (line.coords[0], line.coords[-1])}
    merged = _lines(shapely.line_merge(shapely.MultiLineString(singles)))
    parts = [piece for line in merged for piece in _split_at_turns(line, ends)]
    return parts[0] if len(parts) == 1 else shapely.MultiLineString(parts)


def _split_at_turns(
    line: shapely.LineString, ends: Collection[tuple[float, ...]]
) -> Iterator[shapely.LineString]:
    """Give a merged line in pieces that do not turn back at a place where two lines were joined."""
    coords = list(line.coords)
    start = 0
    for n in range(1, len(coords) - 1):
        if coords[n] in ends and _turns_back(coords[n - 1], coords[n], coords[n + 1]):
            yield shapely.LineString(coords[start : n + 1])
            start = n
    yield shapely.LineString(coords[start:])


def _turns_back(before: Sequence[float], here: Sequence[float], after: Sequence[float]) -> bool:
    east = math.cos(math.radians(here[1]))
    came = ((here[0] - before[0]) * east, here[1] - before[1])
    goes = ((after[0] - here[0]) * east, after[1] - here[1])
    return came[0] * goes[0] + came[1] * goes[1] < -0.5 * math.hypot(*came) * math.hypot(*goes)


# --- one name, one place ----------------------------------------------------------------------------


def _places(
    found: Iterable[Found], said: str, home: Sequence[str], datum: str
) -> Iterator[BuiltRow]:
    alike: dict[tuple[str, str], list[Found]] = defaultdict(list)
    for item in found:
        alike[item.kind, normalise_name(item.name, home=home)].append(item)
    for items in alike.values():
        for group in _near_groups(items, SAME_PLACE_M):
            # An area says more than a node: how far the place reaches.
            group.sort(key=lambda item: isinstance(item.geometry, shapely.Point))
            coarsest = max((item.precision for item in group), key=PRECISIONS.index)
            best = replace(group[0], precision=coarsest)
            row = _row([best, *group[1:]], _placed(best), said, within=_reach_m(best.geometry))
            yield replace(row, place=_with_raw(row.place, best, datum))


def _placed(item: Found) -> shapely.Geometry:
    """Return what is kept of a place: a subdistrict's area, else a point."""
    return item.geometry if item.kind == "street" else _spot(item.geometry)


def _reach_m(shape: shapely.Geometry) -> float | None:
    """Return how far an area reaches from its point, in metres; a source of points does not say how exact they are."""
    if isinstance(shape, shapely.Point):
        return None
    plane = Plane(shape)
    x, y = shapely.get_coordinates(plane.flat(_spot(shape)))[0]
    return round(float(np.hypot(*(shapely.get_coordinates(plane.flat(shape)) - (x, y)).T).max()), 1)


def _with_raw(place: Place, item: Found, datum: str) -> Place:
    if item.raw is None:
        return place
    return replace(place, raw_x=item.raw[0], raw_y=item.raw[1], raw_datum=datum)


def _row(
    group: Sequence[Found],
    geometry: shapely.Geometry,
    said: str,
    *,
    within: float | None = None,
    note: str = "",
) -> BuiltRow:
    first = group[0]
    ids = tuple(sorted({item.source_id for item in group}, key=_id_order))
    names = Counter(item.name for item in group)
    name = max(names, key=lambda n: (names[n], n))
    aliases = dict.fromkeys([*names, *(alias for item in group for alias in item.aliases)])
    aliases.pop(name)
    shown = " ".join(ids[:3]) + (f" 等 {len(ids)} 个要素" if len(ids) > 3 else "")
    place = Place(
        place_id=f"{first.kind}:{ids[0]}",
        name=name,
        kind=first.kind,
        precision=first.precision,
        geometry=geometry,
        uncertainty_m=within,
        aliases=tuple(aliases),
        source=f"{said}；{shown}",
        note=note,
        street=name if first.kind == "street" else "",
    )
    return BuiltRow(place, ids)


def _id_order(source_id: str) -> tuple[str, int, str]:
    what, _, number = source_id.rpartition("/")
    return (what, int(number), "") if number.isdecimal() else (what, 0, number)
