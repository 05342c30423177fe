"""Long work that a visitor asked for: it says how far it is, can be ended, and its result waits a while."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

from geo.errors import SiteMapError

log = logging.getLogger(__name__)

KEPT_S = 600.0
"""How long a result waits to be fetched."""
MAX_WAITING = 12
MAX_EACH = 4
"""Of one person, so that nobody's clicks fill the queue for all."""
KEPT_BYTES = 300_000_000
"""Of results that wait to be fetched; beyond, the oldest go first."""


class _Ended(Exception):
    """The person does not want it any more."""


class BusyError(SiteMapError):
    """More is waiting than one machine should promise; `mine` if it is all of the one who asks."""

    def __init__(self, message: str, *, mine: bool = False) -> None:
        super().__init__(message)
        self.mine = mine


def busy_words(error: BusyError, words: Mapping[str, Any]) -> str:
    """Return what a person is told; `words` is the text of the page's language."""
    return str(words["limits"]["mine"] if error.mine else words["export"]["busy"])


@dataclass
class Job:
    """One piece of work. `state` is running, done, failed or cancelled; `name` and `data` come with done."""

    job_id: str
    explain: Callable[[Exception], str]
    who: str = ""
    share: float = 0.0
    state: str = "running"
    error: str = ""
    name: str = ""
    data: bytes = b""
    ended_at: float = 0.0
    ending: threading.Event = field(default_factory=threading.Event)


Work = Callable[[Callable[[float], None]], tuple[str, bytes]]


class Jobs:
    """Long work of all visitors, a few at a time, in the order it was asked for.

    Parameters
    ----------
    at_once
        How many.
    turns
        Held while one works, but between its steps: what else needs it comes in then.
    """

    def __init__(self, at_once: int = 1, turns: threading.Lock | None = None) -> None:
        self._worker = ThreadPoolExecutor(at_once, thread_name_prefix="job")
        self._turns = turns
        self._jobs: dict[str, Job] = {}
        self._lock = threading.Lock()

    def start(self, work: Work, explain: Callable[[Exception], str], who: str = "") -> Job:
        """Queue some work and return its job; see `prepare` and `submit`."""
        job = self.prepare(explain, who)
        self.submit(job, work)
        return job

    def prepare(self, explain: Callable[[Exception], str], who: str = "") -> Job:
        """Return a new job, which waits until its work is submitted.

        Parameters
        ----------
        explain
            Says in words for the person what went wrong.
        who
            Whose it is; "" where people do not sign in, and nobody can be told from another.

        Raises
        ------
        BusyError
            If too many are waiting already.
        """
        job = Job(secrets.token_urlsafe(12), explain, who)
        with self._lock:
            self._forget_old()
            waiting = [one.who for one in self._jobs.values() if one.state == "running"]
            if len(waiting) >= MAX_WAITING:
                raise BusyError("too much is waiting: try again in a minute")
            if who and waiting.count(who) >= MAX_EACH:
                raise BusyError("too much of yours is waiting: let it end first", mine=True)
            self._jobs[job.job_id] = job
        return job

    def submit(self, job: Job, work: Work) -> None:
        """Queue a job's work: it gets a function to tell its progress to (0 to 1), and returns a name and content."""
        self._worker.submit(self._run, job, work)

    def get(self, job_id: str) -> Job:
        """Return a job; `KeyError` if there is none, or its file was not fetched in time."""
        with self._lock:
            self._forget_old()
            return self._jobs[job_id]

    def cancel(self, job_id: str) -> Job:
        """Ask a job to end before its next step."""
        job = self.get(job_id)
        job.ending.set()
        return job

    def _run(self, job: Job, work: Work) -> None:
        def tell(share: float) -> None:
            job.share = share
            if job.ending.is_set():
                raise _Ended
            if self._turns is not None:
                self._turns.release()
                time.sleep(0.002)
                self._turns.acquire()

        try:
            with self._turns or nullcontext():
                tell(0.0)
                job.name, job.data = work(tell)
            job.share, job.state = 1.0, "done"
        except _Ended:
            job.state = "cancelled"
        except Exception as error:
            self._say_why(job, error)
            job.state = "failed"
        job.ended_at = time.monotonic()
        with self._lock:
            self._forget_old()

    def _say_why(self, job: Job, error: Exception) -> None:
        """Word a failure for the person; a job whose words fail too has failed all the same."""
        try:
            job.error = job.explain(error)
        except Exception:
            log.exception("a failure could not be put into words")

    def _forget_old(self) -> None:
        now = time.monotonic()
        for job_id, job in list(self._jobs.items()):
            if job.state != "running" and now - job.ended_at > KEPT_S:
                del self._jobs[job_id]
        ended = sorted(
            (one for one in self._jobs.values() if one.data), key=lambda one: one.ended_at
        )
        held = sum(len(one.data) for one in ended)
        # The newest stays, however large: somebody waits for it.
        for job in ended[:-1]:
            if held > KEPT_BYTES and job.state != "running":
                held -= len(job.data)
                del self._jobs[job.job_id]
