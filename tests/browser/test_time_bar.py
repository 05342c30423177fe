"""The time bar: each day's map and numbers are Python's, what changed is ringed and listed, a link keeps it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from driver import CATEGORIES, WALL, Server, Tab, python_counts, start_server

from geo.__main__ import main
from geo.draw import page as map_page
from geo.export.paint import CHANGED
from geo.timeline import APPEARED, UNCHANGED, Comparison, Timeline
from geo.view import SiteFilter, SiteIndex

pytestmark = pytest.mark.browser

D11, D18 = date(2020, 3, 11), date(2020, 3, 18)
ALL = SiteFilter()


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    """An app of this file's own: other tests change what was stated when."""
    yield from start_server(tmp_path_factory.mktemp("timeline"))


@pytest.fixture(scope="module")
def timeline(server) -> Timeline:
    server.get_json("baita/site/demo/demo-ent-001.json")  # the first look at a set fills it
    with server.store("demo") as store:
        return Timeline(store.read_sites(), store.statement_changes())


def _bar(tab: Tab, selector: str):
    return tab.frame.locator(f".time {selector}")


def _shows(tab: Tab, timeline: Timeline, day: date | None, chosen: SiteFilter = ALL) -> SiteIndex:
    """Assert that the map and the chips count what Python counts for a day."""
    as_of = day.isoformat() if day else ""
    tab.until("day => !!baita.state && baita.state.as_of === day", as_of)
    index = SiteIndex(timeline.at(day), CATEGORIES)
    mask = index.mask(chosen) & index.located
    tab.until("n => baita.layer.visible().located.length === n", int(mask.sum()))
    tab.until(
        "counts => [...document.querySelectorAll('.baita-chips .chip')].every(chip =>"
        " chip.querySelector('b').textContent === counts[chip.dataset.key])",
        {
            key: str(t) if t == n else f"{n}/{t}"
            for key, (t, n) in python_counts(index, chosen).items()
        },
        of="top",
    )
    assert tab.ids() == index.sites["site_id"][mask].tolist()
    return index


def _ready(tab: Tab) -> Tab:
    tab.until("baita.time.days.length > 1 && !baita.time.node.hidden")
    return tab


def test_the_slider_shows_the_day_and_the_button_comes_back_to_the_present(demo, server, timeline):
    _ready(demo).token()
    demo.js("() => { baita.map.setView([41.2611, 123.1744], 15.25, { animate: false }); }")
    view = demo.view()
    _shows(demo, timeline, None)
    slider = _bar(demo, "input[type=range]")
    assert slider.get_attribute("max") == "7"
    slider.fill("3")  # a day between the two bulletins
    demo.until("baita.state.as_of === '2020-03-14'")
    assert demo.js("baita.dataBase").endswith("@2020-03-11/")
    slider.fill("0")
    _shows(demo, timeline, D11)
    assert demo.params() == {"set": ["demo"], "as_of": ["2020-03-11"]}
    assert demo.kept()
    assert demo.view() == view
    assert _bar(demo, ".day").text_content() == "2020-03-11"
    _bar(demo, "button").filter(has_text=demo.text["map"]["time"]["now"]).first.click()
    _shows(demo, timeline, None)
    assert demo.params() == {"set": ["demo"]}


def test_the_brackets_step_from_day_to_day_also_while_presenting(demo, timeline):
    _ready(demo)
    # There the keys of letters mean what they mean elsewhere.
    _bar(demo, "input[type=range]").focus()
    demo.page.keyboard.press("[")
    _shows(demo, timeline, D11)
    demo.page.keyboard.press("[")  # there is none before
    demo.page.keyboard.press("p")
    demo.until("baita.presenting === true")
    assert demo.js("document.querySelector('.stage.title p').textContent") == "截至 2020-03-11"
    demo.page.keyboard.press("]")
    _shows(demo, timeline, None)
    demo.page.keyboard.press("Escape")


