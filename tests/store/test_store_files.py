"""What `open_store` takes, what it refuses, and what becomes of the file."""

import os
import shutil
import sqlite3
import struct
import threading
from contextlib import closing
from pathlib import Path

import pytest
from store_samples import assert_same_sites, correction_of, raw, sites_of, without_newer_tables

from geo.errors import StoreError
from geo.store import _connection, _file, _schema, open_store
from geo.store.geopackage import _query


def _bytes(folder):
    files = (p for p in folder.iterdir() if not p.name.endswith(("-shm", "-wal")))
    return {p.name: p.read_bytes() if p.is_file() else None for p in files}


def _refused(path, text, *, folder=None):
    """Open a path, expect a refusal without the folder's name in it, and no trace of the attempt."""
    before = _bytes(path.parent)
    with pytest.raises(StoreError, match=text) as caught:
        open_store(path)
    assert str(path.parent) not in str(caught.value)
    assert _bytes(path.parent) == before


@pytest.mark.parametrize(
    "form", ["{}", "gpkg://{}", "GPKG:{}", pytest.param("path", id="a Path object")]
)
def test_a_store_opens_by_path_and_by_gpkg_url_and_makes_its_folder(tmp_path, form):
    path = tmp_path / "新文件夹" / "a b" / "白塔#1.gpkg"
    url = path if form == "path" else form.format(str(path))
    if form != "path" and form != "{}":
        url = url.replace(" ", "%20").replace("#", "%23")
    with open_store(url) as store:
        store.save_sites(sites_of(1), who="w")
    assert path.is_file()
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_a_relative_path_stays_where_it_was_when_the_program_moves(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with open_store("gpkg:sub/sites.gpkg") as store:
        monkeypatch.chdir("/")
        store.save_sites(sites_of(1), who="w")
    assert (tmp_path / "sub" / "sites.gpkg").is_file()


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("mysql://user:secret@host/db", "a store cannot be at mysql://; give the path"),
        ("sqlite:///a.db", "a store cannot be at sqlite://"),
        ("gpkg://data/sites.gpkg", "names more than a file"),
        ("gpkg:///a.gpkg?mode=ro", "names more than a file"),
        ("gpkg:", "has no path"),
        ("", "has no path"),
        ("a\0b.gpkg", "has no path"),
    ],
)
def test_any_other_url_is_refused_with_what_is_supported_and_without_its_password(url, text):
    with pytest.raises(StoreError, match=text) as caught:
        open_store(url)
    assert "secret" not in str(caught.value)
    assert "gpkg:///path" in str(caught.value)


def test_a_file_that_is_no_geopackage_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "sites.gpkg"
    path.write_bytes(b"name,status\n" * 500)
    _refused(path, r"^sites\.gpkg: it is not a GeoPackage")
    path.write_bytes(b"")
    _refused(path, r"^sites\.gpkg is empty")
    path.unlink()
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE sites (a)")
    _refused(path, r"^sites\.gpkg is not a GeoPackage")
    path.unlink()
    path.mkdir()
    _refused(path, r"^sites\.gpkg is not a file")


def test_a_geopackage_of_another_program_is_refused_and_left_alone(tmp_path):
    pyogrio = pytest.importorskip("pyogrio")
    path = tmp_path / "roads.gpkg"
    pyogrio.write_dataframe(sites_of(2), path, layer="sites", driver="GPKG")
    _refused(path, "is a GeoPackage but not a store of this app")


def _with_meta(path, key, value):
    with raw(path) as db:
        db.execute("UPDATE meta SET value = ? WHERE key = ?", (value, key))


def test_a_store_of_a_newer_app_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "sites.gpkg"
    open_store(path).close()
    _with_meta(path, "schema_version", "99")
    _refused(
        path, f"newer version of this app .format 99, this one knows {_schema.SCHEMA_VERSION}."
    )
    _with_meta(path, "schema_version", "ninety-nine")
    _refused(path, "does not say how it was made")


def test_an_older_store_is_brought_up_to_date_step_by_step_once(tmp_path, monkeypatch):
    path = tmp_path / "sites.gpkg"
    with open_store(path) as store:
        store.save_sites(sites_of(1), who="w")
    steps = []
    now = _schema.SCHEMA_VERSION
    for version in (now, now + 1):
        monkeypatch.setitem(
            _schema.MIGRATIONS, version, lambda db, v=version: steps.append((v, db.in_transaction))
        )
    monkeypatch.setattr(_schema, "SCHEMA_VERSION", now + 2)
    for _ in range(2):
        with open_store(path) as store:
            assert store.meta("schema_version") == str(now + 2)
            assert_same_sites(store.read_sites(), sites_of(1))
    assert steps == [(now, True), (now + 1, True)]


