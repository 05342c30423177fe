"""Who is at the screen: whose word is taken, and that every page and route asks."""

import ast
import asyncio
import json
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import streamlit as st
from starlette.applications import Starlette
from starlette.requests import Request
from streamlit.web.server.starlette.starlette_app_utils import create_signed_value
from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME

from geo.access import Right, Role, SignInError
from geo.ui import desk_routes, people
from geo.ui.answers import handle
from geo.ui.explain import explain
from geo.ui.library import get_library
from geo.ui.people import Told, _from_cookie, _from_proxy, is_loopback, proxy_refusal
from geo.ui.routes import routes

with warnings.catch_warnings():
    # Starlette would rather have httpx2; either will do.
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

UI = Path(__file__).resolve().parents[2] / "geo" / "ui"
SECRET = "0123456789abcdef-the-proxy"
HONGFEI = "prj-hongfei"


# ---- nobody goes round the door ---------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(UI.rglob("*.py")), ids=lambda path: path.name)
def test_no_page_or_route_takes_a_store_that_asks_nobody(path):
    """The library opens stores, people.py hands them on as somebody may use them, the server backs them up."""
    if path.name in ("library.py", "people.py", "server.py"):
        return
    tree = ast.parse(path.read_text(encoding="utf-8"))
    taken = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr in ("store", "open_store", "prepare_store")
        and isinstance(node.ctx, ast.Load)
    ]
    assert not taken, f"{path.name}, lines {taken}: take page_store or request_store"


def test_every_route_but_the_scripts_asks_who_it_is(office):
    with TestClient(Starlette(routes=routes()), client=("127.0.0.1", 5)) as client:
        asked = 0
        for route in routes():
            path = route.path
            for name, value in (
                *(("{language}", "zh"), ("{dataset}", "bulletin"), ("{version}", "1")),
                *(("{zoom:int}", "1"), ("{column:int}", "0"), ("{row:int}", "0")),
                *(("{chunk:int}", "0"), ("{import_id:int}", "1"), ("{site_id:path}", "x")),
                *(("{name:path}", "panel.js"), ("{name}", "x"), ("{stamp}", "x"), ("{layer}", "x")),
                *(("{column}", "name"), ("{digest}", "x"), ("{job_id}", "x")),
                *(("{draft_id}", "x"), ("{scheme_id}", "x")),
            ):
                path = path.replace(name, value)
            assert "{" not in path, path
            for method in route.methods - {"HEAD"}:
                reply = client.request(method, path)
                if "/static/" in path:
                    assert reply.status_code == 404
                else:
                    assert (reply.status_code, method, path) == (401, method, path)
                    asked += 1
    assert asked > 15


# ---- a proxy's word ---------------------------------------------------------------------------------------------


@pytest.fixture
def office(own_library, monkeypatch):
    """The app behind a proxy: 林工 is an administrator by the settings, others are who the store says."""
    monkeypatch.setenv("BAITA_SIGN_IN", "header")
    monkeypatch.setenv("BAITA_PROXY_SECRET", SECRET)
    monkeypatch.setenv("BAITA_ADMINS", "林工")
    monkeypatch.setattr(people, "_lookers", people.Knocks(people.LOOKS_EVERY_S))
    monkeypatch.setattr(people, "_strangers", people.Knocks(people.STRANGERS_EVERY_S))
    get_library.cache_clear()
    desk_routes._open_files.cache_clear()
    library = get_library()
    yield library
    for dataset in ("bulletin", "demo"):
        library.store(dataset).close()
    get_library.cache_clear()
    desk_routes._open_files.cache_clear()


@pytest.fixture
def client(office):
    with TestClient(Starlette(routes=routes()), client=("127.0.0.1", 5)) as opened:
        yield opened


def _as(name, secret=SECRET):
    return {"X-Forwarded-User": name.encode(), "X-Baita-Proxy": secret}


def _told(headers=(), peer=None, cookies=()):
    def found(name):
        return [value for key, value in headers if key.lower() == name.lower()]

    return Told(found, dict(cookies), peer, "/baita/x")


GOOD = (("X-Baita-Proxy", SECRET), ("X-Forwarded-User", "wang"))


def test_what_the_proxy_says_is_taken_with_its_secret_from_this_machine(office):
    assert _from_proxy(_told(GOOD), office.settings) == "wang"
    assert _from_proxy(_told(GOOD, peer="127.0.0.1"), office.settings) == "wang"
    assert _from_proxy(_told(GOOD, peer="::1"), office.settings) == "wang"
    # nginx sends UTF-8, which HTTP's libraries read as Latin-1.
    chinese = (GOOD[0], ("X-Forwarded-User", "王工".encode().decode("latin-1")))
    assert _from_proxy(_told(chinese), office.settings) == "王工"


