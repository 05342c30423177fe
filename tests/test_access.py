"""Who may what: every method of a store has its right, a role is asked at each call, and a name cannot be borrowed."""

import inspect
import shutil
from datetime import UTC, datetime

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from geo.access import (
    RIGHTS,
    Access,
    AccessError,
    Right,
    Role,
    RoleError,
    clean_name,
    guarded,
    refuse_lockout,
)
from geo.errors import StoreError
from geo.placing import place_site, undo_place
from geo.site import Correction, Precision
from geo.store import GeoPackageStore, SiteStore, open_store
from geo.store.postgis import PostgisStore

INTERNAL = set(
    "close set_meta write_down path structure_faults refuse_damaged keep_backup_before_import copy_to "
    "makes_tiles".split()
)
"""What no person calls: what opens a store fills, looks after and closes it; the audit list is nobody's to write."""
HONGFEI = "prj-hongfei"


@pytest.fixture
def store(filled_stores, tmp_path):
    path = shutil.copy(filled_stores / "baita.gpkg", tmp_path / "baita.gpkg")
    with open_store(path) as opened:
        yield opened


def _as(store, role, name="王工"):
    """A store as somebody of a role sees it; the role may be a list that is changed meanwhile."""
    held = role if isinstance(role, list) else [role]
    return guarded(store, Access(name, lambda: held[-1], store.write_down))


def _public(kind):
    return {name for name, _ in inspect.getmembers(kind) if not name.startswith("_")}


def _refused(store):
    return [(one.who, one.action, one.target) for one in store.audit() if not one.allowed]


# ---- the table -------------------------------------------------------------------------------------------------


def test_every_method_of_a_store_has_its_right_or_is_nobodys():
    assert (_public(GeoPackageStore) | _public(PostgisStore)) - set(RIGHTS) == INTERNAL
    assert set(RIGHTS) <= _public(SiteStore)
    assert not INTERNAL & set(RIGHTS)


def test_whatever_takes_a_name_is_no_reading():
    """A method that says who did it changes something."""
    for name, right in RIGHTS.items():
        method = getattr(GeoPackageStore, name, None)
        if method is not None and "who" in inspect.signature(method).parameters:
            assert right is not Right.VIEW, name


@pytest.mark.parametrize("name", sorted(RIGHTS))
@pytest.mark.parametrize("role", list(Role))
def test_a_method_is_called_by_those_who_may_and_by_nobody_else(name, role):
    called, told = [], []

    class _Store:
        def __getattr__(self, asked):
            def method(x=0):
                called.append(asked)
                return 7

            return method

    one = guarded(_Store(), Access("王工", lambda: role, told.append))
    if role.includes(RIGHTS[name].role):
        assert getattr(one, name)() == 7
        assert called == [name]
        assert all(entry.allowed for entry in told)
    else:
        with pytest.raises(AccessError):
            getattr(one, name)()
        assert called == []
        assert [(entry.who, entry.action, entry.allowed) for entry in told] == [
            ("王工", name, False)
        ]


@pytest.mark.parametrize("name", ["close", "write_down", "_connections", "path", "no_such_method"])
def test_what_is_not_in_the_table_nobody_may(store, name):
    one = _as(store, Role.ADMIN)
    with pytest.raises(AccessError):
        getattr(one, name)
    assert _refused(store) == [("王工", name, "")]


def test_a_guarded_store_cannot_be_given_another_method(store):
    one = _as(store, Role.VIEWER)
    with pytest.raises(AttributeError):
        one.update_site = None


# ---- what a refusal is -----------------------------------------------------------------------------------------


def test_a_viewers_change_is_refused_written_down_and_changes_nothing(store):
    version, one = store.data_version(), _as(store, Role.VIEWER)
    seen = one.site(HONGFEI)
    with pytest.raises(AccessError, match="editor"):
        one.update_site(HONGFEI, {"note": "x"}, version=int(seen["version"]), who="林工")
    assert store.data_version() == version
    assert _refused(store) == [("王工", "update_site", HONGFEI)]
    [entry] = store.audit()
    assert entry.detail == "viewer"
    assert abs((datetime.now(UTC) - entry.at).total_seconds()) < 60


def test_the_domain_is_refused_as_its_store_is(store):
    one = _as(store, Role.VIEWER)
    with pytest.raises(AccessError):
        place_site(one, HONGFEI, 123.17, 41.26, "wgs84", who="林工")
    assert store.corrections() == []
    assert _refused(store) == [("王工", "add_correction", HONGFEI)]


