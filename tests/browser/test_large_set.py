"""A set drawn by tiles: what is painted is what Python counts, a chip and a search filter it, a click tells all."""

from collections.abc import Iterator

import numpy as np
import psycopg
import pytest
import shapely
from driver import CATEGORIES, Server, Tab, start_server

from geo.site import make_sites
from geo.store import SiteStore, open_store
from geo.view import SiteFilter, SiteIndex

pytestmark = pytest.mark.browser

COUNT, THRESHOLD = 4_000, 500
SEED = 20200311
PAINTED = (
    "JSON.stringify(Object.entries(baita.layer.stats.counts).map(([c, n]) => [Number(c), n])"
    ".filter(([, n]) => n).sort((a, b) => a[0] - b[0]))"
)
# Where something is in the map's page, in CSS pixels.
SPOT = "const spot = (x, y) => baita.map.latLngToContainerPoint(L.SiteLayer.toLatLng(x, y));"
LARGEST = f"""() => {{ {SPOT}
  const bubble = baita.layer._drawn.bubbles.reduce((a, b) => (a.n > b.n ? a : b)), at = spot(bubble.x, bubble.y);
  return [at.x, at.y];
}}"""
FREE = f"""() => {{ {SPOT}
  const size = baita.map.getSize(), free = p => p.x > 320 && p.y > 120 && p.x < size.x - 420 && p.y < size.y - 120;
  const at = baita.layer._drawn.points.map(one => spot(...one.parts[0])).find(free);
  return [at.x, at.y];
}}"""


def _sites(count=COUNT):
    r, statuses = np.random.default_rng(SEED), CATEGORIES.statuses
    rows = []
    for n in range(count):
        status = statuses[n % len(statuses)]
        nowhere = n % 10 == 9
        rows.append(
            {
                "site_id": f"big-{n}",
                "kind": status.kind,
                "name": f"单位{n}号" + ("（新华路）" if n % 40 == 3 else ""),
                "status": status.code,
                "as_of": "2020-03-11",
                "street": "南门街道",
                "source_file": "登记.csv",
                "source_where": f"row {n + 2}",
                "precision": "none" if nowhere else "poi",
                "reason": "no_coordinate" if nowhere else "",
                "match_method": "" if nowhere else "given",
                "geometry": None
                if nowhere
                else shapely.Point(*r.normal((123.17, 41.26), (0.02, 0.015))),
            }
        )
    return make_sites(rows)


@pytest.fixture(scope="module")
def store_url(postgis_url: str) -> Iterator[str]:
    joint = "&" if "?" in postgis_url else "?"
    yield f"{postgis_url}{joint}schema=browser_large"
    with psycopg.connect(postgis_url, autocommit=True) as db:
        db.execute("DROP SCHEMA IF EXISTS browser_large CASCADE")


@pytest.fixture(scope="module")
def big(store_url: str) -> Iterator[SiteStore]:
    with open_store(store_url) as store:
        store.save_sites(_sites(), who="lin")
        yield store


