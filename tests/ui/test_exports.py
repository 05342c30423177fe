"""The panel's routes: a preview, files made as jobs, schemes; and what they answer to who asks wrongly."""

import base64
import csv
import io
import threading
import time
import warnings
import zipfile
from dataclasses import replace
from datetime import date, timedelta

import geopandas as gpd
import pytest
import shapely
from PIL import Image
from starlette.applications import Starlette

from geo.category import load_categories
from geo.errors import ExportError, FilterError
from geo.export import FORMATS as DRAWN
from geo.ui import exports, jobs
from geo.ui.exports import preview, read_order
from geo.ui.jobs import BusyError, Jobs
from geo.ui.picture import FORMATS, Look, make_picture, render
from geo.ui.routes import routes
from geo.ui.text import load_text
from geo.view import SiteFilter, select_sites

with warnings.catch_warnings():
    # Starlette would rather have httpx2; either will do.
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

CATEGORIES = load_categories()
ZH = load_text("zh")["export"]
ENDS = ("done", "failed", "cancelled")


@pytest.fixture
def own(own_library):
    with TestClient(Starlette(routes=routes())) as opened:
        yield opened, own_library


@pytest.fixture(scope="module")
def client(shared_library):
    with TestClient(Starlette(routes=routes())) as opened:
        yield opened


def _finished(client, address):
    reply = client.post(address)
    assert reply.status_code == 200, reply.text
    job = reply.json()["job"]
    end = time.monotonic() + 60
    while time.monotonic() < end:
        now = client.get(f"/baita/job/{job}").json()
        if now["state"] in ENDS:
            return job, now
        time.sleep(0.02)
    raise AssertionError(f"never ended: {now}")


# ---- preview ----------------------------------------------------------------------------------------------


def test_the_preview_is_a_picture_and_counts_every_selected_site(client, shared_library):
    answer = client.get("/baita/export/demo/preview.json?hide=enterprise.stopped&preset=a4").json()
    head, _, data = answer["image"].partition(",")
    assert head == "data:image/png;base64"
    picture = Image.open(io.BytesIO(base64.b64decode(data)))
    assert picture.width == 640
    assert picture.height == pytest.approx(640 * 210 / 297, abs=1)
    sites = shared_library.snapshot("demo").sites
    chosen = SiteFilter(hidden=frozenset({"enterprise.stopped"}))
    assert answer["on_map"] + answer["missing"] == len(select_sites(sites, chosen, CATEGORIES))
    assert answer["missing"] > 0
    assert set(answer["can"]) == set(FORMATS)


def test_the_preview_says_what_its_frame_shows(client):
    asked = (123.15, 41.25, 123.17, 41.26)
    text = ",".join(map(str, asked))
    first = client.get(f"/baita/export/demo/preview.json?bounds={text}").json()
    west, south, east, north = first["bounds"]
    assert west <= asked[0] + 1e-9
    assert south <= asked[1] + 1e-9
    assert east >= asked[2] - 1e-9
    assert north >= asked[3] - 1e-9
    again = client.get(
        "/baita/export/demo/preview.json?bounds=" + ",".join(map(str, first["bounds"]))
    ).json()
    assert again["bounds"] == pytest.approx(first["bounds"], abs=1e-9)
    assert any(finding["fix"] == "show_all" for finding in first["findings"])


def test_findings_are_sentences_in_the_asked_language(client):
    for language, word in (("zh", "未上图"), ("en", "coordinate")):
        answer = client.get(f"/baita/export/demo/preview.json?lang={language}").json()
        assert any(word in finding["text"] for finding in answer["findings"])


def test_every_finding_the_check_can_make_has_a_sentence():
    source = (exports.__file__.replace("ui/exports.py", "export/check.py"),)
    for path in source:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    codes = {part.split('"')[1] for part in text.split("Finding(")[1:] if part.startswith('"')}
    assert len(codes) >= 8
    for language in ("zh", "en"):
        assert codes <= set(load_text(language)["export"]["findings"])