def test_an_editor_who_becomes_a_viewer_stops_at_once(store):
    held = [Role.EDITOR]
    one = _as(store, held)
    place_site(one, HONGFEI, 123.17, 41.26, "wgs84", who="-")
    held.append(Role.VIEWER)
    with pytest.raises(AccessError):
        undo_place(one, "-")
    assert len(store.corrections()) == 1
    held.append(Role.NONE)
    with pytest.raises(AccessError):
        one.read_sites()


def test_a_refusal_holds_even_where_it_cannot_be_written_down(store):
    def full(entry):
        raise StoreError("the disk is full")

    one = guarded(store, Access("王工", lambda: Role.VIEWER, full))
    with pytest.raises(AccessError):
        one.set_note("scheme:1", "x")
    assert store.notes("scheme:") == {}


# ---- whose name ------------------------------------------------------------------------------------------------


def test_a_change_carries_the_name_of_the_person_whatever_the_caller_says(store):
    one = _as(store, Role.EDITOR)
    version = int(store.site(HONGFEI)["version"])
    one.update_site(HONGFEI, {"note": "停工"}, version=version, who="局长")
    assert {change.who for change in store.history(HONGFEI) if change.field == "note"} == {"王工"}


def test_a_correction_carries_it_too(store):
    one = _as(store, Role.EDITOR)
    point = shapely.Point(123.17, 41.26)
    at = datetime(2026, 3, 1, tzinfo=UTC)
    forged = Correction(
        HONGFEI, "project", "x", point, Precision.POI, 50.0, "局长", at, 123.17, 41.26, "wgs84"
    )
    one.add_correction(forged)
    assert [each.who for each in store.corrections()] == ["王工"]


def test_what_an_administrator_does_is_written_down_once(store, tmp_path):
    one = _as(store, Role.ADMIN, "林工")
    one.set_member("王工", Role.EDITOR, who="局长")
    one.backup(tmp_path / "copy.gpkg")
    one.members()
    assert [(each.who, each.action, each.allowed) for each in store.audit()] == [
        ("林工", "backup", True),
        ("林工", "set_member", True),
    ]


def test_an_import_of_a_viewer_is_refused_before_anything_is_kept(store):
    one = _as(store, Role.VIEWER)
    sites = store.read_sites()
    with pytest.raises(AccessError):
        one.import_sites(sites, name="通报.txt", who="林工")
    assert _refused(store) == [("王工", "import_sites", "通报.txt")]


# ---- names and roles -------------------------------------------------------------------------------------------


@given(st.text())
def test_a_clean_name_stays_clean_and_can_be_seen(text):
    name = clean_name(text)
    assert clean_name(name) == name
    assert name.isprintable()
    assert name == name.strip()


def test_names_that_look_alike_are_one_or_none():
    assert clean_name(" Lin@Example.COM ") == "lin@example.com"
    assert clean_name("林\u200b工") == ""
    assert clean_name("a\nb") == ""
    assert clean_name("é") == clean_name("e\u0301")
    assert clean_name("x" * 201) == ""
    assert clean_name("Wang") != clean_name("wang")


ONE = {"林工": Role.ADMIN, "王工": Role.EDITOR}
TWO = ONE | {"周工": Role.ADMIN}


@pytest.mark.parametrize(
    ("members", "admins", "who", "name", "role", "why"),
    [
        (ONE, (), "林工", "林工", Role.EDITOR, "themselves"),
        (TWO, (), "林工", "林工", Role.NONE, "themselves"),
        (ONE, (), "root", "林工", Role.VIEWER, "last"),
        (ONE, ("root",), "root", "root", Role.VIEWER, "BAITA_ADMINS"),
    ],
)
def test_nobody_locks_the_administrators_out_by_accident(members, admins, who, name, role, why):
    with pytest.raises(RoleError, match=why):
        refuse_lockout(members, admins, who=who, name=name, role=role)


@pytest.mark.parametrize(
    ("members", "admins", "who", "name", "role"),
    [
        (TWO, (), "林工", "周工", Role.NONE),
        (ONE, ("root",), "root", "林工", Role.NONE),
        (ONE, (), "林工", "林工", Role.ADMIN),
        (ONE, (), "林工", "王工", Role.NONE),
        ({}, (), "林工", "新人", Role.ADMIN),
    ],
)
def test_other_roles_are_given(members, admins, who, name, role):
    refuse_lockout(members, admins, who=who, name=name, role=role)
