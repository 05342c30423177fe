"""Putting what waits on the map: by a click, by clicks along a road, by a pasted coordinate; and back again."""

import pytest
import shapely
from driver import Server, Tab

from geo.placing import undo_place
from geo.site import LOCATION

pytestmark = pytest.mark.browser

HONGFEI, WUSHENG = "prj-hongfei", "road-wusheng"
PLACE = (123.1702, 41.2655)


@pytest.fixture
def office(visitor: Tab, desk: Server):
    """The bulletin at a desk where it may be changed; what a test places is taken back after it."""
    yield visitor.go(desk)
    visitor.page.goto("about:blank")
    with desk.store() as store:
        while undo_place(store, "test"):
            pass


def _stored(desk: Server, site_id: str) -> dict:
    with desk.store() as store:
        return store.site(site_id).to_dict()


def _location(site: dict) -> dict:
    """The columns a placing sets, missing numbers as None so that they compare."""
    return {name: None if site[name] != site[name] else site[name] for name in LOCATION}


def _version(desk: Server) -> str:
    with desk.store() as store:
        return store.data_version()


def _start(tab: Tab, desk: Server, site_id: str) -> None:
    """Open the tray and choose to place a site, as a person does."""
    name = _stored(desk, site_id)["name"]
    if tab.js("baita.table.tab") != "tray":
        tab.frame.locator(".tab").nth(1).click()
    tab.js(
        "row => { const top = [...baita.table.rows].indexOf(row) * 30; baita.table.body.scrollTop = top; }",
        tab.row(site_id),
    )
    tab.frame.locator(".drawer .body .row", has_text=name).locator("button").click()
    tab.until("id => baita.placer.active && baita.placer.site.id === id", site_id)
    assert name in tab.js("baita.placer.node.textContent")
    tab.until("id => baita.chosenId === id", site_id)
    tab.settled()


def _click(tab: Tab, *places: tuple[float, float]) -> None:
    for place in places:
        tab.page.mouse.click(*tab.at(*place))


def _paste(tab: Tab, text: str, datum: str) -> None:
    tab.frame.locator(".placer input").fill(text)
    tab.frame.locator(".placer select").select_option(datum)
    tab.frame.locator(".placer form button").click()


def _arrived(tab: Tab, loads: int, located: int) -> None:
    tab.until(
        "([loads, n]) => baita.loads === loads && baita.layer.visible().located.length === n",
        [loads, located],
    )


def test_the_tray_lists_all_that_waits_and_why(office, desk):
    office.frame.locator("body").press("u")
    office.until("baita.table.tab === 'tray'")
    sites = desk.sites()
    waiting = sites[sites["precision"] == "none"]
    assert len(waiting) == 15
    reasons, seen = office.text["map"]["reasons"], {}
    for step in range(20):
        office.js("top => { baita.table.body.scrollTop = top; }", step * 60)
        office.settled()
        for cells in office.js(
            "[...document.querySelectorAll('.drawer .body .row')]"
            ".map(row => [...row.querySelectorAll('.cell')].map(cell => cell.textContent))"
        ):
            seen[cells[0]] = cells
    assert {name: cells[2] for name, cells in seen.items()} == {
        site["name"]: reasons[site["reason"]] for _, site in waiting.iterrows()
    }
    assert {cells[3] for cells in seen.values()} == {office.text["map"]["place"]}


def test_a_click_places_a_site_and_undo_brings_it_back_exactly(office, desk):
    before, version = _stored(desk, HONGFEI), _version(desk)
    office.token()
    _start(office, desk, HONGFEI)
    view = office.view()
    metres = office.js("baita.placer.clickError(L.latLng(41.2655, 123.1702))")
    _click(office, PLACE)
    _arrived(office, 2, 2)
    assert office.kept()
    assert office.view() == view
    assert not office.js("baita.placer.active")
    after = _stored(desk, HONGFEI)
    assert after["match_method"] == "correction"
    assert after["version"] > before["version"]
    assert after["reason"] == ""
    assert after["uncertainty_m"] == pytest.approx(metres, rel=0.01)
    assert after["geometry"].distance(shapely.Point(PLACE)) * 111_320 < metres
    assert _version(desk) != version
    with desk.store() as store:
        (correction,) = store.corrections()
        assert (correction.site_id, correction.who) == (HONGFEI, "林工")
    # The panel of the site now tells its place, and who put it there.
    office.until(
        "word => baita.detail.node.textContent.includes(word)",
        office.text["map"]["methods"]["correction"],
    )
    done = office.text["place"]["done"].format(name=before["name"])
    assert office.messages() == [done]
    office.frame.locator(".message button").click()
    _arrived(office, 3, 1)
    assert office.kept()
    assert _location(_stored(desk, HONGFEI)) == _location(before)
    office.until("id => baita.chosenId === id", HONGFEI)
    why = office.text["map"]["reasons"][before["reason"]]
    office.until("why => baita.detail.node.textContent.includes(why)", why)


