"""Where everything goes on a sheet: worked out once, then drawn as a picture or as a slide.

The map has the left of the sheet to itself; title, legend, scale, what is missing and the table stand beside it, so
that nothing ever covers a symbol. Positions are points from the top left corner (see `geo.export.frame`).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import shapely

from geo.category import Categories, Kind, Status
from geo.export.frame import Box, Frame, Preset, choose_frame
from geo.site import EXACT, is_located

MAX_NAMES = 25
"""Up to so many sites carry their names; more carry numbers, with a table beside the map."""
MAX_NUMBERS = 400
"""Above this numbers would cover the map: it has none, and the list of every site is the table export's."""
SHORT_SUFFIXES = ("股份有限公司", "有限责任公司", "有限公司")
UNLIT = "#d5dae0"
TABLE_SIZE, NAME_SIZE, NUMBER_SIZE = 7.5, 9.0, 6.5
SYMBOL_RADIUS = 6.0
CROWDS = ((60, 6.0), (300, 5.0), (1200, 4.0))
"""Symbols' radius in points by how many there are; more than the last get the smallest."""
SMALLEST_RADIUS = 2.8
ROW_HEIGHT = 1.42

Points = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Wording:
    """What is written on a sheet, in one language. `labels` are the fixed words by name."""

    title: str
    subtitle: str
    as_of: str
    source: str
    unit: str
    marking: str
    notice: str
    language: str
    labels: dict[str, str]


@dataclass(frozen=True, slots=True)
class Symbol:
    """A point site: its place, look and number; `radius` is its uncertainty in points, 0 if exact."""

    site_id: str
    name: str
    x: float
    y: float
    status: Status
    shape: str
    approximate: bool
    radius: float
    number: int


@dataclass(frozen=True, slots=True)
class Shape:
    """A line or area site: its parts as arrays of points, shape (n, 2)."""

    site_id: str
    name: str
    parts: tuple[Points, ...]
    status: Status
    area: bool
    dashed: bool
    number: int


@dataclass(frozen=True, slots=True)
class Label:
    """Words at a place: `box` is the room they take; `leader` runs from the symbol if they stand apart."""

    site_id: str
    text: str
    box: Box
    size: float
    leader: tuple[float, float, float, float] | None = None


@dataclass(frozen=True, slots=True)
class LegendRow:
    """A status with how many sites of it are on the map."""

    status: Status
    shape: str
    label: str
    count: int


@dataclass(frozen=True, slots=True)
class TableRow:
    """One line of the table beside the map; `number` is 0 for a site that is not on it."""

    number: int
    site_id: str
    name: str
    status: str
    street: str


@dataclass(frozen=True)
class Sheet:
    """One page, ready to be drawn.

    `on_map` and `missing` are the ids of all selected sites, each in one of the two, whatever page lists them.
    """

    preset: Preset
    frame: Frame
    wording: Wording
    outline: tuple[Points, ...]
    neighbours: tuple[Points, ...]
    symbols: tuple[Symbol, ...]
    shapes: tuple[Shape, ...]
    labels: tuple[Label, ...]
    dropped: tuple[str, ...]
    legend: tuple[tuple[str, tuple[LegendRow, ...]], ...]
    on_map: tuple[str, ...]
    missing: tuple[str, ...]
    rough: bool
    table: tuple[TableRow, ...]
    side: Box
    page: int = 1
    pages: int = 1
    rows_from: float = 0.0
    symbol_radius: float = SYMBOL_RADIUS
    lit: frozenset[str] = field(default_factory=frozenset)

    def look(self, status: Status) -> Status:
        """Return how a status is drawn on this page: in a series, grey unless it is the one that is lit."""
        if not self.lit or status.key in self.lit:
            return status
        return replace(status, fill=UNLIT, glyph="", hollow=False, dashed=False)


