"""Reading: from a file to records and row problems. The doors are `read_source` and `inspect_source`."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from geo.category import Categories
    from geo.read.claims import read_claims
    from geo.read.grid import Contents, Limits
    from geo.read.inspection import Inspection
    from geo.read.layout import Layout
    from geo.read.report import ReadReport

__all__ = [
    "Contents",
    "Inspection",
    "Layout",
    "Limits",
    "ReadReport",
    "inspect_source",
    "open_source",
    "read_claims",
    "read_source",
]

# The child process that parses strangers' files passes through here, and starts four times faster
# without the site table's packages: so they are imported when they are first asked for.
_HOMES = {
    "Contents": "grid",
    "Inspection": "inspection",
    "Layout": "layout",
    "Limits": "grid",
    "ReadReport": "report",
    "read_claims": "claims",
}
SMALL_BYTES = 1_000_000
"""Text tables up to this size are parsed in this process, by Python's own csv."""


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"geo.read.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def open_source(
    path: str | Path,
    *,
    categories: Categories | None = None,
    repair: bool = False,
    limits: Limits | None = None,
    sandboxed: bool | None = None,
    progress: Callable[[str, float], None] = lambda stage, done: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Contents:
    """Return the tables of a file as text, to be given to `inspect_source` and `read_source`.

    Parameters
    ----------
    path
        A file of one of the endings of `geo.read.content.FORMATS`.
    categories
        Kinds and statuses; the district's own file by default.
    repair
        Whether to make invalid areas of a GIS file valid.
    limits
        How large the file may be, and what parsing it may cost; 20 MB and 200,000 rows by default.
    sandboxed
        Whether to parse it in a child process. By default everything is but text tables of at most
        `SMALL_BYTES`. False is for files of this app's own.
    progress
        Told the stage in words and how much of it is done, 0 to 1, from this thread.
    cancelled
        Asked several times a second; once it says True the child is ended.

    Raises
    ------
    SourceError
        If the file cannot be read at all, or was cancelled; the text says what to do next.
    """
    from geo.category import load_categories
    from geo.read.grid import Limits as DefaultLimits
    from geo.read.layout import known_headings
    from geo.read.parse import parse_file
    from geo.read.sandbox import read_in_child

    path, limits = Path(path), limits or DefaultLimits()
    known = known_headings(categories or load_categories())
    if sandboxed is None:
        sandboxed = not _is_small_text(path)
    if not sandboxed:
        return parse_file(path, known=known, limits=limits, repair=repair, progress=progress)
    return read_in_child(
        path,
        known=known,
        limits=limits,
        repair=repair,
        progress=progress,
        cancelled=cancelled,
    )


def _is_small_text(path: Path) -> bool:
    from geo.read.content import FORMATS

    if FORMATS.get(path.suffix.lower(), "text") != "text":
        return False
    try:
        return path.stat().st_size <= SMALL_BYTES
    except OSError:
        return True  # reading it will say what is wrong


def inspect_source(
    source: str | Path | Contents,
    *,
    categories: Categories | None = None,
    layout: Layout | None = None,
    **options: Any,
) -> Inspection:
    """Return what a file seems to say, with a layout to be confirmed.

    Parameters
    ----------
    source
        A file, or what `open_source` made of one.
    categories
        Kinds and statuses; the district's own file by default.
    layout
        What a person has chosen so far; everything is guessed if None.
    options
        As in `open_source`.

    Raises
    ------
    SourceError
        If the file cannot be read at all; the text says what to do next.
    """
    from geo.category import load_categories
    from geo.read.inspection import inspect_contents

    categories = categories or load_categories()
    contents = _opened(source, categories, layout, options)
    return inspect_contents(contents, categories=categories, layout=layout)


def read_source(
    source: str | Path | Contents,
    *,
    categories: Categories | None = None,
    layout: Layout | None = None,
    **options: Any,
) -> ReadReport:
    """Return what a file says of sites: its records, and the rows that could not become one.

    Parameters
    ----------
    source
        A file, or what `open_source` made of one.
    categories
        Kinds and statuses; the district's own file by default.
    layout
        How to read it, as a person confirmed it. Without one only headings that are known count, and
        nothing is taken from what the contents look like.
    options
        As in `open_source`.

    Returns
    -------
    report
        With as many rows as records and problems together.

    Raises
    ------
    SourceError
        If the file cannot be read at all; the text says what to do next.
    """
    from geo.category import load_categories
    from geo.read.grid import Limits as DefaultLimits
    from geo.read.table import read_contents

    categories = categories or load_categories()
    contents = _opened(source, categories, layout, options)
    watch = {name: options[name] for name in ("progress", "cancelled") if name in options}
    max_rows = (options.get("limits") or DefaultLimits()).max_rows
    return read_contents(contents, categories=categories, layout=layout, max_rows=max_rows, **watch)


def _opened(
    source: str | Path | Contents,
    categories: Categories,
    layout: Layout | None,
    options: dict[str, Any],
) -> Contents:
    """Return the contents of a source; one that was parsed without the repair asked for is refused."""
    repair = layout is not None and layout.repair
    if isinstance(source, (str, Path)):
        return open_source(source, categories=categories, **{"repair": repair, **options})
    if repair and not source.repaired:
        raise ValueError("the layout asks for a repair: open the file again with repair=True")
    return source
