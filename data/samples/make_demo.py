"""Write the two fictitious demo tables beside this file, byte for byte the same every time.

    python data/samples/make_demo.py

Everything here is invented: no enterprise, project or road of these tables exists. Positions are
drawn inside the outline of 白塔区 so that the map looks like a town: shops along a few axes, parcels
in two parks, corner shops in neighbourhoods. The town is laid out in metres along (u) and up (v) a
street grid turned by 12 degrees, and becomes WGS84 at the end.
"""

from __future__ import annotations

import csv
import math
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TypeVar

import GeoToolCN
import shapely
from GeoToolCN._gtc import GTCData

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))  # run as a script, this file finds the repo's geo/

from geo.locate.datum import from_wgs84  # noqa: E402

SEED = 20200311
DATES = ("2020-03-11", "2020-03-18")
COLUMNS = (
    "site_id kind name status as_of place street source_file source_where "
    "x y datum precision uncertainty_m path note fictitious"
).split()
SOURCE = "演示数据（虚构）"
N_ENTERPRISES = 600
COARSE = ("road", "road", "road", "community", "community", "street")

CENTRE = (123.1725, 41.2635)
TURN = math.radians(12)
M_PER_DEG_LAT = 111_060.0
M_PER_DEG_LON = M_PER_DEG_LAT * math.cos(math.radians(CENTRE[1]))
MARGIN_M = 70.0

UV = tuple[float, float]
T = TypeVar("T")


# --- chance: only random() is promised to stay the same between Python versions -------------------

_rng = random.Random()


def between(low: float, high: float) -> float:
    """Return a number from `low` up to `high`."""
    return low + (high - low) * _rng.random()


def one_of(items: Sequence[T]) -> T:
    """Return one of the items, each as likely."""
    return items[int(_rng.random() * len(items))]


def weighted(weights: dict[str, float]) -> str:
    """Return a key, as likely as its weight says."""
    left = _rng.random() * sum(weights.values())
    for key, weight in weights.items():
        left -= weight
        if left < 0:
            return key
    return key


def shuffled(items: Sequence[T]) -> list[T]:
    """Return the items in a random order."""
    return [item for _, item in sorted((_rng.random(), item) for item in items)]


# --- the town -------------------------------------------------------------------------------------


@cache
def outline() -> shapely.Polygon:
    """Return the outline of 白塔区 (adcode 211002) in WGS84, from the package geotool-cn."""
    data = GTCData(str(Path(GeoToolCN.__file__).parent / "data" / "china.full.gtc"))
    _, polygons = data.geometry(data.index_of("211002"))
    xs, ys = polygons[0][0]
    return shapely.Polygon([(x / data.scale, y / data.scale) for x, y in zip(xs, ys, strict=True)])


@cache
def outline_uv() -> shapely.Polygon:
    """Return the outline in the town's own metres."""
    return shapely.Polygon([to_uv(*point) for point in outline().exterior.coords])


def to_uv(lon: float, lat: float) -> UV:
    """Return metres along the turned grid for a WGS84 point."""
    east, north = (lon - CENTRE[0]) * M_PER_DEG_LON, (lat - CENTRE[1]) * M_PER_DEG_LAT
    return (
        east * math.cos(TURN) - north * math.sin(TURN),
        east * math.sin(TURN) + north * math.cos(TURN),
    )


def to_lonlat(u: float, v: float) -> tuple[float, float]:
    """Return WGS84 degrees for a point of the town."""
    east = u * math.cos(TURN) + v * math.sin(TURN)
    north = v * math.cos(TURN) - u * math.sin(TURN)
    return CENTRE[0] + east / M_PER_DEG_LON, CENTRE[1] + north / M_PER_DEG_LAT


def is_inside(u: float, v: float) -> bool:
    """Return whether a point is in the district and clear of its edge."""
    point = shapely.Point(u, v)
    return outline_uv().contains(point) and outline_uv().exterior.distance(point) > MARGIN_M


