"""Where everything goes on a sheet: worked out once, then drawn as a picture or as a slide.

The map has the left of the sheet to itself; title, legend, scale, what is missing and the table stand beside it, so
that nothing ever covers a symbol. Positions are points from the top left corner (see `geo.export.frame`).
"""

from __future__ import annotations

import math
import unicodedata
from bisect import bisect
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import shapely

from geo.category import Categories, Kind, Status
from geo.export.frame import Box, Frame, Preset, choose_frame, to_mercator
from geo.export.paint import UNLIT
from geo.site import EXACT, is_located

MAX_NAMES = 25
"""Up to so many sites carry their names; more carry numbers, with a table beside the map."""
MAX_NUMBERS = 400
"""Above this numbers would cover the map: it has none, and the list of every site is the table export's."""
LABELS = ("auto", "names", "numbers", "none")
"""What stands at the sites: "auto" chooses by how many there are."""
LONGEST_NAME = 18
SHORT_SUFFIXES = ("股份有限公司", "有限责任公司", "有限公司")
TABLE_SIZE, NAME_SIZE, NUMBER_SIZE = 8.0, 9.0, 7.0
HEADER, FOOTER = 46.0, 20.0
"""Height of the title and of the foot, in points."""
TITLE_SIZES = (20.0, 18.0, 16.0, 14.0)
"""A long title is set smaller before it is cut."""
MARGIN = 18.0
"""What stays free at the left and right of a sheet, in points."""
SYMBOL_RADIUS, LEGEND_RADIUS = 6.0, 5.0
CROWDS = ((60, 6.0), (300, 5.0), (1200, 4.0))
"""Symbols' radius in points by how many there are on `CROWD_AREA`; more than the last get the smallest."""
CROWD_AREA = 720.0 * 474.0  # square points: the map of a 16:9 sheet
SMALLEST_RADIUS = 2.8
INSET_HEIGHT, SMALLEST_INSET = 110.0, 48.0
INSET_SHARE = 0.5
"""A frame with less of the district than this has a locator inset."""
FARTHEST_INSET = 6.0
"""No inset if it would have to show so many times the district's own width or height."""
SCALE_HEIGHT = 58.0
"""What scale bar and north arrow take at the foot of the side column."""
LINE = TABLE_SIZE * 1.42
"""Height of a line of a table."""
PAGE_TOP = 70.0
"""Where the first line of a page of table rows stands."""
FEWEST_ROWS = 4
"""Fewer rows than this are not begun beside the map when they go on elsewhere."""

Points = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Wording:
    """What is written on a sheet, in one language. `labels` are the fixed words by name.

    `home` are the official names of the district and what it lies in, largest first: everybody in the room knows
    them, so a name on the map need not begin with one.
    """

    title: str
    subtitle: str
    as_of: str
    source: str
    unit: str
    marking: str
    notice: str
    language: str
    labels: dict[str, str]
    home: tuple[str, ...] = ()


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


OUTSIDE_FRAME = {"zh": "画框以外另有 {n} 处", "en": "{n} more outside the frame"}


@dataclass(frozen=True, slots=True)
class LegendRow:
    """A status with how many sites of it are on the map; how many of those came to it, and how many left it."""

    status: Status
    shape: str
    label: str
    count: int
    came: int = 0
    left: int = 0

    @property
    def delta(self) -> str:
        """What came and left in signs, "+3/−2"; "" for nothing."""
        signs = (f"+{self.came}" if self.came else "", f"−{self.left}" if self.left else "")
        return "/".join(filter(None, signs))


@dataclass(frozen=True, slots=True)
class TableRow:
    """One line of the table beside the map; `number` is 0 for a site that is not on it."""

    number: int
    site_id: str
    name: str
    status: str
    street: str


@dataclass(frozen=True, slots=True)
class Inset:
    """Where the frame lies in its district: rings and the frame's rectangle within a box beside the map."""

    box: Box
    rings: tuple[Points, ...]
    window: Box


