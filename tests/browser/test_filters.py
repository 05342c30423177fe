"""A filter changes what is shown and nothing else; the address says it all; every count is the same count."""

import re

import pytest
from driver import CATEGORIES, Tab, python_counts
from playwright.sync_api import TimeoutError

from geo.view import NO_STREET, SiteFilter

pytestmark = pytest.mark.browser

KEYS = list(CATEGORIES.codes)
RESUMED, STOPPED = "enterprise.resumed", "enterprise.stopped"
ENTERPRISES = [key for key in KEYS if key.startswith("enterprise.")]


def _search(tab: Tab, text: str) -> None:
    box = tab.page.locator(".st-key-q input")
    box.fill(text)
    tab.until("text => (new URLSearchParams(baita.state.selection).get('q') || '') === text", text)


def _agrees(tab: Tab, index, **params) -> SiteFilter:
    """Assert that chips, map, tabs, table and stage all count what Python counts for the address."""
    chosen = SiteFilter.from_params(params, CATEGORIES)
    mask = index.mask(chosen)
    located = int((mask & index.located).sum())
    waiting = int((mask & ~index.located).sum())
    expected = python_counts(index, chosen)
    tab.until("([a, b]) => baita.layer.visible().located.length === a"
              " && baita.layer.visible().waiting.length === b", [located, waiting])  # fmt: skip
    tab.until(
        "counts => [...document.querySelectorAll('.baita-chips .chip')].every(chip =>"
        " chip.querySelector('b').textContent === counts[chip.dataset.key])",
        {key: str(t) if t == n else f"{n}/{t}" for key, (t, n) in expected.items()},
        of="top",
    )
    words = tab.text["map"]
    tabs = [words["tab_table"].format(n=located), words["tab_tray"].format(n=waiting)]
    assert tab.frame.locator(".tab").all_text_contents() == tabs
    ids = index.sites["site_id"]
    assert tab.ids("located") == ids[mask & index.located].tolist()
    assert tab.ids("waiting") == ids[mask & ~index.located].tolist()
    # The legend of the picture lists what is on the map and not what is not.
    legend = tab.js(
        "[...document.querySelectorAll('.stage.legend p b')].map(b => Number(b.textContent))"
    )
    shown = [n for key, (_, n) in expected.items() if key not in chosen.hidden and n]
    assert legend == shown
    assert sum(legend) == located
    total = tab.js("(document.querySelector('.stage.legend .sum') || {}).textContent")
    if located + waiting:
        assert total == words["on_map_of"].format(n=located, total=located + waiting)
    return chosen


# ---- a click changes only what is shown -------------------------------------------------------------------


def test_a_filter_click_keeps_the_frame_the_view_the_site_and_asks_for_no_data(demo, server):
    demo.token()
    demo.js("() => { baita.map.setView([41.2611, 123.1744], 15.25, { animate: false }); }")
    demo.choose("demo-ent-003")
    demo.settled()
    view, loads, offset = demo.view(), demo.js("baita.loads"), len(demo.requests)
    demo.switch(demo.chip(STOPPED)).hide(STOPPED).settled()
    assert demo.kept()
    assert demo.view() == view
    assert demo.js("baita.loads") == loads == 1
    assert demo.js("baita.chosenId") == "demo-ent-003"
    assert demo.detail()
    assert demo.params() == {"set": ["demo"], "hide": [STOPPED]}
    # The panel may look its site up again, and asks for news each second; positions, words and bits stay.
    of_its_own = r"/site/|/version/|/favicon"
    asked = [url for url in demo.requests[offset:] if not re.search(of_its_own, url)]
    assert asked == []
    _agrees(demo, server.index("demo"), hide=[STOPPED])