def test_a_store_of_format_1_gets_the_index_of_format_2(tmp_path):
    path = tmp_path / "sites.gpkg"
    with open_store(path) as store:
        store.save_sites(sites_of(3), who="w")
    with raw(path) as db:
        db.execute("DROP INDEX sites_fid")
        db.execute("CREATE INDEX sites_status ON sites (status, kind)")
        without_newer_tables(db)
    _with_meta(path, "schema_version", "1")
    with open_store(path) as store:
        assert store.query_sites((123, 41, 124, 42), status="stopped").shape[0] == 3
        assert_same_sites(store.read_sites(), sites_of(3))
        assert store.check() == []


def test_a_migration_that_fails_leaves_the_old_store(tmp_path, monkeypatch):
    path, now = tmp_path / "sites.gpkg", _schema.SCHEMA_VERSION
    open_store(path).close()

    def fail(db):
        db.execute("DROP TABLE claims")
        db.execute("SELECT * FROM nowhere")

    with monkeypatch.context() as patched:
        patched.setattr(_schema, "SCHEMA_VERSION", now + 1)
        patched.setitem(_schema.MIGRATIONS, now, fail)
        with pytest.raises(StoreError, match="nothing was saved"):
            open_store(path)
    with open_store(path) as store:
        assert store.meta("schema_version") == str(now)
        assert store.claims() == []


@pytest.mark.parametrize("page", [0, 1, 3, 20])
def test_a_damaged_file_is_reported_not_repaired_and_never_shows_wrong_sites(tmp_path, page):
    path = tmp_path / "sites.gpkg"
    with open_store(path) as store:
        store.save_sites(sites_of(200), who="w")
    with path.open("r+b") as file:
        file.seek(page * 4096 + (0 if page else 100))
        file.write(b"\xde\xad" * (1998 if page == 0 else 2048))
    before = path.read_bytes()
    told = []
    try:
        with open_store(path) as store:
            told += store.check()
            assert_same_sites(store.read_sites(), sites_of(200))  # the damage is elsewhere
    except StoreError as error:
        told.append(str(error))
    assert "damaged" in told[0] or "GeoPackage" in told[0]
    assert str(tmp_path) not in "".join(told)
    assert path.read_bytes() == before


def test_a_store_that_vanishes_or_is_replaced_is_noticed_at_once(tmp_path):
    path, copy = tmp_path / "sites.gpkg", tmp_path / "copy.gpkg"
    with open_store(path) as store:
        store.save_sites(sites_of(1), who="w")
        store.backup(copy)
        store.update_site("s0", {"note": "newer"}, version=1, who="w")
        path.unlink()
        with pytest.raises(StoreError, match=r"^sites\.gpkg is gone"):
            store.update_site("s0", {"note": "lost?"}, version=2, who="w")
        assert not path.exists()
        for suffix in ("-wal", "-shm"):
            Path(f"{path}{suffix}").unlink(missing_ok=True)
        shutil.copy(copy, path)
        assert_same_sites(store.read_sites(), sites_of(1))
        assert store.update_site("s0", {"note": "kept"}, version=1, who="w") == 2
    with open_store(path) as store:
        assert store.site("s0")["note"] == "kept"


def test_a_closed_store_says_so(tmp_path):
    store = open_store(tmp_path / "sites.gpkg")
    store.close()
    store.close()
    with pytest.raises(StoreError, match=r"^sites\.gpkg was closed"):
        store.read_sites()


def test_many_threads_that_open_one_new_store_share_it(tmp_path):
    path, errors = tmp_path / "sites.gpkg", []

    def work(number):
        try:
            with open_store(path) as store:
                store.set_meta(f"k{number}", "v")
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert errors == []
    with open_store(path) as store:
        assert [store.meta(f"k{n}") for n in range(8)] == ["v"] * 8
    assert [p.name for p in tmp_path.iterdir()] == ["sites.gpkg"]


def test_clicks_in_new_threads_share_a_few_connections(tmp_path, monkeypatch):
    opened, connect = [], _connection.connect
    with open_store(tmp_path / "sites.gpkg") as store:
        monkeypatch.setattr(_connection, "connect", lambda path: opened.append(1) or connect(path))
        for _ in range(20):
            thread = threading.Thread(target=store.data_version)
            thread.start()
            thread.join()
    assert len(opened) == 1


def test_a_store_opened_before_a_fork_is_refused_in_the_child(tmp_path):
    with open_store(tmp_path / "sites.gpkg") as store:
        store.data_version()
        store._connections._process += 1  # as a child would see it
        with pytest.raises(StoreError, match="open it in each process"):
            store.data_version()
        store._connections._process -= 1


def test_a_store_that_stays_locked_is_reported_in_plain_words(tmp_path, monkeypatch):
    monkeypatch.setattr(_connection, "BUSY_S", 0.1)
    path = tmp_path / "sites.gpkg"
    with open_store(path) as store:
        store.save_sites(sites_of(1), who="w")
        with raw(path) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreError, match=r"^sites\.gpkg: another program kept it locked"):
                store.update_site("s0", {"note": "x"}, version=1, who="w")
            assert len(store.read_sites()) == 1  # reading goes on
            other.execute("ROLLBACK")
        assert store.update_site("s0", {"note": "x"}, version=1, who="w") == 2


