"""What only PostGIS has: an address, a server that may go away, a schema that several processes make at once."""

import builtins
import multiprocessing
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import numpy as np
import psycopg
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from postgres_server import NoServer, PrivateServer
from store_samples import (
    PROCESSES,
    assert_same_sites,
    raw,
    site_row,
    sites_of,
    unlocated,
    versions,
    write_updates,
)

from geo.errors import StoreConflict, StoreError
from geo.site import COLUMNS, make_sites
from geo.store import _postgres, _postgres_schema, open_store, postgis
from geo.store._blob import from_point, to_blobs


@pytest.fixture
def url(new_schema):
    return new_schema


@pytest.fixture
def store(url):
    with open_store(url) as opened:
        opened.save_sites(sites_of(3), who="w")
        yield opened


# --- the address -----------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgis", "PostGIS"])
def test_a_store_has_any_of_the_usual_addresses(url, scheme):
    with open_store(url.replace("postgresql", scheme, 1)) as store:
        assert store.read_sites().empty


@pytest.mark.parametrize(
    ("address", "text"),
    [
        ("postgresql://me:secret@127.0.0.1:1/db", "cannot be reached"),
        ("postgresql://me:secret@127.0.0.1:1/db?sslmode=secret", "cannot be re"),
        ("postgresql://me:secret@127.0.0.1:port/db", "cannot be rea"),
        ("postgresql://me:secret@127.0.0.1:1/db?secret=1", "address .* cannot be read"),
        ("postgresql://me:secret@127.0.0.1:1/db?schema=a;b", "schema .* has a name of letters"),
        ("postgresql://me:secret@127.0.0.1:1/db?schema=", "schema .* has a name of letters"),
    ],
)
def test_no_message_shows_an_address(address, text):
    with pytest.raises(StoreError, match=text) as caught:
        open_store(address)
    told = f"{caught.value!r} {caught.value.__cause__!r}"
    assert "secret" not in told
    assert "127.0.0.1" not in told


def test_a_database_that_is_not_there_is_named_as_such(postgis_url):
    with pytest.raises(StoreError, match="there is no database of this name"):
        open_store(urlunsplit(urlsplit(postgis_url)._replace(path="/not_there")))


def test_without_its_packages_a_store_says_what_to_install(monkeypatch):
    real = builtins.__import__

    def without(name, *rest):
        if name.startswith("geo.store.postgis"):
            raise ModuleNotFoundError("No module named 'psycopg'", name="psycopg")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(StoreError, match=r"needs the package psycopg.*geo setup"):
        open_store("postgresql://me:secret@host/db")


# --- making it -------------------------------------------------------------------------------------


def _open_and_close(url, told):
    try:
        open_store(url).close()
        told.put("")
    except Exception as error:
        told.put(repr(error))


def test_processes_that_start_at_once_make_one_store(url):
    forks = multiprocessing.get_context("fork")
    told = forks.Queue()
    processes = [forks.Process(target=_open_and_close, args=(url, told)) for _ in range(6)]
    [p.start() for p in processes]
    assert [told.get(timeout=60) for _ in processes] == [""] * 6
    [p.join(10) for p in processes]
    with raw(url) as db:
        numbers = db.execute("SELECT number FROM migrations").fetchall()
        assert numbers == [(n,) for n in sorted(_postgres_schema.MIGRATIONS)]


def test_a_migration_is_run_once_and_written_down(url, monkeypatch):
    open_store(url).close()
    newest = max(_postgres_schema.MIGRATIONS)
    step = ("a table of its own", lambda path: "CREATE TABLE added (a integer);")
    monkeypatch.setitem(postgis.MIGRATIONS, newest + 1, step)
    for _ in range(2):
        with open_store(url) as store:
            assert store.meta("schema_version") == str(newest + 1)
    with raw(url) as db:
        row = db.execute("SELECT what, at FROM migrations ORDER BY number DESC").fetchone()
        assert row[0] == "a table of its own"
        assert db.execute("SELECT count(*) FROM added").fetchone() == (0,)


