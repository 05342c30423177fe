"""What the tests of a browser work with: a real app, and a tab that records what it asks for and complains of.

A tab is checked when its test ends: no request left this machine, no answer was an error, the console is
empty, no page error, no dialog, no window. A test that provokes one of these takes it out with `tab.forgive`.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import geopandas as gpd
import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Frame, Locator

from geo.category import load_categories
from geo.store import GeoPackageStore, open_store
from geo.ui.text import load_text
from geo.view import SiteFilter, SiteIndex

ROOT = Path(__file__).resolve().parents[2]
CATEGORIES = load_categories()
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
]
START_S, WAIT_S = 60.0, 15.0
DOUBLE_S = 0.4  # longer than DOUBLE_MS in panel.js
PC, WALL, PHONE = (1366, 768), (1920, 1080), (800, 900)


# ---- the app ----------------------------------------------------------------------------------------------


class Server:
    """The app as a person starts it, on a port and a store of its own."""

    def __init__(
        self, folder: Path, *options: str, settings: Mapping[str, str] | None = None
    ) -> None:
        self.folder = folder
        self.log_file = folder / "server.log"
        with closing(socket.socket()) as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.host = f"127.0.0.1:{self.port}"
        self.url = f"http://{self.host}/"
        own = {name: value for name, value in os.environ.items() if not name.startswith("BAITA_")}
        own |= {"BAITA_STORE": str(folder / "baita.gpkg"), "BAITA_WHO": "林工", **(settings or {})}
        self._options, self._environment = options, own
        self.start()

    def start(self) -> None:
        """Start the app, the first time or again on the same port and store; `wait` says when it answers."""
        command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless", "true"]
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--server.port", str(self.port), *self._options],
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def wait(self) -> None:
        """Return when the app answers; fail with all it printed if it does not."""
        end = time.monotonic() + START_S
        while time.monotonic() < end and self.process.poll() is None:
            try:
                with urllib.request.urlopen(self.url + "_stcore/health", timeout=2) as reply:
                    if reply.status == 200:
                        return
            except OSError:
                time.sleep(0.1)
        code = self.process.poll()
        why = f"ended with {code}" if code is not None else f"is silent after {START_S:.0f} s"
        self.stop()
        pytest.fail(f"the app {why}; it printed:\n{self.log()}", pytrace=False)

    def kill(self) -> None:
        """End the app at once, as a power cut does."""
        self.process.kill()
        self.process.wait(10)

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Hold the app, as other people's work would: what it is sent meanwhile waits."""
        if not hasattr(signal, "SIGSTOP"):
            pytest.skip("a process cannot be held here")
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def log(self) -> str:
        return self.log_file.read_text(encoding="utf-8", errors="replace")

    def store(self, dataset: str = "bulletin") -> GeoPackageStore:
        """Open a set's file beside the app, as another program would."""
        name = "baita.gpkg" if dataset == "bulletin" else "demo.gpkg"
        return open_store(self.folder / name)

    def sites(self, dataset: str = "bulletin") -> gpd.GeoDataFrame:
        with self.store(dataset) as store:
            return store.read_sites()

    def index(self, dataset: str = "bulletin") -> SiteIndex:
        """The set ready to be filtered by Python."""
        return SiteIndex(self.sites(dataset), CATEGORIES)

    def get_json(self, path: str) -> Any:
        with urllib.request.urlopen(self.url + path, timeout=10) as reply:
            return json.load(reply)


def start_server(folder: Path, *options: str, **settings: str) -> Iterator[Server]:
    """Yield a running app whose stores are in a folder; a traceback in its output fails the tests."""
    server = Server(folder, *options, settings=settings)
    try:
        server.wait()
        yield server
    finally:
        server.stop()
    assert "Traceback" not in server.log(), server.log()


# ---- the browser ------------------------------------------------------------------------------------------


