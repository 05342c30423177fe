"""One table for everybody: read once for each version, replaced after a write, kept a little for who is late."""

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from geo.placing import place_site, undo_place
from geo.store import GeoPackageStore, open_store
from geo.ui.library import DATASETS, KEPT_VERSIONS, Library
from geo.view import SiteFilter

SITE = "prj-hongfei"


def _elsewhere(library: Library) -> GeoPackageStore:
    """Open the bulletin's file once more, as another program would."""
    return open_store(Path(library.settings.store))


def _place(store: GeoPackageStore, n: int = 0) -> None:
    place_site(store, SITE, 123.17 + n / 1000, 41.26, "wgs84", who="wang")


def _reads(library: Library, monkeypatch, dataset: str = "bulletin") -> list[str]:
    """Return a list that grows by a version with every table that is read."""
    store, versions = library.store(dataset), []
    read = store.read_snapshot

    def counted():
        version, sites = read()
        versions.append(version)
        return version, sites

    monkeypatch.setattr(store, "read_snapshot", counted)
    return versions


def test_all_calls_share_one_snapshot(own_library):
    first = own_library.snapshot("bulletin")
    assert own_library.snapshot("bulletin") is first
    assert own_library.at("bulletin", first.version) is first
    assert first.sites is own_library.snapshot("bulletin").sites


def test_the_first_start_has_both_sets_and_they_are_apart(own_library):
    bulletin, demo = (own_library.snapshot(name) for name in DATASETS)
    assert (len(bulletin.sites), bulletin.index.located.sum()) == (16, 1)
    assert not bulletin.fictitious
    assert len(demo.sites) > 500
    assert demo.fictitious
    assert set(bulletin.sites["site_id"]).isdisjoint(demo.sites["site_id"])


def test_a_write_by_another_store_object_makes_a_new_snapshot(own_library):
    before = own_library.snapshot("bulletin")
    with _elsewhere(own_library) as other:
        _place(other)
    after = own_library.snapshot("bulletin")
    assert after.version != before.version
    assert after.index.located.sum() == before.index.located.sum() + 1
    assert own_library.snapshot("bulletin") is after
    # What was handed out does not change under the reader.
    assert before.index.located.sum() == 1


def test_a_write_in_one_set_leaves_the_other_s_snapshot(own_library):
    demo = own_library.snapshot("demo")
    _place(own_library.store("bulletin"))
    assert own_library.snapshot("demo") is demo


def test_an_old_version_is_still_served_and_gone_after_three_more(own_library):
    assert KEPT_VERSIONS == 3
    store = own_library.store("bulletin")
    seen = [own_library.snapshot("bulletin")]
    for n in range(KEPT_VERSIONS):
        assert own_library.at("bulletin", seen[0].version) is seen[0]
        _place(store, n)
        seen.append(own_library.snapshot("bulletin"))
    assert len({snapshot.version for snapshot in seen}) == KEPT_VERSIONS + 1
    assert own_library.at("bulletin", seen[0].version) is None
    for snapshot in seen[1:]:
        assert own_library.at("bulletin", snapshot.version) is snapshot


def test_versions_of_one_set_do_not_push_out_the_other_s(own_library):
    demo = own_library.snapshot("demo")
    for n in range(KEPT_VERSIONS + 1):
        _place(own_library.store("bulletin"), n)
        own_library.snapshot("bulletin")
    assert own_library.at("demo", demo.version) is demo


def test_a_version_that_never_was_and_a_set_that_is_not_there_give_nothing(own_library):
    version = own_library.snapshot("bulletin").version
    assert own_library.at("bulletin", "0-000000000000") is None
    assert own_library.at("demo", version) is None
    assert own_library.at("../demo", version) is None
    with pytest.raises(KeyError):
        own_library.snapshot("nothing")


def test_eight_threads_asking_at_once_read_once(own_library, monkeypatch):
    reads = _reads(own_library, monkeypatch)
    gate = threading.Barrier(8)

    def ask(_):
        gate.wait()
        return own_library.snapshot("bulletin")

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(ask, range(8)))
    assert len(reads) == 1
    assert all(snapshot is found[0] for snapshot in found)


def test_eight_threads_opening_a_set_at_once_open_one_store(own_library):
    gate = threading.Barrier(8)

    def ask(_):
        gate.wait()
        return own_library.store("demo")

    with ThreadPoolExecutor(8) as threads:
        stores = list(threads.map(ask, range(8)))
    assert all(store is stores[0] for store in stores)


def test_readers_beside_a_writer_only_see_whole_versions(own_library):
    """Every snapshot's version names exactly its table: what is cached under it may be kept for ever."""
    stop, seen = threading.Event(), []

    def read():
        while not stop.is_set():
            seen.append(own_library.snapshot("bulletin"))

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    with _elsewhere(own_library) as other:
        for n in range(8):
            _place(other, n)
    stop.set()
    for thread in threads:
        thread.join()
    tables = {}
    for snapshot in seen:
        (row,) = snapshot.sites.index[snapshot.sites["site_id"] == SITE]
        point = snapshot.sites.geometry.iloc[row]
        assert tables.setdefault(snapshot.version, point) == point


def test_undo_shows_the_same_sites_under_a_new_version(own_library):
    before = own_library.snapshot("bulletin")
    store = own_library.store("bulletin")
    _place(store)
    undo_place(store, "wang")
    after = own_library.snapshot("bulletin")
    assert after.version != before.version
    columns = [name for name in before.sites if name != "version"]
    assert after.sites[columns].equals(before.sites[columns])


@pytest.mark.parametrize(
    ("until", "latest"),
    [(None, "2020-03-18"), ("2020-03-11", "2020-03-11"), ("2020-03-17", "2020-03-11")],
)
def test_the_date_of_a_picture_is_the_newest_that_the_filter_lets_in(own_library, until, latest):
    chosen = SiteFilter.from_params({"until": [until] if until else []})
    snapshot = own_library.snapshot("demo")
    kept = snapshot.sites[snapshot.index.mask(chosen)]["as_of"].max()
    expected = "" if kept is None or kept != kept else str(kept.date())
    assert snapshot.provenance(chosen).newest == expected


def test_the_map_says_of_what_is_shown_how_new_it_is_as_a_picture_does(own_library):
    snapshot = own_library.snapshot("bulletin")
    others = [s.key for s in snapshot.categories.statuses if s.kind != "parking"]
    parking = SiteFilter.from_params({"hide": others})
    assert snapshot.provenance(SiteFilter()).newest == "2020-03-11"
    assert snapshot.provenance(parking).newest == "2020-03-10"
    assert set(snapshot.provenance(parking).files) <= set(snapshot.provenance(SiteFilter()).files)


def test_a_row_that_another_program_spoilt_is_set_aside_and_the_rest_is_shown(own_library):
    before = own_library.snapshot("bulletin")
    db = sqlite3.connect(own_library.settings.store)
    for name in ("ST_IsEmpty", "ST_MinX", "ST_MaxX", "ST_MinY", "ST_MaxY"):
        db.create_function(name, 1, lambda blob: None)
    with db:
        db.execute("UPDATE sites SET status = 'sunk' WHERE site_id = ?", (SITE,))
    db.close()
    after = own_library.snapshot("bulletin")
    assert after.aside == ("鸿飞金融中心",)
    assert len(after.sites) == len(before.sites) - 1
    assert SITE not in set(after.sites["site_id"])
    assert after.payload
    assert sum(total for total, _ in after.counts(SiteFilter())) == len(after.sites)
    assert own_library.store("bulletin").site(SITE)["status"] == "sunk"