def test_a_migration_that_fails_leaves_the_store_as_it_was(url, monkeypatch):
    with open_store(url) as store:
        store.save_sites(sites_of(2), who="w")
    newest = max(_postgres_schema.MIGRATIONS)
    with monkeypatch.context() as patched:
        bad = ("bad", lambda path: "DROP TABLE claims; SELECT * FROM nowhere;")
        patched.setitem(postgis.MIGRATIONS, newest + 1, bad)
        with pytest.raises(StoreError, match="nothing was saved"):
            open_store(url)
    with open_store(url) as store:
        assert store.claims() == []
        assert_same_sites(store.read_sites(), sites_of(2))


def test_a_store_of_a_newer_app_is_refused(url):
    open_store(url).close()
    with raw(url) as db:
        db.execute("INSERT INTO migrations (number, what) VALUES (99, 'later')")
    with pytest.raises(StoreError, match=r"newer version of this app \(format 99"):
        open_store(url)


def test_a_schema_of_another_program_is_refused_and_left_alone(url):
    schema = url.partition("schema=")[2]
    with raw(url) as db:
        db.execute(f"CREATE SCHEMA {schema}")
        db.execute("CREATE TABLE sites (name text)")
    with pytest.raises(StoreError, match="tables of another program"):
        open_store(url)
    with raw(url) as db:
        assert db.execute("SELECT to_regclass('history')").fetchone() == (None,)


def test_two_schemas_are_two_stores(url, store):
    with open_store(f"{url}_other") as other:
        try:
            assert other.read_sites().empty
            other.save_sites(sites_of(1), who="w")
            assert store.count_sites() == 3
            assert other.data_version() != store.data_version()
        finally:
            with raw(url) as db:
                db.execute(f"DROP SCHEMA {url.partition('schema=')[2]}_other CASCADE")


def test_a_database_administrator_finds_real_types_and_indexes(url, store):
    query = (
        "SELECT column_name, data_type FROM information_schema.columns"
        " WHERE table_schema = current_schema AND table_name = %s"
    )
    with raw(url) as db:
        types = dict(db.execute(query, ("sites",)).fetchall())
        assert set(types) == {"fid", "geom", *COLUMNS} - {"geometry"}
        assert types["as_of"].startswith("timestamp")
        assert types["fictitious"] == "boolean"
        at = dict(db.execute(query, ("history",)).fetchall())["at"]
        assert at == "timestamp with time zone"
        row = "SELECT srid, type FROM geometry_columns WHERE f_table_schema = current_schema"
        assert db.execute(row).fetchone() == (4326, "GEOMETRY")
        methods = "SELECT indexdef FROM pg_indexes WHERE tablename = 'sites'"
        assert any("gist (geom)" in row[0] for row in db.execute(methods))


# --- edits from outside ----------------------------------------------------------------------------

_INSERT = "INSERT INTO sites (site_id, kind, name, status, precision, reason) VALUES "


def test_rows_added_in_sql_are_found_versioned_and_in_the_history(url, store):
    token = store.data_version()
    with raw(url) as db:
        db.execute(
            "INSERT INTO sites (kind, name, status, precision, geom)"
            " SELECT 'enterprise', 'n' || i, 'stopped', 'poi',"
            " st_setsrid(st_point(123.5, 41.5), 4326) FROM generate_series(1, 500) AS i"
        )
    assert store.data_version() != token
    assert len(store.query_sites((123.49, 41.49, 123.51, 41.51))) == 500
    drawn = [site_id for site_id in versions(store) if site_id.startswith("out-")]
    assert len(drawn) == 500
    [change] = store.history(drawn[0])
    assert (change.field, change.who, change.source) == ("created", "", "outside")
    assert store.check() == []


def test_a_row_that_was_not_added_after_all_leaves_no_history(url, store):
    with raw(url) as db:
        db.execute(
            f"{_INSERT}('s0', 'enterprise', 'n', 'stopped', 'none', 'no_coordinate')"
            " ON CONFLICT DO NOTHING"
        )
    assert len(store.history("s0")) == 1


def test_an_emptied_table_is_in_the_history(url, store):
    with raw(url) as db:
        db.execute("TRUNCATE sites")
    assert store.count_sites() == 0
    assert [c.field for c in store.history("s1")] == ["deleted", "created"]
    store.save_sites(sites_of(1), who="w")
    assert versions(store) == {"s0": 3}


def test_an_edit_taken_back_outside_was_never_there(url, store):
    before, token = store.read_sites(), store.data_version()
    with raw(url) as db:
        db.execute("BEGIN")
        db.execute("UPDATE sites SET note = 'x'")
        db.execute("ROLLBACK")
    assert_same_sites(store.read_sites(), before)
    assert store.data_version() == token


