"""How a route answers: off the event loop, with the same headers, compressed, and without a detail when it fails."""

from __future__ import annotations

import gzip
import json
import logging
from collections.abc import Awaitable, Callable
from functools import wraps
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from geo.draw.site_layer import compress
from geo.errors import FilterError, SiteMapError

log = logging.getLogger(__name__)

FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}
FRESH = {"Cache-Control": "no-store"}
SAFE = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
MAX_BODY = 64_000

Handler = Callable[[Request], Response]


class Refused(Exception):
    """A request that is answered with a status and a short reason."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


def handle(
    handler: Handler, *, max_body: int = MAX_BODY
) -> Callable[[Request], Awaitable[Response]]:
    """Run a handler off the event loop, and turn what goes wrong into a short answer without details."""

    @wraps(handler)
    async def answer(request: Request) -> Response:
        try:
            await _refuse_foreign(request, max_body)
            response = await run_in_threadpool(handler, request)
        except (KeyError, IndexError):
            response = short(404, "not found")
        except Refused as refused:
            response = short(refused.status, refused.reason)
        except FilterError as error:
            response = short(400, str(error))
        except SiteMapError:
            log.exception("a map request failed")
            response = short(503, "not available")
        response.headers.update(SAFE)
        return response

    return answer


async def _refuse_foreign(request: Request, max_body: int) -> None:
    """Let only our own pages change anything, and keep a body small; it is then in `request.state.body`."""
    if request.method in ("GET", "HEAD"):
        return
    if not _is_own(request):
        raise Refused(403, "asked from another site")
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > max_body:
            raise Refused(413, "too large")
    request.state.body = body


def _is_own(request: Request) -> bool:
    """Return whether a request comes from our own pages, or from no page: a command line says nothing and may."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None:
        return site in ("same-origin", "none")
    # A browser of some years ago.
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")


def short(status: int, reason: str) -> Response:
    """Return an answer that only says why not."""
    return JSONResponse({"error": reason}, status_code=status, headers=FRESH)


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
