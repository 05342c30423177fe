"""Secrets never leave: with every secret set to a word that cannot be missed, that word is in nothing that comes out.

The routes with good and bad requests, the page, the command line with commands that work and that fail, the log, the
files that are written, and what an error says with all that led to it. The browser's part, with what goes over the
websocket, is in tests/browser/test_hostile_panels.py.
"""

import base64
import io
import json
import logging
import re
import traceback
import warnings
import zipfile
from urllib.parse import urlsplit, urlunsplit

import pytest
from starlette.applications import Starlette
from streamlit.testing.v1 import AppTest

from geo.__main__ import main
from geo.draw.tiles import TileError, open_tiles
from geo.errors import SiteMapError, StoreError
from geo.locate.online import make_provider
from geo.settings import ROOT, SettingsError, load_settings
from geo.store import open_store
from geo.ui import desk_routes, export_routes, people
from geo.ui import routes as map_routes
from geo.ui.library import DATASETS, get_library
from geo.ui.routes import routes

with warnings.catch_warnings():
    # Starlette would rather have httpx2; either will do.
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

WORD = "canary"
PROXY = "canary-proxy-0123456789abcdef"
ADDRESS = "http://127.0.0.1:9/{z}/{x}/{y}?own=canary-tiles-url&tk={key}"
SECRETS = {
    "BAITA_SIGN_IN": "header",
    "BAITA_PROXY_SECRET": PROXY,
    "BAITA_ADMINS": "林工",
    "BAITA_TILES": "tianditu",
    "BAITA_TILES_KEY": "canary-tiles-key",
    "BAITA_TILES_URL": ADDRESS,
    "BAITA_GEOCODER": "nominatim",
    "BAITA_GEOCODER_KEY": "canary-geocoder@example.org",
    "BAITA_GEOCODER_URL": "http://127.0.0.1:9/search",
    "BAITA_MODEL_URL": "http://127.0.0.1:9/v1/chat?token=canary-model-token",
    "BAITA_MODEL": "m",
    "BAITA_MODEL_KEY": "canary-model-key",
}
NOWHERE = "postgresql://u:canary-password@127.0.0.1:1/db"
_FORMS = [WORD.encode()] + [
    # As a part of something longer, at each of the three places it may begin in Base64.
    base64.b64encode(b"x" * n + WORD.encode())[{0: 0, 1: 2, 2: 3}[n] :][:6]
    for n in range(3)
]


def _tells(data: bytes | str) -> bool:
    """Whether a secret is in what came out: plain, in Base64, or inside a zipped file."""
    raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    if any(form in raw for form in _FORMS) or WORD.upper().encode() in raw.upper():
        return True
    if not raw.startswith(b"PK"):
        return False
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        return any(_tells(archive.read(name)) for name in archive.namelist())


def _silent(folder, *left_out):
    """Nothing that was written below a folder tells."""
    files = [path for path in folder.rglob("*") if path.name not in left_out]
    assert files
    for path in files:
        assert not _tells(str(path.relative_to(folder))), path
        assert not (path.is_file() and _tells(path.read_bytes())), path


def _whole(error: BaseException) -> str:
    """An error with all that led to it, as a log would have it, but for the lines of source: they are this file's."""
    told, seen = list[str](), traceback.TracebackException.from_exception(error)
    while seen is not None:
        told += seen.format_exception_only()
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
    return "\n".join([*told, repr(error), repr(error.args)])


def test_the_search_finds_what_it_is_to_find():
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", "x" * 99 + PROXY)
    for data in (PROXY, NOWHERE, PROXY.upper(), packed.getvalue(), b"\xff" + PROXY.encode()):
        assert _tells(data)
    for n in range(3):
        assert _tells(base64.b64encode(b"u" * n + b":canary-password"))
    assert not _tells("a canard")


# ---- the routes and the page --------------------------------------------------------------------------------------