def test_a_shape_in_another_reference_system_is_refused(url, store):
    with raw(url) as db, pytest.raises(psycopg.errors.CheckViolation):
        db.execute("UPDATE sites SET geom = st_setsrid(geom, 3857)")


def test_check_names_what_is_wrong(url, store):
    faults = {
        "DELETE FROM history WHERE site_id = 's1'": "1 whose history does not end",
        "ALTER TABLE sites DISABLE TRIGGER sites_outside_row": "sites_outside_row is off",
        "UPDATE sites SET status = 'eaten' WHERE site_id = 's0'": "unknown kind or status (s0)",
    }
    assert store.check() == []
    with raw(url) as db:
        for statement, fault in faults.items():
            db.execute(statement)
            assert fault in "; ".join(store.check())


def test_a_writer_and_an_outside_transaction_wait_for_each_other_and_never_for_ever(url, store):
    done = []

    def update():
        done.append(store.update_site("s1", {"note": "ours"}, version=1, who="w"))

    with raw(url) as db:
        db.execute("BEGIN")
        db.execute("UPDATE sites SET note = 'x' WHERE site_id = 's0'")
        thread = threading.Thread(target=update)
        thread.start()
        thread.join(0.3)
        assert thread.is_alive()
        assert store.count_sites() == 3  # readers do not wait
        db.execute("UPDATE sites SET note = 'x' WHERE site_id = 's2'")
        db.execute("COMMIT")
        thread.join(10)
    assert done == [2]
    assert versions(store) == {"s0": 2, "s1": 2, "s2": 2}


def test_a_store_that_stays_locked_is_reported_in_plain_words(url, store):
    store._connections.use(store._connections._settings + "SET lock_timeout TO '100ms';")
    with raw(url) as db:
        db.execute("BEGIN")
        db.execute("UPDATE sites SET note = 'x' WHERE site_id = 's0'")
        with pytest.raises(StoreError, match=r"^PostGIS: another program kept it locked"):
            store.update_site("s1", {"note": "x"}, version=1, who="w")
        db.execute("ROLLBACK")
    assert store.update_site("s1", {"note": "x"}, version=1, who="w") == 2


# --- connections that are lost ----------------------------------------------------------------------


def _end_sessions(url, but=0):
    """End every session of the store, as a restart of the server does."""
    with raw(url) as db:
        db.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE application_name = 'baita-one-map' AND pid <> %s",
            (but,),
        )


def test_a_lost_connection_is_made_anew_without_a_word(url, store):
    store.read_sites()
    _end_sessions(url)
    assert store.count_sites() == 3
    _end_sessions(url)
    assert store.update_site("s0", {"note": "x"}, version=1, who="w") == 2
    _end_sessions(url)
    assert len(store.read_snapshot()[1]) == 3


def test_a_connection_lost_before_the_commit_saved_nothing_and_says_so(url, store):
    def write():
        with store._connections.writing() as db:
            db.execute("UPDATE sites SET note = 'x' WHERE site_id = 's0'")
            _end_sessions(url)
            db.execute("UPDATE sites SET note = 'y' WHERE site_id = 's0'")

    with pytest.raises(StoreError, match="nothing was saved"):
        write()
    assert store.site("s0")["note"] == ""


@pytest.mark.parametrize("arrived", [True, False])
def test_a_connection_lost_at_the_commit_asks_the_server_what_became_of_it(
    url, store, monkeypatch, arrived
):
    real = psycopg.Connection.execute

    def lose(connection, statement, *rest, **options):
        if isinstance(statement, bytes) and statement.endswith(b"COMMIT"):
            monkeypatch.undo()
            if arrived:
                real(connection, statement, *rest, **options)
            connection.close()
            raise psycopg.OperationalError("server closed the connection unexpectedly")
        return real(connection, statement, *rest, **options)

    monkeypatch.setattr(psycopg.Connection, "execute", lose)
    if arrived:
        assert store.update_site("s0", {"note": "x"}, version=1, who="w") == 2
    else:
        with pytest.raises(StoreError, match=r"the connection .* broke; nothing was saved"):
            store.update_site("s0", {"note": "x"}, version=1, who="w")
    assert versions(store)["s0"] == (2 if arrived else 1)