@dataclass(frozen=True)
class Sheet:
    """One page, ready to be drawn.

    `on_map` and `missing` are the ids of all selected sites, each in one of the two, whatever page lists them;
    `outside` are those of the missing that have a place, outside the frame. `label_kind` says what stands at the
    sites: names, numbers or none. `changed` are the ids on the map that have changed since an earlier day, None if
    nothing is compared.
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
    outside: tuple[str, ...] = ()
    label_kind: str = "names"
    inset: Inset | None = None
    page: int = 1
    pages: int = 1
    rows_from: float = 0.0
    symbol_radius: float = SYMBOL_RADIUS
    lit: frozenset[str] | None = None
    changed: frozenset[str] | None = None

    def is_ringed(self, site_id: str) -> bool:
        """Return whether a site has the ring of what has changed; on a page of a series only what is lit has."""
        return self.changed is not None and site_id in self.changed and self.is_lit(site_id)

    @property
    def changed_said(self) -> str:
        """How many sites on the map have changed, in words; "" if nothing is compared."""
        if self.changed is None:
            return ""
        return self.wording.labels["changed"].format(n=len(self.changed))

    def is_lit(self, site_id: str) -> bool:
        """Return whether a site has its colours on this page; on a page of a series others are grey."""
        return self.lit is None or site_id in self.lit

    @cached_property
    def lit_statuses(self) -> frozenset[str]:
        """The keys of the statuses that have a lit site on the map."""
        sites: tuple[Symbol | Shape, ...] = (*self.symbols, *self.shapes)
        return frozenset(s.status.key for s in sites if self.is_lit(s.site_id))

    def look(self, site: Symbol | Shape) -> Status:
        """Return how a site is drawn on this page."""
        return site.status if self.is_lit(site.site_id) else unlit(site.status)

    @property
    def outside_said(self) -> str:
        """How many sites lie outside the frame, in words; "" for none."""
        said = OUTSIDE_FRAME[self.wording.language].format(n=len(self.outside))
        return said if self.outside else ""

    def in_colour(self, status: Status) -> bool:
        """Return whether the legend shows a status in its colours: unless the page is about others."""
        return self.lit is None or status.key in self.lit_statuses

    def legend_look(self, status: Status) -> Status:
        """Return how a status is drawn in the legend: grey if none of its sites is lit."""
        return status if self.in_colour(status) else unlit(status)


def unlit(status: Status) -> Status:
    """Return a status as it looks on a page of a series that is about others."""
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
    labels: str = "auto",
    changed: gpd.GeoDataFrame | None = None,
    hidden: frozenset[str] = frozenset(),
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
        What to show, degrees, EPSG:4326; None shows all sites. Sites outside it are missing: the sheet counts
        them, and its table does not list them.
    labels
        One of `LABELS`.
    changed, hidden
        What has changed, and the categories that are left out, see `geo.export.picture.Picture`.
    """
    map_box, side = _boxes(preset)
    frame = choose_frame(sites, map_box, outline=outline, bounds=bounds)
    shown = _shown(sites, frame)
    numbers = _numbers(sites, shown, frame, categories)
    symbols = _symbols(sites, shown, frame, categories, numbers)
    shapes = _shapes(sites, shown, frame, categories, numbers)
    radius = _symbol_radius(len(symbols), map_box)
    what = label_kind(labels, int(shown.sum()))
    placed, dropped = _labels(symbols, shapes, map_box, radius, what, wording.home)
    first = Sheet(
        preset=preset,
        frame=frame,
        wording=wording,
        outline=_rings(outline, frame),
        neighbours=tuple(ring for shape in neighbours for ring in _rings(shape, frame)),
        symbols=symbols,
        shapes=shapes,
        labels=placed,
        dropped=dropped,
        legend=_legend(
            sites[shown],
            categories,
            wording.language,
            None if changed is None else changed[_shown(changed, frame)],
            hidden,
        ),
        on_map=tuple(sites["site_id"][shown]),
        missing=tuple(sites["site_id"][~shown]),
        rough=_is_rough(symbols, shapes),
        table=(),
        side=side,
        outside=tuple(sites["site_id"][is_located(sites) & ~shown]),
        label_kind=what,
        symbol_radius=radius,
        changed=None if changed is None else _both(sites[shown], changed),
    )
    first = replace(first, inset=_inset(outline, first))
    listed = _table_rows(sites, numbers, categories, wording.language)
    return _with_table(first, _listed(first, listed))