def subdistrict(u: float, v: float) -> str:
    """Return the current subdistrict by rough quadrants: not the real borders."""
    if v > 1100:
        return "襄平街道"
    if u > 600:
        return "文圣街道"
    return "武圣街道" if v > -850 else "南门街道"


STREET_CENTRES = {
    "襄平街道": (600.0, 2000.0),
    "文圣街道": (1800.0, -350.0),
    "武圣街道": (-850.0, 200.0),
    "南门街道": (-700.0, -1900.0),
}
# Families of roads: name, whether it runs along v (北南) or u, where it lies, from where to where.
ROADS = (
    ("甲", True, -2500, -2350, -700),
    ("甲", True, -1800, -2700, 350),
    ("甲", True, -1150, -2300, 1500),
    ("甲", True, -450, -2700, 2300),
    ("甲", True, 180, -2300, 2600),
    ("甲", True, 850, -1900, 2400),
    ("甲", True, 1500, -1700, 2000),
    ("甲", True, 2200, -1500, 1300),
    ("甲", True, 2900, -1300, 900),
    ("乙", False, -2400, -2700, -250),
    ("乙", False, -1850, -2700, 600),
    ("乙", False, -1150, -2600, 1800),
    ("乙", False, -550, -2200, 2900),
    ("乙", False, 60, -2000, 3200),
    ("乙", False, 620, -1700, 2800),
    ("乙", False, 1180, -1400, 2300),
    ("乙", False, 1780, -900, 2000),
    ("乙", False, 2350, -100, 1600),
    ("丙", False, -2130, -2400, -1250),
    ("丙", False, -1500, -2400, -1250),
    ("丙", True, -2150, -2350, -1200),
    ("丙", True, 510, -430, 620),
    ("丙", False, 340, -300, 800),
    ("丙", True, 2550, -850, 250),
    ("丙", False, -250, 1650, 2850),
)


@dataclass(frozen=True)
class Road:
    """One invented road: its name and its line in the town's metres."""

    name: str
    family: str
    line: shapely.LineString


@cache
def roads() -> tuple[Road, ...]:
    """Return the demo roads, clipped to the district."""
    count: dict[str, int] = {}
    made = []
    for family, along_v, at, start, stop in ROADS:
        count[family] = count.get(family, 0) + 1
        line = shapely.LineString(_road_points(along_v, at, start, stop))
        made.append(Road(f"演示路 {family}-{count[family]:02d}", family, line))
    return tuple(made)


def _road_points(along_v: bool, at: float, start: float, stop: float) -> list[UV]:
    """Return the longest stretch of a gently bending road that stays inside the district."""
    bend, phase = between(10, 26), between(0, 2 * math.pi)
    runs: list[list[UV]] = [[]]
    for step in range(int((stop - start) / 30) + 1):
        along = start + 30 * step
        across = at + bend * math.sin(along / 700 + phase)
        point = (across, along) if along_v else (along, across)
        if is_inside(*point):
            runs[-1].append(point)
        elif runs[-1]:
            runs.append([])
    longest = max(runs, key=len)
    return [*longest[:-1:6], longest[-1]]


def beside(road: Road, metres: float, offset_m: float) -> UV:
    """Return the point beside a road, some metres along it, on its left if `offset_m` is positive."""
    here, there = road.line.interpolate(metres), road.line.interpolate(metres + 1)
    if here.equals(there):
        here = road.line.interpolate(metres - 1)
    du, dv = there.x - here.x, there.y - here.y
    length = math.hypot(du, dv)
    return here.x - dv / length * offset_m, here.y + du / length * offset_m


def address(u: float, v: float) -> str:
    """Return an invented address: the nearest demo road and a number along it."""
    point = shapely.Point(u, v)
    road = min(roads(), key=lambda road: road.line.distance(point))
    return f"{road.name} {1 + int(road.line.project(point) / 5)}号"


# --- where things stand ---------------------------------------------------------------------------

