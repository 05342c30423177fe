"""What an administrator may set, as environment variables. Everything has a default that works offline."""

from __future__ import annotations

import getpass
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from geo.access import Role, clean_name
from geo.category import LANGUAGES
from geo.day import read_day
from geo.errors import SiteMapError

ROOT = Path(__file__).resolve().parent.parent
LARGE = 2_000_000
"""Above so many sites a PostGIS store is drawn by tiles and never read as a whole."""
DEMO_FILE = "demo.gpkg"
"""The demo set's own file, beside the store: what is invented never lies in one file with what is not."""


_UNTIL = "BAITA_PUBLIC_MAP_UNTIL"
SIGN_INS = ("", "header", "oidc")
MIN_SECRET = 16
"""Characters of the secret a reverse proxy shows."""


class SettingsError(SiteMapError, ValueError):
    """An environment variable that cannot be used; the text says what to write instead."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How this installation is set up.

    Parameters
    ----------
    store
        Where sites are kept: a path that ends in `.gpkg`, or a `postgresql://` address (`BAITA_STORE`).
    data
        Folder with categories.toml, gazetteer.csv, sites.csv, claims.csv and samples/ (`BAITA_DATA`).
    adcode
        The district, six digits (`BAITA_ADCODE`).
    who
        Whose name changes carry (`BAITA_WHO`); the operating system's user by default.
    title
        What the app is called (`BAITA_TITLE`); after its district by default.
    name_en
        The district in English (`BAITA_NAME_EN`), where the sounds of its characters give another name
        (朝阳区: Chaoyang District); from its official name by default.
    language
        Language of the first page, `zh` or `en` (`BAITA_LANGUAGE`).
    public_map
        A layer of areas that may be published, any format GDAL knows, with a CRS (`BAITA_PUBLIC_MAP`); None for none.
    approval
        The review number (审图号) under which it may be (`BAITA_PUBLIC_MAP_APPROVAL`).
    approved_until
        The last day on which that holds (`BAITA_PUBLIC_MAP_UNTIL`, 2027-12-31).
    tiles
        Picture tiles under the map: a .mbtiles or .pmtiles file, or tianditu, amap, osm (`BAITA_TILES`); "" for none.
    tiles_key, tiles_datum, tiles_url
        A service's key, a file's datum, a service's address instead of its own (`BAITA_TILES_KEY` ...).
    sign_in
        How people sign in (`BAITA_SIGN_IN`): "" not at all, everybody is the local user; "header", a reverse proxy
        says who it is; "oidc", by the identity provider in .streamlit/secrets.toml.
    sign_in_header
        The header in which the proxy names the person (`BAITA_SIGN_IN_HEADER`).
    proxy_secret
        What the proxy shows in X-Baita-Proxy to be believed (`BAITA_PROXY_SECRET`).
    admins
        Names that are always administrators (`BAITA_ADMINS`, with commas).
    default_role
        Of those who are signed in and were given no role (`BAITA_DEFAULT_ROLE`): viewer or none.
    large
        Above how many sites a PostGIS store is drawn by tiles (`BAITA_LARGE`).
    """

    store: str = field(repr=False)  # an address may hold a password
    data: Path
    adcode: str
    who: str
    language: str
    title: str = ""
    name_en: str = ""
    public_map: Path | None = None
    approval: str = ""
    approved_until: date | None = None
    tiles: str = field(default="", repr=False)  # as a store's, an address may hold a key
    tiles_key: str = field(default="", repr=False)
    tiles_datum: str = ""
    tiles_url: str = field(default="", repr=False)
    sign_in: str = ""
    sign_in_header: str = "X-Forwarded-User"
    proxy_secret: str = field(default="", repr=False)
    admins: tuple[str, ...] = ()
    default_role: Role = Role.VIEWER
    large: int = LARGE


