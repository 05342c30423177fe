"""The page Folium writes: no other host, no text that could run, a policy that names its own scripts."""

import base64
import hashlib
import json
import re

import pytest

from geo.category import load_categories
from geo.draw.basemaps import basemap, district, neighbours
from geo.draw.page import SCRIPTS, STYLES, content_policy, draw_map, legend
from geo.errors import SiteMapError

NAMES = [
    "leaflet.js",
    "leaflet.css",
    *(f"{name}.css" for name in STYLES),
    *(f"{name}.js" for name in SCRIPTS),
]
ASSETS = {name: f"../static/abc/{name}" for name in NAMES}
CATEGORIES = load_categories()


@pytest.fixture(scope="module")
def html():
    text = {"hint": "{{7*7}} </script><script>alert(1)</script>"}
    return draw_map(CATEGORIES, basemap("211002"), text, language="zh", assets=ASSETS)


def test_nothing_is_asked_of_another_host(html):
    assert not re.findall(r"(?:https?:)?//[\w.-]+\.[a-z]{2,}", html)
    assert set(re.findall(r'(?:src|href)="([^"]+)"', html)) == set(ASSETS.values())


def test_leaflet_is_there_before_our_scripts(html):
    order = [html.index(ASSETS[name]) for name in NAMES if name.endswith(".js")]
    assert order == sorted(order)


def test_a_template_in_our_text_is_not_rendered_and_does_not_end_the_script(html):
    assert "49 </script>" not in html
    assert html.count("<script>alert(1)") == 0
    config = re.search(r"BaitaMap\.start\(map_baita, (.*)\);", html)
    assert config
    assert json.loads(config[1])["text"]["hint"].startswith("{{7*7}} </script>")


def test_the_page_is_the_same_each_time(html):
    text = {"hint": "{{7*7}} </script><script>alert(1)</script>"}
    assert html == draw_map(CATEGORIES, basemap("211002"), text, language="zh", assets=ASSETS)


def test_the_policy_allows_the_inline_scripts_by_hash_and_no_eval(html):
    policy = content_policy(html)
    scripts = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    assert scripts
    for script in scripts:
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    assert "unsafe-eval" not in policy
    assert "script-src 'self' 'sha256-" in policy
    assert "http" not in policy


def test_the_legend_lists_every_status_once_with_its_code():
    codes = [s["code"] for kind in legend(CATEGORIES, "en") for s in kind["statuses"]]
    assert codes == list(range(len(CATEGORIES.statuses)))


def test_the_outline_is_in_wgs84_and_not_the_raw_one():
    # Known bounds of 白塔区 in WGS84; a west bound of 123.1387 would be a GCJ-02 outline read as WGS84.
    assert district("211002").outline.bounds == pytest.approx(
        (123.13285, 41.22684, 123.23044, 41.29248), abs=1e-4
    )


def test_neighbours_are_the_city_s_other_districts():
    names = {region.name for region in neighbours("211002")}
    assert names == {"文圣区", "宏伟区", "弓长岭区", "太子河区", "辽阳县", "灯塔市"}


def test_leaflet_gets_latitude_first():
    lat, lon = basemap("211002")["home"]["rings"][0][0]
    assert 41 < lat < 42
    assert 123 < lon < 124


@pytest.mark.parametrize("adcode", ["999999", "", "21"])
def test_an_unknown_region_says_what_is_wanted(adcode):
    with pytest.raises(SiteMapError, match=r"six digits|outline"):
        district(adcode)
