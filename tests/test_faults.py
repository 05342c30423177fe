"""What breaks around the app: each is told in plain words, the way on works, and nothing is lost."""

import json
import shutil
import sqlite3
import warnings
from contextlib import closing
from pathlib import Path

import pytest
from starlette.applications import Starlette

from geo.errors import SourceError, StoreError
from geo.pipeline import read_prose
from geo.placing import place_site
from geo.store import _connection, open_store
from geo.ui.library import get_library
from geo.ui.routes import routes

with warnings.catch_warnings():
    # Starlette would rather have httpx2; either will do.
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

SCHEMES = "/baita/schemes/bulletin"
SCHEME = json.dumps({"name": "周报", "scheme_id": "a"}).encode()


@pytest.fixture
def app(own_library, monkeypatch):
    """Routes on a store of their own, whose writers do not wait long."""
    monkeypatch.setattr(_connection, "BUSY_S", 0.2)
    with TestClient(Starlette(routes=routes())) as opened:
        yield opened, own_library, Path(own_library.settings.store)


def _told(reply, *words):
    assert reply.status_code == 503
    said = reply.json()["error"]
    assert all(word in said for word in words), said
    assert "/" not in said
    return said


def test_a_store_that_is_locked_for_long_is_read_and_its_writers_told(app):
    client, _library, path = app
    version = client.get("/baita/version/bulletin").json()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        _told(client.post(SCHEMES, content=SCHEME), "占用", "再试")
        _told(client.post(SCHEMES + "?lang=en", content=SCHEME), "locked", "try again")
        assert client.get("/baita/version/bulletin").json() == version
        assert client.get("/baita/site/bulletin/prj-hongfei.json").status_code == 200
        other.execute("ROLLBACK")
    assert client.post(SCHEMES, content=SCHEME).status_code == 200
    assert [one["name"] for one in client.get(SCHEMES).json()["schemes"]] == ["周报"]


def test_a_store_that_is_read_only_is_read_and_its_writers_told(app, monkeypatch):
    client, library, path = app
    library.store("bulletin").close()
    real = _connection.connect
    store = open_store(path)
    monkeypatch.setattr(_connection, "connect", lambda where, mode="rw": real(where, "ro"))
    store._connections.close()
    monkeypatch.setattr(store._connections, "_closed", False)
    library._stores["bulletin"] = store
    assert client.get("/baita/site/bulletin/prj-hongfei.json").status_code == 200
    _told(client.post(SCHEMES, content=SCHEME), "只读")
    _told(client.post(SCHEMES + "?lang=en", content=SCHEME), "read-only")


def test_a_disk_that_is_full_keeps_what_was_there(app, monkeypatch):
    _client, library, _path = app
    store = library.store("bulletin")
    place_site(store, "prj-hongfei", 123.17, 41.26, "wgs84", who="lin")
    take = type(store._connections)._open

    def small(self):
        db = take(self)
        (pages,) = db.execute("PRAGMA page_count").fetchone()
        db.execute(f"PRAGMA max_page_count = {pages}")
        return db

    monkeypatch.setattr(type(store._connections), "_open", small)
    store._connections._idle.clear()
    with pytest.raises(StoreError, match="the disk is full; nothing was saved"):
        store.set_note("draft:x", "甲" * 400_000)
    assert store.notes("draft:") == {}
    assert store.site("prj-hongfei")["precision"] != "none"


def test_a_store_that_is_deleted_while_open_says_so_and_comes_back(app):
    client, library, path = app
    before = client.get("/baita/version/bulletin").json()
    aside = path.with_name("aside.gpkg")
    library.store("bulletin").backup(aside)
    for one in (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")):
        one.unlink(missing_ok=True)
    _told(client.get("/baita/version/bulletin?lang=en"), "is gone")
    _told(client.post(SCHEMES, content=SCHEME), "baita.gpkg")
    assert not path.exists()
    shutil.copyfile(aside, path)
    back = client.get("/baita/version/bulletin")
    assert back.status_code == 200
    assert client.get("/baita/site/bulletin/prj-hongfei.json").status_code == 200
    assert before["version"].split("-")[0] <= back.json()["version"].split("-")[0]


def test_a_store_that_is_no_store_any_more_is_told(app):
    client, library, path = app
    library.store("bulletin").close()
    library._stores.clear()
    for ending in ("-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
    path.write_bytes(b"\0" * 8192)
    _told(client.get("/baita/version/bulletin?lang=en"), "GeoPackage")
    assert path.read_bytes() == b"\0" * 8192
    path.unlink()  # what closes the stores afterwards makes a new one


def test_a_damaged_log_beside_the_store_loses_no_committed_site(app):
    """What was not moved into the file yet may be lost with it; what the file says must stay whole."""
    client, library, path = app
    library.store("bulletin").close()
    library._stores.clear()
    path.with_name(path.name + "-wal").write_bytes(b"garbage" * 9000)
    assert client.get("/baita/site/bulletin/prj-hongfei.json").status_code == 200
    assert len(library.snapshot("bulletin").sites) > 10


@pytest.mark.parametrize("broken", ["", "not = [toml", "[[kind]]\ncode = 1\n"])
def test_broken_categories_are_told_by_every_route(tmp_path, monkeypatch, broken):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "categories.toml").write_text(broken)
    monkeypatch.setenv("BAITA_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("BAITA_STORE", str(tmp_path / "x.gpkg"))
    get_library.cache_clear()
    try:
        with TestClient(Starlette(routes=routes()), raise_server_exceptions=False) as client:
            for path in ("/baita/version/bulletin", "/baita/map/zh", SCHEMES):
                reply = client.get(path)
                assert reply.status_code == 503, (path, reply.text)
                assert str(tmp_path) not in reply.text
                assert reply.headers["x-content-type-options"] == "nosniff"
    finally:
        get_library.cache_clear()


def test_a_data_folder_that_is_missing_is_told_without_its_name(tmp_path, monkeypatch):
    monkeypatch.setenv("BAITA_DATA", str(tmp_path / "secret-place"))
    get_library.cache_clear()
    try:
        with TestClient(Starlette(routes=routes()), raise_server_exceptions=False) as client:
            reply = client.get("/baita/version/bulletin")
            assert reply.status_code == 503
            assert "secret-place" not in reply.text
    finally:
        get_library.cache_clear()


def test_a_text_far_longer_than_a_bulletin_is_refused_at_once(app):
    _, library, _ = app
    with pytest.raises(SourceError, match=r"通报\.txt has 140000 characters.*split it"):
        read_prose(
            "甲公司已复工。" * 20_000,
            "通报.txt",
            settings=library.settings,
            categories=library.categories,
        )
