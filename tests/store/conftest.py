"""Every store a contract test runs on: a GeoPackage, and PostGIS where there is a server."""

import itertools
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from postgres_server import NoServer, give_server

from geo.store import open_store

KINDS = ("gpkg", "postgis")
_numbers = itertools.count()


@pytest.fixture(scope="session")
def postgis_url() -> Iterator[str]:
    """The address of a database; each test takes a schema of its own."""
    try:
        url, server = give_server()
    except NoServer as reason:
        tell = pytest.fail if os.environ.get("CI") else pytest.skip
        tell(str(reason))
    yield url
    if server is not None:
        server.__exit__()


@pytest.fixture
def new_schema(postgis_url: str) -> Iterator[str]:
    """The address of a schema that is not there yet, and is gone after the test."""
    yield from _new_schema(postgis_url)


def _new_schema(url: str) -> Iterator[str]:
    import psycopg

    name = f"test_{os.getpid()}_{next(_numbers)}"
    yield f"{url}{'&' if '?' in url else '?'}schema={name}"
    with closing(psycopg.connect(url, autocommit=True)) as db:
        db.execute(f"DROP SCHEMA IF EXISTS {name} CASCADE")


@pytest.fixture(params=KINDS)
def location(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    """Where a test's store is to be: a path, then an address. Nothing is there yet."""
    if request.param == "gpkg":
        return tmp_path / "sites.gpkg"
    return request.getfixturevalue("new_schema")


@pytest.fixture
def store(location):
    """An empty store, of each kind in turn."""
    with open_store(location) as opened:
        yield opened


@pytest.fixture(scope="session", params=KINDS)
def lasting_store(request, tmp_path_factory):
    """One store for all examples of all laws; it does not wait for the disk."""
    if request.param == "gpkg":
        with open_store(tmp_path_factory.mktemp("laws") / "sites.gpkg") as store:
            with store._connections.reading() as db:  # the only connection
                db.execute("PRAGMA synchronous = OFF")
            yield store
        return
    for url in _new_schema(request.getfixturevalue("postgis_url")):
        with open_store(url) as store:
            connections = store._connections
            connections.use(connections._settings + "SET synchronous_commit TO off;")
            yield store
