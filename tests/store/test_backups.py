"""Copies are kept before each import and each day, thinned out, and brought back while others work."""

from datetime import UTC, datetime, timedelta

import pytest
from store_samples import assert_same_sites, sites_of

from geo.errors import StoreError
from geo.store import open_store
from geo.store.backups import KEPT, Why, keep_backup, keep_daily, list_backups
from geo.store.restore import restore_backup

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def store(tmp_path):
    with open_store(tmp_path / "sites.gpkg") as opened:
        opened.save_sites(sites_of(3), who="林工")
        yield opened


def _change(store, status="resumed"):
    version = int(store.site("s0")["version"])
    store.update_site("s0", {"status": status}, version=version, who="林工")


def test_an_import_is_preceded_by_a_copy_of_the_state_before(store):
    before = store.read_sites()
    store.import_sites(sites_of(5, status="partial"), name="a.csv", who="林工")
    [kept] = list_backups(store.path)
    assert kept.why == Why.IMPORT
    with open_store(kept.path) as copy:
        assert_same_sites(copy.read_sites(), before)


def test_nothing_is_copied_twice_nor_an_empty_store(store, tmp_path):
    assert keep_backup(store, Why.IMPORT) is not None
    store.set_note("draft:1", "{}")  # no map changes with it
    assert keep_backup(store, Why.IMPORT) is None
    _change(store)
    assert keep_backup(store, Why.IMPORT) is not None
    with open_store(tmp_path / "empty.gpkg") as empty:
        assert keep_backup(empty, Why.DAILY) is None


def test_a_day_has_one_copy_and_only_if_something_changed(store):
    assert keep_daily(store, now=NOON) is not None
    _change(store)
    assert keep_daily(store, now=NOON + timedelta(hours=23)) is None
    assert keep_daily(store, now=NOON + timedelta(hours=24)) is not None
    assert keep_daily(store, now=NOON + timedelta(hours=49)) is None, "nothing has changed"
    _change(store, "stopped")
    # The clock was a year ahead, and is right again.
    assert keep_daily(store, now=NOON + timedelta(days=365)) is not None
    _change(store)
    assert keep_daily(store, now=NOON + timedelta(days=3)) is not None


def test_old_copies_go_and_those_made_by_hand_stay(store):
    for hour in range(KEPT[Why.IMPORT] + 3):
        _change(store, "partial" if hour % 2 else "resumed")
        keep_backup(store, Why.IMPORT, now=NOON + timedelta(hours=hour))
        keep_backup(store, Why.HAND, now=NOON + timedelta(hours=hour))
    kept = list_backups(store.path)
    assert sum(one.why == Why.IMPORT for one in kept) == KEPT[Why.IMPORT]
    assert sum(one.why == Why.HAND for one in kept) == KEPT[Why.IMPORT] + 3
    assert min(one.at for one in kept if one.why == Why.IMPORT) == NOON + timedelta(hours=3)


def test_files_of_others_in_the_folder_are_left_alone(store, tmp_path):
    folder = tmp_path / "backups"
    folder.mkdir()
    for name in ("demo-20260301-120000-hand.gpkg", "notes.gpkg", "sites-1-hand.gpkg"):
        (folder / name).write_bytes(b"x")
    keep_backup(store)
    assert len(list_backups(store.path)) == 1
    assert len(list(folder.iterdir())) == 4


def test_a_restore_is_seen_by_who_has_the_store_open_and_keeps_the_state_before(store):
    kept, version = keep_backup(store), store.data_version()
    before = store.read_sites()
    store.import_sites(sites_of(9, status="partial"), name="a.csv", who="林工")
    wrong = store.read_sites()
    aside = restore_backup(kept.path, store.path, who="王工")
    assert store.data_version() == version
    assert_same_sites(store.read_sites(), before)
    assert store.check() == []
    assert (store.audit()[0].action, store.audit()[0].who) == ("restore", "王工")
    _change(store)  # it can be written at once
    with open_store(aside.path) as copy:
        assert_same_sites(copy.read_sites(), wrong)


@pytest.mark.parametrize("harm", ["overwritten", "cut", "missing"])
def test_a_damaged_store_is_set_aside_and_the_backup_takes_its_place(tmp_path, harm):
    path = tmp_path / "sites.gpkg"
    with open_store(path) as store:
        store.save_sites(sites_of(400), who="林工")
        kept, before = keep_backup(store), store.read_sites()
    data = path.read_bytes()
    if harm == "missing":
        path.unlink()
    else:
        path.write_bytes(
            b"\xff" * 5000 + data[5000:] if harm == "overwritten" else data[: len(data) // 2]
        )
    assert restore_backup(kept.path, path, who="林工") is None
    with open_store(path) as store:
        assert_same_sites(store.read_sites(), before)
        assert store.check() == []
    bad = list((tmp_path / "backups").glob("*.bad"))
    assert len(bad) == (harm != "missing"), "what is damaged is kept"


def test_what_is_no_whole_store_is_refused_and_nothing_is_touched(store, tmp_path):
    before = store.read_sites()
    kept = keep_backup(store)
    cut = tmp_path / "cut.gpkg"
    cut.write_bytes(kept.path.read_bytes()[:8192])
    (tmp_path / "text.gpkg").write_text("no store")
    for bad in (cut, tmp_path / "text.gpkg", tmp_path / "absent.gpkg", tmp_path):
        with pytest.raises(StoreError):
            restore_backup(bad, store.path, who="林工")
    assert_same_sites(store.read_sites(), before)


def test_a_copy_of_the_store_beside_it_is_not_put_over_this_one(store, tmp_path):
    """Both sets of an installation share a folder of backups."""
    before = store.read_sites()
    with open_store(tmp_path / "demo.gpkg") as demo:
        demo.save_sites(sites_of(7), who="林工")
        kept, others = keep_backup(demo), demo.read_sites()
    with pytest.raises(StoreError, match=r"is a backup of demo\.gpkg, not of sites\.gpkg"):
        restore_backup(kept.path, store.path, who="林工")
    assert_same_sites(store.read_sites(), before)
    elsewhere = kept.path.rename(tmp_path / kept.path.name)
    restore_backup(elsewhere, store.path, who="林工")
    assert_same_sites(store.read_sites(), others)


def test_without_room_for_the_copy_an_import_is_not_begun(store, tmp_path):
    (tmp_path / "backups").write_text("a file where the folder should be")
    before = store.data_version()
    with pytest.raises(StoreError, match="nothing was changed"):
        store.import_sites(sites_of(5), name="a.csv", who="林工")
    assert store.data_version() == before
