"""What the map fetches, beside Streamlit's own routes: its page, scripts, positions, words and bits.

Everything under /baita/data/ is addressed by its version and never changes, so a browser asks for it once. All
answers come from this server; none carries a site's text as anything but JSON.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import lru_cache, wraps
from importlib import import_module
from pathlib import Path
from typing import Any

import pandas as pd
import shapely
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from geo.category import LANGUAGES
from geo.draw.basemaps import basemap
from geo.draw.page import content_policy, draw_map
from geo.draw.site_layer import attribute_rows, compress
from geo.errors import FilterError, SiteMapError
from geo.pipeline import landmarks
from geo.ui.library import DATASETS, Library, Snapshot, get_library
from geo.ui.text import load_text
from geo.view import SiteFilter, category_codes

log = logging.getLogger(__name__)

PREFIX = "/baita"
FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}
FRESH = {"Cache-Control": "no-store"}
SAFE = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_DRAW = Path(__file__).parent.parent / "draw"
_OWN = {
    "site_layer.js": _DRAW,
    "map_parts.js": _DRAW,
    "map_page.js": _DRAW,
    "map_page.css": _DRAW,
    "panel.js": Path(__file__).parent,
    "panel.css": Path(__file__).parent,
}
_LEAFLET = ("leaflet.js", "leaflet.css", "images/layers.png", "images/layers-2x.png")
_TYPES = {".js": "text/javascript", ".css": "text/css", ".png": "image/png"}

Handler = Callable[[Request], Response]


def routes() -> list[BaseRoute]:
    """Return the routes to mount beside Streamlit's."""
    return [
        Route(PREFIX + "/map/{language}", _handle(_map_page)),
        Route(PREFIX + "/static/{digest}/{name:path}", _handle(_asset)),
        Route(PREFIX + "/data/{dataset}/{version}/sites.bin", _handle(_positions)),
        Route(PREFIX + "/data/{dataset}/{version}/selection.bin", _handle(_selection)),
        Route(PREFIX + "/data/{dataset}/{version}/order/{column}.bin", _handle(_order)),
        Route(PREFIX + "/data/{dataset}/{version}/words/{chunk:int}.json", _handle(_words)),
        Route(PREFIX + "/data/{dataset}/{version}/row", _handle(_row)),
        Route(PREFIX + "/site/{dataset}/{site_id:path}.json", _handle(_site)),
    ]


def asset_url(name: str) -> str:
    """Return the address of a script or style, relative to the app's own address; it changes with the file."""
    return f"baita/static/{_digest()}/{name}"


