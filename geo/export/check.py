"""A look over a sheet before it is handed out: what a reader could not see, and what must not leave the office."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from geo.export.frame import Box
from geo.export.layout import TABLE_SIZE, Sheet

MIN_TEXT_PT = {"16:9": 7.0, "a4": 6.0, "a3": 6.0}
"""The smallest text that is read on a projected slide or in the hand, in points on that sheet."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found: `serious` ones should be mended first; `code` names the sentence that explains it."""

    code: str
    serious: bool
    count: int = 0
    detail: str = ""


def check_sheets(sheets: Sequence[Sheet]) -> list[Finding]:
    """Return what is wrong with a picture, serious findings first; [] when nothing is.

    Parameters
    ----------
    sheets
        The pages of one picture, the map first.
    """
    first = sheets[0]
    found = []
    if not first.on_map:
        found.append(Finding("nothing_on_map", True, len(first.missing)))
    if first.missing:
        found.append(Finding("missing", False, len(first.missing)))
    if first.dropped:
        found.append(Finding("labels_dropped", True, len(first.dropped)))
    if first.on_map and not first.labels and len(first.on_map) > 1:
        found.append(Finding("no_labels", False, len(first.on_map)))
    hidden = _covered(first)
    if hidden:
        found.append(Finding("symbols_overlap", False, hidden))
    small = _smallest_text(sheets)
    limit = MIN_TEXT_PT[first.preset.name.split("-")[0]]
    if small < limit:
        found.append(Finding("text_small", True, detail=f"{small:g} < {limit:g} pt"))
    return sorted(found, key=lambda finding: not finding.serious)


def _covered(sheet: Sheet) -> int:
    """Return how many symbols lie for more than half under a later one."""
    seen: dict[tuple[int, int], int] = {}
    step = sheet.symbol_radius
    for symbol in sheet.symbols:
        cell = (int(symbol.x // step), int(symbol.y // step))
        seen[cell] = seen.get(cell, 0) + 1
    return sum(count - 1 for count in seen.values() if count > 1)


def _smallest_text(sheets: Sequence[Sheet]) -> float:
    sizes = [label.size for sheet in sheets for label in sheet.labels]
    sizes += [TABLE_SIZE - 1 for sheet in sheets if sheet.table]
    return min(sizes, default=9.0)


def outside_frame(sheet: Sheet) -> list[str]:
    """Return the ids of symbols whose middle is not on the map; the layout leaves none."""
    box = sheet.frame.box
    return [
        s.site_id
        for s in sheet.symbols
        if not box.overlaps(Box(s.x - 0.01, s.y - 0.01, 0.02, 0.02))
    ]


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