def test_what_changed_is_ringed_counted_and_listed_and_a_click_goes_there(demo, timeline):
    _ready(demo)
    _bar(demo, ".compare").click()
    demo.until("baita.state.since === '2020-03-11' && !!baita.layer._old")
    changes = timeline.changes(D11, None)
    index = SiteIndex(timeline.at(None), CATEGORIES)
    changed = index.sites["site_id"].isin(changes["site_id"]).to_numpy()
    words = demo.text["map"]["time"]
    assert _bar(demo, ".list").text_content() == words["changes"].format(n=len(changes))
    # With all of the map in view there is a ring for each changed site on it.
    demo.js("() => { baita.fit({ animate: false }); }")
    demo.until("n => baita.layer.ringed === n", int((changed & index.located).sum()))
    deltas = Comparison(index, changes).deltas(index.mask(ALL)).tolist()
    for key, code in CATEGORIES.codes.items():
        came, left = deltas[code]
        said = "/".join(filter(None, (f"+{came}" * bool(came), f"−{left}" * bool(left))))
        assert demo.chip(key).locator(".delta").text_content() == said
    lines = demo.frame.locator(".time-panel .line")
    lines.first.wait_for()
    first = changes.iloc[0]
    old, new = (
        CATEGORIES.status(first["kind"], first[name]).label["zh"]
        for name in ("old_status", "new_status")
    )
    demo.until("name => document.querySelector('.time-panel .line b').textContent === name",
               first["name"])  # fmt: skip
    assert lines.first.locator("small").inner_text().split() == [old, "→", new]
    lines.first.click()
    demo.until("id => baita.chosenId === id", first["site_id"])
    _bar(demo, ".compare").click()
    demo.until("baita.state.since === '' && baita.layer._old === null")
    assert demo.js("baita.layer.ringed") == 0
    demo.until("!document.querySelector('.baita-chips .delta')", of="top")


def test_a_filter_keeps_the_comparison_and_asks_for_no_data(demo, timeline):
    _ready(demo)
    _bar(demo, ".compare").click()
    demo.until("!!baita.layer._old")
    demo.settled()
    offset = len(demo.requests)
    demo.switch(demo.chip("enterprise.stopped")).hide("enterprise.stopped").settled()
    asked = [u for u in demo.requests[offset:] if "/data/" in u]
    assert asked == []
    index = SiteIndex(timeline.at(None), CATEGORIES)
    chosen = SiteFilter(hidden=frozenset({"enterprise.stopped"}))
    changed = index.sites["site_id"].isin(timeline.changes(D11, None)["site_id"]).to_numpy()
    expected = index.sites["site_id"][changed & index.mask(chosen)].tolist()
    assert demo.js("baita.layer.changedRows().length") == len(expected)


def test_a_link_keeps_the_day_and_the_comparison(open_tab, server, timeline):
    address = "?set=demo&as_of=2020-03-17&since=2020-03-01"
    zh = open_tab(server, address, size=WALL)
    zh.until("baita.state.as_of === '2020-03-17'")
    index = SiteIndex(timeline.at(D11), CATEGORIES)
    assert zh.ids() == index.sites["site_id"][index.located].tolist()
    # Nothing was there on the first of March: all of it is new.
    assert zh.js(f"baita.layer._old.every(code => code === {APPEARED})")
    assert zh.js("baita.state.subtitle") == "截至 2020-03-17，较 2020-03-01"
    en = open_tab(server, address, locale="en-US")
    en.until("baita.state.as_of === '2020-03-17'")
    assert en.ids() == zh.ids()
    assert "As of 2020-03-17" in en.js("baita.state.subtitle")


def test_an_earlier_day_cannot_be_edited_and_says_so(visitor, server, timeline):
    tab = _ready(visitor.go(server, "?set=demo&as_of=2020-03-11"))
    site = timeline.changes(D11, None).iloc[0]
    tab.choose(site["site_id"])
    old = CATEGORIES.status(site["kind"], site["old_status"]).label["zh"]
    assert tab.frame.locator(".detail .status b").text_content() == old
    words = tab.text["map"]
    assert (
        tab.frame.locator(".detail").get_by_role("button", name=words["edit"], exact=True).count()
        == 0
    )
    note = tab.frame.locator(".time-note")
    assert words["time"]["past"].format(date="2020-03-11") in note.text_content()
    note.locator("button").click()
    tab.until("baita.state.as_of === '' && baita.state.editable")
    tab.frame.locator(".detail").get_by_role("button", name=words["edit"], exact=True).wait_for()


