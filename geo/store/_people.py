"""Who has which role, and what was asked for by whom."""

from __future__ import annotations

from datetime import datetime

from geo.access import AuditEntry, Role
from geo.errors import StoreError
from geo.store._database import Database
from geo.store._rows import check_text
from geo.store._sites import Author

AUDIT_KEPT = 100_000
"""Lines of the audit list that are kept; older ones go."""


def roles(db: Database) -> dict[str, Role]:
    """Return the role of each person who was given one."""
    return {
        str(name): Role(role)
        for name, role in db.execute("SELECT name, role FROM members ORDER BY id")
    }


def role_of(db: Database, name: str) -> Role | None:
    """Return the role that one person was given, None for none."""
    row = db.execute("SELECT role FROM members WHERE name = ?", (name,)).fetchone()
    return None if row is None else Role(row[0])


def give_role(db: Database, name: str, role: Role, author: Author) -> None:
    """Give a person a role instead of the one before, and write that down.

    Raises
    ------
    StoreError
        If the name is empty or holds NUL.
    """
    if not check_text("the name of the person", name).strip():
        raise StoreError("a person needs a name")
    db.execute(
        "INSERT INTO members (name, role, set_by, at) VALUES (?, ?, ?, ?) ON CONFLICT (name)"
        " DO UPDATE SET role = excluded.role, set_by = excluded.set_by, at = excluded.at",
        (name, role.value, author.who, author.at),
    )
    at = datetime.fromisoformat(author.at)
    write_down(db, AuditEntry(at, author.who, "set_member", name, True, role.value))


def write_down(db: Database, entry: AuditEntry) -> None:
    """Add a line to the audit list."""
    texts = [entry.who, entry.action, entry.target, entry.detail]
    who, action, target, detail = (text.replace("\0", "")[:500] for text in texts)
    cells = (entry.at.isoformat(), who, action, target, int(entry.allowed), detail)
    db.execute(
        "INSERT INTO audit (at, who, action, target, allowed, detail) VALUES (?, ?, ?, ?, ?, ?)",
        cells,
    )
    db.execute("DELETE FROM audit WHERE id <= (SELECT max(id) FROM audit) - ?", (AUDIT_KEPT,))


def audit(db: Database, limit: int) -> list[AuditEntry]:
    """Return the newest lines of the audit list, newest first."""
    rows = db.execute(
        "SELECT at, who, action, target, allowed, detail FROM audit ORDER BY id DESC LIMIT ?",
        (limit,),
    )
    return [
        AuditEntry(datetime.fromisoformat(at), who, action, target, bool(allowed), detail)
        for at, who, action, target, allowed, detail in rows
    ]
