"""What is in the file: the tables of the store as a GeoPackage 1.4 (OGC 12-128r19), and how it is made.

The GeoPackage parts are word for word what GDAL 3.12 writes; GDAL knows its R-tree triggers by name. We
write them ourselves: opening a store then needs no GDAL, which brings its own copy of SQLite, and two
copies in one process that open one file drop each other's locks (https://sqlite.org/howtocorrupt.html 2.2.1).

An edit from outside, in QGIS for one, must not go unseen. Our own writes put their `history` rows first,
so a row of `sites` that changes without one was changed by another program: the `sites_outside_*`
triggers then write the history, raise `version` (a stale writer here gets a conflict) and give the store
a new data version. A site drawn outside without a `site_id` gets `out-` and its row number.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator

from geo.errors import StoreError
from geo.site import COLUMNS, NUMBERS, TEXT
from geo.store._database import OUTSIDE, column_sql

APPLICATION_ID = 0x47504B47  # "GPKG"
USER_VERSION = 10400
SCHEMA_VERSION = 4
TABLES = ("history", "claims", "corrections", "meta")
"""Tables that every store has, of whatever version."""
NEWER_TABLES = ("imports", "members", "audit")
NOW = "strftime('%Y-%m-%dT%H:%M:%fZ','now')"

# A counter alone would come round again after a backup is put back; the random part never does.
NEW_DATA_VERSION = (
    "UPDATE meta SET value = (CAST(value AS INTEGER) + 1) || '-' || lower(hex(randomblob(6)))"
    " WHERE key = 'data_version'"
)
# GDAL trusts the extent it finds here; after our writes it would be stale, so leave it to the R-tree.
NEW_CONTENTS = (
    f"UPDATE gpkg_contents SET last_change = {NOW}, min_x = NULL, min_y = NULL, max_x = NULL,"
    " max_y = NULL WHERE table_name = 'sites'"
)

_WGS84 = (
    'GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563,'
    'AUTHORITY["EPSG","7030"]],AUTHORITY["EPSG","6326"]],PRIMEM["Greenwich",0,'
    'AUTHORITY["EPSG","8901"]],UNIT["degree",0.0174532925199433,AUTHORITY["EPSG","9122"]],'
    'AXIS["Latitude",NORTH],AXIS["Longitude",EAST],AUTHORITY["EPSG","4326"]]'
)
_GEOPACKAGE = f"""
CREATE TABLE gpkg_spatial_ref_sys (
  srs_name TEXT NOT NULL, srs_id INTEGER NOT NULL PRIMARY KEY, organization TEXT NOT NULL,
  organization_coordsys_id INTEGER NOT NULL, definition TEXT NOT NULL, description TEXT);
INSERT INTO gpkg_spatial_ref_sys VALUES
  ('Undefined Cartesian SRS', -1, 'NONE', -1, 'undefined', 'undefined Cartesian coordinates'),
  ('Undefined geographic SRS', 0, 'NONE', 0, 'undefined', 'undefined geographic coordinates'),
  ('WGS 84 geodetic', 4326, 'EPSG', 4326, '{_WGS84}', 'longitude and latitude in degrees');
CREATE TABLE gpkg_contents (
  table_name TEXT NOT NULL PRIMARY KEY, data_type TEXT NOT NULL, identifier TEXT UNIQUE,
  description TEXT DEFAULT '', last_change DATETIME NOT NULL DEFAULT ({NOW}),
  min_x DOUBLE, min_y DOUBLE, max_x DOUBLE, max_y DOUBLE, srs_id INTEGER,
  CONSTRAINT fk_gc_r_srs_id FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys(srs_id));
CREATE TABLE gpkg_geometry_columns (
  table_name TEXT NOT NULL, column_name TEXT NOT NULL, geometry_type_name TEXT NOT NULL,
  srs_id INTEGER NOT NULL, z TINYINT NOT NULL, m TINYINT NOT NULL,
  CONSTRAINT pk_geom_cols PRIMARY KEY (table_name, column_name),
  CONSTRAINT uk_gc_table_name UNIQUE (table_name),
  CONSTRAINT fk_gc_tn FOREIGN KEY (table_name) REFERENCES gpkg_contents(table_name),
  CONSTRAINT fk_gc_srs FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys (srs_id));
CREATE TABLE gpkg_extensions (
  table_name TEXT, column_name TEXT, extension_name TEXT NOT NULL, definition TEXT NOT NULL,
  scope TEXT NOT NULL, CONSTRAINT ge_tce UNIQUE (table_name, column_name, extension_name));
