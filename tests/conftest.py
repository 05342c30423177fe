"""Shared by all tests: where the browser is, and that browser tests never run side by side, filled stores."""

import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hypothesis import settings
from postgres_server import NoServer, PrivateServer, give_server, schema_in

from geo import bootstrap
from geo.pipeline import prepare_store
from geo.settings import load_settings
from geo.ui.library import DATASETS, Library, get_library

BROWSER = "tests/browser/"

# How long one example takes says how busy the machine is, not whether the law holds.
settings.register_profile("laws", deadline=None)
settings.load_profile("laws")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give one worker all tests of a browser, as two browsers at once disturb each other; else file by file.

    Not `--dist loadgroup`: xdist 3.8 writes the group into a place where pytest 9.2 does not look.
    """
    from xdist.scheduler import LoadScopeScheduling

    class OneBrowser(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.split("::")[0]
            return BROWSER if file.startswith(BROWSER) else file

    return OneBrowser(config, log)


@pytest.fixture(autouse=True)
def _own_main_module() -> Iterator[None]:
    """Streamlit's AppTest leaves its script as `__main__`, and a process started later would run that."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main


@pytest.fixture(scope="session")
def chromium_path() -> Path:
    """The browser to drive; without one a browser test is skipped on a PC and fails in CI."""
    found = bootstrap.find_chromium()
    if found is None:
        tell = pytest.fail if os.environ.get("CI") else pytest.skip
        tell("no Chromium, Chrome or Edge; run `python3 -m geo setup`")
    return found


@pytest.fixture(scope="session")
def postgis_url() -> Iterator[str]:
    """The address of a database; each test takes a schema of its own."""
    try:
        url, server = give_server()
    except NoServer as reason:
        _no_server(reason)
    yield url
    if server is not None:
        server.__exit__()


@pytest.fixture(scope="module")
def private_postgis() -> Iterator[PrivateServer]:
    """A database server of one module's own, which its tests may stop, kill and start."""
    try:
        server = PrivateServer()
    except NoServer as reason:
        _no_server(reason)
    with server:
        yield server


def _no_server(reason: NoServer) -> NoReturn:
    tell = pytest.fail if os.environ.get("CI") else pytest.skip
    tell(str(reason))


@pytest.fixture
def new_schema(postgis_url: str) -> Iterator[str]:
    """The address of a schema that is not there yet, and is gone after the test."""
    yield from schema_in(postgis_url)


@pytest.fixture(scope="session")
def filled_stores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both sets as the first start makes them, closed; copy it before you open it."""
    folder = tmp_path_factory.mktemp("filled")
    installation = replace(load_settings({}), store=str(folder / "baita.gpkg"), who="lin")
    for name in DATASETS:
        prepare_store(installation, name).close()
    return folder


@pytest.fixture(scope="module")
def shared_library(
    filled_stores: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Library]:
    """The app's one library on a copy of the filled stores, for tests that only read."""
    yield from _library(filled_stores, tmp_path_factory.mktemp("shared"))


@pytest.fixture
def own_library(filled_stores: Path, tmp_path: Path) -> Iterator[Library]:
    """The app's one library on a copy of the filled stores, for one test that writes."""
    yield from _library(filled_stores, tmp_path)


def _library(filled: Path, folder: Path) -> Iterator[Library]:
    copy = shutil.copytree(filled, folder / "stores")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("BAITA_DATA", "BAITA_ADCODE", "BAITA_LANGUAGE"):
            patch.delenv(name, raising=False)
        patch.setenv("BAITA_STORE", str(copy / "baita.gpkg"))
        patch.setenv("BAITA_WHO", "lin")
        get_library.cache_clear()
        library = get_library()
        try:
            yield library
        finally:
            get_library.cache_clear()
            for name in DATASETS:
                library.store(name).close()
