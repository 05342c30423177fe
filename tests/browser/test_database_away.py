"""The database stops under open pages: they keep what they show, say so, and go on by themselves when it is back."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from driver import Server, Tab, start_server
from postgres_server import PrivateServer

pytestmark = pytest.mark.browser

SITE, HIDDEN = "prj-hongfei", "enterprise.unverified"
NOISE = r"503 http|status of 503"


@pytest.fixture(scope="module")
def app(
    private_postgis: PrivateServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    folder: Path = tmp_path_factory.mktemp("database-away")
    yield from start_server(folder, BAITA_STORE=private_postgis.url)


def _note(tab: Tab, words: str) -> None:
    tab.js(
        "note => baita.post('edit', { site_id: baita.detail.site.site_id,"
        " version: baita.detail.site.version, values: { note } })",
        words,
    )


def _banner(tab: Tab, words: str) -> None:
    tab.until(
        "words => (document.querySelector('.baita-link')?.textContent || '').includes(words)",
        words,
        of="top",
    )


def test_a_page_outlives_its_database(open_tab, app, private_postgis):
    tab = open_tab(app)
    tab.choose(SITE)
    _note(tab, "停之前")
    tab.until("baita.detail.node.textContent.includes('停之前')")
    tab.token()
    private_postgis.stop()
    _banner(tab, "连不上数据库")
    _note(tab, "停的时候")
    tab.until(
        "[...document.querySelectorAll('.message p')].some(p => p.textContent.includes('连不上'))"
    )
    tab.switch(tab.chip(HIDDEN))  # what is shown can still be filtered
    tab.hide(HIDDEN)
    assert tab.kept()
    late = open_tab_while_away(tab, app)
    private_postgis.start()
    _banner(tab, tab.text["chips"]["back"])
    tab.until("!document.querySelector('.baita-link').textContent", of="top")
    _note(tab, "之后")
    tab.until("baita.detail.node.textContent.includes('之后')")
    history = tab.frame.locator(".detail .history").text_content()
    assert "停之前" in history
    assert "停的时候" not in history
    assert tab.kept()
    late.close()
    assert tab.forgive(NOISE)


def open_tab_while_away(tab: Tab, app: Server):
    """Open the app in another language beside: it has the last table, and the line that says so."""
    page = tab.context.new_page()
    page.goto(app.url + "?lang=en")
    page.wait_for_function(
        "(document.querySelector('.baita-link')?.textContent || '').includes('cannot be reached')"
    )
    return page


def test_a_page_opened_while_there_was_never_a_database_opens_when_it_is_there(
    open_tab, private_postgis, tmp_path, chromium
):
    private_postgis.stop()
    app = Server(tmp_path, settings={"BAITA_STORE": private_postgis.url})
    context = chromium.new_context(locale="zh-CN")
    try:
        app.wait()
        page = context.new_page()
        page.goto(app.url)
        page.get_by_text("连不上数据库").wait_for()
        words = page.locator("body").inner_text()
        assert "不用重新加载" in words
        assert "Traceback" not in words
        assert "/" not in words.replace("PNG", "")
        private_postgis.start()
        page.wait_for_selector(".baita-chips .chip", timeout=20_000)
    finally:
        context.close()
        app.stop()