@pytest.mark.parametrize(
    ("headers", "peer"),
    [
        ((), None),
        (GOOD[1:], None),
        (GOOD[:1], None),
        ((("X-Baita-Proxy", SECRET[:-1]), GOOD[1]), None),
        ((("X-Baita-Proxy", ""), GOOD[1]), None),
        ((("X-Baita-Proxy", SECRET + "é"), GOOD[1]), None),
        ((("X-Baita-Proxy", "\u4e00"), GOOD[1]), None),
        ((GOOD[0], *GOOD), None),
        ((*GOOD, ("x-forwarded-user", "root")), None),
        ((GOOD[0], ("X-Forwarded-User", " ")), None),
        ((GOOD[0], ("X-Forwarded-User", "wang\u200b")), None),
        ((GOOD[0], ("X-Forwarded-User", "x" * 300)), None),
        (GOOD, "10.1.2.3"),
        (GOOD, "?"),
    ],
)
def test_any_other_word_is_not_believed(office, headers, peer):
    with pytest.raises(SignInError):
        _from_proxy(_told(headers, peer), office.settings)


def test_where_anybody_reaches_the_app_no_header_is_believed(office):
    address = st.get_option("server.address")
    try:
        for open_to_all in ("0.0.0.0", "10.1.2.3", "", "::"):
            st.config.set_option("server.address", open_to_all)
            refusal = proxy_refusal(office.settings)
            assert "--server.address 127.0.0.1" in refusal
            assert "放在反向代理后面" in explain(refusal, "zh")
            with pytest.raises(SignInError):
                _from_proxy(_told(GOOD), office.settings)
    finally:
        st.config.set_option("server.address", address)
    assert proxy_refusal(office.settings) == ""


def test_this_machine_is_what_the_standards_say():
    assert all(map(is_loopback, ("127.0.0.1", "127.8.9.1", "::1", "[::1]", "localhost")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "10.0.0.1", "evil.localhost", "", "?")))


# ---- requests ---------------------------------------------------------------------------------------------------


def test_a_forged_header_straight_to_the_app_is_refused_and_written_down(office, client):
    for headers in ({"X-Forwarded-User": "林工".encode()}, _as("林工", "guessed-guessed-guessed")):
        reply = client.get("/baita/schemes/bulletin", headers=headers)
        assert reply.status_code == 401
        assert reply.json() == {"error": "没有登录，请先登录"}
    audit = office.store("bulletin").audit()
    assert [(one.who, one.action, one.target, one.allowed) for one in audit] == [
        ("-", "sign_in", "/baita/schemes/bulletin", False)
    ]
    assert "secret" in audit[0].detail
    assert SECRET not in audit[0].detail


def test_who_knocks_a_thousand_times_is_not_a_thousand_lines(office, client, monkeypatch):
    for _ in range(30):
        client.get("/baita/desk")
    assert len(office.store("bulletin").audit()) == 1
    people._strangers.every_s = 0.0
    client.get("/baita/desk")
    assert office.store("bulletin").audit()[0].detail.endswith("(30)")


def test_who_may_not_look_any_more_is_one_line_though_the_page_asks_each_second(office, client):
    store = office.store("bulletin")
    store.set_member("王工", Role.NONE, who="林工")
    for _ in range(5):
        assert client.get("/baita/version/bulletin", headers=_as("王工")).status_code == 403
    assert [one.action for one in store.audit()] == ["GET", "set_member"]
    for _ in range(3):
        client.post("/baita/schemes/bulletin", json={}, headers=_as("王工"))
    assert [one.action for one in store.audit()] == ["POST"] * 3 + ["GET", "set_member"]


def test_a_viewer_sees_and_changes_nothing(office, client):
    wang = _as("王工")
    version = office.store("bulletin").data_version()
    assert client.get("/baita/map/zh", headers=wang).status_code == 200
    assert client.get(f"/baita/data/bulletin/{version}/sites.bin", headers=wang).status_code == 200
    assert client.get("/baita/schemes/bulletin", headers=wang).status_code == 200
    scheme = {"name": "周报", "query": ""}
    forged = [
        ("POST", "/baita/schemes/bulletin", scheme),
        ("DELETE", "/baita/schemes/bulletin/abc", None),
        ("POST", "/baita/desk/read?name=a.txt", scheme),
        ("GET", "/baita/desk", None),
        ("GET", "/baita/desk/draft/abc", None),
        ("POST", "/baita/desk/draft/abc", scheme),
        ("DELETE", "/baita/desk/draft/abc", None),
        ("POST", "/baita/desk/draft/abc/accept", None),
        ("POST", "/baita/desk/import/1/undo", None),
    ]
    for method, path, body in forged:
        reply = client.request(method, path, json=body, headers=wang)
        assert (reply.status_code, path) == (403, path)
        assert "“编辑”" in reply.json()["error"]
    reply = client.post("/baita/schemes/bulletin?lang=en", json=scheme, headers=wang)
    assert "takes the role editor" in reply.json()["error"]
    refused = [one for one in office.store("bulletin").audit() if one.who == "王工"][1:]
    # Of what only looks, one line a minute.
    lines = [("王工", method, path.partition("?")[0]) for method, path, _ in forged]
    lines.remove(("王工", "GET", "/baita/desk/draft/abc"))
    assert [(one.who, one.action, one.target) for one in reversed(refused)] == lines
    assert office.store("bulletin").notes("") == {}
    assert office.store("bulletin").data_version() == version


