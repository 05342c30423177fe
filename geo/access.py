"""Who may what: the roles, the right each action needs, and what is written down of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from geo.errors import SiteMapError


class AccessError(SiteMapError):
    """Somebody asked for what their role does not allow; nothing was changed, and it is in the audit list."""


class Role(StrEnum):
    """What a person is here, least first. Each may what those before it may."""

    NONE = "none"
    VIEWER = "viewer"
    EDITOR = "editor"
    ADMIN = "admin"

    def includes(self, other: Role) -> bool:
        """Return whether this role may all that the other one may."""
        order = tuple(Role)
        return order.index(self) >= order.index(other)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody at the screen: the name changes carry, and the role they had when they came."""

    name: str
    role: Role


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One line of the audit list: who asked for what, of which thing, and whether it was allowed. `at` is UTC."""

    at: datetime
    who: str
    action: str
    target: str
    allowed: bool
    detail: str = ""
