"""For everyone: with keys alone, for the ear, in the dark, with little motion, on paper, and on a phone.

axe-core (from the package axe-playwright-python) looks at every part in Chinese and English, light and dark.
"""

from collections.abc import Iterator
from importlib import resources
from unicodedata import normalize

import pytest
from driver import CATEGORIES, ROOT, Server, Tab

from geo.draw.basemaps import basemap
from geo.draw.handout import draw_handout
from geo.ui.text import load_text

pytestmark = pytest.mark.browser

AXE = resources.files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
RUN_AXE = """([known]) => axe.run({ exclude: known }, { iframes: false,
  runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] }).then(found => found.violations
  .filter(one => ['serious', 'critical'].includes(one.impact))
  .flatMap(one => one.nodes.map(node => [one.id, node.target.join(' '),
    [...node.any, ...node.all, ...node.none][0].message])))"""
# Streamlit's own: the table of st.dataframe is a canvas with a grid that scrolls inside, which we cannot mark up.
STREAMLIT_S = [[".stDataFrame"]]
SECRET = "a-secret-of-this-test-0123456789"
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


def _context(chromium, language: str, scheme: str, **more):
    locale = {"zh": "zh-CN", "en": "en-US"}[language]
    context = chromium.new_context(
        locale=locale, color_scheme=scheme, viewport={"width": 1366, "height": 768}, **more
    )
    context.set_default_timeout(15_000)
    return context


@pytest.fixture(params=["zh-light", "en-dark"])
def seen(request, chromium, open_tab, server) -> Tab:
    """A visitor with a language and a theme."""
    language, scheme = request.param.split("-")
    context = _context(chromium, language, scheme)
    return open_tab(server, f"?set=demo&lang={language}", context=context)


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


def test_axe_finds_nothing_in_history_help_and_tour(seen):
    seen.choose("demo-ent-004").frame.locator(".detail summary").click()
    assert _faults(seen) == []
    page = seen.page
    page.locator(".stPopover button").click()
    page.locator(".baita-help a").wait_for()
    assert _faults(seen, top=True) == []
    page.locator(".baita-help button").click()
    page.locator(".baita-tour .card").wait_for()
    assert page.locator(".baita-help").count() == 0  # it would lie over what the tour shows
    assert _faults(seen, top=True) == []


@pytest.fixture(scope="module")
def office(tmp_path_factory) -> Iterator[Server]:
    """An app that people sign in to, behind a proxy that this browser plays."""
    settings = {"BAITA_SIGN_IN": "header", "BAITA_PROXY_SECRET": SECRET, "BAITA_ADMINS": "lin"}
    own = Server(tmp_path_factory.mktemp("office"), "--server.address=127.0.0.1", settings=settings)
    try:
        own.wait()
        yield own
    finally:
        own.stop()
    assert "Traceback" not in own.log(), own.log()


@pytest.fixture
def administrator(chromium, open_tab, office) -> Tab:
    headers = {"X-Forwarded-User": "lin", "X-Baita-Proxy": SECRET}
    context = _context(chromium, "zh", "dark", extra_http_headers=headers)
    return open_tab(office, "?set=demo&lang=zh", context=context)


def test_axe_finds_nothing_in_the_people_and_the_audit_list(administrator):
    page = administrator.page
    page.locator(".st-key-person button").click()
    page.locator(".st-key-people_give").wait_for()
    assert _faults(administrator, top=True) == []
    page.get_by_role("tab").nth(1).click()
    page.locator(".st-key-people_refused").wait_for()
    assert _faults(administrator, top=True) == []


