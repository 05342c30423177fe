"""The database stops and starts again under the running app: told in both languages, nothing lost or half done."""

import logging
import threading
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from postgres_server import PrivateServer
from starlette.applications import Starlette

from geo.editing import edit_sites
from geo.errors import StoreError
from geo.store import SiteStore, open_store
from geo.ui import answers
from geo.ui.library import Library, get_library
from geo.ui.routes import routes

with warnings.catch_warnings():
    # Starlette would rather have httpx2; either will do.
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

SITE, VERSION, SCHEMES = "prj-hongfei", "/baita/version/bulletin", "/baita/schemes/bulletin"
SCHEME = b'{"name": "weekly", "scheme_id": "a"}'


@dataclass
class Running:
    """A server that can be stopped, and the app on it."""

    database: PrivateServer
    client: TestClient
    library: Library

    @property
    def store(self) -> SiteStore:
        return self.library.store("bulletin")

    def note(self, words: str) -> None:
        edit_sites(
            self.store,
            self.store.read_some([SITE]),
            {"note": words},
            who="lin",
            step_id=1,
            categories=self.library.categories,
        )


@pytest.fixture
def running(private_postgis, tmp_path, monkeypatch) -> Iterator[Running]:
    monkeypatch.setenv("BAITA_STORE", private_postgis.url)
    monkeypatch.setenv("BAITA_WHO", "lin")
    answers._numbers.clear()
    get_library.cache_clear()
    library = get_library()
    library.snapshot("bulletin")
    try:
        with TestClient(Starlette(routes=routes())) as client:
            yield Running(private_postgis, client, library)
    finally:
        private_postgis.stop()
        private_postgis.start()
        get_library.cache_clear()
        library.store("bulletin").close()


def _refused(reply, words: str) -> str:
    assert reply.status_code == 503, reply.text
    assert words in reply.json()["error"]
    assert "postgresql" not in reply.text
    assert "Traceback" not in reply.text
    return reply.json()["number"]


def test_a_database_that_is_stopped_is_told_and_one_that_is_back_is_used(running, caplog):
    client, library = running.client, running.library
    running.note("before")
    before = client.get(VERSION).json()["version"]
    shown = library.snapshot("bulletin")
    running.database.stop()
    caplog.set_level(logging.WARNING)
    number = _refused(client.get(VERSION), "连不上数据库")
    _refused(client.get(VERSION + "?lang=en"), "cannot be reached")
    _refused(client.get(f"/baita/site/bulletin/{SITE}.json"), "连不上数据库")
    _refused(client.post(SCHEMES, content=SCHEME), "连不上数据库")
    _refused(
        client.post("/baita/desk/read?name=a.txt", content="甲公司已复工".encode()), "连不上数据库"
    )
    with pytest.raises(StoreError, match="cannot be reached"):
        running.note("meanwhile")
    # Pages keep what they show; what they ask every second is one line in the log, not one each time.
    assert library.snapshot("bulletin") is shown
    for _ in range(20):
        assert client.get(VERSION).json()["number"] == number
    assert sum(number in record.getMessage() for record in caplog.records) == 1
    assert not any(record.exc_info for record in caplog.records)

    running.database.start()
    assert client.get(VERSION).json()["version"] == before
    site = client.get(f"/baita/site/bulletin/{SITE}.json").json()
    assert site["note"] == "before"
    assert [step["new"] for step in site["history"] if step["field"] == "note"] == ["before"]
    assert client.get(SCHEMES).json()["schemes"] == []
    assert client.get("/baita/desk").json()["drafts"] == []
    assert running.store.check() == []
    running.note("after")
    assert library.snapshot("bulletin") is not shown
    assert client.get(f"/baita/site/bulletin/{SITE}.json").json()["note"] == "after"


def test_a_power_cut_of_the_database_in_the_middle_of_edits_keeps_those_that_were_acknowledged(
    running,
):
    """Each edit either returned, and is there, or raised, and at most the last one may be there as well."""
    said, stop = [], threading.Event()

    def work() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            try:
                running.note(f"n{number}")
            except StoreError:
                continue
            said.append(number)

    worker = threading.Thread(target=work)
    worker.start()
    while len(said) < 5:
        time.sleep(0.01)
    running.database.kill()
    time.sleep(0.3)
    running.database.start()
    while len(said) < 10 or said[-1] - said[4] < 10:
        time.sleep(0.01)
    stop.set()
    worker.join()
    with open_store(running.database.url) as fresh:
        kept = [
            int(one.new[1:])
            for one in fresh.history(SITE)
            if one.field == "note" and one.new[:1] == "n"
        ]
        assert fresh.check() == []
    assert sorted(kept) == sorted(set(kept))
    assert set(said) <= set(kept)
    assert len(set(kept) - set(said)) <= 1


def test_while_the_database_is_away_only_one_thread_waits_for_it(running, monkeypatch):
    """A machine that does not answer at all takes ten seconds to give up: every page asks once a second."""
    from geo.store import _postgres

    running.database.stop()
    assert running.client.get(VERSION).status_code == 503
    entered, leave, calls = threading.Event(), threading.Event(), []
    real = _postgres.psycopg.connect

    def slow(*words, **options):
        calls.append(1)
        entered.set()
        leave.wait(10)
        return real(*words, **options)

    monkeypatch.setattr(_postgres.psycopg, "connect", slow)
    waits = threading.Thread(target=lambda: running.client.get(VERSION))
    waits.start()
    assert entered.wait(5)
    began = time.monotonic()
    for _ in range(5):
        _refused(running.client.get(VERSION), "连不上数据库")
    assert time.monotonic() - began < 2
    assert len(calls) == 1
    leave.set()
    waits.join()
    monkeypatch.undo()
    running.database.start()
    assert running.library.store("bulletin").count_sites() > 10
