"""What quick hands do: nothing happens behind what is shown, to another set, or to what was not meant."""

import pytest
from driver import Server, Tab

from geo.category import load_categories
from geo.editing import edit_sites

pytestmark = pytest.mark.browser

TEXT = "截至2026年3月20日，辽阳青松机械有限公司已全面复工复产。望塔大厦项目要尽早开工。\n"
WAITING = "prj-hongfei"
CATEGORIES = load_categories()


def _corrections(desk: Server) -> int:
    with desk.store() as store:
        return len(store.corrections())


def _import(tab: Tab, text: str = TEXT) -> None:
    """Paste a text and put what is plain in it onto the map."""
    before = tab.js("baita.layer.data.rows")
    _paste(tab, text)
    tab.frame.locator(".desk footer .main").click()
    tab.until("n => !baita.desk.open && baita.layer.data.rows > n", before)


def _paste(tab: Tab, text: str = TEXT) -> None:
    tab.page.locator("body").press("i")
    tab.until("baita.desk.open && document.querySelector('.desk .drop')")
    tab.frame.locator(".desk textarea").fill(text)
    tab.frame.get_by_role("button", name=tab.text["map"]["desk"]["read"], exact=True).click()
    tab.until("baita.desk.review && document.querySelector('.desk .card')")


def _undo(tab: Tab, rows: int) -> None:
    tab.frame.locator(".message button", has_text=tab.text["map"]["undo"]).last.click()
    tab.until("n => baita.layer.data.rows === n", rows)


def test_a_picture_is_no_place_to_place_sites(open_tab, desk: Server):
    tab = open_tab(desk)
    tab.page.locator("body").press("r")
    tab.until("baita.placer.active")
    tab.page.locator("body").press("p")
    tab.until("baita.presenting")
    assert not tab.js("baita.placer.active")
    tab.page.mouse.click(*tab.settled().at(123.17, 41.2655))
    tab.page.keyboard.press("1")
    tab.page.keyboard.press("p")
    tab.until("!baita.presenting")
    assert _corrections(desk) == 0


def test_a_desk_left_open_is_closed_for_a_picture(open_tab, desk: Server):
    tab = open_tab(desk)
    tab.page.locator("body").press("i")
    tab.until("baita.desk.open")
    tab.page.locator(".baita-chips .kind").first.focus()
    tab.page.keyboard.press("p")
    tab.until("baita.presenting && !baita.desk.open")
    tab.page.keyboard.press("p")
    tab.until("!baita.presenting")


def test_keys_pressed_beside_the_desk_are_the_desks(open_tab, desk: Server):
    tab = open_tab(desk)
    _paste(tab)
    first = tab.js("baita.desk.review.shown()[0].number")
    tab.js("n => { baita.desk.review.select(n); }", first)
    tab.page.locator(".baita-chips .kind").first.focus()
    tab.page.keyboard.press("r")
    tab.until("n => baita.desk.review.item(n).decision === 'rejected'", first)
    assert not tab.js("baita.placer.active")
    tab.page.locator(".baita-chips .kind").first.focus()
    tab.page.keyboard.press("Escape")
    tab.until("baita.desk.open && !baita.desk.review")
    tab.page.locator(".baita-chips .kind").first.focus()
    tab.page.keyboard.press("Escape")
    tab.until("!baita.desk.open")


def test_a_double_click_throws_nothing_away(open_tab, desk: Server):
    tab = open_tab(desk)
    words = tab.text["map"]["desk"]
    _paste(tab, "截至2026年3月21日，辽阳青石机械有限公司已复工。")
    tab.page.locator("body").press("Escape")
    tab.until("document.querySelector('.desk .lists li')")
    drafts = tab.js("document.querySelectorAll('.desk .lists ul')[0].children.length")
    discard = tab.frame.get_by_role("button", name=words["discard"], exact=True).first
    discard.dblclick()
    sure = tab.frame.get_by_role("button", name=words["sure"], exact=True)
    assert sure.count() == 1
    assert tab.js("document.querySelectorAll('.desk .lists ul')[0].children.length") == drafts
    sure.click()
    tab.until(
        "n => { const list = document.querySelectorAll('.desk .lists ul')[0];"
        " return (list ? list.children.length : 0) === n; }",
        drafts - 1,
    )


def test_what_a_message_offers_to_undo_goes_with_its_set(open_tab, desk: Server):
    tab = open_tab(desk)
    rows = tab.js("baita.layer.data.rows")
    _import(tab)
    assert tab.frame.locator(".message button").count() == 1
    tab.js("() => { baita.post('open', { dataset: 'demo' }); }")
    tab.until("baita.state.dataset === 'demo'")
    assert tab.frame.locator(".message:not(.welcome)").count() == 0
    with desk.store() as store:
        [newest, *_] = store.imports()
        store.undo_import(newest.import_id, who="test")
        assert store.count_sites() == rows


