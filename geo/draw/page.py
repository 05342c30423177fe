"""The map page: Folium writes it once for each language, our script fills it.

Nothing of a site is in the page. It loads Leaflet and our scripts from this server, draws the basemap, and then does
what the page around it says: which data version to fetch and which categories to hide.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from html import escape
from typing import cast

import folium
from branca.element import Figure, MacroElement
from folium.elements import JSCSSMixin
from folium.template import Template

from geo.category import Categories
from geo.draw.escape import script_json

MAP_NAME = "baita"
MAX_ZOOM = 19
SCRIPTS = (
    "site_layer",
    "map_parts",
    "map_placer",
    "map_tiles",
    "tile_sites",
    "vector_basemap",
    "map_figure",
    "map_desk",
    "map_time",
    "map_access",
    "map_page",
)
STYLES = ("theme", "map_page")
_INLINE_SCRIPT = re.compile(r"<script(?![^>]*\ssrc=)[^>]*>(.*?)</script>", re.DOTALL)


class _SiteMap(JSCSSMixin, MacroElement):
    """Starts our script on the map that Folium made."""

    _template = Template(
        """
        {% macro script(this, kwargs) %}
            BaitaMap.start({{ this._parent.get_name() }}, {{ this.config }});
        {% endmacro %}
        """
    )

    def __init__(
        self, config: str, scripts: list[tuple[str, str]], styles: list[tuple[str, str]]
    ) -> None:
        super().__init__()
        self._name = "SiteMap"
        self._id = MAP_NAME
        self.config = config
        self.default_js, self.default_css = scripts, styles


def draw_map(
    categories: Categories,
    basemap: Mapping[str, object],
    text: Mapping[str, object],
    *,
    language: str,
    assets: Mapping[str, str],
    title: str = "",
) -> str:
    """Return the map page as HTML.

    Parameters
    ----------
    categories
        What the symbols look like and are called.
    basemap
        As from `geo.draw.basemaps.basemap`.
    text
        The page's own words in its language; they end up in a script as JSON.
    language
        zh or en.
    assets
        File name to address for leaflet.css, leaflet.js and those of `STYLES` and `SCRIPTS`.
    title
        What a browser calls the page.

    Returns
    -------
    html
        The same text for the same arguments; no address outside `assets` is in it.
    """
    page = folium.Map(
        location=None,
        tiles=None,
        zoom_control=False,
        attribution_control=False,
        zoom_snap=0.25,
        zoom_delta=1,
        wheel_px_per_zoom_level=90,
        # Without tiles nothing else tells Leaflet where zooming ends.
        maxZoom=MAX_ZOOM,
        minZoom=3,
    )
    page._id = MAP_NAME
    figure = cast(Figure, page.get_root())
    figure._id = MAP_NAME
    figure.title = MAP_NAME
    config = {"kinds": legend(categories, language), "basemap": basemap, "text": text}
    # Instead of Folium's own list of addresses on other hosts, for this map only. Leaflet comes first, because
    # a map's files are written before those of its children.
    page.default_js = [("leaflet", assets["leaflet.js"])]
    page.default_css = [("leaflet_css", assets["leaflet.css"])]
    scripts = [(name, assets[f"{name}.js"]) for name in SCRIPTS]
    styles = [(f"{name}_css", assets[f"{name}.css"]) for name in STYLES]
    _SiteMap(script_json(config), scripts, styles).add_to(page)
    # Folium forbids zooming by pinch, which those who see badly need.
    html: str = figure.render().replace(", maximum-scale=1.0, user-scalable=no", "")
    # Only now, when nothing is rendered as a template any more.
    html = html.replace(f"<title>{MAP_NAME}</title>", f"<title>{escape(title)}</title>", 1)
    return html.replace("<html>", f'<html lang="{"zh-CN" if language == "zh" else "en"}">', 1)


def legend(categories: Categories, language: str) -> list[dict[str, object]]:
    """Return kinds and statuses as plain values for a script, in order, with each status's code."""
    return [
        {
            "code": kind.code,
            "label": kind.label[language],
            "question": kind.question.get(language, ""),
            "shape": kind.shape,
            "statuses": [
                {
                    "key": status.key,
                    "code": categories.codes[status.key],
                    "label": status.label[language],
                    "fill": status.fill,
                    "glyph": status.glyph,
                    "hollow": status.hollow,
                    "dashed": status.dashed,
                }
                for status in kind.statuses
            ],
        }
        for kind in categories
    ]


def content_policy(html: str) -> str:
    """Return the Content-Security-Policy under which a page's own inline scripts run, and no others.

    Each inline script is named by its SHA-256; nothing may be fetched from another host.
    """
    return (
        f"default-src 'none'; script-src 'self' {script_hashes(html)}; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; connect-src 'self'; font-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'self'"
    )


def script_hashes(html: str) -> str:
    """Return the inline scripts of a page as a policy names them, by their SHA-256."""
    found = _INLINE_SCRIPT.findall(html)
    hashes = (
        base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in found
    )
    return " ".join(f"'sha256-{value}'" for value in hashes)