INSERT INTO gpkg_contents (table_name, data_type, identifier, srs_id)
  VALUES ('sites', 'features', 'sites', 4326);
INSERT INTO gpkg_geometry_columns VALUES ('sites', 'geom', 'GEOMETRY', 4326, 2, 2);
INSERT INTO gpkg_extensions VALUES ('sites', 'geom', 'gpkg_rtree_index',
  'http://www.geopackage.org/spec120/#extension_rtree', 'write-only');
"""

_IMPORTS = """
CREATE TABLE imports (
  id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, name TEXT NOT NULL, who TEXT NOT NULL,
  at DATETIME NOT NULL, added INTEGER NOT NULL, changed INTEGER NOT NULL, before TEXT NOT NULL,
  undone_by TEXT, undone_at DATETIME);
"""
_PEOPLE = """
CREATE TABLE members (
  id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, name TEXT NOT NULL UNIQUE, role TEXT NOT NULL,
  set_by TEXT NOT NULL, at DATETIME NOT NULL);
CREATE TABLE audit (
  id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, at DATETIME NOT NULL, who TEXT NOT NULL,
  action TEXT NOT NULL, target TEXT NOT NULL, allowed INTEGER NOT NULL, detail TEXT NOT NULL);
"""
_TABLES = f"""
{_IMPORTS}
{_PEOPLE}
CREATE TABLE history (
  id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, site_id TEXT NOT NULL, field TEXT NOT NULL,
  old TEXT NOT NULL, new TEXT NOT NULL, who TEXT NOT NULL, at DATETIME NOT NULL,
  version INTEGER NOT NULL, source TEXT NOT NULL);
CREATE INDEX history_site ON history (site_id, version);
CREATE TABLE claims (
  id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, claim_id TEXT NOT NULL, scope TEXT NOT NULL,
  sector TEXT NOT NULL, metric TEXT NOT NULL, role TEXT NOT NULL, value DOUBLE,
  unit TEXT NOT NULL, claim_kind TEXT NOT NULL, approx TEXT NOT NULL, as_of DATE,
  source_file TEXT NOT NULL, source_where TEXT NOT NULL, source_quote TEXT NOT NULL,
  UNIQUE (claim_id, role));
CREATE TABLE corrections (
  id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, site_id TEXT NOT NULL, kind TEXT NOT NULL,
  name TEXT NOT NULL, wkb BLOB NOT NULL, precision TEXT NOT NULL, uncertainty_m DOUBLE NOT NULL,
  who TEXT NOT NULL, at TEXT NOT NULL, x DOUBLE, y DOUBLE, datum TEXT NOT NULL,
  before TEXT NOT NULL, undone_by TEXT, undone_at DATETIME);
CREATE INDEX corrections_site ON corrections (site_id);
CREATE TABLE meta (
  id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, key TEXT NOT NULL UNIQUE, value TEXT NOT NULL);
INSERT INTO meta (key, value) VALUES
  ('schema_version', '{SCHEMA_VERSION}'), ('data_version', '0-' || lower(hex(randomblob(6))));
"""

# What the R-tree finds is looked up here: 25 bytes a site, where the table itself has 400.
_INDEX = "CREATE INDEX sites_fid ON sites (fid, status, kind)"

_ENVELOPE = "ST_MinX({0}), ST_MaxX({0}), ST_MinY({0}), ST_MaxY({0})"
_RTREE = """
CREATE VIRTUAL TABLE "rtree_sites_geom" USING rtree(id, minx, maxx, miny, maxy);
CREATE TRIGGER "rtree_sites_geom_insert" AFTER INSERT ON "sites"
  WHEN (new."geom" NOT NULL AND NOT ST_IsEmpty(NEW."geom")) BEGIN
  INSERT OR REPLACE INTO "rtree_sites_geom" VALUES (NEW."fid", {new}); END;
CREATE TRIGGER "rtree_sites_geom_update6" AFTER UPDATE OF "geom" ON "sites"
  WHEN OLD."fid" = NEW."fid" AND (NEW."geom" NOTNULL AND NOT ST_IsEmpty(NEW."geom"))
  AND (OLD."geom" NOTNULL AND NOT ST_IsEmpty(OLD."geom")) BEGIN
  UPDATE "rtree_sites_geom" SET minx = ST_MinX(NEW."geom"), maxx = ST_MaxX(NEW."geom"),
  miny = ST_MinY(NEW."geom"), maxy = ST_MaxY(NEW."geom") WHERE id = NEW."fid"; END;
