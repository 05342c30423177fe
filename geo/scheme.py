"""A scheme (方案): what somebody chose for a picture, kept so that next week's data gets the same one.

It holds the filter, the frame, the title and the sheet, never a site: applied to newer data it shows newer data.
"""

from __future__ import annotations

import json
import math
import re
import secrets
from dataclasses import asdict, dataclass, replace
from typing import Any
from urllib.parse import parse_qs

from geo.category import Categories
from geo.errors import FilterError
from geo.view import SiteFilter

Bounds = tuple[float, float, float, float]
MAX_SCHEMES = 100
MAX_FIELDS = 400
MAX_TEXT = 120
LABELS = ("auto", "names", "numbers", "none")
SERIES = ("", "status", "street")
_UNKEPT = re.compile("[\0\ud800-\udfff]")
"""What JSON can bring and no store keeps."""
_ID = re.compile(r"[0-9A-Za-z-]{0,40}")


@dataclass(frozen=True, slots=True)
class Scheme:
    """One kept picture.

    Parameters
    ----------
    name
        What people call it.
    query
        The filter as `SiteFilter.to_query` writes it.
    bounds
        The frame, minx, miny, maxx, maxy in degrees, EPSG:4326; None shows all sites of the filter.
    title, unit
        Instead of the title made from the filter; who made the picture.
    preset, labels, series
        The sheet, how sites are labelled, and whether a page each is made.
    public
        For publication instead of for work inside the office.
    scheme_id
        Given when it is first kept.

    Examples
    --------
    >>> kept = Scheme.from_json('{"name": " 周报 ", "query": "hide=enterprise.resumed", "preset": "a3"}')
    >>> kept.name, kept.preset, kept.bounds
    ('周报', 'a3', None)
    >>> Scheme.from_json(kept.to_json()) == kept
    True
    """

    name: str
    query: str = ""
    bounds: Bounds | None = None
    title: str = ""
    unit: str = ""
    preset: str = "16:9-1080"
    labels: str = "auto"
    series: str = ""
    public: bool = False
    scheme_id: str = ""

    def filter(self, categories: Categories) -> SiteFilter:
        """Return the filter; `FilterError` if it names what the categories no longer have."""
        try:
            params = parse_qs(self.query, max_num_fields=MAX_FIELDS)
        except ValueError as error:
            raise FilterError(f"query has more than {MAX_FIELDS} values: choose fewer") from error
        return SiteFilter.from_params(params, categories)

    def to_json(self) -> str:
        """Return the scheme as one line of JSON."""
        return json.dumps(asdict(self), ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Scheme:
        """Return the scheme of a JSON text, as `to_json` writes it; fields that are absent have their default.

        Raises
        ------
        FilterError
            If it is not a scheme; the text says what is wrong.
        """
        try:
            given = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise FilterError("a scheme is JSON") from error
        if not isinstance(given, dict):
            raise FilterError("a scheme is an object with a name")
        unknown = given.keys() - cls.__dataclass_fields__.keys()
        if unknown:
            raise FilterError(f"a scheme has no {sorted(unknown)[0][:40]}")
        fields = {k: v for k, v in given.items() if k != "bounds"}
        bounds = read_bounds(given.get("bounds"))
        values: dict[str, Any] = {"name": "", **{k: _field(k, v) for k, v in fields.items()}}
        return cls(**values, bounds=bounds)._checked()

    def _checked(self) -> Scheme:
        if not self.name.strip():
            raise FilterError("a scheme needs a name")
        for name, value, known in (
            ("labels", self.labels, LABELS),
            ("series", self.series, SERIES),
        ):
            if value not in known:
                raise FilterError(f"{name} is one of {', '.join(k or 'none' for k in known)}")
        if not _ID.fullmatch(self.scheme_id):
            raise FilterError("scheme_id is letters, digits and -")
        return replace(
            self, name=self.name.strip(), scheme_id=self.scheme_id or secrets.token_hex(6)
        )


def _field(name: str, value: object) -> str | bool:
    if name == "public":
        return value is True
    limit = 4000 if name == "query" else MAX_TEXT
    if not isinstance(value, str) or len(value) > limit:
        raise FilterError(f"{name} is a text of at most {limit} characters")
    if _UNKEPT.search(value):
        raise FilterError(f"{name} holds half a character or a NUL: write it again")
    return value


def read_bounds(given: object) -> Bounds | None:
    """Return minx, miny, maxx, maxy in degrees (EPSG:4326) from a list of numbers or a text with commas; None for none.

    Raises
    ------
    FilterError
        If they are not four numbers in that order on the earth.

    Examples
    --------
    >>> read_bounds("123.1,41.2,123.3,41.3")
    (123.1, 41.2, 123.3, 41.3)
    >>> read_bounds("41.2,123.1,41.3,123.3")
    Traceback (most recent call last):
    geo.errors.FilterError: bounds are west, south, east, north in degrees, in that order
    """
    if given is None or given == "":
        return None
    parts = given.split(",") if isinstance(given, str) else given
    try:
        west, south, east, north = (float(part) for part in parts)  # type: ignore[attr-defined]
    except (TypeError, ValueError, OverflowError) as error:
        raise FilterError("bounds are four numbers: west, south, east, north") from error
    inside = -180 <= west < east <= 180 and -90 <= south < north <= 90
    if not inside or not all(map(math.isfinite, (west, south, east, north))):
        raise FilterError("bounds are west, south, east, north in degrees, in that order")
    return west, south, east, north
