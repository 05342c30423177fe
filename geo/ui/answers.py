"""How a route answers: to whom it may, off the event loop, compressed, and without a detail when it fails."""

from __future__ import annotations

import gzip
import json
import logging
import re
import secrets
import time
from collections.abc import Awaitable, Callable
from functools import wraps
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from geo.access import AccessError, Right, SignInError
from geo.category import LANGUAGES
from geo.draw.site_layer import compress
from geo.errors import FilterError, SiteMapError
from geo.ui.explain import explain
from geo.ui.library import get_library
from geo.ui.people import request_access
from geo.ui.text import load_text, log_failure

log = logging.getLogger(__name__)

FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}
FRESH = {"Cache-Control": "no-store"}
SAFE = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
LOCKED = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""The policy of what is no page: opened by itself, it may do nothing."""
MAX_BODY = 64_000
MAX_RECEIVING = 200_000_000
"""Bytes of bodies that are on their way at a time, of all visitors."""
MOST_NUMBERS = 100

Handler = Callable[[Request], Response]


class Refused(Exception):
    """A request that is answered with a status and a short reason."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


def handle(
    handler: Handler,
    *,
    max_body: int = MAX_BODY,
    right: Right | None = None,
    everybody: bool = False,
    own: bool = False,
) -> Callable[[Request], Awaitable[Response]]:
    """Run a handler off the event loop for those who may, and turn what goes wrong into a short answer.

    Parameters
    ----------
    handler
        Answers a request.
    max_body
        Bytes of a body; more is refused unread.
    right
        What asking takes; by default to view for GET and HEAD, and to edit for all that may change something.
    everybody
        Nobody need be signed in: for scripts, styles and pictures of the page itself.
    own
        Only our own pages may ask, though it changes nothing here: the question goes further.
    """

    @wraps(handler)
    async def answer(request: Request) -> Response:
        looks = request.method in ("GET", "HEAD")
        needed = None if everybody else right or (Right.VIEW if looks else Right.EDIT)
        try:
            if own or not looks:
                _refuse_foreign(request)
            if not looks:
                # Before its body is taken.
                await run_in_threadpool(_let_in, request, needed)
                await _read_body(request, max_body)
                needed = None
            response = await run_in_threadpool(_answer, handler, request, needed)
        except (KeyError, IndexError):
            response = short(404, "not found")
        except Refused as refused:
            response = short(refused.status, refused.reason)
        except AccessError as error:
            response = _refusal(error, request)
        except FilterError as error:
            response = short(400, str(error))
        except SiteMapError as error:
            response = _unable(error, request)
        except ClientDisconnect:
            response = short(400, "gone")
        except Exception as error:
            # Our own mistake: a number that finds it in the log, nothing of it in the answer.
            response = short(500, log_failure(error, request_language(request)))
        response.headers.update(SAFE)
        response.headers.setdefault("Content-Security-Policy", LOCKED)
        if not everybody:
            _keep_private(response)
        return response

    return answer


def _answer(handler: Handler, request: Request, right: Right | None) -> Response:
    _let_in(request, right)
    return handler(request)


def _let_in(request: Request, right: Right | None) -> None:
    """Refuse whoever may not ask this; it is then in the audit list. None lets everybody in."""
    if right is not None:
        request_access(request).require(right, request.method, request.url.path)


def _refusal(error: AccessError, request: Request) -> Response:
    status = 401 if isinstance(error, SignInError) else 403
    return short(status, explain(str(error), request_language(request)))


SAME_S = 60.0
"""For so long one and the same failure has one number and one line in the log: every open page asks every second."""
_numbers: dict[str, tuple[float, str]] = {}


def _unable(error: SiteMapError, request: Request) -> Response:
    """Answer that something outside of the app is in the way, with the number that finds it in the log."""
    said, now = str(error), time.monotonic()
    since, number = _numbers.get(said, (0.0, ""))
    if not number or now - since > SAME_S:
        number = secrets.token_hex(4)
        if len(_numbers) >= MOST_NUMBERS:
            _numbers.clear()
        _numbers[said] = (now, number)
        log.warning("error %s: %s (%s %s)", number, said, request.method, request.url.path)
    return short(503, _told(error, request), number=number)


def _told(error: SiteMapError, request: Request) -> str:
    """Return what a person can do about a failure; one that names a place on the server is not told."""
    said = str(error)
    if re.search(r"[/\\]|://", said):
        return str(load_text(request_language(request))["page"]["unavailable"])
    return explain(said, request_language(request))


def request_language(request: Request) -> str:
    """Return the language that a request names, else the installation's."""
    given = request.query_params.get("lang", "")
    if given in LANGUAGES:
        return given
    try:
        return get_library().settings.language
    except SiteMapError:  # what failed are the settings themselves
        return LANGUAGES[0]


def _keep_private(response: Response) -> None:
    """Keep a cache between us and the browser from giving to one person what another was let see."""
    kept = response.headers.get("cache-control", "")
    if kept.startswith("public") and get_library().settings.sign_in:
        response.headers["cache-control"] = "private" + kept.removeprefix("public")


def _refuse_foreign(request: Request) -> None:
    """Let only our own pages change anything."""
    if not _is_own(request):
        raise Refused(403, "asked from another site")


class _Receiving:
    """How many bytes of bodies are held while the rest of them comes; counted on the event loop alone."""

    def __init__(self) -> None:
        self.held = 0


_receiving = _Receiving()


async def _read_body(request: Request, max_body: int) -> None:
    """Keep a body small; it is then in `request.state.body`."""
    parts, size = list[bytes](), 0
    words = load_text(request_language(request))["limits"]
    try:
        async for part in request.stream():
            parts.append(part)
            size += len(part)
            _receiving.held += len(part)
            if size > max_body:
                raise Refused(413, words["too_large"].format(mb=f"{max_body / 1e6:g}"))
            if _receiving.held > MAX_RECEIVING:
                raise Refused(429, words["receiving"])
    finally:
        _receiving.held -= size
    request.state.body = b"".join(parts)


def _is_own(request: Request) -> bool:
    """Return whether a request comes from our own pages, or from no page: a command line says nothing and may."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None:
        return site in ("same-origin", "none")
    # A browser of some years ago.
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")


def short(status: int, reason: str, **more: str) -> Response:
    """Return an answer that only says why not."""
    # A reason may quote half a character of a body, which UTF-8 has no place for.
    said = reason.encode("utf-8", "replace").decode()
    return JSONResponse({"error": said, **more}, status_code=status, headers=FRESH)


def json_answer(request: Request, value: object, headers: dict[str, str]) -> Response:
    """Return a value as JSON."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return gzipped(request, compress(text.encode()), "application/json", headers)


def gzipped(request: Request, data: bytes, media_type: str, headers: dict[str, str]) -> Response:
    """Send data that is compressed already; a client that cannot unpack it gets it unpacked."""
    headers = {**headers, "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(
            data, media_type=media_type, headers={**headers, "Content-Encoding": "gzip"}
        )
    return Response(gzip.decompress(data), media_type=media_type, headers=headers)
