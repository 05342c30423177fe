"""Several people at one store, and a network that fails: nobody sees something that is not so."""

import re

import pytest
from driver import Server, Tab

from geo.placing import place_site, undo_place

pytestmark = pytest.mark.browser

HONGFEI, STOPPED = "prj-hongfei", "enterprise.stopped"


@pytest.fixture
def office(visitor: Tab, desk: Server):
    yield visitor.go(desk)
    visitor.page.goto("about:blank")
    with desk.store() as store:
        while undo_place(store, "test"):
            pass


def _place(desk: Server, lon: float = 123.17, lat: float = 41.2655) -> None:
    with desk.store() as store:
        place_site(store, HONGFEI, lon, lat, "wgs84", who="another program")


def test_what_one_places_another_sees_without_a_click(office, open_tab, desk):
    other = open_tab(desk)
    office.token()
    office.js("() => { baita.map.setView([41.262, 123.172], 14.5, { animate: false }); }")
    office.choose(HONGFEI)
    view = office.settled().view()
    other.choose(HONGFEI)
    other.frame.locator(".detail .actions button").first.click()
    other.until("baita.placer.active")
    other.settled().page.mouse.click(*other.at(123.17, 41.2655))
    other.until("baita.loads === 2 && baita.layer.visible().located.length === 2")
    # Without a click: a page in sight asks for news.
    office.until("baita.loads === 2 && baita.layer.visible().located.length === 2")
    office.switch(office.chip(STOPPED)).hide(STOPPED)
    assert office.chip_counts()["project.resuming"] == (2, 1)
    # Nothing else moved: the frame, the view and the chosen site are those of before.
    assert office.kept()
    assert office.view() == view
    office.until("id => baita.chosenId === id", HONGFEI)
    word = office.text["map"]["methods"]["correction"]
    office.until("word => baita.detail.node.textContent.includes(word)", word)


def test_a_page_that_gets_answers_does_not_ask_for_news_and_asks_again_when_they_end(office):
    office.js(
        """() => new Promise(done => {
          baita.answered = 0;
          const steady = setInterval(() => {
            baita.setState(baita.state);
            if (++baita.answered < 25) return;
            clearInterval(steady);
            done();
          }, 100);
          performance.clearResourceTimings();
        })"""
    )
    asked = (
        "performance.getEntriesByType('resource').filter(e => e.name.includes('/version/')).length"
    )
    assert office.js(asked) == 0
    office.until(f"{asked} >= 2")


def test_a_write_by_another_program_is_seen_too(office, desk):
    _place(desk)
    office.switch(office.chip(STOPPED)).hide(STOPPED)
    office.until("baita.loads === 2 && baita.layer.visible().located.length === 2")
    assert HONGFEI in office.ids()


def test_a_page_overtaken_three_times_shows_the_newest_and_not_an_error(office, desk):
    for n in range(5):
        _place(desk, 123.17 + n / 1000)
        desk.get_json(f"baita/site/bulletin/{HONGFEI}.json")
    box = office.page.locator(".st-key-q input")
    box.fill("金融中心")
    office.until("baita.loads >= 2 && baita.layer.visible().located.length === 1")
    office.until(
        "row => Math.abs(baita.layer.rowBounds(row).getCenter().lng - 123.174) < 1e-5",
        office.row(HONGFEI),
    )
    assert office.messages() == []


def test_the_order_of_a_table_is_forgotten_with_its_version(office, desk):
    """Rows of another version are other rows: an order of the old ones would mix them up."""
    office.frame.locator("body").press("u")
    office.frame.get_by_role("columnheader", name=office.text["map"]["name"]).click()
    office.until("baita.table.order.column === 'name'")
    _place(desk)
    office.switch(office.chip(STOPPED)).hide(STOPPED)
    office.until("baita.loads === 2 && baita.table.rows.length === 14")
    assert office.js("baita.table.order.column") == ""
    assert sorted(office.js("[...baita.table.rows]")) == sorted(
        office.js("[...baita.layer.visible().waiting]")
    )


# ---- the network ------------------------------------------------------------------------------------------

FAILED = r"Failed to load resource|ERR_FAILED|ERR_CONNECTION"


def test_data_that_does_not_arrive_leaves_the_old_map_and_a_way_to_try_again(office, desk):
    words = office.text["map"]
    office.page.route(re.compile(r"/sites\.bin$"), lambda route: route.abort())
    _place(desk)
    office.switch(office.chip(STOPPED))
    message = office.frame.locator(".message", has_text=words["data_failed"])
    message.wait_for()
    assert office.forgive(FAILED)
    assert office.shown() == {"located": 1, "waiting": 15}
    assert office.js("baita.loads") == 1
    office.page.unroute_all()
    message.get_by_role("button", name=words["retry"]).click()
    office.hide(STOPPED)
    office.until("baita.loads === 2 && baita.layer.visible().located.length === 2")
    assert office.messages() == []


def test_a_search_that_does_not_arrive_is_tried_again_too(demo):
    words = demo.text["map"]
    demo.page.route(re.compile(r"/selection\.bin"), lambda route: route.fulfill(status=503))
    demo.page.locator(".st-key-q input").fill("云杉")
    message = demo.frame.locator(".message", has_text=words["data_failed"])
    message.wait_for()
    assert demo.forgive(FAILED + r"|503 ")
    before = demo.shown()
    demo.page.unroute_all()
    message.get_by_role("button", name=words["retry"]).click()
    demo.until("baita.state.selection.includes('q=')")
    assert demo.shown()["located"] < before["located"]


def test_a_later_filter_beats_an_earlier_one_whose_answer_comes_late(demo):
    """The slow answer to the first search may not overwrite the second one's."""
    late = []
    demo.page.route(re.compile(r"/selection\.bin\?q=%E4%BA%91"), lambda route: late.append(route))
    box = demo.page.locator(".st-key-q input")
    box.fill("云")
    for _ in range(200):
        if late:
            break
        demo.page.wait_for_timeout(20)
    box.fill("长桥")
    demo.until("new URLSearchParams(baita.state.selection).get('q') === '长桥'")
    ids = demo.ids()
    late[0].continue_()
    demo.settled()
    demo.page.wait_for_timeout(200)
    assert demo.ids() == ids
    assert demo.js("new URLSearchParams(baita.state.selection).get('q')") == "长桥"


def test_details_that_do_not_arrive_say_so_and_come_at_the_next_click(demo):
    words = demo.text["map"]
    demo.page.route(re.compile(r"/baita/site/"), lambda route: route.abort())
    row = demo.row("demo-ent-003")
    demo.js("row => { baita.choose(row); }", row)
    demo.until(
        "said => document.querySelector('.messages').textContent.includes(said)",
        words["detail_failed"],
    )
    assert demo.forgive(FAILED)
    demo.page.unroute_all()
    demo.choose("demo-ent-003")
    assert "demo-ent-003" not in demo.detail()
    assert len(demo.detail()) > 50
