"""Routes of the panel that makes pictures: preview, jobs, files, and the schemes that are kept."""

from __future__ import annotations

import dataclasses
import logging
import threading
from collections.abc import Iterator, Mapping
from functools import lru_cache
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from geo.access import Right
from geo.errors import FilterError, SiteMapError
from geo.scheme import MAX_SCHEMES, Scheme
from geo.ui.answers import FRESH, Refused, handle, json_answer
from geo.ui.explain import explain
from geo.ui.exports import DRAWING, Order, make_file, media_type, preview, read_order
from geo.ui.jobs import BusyError, Job, Jobs, busy_words
from geo.ui.library import DATASETS, get_library
from geo.ui.people import job_owner, request_store
from geo.ui.text import load_text, log_failure

log = logging.getLogger(__name__)

_KEY = "scheme:"
MAX_PREVIEWS = 8
"""Previews that wait for their turn: each holds one of the threads that answer everybody."""
_previews = threading.BoundedSemaphore(MAX_PREVIEWS)


def export_routes(prefix: str) -> list[BaseRoute]:
    """Return the routes under a prefix."""
    return [
        Route(prefix + "/export/{dataset}/preview.json", handle(_preview)),
        Route(
            prefix + "/export/{dataset}/jobs", handle(_start, right=Right.VIEW), methods=["POST"]
        ),
        Route(prefix + "/job/{job_id}", handle(_job, right=Right.VIEW), methods=["GET", "DELETE"]),
        Route(prefix + "/job/{job_id}/file", handle(_file)),
        Route(prefix + "/schemes/{dataset}", handle(_schemes), methods=["GET", "POST"]),
        Route(prefix + "/schemes/{dataset}/{scheme_id}", handle(_drop), methods=["DELETE"]),
    ]


@lru_cache(maxsize=1)
def _jobs() -> Jobs:
    return Jobs(turns=DRAWING)


def _dataset(request: Request) -> str:
    name: str = request.path_params["dataset"]
    if name not in DATASETS:
        raise KeyError(name)
    return name


def _order(request: Request) -> Order:
    params = {name: request.query_params.getlist(name) for name in request.query_params}
    return read_order(_dataset(request), params, get_library().categories)


def _preview(request: Request) -> Response:
    order = _order(request)
    if not _previews.acquire(blocking=False):
        raise Refused(429, load_text(order.look.language)["limits"]["previews"])
    try:
        return json_answer(request, preview(order, get_library()), FRESH)
    finally:
        _previews.release()


# ---- jobs -------------------------------------------------------------------------------------------------------


def _start(request: Request) -> Response:
    order, library = _order(request), get_library()
    words = load_text(order.look.language)

    def why(error: Exception) -> str:
        if isinstance(error, SiteMapError):
            reason = explain(str(error), order.look.language)
            return str(words["export"]["not_made"]).format(reason=reason)
        return log_failure(error, order.look.language)

    try:
        job = _jobs().start(lambda tell: make_file(order, library, tell), why, job_owner(request))
    except BusyError as error:
        raise Refused(429, busy_words(error, words)) from error
    return json_answer(request, {"job": job.job_id}, FRESH)


def _job(request: Request) -> Response:
    job_id = request.path_params["job_id"]
    job = _jobs().cancel(job_id) if request.method == "DELETE" else _jobs().get(job_id)
    return json_answer(request, _state_of(job), FRESH)


def _state_of(job: Job) -> dict[str, object]:
    return {"state": job.state, "share": job.share, "name": job.name, "error": job.error}


def _file(request: Request) -> Response:
    job = _jobs().get(request.path_params["job_id"])
    if job.state != "done":
        raise KeyError(job.job_id)
    named = f"attachment; filename*=UTF-8''{quote(job.name, safe='')}"
    headers = {**FRESH, "Content-Disposition": named}
    return Response(job.data, media_type=media_type(job.name), headers=headers)


# ---- schemes ----------------------------------------------------------------------------------------------------


def _schemes(request: Request) -> Response:
    store = request_store(request, _dataset(request))
    kept = store.notes(_KEY)
    if request.method == "POST":
        scheme = Scheme.from_json(request.state.body.decode("utf-8", "replace"))
        scheme.filter(get_library().categories)
        key = _KEY + scheme.scheme_id
        if key not in kept and len(kept) >= MAX_SCHEMES:
            raise Refused(409, f"{MAX_SCHEMES} schemes are kept; remove one first")
        store.set_note(key, scheme.to_json())
        kept = store.notes(_KEY)
    return json_answer(request, {"schemes": list(_readable(kept))}, FRESH)


def _readable(kept: Mapping[str, str]) -> Iterator[dict[str, object]]:
    """Yield the schemes; one that another program has spoilt does not take the rest along."""
    for key, text in kept.items():
        try:
            yield dataclasses.asdict(Scheme.from_json(text))
        except FilterError:
            log.warning("%s is no scheme and is left out", key)


def _drop(request: Request) -> Response:
    scheme_id = request.path_params["scheme_id"]
    if not request_store(request, _dataset(request)).drop_note(_KEY + scheme_id):
        raise KeyError(scheme_id)
    return json_answer(request, {}, FRESH)