AXES = (("演示路 甲-04", 5), ("演示路 乙-05", 5), ("演示路 甲-06", 3), ("演示路 乙-07", 2))
PARKS = ((-2460.0, -2370.0, 10, 11), (1560.0, -1130.0, 10, 9))  # corner, parcels across and up
PARCEL_M = (130.0, 108.0)
NEIGHBOURHOODS = (
    (-1480.0, -250.0),
    (-800.0, 330.0),
    (-820.0, 880.0),
    (-820.0, 1480.0),
    (-150.0, 1480.0),
    (520.0, 1480.0),
    (1180.0, 2060.0),
    (520.0, -850.0),
    (1180.0, 340.0),
    (1850.0, 900.0),
    (-800.0, -1500.0),
    (-130.0, -1500.0),
    (-80.0, -2120.0),
    (1180.0, -1430.0),
    (2550.0, 420.0),
    (520.0, 2080.0),
    (-150.0, 2080.0),
)


def place_shop() -> UV:
    """Return a shop front on one of the axes, denser towards the middle of the axis."""
    name = weighted(dict(AXES))
    road = next(road for road in roads() if road.name == name)
    middle = (_rng.random() + _rng.random() + _rng.random()) / 3
    side = one_of((-1, 1))
    return beside(road, middle * road.line.length, side * between(18, 48))


def place_parcel() -> UV:
    """Return a point near the middle of a parcel in one of the two parks."""
    u0, v0, across, up = PARKS[0] if _rng.random() < 0.65 else PARKS[1]
    column, row = int(_rng.random() * across), int(_rng.random() * up)
    return (
        u0 + PARCEL_M[0] * (column + 0.5) + between(-14, 14),
        v0 + PARCEL_M[1] * (row + 0.5) + between(-12, 12),
    )


def place_corner() -> UV:
    """Return a corner shop within a neighbourhood."""
    u, v = one_of(NEIGHBOURHOODS)
    angle, far = between(0, 2 * math.pi), 230 * math.sqrt(_rng.random())
    return u + far * math.cos(angle), v + far * math.sin(angle)


def place_anywhere() -> UV:
    """Return a place beside any of the roads."""
    road = one_of(roads())
    return beside(road, between(0.05, 0.95) * road.line.length, one_of((-1, 1)) * between(25, 90))


def free_spot(place: Callable[[], UV], taken: list[UV], apart_m: float) -> UV:
    """Return a place inside the district that keeps its distance from those taken, and take it."""
    while True:
        u, v = place()
        if is_inside(u, v) and all(math.dist((u, v), other) >= apart_m for other in taken):
            taken.append((u, v))
            return u, v


# --- what stands there ----------------------------------------------------------------------------