CREATE TRIGGER "rtree_sites_geom_update7" AFTER UPDATE OF "geom" ON "sites"
  WHEN OLD."fid" = NEW."fid" AND (NEW."geom" NOTNULL AND NOT ST_IsEmpty(NEW."geom"))
  AND (OLD."geom" ISNULL OR ST_IsEmpty(OLD."geom")) BEGIN
  INSERT INTO "rtree_sites_geom" VALUES (NEW."fid", {new}); END;
CREATE TRIGGER "rtree_sites_geom_update2" AFTER UPDATE OF "geom" ON "sites"
  WHEN OLD."fid" = NEW."fid" AND (NEW."geom" ISNULL OR ST_IsEmpty(NEW."geom")) BEGIN
  DELETE FROM "rtree_sites_geom" WHERE id = OLD."fid"; END;
CREATE TRIGGER "rtree_sites_geom_update5" AFTER UPDATE ON "sites"
  WHEN OLD."fid" != NEW."fid" AND (NEW."geom" NOTNULL AND NOT ST_IsEmpty(NEW."geom")) BEGIN
  DELETE FROM "rtree_sites_geom" WHERE id = OLD."fid";
  INSERT OR REPLACE INTO "rtree_sites_geom" VALUES (NEW."fid", {new}); END;
CREATE TRIGGER "rtree_sites_geom_update4" AFTER UPDATE ON "sites"
  WHEN OLD."fid" != NEW."fid" AND (NEW."geom" ISNULL OR ST_IsEmpty(NEW."geom")) BEGIN
  DELETE FROM "rtree_sites_geom" WHERE id IN (OLD."fid", NEW."fid"); END;
CREATE TRIGGER "rtree_sites_geom_delete" AFTER DELETE ON "sites"
  WHEN old."geom" NOT NULL BEGIN
  DELETE FROM "rtree_sites_geom" WHERE id = OLD."fid"; END;
""".format(new=_ENVELOPE.format('NEW."geom"'))


def create(db: sqlite3.Connection) -> None:
    """Make the tables of an empty store in a new, empty database."""
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.execute(f"PRAGMA user_version = {USER_VERSION}")
    parts = (
        *(_GEOPACKAGE, _sites_table(), _TABLES, _register((*TABLES, *NEWER_TABLES)), _RTREE),
        *_outside_triggers(),
    )
    db.executescript("BEGIN IMMEDIATE;" + "\n".join(parts) + "COMMIT;")


def _register(tables: Iterable[str]) -> str:
    rows = ", ".join(f"('{name}', 'attributes', '{name}')" for name in tables)
    return f"INSERT INTO gpkg_contents (table_name, data_type, identifier) VALUES {rows};"


def identify(db: sqlite3.Connection, name: str) -> int:
    """Return the schema version of an open file.

    Raises
    ------
    StoreError
        If it is not a GeoPackage, not one of ours, or newer than this app.
    """
    if db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise StoreError(f"{name} is not a GeoPackage: choose another file for the store")
    known = {row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not {"sites", *TABLES} <= known:
        raise StoreError(
            f"{name} is a GeoPackage but not a store of this app: import it instead, or choose "
            "another file for the store"
        )
    row = db.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchone()
    try:
        found = int(row[0])
    except (TypeError, ValueError) as error:
        raise StoreError(f"{name} does not say how it was made: restore a backup") from error
    if found > SCHEMA_VERSION:
        raise StoreError(
            f"{name} was made by a newer version of this app (format {found}, this one knows "
            f"{SCHEMA_VERSION}): update the app"
        )
    return found


def _index_for_boxes(db: sqlite3.Connection) -> None:
    db.execute("DROP INDEX sites_status")
    db.execute(_INDEX)


def _table_of_imports(db: sqlite3.Connection) -> None:
    db.execute(_IMPORTS)
    db.execute(_register(["imports"]))
    db.execute("DROP TRIGGER sites_outside_delete")
    db.execute(_outside_delete())


def _tables_of_people(db: sqlite3.Connection) -> None:
    # Not executescript, which would end the transaction.
    for statement in filter(str.strip, _PEOPLE.split(";")):
        db.execute(statement)
    db.execute(_register(["members", "audit"]))


MIGRATIONS: dict[int, Callable[[sqlite3.Connection], None]] = {
    1: _index_for_boxes,
    2: _table_of_imports,
    3: _tables_of_people,
}
"""For each older schema version, the step to the next one. It runs inside a transaction."""


def migrate(db: sqlite3.Connection) -> None:
    """Bring an older file to `SCHEMA_VERSION`, inside the caller's transaction."""
    row = db.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchone()
    for version in range(int(row[0]), SCHEMA_VERSION):
        MIGRATIONS[version](db)
    db.execute("UPDATE meta SET value = ? WHERE key = 'schema_version'", (str(SCHEMA_VERSION),))


