"""One bulk run from beginning to end, or from where the last one was ended."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import geopandas as gpd

from geo.bulk.crew import Crew, hire
from geo.bulk.desk import Desk, corrections_digest, place_for, read_json, write_json
from geo.bulk.meet import hand_out_meetings
from geo.bulk.parts import (
    Job,
    digest_of,
    is_done,
    knowledge_of,
    list_part,
    locate_part,
    part_path,
)
from geo.bulk.source import open_rows, source_digest, source_name
from geo.district import district_categories
from geo.errors import BulkError
from geo.read.grid import GridRow
from geo.settings import Settings
from geo.site import Correction, make_sites
from geo.store import is_database, open_store

PARTITION_ROWS = 50_000
WORK = "_bulk"
PROBLEMS, REPORT = "_problems.jsonl", "_report.json"
_COUNTS = ("rows", "located", "not_located", "problems", "skipped")

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class BulkReport:
    """What came of a bulk run; `rows` is always `located + not_located + problems`, in each part and in all.

    `skipped` are rows that are no sites (totals, a header again, further pieces of a road). `shared_ids` are ids that
    stand in more than one partition. `resumed` is how many partitions were done before this run. `problems_file`
    names the file that has each problem row, "" if there is none. `peak_mb` is the most memory a worker held.
    """

    source: str
    rows: int
    located: int
    not_located: int
    problems: int
    skipped: int
    shared_ids: int
    resumed: int
    peak_mb: float
    problems_file: str
    partitions: tuple[dict[str, Any], ...]

    def __post_init__(self) -> None:
        if self.rows != self.located + self.not_located + self.problems:
            raise RuntimeError(f"rows do not add up: {self}")


def run_bulk(
    source: str,
    target: str,
    *,
    settings: Settings,
    corrections: Iterable[Correction] = (),
    work: Path | None = None,
    workers: int = 1,
    scheduler: str = "",
    partition_rows: int = PARTITION_ROWS,
    restart: bool = False,
    who: str = "",
    tell: Tell = lambda line: None,
) -> BulkReport:
    """Read and locate a register, and keep its sites; go on where an earlier run with the same words was ended.

    Parameters
    ----------
    source
        A .csv, .tsv or .txt (also .gz), a Parquet file or folder, or `postgresql://...?table=schema.name`.
    target
        A folder, which gets one GeoParquet file for each partition, in the order of the source; or the address of
        a PostGIS store, where the sites are saved in that order.
    settings
        The installation: its categories, gazetteer and district.
    corrections
        People's corrections, which are asked first.
    work
        The working folder; `_bulk` in the target's folder by default. All machines must see it under one path.
    workers, scheduler
        See `geo.bulk.crew.hire`.
    partition_rows
        Rows that one worker holds at once; memory grows with it and with nothing else.
    restart
        Whether to forget an earlier run and begin anew.
    who
        The person, for the history of a store.
    tell
        Told in a line how far it is.

    Raises
    ------
    BulkError
        If an earlier run of this target was begun with something else, or the crew is not there.
    SiteMapError
        If the source cannot be read or the target cannot be written. What is finished is kept.
    """
    if partition_rows < 1:
        raise BulkError("--partition-rows must be 1 or more")
    run = _Run(source, target, settings, list(corrections), work, partition_rows, who, tell)
    with run.desk.alone():
        run.begin(restart)
        with hire(workers, scheduler) as crew:
            return run.finish(crew)


class _Run:
    def __init__(
        self,
        source: str,
        target: str,
        settings: Settings,
        corrections: list[Correction],
        work: Path | None,
        partition_rows: int,
        who: str,
        tell: Tell,
    ) -> None:
        self._source, self._target, self._settings = source, target, settings
        self._corrections, self._partition_rows = corrections, partition_rows
        self._who, self._tell = who or settings.who, tell
        self._is_store = is_database(target)
        folder = _work_folder(target, work, is_store=self._is_store)
        self.desk = Desk(folder)
        parts = folder / "parts" if self._is_store else Path(target).absolute()
        knowledge = digest_of(knowledge_of(settings))
        self._job = Job(folder, parts, settings, knowledge, corrections_digest(corrections))
        self._manifest: dict[str, Any] = {}

    # The beginning

    def begin(self, restart: bool) -> None:
        """Find out where an earlier run was ended; refuse to go on with something else."""
        asked = self._asked()
        found = self.desk.manifest()
        if restart and found is not None:
            self._forget(found)
            found = None
        if found is None:
            self._refuse_taken()
            self.desk.save_corrections(self._corrections)
            found = {"asked": asked, "parts": None, "shared_ids": None}
            self.desk.set_manifest(found)
        changed = [name for name, value in asked.items() if found["asked"].get(name) != value]
        if changed:
            raise BulkError(
                f"this target was begun with another {' and '.join(changed)}; nothing was changed. "
                "Give --restart to begin anew, or another target"
            )
        self._manifest = found

    def _asked(self) -> dict[str, str]:
        return {
            "source": f"{source_name(self._source)} {source_digest(self._source)}",
            "corrections": corrections_digest(self._corrections),
            "partition size": str(self._partition_rows),
            **knowledge_of(self._settings),
        }

    def _forget(self, manifest: dict[str, Any]) -> None:
        for number in range(manifest["parts"] or 0):
            part_path(self._job.parts, number).unlink(missing_ok=True)
        for name in (PROBLEMS, REPORT):
            (self._out / name).unlink(missing_ok=True)
        self.desk.clear("rows", "keys", "meet", "done", "problems", "stored", "parts")
        self.desk.forget_manifest()

    def _refuse_taken(self) -> None:
        """Refuse a folder that holds somebody else's parts: they would be read as one table with ours."""
        if not self._is_store and any(self._job.parts.glob("*.parquet")):
            raise BulkError(
                f"{self._job.parts.name} holds Parquet files of something else; give an empty folder"
            )

    @property
    def _out(self) -> Path:
        """Where the report and the problems go: beside the parts, or in the working folder of a store."""
        return self.desk.folder if self._is_store else self._job.parts

    # The rounds

    def finish(self, crew: Crew) -> BulkReport:
        """Do what is left to do."""
        kept = read_json(self._out / REPORT)
        if kept is not None and self._is_whole():
            self._tell("all of it was done before")
            return BulkReport(**{**kept, "partitions": tuple(kept["partitions"])})
        parts = self._manifest["parts"] if self._manifest["parts"] is not None else self._take_in()
        if self._manifest["shared_ids"] is None:
            self._list_ids(crew, parts)
        resumed = self._locate(crew, parts)
        report = self._report(parts, resumed)
        self._close(report)
        return report

    def _is_whole(self) -> bool:
        parts = self._manifest["parts"] or 0
        return self._is_store or all(is_done(self._job, number) for number in range(parts))

    def _take_in(self) -> int:
        """Copy the source into partitions; return how many there are."""
        self.desk.clear("rows", "keys", "meet", "done", "problems", "stored")
        categories = district_categories(self._settings)
        stream = open_rows(self._source, categories=categories)
        self.desk.save_head(stream.head)
        number = rows = 0
        for number, part in enumerate(_sliced(stream.rows, self._partition_rows), start=1):
            self.desk.save_rows(number - 1, part)
            rows += len(part)
            self._tell(f"taken in: {rows:,} rows")
        self._note(parts=number)
        return number

    def _list_ids(self, crew: Crew, parts: int) -> None:
        waiting = [n for n in range(parts) if not self.desk.path("keys", n, "npy").is_file()]
        for done, _ in enumerate(crew.do(list_part, self._job, waiting), start=1):
            self._tell(f"ids: {parts - len(waiting) + done} of {parts} partitions")
        self._note(shared_ids=hand_out_meetings(self.desk, parts))

    def _locate(self, crew: Crew, parts: int) -> int:
        """Do the partitions that are not done; return how many were."""
        waiting = [number for number in range(parts) if is_done(self._job, number) is None]
        ready = set(range(parts)) - set(waiting)
        store = _InOrder(self._target, self._job, self.desk, self._who) if self._is_store else None
        try:
            for said in self._with_first(crew, waiting):
                if said is not None:
                    ready.add(said["number"])
                    self._tell(f"located: {len(ready)} of {parts} partitions")
                if store is not None:
                    store.save(ready, self._tell)
        finally:
            if store is not None:
                store.close()
        return parts - len(waiting)

    def _with_first(self, crew: Crew, waiting: Sequence[int]) -> Iterator[dict[str, Any] | None]:
        yield None  # what was located before and not yet stored comes first
        yield from crew.do(locate_part, self._job, waiting)

    def _note(self, **news: object) -> None:
        self._manifest = {**self._manifest, **news}
        self.desk.set_manifest(self._manifest)

    # The end

    def _report(self, parts: int, resumed: int) -> BulkReport:
        said = [read_json(self.desk.path("done", number, "json")) for number in range(parts)]
        totals = {name: sum(one[name] for one in said) for name in _COUNTS}
        return BulkReport(
            source=source_name(self._source),
            **totals,
            shared_ids=self._manifest["shared_ids"],
            resumed=resumed,
            peak_mb=max((one["peak_mb"] for one in said), default=0.0),
            problems_file=str(self._out / PROBLEMS) if totals["problems"] else "",
            partitions=tuple({name: one[name] for name in ("number", *_COUNTS)} for one in said),
        )

    def _close(self, report: BulkReport) -> None:
        """Put the problems into one file and leave the report; what was only needed on the way goes."""
        with place_for(self._out / PROBLEMS) as spare, spare.open("wb") as whole:
            for one in report.partitions:
                path = self.desk.path("problems", one["number"], "jsonl")
                with path.open("rb") as part:
                    shutil.copyfileobj(part, whole)
        kept = {name: getattr(report, name) for name in BulkReport.__slots__}
        write_json(self._out / REPORT, kept)
        self.desk.clear("rows", "keys", "meet", *(["parts"] if self._is_store else []))


