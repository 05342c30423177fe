"""What an address says, and how well the roads and doors that are known tell where that is.

An address is never better known than the road it names: a door number is class `road`, a crossing of two known
lines is `intersection`. Nothing is interpolated, because door numbers do not run evenly: of three known doors on
青年大街, number 31 lies west of both 24 and 38.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely
import shapely.ops

from geo.locate.names import HOME, normalise_name
from geo.locate.stretch import GAP_M, JUNCTION_M, Plane, cut_road
from geo.site import PRECISIONS, Precision, Reason

NEARBY_M = 200.0
"""What 附近, 旁 or 西侧 without a distance add to the uncertainty: a city block."""

_Floats = npt.NDArray[np.float64]

_CROSSING_M = 20.0  # half the width of a crossing of two main roads
_PIN_M = 100.0  # a crossing known less well than this is not drawn as a pin
_FARTHEST_M = 2000.0  # a distance from a crossing beyond this is not one that somebody paced


@dataclass(frozen=True, slots=True)
class Address:
    """The parts of an address, normalised; "" or None is what it does not say.

    `crossing` is the road that `road` meets; `between` are the two roads that bound a stretch of `road`.
    `direction` (东 南 西 北 东北 ...) and `distance_m` count from the crossing or the door. `rest` is what follows
    a door number: a building, a floor.
    """

    road: str = ""
    section: str = ""
    number: str = ""
    crossing: str = ""
    between: tuple[str, ...] = ()
    direction: str = ""
    distance_m: float | None = None
    nearby: bool = False
    street: str = ""
    rest: str = ""

    @property
    def key(self) -> tuple[object, ...] | None:
        """What two writings of one address have in common; None if it names no single spot."""
        if self.rest or not (self.number or self.crossing):
            return None
        roads = frozenset({self.road, self.crossing} - {""})
        section = "" if self.crossing else self.section
        return (roads, section, self.number, self.direction, self.distance_m, self.nearby)


# --- the grammar ------------------------------------------------------------------------------------

_SUFFIX = r"(?:大街|大道|公路|胡同|路(?!口)|街(?![道口坊])|(?<![街隧步])道|巷|弄)(?![道巷弄]|[路街](?!口))"
_SECTION = r"(?:[一二三四五六七八九十东西南北中]段)?"
_AND = r"(?:与|和|及|跟|、|交|×|x|✕|\*|/)"
_JUNCTION = (
    r"的?(?:十字|丁字)?(?:交叉路口|交叉口|交汇处|交会处|交汇口|交界处|相交处|路口|街口|交口|交叉处)"
)
_WAY = r"(?:东北|东南|西北|西南|正?东|正?南|正?西|正?北)"
_OFFSET = (
    rf"(?:(?:以|向|往|偏)?(?P<way>{_WAY})(?:侧|面|边|方向?|行|走|角|向)?"
    r"(?:大?约)?(?:(?P<far>\d+(?:\.\d+)?)(?P<unit>米|m|公里|km)(?:处|左右|远)*)?)?"
    r"(?:路[东西南北]侧?)?(?P<near>附近|旁边?|对面|一带|周边|左右)?"
)


def _road(name: str) -> str:
    return rf"(?P<{name}>[一-鿿\d]{{1,8}}?{_SUFFIX})"


_AREA = r"(?:(?P<street>[一-鿿]{2,5}?街道))?(?:[一-鿿]{2,6}?社区(?!.*社区))?"
_FORMS = tuple(
    re.compile(form)
    for form in (
        rf"{_AREA}{_road('road')}{_SECTION}[:，,]?[自从由]?{_road('a')}{_SECTION}(?:(?:与|和){_road('b')}{_SECTION}之?间"
        rf"|[至到-]{_road('c')}{_SECTION}(?:之?间)?)的?(?:路?段)?",
        rf"{_AREA}[自从由]?{_road('a')}{_SECTION}(?:与|和|至|到|-){_road('b')}{_SECTION}(?:之?间)的?{_road('road')}(?:路?段)?",
        rf"{_AREA}{_road('road')}{_SECTION}{_AND}?{_road('crossing')}{_SECTION}{_JUNCTION}{_OFFSET}",
        rf"{_AREA}{_road('road')}{_SECTION}(?:×|x|✕|\*|/){_road('crossing')}{_SECTION}{_OFFSET}",
        rf"{_AREA}{_road('road')}(?P<section>{_SECTION})(?P<number>\d+(?:-\d+)*)号(?:{_OFFSET}|(?P<rest>.+))",
        rf"{_AREA}{_road('road')}(?P<section>{_SECTION})(?P<near>附近|旁边?|一带|沿线|沿街|两侧|全线|全段)?",
    )
)
_SAME_DOOR = re.compile(r"(?:院内?|院落|门市房?|门面房?|底商|\d+层|\d+楼|\d+室|(?:\d+号)?楼)+")


def parse_address(text: str, *, home: Sequence[str] = HOME) -> Address | None:
    """Return the parts of an address, or None if the text is not one that begins with a road.

    Parameters
    ----------
    text
        As a source writes it: 中华大街与新华路交叉口西50米, 永寿胡同58-2号, 武圣路（新华路与民主路之间） ...
    home
        Official names to drop from the front, largest first.
    """
    plain = normalise_name(text, home=home)
    if len(plain) > 60:
        return None
    for form in _FORMS:
        found = form.fullmatch(plain)
        if found:
            return _address({name: value or "" for name, value in found.groupdict().items()})
    return None


def _address(part: dict[str, str]) -> Address:
    far = float(part["far"]) if part.get("far") else None
    if far is not None and part["unit"] in ("公里", "km"):
        far *= 1000
    rest = part.get("rest", "")
    return Address(
        road=part["road"],
        section=part.get("section", ""),
        number=part.get("number", ""),
        crossing=part.get("crossing", ""),
        between=tuple(filter(None, (part.get("a"), part.get("b") or part.get("c")))),
        direction=part.get("way", "").removeprefix("正"),
        distance_m=far,
        nearby=bool(part.get("near")),
        street=part.get("street", ""),
        rest="" if _SAME_DOOR.fullmatch(rest) else rest,
    )


# --- where that is ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class KnownRoad:
    """A road with its line (EPSG:4326, lon-lat); a sketch is a straight line between points that are known."""

    name: str
    line: shapely.Geometry
    uncertainty_m: float | None = None
    sketch: bool = False


@dataclass(frozen=True, slots=True)
class KnownDoor:
    """A door number with its point (EPSG:4326, lon-lat)."""

    name: str
    address: Address
    point: shapely.Point
    precision: str
    uncertainty_m: float | None = None


@dataclass(frozen=True, slots=True)
class Spot:
    """Where an address is, as well as it can be known; `geometry` is EPSG:4326, lon-lat.

    `score` is that of the app's accept rule (0 to 100), `reason` says why it is not to be used without a person
    ("" if it may), `note` how it was found, in words.
    """

    name: str
    geometry: shapely.Geometry | None
    precision: str
    uncertainty_m: float | None
    score: float
    reason: str
    note: str
    sketch: bool = False


def resolve_address(
    address: Address, roads: Sequence[KnownRoad], doors: Sequence[KnownDoor]
) -> Spot | None:
    """Return where an address is, or None if nothing is known of its roads.

    Parameters
    ----------
    address
        What `parse_address` made of the text.
    roads
        The known lines; those of other roads make no difference.
    doors
        The known door numbers; those on other roads make no difference.
    """
    named = (address.road, address.crossing, *address.between)
    lines = [road for road in roads if road.name in named]
    if address.crossing:
        return _at_crossing(address, lines)
    if address.between:
        return _stretch(address, lines)
    return _on_road(address, lines, [door for door in doors if _same_road(door.address, address)])


def _same_road(one: Address, other: Address) -> bool:
    return one.road == other.road and one.section == other.section and bool(one.number)


# A door, a road ---------------------------------------------------------------------------------------


def _on_road(
    address: Address, lines: Sequence[KnownRoad], doors: Sequence[KnownDoor]
) -> Spot | None:
    """Return the road of a door number: its line, or else its nearest known door and how far the road is known."""
    door = next((door for door in doors if door.address.number == address.number), None)
    if door is not None:
        return _known_door(door, address)
    line = min(lines, key=lambda road: road.sketch, default=None)
    if line is not None and not (line.sketch and doors and address.number):
        what = "门牌的位置未知，只知在这条路上" if address.number else "只写了路名"
        what += "；线为示意" if line.sketch else ""
        score = 70.0 if line.sketch else 80.0
        return _to_confirm(line.name, line.line, line.uncertainty_m, score, what, line.sketch)
    if not doors or not address.number:
        return None
    near = min(doors, key=lambda door: abs(_first(door.address.number) - _first(address.number)))
    others = [door.point for door in doors if door is not near] + [road.line for road in lines]
    reach = max((_farthest_m(near.point, other) for other in others), default=None)
    within = None if reach is None else _sum(reach, near.uncertainty_m)
    what = f"门牌 {address.number}号的位置未知；这条路上已知的最近门牌是“{near.name}”"
    what += "，误差为已知路段的长度" if within is not None else "，误差未知"
    return _to_confirm(near.name, near.point, within, 80.0, what)


def _known_door(door: KnownDoor, address: Address) -> Spot:
    """Return a known door for a writing that says more or less than the known one."""
    vague = address.nearby or address.direction
    within = _sum(door.uncertainty_m, (address.distance_m or NEARBY_M) if vague else 0.0)
    precision = max(door.precision, Precision.ROAD, key=PRECISIONS.index)
    note = f"门牌与“{door.name}”相同，其余写法不同"
    return Spot(door.name, door.point, precision, within, 88.0, Reason.TO_CONFIRM, note)


def _to_confirm(
    name: str,
    geometry: shapely.Geometry | None,
    within: float | None,
    score: float,
    note: str,
    sketch: bool = False,
) -> Spot:
    return Spot(name, geometry, Precision.ROAD, within, score, Reason.TO_CONFIRM, note, sketch)


def _first(number: str) -> int:
    return int(number.partition("-")[0])


# A crossing -------------------------------------------------------------------------------------------


def _at_crossing(address: Address, lines: Sequence[KnownRoad]) -> Spot | None:
    name = f"{address.road}与{address.crossing}交叉口"
    found = _meet(name, address.road, address.crossing, lines)
    if found is None or not isinstance(found.geometry, shapely.Point):
        return found
    if address.distance_m is None:
        return _beside(found, address) if address.direction or address.nearby else found
    return _along(found, found.geometry, address, lines)


def _meet(name: str, one: str, other: str, lines: Sequence[KnownRoad]) -> Spot | None:
    """Return where two roads cross, or why that is not known; None if neither has a line."""
    pair = [_line_of(one, lines), _line_of(other, lines)]
    if pair == [None, None]:
        return None
    known = [road for road in pair if road is not None and not road.sketch]
    if len(known) < 2:
        missing = "、".join(
            road for road, line in zip((one, other), pair, strict=True) if line not in known
        )
        return _nowhere(name, Reason.NO_COORDINATE, f"{missing}没有真实的线形，不能求交叉口")
    spots, gap = _crossings(known[0].line, known[1].line)
    if not len(spots):
        return _nowhere(name, Reason.NO_COORDINATE, f"{one}与{other}的已知线形不相交")
    middle = spots.mean(axis=0)
    spread = float(np.hypot(*(spots - middle).T).max())
    if spread > JUNCTION_M / 2:
        note = f"{one}与{other}有不止一个交叉口（{len(spots)} 处）"
        return _nowhere(name, Reason.AMBIGUOUS, note)
    stated = _worst(known)
    within = None if stated is None else max(stated + spread + gap, _CROSSING_M)
    pin = within is not None and within <= _PIN_M
    point = Plane(known[0].line).back(shapely.Point(middle))
    precision = Precision.INTERSECTION if pin else Precision.ROAD
    note = "由两条已知道路的线形求得"
    return Spot(name, point, precision, within, 95.0, Reason.FOUND, note)


def _worst(parts: Sequence[KnownRoad] | Sequence[Spot]) -> float | None:
    """Return the largest uncertainty of some parts in metres, None if one of them is not known."""
    stated = [part.uncertainty_m for part in parts if part.uncertainty_m is not None]
    return max(stated) if len(stated) == len(parts) else None


def _line_of(name: str, lines: Sequence[KnownRoad]) -> KnownRoad | None:
    """Return the one line of a road: several rows of one name are its parts."""
    parts = [road for road in lines if road.name == name]
    real = [road for road in parts if not road.sketch] or parts
    if not real:
        return None
    line = shapely.line_merge(shapely.union_all([road.line for road in real]))
    return KnownRoad(name, line, _worst(real), real[0].sketch)


def _crossings(one: shapely.Geometry, other: shapely.Geometry) -> tuple[_Floats, float]:
    """Return where two lines meet, in metres on the plane of the first, n × 2, and the gap between them."""
    plane = Plane(one)
    first, second = plane.flat(one), plane.flat(other)
    gap = float(shapely.distance(first, second))
    if gap > GAP_M:
        return np.empty((0, 2)), gap
    if gap > 0:
        return shapely.get_coordinates(shapely.shortest_line(first, second)).mean(axis=0)[None], gap
    # Where they run together, both ends count: a long common stretch is no crossing.
    return shapely.get_coordinates(shapely.intersection(first, second)), 0.0


def _beside(found: Spot, address: Address) -> Spot:
    """Return a crossing for an address that is near it, nobody says how near."""
    within = _sum(found.uncertainty_m, NEARBY_M)
    note = f"{found.note}；只写了“{address.direction or '附近'}”，没有写距离"
    return _to_confirm(found.name, found.geometry, within, 85.0, note)


_BEARINGS = {
    way: 45.0 * n for n, way in enumerate("北 东北 东 东南 南 西南 西 西北".split())
}  # degrees east of north
_TURN = 45.0  # a road that leaves a crossing within this of 西 goes west


def _along(found: Spot, start: shapely.Point, address: Address, lines: Sequence[KnownRoad]) -> Spot:
    """Return the spot so many metres from a crossing, along the road that goes that way."""
    far, way = address.distance_m or 0.0, _BEARINGS[address.direction]
    name = f"{found.name}{address.direction}{far:g}米"
    arms = [
        arm
        for road in (address.road, address.crossing)
        if (line := _line_of(road, lines)) is not None
        for arm in _walk(line.line, start, far)
    ]
    turns = [abs((bearing - way + 180) % 360 - 180) for bearing, _ in arms]
    if not arms or min(turns) > _TURN or far > _FARTHEST_M:
        within = _sum(found.uncertainty_m, far)
        note = f"{found.note}；没有一条已知的路从交叉口向{address.direction}走 {far:g} 米"
        return _to_confirm(found.name, start, within, 85.0, note)
    point = arms[turns.index(min(turns))][1]
    # People pace or guess a distance: a quarter of it may be wrong.
    within = _sum(found.uncertainty_m, far / 4)
    note = f"{found.note}，再沿路向{address.direction} {far:g} 米"
    return Spot(name, point, Precision.ROAD, within, 92.0, Reason.FOUND, note)


def _walk(
    line: shapely.Geometry, start: shapely.Point, far: float
) -> list[tuple[float, shapely.Point]]:
    """Return bearing (degrees east of north) and point of both ends of a walk along a line, if it is that long."""
    plane = Plane(line)
    origin = shapely.Point(shapely.get_coordinates(plane.flat(start))[0])
    parts = shapely.get_parts(plane.flat(line))
    flat = parts[int(np.argmin(shapely.distance(parts, origin)))]
    at = float(shapely.line_locate_point(flat, origin))
    ends = [at + step for step in (far, -far) if 0 <= at + step <= flat.length]
    points = [shapely.line_interpolate_point(flat, end) for end in ends]
    return [
        (
            math.degrees(math.atan2(point.x - origin.x, point.y - origin.y)),
            plane.back(point),
        )
        for point in points
    ]


# A stretch --------------------------------------------------------------------------------------------


def _stretch(address: Address, lines: Sequence[KnownRoad]) -> Spot | None:
    """Return the part of a road between two others, or why it is not known."""
    first, last = address.between
    name = f"{address.road}（{first}至{last}）"
    ends = [_meet(name, address.road, road, lines) for road in address.between]
    if ends == [None, None]:
        return None
    known = [end for end in ends if end is not None and end.geometry is not None]
    if len(known) < 2:
        unknown = next((end for end in ends if end is not None and end.geometry is None), None)
        return unknown or _nowhere(name, Reason.NO_COORDINATE, f"{first}或{last}没有线形")
    named = [_line_of(one, lines) for one in (address.road, *address.between)]
    stretch = cut_road(*(road.line for road in named if road is not None))
    if stretch.line is None:
        return _nowhere(name, stretch.reason, f"{address.road}：{stretch.note}")
    note = "按两端交叉口截取道路的一段"
    return Spot(name, stretch.line, Precision.ROAD, _worst(known), 95.0, Reason.FOUND, note)


# --- on the ground ------------------------------------------------------------------------------------


def _nowhere(name: str, reason: str, note: str) -> Spot:
    return Spot(name, None, Precision.NONE, None, 0.0, reason, note)


def _sum(one: float | None, other: float | None) -> float | None:
    """Return the sum of two uncertainties, unknown if one is."""
    return None if one is None or other is None else one + other


def _farthest_m(point: shapely.Point, shape: shapely.Geometry) -> float:
    plane = Plane(point)
    here = shapely.get_coordinates(plane.flat(point))[0]
    return float(np.hypot(*(shapely.get_coordinates(plane.flat(shape)) - here).T).max())