def test_nothing_selected_and_an_empty_frame_are_said_in_words(client):
    nothing = client.get("/baita/export/demo/preview.json?q=没有这样的名字").json()
    assert nothing == {"error": ZH["nothing_selected"], "can": []}
    elsewhere = client.get("/baita/export/demo/preview.json?bounds=0,0,1,1").json()
    assert elsewhere["error"] == ZH["frame_empty"]
    assert "xlsx" in elsewhere["can"]
    assert "png" not in elsewhere["can"]


@pytest.mark.parametrize(
    "query",
    [
        "preset=a0", "labels=big", "series=day", "lang=fr", "public=maybe", "form=exe",
        "bounds=1,2,3", "bounds=a,b,c,d", "hide=ship.sunk", "until=soon",
    ],
)  # fmt: skip
def test_nonsense_is_refused_by_name(client, query):
    for reply in (
        client.get(f"/baita/export/demo/preview.json?{query}"),
        client.post(f"/baita/export/demo/jobs?{query}"),
    ):
        assert reply.status_code == 400
        assert query.split("=")[0].replace("hide", "not understood") in reply.json()["error"]


def test_an_unknown_set_or_job_is_not_found(client):
    assert client.get("/baita/export/other/preview.json").status_code == 404
    assert client.post("/baita/export/other/jobs").status_code == 404
    for path in ("/baita/job/x", "/baita/job/x/file"):
        assert client.get(path).status_code == 404


# ---- jobs -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["png", "pptx", "csv", "html"])
def test_a_file_is_made_named_and_sent_as_an_attachment(client, form):
    job, now = _finished(client, f"/baita/export/bulletin/jobs?form={form}&title=测试 图")
    assert (now["state"], now["share"]) == ("done", 1.0)
    assert now["name"].startswith("测试")
    assert now["name"].endswith(f".{form}")
    reply = client.get(f"/baita/job/{job}/file")
    assert reply.headers["content-disposition"].startswith("attachment; filename*=UTF-8''%E6%B5%8B")
    assert "html" not in reply.headers["content-type"]
    assert len(reply.content) > 500


def test_a_table_holds_the_selection_and_nothing_else(client, shared_library):
    job, _ = _finished(client, "/baita/export/demo/jobs?form=csv&street=南门街道")
    rows = list(
        csv.reader(io.StringIO(client.get(f"/baita/job/{job}/file").content.decode("utf-8-sig")))
    )
    wanted = select_sites(
        shared_library.snapshot("demo").sites, SiteFilter(streets=("南门街道",)), CATEGORIES
    )
    assert len(rows) - 1 == len(wanted) > 0


def test_pages_of_a_series_come_as_one_zip(client):
    job, now = _finished(
        client, "/baita/export/demo/jobs?form=png&series=status&preset=16:9-720&hide=project.open"
    )
    assert now["name"].endswith(".zip")
    archive = zipfile.ZipFile(io.BytesIO(client.get(f"/baita/job/{job}/file").content))
    assert archive.namelist()[0].startswith("01_总览_截至")
    assert len(archive.namelist()) > 8


def test_a_job_that_is_cancelled_ends_before_its_next_page(client):
    reply = client.post("/baita/export/demo/jobs?form=png&series=status&preset=a3")
    job = reply.json()["job"]
    client.delete(f"/baita/job/{job}")
    end = time.monotonic() + 30
    while client.get(f"/baita/job/{job}").json()["state"] == "running":
        assert time.monotonic() < end
        time.sleep(0.02)
    assert client.get(f"/baita/job/{job}").json()["state"] == "cancelled"
    assert client.get(f"/baita/job/{job}/file").status_code == 404


def test_a_preview_comes_between_two_pages_of_a_long_job(client):
    reply = client.post("/baita/export/demo/jobs?form=png&series=status&preset=a4")
    job = reply.json()["job"]
    try:
        assert "image" in client.get("/baita/export/bulletin/preview.json").json()
        assert client.get(f"/baita/job/{job}").json()["state"] == "running"
    finally:
        client.delete(f"/baita/job/{job}")


def test_what_goes_wrong_is_explained_and_ends_only_that_job():
    queue = Jobs()

    def fail(tell):
        raise ExportError("the disk is full")

    job = queue.start(fail, str)
    good = queue.start(lambda tell: ("a.txt", b"x"), str)
    while good.state == "running":
        time.sleep(0.01)
    assert (job.state, job.error) == ("failed", "the disk is full")
    assert good.data == b"x"


