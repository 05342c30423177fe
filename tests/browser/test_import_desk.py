"""Bringing something in: the text and what was read from it side by side, a person's yes, the map, and back again."""

import pytest
from driver import Server, Tab, start_server
from model_server import ModelServer

from geo.locate.datum import from_wgs84

pytestmark = pytest.mark.browser

TEXT = """截至2026年3月20日，白塔区重点企业50户，复工41户，复工率80%。

辽阳青松机械有限公司已全面复工复产。星河商务中心、望塔大厦等项目要尽早开工。

重点推进星河商务中心建设。<img src=x onerror=window.ran=1>{{7*7}}有限公司尚未复工。
"""
TABLE = "统计表,,,\n企业名称,复工情况,经度,纬度\n辽阳甲机械有限公司,已复工,123.18,41.26\n乙食品厂,停工整顿,,\n"


def _open(tab: Tab) -> Tab:
    tab.page.locator("body").press("i")
    tab.until("baita.desk.open && document.querySelector('.desk .drop')")
    return tab


def _paste(tab: Tab, text: str = TEXT) -> Tab:
    _open(tab)
    tab.frame.locator(".desk textarea").fill(text)
    tab.frame.get_by_role("button", name=tab.text["map"]["desk"]["read"], exact=True).click()
    tab.until("baita.desk.review && document.querySelector('.desk .card')")
    return tab


def _total(tab: Tab) -> int:
    return tab.js("baita.layer.data.rows")


def _count(tab: Tab, decision: str) -> int:
    return tab.js(
        "d => baita.desk.review.view.items.filter(one => one.decision === d).length", decision
    )


def test_a_pasted_bulletin_goes_onto_the_map_and_is_taken_back(open_tab, desk: Server):
    tab = open_tab(desk)
    before = _total(tab)
    _paste(tab)
    texts = tab.js("document.querySelector('.desk .source').textContent")
    assert texts == TEXT
    assert tab.js("window.ran") is None
    # Both words of one project wait; choosing one settles it.
    assert _count(tab, "open") >= 2
    words = tab.text["map"]["desk"]
    tab.frame.get_by_role("button", name=words["only_this"]).first.click()
    tab.until(
        "!baita.desk.review.view.items"
        ".some(one => one.name === '星河商务中心' && one.decision === 'open')"
    )
    ready = _count(tab, "accepted")
    tab.frame.locator(".desk footer .main").click()
    tab.until("!baita.desk.open")
    tab.until("n => baita.layer.data.rows > n", before)
    assert len(desk.sites()) == _total(tab)
    assert ready > 0
    tab.frame.locator(".message button", has_text=tab.text["map"]["undo"]).click()
    tab.until("n => baita.layer.data.rows === n", before)
    assert len(desk.sites()) == before


def test_a_model_is_asked_on_the_second_click_and_what_it_finds_waits(open_tab, tmp_path_factory):
    hidden = "云上糕点铺悄悄开了门"
    found = {"kind": "enterprise", "name": "云上糕点铺", "status": "已复工", "quote": hidden}
    with ModelServer([found]) as model:
        for app in start_server(tmp_path_factory.mktemp("model"), **model.env):
            tab = _paste(open_tab(app), f"{TEXT}{hidden}。")
            words = tab.text["map"]["desk"]
            before = tab.js("baita.desk.review.view.items.length")
            tab.frame.get_by_role("button", name=words["model"], exact=True).click()
            sure = words["model_sure"].format(host="127.0.0.1")
            yes = tab.frame.get_by_role("button", name=sure, exact=True)
            yes.wait_for()
            assert model.asked == []
            model.hold.clear()
            yes.click()
            tab.until("document.querySelector('.desk .asking progress') !== null")
            tab.frame.locator(".desk .asking button").click()  # no, not after all
            tab.until("document.querySelector('.desk .asking') === null")
            model.hold.set()
            assert tab.js("baita.desk.review.view.items.length") == before
            tab.frame.get_by_role("button", name=words["model"], exact=True).click()
            yes.click()
            tab.until("n => baita.desk.review.view.items.length === n", before + 1)
            one = tab.js("baita.desk.review.item(baita.desk.review.chosen)")
            assert (one["name"], one["decision"], one["quote"]) == ("云上糕点铺", "open", hidden)
            card = tab.frame.locator(".desk .card.chosen")
            assert words["look_model"] in card.inner_text()
            quoted = tab.js("document.querySelector('.desk .source .quoted').textContent")
            assert quoted in hidden
            assert words["model_found"].format(n=1) in tab.messages()
            tab.page.goto("about:blank")


