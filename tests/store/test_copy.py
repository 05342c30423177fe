"""A store is copied whole: to a database and back, every row of every table is what it was."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
import shapely
from store_samples import (
    assert_same_sites,
    correction_of,
    raw,
    site_row,
    sites_of,
    unlocated,
    versions,
)

from geo.access import AuditEntry, Role
from geo.errors import StoreError
from geo.site import Claim, Source, make_sites
from geo.store import open_store
from geo.store._copy import TABLES

ROOT = Path(__file__).resolve().parents[2]
TOTAL = Claim("c1", "区", "工业", "复工", "total", 0.1 + 0.2, "家", source=Source("a", "b", "c"))


def _fill(store):
    """Put something into every table, and numbers that are given no more."""
    rows = [site_row(3, note="\t\\N 'x' {{ 1 }}"), unlocated(1), site_row(0, fictitious=True)]
    rows += [site_row(2, geometry=shapely.Point(123.2, 41.2, 5.5))]
    road = shapely.LineString([(123.1, 41.1), (123.2, 41.30000000000001)])
    rows += [site_row(9, geometry=road, precision="road", raw_x=0.1 + 0.2, as_of=None)]
    store.save_sites(make_sites(rows), who="林")
    store.update_site("s2", {"as_of": datetime(2020, 3, 13, 8, 15, 30, 250000)}, version=1, who="w")
    store.update_site("s3", {"status": "resumed"}, version=1, who="王", source="电话")
    store.save_claims([TOTAL])
    newer = sites_of(12).assign(note="周报")
    store.import_sites(newer, [Claim("c1", "区", "", "", "total", 9, "家")], name="周", who="林")
    _, gone = store.import_sites(sites_of(13).iloc[12:], name="再", who="林")
    store.undo_import(gone, who="王")  # its row number is given no more
    first = store.add_correction(correction_of("s1"))
    store.add_correction(correction_of("s1", x=123.3, at=datetime(2020, 3, 12, 8, 30)))
    store.undo_correction(store.add_correction(correction_of("s0")), who="王")
    store.set_meta("notice", "演示")
    store.set_note("scheme:b", "{}")
    store.set_note("scheme:a", "[]")
    store.set_member("林工", Role.EDITOR, who="admin")
    moment = datetime(2026, 3, 1, 1, 2, 3, 456789, tzinfo=UTC)
    store.write_down(AuditEntry(moment, "王工", "update_site", "s1", False, "viewer"))
    return first


def _tables(path):
    """Return every row of every table of a GeoPackage store but the data version."""
    with raw(path) as db:
        names = {table: f"id, {', '.join(columns)}" for table, columns in TABLES.items()}
        rows = {
            t: db.execute(f"SELECT {c} FROM {t} ORDER BY id").fetchall() for t, c in names.items()
        }
        rows["sites"] = db.execute("SELECT * FROM sites ORDER BY fid").fetchall()
        meta = "SELECT key, value FROM meta WHERE key <> 'data_version' ORDER BY id"
        # An instant is the same instant however it is written.
        instants = [
            (number, datetime.fromisoformat(at), *rest) for number, at, *rest in rows["audit"]
        ]
        rows["audit"] = instants
        rows["meta"] = db.execute(meta).fetchall()
        last = "SELECT name, seq FROM sqlite_sequence WHERE name <> 'meta' ORDER BY name"
        rows["last numbers"] = db.execute(last).fetchall()
    return rows


def test_to_a_database_and_back_nothing_is_lost(tmp_path, new_schema):
    there, back = tmp_path / "there.gpkg", tmp_path / "back.gpkg"
    told = []
    with open_store(there) as one, open_store(new_schema) as two, open_store(back) as three:
        _fill(one)
        counts = one.copy_to(two, progress=lambda *step: told.append(step))
        assert two.copy_to(three) == counts
        assert_same_sites(two.read_sites(), one.read_sites())
        for read in ("claims", "corrections", "imports", "members", "audit", "statement_changes"):
            assert str(getattr(two, read)()) == str(getattr(one, read)())
        assert two.history("s1") == one.history("s1")
        assert two.notes("") == one.notes("")
        assert [store.check() for store in (one, two, three)] == [[], [], []]
    before, after = _tables(there), _tables(back)
    assert counts == {table: len(before[table]) - (table == "meta") for table in counts}
    assert all(counts.values())
    for table, rows in before.items():
        assert after[table] == rows
    assert ("sites", counts["sites"], counts["sites"]) in told


@pytest.mark.parametrize("way", ["to a database", "to a file"])
def test_what_could_be_undone_can_be_undone_after_the_copy(tmp_path, new_schema, way):
    ends = [tmp_path / "a.gpkg", new_schema]
    source, target = ends if way == "to a database" else reversed(ends)
    with open_store(source) as one, open_store(target) as two:
        first = _fill(one)
        one.copy_to(two)
        for store in (one, two):
            second = store.last_correction()
            with pytest.raises(StoreError, match="corrected again"):
                store.undo_correction(first, who="w")
            store.undo_correction(second.correction_id, who="w")
            store.undo_correction(first, who="w")
            number = next(i.import_id for i in store.imports() if i.undone_at is None)
            assert store.undo_import(number, who="w").removed > 0
        assert_same_sites(two.read_sites(), one.read_sites())
        assert two.claims() == one.claims() == [TOTAL]
        new = one.import_sites(sites_of(20), name="n", who="w")
        assert two.import_sites(sites_of(20), name="n", who="w") == new
        assert versions(two) == versions(one)
        assert two.check() == []


def test_a_store_that_holds_anything_is_no_target(store, tmp_path):
    with open_store(tmp_path / "source.gpkg") as source:
        source.save_sites(sites_of(2), who="w")
        store.set_note("scheme:a", "mine")
        token = store.data_version()
        with pytest.raises(StoreError, match=r"is not empty \(1 meta\)"):
            source.copy_to(store)
        assert store.data_version() == token
        store.drop_note("scheme:a")
        source.copy_to(store)
        with pytest.raises(StoreError, match=r"is not empty \(2 sites, 2 history\)"):
            source.copy_to(store)


def test_a_copy_that_breaks_off_leaves_the_target_empty(store, tmp_path):
    with open_store(tmp_path / "source.gpkg") as source:
        source.save_sites(sites_of(3), who="w")
        with raw(tmp_path / "source.gpkg") as db:
            db.execute("DROP TRIGGER rtree_sites_geom_update6")
            db.execute("UPDATE sites SET geom = x'47500001e6100000ff' WHERE site_id = 's1'")
        with pytest.raises(StoreError, match="s1: a shape that cannot be read"):
            source.copy_to(store)
    assert store.read_sites().empty
    assert store.history("s0") == []
    assert store.save_sites(sites_of(1), who="w").added == 1
    assert store.check() == []


def test_an_edit_from_outside_is_seen_after_a_copy_too(location, tmp_path):
    with open_store(tmp_path / "source.gpkg") as source, open_store(location) as store:
        source.save_sites(sites_of(2), who="w")
        source.copy_to(store)
        with raw(location) as db:
            db.execute(
                "INSERT INTO sites (kind, name, status, precision, reason) VALUES"
                " ('enterprise', 'n', 'stopped', 'none', 'no_coordinate')"
            )
        assert versions(store) == {"s0": 1, "s1": 1, "out-3": 1}
        assert store.history("out-3")[0].source == "outside"


def test_the_command_copies_and_says_how_much(tmp_path):
    source, target = tmp_path / "a.gpkg", tmp_path / "b.gpkg"
    with open_store(source) as store:
        store.save_sites(sites_of(3), who="w")
    command = [sys.executable, "-m", "geo", "copy", "--from", str(source), "--to", str(target)]

    def run():
        return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=os.environ)

    done = run()
    assert (done.returncode, json.loads(done.stdout)["copied"]["sites"]) == (0, 3)
    assert "sites 3/3" in done.stderr
    again = run()
    assert again.returncode == 2
    assert "is not empty" in again.stderr
