"""The vector basemap in a browser: the right level at each zoom, painted when a move ends, names as text."""

import gzip
import importlib
import json
from pathlib import Path

import pytest
from driver import start_server
from osm_samples import CITY_BBOX, at, city

from geo.draw import vector_basemap as vb
from geo.draw.vector_basemap import write_basemap

pytestmark = pytest.mark.browser

_PAGE = """<!doctype html><link rel="stylesheet" href="/leaflet.css">
<style>html,body,#map{margin:0;height:100%}</style><div id="map"></div>
<script src="/leaflet.js"></script><script src="/vector_basemap.js"></script><script src="/start.js"></script>"""
_START = """
const map = L.map('map', { attributionControl: false, zoomSnap: 0.25 }).setView([41.27, 123.17], 14);
const base = L.vectorBase({ manifest: MANIFEST, url: file => '/base/' + file }).addTo(map);
let painted = 0;
base.on('update', () => painted++);
const colourAt = (lat, lng) => {
  const canvas = base._container, at = map.latLngToLayerPoint([lat, lng]).subtract(base._bounds.min);
  return Array.from(canvas.getContext('2d').getImageData(at.x, at.y, 1, 1).data).join();
};
"""
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'"
)


def _wait(page, said):
    # Playwright's own waiting evaluates text in the page, which the policy forbids.
    for _ in range(300):
        if page.evaluate(said):
            return
        page.wait_for_timeout(50)
    pytest.fail(f"never true: {said}")


def _serve(page, base):
    """Answer the page's requests from memory; a level that is not in `base` is not found."""
    leaflet = Path(importlib.import_module("xstatic.pkg.leaflet").BASE_DIR)
    script = Path(vb.__file__).with_suffix(".js")
    texts = {
        "/": ("text/html", _PAGE),
        "/start.js": ("text/javascript", f"const MANIFEST = {json.dumps(base.manifest)};{_START}"),
        "/vector_basemap.js": ("text/javascript", script.read_text(encoding="utf-8")),
        "/leaflet.js": ("text/javascript", (leaflet / "leaflet.js").read_text(encoding="utf-8")),
        "/leaflet.css": ("text/css", (leaflet / "leaflet.css").read_text(encoding="utf-8")),
    }
    levels = dict(base.levels)

    def answer(route):
        path = "/" + route.request.url.split("/", 3)[3]
        if path in texts:
            kind, body = texts[path]
            headers = {"Content-Security-Policy": _POLICY}
            route.fulfill(content_type=f"{kind}; charset=utf-8", body=body, headers=headers)
        elif (data := levels.get(path.removeprefix("/base/"))) is not None:
            route.fulfill(content_type="application/octet-stream", body=gzip.decompress(data))
        else:
            route.fulfill(status=404)

    page.route("**/*", answer)
    page.goto("http://basemap.test/")
    return levels


@pytest.fixture
def page(chromium):
    context = chromium.new_context(viewport={"width": 1000, "height": 700})
    page = context.new_page()
    page.faults = []
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    yield page
    context.close()


_READY = "base.stats.level === {}"


def test_the_browser_paints_the_level_of_its_zoom_and_only_when_a_move_ends(page, tmp_path):
    town = city()
    town.node(
        *at(0, 1700), place="suburb", name="<img src=x onerror=document.title='hit'>{{ 7*7 }}"
    )
    base = write_basemap(town.write(tmp_path / "c.osm.pbf"), tmp_path / "out", CITY_BBOX)
    _serve(page, base)
    for zoom, level in ((12, 0), (14, 1), (16, 2)):
        page.evaluate(f"map.setView([41.27, 123.17], {zoom}, {{ animate: false }})")
        _wait(page, _READY.format(level))
        assert page.evaluate("base.stats.vertices") > 100
        assert page.evaluate("base.stats.labels") > 5
    page.evaluate(
        "base.setNames(false).options.names; map.setView([41.275, 123.175], 15, { animate: false })"
    )
    lon, lat = at(1080, 1200)
    assert page.evaluate(f"colourAt({lat}, {lon})") == "219,231,240,255"  # in the lake
    lon, lat = at(900, 1200)
    assert page.evaluate(f"colourAt({lat}, {lon})") == "247,247,245,255"  # on its island
    before = page.evaluate("painted")
    page.evaluate("map.panBy([200, 100], { duration: 0.4 })")
    page.wait_for_timeout(200)
    assert page.evaluate("painted") == before
    _wait(page, f"painted > {before}")
    assert page.title() != "hit"
    assert page.locator("img").count() == 0
    assert page.faults == []


def test_a_level_that_does_not_come_is_asked_for_again_at_the_next_move(page, tmp_path):
    base = write_basemap(city().write(tmp_path / "c.osm.pbf"), tmp_path / "out", CITY_BBOX)
    hidden = vb.VectorBasemap(base.manifest, {})
    levels = _serve(page, hidden)
    _wait(page, "base._levels.size === 0")
    levels.update(base.levels)
    page.evaluate("map.panBy([50, 0], { animate: false })")
    _wait(page, _READY.format(1))
    assert page.faults == []


@pytest.fixture
def mapped(tmp_path):
    """An app beside whose store a basemap was built."""
    write_basemap(city().write(tmp_path / "c.osm.pbf"), tmp_path / "built", CITY_BBOX)
    yield from start_server(tmp_path)


def test_the_app_shows_what_was_built_names_its_source_and_can_leave_it_out(mapped, open_tab):
    tab = open_tab(mapped, "?set=demo")
    tab.until("document.querySelector('canvas.vector-base') && baita.tiles[0].stats.vertices > 100")
    assert "OpenStreetMap" in tab.frame.locator(".credit").text_content()
    tab.page.locator("body").press("b")
    tab.until("!document.querySelector('canvas.vector-base')")
    assert not tab.frame.locator(".credit").is_visible()
