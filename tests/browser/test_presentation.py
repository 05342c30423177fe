"""What people photograph: the map over the whole window, and around it all that makes it a map of something."""

import pytest
from driver import PHONE, WALL, Tab, python_counts

from geo.view import SiteFilter

pytestmark = pytest.mark.browser

STOPPED = "enterprise.stopped"
WORKING = (".buttons", ".dock", ".leaflet-control-zoom", ".messages", ".detail", ".placer")


def _present(tab: Tab) -> None:
    tab.page.locator("body").press("p")
    tab.until("baita.presenting && document.body.classList.contains('presenting')")
    tab.until("baita.map.getSize().x === innerWidth && baita.map.getSize().y === innerHeight")
    tab.settled()


def _words(tab: Tab, part: str) -> str:
    node = tab.frame.locator(f".stage.{part}")
    return node.text_content() if node.is_visible() else ""


def _fills_the_window(tab: Tab) -> bool:
    box = tab.page.locator("iframe.baita-map").bounding_box()
    size = tab.page.viewport_size
    return box == {"x": 0, "y": 0, "width": size["width"], "height": size["height"]}


def _on_top(tab: Tab, selector: str) -> bool:
    """Whether any part of an element of Streamlit's page can still be seen."""
    return tab.page.evaluate(
        """selector => [...document.querySelectorAll(selector)].some(node => {
          const box = node.getBoundingClientRect(), x = box.left + box.width / 2, y = box.top + box.height / 2;
          return box.width && node.contains(document.elementFromPoint(x, y));
        })""",
        selector,
    )


def test_p_leaves_only_the_map_and_what_explains_it(demo, server):
    demo.switch(demo.chip(STOPPED)).hide(STOPPED)
    demo.choose("demo-ent-003")
    assert _on_top(demo, ".st-key-baita_side")
    _present(demo)
    assert _fills_the_window(demo)
    for part in (".st-key-baita_head", ".st-key-baita_side", ".baita-chips"):
        assert not _on_top(demo, part), part
    for part in WORKING:
        assert not any(node.is_visible() for node in demo.frame.locator(part).all()), part
    state = demo.js("baita.state")
    assert state["title"] in _words(demo, "title")
    assert state["subtitle"]
    assert state["subtitle"] in _words(demo, "title")
    assert demo.text["notice"]["demo"] in _words(demo, "title")
    assert "2020-03-18" in _words(demo, "source")
    assert state["source"] in _words(demo, "source")
    assert demo.text["map"]["internal"] in _words(demo, "source")
    expected = python_counts(server.index("demo"), SiteFilter())
    shown = [located for key, (_, located) in expected.items() if key != STOPPED and located]
    legend = demo.js(
        "[...document.querySelectorAll('.stage.legend p b')].map(b => Number(b.textContent))"
    )
    assert legend == shown
    total = sum(total for key, (total, _) in expected.items() if key != STOPPED)
    sentence = demo.text["map"]["on_map_of"].format(n=sum(shown), total=total)
    assert sentence in _words(demo, "legend")
    assert demo.text["map"]["rough_legend"] in _words(demo, "legend")


@pytest.mark.parametrize("leave", ["p", "Escape"])
def test_p_and_escape_leave_it_as_it_was(demo, leave):
    demo.token()
    view, box = demo.settled().view(), demo.page.locator("iframe.baita-map").bounding_box()
    _present(demo)
    # The map's page has the keyboard now, as it has after a click on the picture.
    demo.page.keyboard.press(leave)
    demo.until("!baita.presenting && !document.body.classList.contains('presenting')")
    demo.until("width => baita.map.getSize().x === width", box["width"])
    assert demo.page.locator("iframe.baita-map").bounding_box() == box
    assert demo.kept()
    assert demo.frame.locator(".tab").first.is_visible()
    assert demo.settled().view() == pytest.approx(view, abs=1e-4)


def test_the_scale_says_how_long_its_bar_is(demo):
    _present(demo)
    for zoom in (11, 13.25, 16):
        demo.js("zoom => { baita.map.setZoom(zoom, { animate: false }); }", zoom)
        demo.settled()
        text = demo.frame.locator(".scale span").text_content()
        number, unit = text.split()
        metres = float(number) * (1000 if unit == "km" else 1)
        true = demo.js(
            """() => {
              const width = document.querySelector('.scale i').getBoundingClientRect().width;
              const y = baita.map.getSize().y / 2, at = x => baita.map.containerPointToLatLng([x, y]);
              return baita.map.distance(at(200), at(200 + width));
            }"""
        )
        assert true == pytest.approx(metres, rel=0.02)
        assert number.rstrip("0") in ("1", "2", "5")
        assert demo.frame.locator(".north").is_visible()


def test_the_bulletin_s_picture_is_not_called_fictitious_and_counts_what_waits(tab, server):
    _present(tab)
    words = tab.text["map"]
    assert tab.text["notice"]["demo"] not in _words(tab, "title")
    assert words["on_map_of"].format(n=1, total=16) in _words(tab, "legend")
    assert "2020-03-11" in _words(tab, "source")
    assert server.sites()["source_file"].iloc[0] in _words(tab, "source")
    # The one road is a line between two known points: the picture says that it is not exact.
    assert words["rough_legend"] in _words(tab, "legend")


@pytest.mark.parametrize("size", [WALL, PHONE], ids=lambda size: f"{size[0]}x{size[1]}")
def test_nothing_of_the_picture_covers_another_part_of_it(visitor, server, size):
    visitor.page.set_viewport_size({"width": size[0], "height": size[1]})
    tab = visitor.go(server, "?set=demo&q=%E6%BC%94%E7%A4%BA&hide=enterprise.stopped")
    _present(tab)
    boxes = tab.js(
        """() => ['.stage.title', '.stage.legend', '.stage.source', '.scale', '.north'].map(part => {
          const box = document.querySelector(part).getBoundingClientRect();
          return [part, box.left, box.top, box.right, box.bottom];
        })"""
    )
    for one in boxes:
        assert one[1] >= 0, one
        assert one[2] >= 0, one
        assert one[3] <= size[0], one
        assert one[4] <= size[1], one
        for other in boxes:
            apart = (
                one[1] >= other[3] or other[1] >= one[3] or one[2] >= other[4] or other[2] >= one[4]
            )
            assert apart or one is other, (one, other)