def test_a_placed_site_can_be_clicked_moved_and_the_move_undone(office, desk):
    _start(office, desk, HONGFEI)
    _click(office, PLACE)
    _arrived(office, 2, 2)
    first = _stored(desk, HONGFEI)
    office.frame.locator("body").press("Escape")
    office.frame.locator("body").press("Escape")
    office.until("baita.layer.selected === -1")
    office.frame.locator("body").press("u")
    office.settled()
    _click(office, PLACE)
    office.until("id => baita.chosenId === id && !baita.detail.node.hidden", HONGFEI)
    office.frame.locator(".detail .actions button", has_text=office.text["map"]["move"]).click()
    _click(office, (PLACE[0] - 0.01, PLACE[1] - 0.005))
    _arrived(office, 3, 2)
    moved = _stored(desk, HONGFEI)
    assert moved["geometry"].distance(first["geometry"]) * 111_320 > 500
    assert office.text["place"]["moved"].format(name=first["name"]) in office.messages()
    office.frame.locator(".message button").last.click()
    _arrived(office, 4, 2)
    assert _location(_stored(desk, HONGFEI)) == _location(first)


def test_a_pasted_coordinate_is_converted_from_its_datum_and_kept_as_it_was(office, desk):
    _start(office, desk, HONGFEI)
    _paste(office, "123.180867, 41.284277", "bd09")
    _arrived(office, 2, 2)
    site = _stored(desk, HONGFEI)
    assert (site["geometry"].x, site["geometry"].y) == pytest.approx(
        (123.16843, 41.27646), abs=2e-5
    )
    assert (site["raw_x"], site["raw_y"], site["raw_datum"]) == (123.180867, 41.284277, "bd09")
    office.until("baita.detail.node.textContent.includes('123.180867, 41.284277 (bd09)')")


def test_without_a_datum_nothing_is_stored_and_the_page_says_why(office, desk):
    version, words = _version(desk), office.text["map"]
    _start(office, desk, HONGFEI)
    error = office.frame.locator(".placer .error")
    _paste(office, "", "bd09")
    assert error.text_content() == words["paste_empty"]
    _paste(office, "123.180867, 41.284277", "")
    assert error.text_content() == words["datum_missing"]
    assert office.js("baita.placer.active")
    office.settled()
    assert _version(desk) == version
    assert office.js("baita.loads") == 1


def test_what_is_far_outside_or_no_coordinate_is_refused_with_a_reason(office, desk):
    version, refused = _version(desk), office.text["place"]["refused"].format(reason="")
    _start(office, desk, HONGFEI)
    said = ""
    for text, datum in (
        ("116.397, 39.908", "wgs84"),
        ("somewhere <b>near</b> the station", "wgs84"),
        ("39.908, 116.397", "gcj02"),
        ("123.17", "wgs84"),
    ):
        _paste(office, text, datum)
        office.until(
            "said => !['', said].includes(document.querySelector('.placer .error').textContent)",
            said,
        )
        said = office.frame.locator(".placer .error").text_content()
        assert said.startswith(refused)
        assert len(said) > len(refused) + 10
        assert office.js("baita.placer.active")
        assert office.frame.locator(".placer b b, .placer .error *").count() == 0
    assert _version(desk) == version
    # A better try is still possible in the same place.
    _paste(office, "123.17, 41.265", "wgs84")
    _arrived(office, 2, 2)


