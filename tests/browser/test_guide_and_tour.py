"""Help in a real browser: the guide, each key it names, the tour; and another district opened."""

import re
from pathlib import Path

import pytest
from driver import Server

from geo.ui.guide import chapters

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[2]
XIHU = {"BAITA_DATA": str(ROOT / "tests" / "districts" / "xihu"), "BAITA_ADCODE": "330106"}


# ---- keys -------------------------------------------------------------------------------------------------------

# What is true after a key of the guide's table was pressed on the demo set; `before` gets it going.
EFFECTS = {
    "t": "baita.table.tab === 'table'",
    "u": "baita.table.tab === 'tray'",
    "i": "baita.desk.open",
    "e": "baita.figure.open",
    "r": "Boolean(baita.placer.active)",
    "l": "baita.layer.options.labels === false",
    "p": "baita.presenting",
    "[": "Boolean(baita.state.as_of)",
    "f": "baita.map.getZoom() !== 18",
}


@pytest.mark.parametrize("key", EFFECTS)
def test_each_key_of_the_table_does_what_it_says(demo, key):
    if key == "f":
        demo.js("() => { baita.map.setView([41.26, 123.18], 18, {animate: false}); }")
    demo.page.locator("body").press(key)
    demo.until(EFFECTS[key])


# With the crosshair in the middle of the map; `before` is where it was.
CROSSHAIR = {
    "←": ("ArrowLeft", "before => baita.access.at.x < before.x"),
    "→": ("ArrowRight", "before => baita.access.at.x > before.x"),
    "↑": ("ArrowUp", "before => baita.access.at.y < before.y"),
    "↓": ("ArrowDown", "before => baita.access.at.y > before.y"),
    "Shift": ("Shift+ArrowRight", "before => baita.access.at.x === before.x + 2"),
    "PageDown": ("PageDown", "() => baita.access.looked >= 0 && !baita.tip.hidden"),
    "PageUp": ("PageUp", "() => baita.access.looked >= 0 && !baita.tip.hidden"),
    "+": ("+", "before => baita.map.getZoom() > before.zoom"),
    "-": ("-", "before => baita.map.getZoom() < before.zoom"),
}


@pytest.mark.parametrize("key", CROSSHAIR)
def test_each_key_of_the_crosshair_does_what_it_says(demo, key):
    demo.page.locator(".baita-skip button").first.focus()
    demo.page.keyboard.press("Enter")
    demo.until("document.activeElement === baita.access.node")
    stroke, effect = CROSSHAIR[key]
    before = demo.js("({ ...baita.access.at, zoom: baita.map.getZoom() })")
    demo.page.keyboard.press(stroke)
    demo.until(effect, before)


def test_tab_space_enter_and_shift_enter_do_what_the_guide_says(demo):
    press = demo.page.keyboard.press
    press("Tab")
    first = demo.page.evaluate("document.activeElement.textContent")
    press("Tab")
    second = demo.page.evaluate("document.activeElement.textContent")
    words = demo.text["chips"]
    assert [first, second] == [words["to_map"], words["to_table"]]
    press("Enter")
    demo.until("document.activeElement === baita.table.grid")
    press("ArrowDown")
    press("Space")
    demo.until("baita.table.picked.size === 1")
    press("Enter")
    demo.until("document.activeElement === baita.detail.node")
    demo.chip("enterprise.stopped").focus()
    press("Shift+Enter")
    demo.until("baita.state.hidden.length === baita.styles.length - 1")


def test_the_remaining_keys_do_too(demo):
    page = demo.page
    page.locator("body").press("[")
    demo.until("Boolean(baita.state.as_of)")
    page.locator("body").press("]")
    demo.until("!baita.state.as_of")
    page.locator("body").press("t")
    demo.until("baita.table.tab === 'table'")
    page.locator("body").press("Escape")
    demo.until("!baita.table.tab")
    page.locator("body").press("/")
    demo.until("document.activeElement.closest('.st-key-q')", of="top")
    page.keyboard.press("Escape")


def test_no_key_of_the_guides_table_is_without_a_test():
    [keys] = [one for one in chapters("zh") if one.name == "keys"]
    table = "\n".join(line for line in keys.source.splitlines() if line.startswith("|"))
    named = set(re.findall(r"\{key ([^{}]+)\}", table))
    # b needs a basemap, see test_tile_basemap; undo and redo see test_edits_on_the_page; ? below.
    elsewhere = {"b", "Ctrl+Z", "Ctrl+Y", "?", "]", "/", "Esc", "Tab", "Space", "Enter"}
    assert named == {*EFFECTS, *CROSSHAIR, *elsewhere, "Shift+Enter"}


# ---- the guide --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("locale", "language"), [("zh-CN", "zh"), ("en-US", "en")])
def test_the_guide_opens_by_its_key_and_from_help(open_tab, server, locale, language):
    tab = open_tab(server, locale=locale)
    with tab.context.expect_page() as opened:
        tab.page.locator("body").press("?")
    guide = opened.value
    guide.wait_for_load_state()
    tab.forgive("a window opened")
    assert guide.url == f"{server.url}baita/guide/{language}"
    assert guide.locator("section").count() == len(chapters(language))
    guide.close()
    tab.page.locator(".stPopover button").click()
    link = tab.page.locator(".baita-help a")
    link.wait_for()
    assert link.text_content() == tab.text["guide"]["open"]
    with tab.context.expect_page() as opened:
        link.click()
    assert opened.value.url.endswith(f"/baita/guide/{language}")
    tab.forgive("a window opened")


