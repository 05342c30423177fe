"""The import desk's routes: reading as a job, a draft's view, its edits, import and undo; and wrong requests."""

import time
import warnings

import pytest
from model_server import ModelServer
from starlette.applications import Starlette

from geo.district import beside_store
from geo.drafts import Desk
from geo.locate.datum import from_wgs84
from geo.read.checks import CODES
from geo.read.endpoint import load_model
from geo.ui import desk_routes
from geo.ui.jobs import BusyError, Jobs
from geo.ui.routes import routes
from geo.ui.text import load_text

with warnings.catch_warnings():
    # Starlette would rather have httpx2; either will do.
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

TEXT = (
    "截至2026年3月20日，重点企业50户，复工40户，复工率80%。辽阳青松机械有限公司已全面复工复产。"
    "望塔大厦项目要尽早开工。"
)
TABLE = "企业名称,状态,经度,纬度\n甲公司,复工,123.18,41.26\n乙公司,停工整顿,,\n"


@pytest.fixture
def client(own_library):
    desk_routes._open_files.cache_clear()
    with TestClient(Starlette(routes=routes())) as opened:
        yield opened
    desk_routes._open_files.cache_clear()


def _read(client, data, name=""):
    reply = client.post(f"/baita/desk/read?name={name}", content=data)
    return _ended(client, reply)


def _ended(client, reply):
    assert reply.status_code == 200, reply.text
    end = time.monotonic() + 60
    while time.monotonic() < end:
        now = client.get(f"/baita/desk/job/{reply.json()['job']}").json()
        if now["state"] != "running":
            return now
        time.sleep(0.02)
    raise AssertionError("the job never ended")


def _desk(library):
    folder = beside_store(library.settings, "drafts")
    return Desk(library.store("bulletin"), library.settings, library.categories, folder)


def _draft(client, data=b"", name=""):
    now = _read(client, data or TEXT.encode(), name)
    assert now["state"] == "done", now
    return client.get(f"/baita/desk/draft/{now['draft']}").json()


def test_a_pasted_bulletin_becomes_a_view_beside_its_text(client):
    view = _draft(client)
    assert view["form"] == "bulletin"
    assert view["raw"] == TEXT
    names = {one["name"]: one for one in view["items"]}
    assert names["辽阳青松机械有限公司"]["compared"]["list"] == "new"
    a, b = names["望塔大厦"]["quote_span"]
    assert TEXT[a:b] == names["望塔大厦"]["quote"]
    assert any("80%" in check["text"] for check in view["checks"])
    assert view["comparison"]["gone"] == 16
    assert [one["draft_id"] for one in client.get("/baita/desk").json()["drafts"]] == [
        view["draft_id"]
    ]


def test_an_edit_answers_with_the_new_view(client):
    view = _draft(client)
    path = f"/baita/desk/draft/{view['draft_id']}"
    number = view["items"][0]["number"]
    view = client.post(path, json={"items": {number: {"decision": "rejected"}}}).json()
    assert view["items"][0]["decision"] == "rejected"
    assert client.get(path).json() == view


def test_accepting_puts_it_on_the_map_and_undo_takes_it_off(client, own_library):
    before = own_library.snapshot("bulletin")
    view = _draft(client)
    done = client.post(f"/baita/desk/draft/{view['draft_id']}/accept").json()
    assert (done["added"], done["problems"]["count"]) == (2, 0)
    assert len(own_library.snapshot("bulletin").sites) == len(before.sites) + 2
    [one] = client.get("/baita/desk").json()["imports"]
    assert (one["import_id"], one["undone_at"]) == (done["import_id"], "")
    undone = client.post(f"/baita/desk/import/{done['import_id']}/undo").json()
    assert undone == {"removed": 2, "restored": 0, "kept": []}
    assert len(own_library.snapshot("bulletin").sites) == len(before.sites)
    assert client.post(f"/baita/desk/import/{done['import_id']}/undo").status_code == 422


def test_a_table_says_what_must_still_be_chosen(client):
    view = _draft(client, TABLE.encode("gb18030"), "表.csv")
    assert view["inspection"]["asks"] == ["datum"]
    assert view["inspection"]["encoding"] == "gb18030"
    assert [word["word"] for word in view["inspection"]["status_words"] if not word["status"]] == [
        "停工整顿"
    ]
    assert (view["read"]["rows"], view["read"]["records"], view["read"]["problems"]["count"]) == (
        2,
        1,
        1,
    )
    layout = {
        **view["inspection"]["layout"],
        "datum": "wgs84",
        "status_words": {"停工整顿": "stopped"},
    }
    view = client.post(f"/baita/desk/draft/{view['draft_id']}", json={"layout": layout}).json()
    assert (view["inspection"]["asks"], view["read"]["records"]) == ([], 2)


def test_a_table_without_kind_is_not_read_before_it_is_said(client):
    view = _draft(client, "名称,说明\n甲,x\n".encode(), "a.csv")
    assert view["read"] is None
    assert "kind" in view["inspection"]["asks"]


def test_a_file_that_cannot_be_read_says_why_and_leaves_no_draft(client):
    now = _read(client, b"not a workbook", "a.xlsx")
    assert now["state"] == "failed"
    assert "a.xlsx" in now["error"]
    assert "/" not in now["error"].replace("CSV / ", "")
    assert client.get("/baita/desk").json()["drafts"] == []


def test_a_draft_can_be_removed_once(client):
    path = f"/baita/desk/draft/{_draft(client)['draft_id']}"
    assert client.delete(path).status_code == 200
    for reply in (client.delete(path), client.get(path), client.post(path + "/accept")):
        assert reply.status_code == 422
        assert reply.json()["error"]


