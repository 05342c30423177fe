"""Nothing that was acknowledged is lost, and nothing half done is seen: threads, processes, kills, full disks."""

import os
import resource
import signal
import subprocess
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
import shapely
from store_samples import (
    PROCESSES,
    assert_same_sites,
    correction_of,
    sites_of,
    versions,
    write_updates,
)

from geo.errors import StoreError
from geo.store import open_store

KILLS = int(os.environ.get("BAITA_KILLS", "10"))
UPDATES = int(os.environ.get("BAITA_UPDATES", "25"))
"""How often a writer is killed, and how often each of eight writes: more of both prove more, and take longer."""


@pytest.fixture
def filled(location):
    return _fill(location)


@pytest.fixture
def path(tmp_path):
    return _fill(tmp_path / "sites.gpkg")


def _fill(location):
    with open_store(location) as store:
        store.save_sites(sites_of(5), who="w")
    return location


def _crowd(count):
    """Return many sites at one place: the first five are the store's own ids."""
    return sites_of(count, geometry=shapely.Point(123.2, 41.3))


def _read_all(pipe):
    os.set_blocking(pipe, True)
    with os.fdopen(pipe) as file:
        return [line.split() for line in file.read().splitlines() if line]


def _assert_all_there(path, acknowledged):
    with open_store(path) as store:
        found = versions(store)
        assert store.check() == []
        written = {
            (site_id, str(c.version))
            for site_id in found
            for c in store.history(site_id)
            if c.field == "note"
        }
    assert {tuple(a) for a in acknowledged} <= written
    return found


