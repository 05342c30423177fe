"""The app is stopped, or dies, under an open page and comes back: the page says so, keeps everything, and goes on."""

import pytest
from driver import Server, Tab

pytestmark = pytest.mark.browser

SITE, HIDDEN = "prj-hongfei", "enterprise.unverified"
HALF = "鸿飞项目 3月11日"
# What a browser itself writes down about a server that is not there.
NOISE = (
    r"ERR_CONNECTION_REFUSED|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET|ERR_SOCKET_NOT_CONNECTED"
    r"|ERR_INCOMPLETE_CHUNKED|WebSocket|Failed to fetch|server endpoint|server is not responding|DoInitPings timed out"
)


def _said(tab: Tab, words: str) -> None:
    tab.until(
        "words => (document.querySelector('.baita-link')?.textContent || '').includes(words)",
        words,
        of="top",
    )


def _settle_down(tab: Tab, server: Server) -> None:
    """Start the app again and wait until the page has found it, by itself."""
    server.start()
    server.wait()
    tab.until(
        "document.querySelector('.stApp').dataset.testConnectionState === 'CONNECTED'"
        " && document.querySelector('.stApp').dataset.testScriptState === 'notRunning'",
        of="top",
    )
    _said(tab, tab.text["chips"]["back"])


@pytest.mark.parametrize(("ending", "language"), [("stop", "zh"), ("kill", "en")])
def test_a_page_outlives_its_server(open_tab, desk, ending, language):
    tab = open_tab(desk, f"?hide={HIDDEN}&lang={language}")
    words = tab.text["chips"]
    tab.choose(SITE)
    tab.js("baita.map.setZoom(14, { animate: false })")
    tab.until("() => location.hash.includes('#14')", of="top")
    before = tab.page.url
    tab.js("baita.openDesk()")
    box = tab.frame.locator(".desk textarea")
    box.click()
    box.press_sequentially(HALF)
    tab.token()

    getattr(desk, ending)()
    # Streamlit's dialog comes after some seconds; nobody who types may notice it.
    for character in "已复工，半句":
        tab.page.wait_for_timeout(700)
        tab.page.keyboard.insert_text(character)
    _said(tab, words["away"])
    dialog = tab.page.locator('[data-testid="stDialog"]')
    assert not dialog.is_visible()
    assert "Connection error" not in tab.page.locator("body").inner_text()
    tab.js("baita.post('edit', { site_id: baita.chosenId, version: 1, values: { note: '断着' } })")
    tab.until(
        "words => document.querySelector('.messages').textContent.includes(words)",
        words["away_act"],
    )
    tab.frame.locator(".desk button.main").first.click()
    failed = tab.frame.locator(".desk .error")
    failed.wait_for()
    assert failed.text_content() == tab.text["map"]["desk"]["unreachable"]
    tab.switch(tab.chip("enterprise.resumed"))
    assert tab.js("baita.state.hidden.length") == 1

    _settle_down(tab, desk)
    assert tab.kept(), "the map was loaded again"
    assert box.input_value() == HALF + "已复工，半句"
    assert tab.page.url == before
    assert tab.js("baita.chosenId") == SITE
    tab.hide(HIDDEN)
    assert not tab.js("baita.away")
    assert [step for step in desk.store().history(SITE) if step.new == "断着"] == []
    # It is the same page as before: what could not be done is done now.
    tab.frame.locator(".desk button.main").first.click()
    tab.frame.locator(".desk-review").wait_for()
    assert HALF in tab.frame.locator(".desk .source").text_content()
    tab.frame.locator(".desk header button").first.click()
    tab.frame.locator(".desk .drop textarea").wait_for()
    assert tab.frame.locator(".desk .drop textarea").input_value() == ""
    tab.js(
        "note => baita.post('edit', { site_id: baita.detail.site.site_id,"
        " version: baita.detail.site.version, values: { note } })",
        f"后来 {ending}",
    )
    tab.until("note => baita.detail.node.textContent.includes(note)", f"后来 {ending}")
    tab.until("!document.querySelector('.baita-link').textContent", of="top")
    assert tab.forgive(NOISE)