def load_settings(env: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings; a variable that is absent or empty means its default.

    Parameters
    ----------
    env
        Names to values, as `os.environ`.

    Raises
    ------
    SettingsError
        Names the first variable that cannot be used, and what it may be.
    """
    given = {name: value.strip() for name, value in env.items() if value.strip()}
    data = Path(given.get("BAITA_DATA") or ROOT / "data").expanduser().resolve()
    if not (data / "categories.toml").is_file():
        raise SettingsError(f"BAITA_DATA={data} is not a folder with a categories.toml in it")
    adcode = given.get("BAITA_ADCODE", "211002")
    if not (len(adcode) == 6 and adcode.isascii() and adcode.isdigit()):
        raise SettingsError(
            f"BAITA_ADCODE={adcode} is not a district code of six digits like 211002"
        )
    language = given.get("BAITA_LANGUAGE", "zh")
    if language not in LANGUAGES:
        raise SettingsError(f"BAITA_LANGUAGE={language} is not one of {', '.join(LANGUAGES)}")
    store = given.get("BAITA_STORE") or str(ROOT / ".baita" / "baita.gpkg")
    if store.replace("\\", "/").rpartition("/")[2] == DEMO_FILE:
        raise SettingsError(
            f"BAITA_STORE: {DEMO_FILE} is kept for invented sites; take another name"
        )
    public_map, until = given.get("BAITA_PUBLIC_MAP"), given.get(_UNTIL, "")
    return Settings(
        store,
        data,
        adcode,
        given.get("BAITA_WHO") or _user(),
        language,
        title=given.get("BAITA_TITLE", ""),
        name_en=given.get("BAITA_NAME_EN", ""),
        public_map=Path(public_map).expanduser().resolve() if public_map else None,
        approval=given.get("BAITA_PUBLIC_MAP_APPROVAL", ""),
        approved_until=read_day(until, name=_UNTIL, refuse=SettingsError),
        tiles=given.get("BAITA_TILES", ""),
        tiles_key=given.get("BAITA_TILES_KEY", ""),
        tiles_datum=given.get("BAITA_TILES_DATUM", ""),
        tiles_url=given.get("BAITA_TILES_URL", ""),
        **_sign_in(given),
        large=_count("BAITA_LARGE", given, LARGE),
    )


def _sign_in(given: Mapping[str, str]) -> dict[str, Any]:
    """Return how people sign in; half a setting is refused, for it would let anybody in or nobody."""
    way = given.get("BAITA_SIGN_IN", "")
    if way not in SIGN_INS:
        raise SettingsError(
            f"BAITA_SIGN_IN={way} is not one of header, oidc; leave it out for one PC"
        )
    header = given.get("BAITA_SIGN_IN_HEADER", "X-Forwarded-User")
    if not re.fullmatch(r"[A-Za-z0-9-]{1,60}", header):
        raise SettingsError(f"BAITA_SIGN_IN_HEADER={header} is not the name of a header")
    secret = given.get("BAITA_PROXY_SECRET", "")
    if way == "header" and not (len(secret) >= MIN_SECRET and secret.isascii()):
        raise SettingsError(
            f"BAITA_PROXY_SECRET has fewer than {MIN_SECRET} characters, or others than ASCII; "
            "make one with `openssl rand -hex 32` and give it to the proxy too"
        )
    role = given.get("BAITA_DEFAULT_ROLE", Role.VIEWER.value)
    if role not in (Role.VIEWER, Role.NONE):
        raise SettingsError(f"BAITA_DEFAULT_ROLE={role} is not one of viewer, none")
    names = [clean_name(name) for name in given.get("BAITA_ADMINS", "").split(",") if name.strip()]
    if "" in names:
        raise SettingsError("BAITA_ADMINS has a name that cannot be one; write names with commas")
    return {
        "sign_in": way,
        "sign_in_header": header,
        "proxy_secret": secret,
        "admins": tuple(names),
        "default_role": Role(role),
    }


def _count(name: str, given: Mapping[str, str], default: int) -> int:
    text = given.get(name, str(default))
    if not (text.isascii() and text.isdigit()):
        raise SettingsError(f"{name}={text} is not a number of sites like {default}")
    return int(text)


def _user() -> str:
    try:
        return getpass.getuser()
    except (
        KeyError,
        OSError,
        ImportError,
    ):  # no such user, as in some containers; no pwd module on Windows
        return "unknown"
