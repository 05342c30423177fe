"""The figures sources state, in a small table of their own."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import date

from geo.site import Claim, Source
from geo.store._database import Database, SqlValue
from geo.store._rows import check_text

_TEXTS = "claim_id scope sector metric role unit claim_kind approx".split()
_COLUMNS = (*_TEXTS, "value", "as_of", "source_file", "source_where", "source_quote")
_REST = tuple(name for name in _COLUMNS if name not in ("claim_id", "role"))
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM claims ORDER BY id"
_UPSERT = (
    f"INSERT INTO claims ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"
    " ON CONFLICT (claim_id, role) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in _REST)
    + f" WHERE ({', '.join(f'claims.{name}' for name in _REST)}) {{differ}}"
    + f" ({', '.join(f'excluded.{name}' for name in _REST)})"
)


def upsert(db: Database, claims: Iterable[Claim]) -> None:
    """Insert claims, or update those of the same `claim_id` and `role` that differ."""
    statement = _UPSERT.format(differ=db.dialect.differ)
    db.executemany(statement, [_values(claim) for claim in claims])


def read(db: Database) -> list[Claim]:
    """Return all claims in the order they first came."""
    return [
        Claim(
            **dict(zip(_TEXTS, texts, strict=True)),
            value=math.nan if value is None else value,
            as_of=date.fromisoformat(as_of) if as_of else None,
            source=Source(file, where, quote),
        )
        for *texts, value, as_of, file, where, quote in db.execute(_SELECT)
    ]


Key = tuple[str, str]


def raw_rows(db: Database) -> dict[Key, list[object]]:
    """Return all claims' cells by `claim_id` and `role`, as they are kept."""
    rows = db.execute(f"SELECT claim_id, role, {', '.join(_REST)} FROM claims ORDER BY id")
    return {(str(claim_id), str(role)): list(cells) for claim_id, role, *cells in rows}


def put_back(db: Database, key: Key, cells: list[SqlValue] | None) -> None:
    """Give a claim the cells it had, or take it away if it was not there (None)."""
    if cells is None:
        db.execute("DELETE FROM claims WHERE claim_id = ? AND role = ?", key)
        return
    setters = ", ".join(f"{name} = ?" for name in _REST)
    db.execute(f"UPDATE claims SET {setters} WHERE claim_id = ? AND role = ?", (*cells, *key))


def _values(claim: Claim) -> list[SqlValue]:
    source = claim.source
    texts = [getattr(claim, name) for name in _TEXTS]
    for text in (*texts, source.file, source.where, source.quote):
        check_text(f"claim {claim.claim_id}".replace("\0", ""), text)
    as_of = claim.as_of.isoformat()[:10] if claim.as_of else None
    value = None if math.isnan(claim.value) else float(claim.value)
    return [*texts, value, as_of, source.file, source.where, source.quote]