BRANDS = "白塔 云杉 青禾 远帆 晨星 松涛 金穗 恒石 明渠 百川 新棉 北林 安澜 长桥".split()
TRADES = {
    "park": (
        "精密机械 电气设备 汽车零部件 金属制品 包装材料 新型建材 工业皮革 印刷 仪器仪表 食品加工"
    ).split(),
    "axis": "商贸 百货 酒店管理 餐饮服务 图书文化 家电销售 旅行社 通讯器材 服装 会计服务".split(),
    "corner": "便民超市 药房 家政服务 五金建材 汽车维修 洗涤服务 理发店 粮油店".split(),
}
FORMS = {"park": ("有限公司", "厂", ""), "axis": ("有限公司", "店", ""), "corner": ("", "", "店")}
SPOTS = {"park": place_parcel, "axis": place_shop, "corner": place_corner, "any": place_anywhere}
APART_M = {"park": 55.0, "axis": 13.0, "corner": 16.0, "any": 45.0}
FIRST_STATUS = {
    "park": {"resumed": 72, "partial": 15, "stopped": 8, "unverified": 5},
    "axis": {"resumed": 50, "partial": 21, "stopped": 23, "unverified": 6},
    "corner": {"resumed": 58, "partial": 15, "stopped": 18, "unverified": 9},
}
PROJECT_PLACES = "北园 南郊 东湖 西站 老城 河岸 中轴 科技园".split()
PROJECT_WORKS = (
    "智能仓储中心 数字产业园二期 标准厂房 养老服务中心 农贸市场改造 老旧小区改造 停车综合体 "
    "文化街区 冷链物流园 职业学校实训楼 商务楼 污水管网改造 体育公园"
).split()
PROJECT_STATUS = {
    "attracting": 6,
    "landing": 6,
    "starting": 7,
    "resuming": 7,
    "building": 8,
    "opening": 3,
    "open": 2,
    "unverified": 1,
}
ROAD_STATUS = {"planned": 10, "enforced": 9, "cleared": 4, "unverified": 2}
# A week later: what became of each status, in hundredths. A few step back, as they do.
PROGRESS = {
    "enterprise": {
        "resumed": {"resumed": 98.5, "partial": 1.5},
        "partial": {"resumed": 56, "partial": 42, "stopped": 2},
        "stopped": {"stopped": 52, "partial": 33, "resumed": 15},
        "unverified": {"unverified": 50, "resumed": 34, "stopped": 16},
    },
    "project": {
        "attracting": {"attracting": 85, "landing": 15},
        "landing": {"landing": 75, "starting": 25},
        "starting": {"starting": 65, "building": 35},
        "resuming": {"resuming": 40, "building": 60},
        "building": {"building": 95, "opening": 5},
        "opening": {"opening": 60, "open": 40},
        "open": {"open": 100},
        "unverified": {"unverified": 100},
    },
    "parking": {
        "planned": {"planned": 55, "enforced": 45},
        "enforced": {"enforced": 55, "cleared": 45},
        "cleared": {"cleared": 100},
        "unverified": {"unverified": 50, "planned": 50},
    },
}


@dataclass
class Demo:
    """One invented site: where it truly is, and the row that tells of it."""

    row: dict[str, str]
    uv: UV = (0.0, 0.0)
    statuses: list[str] = field(default_factory=list)


def make_enterprises(taken: list[UV]) -> Iterator[Demo]:
    """Yield the enterprises, numbered from 001."""
    for number in range(1, N_ENTERPRISES + 1):
        zone = weighted({"axis": 46, "park": 28, "corner": 26})
        u, v = free_spot(SPOTS[zone], taken, APART_M[zone])
        trade = one_of(BRANDS) + one_of(TRADES[zone]) + one_of(FORMS[zone])
        name = f"演示企业·{trade} {number:03d}"
        row = base_row(f"demo-ent-{number:03d}", "enterprise", name, (u, v))
        yield Demo(row, (u, v), [weighted(FIRST_STATUS[zone])])


def make_projects(taken: list[UV]) -> Iterator[Demo]:
    """Yield the projects, numbered from 01."""
    statuses = shuffled([status for status, n in PROJECT_STATUS.items() for _ in range(n)])
    for number, status in enumerate(statuses, start=1):
        zone = weighted({"any": 60, "park": 25, "corner": 15})
        u, v = free_spot(SPOTS[zone], taken, 70.0)
        name = f"演示项目·{one_of(PROJECT_PLACES)}{one_of(PROJECT_WORKS)} {number:02d}"
        yield Demo(base_row(f"demo-prj-{number:02d}", "project", name, (u, v)), (u, v), [status])


def make_roads() -> Iterator[Demo]:
    """Yield the roads, as lines."""
    statuses = shuffled([status for status, n in ROAD_STATUS.items() for _ in range(n)])
    for number, (road, status) in enumerate(zip(roads(), statuses, strict=True), start=1):
        middle = road.line.interpolate(0.5, normalized=True)
        row = base_row(f"demo-road-{number:02d}", "parking", road.name, (middle.x, middle.y))
        points = [to_lonlat(*point) for point in road.line.coords]
        row["place"] = road.name
        row["path"] = ";".join(f"{lon:.6f} {lat:.6f}" for lon, lat in points)
        row["datum"], row["precision"], row["uncertainty_m"] = "wgs84", "road", "20"
        yield Demo(row, (middle.x, middle.y), [status])