def test_a_viewer_may_make_a_picture(office, client):
    reply = client.post("/baita/export/bulletin/jobs?form=csv", headers=_as("王工"))
    assert reply.status_code == 200


def test_an_editor_may_until_the_moment_it_is_taken_away(office, client):
    store, wang = office.store("bulletin"), _as("王工")
    scheme = {"name": "周报", "query": ""}
    store.set_member("王工", Role.EDITOR, who="林工")
    assert client.post("/baita/schemes/bulletin", json=scheme, headers=wang).status_code == 200
    store.set_member("王工", Role.VIEWER, who="林工")
    scheme["name"] = "月报"
    assert client.post("/baita/schemes/bulletin", json=scheme, headers=wang).status_code == 403
    store.set_member("王工", Role.NONE, who="林工")
    assert client.get("/baita/schemes/bulletin", headers=wang).status_code == 403
    assert len(store.notes("scheme:")) == 1


def test_a_job_that_runs_stops_where_the_role_was_taken_away(office, client, monkeypatch):
    """The file is read while the role goes: what was brought in time is there, what was read of it is not kept."""
    store, wang = office.store("bulletin"), _as("王工")
    store.set_member("王工", Role.EDITOR, who="林工")
    read = desk_routes.Desk._read_bulletin

    def slow(desk, draft, raw):
        done = read(desk, draft, raw)
        store.set_member("王工", Role.VIEWER, who="林工")
        return done

    monkeypatch.setattr(desk_routes.Desk, "_read_bulletin", slow)
    reply = client.post(
        "/baita/desk/read?name=a.txt", content="望塔大厦项目要开工。".encode(), headers=wang
    )
    assert reply.status_code == 200
    path, lin, end = f"/baita/desk/job/{reply.json()['job']}", _as("林工"), time.monotonic() + 60
    while client.get(path, headers=lin).json()["state"] == "running":
        assert time.monotonic() < end
        time.sleep(0.02)
    job = client.get(path, headers=lin).json()
    assert job["state"] == "failed"
    assert "“编辑”" in job["error"]
    [draft] = store.notes("draft:").values()
    assert json.loads(draft)["items"] == []
    assert ("王工", "set_note") in [(one.who, one.action) for one in store.audit()]


def test_a_draft_and_its_import_carry_the_name_of_who_made_them(office, client):
    store = office.store("bulletin")
    for name in ("王工", "周工"):
        store.set_member(name, Role.EDITOR, who="林工")
    reply = client.post(
        "/baita/desk/read?name=a.txt",
        content="辽阳青松机械有限公司已全面复工复产。".encode(),
        headers=_as("王工"),
    )
    path, end = f"/baita/desk/job/{reply.json()['job']}", time.monotonic() + 60
    while client.get(path, headers=_as("王工")).json()["state"] == "running":
        assert time.monotonic() < end
        time.sleep(0.02)
    [draft] = client.get("/baita/desk", headers=_as("周工")).json()["drafts"]
    assert draft["who"] == "王工"
    done = client.post(f"/baita/desk/draft/{draft['draft_id']}/accept", headers=_as("周工"))
    assert done.status_code == 200, done.text
    assert store.imports()[0].who == "周工"


def test_what_one_person_was_let_see_no_proxy_keeps_for_another(office, client):
    version = office.store("bulletin").data_version()
    reply = client.get(f"/baita/data/bulletin/{version}/sites.bin", headers=_as("王工"))
    assert reply.headers["cache-control"].startswith("private")
    scripts = [route for route in routes() if "/static/" in route.path]
    assert len(scripts) == 1


def test_another_sites_page_is_refused_before_anything_is_written_down(office, client):
    headers = {**_as("林工"), "Sec-Fetch-Site": "cross-site"}
    assert client.post("/baita/schemes/bulletin", json={}, headers=headers).status_code == 403
    assert office.store("bulletin").audit() == []


