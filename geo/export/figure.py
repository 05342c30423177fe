"""A sheet as a picture: PNG with exact pixels, PDF and SVG with vector shapes and real text."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from xml.sax.saxutils import quoteattr

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Circle, PathPatch, Polygon, Rectangle
from matplotlib.path import Path as Outline
from matplotlib.patheffects import Stroke
from matplotlib.textpath import TextPath

from geo.category import Status
from geo.export.fonts import GLYPH_FONT, font_families
from geo.export.layout import (
    ROW_HEIGHT,
    SYMBOL_RADIUS,
    TABLE_SIZE,
    UNLIT,
    Label,
    LegendRow,
    Points,
    Shape,
    Sheet,
    Symbol,
    TableRow,
    table_columns,
    text_width,
)

INK, QUIET, RULE, PAPER, OUTSIDE, WARNING = (
    "#1f2328",
    "#57606a",
    "#c5ccd6",
    "#ffffff",
    "#e4e8ed",
    "#b3261e",
)
PALE_EDGE = "#4a3a63"  # a pale fill on white paper needs an edge of its own
OUTLINE, NEIGHBOUR = "#5b6b80", "#c3cad3"
LINE_WIDTH, CASING_WIDTH = 3.0, 5.0
# Matplotlib draws by kind of artist unless told otherwise; a symbol is always over a road, a name over both.
GROUND, LINES, SYMBOLS, NAMES = 1, 2, 3, 4
DASH = (0, (2.6, 2.0))


def write_png(sheet: Sheet) -> bytes:
    """Return one page as PNG, exactly the preset's pixels, with its resolution in the file."""
    about = {"Title": sheet.wording.title, "Software": "Baita One Map"}
    return _saved(sheet, "png", about)


def write_pdf(sheets: Sequence[Sheet]) -> bytes:
    """Return the pages as one PDF: vector shapes, text that can be searched and copied."""
    target = io.BytesIO()
    title = sheets[0].wording.title
    with PdfPages(target, metadata={"Title": title, "Creator": "Baita One Map"}) as pages:
        for sheet in sheets:
            with _drawn(sheet) as figure:
                pages.savefig(figure)
    return target.getvalue()


def write_svg(sheet: Sheet) -> bytes:
    """Return one page as SVG with real text; each symbol carries its site's id as `data-site`."""
    svg = _saved(sheet, "svg", {"Title": sheet.wording.title, "Date": None}).decode("utf-8")
    return _name_symbols(svg, sheet).encode("utf-8")


def _saved(sheet: Sheet, kind: str, about: Mapping[str, str | None]) -> bytes:
    target = io.BytesIO()
    with _drawn(sheet) as figure:
        figure.savefig(target, format=kind, dpi=sheet.preset.dpi, metadata=about)
    return target.getvalue()


@contextmanager
def _drawn(sheet: Sheet) -> Iterator[Figure]:
    """Yield a figure of a sheet, with the fonts and settings that must hold until it is saved."""
    settings: dict[Any, Any] = {
        "font.family": font_families("".join(sorted(set(all_text(sheet))))),
        "pdf.fonttype": 42,
        "svg.fonttype": "none",
        "svg.hashsalt": "baita",
        "axes.unicode_minus": False,
    }
    with mpl.rc_context(settings):
        yield _draw(sheet)


def all_text(sheet: Sheet) -> str:
    """Return every character that a sheet shows, so that fonts can be chosen for them."""
    words = sheet.wording
    parts = [words.title, words.subtitle, words.as_of, words.source, words.unit, words.marking]
    parts += [words.notice, *words.labels.values(), "0123456789/±·…–｜ kmN"]
    parts += [label.text for label in sheet.labels]
    parts += [part for row in sheet.table for part in (row.name, row.status, row.street)]
    parts += [text for kind, rows in sheet.legend for text in (kind, *(r.label for r in rows))]
    return "".join(parts)


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
    axes.text(x, y, text, fontsize=size, color=colour, parse_math=False, **more)


def _draw_header(axes: Axes, sheet: Sheet) -> None:
    words, width = sheet.wording, sheet.preset.width
    _text(axes, 18, 30, words.title, 20, weight="bold")
    used = 18 + text_width(words.title, 20) + 16
    if words.subtitle:
        room = width - used - 18 - text_width(words.as_of, 11) - 20
        _text(axes, used, 30, clipped(words.subtitle, 11, room), 11, QUIET)
    _text(axes, width - 18, 22, words.as_of, 11, QUIET, ha="right")
    loud = " ｜ ".join(part for part in (words.notice, words.marking) if part)
    _text(axes, width - 18, 38, loud, 9.5, WARNING, ha="right", weight="bold")
    axes.plot([0, width], [46, 46], color=RULE, linewidth=0.8)