def lay_out(
    sites: gpd.GeoDataFrame,
    preset: Preset,
    wording: Wording,
    categories: Categories,
    *,
    outline: shapely.Geometry,
    neighbours: Sequence[shapely.Geometry] = (),
    bounds: tuple[float, float, float, float] | None = None,
) -> list[Sheet]:
    """Return the pages of a picture: the map with its furniture, then as many as the table needs.

    Parameters
    ----------
    sites
        The selection, a site table; located or not, every row ends up on the map or among the missing.
    preset
        The sheet.
    wording
        What is written on it.
    categories
        Kinds and statuses; the legend is in their order.
    outline, neighbours
        The district and what lies around it, EPSG:4326.
    bounds
        What to show, degrees, EPSG:4326; None shows all sites. Sites outside it are listed as missing.
    """
    side_width = max(178.0, preset.width * 0.235)
    header, footer = 46.0, 20.0
    map_box = Box(0, header, preset.width - side_width, preset.height - header - footer)
    side = Box(map_box.right, header, side_width, map_box.height)
    frame = choose_frame(sites, map_box, outline=outline, bounds=bounds)
    shown = _shown(sites, frame)
    numbers = _numbers(sites, shown, frame, categories)
    symbols = _symbols(sites, shown, frame, categories, numbers)
    shapes = _shapes(sites, shown, frame, categories, numbers)
    radius = next((size for limit, size in CROWDS if len(symbols) <= limit), SMALLEST_RADIUS)
    labels, dropped = _labels(symbols, shapes, map_box, radius)
    first = Sheet(
        preset=preset,
        frame=frame,
        wording=wording,
        outline=_rings(outline, frame),
        neighbours=tuple(ring for shape in neighbours for ring in _rings(shape, frame)),
        symbols=symbols,
        shapes=shapes,
        labels=labels,
        dropped=dropped,
        legend=_legend(sites[shown], categories, wording.language),
        on_map=tuple(sites["site_id"][shown]),
        missing=tuple(sites["site_id"][~shown]),
        rough=any(s.approximate for s in symbols)
        or any(s.dashed and not s.status.dashed for s in shapes),
        table=(),
        side=side,
        symbol_radius=radius,
    )
    return _with_table(first, _table_rows(sites, shown, numbers, categories, wording.language))


def _shown(sites: gpd.GeoDataFrame, frame: Frame) -> npt.NDArray[np.bool_]:
    """Return which rows are drawn: located, and a part of them inside the frame."""
    located = is_located(sites)
    shapes = sites.geometry.to_numpy()
    window = shapely.box(frame.box.x, frame.box.y, frame.box.right, frame.box.bottom)
    placed = shapely.transform(shapes[located], frame.to_sheet)
    inside = located.copy()
    inside[located] = shapely.intersects(placed, window)
    return inside


def _numbers(
    sites: gpd.GeoDataFrame,
    shown: npt.NDArray[np.bool_],
    frame: Frame,
    categories: Categories,
) -> dict[str, int]:
    """Number the sites on the map by category and then by name, so that a series keeps its numbers."""
    codes = (sites["kind"] + "." + sites["status"]).map(categories.codes)
    order = sites.assign(_code=codes)[shown].sort_values(
        ["_code", "name", "site_id"], kind="stable"
    )
    return {site_id: n for n, site_id in enumerate(order["site_id"], start=1)}


def _symbols(
    sites: gpd.GeoDataFrame,
    shown: npt.NDArray[np.bool_],
    frame: Frame,
    categories: Categories,
    numbers: dict[str, int],
) -> tuple[Symbol, ...]:
    geometry = sites.geometry.to_numpy()
    point = shapely.get_type_id(geometry) == shapely.GeometryType.POINT
    rows = np.flatnonzero(shown & point)
    if not len(rows):
        return ()
    places = frame.to_sheet(shapely.get_coordinates(geometry[rows]))
    part = sites.iloc[rows]
    metres = part["uncertainty_m"].fillna(0.0).to_numpy() * frame.points_per_metre
    columns = zip(
        *(part[c] for c in ("site_id", "name", "kind", "status", "precision")),
        places.tolist(),
        metres.tolist(),
        strict=True,
    )
    return tuple(
        Symbol(
            site_id=site_id,
            name=name,
            x=x,
            y=y,
            status=categories.status(kind, status),
            shape=categories.kind(kind).shape,
            approximate=precision not in EXACT,
            radius=radius if precision not in EXACT else 0.0,
            number=numbers[site_id],
        )
        for site_id, name, kind, status, precision, (x, y), radius in columns
    )


