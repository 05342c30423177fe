"""A site's words are words: whatever a file brings, it is shown as it stands and never becomes part of a page."""

import csv
from dataclasses import replace
from urllib.parse import quote

import pytest
from driver import Server, Tab, start_server

from geo.pipeline import load_file
from geo.settings import load_settings
from geo.store import open_store

pytestmark = pytest.mark.browser

BAD = "<img src=x onerror=alert(1)>{{7*7}}{# ${x} ` D:\\users"
SCRIPT = "</script><script>alert(2)</script>"
LINK = "javascript:alert(3)"
MARKDOWN = (
    "![p](http://evil.example/p.png) [l](javascript:alert(4)) $\\alpha$ <svg/onload=alert(5)>"
)
FRAME = "\"'><iframe srcdoc='<script>alert(6)</script>'></iframe>{% raw %}&lt;b&gt;"
# Names start with their row's letter, so that a site is found by eye when a test fails.
SITES = [
    {
        "site_id": "bad/%2F?x=1&y#<b>{{7*7}}",
        "kind": "enterprise",
        "name": "A " + BAD,
        "status": "resumed",
        "place": "A " + SCRIPT,
        "street": BAD,
        "source_file": "A " + FRAME,
        "source_where": "A " + LINK,
        "note": "A " + MARKDOWN,
        "x": "123.1702",
        "y": "41.2655",
        "datum": "wgs84",
        "precision": "poi",
    },
    {
        "site_id": "waits-<i>",
        "kind": "project",
        "name": "B " + SCRIPT + MARKDOWN,
        "status": "building",
        "place": "B " + BAD,
        "street": LINK,
        "source_file": "B " + BAD,
        "source_where": "B " + MARKDOWN,
        "note": "B " + FRAME,
    },
    {
        "site_id": "__proto__",
        "kind": "enterprise",
        "name": "constructor " + LINK,
        "status": "stopped",
        "place": "toString",
        "street": "",
        "source_file": "__proto__",
        "source_where": "",
        "note": "{name}{n} {{ config }}",
        "x": "123.1802",
        "y": "41.2705",
        "datum": "wgs84",
        "precision": "poi",
    },
]


@pytest.fixture(scope="module")
def bad_server(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("hostile")
    names = list(SITES[0])
    table = folder / "sites.csv"
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [*names, "as_of"])
        writer.writeheader()
        writer.writerows({**site, "as_of": "2020-03-11"} for site in SITES)
    settings = replace(load_settings({}), store=str(folder / "baita.gpkg"))
    with open_store(folder / "baita.gpkg") as store:
        report = load_file(store, table, who=BAD, settings=settings)
        assert (report.added, report.problems) == (3, ()), report
        stored = store.read_sites().set_index("site_id")
    for site in SITES:
        for name in ("name", "place", "street", "source_file", "note"):
            assert stored.loc[site["site_id"], name] == site[name]
    yield from start_server(folder)


@pytest.fixture
def bad(visitor: Tab, bad_server: Server):
    """A visitor of the hostile set; at the end, nothing of it has become an element, a style or a script."""
    tab = visitor.go(bad_server)
    yield tab
    _harmless(tab)


def _harmless(tab: Tab) -> None:
    tab.settled()
    for frame in (tab.page.main_frame, tab.frame):
        found = frame.evaluate(
            """() => [
              ...document.querySelectorAll('img, svg[onload], [onerror], [onload], iframe[srcdoc], .katex'),
              ...document.querySelectorAll('a[href^="javascript"], iframe:not(.baita-map)'),
              ...[...document.scripts].filter(s => s.textContent.includes('alert')),
            ].map(node => node.outerHTML.slice(0, 200))"""
        )
        assert found == []


def test_hover_and_detail_show_the_words_as_they_stand(bad):
    first = SITES[0]
    bad.settled()
    row = bad.row(first["site_id"])
    bad.page.mouse.move(*bad.spot(row))
    bad.until("!baita.tip.hidden")
    assert bad.frame.locator(".tip b").text_content() == first["name"]
    _harmless(bad)
    bad.page.mouse.click(*bad.spot(row))
    bad.until("id => baita.chosenId === id && !baita.detail.node.hidden", first["site_id"])
    panel = bad.frame.locator(".detail")
    assert panel.locator("h2").text_content() == first["name"]
    told = panel.locator("dd").all_text_contents()
    for word in (first["place"], first["street"], first["note"]):
        assert word in told
    assert f"{first['source_file']} · {first['source_where']}" in told
    assert BAD in panel.locator("details").text_content()
    # Its id went into the address, and from there back into the map.
    bad.until("location.hash.split('/').length === 4", of="top")
    bad.reload()
    bad.until("id => baita.chosenId === id && !baita.detail.node.hidden", first["site_id"])
    assert bad.frame.locator(".detail h2").text_content() == first["name"]


