"""OSM extracts that the tests write themselves: by hand, node by node, or a whole made-up city."""

import math
import random
from dataclasses import dataclass, field
from pathlib import Path
from xml.sax.saxutils import quoteattr

import osmium
import osmium.osm.mutable as mutable
import shapely

from geo.locate.stretch import Plane

WEST, SOUTH, EAST, NORTH = CITY_BBOX = (123.13, 41.24, 123.21, 41.30)
DAY = "2026-09-30"
_METRE_LAT = 1 / 111_195
_METRE_LON = _METRE_LAT / math.cos(math.radians(41.27))


@dataclass
class Extract:
    """What goes into an extract: positions are (lon, lat) in degrees."""

    nodes: list[tuple[int, float, float, dict[str, str]]] = field(default_factory=list)
    ways: list[tuple[int, list[int], dict[str, str]]] = field(default_factory=list)
    relations: list[tuple[int, list[tuple[str, int, str]], dict[str, str]]] = field(
        default_factory=list
    )
    _known: dict[tuple[float, float], int] = field(default_factory=dict)

    def node(self, lon: float, lat: float, **tags: str) -> int:
        """Return a node's id; one position without tags is one node, so that roads share junctions."""
        at = (round(lon, 7), round(lat, 7))
        if not tags and at in self._known:
            return self._known[at]
        self.nodes.append((len(self.nodes) + 1, *at, tags))
        if not tags:
            self._known[at] = len(self.nodes)
        return len(self.nodes)

    def way(self, points: list[tuple[float, float]], **tags: str) -> int:
        self.ways.append((len(self.ways) + 1, [self.node(*p) for p in points], _keys(tags)))
        return len(self.ways)

    def area(self, ring: list[tuple[float, float]], **tags: str) -> int:
        return self.way([*ring, ring[0]], **tags)

    def relation(self, members: list[tuple[str, int, str]], **tags: str) -> int:
        self.relations.append((len(self.relations) + 1, members, _keys(tags)))
        return len(self.relations)

    def write(self, path: Path) -> Path:
        """Write as .osm or .osm.pbf, by the ending."""
        path.unlink(missing_ok=True)
        return self._write_xml(path) if path.suffix == ".osm" else self._write_pbf(path)

    def _write_pbf(self, path: Path) -> Path:
        header = osmium.io.Header()
        header.set("osmosis_replication_timestamp", f"{DAY}T20:21:22Z")
        with osmium.SimpleWriter(str(path), header=header) as writer:
            for number, lon, lat, tags in self.nodes:
                writer.add_node(mutable.Node(id=number, location=(lon, lat), tags=tags))
            for number, refs, tags in self.ways:
                writer.add_way(mutable.Way(id=number, nodes=refs, tags=tags))
            for number, members, tags in self.relations:
                short = [(what[0], ref, role) for what, ref, role in members]
                writer.add_relation(mutable.Relation(id=number, members=short, tags=tags))
        return path

    def _write_xml(self, path: Path) -> Path:
        parts = ['<?xml version="1.0" encoding="UTF-8"?>\n<osm version="0.6">\n']
        for number, lon, lat, tags in self.nodes:
            parts.append(f'<node id="{number}" lon="{lon}" lat="{lat}">{_tags(tags)}</node>\n')
        for number, refs, tags in self.ways:
            inner = "".join(f'<nd ref="{ref}"/>' for ref in refs)
            parts.append(f'<way id="{number}">{inner}{_tags(tags)}</way>\n')
        for number, members, tags in self.relations:
            inner = "".join(
                f'<member type="{what}" ref="{ref}" role="{role}"/>' for what, ref, role in members
            )
            parts.append(f'<relation id="{number}">{inner}{_tags(tags)}</relation>\n')
        path.write_text("".join([*parts, "</osm>\n"]), encoding="utf-8")
        return path


def _keys(tags: dict[str, str]) -> dict[str, str]:
    """Return tags with `name__zh` as name:zh."""
    return {key.replace("__", ":"): value for key, value in tags.items()}


