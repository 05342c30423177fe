"""What the page and the command line hand to `geo.export`: the selection, with its words and its basemap."""

from __future__ import annotations

import geopandas as gpd

from geo.category import Categories
from geo.draw.basemaps import district, neighbours
from geo.export import PRESETS, Picture, Wording
from geo.settings import Settings
from geo.ui.describe import subtitle_of, title_of
from geo.ui.text import load_text
from geo.view import SiteFilter, select_sites


def make_picture(
    sites: gpd.GeoDataFrame,
    chosen: SiteFilter,
    categories: Categories,
    settings: Settings,
    *,
    preset: str,
    language: str,
    title: str = "",
    unit: str = "",
    bounds: tuple[float, float, float, float] | None = None,
) -> Picture:
    """Return what is to be exported.

    Parameters
    ----------
    sites
        All sites of a set, a site table.
    chosen
        The filter; what it keeps is exported, located or not.
    categories, settings
        Of this installation.
    preset
        Name of a sheet, see `geo.export.frame.PRESETS`.
    language
        zh or en.
    title, unit
        Instead of the title made from the filter; who made the picture. Empty leaves it to us.
    bounds
        What to show in degrees, EPSG:4326; None shows all.
    """
    selected, text = select_sites(sites, chosen, categories), load_text(language)
    home = district(settings.adcode)
    named = title or title_of(chosen, categories, text, language=language, district=home.name)
    newest = selected["as_of"].max()
    words, fixed = text["title"], text["export"]
    sources = [str(name) for name in selected["source_file"].value_counts().index if name]
    wording = Wording(
        title=named,
        subtitle=subtitle_of(chosen, categories, text, language=language),
        as_of=words["as_of"].format(date=newest.date().isoformat()) if newest == newest else "",
        source=words["source"].format(source=words["and"].join(sources[:3])) if sources else "",
        unit=fixed["unit"].format(unit=unit) if unit else "",
        # No basemap here is approved for publication, so every picture says what it is.
        marking=fixed["internal"],
        notice=text["notice"]["demo"] if selected["fictitious"].any() else "",
        language=language,
        labels=dict(fixed),
    )
    return Picture(
        sites=selected,
        preset=PRESETS[preset],
        wording=wording,
        categories=categories,
        outline=home.outline,
        neighbours=[region.outline for region in neighbours(settings.adcode)],
        bounds=bounds,
    )
