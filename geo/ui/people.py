"""Who is at the screen: of a page that runs, and of a request to one of our routes; and the stores they may use.

On one PC it is the local user, who may everything. Otherwise it is who the reverse proxy or the identity provider
says, each time anew from what the browser sent, with the role the store has for them at that moment.
"""

from __future__ import annotations

import hmac
import ipaddress
import json
import logging
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import streamlit as st
from starlette.requests import Request
from streamlit.auth_util import get_cookie_with_chunks, get_origin_from_redirect_uri
from streamlit.web.server.server_util import get_cookie_secret
from streamlit.web.server.starlette.starlette_app_utils import decode_signed_value
from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME

from geo.access import (
    RIGHTS,
    Access,
    AuditEntry,
    Person,
    Right,
    Role,
    SignInError,
    clean_name,
    guarded,
)
from geo.errors import SiteMapError
from geo.settings import Settings
from geo.store import SiteStore
from geo.ui.library import DATASETS, get_library

log = logging.getLogger(__name__)

SECRET_HEADER = "X-Baita-Proxy"
STRANGERS_EVERY_S = 5.0
"""Strangers are added to the audit list this often at most: anybody can knock, and each line is a write."""
LOOKS_EVERY_S = 60.0
MOST_NAMES = 1000
NOBODY = "nobody is signed in: sign in first"


@dataclass(frozen=True)
class Told:
    """What a browser or a proxy says of who asks. `peer` is the other end of the connection, None for this machine."""

    headers: Callable[[str], Sequence[str]]
    cookies: Mapping[str, str]
    peer: str | None
    asked: str


# ---- of a page and of a request ---------------------------------------------------------------------------------


def page_access() -> Access:
    """Return who the page that runs now is for; `SignInError` if nobody is signed in."""
    return _access(_told_by_page)


def request_access(request: Request) -> Access:
    """Return whose request it is; `SignInError` if nobody is signed in."""
    return _access(lambda: _told_by_request(request))


def job_owner(request: Request) -> str:
    """Return whose long work a request begins; "" where people do not sign in: then all have one name."""
    return request_access(request).name if get_library().settings.sign_in else ""


def page_person() -> Person:
    """Return who the page that runs now is for, with the role of this moment."""
    return page_access().person()


def page_store(dataset: str) -> SiteStore:
    """Return the store of a set, as the person of the page may use it."""
    return guarded(get_library().store(dataset), page_access())


def request_store(request: Request, dataset: str) -> SiteStore:
    """Return the store of a set, as the person of a request may use it."""
    return guarded(get_library().store(dataset), request_access(request))


def _told_by_page() -> Told:
    context = st.context
    return Told(context.headers.get_all, context.cookies, context.ip_address, "page")


def _told_by_request(request: Request) -> Told:
    peer = request.client.host if request.client else "?"
    return Told(request.headers.getlist, request.cookies, peer, request.url.path)


# ---- the person -------------------------------------------------------------------------------------------------


def _access(told: Callable[[], Told]) -> Access:
    settings = get_library().settings
    if not settings.sign_in:
        return Access(settings.who, lambda: Role.ADMIN, _write_down)
    sign_in, given = {"header": _from_proxy, "oidc": _from_cookie}[settings.sign_in], told()
    try:
        name = sign_in(given, settings)
    except SignInError as error:
        _tell_stranger(given, str(error.__cause__ or error))
        raise
    return Access(name, lambda: role_now(name), _write_down)


def role_now(name: str) -> Role:
    """Return the role somebody who is signed in has at this moment."""
    settings = get_library().settings
    if name in settings.admins:
        return Role.ADMIN
    return _book().role_of(name) or settings.default_role


def _book() -> SiteStore:
    """Return the store that has the people and the audit list: that of the first set, for all of them."""
    return get_library().store(DATASETS[0])


def _write_down(entry: AuditEntry) -> None:
    """Add a line to the audit list. Of a person who may not look, one a minute: a page in sight asks each second."""
    looked = entry.action in ("GET", "HEAD") or RIGHTS.get(entry.action) is Right.VIEW
    if entry.allowed or not looked or _lookers.due(entry.who):
        _book().write_down(entry)


# ---- a reverse proxy says it ------------------------------------------------------------------------------------