def _draw_footer(axes: Axes, sheet: Sheet) -> None:
    words, preset = sheet.wording, sheet.preset
    y = preset.height - 6.5
    left = " ｜ ".join(part for part in (words.unit, words.source) if part)
    _text(axes, 18, y, clipped(left, 8.5, preset.width - 120), 8.5, QUIET)
    if sheet.pages > 1:
        _text(axes, preset.width - 18, y, f"{sheet.page}/{sheet.pages}", 8.5, QUIET, ha="right")


def clipped(text: str, size: float, room: float) -> str:
    """Return a text cut to a width, with an ellipsis where something is missing."""
    if text_width(text, size) <= room:
        return text
    while text and text_width(text + "…", size) > room:
        text = text[:-1]
    return text + "…"


# ---- the map -----------------------------------------------------------------------------------------------------


def _draw_map(axes: Axes, sheet: Sheet) -> None:
    box = sheet.frame.box
    window = Rectangle((box.x, box.y), box.width, box.height, facecolor=OUTSIDE, edgecolor="none")
    axes.add_patch(window)
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
                edgecolor=sheet.look(symbol.status).fill,
                alpha=0.45,
                linewidth=0.5,
                linestyle=DASH,
            )
            _clip(axes, circle, window)
    for shape in sheet.shapes:
        _draw_shape(axes, sheet, shape, window)
    _draw_symbols(axes, sheet)
    for label in sheet.labels:
        _draw_label(axes, label)
    axes.add_patch(
        Rectangle((box.x, box.y), box.width, box.height, fill=False, edgecolor=RULE, linewidth=0.8)
    )
    _draw_scale(axes, sheet)


def _clip(axes: Axes, patch: Any, window: Rectangle) -> None:
    axes.add_patch(patch)
    patch.set_clip_path(window)


def _draw_shape(axes: Axes, sheet: Sheet, shape: Shape, window: Rectangle) -> None:
    colour = sheet.look(shape.status).fill
    if shape.area:
        path = Outline.make_compound_path(*(Outline(part, closed=False) for part in shape.parts))
        area = PathPatch(
            path, facecolor="none", edgecolor=colour, hatch="////", linewidth=1.4, alpha=0.7
        )
        area.set_gid(f"site:{shape.site_id}")
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
            lines.set_gid(f"site:{shape.site_id}")
        axes.add_collection(lines, autolim=False)
        lines.set_clip_path(window)


def _draw_symbols(axes: Axes, sheet: Sheet) -> None:
    """Draw symbols category by category, each with its white halo, glyph and look."""
    groups: dict[tuple[str, bool], list[Symbol]] = defaultdict(list)
    for symbol in sheet.symbols:
        groups[symbol.status.key, symbol.approximate].append(symbol)
    # What is lit is drawn over what is not.
    for (key, approximate), group in sorted(groups.items(), key=lambda g: g[0][0] in sheet.lit):
        draw_symbol(
            axes,
            np.array([(s.x, s.y) for s in group]),
            sheet.look(group[0].status),
            group[0].shape,
            approximate=approximate,
            gid=f"sites:{key}:{int(approximate)}",
            radius=sheet.symbol_radius,
        )


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
    """Draw one symbol at each place: the class by its shape, the status by fill and glyph."""
    hollow = status.hollow or approximate
    pale = _luminance(status.fill) > 0.5
    marker, (x, y) = marker_path(shape), places.T
    # Matplotlib shrinks a path to the unit square; give it back the size it asks for.
    size = (2 * radius * float(np.abs(marker.vertices).max())) ** 2
    common: dict[str, Any] = {"marker": marker, "zorder": SYMBOLS}
    axes.scatter(x, y, s=size, c=PAPER, linewidths=2.2, edgecolors=PAPER, **common)
    drawn = axes.scatter(
        x,
        y,
        s=size,
        c=PAPER if hollow else status.fill,
        linewidths=1.3 if hollow else 0.7,
        edgecolors=PALE_EDGE if pale and status.fill != UNLIT else status.fill,
        linestyles=[(0, (1.8, 1.2))] if approximate or status.dashed else "solid",
        **common,
    )
    if gid:
        drawn.set_gid(gid)
    if approximate and not status.hollow:
        axes.scatter(x, y, s=size * 0.2, c=status.fill, linewidths=0, **common)
    elif status.glyph:
        ink = INK if hollow or pale else PAPER
        common["marker"] = _glyph(status.glyph)
        axes.scatter(x, y, s=size * 0.34, c=ink, linewidths=0, **common)


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