@pytest.mark.parametrize("look", ["light", "dark", "print", "phone"])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_axe_finds_nothing_in_the_guide(chromium, server, language, look):
    size = {"width": 390, "height": 844} if look == "phone" else {"width": 1366, "height": 768}
    scheme = "dark" if look == "dark" else "light"
    context = chromium.new_context(viewport=size, color_scheme=scheme)
    page = context.new_page()
    page.goto(f"{server.url}baita/guide/{language}")
    if look == "print":
        page.emulate_media(media="print")
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(22, 27, 34)") == (look == "dark")
    page.evaluate("() => { " + AXE + " }")
    assert page.evaluate(RUN_AXE, [[]]) == []
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_a_hand_out(chromium, server, tmp_path, scheme):
    server.get_json("baita/site/demo/demo-ent-001.json")  # fills the set
    words = dict.fromkeys(("subtitle", "notice"), "") | {"title": "交接", "as_of": "2020-03-18"}
    words |= {"source": "来源", "marking": "内部工作用图 请勿公开"}
    text = load_text("zh")["map"]
    made = draw_handout(
        server.sites("demo"), CATEGORIES, basemap("211002"), words, text, language="zh"
    )
    file = tmp_path / "交接.html"
    file.write_text(made, encoding="utf-8")
    context = chromium.new_context(offline=True, color_scheme=scheme)
    page = context.new_page()
    page.goto(file.as_uri())
    page.wait_for_selector(".handout-side .chip")
    page.evaluate("() => { " + AXE + " }")
    assert page.evaluate(RUN_AXE, [[]]) == []
    page.keyboard.press("t")
    page.keyboard.press("ArrowDown")
    page.wait_for_selector(".detail:not([hidden])")
    assert page.evaluate(RUN_AXE, [[]]) == []
    context.close()


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


def _reach(tab: Tab, condition: str, key: str = "Tab") -> Tab:
    """Press Tab in the map's page until a condition holds of what has the focus (`it`), and see it there."""
    is_there = f"(it => Boolean({condition}))(document.activeElement)"
    for _ in range(60):
        if tab.js(is_there):
            break
        _press(tab, key)
    assert tab.js(is_there), f"no key leads to {condition}"
    assert tab.js(
        "(it => it.matches(':focus-visible') && getComputedStyle(it).outlineStyle !== 'none')"
        "(document.activeElement)"
    ), condition
    return tab


def test_the_time_bar_is_worked_with_keys_alone(demo):
    _press(_focus_map(demo), "Tab")
    _press(_reach(demo, "it.type === 'range'"), "ArrowLeft")
    demo.until("baita.state.as_of === '2020-03-17'")  # day by day
    # What is pressed goes away, and the keyboard is not lost.
    _press(_reach(demo, "it === baita.time.now"), "Enter")
    demo.until("!baita.state.as_of && document.activeElement === baita.time.range")
    _press(_reach(demo, "it === baita.time.back", "Shift+Tab"), "Enter")
    demo.until("baita.time.back.disabled && document.activeElement === baita.time.range")
    _press(_reach(demo, "it === baita.time.forth"), "Enter")
    demo.until("baita.time.forth.disabled && document.activeElement === baita.time.range")
    _press(_reach(demo, "it === baita.time.toggle"), "Enter")
    demo.until("baita.state.since && document.activeElement === baita.time.panel.lines")
    _press(_reach(demo, "it.matches('.lines')"), "End")
    last = "baita.time.panel.rows[baita.time.panel.rows.length - 1]"
    demo.until(f"baita.layer.selected === {last} && !baita.detail.node.hidden")
    active = "document.getElementById(baita.time.panel.lines.getAttribute('aria-activedescendant'))"
    demo.until(f"{active} && {active}.getAttribute('aria-posinset') > 100")
    _press(demo, "ArrowUp", "Enter")
    demo.until("document.activeElement === baita.detail.node")
    _press(demo, "Escape")
    demo.until("baita.detail.node.hidden && document.activeElement === baita.time.panel.lines")
    _press(demo, "Escape")
    demo.until("!baita.time.panel.mode && document.activeElement === baita.time.toggle")
    _press(_reach(demo, "it === baita.time.charts"), "Enter")
    demo.until("document.querySelector('.trend-row')")
    _press(_reach(demo, "it.matches('summary')"), "Enter")
    demo.until("document.querySelector('.time-panel table').getClientRects().length")
    _press(demo, "Escape")
    demo.until("!baita.time.panel.mode && document.activeElement === baita.time.charts")


