"""What the store's tests share: small tables, strict comparison, and processes that write."""

import multiprocessing
import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime

import numpy as np
import shapely
from hypothesis import settings
from pandas.testing import assert_frame_equal

from geo.errors import StoreConflict
from geo.site import Correction, make_sites
from geo.store import open_store
from geo.store._blob import register_functions

# Each example is several transactions.
few_examples = settings(max_examples=20, deadline=None)

STATUSES = ("resumed", "partial", "stopped", "unverified")
SPARE = "site_id kind name status precision version geometry".split()


def site_row(number, **fields):
    """Return a row; without other fields a site at 123.17 + n/100, 41.26."""
    row = {
        "site_id": f"s{number}",
        "kind": "enterprise",
        "name": f"企业{number}号",
        "status": "stopped",
        "as_of": "2020-03-11",
        "source_file": "通报.docx",
        "source_where": f"第 {number} 行",
        "precision": "poi",
        "uncertainty_m": 10.0,
        "match_method": "given",
        "match_score": 100.0,
        "geometry": shapely.Point(123.17 + number / 100, 41.26),
    }
    return row | fields


def unlocated(number, **fields):
    """Return a row of a site without a place."""
    nowhere = {"precision": "none", "geometry": None, "reason": "no_coordinate"}
    nowhere |= {"uncertainty_m": None, "match_method": "", "match_score": None}
    return site_row(number, **nowhere, **fields)


def sites_of(count, **fields):
    """Return a table of `count` sites."""
    return make_sites([site_row(number, **fields) for number in range(count)])


def emptied(store):
    """Return the store without anything in its tables: one for many examples."""
    with store._connections.writing() as db:
        # Deleting sites may add to the history, so that comes last.
        for table in ("sites", "corrections", "claims", "imports", "history"):
            db.execute(f"DELETE FROM {table}")
    return store


def correction_of(site_id="s0", x=123.2, **fields):
    """Return a person's word that a site is at x, 41.3."""
    given = {
        "site_id": site_id,
        "kind": "enterprise",
        "name": "企业",
        "geometry": fields.get("geometry") or shapely.Point(x, 41.3),
        "precision": "rooftop",
        "uncertainty_m": 5.0,
        "who": "王工",
        "at": datetime(2020, 3, 12, 8, 30, 15, 123456, tzinfo=UTC),
        "x": x,
        "y": 41.3 if x is not None else None,
        "datum": "wgs84",
    }
    return Correction(**(given | fields))


def assert_same_sites(found, expected):
    """Compare two site tables in every column, type and bit of geometry; only the index is free."""
    found, expected = found.reset_index(drop=True), expected.reset_index(drop=True)
    assert_frame_equal(
        found.drop(columns="geometry"), expected.drop(columns="geometry"), check_exact=True
    )
    assert list(found.columns) == list(expected.columns)
    assert found.crs == expected.crs
    wkb = [shapely.to_wkb(np.asarray(t.geometry, dtype=object)).tolist() for t in (found, expected)]
    assert wkb[0] == wkb[1]


def raw(path):
    """Return a plain connection to a store's file or schema, as another program would have."""
    if isinstance(path, str):
        return closing(_plain_postgres(path))
    db = sqlite3.connect(path, isolation_level=None, timeout=5)
    register_functions(db)
    return closing(db)


def _plain_postgres(url):
    import psycopg

    address, _, schema = url.partition("schema=")
    db = psycopg.connect(address.rstrip("?&"), autocommit=True)
    db.execute(f"SET search_path TO {schema}, public")
    return db


def versions(store):
    """Return the version of each site."""
    sites = store.read_sites()
    return dict(zip(sites["site_id"], sites["version"], strict=True))


# Forking is quick, and safe while no store is open in the parent.
PROCESSES = multiprocessing.get_context("fork" if hasattr(os, "fork") else "spawn")


def write_updates(path, count, acknowledged, seed=0):
    """Update sites s0 to s4 in turn, and send (site_id, version) after each update that returned."""
    store = open_store(path)
    for step in range(count):
        site_id = f"s{(step + seed) % 5}"
        while True:
            version = int(store.site(site_id)["version"])
            change = {"note": f"{os.getpid()}, {step}"}
            try:
                done = store.update_site(site_id, change, version=version, who=f"p{seed}")
                break
            except StoreConflict:
                continue
        os.write(acknowledged, f"{site_id} {done}\n".encode())
    store.close()


def without_newer_tables(db):
    """Take out of an open file the tables that came after format 1, as in a store of that time."""
    for table in ("imports", "members", "audit"):
        db.execute(f"DROP TABLE {table}")
        db.execute("DELETE FROM gpkg_contents WHERE table_name = ?", (table,))
