"""What one cell says: a number, a coordinate, a date, a line. Nothing is guessed."""

from __future__ import annotations

import math
import re
import unicodedata
from datetime import date, timedelta
from functools import lru_cache

from geo.category import fold
from geo.read.grid import short


class Fault(ValueError):
    """One thing wrong with one row."""


_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
_DEGREES = re.compile(
    r"(?:东经|北纬|[EN])?\s*([0-9]{1,3})[°度]\s*(?:([0-9]{1,2}(?:\.[0-9]+)?)[′'分]\s*)?"
    r"(?:([0-9]{1,2}(?:\.[0-9]+)?)(?:″|′′|\"|''|秒)\s*)?\s*[EN]?"
)
# Excel and pandas add a midnight to a plain date; any other time of day is not a date.
_MIDNIGHT = r"(?:[ T]0?0:00(?::00(?:\.0+)?)?)?"
_DATES = tuple(
    re.compile(pattern + _MIDNIGHT)
    for pattern in (
        r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})",
        r"([0-9]{4})/([0-9]{1,2})/([0-9]{1,2})",
        r"([0-9]{4})\.([0-9]{1,2})\.([0-9]{1,2})",
        r"([0-9]{4})\s*年\s*([0-9]{1,2})\s*月\s*([0-9]{1,2})\s*日",
    )
)
_YES = frozenset("1 是 true yes y".split())
_NO = frozenset(["", *"0 否 false no n".split()])


def plain_text(text: str) -> str:
    """Return digits and signs in ASCII, but leave what NFKC would turn into another number."""
    if text.isascii() or any(unicodedata.category(char) == "No" for char in text):
        return text  # 10² would become 102
    return unicodedata.normalize("NFKC", text).strip()


def is_visible(text: str) -> bool:
    """Whether a text has a character that leaves ink: zero-width ones do not."""
    return text.isalnum() or any(unicodedata.category(char)[0] not in "CZ" for char in text)


def read_number(text: str) -> float | None:
    """Return a plain number, None for an empty cell; raises `Fault`."""
    if not text:
        return None
    plain = plain_text(text)
    value = float(plain) if _NUMBER.fullmatch(plain) else math.nan
    if not math.isfinite(value):
        raise Fault(f'"{short(text)}" is not a plain number like 123.1617')
    return value


def read_coordinate(text: str) -> float | None:
    """Return a number, or degrees, minutes and seconds as decimal degrees; raises `Fault`."""
    found = _DEGREES.fullmatch(text.strip()) if "°" in text or "度" in text else None
    if found is None:
        return read_number(text)
    degrees, minutes, seconds = (float(part or 0) for part in found.groups())
    if minutes >= 60 or seconds >= 60:
        raise Fault(f'"{short(text)}" has 60 or more minutes or seconds')
    return degrees + minutes / 60 + seconds / 3600


def read_metres(text: str) -> float | None:
    """Return a length in metres, None for an empty cell; raises `Fault`."""
    value = read_number(text)
    if value is not None and value < 0:
        raise Fault(f'"{short(text)}" is negative; give 0 or more metres')
    return value


@lru_cache(maxsize=4096)
def read_date(text: str) -> date | None:
    """Return a date written out in full, None for an empty cell; raises `Fault`.

    Examples
    --------
    >>> read_date("2020年3月11日")
    datetime.date(2020, 3, 11)
    """
    if not text:
        return None
    found = next(filter(None, (pattern.fullmatch(plain_text(text)) for pattern in _DATES)), None)
    try:
        if found is not None:
            return date(*(int(part) for part in found.groups()))
    except ValueError:
        pass  # 2020-02-30
    raise Fault(f'"{short(text)}" is not a date like 2020-03-11, 2020/3/11 or 2020年3月11日')


_SERIAL = re.compile(r"[3-5][0-9]{4}")


def read_serial_date(text: str, *, epoch_1904: bool) -> date | None:
    """Return the date of a spreadsheet's serial number between 1982 and 2064; None if it is none.

    43901 is 2020-03-11. Workbooks from old Macs count from 1904.
    """
    if not _SERIAL.fullmatch(plain_text(text)):
        return None
    start = date(1904, 1, 1) if epoch_1904 else date(1899, 12, 30)
    return start + timedelta(days=int(plain_text(text)))


def read_yes(text: str) -> bool:
    """Return whether a cell says yes; raises `Fault` if it says neither yes nor no."""
    plain = fold(text) if text else ""
    if plain not in _YES and plain not in _NO:
        raise Fault(f'"{short(text)}" is not 1 or 0 (是, 否)')
    return plain in _YES


def read_path(text: str) -> tuple[tuple[float, float], ...]:
    """Return the vertices of `lon lat;lon lat;...`; raises `Fault`."""
    if not text:
        return ()
    points = [_read_vertex(part) for part in plain_text(text).strip(";").split(";")]
    if len(points) < 2:
        raise Fault(f'"{short(text)}" has one point; a line has two or more: lon lat;lon lat')
    return tuple(points)


def _read_vertex(text: str) -> tuple[float, float]:
    numbers = [read_number(part) for part in text.split()]
    if len(numbers) != 2 or numbers[0] is None or numbers[1] is None:
        raise Fault(f'"{short(text)}" is not a point; write lon lat;lon lat')
    return numbers[0], numbers[1]


# --- two coordinates in one cell ------------------------------------------------------------------

_BETWEEN = re.compile(r"\s*[,，、;；/|\s]\s*")
_AROUND = "()（）[]【】 \t"


def axis_of(value: float) -> str:
    """Return "x" for a longitude or easting in China, "y" for a latitude or northing, else "".

    Longitudes 73 to 136, latitudes 3 to 54 degrees; northings 1.8 to 6 million metres, eastings of six
    digits or, with the zone in front, of eight. No two of these ranges overlap.
    """
    if 73 <= value <= 136 or 1e5 <= value < 1e6 or 1.3e7 <= value < 4.6e7:
        return "x"
    return "y" if 3 <= value <= 54 or 1.8e6 <= value <= 6e6 else ""


def _axes(first: float, second: float) -> str:
    same_unit = (first < 1e5) == (second < 1e5)
    return axis_of(first) + axis_of(second) if same_unit else ""


def _pair(text: str) -> tuple[float, float]:
    parts = [part for part in _BETWEEN.split(plain_text(text).strip(_AROUND)) if part]
    numbers = [read_coordinate(part) for part in parts]
    if len(numbers) != 2 or numbers[0] is None or numbers[1] is None:
        raise Fault(f'"{short(text)}" is not two coordinates like 123.1617, 41.2794')
    return numbers[0], numbers[1]


def pair_order(text: str) -> str | None:
    """Return "xy" or "yx" if a cell holds two coordinates that tell their order, else None."""
    try:
        axes = _axes(*_pair(text))
    except Fault:
        return None
    return axes if axes in ("xy", "yx") else None


def read_pair(text: str) -> tuple[float, float] | None:
    """Return longitude and latitude (or easting and northing) of one cell, in that order.

    Which of the two numbers is which is told by the ranges of China; see `axis_of`. Raises `Fault` if
    they do not tell.
    """
    if not text:
        return None
    first, second = _pair(text)
    axes = _axes(first, second)
    if axes not in ("xy", "yx"):
        raise Fault(
            f'"{short(text)}" does not tell which number is the longitude; '
            "put longitude and latitude into two columns 经度 and 纬度"
        )
    return (first, second) if axes == "xy" else (second, first)
