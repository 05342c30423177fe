"""Changing what is known of a site: kept with who and when, undone in one click, never over somebody else's head."""

import pytest
from conftest import Server, Tab

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
    tab.frame.get_by_role("button", name=tab.text["map"]["undo"]).last.click()
    tab.until("baita.loads === 3")
    again = _stored(desk)
    for name in ("status", "as_of", "note", "place", "street"):
        assert again[name] == before[name], name


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
