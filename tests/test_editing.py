"""What a person changes is taken back cell by cell, done again, and never over what somebody else changed since."""

from datetime import date

import pytest

from geo.category import load_categories
from geo.editing import Step, Steps, edit_sites, redo_step, undo_step
from geo.errors import StoreError
from geo.placing import place_like, place_site
from geo.site import make_sites
from geo.store import open_store

CATEGORIES = load_categories()
HOME = (123.17, 41.27)


def _row(number: int) -> dict:
    return {
        "site_id": f"s{number}",
        "kind": "enterprise",
        "name": f"企业{number}号",
        "status": "stopped",
        "as_of": "2020-03-11",
        "source_file": "通报.docx",
        "reason": "no_coordinate",
        "precision": "none",
    }


@pytest.fixture
def store(tmp_path):
    with open_store(tmp_path / "sites.gpkg") as opened:
        opened.save_sites(make_sites([_row(n) for n in range(30)]), who="林工")
        yield opened


def _edit(store, seen, changes, step_id=1, who="林工"):
    return edit_sites(store, seen, changes, who=who, step_id=step_id, categories=CATEGORIES)


def _back(store, step, who="林工"):
    return undo_step(store, step, who=who, categories=CATEGORIES)


def _again(store, step, who="林工"):
    return redo_step(store, step, who=who, categories=CATEGORIES)


def _cells(store):
    sites = store.read_sites().drop(columns=["version"]).astype(object)
    return sites.where(sites.notna(), None).to_dict("records")


NEWS = {"status": "resumed", "as_of": date(2020, 3, 18), "note": "复工"}


@pytest.mark.parametrize("count", [1, 3, 30])
def test_undo_and_redo_go_there_and_back_again(store, count):
    before = _cells(store)
    done = _edit(store, store.read_sites().head(count), NEWS)
    after = _cells(store)
    assert done.step.count == count
    assert sum(one != other for one, other in zip(before, after, strict=True)) == count
    undone = _back(store, done.step)
    assert _cells(store) == before
    redone = _again(store, undone.step)
    assert _cells(store) == after
    assert _back(store, redone.step).left == ()
    assert _cells(store) == before
    sources = [c.source for c in store.history("s0") if c.field == "status"]
    assert sources[:3] == ["undo edit", "redo edit", "undo edit"]


def test_a_site_that_somebody_else_changed_since_it_was_seen_is_left_and_named(store):
    seen = store.read_sites().head(3)
    store.update_site("s1", {"status": "partial"}, version=1, who="王工")
    done = _edit(store, seen, NEWS)
    assert (done.left, sorted(done.step.after)) == (("s1",), ["s0", "s2"])
    assert store.site("s1")["status"] == "partial"


def test_undo_leaves_what_somebody_else_changed_since(store):
    step = _edit(store, store.read_sites().head(2), NEWS).step
    version = int(store.site("s1")["version"])
    store.update_site("s1", {"note": "王工的备注"}, version=version, who="王工")
    undone = _back(store, step)
    assert undone.left == ("s1",)
    assert (store.site("s0")["status"], store.site("s1")["status"]) == ("stopped", "resumed")
    assert store.site("s1")["note"] == "王工的备注"
    assert sorted(_again(store, undone.step).step.after) == ["s0"]


def test_undo_does_not_mind_a_change_of_other_cells(store):
    step = _edit(store, store.read_sites().head(1), {"status": "resumed"}).step
    store.update_site("s0", {"street": "南门街道"}, version=2, who="王工")
    assert _back(store, step).left == ()
    assert store.site("s0")[["status", "street"]].tolist() == ["stopped", "南门街道"]


def test_a_change_to_what_is_there_already_is_no_step(store):
    assert _edit(store, store.read_sites().head(2), {"status": "stopped"}).step is None


def test_sites_that_are_gone_are_left(store):
    step = _edit(store, store.read_sites().head(1), NEWS).step
    gone = Step(1, step.name, {"x": step.before["s0"]}, {"x": step.after["s0"]})
    report = _back(store, gone)
    assert (report.step, report.left) == (None, ("x",))


def test_placings_are_taken_back_together_and_done_again_as_new_corrections(store):
    first = place_site(store, "s0", *HOME, "wgs84", who="林工")
    kept = place_like(store, "s0", ["s1", "s2"], who="林工")
    step = Step(1, first.name, corrections=(first, *kept))
    assert step.count == 3
    _back(store, step)
    assert store.corrections() == []
    assert store.read_sites().geometry.isna().all()
    again = _again(store, step, who="王工")
    assert [c.who for c in store.corrections()] == ["王工"] * 3
    assert store.site("s2").geometry.equals(store.site("s0").geometry)
    _back(store, again.step)
    assert store.corrections() == []


def test_a_placing_below_a_newer_one_is_refused(store):
    first = place_site(store, "s0", *HOME, "wgs84", who="林工")
    place_site(store, "s0", 123.18, 41.27, "wgs84", who="王工")
    with pytest.raises(StoreError):
        _back(store, Step(1, first.name, corrections=(first,)))


def test_steps_remember_what_can_be_undone_and_redone():
    steps = Steps()
    one, two = (Step(steps.next_id(), name) for name in "ab")
    steps.did(one)
    steps.did(two)
    assert steps.to_undo() == two
    assert steps.to_undo(1) == one
    steps.took_back(two, two)
    assert (steps.to_undo(), steps.to_redo()) == (one, two)
    steps.did_again(two, two)
    assert (steps.to_undo(), steps.to_redo()) == (two, None)
    steps.took_back(two, None)
    assert (steps.done, steps.undone) == ([one], [])
    steps.took_back(one, one)
    steps.did(Step(steps.next_id(), "c"))
    assert steps.to_redo() is None, "what was taken back is out of reach after something new"
