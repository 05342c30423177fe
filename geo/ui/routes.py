"""What the map fetches, beside Streamlit's own routes: its page, scripts, positions, words and bits.

Everything under /baita/data/ is addressed by its version and never changes, so a browser asks for it once. All
answers come from this server; none carries a site's text as anything but JSON.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
import streamlit as st
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from geo.access import Right
from geo.category import LANGUAGES
from geo.day import read_day
from geo.district import beside_store, built_folder, landmarks
from geo.draw.basemaps import basemap, district_outline
from geo.draw.page import content_policy, draw_map
from geo.draw.site_layer import CHUNK_ROWS, attribute_rows, compress, row_flags, site_details
from geo.draw.tiles import Basemap as TileBasemap
from geo.draw.tiles import media_type, open_tiles
from geo.draw.vector_basemap import read_basemap
from geo.errors import FilterError, SiteMapError
from geo.locate import Candidate
from geo.locate.datum import offset_grid
from geo.placing import site_candidates
from geo.settings import Settings
from geo.store import SiteStore
from geo.store.tiles import VersionGone
from geo.ui.actions.placing import candidate_id
from geo.ui.answers import (
    FOREVER,
    FRESH,
    Refused,
    gzipped,
    handle,
    json_answer,
    request_language,
)
from geo.ui.describe import app_title
from geo.ui.desk_routes import desk_routes
from geo.ui.explain import explain
from geo.ui.export_routes import export_routes
from geo.ui.guide import FOLDER as GUIDE
from geo.ui.guide import GUIDE_POLICY, guide_page, picture_path
from geo.ui.library import DATASETS, AnySnapshot, LargeSnapshot, Snapshot, get_library
from geo.ui.people import request_store
from geo.ui.text import load_text
from geo.view import SiteFilter, category_codes

log = logging.getLogger(__name__)

PREFIX = "/baita"
TILE_MARGIN = 0.1
"""How far around the district, in degrees, tiles of another datum are moved exactly."""
MAX_OFFSET = 1_000_000
"""How far down a table of millions pages go: nobody scrolls further, and the database would count that far."""
MAX_CANDIDATES = 9
"""As many as there are keys for."""
_DRAW = Path(__file__).parent.parent / "draw"
_OWN = {
    "site_layer.js": _DRAW,
    "map_parts.js": _DRAW,
    "map_placer.js": _DRAW,
    "map_tiles.js": _DRAW,
    "tile_sites.js": _DRAW,
    "vector_basemap.js": _DRAW,
    "map_figure.js": _DRAW,
    "map_desk.js": _DRAW,
    "map_time.js": _DRAW,
    "map_access.js": _DRAW,
    "map_page.js": _DRAW,
    "theme.css": _DRAW,
    "map_page.css": _DRAW,
    "panel.js": Path(__file__).parent,
    "panel.css": Path(__file__).parent,
    "tour.js": Path(__file__).parent,
    "guide.css": GUIDE,
}
_LEAFLET = ("leaflet.js", "leaflet.css", "images/layers.png", "images/layers-2x.png")
_TYPES = {".js": "text/javascript", ".css": "text/css", ".png": "image/png"}


def base_path() -> str:
    """Return what stands before every address of the app (`server.baseUrlPath`), as "" or "/name".

    Streamlit puts it before its own routes and not before ours.
    """
    given = str(st.get_option("server.baseUrlPath") or "").strip("/")
    return f"/{given}" if given else ""


def routes() -> list[BaseRoute]:
    """Return the routes to mount beside Streamlit's."""
    prefix = base_path() + PREFIX
    return [
        Route(prefix + "/map/{language}", handle(_map_page)),
        Route(prefix + "/guide/{language}", handle(_guide)),
        Route(prefix + "/guide/picture/{name}", handle(_guide_picture)),
        Route(prefix + "/static/{digest}/{name:path}", handle(_asset, everybody=True)),
        Route(prefix + "/data/{dataset}/{version}/sites.bin", handle(_positions)),
        Route(prefix + "/data/{dataset}/{version}/selection.bin", handle(_selection)),
        Route(prefix + "/data/{dataset}/{version}/order/{column}.bin", handle(_order)),
        Route(prefix + "/data/{dataset}/{version}/words/{chunk:int}.json", handle(_words)),
        Route(prefix + "/data/{dataset}/{version}/row", handle(_row)),
        Route(prefix + "/data/{dataset}/{version}/days.json", handle(_days)),
        Route(prefix + "/data/{dataset}/{version}/changed.bin", handle(_changed)),
        Route(prefix + "/data/{dataset}/{version}/trend.json", handle(_trend)),
        Route(prefix + "/data/{dataset}/{version}/page.json", handle(_page)),
        Route(prefix + "/data/{dataset}/{version}/named.json", handle(_named)),
        Route(prefix + "/data/{dataset}/{version}/bounds.json", handle(_bounds)),
        Route(
            prefix + "/tiles-sites/{dataset}/{version}/{zoom:int}/{column:int}/{row:int}.mvt",
            handle(_site_tile),
        ),
        Route(prefix + "/version/{dataset}", handle(_version)),
        Route(prefix + "/site/{dataset}/{site_id:path}.json", handle(_site)),
        Route(prefix + "/base/{stamp}/{name}", handle(_base_level)),
        Route(prefix + "/tiles/{layer}/{zoom:int}/{column:int}/{row:int}", handle(_tile)),
        Route(
            prefix + "/candidates/{dataset}/{site_id:path}.json",
            handle(_candidates, right=Right.EDIT, own=True),
        ),
        *export_routes(prefix),
        *desk_routes(prefix),
    ]