def test_a_link_brings_back_filter_view_and_site_after_a_reload(demo):
    demo.js("() => { baita.map.setView([41.2611, 123.1744], 15.25, { animate: false }); }")
    demo.choose("demo-ent-003")
    demo.switch(demo.chip(STOPPED)).hide(STOPPED)
    demo.until(
        "/^#15\\.25\\/41\\.26110\\/123\\.17440\\/demo-ent-003$/.test(location.hash)", of="top"
    )
    hash_ = demo.hash()
    demo.reload().hide(STOPPED)
    demo.until("baita.chosenId === 'demo-ent-003' && !baita.detail.node.hidden")
    demo.settled()
    lat, lon, zoom = demo.view()
    assert (round(lat, 4), round(lon, 4), zoom) == (41.2611, 123.1744, 15.25)
    assert demo.hash() == hash_
    assert demo.params() == {"set": ["demo"], "hide": [STOPPED]}


def test_one_link_shows_the_same_in_two_languages(open_tab, server):
    query = f"set=demo&hide={STOPPED}&q=%E6%BC%94%E7%A4%BA&street=%E6%96%87%E5%9C%A3%E8%A1%97%E9%81%93&precision=poi"
    hash_ = "#14.5/41.26000/123.18000/demo-ent-001"
    zh = open_tab(server, f"?{query}&lang=zh{hash_}")
    en = open_tab(server, f"?{query}&lang=en{hash_}", locale="en-US")
    for tab in (zh, en):
        tab.until("baita.chosenId === 'demo-ent-001'")
    assert zh.ids() == en.ids() != []
    assert zh.ids("waiting") == en.ids("waiting")
    assert zh.chip_counts() == en.chip_counts()
    assert zh.view() == en.view()
    assert zh.detail() != en.detail()
    assert zh.js("document.documentElement.lang") != en.js("document.documentElement.lang")


def test_another_language_keeps_filter_and_view(visitor, server):
    tab = visitor.go(
        server,
        f"?set=demo&hide={STOPPED}&street=%E6%96%87%E5%9C%A3%E8%A1%97%E9%81%93#15/41.26/123.18",
    )
    before = tab.ids()
    tab.page.locator(".st-key-lang button", has_text="EN").click()
    tab.until("document.documentElement.lang === 'en' && !!baita.state")
    tab.ready().hide(STOPPED)
    tab.until("ids => baita.layer.visible().located.length === ids", len(before))
    assert tab.ids() == before
    assert tab.params()["lang"] == ["en"]
    lat, lon, zoom = tab.view()
    assert (round(lat, 3), round(lon, 3), zoom) == (41.26, 123.18, 15)
    english = CATEGORIES.status("enterprise", "stopped").label["en"]
    tab.until(
        "text => document.querySelector('[data-key=\"enterprise.stopped\"] > span').textContent === text",
        english,
        of="top",
    )


def test_the_back_button_undoes_a_filter_click_and_forward_does_it_again(demo):
    demo.token()
    demo.switch(demo.chip(STOPPED)).hide(STOPPED)
    demo.switch(demo.chip(RESUMED)).hide(STOPPED, RESUMED)
    demo.page.evaluate("history.back()")
    demo.hide(STOPPED)
    demo.page.evaluate("history.back()")
    demo.hide()
    demo.page.evaluate("history.forward()")
    demo.hide(STOPPED)
    assert demo.kept()
    demo.until("/^#13\\.\\d+\\//.test(location.hash)", of="top")


# ---- chips ------------------------------------------------------------------------------------------------


def test_a_double_click_shows_one_status_alone_and_another_one_all_again(demo, server):
    others = [key for key in KEYS if key != STOPPED]
    demo.chip(STOPPED).dblclick()
    demo.hide(*others)
    _agrees(demo, server.index("demo"), hide=others)
    demo.page.wait_for_timeout(400)
    demo.chip(STOPPED).dblclick()
    demo.hide()
    assert demo.params() == {"set": ["demo"]}


