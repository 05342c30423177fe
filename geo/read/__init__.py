"""Reading: from a file to records and row problems. The one door is `read_source`."""

from __future__ import annotations

from pathlib import Path

from geo.category import Categories
from geo.errors import SourceError
from geo.read.table import ReadReport, read_claims, read_table

__all__ = ["ReadReport", "read_claims", "read_source"]

_READERS = {".csv": read_table, ".tsv": read_table}


def read_source(path: str | Path, *, categories: Categories | None = None) -> ReadReport:
    """Return what a file says of sites: its records, and the rows that could not become one.

    Parameters
    ----------
    path
        A file whose name ends in one of the endings read today (.csv, .tsv).
    categories
        Kinds and statuses; the district's own file by default.

    Returns
    -------
    report
        With as many rows as records and problems together.

    Raises
    ------
    SourceError
        If the file cannot be read at all; the text says what to do next.
    """
    path = Path(path)
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        ending = f'end in "{path.suffix}"' if path.suffix else "have no ending"
        raise SourceError(
            f"{path.name}: files that {ending} are not read yet. "
            f"Today these are: {', '.join(_READERS)}. Save the table as CSV (UTF-8) and load that"
        )
    return reader(path, categories=categories)
