"""Routes of the import desk: a file comes in, its draft is reviewed, becomes an import, and can be taken back."""

from __future__ import annotations

import json
from datetime import date
from functools import lru_cache, partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from geo.access import AccessError, Right
from geo.day import read_day
from geo.district import beside_store
from geo.drafts import Desk, OpenFiles
from geo.errors import SiteMapError, StoreAway
from geo.samples import read_samples
from geo.settings import Settings
from geo.ui.answers import FRESH, Refused, handle, json_answer, request_language
from geo.ui.desk import draft_head, import_head, view_draft, view_report
from geo.ui.explain import explain
from geo.ui.jobs import BusyError, Job, Jobs, busy_words
from geo.ui.library import get_library
from geo.ui.people import job_owner, request_access, request_store
from geo.ui.text import load_text, log_failure

MAX_UPLOAD = 20_000_000
REAL, DEMO = "bulletin", "demo"
"""What people bring goes to the real set, samples go to the demo set: what is invented never lies in one file with
what is not."""
IMPORTS_SHOWN = 20


def desk_routes(prefix: str) -> list[BaseRoute]:
    """Return the routes under a prefix."""
    one = prefix + "/desk/draft/{draft_id}"
    return [
        Route(prefix + "/desk", _handle(_lists)),
        Route(prefix + "/desk/read", _handle(_begin, max_body=MAX_UPLOAD), methods=["POST"]),
        Route(prefix + "/desk/sample/{name}", _handle(_sample), methods=["POST"]),
        Route(prefix + "/desk/job/{job_id}", _handle(_job), methods=["GET", "DELETE"]),
        Route(one, _handle(_draft), methods=["GET", "POST", "DELETE"]),
        Route(one + "/read", _handle(_again), methods=["POST"]),
        Route(one + "/model", _handle(_model), methods=["POST"]),
        Route(one + "/accept", _handle(_accept), methods=["POST"]),
        Route(prefix + "/desk/import/{import_id:int}/undo", _handle(_undo), methods=["POST"]),
    ]


_handle = partial(handle, right=Right.EDIT)
"""A draft is not on the map yet: only those who may put it there see it."""


@lru_cache(maxsize=1)
def _jobs() -> Jobs:
    return Jobs(at_once=2)


_reading: dict[str, Job] = {}
"""The job that reads a draft's file in this process, by the draft's id."""


def _is_read(draft_id: str) -> bool:
    """Return whether a draft's file is being read right now."""
    job = _reading.get(draft_id)
    if job is not None and job.state != "running":
        del _reading[draft_id]
        return False
    return job is not None


@lru_cache(maxsize=4)
def _open_files(settings: Settings) -> OpenFiles:
    return OpenFiles()


def _desk(request: Request) -> Desk:
    """Return the desk as the person of a request may use it."""
    library, dataset = get_library(), _set(request)
    return Desk(
        request_store(request, dataset),
        library.settings,
        library.categories,
        beside_store(library.settings, "drafts" if dataset == REAL else "drafts-demo"),
        who=request_access(request).name,
        files=_open_files(library.settings),
        fictitious=dataset == DEMO,
        model=library.model,
    )


def _set(request: Request) -> str:
    """Return the set whose desk is meant; the real one unless the request names the other."""
    return DEMO if request.query_params.get("set") == DEMO else REAL


def _said(error: SiteMapError, request: Request) -> Exception:
    """Return a refusal that says to the person what is wrong, in the page's language."""
    if isinstance(error, AccessError | StoreAway):
        return error
    return Refused(422, explain(str(error), request_language(request)))


def _lists(request: Request) -> Response:
    imports = request_store(request, _set(request)).imports(IMPORTS_SHOWN)
    language = request_language(request)
    lists = {
        "drafts": [
            draft_head(draft) | {"interrupted": draft.unread and not _is_read(draft.draft_id)}
            for draft in _desk(request).drafts()
        ],
        "imports": [import_head(one) for one in imports],
        "samples": [
            {"file": one.path.name, "label": one.label[language]}
            for one in read_samples(get_library().settings)
        ],
    }
    return json_answer(request, lists, FRESH)


# ---- coming in --------------------------------------------------------------------------------------------------


def _begin(request: Request) -> Response:
    if _set(request) != REAL:
        raise Refused(403, "only samples go into the demo set")
    name = request.query_params.get("name", "")
    data, language, desk = request.state.body, request_language(request), _desk(request)
    words = load_text(language)
    if not data.strip():
        raise Refused(422, words["desk"]["empty"])
    as_of = read_day(
        request.query_params.get("as_of", ""), name="as_of", refuse=partial(Refused, 400)
    )
    return _receive(request, desk, name or words["desk"]["pasted"] + ".txt", data, as_of)


