"""For everyone: with keys alone, for the ear, in the dark, with little motion, on paper, and on a phone.

axe-core (from the package axe-playwright-python) looks at every part in Chinese and English, light and dark.
"""

from importlib import resources
from unicodedata import normalize

import pytest
from driver import CATEGORIES, ROOT, Tab

pytestmark = pytest.mark.browser

AXE = resources.files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
RUN_AXE = """([known]) => axe.run({ exclude: known }, { iframes: false,
  runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] }).then(found => found.violations
  .filter(one => ['serious', 'critical'].includes(one.impact))
  .flatMap(one => one.nodes.map(node => [one.id, node.target.join(' '),
    [...node.any, ...node.all, ...node.none][0].message])))"""
# Streamlit's own: the table of st.dataframe is a canvas with a grid that scrolls inside, which we cannot mark up.
STREAMLIT_S = [[".stDataFrame"]]
BULLETIN = ROOT / "tests/read/bulletins/01_feature.txt"


def _faults(tab: Tab, *, top: bool = False) -> list:
    """What axe finds serious or critical in the map's page, or in the page around it."""
    where = tab.page.main_frame if top else tab.settled().frame
    # As a function, so that no policy of the page has a word in it.
    where.evaluate("() => { if (!window.axe) { " + AXE + " } }")
    return where.evaluate(RUN_AXE, [STREAMLIT_S])


def _press(tab: Tab, *keys: str) -> Tab:
    for key in keys:
        tab.page.keyboard.press(key)
    return tab


def _focus_map(tab: Tab) -> Tab:
    """By the first stop of the Tab key, as a person without a mouse gets there."""
    tab.page.locator("body").focus()
    _press(tab, "Tab", "Enter")
    tab.until("document.activeElement === baita.access.node && !baita.access.cross.hidden")
    return tab


@pytest.fixture(params=["zh-light", "en-dark"])
def seen(request, chromium, open_tab, server) -> Tab:
    """A visitor with a language and a theme."""
    language, scheme = request.param.split("-")
    locale = {"zh": "zh-CN", "en": "en-US"}[language]
    context = chromium.new_context(
        locale=locale, color_scheme=scheme, viewport={"width": 1366, "height": 768}
    )
    context.set_default_timeout(15_000)
    return open_tab(server, f"?set=demo&lang={language}", locale=locale, context=context)


def test_axe_finds_nothing_in_any_part_of_the_page(seen):
    assert _faults(seen, top=True) == []
    assert _faults(seen) == []
    _focus_map(seen)
    _press(seen, "t", "ArrowDown")
    seen.until("!baita.detail.node.hidden && baita.table.tab")
    assert _faults(seen) == []
    seen.frame.locator(".detail .actions button").last.click()
    seen.frame.locator(".detail form.edit").wait_for()
    assert _faults(seen) == []
    _press(seen, "Escape", "Escape")
    seen.frame.locator(".drawer .pick").nth(2).check()
    seen.frame.locator(".picks .main").click()
    assert _faults(seen) == []
    _press(seen, "Escape", "Escape", "Escape")
    seen.js("() => { baita.table.unpick(); baita.time.compare(true); }")
    seen.until("baita.state.since && document.querySelector('.time-panel .line')")
    assert _faults(seen) == []
    seen.js("() => { baita.time.panel.close(); baita.time.panel.open('trend'); }")
    seen.frame.locator(".time-panel summary").click()
    assert _faults(seen) == []
    seen.js("() => baita.time.panel.close()")
    _press(seen, "e")
    seen.until("document.querySelector('.figure .preview img')")
    assert _faults(seen) == []
    _press(seen, "Escape", "p")
    seen.until("baita.presenting")
    assert _faults(seen) == []


def test_axe_finds_nothing_while_placing_and_on_the_desk(seen, desk):
    tab = seen.go(desk, "?lang=" + ("zh" if seen.text["page"]["title"] == "白塔一张图" else "en"))
    _focus_map(tab)
    _press(tab, "u")
    tab.until("baita.table.rows && baita.table.tab === 'tray'")
    assert _faults(tab) == []
    _press(tab, "r")
    tab.until("baita.placer.active")
    assert _faults(tab) == []
    _press(tab, "Escape", "i")
    tab.frame.locator(".desk textarea").fill(BULLETIN.read_text(encoding="utf-8"))
    assert _faults(tab) == []
    tab.frame.locator(".desk .drop button.main").click()
    tab.until("document.querySelector('.desk .card')")
    assert _faults(tab) == []
    tab.frame.locator(".desk .card button").last.click()
    assert _faults(tab) == []
    _press(tab, "Escape", "Escape")
    tab.frame.locator(".desk-home .lists li button").last.click()
    tab.frame.locator(".desk-home .lists li button").last.click()  # it asks once more
    tab.until("!document.querySelector('.desk-home .lists li')")