def _handle(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """Run a handler off the event loop, and turn what goes wrong into a short answer without details."""

    @wraps(handler)
    async def answer(request: Request) -> Response:
        try:
            response = await run_in_threadpool(handler, request)
        except (KeyError, IndexError):
            response = JSONResponse({"error": "not found"}, status_code=404, headers=FRESH)
        except _Gone:
            response = JSONResponse(
                {"error": "a newer version is out"}, status_code=410, headers=FRESH
            )
        except FilterError as error:
            response = JSONResponse({"error": str(error)}, status_code=400, headers=FRESH)
        except SiteMapError:
            log.exception("a map request failed")
            response = JSONResponse({"error": "not available"}, status_code=503, headers=FRESH)
        response.headers.update(SAFE)
        return response

    return answer


class _Gone(Exception):
    """The version asked for is no longer kept."""


# ---- the page and its files ----------------------------------------------------------------------------------


def _map_page(request: Request) -> Response:
    html, policy = _drawn_page(request.path_params["language"])
    headers = {
        "Cache-Control": "no-cache",
        "Content-Security-Policy": policy,
        "ETag": f'"{_hash(html)}"',
    }
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return _gzipped(request, _compressed_text(html), "text/html; charset=utf-8", headers)


@lru_cache(maxsize=len(LANGUAGES))
def _drawn_page(language: str) -> tuple[str, str]:
    library = get_library()
    names = [name for name in (*_LEAFLET, *_OWN) if name.endswith((".js", ".css"))]
    html = draw_map(
        library.categories,
        basemap(library.settings.adcode, landmarks(library.settings)),
        load_text(language)["map"],
        language=language,
        assets={name: f"../static/{_digest()}/{name}" for name in names},
    )
    return html, content_policy(html)


def _asset(request: Request) -> Response:
    name = request.path_params["name"]
    if request.path_params["digest"] != _digest():
        raise KeyError(name)
    data = _files()[name]
    kind = _TYPES[Path(name).suffix]
    return _gzipped(
        request, compress(data), f"{kind}; charset=utf-8" if "text" in kind else kind, FOREVER
    )


@lru_cache(maxsize=1)
def _files() -> dict[str, bytes]:
    """Our own scripts and Leaflet's, read once: Leaflet comes from the installed package."""
    leaflet = Path(import_module("xstatic.pkg.leaflet").BASE_DIR)
    found = {name: folder / name for name, folder in _OWN.items()}
    found |= {name: leaflet / name for name in _LEAFLET}
    return {name: path.read_bytes() for name, path in found.items()}


@lru_cache(maxsize=1)
def _digest() -> str:
    return _hash("".join(f"{name}{_hash(data)}" for name, data in sorted(_files().items())))


def _hash(data: str | bytes) -> str:
    raw = data.encode() if isinstance(data, str) else data
    return hashlib.blake2b(raw, digest_size=8).hexdigest()


@lru_cache(maxsize=4)
def _compressed_text(text: str) -> bytes:
    return compress(text.encode())


# ---- the data of one version ---------------------------------------------------------------------------------


def _snapshot(request: Request) -> Snapshot:
    dataset, version = request.path_params["dataset"], request.path_params["version"]
    if dataset not in DATASETS:
        raise KeyError(dataset)
    found = get_library().at(dataset, version)
    if found is None:
        raise _Gone
    return found


def _positions(request: Request) -> Response:
    return _gzipped(request, _snapshot(request).payload, "application/octet-stream", FOREVER)


def _selection(request: Request) -> Response:
    snapshot, params = _snapshot(request), request.query_params
    chosen = SiteFilter.from_params(
        {name: params.getlist(name) for name in params}, snapshot.categories
    )
    return _gzipped(request, snapshot.bits(chosen), "application/octet-stream", FOREVER)


def _order(request: Request) -> Response:
    data = _snapshot(request).order(request.path_params["column"])
    return _gzipped(request, data, "application/octet-stream", FOREVER)


def _words(request: Request) -> Response:
    rows = attribute_rows(_snapshot(request).sites, request.path_params["chunk"])
    return _json(request, rows, FOREVER)


def _row(request: Request) -> Response:
    return _json(request, {"row": _snapshot(request).rows[request.query_params["site"]]}, FOREVER)


def _site(request: Request) -> Response:
    dataset, site_id = request.path_params["dataset"], request.path_params["site_id"]
    library = get_library()
    snapshot = library.snapshot(dataset)
    return _json(request, describe_site(snapshot, site_id, library), FRESH)


def describe_site(snapshot: Snapshot, site_id: str, library: Library) -> dict[str, Any]:
    """Return everything known of one site, as the detail panel shows it.

    Raises
    ------
    KeyError
        If the set has no such site.
    """
    row = snapshot.rows[site_id]
    site = snapshot.sites.iloc[row]
    point = site.geometry if isinstance(site.geometry, shapely.Point) else None
    texts = ("site_id", "name", "place", "street", "precision", "match_method", "reason", "note")
    return {
        **{name: str(site[name]) for name in texts},
        "code": int(category_codes(snapshot.sites.iloc[[row]], snapshot.categories)[0]),
        "as_of": "" if pd.isna(site["as_of"]) else site["as_of"].date().isoformat(),
        "uncertainty_m": None if pd.isna(site["uncertainty_m"]) else float(site["uncertainty_m"]),
        "point": None if point is None else [point.x, point.y],
        "raw": _raw(site),
        "source": {key: str(site[f"source_{key}"]) for key in ("file", "where", "quote")},
        "fictitious": bool(site["fictitious"]),
        "history": [
            {"field": c.field, "old": c.old, "new": c.new, "who": c.who, "at": _local_time(c.at)}
            for c in library.store(snapshot.dataset).history(site_id)
        ],
    }


def _raw(site: pd.Series) -> list[object] | None:
    if pd.isna(site["raw_x"]) or pd.isna(site["raw_y"]):
        return None
    return [float(site["raw_x"]), float(site["raw_y"]), str(site["raw_datum"])]


def _local_time(moment: datetime) -> str:
    return moment.astimezone().strftime("%Y-%m-%d %H:%M")


# ---- how it is sent ------------------------------------------------------------------------------------------


def _json(request: Request, value: object, headers: dict[str, str]) -> Response:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return _gzipped(request, compress(text.encode()), "application/json", headers)


def _gzipped(request: Request, data: bytes, media_type: str, headers: dict[str, str]) -> Response:
    """Send data that is compressed already; a client that cannot unpack it gets it unpacked."""
    headers = {**headers, "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(
            data, media_type=media_type, headers={**headers, "Content-Encoding": "gzip"}
        )
    return Response(gzip.decompress(data), media_type=media_type, headers=headers)