@pytest.mark.parametrize("size", [(1366, 768), (390, 844)])
def test_the_guide_fits_its_window_and_loads_every_picture(chromium, server, size):
    context = chromium.new_context(viewport={"width": size[0], "height": size[1]})
    page = context.new_page()
    troubles = []
    page.on("console", lambda said: troubles.append(said.text))
    page.on("requestfailed", lambda asked: troubles.append(asked.url))
    page.goto(server.url + "baita/guide/zh")
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    for picture in page.locator("img").all():
        picture.scroll_into_view_if_needed()
        page.wait_for_function(
            "img => img.complete && img.naturalWidth > 900", arg=picture.element_handle()
        )
    page.locator("nav a").nth(3).click()
    assert page.url.endswith("#placing")
    page.locator("header .other").click()
    page.wait_for_url("**/baita/guide/en")
    assert page.locator("html").get_attribute("lang") == "en"
    assert not troubles
    context.close()


def test_the_guide_prints_without_contents_and_buttons(chromium, server):
    context = chromium.new_context()
    page = context.new_page()
    page.goto(server.url + "baita/guide/zh")
    page.emulate_media(media="print")
    assert not page.locator("nav").is_visible()
    assert page.locator("section").first.is_visible()
    assert len(page.pdf(format="A4")) > 100_000
    context.close()


# ---- the tour ---------------------------------------------------------------------------------------------------


def _start(tab):
    tab.frame.locator(".message.welcome .tour").click()
    tab.page.locator(".baita-tour .card").wait_for()


def _step(tab):
    return tab.page.locator(".baita-tour small").text_content()


@pytest.mark.parametrize("locale", ["zh-CN", "en-US"])
def test_a_first_visitor_is_led_through_five_steps_once(open_tab, server, locale):
    tab = open_tab(server, locale=locale, welcome=True)
    _start(tab)
    words, page = tab.text["map"]["tour"], tab.page
    for number, name in enumerate(("set", "chips", "tray", "desk", "picture"), 1):
        assert _step(tab) == f"{number} / 5"
        assert page.locator(".baita-tour h2").text_content() == words[name]["title"]
        page.wait_for_timeout(400)  # the light glides
        card, light = page.evaluate(
            "() => ['.card', '.light'].map(part =>"
            " document.querySelector('.baita-tour ' + part).getBoundingClientRect().toJSON())"
        )
        assert card["left"] >= 0
        assert card["top"] >= 0
        assert card["right"] <= 1366
        assert card["bottom"] <= 768
        apart = (
            card["left"] >= light["right"]
            or card["right"] <= light["left"]
            or card["top"] >= light["bottom"]
            or card["bottom"] <= light["top"]
        )
        assert apart or name == "chips", name
        page.keyboard.press("Enter")
    assert page.locator(".baita-tour").count() == 0
    page.reload()
    tab.ready(welcome=True)
    assert not tab.frame.locator(".message.welcome").count()


def test_the_light_is_on_what_the_step_speaks_of(open_tab, server):
    tab = open_tab(server, welcome=True)
    _start(tab)
    find = "baita.table.tabs.tray.getBoundingClientRect().toJSON()"
    left, top = tab.frame_offset()
    tab.page.keyboard.press("ArrowRight")
    tab.page.keyboard.press("ArrowRight")
    tab.page.wait_for_timeout(400)
    own = tab.js(find)
    light = tab.page.evaluate(
        "document.querySelector('.baita-tour .light').getBoundingClientRect().toJSON()"
    )
    assert light["left"] <= own["left"] + left <= light["right"]
    assert light["top"] <= own["top"] + top <= light["bottom"]


def test_the_tour_is_gone_with_escape_keeps_its_keys_and_starts_again_from_help(open_tab, server):
    tab = open_tab(server, welcome=True)
    _start(tab)
    page = tab.page
    page.keyboard.press("t")  # means nothing meanwhile
    page.keyboard.press("ArrowRight")
    assert _step(tab) == "2 / 5"
    page.keyboard.press("ArrowLeft")
    assert _step(tab) == "1 / 5"
    for _ in range(4):
        page.keyboard.press("Tab")
        assert page.evaluate("Boolean(document.activeElement.closest('.baita-tour .card'))")
    page.keyboard.press("Escape")
    assert page.locator(".baita-tour").count() == 0
    assert tab.js("baita.table.tab") != "table"
    page.locator(".stPopover button").click()
    page.locator(".baita-help button").click()
    page.locator(".baita-tour .card").wait_for()
    assert _step(tab) == "1 / 5"
    page.locator(".baita-tour .quiet").click()
    assert page.locator(".baita-tour").count() == 0


# ---- another district -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def xihu(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("xihu"), settings=XIHU)
    server.wait()
    yield server
    server.stop()


@pytest.mark.parametrize(("locale", "title"), [("zh-CN", "西湖一张图"), ("en-US", "Xihu One Map")])
def test_another_district_opens_with_its_own_name_kinds_and_places(open_tab, xihu, locale, title):
    tab = open_tab(xihu, locale=locale)
    assert tab.page.locator(".baita-head h1").text_content() == title
    assert tab.page.title() == title
    assert not tab.page.locator(
        ".st-key-set"
    ).count()  # it has no samples, so there is nothing to choose
    keys = tab.chip_counts()
    assert keys["river.dredged"] == (1, 1)
    assert keys["charger.unknown"] == (1, 0)
    assert set(keys) >= {"renewal.done", "charger.working", "river.planned"}
    assert tab.shown() == {"located": 21, "waiting": 1}
    assert not re.search("白塔|辽阳|Baita", tab.page.locator("body").inner_text())
    assert not re.search("白塔|辽阳|Baita", tab.js("document.body.innerText"))
    tab.page.locator("body").press("e")
    tab.until("baita.figure.node.querySelector('img[src^=\"data:image/png\"]')")
