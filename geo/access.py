"""Who may what: the roles, the right each act on a store needs, and what is written down of it.

A store itself lets anybody do anything: whoever can open the file may. Pages and routes therefore never hold one, but
what `guarded` makes of it for the person who asks.
"""

from __future__ import annotations

import dataclasses
import inspect
import logging
import unicodedata
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypeVar, cast

from geo.errors import SiteMapError

log = logging.getLogger(__name__)


class AccessError(SiteMapError):
    """Somebody asked for what their role does not allow; nothing was changed, and it is in the audit list."""


class SignInError(AccessError):
    """Nobody is signed in, or not in a way that can be believed."""


class RoleError(SiteMapError, ValueError):
    """A change of roles that would lock people out."""


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


class Right(StrEnum):
    """What an act takes."""

    VIEW = "view"
    EDIT = "edit"
    ADMINISTER = "administer"

    @property
    def role(self) -> Role:
        """The least role that has it."""
        return {
            Right.VIEW: Role.VIEWER,
            Right.EDIT: Role.EDITOR,
            Right.ADMINISTER: Role.ADMIN,
        }[self]


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


# ---- what the methods of a store take ---------------------------------------------------------------------------


def _each(right: Right, names: str) -> dict[str, Right]:
    return dict.fromkeys(names.split(), right)


RIGHTS: Mapping[str, Right] = {
    **_each(
        Right.VIEW,
        "data_version read_sites read_snapshot query_sites site history statement_changes corrections "
        "last_correction read_some imports claims meta notes count_sites",
    ),
    **_each(
        Right.EDIT,
        "save_sites update_site update_sites add_correction undo_correction import_sites undo_import save_claims "
        "set_note drop_note",
    ),
    **_each(Right.ADMINISTER, "members role_of set_member audit backup check"),
}
"""The methods of a store that a person may call, and what each takes. What is not here nobody may."""
_QUIET = frozenset({"members", "role_of", "audit", "set_member"})
"""Acts of administrators that are not written down here: they only look, or the store writes them down itself."""


@dataclass(frozen=True, slots=True)
class Access:
    """A person who acts, and how to find out what they may: it is asked anew each time.

    Parameters
    ----------
    name
        Whose name everything carries.
    role
        Returns the role this person has now.
    write_down
        Adds a line to the audit list.
    """

    name: str
    role: Callable[[], Role]
    write_down: Callable[[AuditEntry], None]

    def person(self) -> Person:
        """Return the person with the role of this moment."""
        return Person(self.name, self.role())

    def require(self, right: Right, action: str, target: str = "") -> None:
        """Let an act pass, or write down that it was refused.

        Raises
        ------
        AccessError
            If the person's role of this moment does not include the right.
        """
        role = self.role()
        if role.includes(right.role):
            return
        self.tell(action, target, allowed=False, detail=role.value)
        raise AccessError(
            f"this takes the role {right.role.value}, and yours is {role.value}: nothing was changed; "
            "ask an administrator"
        )

    def tell(self, action: str, target: str, *, allowed: bool, detail: str = "") -> None:
        """Add a line to the audit list; one that cannot be kept is in the log at least."""
        entry = AuditEntry(datetime.now(UTC), self.name, action, target, allowed, detail)
        if not allowed:
            log.warning("refused: %r asked for %s of %r (%s)", self.name, action, target, detail)
        try:
            self.write_down(entry)
        except SiteMapError:
            log.exception("this could not be added to the audit list: %s", entry)


StoreT = TypeVar("StoreT")


def guarded(store: StoreT, access: Access) -> StoreT:
    """Return a store as one person may use it; to those who call it, it looks like the store itself.

    Each call asks for the right of its method in `RIGHTS` at that moment; a method that is not there is refused to
    everybody. Whatever name a caller gives as `who`, alone or in what it hands over, becomes the person's own.

    Parameters
    ----------
    store
        Any store.
    access
        The person.
    """
    return cast("StoreT", GuardedStore(store, access))


class GuardedStore:
    """See `guarded`."""

    __slots__ = ("_access", "_store")

    def __init__(self, store: object, access: Access) -> None:
        self._store, self._access = store, access

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("__"):
            raise AttributeError(name)
        right = RIGHTS.get(name)
        if right is None:
            self._access.tell(name, "", allowed=False, detail="nobody may")
            raise AccessError(f"nobody may ask for {name} here: nothing was changed")
        method = getattr(self._store, name)
        signature = inspect.signature(method)

        def act(*args: Any, **named: Any) -> Any:
            call = signature.bind(*args, **named)
            target = _target(call.arguments)
            self._access.require(right, name, target)
            if "who" in signature.parameters:
                call.arguments["who"] = self._access.name
            for key, value in call.arguments.items():
                call.arguments[key] = _signed(value, self._access.name)
            answer = method(*call.args, **call.kwargs)
            if right is Right.ADMINISTER and name not in _QUIET:
                self._access.tell(name, target, allowed=True)
            return answer

        return act


def _signed(value: Any, who: str) -> Any:
    """Return a value with every `who` in it, one level down, made this person's."""
    if isinstance(value, list | tuple) and any(_has_who(one) for one in value):
        return [_signed(one, who) for one in value]
    return dataclasses.replace(value, who=who) if _has_who(value) else value


def _has_who(value: object) -> bool:
    return (
        dataclasses.is_dataclass(value)
        and not isinstance(value, type)
        and any(field.name == "who" for field in dataclasses.fields(value))
    )


_NAMED = ("site_id", "correction_id", "import_id", "key", "name", "target")
_SHOWN = 5


def _target(arguments: Mapping[str, Any]) -> str:
    """Return what a call is about, in a few words: an id, some ids, or how many."""
    for name in _NAMED:
        if name in arguments:
            return str(arguments[name])
    for value in arguments.values():
        if hasattr(value, "site_id") and isinstance(value.site_id, str):
            return value.site_id
        if isinstance(value, list | tuple) and value:
            return _some([str(getattr(one, "site_id", "")) for one in value])
    return ""


def _some(ids: Sequence[str]) -> str:
    shown = [one for one in ids[:_SHOWN] if one]
    return ", ".join(shown) + (f" … ({len(ids)})" if len(ids) > len(shown) else "")


# ---- giving roles -----------------------------------------------------------------------------------------------


def refuse_lockout(
    members: Mapping[str, Role], admins: Collection[str], *, who: str, name: str, role: Role
) -> None:
    """Refuse a role that would change nothing, or after which nobody could give roles any more.

    Parameters
    ----------
    members
        The role of each person who was given one.
    admins
        Who is an administrator by the settings, whatever the list says.
    who, name, role
        Who gives whom which role.

    Raises
    ------
    RoleError
        If it is one's own administrator's role, the last one, or one that the settings give.
    """
    if name in admins:
        raise RoleError("this person is an administrator by BAITA_ADMINS: change it there")
    if role is Role.ADMIN or members.get(name) is not Role.ADMIN:
        return
    if name == who:
        raise RoleError("nobody takes the administrator's role from themselves: ask another one")
    others = [one for one, held in members.items() if held is Role.ADMIN and one != name]
    if not others and not admins:
        raise RoleError("this is the last administrator: make another one first")


MAX_NAME = 200


def clean_name(text: str) -> str:
    """Return a person's name as it is compared and kept, or "" if it cannot be one.

    Letter case counts but in addresses of mail; what cannot be seen does not make another name.
    """
    name = unicodedata.normalize("NFC", text.strip())
    if not name or len(name) > MAX_NAME or not name.isprintable():
        return ""
    return name.casefold() if "@" in name else name
