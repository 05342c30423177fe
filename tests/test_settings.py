from datetime import date
from pathlib import Path

import pytest

from geo.access import Role
from geo.errors import SiteMapError
from geo.settings import ROOT, load_settings


def test_an_address_with_a_password_is_not_shown():
    settings = load_settings({"BAITA_STORE": "postgresql://me:secret@host/db"})
    assert settings.store.endswith("secret@host/db")
    assert "secret" not in repr(settings)


def test_without_any_variable_everything_has_a_default_inside_the_project():
    settings = load_settings({})
    assert Path(settings.store) == ROOT / ".baita" / "baita.gpkg"
    assert settings.data == ROOT / "data"
    assert (settings.adcode, settings.language) == ("211002", "zh")
    assert settings.who


def test_an_empty_variable_counts_as_absent():
    names = ("BAITA_STORE", "BAITA_DATA", "BAITA_ADCODE", "BAITA_WHO", "BAITA_LANGUAGE")
    assert load_settings(dict.fromkeys(names, " ")) == load_settings({})


def test_each_variable_is_taken():
    env = {
        "BAITA_STORE": "postgresql://db/baita",
        "BAITA_DATA": str(ROOT / "data"),
        "BAITA_ADCODE": "211003",
        "BAITA_WHO": " 林 ",
        "BAITA_LANGUAGE": "en",
        "BAITA_PUBLIC_MAP": "/maps/approved.gpkg",
        "BAITA_PUBLIC_MAP_APPROVAL": "辽S(2026)1号",
        "BAITA_PUBLIC_MAP_UNTIL": "2027-12-31",
    }
    settings = load_settings(env)
    assert settings.store == "postgresql://db/baita"
    assert (settings.adcode, settings.who, settings.language) == ("211003", "林", "en")
    assert settings.public_map == Path("/maps/approved.gpkg").resolve()
    assert (settings.approval, settings.approved_until) == ("辽S(2026)1号", date(2027, 12, 31))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BAITA_ADCODE", "白塔区"),
        ("BAITA_ADCODE", "21100"),
        ("BAITA_ADCODE", "２１１００２"),
        ("BAITA_DATA", "/no/such/folder"),
        ("BAITA_LANGUAGE", "fr"),
        ("BAITA_STORE", "/data/demo.gpkg"),
        ("BAITA_STORE", "gpkg:demo/demo.gpkg"),
        ("BAITA_PUBLIC_MAP_UNTIL", "next year"),
        ("BAITA_SIGN_IN", "password"),
        ("BAITA_SIGN_IN_HEADER", "X-User: root"),
        ("BAITA_DEFAULT_ROLE", "editor"),
        ("BAITA_ADMINS", "lin, a\u200bb"),
    ],
)
def test_a_value_that_cannot_be_used_is_named_with_what_may_be_written(name, value):
    with pytest.raises(SiteMapError, match=name):
        load_settings({name: value})


def test_a_computer_without_a_user_name_still_starts(monkeypatch):
    def _no_user():
        raise KeyError("uid")

    monkeypatch.setattr("getpass.getuser", _no_user)
    assert load_settings({}).who == "unknown"


def test_on_one_pc_nobody_signs_in():
    settings = load_settings({})
    assert (settings.sign_in, settings.admins, settings.default_role) == ("", (), Role.VIEWER)


def test_a_proxy_needs_a_secret_that_cannot_be_guessed():
    for secret in ("", "short", "一个不是ASCII的很长很长很长很长的口令"):
        with pytest.raises(SiteMapError, match="BAITA_PROXY_SECRET"):
            load_settings({"BAITA_SIGN_IN": "header", "BAITA_PROXY_SECRET": secret})
    env = {"BAITA_SIGN_IN": "header", "BAITA_PROXY_SECRET": "x" * 16}
    settings = load_settings(env | {"BAITA_ADMINS": "林工, Lin@Example.org ,"})
    assert (settings.sign_in, settings.sign_in_header) == ("header", "X-Forwarded-User")
    assert settings.admins == ("林工", "lin@example.org")
    # What is printed of the settings, as in a log, does not tell it.
    assert "x" * 16 not in repr(settings)
