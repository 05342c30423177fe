"""What stands before all that is asked of the app, Streamlit's own routes among it: headers, and how many may be in.

Behind a proxy, the proxy has limits for each person and address as well (see geo/deploy/nginx.conf).
"""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.responses import HTMLResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

MAX_PAGES = 400
"""Pages open at a time: each holds a connection, a thread now and then, and some megabytes."""
FULL = (
    "<!doctype html><meta charset=utf-8><title>503</title>"
    "<p>同时打开的页面太多，请关掉不用的页面，一分钟后再试。</p>"
    "<p>Too many pages are open. Close those you do not need, and try again in a minute.</p>"
)
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    # Not as a policy: a proxy gives Streamlit's page a whole one, unless it has one already.
    "X-Frame-Options": "SAMEORIGIN",
}
_TRY_AGAIN_LATER = 1013
"""Of RFC 6455's registry."""


class Door:
    """Starlette middleware: adds headers where an answer has none of that name, and lets so many pages in.

    Parameters
    ----------
    app
        All that is behind it.
    page
        Where the page is, without a slash at its end.
    max_pages
        How many websockets may be open; the next page gets a plain answer that says so.
    """

    def __init__(self, app: ASGIApp, page: str = "", max_pages: int = MAX_PAGES) -> None:
        self._app, self._page, self._max, self._open = app, page, max_pages, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request or serve one websocket."""
        full = self._open >= self._max
        if scope["type"] == "http":
            # Only the page: what an open one asks for is answered, and so is who looks whether the app is well.
            turned_away = full and scope["path"].rstrip("/") == self._page
            answer = HTMLResponse(FULL, 503, {"Retry-After": "60"}) if turned_away else self._app
            await answer(scope, receive, _with_headers(send))
        elif scope["type"] != "websocket":
            await self._app(scope, receive, send)
        elif full:
            await WebSocketClose(_TRY_AGAIN_LATER)(scope, receive, send)
        else:
            self._open += 1
            try:
                await self._app(scope, receive, send)
            finally:
                self._open -= 1


def _with_headers(send: Send) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return sent