def _tags(tags: dict[str, str]) -> str:
    return "".join(f"<tag k={quoteattr(k)} v={quoteattr(v)}/>" for k, v in tags.items())


def at(east_m: float, north_m: float) -> tuple[float, float]:
    """Return the (lon, lat) so many metres from the middle of the made-up city."""
    return 123.17 + east_m * _METRE_LON, 41.27 + north_m * _METRE_LAT


# --- a small town, by hand ----------------------------------------------------------------------------


def small_town() -> Extract:
    """A main road in three segments with two carriageways, crossed by three streets; places of every class."""
    town = Extract()
    for side, shift in (("南", -10), ("北", 10)):
        for west, east in ((-900, -300), (-300, 300), (300, 900)):
            line = [at(west, shift), at(east, shift)]
            tags = {"highway": "primary", "name": "中华大街", "oneway": "yes"}
            town.way(line if side == "南" else line[::-1], **tags, old_name="旧中华街;斯大林大街")
    for east, name in ((-500, "新华路"), (0, "民主路"), (500, "团结街")):
        town.way([at(east, n) for n in (-600, -10, 10, 600)], highway="tertiary", name=name)
    town.way([at(-900, 500), at(900, 500)], highway="residential")
    town.way([at(-900, 400), at(900, 400)], highway="construction", name="未来路")
    # The same name far away is another road.
    town.way([at(-500, -2600), at(-500, -2000)], highway="residential", name="新华路")
    town.node(*at(-420, 80), name="样例商店", shop="supermarket")
    town.node(*at(-400, 60), name="样例小学", amenity="school")
    town.area(
        [at(-420, 40), at(-380, 40), at(-380, 80), at(-420, 80)], building="school", name="样例小学"
    )
    town.node(*at(200, -200), name="样例社区", place="neighbourhood")
    town.node(*at(210, -210), name="样例公交站", highway="bus_stop")
    town.node(*at(0, 0), name="样例市", place="city")
    ring = [at(-1000, -800), at(1000, -800), at(1000, 800), at(-1000, 800)]
    border = town.way([*ring, ring[0]])
    town.relation(
        [("way", border, "outer")],
        type="boundary", boundary="administrative", admin_level="8", name="样例街道",
    )  # fmt: skip
    return town


# --- a whole city, made up ------------------------------------------------------------------------------

_FIRST = "文 武 建 新 民 团 光 青 和 胜 永 福 安 东 西 南 北 育 德 兴".split()
_SECOND = "化 圣 设 华 主 结 明 年 平 利 寿 康 顺 风 苑 泉 才 文 业 隆".split()


def city(seed: int = 7, half_m: int = 3000) -> Extract:
    """A made-up city of some square kilometres: streets on a bent grid, a river, a railway, parks, names."""
    dice = random.Random(seed)
    town = Extract()
    names = [f"{a}{b}" for a in _FIRST for b in _SECOND]
    dice.shuffle(names)
    steps = range(-half_m, half_m + 1, 250)
    for upright in (False, True):
        for offset in steps:
            _street(town, dice, offset, steps, names.pop(), upright)
    _water(town, half_m)
    _railway(town, half_m)
    for n in range(18):
        x, y = (dice.randrange(-half_m + 200, half_m - 400, 250) + 20 for _ in range(2))
        w, h = (dice.choice((190, 210, 450)) for _ in range(2))
        ring = [at(*bend(*p)) for p in ((x, y), (x + w, y), (x + w, y + h), (x, y + h))]
        if n < 6:
            town.area(ring, leisure="park", name=names.pop() + "公园")
        else:
            town.area(ring, landuse="residential", name=names.pop() + "小区")
    for _ in range(120):
        x, y = (dice.uniform(-half_m, half_m) for _ in range(2))
        town.node(*at(x, y), name=names[dice.randrange(len(names))] + "商店", shop="yes")
    for x in range(-2000, 2001, 1333):
        for y in range(-2000, 2001, 1333):
            town.node(*at(x + 90, y + 60), place="neighbourhood", name=names.pop() + "社区")
    town.node(*at(150, 350), place="city", name="样例市")
    for n, (x, y) in enumerate(((-1700, 900), (1200, 1500), (-900, -1600), (1500, -1500))):
        town.node(*at(x, y), place="suburb", name=f"样例{'甲乙丙丁'[n]}街道")
    return town


