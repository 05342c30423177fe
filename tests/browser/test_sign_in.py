"""Signing in with an identity provider, from the button to the map and out again, against a small real provider."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from driver import Server, new_context
from joserfc import jwt
from joserfc.jwk import ECKey
from playwright.sync_api import Browser, Page

from geo.access import Role
from geo.ui.text import load_text

pytestmark = pytest.mark.browser

WORDS = load_text("zh")["people"]
PEOPLE = {
    "lin": {"sub": "u-1", "email": "Lin@example.org", "email_verified": True},
    "wang": {"sub": "u-2", "email": "wang@example.org", "email_verified": True},
    "mallory": {"sub": "u-3", "email": "lin@example.org", "email_verified": False},
}
CLIENT, CLIENT_SECRET = "baita", "the client's own secret"


class Provider:
    """OpenID Connect with one page that asks who it is: discovery, authorisation code with PKCE, token, keys."""

    def __init__(self) -> None:
        self.key = ECKey.generate_key("P-256", {"kid": "1", "use": "sig"}, private=True)
        self.codes: dict[str, dict[str, str]] = {}
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.get(self)

            def do_POST(self) -> None:
                provider.token(self)

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def get(self, asked: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(asked.path)
        params = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path == "/.well-known/openid-configuration":
            _json(asked, self.metadata())
        elif parts.path == "/keys":
            _json(asked, {"keys": [self.key.as_dict(private=False)]})
        elif parts.path == "/authorize" and "who" not in params:
            links = "".join(
                f'<a href="/authorize?{urlencode({**params, "who": name})}">{name}</a> '
                for name in PEOPLE
            )
            _send(asked, 200, f"<title>who</title>{links}".encode(), "text/html")
        elif parts.path == "/authorize":
            assert params["client_id"] == CLIENT
            code = secrets.token_urlsafe(12)
            self.codes[code] = params
            back = urlencode({"code": code, "state": params["state"]})
            asked.send_response(302)
            asked.send_header("Location", f"{params['redirect_uri']}?{back}")
            asked.end_headers()
        elif parts.path == "/logout":
            asked.send_response(302)
            asked.send_header("Location", params["post_logout_redirect_uri"])
            asked.end_headers()
        else:
            _send(asked, 404, b"", "text/plain")

    def metadata(self) -> dict[str, object]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "end_session_endpoint": f"{self.issuer}/logout",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
            "code_challenge_methods_supported": ["S256"],
        }

    def token(self, asked: BaseHTTPRequestHandler) -> None:
        body = asked.rfile.read(int(asked.headers["Content-Length"])).decode()
        given = {name: values[0] for name, values in parse_qs(body).items()}
        basic = base64.b64encode(f"{CLIENT}:{CLIENT_SECRET}".encode()).decode()
        code = self.codes.pop(given.get("code", ""), None)
        proof = hashlib.sha256(given.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(proof).decode().rstrip("=")
        if (
            code is None
            or asked.headers.get("Authorization") != f"Basic {basic}"
            or code["code_challenge"] != challenge
            or code["redirect_uri"] != given["redirect_uri"]
        ):
            _send(asked, 400, b'{"error": "invalid_grant"}', "application/json")
            return
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 300}
        claims |= {"nonce": code["nonce"], **PEOPLE[code["who"]]}
        signed = jwt.encode({"alg": "ES256", "kid": "1"}, claims, self.key)
        access = secrets.token_urlsafe(12)
        _json(asked, {"access_token": access, "token_type": "Bearer", "id_token": signed})


def _json(asked: BaseHTTPRequestHandler, value: object) -> None:
    _send(asked, 200, json.dumps(value).encode(), "application/json")


def _send(asked: BaseHTTPRequestHandler, status: int, body: bytes, kind: str) -> None:
    asked.send_response(status)
    asked.send_header("Content-Type", kind)
    asked.send_header("Content-Length", str(len(body)))
    asked.end_headers()
    asked.wfile.write(body)


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder, provider = tmp_path_factory.mktemp("oidc"), Provider()
    (folder / "secrets.toml").write_text(
        f"""[auth]
