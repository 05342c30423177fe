"""Pictures and tables on demand: a small preview at once; a file as a job that says how far it is and can be ended.

One picture is drawn at a time, page by page: matplotlib is not made for several threads, and people who click
through the map come first.
"""

from __future__ import annotations

import base64
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from geo.category import LANGUAGES, Categories
from geo.errors import ExportError, FilterError, SiteMapError
from geo.export import (
    LABELS,
    PICTURES,
    PRESETS,
    SERIES,
    NotPublicError,
    Picture,
    check_sheets,
    draw_pages,
    thumbnail,
)
from geo.export.check import Finding
from geo.scheme import MAX_TEXT, read_bounds
from geo.ui.address import read_filter
from geo.ui.library import Library
from geo.ui.picture import FORMATS, Look, make_picture, render
from geo.ui.text import load_text
from geo.view import SiteFilter

THUMBNAIL_PX = 640
KEPT_S = 600.0
"""How long a finished file waits to be fetched."""
MAX_WAITING = 12
_drawing = threading.Lock()


@dataclass(frozen=True, slots=True)
class Order:
    """What somebody wants: the set, the filter, how it is to look, the format."""

    dataset: str
    chosen: SiteFilter
    look: Look
    form: str = "png"
    series: str = ""
    first_only: bool = False


def read_order(dataset: str, params: Mapping[str, Sequence[str]], categories: Categories) -> Order:
    """Return what an address asks for; what it leaves out has its default.

    Raises
    ------
    FilterError
        If a value is not one of those that are known.
    """
    chosen, bad = read_filter(params, categories)
    if bad:
        raise FilterError(f"not understood: {', '.join(bad)}")

    def one(name: str, known: Sequence[str], default: str) -> str:
        value = _first(params, name) or default
        if value not in known:
            raise FilterError(f"{name} is one of {', '.join(filter(None, known))}")
        return value

    look = Look(
        preset=one("preset", tuple(PRESETS), "16:9-1080"),
        language=one("lang", LANGUAGES, "zh"),
        title=_first(params, "title")[:MAX_TEXT],
        unit=_first(params, "unit")[:MAX_TEXT],
        bounds=read_bounds(_first(params, "bounds")),
        labels=one("labels", LABELS, "auto"),
        public=one("public", ("yes", "no"), "no") == "yes",
    )
    return Order(
        dataset,
        chosen,
        look,
        one("form", FORMATS, "png"),
        one("series", SERIES, ""),
        _first(params, "first") == "yes",
    )


def _first(params: Mapping[str, Sequence[str]], name: str) -> str:
    values = params.get(name) or [""]
    return values[0]


def picture_of(order: Order, library: Library) -> Picture:
    """Return the picture an order means, on the set as it is now."""
    snapshot = library.snapshot(order.dataset)
    return make_picture(
        snapshot.sites, order.chosen, library.categories, library.settings, order.look
    )


# ---- preview ----------------------------------------------------------------------------------------------------


def preview(order: Order, library: Library) -> dict[str, Any]:
    """Return a small picture by the real renderer, what it shows of the earth, and what the check found.

    Returns
    -------
    answer
        `error` in words, or `image` (a data address), `bounds` (west, south, east, north in degrees), `aspect` of
        the map on the sheet, counts, and `findings` with words and the name of what would mend them. `can` lists
        the formats that may be made.
    """
    text = load_text(order.look.language)["export"]
    picture = picture_of(order, library)
    tables = [form for form in FORMATS if form not in PICTURES]
    if picture.sites.empty:
        return {"error": text["nothing_selected"], "can": []}
    try:
        with _drawing:
            sheets = draw_pages(picture)
            image = thumbnail(picture, THUMBNAIL_PX)
    except NotPublicError as error:
        why = text["and"].join(text["refusals"][reason] for reason in error.reasons)
        return {"error": text["not_public"].format(why=why), "can": []}
    except ExportError:
        return {"error": text["frame_empty"], "can": tables}
    first = sheets[0]
    return {
        "image": "data:image/png;base64," + base64.b64encode(image).decode(),
        "title": first.wording.title,
        "bounds": list(first.frame.bounds),
        "aspect": first.frame.box.width / first.frame.box.height,
        "on_map": len(first.on_map),
        "missing": len(first.missing),
        "pages": len(sheets),
        "findings": [_said(finding, text) for finding in check_sheets(sheets)],
        "can": list(FORMATS),
    }