@pytest.fixture(scope="module")
def app(
    big: SiteStore, store_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    settings = {"BAITA_STORE": store_url, "BAITA_LARGE": str(THRESHOLD)}
    yield from start_server(tmp_path_factory.mktemp("large"), **settings)


@pytest.fixture
def page(visitor: Tab, app: Server) -> Tab:
    return visitor.go(app)


def _wanted(store: SiteStore, chosen: SiteFilter) -> str:
    index = SiteIndex(store.read_sites(), CATEGORIES)
    codes = index.codes[index.mask(chosen) & index.located]
    counts = np.bincount(codes, minlength=len(CATEGORIES.codes))
    pairs = [f"[{code},{n}]" for code, n in enumerate(counts.tolist()) if n]
    return "[" + ",".join(pairs) + "]"


def _shows(page: Tab, store: SiteStore, chosen: SiteFilter) -> None:
    """Wait until the map shows what Python counts, with no tile on its way."""
    wanted = _wanted(store, chosen)
    page.until(f"wanted => baita.layer.stats.missing === 0 && {PAINTED} === wanted", wanted)


def _all_in_view(page: Tab, zoom: float) -> None:
    page.js("zoom => baita.map.setView([41.26, 123.17], zoom, { animate: false })", zoom)
    page.settled()


def test_bubbles_and_points_count_what_python_counts(page, big):
    assert not [url for url in page.requests if "sites.bin" in url]
    _all_in_view(page, 9)
    _shows(page, big, SiteFilter())
    assert page.js("baita.layer.stats.bubbles") > 3
    assert page.js("baita.layer.stats.drawn") == 0
    _all_in_view(page, 12)
    _shows(page, big, SiteFilter())
    assert page.js("baita.layer.stats.drawn") > 100


def test_a_chip_filters_without_asking_for_a_tile(page, big):
    _all_in_view(page, 10)
    _shows(page, big, SiteFilter())
    page.requests.clear()
    page.switch(page.chip("enterprise.stopped")).hide("enterprise.stopped")
    _shows(page, big, SiteFilter(hidden=frozenset({"enterprise.stopped"})))
    assert not [url for url in page.requests if ".mvt" in url]
    assert page.shown()["located"] + page.shown()["waiting"] == COUNT - COUNT // 16


def test_a_search_asks_for_other_tiles_and_counts_anew(page, big):
    _all_in_view(page, 10)
    page.page.locator(".st-key-q input").fill("新华路")
    page.until("baita.state.selection.startsWith('q=')")
    _shows(page, big, SiteFilter(text="新华路"))
    total = sum(total for total, _ in page.chip_counts().values())
    assert total == int(
        SiteIndex(big.read_sites(), CATEGORIES).mask(SiteFilter(text="新华路")).sum()
    )


def test_a_click_on_a_bubble_goes_nearer_and_one_on_a_site_tells_all_of_it(page, big):
    _all_in_view(page, 9)
    _shows(page, big, SiteFilter())
    frame = page.page.locator("iframe.baita-map").bounding_box()
    x, y = page.js(LARGEST)
    page.page.mouse.click(frame["x"] + x, frame["y"] + y)
    page.until("baita.map.getZoom() === 11")
    page.js("baita.map.setView([41.26, 123.17], 16, { animate: false })")
    page.settled()
    page.until("baita.layer.stats.missing === 0 && baita.layer._drawn.points.length > 0")
    x, y = page.js(FREE)
    page.page.mouse.click(frame["x"] + x, frame["y"] + y)
    page.until("!baita.detail.node.hidden && baita.chosenId")
    site = big.site(page.js("baita.chosenId"))
    assert page.frame.locator(".detail h2").text_content() == site["name"]
    assert "登记.csv" in page.frame.locator(".detail").text_content()


def test_the_crosshair_goes_from_bubble_to_bubble_nearer_and_to_a_site(page, big):
    _all_in_view(page, 9)
    _shows(page, big, SiteFilter())
    page.js("() => { baita.access.focusMap(); }")
    spots = page.js("baita.access.spots().map(one => one.bubble ? one.bubble.n : 0)")
    assert sum(spots) == COUNT - COUNT // 10
    page.page.keyboard.press("PageDown")
    page.until("n => baita.access.live.textContent.startsWith(n)", f"{spots[0]} ")
    label = page.js("baita.styles[baita.access.spots()[0].bubble.counts[0][0]].label")
    assert label in page.js("baita.access.live.textContent")
    page.page.keyboard.press("Enter")
    page.until("baita.map.getZoom() === 11")
    page.js("baita.map.setView([41.26, 123.17], 16, { animate: false })")
    page.settled()
    page.until("baita.layer.stats.missing === 0 && baita.layer._drawn.points.length > 1")
    names = []
    for _ in range(2):
        page.page.keyboard.press("PageDown")
        page.until("baita.access.looked >= 0 && /^单位/.test(baita.access.live.textContent)")
        names.append(page.js("async () => (await baita.words.get(baita.access.looked)).name"))
        page.until("name => baita.access.live.textContent.startsWith(name)", names[-1])
    assert len(set(names)) == 2
    page.page.keyboard.press("Enter")
    page.until("!baita.detail.node.hidden && document.activeElement === baita.detail.node")
    assert page.frame.locator(".detail h2").text_content() == names[-1]


def test_the_table_comes_by_page_and_sorts(page, big):
    page.js("baita.table.toggle('table')")
    page.until("baita.table.rows[0] !== undefined && baita.words.peek(baita.table.rows[0])")
    assert page.js("baita.table.rows.length") == COUNT - COUNT // 10
    assert page.js("baita.words.peek(baita.table.rows[0]).name") == "单位0号"
    page.js("baita.table.sort('name')")
    page.until(
        "baita.table.rows[1] !== undefined && baita.words.peek(baita.table.rows[1]).name === '单位1000号'"
    )
    page.js("baita.table.body.scrollTop = 30 * 3000")
    page.until("baita.table.rows[3005] !== undefined")


def test_an_edit_of_another_process_is_seen(page, big):
    _all_in_view(page, 10)
    _shows(page, big, SiteFilter())
    site = big.site("big-0")
    big.update_site("big-0", {"status": "stopped"}, version=int(site["version"]), who="王工")
    _shows(page, big, SiteFilter())
    assert page.js("baita.state.version") == big.data_version()
    page.forgive("410")
