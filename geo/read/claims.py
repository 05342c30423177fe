"""The table of claims: the figures that sources state."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path

from geo.category import fold
from geo.errors import SourceError
from geo.read.cells import Fault, read_date, read_number
from geo.read.grid import GridRow, short
from geo.read.parse import parse_file
from geo.read.table import Cells, check_width
from geo.site import Claim, Source

_COLUMNS = (
    "claim_id scope sector metric role value unit claim_kind approx as_of "
    "source_file source_where source_quote"
).split()
ROLES = ("total", "resumed", "rate", "count", "value", "growth", "subset")
CLAIM_KINDS = ("fact", "target")


def read_claims(path: str | Path) -> list[Claim]:
    """Return the figures of a claims table (data/claims.csv), in the order of its rows.

    Parameters
    ----------
    path
        A text table whose first row names the columns as the fields of `Claim` are called, with
        `source_file`, `source_where` and, if there is one, `source_quote`. Parsed in this process.

    Raises
    ------
    SourceError
        If the file cannot be read; or names every row that is not a claim, because a figure is
        never left out.
    """
    contents = parse_file(path, known=_COLUMNS)
    rows, name = contents.grids[0].rows, contents.file
    if not rows:
        raise SourceError(f"{name} is empty; it needs a first row with: {', '.join(_COLUMNS)}")
    columns = {fold(cell): index for index, cell in enumerate(rows[0].cells)}
    # One statement gives several figures: a total, the part of it that has resumed, a rate.
    claims: dict[tuple[str, str], Claim] = {}
    faults: list[str] = []
    for row in rows[1:]:
        where = contents.grids[0].where(row)
        try:
            check_width(row, len(rows[0].cells))
            claim = _read_claim(row, columns, Source(name, where))
            if (claim.claim_id, claim.role) in claims:
                raise Fault(f'claim "{short(claim.claim_id)}" has a {claim.role} already')
            claims[claim.claim_id, claim.role] = claim
        except Fault as fault:
            faults.append(f"{where}: {fault}")
    if faults:
        raise SourceError(f"{name}, " + "; ".join(faults))
    return list(claims.values())


def _read_claim(row: GridRow, columns: Mapping[str, int], here: Source) -> Claim:
    cells = Cells(row, columns)
    value = cells.read("value", read_number)
    claim = Claim(
        value=math.nan if value is None else value,
        role=cells.read("role", _one_of(ROLES)) or "",
        claim_kind=cells.read("claim_kind", _one_of(CLAIM_KINDS)) or "",
        as_of=cells.read("as_of", read_date),
        source=Source(
            cells.text("source_file") or here.file,
            cells.text("source_where") or here.where,
            cells.text("source_quote"),
        ),
        **{name: cells.text(name) for name in ("claim_id", "scope", "sector", "metric")},
        **{name: cells.text(name) for name in ("unit", "approx")},
    )
    missing = [name for name in ("claim_id", "scope", "metric", "value") if not cells.text(name)]
    if missing:
        cells.faults.append(f"it has no {', '.join(missing)}")
    if cells.faults:
        raise Fault("; ".join(cells.faults))
    return claim


def _one_of(words: tuple[str, ...]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in words:
            raise Fault(f'"{short(text)}" is not one of {", ".join(words)}')
        return text

    return read