def test_too_many_waiting_jobs_are_refused(monkeypatch):
    monkeypatch.setattr(jobs, "MAX_WAITING", 2)
    queue, gate = Jobs(), threading.Event()

    def wait(tell):
        gate.wait(20)
        return "a", b""

    for _ in range(2):
        queue.start(wait, str)
    with pytest.raises(BusyError):
        queue.start(wait, str)
    gate.set()


def test_a_file_nobody_fetches_is_forgotten(monkeypatch):
    queue = Jobs()
    job = queue.start(lambda tell: ("a", b"x"), str)
    while job.state == "running":
        time.sleep(0.01)
    assert queue.get(job.job_id) is job
    monkeypatch.setattr(jobs, "KEPT_S", -1.0)
    with pytest.raises(KeyError):
        queue.get(job.job_id)


# ---- for publication --------------------------------------------------------------------------------------


@pytest.fixture
def public_settings(shared_library, tmp_path):
    path = tmp_path / "approved.gpkg"
    gpd.GeoDataFrame(
        {"name": ["区"]}, geometry=[shapely.box(123.1, 41.2, 123.3, 41.3)], crs="EPSG:4490"
    ).to_file(path)
    return replace(
        shared_library.settings,
        public_map=path,
        approval="辽S(2026)1号",
        approved_until=date.today() + timedelta(days=30),
    )


def _public(shared_library, settings):
    sites = shared_library.snapshot("demo").sites
    return make_picture(sites, SiteFilter(), CATEGORIES, settings, Look(public=True))


def test_without_an_approved_basemap_nothing_is_made_public(client):
    answer = client.get("/baita/export/demo/preview.json?public=yes").json()
    assert ZH["refusals"]["own_boundaries"] in answer["error"]
    assert answer["can"] == []
    for form in ("png", "html"):
        _, now = _finished(client, f"/baita/export/demo/jobs?public=yes&form={form}")
        assert now["state"] == "failed"


def test_an_approved_basemap_is_drawn_with_its_number(shared_library, public_settings):
    picture = _public(shared_library, public_settings)
    assert picture.neighbours == []
    assert picture.outline.bounds == pytest.approx((123.1, 41.2, 123.3, 41.3), abs=1e-6)
    svg = next(iter(render(picture, "svg", public_settings).files.values())).decode()
    assert "审图号：辽S(2026)1号" in svg
    assert ZH["internal"] not in svg
    page = next(iter(render(picture, "html", public_settings).files.values())).decode()
    # The page's data is ASCII; the number is in it as JSON escapes.
    assert "\\u5ba1\\u56fe\\u53f7" in page
    assert "\\u6587\\u5723\\u533a" not in page, "the neighbours' own outlines are not published"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"approval": ""}, "no_approval"),
        ({"approved_until": date(2020, 1, 1)}, "approval_expired"),
        ({"approved_until": None}, "approval_expired"),
        ({"public_map": None}, "own_boundaries"),
    ],
)
def test_a_basemap_that_may_not_be_published_is_refused(
    shared_library, public_settings, change, reason
):
    picture = _public(shared_library, replace(public_settings, **change))
    with pytest.raises(ExportError) as refused:
        render(picture, "png", public_settings)
    assert reason in refused.value.reasons


# ---- schemes ----------------------------------------------------------------------------------------------


def test_schemes_are_kept_listed_and_removed(own):
    client, _ = own
    assert client.get("/baita/schemes/bulletin").json() == {"schemes": []}
    kept = client.post(
        "/baita/schemes/bulletin",
        json={
            "name": "周报",
            "query": "hide=enterprise.stopped",
            "bounds": [123.1, 41.2, 123.2, 41.3],
        },
    ).json()["schemes"]
    assert [scheme["name"] for scheme in kept] == ["周报"]
    assert client.get("/baita/schemes/demo").json() == {"schemes": []}
    changed = client.post("/baita/schemes/bulletin", json={**kept[0], "name": "月报"}).json()[
        "schemes"
    ]
    assert [scheme["name"] for scheme in changed] == ["月报"]
    assert client.delete(f"/baita/schemes/bulletin/{kept[0]['scheme_id']}").status_code == 200
    assert client.get("/baita/schemes/bulletin").json() == {"schemes": []}
    assert client.delete(f"/baita/schemes/bulletin/{kept[0]['scheme_id']}").status_code == 404


