"""The hand-out: the map of one selection as a single HTML file that works without a server or a network.

It is the map page itself with its scripts, styles and data inside. Only the selected sites are in it, and nothing
of who changed what.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

import geopandas as gpd
import numpy as np

from geo.category import Categories
from geo.draw.escape import script_json
from geo.draw.page import SCRIPTS, STYLES, draw_map, script_hashes
from geo.draw.site_layer import (
    CHUNK_ROWS,
    SORTABLE,
    attribute_rows,
    pack_sites,
    site_details,
    sort_order,
)
from geo.errors import ExportError

MAX_SITES = 20_000
"""More makes a file that office programs and mail refuse: about 1 kB a site."""
_FOLDER = Path(__file__).parent
_SCRIPTS = (
    "leaflet",
    "site_layer",
    "map_parts",
    "map_placer",
    "map_time",
    "map_access",
    "handout",
    "map_page",
)
_STYLES = ("leaflet", *STYLES, "handout")


def draw_handout(
    sites: gpd.GeoDataFrame,
    categories: Categories,
    basemap: Mapping[str, object],
    words: Mapping[str, str],
    text: Mapping[str, object],
    *,
    language: str,
    old: np.ndarray | None = None,
) -> str:
    """Return the hand-out as HTML.

    Parameters
    ----------
    sites
        The selected sites, a site table; those without a place are listed in it.
    categories
        Kinds and statuses.
    basemap
        As from `geo.draw.basemaps.basemap`.
    words
        title, subtitle, as_of, source, notice and marking.
    text
        The map page's own words in its language.
    language
        zh or en.
    old
        What each site was before, see `geo.timeline.Comparison`: those that have changed get their ring. None
        compares nothing.

    Raises
    ------
    ExportError
        If nothing is selected, or more than `MAX_SITES`.
    """
    if sites.empty:
        raise ExportError("nothing is selected: clear the filter or choose another set")
    if len(sites) > MAX_SITES:
        raise ExportError(
            f"{len(sites)} sites are too many for one page (up to {MAX_SITES}): filter them, or export GeoPackage"
        )
    names = [f"{name}.js" for name in ("leaflet", *SCRIPTS)]
    names += [f"{name}.css" for name in ("leaflet", *STYLES)]
    assets = {name: f"inside:{name.split('.')[0]}" for name in names}
    html = draw_map(
        categories, basemap, text, language=language, assets=assets, title=words["title"]
    )
    # Only now, when nothing is rendered as a template any more.
    changed = {} if old is None else {"changed": _text(old.tobytes())}
    data = script_json({"words": dict(words), **held_data(sites, categories), **changed})
    html = _put_inside(html, f'<script type="application/json" id="baita-data">{data}</script>')
    policy = (
        f"default-src 'none'; script-src {script_hashes(html)}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    meta = f'<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{policy}">'
    return html.replace("<head>", f"<head>{meta}", 1)


def held_data(sites: gpd.GeoDataFrame, categories: Categories) -> dict[str, object]:
    """Return all the page would fetch of a site table: positions, words, details and orders, by name."""
    chunks = range(-(-len(sites) // CHUNK_ROWS))
    return {
        "sites": _text(pack_sites(sites, categories)),
        "chunks": [attribute_rows(sites, chunk) for chunk in chunks],
        "details": [
            {**site_details(sites, row, categories), "history": []} for row in range(len(sites))
        ],
        "orders": {column: _text(sort_order(sites, column, categories)) for column in SORTABLE},
    }


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _put_inside(html: str, data: str) -> str:
    """Replace every script and style that the page names by what is in it, in our order."""
    scripts = "".join(f"<script>{_file(name, 'js')}</script>" for name in _SCRIPTS)
    styles = "".join(f"<style>{_file(name, 'css')}</style>" for name in _STYLES)
    html = re.sub(r'<link rel="stylesheet" href="inside:\w+"[^>]*>', "", html)
    html = re.sub(r'<script src="inside:\w+"></script>', "", html)
    head, end, rest = html.partition("</head>")
    return f"{head}{styles}{data}{scripts}{end}{rest}"


def _file(name: str, ending: str) -> str:
    leaflet = Path(import_module("xstatic.pkg.leaflet").BASE_DIR)
    folder = leaflet if name == "leaflet" else _FOLDER
    source = (folder / f"{name}.{ending}").read_text(encoding="utf-8")
    if re.search(r"</(script|style)", source, re.IGNORECASE):
        raise ValueError(f"{name}.{ending} cannot stand inside a page")
    # Pictures of Leaflet's own controls are not used here, and there is nowhere to fetch them from.
    return re.sub(r"url\([^)]*\)", "none", source) if ending == "css" else source