def test_the_keyboard_is_enough_for_the_review(open_tab, desk: Server):
    tab = _paste(open_tab(desk))
    tab.page.keyboard.press("Escape")
    tab.until("document.querySelector('.desk .lists li')")
    tab.frame.locator(".desk .lists .open").first.click()
    tab.until("baita.desk.review")
    first = tab.js("baita.desk.review.shown()[0].number")
    tab.js("n => { baita.desk.review.select(n); }", first)
    tab.page.keyboard.press("r")
    tab.until("n => baita.desk.review.item(n).decision === 'rejected'", first)
    tab.until("n => baita.desk.review.chosen !== n", first)
    tab.page.keyboard.press("ArrowUp")
    tab.until("n => baita.desk.review.chosen === n", first)
    tab.page.keyboard.press("a")
    tab.until("n => baita.desk.review.item(n).decision === 'accepted'", first)
    tab.js("n => { baita.desk.review.select(n); }", first)
    tab.page.keyboard.press("e")
    tab.until("document.activeElement.closest('.edit') !== null")
    tab.page.keyboard.type("X")
    tab.page.keyboard.press("Enter")
    tab.until("n => baita.desk.review.item(n).name.endsWith('X')", first)
    # Nothing of this was taken for a key of the map underneath.
    assert not tab.js("baita.table.tab")
    assert not tab.js("baita.figure.open")
    tab.page.keyboard.press("Escape")
    tab.page.keyboard.press("Escape")
    tab.until("!baita.desk.open")


def test_hovering_a_record_lights_its_words(open_tab, desk: Server):
    tab = _paste(open_tab(desk))
    number = tab.js("baita.desk.review.view.items.find(one => one.name === '望塔大厦').number")
    tab.frame.locator(f".desk .card[data-number='{number}']").hover()
    tab.until(
        "n => document.querySelector(`.source mark[data-number='${n}']`).classList.contains('lit')",
        number,
    )
    tab.frame.locator(f".desk .source mark[data-number='{number}']").click()
    tab.until("n => baita.desk.review.chosen === n", number)
    quoted = tab.js(
        "[...document.querySelectorAll('.source .quoted')].map(m => m.textContent).join('')"
    )
    assert "尽早开工" in quoted


def test_a_figure_that_does_not_fit_is_shown_with_its_sentence(open_tab, desk: Server):
    tab = _paste(open_tab(desk))
    tab.frame.locator(".desk .pick .tab-bad").click()
    bad = tab.frame.locator(".desk .checks .bad").first.text_content()
    assert "41/50" in bad
    assert "82%" in bad.replace(" ", "")
    assert "复工率80%" in bad


def test_a_messy_gbk_table_is_mapped_and_imported(open_tab, desk: Server, tmp_path):
    path = tmp_path / "复工表.csv"
    path.write_bytes(TABLE.encode("gb18030"))
    tab = _open(open_tab(desk))
    with tab.page.expect_file_chooser() as chooser:
        tab.frame.get_by_text(tab.text["map"]["desk"]["choose"]).click()
    chooser.value.set_files(path)
    tab.until("baita.desk.review && document.querySelector('.desk .grid-box table')")
    assert tab.js("baita.desk.review.view.inspection.asks") == ["datum"]
    tab.frame.locator(".desk .options .need select").select_option("wgs84")
    tab.until("baita.desk.review.view.inspection.asks.length === 0")
    tab.frame.locator(".desk .words .need select").select_option("stopped")
    tab.until("baita.desk.review.view.read.problems.count === 0")
    before = _total(tab)
    tab.frame.locator(".desk footer .main").click()
    tab.until("n => baita.layer.data.rows === n + 2", before)
    sites = desk.sites().set_index("name")
    assert sites.loc["辽阳甲机械有限公司", "geometry"].x == pytest.approx(123.18)
    assert sites.loc["乙食品厂", "status"] == "stopped"
    assert sites.loc["乙食品厂", "geometry"] is None


