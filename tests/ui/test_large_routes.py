"""The addresses of a set drawn by tiles: what they send, what they refuse, and what is kept."""

import gzip
from collections.abc import Iterator
from dataclasses import replace

import mvt
import pytest
import shapely
from starlette.applications import Starlette
from starlette.testclient import TestClient

from geo.category import load_categories
from geo.errors import ExportError
from geo.settings import SettingsError, load_settings
from geo.site import make_sites
from geo.store import open_store
from geo.ui import routes as module
from geo.ui.library import LargeSnapshot, Library, Snapshot
from geo.view import SiteFilter

ALL = SiteFilter()


def _sites(count):
    return make_sites(
        {
            "site_id": f"s{n}",
            "kind": "enterprise",
            "name": f"企业{n}号",
            "status": "stopped",
            "precision": "poi",
            "match_method": "given",
            "source_file": "登记.csv",
            "geometry": shapely.Point(123.17 + n / 1000, 41.26),
        }
        for n in range(count)
    )


@pytest.fixture
def library(new_schema: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Library]:
    with open_store(new_schema) as store:
        store.save_sites(_sites(12), who="lin")
    settings = replace(load_settings({}), store=new_schema, large=10)
    library = Library(settings, load_categories())
    monkeypatch.setattr(module, "get_library", lambda: library)
    yield library
    library.store("bulletin").close()


@pytest.fixture
def client(library: Library) -> TestClient:
    return TestClient(Starlette(routes=module.routes()))


def _address(library, path):
    version = library.snapshot("bulletin").version
    return path.format(
        data=f"/baita/data/bulletin/{version}", tiles=f"/baita/tiles-sites/bulletin/{version}"
    )


def test_only_a_set_above_the_threshold_is_drawn_by_tiles(library, new_schema):
    assert isinstance(library.snapshot("bulletin"), LargeSnapshot)
    other = Library(replace(library.settings, large=12), library.categories)
    assert isinstance(other.snapshot("bulletin"), Snapshot)
    other.store("bulletin").close()


def test_a_tile_is_packed_kept_for_ever_and_asked_of_the_database_once(
    library, client, monkeypatch
):
    address = _address(library, "{tiles}/9/431/191.mvt")
    reply = client.get(address)
    assert reply.status_code == 200
    assert "immutable" in reply.headers["cache-control"]
    assert reply.headers["content-encoding"] == "gzip"
    assert reply.headers["content-type"] == "application/vnd.mapbox-vector-tile"
    found = mvt.layers(reply.content)["sites"]
    assert sum(one["properties"]["home"] for one in found) == 12
    snapshot = library.snapshot("bulletin")
    monkeypatch.setattr(snapshot.tiles, "tile", None)
    assert client.get(address).content == reply.content
    assert gzip.decompress(snapshot.tile(9, 431, 191, ALL)) == reply.content


def test_a_tile_under_a_filter_is_another_one_and_hidden_categories_are_not_in_it(library, client):
    plain = client.get(_address(library, "{tiles}/9/431/191.mvt"))
    some = client.get(_address(library, "{tiles}/9/431/191.mvt?q=企业1"))
    hidden = client.get(_address(library, "{tiles}/9/431/191.mvt?hide=enterprise.stopped"))
    assert len(mvt.layers(some.content)["sites"]) == 3
    assert hidden.content == plain.content


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("{tiles}/9/512/0.mvt", 404),
        ("{tiles}/20/0/0.mvt", 404),
        ("/baita/tiles-sites/bulletin/0-gone/9/431/191.mvt", 410),
        ("/baita/tiles-sites/none/0/9/431/191.mvt", 404),
        ("{tiles}/9/431/191.mvt?hide=none", 400),
        ("{data}/sites.bin", 404),
        ("{data}/page.json?offset=x", 404),
        ("{data}/page.json?offset=-1", 404),
        ("{data}/page.json?limit=100000", 404),
        ("{data}/page.json?sort=fid", 404),
        ("{data}/named.json?fid=x", 404),
        ("{data}/row?site=none", 404),
    ],
)
def test_what_is_not_there_is_refused_shortly(library, client, path, status):
    reply = client.get(_address(library, path))
    assert reply.status_code == status
    assert len(reply.content) < 400


def test_pages_names_and_bounds_are_those_of_the_store(library, client):
    rows = client.get(_address(library, "{data}/page.json?sort=name&down=yes&limit=2")).json()
    assert [(row[4], row[5]) for row in rows] == [("s9", "企业9号"), ("s8", "企业8号")]
    [row] = client.get(_address(library, f"{{data}}/named.json?fid={rows[1][0]}&fid=999999")).json()
    assert row == rows[1]
    assert row[3] == pytest.approx([123.178, 41.26, 123.178, 41.26])
    number = client.get(_address(library, "{data}/row?site=s8")).json()["row"]
    assert number == rows[1][0]
    west, south, east, north = client.get(_address(library, "{data}/bounds.json?q=企业3")).json()[
        "bounds"
    ]
    assert (west, south, east, north) == pytest.approx((123.173, 41.26, 123.173, 41.26))


def test_a_site_s_details_and_an_edit_need_no_table(library, client):
    reply = client.get("/baita/site/bulletin/s3.json")
    assert reply.status_code == 200, reply.text
    told = reply.json()
    assert (told["name"], told["point"]) == ("企业3号", pytest.approx([123.173, 41.26]))
    before = library.snapshot("bulletin")
    library.store("bulletin").update_site("s3", {"note": "改"}, version=1, who="lin")
    assert library.snapshot("bulletin").version != before.version
    assert client.get("/baita/site/bulletin/s3.json").json()["note"] == "改"
    assert (
        client.get(f"/baita/tiles-sites/bulletin/{before.version}/9/431/191.mvt").status_code == 410
    )


def test_an_export_of_too_many_is_refused_with_what_to_do(library, monkeypatch):
    snapshot = library.snapshot("bulletin")
    assert len(snapshot.chosen_sites(SiteFilter(text="企业1"))) == 3
    monkeypatch.setattr("geo.ui.library.MOST_EXPORTED", 11)
    with pytest.raises(ExportError, match="12 sites are too many"):
        snapshot.chosen_sites(ALL)


def test_the_threshold_is_a_number():
    assert load_settings({"BAITA_LARGE": "500"}).large == 500
    with pytest.raises(SettingsError, match="BAITA_LARGE=many"):
        load_settings({"BAITA_LARGE": "many"})