# ---- keys alone -------------------------------------------------------------------------------------------


def test_the_first_two_stops_skip_to_the_map_and_to_the_table(demo):
    _press(demo, "Tab", "Tab", "Enter")
    demo.until("baita.table.tab === 'table' && document.activeElement === baita.table.grid")
    # And out again: neither the list nor the map holds the keyboard.
    for _ in range(40):
        _press(demo, "Tab")
        if demo.page.evaluate("!document.activeElement.matches('iframe')"):
            break
    assert demo.page.evaluate("!document.activeElement.matches('iframe')")


def test_the_crosshair_finds_a_site_and_escape_goes_back_to_the_map(demo):
    _focus_map(demo)
    _press(demo, "PageDown")
    demo.until("baita.access.looked >= 0 && baita.access.live.textContent")
    row, said = demo.js("[baita.access.looked, baita.access.live.textContent]")
    words = demo.js("async row => (await baita.words.get(row)).name", row)
    assert words in said
    _press(demo, "Enter")
    demo.until("document.activeElement === baita.detail.node && !baita.detail.node.hidden")
    chosen = demo.js("async () => (await baita.words.get(baita.layer.selected)).name")
    assert chosen in demo.detail()
    _press(demo, "Escape")
    demo.until("baita.detail.node.hidden && document.activeElement === baita.access.node")


def test_arrows_move_the_crosshair_and_at_the_edge_the_map(demo):
    _focus_map(demo)
    x, y = demo.js("[baita.access.at.x, baita.access.at.y]")
    _press(demo, "ArrowRight", "ArrowRight", "Shift+ArrowDown")
    assert demo.js("[baita.access.at.x, baita.access.at.y]") == [x + 32, y + 2]
    view = demo.view()
    for _ in range(60):
        _press(demo, "ArrowLeft")
    assert demo.settled().view()[1] < view[1]
    _press(demo, "+")
    demo.settled().until("zoom => baita.map.getZoom() > zoom", view[2])


def test_rows_are_chosen_and_changed_with_keys_alone(demo):
    _focus_map(demo)
    _press(demo, "t")
    demo.until("document.activeElement === baita.table.grid")
    _press(demo, "ArrowDown", "Space", "Shift+ArrowDown", "Shift+ArrowDown")
    demo.until("baita.table.picked.size === 3")
    grid = demo.js(
        """() => { const { grid } = baita.table;
          const row = document.getElementById(grid.getAttribute('aria-activedescendant'));
          return [Number(grid.getAttribute('aria-rowcount')), Number(row.getAttribute('aria-rowindex')),
            row.getAttribute('aria-selected'), row.classList.contains('chosen')]; }"""
    )
    assert grid == [demo.shown()["located"] + 1, 4, "true", True]
    demo.until("!baita.detail.node.hidden")
    _press(demo, "Enter")
    demo.until("document.activeElement === baita.detail.node")
    _press(demo, "Escape")
    demo.until("document.activeElement === baita.table.grid")
    _press(demo, "Escape")
    demo.until("!baita.table.tab")


def test_a_heading_is_sorted_by_enter_keeps_the_focus_and_says_its_order(demo):
    _focus_map(demo)
    _press(demo, "t")
    demo.until("document.activeElement === baita.table.grid")
    while demo.js("document.activeElement.dataset.column || ''") != "name":
        _press(demo, "Tab")
    _press(demo, "Enter")
    demo.until("baita.table.order.column === 'name'")
    assert demo.js("document.activeElement.dataset.column") == "name"
    assert demo.js("document.activeElement.parentElement.getAttribute('aria-sort')") == "ascending"


def test_shift_enter_on_a_chip_shows_it_alone_and_once_more_everything(demo):
    key = "enterprise.stopped"
    demo.chip(key).focus()
    _press(demo, "Shift+Enter")
    demo.hide(*(other for other in CATEGORIES.codes if other != key))
    # What is heard of it: how many are left.
    located = demo.shown()["located"]
    demo.until("n => baita.access.live.textContent.includes(n)", f"{located}")
    _press(demo, "Shift+Enter")
    demo.hide()