def test_a_scheme_does_not_change_the_data_version(own):
    client, library = own
    before = library.snapshot("bulletin").version
    client.post("/baita/schemes/bulletin", json={"name": "周报"})
    assert library.snapshot("bulletin").version == before


def test_a_spoilt_scheme_does_not_take_the_others_along(own):
    client, library = own
    client.post("/baita/schemes/bulletin", json={"name": "周报"})
    library.store("bulletin").set_note("scheme:bad", "{")
    assert [s["name"] for s in client.get("/baita/schemes/bulletin").json()["schemes"]] == ["周报"]


@pytest.mark.parametrize(
    "body", [b"", b"{", b'{"name": ""}', b'{"name": "a", "query": "hide=ship.sunk"}', b"\xff\xfe"]
)
def test_what_is_no_scheme_is_refused(own, body):
    client, _ = own
    assert client.post("/baita/schemes/bulletin", content=body).status_code == 400
    assert client.get("/baita/schemes/bulletin").json() == {"schemes": []}


def test_another_site_cannot_make_a_browser_change_anything(own):
    client, _ = own
    for site in ("cross-site", "same-site"):
        reply = client.post(
            "/baita/schemes/bulletin", json={"name": "x"}, headers={"Sec-Fetch-Site": site}
        )
        assert reply.status_code == 403
        assert (
            client.post("/baita/export/demo/jobs", headers={"Sec-Fetch-Site": site}).status_code
            == 403
        )
    old = {"Origin": "http://elsewhere.example"}
    assert (
        client.post("/baita/schemes/bulletin", json={"name": "x"}, headers=old).status_code == 403
    )
    assert client.get("/baita/schemes/bulletin").json() == {"schemes": []}
    here = {"Origin": "http://testserver"}
    assert (
        client.post("/baita/schemes/bulletin", json={"name": "x"}, headers=here).status_code == 200
    )


def test_a_large_body_is_refused(own):
    client, _ = own
    assert client.post("/baita/schemes/bulletin", content=b" " * 100_000).status_code == 413


# ---- orders -----------------------------------------------------------------------------------------------


def test_an_order_without_words_is_the_usual_picture():
    order = read_order("demo", {}, CATEGORIES)
    assert (order.form, order.series, order.look) == ("png", "", Look())


def test_an_order_reads_every_word():
    params = {
        "hide": ["project.open"], "preset": ["a3"], "lang": ["en"], "title": ["T"], "unit": ["U"],
        "bounds": ["1,2,3,4"], "labels": ["none"], "public": ["yes"], "form": ["pdf"], "series": ["street"],
    }  # fmt: skip
    order = read_order("demo", params, CATEGORIES)
    assert order.look == Look("a3", "en", "T", "U", (1, 2, 3, 4), "none", True)
    assert (order.form, order.series) == ("pdf", "street")
    assert order.chosen.hidden == {"project.open"}


def test_an_order_for_nonsense_is_refused():
    with pytest.raises(FilterError, match="preset"):
        read_order("demo", {"preset": ["a0"]}, CATEGORIES)


def test_formats_are_those_of_the_export_and_the_handout():
    assert tuple(FORMATS[:-1]) == DRAWN
    assert FORMATS[-1] == "html"


def test_preview_needs_no_browser(shared_library):
    answer = preview(read_order("bulletin", {"lang": ["en"]}, CATEGORIES), shared_library)
    assert answer["on_map"] + answer["missing"] == 16


def test_a_job_whose_failure_cannot_be_worded_ends_all_the_same():
    def fail(tell):
        raise OSError("disk")

    def no_words(error):
        raise KeyError("words")

    job = Jobs().start(fail, no_words)
    end = time.monotonic() + 30
    while job.state == "running" and time.monotonic() < end:
        time.sleep(0.01)
    assert (job.state, job.error) == ("failed", "")