def _is_rough(symbols: Iterable[Symbol], shapes: Iterable[Shape]) -> bool:
    """Return whether something on the map is only about where it is drawn."""
    sketched = any(s.dashed and not s.status.dashed for s in shapes)
    return sketched or any(s.approximate for s in symbols)


def _listed(sheet: Sheet, rows: Iterable[TableRow]) -> list[TableRow]:
    """Return the rows a sheet has to show: what has no place, and what stands on the map as a number."""
    beyond, numbered = set(sheet.outside), sheet.label_kind == "numbers"
    return [row for row in rows if (numbered if row.number else row.site_id not in beyond)]


def _boxes(preset: Preset) -> tuple[Box, Box]:
    """Return where the map and what stands beside it are, between title and foot."""
    width, height = max(240.0, preset.width * 0.24), preset.height - HEADER - FOOTER
    map_box = Box(0, HEADER, preset.width - width, height)
    return map_box, Box(map_box.right, HEADER, width, height)


def _symbol_radius(count: int, box: Box) -> float:
    crowd = count * CROWD_AREA / (box.width * box.height)
    return next((size for limit, size in CROWDS if crowd <= limit), SMALLEST_RADIUS)


def label_kind(labels: str, count: int) -> str:
    """Return what so many sites on the map carry: "names", "numbers" or "none"."""
    if labels != "auto":
        return labels
    return "names" if count <= MAX_NAMES else "numbers" if count <= MAX_NUMBERS else "none"


def light(sheets: Sequence[Sheet], ids: frozenset[str], wording: Wording) -> list[Sheet]:
    """Return a picture's pages with some sites lit and the others grey; the table lists what is lit.

    Parameters
    ----------
    sheets
        The pages of the picture.
    ids
        Of the sites to light, on the map or missing.
    wording
        What is written on the new pages.
    """
    rows = [row for sheet in sheets for row in sheet.table if row.site_id in ids]
    return _with_table(replace(sheets[0], lit=ids, wording=wording, pages=1), rows)


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


def _both(some: gpd.GeoDataFrame, others: gpd.GeoDataFrame) -> frozenset[str]:
    return frozenset(some["site_id"]) & frozenset(others["site_id"])


def _legend(
    shown: gpd.GeoDataFrame,
    categories: Categories,
    language: str,
    changed: gpd.GeoDataFrame | None,
    hidden: frozenset[str],
) -> tuple[tuple[str, tuple[LegendRow, ...]], ...]:
    """Return what is on the map and what has left a status, kind by kind, with its count."""
    counts = (shown["kind"] + "." + shown["status"]).value_counts().to_dict()
    came, left = _came_and_left(changed)

    def rows(kind: Kind) -> tuple[LegendRow, ...]:
        return tuple(
            LegendRow(
                *(status, kind.shape, status.label[language]),
                *(told.get(status.key, 0) for told in (counts, came, left)),
            )
            for status in kind.statuses
            if status.key in counts or (status.key in left and status.key not in hidden)
        )

    return tuple((kind.label[language], rows(kind)) for kind in categories if rows(kind))


def _came_and_left(
    changed: gpd.GeoDataFrame | None,
) -> tuple[dict[Hashable, int], dict[Hashable, int]]:
    """Return by category how many of the changed sites came to it, and how many left it."""
    if changed is None:
        return {}, {}
    moved = changed[changed["old_status"] != ""]
    came = (changed["kind"] + "." + changed["status"]).value_counts().to_dict()
    return came, (moved["kind"] + "." + moved["old_status"]).value_counts().to_dict()


def _table_rows(
    sites: gpd.GeoDataFrame, numbers: dict[str, int], categories: Categories, language: str
) -> list[TableRow]:
    """Return a line for each site by its number, those that are not on the map last."""
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
    ]
    return sorted(rows, key=lambda row: (row.number == 0, row.number))