def test_if_nobody_can_tell_the_person_is_told_so(url, store, monkeypatch):
    monkeypatch.setattr(_postgres, "_ASK_AFTER_S", (0.0, 0.0))
    monkeypatch.setattr(_postgres.PostgresConnections, "_status", lambda self, xid: "")
    with pytest.raises(StoreError, match="nobody can tell whether it was saved"):
        store._connections.settle("1")


def test_a_store_opened_before_a_fork_works_in_both(url, store):
    store.count_sites()
    forks = multiprocessing.get_context("fork")
    told = forks.Queue()
    child = forks.Process(target=lambda: told.put(store.count_sites()))
    child.start()
    assert told.get(timeout=20) == 3
    child.join(10)
    assert store.count_sites() == 3


def test_what_was_acknowledged_survives_the_end_of_the_server_itself():
    """Its processes are all killed in the middle of writing, as a power cut does, and started again."""
    with _own_server() as server:
        url = f"{server.url}&schema=cut"
        with open_store(url) as store:
            store.save_sites(sites_of(5), who="w")
        total = 0
        for kill in range(max(2, int(os.environ.get("BAITA_KILLS", "0")) // 10)):
            reader, writer = os.pipe()
            workers = [
                PROCESSES.Process(target=write_updates, args=(url, 10_000, writer, seed))
                for seed in range(2)
            ]
            [w.start() for w in workers]
            os.close(writer)
            first = os.read(reader, 4096).decode()
            time.sleep(0.05 + 0.01 * kill)
            server.kill()
            [os.kill(w.pid, signal.SIGKILL) for w in workers]
            [w.join() for w in workers]
            with os.fdopen(reader) as file:
                acknowledged = {tuple(line.split()) for line in (first + file.read()).splitlines()}
            server.start()
            with open_store(url) as store:
                assert store.check() == []
                written = {
                    (f"s{n}", str(change.version))
                    for n in range(5)
                    for change in store.history(f"s{n}")
                }
            assert acknowledged <= written
            total += len(acknowledged)
        assert total > kill  # one at least each time


def test_a_closed_store_says_so(url):
    store = open_store(url)
    store.close()
    with pytest.raises(StoreError, match=r"^PostGIS was closed"):
        store.read_sites()


def test_a_stale_writer_meets_the_edit_made_in_sql(url, store):
    with raw(url) as db:
        db.execute("UPDATE sites SET status = 'resumed' WHERE site_id = 's0'")
    with pytest.raises(StoreConflict):
        store.update_site("s0", {"status": "partial"}, version=1, who="w")


# --- much ------------------------------------------------------------------------------------------


def test_many_rows_go_in_as_few_do(store):
    rows = [site_row(n, note="\t\\N\n'\"", as_of=None, raw_x=0.1 + 0.2) for n in range(3, 300)]
    rows += [unlocated(300), site_row(301, geometry=shapely.Point(1, 2, 3), fictitious=True)]
    sites = make_sites(rows)
    assert store.save_sites(sites, who="w").added == len(rows)
    found = store.read_sites().iloc[3:]
    assert_same_sites(found, sites)
    assert store.save_sites(sites.assign(street="南门街道"), who="w").changed == len(rows)
    assert store.check() == []


def test_a_percent_sign_is_one_with_values_and_without(store):
    with store._connections.reading() as db:
        assert db.execute("SELECT 7 % 4, '%s'").fetchone() == (3, "%s")
        assert db.execute("SELECT 7 % 4, '%s' || ?", ("x",)).fetchone() == (3, "%sx")


def test_a_backup_is_a_geopackage_of_this_moment(store, tmp_path):
    store.set_meta("notice", "x")
    path = store.backup(tmp_path / "copies" / "a.gpkg")
    with open_store(path) as copy:
        assert_same_sites(copy.read_sites(), store.read_sites())
        assert copy.history("s0") == store.history("s0")
        assert copy.check() == []
    with pytest.raises(StoreError, match="already"):
        store.backup(path)
    assert [p.name for p in path.parent.iterdir()] == ["a.gpkg"]


def test_an_acknowledged_write_waits_for_the_disk_whatever_the_server_says(url, store, postgis_url):
    schema = url.partition("schema=")[2]
    with closing(psycopg.connect(postgis_url, autocommit=True)) as db:
        name = db.execute("SELECT current_user").fetchone()[0]
        db.execute(f'ALTER ROLE "{name}" SET synchronous_commit TO off')
        try:
            with open_store(url) as other, other._connections.reading() as ours:
                assert ours.execute("SHOW synchronous_commit").fetchone() == ("on",)
                assert ours.execute("SELECT current_schema").fetchone() == (schema,)
        finally:
            db.execute(f'ALTER ROLE "{name}" RESET synchronous_commit')


@given(x=st.floats(allow_nan=False), y=st.floats(allow_nan=False))
def test_the_quick_way_for_a_point_gives_the_same_blob(x, y):
    wkb = shapely.to_wkb(shapely.Point(x, y), flavor="iso", byte_order=1)
    [expected] = to_blobs(np.array([shapely.from_wkb(wkb)], dtype=object))
    assert from_point(wkb) == expected
    assert from_point(shapely.to_wkb(shapely.Point(1, 2, 3), flavor="iso")) is None


# --- full disks ------------------------------------------------------------------------------------


@contextmanager
def _own_server(folder=None):
    try:
        server = PrivateServer(folder)
    except NoServer as reason:
        pytest.skip(str(reason))
    with server:
        yield server


@pytest.fixture
def small_disk(tmp_path):
    # Not below pytest's own folder, where the server's account may not look.
    folder = Path(tempfile.mkdtemp(prefix="baita-disk-"))
    mount = ["mount", "-t", "tmpfs", "-o", "size=256m,mode=0777", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(mount, capture_output=True).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        folder.rmdir()
        pytest.skip("only root can mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)
    folder.rmdir()


def _fill_disk(folder, leave=0):
    found = os.statvfs(folder)
    (folder / "filler").write_bytes(b"x" * (found.f_bavail * found.f_frsize - leave))


def test_a_full_disk_of_tables_is_named_and_nothing_is_lost(small_disk):
    with _own_server() as server:
        tables = small_disk / "tables"
        tables.mkdir(mode=0o777)
        shutil.chown(tables, "postgres")
        with closing(psycopg.connect(server.url, autocommit=True)) as db:
            db.execute(f"CREATE TABLESPACE small LOCATION '{tables}'")
            db.execute("CREATE DATABASE small TABLESPACE small")
        url = urlunsplit(urlsplit(server.url)._replace(path="/small"))
        with open_store(url) as store:
            store.save_sites(sites_of(50), who="w")
            before, token = store.read_sites(), store.data_version()
            _fill_disk(small_disk, leave=100_000)
            with pytest.raises(StoreError, match=r"^PostGIS: the disk is full; nothing was saved"):
                store.save_sites(sites_of(20_000, geometry=shapely.Point(123.2, 41.3)), who="w")
            assert_same_sites(store.read_sites(), before)
            assert store.data_version() == token
            (small_disk / "filler").unlink()
            assert store.update_site("s0", {"note": "room again"}, version=1, who="w") == 2
            assert store.check() == []


def test_a_full_disk_of_the_whole_server_loses_nothing_that_was_acknowledged(small_disk):
    home = small_disk / "cluster"
    home.mkdir()
    with _own_server(home) as server, open_store(server.url) as store:
        store.save_sites(sites_of(5), who="w")
        _fill_disk(small_disk, leave=3_000_000)
        versions_seen, told = {}, ""
        try:
            for step in range(5_000):  # until the log finds no room any more
                site = store.site(f"s{step % 5}")
                change = {"note": os.urandom(8_000).hex()}
                done = store.update_site(
                    site["site_id"], change, version=int(site["version"]), who="w"
                )
                versions_seen[site["site_id"]] = done
        except StoreError as error:
            told = str(error)
        assert told.startswith("PostGIS: ")
        assert "disk is full" in told or "connection" in told or "database" in told
        (small_disk / "filler").unlink()
        server.stop()
        server.start()
        found = versions(store)
        assert all(found[site_id] >= done for site_id, done in versions_seen.items())
        assert versions_seen
        assert (
            sum(found.values()) - sum(({f"s{n}": 1 for n in range(5)} | versions_seen).values())
            <= 1
        )
        assert store.check() == []
        assert store.update_site("s0", {"note": "room"}, version=found["s0"], who="w")
