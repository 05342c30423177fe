"""The deployment page's own nginx.conf, run: the app behind it under a path, who signs in, who may what.

nginx runs as an ordinary program with a folder of its own; only ports, paths, the certificate and the password file
are put into the example, as an administrator would.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import http.client
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from driver import FLAGS, ROOT, START_S, Server, Tab, new_context
from playwright.sync_api import Browser

from geo.access import Role
from geo.placing import place_site

pytestmark = pytest.mark.browser

DEPLOY = ROOT / "geo" / "deploy"
SECRET = "a-secret-of-this-test-0123456789"
PEOPLE = {
    "lin": "lin's own word",
    "wang": "wang's own word",
    "gao": "gao's own word",
    "林工": "口令",
}
HONGFEI, STOPPED = "prj-hongfei", "enterprise.stopped"


# ---- nginx and the app ------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def nginx_path() -> str:
    found = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if found is None:
        tell = pytest.fail if os.environ.get("CI") else pytest.skip
        tell("no nginx; Debian: apt install nginx-light")
    return found


def _free_port() -> int:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _certificate(folder: Path) -> str:
    """Write a key and a certificate that this machine has signed for itself; return the key's fingerprint."""
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, day = ec.generate_private_key(ec.SECP256R1()), datetime.datetime(2026, 1, 1)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, day)
        .not_valid_after(day + datetime.timedelta(days=36500))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "certificate.pem").write_bytes(signed.public_bytes(pem))
    (folder / "certificate.key").write_bytes(key.private_bytes(pem, *plain))
    public = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return base64.b64encode(hashlib.sha256(public).digest()).decode()


def _people(folder: Path) -> None:
    lines = []
    for name, word in PEOPLE.items():
        salt = os.urandom(8)
        digest = hashlib.sha1(word.encode() + salt).digest()
        lines.append(f"{name}:{{SSHA}}{base64.b64encode(digest + salt).decode()}")
    (folder / "people").write_text("\n".join(lines) + "\n", encoding="utf-8")


MAIN = """
{user}
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 256; }}
http {{
    access_log {folder}/access.log;
    include /etc/nginx/mime.types;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    include {folder}/baita.conf;
}}
"""