def _with_table(first: Sheet, rows: list[TableRow]) -> list[Sheet]:
    """Put as many rows as fit beside the map, the rest on pages of their own."""
    top = first.side.y + legend_height(first) + 30
    foot = SCALE_HEIGHT + (first.inset.box.height + 14 if first.inset else 0.0)
    room = max(0, int((first.side.bottom - foot - top) // LINE))
    here = len(rows)
    while here and len(table_lines(rows[:here], "-")) > room:
        here -= 1
    if here < min(len(rows), FEWEST_ROWS):
        here = 0
    per_page = table_columns(first.preset) * page_lines(first.preset) - 2  # one heading, one space
    chunks = [rows[i : i + per_page] for i in range(here, len(rows), per_page)]
    pages = 1 + len(chunks)
    sheets = [replace(first, table=tuple(rows[:here]), rows_from=top, pages=pages)]
    sheets += [
        replace(first, table=tuple(chunk), page=n, pages=pages, symbols=(), shapes=(), labels=())
        for n, chunk in enumerate(chunks, start=2)
    ]
    return sheets


def table_lines(rows: Sequence[TableRow], heading: str) -> list[TableRow | str]:
    """Return the lines of a table: its rows, and before the missing ones a heading after an empty line."""
    lines: list[TableRow | str] = []
    said = False
    for row in rows:
        if not row.number and not said:
            lines += ["", heading] if lines else [heading]
            said = True
        lines.append(row)
    return lines


def page_columns(sheet: Sheet) -> list[list[TableRow | str]]:
    """Return the lines of a page of table rows by column, all about as long."""
    lines = table_lines(sheet.table, sheet.wording.labels["missing"])
    length = max(math.ceil(len(lines) / table_columns(sheet.preset)), FEWEST_ROWS)
    columns = [lines[i : i + length] for i in range(0, len(lines), length)]
    return [column[1:] if column[0] == "" else column for column in columns]


def page_column(preset: Preset, number: int) -> tuple[float, float]:
    """Return left and right of a column of table rows, counted from 0."""
    step = (preset.width - MARGIN) / table_columns(preset)
    return MARGIN + number * step, (number + 1) * step


def page_lines(preset: Preset) -> int:
    """Return how many lines fit one below the other on a page of table rows."""
    return max(1, int((preset.height - PAGE_TOP - 30) // LINE))


def _inset(outline: shapely.Geometry, sheet: Sheet) -> Inset | None:
    """Return a locator above the scale bar, if the frame shows little of the district and there is room for it."""
    frame, side = sheet.frame, sheet.side
    home = shapely.transform(outline, to_mercator)
    half = frame.box.width / 2 / frame.scale, frame.box.height / 2 / frame.scale
    window = shapely.box(
        frame.centre_x - half[0],
        frame.centre_y - half[1],
        frame.centre_x + half[0],
        frame.centre_y + half[1],
    )
    shape = shapely.make_valid(home, method="structure", keep_collapsed=False)
    if shapely.area(shapely.intersection(shape, window)) > INSET_SHARE * shapely.area(shape):
        return None
    x0, y0, x1, y1 = shapely.total_bounds([home, window])
    own = shapely.bounds(home)
    if max((x1 - x0) / (own[2] - own[0]), (y1 - y0) / (own[3] - own[1])) > FARTHEST_INSET:
        return None
    free = side.bottom - SCALE_HEIGHT - 14 - (side.y + legend_height(sheet) + 30)
    if free < SMALLEST_INSET:
        return None
    scale = min((side.width - 26) / (x1 - x0), min(free, INSET_HEIGHT) / (y1 - y0))
    height = (y1 - y0) * scale
    box = Box(side.x + 14, side.bottom - SCALE_HEIGHT - 4 - height, (x1 - x0) * scale, height)
    small = Frame(box, (x0 + x1) / 2, (y0 + y1) / 2, scale)
    left, right = box.x + (window.bounds[0] - x0) * scale, box.x + (window.bounds[2] - x0) * scale
    top, foot = box.y + (y1 - window.bounds[3]) * scale, box.y + (y1 - window.bounds[1]) * scale
    return Inset(box, _rings(outline, small), Box(left, top, right - left, foot - top))


def table_columns(preset: Preset) -> int:
    """Return how many columns of table rows a page of its own has."""
    return max(1, int(preset.width // 290))


def legend_height(sheet: Sheet) -> float:
    """Return the height of the legend in points, the counts under it included."""
    groups = len(sheet.legend)
    rows = sum(len(rows) for _, rows in sheet.legend)
    notes = bool(sheet.rough) + bool(sheet.outside)
    compared = 19.0 if sheet.changed is not None else 0.0
    return groups * 17.0 + rows * 15.0 + compared + 26.0 + notes * 12.0


# ---- labels ------------------------------------------------------------------------------------------------------


def short_name(name: str, home: Sequence[str] = ()) -> str:
    """Return a name as it is said in a meeting: 辽宁易发式电气设备有限公司 becomes 易发式电气设备 in 辽宁省.

    One that is still long is cut in the middle: branches and numbers at the end tell neighbours apart.
    """
    short = name
    for suffix in SHORT_SUFFIXES:
        short = short.removesuffix(suffix)
    # 辽宁省, 辽宁, 辽阳市, 辽阳, 白塔区; not 白塔, which is part of names.
    for prefix in [word for large in home[:-1] for word in (large, large[:-1])] + [*home[-1:]]:
        # What is left must still name something: 辽阳站 stays.
        known = short != name or len(short) > LONGEST_NAME
        if known and short.startswith(prefix) and len(short) - len(prefix) >= 3:
            short = short.removeprefix(prefix)
    return short if len(short) <= LONGEST_NAME else f"{short[:11]}…{short[-6:]}"


LONGEST_LINE = 2000
"""Characters of a text that are looked at: no line of a sheet has room for more."""


def text_width(text: str, size: float) -> float:
    """Return about how wide a text is, in the unit of `size`: a Chinese character is one em, others 0.56.

    Signs that both scripts use ("…", "·") are as wide as the Chinese fonts draw them.
    """
    wide = sum(unicodedata.east_asian_width(c) in "WFA" for c in text)
    return size * (wide + 0.56 * (len(text) - wide))


def cut_middle(
    text: str, size: float, room: float, width: Callable[[str, float], float] = text_width
) -> str:
    """Return a text cut to a room in its middle, as names often differ at their end; size and room in points."""
    if len(text) <= LONGEST_LINE and width(text, size) <= room:
        return text
    head, tail = text[:-5][:LONGEST_LINE], text[-5:]
    kept = longest_fitting(len(head), lambda n: width(f"{head[:n]}…{tail}", size) <= room)
    return f"{head[:kept]}…{tail}"


def longest_fitting(most: int, fits: Callable[[int], bool]) -> int:
    """Return the largest number up to a limit that fits, 0 if none does; what fits does so with less too.

    A text of 40,000 letters that is shortened letter by letter takes minutes.
    """
    return bisect(range(1, most + 1), False, key=lambda n: not fits(n))


def _labels(
    symbols: Iterable[Symbol],
    shapes: Iterable[Shape],
    box: Box,
    radius: float,
    what: str,
    home: Sequence[str],
) -> tuple[tuple[Label, ...], tuple[str, ...]]:
    """Place a label at each site where there is room; return them and the ids of those without room."""
    if what == "none":
        return (), ()
    spots = [(s.site_id, s.name, s.number, s.x, s.y, False) for s in symbols]
    spots += [(s.site_id, s.name, s.number, *_middle(s, box), s.area) for s in shapes]
    names = what == "names"
    size = NAME_SIZE if names else NUMBER_SIZE
    half = radius + 1
    # An area has no symbol in its middle: its label may stand there.
    symbols_at = [(x, y) for *_, x, y, area in spots if not area]
    room = Room(box, [Box(x - half, y - half, 2 * half, 2 * half) for x, y in symbols_at])
    placed, dropped = [], []
    for site_id, name, number, x, y, area in sorted(spots, key=lambda spot: (spot[4], spot[3])):
        text = short_name(name, home) if names else str(number)
        label = _place(site_id, text, x, y, size, room, radius, far=names, centred=area)
        if label is None:
            dropped.append(site_id)
        else:
            placed.append(label)
            room.take(label.box)
    return tuple(placed), tuple(dropped)


class Room:
    """What of a box is still free, in squares, so that a question about a place looks only at its neighbours."""

    SQUARE = 24.0

    def __init__(self, box: Box, taken: Iterable[Box]) -> None:
        self._box = box
        self._squares: dict[tuple[int, int], list[Box]] = defaultdict(list)
        for one in taken:
            self.take(one)

    def _cells(self, box: Box) -> Iterator[tuple[int, int]]:
        for column in range(int(box.x // self.SQUARE), int(box.right // self.SQUARE) + 1):
            for row in range(int(box.y // self.SQUARE), int(box.bottom // self.SQUARE) + 1):
                yield column, row

    def take(self, box: Box) -> None:
        """Use up a box."""
        for cell in self._cells(box):
            self._squares[cell].append(box)

    def has(self, box: Box) -> bool:
        """Return whether a box lies inside and covers nothing that is taken."""
        return self._box.contains(box) and not any(
            box.overlaps(other)
            for cell in self._cells(box)
            for other in self._squares.get(cell, ())
        )


_DIRECTIONS = ((1, 0), (-1, 0), (0, -1), (0, 1), (1, -1), (-1, -1), (1, 1), (-1, 1))


def _place(
    site_id: str,
    text: str,
    x: float,
    y: float,
    size: float,
    room: Room,
    radius: float,
    *,
    far: bool,
    centred: bool,
) -> Label | None:
    """Return a label beside its symbol, or farther off with a leader, where it covers nothing."""
    width, height = text_width(text, size), size * 1.25
    if centred:
        spot = Box(x - width / 2, y - height / 2, width, height)
        if room.has(spot):
            return Label(site_id, text, spot, size)
    for distance in (0.0, 14.0, 28.0, 46.0) if far else (0.0,):
        for dx, dy in _DIRECTIONS:
            reach = 1.2 * radius + 2.5 + distance  # a diamond's corner is 1.2 radii away
            middle_x = x + dx * (reach + width / 2)
            middle_y = y + dy * (reach + height / 2)
            spot = Box(middle_x - width / 2, middle_y - height / 2, width, height)
            if room.has(spot):
                leader = None
                if distance:
                    leader = (x, y, middle_x - dx * width / 2, middle_y - dy * height / 2)
                return Label(site_id, text, spot, size, leader)
    return None


def _middle(shape: Shape, box: Box) -> tuple[float, float]:
    """Return where a label belongs: half way along a line, or as far from an area's edges as can be.

    What counts is what the map shows of the shape, its longest or largest part; never a hole.
    """
    whole = area_of(shape.parts) if shape.area else shapely.MultiLineString(list(shape.parts))
    seen = shapely.intersection(whole, shapely.box(box.x, box.y, box.right, box.bottom))
    size = shapely.area if shape.area else shapely.length
    parts = [part for part in shapely.get_parts(seen) if size(part)]
    if not parts:
        place = shapely.Point(shape.parts[0][0])
    elif shape.area:
        circle = shapely.maximum_inscribed_circle(max(parts, key=size), tolerance=1.0)
        place = shapely.get_point(circle, 0)
    else:
        longest = max(parts, key=size)
        place = shapely.line_interpolate_point(longest, 0.5, normalized=True)
    return float(place.x), float(place.y)


def area_of(rings: Iterable[Points]) -> shapely.Geometry:
    """Return the area that rings enclose together; one inside another is a hole."""
    area: shapely.Geometry = shapely.Polygon()
    for ring in rings:
        one = shapely.make_valid(shapely.Polygon(ring), method="structure", keep_collapsed=False)
        area = shapely.symmetric_difference(area, one)
    return area