def test_a_file_that_is_not_what_it_says_is_one_clear_line(open_tab, desk: Server, tmp_path):
    path = tmp_path / "坏.xlsx"
    path.write_bytes(b"<html>not a workbook</html>")
    tab = _open(open_tab(desk))
    with tab.page.expect_file_chooser() as chooser:
        tab.frame.get_by_text(tab.text["map"]["desk"]["choose"]).click()
    chooser.value.set_files(path)
    tab.until("document.querySelector('.desk-status .error')")
    assert "坏" in tab.frame.locator(".desk-status .error").text_content()


def test_a_draft_survives_a_reload(open_tab, desk: Server):
    tab = _paste(open_tab(desk))
    number = tab.js("baita.desk.review.view.items[0].number")
    tab.js("n => baita.desk.review.edit({ [n]: { decision: 'rejected' } })", number)
    draft = tab.js("baita.desk.review.view.draft_id")
    tab.reload()
    _open(tab)
    tab.js("id => baita.desk.load(id)", draft)
    tab.until("baita.desk.review")
    assert tab.js("n => baita.desk.review.item(n).decision", number) == "rejected"


def test_nothing_real_goes_into_the_invented_set(open_tab, desk: Server):
    tab = open_tab(desk, "?set=demo")
    tab.page.locator("body").press("i")
    tab.until("baita.desk.open && document.querySelector('.tries .try')")
    words = tab.text["map"]["desk"]
    assert tab.frame.locator(".desk .warning").text_content() == words["not_here"]
    assert not tab.frame.locator(".desk textarea").count()


@pytest.mark.parametrize("start", ["", "?set=demo"])
def test_a_sample_is_tried_in_the_invented_set_and_taken_back(open_tab, desk: Server, start):
    tab = open_tab(desk, start)
    real = len(desk.sites())
    tab.page.locator("body").press("i")
    tab.until("document.querySelectorAll('.tries .try').length > 4")
    before = "baita.layer.visible().located.length + baita.layer.visible().waiting.length"
    tab.frame.locator(".tries .try").nth(3).click()  # the workbook
    tab.until("baita.desk.review && baita.state.dataset === 'demo'")
    shown = tab.js(before)
    tab.frame.locator(".desk footer .main").click()
    tab.until("!baita.desk.open")
    tab.until(f"n => {before} === n + 4", shown)
    row = tab.js(
        "async () => { for (let row = 0; row < baita.layer.data.rows; row++)"
        " if ((await baita.words.get(row)).name === '星河商务中心') return row; return -1; }"
    )
    tab.js("row => { baita.choose(row); }", row)
    tab.until("!baita.detail.node.hidden")
    assert tab.text["map"]["fictitious"] in tab.detail()
    tab.js("() => { baita.choose(-1); }")
    tab.page.locator("body").press("i")
    undo = tab.frame.locator(".desk .lists li:not(.undone) button").first
    undo.click()
    undo.click()
    tab.until(f"n => {before} === n", shown)
    assert len(desk.sites()) == real


def test_the_datum_guard_proposes_a_reading_and_a_click_takes_it(open_tab, desk: Server, tmp_path):
    spots = [(123.142 + n * 0.006, 41.246 + n * 0.0035) for n in range(12)]
    rows = []
    for n, (lon, lat) in enumerate(spots):
        x, y = from_wgs84(lon, lat, "epsg:4529")
        rows.append(f"样例{n}厂,复工,{y:.3f},{x:.3f}")
    path = tmp_path / "测量.csv"
    path.write_text("企业名称,状态,经度,纬度\n" + "\n".join(rows), encoding="utf-8")
    tab = _open(open_tab(desk))
    with tab.page.expect_file_chooser() as chooser:
        tab.frame.get_by_text(tab.text["map"]["desk"]["choose"]).click()
    chooser.value.set_files(path)
    tab.until("baita.desk.review && document.querySelector('.desk .reading.best')")
    assert tab.text["map"]["desk"]["swapped"] in tab.frame.locator(".reading.best").text_content()
    tab.frame.locator(".reading.best").click()
    tab.until("baita.desk.review.view.inspection.layout.datum === 'epsg:4529'")
    tab.until("baita.desk.review.view.inspection.asks.length === 0")
    tab.frame.locator(".desk footer .main").click()
    tab.until("!baita.desk.open")
    sites = desk.sites().set_index("name")
    assert sites.loc["样例3厂", "geometry"].x == pytest.approx(spots[3][0], abs=1e-6)
    assert sites.loc["样例3厂", "raw_datum"] == "epsg:4529"
