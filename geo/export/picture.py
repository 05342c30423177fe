"""What is to be exported, and the pages it makes: one picture, or a series of them with one frame and one legend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

import geopandas as gpd
import shapely

from geo.category import Categories
from geo.errors import ExportError
from geo.export.check import OWN_OUTLINE, Basemap, refusals
from geo.export.figure import write_png
from geo.export.frame import POINTS_PER_INCH, Preset
from geo.export.layout import LABELS, Sheet, Wording, lay_out, light

SERIES = ("", "status", "street")
NO_STREET = {"zh": "未注明街道", "en": "No subdistrict"}


class NotPublicError(ExportError):
    """A picture that must not be made public.

    Attributes
    ----------
    reasons
        Codes, see `geo.export.check.refusals`.
    """

    def __init__(self, reasons: Sequence[str]) -> None:
        self.reasons = tuple(reasons)
        super().__init__(
            f"not for the public ({', '.join(reasons)}): set an approved basemap with its review "
            "number in the settings, or export it as internal"
        )


@dataclass(frozen=True)
class Picture:
    """What is to be exported: the selected sites and everything around them.

    `sites` is a site table; `outline` and `neighbours` are EPSG:4326; `bounds` is minx, miny, maxx, maxy in degrees or
    None for all sites. `labels` is one of `geo.export.layout.LABELS`. A `public` picture needs a `basemap` that may be
    published. `changed` is a site table with the column `old_status` ("" for a new site): what of the selection, its
    `hidden` categories included, has changed since an earlier day; None compares nothing. What of it is on the map gets
    a ring, and the legend says how many came to a status and left it.
    """

    sites: gpd.GeoDataFrame
    preset: Preset
    wording: Wording
    categories: Categories
    outline: shapely.Geometry
    neighbours: Sequence[shapely.Geometry] = ()
    bounds: tuple[float, float, float, float] | None = None
    labels: str = "auto"
    basemap: Basemap = OWN_OUTLINE
    public: bool = False
    changed: gpd.GeoDataFrame | None = None
    hidden: frozenset[str] = frozenset()


def draw_pages(picture: Picture) -> list[Sheet]:
    """Return the pages of one picture.

    Raises
    ------
    ExportError
        If nothing is selected, the frame that was asked for shows none of it, or (as `NotPublicError`) the
        picture is to be public and must not be.
    """
    if picture.labels not in LABELS:
        raise ExportError(f'labels "{picture.labels}" are not one of {", ".join(LABELS)}')
    check_public(picture)
    if picture.sites.empty:
        raise ExportError("nothing is selected: clear the filter or choose another set")
    sheets = lay_out(
        picture.sites,
        picture.preset,
        picture.wording,
        picture.categories,
        outline=picture.outline,
        neighbours=picture.neighbours,
        bounds=picture.bounds,
        labels=picture.labels,
        changed=picture.changed,
        hidden=picture.hidden,
    )
    if picture.bounds is not None and not sheets[0].on_map:
        raise ExportError("the frame shows none of the selected sites: move it or leave it out")
    return sheets


def draw_all(picture: Picture, by: str) -> list[tuple[str, list[Sheet]]]:
    """Return the pages of one picture under an empty name, or those of a series under theirs."""
    return draw_series(picture, by) if by else [("", draw_pages(picture))]


def check_public(picture: Picture) -> None:
    """Raise `NotPublicError` if the picture is to be public and its basemap must not be."""
    reasons = refusals(picture.basemap, date.today()) if picture.public else []
    if reasons:
        raise NotPublicError(reasons)


def draw_series(picture: Picture, by: str = "status") -> list[tuple[str, list[Sheet]]]:
    """Return an overview, then a page for each status or street on the map: same frame, scale, legend and numbers.

    Parameters
    ----------
    picture
        What to draw.
    by
        "status" or "street"; sites without a street have a page of their own, the last.

    Returns
    -------
    pages
        A short name for each page (总览, then the statuses' labels or the streets) and its sheets. On a page of
        the series the other sites are grey, and its table lists only what is lit.
    """
    overview = draw_pages(picture)
    words = picture.wording
    groups = {"status": _statuses, "street": _streets}[by](picture, overview[0])
    pages = [(words.labels["overview"], overview)]
    for name, said, ids in groups:
        titled = replace(words, title=f"{words.title} · {said}")
        pages.append((name, light(overview, ids, titled)))
    return pages


Group = tuple[str, str, frozenset[str]]


def _statuses(picture: Picture, overview: Sheet) -> list[Group]:
    """Return for each status on the map a name, words for the title, and the ids of its sites, the missing too."""
    sites = picture.sites
    keys = sites["kind"] + "." + sites["status"]
    return [
        (
            f"{kind}-{row.label}",
            f"{kind} · {row.label} {row.count}",
            frozenset(sites["site_id"][keys == row.status.key]),
        )
        for kind, rows in overview.legend
        for row in rows
        if row.count
    ]


def _streets(picture: Picture, overview: Sheet) -> list[Group]:
    sites, on_map = picture.sites, set(overview.on_map)
    groups = []
    for street, part in sites.groupby("street"):
        ids = frozenset(part["site_id"])
        count = len(ids & on_map)
        name = str(street) or NO_STREET[picture.wording.language]
        if count:
            groups.append((not street, (name, f"{name} {count}", ids)))
    return [group for _, group in sorted(groups, key=lambda pair: (pair[0], pair[1][0]))]


def thumbnail(sheet: Sheet, width_px: int) -> bytes:
    """Return a page as PNG so many pixels wide: the same picture, text and symbols in the same proportion."""
    return write_png(sheet, dpi=width_px / sheet.preset.width * POINTS_PER_INCH)
