"""A sheet as a picture: PNG with exact pixels, PDF and SVG with vector shapes and real text."""

from __future__ import annotations

import io
import itertools
import json
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from xml.sax.saxutils import quoteattr

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Circle, PathPatch, Polygon, Rectangle
from matplotlib.path import Path as Outline
from matplotlib.patheffects import Stroke
from matplotlib.textpath import TextPath

from geo.category import Status
from geo.export.fonts import GLYPH_FONT, font_families
from geo.export.frame import Box
from geo.export.layout import (
    LEGEND_RADIUS,
    LINE,
    LONGEST_LINE,
    MARGIN,
    PAGE_TOP,
    SYMBOL_RADIUS,
    TABLE_SIZE,
    TITLE_SIZES,
    Label,
    LegendRow,
    Points,
    Shape,
    Sheet,
    Symbol,
    TableRow,
    cut_middle,
    longest_fitting,
    page_column,
    page_columns,
    table_lines,
    text_width,
)
from geo.export.paint import (
    AREA_EDGE,
    CASING_WIDTH,
    CHANGED,
    CHANGED_WIDTH,
    INK,
    LINE_WIDTH,
    NEIGHBOUR,
    OUTLINE,
    OUTSIDE,
    PAPER,
    QUIET,
    RING_GAP,
    RULE,
    UNLIT_INK,
    WARNING,
    paint_symbol,
)
from geo.export.tables import writable

# Matplotlib draws by kind of artist unless told otherwise; a symbol is always over a road, a name over both.
GROUND, LINES, SYMBOLS, NAMES = 1, 2, 3, 4
# Matplotlib has one set of settings for all threads.
_SETTINGS = threading.RLock()
DASH = (0, (2.6, 2.0))
DELTA_ROOM = 52.0
"""What the column of changes takes in a legend, in points: +123/−45."""
BOLD = 1.04
"""Bold letters are wider than `text_width` says."""


def write_png(sheet: Sheet, *, dpi: float | None = None) -> bytes:
    """Return one page as PNG, exactly the preset's pixels, with its resolution in the file.

    Another resolution gives the same picture in fewer or more pixels: sizes are in points.
    """
    about = {"Title": sheet.wording.title, "Software": "Baita One Map"}
    return _saved(sheet, "png", about, dpi or sheet.preset.dpi)


def write_pdf(sheets: Sequence[Sheet], *, progress: Callable[[float], None] | None = None) -> bytes:
    """Return the pages as one PDF: vector shapes, text that can be searched and copied.

    `progress` is called before each page with the share that is done, 0 to 1; what it raises ends the work.
    """
    target = io.BytesIO()
    title = sheets[0].wording.title
    with PdfPages(target, metadata={"Title": title, "Creator": "Baita One Map"}) as pages:
        for n, sheet in enumerate(sheets):
            if progress:
                progress(n / len(sheets))
            with _drawn(sheet) as figure:
                pages.savefig(figure)
    return target.getvalue()


def write_svg(sheet: Sheet) -> bytes:
    """Return one page as SVG with real text; each symbol carries its site's id as `data-site`.

    The description in its metadata is JSON: the ids of the `missing` sites, and which of them are `outside`.
    """
    # Who reads the file by program finds those on the map by their symbols, and the others here.
    absent = json.dumps({"missing": sheet.missing, "outside": sheet.outside})
    about = {"Title": sheet.wording.title, "Date": None, "Description": absent}
    svg = _saved(sheet, "svg", about, sheet.preset.dpi).decode("utf-8")
    return _name_symbols(svg, sheet).encode("utf-8")


def _saved(sheet: Sheet, kind: str, about: Mapping[str, str | None], dpi: float) -> bytes:
    target = io.BytesIO()
    with _drawn(sheet) as figure:
        figure.savefig(target, format=kind, dpi=dpi, metadata=about)
    return target.getvalue()


