"""A look over a sheet before it is handed out: what a reader could not see, and what must not leave the office."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import combinations

from geo.category import Status
from geo.export.colour import VISIONS, contrast, difference
from geo.export.frame import Box
from geo.export.layout import MAX_NAMES, MAX_NUMBERS, TABLE_SIZE, LegendRow, Sheet
from geo.export.paint import INK, OUTSIDE, PAPER, QUIET, WARNING, paint_symbol

MIN_TEXT_PT = {"16:9": 7.0, "a4": 6.0, "a3": 6.0}
"""The smallest text that is read on a projected slide or in the hand, in points on that sheet."""
MIN_TEXT_CONTRAST = 4.5
"""WCAG 2.2, 1.4.3: text against its ground."""
MIN_SHAPE_CONTRAST = 3.0
"""WCAG 2.2, 1.4.11: a symbol's fill or edge, or the sign in it, against what it stands on."""
MIN_DIFFERENCE = 10.0
"""CIEDE2000 of two fills on small symbols; the ordered project stages are 12.5 apart."""
LARGEST = "a3"
SEEN_BY = {
    "zh": ("正常视觉", "红色盲", "绿色盲", "蓝色盲", "灰度打印"),
    "en": ("full colour", "no red cones", "no green cones", "no blue cones", "grey print"),
}
"""How each of `geo.export.colour.VISIONS` is called."""
NAMED = 3  # so many pairs or statuses are spelt out in a finding


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found: `serious` ones should be mended first; `code` names the sentence that explains it.

    `fix` is what can be offered: "numbers" or "names" at the sites, a "larger_sheet", "show_all" instead of the
    frame, to "place" what has no coordinate; "" if there is nothing to press.
    """

    code: str
    serious: bool
    count: int = 0
    detail: str = ""
    fix: str = ""


def check_sheets(sheets: Sequence[Sheet]) -> list[Finding]:
    """Return what is wrong with a picture, serious findings first; [] when nothing is.

    Parameters
    ----------
    sheets
        The pages of one picture, the map first.
    """
    first = sheets[0]
    found = [
        *_check_sites(first),
        *_check_labels(first),
        *_check_symbols(first),
        *_check_text(sheets),
        *_check_contrast(first),
        *_check_colours(first),
    ]
    return sorted(found, key=lambda finding: not finding.serious)


def _larger(sheet: Sheet) -> str:
    return "" if sheet.preset.name == LARGEST else "larger_sheet"


def _check_sites(sheet: Sheet) -> Iterator[Finding]:
    """Yield what of the selection is not on the map."""
    unplaced = len(sheet.missing) - len(sheet.outside)
    if not sheet.on_map:
        yield Finding("nothing_on_map", True, len(sheet.missing), fix="place")
    elif unplaced:
        yield Finding("missing", False, unplaced, fix="place")
    if sheet.outside:
        yield Finding("outside_frame", True, len(sheet.outside), fix="show_all")


def _check_labels(sheet: Sheet) -> Iterator[Finding]:
    shown = len(sheet.on_map)
    if sheet.dropped:
        names = sheet.label_kind == "names"
        fix = "numbers" if names and shown <= MAX_NUMBERS else _larger(sheet)
        yield Finding("labels_dropped", True, len(sheet.dropped), fix=fix)
    if sheet.label_kind == "none" and shown > 1:
        fix = "names" if shown <= MAX_NAMES else "numbers" if shown <= MAX_NUMBERS else ""
        yield Finding("no_labels", False, shown, fix=fix)


def _check_symbols(sheet: Sheet) -> Iterator[Finding]:
    hidden = _covered(sheet)
    if hidden:
        yield Finding("symbols_overlap", False, hidden, fix=_larger(sheet))
    r, box = sheet.symbol_radius, sheet.frame.box
    cut = sum(not box.contains(Box(s.x - r, s.y - r, 2 * r, 2 * r)) for s in sheet.symbols)
    if cut:
        yield Finding("symbols_at_edge", False, cut, fix="show_all")


def _covered(sheet: Sheet) -> int:
    """Return how many symbols lie for more than half under a later one."""
    seen: dict[tuple[int, int], int] = {}
    step = sheet.symbol_radius
    for symbol in sheet.symbols:
        cell = (int(symbol.x // step), int(symbol.y // step))
        seen[cell] = seen.get(cell, 0) + 1
    return sum(count - 1 for count in seen.values() if count > 1)


def _check_text(sheets: Sequence[Sheet]) -> Iterator[Finding]:
    sizes = [label.size for sheet in sheets for label in sheet.labels]
    sizes += [TABLE_SIZE - 1 for sheet in sheets if sheet.table]
    small = min(sizes, default=9.0)
    limit = MIN_TEXT_PT[sheets[0].preset.name.split("-")[0]]
    if small < limit:
        yield Finding("text_small", True, detail=f"{small:g} < {limit:g} pt")


# ---- what colours there are --------------------------------------------------------------------------------------


def _check_contrast(sheet: Sheet) -> Iterator[Finding]:
    """Yield one finding for text and one for symbols that do not stand out from what is under them."""
    grounds = [(INK, PAPER), (QUIET, PAPER), (WARNING, PAPER), (INK, OUTSIDE)]
    weakest = min(contrast(*pair) for pair in grounds)
    if weakest < MIN_TEXT_CONTRAST:
        yield Finding("text_contrast", True, detail=f"{weakest:.1f} < {MIN_TEXT_CONTRAST:g}")
    faint = [
        f"{row.label} {found:.1f}"
        for row in _rows(sheet)
        if (found := _symbol_contrast(row)) < MIN_SHAPE_CONTRAST
    ]
    if faint:
        yield Finding("symbol_contrast", False, len(faint), _listed(faint, sheet))


def _symbol_contrast(row: LegendRow) -> float:
    """Return how well a symbol is told from the white around it, and the sign in it from its fill."""
    if row.shape == "line":
        return contrast(row.status.fill, PAPER)
    paint = paint_symbol(row.status)
    body = max(contrast(paint.edge, PAPER), contrast(paint.fill, PAPER))
    return min(body, contrast(paint.ink, paint.fill)) if row.status.glyph else body


def _check_colours(sheet: Sheet) -> Iterator[Finding]:
    """Yield the pairs of statuses on the sheet that nothing but a colour tells apart, and that not for everybody."""
    alike = []
    names = dict(zip(VISIONS, SEEN_BY[sheet.wording.language], strict=True))
    for one, other in combinations(_rows(sheet), 2):
        if _form(one) != _form(other):
            continue
        least, vision = min((difference(one.status.fill, other.status.fill, v), v) for v in VISIONS)
        if least < MIN_DIFFERENCE:
            alike.append(f"{one.label}–{other.label} {least:.0f} ({names[vision]})")
    if alike:
        fix = "" if sheet.label_kind == "numbers" else "numbers"
        yield Finding("colours_alike", True, len(alike), _listed(alike, sheet), fix)


def _form(row: LegendRow) -> tuple[object, ...]:
    """Return what tells a symbol from others besides its colour."""
    status: Status = row.status
    if row.shape == "line":  # drawn without a sign in it
        return row.shape, status.dashed
    return row.shape, status.glyph, status.hollow, status.dashed


def _rows(sheet: Sheet) -> list[LegendRow]:
    return [row for _, rows in sheet.legend for row in rows]


def _listed(parts: Sequence[str], sheet: Sheet) -> str:
    more = "…" if len(parts) > NAMED else ""
    return {"zh": "；", "en": "; "}[sheet.wording.language].join(parts[:NAMED]) + more


# ---- what may be published ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Basemap:
    """What lies under the sites, as far as publication is concerned.

    `approval` is the 审图号 under which it may be published until the day `approved_until`; "" for none.
    """

    name: str
    own_boundaries: bool
    tiles: str = ""
    approval: str = ""
    approved_until: date | None = None


OWN_OUTLINE = Basemap("outline", own_boundaries=True)
"""What lies under a picture unless the settings name something better."""


def refusals(basemap: Basemap, today: date) -> list[str]:
    """Return why a picture on this basemap must not be made public, as codes; [] when it may.

    A published map of China needs a basemap with a review number (审图号) that is still valid; boundaries drawn by
    oneself or taken from a package, and OpenStreetMap tiles, have none.
    """
    reasons = []
    if basemap.own_boundaries:
        reasons.append("own_boundaries")
    if "openstreetmap" in basemap.tiles.lower():
        reasons.append("osm_tiles")
    if not basemap.approval:
        reasons.append("no_approval")
    elif basemap.approved_until is None or basemap.approved_until < today:
        reasons.append("approval_expired")
    return reasons