class Office:
    """Two processes of the app on one store behind nginx, as the deployment page says."""

    def __init__(self, folder: Path, nginx: str) -> None:
        self.folder, self.nginx = folder, nginx
        self.port, self.ports = _free_port(), (_free_port(), _free_port())
        self.host = f"127.0.0.1:{self.port}"
        self.url = f"https://{self.host}/map/"
        self.programs: list[subprocess.Popen[bytes]] = []
        self._configure()

    def _configure(self) -> None:
        folder = self.folder
        self.fingerprint = _certificate(folder)
        _people(folder)
        (folder / "proxy_secret.conf").write_text(f'proxy_set_header X-Baita-Proxy "{SECRET}";\n')
        text = (DEPLOY / "nginx.conf").read_text(encoding="utf-8")
        for ours, theirs in (
            ("listen 443 ssl;", f"listen 127.0.0.1:{self.port} ssl;"),
            ("127.0.0.1:8501", f"127.0.0.1:{self.ports[0]}"),
            ("127.0.0.1:8502", f"127.0.0.1:{self.ports[1]}"),
            ("/etc/baita/", f"{folder}/"),
        ):
            assert ours in text
            text = text.replace(ours, theirs)
        (folder / "baita.conf").write_text(text, encoding="utf-8")
        user = "user root;" if os.geteuid() == 0 else ""
        (folder / "nginx.conf").write_text(MAIN.format(user=user, folder=folder))

    def start(self) -> None:
        own = {name: value for name, value in os.environ.items() if not name.startswith("BAITA_")}
        for line in (DEPLOY / "baita.env").read_text(encoding="utf-8").splitlines():
            if "=" in line and not line.startswith("#"):
                name, _, value = line.partition("=")
                own[name] = value
        own |= {"BAITA_STORE": str(self.folder / "baita.gpkg"), "BAITA_PROXY_SECRET": SECRET}
        own |= {"BAITA_ADMINS": "lin, 林工"}
        unit = (DEPLOY / "baita@.service").read_text(encoding="utf-8")
        start = re.search(r"^ExecStart=(.*)$", unit, re.MULTILINE)
        assert start is not None
        for port in self.ports:
            words = start[1].replace("%i", str(port)).split()
            assert words[0].endswith("/python")
            with (self.folder / f"app{port}.log").open("wb") as log:
                self.programs.append(
                    subprocess.Popen(
                        [sys.executable, *words[1:]], cwd=ROOT, env=own, stdout=log, stderr=log
                    )
                )
            self._wait(port, "/map/_stcore/health")
        with (self.folder / "nginx.log").open("wb") as log:
            command = [self.nginx, "-p", str(self.folder), "-c", str(self.folder / "nginx.conf")]
            self.programs.append(subprocess.Popen(command, stdout=log, stderr=log))
        end = time.monotonic() + START_S
        while time.monotonic() < end:
            with closing(socket.socket()) as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.1)
        pytest.fail((self.folder / "nginx.log").read_text(), pytrace=False)

    def _wait(self, port: int, path: str) -> None:
        end = time.monotonic() + START_S
        while time.monotonic() < end and self.programs[-1].poll() is None:
            try:
                if self.direct(port, "GET", path)[0] == 200:
                    return
            except OSError:
                time.sleep(0.1)
        pytest.fail((self.folder / f"app{port}.log").read_text(), pytrace=False)

    def stop(self) -> None:
        for program in reversed(self.programs):
            program.terminate()
            try:
                program.wait(10)
            except subprocess.TimeoutExpired:
                program.kill()

    def direct(
        self, port: int, method: str, path: str, headers: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        """Ask a process of the app itself, past nginx, as a program on this machine could."""
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
            connection.request(method, path, headers=headers or {})
            reply = connection.getresponse()
            return reply.status, reply.read()

    def ask(
        self, method: str, path: str, who: str = "", body: bytes | None = None, **headers: str
    ) -> http.client.HTTPResponse:
        """Ask through nginx, as somebody with a password."""
        if who:
            word = base64.b64encode(f"{who}:{PEOPLE[who]}".encode()).decode()
            headers["Authorization"] = f"Basic {word}"
        trust = ssl._create_unverified_context()
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=30, context=trust)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body=body, headers=named)
        return connection.getresponse()

    def store(self):
        return Server.store(self)  # type: ignore[arg-type]

    def audit(self):
        with self.store() as store:
            return store.audit()

    def give(self, name: str, role: Role) -> None:
        with self.store() as store:
            store.set_member(name, role, who="lin")


