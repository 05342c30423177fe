"""Two app processes on one PostGIS store: what one person changes in one, another sees in the other within 2 s."""

import time
from collections.abc import Iterator

import psycopg
import pytest
from driver import Server, start_server

pytestmark = pytest.mark.browser

SITE, WITHIN_S = "prj-hongfei", 2.0


@pytest.fixture(scope="module")
def url(postgis_url: str) -> Iterator[str]:
    joint = "&" if "?" in postgis_url else "?"
    yield f"{postgis_url}{joint}schema=two_apps"
    with psycopg.connect(postgis_url, autocommit=True) as db:
        db.execute("DROP SCHEMA IF EXISTS two_apps CASCADE")


@pytest.fixture(scope="module")
def first(url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    yield from start_server(tmp_path_factory.mktemp("first"), BAITA_STORE=url, BAITA_WHO="林工")


@pytest.fixture(scope="module")
def second(first: Server, url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    yield from start_server(tmp_path_factory.mktemp("second"), BAITA_STORE=url, BAITA_WHO="王工")


def test_an_edit_in_one_app_is_seen_in_the_other_within_two_seconds(open_tab, first, second):
    mine, theirs = open_tab(first), open_tab(second)
    mine.choose(SITE)
    theirs.choose(SITE)
    for note in ("甲方已到场", "乙方已到场", "丙方已到场"):
        mine.js(
            "note => baita.post('edit', { site_id: baita.detail.site.site_id,"
            " version: baita.detail.site.version, values: { note } })",
            note,
        )
        mine.until("note => baita.detail.node.textContent.includes(note)", note)
        began = time.monotonic()
        theirs.until("note => baita.detail.node.textContent.includes(note)", note)
        assert time.monotonic() - began < WITHIN_S
        assert "林工" in theirs.frame.locator(".detail .history").text_content()
    theirs.js(
        "() => baita.post('edit', { site_id: baita.detail.site.site_id,"
        " version: baita.detail.site.version, values: { note: '王工写的' } })"
    )
    theirs.until("baita.detail.node.textContent.includes('王工写的')")
    began = time.monotonic()
    mine.until("baita.detail.node.textContent.includes('王工写的')")
    assert time.monotonic() - began < WITHIN_S