@pytest.mark.parametrize("body", [b"{", b"[]", b'"x"', b"\xff"])
def test_a_change_that_is_no_object_is_refused(client, body):
    path = f"/baita/desk/draft/{_draft(client)['draft_id']}"
    assert client.post(path, content=body).status_code == 400


def test_what_is_empty_or_too_large_or_from_elsewhere_is_refused(client):
    assert client.post("/baita/desk/read", content=b"  \n").status_code == 422
    assert client.post("/baita/desk/read", content=b" " * 20_000_001).status_code == 413
    reply = client.post("/baita/desk/read", content=b"x", headers={"Sec-Fetch-Site": "cross-site"})
    assert reply.status_code == 403
    assert client.post("/baita/desk/read?as_of=soon", content=b"x").status_code == 400
    assert client.get("/baita/desk").json()["drafts"] == []


def test_every_check_has_a_sentence_in_both_languages():
    for language in ("zh", "en"):
        assert set(load_text(language)["desk"]["checks"]) == set(CODES)


def test_the_guard_shows_the_readings_of_a_batch_and_proposes_one(client):
    spots = [(123.15 + n * 0.005, 41.248 + n * 0.004) for n in range(10)]
    rows = [
        f"样例{n}厂,复工,{y:.3f},{x:.3f}"
        for n, (x, y) in enumerate(from_wgs84(lon, lat, "epsg:4529") for lon, lat in spots)
    ]
    view = _draft(client, ("企业名称,状态,纬度,经度\n" + "\n".join(rows)).encode(), "测量.csv")
    guard = view["guard"]
    best = guard["readings"][0]
    assert guard["decided"]
    assert (best["datum"], best["swapped"], best["inside"]) == ("epsg:4529", False, 10)
    assert best["points"][0] == pytest.approx(spots[0], abs=1e-4)
    assert len(guard["outline"][0]) > 10


def test_a_table_without_coordinates_has_no_guard(client):
    assert _draft(client, "企业名称,状态\n甲公司,复工\n".encode(), "a.csv")["guard"] is None


def test_a_file_that_was_being_read_when_the_server_stopped_is_offered_and_read_again(
    client, own_library
):
    kept = _desk(own_library).receive("复工表.csv", TABLE.encode())
    [head] = client.get("/baita/desk").json()["drafts"]
    assert (head["name"], head["interrupted"]) == ("复工表.csv", True)
    reply = client.post(f"/baita/desk/draft/{kept.draft_id}/read")
    assert _ended(client, reply)["draft"] == kept.draft_id
    [head] = client.get("/baita/desk").json()["drafts"]
    assert not head["interrupted"]
    view = client.get(f"/baita/desk/draft/{kept.draft_id}").json()
    assert view["name"] == "复工表.csv"
    assert len(view["inspection"]["columns"]) == 4
    assert client.post("/baita/desk/draft/none/read").status_code == 422


def test_while_too_much_waits_a_file_is_refused_and_leaves_no_draft(client, monkeypatch):
    def busy(self, explain, who=""):
        raise BusyError("too much is waiting: try again in a minute")

    monkeypatch.setattr(Jobs, "prepare", busy)
    assert client.post("/baita/desk/read?name=a.csv", content=TABLE.encode()).status_code == 429
    assert client.get("/baita/desk").json()["drafts"] == []


# ---- a model that is asked too ----------------------------------------------------------------------------


@pytest.fixture
def model(own_library):
    hidden = {
        "kind": "enterprise",
        "name": "云上糕点铺",
        "status": "已复工",
        "quote": "云上糕点铺开了门",
    }
    with ModelServer([hidden]) as server:
        own_library.model = load_model(server.env)
        yield server


def test_without_a_model_there_is_nothing_to_ask(client):
    view = _draft(client)
    assert view["model"] == ""
    assert client.post(f"/baita/desk/draft/{view['draft_id']}/model").status_code == 404


def test_the_model_adds_to_a_draft_as_a_job_and_the_view_says_where_texts_go(client, model):
    view = _draft(client, (TEXT + "云上糕点铺开了门。").encode())
    assert view["model"] == "127.0.0.1"
    assert model.asked == []
    now = _ended(client, client.post(f"/baita/desk/draft/{view['draft_id']}/model"))
    assert (now["state"], now["draft"]) == ("done", view["draft_id"])
    after = client.get(f"/baita/desk/draft/{view['draft_id']}").json()
    assert [one["name"] for one in after["items"]][len(view["items"]) :] == ["云上糕点铺"]
    assert client.post("/baita/desk/draft/none/model").status_code == 422


def test_who_does_not_want_the_model_any_more_need_not_wait_for_it(client, model):
    view = _draft(client, (TEXT + "云上糕点铺开了门。").encode())
    model.hold.clear()
    reply = client.post(f"/baita/desk/draft/{view['draft_id']}/model")
    client.delete(f"/baita/desk/job/{reply.json()['job']}")
    assert _ended(client, reply)["state"] == "cancelled"
    model.hold.set()
    after = client.get(f"/baita/desk/draft/{view['draft_id']}").json()
    assert after["items"] == view["items"]


def test_a_model_that_fails_is_told_in_the_language_of_the_page_and_without_its_key(client, model):
    view = _draft(client)
    model.status = 401
    now = _ended(client, client.post(f"/baita/desk/draft/{view['draft_id']}/model?lang=zh"))
    assert (now["state"], now["error"]) == (
        "failed",
        "模型地址返回 401，请检查地址、密钥和模型名称",
    )
    assert client.get(f"/baita/desk/draft/{view['draft_id']}").json()["items"] == view["items"]
