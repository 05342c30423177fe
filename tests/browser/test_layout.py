"""Every part can be seen and reached: on an office PC, on the wall, on a small screen, and without a mouse."""

import pytest
from driver import CATEGORIES, PC, PHONE, WALL, Server, Tab

pytestmark = pytest.mark.browser


SIZES = (PC, WALL, PHONE)
each_size = pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
STOPPED = "enterprise.stopped"

# What of a list of parts covers another one, or sticks out of the window.
FAULTS = """parts => {
  const boxes = parts.flatMap(part => [...document.querySelectorAll(part)].map(node => {
    const box = node.getBoundingClientRect();
    return { part, left: box.left, top: box.top, right: box.right, bottom: box.bottom };
  })).filter(box => box.right > box.left && box.bottom > box.top);
  const faults = [];
  boxes.forEach((a, i) => {
    if (a.left < -0.5 || a.top < -0.5 || a.right > innerWidth + 0.5 || a.bottom > innerHeight + 0.5)
      faults.push([a.part, 'sticks out', a, innerWidth, innerHeight]);
    boxes.slice(i + 1).forEach(b => {
      if (a.left < b.right - 0.5 && b.left < a.right - 0.5 && a.top < b.bottom - 0.5 && b.top < a.bottom - 0.5)
        faults.push([a.part, 'covers', b.part, a, b]);
    });
  });
  return faults;
}"""
# The chips that, scrolled to, lie on top in the window.
REACHED_CHIPS = """() => [...document.querySelectorAll('.baita-chips .chip')].filter(chip => {
  chip.scrollIntoView({ block: 'nearest' });
  const box = chip.getBoundingClientRect();
  const middle = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
  return box.left >= 0 && box.right <= innerWidth && chip.contains(middle);
}).map(chip => chip.dataset.key)"""
SCROLLS = """() => ({
  sideways: Math.max(0, ...[document.documentElement, document.body, ...document.querySelectorAll('.stMain, .stApp')]
    .map(node => node.scrollWidth - node.clientWidth)),
  moved: Math.max(scrollY, ...[...document.querySelectorAll('.stMain, .stApp')].map(node => node.scrollTop)),
  hidden: Math.max(0, ...[...document.querySelectorAll('.stMain')]
    .map(node => (getComputedStyle(node).overflowY === 'hidden' ? node.scrollHeight - node.clientHeight : 0))),
})"""


def _resize(tab: Tab, size: tuple[int, int]) -> None:
    tab.page.set_viewport_size({"width": size[0], "height": size[1]})


def _open(visitor: Tab, server: Server, size: tuple[int, int], address: str = "") -> Tab:
    _resize(visitor, size)
    return visitor.go(server, address)


def _scrolls(tab: Tab) -> dict:
    return tab.settled().page.evaluate(SCROLLS)


def test_the_page_does_not_scroll_sideways_and_every_chip_can_be_clicked(demo):
    for size in SIZES:
        _resize(demo, size)
        assert _scrolls(demo)["sideways"] == 0
        assert demo.page.evaluate(REACHED_CHIPS) == list(CATEGORIES.codes)
        demo.switch(demo.chip(STOPPED)).hide(STOPPED)
        demo.switch(demo.page.locator(".baita-chips .all")).hide()
        demo.page.locator(".st-key-q input").click(trial=True)
        assert _scrolls(demo)["sideways"] == 0


def test_the_switches_in_the_head_can_be_reached(tab):
    for size in SIZES:
        _resize(tab, size)
        for part in (".st-key-set button", ".st-key-lang button", ".stPopover button"):
            for button in tab.page.locator(part).all():
                button.click(trial=True)
                # All of it can be seen: nothing above cuts its right end off.
                assert button.evaluate(
                    """node => {
                      const box = node.getBoundingClientRect(), y = box.top + box.height / 2;
                      return box.right <= innerWidth && node.contains(document.elementFromPoint(box.right - 3, y));
                    }"""
                ), (size, part)


