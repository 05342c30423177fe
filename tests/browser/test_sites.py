"""Pointing at a site names it; clicking tells all that is known of it, and where it is known from."""

import pytest
from driver import CATEGORIES, Tab

pytestmark = pytest.mark.browser

ROAD = "road-xinhua"
# An exact site that is 60 pixels or more from every other one and from every road, once the map is there.
LONELY = """() => {
  const d = baita.layer.data, scale = 256 * 2 ** 17 / 2 ** 32, reach = 60 / scale;
  const far = i => [...d.point_row.keys()].every(j => i === j
    || Math.hypot(d.point_x[i] - d.point_x[j], d.point_y[i] - d.point_y[j]) > reach);
  const i = [...d.point_row.keys()].find(i => !(d.point_flag[i] & 2) && far(i)
    && baita.layer._pickShape(d.point_x[i], d.point_y[i], reach) < 0);
  baita.map.setView(baita.layer.rowBounds(d.point_row[i]).getCenter(), 17, { animate: false });
  return d.point_row[i];
}"""


def _lonely(tab: Tab, server) -> tuple[int, dict]:
    """Return the row of a site that stands alone on the map, and what the store has of it."""
    row = tab.js(LONELY)
    tab.settled()
    return row, server.sites("demo").iloc[row]


def test_pointing_at_a_symbol_names_it_and_leaving_it_does_not(demo, server):
    row, site = _lonely(demo, server)
    x, y = demo.spot(row)
    tip = demo.frame.locator(".tip")
    demo.page.mouse.move(x + 3, y - 2)
    demo.until("!baita.tip.hidden")
    assert tip.locator("b").text_content() == site["name"]
    status = CATEGORIES.status(site["kind"], site["status"]).label["zh"]
    assert status in tip.locator("span").text_content()
    assert demo.js("baita.root.style.cursor") == "pointer"
    demo.page.mouse.move(x + 24, y + 24)
    demo.until("baita.tip.hidden")
    assert demo.js("baita.root.style.cursor") == ""


def test_clicking_a_symbol_tells_name_status_source_and_history(demo, server):
    row, site = _lonely(demo, server)
    demo.page.mouse.click(*demo.spot(row))
    demo.until("id => baita.chosenId === id && !baita.detail.node.hidden", site["site_id"])
    panel, words = demo.frame.locator(".detail"), demo.text["map"]
    assert panel.locator("h2").text_content() == site["name"]
    told = panel.text_content()
    status = CATEGORIES.status(site["kind"], site["status"])
    for word in (
        status.label["zh"],
        CATEGORIES.kind(site["kind"]).label["zh"],
        words["as_of"].format(date=site["as_of"].date()),
        site["place"],
        site["street"],
        site["source_file"],
        site["source_where"],
        words["precisions"][site["precision"]],
        f"{site.geometry.x:.5f}, {site.geometry.y:.5f} (WGS84)",
        f"{site['raw_x']:g}"[:7],
        words["fictitious"],
    ):
        assert word in told, word
    panel.locator("details summary").click()
    # Imported in the first week; what changed in the second is a line of its own.
    assert panel.locator("details li").count() >= 1
    told = panel.locator("details").text_content()
    assert "林工" in told
    assert words["created"] in told
    demo.until("id => location.hash.endsWith('/' + id)", site["site_id"], of="top")
    demo.page.keyboard.press("Escape")
    demo.until("baita.detail.node.hidden && baita.layer.selected === -1")
    demo.until("id => !location.hash.includes(id)", site["site_id"], of="top")


def test_clicking_a_road_tells_that_its_line_is_a_sketch(tab, server):
    words, site = tab.text["map"], server.sites().set_index("site_id").loc[ROAD]
    x, y = tab.settled().spot(tab.row(ROAD))
    tab.page.mouse.move(x, y)
    tab.until("!baita.tip.hidden")
    assert tab.frame.locator(".tip b").text_content() == site["name"]
    assert words["approximate"] in tab.frame.locator(".tip span").text_content()
    tab.page.mouse.click(x + 5, y)
    tab.until("id => baita.chosenId === id && !baita.detail.node.hidden", ROAD)
    told = tab.detail()
    assert words["methods"]["gazetteer sketch"] in told
    assert words["precisions"]["road"] in told
    assert site["source_file"] in told
    assert site["note"] in told


