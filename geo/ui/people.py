"""Who is at the screen: of a page that runs, and of a request to one of our routes."""

from __future__ import annotations

from starlette.requests import Request

from geo.access import Person, Role
from geo.ui.library import get_library


def page_person() -> Person:
    """Return who the page that runs now is for."""
    return _local()


def request_person(request: Request) -> Person:
    """Return whose request it is."""
    return _local()


def _local() -> Person:
    """Return the person at this PC, who may everything."""
    return Person(get_library().settings.who, Role.ADMIN)
