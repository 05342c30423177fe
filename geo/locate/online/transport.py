"""One question to a service: in time, in turn, and with a key that nothing but the request itself holds."""

from __future__ import annotations

import http.client
import json
import math
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

from geopy.adapters import AdapterHTTPError, BaseSyncAdapter
from geopy.exc import (
    GeocoderParseError,
    GeocoderServiceError,
    GeocoderTimedOut,
    GeocoderUnavailable,
    GeopyError,
)

from geo.errors import SiteMapError

if TYPE_CHECKING:
    from geo.locate.online.locator import BatchReport

DEADLINE_S = 10.0
"""The longest one question may take, with waiting for its turn and every retry."""
MAX_ANSWER_BYTES = 256 * 1024
ATTEMPT_S = 4.0
BACKOFF_S = (0.5, 2.0)  # before the second and the third attempt

Json = Any


# --- errors ---------------------------------------------------------------------------------------


class GeocoderError(SiteMapError):
    """An online geocoder that cannot be used, or gave no usable answer.

    Attributes
    ----------
    partial
        What a batch had done when it stopped; None outside a batch.
    """

    partial: BatchReport | None = None


class QuotaError(GeocoderError):
    """The service's quota is used up, or it goes on asking to slow down."""


class KeyRefused(GeocoderError):
    """The service does not take the key."""


class QueryRefused(GeocoderError):
    """The service cannot work with this one question; others may go on."""


# --- what is secret -------------------------------------------------------------------------------


