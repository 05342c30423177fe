"""Pictures and tables on demand: a small preview at once; a file as a job that says how far it is and can be ended.

One picture is drawn at a time, page by page: matplotlib is not made for several threads, and people who click
through the map come first.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geo.category import LANGUAGES, Categories
from geo.errors import ExportError, FilterError
from geo.export import (
    LABELS,
    PICTURES,
    PRESETS,
    SERIES,
    NotPublicError,
    Picture,
    check_sheets,
    draw_pages,
    thumbnail,
)
from geo.export.check import Finding
from geo.scheme import MAX_TEXT, read_bounds
from geo.ui.address import read_filter
from geo.ui.library import Library
from geo.ui.picture import FORMATS, Look, make_picture, render
from geo.ui.text import load_text
from geo.view import SiteFilter

THUMBNAIL_PX = 640
DRAWING = threading.Lock()
"""Held by whoever draws."""


@dataclass(frozen=True, slots=True)
class Order:
    """What somebody wants: the set, the filter, how it is to look, the format."""

    dataset: str
    chosen: SiteFilter
    look: Look
    form: str = "png"
    series: str = ""
    first_only: bool = False


def read_order(dataset: str, params: Mapping[str, Sequence[str]], categories: Categories) -> Order:
    """Return what an address asks for; what it leaves out has its default.

    Raises
    ------
    FilterError
        If a value is not one of those that are known.
    """
    chosen, bad = read_filter(params, categories)
    if bad:
        raise FilterError(f"not understood: {', '.join(bad)}")

    def one(name: str, known: Sequence[str], default: str) -> str:
        value = _first(params, name) or default
        if value not in known:
            raise FilterError(f"{name} is one of {', '.join(filter(None, known))}")
        return value

    look = Look(
        preset=one("preset", tuple(PRESETS), "16:9-1080"),
        language=one("lang", LANGUAGES, "zh"),
        title=_first(params, "title")[:MAX_TEXT],
        unit=_first(params, "unit")[:MAX_TEXT],
        bounds=read_bounds(_first(params, "bounds")),
        labels=one("labels", LABELS, "auto"),
        public=one("public", ("yes", "no"), "no") == "yes",
    )
    return Order(
        dataset,
        chosen,
        look,
        one("form", FORMATS, "png"),
        one("series", SERIES, ""),
        _first(params, "first") == "yes",
    )


def _first(params: Mapping[str, Sequence[str]], name: str) -> str:
    values = params.get(name) or [""]
    return values[0]


def picture_of(order: Order, library: Library) -> Picture:
    """Return the picture an order means, on the set as it is now."""
    snapshot, since = library.snapshot(order.dataset).of(order.chosen.as_of), order.chosen.since
    # A set of millions is shown as it is now, whatever day a link names.
    chosen = order.chosen.without_time() if snapshot.by_tiles else order.chosen
    return make_picture(
        snapshot.chosen_sites(chosen),
        chosen,
        library.categories,
        library.settings,
        order.look,
        changes=None if since is None else snapshot.changes(since),
    )


# ---- preview ----------------------------------------------------------------------------------------------------


def preview(order: Order, library: Library) -> dict[str, Any]:
    """Return a small picture by the real renderer, what it shows of the earth, and what the check found.

    Returns
    -------
    answer
        `error` in words, or `image` (a data address), `bounds` (west, south, east, north in degrees), `aspect` of
        the map on the sheet, counts, and `findings` with words and the name of what would mend them. `can` lists
        the formats that may be made.
    """
    text = load_text(order.look.language)["export"]
    picture = picture_of(order, library)
    tables = [form for form in FORMATS if form not in PICTURES]
    if picture.sites.empty:
        return {"error": text["nothing_selected"], "can": []}
    try:
        with DRAWING:
            sheets = draw_pages(picture)
            image = thumbnail(sheets[0], THUMBNAIL_PX)
    except NotPublicError as error:
        why = text["and"].join(text["refusals"][reason] for reason in error.reasons)
        return {"error": text["not_public"].format(why=why), "can": []}
    except ExportError:
        return {"error": text["frame_empty"], "can": tables}
    first = sheets[0]
    return {
        "image": "data:image/png;base64," + base64.b64encode(image).decode(),
        "title": first.wording.title,
        "bounds": list(first.frame.bounds),
        "aspect": first.frame.box.width / first.frame.box.height,
        "on_map": len(first.on_map),
        "missing": len(first.missing),
        "pages": len(sheets),
        "findings": [_said(finding, text) for finding in check_sheets(sheets)],
        "can": list(FORMATS),
    }


def _said(finding: Finding, text: dict[str, Any]) -> dict[str, Any]:
    said = text["findings"][finding.code].format(count=finding.count, detail=finding.detail)
    return {"text": said, "serious": finding.serious, "fix": finding.fix}


# ---- files ------------------------------------------------------------------------------------------------------


def make_file(order: Order, library: Library, tell: Callable[[float], None]) -> tuple[str, bytes]:
    """Return one file for an order: its name and content, several pages of pictures as a zip."""
    picture = picture_of(order, library)
    rendered = render(picture, order.form, library.settings, series=order.series, progress=tell)
    return next(iter(rendered.files.items())) if order.first_only else rendered.as_one()


def media_type(name: str) -> str:
    """Return the content type of an exported file."""
    return _TYPES.get(Path(name).suffix, "application/octet-stream")


_TYPES = {
    ".png": "image/png",
    ".pdf": "application/pdf",
    # Not image/svg+xml or text/html: nothing that is downloaded is shown by the browser under this address.
    ".zip": "application/zip",
    ".csv": "text/csv; charset=utf-8",
    ".geojson": "application/geo+json",
    ".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