def test_a_folder_that_cannot_be_made_is_reported_without_its_name(tmp_path):
    # Below a file nobody can make a folder, not even root.
    (tmp_path / "occupied").write_text("", encoding="utf-8")
    with pytest.raises(StoreError) as caught:
        open_store(tmp_path / "occupied" / "store" / "sites.gpkg")
    assert str(tmp_path) not in str(caught.value)


# --- backups ---------------------------------------------------------------------------------------


def test_a_backup_opens_and_equals_the_store_while_others_write(tmp_path):
    with open_store(tmp_path / "sites.gpkg") as store:
        store.save_sites(sites_of(50), who="w")
        store.add_correction(correction_of())
        store.set_meta("notice", "x")
        target = store.backup(tmp_path / "backups" / "2020-03-11.gpkg")
        store.update_site("s1", {"note": "later"}, version=1, who="w")
        expected, corrections = store.read_sites(), store.corrections()
    expected.loc[1, ["note", "version"]] = ["", 1]
    assert [p.name for p in target.parent.iterdir()] == [target.name]
    with open_store(target) as copy:
        assert_same_sites(copy.read_sites(), expected)
        assert copy.corrections() == corrections
        assert copy.meta("notice") == "x"
        assert len(copy.history("s0")) > 1
        assert copy.query_sites((123.19, 41.29, 123.21, 41.31))["site_id"].tolist() == ["s0"]
        assert copy.check() == []


def test_a_backup_never_overwrites(tmp_path):
    with open_store(tmp_path / "sites.gpkg") as store:
        for name in ("sites.gpkg", "other.txt"):
            target = tmp_path / name
            if name == "other.txt":
                target.write_text("mine")
            before = target.read_bytes()
            with pytest.raises(StoreError, match=f"^{name} is there already"):
                store.backup(target)
            assert target.read_bytes() == before
    assert sorted(p.name for p in tmp_path.glob("[!s]*")) == ["other.txt"]


def test_a_backup_of_a_name_taken_at_the_last_moment_leaves_that_file(tmp_path, monkeypatch):
    target = tmp_path / "copy.gpkg"
    verify = _file.verify
    monkeypatch.setattr(_file, "verify", lambda path: (verify(path), target.write_text("mine")))
    with open_store(tmp_path / "sites.gpkg") as store, pytest.raises(StoreError, match="already"):
        store.backup(target)
    assert target.read_text() == "mine"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["copy.gpkg", "sites.gpkg"]


def test_a_file_system_without_links_gets_the_same_files(tmp_path, monkeypatch):
    def no_links(source, target):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    with open_store(tmp_path / "sites.gpkg") as store:
        store.backup(tmp_path / "copy.gpkg")
        with pytest.raises(StoreError, match="already"):
            store.backup(tmp_path / "copy.gpkg")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["copy.gpkg", "sites.gpkg"]


def test_the_header_of_the_file_says_geopackage_and_write_ahead_log(tmp_path):
    path = tmp_path / "sites.gpkg"
    open_store(path).close()
    header = path.read_bytes()[:100]
    assert header[68:72] == b"GPKG"
    assert struct.unpack(">i", header[60:64])[0] == 10400
    assert header[18:20] == b"\x02\x02"


def test_a_backup_brought_back_never_repeats_a_data_version(tmp_path):
    """What a browser keeps under a data version must never be another map."""
    with open_store(tmp_path / "a.gpkg") as store:
        store.save_sites(sites_of(1), who="w")
        store.backup(tmp_path / "b.gpkg")
        seen = {store.data_version(): "old"}
        for n in range(3):
            store.update_site("s0", {"note": f"a{n}"}, version=1 + n, who="w")
            seen[store.data_version()] = f"a{n}"
    with open_store(tmp_path / "b.gpkg") as store:
        assert seen[store.data_version()] == "old"
        for n in range(3):
            store.update_site("s0", {"note": f"b{n}"}, version=1 + n, who="w")
            assert store.data_version() not in seen


@pytest.mark.parametrize("kinds", [(None, None), ("enterprise", "stopped"), (None, "stopped")])
def test_a_box_is_looked_up_in_the_two_small_indexes_before_any_row_is_read(tmp_path, kinds):
    """By way of the table it takes twice as long at a million sites."""
    query, values = _query((0, 0, 1, 1), *kinds)
    with open_store(tmp_path / "sites.gpkg") as store, store._connections.reading() as db:
        plan = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {query}", values)]
    assert plan[0] == "SEARCH s USING INTEGER PRIMARY KEY (rowid=?)"
    assert plan[2].startswith("SCAN r VIRTUAL TABLE INDEX 2:")
    assert plan[3].startswith("SEARCH k USING COVERING INDEX sites_fid (fid=?")
    assert len(plan) == 4  # no sorting