class Secret:
    """A key that no text shows: only `reveal` gives it, and only the sending thread asks for it.

    Parameters
    ----------
    value
        8 to 128 letters, digits and `_ . ~ @ + -`, or "" for no key.

    Raises
    ------
    GeocoderError
        If it is anything else; the text does not repeat it.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        if value and not re.fullmatch(r"[A-Za-z0-9_.~@+-]{8,128}", value):
            raise GeocoderError(
                "BAITA_GEOCODER_KEY is not a key: it needs 8 to 128 letters and digits; copy it again"
            )
        self._value = value

    def __repr__(self) -> str:
        return "<key>" if self._value else "<no key>"

    def __bool__(self) -> bool:
        return bool(self._value)

    def __reduce__(self) -> str:
        raise TypeError("a key is not written anywhere")

    def reveal(self) -> str:
        """Return the key."""
        return self._value

    def blot(self, text: str) -> str:
        """Return a text with every trace of the key, plain or percent-encoded, blotted out."""
        for form in {self._value, quote(self._value, safe="")} - {""}:
            text = re.sub(re.escape(form), "***", text, flags=re.IGNORECASE)
        return text


# --- one request ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Reply:
    """What came back: a body, or a word for what failed (timeout, unreachable, certificate, large, packed)."""

    status: int = 0
    body: str = ""
    retry_after: str = ""
    failure: str = ""


class _Exchange:
    """One request and its reply in a thread of its own, so that nothing that hangs there holds up the caller.

    A socket's timeout bounds each read and not their sum, and looking up a name has none at all.
    """

    def __init__(
        self, url: str, headers: Mapping[str, str], parameter: str, secret: Secret, timeout_s: float
    ) -> None:
        self._url, self._headers, self._timeout_s = url, dict(headers), timeout_s
        self._parameter, self._secret = parameter, secret
        self._connection: http.client.HTTPConnection | None = None
        self._reply, self._late = _Reply(failure="timeout"), False

    def run(self) -> _Reply:
        """Return the reply, or the failure `timeout` once the time is up."""
        thread = threading.Thread(target=self._work, name="geocoder", daemon=True)
        thread.start()
        thread.join(self._timeout_s)
        if not thread.is_alive():
            return self._reply
        self._late = True
        socket_ = getattr(self._connection, "sock", None)
        if socket_ is not None:
            with suppress(OSError):
                socket_.shutdown(socket.SHUT_RDWR)
        return _Reply(failure="timeout")

    def _work(self) -> None:
        try:
            self._reply = self._send()
        except ssl.SSLCertVerificationError:
            self._reply = _Reply(failure="certificate")
        except TimeoutError:
            self._reply = _Reply(failure="timeout")
        except Exception:
            # Whatever it is, its text and its frames may hold the address with the key: none may leave here.
            self._reply = _Reply(failure="unreachable")
        finally:
            if self._connection is not None:
                self._connection.close()

    def _send(self) -> _Reply:
        parts = urlsplit(self._url)
        self._connection = _connection(parts.scheme, parts.hostname, parts.port, self._timeout_s)
        self._connection.connect()
        if self._late:
            return _Reply(failure="timeout")
        target = f"{parts.path}?{parts.query}"
        if self._secret:
            target += "&" + urlencode({self._parameter: self._secret.reveal()})
        self._connection.request("GET", target, headers=self._headers)
        response = self._connection.getresponse()
        if response.getheader("Content-Encoding", "identity").lower() != "identity":
            return _Reply(response.status, failure="packed")
        body = response.read(MAX_ANSWER_BYTES + 1)
        if len(body) > MAX_ANSWER_BYTES:
            return _Reply(response.status, failure="large")
        if response.length:  # http.client says nothing of a body that ends too early
            return _Reply(response.status, failure="unreachable")
        text = self._secret.blot(body.decode("utf-8-sig", errors="replace"))
        wait = self._secret.blot(response.getheader("Retry-After", ""))
        return _Reply(response.status, text, wait)


def _connection(
    scheme: str, host: str | None, port: int | None, timeout_s: float
) -> http.client.HTTPConnection:
    if scheme == "http":
        return http.client.HTTPConnection(host or "", port, timeout=timeout_s)
    return http.client.HTTPSConnection(
        host or "", port, timeout=timeout_s, context=ssl.create_default_context()
    )


_FAILURES: Mapping[str, Callable[[], GeopyError]] = {
    "timeout": lambda: GeocoderTimedOut("no answer in time"),
    "unreachable": lambda: GeocoderUnavailable("no connection"),
    "certificate": lambda: GeocoderServiceError("its certificate is not trusted"),
    "large": lambda: GeocoderParseError("the answer is too large"),
    "packed": lambda: GeocoderParseError("the answer is compressed, which was not asked for"),
}


class Transport(BaseSyncAdapter):  # type: ignore[misc]  # geopy has no types
    """What sends a geopy geocoder's requests: bounded in time and size, to one host, without redirects or proxies."""

    def __init__(self, origin: tuple[str, str], parameter: str, secret: Secret) -> None:
        super().__init__(proxies=None, ssl_context=None)
        self._origin, self._parameter, self._secret = origin, parameter, secret

    def get_text(self, url: str, *, timeout: float, headers: Mapping[str, str]) -> str:
        """Return the body of a good reply, the key blotted out; raises what geopy's adapters may raise."""
        if urlsplit(url)[:2] != self._origin:
            raise GeocoderServiceError("another host than the one that is allowed")
        reply = _Exchange(url, headers, self._parameter, self._secret, timeout).run()
        if reply.failure:
            raise _FAILURES[reply.failure]()
        if reply.status != 200:
            raise AdapterHTTPError(
                f"HTTP {reply.status}",
                status_code=reply.status,
                headers={"retry-after": reply.retry_after},
                text="",
            )
        return reply.body

    def get_json(self, url: str, *, timeout: float, headers: Mapping[str, str]) -> Json:
        """Return the parsed body; NaN and Infinity become None.

        Raises
        ------
        GeocoderParseError
            If the body is not JSON; else as `get_text`.
        """
        text = self.get_text(url, timeout=timeout, headers=headers)
        try:
            content = json.loads(text, parse_constant=_nothing)
            # Once more, because an escaped letter (\\u006b) hides the key from a plain search.
            return json.loads(self._secret.blot(json.dumps(content)), parse_constant=_nothing)
        except (ValueError, RecursionError):
            pass
        raise GeocoderParseError("the answer is not JSON")


def _nothing(_constant: str) -> None:
    return None


# --- one turn after the other ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Clock:
    """Where time comes from, in seconds that never go back."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


class Limiter:
    """Gives out turns, so far apart as each caller asks; one for all of a process that ask one service."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = -math.inf

    def turn(self, now: float, interval_s: float, until: float) -> float | None:
        """Return when the next turn is and take it, or None if that is too late: then nothing is taken."""
        with self._lock:
            start = max(now, self._last + interval_s)
            if start >= until:
                return None
            self._last = start
            return start


LIMITERS: dict[str, Limiter] = {}