def _shapes(
    sites: gpd.GeoDataFrame,
    shown: npt.NDArray[np.bool_],
    frame: Frame,
    categories: Categories,
    numbers: dict[str, int],
) -> tuple[Shape, ...]:
    geometry = sites.geometry.to_numpy()
    point = shapely.get_type_id(geometry) == shapely.GeometryType.POINT
    found = []
    for row in np.flatnonzero(shown & ~point):
        site = sites.iloc[row]
        status = categories.status(site["kind"], site["status"])
        found.append(
            Shape(
                site_id=site["site_id"],
                name=site["name"],
                parts=_rings(geometry[row], frame),
                status=status,
                area=geometry[row].geom_type.endswith("Polygon"),
                dashed=status.dashed or "sketch" in site["match_method"],
                number=numbers[site["site_id"]],
            )
        )
    return tuple(found)


def _rings(shape: shapely.Geometry, frame: Frame) -> tuple[Points, ...]:
    """Return the lines or rings of a shape in sheet points."""
    parts = []
    for single in getattr(shape, "geoms", [shape]):
        if single.geom_type == "Polygon":
            parts += [single.exterior, *single.interiors]
        else:
            parts.append(single)
    return tuple(frame.to_sheet(shapely.get_coordinates(part)) for part in parts)


# ---- legend and table --------------------------------------------------------------------------------------------


def _legend(
    shown: gpd.GeoDataFrame, categories: Categories, language: str
) -> tuple[tuple[str, tuple[LegendRow, ...]], ...]:
    """Return what is on the map and nothing else, kind by kind, with its count."""
    counts = (shown["kind"] + "." + shown["status"]).value_counts()

    def rows(kind: Kind) -> tuple[LegendRow, ...]:
        return tuple(
            LegendRow(status, kind.shape, status.label[language], int(counts[status.key]))
            for status in kind.statuses
            if status.key in counts
        )

    return tuple((kind.label[language], rows(kind)) for kind in categories if rows(kind))


def _table_rows(
    sites: gpd.GeoDataFrame,
    shown: npt.NDArray[np.bool_],
    numbers: dict[str, int],
    categories: Categories,
    language: str,
) -> list[TableRow]:
    """Return every site that needs a line: the missing ones always, those on the map if they carry numbers."""
    with_numbers = MAX_NAMES < int(shown.sum()) <= MAX_NUMBERS
    columns = zip(*(sites[c] for c in ("site_id", "name", "kind", "status", "street")), strict=True)
    rows = [
        TableRow(
            numbers.get(site_id, 0),
            site_id,
            name,
            categories.status(kind, status).label[language],
            street,
        )
        for site_id, name, kind, status, street in columns
        if with_numbers or site_id not in numbers
    ]
    return sorted(rows, key=lambda row: (row.number == 0, row.number))