def test_eight_processes_that_update_at_once_lose_nothing(filled):
    reader, writer = os.pipe()
    workers = [
        PROCESSES.Process(target=write_updates, args=(filled, UPDATES, writer, seed))
        for seed in range(8)
    ]
    [w.start() for w in workers]
    os.close(writer)
    told = ThreadPoolExecutor(1).submit(_read_all, reader)  # a pipe holds only so much
    [w.join(600) for w in workers]
    assert [w.exitcode for w in workers] == [0] * 8
    acknowledged = told.result()
    assert len(acknowledged) == len({tuple(a) for a in acknowledged}) == 8 * UPDATES
    found = _assert_all_there(filled, acknowledged)
    assert found == dict.fromkeys(found, 1 + 8 * UPDATES // 5)


def test_threads_that_share_a_store_lose_nothing(filled):
    done, errors = Counter(), []

    def work(store, number):
        try:
            for step in range(25):
                while True:
                    version = int(store.site("s0")["version"])
                    try:
                        store.update_site(
                            "s0", {"note": f"{number}.{step}"}, version=version, who="w"
                        )
                        break
                    except StoreError as error:
                        if "changed by somebody else" not in str(error):
                            raise
                done[number] += 1
                store.query_sites((0, 0, 180, 90))
        except Exception as error:
            errors.append(error)

    with open_store(filled) as store:
        threads = [threading.Thread(target=work, args=(store, n)) for n in range(4)]
        [t.start() for t in threads]
        [t.join() for t in threads]
        assert errors == []
        assert versions(store)["s0"] == 1 + sum(done.values()) == 101
        assert len({c.new for c in store.history("s0")}) == 101
        assert store.check() == []


def test_a_reader_never_sees_half_of_a_save(filled):
    stop, seen, errors = threading.Event(), set(), []

    def read(store):
        try:
            while not stop.is_set():
                token, sites = store.read_snapshot()
                seen.add((token, *sites["note"].unique()))
        except Exception as error:
            errors.append(error)

    with open_store(filled) as store:
        reader = threading.Thread(target=read, args=(store,))
        reader.start()
        for step in range(15):
            store.save_sites(sites_of(5, note=f"{step}"), who="w")
        stop.set()
        reader.join()
    assert errors == []
    assert len(seen) > 3
    assert all(len(entry) == 2 for entry in seen)  # one note for all five sites
    assert len({token for token, _ in seen}) == len(seen)  # one table for each data version


def test_a_writer_killed_at_any_moment_loses_nothing_it_acknowledged(filled):
    total = 0
    for kill in range(KILLS):
        reader, writer = os.pipe()
        worker = PROCESSES.Process(target=write_updates, args=(filled, 10_000, writer, kill))
        worker.start()
        os.close(writer)
        first = os.read(reader, 4096).decode()  # it is under way
        time.sleep(0.01 + 0.007 * (kill % 20))
        os.kill(worker.pid, signal.SIGKILL)
        worker.join()
        acknowledged = [line.split() for line in first.splitlines()] + _read_all(reader)
        found = _assert_all_there(filled, acknowledged)
        total += len(acknowledged)
        # At most one more was written than it could tell of, for each kill.
        assert total <= sum(found.values()) - 5 <= total + kill + 1
    assert total >= KILLS  # each of them told of one at least before it was killed


# --- full disks ------------------------------------------------------------------------------------


def _limit_pages(store):
    """Let the file grow no more, as on a full disk; the only connection waits in the pool."""
    with store._connections.reading() as db:
        pages = db.execute("PRAGMA page_count").fetchone()[0]
        db.execute(f"PRAGMA max_page_count = {pages}")


def test_a_save_that_does_not_fit_keeps_the_old_data_and_the_next_one_works(path):
    with open_store(path) as store:
        _limit_pages(store)
        before, token = store.read_sites(), store.data_version()
        with pytest.raises(StoreError, match=r"^sites\.gpkg: the disk is full; nothing was saved"):
            store.save_sites(_crowd(2000), who="w")
        with pytest.raises(StoreError, match="the disk is full"):
            store.update_site("s0", {"note": "x" * 100_000}, version=1, who="w")
        assert_same_sites(store.read_sites(), before)
        assert store.data_version() == token
        assert store.check() == []
        with store._connections.reading() as db:
            assert not db.in_transaction
            db.execute("PRAGMA max_page_count = 1000000")
        assert store.save_sites(_crowd(2000), who="w").added == 1995


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(mount, capture_output=True).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("only root can mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_on_a_disk_that_is_really_full_the_old_data_stays(small_disk, tmp_path):
    path = small_disk / "sites.gpkg"
    with open_store(path) as store:
        store.save_sites(sites_of(50), who="w")
        store.add_correction(correction_of())
        before = store.read_sites()
        with pytest.raises(StoreError, match="the disk is full"):
            store.save_sites(_crowd(8000), who="w")
        assert_same_sites(store.read_sites(), before)
        (small_disk / "filler").write_bytes(b"x" * _free(small_disk))
        names = sorted(os.listdir(small_disk))
        with pytest.raises(StoreError, match="the disk is full"):
            store.backup(small_disk / "copy.gpkg")
        assert sorted(os.listdir(small_disk)) == names
        with pytest.raises(StoreError):
            open_store(small_disk / "new.gpkg")
        assert sorted(os.listdir(small_disk)) == names
        copy = store.backup(tmp_path / "copy.gpkg")
        (small_disk / "filler").unlink()
        assert store.update_site("s1", {"note": "room again"}, version=1, who="w") == 2
        assert store.check() == []
    with open_store(copy) as store:
        assert_same_sites(store.read_sites(), before)


def _free(folder):
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def _write_under_limit(path, result):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with open_store(path) as store:
        resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
        try:
            store.save_sites(_crowd(3000), who="w")
            os.write(result, b"saved")
        except StoreError as error:
            os.write(result, f"{type(error.__cause__).__name__}: {error}".encode())


def test_a_write_the_system_refuses_keeps_the_old_data(path):
    reader, writer = os.pipe()
    worker = PROCESSES.Process(target=_write_under_limit, args=(path, writer))
    worker.start()
    worker.join(30)
    os.close(writer)
    with os.fdopen(reader) as file:
        told = file.read()
    assert told.startswith("OperationalError: sites.gpkg: the disk")
    assert "nothing was saved" in told
    with open_store(path) as store:
        assert_same_sites(store.read_sites(), sites_of(5))
        assert store.check() == []


def test_an_interrupted_write_is_taken_back(filled, monkeypatch):
    from geo.store import _sites

    def interrupt(*args, **options):
        raise KeyboardInterrupt

    with open_store(filled) as store, open_store(filled) as other:
        token = store.data_version()
        with monkeypatch.context() as patched:
            patched.setattr(_sites, "_update_rows", interrupt)
            with pytest.raises(KeyboardInterrupt):
                store.save_sites(sites_of(5, note="x"), who="w")
        assert store.data_version() == token
        other.set_meta("notice", "x")  # nobody holds the lock
        assert len(store.history("s0")) == 1
        assert store.save_sites(sites_of(5, note="x"), who="w").changed == 5
