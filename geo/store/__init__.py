"""Where the site table is kept: one door, `open_store`.

The default store is one GeoPackage file (`geo.store.geopackage`): QGIS opens it as it is. For several machines there
is PostGIS (`geo.store.postgis`).
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from geo.errors import StoreError
from geo.store._imports import Import, UndoReport
from geo.store._sites import BatchReport, SaveReport
from geo.store.base import SiteStore
from geo.store.geopackage import GeoPackageStore

__all__ = [
    "BatchReport",
    "GeoPackageStore",
    "Import",
    "SaveReport",
    "SiteStore",
    "UndoReport",
    "file_of",
    "open_store",
]

SUPPORTED = (
    "give the path of a GeoPackage file (sites.gpkg), gpkg:///path/to/sites.gpkg or "
    "postgresql://user:password@host/database"
)
_DATABASES = ("postgresql", "postgres", "postgis")
# Two letters at least, so that C:\data\sites.gpkg is a path.
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://|(gpkg):", re.IGNORECASE)

# Taken for a path, it would make folders whose names hold the password.
_NEARLY = re.compile(r"(postgresql|postgres|postgis):(?!//)", re.IGNORECASE)


def open_store(url: str | Path) -> SiteStore:
    """Return the store at a path or URL, made first if there is none.

    Parameters
    ----------
    url
        A path, or `gpkg:///absolute/path` (percent-encoded where needed), or `gpkg:relative/path`.
        The file must be on a local disk: SQLite's write-ahead log does not work over a network share.
        Or `postgresql://user:password@host/database?schema=name`, see `geo.store.postgis.PostgisStore`.

    Raises
    ------
    StoreError
        If the URL is of another scheme, or the file is not a store, is damaged, or was made by a
        newer version of the app. The file is left as it is.
    """
    if isinstance(url, Path):
        return GeoPackageStore(url)
    return _database(url) if is_database(url) else GeoPackageStore(_path(url))


def is_database(url: str) -> bool:
    """Return whether a store's address is that of a database server, not of a file.

    Raises
    ------
    StoreError
        If it is nearly one.
    """
    _refuse_slip(url)
    return url.partition("://")[0].lower() in _DATABASES


def _refuse_slip(url: str) -> None:
    if _NEARLY.match(url):
        raise StoreError(f"this is an address with a slash missing; {SUPPORTED}")


def _database(url: str) -> SiteStore:
    try:
        from geo.store.postgis import PostgisStore
    except ModuleNotFoundError as error:
        if (error.name or "geo").partition(".")[0] == "geo":
            raise
        raise StoreError(
            f"a PostGIS store needs the package {error.name}, which is not installed here: run "
            "`python3 -m geo setup` once"
        ) from error
    return PostgisStore(url)


def file_of(url: str) -> Path:
    """Return the file of a store's path or `gpkg:` URL, without opening it.

    Raises
    ------
    StoreError
        If it is no file.

    Examples
    --------
    >>> file_of("gpkg:weekly.gpkg").name
    'weekly.gpkg'
    """
    return Path(os.path.abspath(_path(url)))


def _path(url: str) -> Path:
    _refuse_slip(url)
    match = _SCHEME.match(url)
    scheme = (match[1] or match[2]).lower() if match else ""
    if not scheme:
        text = url
    elif scheme == "gpkg":
        text = _gpkg_path(url)
    else:
        raise StoreError(f"a store cannot be at {scheme}://; {SUPPORTED}")
    if not text.strip() or "\0" in text:
        raise StoreError(f"the store has no path; {SUPPORTED}")
    return Path(text)


def _gpkg_path(url: str) -> str:
    parts = urlsplit(url)
    if parts.netloc or parts.query or parts.fragment:
        raise StoreError(f"this gpkg: URL names more than a file; {SUPPORTED}")
    path = unquote(parts.path)
    drive = re.match(r"/[A-Za-z]:[/\\]", path)  # gpkg:///C:/data/sites.gpkg
    return path[1:] if drive else path