def asset_url(name: str) -> str:
    """Return the address of a script or style, relative to the app's own address; it changes with the file."""
    return f"baita/static/{_digest()}/{name}"


# ---- the page and its files ----------------------------------------------------------------------------------


def _map_page(request: Request) -> Response:
    settings = get_library().settings
    html, policy = _drawn_page(request.path_params["language"], _base_stamp(settings))
    headers = {
        "Cache-Control": "no-cache",
        "Content-Security-Policy": policy,
        "ETag": f'"{_hash(html)}"',
    }
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return gzipped(request, _compressed_text(html), "text/html; charset=utf-8", headers)


@lru_cache(maxsize=2 * len(LANGUAGES))
def _drawn_page(language: str, base: str) -> tuple[str, str]:
    library = get_library()
    names = [name for name in (*_LEAFLET, *_OWN) if name.endswith((".js", ".css"))]
    html = draw_map(
        library.categories,
        {
            **basemap(library.settings.adcode, landmarks(library.settings)),
            "tiles": _tile_config(library.settings),
            "vector": _vector_config(library.settings),
        },
        load_text(language)["map"],
        language=language,
        title=app_title(library.settings, language),
        assets={name: f"../static/{_digest()}/{name}" for name in names},
    )
    return html, content_policy(html)


def _guide(request: Request) -> Response:
    html = _guide_html(request.path_params["language"])
    headers = {"Cache-Control": "no-cache", "Content-Security-Policy": GUIDE_POLICY}
    return gzipped(request, _compressed_text(html), "text/html; charset=utf-8", headers)


@lru_cache(maxsize=len(LANGUAGES))
def _guide_html(language: str) -> str:
    library = get_library()
    title = app_title(library.settings, language)
    return guide_page(language, library.categories, title=title, assets=f"../static/{_digest()}")


def _guide_picture(request: Request) -> Response:
    name, _, language = request.path_params["name"].removesuffix(".webp").partition("-")
    if language not in LANGUAGES:
        raise KeyError(name)
    data = picture_path(name, language).read_bytes()
    return Response(
        data, media_type="image/webp", headers={"Cache-Control": "public, max-age=86400"}
    )


@lru_cache(maxsize=2)
def _tiles(settings: Settings) -> TileBasemap | None:
    """Return the picture tiles that are set; a setting that cannot be used leaves the outline, and is in the log."""
    if not settings.tiles:
        return None
    try:
        return open_tiles(
            settings.tiles,
            key=settings.tiles_key,
            datum=settings.tiles_datum,
            url=settings.tiles_url,
            cache=beside_store(settings, "tiles.sqlite"),
        )
    except SiteMapError:
        log.exception("the tiles that are set are not used")
        return None


def _tile_config(settings: Settings) -> dict[str, Any] | None:
    """Return what the page needs to show the tiles, nothing of where they come from."""
    found = _tiles(settings)
    if found is None:
        return None
    west, south, east, north = shapely.bounds(district_outline(settings.adcode))
    around = (west - TILE_MARGIN, south - TILE_MARGIN, east + TILE_MARGIN, north + TILE_MARGIN)
    return {
        "layers": list(found.layers),
        "attribution": found.attribution,
        "maxZoom": found.max_zoom,
        "offsets": offset_grid(found.datum, around),
    }


def _vector_config(settings: Settings) -> dict[str, Any] | None:
    """Return the manifest of the basemap that was built, and where its levels are; None if there is none."""
    found = read_basemap(built_folder(settings))
    if found is None:
        return None
    return {"manifest": dict(found.manifest), "address": f"../base/{_base_stamp(settings)}/"}