@contextmanager
def _drawn(sheet: Sheet) -> Iterator[Figure]:
    """Yield a figure of a sheet, with the fonts and settings that must hold until it is saved."""
    with _SETTINGS:
        settings: dict[Any, Any] = {
            "font.family": font_families("".join(sorted(set(all_text(sheet))))),
            "pdf.fonttype": 42,
            "svg.fonttype": "none",
            "svg.hashsalt": "baita",
            "axes.unicode_minus": False,
            "hatch.linewidth": 0.6,
        }
        with mpl.rc_context(settings):
            yield _draw(sheet)


def all_text(sheet: Sheet) -> str:
    """Return every character that a sheet shows, so that fonts can be chosen for them."""
    words = sheet.wording
    parts = [words.title, words.subtitle, words.as_of, words.source, words.unit, words.marking]
    parts += [words.labels[name] for name in ("missing", "on_map_of", "rough")]
    parts += [sheet.outside_said, sheet.changed_said, words.notice, "0123456789+−/±·…–｜ kmN"]
    parts += [label.text for label in sheet.labels]
    parts += [part for row in sheet.table for part in (row.name, row.status, row.street)]
    parts += [text for kind, rows in sheet.legend for text in (kind, *(r.label for r in rows))]
    return one_line("".join(parts))


# ---- the page ----------------------------------------------------------------------------------------------------


def _draw(sheet: Sheet) -> Figure:
    preset = sheet.preset
    figure = Figure(
        figsize=(preset.width_px / preset.dpi, preset.height_px / preset.dpi), dpi=preset.dpi
    )
    figure.set_facecolor(PAPER)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, preset.width)
    axes.set_ylim(preset.height, 0)
    axes.axis("off")
    if sheet.page == 1:
        _draw_map(axes, sheet)
        _draw_side(axes, sheet)
    else:
        _draw_table_page(axes, sheet)
    _draw_header(axes, sheet)
    _draw_footer(axes, sheet)
    return figure


def _text(
    axes: Axes, x: float, y: float, text: str, size: float, colour: str = INK, **more: Any
) -> None:
    # A dollar sign would start a formula; text of a site is never one.
    more = {"ha": "left", "va": "baseline", **more}
    axes.text(x, y, one_line(text), fontsize=size, color=colour, parse_math=False, **more)


def one_line(text: str) -> str:
    """Return a text without line breaks and without what an SVG cannot hold and no font can show."""
    # Matplotlib's PDF fails on a byte order mark, which files put together often have within a name.
    return " ".join(writable(text).replace("\ufeff", "").split())


def _draw_header(axes: Axes, sheet: Sheet) -> None:
    words, right = sheet.wording, sheet.preset.width - MARGIN
    as_of = clipped(words.as_of, 11, right / 2)
    loud = " ｜ ".join(part for part in (words.notice, words.marking) if part)
    loud = clipped(loud, 9.5, right / 2)
    _text(axes, right, 22, as_of, 11, QUIET, ha="right")
    _text(axes, right, 38, loud, 9.5, WARNING, ha="right", weight="bold")
    room = right - MARGIN - 20 - max(text_width(as_of, 11), text_width(loud, 9.5) * BOLD)
    fitting = (s for s in TITLE_SIZES if text_width(words.title, s) * BOLD <= room)
    size = next(fitting, TITLE_SIZES[-1])
    title = clipped(words.title, size, room / BOLD)
    _text(axes, MARGIN, 30, title, size, weight="bold")
    used = text_width(title, size) * BOLD + 12
    if words.subtitle and room - used > 40:
        _text(axes, MARGIN + used, 30, clipped(words.subtitle, 11, room - used), 11, QUIET)
    axes.plot([0, sheet.preset.width], [46, 46], color=RULE, linewidth=0.8)


def _draw_footer(axes: Axes, sheet: Sheet) -> None:
    words, preset = sheet.wording, sheet.preset
    y = preset.height - 6.5
    left = " ｜ ".join(part for part in (words.unit, words.source) if part)
    _text(axes, MARGIN, y, clipped(left, 8.5, preset.width - 120), 8.5, QUIET)
    if sheet.pages > 1:
        page = f"{sheet.page}/{sheet.pages}"
        _text(axes, preset.width - MARGIN, y, page, 8.5, QUIET, ha="right")


