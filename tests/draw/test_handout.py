"""The hand-out: one file with everything in it, nothing from elsewhere, and no text that could run."""

import base64
import hashlib
import html as htmllib
import json
import re

import pytest

from geo.category import load_categories
from geo.draw import handout
from geo.draw.basemaps import basemap
from geo.draw.handout import draw_handout
from geo.draw.site_layer import pack_sites
from geo.errors import ExportError
from geo.site import Match, SiteRecord, Source, make_sites, site_row

CATEGORIES = load_categories()
HOSTILE = "{{7*7}}</script><script>alert(1)</script><img src=x onerror=alert(1)>${1}"
WORDS = {
    name: f"{name} {HOSTILE}"
    for name in ("title", "subtitle", "as_of", "source", "notice", "marking")
}
TEXT = {"handout": {"search": "x", "searched": "y"}}


def _sites(count=2):
    records = (
        SiteRecord(
            "enterprise", f"{HOSTILE}{n}", "resumed", Source("a", quote=HOSTILE), note=HOSTILE
        )
        for n in range(count)
    )
    return make_sites(
        site_row(record, Match(method="none", reason="no_coordinate")) for record in records
    )


def _draw(sites):
    return draw_handout(sites, CATEGORIES, basemap("211002"), WORDS, TEXT, language="zh")


@pytest.fixture(scope="module")
def page():
    return _draw(_sites())


def test_the_page_asks_for_nothing(page):
    assert not re.search(r"<(?:script|img|iframe|link)[^>]*\b(?:src|href)=", page)
    assert not any(
        "url(" in style for style in re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    )
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)[1]
    assert "default-src 'none'" in policy
    assert "connect-src" not in policy
    assert "unsafe-eval" not in policy
    assert "http" not in policy


def test_the_policy_stands_first_and_names_every_script_that_is_to_run(page):
    assert page.index("Content-Security-Policy") < page.index("<script")
    policy = htmllib.unescape(re.search(r'Content-Security-Policy" content="([^"]+)"', page)[1])
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert len(scripts) >= 6
    for script in scripts:
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy


def test_text_of_a_site_comes_back_whole_and_stays_text(page):
    assert "<script>alert" not in page
    assert "<img" not in page
    data = json.loads(re.search(r'id="baita-data">(.*?)</script>', page, re.DOTALL)[1])
    assert data["details"][0]["name"] == f"{HOSTILE}0"
    assert data["details"][1]["note"] == HOSTILE
    assert data["words"] == WORDS
    assert data["chunks"][0][1][1] == f"{HOSTILE}1"


def test_the_map_gets_the_same_positions_as_from_the_server():
    sites = _sites(3)
    data = handout.held_data(sites, CATEGORIES)
    assert base64.b64decode(data["sites"]) == pack_sites(sites, CATEGORIES)


def test_nothing_of_who_changed_what_is_in_it(page):
    data = json.loads(re.search(r'id="baita-data">(.*?)</script>', page, re.DOTALL)[1])
    assert all(one["history"] == [] for one in data["details"])


def test_the_picture_panel_is_not_in_it(page):
    assert "BaitaFigure = " not in page
    assert "BaitaHandout = " in page


def test_nothing_selected_and_too_many_are_said(monkeypatch):
    with pytest.raises(ExportError, match="nothing is selected"):
        _draw(_sites(0))
    monkeypatch.setattr(handout, "MAX_SITES", 1)
    with pytest.raises(ExportError, match="2 sites are too many"):
        _draw(_sites(2))
