"""Tiles of another datum lie where they belong: what they show of a place is under that place."""

import io
import math
import os
import sqlite3
import subprocess

import driver
import pytest
from driver import Server
from PIL import Image, ImageDraw

from geo.locate.datum import from_wgs84

pytestmark = pytest.mark.browser

PLACES = ((123.16, 41.25), (123.18, 41.265), (123.205, 41.28))
ZOOM = 15


def _pixel(lon: float, lat: float, zoom: int) -> tuple[float, float]:
    size = 256 * 2**zoom
    y = math.log(math.tan(math.pi / 4 + math.radians(lat) / 2))
    return (lon + 180) / 360 * size, (1 - y / math.pi) / 2 * size


def _write_mbtiles(path, datum):
    """A grey basemap in a datum, with a green square of 9 pixels on each place."""
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE metadata (name TEXT, value TEXT)")
        db.execute(
            "CREATE TABLE tiles (zoom_level INT, tile_column INT, tile_row INT, tile_data BLOB)"
        )
        rows = [("format", "png"), ("attribution", "测试底图"), ("maxzoom", str(ZOOM))]
        db.executemany("INSERT INTO metadata VALUES (?, ?)", rows)
        spots = [_pixel(*from_wgs84(*place, datum), ZOOM) for place in PLACES]
        for column in range(*_range([x for x, _ in spots])):
            for row in range(*_range([y for _, y in spots])):
                tile = Image.new("RGB", (256, 256), "#cccccc")
                draw = ImageDraw.Draw(tile)
                for x, y in spots:
                    at = (x - column * 256, y - row * 256)
                    draw.rectangle([at[0] - 4, at[1] - 4, at[0] + 4, at[1] + 4], fill="#00ff00")
                data = io.BytesIO()
                tile.save(data, "PNG")
                db.execute(
                    "INSERT INTO tiles VALUES (?, ?, ?, ?)",
                    (ZOOM, column, 2**ZOOM - 1 - row, data.getvalue()),
                )
    db.close()


def _range(values):
    return int(min(values) // 256) - 3, int(max(values) // 256) + 4


@pytest.fixture(params=["wgs84", "gcj02", "bd09"])
def tiled(request, tmp_path, monkeypatch):
    path = tmp_path / "base.mbtiles"
    _write_mbtiles(path, request.param)
    start = subprocess.Popen

    def with_tiles(*given, env=None, **named):
        return start(
            *given,
            env={
                **(env or os.environ),
                "BAITA_TILES": str(path),
                "BAITA_TILES_DATUM": request.param,
            },
            **named,
        )

    monkeypatch.setattr(driver.subprocess, "Popen", with_tiles)
    yield from driver.start_server(tmp_path)


def test_a_square_of_the_basemap_is_under_its_place(tiled: Server, open_tab):
    tab = open_tab(tiled)
    assert "测试底图" in tab.frame.locator(".credit").text_content()
    for lon, lat in PLACES:
        tab.js(
            "([lon, lat, zoom]) => { baita.map.setView([lat, lon], zoom, { animate: false }); }",
            [lon, lat, ZOOM],
        )
        tab.until(
            "[...document.querySelectorAll('.leaflet-tile')].every(t => t.complete && t.naturalWidth)"
        )
        tab.settled()
        x, y = tab.at(lon, lat)
        tab.page.wait_for_timeout(300)
        shot = Image.open(io.BytesIO(tab.page.screenshot())).convert("RGB")
        near = [
            (dx, dy)
            for dx in range(-30, 31)
            for dy in range(-30, 31)
            if _is_green(shot.getpixel((round(x) + dx, round(y) + dy)))
        ]
        assert near, "the basemap's square is not near its place"
        middle = [sum(part) / len(near) for part in zip(*near, strict=True)]
        # Two pixels at this zoom are seven metres; the datum alone would be 540 m or 1,350 m off.
        assert max(map(abs, middle)) <= 2, (tiled, middle)


def _is_green(pixel):
    return pixel[1] > 200 and pixel[0] < 90 and pixel[2] < 90


@pytest.mark.parametrize("tiled", ["gcj02"], indirect=True)
def test_the_key_switches_between_basemap_and_outline(tiled: Server, open_tab):
    tab = open_tab(tiled)
    tab.page.locator("body").press("b")
    tab.until("!document.querySelector('.on-tiles')")
    assert tab.js("document.querySelectorAll('.leaflet-tile').length") == 0
    assert not tab.frame.locator(".credit").is_visible()
    tab.reload()
    assert not tab.frame.locator(".credit").is_visible()
    tab.page.locator("body").press("b")
    tab.until("document.querySelectorAll('.leaflet-tile').length > 0")