def test_a_kind_is_switched_whole_and_alone(demo, server):
    demo.switch(demo.kind("enterprise")).hide(*ENTERPRISES)
    _agrees(demo, server.index("demo"), hide=ENTERPRISES)
    demo.switch(demo.kind("enterprise")).hide()
    demo.page.wait_for_timeout(400)
    demo.kind("enterprise").dblclick()
    demo.hide(*(key for key in KEYS if key not in ENTERPRISES))
    demo.switch(demo.page.locator(".baita-chips .all")).hide()


def test_everything_off_says_so_and_offers_the_way_back(demo):
    for kind in CATEGORIES:
        demo.switch(demo.kind(kind.code))
    demo.hide(*KEYS)
    assert demo.shown() == {"located": 0, "waiting": 0}
    empty = demo.frame.locator(".empty-state")
    assert empty.locator("p").text_content() == demo.text["map"]["nothing_fits"]
    empty.locator("button").click()
    demo.hide()
    assert not empty.is_visible()


# ---- search, street, precision, date ----------------------------------------------------------------------


def test_slash_leads_to_the_search_and_typing_filters_by_name_and_by_place(demo, server):
    index = server.index("demo")
    demo.token()
    for press in (demo.page.keyboard.press, demo.frame.locator("body").press):
        press("/")
        assert demo.page.evaluate("document.activeElement.matches('.st-key-q input')")
        demo.page.keyboard.press("Tab")
    demo.page.locator(".st-key-q input").press_sequentially("云杉", delay=5)
    demo.until("new URLSearchParams(baita.state.selection).get('q') === '云杉'")
    chosen = _agrees(demo, index, q="云杉")
    assert index.sites["name"][index.mask(chosen)].str.contains("云杉").all()
    _search(demo, "甲-06 223号")
    chosen = _agrees(demo, index, q="甲-06 223号")
    assert "demo-ent-003" in index.sites["site_id"][index.mask(chosen)].tolist()
    assert demo.params()["q"] == ["甲-06 223号"]
    assert "甲-06 223号" in demo.js("document.querySelector('.stage.title').textContent")
    _search(demo, "")
    assert "q" not in demo.params()
    assert demo.kept()


def test_letters_typed_into_the_search_are_no_commands(demo):
    box = demo.page.locator(".st-key-q input")
    box.press_sequentially("ptuf", delay=5)
    demo.until("new URLSearchParams(baita.state.selection).get('q') === 'ptuf'")
    assert box.input_value() == "ptuf"
    assert demo.js("!baita.table.tab && !baita.presenting")
    assert (
        demo.js("document.querySelector('.empty-state p').textContent")
        == demo.text["map"]["nothing_fits"]
    )
    demo.frame.locator(".empty-state button").click()
    demo.until("!baita.state.selection")
    demo.until("document.querySelector('.st-key-q input').value === ''", of="top")


def _pick(tab: Tab, key: str, word: str) -> None:
    """Choose a word in one of Streamlit's lists: by key, and again if the list has closed without taking it."""
    box = tab.page.locator(f".st-key-{key} input")
    tag = tab.page.locator(f'.st-key-{key} [data-testid="stMultiSelectTagsContainer"]')
    _at_rest(tab, f".st-key-{key}")
    for _ in range(3):
        box.click()
        box.fill("")
        box.press_sequentially(word, delay=5)
        tab.until("document.querySelectorAll('[role=option]').length === 1", of="top")
        box.press("Enter")
        try:
            tag.get_by_text(word, exact=True).wait_for(timeout=4000)
            break
        except TimeoutError:
            continue
    tag.get_by_text(word, exact=True).wait_for()
    tab.page.keyboard.press("Escape")


def _at_rest(tab: Tab, selector: str) -> None:
    """Wait until a part of Streamlit's page has stopped moving: its expander slides open."""
    before = None
    for _ in range(100):
        now = tab.page.locator(selector).bounding_box()
        if now is not None and now == before:
            return
        before = now
        tab.page.wait_for_timeout(80)
    raise AssertionError(f"{selector} does not come to rest")


def _type_date(tab: Tab, digits: str) -> None:
    tab.page.locator(".st-key-until [data-type=year]").click()
    tab.page.keyboard.type(digits, delay=5)
    tab.page.keyboard.press("Escape")


