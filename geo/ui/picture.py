"""What the page and the command line hand to `geo.export`: the selection, with its words and its basemap."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from geo.category import Categories
from geo.district import landmarks
from geo.draw.basemaps import basemap, district, neighbours, public_basemap, read_areas
from geo.draw.handout import draw_handout
from geo.export import FORMATS as DRAWN
from geo.export import (
    PRESETS,
    Basemap,
    ExportReport,
    Picture,
    Rendered,
    Wording,
    file_name,
    render_selection,
)
from geo.export.picture import check_public
from geo.locate.names import home_names
from geo.scheme import Bounds
from geo.settings import Settings
from geo.site import is_located
from geo.timeline import Comparison
from geo.ui.describe import district_name, source_line, subtitle_of, title_of
from geo.ui.text import load_text
from geo.view import SiteFilter, SiteIndex, provenance, select_sites

FORMATS = (*DRAWN, "html")
HANDOUT_WORDS = ("title", "subtitle", "as_of", "source", "notice", "marking")


@dataclass(frozen=True, slots=True)
class Look:
    """How a picture is to look.

    Parameters
    ----------
    preset
        Name of a sheet, see `geo.export.frame.PRESETS`.
    language
        zh or en.
    title, unit
        Instead of the title made from the filter; who made the picture. Empty leaves it to us.
    bounds
        What to show in degrees, EPSG:4326; None shows all.
    labels
        auto, names, numbers or none.
    public
        For publication: only on a basemap that may be published.
    """

    preset: str = "16:9-1080"
    language: str = "zh"
    title: str = ""
    unit: str = ""
    bounds: Bounds | None = None
    labels: str = "auto"
    public: bool = False


def make_picture(
    sites: gpd.GeoDataFrame,
    chosen: SiteFilter,
    categories: Categories,
    settings: Settings,
    look: Look,
    *,
    changes: pd.DataFrame | None = None,
) -> Picture:
    """Return what is to be exported.

    Parameters
    ----------
    sites
        All sites of a set, a site table: as of the filter's day, if it has one.
    chosen
        The filter; what it keeps is exported, located or not.
    categories, settings
        Of this installation.
    look
        How.
    changes
        What changed since the filter's earlier day, see `geo.timeline.Timeline.changes`; None compares nothing.
    """
    selected, text = select_sites(sites, chosen, categories), load_text(look.language)
    base, outline = home_basemap(settings, public=look.public)
    own = [region.outline for region in neighbours(settings.adcode)] if base.own_boundaries else []
    home = district_name(settings, look.language)
    named = look.title or title_of(chosen, categories, text, language=look.language, district=home)
    marking = text["export"]["internal"]
    if look.public:
        marking = text["export"]["approval"].format(number=base.approval)
    return Picture(
        sites=selected,
        preset=PRESETS[look.preset],
        wording=Wording(
            title=named,
            subtitle=subtitle_of(chosen, categories, text, language=look.language),
            marking=marking,
            unit=text["export"]["unit"].format(unit=look.unit) if look.unit else "",
            language=look.language,
            labels={k: v for k, v in text["export"].items() if isinstance(v, str)},
            home=home_names(settings.adcode),
            **_facts(selected, text, chosen),
        ),
        categories=categories,
        outline=outline,
        neighbours=own,
        bounds=look.bounds,
        labels=look.labels,
        basemap=base,
        public=look.public,
        changed=None if changes is None else _changed(sites, chosen, categories, changes),
        hidden=chosen.hidden,
    )


def _codes_before(picture: Picture) -> np.ndarray | None:
    if picture.changed is None:
        return None
    return Comparison(SiteIndex(picture.sites, picture.categories), picture.changed).old


def _changed(
    sites: gpd.GeoDataFrame, chosen: SiteFilter, categories: Categories, changes: pd.DataFrame
) -> gpd.GeoDataFrame:
    """Return what of the selection has changed, hidden categories included, with its `old_status`."""
    besides = select_sites(sites, chosen.without_categories(), categories)
    return besides.merge(changes[["site_id", "old_status"]], on="site_id")


def _facts(
    selected: gpd.GeoDataFrame, text: dict[str, dict[str, str]], chosen: SiteFilter
) -> dict[str, str]:
    """Return what a sheet says of its data: how new it is, where it comes from, whether it is invented."""
    words, known = text["title"], provenance(selected)
    newest = chosen.as_of.isoformat() if chosen.as_of else known.newest
    return {
        "as_of": words["as_of"].format(date=newest) if newest else "",
        "source": source_line(known.files, words),
        "notice": text["notice"]["demo"] if selected["fictitious"].any() else "",
    }


def home_basemap(settings: Settings, *, public: bool) -> tuple[Basemap, shapely.MultiPolygon]:
    """Return what lies under a picture, and its outline in EPSG:4326.

    Inside the office that is the district's outline of a package. A public picture gets the layer an administrator
    has named, if there is one; whether it may be published is for `geo.export.check.refusals` to say.
    """
    if public and settings.public_map is not None:
        base = Basemap(
            settings.public_map.name,
            own_boundaries=False,
            approval=settings.approval,
            approved_until=settings.approved_until,
        )
        return base, read_areas(settings.public_map)
    home = district(settings.adcode)
    return Basemap(home.name, own_boundaries=True), home.outline


def render(
    picture: Picture,
    form: str,
    settings: Settings,
    *,
    series: str = "",
    progress: Callable[[float], None] | None = None,
) -> Rendered:
    """Return an export in one of `FORMATS`: files by name, and what is in them.

    Raises
    ------
    ExportError
        If nothing is selected, the picture must not be made public, or the format is not known.
    """
    if form != "html":
        return render_selection(picture, form, series=series, progress=progress)
    check_public(picture)
    words, language = picture.wording, picture.wording.language
    under = basemap(settings.adcode, landmarks(settings))
    if picture.public:
        under = public_basemap(district(settings.adcode), picture.outline)
    page = draw_handout(
        picture.sites,
        picture.categories,
        under,
        {name: getattr(words, name) for name in HANDOUT_WORDS},
        load_text(language)["map"],
        language=language,
        old=_codes_before(picture),
    )
    located = is_located(picture.sites)
    ids = picture.sites["site_id"]
    report = ExportReport((), tuple(ids[located]), tuple(ids[~located]))
    return Rendered({file_name(words, "html"): page.encode()}, report)