def clipped(text: str, size: float, room: float) -> str:
    """Return a text cut to a width, with an ellipsis where something is missing."""
    start = text[:LONGEST_LINE]
    if len(start) == len(text) and text_width(text, size) <= room:
        return text
    kept = longest_fitting(len(start), lambda n: text_width(start[:n] + "…", size) <= room)
    return start[:kept] + "…"


# ---- the map -----------------------------------------------------------------------------------------------------


def _draw_map(axes: Axes, sheet: Sheet) -> None:
    box = sheet.frame.box
    window = _rectangle(box, facecolor=OUTSIDE, edgecolor="none")
    axes.add_artist(window)
    for ring in sheet.neighbours:
        _clip(
            axes, Polygon(ring, closed=True, fill=False, edgecolor=NEIGHBOUR, linewidth=0.7), window
        )
    for ring in sheet.outline:
        district = Polygon(ring, closed=True, facecolor=PAPER, edgecolor=OUTLINE, linewidth=1.4)
        _clip(axes, district, window)
    for symbol in sheet.symbols:
        if symbol.radius > sheet.symbol_radius:
            circle = Circle(
                (symbol.x, symbol.y),
                symbol.radius,
                fill=False,
                edgecolor=sheet.look(symbol).fill,
                alpha=0.45,
                linewidth=0.5,
                linestyle=DASH,
            )
            _clip(axes, circle, window)
    for shape in sheet.shapes:
        if sheet.is_ringed(shape.site_id):
            _draw_changed_shape(axes, shape, window)
        _draw_shape(axes, sheet, shape, window)
    _draw_symbols(axes, sheet)
    rings = [(s.x, s.y) for s in sheet.symbols if sheet.is_ringed(s.site_id)]
    if rings:
        _draw_rings(axes, np.array(rings), sheet.symbol_radius)
    for label in sheet.labels:
        _draw_label(axes, label, INK if sheet.is_lit(label.site_id) else UNLIT_INK)
    axes.add_artist(_rectangle(box, fill=False, edgecolor=RULE, linewidth=0.8))


def _clip(axes: Axes, patch: Any, window: Rectangle) -> None:
    axes.add_artist(patch)
    patch.set_clip_path(window)


def _draw_shape(axes: Axes, sheet: Sheet, shape: Shape, window: Rectangle) -> None:
    colour = sheet.look(shape).fill
    if shape.area:
        path = Outline.make_compound_path(*(Outline(part, closed=False) for part in shape.parts))
        area = PathPatch(
            path, facecolor="none", edgecolor=colour, hatch="////", linewidth=AREA_EDGE, alpha=0.7
        )
        area.set_gid(writable(f"site:{shape.site_id}"))
        _clip(axes, area, window)
        return
    for width, tint, style in (
        (CASING_WIDTH, PAPER, "solid"),
        (LINE_WIDTH, colour, DASH if shape.dashed else "solid"),
    ):
        lines = LineCollection(list(shape.parts), colors=tint, linewidths=width, linestyles=[style])
        lines.set_zorder(LINES)
        lines.set_capstyle("butt" if shape.dashed else "round")
        if tint == colour:
            lines.set_gid(writable(f"site:{shape.site_id}"))
        axes.add_collection(lines, autolim=False)
        lines.set_clip_path(window)


def _draw_changed_shape(axes: Axes, shape: Shape, window: Rectangle) -> None:
    """Draw what shows on both sides of a road, or around an area, that it has changed."""
    width = 2 * CHANGED_WIDTH + (AREA_EDGE if shape.area else CASING_WIDTH)
    lines = LineCollection(list(shape.parts), colors=CHANGED, linewidths=width)
    lines.set_zorder(GROUND + 0.5)
    lines.set_gid(writable(f"changed:{shape.site_id}"))
    axes.add_collection(lines, autolim=False)
    lines.set_clip_path(window)