@pytest.fixture(scope="module")
def office(nginx_path: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    made = Office(tmp_path_factory.mktemp("office"), nginx_path)
    try:
        made.start()
        yield made
    finally:
        made.stop()
    for port in made.ports:
        log = (made.folder / f"app{port}.log").read_text()
        assert "Traceback" not in log, log
    errors = (made.folder / "error.log").read_text()
    assert "[emerg]" not in errors
    assert "[alert]" not in errors, errors


@pytest.fixture(scope="module")
def trusting(chromium: Browser, chromium_path: Path, office: Office) -> Iterator[Browser]:
    """A Chromium that takes the office's certificate for a good one.

    `ignore_https_errors` asks about the certificate again for each connection, and gives a file up after 32 times:
    now and then the page was left without its style.
    """
    trust = f"--ignore-certificate-errors-spki-list={office.fingerprint}"
    browser = chromium.browser_type.launch(executable_path=chromium_path, args=[*FLAGS, trust])
    yield browser
    browser.close()


@pytest.fixture
def visit(trusting: Browser, office: Office):
    """Open the map through nginx as somebody with a password; each visitor is a browser of its own."""
    tabs: list[Tab] = []

    def go(who: str, address: str = "", *, locale: str = "zh-CN") -> Tab:
        context = trusting.new_context(
            locale=locale,
            viewport={"width": 1366, "height": 768},
            http_credentials={"username": who, "password": PEOPLE[who]},
        )
        context.set_default_timeout(20_000)
        tabs.append(Tab(context, "zh" if locale.startswith("zh") else "en"))
        return tabs[-1].go(office, address)  # type: ignore[arg-type]

    yield go
    for tab in tabs:
        tab.context.close()
    troubles = [trouble for tab in tabs for trouble in tab.troubles]
    assert not troubles, "\n".join(troubles)


# ---- the page through nginx -------------------------------------------------------------------------------------


def test_a_viewer_gets_the_page_its_connection_and_no_way_to_change_anything(office, visit):
    office.give("wang", Role.VIEWER)
    tab = visit("wang")
    sockets = [url for url in tab.requests if url.startswith("wss://")]
    assert sockets == [f"wss://{office.host}/map/_stcore/stream"]
    assert tab.js("baita.state.editable") is False
    assert tab.js("baita.state.importable") is False
    words = tab.text["map"]
    assert not tab.frame.locator(f"button[title='{words['desk']['button']}']").is_visible()
    tab.frame.locator("body").press("i")
    tab.frame.locator("body").press("u")
    tab.choose(HONGFEI)
    assert tab.frame.get_by_role("button", name=words["place"], exact=True).count() == 0
    assert tab.frame.get_by_role("button", name=words["edit"], exact=True).count() == 0
    assert tab.page.get_by_text(
        f"wang · {tab.text['people']['roles']['viewer']}"
    ).first.is_visible()
    # A filter goes over the websocket and back.
    tab.switch(tab.chip(STOPPED)).hide(STOPPED)
    assert "hide" in tab.params()


@pytest.mark.parametrize("action", ["place", "edit", "edit_many"])
def test_a_viewers_own_script_asks_by_the_websocket_and_is_refused(office, visit, action):
    """What no button offers can still be sent: here the page's own way to the server is called by hand."""
    office.give("wang", Role.VIEWER)
    tab = visit("wang")
    with office.store() as store:
        before, version = store.data_version(), int(store.site(HONGFEI)["version"])
    forged = {
        "place": {"site_id": HONGFEI, "vertices": [[123.17, 41.26]], "within_m": 20, "who": "lin"},
        "edit": {"site_id": HONGFEI, "version": version, "values": {"note": "x"}, "who": "lin"},
        "edit_many": {"version": before, "rows": [0, 1, 2], "values": {"note": "x"}},
    }[action]
    tab.js("([action, given]) => { baita.post(action, given); }", [action, forged])
    tab.until("document.body.textContent.includes('“编辑”')")
    with office.store() as store:
        newest, after = store.audit()[0], store.data_version()
    wanted = "add_correction" if action == "place" else "update_sites"
    assert (newest.who, newest.action, newest.allowed) == ("wang", wanted, False)
    assert after == before


def test_a_name_in_chinese_arrives_as_it_is_written(office, visit):
    tab = visit("林工")
    role = tab.text["people"]["roles"]["admin"]
    assert tab.page.get_by_text(f"林工 · {role}").first.is_visible()


def test_who_has_no_password_gets_nothing(office):
    for path in ("/map/", "/map/baita/map/zh", "/map/_stcore/stream", "/map/_stcore/health"):
        assert office.ask("GET", path).status == 401


def test_what_the_browser_says_of_itself_nginx_replaces(office):
    """A viewer who writes an administrator's name, and even the secret, into the headers stays a viewer."""
    office.give("wang", Role.VIEWER)
    forged = {"X_Forwarded_User": "lin", "X_Baita_Proxy": SECRET, "X_Forwarded_For": "127.0.0.1"}
    scheme = json.dumps({"name": "周报", "query": ""}).encode()
    path = "/map/baita/schemes/bulletin"
    reply = office.ask("POST", path, "wang", scheme, **forged)
    assert reply.status == 403
    newest = office.audit()[0]
    assert (newest.who, newest.action, newest.target, newest.allowed) == (
        "wang",
        "POST",
        path,
        False,
    )
    # Both spellings of a header: nginx drops names with underscores, which some programs read as dashes.
    reply = office.ask("GET", path, "wang", **{"X-Forwarded-User": "lin"})
    assert reply.status == 200
    assert office.ask("POST", path, "lin", scheme).status == 200


def test_a_forged_header_past_nginx_is_refused_and_written_down(office):
    for headers in (
        {"X-Forwarded-User": "lin"},
        {"X-Forwarded-User": "lin", "X-Baita-Proxy": "guess" * 8},
        {"X-Forwarded-User": "lin", "X-Baita-Proxy": SECRET, "X-Forwarded-For": "10.1.2.3"},
    ):
        status, body = office.direct(office.ports[0], "GET", "/map/baita/desk", headers)
        assert status == 401
        assert SECRET.encode() not in body
    assert any(
        (one.who, one.action, one.target) == ("-", "sign_in", "/map/baita/desk")
        for one in office.audit()
    )


def test_past_nginx_the_page_says_so_and_shows_nothing(office, chromium):
    context = new_context(chromium, "zh-CN", (1366, 768))
    try:
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{office.ports[1]}/map/")
        page.get_by_text("没有登录（401）").wait_for()
        assert page.locator(".baita-chips, iframe").count() == 0
    finally:
        context.close()


@pytest.mark.parametrize(
    "path",
    [
        "/map/_stcore/metrics",
        "/map/_stcore/upload_file/a/b",
        "/map/_stcore/agent",
        "/map/_stcore/agent/tools",
        "/map/_stcore/script-health-check",
        "/map/media/x.png",
        "/map/component/x/y",
        "/map/app/static/x",
    ],
)
def test_what_the_app_does_not_use_is_not_there(office, path):
    reply = office.ask("GET", path, "lin")
    assert reply.status == 404
    assert b"nginx" in reply.read()


def test_answers_carry_the_policy_and_what_is_too_large_is_refused(office):
    page = office.ask("GET", "/map/", "lin")
    assert "frame-ancestors 'self'" in page.headers["content-security-policy"]
    assert page.headers.get_all("content-security-policy") is not None
    assert len(page.headers.get_all("content-security-policy") or []) == 1
    map_page = office.ask("GET", "/map/baita/map/zh", "lin")
    [own] = map_page.headers.get_all("content-security-policy") or []
    assert own != page.headers["content-security-policy"]
    assert office.ask("GET", "/map", "lin").headers["location"].endswith("/map/")
    reply = office.ask("POST", "/map/baita/desk/read?name=a.txt", "lin", b"x" * 22_000_000)
    assert reply.status == 413


# ---- a role that is taken away ----------------------------------------------------------------------------------


def test_an_editor_who_is_demoted_stops_at_once_in_the_page_that_is_open(office, visit):
    office.give("gao", Role.EDITOR)
    editor, admin = visit("gao"), visit("lin", "?lang=en")
    editor.choose(HONGFEI)
    words = editor.text["map"]
    editor.frame.get_by_role("button", name=words["place"], exact=True).first.click()
    editor.until("baita.placer.active")
    # The administrator, in another browser, takes the role away.
    page, text = admin.page, load_people("en")
    page.get_by_role("button", name="lin · Administrator").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("tab", name=text["list"]).wait_for()
    name = dialog.get_by_role("combobox").first
    name.click()
    name.fill("gao")
    page.get_by_role("option", name="gao").first.click()
    dialog.get_by_role("button", name=text["give"]).click()
    dialog.get_by_text("gao: Viewer, from now on.").wait_for()
    with office.store() as store:
        assert store.members()["gao"] is Role.VIEWER
    # The editor's page is still in the middle of placing: the next click is refused.
    editor.settled().page.mouse.click(*editor.at(123.17, 41.2655))
    editor.until("document.body.textContent.includes('“编辑”')")
    with office.store() as store:
        assert store.corrections() == []
        newest = store.audit()[0]
    assert (newest.who, newest.action, newest.target) == ("gao", "add_correction", HONGFEI)
    assert (newest.allowed, newest.detail) == (False, "viewer")
    editor.until("baita.state.editable === false")


def test_who_may_not_look_any_more_sees_that_at_the_next_click(office, visit):
    office.give("gao", Role.VIEWER)
    tab = visit("gao")
    office.give("gao", Role.NONE)
    tab.switch(tab.chip(STOPPED))
    tab.page.get_by_text("还没有查看的权限").wait_for()
    tab.forgive("403")
    assert tab.page.locator(".baita-chips").count() == 0


def test_the_two_processes_show_one_store(office):
    """What is written past them is served by both."""
    with office.store() as store:
        place_site(store, "prj-zhanqian", 123.175, 41.262, "wgs84", who="gao")
        version = store.data_version()
    proxied = {"X-Forwarded-User": "lin", "X-Baita-Proxy": SECRET}
    for port in office.ports:
        status, body = office.direct(port, "GET", "/map/baita/version/bulletin", proxied)
        assert (status, json.loads(body)) == (200, {"version": version})


def load_people(language: str) -> dict[str, str]:
    from geo.ui.text import load_text

    return load_text(language)["people"]