def test_a_click_far_outside_is_refused_too(office, desk):
    version = _version(desk)
    _start(office, desk, HONGFEI)
    office.js("() => { baita.map.setView([41.26, 122.8], 11, { animate: false }); }")
    office.settled()
    _click(office, (122.8, 41.3))
    office.until("document.querySelector('.placer .error').textContent !== ''")
    assert office.js("baita.placer.active && baita.loads === 1")
    assert _version(desk) == version


def test_a_click_on_a_small_map_is_a_hint_and_no_pin(office, desk):
    """Eight pixels are half a kilometre there: the site is drawn hollow, with its circle."""
    _start(office, desk, HONGFEI)
    office.js("() => { baita.map.setView([41.2655, 123.1702], 10, { animate: false }); }")
    office.settled()
    _click(office, PLACE)
    _arrived(office, 2, 2)
    site = _stored(desk, HONGFEI)
    assert site["precision"] in ("community", "street")
    assert site["uncertainty_m"] > 300
    assert office.js("row => baita.layer.isApproximate(row)", office.row(HONGFEI))


def test_a_road_is_drawn_by_clicks_and_enter(office, desk):
    before = _stored(desk, WUSHENG)
    vertices = [(123.165, 41.272), (123.170, 41.268), (123.172, 41.262)]
    _start(office, desk, WUSHENG)
    _click(office, vertices[0])
    office.page.keyboard.press("Enter")
    office.settled()
    assert office.js("baita.placer.active && baita.loads === 1")
    _click(office, *vertices[1:])
    assert office.js("baita.placer.vertices.length") == 3
    office.page.keyboard.press("Enter")
    _arrived(office, 2, 2)
    site = _stored(desk, WUSHENG)
    assert site["geometry"].geom_type == "LineString"
    assert site["precision"] == "road"
    for drawn, meant in zip(site["geometry"].coords, vertices, strict=True):
        assert drawn == pytest.approx(meant, abs=2e-4)
    assert office.js("row => baita.layer.data.shape_row.includes(row)", office.row(WUSHENG))
    office.frame.locator(".message button").click()
    _arrived(office, 3, 1)
    assert _location(_stored(desk, WUSHENG)) == _location(before)


def test_a_road_may_not_leave_the_district(office, desk):
    version = _version(desk)
    _start(office, desk, WUSHENG)
    office.js("() => { baita.map.setView([41.26, 123.05], 11, { animate: false }); }")
    office.settled()
    _click(office, (123.165, 41.272), (122.9, 41.27))
    office.frame.locator(".placer button.main").first.click()
    office.until("document.querySelector('.placer .error').textContent !== ''")
    assert _version(desk) == version


def test_escape_and_cancel_place_nothing(office, desk):
    version = _version(desk)
    for leave in (
        lambda: office.page.keyboard.press("Escape"),
        lambda: office.frame.locator(".placer button.quiet").click(),
    ):
        _start(office, desk, WUSHENG)
        _click(office, PLACE)
        leave()
        office.until("!baita.placer.active")
        assert not office.js("baita.map.hasLayer(baita.placer.line)")
    assert _version(desk) == version


def test_two_quick_clicks_place_a_site_once(office, desk):
    _start(office, desk, HONGFEI)
    office.page.mouse.dblclick(*office.at(*PLACE))
    office.until("baita.loads >= 2 && !baita.placer.active")
    office.settled()
    with desk.store() as store:
        assert len(store.corrections()) == 1


def test_a_site_known_only_to_its_district_stays_in_the_tray(visitor, desk):
    """A district's centre is a number without a meaning for one site: it is never drawn."""
    site_id = "prj-erre"
    with desk.store() as store:
        site = store.site(site_id)
        centre = {
            "geometry": shapely.Point(123.16851, 41.26818),
            "precision": "district",
            "uncertainty_m": 5000.0,
        }
        version = store.update_site(site_id, centre, version=int(site["version"]), who="test")
        try:
            tab = visitor.go(desk)
            row = tab.row(site_id)
            assert site_id in tab.ids("waiting")
            assert not tab.js("row => baita.layer.data.point_row.includes(row)", row)
            x, y = tab.at(123.16851, 41.26818)
            tab.page.mouse.move(x, y)
            tab.settled()
            assert tab.js("baita.layer.pick(L.latLng(41.26818, 123.16851))") == -1
        finally:
            old = {name: site[name] if site[name] == site[name] else None for name in centre}
            store.update_site(site_id, old, version=version, who="test")


