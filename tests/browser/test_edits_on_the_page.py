"""Changing what is known of a site: kept with who and when, undone in one click, never over somebody else's head."""

import pytest
from driver import Server, Tab

pytestmark = pytest.mark.browser

SITE = "ent-hongyu"


def _stored(desk: Server) -> dict:
    with desk.store() as store:
        return store.site(SITE).to_dict()


def _open(tab: Tab) -> Tab:
    tab.choose(SITE)
    tab.frame.get_by_role("button", name=tab.text["map"]["edit"], exact=True).click()
    tab.until("document.querySelector('.detail .edit')")
    return tab


def _save(tab: Tab) -> None:
    tab.frame.get_by_role("button", name=tab.text["map"]["save"], exact=True).click()


def test_an_edit_is_on_the_map_and_in_the_history_and_undo_takes_it_back(open_tab, desk: Server):
    tab = _open(open_tab(desk))
    before = _stored(desk)
    tab.frame.locator(".detail .edit select").select_option("stopped")
    tab.frame.locator(".detail .edit input[type=date]").fill("2020-03-20")
    hostile = "停产检修 <img src=x onerror=window.ran=1>{{7*7}}"
    tab.frame.locator(".detail .edit input").last.fill(hostile)
    counts = tab.chip_counts()
    _save(tab)
    tab.until("!document.querySelector('.detail .edit') && baita.loads === 2")
    after = _stored(desk)
    assert (after["status"], str(after["as_of"])[:10], after["note"]) == (
        "stopped",
        "2020-03-20",
        hostile,
    )
    assert tab.chip_counts()["enterprise.stopped"][0] == counts["enterprise.stopped"][0] + 1
    with desk.store() as store:
        changes = {c.field: (c.old, c.new, c.who) for c in store.history(SITE)[:3]}
    assert changes["status"] == ("resumed", "stopped", "林工")
    assert tab.js("window.ran") is None
    tab.frame.locator(".message button", has_text=tab.text["map"]["undo"]).last.click()
    tab.until("baita.loads === 3")
    again = _stored(desk)
    for name in ("status", "as_of", "note", "place", "street"):
        assert again[name] == before[name], name


def test_ctrl_z_and_ctrl_y_step_back_and_forth_and_say_what_they_would_do(open_tab, desk: Server):
    tab = _open(open_tab(desk))
    words, before = tab.text["map"], _stored(desk)["status"]
    undo, redo = (
        tab.frame.locator(".buttons button").nth(0),
        tab.frame.locator(".buttons button").nth(1),
    )
    assert undo.is_disabled()
    tab.frame.locator(".detail .edit select").select_option("unverified")
    _save(tab)
    tab.until("baita.state.steps.undo && !document.querySelector('.detail .edit')")
    assert before != "unverified"
    assert undo.get_attribute("title") == (
        f"{words['undo']}{words['colon']}{_stored(desk)['name']} (Ctrl+Z)"
    )
    tab.frame.locator("body").press("Control+z")
    tab.until("baita.state.steps.redo && !baita.state.steps.undo")
    assert _stored(desk)["status"] == before
    tab.page.keyboard.press("Control+y")
    tab.until("baita.state.steps.undo && !baita.state.steps.redo")
    assert _stored(desk)["status"] == "unverified"
    assert redo.is_disabled()
    # From the page around the map, too.
    tab.page.evaluate("document.querySelector('h1').click(); document.body.focus(); window.focus()")
    tab.page.locator("h1").first.click()
    tab.page.keyboard.press("Control+z")
    tab.until("baita.state.steps.redo")
    assert _stored(desk)["status"] == before


