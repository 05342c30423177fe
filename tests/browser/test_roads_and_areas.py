"""Roads and areas by the thousand are painted where they are, in their colours, and quickly enough to be filtered."""

from collections.abc import Iterator

import numpy as np
import pytest
import shapely
from driver import CATEGORIES, Server, Tab, start_server

from geo.site import make_sites
from geo.store import open_store

pytestmark = pytest.mark.browser

COUNT = 3_600
ROAD, AREA = "parking.enforced", "project.resuming"
LAKE = shapely.Polygon(
    shapely.box(123.150, 41.300, 123.156, 41.304).exterior,
    [shapely.box(123.1507, 41.3012, 123.1517, 41.3028).exterior],
)
OVERLAPPING = (LAKE, shapely.box(123.153, 41.300, 123.159, 41.304))


def _site(n, key, shape):
    status = next(s for s in CATEGORIES.statuses if s.key == key)
    return {
        "site_id": f"shape-{n:05d}",
        "kind": status.kind,
        "name": f"第{n}处",
        "status": status.code,
        "source_file": "图层.gpkg",
        "source_where": f"feature {n}",
        "precision": "road" if shape.geom_type == "LineString" else "poi",
        "match_method": "given",
        "geometry": shape,
    }


def _shapes():
    random = np.random.default_rng(7)
    for lon, lat in random.normal((123.17, 41.25), (0.01, 0.008), (COUNT // 2, 2)):
        yield (
            ROAD,
            shapely.LineString([(lon, lat), (lon + 0.002, lat + 0.0004), (lon + 0.003, lat)]),
        )
        yield AREA, shapely.box(lon, lat - 0.001, lon + 0.0008, lat - 0.0003)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("shapes")
    store = folder / "shapes.gpkg"
    with open_store(str(store)) as opened:
        rows = [_site(n, *given) for n, given in enumerate(_shapes())]
        rows += [_site(COUNT + n, AREA, shape) for n, shape in enumerate(OVERLAPPING)]
        opened.save_sites(make_sites(rows), who="lin")
    yield from start_server(folder, BAITA_STORE=str(store))


PIXELS = """([places]) => {
  const layer = baita.layer, canvas = layer._container, ratio = layer._ratio, at = L.DomUtil.getPosition(canvas);
  const { data } = layer._context.getImageData(0, 0, canvas.width, canvas.height);
  return places.map(([lon, lat]) => {
    const p = baita.map.latLngToLayerPoint([lat, lon]).subtract(at).multiplyBy(ratio);
    const x = Math.floor(p.x), y = Math.floor(p.y), k = 4 * (y * canvas.width + x);
    return x < 2 || y < 2 || x > canvas.width - 3 || y > canvas.height - 3 ? null : [...data.slice(k, k + 4)];
  });
}"""


def _colours(tab: Tab, places):
    return [tuple(c) for c in tab.js(PIXELS, [[list(p) for p in places]]) if c is not None]


@pytest.fixture
def tab(open_tab, app: Server) -> Iterator[Tab]:
    opened = open_tab(app)
    yield opened
    opened.forgive("willReadFrequently")  # it is the test that reads the canvas, see the first one


def _rgba(key):
    colour = next(s.fill for s in CATEGORIES.statuses if s.key == key)
    return (*(int(colour[i : i + 2], 16) for i in (1, 3, 5)), 255)


def _show(tab: Tab, lat: float, lon: float, zoom: float) -> None:
    tab.js(
        "([lat, lon, zoom]) => { baita.map.setView([lat, lon], zoom, { animate: false }); }",
        [lat, lon, zoom],
    )
    tab.settled()


def test_thousands_of_outlines_are_where_their_shapes_are(tab):
    for zoom in (12, 14, 13.5, 13):
        _show(tab, 41.25, 123.17, zoom)
    assert not tab.troubles
    assert tab.js("baita.layer.stats.drawn") > 3_000
    roads = [s for key, s in _shapes() if key == ROAD]
    # No area is drawn over a road, so what lies on one has its colour.
    found = _colours(tab, [s.coords[0] for s in roads])
    assert len(found) > 1_000
    assert set(found) == {_rgba(ROAD)}
    # Within a pixel of each corner: its place falls between pixels.
    around = [(x, y) for x in (-9e-5, 0, 9e-5) for y in (-7e-5, 0, 7e-5)]
    for lon, lat in [s.exterior.coords[0] for key, s in _shapes() if key == AREA][:150]:
        near = _colours(tab, [(lon + x, lat + y) for x, y in around])
        assert not near or set(near) & {_rgba(ROAD), _rgba(AREA)}
    empty = _colours(tab, [(123.17, 41.2999), (123.13, 41.27)])
    assert set(empty) == {(0, 0, 0, 0)}


def test_a_filter_takes_the_areas_away_and_few_shapes_are_drawn_in_full(tab):
    _show(tab, 41.25, 123.17, 13)
    before = tab.js("baita.layer.stats.drawn")
    tab.switch(tab.chip(AREA)).hide(AREA)
    tab.until("n => baita.layer.stats.drawn < n && baita.layer.stats.drawn > 0", before)
    tab.settled()
    assert _rgba(AREA) not in _colours(
        tab, [s.exterior.coords[0] for key, s in _shapes() if key == AREA]
    )
    assert tab.js("baita.layer.stats.drawn") < 3_000


def test_where_two_areas_overlap_both_are_filled_and_a_hole_is_not(tab):
    _show(tab, 41.302, 123.1545, 16)
    lattice = [(x, y) for x in np.linspace(-2e-4, 2e-4, 9) for y in np.linspace(-2e-4, 2e-4, 9)]

    def filled(lon, lat):
        return max(alpha for *_, alpha in _colours(tab, [(lon + x, lat + y) for x, y in lattice]))

    assert filled(123.1545, 41.302) > 0  # in both
    assert filled(123.1575, 41.302) > 0  # in one
    assert filled(123.1512, 41.302) == 0  # in the hole