def test_panel_buttons_and_lists_keep_out_of_each_other_s_way(tab):
    for size in SIZES:
        _resize(tab, size)
        tab.choose("prj-hongfei")
        parts = [".buttons", ".leaflet-control-zoom", ".detail", ".tabs .tab"]
        assert tab.settled().js(FAULTS, parts) == []
        for button in tab.frame.locator(".buttons button:enabled").all():
            button.click(trial=True)
        tab.frame.locator(".detail .close").click()
        tab.until("baita.detail.node.hidden")
        for button in tab.frame.locator(".tab").all():
            button.click()
        tab.until("baita.table.tab === 'tray'")
        # The open list leaves the map some room, and what it covers can still be reached.
        room = tab.settled().js(
            "document.querySelector('.drawer').getBoundingClientRect().top"
            " - document.querySelector('.buttons').getBoundingClientRect().bottom"
        )
        assert room > 150
        assert tab.js(FAULTS, [".scale", ".north", ".drawer", ".buttons"]) == []
        tab.frame.locator(".tab").last.click()
        tab.until("!baita.table.tab")


@each_size
def test_the_placer_keeps_out_of_the_way(visitor, server, size):
    tab = _open(visitor, server, size)
    tab.choose("prj-hongfei")
    tab.frame.locator(".detail .actions button").first.click()
    tab.until("baita.placer.active")
    parts = [".buttons", ".leaflet-control-zoom", ".placer", ".detail", ".tabs .tab"]
    faults = tab.settled().js(FAULTS, parts)
    for part in (".placer input", ".placer select", ".placer form button", ".placer .quiet"):
        tab.frame.locator(part).first.click(trial=True)
    assert faults == []


def test_a_first_visitor_s_message_covers_no_button(open_tab, server):
    tab = open_tab(server, welcome=True)
    parts = [
        ".messages .message",
        ".buttons",
        ".leaflet-control-zoom",
        ".tabs .tab",
        ".scale",
        ".north",
    ]
    for size in SIZES:
        _resize(tab, size)
        tab.settled().frame.locator(".message.welcome button").last.click(trial=True)
        assert tab.js(FAULTS, parts) == []


@each_size
def test_more_filters_can_be_opened_and_reached(visitor, server, size):
    tab = _open(visitor, server, size, "?set=demo")
    tab.page.locator(".st-key-baita_side details summary").click()
    last = tab.page.locator(".st-key-until [data-type=year]")
    last.wait_for()
    # What overflows must be in a box that a wheel can move.
    scrolls = _scrolls(tab)
    assert scrolls["hidden"] <= 1, scrolls
    last.scroll_into_view_if_needed()
    last.click(trial=True)
    assert _scrolls(tab)["sideways"] == 0
    if size != PHONE:
        assert _scrolls(tab)["moved"] <= 1


def test_the_figures_are_whole_or_left_out(tab):
    """No card is cut in two by the edge of the head."""
    cut = tab.page.evaluate(
        """() => {
          const head = document.querySelector('.baita-head').getBoundingClientRect();
          const boxes = [...document.querySelectorAll('.baita-head > *')].map(node => node.getBoundingClientRect());
          return boxes.filter(box => box.top < head.bottom
            && (box.right > head.right + 1 || box.bottom > head.bottom + 1)).length;
        }"""
    )
    assert cut == 0


# ---- the table, with and without a mouse ------------------------------------------------------------------


def _table(tab: Tab) -> list[list[str]]:
    """What the rows in sight say, from the top."""
    return tab.js(
        "[...document.querySelectorAll('.drawer .body .row')]"
        ".sort((a, b) => parseInt(a.style.top) - parseInt(b.style.top))"
        ".map(row => [...row.querySelectorAll('.cell')].map(cell => cell.textContent))"
    )