class _InOrder:
    """Saves partitions into a store in the order of the source, whatever order they are done in."""

    def __init__(self, target: str, job: Job, desk: Desk, who: str) -> None:
        self._store = open_store(target)
        self._job, self._desk, self._who = job, desk, who
        self._next = 0

    def save(self, ready: set[int], tell: Tell) -> None:
        """Save what is ready and has nothing unsaved before it."""
        categories = district_categories(self._job.settings)
        while self._next in ready:
            note = self._desk.path("stored", self._next, "json")
            if not note.is_file():
                sites = make_sites(gpd.read_parquet(part_path(self._job.parts, self._next)))
                # A run that ends between the two lines saves again: equal sites are left alone.
                saved = self._store.save_sites(sites, who=self._who, categories=categories)
                write_json(note, {"added": saved.added, "changed": saved.changed})
            self._next += 1
            tell(f"stored: {self._next} partitions")

    def close(self) -> None:
        """Close the store."""
        self._store.close()


def _sliced(rows: Iterator[GridRow], size: int) -> Iterator[list[GridRow]]:
    while part := list(islice(rows, size)):
        yield part


def _work_folder(target: str, work: Path | None, *, is_store: bool) -> Path:
    if work is not None:
        return work.absolute()
    if is_store:
        raise BulkError("a store as the target needs a working folder as well: --work FOLDER")
    return Path(target).absolute() / WORK
