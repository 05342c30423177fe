"""Making a picture from the page: what the panel promises is what the file holds; schemes bring it all back."""

import io
import json
import zipfile

import pytest
from driver import CATEGORIES, PC, Tab
from PIL import Image

from geo.view import SiteFilter, select_sites

pytestmark = pytest.mark.browser

STOPPED = "enterprise.stopped"


def _open(tab: Tab) -> Tab:
    tab.page.locator("body").press("e")
    tab.until("baita.figure.open")
    return _drawn(tab)


def _drawn(tab: Tab) -> Tab:
    """Wait until the preview is that of the options as they are."""
    tab.until(
        "baita.figure.shown && !document.querySelector('.preview').classList.contains('stale')"
        " && (baita.figure.shown.error || (document.querySelector('.preview img') || {}).complete)"
    )
    return tab


def _set(tab: Tab, **options: object) -> Tab:
    tab.js("options => { baita.figure.set(options); }", options)
    tab.until("document.querySelector('.preview').classList.contains('stale')")
    return _drawn(tab)


def _take(tab: Tab, form: str) -> tuple[str, bytes]:
    with tab.page.expect_download(timeout=60_000) as coming:
        tab.frame.locator(f'.figure .format[data-form="{form}"]:not(.copy)').click()
    download = coming.value
    return download.suggested_filename, download.path().read_bytes()


def _frame(tab: Tab) -> list[float]:
    """What the thin frame stands around: west, south, east, north."""
    return tab.js(
        """() => {
          const box = baita.figure.frame.getBoundingClientRect();
          const at = (x, y) => baita.map.containerPointToLatLng([x, y]);
          const a = at(box.left, box.top), b = at(box.right, box.bottom);
          return [a.lng, b.lat, b.lng, a.lat];
        }"""
    )


def test_the_panel_shows_the_real_picture_and_the_frame_stands_around_it(demo, server):
    _open(demo)
    shown = demo.js("({...baita.figure.shown, image: ''})")
    sites = server.sites("demo")
    assert shown["on_map"] + shown["missing"] == len(sites)
    assert demo.js("document.querySelector('.preview img').naturalWidth") == 640
    assert _frame(demo) == pytest.approx(shown["bounds"], abs=2e-4)
    # It is not under the panel.
    box = demo.frame.locator(".figure-frame").bounding_box()
    panel = demo.frame.locator(".figure").bounding_box()
    assert box["x"] + box["width"] <= panel["x"] + 1


def test_a_file_in_two_clicks_is_what_the_filter_shows(demo, server):
    demo.switch(demo.chip(STOPPED)).hide(STOPPED)
    demo.frame.locator(f'button[aria-label="{demo.text["map"]["figure"]["open"]}"]').click()
    demo.until("baita.figure.open")
    _drawn(demo)
    name, data = _take(demo, "geojson")
    assert name.endswith(".geojson")
    wanted = select_sites(server.sites("demo"), SiteFilter(hidden=frozenset({STOPPED})), CATEGORIES)
    ids = {feature["properties"]["site_id"] for feature in json.loads(data)["features"]}
    assert ids == set(wanted["site_id"])


def test_title_and_sheet_are_those_of_the_panel(tab):
    _open(tab)
    tab.frame.locator('.figure input[aria-label="标题"]').fill("复工{{7*7}}<b>周报")
    tab.frame.locator('.figure select[aria-label="版面"]').select_option("16:9-720")
    _drawn(tab)
    name, data = _take(tab, "png")
    assert name.startswith("复工")
    assert not set(name) & set('<>:"/\\|?*')
    archive = data if data[:4] == b"\x89PNG" else zipfile.ZipFile(io.BytesIO(data)).read("1.png")
    assert Image.open(io.BytesIO(archive)).size == (1280, 720)
    _, svg = _take(tab, "svg")
    assert "复工{{7*7}}&lt;b&gt;周报" in svg.decode()


def test_what_i_see_is_what_the_picture_shows(demo):
    _open(demo)
    demo.js("() => { baita.map.setView([41.262, 123.175], 15, { animate: false }); }")
    _set(demo, scope="view")
    first = demo.js("baita.figure.shown.bounds")
    assert _frame(demo) == pytest.approx(first, abs=1e-5)
    demo.js("() => { baita.map.panBy([180, 0], { animate: false }); }")
    demo.until("document.querySelector('.preview').classList.contains('stale')")
    _drawn(demo)
    second = demo.js("baita.figure.shown.bounds")
    assert second[0] > first[0]
    assert _frame(demo) == pytest.approx(second, abs=1e-5)