def _draw_rings(
    axes: Axes, places: Points, radius: float, gid: str | None = "changed:rings"
) -> None:
    """Draw a ring around symbols, over their neighbours: green between two thin white ones."""
    size = (2 * (1.2 * radius + RING_GAP)) ** 2
    for width, colour in ((CHANGED_WIDTH + 1.6, PAPER), (CHANGED_WIDTH, CHANGED)):
        x, y = places.T
        drawn = axes.scatter(x, y, s=size, facecolors="none", edgecolors=colour, linewidths=width)
        drawn.set_zorder(SYMBOLS + 0.5)
    if gid:
        drawn.set_gid(gid)


def _draw_symbols(axes: Axes, sheet: Sheet) -> None:
    """Draw symbols category by category, each with its white halo, glyph and look."""
    groups = _symbol_groups(sheet)
    # What is lit is drawn over what is not.
    for gid, group in sorted(groups.items(), key=lambda item: sheet.is_lit(item[1][0].site_id)):
        draw_symbol(
            axes,
            np.array([(s.x, s.y) for s in group]),
            sheet.look(group[0]),
            group[0].shape,
            approximate=group[0].approximate,
            gid=gid,
            radius=sheet.symbol_radius,
        )


def _symbol_groups(sheet: Sheet) -> dict[str, list[Symbol]]:
    """Return the symbols that look alike, by the name of their group in an SVG."""
    groups: dict[str, list[Symbol]] = defaultdict(list)
    for symbol in sheet.symbols:
        look = int(symbol.approximate), int(sheet.is_lit(symbol.site_id))
        groups[f"sites:{symbol.status.key}:{look[0]}:{look[1]}"].append(symbol)
    return groups


def draw_symbol(
    axes: Axes,
    places: Points,
    status: Status,
    shape: str,
    *,
    approximate: bool = False,
    gid: str | None = None,
    radius: float = SYMBOL_RADIUS,
) -> None:
    """Draw one symbol at each place: the class by its shape, the status by fill and glyph.

    Parameters
    ----------
    axes
        Whose data unit is the figure's: 1/72 inch.
    places
        Array (n, 2) of x to the right and y as the axes have it.
    status, shape
        What is drawn; see `paint_symbol` and `marker_path`.
    approximate
        Hollow and dashed: the place is that of a street or a community.
    gid
        Id of the group in SVG.
    radius
        In points.
    """
    paint = paint_symbol(status, approximate=approximate)
    marker, (x, y) = marker_path(shape), places.T
    # Matplotlib shrinks a path to the unit square; give it back the size it asks for.
    size = (2 * radius * float(np.abs(marker.vertices).max())) ** 2
    common: dict[str, Any] = {"marker": marker, "zorder": SYMBOLS}
    axes.scatter(x, y, s=size, c=PAPER, linewidths=2.2, edgecolors=PAPER, **common)
    drawn = axes.scatter(
        x,
        y,
        s=size,
        c=paint.fill,
        linewidths=1.3 if paint.hollow else 0.7,
        edgecolors=paint.edge,
        linestyles=[(0, (1.8, 1.2))] if paint.dashed else "solid",
        **common,
    )
    if gid:
        drawn.set_gid(gid)
    if paint.dot:
        axes.scatter(x, y, s=size * 0.2, c=paint.dot, linewidths=0, **common)
    elif status.glyph:
        common["marker"] = _glyph(status.glyph)
        axes.scatter(x, y, s=size * 0.34, c=paint.ink, linewidths=0, **common)


def marker_path(shape: str) -> Outline:
    """Return a shape as a path within -1 to 1, larger shapes for the same weight to the eye."""
    corners: dict[str, list[tuple[float, float]]] = {
        "diamond": [(0, -1.2), (1.2, 0), (0, 1.2), (-1.2, 0)],
        "square": [(-1, -1), (1, -1), (1, 1), (-1, 1)],
        "triangle": [(0, 1.2), (1.1, -0.8), (-1.1, -0.8)],
    }
    if shape not in corners:
        return Outline.unit_circle()
    points = corners[shape]
    return Outline([*points, points[0]], closed=True)