redirect_uri = "http://127.0.0.1:{{port}}/oauth2callback"
cookie_secret = "{secrets.token_hex(32)}"
client_id = "{CLIENT}"
client_secret = "{CLIENT_SECRET}"
server_metadata_url = "{provider.issuer}/.well-known/openid-configuration"
"""
    )
    settings = {"BAITA_SIGN_IN": "oidc", "BAITA_ADMINS": "lin@example.org"}
    settings["BAITA_DEFAULT_ROLE"] = "none"
    server = Server(folder, f"--secrets.files={folder / 'secrets.toml'}", settings=settings)
    try:
        server.wait()
        yield server
    finally:
        server.stop()
        provider.server.shutdown()
    assert "Traceback" not in server.log(), server.log()


@pytest.fixture
def visitor(chromium: Browser) -> Iterator[Page]:
    context = new_context(chromium, "zh-CN", (1366, 768))
    yield context.new_page()
    context.close()


def _sign_in(page: Page, office: Server, who: str) -> None:
    page.goto(office.url)
    page.get_by_role("button", name=WORDS["sign_in"]).click()
    page.get_by_role("link", name=who).click()
    page.wait_for_url(office.url)


def _status(page: Page, office: Server, path: str) -> int:
    """Ask one of our own routes with what the browser has."""
    return page.request.get(office.url + path).status


def test_nobody_sees_anything_before_signing_in(visitor, office):
    visitor.goto(office.url)
    visitor.get_by_text(WORDS["not_signed_in"]).wait_for()
    assert visitor.locator(".baita-chips, iframe").count() == 0
    for path in ("baita/map/zh", "baita/schemes/bulletin", "baita/desk"):
        assert _status(visitor, office, path) == 401


def test_an_administrator_signs_in_works_and_signs_out(visitor, office):
    _sign_in(visitor, office, "lin")
    visitor.wait_for_selector(".baita-chips .chip")
    visitor.get_by_role("button", name=f"lin@example.org · {WORDS['roles']['admin']}").click()
    visitor.get_by_role("dialog").get_by_role("tab", name=WORDS["audit"]).wait_for()
    # The routes read the same cookie.
    assert _status(visitor, office, "baita/map/zh") == 200
    assert _status(visitor, office, "baita/desk") == 200
    visitor.get_by_role("button", name=WORDS["sign_out"]).click()
    visitor.get_by_text(WORDS["not_signed_in"]).wait_for()
    assert _status(visitor, office, "baita/map/zh") == 401


def test_who_was_given_no_role_sees_nothing_until_one_is_given(visitor, office):
    _sign_in(visitor, office, "wang")
    visitor.get_by_text("还没有查看的权限").wait_for()
    assert visitor.locator(".baita-chips, iframe").count() == 0
    assert _status(visitor, office, "baita/map/zh") == 403
    with office.store() as store:
        store.set_member("wang@example.org", Role.VIEWER, who="lin@example.org")
    visitor.reload()
    visitor.wait_for_selector(".baita-chips .chip")
    assert _status(visitor, office, "baita/map/zh") == 200
    assert _status(visitor, office, "baita/desk") == 403


def test_an_address_the_provider_has_not_verified_is_nobodys(visitor, office):
    """Somebody who writes the administrator's address into their account is not the administrator."""
    _sign_in(visitor, office, "mallory")
    visitor.get_by_text("u-3").wait_for()
    assert _status(visitor, office, "baita/map/zh") == 403


def test_a_cookie_that_was_changed_is_no_cookie(visitor, office):
    _sign_in(visitor, office, "mallory")
    visitor.get_by_text("u-3").wait_for()
    [cookie] = [one for one in visitor.context.cookies() if one["name"] == "_streamlit_user"]
    forged = cookie["value"][:-6] + "AAAAAA"
    request = urllib.request.Request(
        office.url + "baita/map/zh", headers={"Cookie": f"_streamlit_user={forged}"}
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=10)
    assert refused.value.code == 401