def _sample(request: Request) -> Response:
    """Read one of the files to try, for the demo set."""
    if _set(request) != DEMO:
        raise Refused(403, "samples go into the demo set only")
    samples = {one.path.name: one.path for one in read_samples(get_library().settings)}
    path = samples[request.path_params["name"]]
    return _receive(request, _desk(request), path.name, path.read_bytes(), None)


def _receive(request: Request, desk: Desk, name: str, data: bytes, as_of: date | None) -> Response:
    try:
        draft = desk.receive(name, data, as_of=as_of)
    except SiteMapError as error:
        raise _said(error, request) from error
    try:
        return _parse(request, desk, draft.draft_id)
    except Refused:
        desk.discard(draft.draft_id)
        raise


def _again(request: Request) -> Response:
    """Read a file again that was being read when the server stopped."""
    desk, draft_id = _desk(request), request.path_params["draft_id"]
    try:
        desk.draft(draft_id)
    except SiteMapError as error:
        raise _said(error, request) from error
    return _parse(request, desk, draft_id)


def _parse(request: Request, desk: Desk, draft_id: str) -> Response:
    """Begin to read a draft's file, and answer with the job that does it."""
    job = _new_job(request)

    def read(tell: Any) -> tuple[str, bytes]:
        desk.parse(
            draft_id,
            progress=lambda stage, share: tell(share),
            cancelled=job.ending.is_set,
        )
        return draft_id, b""

    _reading[draft_id] = job
    _jobs().submit(job, read)
    return json_answer(request, {"job": job.job_id}, FRESH)


def _model(request: Request) -> Response:
    """Begin to ask the model what a draft's text says, and answer with the job that does it."""
    desk, draft_id = _desk(request), request.path_params["draft_id"]
    if desk.model is None:
        raise Refused(404, "no model is set up")
    try:
        desk.draft(draft_id)
    except SiteMapError as error:
        raise _said(error, request) from error
    job = _new_job(request)

    def ask(tell: Any) -> tuple[str, bytes]:
        desk.ask_model(draft_id, waiting=lambda: tell(0.0))
        return draft_id, b""

    _jobs().submit(job, ask)
    return json_answer(request, {"job": job.job_id}, FRESH)


def _new_job(request: Request) -> Job:
    """Return a job of the person who asks, or refuse where too much is waiting."""
    language = request_language(request)

    def reason(error: Exception) -> str:
        if isinstance(error, SiteMapError):
            return explain(str(error), language)
        return log_failure(error, language)

    try:
        return _jobs().prepare(reason, job_owner(request))
    except BusyError as error:
        raise Refused(429, busy_words(error, load_text(language))) from error


def _job(request: Request) -> Response:
    job_id = request.path_params["job_id"]
    job = _jobs().cancel(job_id) if request.method == "DELETE" else _jobs().get(job_id)
    state = {"state": job.state, "share": job.share, "draft": job.name, "error": job.error}
    return json_answer(request, state, FRESH)


# ---- review -----------------------------------------------------------------------------------------------------


def _draft(request: Request) -> Response:
    desk, draft_id, language = (
        _desk(request),
        request.path_params["draft_id"],
        request_language(request),
    )
    try:
        if request.method == "DELETE":
            desk.discard(draft_id)
            return json_answer(request, {}, FRESH)
        draft = desk.draft(draft_id)
        if request.method == "POST":
            draft = desk.edit(draft_id, _change(request))
        view = view_draft(desk, draft, load_text(language)["desk"], language)
    except SiteMapError as error:
        raise _said(error, request) from error
    return json_answer(request, view, FRESH)


def _change(request: Request) -> dict[str, Any]:
    try:
        change = json.loads(request.state.body)
        # Half a character is JSON and no text: nothing could keep it.
        json.dumps(change, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise Refused(400, "a change is JSON") from None
    if not isinstance(change, dict):
        raise Refused(400, "a change is an object")
    return change


def _accept(request: Request) -> Response:
    try:
        report = _desk(request).accept(
            request.path_params["draft_id"], who=request_access(request).name
        )
    except SiteMapError as error:
        raise _said(error, request) from error
    return json_answer(request, view_report(report, request_language(request)), FRESH)


def _undo(request: Request) -> Response:
    import_id, who = request.path_params["import_id"], request_access(request).name
    try:
        done = request_store(request, _set(request)).undo_import(import_id, who=who)
    except SiteMapError as error:
        raise _said(error, request) from error
    kept = {"removed": done.removed, "restored": done.restored, "kept": list(done.kept)}
    return json_answer(request, kept, FRESH)
