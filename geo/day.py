"""A day as people, addresses and settings write it: 2020-03-11, or nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from geo.errors import SiteMapError

_SHOWN = 40


def read_day(
    text: str, *, name: str = "", refuse: Callable[[str], Exception] = SiteMapError
) -> date | None:
    """Return the day that a text says.

    Parameters
    ----------
    text
        As ISO 8601 writes it; "" is no day.
    name
        Of the setting or the link's parameter that says it, for the message.
    refuse
        Makes the error of the message; an error's class will do.

    Returns
    -------
    day
        None for "".

    Raises
    ------
    SiteMapError
        Or what `refuse` makes, if the text is anything else.

    Examples
    --------
    >>> read_day("2020-03-11")
    datetime.date(2020, 3, 11)
    >>> read_day("soon", name="as_of")
    Traceback (most recent call last):
    geo.errors.SiteMapError: as_of=soon is not a day like 2020-03-11
    """
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        if name:
            raise refuse(f"{name}={text[:_SHOWN]} is not a day like 2020-03-11") from None
        raise refuse(f'"{text[:_SHOWN]}" is not a day like 2020-03-11') from None
