"""One import is one thing to take back: what it added goes, what it changed is as before, later work stays."""

import sqlite3

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store_samples import emptied, sites_of, without_newer_tables

from geo.errors import StoreError
from geo.site import Claim
from geo.store import open_store

TOTAL = Claim("c1", "区", "工业", "复工", "total", 680, "家")


def _table(store):
    return store.read_sites().drop(columns="version").sort_values("site_id").reset_index(drop=True)


def _same(one, other):
    pd.testing.assert_frame_equal(pd.DataFrame(one), pd.DataFrame(other))


def _changed(sites, **cells):
    sites = sites.copy()
    for name, value in cells.items():
        sites[name] = value
    return sites


def test_an_import_is_listed_and_taken_back_whole(store):
    store.save_sites(sites_of(3), who="w")
    before, claims = _table(store), store.claims()
    more = sites_of(5)
    more.loc[0, "note"] = "new word"
    report, number = store.import_sites(more, [TOTAL], name="周报.xlsx", who="林")
    assert (report.added, report.changed, report.unchanged) == (2, 1, 2)
    [kept] = store.imports()
    assert (kept.import_id, kept.name, kept.who, kept.added, kept.changed) == (
        *(number, "周报.xlsx", "林"),
        *(2, 1),
    )
    undone = store.undo_import(number, who="王")
    assert (undone.removed, undone.restored, undone.kept) == (2, 1, ())
    _same(_table(store), before)
    assert store.claims() == claims == []
    assert store.imports()[0].undone_by == "王"
    assert [c.field for c in store.history("s4")] == ["deleted", "created"]
    assert {c.who for c in store.history("s4")} == {"林", "王"}
    assert store.history("s0")[0].new == before.loc[0, "note"]


def test_the_history_of_what_was_removed_has_no_word_of_another_program(store):
    _, number = store.import_sites(sites_of(2), name="a", who="w")
    store.undo_import(number, who="w")
    sources = {c.source for site in ("s0", "s1") for c in store.history(site)}
    assert "outside" not in sources


def test_what_somebody_changed_since_stays(store):
    _, number = store.import_sites(sites_of(3), name="a", who="w")
    version = int(store.site("s1")["version"])
    store.update_site("s1", {"note": "checked on site"}, version=version, who="v")
    undone = store.undo_import(number, who="w")
    assert (undone.removed, undone.kept) == (2, ("s1",))
    assert store.site("s1")["note"] == "checked on site"


def test_two_imports_are_taken_back_one_by_one(store):
    _, first = store.import_sites(sites_of(2), name="a", who="w")
    one = _table(store)
    newer = _changed(sites_of(2), note="second")
    _, second = store.import_sites(newer, name="b", who="w")
    two = _table(store)
    # The first cannot reach below the second.
    assert store.undo_import(first, who="w").kept == ("s0", "s1")
    _same(_table(store), two)
    store.undo_import(second, who="w")
    _same(_table(store), one)


def test_the_same_file_again_is_no_import(store):
    store.import_sites(sites_of(2), [TOTAL], name="a", who="w")
    report, number = store.import_sites(sites_of(2), [TOTAL], name="a", who="w")
    assert (report.unchanged, number) == (2, 0)
    assert len(store.imports()) == 1


def test_a_claim_gets_its_old_figure_back(store):
    store.save_claims([TOTAL])
    newer = Claim("c1", "区", "工业", "复工", "total", 700, "家")
    other = Claim("c2", "区", "", "复工", "total", 9, "家")
    _, number = store.import_sites(sites_of(0), [newer, other], name="a", who="w")
    assert [c.value for c in store.claims()] == [700, 9]
    store.undo_import(number, who="w")
    assert store.claims() == [TOTAL]


def test_what_cannot_be_undone_says_why(store):
    with pytest.raises(StoreError, match="no import 7"):
        store.undo_import(7, who="w")
    _, number = store.import_sites(sites_of(1), name="a", who="w")
    store.undo_import(number, who="w")
    with pytest.raises(StoreError, match="undone already"):
        store.undo_import(number, who="w")


@settings(max_examples=25, deadline=None)
@given(
    here=st.sets(st.integers(0, 7)),
    coming=st.sets(st.integers(0, 7)),
    changed=st.sets(st.integers(0, 7)),
)
def test_undo_brings_back_exactly_what_was_there(lasting_store, here, coming, changed):
    every = sites_of(8)
    newer = every.copy()
    newer.loc[sorted(changed), "note"] = "newer"
    store = emptied(lasting_store)
    store.save_sites(every.iloc[sorted(here)].reset_index(drop=True), who="w")
    before = _table(store)
    _, number = store.import_sites(
        newer.iloc[sorted(coming)].reset_index(drop=True), name="a", who="w"
    )
    if number:
        assert store.undo_import(number, who="w").kept == ()
    _same(_table(store), before)


def test_a_store_of_format_2_gets_the_newer_tables(tmp_path):
    path = tmp_path / "a.gpkg"
    with open_store(path) as store:
        store.save_sites(sites_of(1), who="w")
    with sqlite3.connect(path) as db:
        without_newer_tables(db)
        db.execute("UPDATE meta SET value = '2' WHERE key = 'schema_version'")
    db.close()
    with open_store(path) as store:
        _, number = store.import_sites(sites_of(2), name="a", who="w")
        assert store.undo_import(number, who="w").removed == 1
        assert next(c.source for c in store.history("s1")).startswith("undo import")
        assert (store.members(), store.audit()) == ({}, [])
