"""What is done with one partition, in a process of its own or in this one: ids in the first round, sites in the second.

These functions take plain values and leave their results in the working folder; what they return are counts. Doing
one twice gives the same files.
"""

from __future__ import annotations

import gc
import hashlib
import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from geo import __version__
from geo.bulk.desk import Desk, place_for, read_json, write_bytes, write_json
from geo.district import built_folder, district_categories
from geo.errors import BulkError
from geo.locate import locate_sites
from geo.locate.built import FILE_NAME as BUILT_FILE
from geo.pipeline import locators_with
from geo.read.table import list_keys, read_part
from geo.settings import Settings
from geo.site import Correction, is_located


@dataclass(frozen=True, slots=True)
class Job:
    """What every worker is told: where to work, for which installation, and what that must look like there."""

    folder: Path
    parts: Path
    settings: Settings
    knowledge: str
    corrections: str = ""


def knowledge_of(settings: Settings) -> dict[str, str]:
    """Return digests of what decides where a record is placed, by what it is; the same on every machine."""
    built = built_folder(settings)
    return {
        "app": __version__,
        "district": settings.adcode,
        "categories": _digest(settings.data / "categories.toml"),
        "gazetteer": _digest(settings.data / "gazetteer.csv"),
        "built gazetteer": _digest(built / BUILT_FILE),
        "geocoder": _digest_text(f"{os.environ.get('BAITA_GEOCODER', '')}"),
    }


def digest_of(knowledge: dict[str, str]) -> str:
    """Return one digest of several."""
    return _digest_text(json.dumps(knowledge, sort_keys=True))


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def _digest_text(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def list_part(job: Job, number: int) -> dict[str, Any]:
    """Keep the ids of a partition's rows; return how many rows it has."""
    desk, categories = _begin(job), district_categories(job.settings)
    rows = desk.rows(number)
    keys = list_keys(desk.head(), rows, categories=categories)
    write_json(desk.path("keys", number), keys)
    marks = np.fromiter((id_mark(site_id) for _, site_id, _ in keys), "<u8", len(keys))
    with place_for(desk.path("keys", number, "npy")) as spare, spare.open("wb") as file:
        np.save(file, marks)
    return {"number": number, "rows": len(rows)}


def id_mark(site_id: str) -> int:
    """Return eight bytes of an id's digest: enough to suspect that two ids are one, not to know it."""
    digest = hashlib.blake2b(site_id.encode("utf-8", "surrogatepass"), digest_size=8)
    return int.from_bytes(digest.digest(), "little")


def locate_part(job: Job, number: int) -> dict[str, Any]:
    """Read and locate a partition, keep its sites as GeoParquet and its problems; return the counts.

    Raises
    ------
    RuntimeError
        If rows read are not located + not located + problems: a fault of ours, and nothing counts as done.
    """
    began = time.monotonic()
    desk, categories = _begin(job), district_categories(job.settings)
    before, after = desk.meeting(number)
    read = read_part(
        desk.head(), desk.rows(number), categories=categories, before=before, after=after
    )
    locators = locators_with(
        _corrections(job), job.settings, categories=categories, ahead=read.records
    )
    sites = locate_sites(read.records, locators)
    path = part_path(job.parts, number)
    with place_for(path) as spare:
        sites.to_parquet(spare, compression="zstd", index=False)
    problems = [json.dumps(one.as_dict(), ensure_ascii=False) + "\n" for one in read.problems]
    text = "".join(problems).encode("utf-8", "surrogatepass")
    write_bytes(desk.path("problems", number, "jsonl"), text)
    located = int(is_located(sites).sum())
    said: dict[str, Any] = {
        "number": number,
        "rows": read.rows,
        "located": located,
        "not_located": len(sites) - located,
        "problems": len(read.problems),
        "skipped": len(read.skipped),
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "seconds": round(time.monotonic() - began, 3),
        "worker": os.getpid(),
    }
    if said["rows"] != said["located"] + said["not_located"] + said["problems"]:
        raise RuntimeError(f"rows do not add up: {said}")
    del sites, read, locators
    gc.collect()
    said["peak_mb"] = peak_mb()
    write_json(desk.path("done", number, "json"), said)
    return said


def part_path(parts: Path, number: int) -> Path:
    """Return where the sites of a partition are kept."""
    return parts / f"part-{number:05d}.parquet"


def is_done(job: Job, number: int) -> dict[str, Any] | None:
    """Return what came of a partition if it is done and its part is as it was written; else None."""
    said = read_json(Desk(job.folder).path("done", number, "json"))
    path = part_path(job.parts, number)
    if said is None or not path.is_file():
        return None
    whole = hashlib.sha256(path.read_bytes()).hexdigest() == said["sha256"]
    return dict(said) if whole else None


def peak_mb() -> float:
    """Return the most memory this process has held so far, in MB; 0 where the system does not say."""
    try:
        import resource
    except ImportError:
        return 0.0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(most / (1e6 if sys.platform == "darwin" else 1e3), 1)


def _begin(job: Job) -> Desk:
    """Return the working folder, once this machine is known to hold what the driver's holds."""
    if not job.folder.is_dir():
        raise BulkError(
            "a worker does not see the working folder; put it where all machines see it under one path"
        )
    if digest_of(knowledge_of(job.settings)) != job.knowledge:
        raise BulkError(
            "a worker has another version of the app, the categories or the gazetteer; "
            "copy data/ and the built gazetteer to every machine and start its worker again"
        )
    return Desk(job.folder)


_kept: tuple[str, list[Correction]] | None = None


def _corrections(job: Job) -> list[Correction]:
    """Return the run's corrections, read once by each process."""
    global _kept
    if _kept is None or _kept[0] != job.corrections:
        _kept = job.corrections, Desk(job.folder).corrections()
    return _kept[1]
