import pytest

from geo.store import open_store


@pytest.fixture(scope="session")
def lasting_store(tmp_path_factory):
    """One store for all examples of all laws; its only connection does not wait for the disk."""
    with open_store(tmp_path_factory.mktemp("laws") / "sites.gpkg") as store:
        with store._connections.reading() as db:
            db.execute("PRAGMA synchronous = OFF")
        yield store