def test_a_picture_is_made_with_keys_alone(demo):
    _press(_focus_map(demo), "e")
    demo.until("document.querySelector('.figure .preview img')")
    _press(_reach(demo, "it === baita.figure.fields.preset"), "ArrowDown")
    demo.until("baita.figure.chosen.preset === '16:9-720'")
    demo.until("!document.querySelector('.figure .preview.stale')")
    with demo.page.expect_download() as download:
        _press(_reach(demo, "it.dataset.form === 'csv'"), "Enter")
    assert download.value.suggested_filename.endswith(".csv")
    _press(demo, "Escape")
    demo.until("!baita.figure.open && document.activeElement === baita.access.node")


def test_many_are_changed_with_keys_alone(visitor, desk):
    tab = visitor.go(desk, "?set=demo")
    _press(_focus_map(tab), "t")
    tab.until("document.activeElement === baita.table.grid")
    _press(tab, "ArrowDown", "Shift+ArrowDown")
    picked = tab.js("[...baita.table.picked]")
    assert len(picked) == 2
    _press(_reach(tab, "it.matches('.picks .main')", "Shift+Tab"), "Enter")
    tab.until("document.activeElement === baita.table.many.status")
    _reach(
        tab,
        "it.type === 'text' && it.maxLength === 200 && !it.closest('label').nextElementSibling.matches('label')",
    )
    tab.page.keyboard.type("一起记的")
    _press(_reach(tab, "it === baita.table.many.save"), "Enter")
    tab.until("!baita.table.picked.size && document.activeElement === baita.table.grid")
    notes = desk.sites("demo")["note"]
    assert (notes == "一起记的").sum() == 2
    _press(tab, "ArrowDown", "Space")
    _press(_reach(tab, "it.matches('.picks .quiet')", "Shift+Tab"), "Enter")
    tab.until("!baita.table.picked.size && document.activeElement === baita.table.grid")


def test_a_role_is_given_with_keys_alone_and_no_key_works_behind_the_dialog(administrator, office):
    page = administrator.page
    page.locator(".st-key-person button").focus()
    _press(administrator, "Enter")
    page.locator(".st-key-people_give button").wait_for()
    # A key that comes before the dialog has the focus goes to the page behind it, map and all.
    administrator.until("document.activeElement.closest('[role=dialog]')", of="top")
    _tab_to(administrator, "it.closest('.st-key-people_name')")
    page.keyboard.type("wang")
    _press(administrator, "Enter")
    _tab_to(administrator, "it.closest('.st-key-people_give')")
    _press(administrator, "e", "t")
    assert administrator.js("!baita.figure.open && !baita.table.tab")
    _press(administrator, "Enter")
    page.get_by_role("dialog").locator("[data-testid=stAlert]").wait_for()
    with office.store() as store:
        assert "wang" in store.members()
    _press(administrator, "Escape")
    page.get_by_role("dialog").wait_for(state="detached")
    administrator.until("document.activeElement.closest('.st-key-person')", of="top")


def _tab_to(tab: Tab, condition: str) -> None:
    for _ in range(40):
        if tab.page.evaluate(f"(it => Boolean({condition}))(document.activeElement)"):
            return
        _press(tab, "Tab")
    raise AssertionError(f"no key leads to {condition}")


def test_help_is_the_next_stop_of_its_button_and_the_tour_gives_the_focus_back(demo):
    page, here = demo.page, "document.activeElement"
    page.locator(".stPopover button").focus()
    _press(demo, "Enter")
    demo.until(f"{here}.matches('.baita-help a:focus-visible')", of="top")
    _press(demo, "Tab")
    assert page.evaluate(f"{here}.matches('.baita-help button:focus-visible')")
    _press(demo, "Enter")
    demo.until(f"{here}.closest('.baita-tour')", of="top")
    _press(demo, "Escape")
    demo.until(f"{here}.closest('.stPopover') && !document.querySelector('.baita-help')", of="top")
    _press(demo, "Enter")
    demo.until(f"{here}.matches('.baita-help a')", of="top")
    _press(demo, "Escape")
    demo.until(f"{here}.closest('.stPopover') && !document.querySelector('.baita-help')", of="top")


