"""From the bytes of a file to its contents as text, whatever its format."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from geo.errors import SourceError
from geo.read.content import FORMATS, LAYERED, WORKBOOKS, check_content, refuse_ending
from geo.read.grid import Contents, Limits, Progress, no_progress, read_text_grid


def parse_file(
    path: str | Path,
    *,
    known: Collection[str] = (),
    limits: Limits | None = None,
    repair: bool = False,
    progress: Progress = no_progress,
) -> Contents:
    """Return the tables of a file as text, parsed in this process.

    For a file of which nothing is known use `geo.read.sandbox.read_in_child`, which calls this.

    Parameters
    ----------
    path
        A file of one of the endings of `geo.read.content.FORMATS`.
    known
        Headings that are known, folded; see `read_text_grid`.
    limits
        How large it may be.
    repair
        Whether to make invalid areas valid; see `read_layers`.
    progress
        Told the stage in words and how much is done, 0 to 1.

    Raises
    ------
    SourceError
        If the file is not there, too large, damaged, or not what its ending says.
    """
    path, limits = Path(path), limits or Limits()
    ending = path.suffix.lower()
    if ending not in FORMATS:
        raise SourceError(refuse_ending(path.name, ending))
    raw = read_bytes(path, limits.max_bytes)
    progress("check", 0.0)
    format_ = check_content(raw, path.name, ending)
    if format_ in WORKBOOKS:
        from geo.read.workbook import read_workbook

        return read_workbook(raw, path.name, format_, limits=limits, progress=progress)
    if format_ in LAYERED:
        from geo.read.gisfile import read_layers

        return read_layers(raw, path.name, format_, limits=limits, progress=progress, repair=repair)
    return read_text_grid(raw, path.name, known=known, limits=limits)


def read_bytes(path: Path, max_bytes: int) -> bytes:
    """Return what a file holds.

    Raises
    ------
    SourceError
        If it is not there, no ordinary file, not readable, or larger than `max_bytes`.
    """
    try:
        if not path.is_file():
            raise SourceError(f"{path.name} is not there or not an ordinary file; check its name")
        with path.open("rb") as file:
            raw = file.read(max_bytes + 1)
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise SourceError(f"{path.name} cannot be opened ({why}); check who may read it") from error
    if len(raw) > max_bytes:
        raise SourceError(
            f"{path.name} is larger than {max_bytes / 1e6:g} MB; split it and load the parts"
        )
    return raw
