"""The part of a road between two cross streets.

Nothing is guessed: where the lines do not settle which part of the road is meant, the answer is none, with a reason.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
import shapely.ops

from geo.site import Reason

JUNCTION_M = 80.0
"""Crossings nearer to each other than this are one junction: two carriageways, staggered arms."""
GAP_M = 30.0
"""Lines of a T-junction may end this far from the road they reach."""
BREAK_M = 60.0
"""A road drawn with a hole up to this long (an unnamed roundabout) still goes on."""

Line = shapely.LineString | shapely.MultiLineString


class Plane:
    """Metres east and north around a shape (EPSG:4326); within 1 % inside one city."""

    _METRES_PER_DEGREE = 111_195.0  # of latitude, on a sphere of 6,371 km

    def __init__(self, around: shapely.Geometry) -> None:
        _, south, _, north = shapely.bounds(around)
        east = math.cos(math.radians((south + north) / 2))
        self._scale = np.array([east, 1.0]) * self._METRES_PER_DEGREE

    def flat(self, shape: Any) -> Any:
        """Return a shape, or an array of shapes, in metres."""
        return shapely.transform(shape, lambda lonlat: lonlat * self._scale)

    def back(self, shape: Any) -> Any:
        """Return a shape in metres as longitude and latitude."""
        return shapely.transform(shape, lambda metres: metres / self._scale)


# --- between two streets ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a road (EPSG:4326, lon-lat), or None and why; `note` says how, in words."""

    line: Line | None
    reason: str = Reason.FOUND
    note: str = ""


def cut_road(road: shapely.Geometry, first: shapely.Geometry, second: shapely.Geometry) -> Stretch:
    """Return the part of a road between two cross streets, with the reason if there is none.

    Parameters
    ----------
    road, first, second
        LineString or MultiLineString, EPSG:4326, lon-lat; a road with two carriageways has both.

    Returns
    -------
    stretch
        Both carriageways where there are two. No line where a street does not meet the road (within 30 m), meets
        it at several junctions or runs along it, where both meet it at one junction, or where the road has a hole
        of over 60 m between them or two ways round.
    """
    plane = Plane(road)
    flat = plane.flat(road)
    ends = []
    for cross in (first, second):
        meeting = _junction(flat, plane.flat(cross))
        if isinstance(meeting, Stretch):
            return meeting
        ends.append(meeting)
    if shapely.distance(*ends) < JUNCTION_M:
        return Stretch(None, Reason.AMBIGUOUS, "两条横路与这条路在同一个路口相交")
    found = _between(flat, ends)
    if found.line is None:
        return found
    return Stretch(_in_order(_parts(plane.back(found.line))), Reason.FOUND, found.note)


def _junction(road: shapely.Geometry, cross: shapely.Geometry) -> shapely.MultiPoint | Stretch:
    """Return where a street meets a road, all at one junction, in metres; or why that is not known."""
    gap = float(shapely.distance(road, cross))
    if gap > GAP_M:
        return Stretch(None, Reason.NO_COORDINATE, "横路与这条路的线形不相交")
    shared = shapely.intersection(road, cross)
    if shapely.length(shared) > JUNCTION_M:
        return Stretch(None, Reason.AMBIGUOUS, "横路与这条路有一段重合")
    if gap > 0:
        near = _parts(shapely.intersection(cross, shapely.buffer(road, GAP_M)))
        shared = shapely.MultiPoint(
            [shapely.get_point(shapely.shortest_line(road, part), 0) for part in near]
        )
    spots = shapely.get_coordinates(shared)
    clusters = _clusters(spots, JUNCTION_M)
    if len(clusters) > 1:
        return Stretch(None, Reason.AMBIGUOUS, f"横路与这条路有 {len(clusters)} 处相交")
    return shapely.MultiPoint(np.unique(spots, axis=0))


def _clusters(spots: npt.NDArray[np.float64], reach: float) -> list[list[int]]:
    """Return which spots (n × 2, metres) hang together at a distance up to `reach`."""
    near = shapely.buffer(shapely.points(spots), reach / 2)
    areas = shapely.get_parts(shapely.union_all(near))
    groups = [np.flatnonzero(shapely.distance(shapely.points(spots), a) < 1e-6) for a in areas]
    return [group.tolist() for group in groups]


def _between(road: shapely.Geometry, ends: Sequence[shapely.MultiPoint]) -> Stretch:
    """Return the part of a road (metres) between two junctions."""
    pieces, marks = _cut(road, ends)
    groups = _grouped(pieces, marks)
    reaching = []
    for group in groups:
        touched = {marks[node] for n in group for node in _nodes(pieces[n]) if node in marks}
        if touched == {0, 1}:
            reaching.append(_without_dead_ends([pieces[n] for n in group], marks))
    if not reaching:
        return Stretch(None, Reason.AMBIGUOUS, "道路线形在两个路口之间不连续")
    lines = [shapely.line_merge(shapely.MultiLineString(group)) for group in reaching]
    for one, other in combinations(lines, 2):
        if shapely.hausdorff_distance(one, other) > 1.5 * JUNCTION_M:
            return Stretch(None, Reason.AMBIGUOUS, "两个路口之间有两条走法（环路）")
    return Stretch(shapely.MultiLineString([p for line in lines for p in _parts(line)]))