@pytest.fixture
def office(own_library, monkeypatch):
    """The app with every secret it can have, on a copy of the filled stores."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    for kept in (people._book, get_library):
        getattr(kept, "cache_clear", lambda: None)()
    map_routes._tiles.cache_clear()
    desk_routes._open_files.cache_clear()
    library = get_library()
    yield library
    for dataset in DATASETS:
        library.store(dataset).close()
    for kept in (get_library, map_routes._tiles, map_routes._drawn_page, desk_routes._open_files):
        kept.cache_clear()


NAMES = {
    **{"language": "zh", "dataset": "demo", "zoom": "1", "column": "0", "row": "0", "chunk": "0"},
    **{
        "import_id": "1",
        "site_id": "demo-ent-001",
        "name": "panel.js",
        "stamp": "x",
        "layer": "vec",
    },
    **{"digest": "x", "job_id": "x", "draft_id": "x", "scheme_id": "x"},
}
PEOPLE = (
    {},
    {"X-Baita-Proxy": PROXY, "X-Forwarded-User": "林工".encode()},
    {"X-Baita-Proxy": "no such secret", "X-Forwarded-User": b"lin"},
    {"X-Baita-Proxy": PROXY, "X-Forwarded-User": b"", "Origin": "http://evil.example"},
)


def _replies(client, library):
    """The answers of every route to every method and everybody, with good bodies and bad ones."""
    names = NAMES | {"version": library.snapshot("demo").version}
    for route in routes():
        path = re.sub(r"\{(\w+)(?::\w+)?\}", lambda name: names[name[1]], route.path)
        for method in sorted(route.methods):
            for who in PEOPLE:
                for body in (b"", b'{"name": "x"}', b"\xff") if method == "POST" else (None,):
                    yield client.request(method, path, content=body, headers=who)


def test_no_answer_of_a_route_and_no_line_of_the_log_tells(office, caplog):
    caplog.set_level(logging.DEBUG)
    seen = set()
    with TestClient(
        Starlette(routes=routes()), client=("127.0.0.1", 5), raise_server_exceptions=False
    ) as client:
        for reply in _replies(client, office):
            seen.add(reply.status_code)
            assert not _tells(reply.content), reply.url
            assert not _tells(repr(reply.headers)), reply.url
    # All kinds of answers were among them, the tile that its service does not give too.
    assert {200, 204, 401, 404} <= seen
    # The test's own client tells what it asked.
    lines = [r.getMessage() + str(r.exc_text) for r in caplog.records if r.name != "httpx"]
    assert not _tells("\n".join(lines))


@pytest.mark.parametrize("fault", [StoreError(NOWHERE), RuntimeError(NOWHERE), OSError(5, NOWHERE)])
def test_a_failure_that_quotes_an_address_is_not_told(office, monkeypatch, fault):
    def fail(*given, **named):
        raise fault

    with (
        monkeypatch.context() as patch,
        TestClient(
            Starlette(routes=routes()), client=("127.0.0.1", 5), raise_server_exceptions=False
        ) as client,
    ):
        patch.setattr(type(office), "snapshot", fail)
        patch.setattr(type(office), "store", fail)
        for path in ("/baita/schemes/demo", "/baita/site/demo/x.json", "/baita/desk"):
            reply = client.get(path, headers=PEOPLE[1])
            assert reply.status_code in (500, 503)
            assert not _tells(reply.content)


def test_the_page_tells_nothing_to_anybody(office, monkeypatch):
    for given in PEOPLE:
        told = people.Told(
            lambda name, given=given: [
                value.decode() if isinstance(value, bytes) else value
                for key, value in given.items()
                if key == name
            ],
            {},
            None,
            "page",
        )
        monkeypatch.setattr(people, "_told_by_page", lambda told=told: told)
        page = AppTest.from_file(ROOT / "geo" / "ui" / "main_page.py", default_timeout=60).run()
        assert not page.exception
        sent = [element.proto.SerializeToString() for element in page.get("bidi_component")]
        assert bool(sent) == (given == PEOPLE[1])
        assert not any(map(_tells, [*sent, str(page)]))


def test_nothing_that_the_app_keeps_or_hands_out_tells(office, tmp_path):
    everything = [
        office.settings,
        office,
        map_routes._tiles(office.settings),
        make_provider(SECRETS),
        *(office.store(name) for name in DATASETS),
    ]
    assert not any(_tells(repr(one) + str(one)) for one in everything)
    with TestClient(Starlette(routes=routes()), client=("127.0.0.1", 5)) as client:
        for form in ("xlsx", "html", "geojson", "csv"):
            path = f"/baita/export/demo/jobs?form={form}"
            job = client.post(path, headers=PEOPLE[1]).json()["job"]
            export_routes._jobs()._worker.submit(lambda: None).result(60)
            reply = client.get(f"/baita/job/{job}/file", headers=PEOPLE[1])
            assert reply.status_code == 200
            assert not _tells(reply.content)
        body = "企业名称,状态\n甲公司,已复工\n".encode()
        client.post("/baita/desk/read?name=a.csv", content=body, headers=PEOPLE[1])
        client.get("/baita/tiles/vec/12/3449/1529", headers=PEOPLE[1])
    office.store("bulletin").backup(tmp_path / "copy.gpkg")
    _silent(tmp_path)


# ---- the command line ---------------------------------------------------------------------------------------------


@pytest.fixture
def said(monkeypatch, capsys, filled_stores, tmp_path):
    """Run a command with every secret set, beside a filled store; return all it prints and its exit code."""
    folder = tmp_path / "cli"
    folder.mkdir()
    (folder / "baita.gpkg").write_bytes((filled_stores / "baita.gpkg").read_bytes())
    for name, value in {**SECRETS, "BAITA_STORE": str(folder / "baita.gpkg")}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(folder)

    def run(*words, **env):
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        try:
            code = main(words)
        except SystemExit as left:
            code = left.code
        out, err = capsys.readouterr()
        return code, out + err

    yield run
    _silent(folder)


BAD = (
    NOWHERE,
    "postgresql://u@127.0.0.1:1/db?password=canary-password",
    NOWHERE.replace("@", "\u2100@"),  # not a host to urllib, whose error quotes all of it
    NOWHERE.replace("127.0.0.1:1", "[::1"),
    NOWHERE.replace("//", "/"),
    NOWHERE.replace("postgresql", "mysql"),
    NOWHERE.replace("postgresql", "postgres+psycopg"),
    "gpkg://u:canary-password@host/x.gpkg",
)


@pytest.mark.parametrize("address", BAD)
def test_no_command_repeats_an_address_with_a_password(said, address):
    for words in (
        ("sites", "--store", address),
        ("sites", f"--storee={address}"),
        ("load", address),
        ("load", "x.csv", "--store", address),
        ("read", address),
        ("backup", "--store", address),
        ("restore", address),
        ("restore", "latest", "--store", address),
        ("copy", "--from", address, "--to", "new.gpkg"),
        ("copy", "--from", "baita.gpkg", "--to", address),
        ("bulk", address, "--to", "parts"),
        ("bulk", "x.csv", "--to", address, "--work", "work"),
        ("export", "--format", "csv", "--out", "a.csv", "--store", address),
        ("audit", "--limit", address),
        (address,),
    ):
        code, told = said(*words)
        assert code == 2, (words, told)
        assert not _tells(told), (words, told)
    code, told = said("sites", BAITA_STORE=address)
    assert (code, _tells(told)) == (2, False), told


def test_no_command_that_works_tells_and_none_that_is_set_up_wrong(said, tmp_path):
    for form in ("xlsx", "csv", "geojson", "gpkg", "html", "png", "pptx"):
        code, told = said("export", "--format", form, "--out", f"x.{form}")
        assert (code, _tells(told)) == (0, False), told
    for words in (
        ("sites",),
        ("audit",),
        ("backup",),
        ("backup", "--list"),
        ("member", "wang", "--role", "viewer"),
        ("locate", "白塔公园"),
        ("copy", "--from", "baita.gpkg", "--to", "copied.gpkg"),
    ):
        code, told = said(*words)
        assert (code, _tells(told)) == (0, False), (words, told)
    code, told = said("geocode")  # nobody is there to be asked
    assert not _tells(told)
    for name, value in (
        ("BAITA_PROXY_SECRET", "canary"),
        ("BAITA_GEOCODER_KEY", "canary key with blanks"),
        ("BAITA_GEOCODER_URL", "https://u:canary@host/?key=canary"),
        ("BAITA_GEOCODER_PER_SECOND", "canary"),
    ):
        _, told = said("geocode", **{name: value})
        assert not _tells(told), (name, told)
    bulletin = tmp_path / "通报.txt"
    bulletin.write_text("辽阳青松机械有限公司已复工。", encoding="utf-8")
    for name, value in (
        ("BAITA_MODEL_KEY", "canary-model-key"),
        ("BAITA_MODEL_TIMEOUT_S", "canary"),
        ("BAITA_MODEL_KEY", "canary key with blanks"),
        ("BAITA_MODEL_URL", "https://u:canary@host/"),
    ):
        code, told = said("read", str(bulletin), "--model", **{name: value})
        assert (code, _tells(told)) == (2, False), (name, told)


# ---- errors, with all that led to them ----------------------------------------------------------------------------


@pytest.mark.parametrize("address", BAD)
def test_no_error_of_a_store_holds_its_password_anywhere(address):
    with pytest.raises(StoreError) as caught:
        open_store(address)
    assert not _tells(_whole(caught.value))


def test_no_error_of_a_setting_holds_a_secret():
    for given in (
        {"BAITA_SIGN_IN": "header", "BAITA_PROXY_SECRET": "canary"},
        {"BAITA_SIGN_IN": "header", "BAITA_PROXY_SECRET": "canary" * 4 + "鸟"},
    ):
        with pytest.raises(SettingsError) as caught:
            load_settings(given)
        assert not _tells(_whole(caught.value))
    for name, value in (("_KEY", "canary canary"), ("_URL", "https://canary:canary@host/?canary")):
        with pytest.raises(SiteMapError) as refused:
            make_provider(SECRETS | {f"BAITA_GEOCODER{name}": value})
        assert not _tells(_whole(refused.value))


def test_no_error_of_the_tiles_holds_their_address(tmp_path):
    with pytest.raises(TileError) as caught:
        open_tiles("https://tiles.example/{z}/{x}/{y}?tk=canary", cache=tmp_path / "t")
    assert not _tells(_whole(caught.value))
    found = open_tiles("tianditu", key="canary-key", url=ADDRESS, cache=tmp_path / "t")
    assert found.layers["vec"].get(1, 0, 0) is None
    assert not _tells(repr(found))


def test_a_password_that_the_server_refuses_is_in_no_error_and_in_no_file(
    new_schema, said, tmp_path
):
    """A real database, a real bulk run into it and out of it."""
    parts = urlsplit(new_schema)
    user, _, host = parts.netloc.rpartition("@")
    name = user.partition(":")[0] or "baita"
    address = urlunsplit(parts._replace(netloc=f"{name}:canary-password@{host}"))
    wrong = urlunsplit(parts._replace(netloc=f"nobody:canary-password@{host}"))
    with pytest.raises(StoreError) as caught:
        open_store(wrong)
    assert not _tells(_whole(caught.value))
    table = "企业名称,状态,经度,纬度,坐标系\n" + "\n".join(
        f"甲{n},已复工,123.17,41.26,wgs84" for n in range(5)
    )
    (tmp_path / "cli" / "five.csv").write_text(table, encoding="utf-8")
    for words in (
        ("bulk", "five.csv", "--to", address, "--work", "work", "--workers", "0"),
        ("bulk", address, "--to", "parts", "--workers", "0"),
        ("copy", "--from", address, "--to", "copied.gpkg"),
        ("backup", "--store", address, "--out", "b.gpkg"),
        ("sites", "--store", address),
        ("backup", "--store", address),
        ("bulk", wrong, "--to", "other"),
    ):
        _, told = said(*words)
        assert told
        assert not _tells(told), (words, told)
    with open_store(address) as store:
        assert store.count_sites() == 5
        assert not _tells(repr(store))
        assert not _tells(json.dumps(store.notes(""), default=str))
