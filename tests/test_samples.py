"""The samples to try: all invented, all small, all readable, and they go to the demo set and nowhere else."""

import subprocess
import sys
import time
import tomllib
import warnings
from pathlib import Path

import pytest
from starlette.applications import Starlette

from geo.drafts import Desk
from geo.samples import read_samples
from geo.settings import load_settings
from geo.ui import desk_routes
from geo.ui.routes import routes

with warnings.catch_warnings():
    # Starlette would rather have httpx2; either will do.
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

ROOT = Path(__file__).resolve().parents[1]
TRY = ROOT / "data" / "samples" / "try"
SAMPLES = [sample.path.name for sample in read_samples(load_settings({}))]


@pytest.fixture
def client(own_library):
    desk_routes._open_files.cache_clear()
    with TestClient(Starlette(routes=routes())) as opened:
        yield opened
    desk_routes._open_files.cache_clear()


def _draft_of(client, name):
    reply = client.post(f"/baita/desk/sample/{name}?set=demo")
    assert reply.status_code == 200, reply.text
    end = time.monotonic() + 60
    while time.monotonic() < end:
        now = client.get(f"/baita/desk/job/{reply.json()['job']}").json()
        if now["state"] != "running":
            assert now["state"] == "done", now
            return client.get(f"/baita/desk/draft/{now['draft']}?set=demo").json()
        time.sleep(0.02)
    raise AssertionError("the job never ended")


def test_the_list_names_every_file_and_they_are_small():
    listed = tomllib.loads((TRY / "list.toml").read_text(encoding="utf-8"))["sample"]
    assert {one["file"] for one in listed} | {"list.toml"} == {path.name for path in TRY.iterdir()}
    assert len(SAMPLES) == len(listed) == 8
    assert sum(path.stat().st_size for path in TRY.iterdir()) < 200_000


@pytest.mark.parametrize("name", SAMPLES)
def test_each_is_read_and_offers_something_to_accept(client, name):
    draft = _draft_of(client, name)
    if draft["form"] == "bulletin":
        assert {item["kind"] for item in draft["items"]} == {"enterprise", "project", "parking"}
    elif name == "points.kml":
        assert draft["inspection"]["asks"] == ["kind"]  # KML has names only: a person says the kind
    else:
        assert draft["read"]["records"] >= 2


@pytest.mark.parametrize("name", ["bulletin.txt", "messy.xlsx"])
def test_what_is_accepted_is_marked_as_invented_and_can_be_taken_back(client, own_library, name):
    before = own_library.snapshot("demo").sites
    draft = _draft_of(client, name)
    done = client.post(f"/baita/desk/draft/{draft['draft_id']}/accept?set=demo").json()
    assert done["added"] >= 3
    after = own_library.snapshot("demo").sites
    assert len(after) == len(before) + done["added"]
    assert after["fictitious"].all()
    client.post(f"/baita/desk/import/{done['import_id']}/undo?set=demo")
    assert set(own_library.snapshot("demo").sites["site_id"]) == set(before["site_id"])


def test_what_is_invented_never_gets_into_the_real_set_nor_the_other_way(client, own_library):
    real = own_library.store("bulletin")
    before = real.data_version(), real.notes("draft:")
    assert client.post("/baita/desk/sample/messy.xlsx").status_code == 403
    assert client.post("/baita/desk/read?set=demo&name=a.txt", content=b"x").status_code == 403
    draft = _draft_of(client, "bulletin.txt")
    # The other set's desk does not know the draft.
    assert client.get(f"/baita/desk/draft/{draft['draft_id']}").status_code == 422
    assert client.post(f"/baita/desk/draft/{draft['draft_id']}/accept").status_code == 422
    assert (real.data_version(), real.notes("draft:")) == before


@pytest.mark.parametrize("name", ["list.toml", "..%2Fmake_demo.py", "none.csv"])
def test_only_listed_files_are_read(client, name):
    assert client.post(f"/baita/desk/sample/{name}?set=demo").status_code == 404


def test_a_desk_of_invented_things_says_so_of_every_record(own_library, tmp_path):
    desk = Desk(
        own_library.store("demo"),
        own_library.settings,
        own_library.categories,
        tmp_path,
        fictitious=True,
    )
    draft = desk.begin("a.csv", "企业名称,状态\n甲公司,复工\n".encode())
    assert [one.fictitious for one in desk.read(draft).records] == [True]


def test_the_script_writes_them_again(tmp_path):
    """The GeoPackage holds the moment of its making; all others are the same to the byte."""
    copy = tmp_path / "data" / "samples"
    (copy / "try").mkdir(parents=True)
    (tmp_path / "geo").symlink_to(ROOT / "geo")
    script = copy / "make_tries.py"
    script.write_bytes((ROOT / "data" / "samples" / "make_tries.py").read_bytes())
    subprocess.run([sys.executable, "-W", "ignore", str(script)], check=True, capture_output=True)
    made = {path.name: path.read_bytes() for path in (copy / "try").iterdir()}
    assert set(made) == set(SAMPLES)
    varies = {"parcels.gpkg", "roads-shp.zip"}  # a shapefile's .dbf begins with the day
    assert all(made[name] == (TRY / name).read_bytes() for name in set(made) - varies)