def test_many_rows_are_changed_at_once_and_one_step_takes_them_back(open_tab, desk: Server):
    tab = open_tab(desk)
    with desk.store() as store:
        before = store.read_sites()
    tab.frame.locator("body").press("u")
    tab.until("baita.table.tab === 'tray'")
    enterprises = [
        n
        for n, row in enumerate(tab.js("[...baita.table.rows]"))
        if before["kind"][row] == "enterprise"
    ]
    boxes = tab.frame.locator(".drawer .body .pick")
    assert len(enterprises) >= 2
    boxes.nth(enterprises[0]).click()
    boxes.nth(enterprises[1]).click()
    tab.frame.locator(".picks .main").click()
    tab.frame.locator(".many select").select_option("partial")
    tab.frame.locator(".many input[type=date]").fill("2020-03-20")
    tab.frame.locator(".many .main").click()
    tab.until("baita.state.steps.undo && document.querySelector('.many').hidden")
    with desk.store() as store:
        after = store.read_sites()
    changed = [i for i in range(len(before)) if before["version"][i] != after["version"][i]]
    assert len(changed) == 2
    assert set(after["status"][changed]) == {"partial"}
    assert set(after["as_of"][changed].astype(str).str[:10]) == {"2020-03-20"}
    assert after["note"].tolist() == before["note"].tolist(), "what is left empty stays"
    tab.frame.locator("body").press("Control+z")
    tab.until("baita.state.steps.redo")
    with desk.store() as store:
        again = store.read_sites()
    for name in ("status", "as_of", "note", "street"):
        assert again[name].tolist() == before[name].tolist(), name


def test_a_status_is_offered_for_one_kind_only_and_a_range_is_picked_by_shift(
    open_tab, desk: Server
):
    tab = open_tab(desk)
    tab.frame.locator("body").press("u")
    boxes = tab.frame.locator(".drawer .body .pick")
    tab.until("document.querySelectorAll('.drawer .body .pick').length > 3")
    boxes.nth(0).click()
    boxes.nth(3).click(modifiers=["Shift"])
    assert tab.js("baita.table.picked.size") == 4
    tab.frame.locator(".row.head .pick").click()
    assert tab.js("baita.table.picked.size === baita.table.rows.length")
    tab.frame.locator(".picks .main").click()
    assert tab.frame.locator(".many select").is_disabled()
    assert tab.frame.locator(".many .main").is_disabled()
    tab.frame.locator(".picks .quiet").click()
    tab.until("document.querySelector('.many').hidden && baita.table.picked.size === 0")


def test_what_somebody_else_changes_is_seen_within_two_seconds_without_a_click(
    open_tab, desk: Server
):
    one, two = open_tab(desk), _open(open_tab(desk))
    two.frame.locator(".detail .edit select").select_option("stopped")
    loads = one.js("baita.loads")
    _save(two)
    two.until("baita.state.steps.undo")
    one.page.wait_for_timeout(2000)
    assert one.js("baita.loads") == loads + 1
    counts = one.chip_counts()
    assert counts == two.chip_counts()


def test_two_who_change_one_site_see_each_other_and_one_decides(open_tab, desk: Server):
    one, two = _open(open_tab(desk)), _open(open_tab(desk))
    one.frame.locator(".detail .edit select").select_option("partial")
    _save(one)
    one.until("baita.loads === 2")
    two.frame.locator(".detail .edit select").select_option("stopped")
    _save(two)
    two.until("document.querySelector('.detail .conflict')")
    assert _stored(desk)["status"] == "partial", "nothing is overwritten unseen"
    said = two.frame.locator(".detail .conflict").text_content()
    assert "林工" in said
    assert "部分/拟复工" in said
    assert two.frame.locator(".detail .edit select").input_value() == "stopped"
    _save(two)
    two.until("!document.querySelector('.detail .edit')")
    assert _stored(desk)["status"] == "stopped"


def test_cancel_changes_nothing(open_tab, desk: Server):
    before = _stored(desk)
    tab = _open(open_tab(desk))
    tab.frame.locator(".detail .edit select").select_option("unverified")
    tab.frame.get_by_role("button", name=tab.text["map"]["cancel"], exact=True).last.click()
    tab.until("!document.querySelector('.detail .edit')")
    assert _stored(desk)["version"] == before["version"]