def test_a_point_and_a_road_are_placed_with_keys_alone(visitor, desk):
    tab = visitor.go(desk)
    for kind, points in (("prj-hongfei", 1), ("park-tuanjie", 3)):
        if kind not in set(desk.sites()["site_id"]):
            sites = desk.sites()
            kind = sites[(sites["kind"] == "parking") & (sites["precision"] == "none")][
                "site_id"
            ].iloc[0]
        tab.choose(kind)
        tab.js("() => baita.detail.node.focus()")
        place = [tab.text["map"]["place"], tab.text["map"]["move"]]
        while tab.js("document.activeElement.textContent") not in place:
            _press(tab, "Tab")
        _press(tab, "Enter")
        tab.until("baita.placer.active")
        while tab.js("document.activeElement.textContent") != tab.text["map"]["access"]["by_keys"]:
            _press(tab, "Tab")
        _press(tab, "Enter")
        tab.until("document.activeElement === baita.access.node")
        for _ in range(points):
            _press(tab, "ArrowDown", "ArrowDown", "ArrowDown", "ArrowRight", "Enter")
        if points > 1:
            tab.until("baita.placer.vertices.length === 3")
            before = tab.js("[baita.placer.vertices[2].lng, baita.placer.vertices[2].lat]")
            _press(tab, "Enter", "ArrowRight", "Enter")  # takes the last one along
            after = tab.js("[baita.placer.vertices[2].lng, baita.placer.vertices[2].lat]")
            assert after[0] > before[0]
            _press(tab, "Shift+Enter")
        tab.until("!baita.placer.active")
        sites = desk.sites().set_index("site_id")
        assert sites.loc[kind, "match_method"] == "correction"
        assert sites.loc[kind].geometry.geom_type == ("Point" if points == 1 else "LineString")


def test_tab_goes_round_in_the_desk_and_escape_gives_the_focus_back(visitor, desk):
    tab = visitor.go(desk)
    _focus_map(tab)
    _press(tab, "i")
    tab.until("baita.desk.open && document.activeElement.closest('.desk')")
    for key in ("Tab", "Shift+Tab"):
        for _ in range(25):
            _press(tab, key)
            assert tab.js("!!document.activeElement.closest('.desk')")
    _press(tab, "Escape")
    if tab.js("baita.desk.open"):  # it was in a field
        _press(tab, "Escape")
    tab.until("!baita.desk.open && document.activeElement === baita.access.node")


def test_escape_in_a_form_gives_up_the_form_not_the_panel(visitor, desk):
    tab = visitor.go(desk).choose("prj-hongfei")
    tab.frame.locator(".detail .actions button").last.click()
    tab.frame.locator(".detail form.edit input").last.fill("半句话")
    _press(tab, "Escape")
    tab.until("!baita.detail.editing && !document.querySelector('.detail form.edit')")
    assert "半句话" not in tab.detail()
    assert tab.detail()


# ---- motion, dark, paper ----------------------------------------------------------------------------------


def test_with_less_motion_the_map_jumps(demo):
    demo.page.emulate_media(reduced_motion="reduce")
    try:
        assert demo.js(
            """() => {
              const { map } = baita, to = map.getZoom() + 1;
              map.setZoom(to);
              const jumped = map.getZoom() === to && !map._animatingZoom, at = map.getCenter();
              map.panBy([200, 0]);
              return jumped && map.getCenter().lng > at.lng && !(map._panAnim && map._panAnim._inProgress);
            }"""
        )
    finally:
        demo.page.emulate_media(reduced_motion="no-preference")


def test_dark_is_remembered_and_no_picture_knows_of_it(open_tab, server):
    tab = open_tab(server, "?set=demo")
    path = "baita/export/demo/preview.json?preset=16%3A9-720&lang=zh"
    light = server.get_json(path)["image"]
    assert tab.js("document.documentElement.dataset.theme") == "light"
    tab.frame.get_by_role("button", name=tab.text["map"]["theme"]).click()
    tab.until("document.documentElement.dataset.theme === 'dark'", of="top")
    tab.ready().until("document.documentElement.dataset.theme === 'dark'")
    tab.reload()
    assert tab.js("document.documentElement.dataset.theme") == "dark"
    assert tab.page.evaluate("getComputedStyle(document.querySelector('.stApp')).colorScheme") == (
        "dark"
    )
    asked = tab.js("async path => (await (await fetch('../../' + path)).json()).image", path)
    assert asked == light
    _press(_focus_map(tab), "p")
    tab.until("baita.presenting")
    assert tab.js("document.documentElement.dataset.theme") == "light"
    _press(tab, "p")
    tab.until("!baita.presenting && document.documentElement.dataset.theme === 'dark'")


