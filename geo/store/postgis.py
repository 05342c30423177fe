"""The store for many machines: a schema of a PostgreSQL database with PostGIS.

Any number of processes on any number of machines may use it at the same time, QGIS and psql among them; an edit
made there gets its history and version too (source `outside`). What a call has returned for is on the server's disk.

The table `sites` has the columns of `geo.site.COLUMNS`, the shape in `geom` (EPSG:4326).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from geo.errors import StoreError
from geo.store import _file
from geo.store._database import Database
from geo.store._postgres import NAME, PostgresConnections, PostgresDatabase, translated
from geo.store._postgres import PostgresDialect as _Dialect
from geo.store._postgres_schema import MIGRATIONS, TABLES, TRIGGERS
from geo.store._rows import some
from geo.store.base import Bbox, SiteStore
from geo.store.geopackage import GeoPackageStore

OLDEST_SERVER = 13
_MIGRATION_LOCK = 0x62616974
"""Advisory lock of a database while a store in it is made or brought up to date."""
_NO_ADDRESS = (
    "the address of the PostGIS store cannot be read: "
    "write postgresql://user:password@host/database?schema=name"
)
_SCHEMA = re.compile(r"[^\W\d]\w{0,47}")


class PostgisStore(SiteStore):
    """A store in a PostgreSQL database with PostGIS.

    Parameters
    ----------
    url
        postgresql://user:password@host:port/database?schema=name; more parameters are libpq's own
        (sslmode, host for a socket's folder, ...). The schema is made if it is not there; `public` by default.

    Raises
    ------
    StoreError
        If the database cannot be reached or used, or the store was made by a newer version of the app.
    """

    makes_tiles = True
    _connections: PostgresConnections

    def __init__(self, url: str) -> None:
        conninfo, self._schema = _parts(url)
        self._connections = PostgresConnections(conninfo)
        try:
            with translated():
                self._connections.use(self._prepare())
        except BaseException:
            self._connections.close()
            raise

    def _query(
        self, bbox: Bbox | None, kind: str | None, status: str | None
    ) -> tuple[str, list[Any]]:
        tests, values = list[str](), list[Any]()
        if bbox is not None:
            tests.append("s.geom && ST_MakeEnvelope(?, ?, ?, ?, 4326)")
            values += bbox
        for column, code in (("kind", kind), ("status", status)):
            if code is not None:
                tests.append(f"s.{column} = ?")
                values.append(code)
        where = f" WHERE {' AND '.join(tests)}" if tests else ""
        return f"SELECT {_Dialect.select} FROM sites AS s{where} ORDER BY s.fid", values

    def backup(self, target: Path) -> Path:
        """Write a copy of this moment to a new GeoPackage, while others go on working, and return its path.

        To bring a backup back: copy it to an empty schema (`python -m geo copy`).

        Raises
        ------
        StoreError
            If the target exists or cannot be written; nothing of it is left behind then.
        """
        return _file.write_copy(target, self._copy_into)

    def _copy_into(self, temporary: Path) -> None:
        with GeoPackageStore(temporary) as copy:
            self.copy_to(copy)

    # Care

    def _faults(self, db: Database) -> list[str]:
        faults = []
        for query, what in _CONTENT.items():
            ids = [row[0] for row in db.execute(query)]
            if ids:
                faults.append(f"{len(ids)} {what} ({some(ids)})")
        found, there = _by_index(db), db.execute(_SHAPES).fetchone()[0]
        if found != there:
            faults.append(f"the spatial index is damaged: it has {found} of {there} shapes")
        watching = {row[0] for row in db.execute(_WATCHING)}
        missing = [name for name in TRIGGERS if name not in watching]
        if missing:
            faults.append(f"edits of other programs are not seen: trigger {some(missing)} is off")
        return faults

    # Making

    def _prepare(self) -> str:
        """Bring the store to this version; return what each connection has to begin with."""
        with self._connections.reading() as db:
            _refuse_server(db)
            extension = _extension(db)
            if not extension or _number(db, self._schema) < max(MIGRATIONS):
                self._migrate()
                extension = _extension(db)
        return f"SET search_path TO {_quoted(self._schema)}, {_quoted(extension)};"

    def _migrate(self) -> None:
        with self._connections.reading() as db:
            db.begin(
                "BEGIN; SET LOCAL lock_timeout TO '10min'; "
                f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})"
            )
            _make_schema(db, self._schema)
            path = f"{_quoted(self._schema)}, {_quoted(_extension(db))}"
            db.execute(f"SET LOCAL search_path TO {path}")
            for number in range(_number(db, self._schema) + 1, max(MIGRATIONS) + 1):
                what, statements = MIGRATIONS[number]
                db.run_script(statements(path))
                db.execute("INSERT INTO migrations (number, what) VALUES (?, ?)", (number, what))
            text = str(max(MIGRATIONS))
            db.execute("UPDATE meta SET value = ? WHERE key = 'schema_version'", (text,))
            db.commit()


# --- the address ----------------------------------------------------------------------------------


def _parts(url: str) -> tuple[str, str]:
    """Return what libpq connects by, and the schema."""
    try:
        address = urlsplit(url)
    except ValueError:  # its text is the address
        raise StoreError(_NO_ADDRESS) from None
    options = parse_qsl(address.query, keep_blank_values=True)
    schemas = [value for name, value in options if name == "schema"]
    schema = schemas[-1] if schemas else "public"
    if not _SCHEMA.fullmatch(schema):
        raise StoreError(
            "the schema of a PostGIS store has a name of letters, digits and _, at most 48 of them"
        )
    rest = urlencode([(name, value) for name, value in options if name != "schema"])
    plain = urlunsplit(("postgresql", address.netloc, address.path, rest, ""))
    try:
        found = conninfo_to_dict(plain)
    except psycopg.Error:  # its text is the address
        raise StoreError(_NO_ADDRESS) from None
    given: dict[str, Any] = {"connect_timeout": 10, "application_name": "baita-one-map", **found}
    return make_conninfo(**given), schema


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


# --- what is there --------------------------------------------------------------------------------


def _refuse_server(db: Database) -> None:
    version, encoding = db.execute(
        "SELECT current_setting('server_version_num')::int / 10000, getdatabaseencoding()"
    ).fetchall()[0]
    if version < OLDEST_SERVER:
        raise StoreError(f"{NAME}: the server is PostgreSQL {version}; {OLDEST_SERVER} is needed")
    if encoding != "UTF8":
        raise StoreError(f"{NAME}: the database keeps text as {encoding}; one in UTF8 is needed")


def _extension(db: Database) -> str:
    """Return the schema PostGIS is in, "" if it is not in this database."""
    rows = db.execute(
        "SELECT n.nspname FROM pg_extension AS e JOIN pg_namespace AS n ON n.oid = e.extnamespace"
        " WHERE e.extname = 'postgis'"
    ).fetchall()
    return rows[0][0] if rows else ""


def _number(db: Database, schema: str) -> int:
    """Return the last migration of a schema, 0 if there is no store in it."""
    table = f"{_quoted(schema)}.migrations"
    if db.execute("SELECT to_regclass(?) IS NULL", (table,)).fetchall()[0][0]:
        return 0
    found = int(db.execute(f"SELECT coalesce(max(number), 0) FROM {table}").fetchall()[0][0])
    if found > max(MIGRATIONS):
        raise StoreError(
            f"{NAME} was made by a newer version of this app (format {found}, this one knows "
            f"{max(MIGRATIONS)}): update the app"
        )
    return found


def _make_schema(db: PostgresDatabase, schema: str) -> None:
    """Make the schema with its table of migrations, and PostGIS, where they are not there."""
    if not _extension(db):
        try:
            db.execute("CREATE EXTENSION IF NOT EXISTS postgis")
        except psycopg.Error as error:
            raise StoreError(
                f"{NAME} is not in this database: ask its administrator for CREATE EXTENSION postgis"
            ) from error
    if _number(db, schema):
        return
    taken = db.execute(
        "SELECT relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace"
        " WHERE n.nspname = ? AND relname = ANY (?)",
        (schema, [*TABLES, "migrations"]),
    ).fetchall()
    if taken:
        raise StoreError(
            f"the schema {schema} has tables of another program ({some(row[0] for row in taken)}): "
            "name another one with ?schema="
        )
    exists = db.execute("SELECT 1 FROM pg_namespace WHERE nspname = ?", (schema,)).fetchall()
    if not exists:
        db.execute(f"CREATE SCHEMA {_quoted(schema)}")
    db.execute(
        f"CREATE TABLE {_quoted(schema)}.migrations (number integer PRIMARY KEY,"
        " what text NOT NULL, at timestamptz NOT NULL DEFAULT now())"
    )


_CONTENT = {
    """SELECT s.site_id FROM sites AS s LEFT JOIN
         (SELECT site_id, max(version) AS last FROM history GROUP BY site_id) AS h
         ON h.site_id = s.site_id
       WHERE h.last IS DISTINCT FROM s.version ORDER BY s.fid
    """: "whose history does not end at their version",
}
_SHAPES = "SELECT count(*) FROM sites WHERE NOT ST_IsEmpty(geom)"
_WATCHING = (
    "SELECT tgname FROM pg_trigger WHERE tgrelid = 'sites'::regclass AND tgenabled IN ('O', 'A')"
)


def _by_index(db: Database) -> int:
    """Return how many shapes the spatial index finds in all the world and beyond."""
    db.execute("SET LOCAL enable_seqscan TO off")
    everywhere = "ST_MakeEnvelope(-1e300, -1e300, 1e300, 1e300, 4326)"
    rows = db.execute(f"SELECT count(*) FROM sites WHERE geom && {everywhere}").fetchall()
    db.execute("SET LOCAL enable_seqscan TO on")
    return int(rows[0][0])