def _with_table(first: Sheet, rows: list[TableRow]) -> list[Sheet]:
    """Put as many rows as fit beside the map, the rest on pages of their own."""
    line = TABLE_SIZE * ROW_HEIGHT
    top = first.side.y + legend_height(first) + 30
    room = max(0, int((first.side.bottom - 66 - top) // line))
    if len(rows) <= room:
        return [replace(first, table=tuple(rows), rows_from=top)]
    room = max(room - 1, 0)
    here, rest = rows[:room], rows[room:]
    height = first.preset.height - 46 - 20 - 34
    per_page = max(1, int(height // line) * table_columns(first.preset))
    chunks = [rest[i : i + per_page] for i in range(0, len(rest), per_page)]
    pages = 1 + len(chunks)
    sheets = [replace(first, table=tuple(here), rows_from=top, pages=pages)]
    sheets += [
        replace(first, table=tuple(chunk), page=n, pages=pages, symbols=(), shapes=(), labels=())
        for n, chunk in enumerate(chunks, start=2)
    ]
    return sheets


def table_columns(preset: Preset) -> int:
    """Return how many columns of table rows a page of its own has."""
    return max(1, int(preset.width // 290))


def legend_height(sheet: Sheet) -> float:
    """Return the height of the legend in points, the counts under it included."""
    groups = len(sheet.legend)
    rows = sum(len(rows) for _, rows in sheet.legend)
    return groups * 17.0 + rows * 15.0 + 26.0 + (12.0 if sheet.rough else 0.0)


# ---- labels ------------------------------------------------------------------------------------------------------


def short_name(name: str) -> str:
    """Return a name as it is said in a meeting: 辽宁易发式电气设备有限公司 becomes 易发式电气设备."""
    short = name
    for suffix in SHORT_SUFFIXES:
        short = short.removesuffix(suffix)
    for prefix in ("辽宁省", "辽宁", "辽阳市", "辽阳", "白塔区"):
        # What is left must still name something: 辽阳站 stays.
        if short != name and short.startswith(prefix) and len(short) - len(prefix) >= 3:
            short = short.removeprefix(prefix)
    return short if len(short) <= 18 else short[:17] + "…"


def text_width(text: str, size: float) -> float:
    """Return about how wide a text is, in the unit of `size`: a Chinese character is one em, others 0.56."""
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return size * (wide + 0.56 * (len(text) - wide))


def _labels(
    symbols: Iterable[Symbol], shapes: Iterable[Shape], box: Box, radius: float
) -> tuple[tuple[Label, ...], tuple[str, ...]]:
    """Place a label at each site where there is room; return them and the ids of those without room."""
    spots = [(s.site_id, s.name, s.number, s.x, s.y) for s in symbols]
    spots += [(s.site_id, s.name, s.number, *_middle(s)) for s in shapes]
    if len(spots) > MAX_NUMBERS:
        return (), ()
    names = len(spots) <= MAX_NAMES
    size = NAME_SIZE if names else NUMBER_SIZE
    half = radius + 1
    taken = [Box(x - half, y - half, 2 * half, 2 * half) for _, _, _, x, y in spots]
    placed, dropped = [], []
    for site_id, name, number, x, y in sorted(spots, key=lambda spot: (spot[4], spot[3])):
        text = short_name(name) if names else str(number)
        label = _place(site_id, text, x, y, size, box, taken, radius, far=names)
        if label is None:
            dropped.append(site_id)
        else:
            placed.append(label)
            taken.append(label.box)
    return tuple(placed), tuple(dropped)


_DIRECTIONS = ((1, 0), (-1, 0), (0, -1), (0, 1), (1, -1), (-1, -1), (1, 1), (-1, 1))


def _place(
    site_id: str,
    text: str,
    x: float,
    y: float,
    size: float,
    box: Box,
    taken: list[Box],
    radius: float,
    *,
    far: bool,
) -> Label | None:
    """Return a label beside its symbol, or farther off with a leader, where it covers nothing."""
    width, height = text_width(text, size), size * 1.25
    for distance in (0.0, 14.0, 28.0, 46.0) if far else (0.0,):
        for dx, dy in _DIRECTIONS:
            reach = radius + 2 + distance
            middle_x = x + dx * (reach + width / 2)
            middle_y = y + dy * (reach + height / 2)
            room = Box(middle_x - width / 2, middle_y - height / 2, width, height)
            if box.contains(room) and not any(room.overlaps(other) for other in taken):
                leader = None
                if distance:
                    leader = (x, y, middle_x - dx * width / 2, middle_y - dy * height / 2)
                return Label(site_id, text, room, size, leader)
    return None


def _middle(shape: Shape) -> tuple[float, float]:
    """Return the middle of a line along its length, or the middle of an area's first ring."""
    line = shapely.LineString(shape.parts[0])
    if shape.area:
        place = shapely.point_on_surface(shapely.Polygon(shape.parts[0]))
    else:
        place = shapely.line_interpolate_point(line, 0.5, normalized=True)
    return float(place.x), float(place.y)