def _sites_table() -> str:
    types = dict.fromkeys(TEXT, "TEXT DEFAULT ''") | dict.fromkeys(NUMBERS, "DOUBLE")
    types |= {
        "site_id": "TEXT UNIQUE",
        "as_of": "DATE",
        "fictitious": "BOOLEAN DEFAULT 0",
        "version": "INTEGER DEFAULT 1",
    }
    columns = ", ".join(f'"{c}" {types[c]}' for c in COLUMNS if c != "geometry")
    return (
        f'CREATE TABLE "sites" ("fid" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, "geom" GEOMETRY,'
        f" {columns}); {_INDEX};"
    )


def _outside_triggers() -> Iterator[str]:
    yield outside_insert()
    yield _outside_update()
    yield _outside_delete()


def _outside_delete() -> str:
    gone = _outside_history("OLD.site_id", "'deleted'", "OLD.name", "''", "OLD.version + 1")
    ours = "SELECT 1 FROM history WHERE site_id = OLD.site_id AND version = OLD.version + 1"
    return (
        f"CREATE TRIGGER sites_outside_delete AFTER DELETE ON sites WHEN NOT EXISTS ({ours}"
        f" AND field = 'deleted') BEGIN {gone}; {NEW_DATA_VERSION}; END;"
    )


def outside_insert() -> str:
    """Return the trigger that gives a row drawn in another program its id, version and history."""
    site_id = "coalesce(nullif(NEW.site_id, ''), 'out-' || NEW.fid)"
    last = f"(SELECT max(version) FROM history WHERE site_id = {site_id})"
    # An id that was deleted may come back: its versions go on from the last one.
    version = f"max(coalesce(NEW.version, 1), 1 + coalesce({last}, 0))"
    row = _outside_history(site_id, "'created'", "''", "NEW.name", version)
    same = "FROM history WHERE site_id = NEW.site_id AND version"
    return (
        "CREATE TRIGGER sites_outside_insert AFTER INSERT ON sites WHEN NOT EXISTS "
        f"(SELECT 1 {same} = NEW.version AND field = 'created') "
        f"OR EXISTS (SELECT 1 {same} > NEW.version) BEGIN {row}; "
        f"UPDATE sites SET site_id = {site_id}, version = {last} WHERE fid = NEW.fid; "
        f"{NEW_DATA_VERSION}; END;"
    )


def _outside_update() -> str:
    known = "EXISTS (SELECT 1 FROM history WHERE site_id = NEW.site_id AND version = NEW.version)"
    # QGIS writes whole rows: only what differs is a change.
    texts = {c: (f"OLD.{column_sql(c)}", f"NEW.{column_sql(c)}") for c in COLUMNS}
    differs = " OR ".join(f"{old} IS NOT {new}" for old, new in texts.values())
    site_id = "coalesce(nullif(NEW.site_id, ''), OLD.site_id)"
    version = "max(coalesce(NEW.version, 0), OLD.version + 1)"
    texts["geometry"] = (_box("OLD.geom"), _box("NEW.geom"))
    rows = "; ".join(
        _outside_history(site_id, f"'{c}'", old, new, version)
        + f" WHERE OLD.{column_sql(c)} IS NOT NEW.{column_sql(c)}"
        for c, (old, new) in texts.items()
    )
    # A row without an id exists only until the insert trigger has given it one.
    return (
        "CREATE TRIGGER sites_outside_update AFTER UPDATE ON sites WHEN OLD.site_id <> '' AND "
        f"(NEW.version IS OLD.version OR NOT {known}) AND ({differs}) BEGIN {rows}; "
        f"UPDATE sites SET site_id = {site_id}, version = {version} WHERE fid = NEW.fid; "
        f"{NEW_DATA_VERSION}; END;"
    )


def _outside_history(site_id: str, field: str, old: str, new: str, version: str) -> str:
    return (
        "INSERT INTO history (site_id, field, old, new, who, at, version, source)"
        f" SELECT {site_id}, {field}, coalesce({old}, ''), coalesce({new}, ''), '', {NOW},"
        f" {version}, '{OUTSIDE}'"
    )


def _box(shape: str) -> str:
    """Return SQL for the extent of a shape as text: other programs have no function for its WKT."""
    sides = ", ".join(f"ST_{side}({shape})" for side in ("MinX", "MinY", "MaxX", "MaxY"))
    return f"CASE WHEN {shape} IS NOT NULL THEN printf('BOX (%.7f %.7f, %.7f %.7f)', {sides}) END"
