"""The first start: sixteen places, one of them on the map, and the map really painted."""

import pytest
from driver import CATEGORIES, python_counts

from geo.view import SiteFilter

pytestmark = pytest.mark.browser

# Read from a copy: Chromium warns a page that reads its own canvas again and again.
PIXELS = """
  const site = document.querySelector('canvas.site-canvas'), copy = document.createElement('canvas');
  copy.width = site.width;
  copy.height = site.height;
  const context = copy.getContext('2d', { willReadFrequently: true }), d = baita.layer.data;
  context.drawImage(site, 0, 0);
  const view = baita.layer._view();
"""
# Pixels of a colour, give or take what the edge of a stroke is mixed with, in a window around a line's middle.
COUNT_PIXELS = (
    "([row, colour, reach]) => {"
    + PIXELS
    + """
  const v = d.part_vertex[d.shape_part[d.shape_row.indexOf(row)]];
  const x = (d.vertex_x[v] + d.vertex_x[v + 1]) / 2 * view.scale - view.left;
  const y = (d.vertex_y[v] + d.vertex_y[v + 1]) / 2 * view.scale - view.top;
  const pixels = context.getImageData(x - reach, y - reach, 2 * reach, 2 * reach).data;
  const want = [1, 3, 5].map(i => parseInt(colour.slice(i, i + 2), 16));
  let count = 0;
  for (let i = 0; i < pixels.length; i += 4)
    if (pixels[i + 3] > 200 && want.every((part, k) => Math.abs(pixels[i + k] - part) < 24)) count++;
  return count;
}"""
)
PAINTED = (
    "() => {"
    + PIXELS
    + """
  const pixels = context.getImageData(0, 0, copy.width, copy.height).data;
  let count = 0;
  for (let i = 3; i < pixels.length; i += 4) if (pixels[i]) count++;
  return count;
}"""
)
UNPAINTED_POINTS = (
    "() => {"
    + PIXELS
    + """
  const missing = [];
  let looked = 0;
  for (let i = 0; i < d.point_row.length; i += 6) {
    const x = d.point_x[i] * view.scale - view.left, y = d.point_y[i] * view.scale - view.top;
    if (x < 9 || y < 9 || x > copy.width - 9 || y > copy.height - 9) continue;
    const pixels = context.getImageData(x - 6, y - 6, 12, 12).data;
    let count = 0;
    for (let k = 3; k < pixels.length; k += 4) if (pixels[k] > 200) count++;
    if (count < 60) missing.push(d.point_row[i]);
    looked++;
  }
  return { looked, missing };
}"""
)
XINHUA = "road-xinhua"


def test_sixteen_places_of_which_one_is_on_the_map(tab, server):
    assert tab.shown() == {"located": 1, "waiting": 15}
    assert tab.ids() == [XINHUA]
    assert tab.js("baita.loads") == 1
    sites = server.sites()
    assert len(sites) == 16
    assert set(tab.ids("waiting")) == set(sites["site_id"]) - {XINHUA}
    # The district is known and its outline drawn, but no site stands at its centre for want of a better place.
    assert sites[sites["precision"] == "none"].geometry.isna().all()
    assert tab.js("baita.layer.data.point_row.length") == 0
    assert tab.js("baita.layer.stats.drawn") == 1


def test_the_numbers_beside_chips_kinds_and_tabs_are_python_s(tab, server):
    expected = python_counts(server.index(), SiteFilter())
    assert tab.chip_counts() == expected
    assert sum(total for total, _ in expected.values()) == 16
    for kind in CATEGORIES:
        codes = [status.key for status in kind.statuses]
        total, located = (sum(expected[key][k] for key in codes) for k in (0, 1))
        text = tab.kind(kind.code).locator("b").text_content()
        assert text == (f"{located}/{total}" if located < total else str(total))
    words = tab.text["map"]
    assert tab.frame.locator(".tab").all_text_contents() == [
        words["tab_table"].format(n=1),
        words["tab_tray"].format(n=15),
    ]


def test_a_first_visitor_is_told_why_most_places_wait_and_only_once(open_tab, server):
    tab = open_tab(server, welcome=True)
    box = tab.frame.locator(".message.welcome")
    told = box.locator("p").text_content()
    assert told == tab.text["map"]["welcome"].format(total=16, located=1, waiting=15)
    box.locator("button.main").click()
    tab.until("baita.table.tab === 'tray'")
    assert box.count() == 0
    tab.page.reload()
    tab.ready(welcome=True)
    assert tab.frame.locator(".message.welcome").count() == 0


def test_the_road_is_really_painted_and_goes_when_its_status_is_switched_off(tab):
    fill = CATEGORIES.status("parking", "enforced").fill
    asked = [tab.row(XINHUA), fill, 60]
    tab.settled()
    assert tab.js(COUNT_PIXELS, asked) > 100
    tab.switch(tab.chip("parking.enforced")).hide("parking.enforced").settled()
    assert tab.js(PAINTED) == 0
    tab.switch(tab.chip("parking.enforced")).hide().settled()
    assert tab.js(COUNT_PIXELS, asked) > 100


def test_points_are_painted_where_they_are(demo):
    demo.settled()
    found = demo.js(UNPAINTED_POINTS)
    assert found["looked"] > 80
    assert found["missing"] == []


def test_the_page_speaks_the_browser_s_language(tab, open_tab, server):
    for language, one in (("zh", tab), ("en", open_tab(server, locale="en-US"))):
        assert one.js("document.documentElement.lang").startswith(language)
        labels = one.page.locator(".baita-chips .chip > span").all_text_contents()
        assert labels == [status.label[language] for status in CATEGORIES.statuses]