def bend(x: float, y: float) -> tuple[float, float]:
    """Return where a point of the straight grid lies in a city that is not quite straight."""
    return (
        x + 120 * math.sin(y / 1700) + 0.06 * y,
        y + 90 * math.sin(x / 1400) - 0.06 * x,
    )


def _street(
    town: Extract, dice: random.Random, offset: int, steps: range, name: str, upright: bool
) -> None:
    if offset % 1000 == 0:
        rank = "trunk" if abs(offset) == 3000 else "primary" if offset % 2000 == 0 else "secondary"
    else:
        rank = "tertiary" if offset % 500 == 0 else "residential"
    name += "大街" if rank in ("primary", "trunk") else "路" if upright else "街"
    for shift in (-9, 9) if rank in ("primary", "trunk") else (0,):
        run: list[tuple[float, float]] = []
        for along in steps:
            point = (offset + shift, along) if upright else (along, offset + shift)
            run.append(at(*bend(*point)))
            # A small street has gaps; a large one is cut into ways here and there.
            hole = rank == "residential" and dice.random() < 0.25
            if len(run) > 1 and (hole or dice.random() < 0.3 or along == steps[-1]):
                tags = {"highway": rank}
                if rank != "residential" or dice.random() < 0.6:
                    tags["name"] = name
                town.way(run, **tags)
                run = [] if hole else [run[-1]]


def _water(town: Extract, half_m: int) -> None:
    middle = [(x, -700 + 500 * math.sin(x / 1100)) for x in range(-half_m, half_m + 1, 100)]
    width = [70 + 30 * math.sin(x / 600) for x, _ in middle]
    upper = [at(x, y + w) for (x, y), w in zip(middle, width, strict=True)]
    lower = [at(x, y - w) for (x, y), w in zip(middle, width, strict=True)]
    town.area([*upper, *lower[::-1]], natural="water", name="样例河")
    town.way([at(x, y) for x, y in middle], waterway="river", name="样例河")
    circle = [(math.cos(a / 12 * math.pi), math.sin(a / 12 * math.pi)) for a in range(24)]
    outer = [at(900 + 260 * c, 1200 + 180 * s) for c, s in circle]
    inner = [at(900 + 60 * c, 1200 + 45 * s) for c, s in circle]
    lake = town.way([*outer, outer[0]])
    island = town.way([*inner, inner[0]])
    members = [("way", lake, "outer"), ("way", island, "inner")]
    town.relation(members, type="multipolygon", natural="water", name="样例湖")
    town.way([at(-half_m, 2300), at(-800, 1900), at(900, 1380)], waterway="stream", name="样例渠")


def _railway(town: Extract, half_m: int) -> None:
    for shift in (0, 14):
        line = [at(-2300 + shift + y * 0.25, y) for y in range(-half_m, half_m + 1, 300)]
        town.way(line, railway="rail", name="样例铁路")
    town.node(*at(-2290, 0), railway="station", name="样例站")


# --- roads by metres around the middle ---------------------------------------------------------------


def line(*metres):
    """A line through places in metres east and north of the middle (EPSG:4326, lon-lat)."""
    return shapely.LineString([at(*xy) for xy in metres])


def street(east):
    """A street to the north and south, so many metres east of the middle."""
    return line((east, -300), (east, 300))


def metres(shape):
    """The length of a shape in metres."""
    return shapely.length(Plane(shape).flat(shape))


MAIN = line((-2000, 0), (2000, 0))