def _glyph(character: str) -> Outline:
    """Return a character as a path around the origin."""
    path = TextPath(
        (0, 0), character, size=10, prop=FontProperties(family=GLYPH_FONT, weight="bold")
    )
    bounds = path.get_extents()
    middle = [(bounds.x0 + bounds.x1) / 2, (bounds.y0 + bounds.y1) / 2]
    return Outline(path.vertices - middle, path.codes)


def _draw_label(axes: Axes, label: Label, ink: str) -> None:
    if label.leader:
        x0, y0, x1, y1 = label.leader
        axes.plot([x0, x1], [y0, y1], color=QUIET, linewidth=0.5, zorder=LINES)
    place = (label.box.x, label.box.y + label.box.height / 2, one_line(label.text))
    common: dict[str, Any] = {"fontsize": label.size, "va": "center_baseline", "parse_math": False}
    # The halo is a stroke of its own: a text with an effect is written as outlines, not as text.
    halo = [Stroke(linewidth=2.2, foreground=PAPER)]
    axes.text(*place, color=PAPER, zorder=NAMES, path_effects=halo, **common)
    axes.text(*place, color=ink, zorder=NAMES, **common)


def _draw_scale(axes: Axes, sheet: Sheet) -> None:
    """Draw scale bar and north arrow at the foot of the side column, where no site can be."""
    metres = sheet.frame.scale_bar_m
    length = metres * sheet.frame.points_per_metre
    side = sheet.side
    left, y = side.x + 14, side.bottom - 16
    axes.plot(
        [left, left, left + length, left + length], [y - 4, y, y, y - 4], color=INK, linewidth=1.1
    )
    said = f"{metres / 1000:g} km" if metres >= 1000 else f"{metres:g} m"
    _text(axes, left, y - 8, said, 9)
    x = side.right - 26
    axes.add_artist(
        Polygon([(x - 6, y), (x, y - 24), (x + 6, y), (x, y - 5)], facecolor=INK, linewidth=0)
    )
    _text(axes, x, y - 27, "N", 9, ha="center", weight="bold")


def _draw_inset(axes: Axes, sheet: Sheet) -> None:
    """Draw where the frame lies in the district."""
    if sheet.inset is None:
        return
    box, window = sheet.inset.box, sheet.inset.window
    ground = _rectangle(box, facecolor=OUTSIDE, edgecolor=RULE, linewidth=0.8)
    axes.add_artist(ground)
    for ring in sheet.inset.rings:
        _clip(axes, Polygon(ring, facecolor=PAPER, edgecolor=OUTLINE, linewidth=0.8), ground)
    axes.add_artist(_rectangle(window, facecolor=(*to_rgb(WARNING), 0.15), edgecolor=WARNING))


def _rectangle(box: Box, **look: Any) -> Rectangle:
    return Rectangle((box.x, box.y), box.width, box.height, **look)


# ---- beside the map ----------------------------------------------------------------------------------------------


def _draw_side(axes: Axes, sheet: Sheet) -> None:
    x, y = sheet.side.x + 14, sheet.side.y + 6
    for kind, rows in sheet.legend:
        y += 17
        _text(axes, x, y - 4, kind, 10.5, weight="bold")
        for row in rows:
            y += 15
            _draw_legend_row(axes, sheet, x, y - 4, row)
    if sheet.changed is not None:
        y += 19
        _draw_rings(axes, np.array([(x + 9, y - 7.5)]), LEGEND_RADIUS * 0.7, None)
        _text(axes, x + 25, y - 4, sheet.changed_said, 9.5)
    if sheet.rough:
        y += 12
        _text(axes, x, y - 1, sheet.wording.labels["rough"], 7.5, QUIET)
    y += 20
    total = len(sheet.on_map) + len(sheet.missing)
    counted = sheet.wording.labels["on_map_of"].format(n=len(sheet.on_map), total=total)
    _text(axes, x, y - 4, counted, 10, weight="bold")
    _text(axes, x, y + 8, sheet.outside_said, 7.5, QUIET)
    lines = table_lines(sheet.table, sheet.wording.labels["missing"])
    _draw_lines(axes, lines, x, sheet.side.right - MARGIN, sheet.rows_from)
    _draw_inset(axes, sheet)
    _draw_scale(axes, sheet)


