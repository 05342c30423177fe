"""The hand-out in a browser: opened from the disk with no server, it draws, filters, searches and runs no text."""

import pytest
from driver import CATEGORIES, WAIT_S

from geo.category import load_categories
from geo.draw.basemaps import basemap
from geo.draw.handout import draw_handout
from geo.ui.text import load_text
from geo.view import SiteFilter, select_mask

pytestmark = pytest.mark.browser

WORDS = {
    "title": "交接 <img src=x onerror=window.ran=1>{{7*7}}",
    "subtitle": "",
    "as_of": "数据截至 2020-03-18",
    "source": "来源",
    "notice": "演示数据（虚构）",
    "marking": "内部工作用图 请勿公开",
}


@pytest.fixture
def opened(chromium, server, tmp_path):
    """The demo set as a file, opened where nothing but that file can be reached."""
    server.get_json(
        "baita/site/demo/demo-ent-001.json"
    )  # the set is filled when it is first asked for
    sites = server.sites("demo")
    hostile = "<script>window.ran=1</script>{{7*7}}"
    sites.loc[0, ["name", "note", "place"]] = hostile
    path = tmp_path / "交接.html"
    text = load_text("zh")["map"]
    page_text = draw_handout(
        sites, load_categories(), basemap("211002"), WORDS, text, language="zh"
    )
    path.write_text(page_text, encoding="utf-8")
    context = chromium.new_context(offline=True, viewport={"width": 1366, "height": 768})
    page = context.new_page()
    troubles: list[str] = []
    page.on(
        "console", lambda m: troubles.append(m.text) if m.type in ("error", "warning") else None
    )
    page.on("pageerror", lambda error: troubles.append(str(error)))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    page.wait_for_selector(".handout-side .chip", timeout=WAIT_S * 1000)
    _until(page, "window.baita.layer.visible() && baita.layer.visible().located.length > 0")
    yield page, sites
    context.close()
    assert not troubles
    assert [url for url in asked if not url.startswith(("data:", "blob:"))] == [path.as_uri()]


def _until(page, expression, argument=None):
    for _ in range(int(WAIT_S * 50)):
        if page.evaluate(expression, argument):
            return
        page.wait_for_timeout(20)
    raise AssertionError(f"never came true: {expression}")


def _shown(page):
    return page.evaluate(
        "baita.layer.visible().located.length + baita.layer.visible().waiting.length"
    )


def test_it_draws_every_site_and_runs_no_text(opened):
    page, sites = opened
    assert _shown(page) == len(sites)
    painted = page.evaluate(
        """() => [...document.querySelectorAll('canvas')].some(canvas => {
          const { width, height } = canvas; if (!width || !height) return false;
          const data = canvas.getContext('2d').getImageData(0, 0, width, height).data;
          const is = (i, r, g, b) => data[i] === r && data[i + 1] === g && data[i + 2] === b;
          for (let i = 0; i < data.length; i += 4) if (is(i, 8, 48, 107)) return true;
          return false;
        })"""
    )
    assert painted, "no dot in the colour of 已复工"
    assert page.locator(".handout-side h1").text_content() == WORDS["title"]
    assert page.evaluate("window.ran") is None


def test_chips_and_search_filter_as_python_does(opened):
    page, sites = opened
    code = CATEGORIES.codes["enterprise.resumed"]
    page.locator(f'.handout-side .chip[data-code="{code}"]').click()
    chosen = SiteFilter(hidden=frozenset({"enterprise.resumed"}))
    _until(
        page,
        "n => baita.layer.visible().located.length + baita.layer.visible().waiting.length === n",
        int(select_mask(sites, chosen).sum()),
    )
    page.locator(".handout-side input").fill("南门 演示")
    chosen = SiteFilter(hidden=frozenset({"enterprise.resumed"}), text="南门 演示")
    wanted = int(select_mask(sites, chosen).sum())
    assert wanted > 0
    _until(
        page,
        "n => baita.layer.visible().located.length + baita.layer.visible().waiting.length === n",
        wanted,
    )


def test_details_table_and_presentation_work_without_a_server(opened):
    page, sites = opened
    hostile = str(sites.loc[0, "name"])
    page.evaluate("baita.choose(0)")
    page.wait_for_selector(".detail:not([hidden])")
    assert hostile in page.locator(".detail").text_content()
    page.keyboard.press("Escape")
    page.keyboard.press("t")
    page.wait_for_selector(".drawer .row.head")
    page.locator('.drawer [role="columnheader"]').first.click()
    _until(page, "document.querySelector('[aria-sort=ascending]') !== null")
    page.keyboard.press("p")
    _until(page, "baita.presenting")
    assert not page.locator(".handout-side").is_visible()
    assert WORDS["title"] in page.locator(".stage.title").text_content()
    page.keyboard.press("p")
    _until(page, "!baita.presenting")
    assert page.locator(".handout-side").is_visible()
    assert page.evaluate("window.ran") is None