# ---- one after the other ----------------------------------------------------------------------------------


def test_all_that_waits_is_gone_through_by_key_the_least_known_first(office, desk):
    office.page.locator("body").press("r")
    office.until("baita.placer.active && baita.placer.queue")
    total = office.js("baita.placer.queue.rows.length")
    assert total == 15
    first = office.js("baita.placer.site.id")
    office.until("document.querySelector('.placer .about').textContent.startsWith('1 / 15')")
    office.page.keyboard.press("n")
    office.until("id => baita.placer.site.id !== id", first)
    office.page.keyboard.press("ArrowLeft")
    office.until("id => baita.placer.site.id === id", first)
    # A placed one makes way for the next by itself.
    office.js("() => { baita.placer.send({ pasted: '123.1702, 41.2655', datum: 'wgs84' }); }")
    office.until("id => baita.placer.active && baita.placer.site.id !== id", first)
    assert _stored(desk, first)["match_method"] == "correction"
    for _ in range(total):
        office.page.keyboard.press("n")
        office.page.wait_for_timeout(60)
        if not office.js("baita.placer.active"):
            break
    office.until("!baita.placer.active && baita.placer.queue === null")


def test_a_candidate_is_chosen_by_its_number_and_is_no_better_known_for_it(office, desk):
    _start(office, desk, WUSHENG)
    known = desk.get_json(f"baita/candidates/bulletin/{WUSHENG}.json")["candidates"]
    if not known:  # nobody knows where this road runs: then there is none, and none is made up
        office.settled()
        assert office.js("baita.placer.candidates") == []
        return
    office.until("n => baita.placer.candidates.length === n", len(known))
    office.page.keyboard.press("1")
    office.until("!baita.placer.active")
    after = _stored(desk, WUSHENG)
    assert after["precision"] == known[0]["precision"]


def test_a_shared_link_brings_its_own_datum(office, desk):
    _start(office, desk, HONGFEI)
    link = "https://uri.amap.com/marker?position=123.1761,41.2676&name=x"
    _paste(office, link, "")
    _arrived(office, 2, 2)
    after = _stored(desk, HONGFEI)
    assert (after["raw_x"], after["raw_y"], after["raw_datum"]) == (123.1761, 41.2676, "gcj02")
    assert after["geometry"].x == pytest.approx(123.1761 - 0.0061, abs=0.001)


def test_a_vertex_can_be_dragged_and_taken_back(office, desk):
    _start(office, desk, WUSHENG)
    _click(office, (123.165, 41.262), (123.175, 41.262), (123.18, 41.262))
    office.until("baita.placer.vertices.length === 3")
    office.page.keyboard.press("Backspace")
    office.until("baita.placer.vertices.length === 2")
    x, y = office.at(123.175, 41.262)
    office.page.mouse.move(x, y)
    office.page.mouse.down()
    office.page.mouse.move(x + 40, y + 40, steps=4)
    office.page.mouse.up()
    office.until("at => Math.abs(baita.placer.vertices[1].lng - at) > 0.0005", 123.175)
    end = office.js("[baita.placer.vertices[1].lng, baita.placer.vertices[1].lat]")
    office.page.keyboard.press("Enter")
    _arrived(office, 2, 2)
    line = _stored(desk, WUSHENG)["geometry"]
    assert len(line.coords) == 2
    assert line.coords[1] == pytest.approx(end, abs=1e-6)


def test_sites_of_one_address_are_placed_together_and_taken_back_together(office, desk):
    with desk.store() as store:
        for site_id in (HONGFEI, "prj-jianhang"):
            version = int(store.site(site_id)["version"])
            store.update_site(site_id, {"place": "新华路 1 号"}, version=version, who="test")
    office.reload()
    _start(office, desk, HONGFEI)
    _click(office, PLACE)
    label = office.text["map"]["same_address"].format(n=1)
    office.frame.get_by_role("button", name=label).click()
    office.until("baita.layer.visible().located.length === 3")
    assert _stored(desk, "prj-jianhang")["geometry"].equals(_stored(desk, HONGFEI)["geometry"])
    office.frame.get_by_role("button", name=office.text["map"]["undo"]).last.click()
    office.until("baita.layer.visible().located.length === 2")
    assert _stored(desk, "prj-jianhang")["geometry"] is None