def base_row(site_id: str, kind: str, name: str, uv: UV) -> dict[str, str]:
    """Return a row without coordinates."""
    row = dict.fromkeys(COLUMNS, "")
    row |= {"site_id": site_id, "kind": kind, "name": name, "fictitious": "1"}
    return row | {"place": address(*uv), "street": subdistrict(*uv), "source_file": SOURCE}


# --- how exactly each is known --------------------------------------------------------------------


def set_coordinates(sites: Sequence[Demo]) -> None:
    """Give each site what a real table would have: mostly exact points, some coarse, some none."""
    order = shuffled(range(len(sites)))
    n_none, n_coarse = round(0.06 * len(sites)), round(0.12 * len(sites))
    for place, index in enumerate(order):
        if place < n_none:
            forget(sites[index])
        elif place < n_none + n_coarse:
            blur(sites[index], COARSE[place % len(COARSE)])
        else:
            pinpoint(sites[index], {0: "gcj02", 1: "bd09"}.get(place % 20, "wgs84"))


def forget(site: Demo) -> None:
    """Take away what would locate a site; half of them do not even say the subdistrict."""
    site.row["place"] = ""
    if _rng.random() < 0.5:
        site.row["street"] = ""


def blur(site: Demo, precision: str) -> None:
    """Give a site the point that stands for its road, neighbourhood or subdistrict."""
    point = shapely.Point(site.uv)
    if precision == "road":
        line = min((road.line for road in roads()), key=point.distance)
        on = line.interpolate(line.project(point))
        uv, low, high = (on.x, on.y), 100, 300
    elif precision == "community":
        uv, low, high = min(NEIGHBOURHOODS, key=lambda c: math.dist(c, site.uv)), 200, 450
    else:
        uv, low, high = STREET_CENTRES[subdistrict(*site.uv)], 600, 900
    site.row |= {"precision": precision, "uncertainty_m": str(10 * round(between(low, high) / 10))}
    write_point(site.row, uv, "wgs84")


def pinpoint(site: Demo, datum: str) -> None:
    """Give a site its own point, in a datum."""
    rooftop = _rng.random() < 0.35
    precision, metres = ("rooftop", "10") if rooftop else ("poi", one_of(("20", "30", "50")))
    site.row |= {"precision": precision, "uncertainty_m": metres}
    write_point(site.row, site.uv, datum)


def write_point(row: dict[str, str], uv: UV, datum: str) -> None:
    """Write a point of the town into a row, as numbers of a datum."""
    x, y = from_wgs84(*to_lonlat(*uv), datum)
    row |= {"x": f"{x:.6f}", "y": f"{y:.6f}", "datum": datum}


# --- the two files --------------------------------------------------------------------------------


def make_sites() -> list[Demo]:
    """Return all sites with their status on each date."""
    _rng.seed(SEED)
    roads.cache_clear()
    roads()  # first, so that their bends never depend on who asks
    taken: list[UV] = []
    points = [*make_enterprises(taken), *make_projects(taken)]
    set_coordinates(points)
    sites = [*points, *make_roads()]
    for site in sites:
        site.statuses.append(weighted(PROGRESS[site.row["kind"]][site.statuses[0]]))
    return sites


def write_demo(folder: Path = HERE) -> list[Path]:
    """Write one CSV per date into a folder and return their paths."""
    sites = make_sites()
    paths = []
    for number, day in enumerate(DATES):
        rows = [
            site.row | {"status": site.statuses[number], "as_of": day, "source_where": f"{day} 期"}
            for site in sites
        ]
        path = folder / f"demo_{day}.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        paths.append(path)
    return paths


if __name__ == "__main__":
    for written in write_demo():
        print(written.name)
