"""Who does the partitions: this process, workers on this machine, or those of a scheduler."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, Protocol

from geo.bulk.parts import Job
from geo.errors import BulkError, SiteMapError

Work = Callable[[Job, int], dict[str, Any]]
AHEAD = 2
"""Partitions waiting for each worker: as many as keep it busy, so that a run that ends has begun little in vain."""
WAIT_S = 60


class Crew(Protocol):
    """Anything that can do partitions."""

    def do(self, work: Work, job: Job, numbers: Sequence[int]) -> Iterator[dict[str, Any]]:
        """Yield what came of each partition, in whatever order they are done."""
        ...


class Alone:
    """Only the driver's own process: it needs no package, and the others are compared with it."""

    def do(self, work: Work, job: Job, numbers: Sequence[int]) -> Iterator[dict[str, Any]]:
        """Yield what came of each partition, in order."""
        for number in numbers:
            yield work(job, number)


class Workers:
    """The workers of a dask scheduler.

    Parameters
    ----------
    client
        A `distributed.Client`.
    """

    def __init__(self, client: Any) -> None:
        self._client = client

    def do(self, work: Work, job: Job, numbers: Sequence[int]) -> Iterator[dict[str, Any]]:
        """Yield what came of each partition as it is done; one whose worker died is done by another.

        Raises
        ------
        BulkError
            If one partition ended several workers, or what a partition raises itself.
        """
        from distributed import KilledWorker

        waiting = iter(numbers)
        count = AHEAD * max(1, len(self._client.scheduler_info(n_workers=-1)["workers"]))
        first = [self._send(work, job, number) for number in islice(waiting, count)]
        running: Any = _as_completed()(first, loop=self._client.loop)
        for future in running:
            try:
                yield future.result()
            except SiteMapError:
                raise
            except KilledWorker as error:
                raise BulkError(
                    "one partition ended several workers, most likely for want of memory; run the same "
                    "command again with a smaller --partition-rows and --restart"
                ) from error
            for number in islice(waiting, 1):
                running.add(self._send(work, job, number))

    def _send(self, work: Work, job: Job, number: int) -> Any:
        return self._client.submit(work, job, number, pure=False)


@contextmanager
def hire(workers: int, scheduler: str = "") -> Iterator[Crew]:
    """Give a crew, and send it home at the end.

    Parameters
    ----------
    workers
        How many processes on this machine; 0 is this process itself. Does not count with a scheduler.
    scheduler
        Address of a running dask scheduler, `tcp://host:8786`.

    Raises
    ------
    BulkError
        If dask is not installed, or the scheduler does not answer or has no worker.
    """
    if not scheduler and workers == 0:
        yield Alone()
        return
    distributed = _distributed()
    try:
        if scheduler:
            with distributed.Client(scheduler, timeout=WAIT_S, set_as_default=False) as client:
                client.wait_for_workers(1, timeout=WAIT_S)
                yield Workers(client)
            return
    except (OSError, TimeoutError) as error:
        raise BulkError(
            f"no worker answers at the scheduler; start `dask scheduler` and at least one `dask worker` "
            f"from the project's folder ({type(error).__name__})"
        ) from error
    with (
        distributed.LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            dashboard_address="127.0.0.1:0",
            scheduler_kwargs={"dashboard": False},
            host="127.0.0.1",
            silence_logs=50,
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        yield Workers(client)


def _as_completed() -> Any:
    return _distributed().as_completed


def _distributed() -> Any:
    try:
        return importlib.import_module("distributed")
    except ImportError:
        raise BulkError(
            "a bulk run on workers needs the extra bulk: pip install 'dask[distributed]', "
            "or --workers 0 to do it in this one process"
        ) from None
