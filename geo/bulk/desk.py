"""The folder a bulk run works in: what it was begun with, which partitions are done, and what is in them.

Every file is written beside its place and then moved there, and the note that something is done is written last: a
process may be killed at any moment, and what is there is whole.

    manifest.json            what the run was begun with, and how far its rounds are
    head.json                the table down to its header
    corrections.json         people's corrections, as they were at the beginning
    rows/00000.json.gz       the rows of a partition, as text
    keys/00000.json.gz       its ids, for the first round
    meet/00000.json.gz       rows of other partitions that share an id with it
    done/00000.json          what came of it: counts, seconds, memory, digest of its part
    problems/00000.jsonl     its rows that could not become a site
    stored/00000.json        the note that its sites are in the store
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import shapely

from geo.errors import BulkError
from geo.read.grid import Contents, Grid, GridRow, row_from_json, row_to_json
from geo.site import Correction

MANIFEST = "manifest.json"


class Desk:
    """The working folder of one run.

    Parameters
    ----------
    folder
        Where; made if it is not there. All workers must see it under the same path.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, kind: str, number: int, ending: str = "json.gz") -> Path:
        """Return where something of one partition is kept."""
        return self.folder / kind / f"{number:05d}.{ending}"

    def clear(self, *kinds: str) -> None:
        """Take away what is kept of some kinds, of all partitions."""
        for kind in kinds:
            shutil.rmtree(self.folder / kind, ignore_errors=True)

    # The manifest

    def manifest(self) -> dict[str, Any] | None:
        """Return what the run was begun with; None if none was."""
        found = read_json(self.folder / MANIFEST)
        return None if found is None else dict(found)

    def set_manifest(self, manifest: dict[str, Any]) -> None:
        """Keep what the run was begun with and how far it is."""
        write_json(self.folder / MANIFEST, manifest)

    def forget_manifest(self) -> None:
        """Forget what the run was begun with."""
        (self.folder / MANIFEST).unlink()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep a second driver out of the folder as long as this one lives.

        Raises
        ------
        BulkError
            If there is one.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("a") as lock:
            with suppress(ImportError):
                import fcntl

                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError:
                    raise BulkError(
                        "another bulk run is at work on this target; wait for it, or end it first"
                    ) from None
            yield

    # The table

    def save_head(self, head: Contents) -> None:
        """Keep the table down to its header."""
        [grid] = head.grids
        bare = asdict(replace(head, grids=(replace(grid, rows=[]),)))
        rows = [row_to_json(row) for row in grid.rows]
        write_json(self.folder / "head.json", {"contents": bare, "rows": rows})

    def head(self) -> Contents:
        """Return the table down to its header."""
        found = need_json(self.folder / "head.json")
        [raw] = found["contents"]["grids"]
        rows = [row_from_json(row) for row in found["rows"]]
        grid = Grid(**{**raw, "rows": rows, "merged": (), "warnings": tuple(raw["warnings"])})
        contents = {**found["contents"], "grids": (grid,), "warnings": ()}
        return Contents(**contents)

    def save_rows(self, number: int, rows: Sequence[GridRow]) -> None:
        """Keep the rows of a partition."""
        write_json(self.path("rows", number), [row_to_json(row) for row in rows])

    def rows(self, number: int) -> list[GridRow]:
        """Return the rows of a partition."""
        return [row_from_json(row) for row in need_json(self.path("rows", number))]

    def save_meeting(
        self, number: int, before: Iterable[GridRow], after: Iterable[GridRow]
    ) -> None:
        """Keep the rows of other partitions that share an id with a partition's."""
        found = {
            "before": [row_to_json(row) for row in before],
            "after": [row_to_json(row) for row in after],
        }
        write_json(self.path("meet", number), found)

    def meeting(self, number: int) -> tuple[list[GridRow], list[GridRow]]:
        """Return the rows above and below that share an id with a partition's."""
        found = read_json(self.path("meet", number))
        if found is None:
            return [], []
        before, after = (map(row_from_json, found[name]) for name in ("before", "after"))
        return list(before), list(after)

    # Corrections

    def save_corrections(self, corrections: Iterable[Correction]) -> None:
        """Keep the corrections every worker is to use."""
        write_json(self.folder / "corrections.json", [_plain(one) for one in corrections])

    def corrections(self) -> list[Correction]:
        """Return the corrections every worker is to use."""
        return [_correction(one) for one in need_json(self.folder / "corrections.json")]


def corrections_digest(corrections: Iterable[Correction]) -> str:
    """Return a text that is another one if any correction is."""
    text = json.dumps([_plain(one) for one in corrections], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(correction: Correction) -> dict[str, Any]:
    raw = {name: getattr(correction, name) for name in Correction.__slots__}
    shape = shapely.to_wkb(correction.geometry, hex=True)
    return raw | {"geometry": shape, "at": correction.at.isoformat()}


def _correction(raw: dict[str, Any]) -> Correction:
    shape, at = shapely.from_wkb(raw["geometry"]), datetime.fromisoformat(raw["at"])
    return Correction(**{**raw, "geometry": shape, "at": at})


# --- files that are whole or not there ------------------------------------------------------------


def write_bytes(path: Path, data: bytes) -> None:
    """Put a file in its place in one step: whoever reads it meets the old one or the new one."""
    with place_for(path) as spare:
        spare.write_bytes(data)


@contextmanager
def place_for(path: Path) -> Iterator[Path]:
    """Give a place to write to; it is moved to `path` at the end, on disk, and taken away after a failure."""
    path.parent.mkdir(parents=True, exist_ok=True)
    spare = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield spare
        with spare.open("rb") as file:
            os.fsync(file.fileno())
        spare.replace(path)
    finally:
        spare.unlink(missing_ok=True)


def write_json(path: Path, value: object) -> None:
    """Write a value as JSON, packed if the name says so."""
    data = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(
        "utf-8", "surrogatepass"
    )
    write_bytes(path, gzip.compress(data, 1, mtime=0) if path.suffix == ".gz" else data)


def read_json(path: Path) -> Any:
    """Return what `write_json` wrote; None if nothing is there.

    Raises
    ------
    BulkError
        If it cannot be read or is damaged.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BulkError(f"{path.name} of the bulk run cannot be read ({error.strerror})") from error
    try:
        return json.loads(gzip.decompress(data) if path.suffix == ".gz" else data)
    except (ValueError, EOFError, OSError) as error:
        raise _damaged(path) from error


def need_json(path: Path) -> Any:
    """Return what `write_json` wrote; `BulkError` if nothing is there or it is damaged."""
    found = read_json(path)
    if found is None:
        raise _damaged(path)
    return found


def _damaged(path: Path) -> BulkError:
    return BulkError(
        f"{path.parent.name}/{path.name} of the bulk run is missing or damaged; begin anew with --restart"
    )