def _base_stamp(settings: Settings) -> str:
    found = read_basemap(built_folder(settings))
    return "none" if found is None else _hash(json.dumps(found.manifest, sort_keys=True))


def _base_level(request: Request) -> Response:
    found = read_basemap(built_folder(get_library().settings))
    if found is None:
        raise KeyError(request.path_params["name"])
    data = found.levels[request.path_params["name"]]
    return gzipped(request, data, "application/octet-stream", FOREVER)


def _tile(request: Request) -> Response:
    params, found = request.path_params, _tiles(get_library().settings)
    zoom, column, row = params["zoom"], params["column"], params["row"]
    if found is None or zoom > found.max_zoom or max(column, row) >= 2**zoom:
        raise KeyError(params["layer"])
    data = found.layers[params["layer"]].get(zoom, column, row)
    if data is None:
        return Response(status_code=204, headers=FRESH)
    kind = media_type(data)
    if not kind:
        raise KeyError(params["layer"])
    return Response(data, media_type=kind, headers={"Cache-Control": "public, max-age=86400"})


def _asset(request: Request) -> Response:
    name = request.path_params["name"]
    if request.path_params["digest"] != _digest():
        raise KeyError(name)
    data = _files()[name]
    kind = _TYPES[Path(name).suffix]
    return gzipped(
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
    """Return the table of a version; a set without one, drawn by tiles, has none of these addresses."""
    found = _any_snapshot(request)
    if not isinstance(found, Snapshot):
        raise KeyError(found.dataset)
    return found


def _large(request: Request) -> LargeSnapshot:
    found = _any_snapshot(request)
    if not isinstance(found, LargeSnapshot):
        raise KeyError(found.dataset)
    return found


def _any_snapshot(request: Request) -> AnySnapshot:
    dataset, version = request.path_params["dataset"], request.path_params["version"]
    if dataset not in DATASETS:
        raise KeyError(dataset)
    found = get_library().at(dataset, version)
    if found is None:
        raise Refused(410, "a newer version is out")
    return found


def _positions(request: Request) -> Response:
    return gzipped(request, _snapshot(request).payload, "application/octet-stream", FOREVER)


def _chosen(request: Request, snapshot: AnySnapshot) -> SiteFilter:
    params = request.query_params
    return SiteFilter.from_params(
        {name: params.getlist(name) for name in params}, snapshot.categories
    )


def _selection(request: Request) -> Response:
    snapshot = _snapshot(request)
    data = snapshot.bits(_chosen(request, snapshot))
    return gzipped(request, data, "application/octet-stream", FOREVER)


def _days(request: Request) -> Response:
    found = _any_snapshot(request)
    # A set of millions is shown as it is now: its history stays in the store, site by site.
    days = (
        [] if isinstance(found, LargeSnapshot) else [day.isoformat() for day in found.timeline.days]
    )
    return json_answer(request, {"days": days}, FOREVER)


def _changed(request: Request) -> Response:
    """Answer with the code of each row's category on an earlier day, see `geo.timeline.Comparison`."""
    snapshot = _snapshot(request)
    since = _chosen(request, snapshot).since
    if since is None:
        raise Refused(400, "since is missing")
    data = compress(snapshot.compared(since).old.tobytes())
    return gzipped(request, data, "application/octet-stream", FOREVER)


def _trend(request: Request) -> Response:
    """Answer with how many sites each category's code has on each day, under the rest of a filter."""
    snapshot = _snapshot(request)
    counts = snapshot.trend(_chosen(request, snapshot))
    days = [day.isoformat() for day in counts.index]
    return json_answer(request, {"days": days, "counts": counts.T.to_numpy().tolist()}, FOREVER)


@contextmanager
def _while_it_lasts() -> Iterator[None]:
    """Ask the database of one version; a page that asks for an older one is to look again."""
    try:
        yield
    except VersionGone as error:
        raise Refused(410, str(error)) from None


def _site_tile(request: Request) -> Response:
    """Send a tile of a set of millions, see `geo.store.tiles`."""
    found, params = _large(request), request.path_params
    chosen = _chosen(request, found)
    try:
        with _while_it_lasts():
            data = found.tile(params["zoom"], params["column"], params["row"], chosen)
    except ValueError:
        raise KeyError(params["zoom"]) from None
    return gzipped(request, data, "application/vnd.mapbox-vector-tile", FOREVER)


def _page(request: Request) -> Response:
    """Send some rows of the table of a set of millions, in an order."""
    found, params = _large(request), request.query_params
    offset, limit = _whole(params.get("offset", "0")), _whole(params.get("limit", "100"))
    if not (0 <= offset <= MAX_OFFSET and 1 <= limit <= CHUNK_ROWS):
        raise KeyError("offset")
    with _while_it_lasts():
        fids, sites = found.tiles.page(
            found.version,
            _chosen(request, found),
            sort=params.get("sort", ""),
            descending=params.get("down") == "yes",
            offset=offset,
            limit=limit,
        )
    return json_answer(request, _numbered(fids, sites, found), FOREVER)


def _named(request: Request) -> Response:
    """Send the words of some sites of a set of millions by the store's numbers."""
    found = _large(request)
    fids = [_whole(text) for text in request.query_params.getlist("fid")[:CHUNK_ROWS]]
    with _while_it_lasts():
        there, sites = found.tiles.rows(found.version, fids)
    return json_answer(request, _numbered(there, sites, found), FOREVER)


def _whole(text: str) -> int:
    """Return a number of an address; one that is none, or that no store has given, is not found."""
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise KeyError(text)
    return int(text)


def _numbered(fids: list[int], sites: gpd.GeoDataFrame, found: LargeSnapshot) -> list[list[object]]:
    """Return for each site its number, category code, flag, box (or None), and the words of `attribute_rows`."""
    if not fids:
        return []
    codes, flags = category_codes(sites, found.categories), row_flags(sites)
    boxes = [None if np.isnan(box[0]) else box for box in shapely.bounds(sites.geometry).tolist()]
    words = attribute_rows(sites, 0)
    rows = zip(fids, codes.tolist(), flags.tolist(), boxes, words, strict=True)
    return [[fid, code, flag, box, *row] for fid, code, flag, box, row in rows]


def _bounds(request: Request) -> Response:
    found = _large(request)
    return json_answer(request, {"bounds": found.bounds(_chosen(request, found))}, FOREVER)


def _order(request: Request) -> Response:
    data = _snapshot(request).order(request.path_params["column"])
    return gzipped(request, data, "application/octet-stream", FOREVER)


def _words(request: Request) -> Response:
    rows = attribute_rows(_snapshot(request).sites, request.path_params["chunk"])
    return json_answer(request, rows, FOREVER)


def _row(request: Request) -> Response:
    snapshot, site_id = _any_snapshot(request), request.query_params["site"]
    return json_answer(request, {"row": snapshot.row_of(site_id)}, FOREVER)


def _version(request: Request) -> Response:
    """Say which data version is the newest; pages in sight ask again and again, see `lookForNews` in map_page.js."""
    store = request_store(request, request.path_params["dataset"])
    return json_answer(request, {"version": store.data_version()}, FRESH)


def _site(request: Request) -> Response:
    dataset, _, day = request.path_params["dataset"].partition("@")
    site_id = request.path_params["site_id"]
    snapshot = get_library().snapshot(dataset).of(read_day(day, name="as_of", refuse=FilterError))
    store = request_store(request, dataset)
    return json_answer(request, describe_site(snapshot, site_id, store), FRESH)


def _candidates(request: Request) -> Response:
    dataset, site_id = request.path_params["dataset"], request.path_params["site_id"]
    library = get_library()
    snapshot = library.snapshot(dataset)
    site = snapshot.site(site_id).iloc[0]
    said: list[str] = []
    found = site_candidates(site, library.settings, tell=said.append)[:MAX_CANDIDATES]
    answer = {
        "candidates": [_candidate(one) for one in found],
        # A geocoder that does not answer hides none of our own places, and is not taken for one that found nothing.
        "online": " ".join(explain(one, request_language(request)) for one in said),
    }
    return json_answer(request, answer, FRESH)


def _candidate(one: Candidate) -> dict[str, Any]:
    assert one.geometry is not None
    shape = json.loads(str(shapely.to_geojson(one.geometry)))
    return {
        "id": candidate_id(one),
        "name": one.name,
        "precision": str(one.precision),
        "uncertainty_m": one.uncertainty_m,
        "score": round(one.score),
        "note": one.note,
        "source": one.source,
        "geometry": shape,
    }


def describe_site(snapshot: AnySnapshot, site_id: str, store: SiteStore) -> dict[str, Any]:
    """Return everything known of one site, as the detail panel shows it.

    Raises
    ------
    KeyError
        If the set has no such site.
    """
    site = snapshot.site(site_id)
    history = store.history(site_id)
    return {
        **site_details(site, 0, snapshot.categories),
        "history": [
            {
                "field": c.field,
                "old": c.old,
                "new": c.new,
                "who": c.who,
                "at": _local_time(c.at),
                "version": c.version,
                "source": c.source,
            }
            for c in history
        ],
    }


def _local_time(moment: datetime) -> str:
    return moment.astimezone().strftime("%Y-%m-%d %H:%M")