def test_street_precision_and_date_are_filters_too(visitor, server):
    visitor.page.set_viewport_size({"width": 1920, "height": 1400})
    demo = visitor.go(server, "?set=demo")
    index, words = server.index("demo"), demo.text
    demo.token()
    demo.page.locator(".st-key-baita_side details summary").click()
    _pick(demo, "street", "文圣街道")
    demo.until("baita.state.selection.includes('street=')")
    _agrees(demo, index, street=["文圣街道"])
    _pick(demo, "street", words["page"]["no_street"])
    demo.until("baita.state.selection.split('street=').length === 3")
    _agrees(demo, index, street=["文圣街道", NO_STREET])
    _pick(demo, "precision", words["map"]["precisions"]["poi"])
    demo.until("baita.state.selection.includes('precision=poi')")
    _agrees(demo, index, street=["文圣街道", NO_STREET], precision=["poi"])
    assert demo.params()["precision"] == ["poi"]
    _type_date(demo, "20200317")
    demo.until("baita.state.selection.includes('until=2020-03-17')")
    _agrees(demo, index, street=["文圣街道", NO_STREET], precision=["poi"], until="2020-03-17")
    assert demo.kept()


def test_the_date_filter_keeps_what_was_known_by_that_day(visitor, server):
    tab = visitor.go(server, "?until=2020-03-10")
    _agrees(tab, server.index(), until="2020-03-10")
    assert tab.shown() == {"located": 1, "waiting": 3}
    assert "2020-03-10" in tab.js("document.querySelector('.stage.source').textContent")
    shown = tab.page.locator(".st-key-until [role=spinbutton]").all_text_contents()
    assert [int(part) for part in shown] == [2020, 3, 10]


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"q": "演示路", "hide": ENTERPRISES},
        {"street": ["南门街道", NO_STREET], "precision": ["road", "none"], "until": "2020-03-18"},
        {"q": "没有这样的地方"},
    ],
    ids=lambda params: "&".join(params) or "all",
)
def test_every_number_on_the_page_is_the_same_number(visitor, server, params):
    query = SiteFilter.from_params(params, CATEGORIES).to_query()
    tab = visitor.go(server, f"?set=demo&{query}")
    _agrees(tab, server.index("demo"), **params)


def test_a_link_with_a_part_nobody_knows_warns_and_shows_the_rest(visitor, server):
    tab = visitor.go(server, "?hide=nothing&until=2020-03-10")
    _agrees(tab, server.index(), until="2020-03-10")
    warning = tab.page.locator('[data-testid="stAlert"]')
    assert "hide" in warning.text_content()


FAST = [
    "enterprise.partial",
    "enterprise.stopped",
    "project.landing",
    "project.building",
    "parking.planned",
    "parking.cleared",
]


def test_six_clicks_within_a_second_are_six_changes(demo):
    for key in FAST:
        demo.chip(key).click()
    demo.hide(*FAST)
    assert sorted(demo.params()["hide"]) == sorted(FAST)


def test_clicks_that_wait_for_a_busy_server_are_all_carried_out(demo, server):
    """Streamlit drops all but the last of the clicks that reach it while it is busy."""
    with server.busy():
        for key in FAST[:4]:
            demo.switch(demo.chip(key))
    demo.hide(*FAST[:4])
    with server.busy():
        demo.chip(STOPPED).dblclick()
    demo.hide(*(key for key in KEYS if key != STOPPED))
    demo.until("/^#13\\.\\d+\\//.test(location.hash)", of="top")


def test_clicks_in_one_and_the_same_moment_are_all_carried_out(demo):
    """As when the browser was busy with something else and hands on what was clicked meanwhile."""
    demo.page.evaluate(
        'keys => { for (const key of keys) document.querySelector(`[data-key="${key}"]`).click(); }',
        FAST[:3],
    )
    demo.hide(*FAST[:3])
