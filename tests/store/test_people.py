"""Roles and the audit list are kept, and no map changes with them."""

from datetime import UTC, datetime

import pytest

from geo.access import AuditEntry, Role
from geo.errors import StoreError


def test_the_last_role_given_holds_and_no_map_changes_with_it(store):
    version = store.data_version()
    store.set_member("林工", Role.EDITOR, who="admin")
    store.set_member("王工", Role.VIEWER, who="admin")
    store.set_member("林工", Role.VIEWER, who="admin")
    assert store.members() == {"林工": Role.VIEWER, "王工": Role.VIEWER}
    assert store.data_version() == version


def test_giving_a_role_is_in_the_audit_list_newest_first(store):
    store.set_member("林工", Role.EDITOR, who="admin")
    refused = AuditEntry(
        datetime(2026, 3, 1, tzinfo=UTC), "王工", "update_site", "s1", False, "viewer"
    )
    store.write_down(refused)
    newest, first = store.audit()
    assert newest == refused
    assert (first.who, first.action, first.target, first.allowed, first.detail) == (
        *("admin", "set_member", "林工", True),
        "editor",
    )
    assert store.audit(1) == [refused]


def test_a_person_without_a_name_is_refused(store):
    with pytest.raises(StoreError):
        store.set_member("  ", Role.EDITOR, who="admin")
    assert store.members() == {}
    assert store.audit() == []


def test_a_role_includes_those_below_it():
    assert Role.ADMIN.includes(Role.EDITOR)
    assert Role.EDITOR.includes(Role.EDITOR)
    assert not Role.VIEWER.includes(Role.EDITOR)
    assert not Role.NONE.includes(Role.VIEWER)