def proxy_refusal(settings: Settings) -> str:
    """Return why no proxy's word can be taken, as this app was started; "" if it can."""
    address = str(st.get_option("server.address") or "0.0.0.0")
    if settings.sign_in == "header" and not is_loopback(address):
        return (
            f"BAITA_SIGN_IN=header, but the app listens on {address}, where anybody could name themselves: "
            "start it with --server.address 127.0.0.1, behind the proxy"
        )
    return ""


def is_loopback(address: str) -> bool:
    """Return whether an address is this machine's own."""
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address.strip("[]")).is_loopback
    except ValueError:
        return False


def _from_proxy(told: Told, settings: Settings) -> str:
    """Return who the proxy says it is; nobody else is believed."""
    if proxy_refusal(settings):
        raise SignInError(NOBODY) from ValueError("the app is not bound to loopback")
    if told.peer is not None and not is_loopback(told.peer):
        # Behind nginx this is so only if it sends X-Forwarded-For, which uvicorn takes for the peer.
        raise SignInError(NOBODY) from ValueError(f"the peer {told.peer} is not this machine")
    shown = told.headers(SECRET_HEADER)
    secret = settings.proxy_secret.encode()
    if len(shown) != 1 or not hmac.compare_digest(shown[0].encode("latin-1", "replace"), secret):
        raise SignInError(NOBODY) from ValueError("the proxy's secret is missing or wrong")
    names = told.headers(settings.sign_in_header)
    name = clean_name(_utf8(names[0])) if len(names) == 1 else ""
    if not name:
        raise SignInError(NOBODY) from ValueError("the proxy names nobody")
    return name


def _utf8(header: str) -> str:
    """Return a header's text: bytes that HTTP's libraries read as Latin-1 are UTF-8 where that fits."""
    try:
        return header.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return header


# ---- an identity provider says it -------------------------------------------------------------------------------


def _from_cookie(told: Told, settings: Settings) -> str:
    """Return who signed in with the provider, from the cookie that Streamlit has signed."""
    secret = get_cookie_secret()

    def one(name: str) -> bytes | None:
        value = told.cookies.get(name)
        if value is None or not secret:
            return None
        return decode_signed_value(secret, name, value.encode("latin-1", "replace"))

    raw = get_cookie_with_chunks(one, USER_COOKIE_NAME)
    if raw is None:
        raise SignInError(NOBODY)
    try:
        claims = json.loads(raw)
        # Another app may sign with the same secret, for another address.
        if not claims["is_logged_in"] or claims["origin"] != get_origin_from_redirect_uri():
            raise ValueError("the cookie is for another address")
        return _claimed_name(claims)
    except (ValueError, TypeError, KeyError) as error:
        raise SignInError(NOBODY) from error


def _claimed_name(claims: Mapping[str, object]) -> str:
    """Return a verified mail address, else the provider's own id of the person, which is not to look like one."""
    email = clean_name(str(claims.get("email") or ""))
    if "@" in email and claims.get("email_verified") in (True, "true"):
        return email
    name = clean_name(str(claims.get("sub") or ""))
    if not name:
        raise ValueError("the provider names nobody")
    return f"sub:{name}" if "@" in name else name


# ---- strangers --------------------------------------------------------------------------------------------------


class Knocks:
    """Counts who was not let in, so that not each time is a line.

    Parameters
    ----------
    every_s
        Seconds between two lines of one name.
    """

    def __init__(self, every_s: float) -> None:
        self.every_s, self._lock = every_s, threading.Lock()
        self._told: dict[str, tuple[float, int]] = {}

    def due(self, name: str = "") -> int:
        """Return how many times to tell of now, 0 for none yet."""
        with self._lock:
            now = time.monotonic()
            if len(self._told) >= MOST_NAMES:
                self._told.clear()
            told_at, unsaid = self._told.get(name, (-math.inf, 0))
            if now - told_at < self.every_s:
                self._told[name] = (told_at, unsaid + 1)
                return 0
            self._told[name] = (now, 0)
            return unsaid + 1


_strangers, _lookers = Knocks(STRANGERS_EVERY_S), Knocks(LOOKS_EVERY_S)


def _tell_stranger(told: Told, reason: str) -> None:
    if reason == NOBODY:
        return  # a browser that has not signed in yet is nothing to tell of
    log.warning("not let in, %s: %s", told.asked, reason)
    count = _strangers.due()
    if not count:
        return
    more = f" ({count})" if count > 1 else ""
    entry = AuditEntry(datetime.now(UTC), "-", "sign_in", told.asked, False, reason + more)
    try:
        _write_down(entry)
    except SiteMapError:
        log.exception("this could not be added to the audit list: %s", entry)