def test_the_guide_is_read_with_keys_alone(chromium, server):
    context = chromium.new_context()
    page = context.new_page()
    page.goto(server.url + "baita/guide/zh")
    for _ in range(5):
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.matches('a:focus-visible')")
    name = page.evaluate("document.activeElement.hash")
    assert name == "#placing"  # has a link of its own
    page.keyboard.press("Enter")
    for _ in range(
        100
    ):  # it glides; Playwright's own waiting uses eval, which the guide's policy forbids
        if page.evaluate("scrollY > 2000"):
            break
        page.wait_for_timeout(20)
    page.keyboard.press("Tab")  # goes on in that chapter
    assert page.evaluate(
        "name => document.querySelector(name).contains(document.activeElement)", name
    )
    context.close()


def test_leaving_the_crosshair_leaves_nothing_in_a_picture(demo):
    _press(_focus_map(demo), "PageDown")
    demo.until("!baita.tip.hidden")
    _press(demo, "p")
    demo.until("baita.presenting && baita.access.cross.hidden && baita.tip.hidden")
    _press(demo, "p")


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


# ---- colours of the computer's own ------------------------------------------------------------------------


def test_in_forced_colours_what_is_on_is_told_from_what_is_off(chromium, open_tab, server):
    context = chromium.new_context(
        locale="zh-CN", forced_colors="active", viewport={"width": 1366, "height": 768}
    )
    context.set_default_timeout(15_000)
    tab = open_tab(server, "?set=demo", context=context)
    # Our canvas is on a ground as light or dark as the rest: Chromium's own contrast theme here is light.
    assert tab.js("document.documentElement.dataset.theme") == "light"
    on, off, ink = tab.js(
        """() => { const [on, off] = [baita.labelButton, baita.deskButton].map(one => getComputedStyle(one));
          return [on.backgroundColor, off.backgroundColor, on.color]; }"""
    )
    assert on not in (off, ink)
    assert tab.page.evaluate(
        """() => { const [on, off] = ['true', 'false'].map(state => { const chip = document.querySelector('.chip');
          chip.setAttribute('aria-pressed', state); return getComputedStyle(chip).borderTopWidth; });
          return on !== off; }"""
    )


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


# What opens over the map, beside what stays in sight with it.
OPEN = {
    "list": "baita.table.toggle('table')",
    "changes": "baita.time.compare(true)",
    "trend": "baita.time.panel.open('trend')",
    "picture": "baita.figure.toggle()",
}


@pytest.mark.parametrize(
    ("size", "ratio"),
    [((1366, 768), 2), ((683, 384), 2), (PHONE, 3)],
    ids=["sharp", "200%", "phone"],
)
def test_nothing_is_covered_whatever_is_open(chromium, open_tab, server, size, ratio):
    """On a sharp screen, at a zoom of 200 %, on a phone; compared with another day, all is as wide as it gets."""
    context = chromium.new_context(
        locale="en-US",
        viewport={"width": size[0], "height": size[1]},
        device_scale_factor=ratio,
        reduced_motion="reduce",
    )
    context.set_default_timeout(15_000)
    tab = open_tab(server, "?set=demo&since=2020-03-11&lang=en", context=context)
    tab.until("baita.state.since && document.querySelector('.time .list')")
    parts = [*ON_THE_MAP, ".detail", ".figure", ".time-panel"]
    for name, run in OPEN.items():
        tab.js(f"() => {{ {run}; }}")
        assert tab.settled().js(FAULTS, parts) == [], name
        assert tab.page.evaluate(FAULTS, AROUND) == [], name
        tab.js("() => { for (let n = 0; n < 3; n++) baita.access.escape(); }")


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