def test_the_picture_is_of_the_day_and_so_is_the_file(visitor, server, timeline):
    tab = _ready(visitor.go(server, "?set=demo&as_of=2020-03-11"))
    tab.page.keyboard.press("e")
    tab.until("!!baita.figure.shown && !!baita.figure.shown.image")
    with tab.page.expect_download() as download:
        tab.frame.locator(".figure .format[data-form=geojson]").click()
    name = download.value.suggested_filename
    assert name.endswith("_截至20200311.geojson")
    features = json.loads(download.value.path().read_text(encoding="utf-8"))["features"]
    table = timeline.at(D11)
    told = {one["id"]: one["properties"]["status"] for one in features}
    assert told == dict(zip(table["site_id"], table["status"], strict=True))


def test_a_hand_out_of_a_comparison_has_its_rings_and_its_numbers(
    chromium, tmp_path, server, timeline
):
    out = tmp_path / "changes.html"
    words = ["export", f"--store={server.folder / 'demo.gpkg'}", "--format=html", f"--out={out}"]
    assert main([*words, "--since=2020-03-11"]) == 0
    page = chromium.new_page()
    page.goto(out.as_uri())
    page.wait_for_function("() => window.baita && baita.layer.ringed > 0")
    index = SiteIndex(timeline.at(None), CATEGORIES)
    changed = index.sites["site_id"].isin(timeline.changes(D11, None)["site_id"]).to_numpy()
    assert page.evaluate("baita.layer.changedRows().length") == int(changed.sum())
    deltas = Comparison(index, timeline.changes(D11, None)).deltas(index.located)
    resumed = CATEGORIES.codes["enterprise.resumed"]
    came, left = deltas[resumed].tolist()
    said = page.locator(".stage.legend .delta").first.text_content()
    assert said == f"+{came}/−{left}"
    page.close()


def test_the_trend_has_a_chart_for_each_status_and_the_same_numbers_as_a_table(demo, timeline):
    _ready(demo)
    _bar(demo, ".charts").click()
    demo.frame.locator(".trend-row").first.wait_for()
    trend = timeline.trend(CATEGORIES, ALL)
    used = [key for key in trend.columns if trend[key].any()]
    assert demo.frame.locator(".trend-row svg").count() == len(used)
    demo.frame.locator(".time-panel summary").click()
    rows = demo.frame.locator(".time-panel tbody tr")
    for n, day in enumerate((D11, D18)):
        cells = rows.nth(n).locator("th,td").all_text_contents()
        assert cells == [day.isoformat(), *(str(trend[key].iloc[n]) for key in used)]
    demo.frame.locator(".trend-row svg").first.click(position={"x": 6, "y": 10})
    _shows(demo, timeline, D11)


@pytest.fixture
def other(tmp_path) -> Iterator[Server]:
    yield from start_server(tmp_path)


def test_one_day_alone_has_no_bar(other, open_tab):
    other.get_json("baita/site/demo/demo-ent-001.json")
    with other.store("demo") as store:
        # The second week was a mistake: all of it is of the first.
        store.save_sites(store.read_sites().assign(as_of=pd.Timestamp(D11).as_unit("ms")), who="w")
    tab = open_tab(other, "?set=demo")
    tab.until("baita.time.days.length > 0")
    assert tab.js("baita.time.days") == ["2020-03-11"]
    assert tab.js("baita.time.node.hidden") is True
    tab.page.keyboard.press("[")
    assert tab.js("baita.time.asked || null") is None


def test_the_page_and_python_mean_the_same_by_a_ring():
    script = (Path(map_page.__file__).parent / "map_time.js").read_text(encoding="utf-8")
    for word in (f"UNCHANGED = {UNCHANGED}", f"APPEARED = {APPEARED}", f"CHANGED = '{CHANGED}'"):
        assert word in script