@pytest.mark.parametrize("site", SITES[1:], ids=lambda site: site["site_id"])
def test_any_site_can_be_chosen_and_is_told_as_it_stands(bad, site):
    bad.choose(site["site_id"])
    told = bad.frame.locator(".detail dd").all_text_contents()
    assert bad.frame.locator(".detail h2").text_content() == site["name"]
    for word in (site["place"], site["note"]):
        assert word in told


def test_table_and_tray_show_the_words_as_they_stand(bad):
    bad.frame.locator("body").press("t")
    bad.until("baita.table.tab === 'table'")
    rows = bad.frame.locator(".drawer .body .row")
    cells = [row.locator(".cell").all_text_contents() for row in rows.all()]
    assert [row[0] for row in cells] == [SITES[0]["name"], SITES[2]["name"]]
    assert cells[0][3] == SITES[0]["street"]
    _harmless(bad)
    bad.frame.locator("body").press("u")
    bad.until("baita.table.tab === 'tray'")
    assert rows.locator(".cell").first.text_content() == SITES[1]["name"]
    rows.locator("button").click()
    bad.until("baita.placer.active")
    title = bad.text["map"]["placing"].format(name=SITES[1]["name"])
    assert bad.frame.locator(".placer b").text_content() == title


def test_a_search_for_it_finds_it_and_the_picture_says_what_was_searched(bad):
    box = bad.page.locator(".st-key-q input")
    for text in (BAD, SCRIPT, LINK, MARKDOWN, FRAME):
        box.fill(text)
        bad.until("text => new URLSearchParams(baita.state.selection).get('q') === text", text)
        fields = ("name", "place", "street", "note")
        meant = [site for site in SITES if any(text in site[name] for name in fields)]
        bad.until(
            "n => baita.layer.visible().located.length + baita.layer.visible().waiting.length === n",
            len(meant),
        )
        assert meant
        assert bad.params()["q"] == [text]
        assert box.input_value() == text
        said = bad.text["title"]["search"].format(text=text)
        bad.until("said => document.querySelector('.stage.title p').textContent === said", said)
    bad.frame.get_by_role("button", name=bad.text["map"]["present"]).click()
    bad.until("baita.presenting")
    assert bad.frame.locator(".stage.title p").first.is_visible()
    source = bad.frame.locator(".stage.source").text_content()
    files = {site["source_file"] for site in meant}  # of what is shown, not of the set
    assert sum(file in source for file in files) == min(3, len(files))


def test_a_street_can_be_chosen_whatever_it_is_called(visitor, bad_server):
    """A link brings it; Streamlit's own widget shows it, and the picture's subtitle names it."""
    tab = visitor.go(bad_server, f"?street={quote(BAD)}&street={quote(LINK)}")
    tab.until("baita.layer.visible().located.length + baita.layer.visible().waiting.length === 2")
    shown = tab.page.locator(".st-key-street").text_content()
    assert BAD in shown
    assert LINK in shown
    what = tab.text["title"]["and"].join([BAD, LINK])
    assert tab.js("baita.state.subtitle") == tab.text["title"]["street"].format(what=what)
    assert tab.js("document.querySelector('.stage.title p').textContent") == tab.js(
        "baita.state.subtitle"
    )
    _harmless(tab)


def test_a_hostile_link_changes_no_page(visitor, bad_server):
    names = ("hide", "until", "precision", "located", "set", "lang", "no_such_name")
    query = "&".join(f"{name}={quote(BAD + SCRIPT + MARKDOWN)}" for name in names)
    tab = visitor.go(bad_server, "?" + query)
    assert tab.shown() == {"located": 2, "waiting": 1}
    _harmless(tab)


def test_a_hostile_place_is_refused_in_plain_words(bad, bad_server):
    site = SITES[1]
    bad.frame.locator("body").press("u")
    bad.frame.locator(".drawer .body .row button").click()
    bad.until("baita.placer.active")
    bad.frame.locator(".placer input").fill(BAD)
    bad.frame.locator(".placer select").select_option("wgs84")
    bad.frame.locator(".placer form button").click()
    bad.until("document.querySelector('.placer .error').textContent !== ''")
    assert bad_server.sites().set_index("site_id").loc[site["site_id"], "precision"] == "none"


def test_messages_from_elsewhere_are_not_listened_to(bad, bad_server):
    """The map's page obeys its own parent only, and the page around it its own map only."""
    version = bad_server.sites()["version"].sum()
    bad.page.evaluate(
        """site => {
          for (const type of ['baita:place', 'baita:undo', 'baita:open', 'baita:key', 'baita:__proto__'])
            window.postMessage({ type, site_id: site, vertices: [[123.17, 41.26]], dataset: 'demo', key: 'p' }, '*');
        }""",
        SITES[1]["site_id"],
    )
    bad.js("() => { window.postMessage({ type: 'baita:command', run: 'present' }, '*'); }")
    bad.settled()
    assert bad.js("!baita.presenting && baita.state.dataset === 'bulletin'")
    assert bad_server.sites()["version"].sum() == version