def _said(finding: Finding, text: dict[str, Any]) -> dict[str, Any]:
    said = text["findings"][finding.code].format(count=finding.count, detail=finding.detail)
    return {"text": said, "serious": finding.serious, "fix": finding.fix}


# ---- jobs -------------------------------------------------------------------------------------------------------


class _Ended(Exception):
    """The person does not want the file any more."""


class BusyError(SiteMapError):
    """More exports are waiting than one machine should promise."""


@dataclass
class Job:
    """A file that is being made. `state` is running, done, failed or cancelled; `name` and `data` come with done."""

    job_id: str
    share: float = 0.0
    state: str = "running"
    error: str = ""
    name: str = ""
    data: bytes = b""
    ended_at: float = 0.0
    ending: threading.Event = field(default_factory=threading.Event)


Work = Callable[[Callable[[float], None]], tuple[str, bytes]]


class Jobs:
    """Exports of all visitors, one at a time, in the order they were asked for."""

    def __init__(self) -> None:
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="export")
        self._jobs: dict[str, Job] = {}
        self._lock = threading.Lock()

    def start(self, work: Work, explain: Callable[[Exception], str]) -> Job:
        """Queue some work and return its job.

        Parameters
        ----------
        work
            Gets a function to tell its progress to (0 to 1), returns a file's name and content.
        explain
            Says in words for the person what went wrong.

        Raises
        ------
        BusyError
            If too many are waiting already.
        """
        job = Job(secrets.token_urlsafe(12))
        with self._lock:
            self._forget_old()
            if sum(one.state == "running" for one in self._jobs.values()) >= MAX_WAITING:
                raise BusyError("too many exports are waiting: try again in a minute")
            self._jobs[job.job_id] = job
        self._worker.submit(self._run, job, work, explain)
        return job

    def get(self, job_id: str) -> Job:
        """Return a job; `KeyError` if there is none, or its file was not fetched in time."""
        with self._lock:
            self._forget_old()
            return self._jobs[job_id]

    def cancel(self, job_id: str) -> Job:
        """Ask a job to end before its next page."""
        job = self.get(job_id)
        job.ending.set()
        return job

    def _run(self, job: Job, work: Work, explain: Callable[[Exception], str]) -> None:
        def tell(share: float) -> None:
            job.share = share
            if job.ending.is_set():
                raise _Ended
            # Between two pages a preview may come first.
            if _drawing.locked():
                _drawing.release()
                time.sleep(0.002)
                _drawing.acquire()

        try:
            with _drawing:
                tell(0.0)
                job.name, job.data = work(tell)
            job.share, job.state = 1.0, "done"
        except _Ended:
            job.state = "cancelled"
        except Exception as error:
            job.error, job.state = explain(error), "failed"
        job.ended_at = time.monotonic()

    def _forget_old(self) -> None:
        now = time.monotonic()
        for job_id, job in list(self._jobs.items()):
            if job.state != "running" and now - job.ended_at > KEPT_S:
                del self._jobs[job_id]


def make_file(order: Order, library: Library, tell: Callable[[float], None]) -> tuple[str, bytes]:
    """Return one file for an order: its name and content, several pages of pictures as a zip."""
    picture = picture_of(order, library)
    rendered = render(picture, order.form, library.settings, series=order.series, progress=tell)
    return next(iter(rendered.files.items())) if order.first_only else rendered.as_one()


def media_type(name: str) -> str:
    """Return the content type of an exported file."""
    return _TYPES.get(Path(name).suffix, "application/octet-stream")


_TYPES = {
    ".png": "image/png",
    ".pdf": "application/pdf",
    # Not image/svg+xml or text/html: nothing that is downloaded is shown by the browser under this address.
    ".zip": "application/zip",
    ".csv": "text/csv; charset=utf-8",
    ".geojson": "application/geo+json",
    ".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