def test_a_click_on_a_row_chooses_its_site_and_brings_it_into_view(demo, server):
    demo.js("() => { baita.map.setView([41.245, 123.15], 16, { animate: false }); }")
    demo.frame.locator(".tab").first.click()
    demo.until("document.querySelectorAll('.drawer .body .row').length > 3")
    sites = server.sites("demo")
    located = sites[sites["precision"] != "none"]
    name = located["name"].iloc[2]
    demo.frame.locator(".drawer .body .row", has_text=name).click()
    demo.until("id => baita.chosenId === id", located["site_id"].iloc[2])
    demo.until(
        "row => baita.map.getBounds().contains(baita.layer.rowBounds(row).getCenter())",
        demo.row(located["site_id"].iloc[2]),
    )
    assert demo.frame.locator(".drawer .row.chosen .cell").first.text_content() == name
    assert demo.frame.locator(".detail h2").text_content() == name


def test_a_click_on_a_heading_sorts_and_a_second_one_turns_it_round(demo, server):
    demo.frame.locator("body").press("t")
    sites = server.sites("demo")
    located = sites[sites["precision"] != "none"]
    heading = demo.frame.get_by_role("columnheader", name=demo.text["map"]["name"])
    heading.click()
    demo.until("baita.table.order.column === 'name'")
    order = sorted(located["name"])
    assert [row[0] for row in _table(demo)][:5] == order[:5]
    heading.click()
    demo.until("baita.table.order.descending")
    assert [row[0] for row in _table(demo)][:5] == order[::-1][:5]
    # A filter keeps the order.
    demo.switch(demo.chip(STOPPED)).hide(STOPPED)
    left = located[located["status"].ne("stopped") | located["kind"].ne("enterprise")]
    demo.until("n => baita.table.rows.length === n", len(left))
    assert [row[0] for row in _table(demo)][:5] == sorted(left["name"])[::-1][:5]


def test_scrolling_the_table_shows_its_last_row(demo, server):
    demo.frame.locator("body").press("t")
    demo.js("() => { baita.table.body.scrollTop = 1e7; }")
    sites = server.sites("demo")
    last = sites[sites["precision"] != "none"]["name"].iloc[-1]
    demo.until("last => document.querySelector('.drawer .body').textContent.includes(last)", last)


def test_arrow_keys_in_the_table_choose_rows(demo):
    demo.frame.locator("body").press("t")
    demo.until("document.activeElement === baita.table.grid")
    ids = demo.ids()
    for key, at in (
        ("ArrowDown", 0),
        ("ArrowDown", 1),
        ("ArrowDown", 2),
        ("ArrowUp", 1),
        ("PageDown", 9),
    ):
        demo.page.keyboard.press(key)
        demo.until("id => baita.chosenId === id", ids[at])
    chosen = demo.frame.locator(".drawer .row.chosen")
    assert chosen.count() == 1
    seen = demo.js(
        "() => { const row = document.querySelector('.drawer .row.chosen').getBoundingClientRect();"
        " const body = baita.table.body.getBoundingClientRect();"
        " return row.top >= body.top - 1 && row.bottom <= body.bottom + 1; }"
    )
    assert seen
    demo.page.keyboard.press("Escape")
    demo.until("baita.layer.selected === -1")
    demo.page.keyboard.press("Escape")
    demo.until("!baita.table.tab")


def test_tab_reaches_search_chips_map_and_table(demo):
    """From the top of the page, with the keyboard alone: a chip is switched by Space, a tab opened by Enter."""
    page, seen = demo.page, []
    for _ in range(60):
        page.keyboard.press("Tab")
        here = page.evaluate(
            """() => {
              const node = document.activeElement;
              if (node.matches('iframe')) return 'map ' + node.contentDocument.activeElement.className;
              return node.dataset.key || node.className || node.tagName;
            }"""
        )
        seen.append(here)
        if here == STOPPED and STOPPED not in demo.params().get("hide", []):
            page.keyboard.press("Space")
            demo.hide(STOPPED)
            assert page.evaluate("document.activeElement.dataset.key") == STOPPED
        if here == "map tab":
            page.keyboard.press("Enter")
            break
    assert [here for here in seen if "." in here and here in CATEGORIES.codes] == list(
        CATEGORIES.codes
    )
    demo.until("baita.table.tab === 'table' && document.activeElement === baita.table.grid")
    page.keyboard.press("ArrowDown")
    demo.until("ids => baita.chosenId === ids", demo.ids()[0])
