"""What a bulk run reads: a text table, Parquet, or a table in PostGIS; and how it knows that one again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from geo.category import Categories
from geo.errors import SourceError
from geo.read.stream import BATCH_ROWS, RowStream, begin, digest_source, open_stream, table_sheet
from geo.store import is_database

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*(\.[A-Za-z_][A-Za-z0-9_$]*)?")
OWN_TABLE = "sites"


def source_name(source: str) -> str:
    """Return what a source is called in records and messages: never a password or a path."""
    return split_table(source)[1] if is_database(source) else Path(source).name


def source_digest(source: str) -> str:
    """Return a text that is another one after the source has changed; "" if only reading it all would tell.

    Raises
    ------
    SourceError
        If a file is not there.
    """
    return "" if is_database(source) else digest_source(Path(source))


def open_rows(source: str, *, categories: Categories) -> RowStream:
    """Return a source's rows, read once from top to bottom.

    Raises
    ------
    SourceError
        If it cannot be read; of an address nothing but the table is named.
    """
    if not is_database(source):
        return open_stream(Path(source), categories=categories)
    address, table = split_table(source)
    return begin(table, _table_stream(address, table), categories)


def split_table(source: str) -> tuple[str, str]:
    """Return an address without its `table`, and the table (`sites` by default).

    Raises
    ------
    SourceError
        If the address cannot be read, or the table in it is not a name.
    """
    try:
        parts = urlsplit(source)
    except ValueError:  # its text is the address
        raise SourceError(
            "the address of the table cannot be read: write postgresql://user:password@host/database"
        ) from None
    given = dict(parse_qsl(parts.query))
    table = given.pop("table", OWN_TABLE)
    if not _NAME.fullmatch(table):
        raise SourceError("the table in the address is not a name like register or raw.register")
    # What belongs to the store, not to the driver.
    if "schema" in given and "." not in table:
        table = f"{given.pop('schema')}.{table}"
    given.pop("schema", None)
    plain = ("postgresql", parts.netloc, parts.path, urlencode(given), "")
    return urlunsplit(plain), table


def _table_stream(address: str, table: str) -> Any:
    try:
        import psycopg
    except ImportError:
        raise SourceError(
            "reading PostGIS needs the extra postgis: pip install 'psycopg[binary]'"
        ) from None
    try:
        with psycopg.connect(address, connect_timeout=10) as db:
            names, shape, srid = _columns(db, table)
    except psycopg.Error as error:
        raise _refused(table, error) from None
    batches = _batches(address, table, names, shape)
    return table_sheet(
        names, batches, shape_column=shape, crs=f"EPSG:{srid}" if shape and srid else None
    )


def _columns(db: Any, table: str) -> tuple[list[str], str, int]:
    """Return a table's columns but its shapes, the column of these, and their SRID (0 if they have none)."""
    found = db.execute(
        "SELECT a.attname, t.typname FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid"
        " WHERE a.attrelid = to_regclass(%s) AND a.attnum > 0 AND NOT a.attisdropped"
        " ORDER BY a.attnum",
        [table],
    ).fetchall()
    if not found:
        raise SourceError(f"there is no table {table} at that address; name another with ?table=")
    shapes = [name for name, kind in found if kind in ("geometry", "geography")]
    names = [name for name, kind in found if kind not in ("geometry", "geography", "bytea")]
    if not shapes:
        return names, "", 0
    srid = db.execute(
        f"SELECT ST_SRID({_quoted(shapes[0])}::geometry) FROM {_quoted(table)}"
        f" WHERE {_quoted(shapes[0])} IS NOT NULL LIMIT 1"
    ).fetchone()
    return names, shapes[0], int(srid[0]) if srid else 4326


def _batches(
    address: str, table: str, names: list[str], shape: str
) -> Iterator[dict[str, list[Any]]]:
    """Yield a table's values by column, all of one moment, in the order of its key."""
    import psycopg

    chosen = [_quoted(name) for name in names]
    if shape:
        chosen.append(f"ST_AsBinary(ST_Force2D({_quoted(shape)}::geometry), 'NDR')")
    columns = [*names, *([shape] if shape else [])]
    try:
        with psycopg.connect(address, connect_timeout=10) as db:
            db.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            db.read_only = True
            order = _key(db, table)
            query = f"SELECT {', '.join(chosen)} FROM {_quoted(table)} ORDER BY {order}"
            with db.cursor(name="bulk") as rows:
                rows.itersize = BATCH_ROWS
                rows.execute(query.encode())
                while part := rows.fetchmany(BATCH_ROWS):
                    values = zip(*part, strict=True)
                    yield {name: list(column) for name, column in zip(columns, values, strict=True)}
    except psycopg.Error as error:
        raise _refused(table, error) from None


def _key(db: Any, table: str) -> str:
    """Return what a table's rows are put in order by: its key, else where they lie."""
    found = db.execute(
        "SELECT a.attname FROM pg_index i, unnest(i.indkey) WITH ORDINALITY AS k(att, place)"
        " JOIN pg_attribute a ON a.attnum = k.att"
        " WHERE i.indrelid = to_regclass(%s) AND a.attrelid = i.indrelid AND i.indisprimary"
        " ORDER BY k.place",
        [table],
    ).fetchall()
    return ", ".join(_quoted(name) for (name,) in found) or "ctid"


def _quoted(name: str) -> str:
    """Return a name, with its schema if it has one, as SQL reads it."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in name.split("."))


def _refused(table: str, error: Exception) -> SourceError:
    # The driver's own text may hold the address with its password.
    state = getattr(error, "sqlstate", None) or type(error).__name__
    return SourceError(
        f"the table {table} cannot be read ({state}); check the address, the name and who may read it"
    )