def test_clicking_the_paper_closes_the_panel(demo, server):
    row, _ = _lonely(demo, server)
    demo.page.mouse.click(*demo.spot(row))
    demo.until("!baita.detail.node.hidden")
    x, y = demo.spot(row)
    demo.page.mouse.click(x + 22, y + 22)
    demo.until("baita.detail.node.hidden")


def test_the_panel_stays_when_its_site_is_filtered_out_and_says_so(demo, server):
    row, site = _lonely(demo, server)
    demo.choose(site["site_id"])
    said = demo.text["map"]["hidden_by_filter"]
    assert said not in demo.detail()
    key = f"{site['kind']}.{site['status']}"
    demo.switch(demo.chip(key)).hide(key)
    demo.until("said => baita.detail.node.textContent.includes(said)", said)
    assert site["name"] in demo.detail()
    # What is hidden cannot be pointed at, though its ring is drawn.
    demo.page.mouse.move(*demo.spot(row))
    demo.settled()
    assert (
        demo.js("row => baita.layer.pick(L.latLng(baita.layer.rowBounds(row).getCenter()))", row)
        == -1
    )
    demo.switch(demo.chip(key)).hide()
    demo.until("said => !baita.detail.node.textContent.includes(said)", said)


def test_a_site_that_waits_tells_why_and_has_no_place(tab):
    tab.choose("prj-hongfei")
    told, words = tab.detail(), tab.text["map"]
    assert words["reasons"]["no_coordinate"] in told
    assert "WGS84" not in told
    buttons = tab.frame.locator(".detail .actions button").all_text_contents()
    assert buttons == [words["place"], words["edit"]]


def test_a_link_to_a_site_that_is_not_there_is_still_a_map(visitor, server):
    tab = visitor.go(server, "#14/41.26/123.18/no-such%20site%3C%2F%25")
    tab.settled()
    assert tab.detail() == ""
    assert tab.view()[2] == 14
    assert tab.forgive(r"404 .*/row\?site=|console error: Failed to load resource.*404")


@pytest.mark.parametrize("hash_", ["#99/99/999", "#14/41.26/123.18/%E0%A4%A"])
def test_a_mangled_link_is_still_a_map(visitor, server, hash_):
    tab = visitor.go(server, hash_)
    lat, _, zoom = tab.settled().view()
    assert -90 <= lat <= 90
    assert 3 <= zoom <= 19
    tab.forgive(r"404 .*/row\?site=|console error: Failed to load resource.*404")


def test_a_whole_session_asks_nothing_of_another_machine_and_leaves_the_console_empty(
    open_tab, server
):
    """Load, filter, search, table, detail, tray, demo, present: what every tab is checked for, in one go."""
    tab = open_tab(server)
    tab.switch(tab.chip("enterprise.resumed")).hide("enterprise.resumed")
    box = tab.page.locator(".st-key-q input")
    box.fill("路")
    tab.until("baita.state.selection.includes('q=')")
    box.fill("")
    tab.until("!baita.state.selection")
    tab.page.locator(".st-key-set button", has_text=tab.text["page"]["datasets"]["demo"]).click()
    tab.until("baita.state.dataset === 'demo' && baita.loads === 2")
    tab.hide()
    for button in tab.frame.locator(".tab").all():
        button.click()
        tab.until("baita.table.body.querySelectorAll('.row').length > 3")
    tab.choose("demo-ent-003")
    tab.frame.locator(".leaflet-control-zoom-in").click()
    tab.settled()
    tab.page.mouse.wheel(0, -300)
    tab.frame.locator("body").press("p")
    tab.until("baita.presenting")
    tab.frame.locator("body").press("p")
    tab.until("!baita.presenting")
    tab.page.locator(".stPopover button").click()
    tab.page.get_by_text(tab.text["page"]["help_text"]["body"].split("**")[1]).first.wait_for()
    tab.page.keyboard.press("Escape")
    tab.settled()
    hosts = {url.split("/")[2] for url in tab.requests if "://" in url}
    assert hosts == {server.host}
    assert len(tab.requests) > 10
    assert tab.troubles == []