def test_the_panel_of_a_site_that_is_gone_closes_and_says_so(open_tab, desk: Server):
    tab = open_tab(desk)
    rows = tab.js("baita.layer.data.rows")
    _import(tab, "截至2026年3月22日，辽阳白桦机械有限公司已复工。")
    with desk.store() as store:
        table = store.read_sites()
    [site_id] = table.loc[table["name"] == "辽阳白桦机械有限公司", "site_id"]
    tab.choose(site_id)
    _undo(tab, rows)
    tab.until("baita.detail.node.hidden && baita.layer.selected === -1")
    gone = tab.text["map"]["site_gone"].format(name="辽阳白桦机械有限公司")
    tab.until(
        "gone => [...document.querySelectorAll('.message p')].some(p => p.textContent === gone)",
        gone,
    )
    assert tab.forgive(r"404 .*/row\?|status of 404")


def test_somebody_elses_edit_closes_no_history_and_moves_no_list(open_tab, desk: Server):
    tab = open_tab(desk)
    tab.choose("ent-hongyu")
    tab.frame.locator(".detail .history summary").click()
    tab.page.locator("body").press("t")
    tab.until("baita.table.tab === 'table'")
    with desk.store() as store:
        table = store.read_sites()
        other = table.loc[table["site_id"] == WAITING]
        edit_sites(store, other, {"note": "别人写的"}, who="test", step_id=9, categories=CATEGORIES)
    focus = "document.activeElement.tagName"
    assert tab.js(focus) is not None
    tab.js(
        "() => { baita.table.reveal = () => { window.moved = true; };"
        " document.querySelector('.detail .history summary').focus(); }"
    )
    tab.until("baita.loads === 2")
    tab.until("baita.chosenId === 'ent-hongyu' && baita.layer.selected >= 0")
    tab.settled()
    assert tab.js("document.querySelector('.detail .history').open")
    assert tab.js(focus) == "SUMMARY"
    assert tab.js("window.moved") is None


def test_closing_the_figure_panel_leaves_the_map_where_it_is(open_tab, desk: Server):
    tab = open_tab(desk)
    tab.js("() => { baita.map.setView([41.2, 123.1], 12, { animate: false }); }")
    view = tab.settled().view()
    for wait in (0, 300, 600):
        tab.page.locator("body").press("e")
        tab.until("baita.figure.open")
        tab.page.wait_for_timeout(wait)
        moved = tab.js("baita.figure.arriving") is False
        tab.page.keyboard.press("Escape")
        tab.until("!baita.figure.open")
        if moved:  # it had arrived before it was closed: that is what opening it does
            break
        tab.page.wait_for_timeout(1200)
        assert tab.view() == view
    assert tab.frame.locator(".figure-frame").is_hidden()


def test_what_was_refused_can_be_sent_again(open_tab, desk: Server):
    tab = open_tab(desk)
    tab.choose("ent-hongyu")
    tab.frame.get_by_role("button", name=tab.text["map"]["edit"], exact=True).click()
    save = tab.frame.get_by_role("button", name=tab.text["map"]["save"], exact=True)
    tab.frame.locator(".detail .edit select").select_option("stopped")
    with desk.store() as store:  # somebody is quicker
        table = store.read_sites()
        mine = table.loc[table["site_id"] == "ent-hongyu"]
        edit_sites(store, mine, {"note": "先到"}, who="test", step_id=11, categories=CATEGORIES)
    save.click()
    tab.until("document.querySelector('.detail .conflict') !== null")
    assert save.is_enabled()
    save.click()
    tab.until("!document.querySelector('.detail .edit')")
    with desk.store() as store:
        after = store.site("ent-hongyu")
    assert after["status"] == "stopped"


def test_an_answer_to_one_site_does_not_close_the_form_of_another(open_tab, desk: Server):
    tab = open_tab(desk)
    tab.choose("ent-hongyu")
    tab.frame.get_by_role("button", name=tab.text["map"]["edit"], exact=True).click()
    tab.frame.locator(".detail .edit input").last.fill("还没写完")
    tab.js("() => { baita.answer({ ok: true, edit: true, site_id: 'another', message: '-' }); }")
    tab.js(
        "() => { baita.answer({ ok: false, conflict: true, site_id: 'another', message: '!' }); }"
    )
    assert tab.js("document.querySelector('.detail .conflict')") is None
    assert tab.frame.locator(".detail .edit input").last.input_value() == "还没写完"
    assert "!" in tab.messages()
