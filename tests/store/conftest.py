"""Every store a contract test runs on: a GeoPackage, and PostGIS where there is a server."""

from pathlib import Path

import pytest
from postgres_server import schema_in

from geo.store import open_store

KINDS = ("gpkg", "postgis")


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
    for url in schema_in(request.getfixturevalue("postgis_url")):
        with open_store(url) as store:
            connections = store._connections
            connections.use(connections._settings + "SET synchronous_commit TO off;")
            yield store