def _draw_legend_row(axes: Axes, sheet: Sheet, x: float, y: float, row: LegendRow) -> None:
    status = sheet.legend_look(row.status)
    if row.shape == "line":
        style: Any = DASH if status.dashed else "solid"
        axes.plot(
            [x, x + 18],
            [y - 3.5, y - 3.5],
            color=status.fill,
            linewidth=LINE_WIDTH,
            linestyle=style,
        )
    else:
        draw_symbol(axes, np.array([(x + 9, y - 3.5)]), status, row.shape, radius=LEGEND_RADIUS)
    ink = INK if sheet.in_colour(row.status) else QUIET
    right = sheet.side.right - MARGIN
    _text(axes, x + 25, y, row.label, 9.5, ink)
    if row.delta:
        _text(axes, right, y, row.delta, 9.5, CHANGED, ha="right", weight="bold")
    count_right = right if sheet.changed is None else right - DELTA_ROOM
    _text(axes, count_right, y, str(row.count), 9.5, ink, ha="right", weight="bold")


def _draw_lines(
    axes: Axes, lines: Sequence[TableRow | str], left: float, right: float, top: float
) -> None:
    """Draw the lines of a table in one column."""
    for y, line in zip(itertools.count(top, LINE), lines, strict=False):
        if isinstance(line, str):
            _text(axes, left, y - 3, line, TABLE_SIZE + 1, WARNING, weight="bold")
        else:
            _draw_row(axes, line, left, right, y)


def _draw_row(axes: Axes, row: TableRow, left: float, right: float, y: float) -> None:
    number = str(row.number) if row.number else "–"
    room = right - left
    _text(axes, left + 16, y - 3, number, TABLE_SIZE, QUIET, ha="right")
    said = "·".join(part for part in (row.status, row.street) if part)
    said_room = min(text_width(said, TABLE_SIZE - 1), room * 0.42)
    name_room = room - 22 - said_room - 6
    _text(axes, left + 21, y - 3, cut_middle(row.name, TABLE_SIZE, name_room), TABLE_SIZE)
    _text(
        axes,
        right,
        y - 3,
        clipped(said, TABLE_SIZE - 1, said_room + 1),
        TABLE_SIZE - 1,
        QUIET,
        ha="right",
    )


def _draw_table_page(axes: Axes, sheet: Sheet) -> None:
    for n, lines in enumerate(page_columns(sheet)):
        left, right = page_column(sheet.preset, n)
        for place, line in enumerate(lines):
            if not isinstance(line, str):
                y = PAGE_TOP + place * LINE
                axes.plot([left, right], [y, y], color=RULE, linewidth=0.3)
        _draw_lines(axes, lines, left, right, PAGE_TOP)


# ---- ids in an SVG -----------------------------------------------------------------------------------------------


def _name_symbols(svg: str, sheet: Sheet) -> str:
    """Give every drawn symbol its site's id; Matplotlib writes a group's symbols in the order they were given."""
    svg = svg.replace('<g id="site:', '<g data-site="')
    for gid, group in _symbol_groups(sheet).items():
        ids = [writable(symbol.site_id) for symbol in group]
        start = svg.index(f'<g id="{gid}"')
        # A group ends where the next one with an id of ours or of Matplotlib's begins.
        end = svg.find('<g id="', start + 1)
        # Many symbols are uses of one path, few are a path each.
        tag = "<use " if "<use " in svg[start:end] else "<path "
        pieces = svg[start:end].split(tag)
        if len(pieces) - 1 != len(ids):
            raise RuntimeError(f"{gid}: {len(pieces) - 1} symbols drawn for {len(ids)} sites")
        named = (
            f"data-site={quoteattr(i)} {rest}" for i, rest in zip(ids, pieces[1:], strict=True)
        )
        svg = svg[:start] + tag.join([pieces[0], *named]) + svg[end:]
    return svg