_Node = tuple[float, float]


def _cut(
    road: shapely.Geometry, ends: Sequence[shapely.MultiPoint]
) -> tuple[list[shapely.LineString], dict[_Node, int]]:
    """Return a road in pieces that end at the junctions, and which piece ends are at which of them."""
    pieces: list[shapely.LineString] = []
    marks: dict[_Node, int] = {}
    parts = _parts(shapely.line_merge(shapely.union_all(_parts(road))))
    degree = Counter(node for part in parts for node in _nodes(part))
    for part in parts:
        cuts = {0.0, part.length}
        for number, junction in enumerate(ends):
            for at in _meetings(part, junction, degree):
                cuts.add(at)
                marks[_node(part.interpolate(at))] = number
        for start, stop in pairwise(sorted(cuts)):
            if stop - start > 0.01:
                pieces += _parts(shapely.ops.substring(part, start, stop))
    return pieces, marks


def _meetings(
    part: shapely.LineString, junction: shapely.MultiPoint, degree: Mapping[_Node, int]
) -> list[float]:
    """Return how far along a part it meets a junction: its crossings, or else where it passes nearest."""
    spots = shapely.get_parts(junction)
    on_it = spots[shapely.distance(part, spots) < 0.05]
    # A cut a hair before the end would be another node than that end.
    if len(on_it):
        return [_snapped(float(at), part.length) for at in part.line_locate_point(on_it)]
    if shapely.distance(part, junction) >= JUNCTION_M:
        return []
    at = _snapped(float(part.line_locate_point(shapely.centroid(junction))), part.length)
    # Where it only begins near the junction, out of another part, that part has been cut already.
    begins = at in (0.0, part.length) and degree[_node(part.interpolate(at))] > 1
    return [] if begins else [at]


def _snapped(at: float, length: float) -> float:
    return 0.0 if at < 0.05 else length if at > length - 0.05 else at


def _grouped(pieces: Sequence[shapely.LineString], marks: dict[_Node, int]) -> list[list[int]]:
    """Return the pieces that hang together without passing a junction; small holes are bridged."""
    owner = list(range(len(pieces)))

    def find(n: int) -> int:
        while owner[n] != n:
            n = owner[n]
        return n

    at: dict[_Node, list[int]] = defaultdict(list)
    for n, piece in enumerate(pieces):
        for node in _nodes(piece):
            if node not in marks:
                at[node].append(n)
    for meeting in at.values():
        for n in meeting[1:]:
            owner[find(n)] = find(meeting[0])
    loose = [(node, where[0]) for node, where in at.items() if len(where) == 1]
    for (one, n), (other, m) in combinations(loose, 2):
        if math.dist(one, other) <= BREAK_M:
            owner[find(m)] = find(n)
    groups = defaultdict(list)
    for n in range(len(pieces)):
        groups[find(n)].append(n)
    return list(groups.values())


def _without_dead_ends(
    pieces: list[shapely.LineString], marks: dict[_Node, int]
) -> list[shapely.LineString]:
    """Return the pieces that lead somewhere: to a junction, to another piece or over a small hole."""
    while True:
        nodes = [node for piece in pieces for node in _nodes(piece)]
        dead = {
            node
            for node in nodes
            if node not in marks
            and nodes.count(node) == 1
            and not any(0 < math.dist(node, other) <= BREAK_M for other in nodes)
        }
        kept = [piece for piece in pieces if not dead & set(_nodes(piece))]
        if len(kept) == len(pieces):
            return pieces
        pieces = kept


def _nodes(piece: shapely.LineString) -> tuple[_Node, _Node]:
    return _node(shapely.get_point(piece, 0)), _node(shapely.get_point(piece, -1))


def _node(point: shapely.Point) -> _Node:
    return round(point.x, 2), round(point.y, 2)


def _parts(shape: shapely.Geometry) -> list[shapely.LineString]:
    return [part for part in shapely.get_parts(shape) if isinstance(part, shapely.LineString)]


def _in_order(lines: Sequence[shapely.LineString]) -> Line:
    """Return lines as one, whose parts and directions depend on nothing but where they are."""
    parts = []
    for part in lines:
        coords = [tuple(xy) for xy in part.coords]
        parts.append(shapely.LineString(min(coords, coords[::-1])))
    parts.sort(key=lambda part: tuple(part.coords))
    return parts[0] if len(parts) == 1 else shapely.MultiLineString(parts)