def test_a_finding_offers_what_mends_it(demo):
    _open(demo)
    demo.js("() => { baita.map.setView([41.262, 123.175], 15, { animate: false }); }")
    _set(demo, scope="view")
    offer = demo.frame.get_by_role("button", name=demo.text["map"]["figure"]["fixes"]["show_all"])
    offer.first.click()
    demo.until("baita.figure.chosen.scope === 'all'")
    _drawn(demo)
    assert demo.js("baita.figure.shown.bounds[2] - baita.figure.shown.bounds[0]") > 0.05


def test_what_must_not_be_public_cannot_be_downloaded(tab):
    _open(tab)
    _set(tab, public=True)
    assert "审图号" in tab.frame.locator(".figure .facts").text_content()
    assert tab.frame.locator('.figure .format[data-form="png"]').first.is_disabled()
    assert tab.frame.locator('.figure .format[data-form="html"]').is_disabled()
    _set(tab, public=False)
    assert tab.frame.locator('.figure .format[data-form="png"]').first.is_enabled()


def test_a_copied_picture_is_a_png_in_the_clipboard(open_tab, server):
    tab = open_tab(server)
    tab.context.grant_permissions(["clipboard-read", "clipboard-write"])
    _open(tab)
    tab.frame.locator(".figure .copy").click()
    words = tab.text["map"]["figure"]
    tab.until(
        "text => [...document.querySelectorAll('.message p')].some(p => p.textContent === text)",
        words["copied"],
    )
    head = tab.page.evaluate(
        """async () => {
          const [item] = await navigator.clipboard.read(), blob = await item.getType('image/png');
          return [...new Uint8Array(await blob.arrayBuffer()).slice(0, 4)];
        }"""
    )
    assert bytes(head) == b"\x89PNG"


def test_a_long_export_shows_how_far_it_is_and_can_be_ended(demo):
    _open(demo)
    _set(demo, preset="a3", series="status")
    demo.frame.locator('.figure .format[data-form="png"]:not(.copy)').click()
    demo.until("!document.querySelector('.figure .progress').hidden")
    demo.frame.locator(".figure .progress button").click()
    demo.until("document.querySelector('.figure .progress').hidden")
    assert demo.js("baita.figure.job") is None


def test_a_scheme_brings_filter_frame_and_title_back(open_tab, desk):
    tab = open_tab(desk, "?set=demo")
    tab.switch(tab.chip(STOPPED)).hide(STOPPED)
    _open(tab)
    tab.js("() => { baita.map.setView([41.262, 123.175], 15, { animate: false }); }")
    _set(tab, scope="view", title="第三周", preset="a4")
    tab.frame.locator(".schemes summary").click()
    tab.frame.locator('.schemes input[aria-label="方案名称"]').fill("周报{{1}}")
    tab.frame.locator(".schemes form button").click()
    tab.until("baita.scenes.list.length === 1")
    kept = tab.js("baita.scenes.list[0]")
    # Another visitor, later: everything shown, the panel closed.
    other = open_tab(desk, "?set=demo")
    _open(other)
    other.frame.locator(".schemes .apply").click()
    other.hide(STOPPED)
    _drawn(other)
    other.until("title => baita.figure.shown.title === title", "第三周")
    assert other.js("baita.figure.chosen.preset") == "a4"
    assert other.js("baita.figure.shown.bounds") == pytest.approx(kept["bounds"], abs=1e-5)
    assert other.frame.locator(".schemes .apply").text_content() == "周报{{1}}"
    other.frame.locator(".schemes .drop").click()
    other.until("baita.scenes.list.length === 0")


def test_the_arrows_step_through_the_schemes_in_presentation(open_tab, desk):
    tab = open_tab(desk, "?set=demo", size=PC)
    for name, query in (("一", ""), ("二", f"hide={STOPPED}")):
        tab.js(
            "([name, query]) => baita.scenes.keep({ name, query, title: '场景' + name })",
            [name, query],
        )
    tab.page.locator("body").press("p")
    tab.until("baita.presenting && baita.scenes.list.length >= 2")
    tab.page.keyboard.press("ArrowRight")
    tab.until("document.querySelector('.stage.title h1').textContent === '场景一'")
    tab.page.keyboard.press("ArrowRight")
    tab.until("document.querySelector('.stage.title h1').textContent === '场景二'")
    tab.hide(STOPPED)
    tab.page.keyboard.press("ArrowLeft")
    tab.until("document.querySelector('.stage.title h1').textContent === '场景一'")
    tab.until("baita.state.hidden.length === 0")
    tab.until("document.querySelector('.stage.scene').hidden")
    tab.page.keyboard.press("Escape")
    tab.until("!baita.presenting")
    title = tab.js("document.querySelector('.stage.title h1').textContent")
    assert title == tab.js("baita.state.title")


def test_the_panel_lies_over_nothing_that_is_needed_and_closes_by_key(tab):
    _open(tab)
    tab.page.keyboard.press("Escape")
    tab.until("!baita.figure.open")
    assert tab.js("document.querySelector('.figure-frame').hidden")
