"""Tiles come from a file or through the cache from a service; nothing but pictures, and never the key."""

import sqlite3
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from pmtiles.tile import Compression, TileType, zxy_to_tileid
from pmtiles.writer import Writer

from geo.draw import tiles
from geo.draw.tiles import TileCache, TileError, media_type, open_tiles

PNG = b"\x89PNG\r\n\x1a\n" + b"picture"
KEY = "secret-key-123"


def _mbtiles(path: Path, *, kind: str = "png") -> Path:
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE metadata (name TEXT, value TEXT)")
        db.execute(
            "CREATE TABLE tiles (zoom_level INT, tile_column INT, tile_row INT, tile_data BLOB)"
        )
        rows = [("format", kind), ("attribution", "某局"), ("maxzoom", "3")]
        db.executemany("INSERT INTO metadata VALUES (?, ?)", rows)
        # Row 0 of MBTiles is the southernmost: 7 from the north at zoom 3.
        db.execute("INSERT INTO tiles VALUES (3, 5, 0, ?)", (PNG,))
    db.close()
    return path


def _pmtiles(path: Path, kind: TileType = TileType.PNG) -> Path:
    with path.open("wb") as file:
        writer = Writer(file)
        writer.write_tile(zxy_to_tileid(3, 5, 7), PNG)
        writer.finalize(
            {
                "tile_type": kind,
                "tile_compression": Compression.NONE,
                "min_lon_e7": 0, "min_lat_e7": 0, "max_lon_e7": 1, "max_lat_e7": 1,
                "center_zoom": 3, "center_lon_e7": 0, "center_lat_e7": 0,
            },
            {"attribution": "某局"},
        )  # fmt: skip
    return path


@pytest.mark.parametrize("make", [_mbtiles, _pmtiles])
def test_a_file_gives_its_tiles_counted_from_the_north(tmp_path, make):
    path = make(tmp_path / f"底图.{make.__name__[1:]}")
    basemap = open_tiles(str(path), datum="gcj02", cache=tmp_path / "c")
    assert (basemap.attribution, basemap.datum, basemap.max_zoom) == ("某局", "gcj02", 3)
    [layer] = basemap.layers.values()
    assert layer.get(3, 5, 7) == PNG
    assert layer.get(3, 5, 0) is None


def test_a_file_can_be_read_from_several_threads(tmp_path):
    layer = open_tiles(str(_mbtiles(tmp_path / "a.mbtiles")), cache=tmp_path / "c").layers["base"]
    found: list[bytes | None] = []
    threads = [threading.Thread(target=lambda: found.append(layer.get(3, 5, 7))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [PNG] * 8


def test_what_is_no_such_file_is_refused_by_name(tmp_path):
    bad = tmp_path / "a.mbtiles"
    bad.write_bytes(b"not a database at all, but long enough to be read as one " * 20)
    worse = tmp_path / "a.pmtiles"
    worse.write_bytes(b"no archive" * 50)
    for given, why in (
        (str(bad), "not an MBTiles"),
        (str(worse), "not a PMTiles"),
        (str(tmp_path / "none.mbtiles"), "no file none.mbtiles"),
        ("mars", "one of tianditu"),
        ("tianditu", "BAITA_TILES_KEY"),
        (str(_mbtiles(tmp_path / "v.mbtiles", kind="pbf")), "vector tiles"),
        (str(_pmtiles(tmp_path / "v.pmtiles", TileType.MVT)), "vector tiles"),
    ):
        with pytest.raises(TileError, match=why):
            open_tiles(given, cache=tmp_path / "c")


# ---- a service --------------------------------------------------------------------------------------------


class _Service(BaseHTTPRequestHandler):
    asked: list[str] = []  # noqa: RUF012
    how = "good"

    def do_GET(self):
        self.asked.append(self.path)
        how = type(self).how
        self.send_response({"redirect": 302, "refused": 403}.get(how, 200))
        if how == "redirect":
            self.send_header("Location", "/elsewhere")
        self.end_headers()
        body = {"good": PNG, "html": b"<html>", "huge": PNG + b"x" * 3_000_000}.get(how, b"")
        self.wfile.write(body)

    def log_message(self, *given):
        """Say nothing."""


@pytest.fixture
def service(tmp_path):
    _Service.asked, _Service.how = [], "good"
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Service)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/{{layer}}/{{z}}/{{x}}/{{y}}?tk={{key}}"
    yield open_tiles("tianditu", key=KEY, url=url, cache=tmp_path / "t" / "tiles.sqlite")
    server.shutdown()
    server.server_close()


def test_a_service_is_asked_once_for_a_tile_and_with_the_key(service):
    for _ in range(3):
        assert service.layers["vec"].get(5, 3, 4) == PNG
    assert service.layers["cva"].get(5, 3, 4) == PNG
    assert _Service.asked == [f"/vec/5/3/4?tk={KEY}", f"/cva/5/3/4?tk={KEY}"]


@pytest.mark.parametrize("how", ["html", "huge", "redirect", "refused"])
def test_what_is_no_picture_is_neither_handed_on_nor_kept(service, how):
    _Service.how = how
    assert service.layers["vec"].get(5, 3, 4) is None
    assert not any("elsewhere" in path for path in _Service.asked)
    _Service.how = "good"
    assert service.layers["vec"].get(5, 3, 4) == PNG


def test_a_service_that_is_not_there_gives_no_tile(tmp_path):
    url = "http://127.0.0.1:9/{layer}/{z}/{x}/{y}"
    basemap = open_tiles("osm", url=url, cache=tmp_path / "c")
    assert basemap.layers["base"].get(1, 0, 0) is None


def test_the_key_is_in_no_representation(service):
    assert KEY not in repr(service)
    assert KEY not in str(service.layers)


def test_old_tiles_are_fetched_again_and_a_broken_cache_only_costs_time(
    service, monkeypatch, tmp_path
):
    layer = service.layers["vec"]
    layer.get(5, 3, 4)
    monkeypatch.setattr(tiles, "KEPT_DAYS", -1.0)
    layer.get(5, 3, 4)
    assert len(_Service.asked) == 2
    broken = TileCache(tmp_path)  # a folder is no file
    broken.put("a", (1, 2, 3), PNG)
    assert broken.get("a", (1, 2, 3)) is None


def test_the_cache_stays_within_its_size_and_the_oldest_tiles_go(monkeypatch, tmp_path):
    monkeypatch.setattr(tiles, "MAX_KEPT", 400_000)
    monkeypatch.setattr(tiles, "_OLDEST", 5)
    cache, picture = TileCache(tmp_path / "c.sqlite"), PNG + bytes(20_000)
    for column in range(60):
        cache.put("a", (9, column, 0), picture)
    kept = [column for column in range(60) if cache.get("a", (9, column, 0)) == picture]
    assert 10 <= len(kept) <= 20
    assert kept == list(range(60 - len(kept), 60))
    assert (tmp_path / "c.sqlite").stat().st_size < 600_000


def test_only_pictures_have_a_type():
    assert media_type(PNG) == "image/png"
    assert media_type(b"\xff\xd8\xff\xe0") == "image/jpeg"
    assert media_type(b"<svg onload=alert(1)>") == ""