def test_paper_gets_the_map_with_title_legend_date_and_source_on_one_sheet(
    open_tab, server, tmp_path
):
    from pypdf import PdfReader

    tab = open_tab(server, "?set=demo")
    view = tab.settled().view()
    file = tmp_path / "map.pdf"
    tab.page.pdf(path=file, prefer_css_page_size=True, print_background=True)
    pages = PdfReader(file).pages
    assert len(pages) == 1
    assert float(pages[0].mediabox.width) > float(pages[0].mediabox.height)
    words = normalize("NFKC", pages[0].extract_text())
    state = tab.js("baita.state")
    for part in ("白塔", "2020-03-18", "404", "km"):
        assert part in words, (part, words)
    assert normalize("NFKC", state["source"]) in words
    assert tab.text["map"]["cancel"] not in words
    assert tab.text["page"]["search"] not in words
    # The canvas with the sites is on it: without it the file weighs 172 kB.
    assert file.stat().st_size > 300_000
    assert tab.settled().view() == pytest.approx(view, abs=1e-4)


# ---- from a phone to a wall ------------------------------------------------------------------------------------

PHONE, WALL_4K = (390, 844), (3840, 2160)
# Controls and panels that cover one another or stick out, and those whose words are cut off.
FAULTS = """parts => {
  const faults = [], boxes = parts.flatMap(part => [...document.querySelectorAll(part)].map(node => {
    const { left, top, right, bottom } = node.getBoundingClientRect();
    return { part, node, left, top, right, bottom };
  })).filter(box => box.right > box.left && box.bottom > box.top);
  boxes.forEach((a, i) => {
    if (a.left < -1 || a.right > innerWidth + 1) faults.push([a.part, 'sticks out', a.left, a.right, innerWidth]);
    if (a.node.matches('button') && a.node.scrollWidth > a.node.clientWidth + 1)
      faults.push([a.part, 'is cut', a.node.textContent]);
    boxes.slice(i + 1).forEach(b => {
      if (a.node.contains(b.node) || b.node.contains(a.node)) return;
      if (a.left < b.right - 2 && b.left < a.right - 2 && a.top < b.bottom - 2 && b.top < a.bottom - 2)
        faults.push([a.part, a.node.textContent.slice(0, 20), 'covers', b.part, b.node.textContent.slice(0, 20)]);
    });
  });
  return faults;
}"""
ON_THE_MAP = [
    ".buttons button",
    ".leaflet-control-zoom a",
    ".tabs .tab",
    ".time button",
    ".time .day",
    ".scale",
    ".north",
]
AROUND = [
    ".baita-head > *",
    ".st-key-set button",
    ".st-key-lang button",
    ".stPopover button",
    ".chip",
]


@pytest.mark.parametrize("size", [(1366, 768), (2560, 1440), WALL_4K, PHONE], ids=str)
@pytest.mark.parametrize("language", ["zh", "en"])
def test_nothing_is_covered_or_cut_at_any_size(visitor, server, size, language):
    visitor.page.set_viewport_size({"width": size[0], "height": size[1]})
    tab = visitor.go(server, f"?set=demo&lang={language}")
    assert tab.settled().js(FAULTS, ON_THE_MAP) == []
    assert tab.page.evaluate(FAULTS, AROUND) == []
    tab.js("() => baita.choose(0)")
    tab.until("!baita.detail.node.hidden")
    # A name as long as names get.
    tab.js(
        "() => { const name = document.querySelector('.detail h2 span');"
        " name.textContent = '辽宁省很长名字的有限责任公司Limited'.repeat(6); }"
    )
    parts = [".buttons", ".detail", ".dock .tabs", ".leaflet-control-zoom"]
    assert tab.settled().js(FAULTS, parts) == []
    assert tab.js(
        "document.querySelector('.detail').scrollWidth <= document.querySelector('.detail').clientWidth"
    )


def test_a_finger_can_do_it_on_a_phone(chromium, open_tab, server):
    context = chromium.new_context(
        locale="zh-CN", viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    context.set_default_timeout(15_000)
    tab = open_tab(server, "?set=demo", context=context)
    tab.chip("enterprise.stopped").tap()
    tab.hide("enterprise.stopped")
    tab.frame.locator(".tab").first.tap()
    tab.until("document.querySelectorAll('.drawer .body .row').length > 3")
    tab.frame.locator(".drawer .body .row").nth(1).tap()
    tab.until("!baita.detail.node.hidden")
    # Small things are hard to hit: 24 pixels is what WCAG 2.2 asks for.
    small = tab.js(
        "[...document.querySelectorAll('.buttons button, .tabs .tab, .time button')]"
        ".map(node => node.getBoundingClientRect())"
        ".filter(box => box.width && Math.min(box.width, box.height) < 24).length"
    )
    assert small == 0
    assert tab.js("baita.map.touchZoom.enabled()")