def _luminance(colour: str) -> float:
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return 0.299 * red + 0.587 * green + 0.114 * blue


def _draw_label(axes: Axes, label: Label) -> None:
    if label.leader:
        x0, y0, x1, y1 = label.leader
        axes.plot([x0, x1], [y0, y1], color=QUIET, linewidth=0.5, zorder=LINES)
    place = (label.box.x, label.box.y + label.box.height / 2, label.text)
    common: dict[str, Any] = {"fontsize": label.size, "va": "center_baseline", "parse_math": False}
    # The halo is a stroke of its own: a text with an effect is written as outlines, not as text.
    halo = [Stroke(linewidth=2.2, foreground=PAPER)]
    axes.text(*place, color=PAPER, zorder=NAMES, path_effects=halo, **common)
    axes.text(*place, color=INK, zorder=NAMES, **common)


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
    axes.add_patch(
        Polygon([(x - 6, y), (x, y - 24), (x + 6, y), (x, y - 5)], facecolor=INK, linewidth=0)
    )
    _text(axes, x, y - 27, "N", 9, ha="center", weight="bold")


# ---- beside the map ----------------------------------------------------------------------------------------------


def _draw_side(axes: Axes, sheet: Sheet) -> None:
    x, y = sheet.side.x + 14, sheet.side.y + 6
    for kind, rows in sheet.legend:
        y += 17
        _text(axes, x, y - 4, kind, 10.5, weight="bold")
        for row in rows:
            y += 15
            _draw_legend_row(axes, sheet, x, y - 4, row)
    if sheet.rough:
        y += 12
        _text(axes, x, y - 1, sheet.wording.labels["rough"], 7.5, QUIET)
    y += 20
    total = len(sheet.on_map) + len(sheet.missing)
    counted = sheet.wording.labels["on_map_of"].format(n=len(sheet.on_map), total=total)
    _text(axes, x, y - 4, counted, 10, weight="bold")
    _draw_rows(axes, sheet, x, sheet.side.right - 12, sheet.rows_from)


def _draw_legend_row(axes: Axes, sheet: Sheet, x: float, y: float, row: LegendRow) -> None:
    status = sheet.look(row.status)
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
        draw_symbol(axes, np.array([(x + 9, y - 3.5)]), status, row.shape)
    ink = QUIET if sheet.lit and row.status.key not in sheet.lit else INK
    _text(axes, x + 25, y, row.label, 9.5, ink)
    _text(axes, sheet.side.right - 12, y, str(row.count), 9.5, ink, ha="right", weight="bold")


def _draw_rows(axes: Axes, sheet: Sheet, left: float, right: float, top: float) -> None:
    """Draw the table rows of this page in one column; the missing ones under their own heading."""
    line, y, missing_said = TABLE_SIZE * ROW_HEIGHT, top, False
    for row in sheet.table:
        if row.number == 0 and not missing_said:
            missing_said = True
            _text(
                axes,
                left,
                y - 3,
                sheet.wording.labels["missing"],
                TABLE_SIZE + 1,
                WARNING,
                weight="bold",
            )
            y += line
        _draw_row(axes, row, left, right, y)
        y += line


def _draw_row(axes: Axes, row: TableRow, left: float, right: float, y: float) -> None:
    number = str(row.number) if row.number else "–"
    room = right - left
    _text(axes, left + 16, y - 3, number, TABLE_SIZE, QUIET, ha="right")
    said = " · ".join(part for part in (row.status, row.street) if part)
    said_room = min(text_width(said, TABLE_SIZE - 1), room * 0.42)
    name_room = room - 22 - said_room - 6
    _text(axes, left + 21, y - 3, clipped(row.name, TABLE_SIZE, name_room), TABLE_SIZE)
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
    preset, line = sheet.preset, TABLE_SIZE * ROW_HEIGHT
    columns = table_columns(preset)
    width = (preset.width - 36) / columns
    per_column = max(1, int((preset.height - 46 - 20 - 34) // line))
    for n, row in enumerate(sheet.table):
        column, place = divmod(n, per_column)
        left = 18 + column * width
        _draw_row(axes, row, left, left + width - 18, 46 + 24 + place * line)


# ---- ids in an SVG -----------------------------------------------------------------------------------------------


def _name_symbols(svg: str, sheet: Sheet) -> str:
    """Give every drawn symbol its site's id; Matplotlib writes a group's symbols in the order they were given."""
    groups: dict[str, list[str]] = defaultdict(list)
    for symbol in sheet.symbols:
        groups[f"sites:{symbol.status.key}:{int(symbol.approximate)}"].append(symbol.site_id)
    svg = svg.replace('<g id="site:', '<g data-site="')
    for gid, ids in groups.items():
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
