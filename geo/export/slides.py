"""A series of sheets as a deck: every line, symbol and word a native shape that can be moved and edited.

A slide shows what `geo.export.figure` draws, from the same `Sheet`. Each site's shape is called `site:<site_id>`, in a
group called after its category; the speaker notes list the ids of all sites, those on the map and the missing.
"""

from __future__ import annotations

import copy
import io
import json
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Final, TypeVar

import numpy as np
import shapely
from PIL import Image
from pptx import Presentation
from pptx.opc.constants import RELATIONSHIP_TYPE
from pptx.oxml.ns import namespaces, qn
from pptx.oxml.xmlchemy import BaseOxmlElement, OxmlElement
from pptx.presentation import Presentation as Deck
from pptx.slide import Slide
from pptx.util import Emu

from geo.category import Status
from geo.export.figure import DELTA_ROOM, write_png
from geo.export.frame import Box
from geo.export.layout import (
    LEGEND_RADIUS,
    LINE,
    MARGIN,
    PAGE_TOP,
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
    page_column,
    page_columns,
    table_lines,
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
from geo.export.tables import AUTHOR, writable

FONT: Final = "Microsoft YaHei"
LANGUAGES: Final = {"zh": ("zh-CN", "en-US"), "en": ("en-US", "zh-CN")}
MAX_NATIVE: Final = 1500
"""Above so many sites the map is a picture: PowerPoint is slow to open and to select thousands of shapes."""
EMU_PER_POINT: Final = 12700
TITLE_ONLY: Final = 5  # in python-pptx's template: a layout with a title and nothing else
TABLE_URI: Final = "http://schemas.openxmlformats.org/drawingml/2006/table"
NO_TABLE_STYLE: Final = "{2D5ABB26-0587-4C30-8999-92F81FD0307C}"
DETAIL: Final = 0.05
"""A line may leave its true course by so many points: a hundredth of a symbol, and far fewer corners."""
MARKERS: Final = {"diamond": "diamond", "square": "rect", "triangle": "triangle"}
"""A class's shape to its name in PowerPoint; the others are circles, as in the figure."""
LARGER: Final = {"diamond": 1.2, "triangle": 1.1}
"""Shapes with corners reach farther, for the same weight to the eye."""

Element = BaseOxmlElement
Site = TypeVar("Site", Symbol, Shape)


def write_pptx(
    series: Sequence[Sequence[Sheet]],
    *,
    pictures: Callable[[Sheet], bytes] | None = None,
    progress: Callable[[float], None] | None = None,
) -> bytes:
    """Return a deck with a slide for every sheet.

    Parameters
    ----------
    series
        For each picture its pages; all sheets are of one size.
    pictures
        Draws a whole sheet as PNG. It is asked for the map of a sheet with more than `MAX_NATIVE` sites;
        `geo.export.figure.write_png` by default.
    progress
        Called before each slide with the share that is done, 0 to 1; what it raises ends the work.

    Raises
    ------
    ValueError
        If there is no sheet, or they differ in size.
    """
    sheets = list(chain.from_iterable(series))
    sizes = {(sheet.preset.width, sheet.preset.height) for sheet in sheets}
    if len(sizes) != 1:
        raise ValueError(f"{len(sheets)} sheets of {len(sizes)} sizes; a deck has one size")
    deck = _empty_deck(*sizes.pop())
    for n, sheet in enumerate(sheets):
        if progress:
            progress(n / len(sheets))
        _add_slide(deck, sheet, pictures or write_png)
    _describe(deck, sheets[0])
    target = io.BytesIO()
    deck.save(target)
    return target.getvalue()


# ---- the deck ----------------------------------------------------------------------------------------------------


def _empty_deck(width: float, height: float) -> Deck:
    """Return an empty deck of a size in points: one layout, and nothing of the computer its template is from."""
    deck = Presentation()
    package = deck.part.package
    strange = RELATIONSHIP_TYPE.THUMBNAIL, RELATIONSHIP_TYPE.EXTENDED_PROPERTIES
    for rel in [rel for rel in package.iter_rels() if rel.reltype in strange]:
        package.drop_rel(rel.rId)
    for rel in list(deck.part.rels.values()):
        if rel.reltype == RELATIONSHIP_TYPE.PRINTER_SETTINGS:
            deck.part.rels.pop(rel.rId)
    for number, layout in enumerate(list(deck.slide_layouts)):
        if number != TITLE_ONLY:
            deck.slide_layouts.remove(layout)
    _resize(deck, _emu(width), _emu(height))
    return deck


def _resize(deck: Deck, width: int, height: int) -> None:
    """Set the size of the slides; what the template has for new ones keeps its share of it."""
    wider, higher = width / (deck.slide_width or width), height / (deck.slide_height or height)
    for shape in deck.slide_master.shapes:
        shape.left, shape.width = Emu(shape.left * wider), Emu(shape.width * wider)
        shape.top, shape.height = Emu(shape.top * higher), Emu(shape.height * higher)
    deck.slide_width, deck.slide_height = Emu(width), Emu(height)
    deck.element.find(qn("p:sldSz")).attrib.pop("type", None)  # the template's says 4:3


def _describe(deck: Deck, sheet: Sheet) -> None:
    words, about = sheet.wording, deck.core_properties
    # 255 characters is what python-pptx lets through.
    about.title = writable(words.title)[:255]
    about.subject = writable(words.as_of)[:255]
    about.comments = writable(_loud(sheet))[:255]
    about.author = about.last_modified_by = AUTHOR
    about.language = LANGUAGES[words.language][0]
    about.created = about.modified = datetime.now(UTC).replace(microsecond=0, tzinfo=None)


def _add_slide(deck: Deck, sheet: Sheet, pictures: Callable[[Sheet], bytes]) -> None:
    slide = deck.slides.add_slide(deck.slide_layouts[0])
    tree = slide.shapes.element
    for placeholder in list(slide.placeholders):
        tree.remove(placeholder.element)
    tree.extend(_header(sheet))
    if sheet.page > 1:
        tree.extend(_table_page(sheet))
    else:
        crowded = len(sheet.symbols) + len(sheet.shapes) > MAX_NATIVE
        tree.extend(_map_picture(slide, sheet, pictures) if crowded else _map(sheet))
        tree.extend(_side(sheet))
    tree.extend(_footer(sheet))
    _finish(tree, sheet.wording.language)
    _write_notes(slide, sheet)


def _finish(tree: Element, language: str) -> None:
    """Number the shapes of a slide and name the language of its text."""
    for number, properties in enumerate(tree.iter(qn("p:cNvPr")), start=1):
        properties.set("id", str(number))
    main, other = LANGUAGES[language]
    for properties in tree.iter(qn("a:rPr"), qn("a:endParaRPr")):
        properties.set("lang", main)
        properties.set("altLang", other)


def _write_notes(slide: Slide, sheet: Sheet) -> None:
    """Write into the speaker notes what the sheet rests on; the ids are JSON lists, so that they read back exactly."""
    words = sheet.wording
    lines = [words.title, words.subtitle, words.as_of, words.source, words.unit, _loud(sheet)]
    lines.append(_counted(sheet))
    if sheet.page == 1:
        lines.append(json.dumps(sheet.on_map, ensure_ascii=False))
        lines.append(f"{words.labels['missing']} {len(sheet.missing)}")
        lines.append(json.dumps(sheet.missing, ensure_ascii=False))
    placeholder = slide.notes_slide.notes_placeholder
    if placeholder is None:
        raise RuntimeError("python-pptx's notes have no place for text")
    body = placeholder.element.find(qn("p:txBody"))
    for paragraph in body.findall(qn("a:p")):
        body.remove(paragraph)
    body.extend(_paragraph([_run(line, 12)]) for line in lines if line)
    _finish(body, words.language)


def _counted(sheet: Sheet) -> str:
    total = len(sheet.on_map) + len(sheet.missing)
    return sheet.wording.labels["on_map_of"].format(n=len(sheet.on_map), total=total)


def _loud(sheet: Sheet) -> str:
    return " ｜ ".join(part for part in (sheet.wording.notice, sheet.wording.marking) if part)


# ---- the page ----------------------------------------------------------------------------------------------------


def _header(sheet: Sheet) -> Iterator[Element]:
    words, right = sheet.wording, sheet.preset.width - MARGIN
    half = sheet.preset.width / 2
    as_of, loud = _cut(words.as_of, 11, half), _cut(_loud(sheet), 9.5, half)
    room = right - 42 - max(_width(as_of, 11), _width(loud, 9.5))
    # Bold letters are wider.
    fitting = (size for size in TITLE_SIZES if _width(words.title, size) <= room * 0.9)
    size = next(fitting, TITLE_SIZES[-1])
    title = _cut(words.title, size, room * 0.9)
    runs = [_run(title, size, bold=True)]
    rest = room - _width(title, size) - 11
    if words.subtitle and rest > 40:
        # In the same box, so that neither covers the other, however wide the font is.
        runs.append(_run(f"　{_cut(words.subtitle, 11, rest)}", 11, QUIET))
    yield _text_box("title", Box(18, 8, room, 30), runs, title=True)
    yield from _words("as of", as_of, right, 22, 11, QUIET, align="r")
    yield from _words("notice", loud, right, 38, 9.5, WARNING, align="r", bold=True)
    rule = [np.array([(0, 46), (sheet.preset.width, 46)])]
    yield _freeform("header rule", [], rule, line=_line(RULE, 0.8))


def _footer(sheet: Sheet) -> Iterator[Element]:
    words, preset = sheet.wording, sheet.preset
    y = preset.height - 6.5
    left = " ｜ ".join(part for part in (words.unit, words.source) if part)
    yield from _words("source", _cut(left, 8.5, preset.width - 120), MARGIN, y, 8.5, QUIET)
    if sheet.pages > 1:
        page = f"{sheet.page}/{sheet.pages}"
        yield from _words("page", page, preset.width - MARGIN, y, 8.5, QUIET, align="r")


def _table_page(sheet: Sheet) -> Iterator[Element]:
    for n, lines in enumerate(page_columns(sheet)):
        left, right = page_column(sheet.preset, n)
        yield _table(f"table {n + 1}", lines, left, PAGE_TOP - LINE, right - left, rule=True)


# ---- the map -----------------------------------------------------------------------------------------------------


def _map(sheet: Sheet) -> Iterator[Element]:
    """Yield the map from the ground up: land, circles of error, roads and areas, symbols, names."""
    box = sheet.frame.box
    about = _alt(sheet.wording.title, _counted(sheet))
    yield _shape("map", box, _preset("rect"), _fill(OUTSIDE), descr=about)
    lines = [line for ring in sheet.neighbours for line in _clip_lines([ring], box)]
    if lines:
        yield _freeform("neighbours", [], lines, line=_line(NEIGHBOUR, 0.7))
    for ring in sheet.outline:
        areas, lines = _clip_rings([ring], box), _clip_lines([ring], box)
        if areas:
            yield _freeform("outline", areas, lines, _fill(PAPER), _line(OUTLINE, 1.4))
    circles = [circle for symbol in sheet.symbols for circle in _error_circle(sheet, symbol)]
    if circles:
        yield _group("uncertainty", circles, sheet.wording.labels["rough"])
    # Areas first: a road through one stays in sight.
    by_area = sorted(sheet.shapes, key=lambda shape: not shape.area)
    yield from _changed_shapes(sheet, by_area)
    yield from _groups(sheet, by_area, _site_shapes)
    yield from _groups(sheet, sheet.symbols, _site_symbols)
    ringed = [symbol for symbol in sheet.symbols if sheet.is_ringed(symbol.site_id)]
    if ringed:
        reach = 1.2 * sheet.symbol_radius + RING_GAP
        rings = [_ring(f"changed:{s.site_id}", s.x, s.y, reach) for s in ringed]
        yield _group("changed", rings, sheet.changed_said)
    places = {symbol.site_id: symbol.x for symbol in sheet.symbols}
    for label in sheet.labels:
        ink = INK if sheet.is_lit(label.site_id) else UNLIT_INK
        yield from _label(label, places.get(label.site_id), ink)
    yield _shape("map edge", box, _preset("rect"), line=_line(RULE, 0.8))


def _map_picture(
    slide: Slide, sheet: Sheet, pictures: Callable[[Sheet], bytes]
) -> Iterator[Element]:
    """Yield the map as one picture, cut out of the picture of the whole sheet."""
    box, preset, target = sheet.frame.box, sheet.preset, io.BytesIO()
    with Image.open(io.BytesIO(pictures(sheet))) as page:
        wide, high = page.width / preset.width, page.height / preset.height
        left, top = round(box.x * wide), round(box.y * high)
        right, bottom = round(box.right * wide), round(box.bottom * high)
        page.crop((left, top, right, bottom)).convert("RGB").save(target, "PNG")
    target.seek(0)
    _, rel_id = slide.part.get_or_add_image_part(target)
    blip = OxmlElement("a:blip", namespaces("a", "r"))
    blip.set(qn("r:embed"), rel_id)
    locks = _element("p:cNvPicPr", _element("a:picLocks", noChangeAspect=1))
    about = _alt(sheet.wording.title, _counted(sheet))
    yield _element(
        "p:pic",
        _element("p:nvPicPr", _properties("map", about), locks, _element("p:nvPr")),
        _element("p:blipFill", blip, _element("a:stretch", _element("a:fillRect"))),
        _element("p:spPr", _transform("a:xfrm", box), _preset("rect")),
    )


def _error_circle(sheet: Sheet, symbol: Symbol) -> Iterator[Element]:
    """Yield the circle a site lies in: a native one, or what of it is inside the map."""
    x, y, radius = symbol.x, symbol.y, symbol.radius
    if radius <= sheet.symbol_radius:
        return
    box, around = sheet.frame.box, Box(x - radius, y - radius, 2 * radius, 2 * radius)
    line = _line(sheet.look(symbol).fill, 0.5, dash="sysDash", alpha=0.45)
    name = f"uncertainty:{symbol.site_id}"
    if box.contains(around):
        yield _shape(name, around, _preset("ellipse"), line=line)
        return
    turn = np.linspace(0, 2 * np.pi, 145)
    ring = np.column_stack([x + radius * np.cos(turn), y + radius * np.sin(turn)])
    lines = _clip_lines([ring], box)
    if lines:
        yield _freeform(name, [], lines, line=line)


def _groups(
    sheet: Sheet,
    sites: Iterable[Site],
    draw: Callable[[Sheet, list[Site]], list[Element]],
) -> Iterator[Element]:
    """Yield one group for each category, grey ones apart; what is lit comes last and so on top."""
    groups: dict[tuple[bool, str], list[Site]] = defaultdict(list)
    for site in sites:
        groups[sheet.is_lit(site.site_id), site.status.key].append(site)
    kinds = {row.status.key: kind for kind, rows in sheet.legend for row in rows}
    for (_, key), group in sorted(groups.items(), key=lambda item: item[0][0]):
        label = group[0].status.label[sheet.wording.language]
        yield _group(key, draw(sheet, group), _alt(kinds.get(key, ""), label, str(len(group))))


def _site_symbols(sheet: Sheet, symbols: list[Symbol]) -> list[Element]:
    """Return the symbols of one category: copies of one for each look, which is far faster than new ones."""
    status, radius = sheet.look(symbols[0]), sheet.symbol_radius
    label = symbols[0].status.label[sheet.wording.language]
    looks: dict[tuple[str, bool], Element] = {}
    drawn = []
    for symbol in symbols:
        look = symbol.shape, symbol.approximate
        if look not in looks:
            looks[look] = _symbol(status, symbol.shape, radius, approximate=symbol.approximate)
        copied = copy.deepcopy(looks[look])
        properties, spot = copied.find(f".//{qn('p:cNvPr')}"), copied.find(f".//{qn('a:off')}")
        properties.set("name", writable(f"site:{symbol.site_id}"))
        properties.set("descr", _alt(symbol.name, label))
        spot.set("x", str(_emu(symbol.x) + int(spot.get("x"))))
        spot.set("y", str(_emu(symbol.y) + int(spot.get("y"))))
        drawn.append(copied)
    return drawn


def _symbol(
    status: Status, shape: str, radius: float, *, approximate: bool = False, name: str = ""
) -> Element:
    """Return a symbol around the origin: the class by its shape, the status by fill and glyph."""
    paint = paint_symbol(status, approximate=approximate)
    if paint.hollow or paint.pale:
        dash = "sysDash" if paint.dashed else ""
        edge, rim = _line(paint.edge, 1.3 if paint.hollow else 0.7, dash=dash), 0.0
    else:
        # White, to stand apart from its neighbours, as the halo does it in the figure.
        edge, rim = _line(PAPER, 0.8), 0.6
    glyph, ink, size = status.glyph, paint.ink, 1.4 * radius
    if paint.dot:
        glyph, ink, size = "●", paint.dot, 1.1 * radius
    text = [_run(glyph, size, ink, bold=True)] if glyph else []
    reach = radius * LARGER.get(shape, 1.0) + rim
    return _shape(
        name,
        Box(-reach, -reach, 2 * reach, 2 * reach),
        _preset(MARKERS.get(shape, "ellipse")),
        _fill(paint.fill),
        edge,
        body=_body(_paragraph(text, "ctr")) if text else None,
    )


def _changed_shapes(sheet: Sheet, shapes: Iterable[Shape]) -> Iterator[Element]:
    """Yield what shows on both sides of a road, or around an area, that it has changed; it lies under all sites."""
    for shape in shapes:
        lines = _clip_lines(shape.parts, sheet.frame.box) if sheet.is_ringed(shape.site_id) else []
        if lines:
            width = 2 * CHANGED_WIDTH + (AREA_EDGE if shape.area else CASING_WIDTH)
            line = _line(CHANGED, width, cap="rnd")
            yield _freeform(f"changed:{shape.site_id}", [], lines, line=line, descr=shape.name)


def _ring(name: str, x: float, y: float, reach: float) -> Element:
    around = Box(x - reach, y - reach, 2 * reach, 2 * reach)
    return _shape(name, around, _preset("ellipse"), line=_line(CHANGED, CHANGED_WIDTH))


def _site_shapes(sheet: Sheet, shapes: list[Shape]) -> list[Element]:
    return [element for shape in shapes for element in _site_shape(sheet, shape)]


def _site_shape(sheet: Sheet, shape: Shape) -> Iterator[Element]:
    """Yield a road with its casing, or an area."""
    box, colour = sheet.frame.box, sheet.look(shape).fill
    name = f"site:{shape.site_id}"
    about = _alt(shape.name, shape.status.label[sheet.wording.language])
    areas = _clip_rings(shape.parts, box) if shape.area else []
    lines = _clip_lines(shape.parts, box)
    if not areas and not lines:
        lines = [_touch(shape, box)]
    if shape.area:
        dash = "sysDash" if shape.dashed else ""
        edge = _line(colour, AREA_EDGE, dash=dash, alpha=0.8)
        yield _freeform(name, areas, lines, _hatch(colour), edge, descr=about)
        return
    cap = "flat" if shape.dashed else "rnd"
    casing = _line(PAPER, CASING_WIDTH, cap=cap)
    yield _freeform(f"casing:{shape.site_id}", [], lines, line=casing)
    line = _line(colour, LINE_WIDTH, dash="sysDash" if shape.dashed else "", cap=cap)
    yield _freeform(name, [], lines, line=line, descr=about)


def _label(label: Label, symbol_x: float | None, ink: str) -> Iterator[Element]:
    """Yield a label with its leader; a font wider than we think must grow away from the symbol."""
    box, align = label.box, "ctr"
    if label.leader:
        symbol_x = label.leader[0]
        line = [np.array(label.leader).reshape(2, 2)]
        yield _freeform(f"leader:{label.site_id}", [], line, line=_line(QUIET, 0.5))
    if symbol_x is not None and not box.x < symbol_x < box.right:
        align = "r" if box.right <= symbol_x else "l"
    # PowerPoint has no halo for text that is not an effect; a thin white ground does the same.
    ground = _fill(PAPER, alpha=0.85)
    text = [_run(label.text, label.size, ink)]
    yield _text_box(f"label:{label.site_id}", box, text, align=align, fill=ground)


# ---- beside the map ----------------------------------------------------------------------------------------------


def _side(sheet: Sheet) -> Iterator[Element]:
    x, y = sheet.side.x + 14, sheet.side.y + 6
    legend: list[Element] = []
    for kind, rows in sheet.legend:
        y += 17
        legend += _words("kind", kind, x, y - 4, 10.5, bold=True)
        for row in rows:
            y += 15
            legend += _legend_row(sheet, row, x, y - 4)
    if sheet.changed is not None:
        y += 19
        legend.append(_ring("legend:changed", x + 9, y - 7.5, LEGEND_RADIUS))
        legend += _words("changed", sheet.changed_said, x + 25, y - 4, 9.5)
    if sheet.rough:
        y += 12
        legend += _words("rough", sheet.wording.labels["rough"], x, y - 1, 7.5, QUIET)
    told = [(row.label, row.count, row.delta) for _, rows in sheet.legend for row in rows]
    said = "；".join(f"{label} {count} {delta}".strip() for label, count, delta in told)
    if legend:
        yield _group("legend", legend, said)
    y += 20
    yield from _words("counts", _counted(sheet), x, y - 4, 10, bold=True)
    yield from _words("outside", sheet.outside_said, x, y + 8, 7.5, QUIET)
    if sheet.table:
        lines = table_lines(sheet.table, sheet.wording.labels["missing"])
        yield _table("table", lines, x, sheet.rows_from - LINE, sheet.side.right - MARGIN - x)
    yield from _inset(sheet)
    yield from _scale(sheet)


def _legend_row(sheet: Sheet, row: LegendRow, x: float, y: float) -> Iterator[Element]:
    status, key = sheet.legend_look(row.status), row.status.key
    if row.shape == "line":
        sample = [np.array([(x, y - 3.5), (x + 18, y - 3.5)])]
        line = _line(status.fill, LINE_WIDTH, dash="sysDash" if status.dashed else "")
        yield _freeform(f"legend:{key}", [], sample, line=line)
    else:
        symbol = _symbol(status, row.shape, LEGEND_RADIUS, name=f"legend:{key}")
        spot = symbol.find(f".//{qn('a:off')}")
        spot.set("x", str(_emu(x + 9) + int(spot.get("x"))))
        spot.set("y", str(_emu(y - 3.5) + int(spot.get("y"))))
        yield symbol
    ink = INK if sheet.in_colour(row.status) else QUIET
    right = sheet.side.right - MARGIN
    yield from _words(f"status:{key}", row.label, x + 25, y, 9.5, ink)
    if row.delta:
        delta = _words(f"delta:{key}", row.delta, right, y, 9.5, CHANGED, align="r", bold=True)
        yield from delta
    right = right if sheet.changed is None else right - DELTA_ROOM
    yield from _words(f"count:{key}", str(row.count), right, y, 9.5, ink, align="r", bold=True)


def _inset(sheet: Sheet) -> Iterator[Element]:
    """Yield where the frame lies in the district."""
    if sheet.inset is None:
        return
    box, window = sheet.inset.box, sheet.inset.window
    drawn = [_shape("inset ground", box, _preset("rect"), _fill(OUTSIDE), _line(RULE, 0.8))]
    for ring in sheet.inset.rings:
        areas, lines = _clip_rings([ring], box), _clip_lines([ring], box)
        if areas:
            drawn.append(
                _freeform("inset outline", areas, lines, _fill(PAPER), _line(OUTLINE, 0.8))
            )
    look = _fill(WARNING, alpha=0.15), _line(WARNING, 1.0)
    drawn.append(_shape("inset frame", window, _preset("rect"), *look))
    yield _group("inset", drawn, "")


def _scale(sheet: Sheet) -> Iterator[Element]:
    """Yield scale bar and north arrow, at the foot of the side column."""
    metres = sheet.frame.scale_bar_m
    length = metres * sheet.frame.points_per_metre
    left, y = sheet.side.x + 14, sheet.side.bottom - 16
    bar = np.array([(left, y - 4), (left, y), (left + length, y), (left + length, y - 4)])
    said = f"{metres / 1000:g} km" if metres >= 1000 else f"{metres:g} m"
    drawn = [_freeform("bar", [], [bar], line=_line(INK, 1.1))]
    yield _group("scale bar", [*drawn, *_words("length", said, left, y - 8, 9)], said)
    x = sheet.side.right - 26
    arrow = np.array([(x - 6, y), (x, y - 24), (x + 6, y), (x, y - 5)])
    north = _words("N", "N", x, y - 27, 9, align="ctr", bold=True)
    yield _group("north arrow", [_freeform("arrow", [arrow], [], _fill(INK)), *north], "N")


def _table(
    name: str,
    lines: Sequence[TableRow | str],
    left: float,
    top: float,
    room: float,
    *,
    rule: bool = False,
) -> Element:
    """Return lines as a native table, ruled or not; a text among them is a heading."""
    widest = max((_width(_about(row), TABLE_SIZE - 1) for row in lines if row), default=0.0)
    said_room = min(widest + 2, room * 0.42)
    rooms = 21.0, room - 21 - said_room, said_room
    drawn = []
    for row in lines:
        if isinstance(row, str):
            drawn.append(_heading_row(row, len(rooms)))
            continue
        number = _run(str(row.number) if row.number else "–", TABLE_SIZE, QUIET)
        site = _run(cut_middle(row.name, TABLE_SIZE, rooms[1] - 5, _width), TABLE_SIZE)
        about = _run(_cut(_about(row), TABLE_SIZE - 1, said_room), TABLE_SIZE - 1, QUIET)
        cells = _cell(number, "r", 5), _cell(site), _cell(about, "r")
        drawn.append(_table_row(*(_ruled(cell) for cell in cells) if rule else cells))
    return _table_frame(name, drawn, rooms, left, top)


def _about(row: TableRow | str) -> str:
    return "" if isinstance(row, str) else "·".join(filter(None, (row.status, row.street)))


def _ruled(cell: Element) -> Element:
    """Return a cell with a fine line under it."""
    cell.find(qn("a:tcPr")).insert(0, _element("a:lnB", _fill(RULE), w=_emu(0.3)))
    return cell


def _heading_row(text: str, columns: int) -> Element:
    first = _cell(_run(text, TABLE_SIZE + 1, WARNING, bold=True) if text else None)
    first.set("gridSpan", str(columns))
    rest = [_cell() for _ in range(columns - 1)]
    for cell in rest:
        cell.set("hMerge", "1")
    return _table_row(first, *rest)


def _table_row(*cells: Element) -> Element:
    return _element("a:tr", *cells, h=_emu(LINE))


def _cell(run: Element | None = None, align: str = "l", margin: float = 0.0) -> Element:
    # The height of a line is fixed: a font with more room above its letters must not push rows off the page.
    paragraph = _paragraph(
        [run] if run is not None else [], align, line_height=TABLE_SIZE * 1.28, end_size=TABLE_SIZE
    )
    text = _element("a:txBody", _element("a:bodyPr"), _element("a:lstStyle"), paragraph)
    look = _element("a:tcPr", _no_fill(), marL=0, marR=_emu(margin), marT=0, marB=0, anchor="ctr")
    return _element("a:tc", text, look)


def _table_frame(
    name: str, lines: list[Element], rooms: Sequence[float], left: float, top: float
) -> Element:
    box = Box(left, top, sum(rooms), len(lines) * LINE)
    style = _element("a:tableStyleId")
    style.text = NO_TABLE_STYLE
    grid = _element("a:tblGrid", *(_element("a:gridCol", w=_emu(room)) for room in rooms))
    table = _element("a:tbl", _element("a:tblPr", style), grid, *lines)
    locks = _element("a:graphicFrameLocks", noGrp=1)
    return _element(
        "p:graphicFrame",
        _element(
            "p:nvGraphicFramePr",
            _properties(name),
            _element("p:cNvGraphicFramePr", locks),
            _element("p:nvPr"),
        ),
        _transform("p:xfrm", box),
        _element("a:graphic", _element("a:graphicData", table, uri=TABLE_URI)),
    )


# ---- what of a shape is inside the map ---------------------------------------------------------------------------
# A picture clips what it draws; a slide cannot, and a road must not run over the legend.


def _clip_lines(parts: Iterable[Points], box: Box) -> list[Points]:
    """Return what of some lines is inside a box; none if nothing is."""
    lines = shapely.simplify(shapely.MultiLineString(list(parts)), DETAIL, preserve_topology=False)
    return _coordinates(shapely.get_parts(_clip(lines, box)))


def _clip_rings(rings: Iterable[Points], box: Box) -> list[Points]:
    """Return the rings, cut where the box ends; of an area and its holes, drawn together, the holes stay open."""
    areas = [shapely.simplify(shapely.Polygon(ring), DETAIL) for ring in rings]
    parts = [part for area in areas for part in shapely.get_parts(_clip(area, box))]
    return _coordinates(part.exterior for part in parts if isinstance(part, shapely.Polygon))


def _clip(shape: shapely.Geometry, box: Box) -> shapely.Geometry:
    return shapely.clip_by_rect(shape, box.x, box.y, box.right, box.bottom)


def _coordinates(shapes: Iterable[shapely.Geometry]) -> list[Points]:
    """Return the points of each line or ring that has a length."""
    points = [shapely.get_coordinates(shape) for shape in shapes if shapely.length(shape)]
    return [part for part in points if len(part) > 1]


def _touch(shape: Shape, box: Box) -> Points:
    """Return, as a line of no length, where a shape that is on the map by no more than a point touches it."""
    window = shapely.box(box.x, box.y, box.right, box.bottom)
    line = shapely.MultiLineString(list(shape.parts))
    spot = shapely.get_coordinates(shapely.shortest_line(window, line))[:1]
    return np.repeat(spot, 2, axis=0)


# ---- DrawingML ---------------------------------------------------------------------------------------------------


def _element(tag: str, *children: Element, **attributes: object) -> Element:
    element = OxmlElement(tag)
    for name, value in attributes.items():
        element.set(name, str(value))
    element.extend(children)
    return element


def _emu(points: float) -> int:
    return round(points * EMU_PER_POINT)


def _properties(name: str, descr: str = "") -> Element:
    """Return a shape's name and alternative text; `_finish` gives it its number."""
    more = {"descr": writable(descr)} if descr else {}
    return _element("p:cNvPr", id=0, name=writable(name), **more)


def _alt(*parts: str) -> str:
    return writable(" · ".join(part for part in parts if part))


def _transform(tag: str, box: Box) -> Element:
    offset = _element("a:off", x=_emu(box.x), y=_emu(box.y))
    # No less than nothing, and a line may have no height.
    extent = _element("a:ext", cx=max(0, _emu(box.width)), cy=max(0, _emu(box.height)))
    return _element(tag, offset, extent)


def _preset(name: str) -> Element:
    return _element("a:prstGeom", _element("a:avLst"), prst=name)


def _no_fill() -> Element:
    return _element("a:noFill")


def _fill(colour: str, *, alpha: float = 1.0) -> Element:
    return _element("a:solidFill", _tint(colour, alpha))


def _tint(colour: str, alpha: float) -> Element:
    tint = _element("a:srgbClr", val=colour.lstrip("#").upper())
    if alpha < 1:
        tint.append(_element("a:alpha", val=round(alpha * 100_000)))
    return tint


def _hatch(colour: str) -> Element:
    """Return thin lines on a ground that is not there; pale ones, because programs draw them close together."""
    lines = _element("a:fgClr", _tint(colour, 0.4))
    ground = _element("a:bgClr", _tint(PAPER, 0.0))
    return _element("a:pattFill", lines, ground, prst="ltUpDiag")


def _line(
    colour: str, width: float, *, dash: str = "", alpha: float = 1.0, cap: str = "flat"
) -> Element:
    line = _element("a:ln", _fill(colour, alpha=alpha), w=_emu(width), cap=cap)
    if dash:
        line.append(_element("a:prstDash", val=dash))
    line.append(_element("a:round"))
    return line


def _shape(
    name: str,
    box: Box,
    geometry: Element,
    fill: Element | None = None,
    line: Element | None = None,
    *,
    body: Element | None = None,
    kind: Element | None = None,
    place: Element | None = None,
    descr: str = "",
) -> Element:
    """Return a shape without a style, so that no theme adds a colour, a shadow or another effect."""
    look = _element("p:spPr", _transform("a:xfrm", box), geometry)
    look.append(_no_fill() if fill is None else fill)
    look.append(_element("a:ln", _no_fill()) if line is None else line)
    look.append(_element("a:effectLst"))
    about = _element(
        "p:nvSpPr",
        _properties(name, descr),
        _element("p:cNvSpPr") if kind is None else kind,
        _element("p:nvPr") if place is None else place,
    )
    shape = _element("p:sp", about, look)
    if body is not None:
        shape.append(body)
    return shape


def _freeform(
    name: str,
    areas: Sequence[Points],
    lines: Sequence[Points],
    fill: Element | None = None,
    line: Element | None = None,
    *,
    descr: str = "",
) -> Element:
    """Return areas that are filled and lines that are drawn, in sheet points, as one shape."""
    points = np.concatenate([*areas, *lines])
    low, high = points.min(axis=0), points.max(axis=0)
    box = Box(float(low[0]), float(low[1]), *map(float, high - low))
    paths = _element("a:pathLst")
    if areas:
        paths.append(_path(areas, box, stroke=0))
    if lines:
        paths.append(_path(lines, box, fill="none"))
    unused = ("a:avLst", "a:gdLst", "a:ahLst", "a:cxnLst")
    frame = _element("a:rect", l="0", t="0", r="r", b="b")
    geometry = _element("a:custGeom", *map(_element, unused), frame, paths)
    return _shape(name, box, geometry, fill, line, descr=descr)


def _path(parts: Sequence[Points], box: Box, **attributes: object) -> Element:
    path = _element("a:path", w=_emu(box.width), h=_emu(box.height), **attributes)
    for part in parts:
        steps = np.rint((part - (box.x, box.y)) * EMU_PER_POINT).astype(int).tolist()
        for number, (x, y) in enumerate(steps):
            step = _element("a:lnTo" if number else "a:moveTo", _element("a:pt", x=x, y=y))
            path.append(step)
        if attributes.get("fill") != "none":
            path.append(_element("a:close"))
    return path


def _group(name: str, children: Sequence[Element], descr: str) -> Element:
    """Return shapes as one group, which is as large as they are."""
    spots = [spot for child in children for spot in child.iter(qn("a:off"))]
    sizes = [size for child in children for size in child.iter(qn("a:ext"))]
    lows = np.array([(int(s.get("x")), int(s.get("y"))) for s in spots])
    highs = lows + [(int(s.get("cx")), int(s.get("cy"))) for s in sizes]
    (x, y), (right, bottom) = lows.min(axis=0).tolist(), highs.max(axis=0).tolist()
    place = _element(
        "a:xfrm",
        _element("a:off", x=x, y=y),
        _element("a:ext", cx=right - x, cy=bottom - y),
        _element("a:chOff", x=x, y=y),
        _element("a:chExt", cx=right - x, cy=bottom - y),
    )
    about = _element(
        "p:nvGrpSpPr",
        _properties(name, descr),
        _element("p:cNvGrpSpPr"),
        _element("p:nvPr"),
    )
    return _element("p:grpSp", about, _element("p:grpSpPr", place), *children)


# ---- text --------------------------------------------------------------------------------------------------------


def _words(
    name: str,
    text: str,
    x: float,
    y: float,
    size: float,
    colour: str = INK,
    *,
    align: str = "l",
    bold: bool = False,
) -> Iterator[Element]:
    """Yield a text whose letters stand on y and begin, end or are centred at x; nothing for no text."""
    if text:
        width, height = _width(text, size), size * 1.4
        left = x - {"l": 0.0, "ctr": width / 2, "r": width}[align]
        # The middle of a line is about so far above its letters' foot in every font we know.
        box = Box(left, y - 0.38 * size - height / 2, width, height)
        yield _text_box(name, box, [_run(text, size, colour, bold=bold)], align=align)


def _text_box(
    name: str,
    box: Box,
    runs: Sequence[Element],
    *,
    align: str = "l",
    fill: Element | None = None,
    title: bool = False,
) -> Element:
    """Return one line of text in a box; as the slide's title it is also what screen readers say."""
    place = _element("p:nvPr", _element("p:ph", type="title")) if title else None
    locks = _element("a:spLocks", noGrp=1)
    kind = _element("p:cNvSpPr", locks) if title else _element("p:cNvSpPr", txBox=1)
    return _shape(
        name,
        box,
        _preset("rect"),
        fill,
        body=_body(_paragraph(runs, align)),
        kind=kind,
        place=place,
    )


def _body(paragraph: Element) -> Element:
    """Return the text of a shape: in the middle of its height, never wrapped, never resized."""
    frame = _element("a:bodyPr", _element("a:noAutofit"), wrap="none", anchor="ctr", rtlCol=0)
    for inset in ("lIns", "tIns", "rIns", "bIns"):
        frame.set(inset, "0")
    return _element("p:txBody", frame, _element("a:lstStyle"), paragraph)


def _paragraph(
    runs: Sequence[Element], align: str = "l", *, line_height: float = 0.0, end_size: float = 0.0
) -> Element:
    look = _element("a:pPr", algn=align)
    if line_height:
        exact = _element("a:spcPts", val=round(line_height * 100))
        look.append(_element("a:lnSpc", exact))
    paragraph = _element("a:p", look, *runs)
    if end_size:
        # Without it an empty cell is as high as 18 points need.
        paragraph.append(_element("a:endParaRPr", sz=round(end_size * 100)))
    return paragraph


def _run(text: str, size: float, colour: str = INK, *, bold: bool = False) -> Element:
    """Return text in our font, for Latin, Chinese and other letters alike."""
    look = _element("a:rPr", _fill(colour), sz=round(size * 100), b=int(bold))
    for script in ("a:latin", "a:ea", "a:cs"):
        look.append(_element(script, typeface=FONT))
    letters = _element("a:t")
    letters.text = writable(text)
    return _element("a:r", look, letters)


def _width(text: str, size: float) -> float:
    """Return about how wide a text is at most, in the unit of `size`.

    Above `geo.export.layout.text_width`, because a slide is shown in a font that we cannot measure.
    """
    return size * sum(map(_ems, text))


def _ems(character: str) -> float:
    if unicodedata.east_asian_width(character) in "WFA":
        return 1.0
    return 0.75 if character.isupper() or character in "mwMW@%&" else 0.6


def _cut(text: str, size: float, room: float) -> str:
    """Return a text cut to a width, with an ellipsis where something is missing."""
    if _width(text, size) <= room:
        return text
    used = np.cumsum([_ems(character) for character in text]) * size
    return text[: int(np.searchsorted(used, room - size, side="right"))] + "…"
