"""The app and the Chromium that the tests of a browser share; every tab is checked when its test ends."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, sync_playwright

pytest.register_assert_rewrite("driver")

from driver import FLAGS, PC, OpenTab, Server, Tab, new_context, start_server  # noqa: E402


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The app on an empty folder, which it fills itself; tests only look."""
    yield from start_server(tmp_path_factory.mktemp("app"))


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """An app for the tests of one file that write."""
    yield from start_server(tmp_path_factory.mktemp("desk"))


@pytest.fixture(scope="session")
def worker() -> str:
    """The name of this worker of xdist, "" without one."""
    return os.environ.get("PYTEST_XDIST_WORKER", "")


@pytest.fixture(scope="session")
def chromium(
    chromium_path: Path, tmp_path_factory: pytest.TempPathFactory, worker: str
) -> Iterator[Browser]:
    if (
        worker
    ):  # what tests/conftest.py promises; all workers of a run share the folder above their own
        mark = tmp_path_factory.getbasetemp().parent / "browser"
        mark.touch()
        with mark.open("r+") as file:
            others = file.read()
            file.write(worker)
        assert others in ("", worker), f"{others} and {worker} both drive a browser"
    with sync_playwright() as player:
        browser = player.chromium.launch(executable_path=chromium_path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def open_tab(chromium: Browser) -> Iterator[OpenTab]:
    """Open tabs; each is a visitor of its own unless a context is given."""
    tabs: list[Tab] = []

    def open_one(
        server: Server,
        address: str = "",
        *,
        locale: str = "zh-CN",
        size: tuple[int, int] = PC,
        context: BrowserContext | None = None,
        welcome: bool = False,
    ) -> Tab:
        where = context or new_context(chromium, locale, size)
        asked = parse_qs(urlsplit(address).query).get("lang", [""])[0]
        tabs.append(Tab(where, asked or ("zh" if locale.startswith("zh") else "en")))
        return tabs[-1].go(server, address, welcome=welcome)

    yield open_one
    for context in {id(tab.context): tab.context for tab in tabs}.values():
        context.close()
    troubles = [trouble for tab in tabs for trouble in tab.troubles]
    assert not troubles, "\n".join(troubles)


@pytest.fixture(scope="session")
def _regular(chromium: Browser) -> Iterator[Tab]:
    """A Chinese visitor who comes for each test: opening the app in a tab that is there takes a third."""
    context = new_context(chromium, "zh-CN", PC)
    yield Tab(context, "zh")
    context.close()


@pytest.fixture
def visitor(_regular: Tab) -> Iterator[Tab]:
    """The regular visitor, before going anywhere."""
    _regular.page.set_viewport_size({"width": PC[0], "height": PC[1]})
    _regular.troubles.clear()
    yield _regular
    _regular.page.unroute_all()
    _regular.page.goto("about:blank")
    assert not _regular.troubles, "\n".join(_regular.troubles)


@pytest.fixture
def tab(visitor: Tab, server: Server) -> Tab:
    """The bulletin, in Chinese, on an ordinary PC."""
    return visitor.go(server)


@pytest.fixture
def demo(visitor: Tab, server: Server) -> Tab:
    """The demo set, in Chinese, on an ordinary PC."""
    return visitor.go(server, "?set=demo")
