"""What came of reading a source."""

from __future__ import annotations

from dataclasses import dataclass, field

from geo.read.headers import StatusMapping
from geo.read.layout import Layout
from geo.site import Claim, RowProblem, SiteRecord


@dataclass(frozen=True, slots=True)
class ReadReport:
    """What came of reading one source: `rows` is always `len(records) + len(problems)`.

    Attributes
    ----------
    ignored
        Headings of the columns that were not understood, so that a page can say so.
    skipped
        Rows that are no sites (titles, totals, notes under the table), each with its reason. Every
        row that is not blank is the header, a record, a problem or one of these.
    warnings
        What a person should know of the file as a whole.
    asks
        What nobody has said yet and must: "datum" or "crs" (the records wait without it).
    status_words
        Every word of the status column and the status it means.
    layout
        How the table was read; None for what is no table.
    """

    records: list[SiteRecord]
    problems: list[RowProblem]
    rows: int
    claims: list[Claim] = field(default_factory=list)
    ignored: tuple[str, ...] = ()
    skipped: tuple[RowProblem, ...] = ()
    warnings: tuple[str, ...] = ()
    asks: tuple[str, ...] = ()
    status_words: tuple[StatusMapping, ...] = ()
    layout: Layout | None = None

    def __post_init__(self) -> None:
        if self.rows != len(self.records) + len(self.problems):
            raise ValueError(
                f"{self.rows} rows, but {len(self.records)} records and {len(self.problems)} problems"
            )