def test_what_may_ask_a_service_outside_is_for_editors_and_for_our_own_pages(office, client):
    path = "/baita/candidates/bulletin/prj-jianhang.json"
    assert client.get(path, headers=_as("王工")).status_code == 403  # a viewer
    foreign = {**_as("林工"), "Sec-Fetch-Site": "cross-site"}
    assert client.get(path, headers=foreign).status_code == 403
    own = {**_as("林工"), "Sec-Fetch-Site": "same-origin"}
    assert client.get(path, headers=own).status_code == 200


def test_nobody_takes_the_body_of_who_may_not(office):
    """A viewer's 20 MB are not read before they are refused."""

    async def body():
        raise AssertionError("the body was asked for")

    scope = {
        "type": "http", "method": "POST", "path": "/x", "query_string": b"", "client": ("127.0.0.1", 5),
        "headers": [(b"x-baita-proxy", SECRET.encode()), (b"x-forwarded-user", b"wang")],
    }  # fmt: skip
    # In a thread of its own: a browser of another test may have left this one a running loop.
    with ThreadPoolExecutor(1) as thread:
        answer = handle(lambda request: None, right=Right.EDIT)(Request(scope, body))
        reply = thread.submit(asyncio.run, answer).result()
    assert reply.status_code == 403


# ---- an identity provider's word --------------------------------------------------------------------------------

COOKIE_SECRET = "a secret of the test's own, long enough"
ORIGIN = "https://map.example.org"
CLAIMS = {"is_logged_in": True, "origin": ORIGIN, "provider": "default", "sub": "u-17"}


@pytest.fixture
def provider(office, monkeypatch):
    monkeypatch.setattr(people, "get_cookie_secret", lambda: COOKIE_SECRET)
    monkeypatch.setattr(people, "get_origin_from_redirect_uri", lambda: ORIGIN)
    return office.settings


def _cookie(claims, secret=COOKIE_SECRET, name=USER_COOKIE_NAME):
    value = claims if isinstance(claims, str) else json.dumps(claims)
    return create_signed_value(secret, name, value).decode()


def _signed_in(provider, claims, **options):
    return _from_cookie(_told(cookies={USER_COOKIE_NAME: _cookie(claims, **options)}), provider)


def test_a_verified_mail_address_is_the_name_else_the_providers_id(provider):
    mail = {"email": "Wang@Example.ORG", "email_verified": True}
    assert _signed_in(provider, CLAIMS | mail) == "wang@example.org"
    assert _signed_in(provider, CLAIMS | mail | {"email_verified": False}) == "u-17"
    assert _signed_in(provider, CLAIMS | {"email": "wang@example.org"}) == "u-17"
    # An id that a provider lets people choose is not taken for somebody's address.
    assert _signed_in(provider, CLAIMS | {"sub": "lin@example.org"}) == "sub:lin@example.org"


@pytest.mark.parametrize(
    "claims",
    [
        CLAIMS | {"is_logged_in": False},
        CLAIMS | {"origin": "https://other.example.org"},
        {name: value for name, value in CLAIMS.items() if name != "origin"},
        CLAIMS | {"sub": ""},
        CLAIMS | {"sub": "a\nb"},
        [],
        "not JSON",
    ],
)
def test_a_cookie_that_says_less_lets_nobody_in(provider, claims):
    with pytest.raises(SignInError):
        _signed_in(provider, claims)


def test_a_cookie_that_was_not_signed_here_lets_nobody_in(provider):
    with pytest.raises(SignInError):
        _signed_in(provider, CLAIMS, secret="another secret, as long as the first")
    with pytest.raises(SignInError):
        _signed_in(provider, CLAIMS, name="_streamlit_user_tokens")
    with pytest.raises(SignInError):
        _from_cookie(_told(), provider)
    forged = json.dumps(CLAIMS)
    with pytest.raises(SignInError):
        _from_cookie(_told(cookies={USER_COOKIE_NAME: forged}), provider)


def test_a_cookie_in_pieces_is_put_together(provider):
    """Streamlit splits what a browser would not keep."""
    from streamlit.auth_util import set_cookie_with_chunks

    kept = {}
    set_cookie_with_chunks(
        lambda name, value: kept.update({name: _cookie(value, name=name)}),
        lambda name, value: create_signed_value(COOKIE_SECRET, name, value),
        USER_COOKIE_NAME,
        CLAIMS | {"groups": [f"{n * 7919 % 9973:x}" for n in range(3000)]},
        cookie_attr_size=80,
    )
    assert len(kept) > 2
    assert _from_cookie(_told(cookies=kept), provider) == "u-17"
    kept.pop(f"{USER_COOKIE_NAME}_1")
    with pytest.raises(SignInError):
        _from_cookie(_told(cookies=kept), provider)


def test_without_a_secret_no_cookie_is_believed(provider, monkeypatch):
    monkeypatch.setattr(people, "get_cookie_secret", lambda: "")
    with pytest.raises(SignInError):
        _signed_in(provider, CLAIMS, secret="")