class Tab:
    """One tab with the app in it, and what a test asks of it."""

    server: Server
    _clicked = 0.0

    def __init__(self, context: BrowserContext, language: str) -> None:
        self.context = context
        self.text = load_text(language)
        self.page = context.new_page()
        self.requests: list[str] = []
        self.troubles: list[str] = []
        page = self.page
        page.on("request", lambda request: self._asked(request.url))
        page.on("websocket", lambda socket: self._asked(socket.url))
        page.on("response", self._answered)
        page.on("pageerror", lambda error: self.troubles.append(f"page error: {error}"))
        page.on("console", self._console)
        page.on("dialog", self._dialog)
        page.on("popup", lambda other: self.troubles.append(f"a window opened: {other.url}"))

    def _asked(self, url: str) -> None:
        self.requests.append(url)
        parts = urlsplit(url)
        if parts.scheme not in ("data", "blob", "about") and parts.netloc != self.server.host:
            self.troubles.append(f"request to another host: {url}")

    def _answered(self, response: Any) -> None:
        if response.status >= 400:
            self.troubles.append(f"{response.status} {response.url}")

    def _console(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.troubles.append(f"console {message.type}: {message.text} {message.location}")

    def _dialog(self, dialog: Any) -> None:
        self.troubles.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def forgive(self, pattern: str) -> list[str]:
        """Take out the troubles that a test has provoked, and return them."""
        found = [trouble for trouble in self.troubles if re.search(pattern, trouble)]
        self.troubles[:] = [trouble for trouble in self.troubles if trouble not in found]
        return found

    # -- going and waiting

    def go(self, server: Server, address: str = "", *, welcome: bool = False) -> Tab:
        """Open an address of an app from a blank page, and wait until its map shows the data."""
        self.page.goto("about:blank")
        self.server = server
        self.requests.clear()
        self.page.goto(server.url + address)
        return self.ready(welcome=welcome)

    def reload(self) -> Tab:
        self.page.reload()
        return self.ready()

    def ready(self, *, welcome: bool = False) -> Tab:
        self.page.wait_for_selector(".baita-chips .chip", timeout=WAIT_S * 1000)
        self.until("!!(window.baita && baita.state && baita.layer.visible() && baita.words)")
        # The words of the rows that are drawn are there: hovering and labels need them.
        self.until(
            "baita.layer.data.rows === 0 || !!baita.words.known"  # of a set by tiles: when asked for
            " || (baita.words.peek(0), baita.words.chunks.size > 0)"
        )
        close = self.frame.locator(".message.welcome .quiet")
        if not welcome and close.count():
            close.click()
        return self

    @property
    def frame(self) -> Frame:
        """The map's own page; another one after a change of language."""
        for _ in range(100):
            frame = self.page.wait_for_selector("iframe.baita-map").content_frame()
            if frame is not None:
                return frame
            self.page.wait_for_timeout(20)
        raise AssertionError("the map has no frame")

    def js(self, expression: str, argument: object = None) -> Any:
        """Return what an expression gives in the map's page; `x => ...` gets the argument."""
        return self.frame.evaluate(expression, argument)

    def until(self, expression: str, argument: object = None, *, of: str = "map") -> Any:
        """Return an expression's value as soon as it is true, in the map's page or in the `top` one.

        Playwright's own waiting uses eval, which the map page's policy forbids.
        """
        end, value = time.monotonic() + WAIT_S, None
        while time.monotonic() < end:
            try:
                run = self.js if of == "map" else self.page.evaluate
                value = run(expression, argument)
            except Error as error:  # the frame is on its way
                value = str(error)
            else:
                if value:
                    return value
            self.page.wait_for_timeout(20)
        troubles = "\n".join(self.troubles)
        raise AssertionError(f"never came true: {expression} {argument}; last: {value}\n{troubles}")

    def settled(self) -> Tab:
        """Wait until the map has come to rest and its last frame is painted."""
        self.until(
            "!baita.map._animatingZoom && !(baita.map._panAnim && baita.map._panAnim._inProgress)"
        )
        self.js(
            "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
        )
        return self

    # -- the parts of the page

    def chip(self, key: str) -> Locator:
        return self.page.locator(f'.baita-chips .chip[data-key="{key}"]')

    def kind(self, code: str) -> Locator:
        codes = [CATEGORIES.codes[s.key] for s in CATEGORIES.kind(code).statuses]
        return self.page.locator(f'.baita-chips .kind[data-codes="{",".join(map(str, codes))}"]')

    def switch(self, target: Locator) -> Tab:
        """Click a chip or a kind once: a second click too soon would make it a double click."""
        rest = self._clicked + DOUBLE_S - time.monotonic()
        if rest > 0:
            self.page.wait_for_timeout(rest * 1000)
        target.click()
        self._clicked = time.monotonic()
        return self

    def chip_counts(self) -> dict[str, tuple[int, int]]:
        """Total and located on each chip, as a person reads them."""
        texts = self.page.evaluate(
            "[...document.querySelectorAll('.baita-chips .chip')]"
            ".map(chip => [chip.dataset.key, chip.querySelector('b').textContent])"
        )
        return {key: _total_and_located(text) for key, text in texts}

    def hide(self, *keys: str) -> Tab:
        """Wait until exactly these categories are off, on the map and on the chips."""
        codes = sorted(CATEGORIES.codes[key] for key in keys)
        self.until("codes => JSON.stringify(baita.state.hidden) === JSON.stringify(codes)", codes)
        self.until(
            "keys => JSON.stringify([...document.querySelectorAll('.chip[aria-pressed=false]')]"
            ".map(chip => chip.dataset.key).sort()) === JSON.stringify(keys)",
            sorted(keys),
            of="top",
        )
        return self

    def params(self) -> dict[str, list[str]]:
        """The query of the address bar, without what is empty."""
        return parse_qs(urlsplit(self.page.url).query)

    def hash(self) -> str:
        return urlsplit(self.page.url).fragment

    def shown(self) -> dict[str, int]:
        """How many rows the map has: located and waiting."""
        return self.js(
            "({located: baita.layer.visible().located.length,"
            " waiting: baita.layer.visible().waiting.length})"
        )

    def ids(self, which: str = "located") -> list[str]:
        """The ids of the rows the map shows, in table order; sets here are small enough to have all words."""
        return self.js(
            "async which => { const rows = [...baita.layer.visible()[which]];"
            " return Promise.all(rows.map(async row => (await baita.words.get(row)).id)); }",
            which,
        )

    def row(self, site_id: str) -> int:
        found = self.js(
            "async id => { for (let row = 0; row < baita.layer.data.rows; row++)"
            " if ((await baita.words.get(row)).id === id) return row; return -1; }",
            site_id,
        )
        assert found >= 0, site_id
        return found

    def choose(self, site_id: str) -> Tab:
        """Choose a site and wait for its panel."""
        self.js("row => { baita.choose(row); }", self.row(site_id))
        self.until("id => baita.chosenId === id && !baita.detail.node.hidden", site_id)
        return self

    def detail(self) -> str:
        """All words of the detail panel, "" while it is closed."""
        return self.js("baita.detail.node.hidden ? '' : baita.detail.node.textContent")

    def view(self) -> list[float]:
        return self.js(
            "[baita.map.getCenter().lat, baita.map.getCenter().lng, baita.map.getZoom()]"
        )

    def frame_offset(self) -> tuple[float, float]:
        box = self.page.locator("iframe.baita-map").bounding_box()
        assert box is not None
        return box["x"], box["y"]

    def spot(self, row: int) -> tuple[float, float]:
        """Where in the window a row is drawn: its point, or the middle of its line's first stretch."""
        x, y = self.js(
            """row => {
              const d = baita.layer.data, p = d.point_row.indexOf(row), s = d.shape_row.indexOf(row);
              const scale = 256 * 2 ** baita.map.getZoom() / 2 ** 32;
              const v = s < 0 ? 0 : d.part_vertex[d.shape_part[s]];
              const world = p >= 0 ? [d.point_x[p], d.point_y[p]]
                : [(d.vertex_x[v] + d.vertex_x[v + 1]) / 2, (d.vertex_y[v] + d.vertex_y[v + 1]) / 2];
              const at = baita.map.layerPointToContainerPoint(
                L.point(world[0] * scale, world[1] * scale).subtract(baita.map.getPixelOrigin()));
              return [at.x, at.y];
            }""",
            row,
        )
        left, top = self.frame_offset()
        return left + x, top + y

    def at(self, lon: float, lat: float) -> tuple[float, float]:
        """Where in the window a position is."""
        x, y = self.js(
            "([lon, lat]) => { const at = baita.map.latLngToContainerPoint([lat, lon]);"
            " return [at.x, at.y]; }",
            [lon, lat],
        )
        left, top = self.frame_offset()
        return left + x, top + y

    def messages(self) -> list[str]:
        return self.js(
            "[...document.querySelectorAll('.message:not(.welcome) p')].map(p => p.textContent)"
        )

    def token(self) -> None:
        """Leave a mark that does not survive a reload of the map's frame."""
        self.js("() => { window.mark = baita; baita.mark = 'kept'; }")

    def kept(self) -> bool:
        return self.js("window.mark === window.baita && window.baita.mark === 'kept'")


def _total_and_located(text: str) -> tuple[int, int]:
    """Read a chip's number: `3` is all located, `1/3` one of three."""
    numbers = [int(part) for part in text.split("/")]
    return numbers[-1], numbers[0]


def python_counts(index: SiteIndex, chosen: SiteFilter) -> dict[str, tuple[int, int]]:
    """What the chips must say, by Python."""
    counts = index.count_by_status(chosen)
    return {
        str(key): (int(total), int(located))
        for key, total, located in zip(
            counts.index, counts["total"], counts["located"], strict=True
        )
    }


OpenTab = Callable[..., Tab]


def new_context(chromium: Browser, locale: str, size: tuple[int, int]) -> BrowserContext:
    viewport = {"width": size[0], "height": size[1]}
    context = chromium.new_context(locale=locale, viewport=viewport)
    context.set_default_timeout(WAIT_S * 1000)
    return context
