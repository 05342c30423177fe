"""Many sites are changed in one go: what nobody else has touched since, and nothing of the rest."""

from datetime import date

import pytest
from store_samples import sites_of

from geo.errors import CategoryError
from geo.site import SiteUpdate


@pytest.fixture
def store(store):
    store.save_sites(sites_of(4), who="林工")
    return store


def test_sites_changed_meanwhile_and_sites_that_are_gone_are_named_and_left(store):
    store.update_site("s1", {"status": "partial"}, version=1, who="王工")
    updates = [SiteUpdate(f"s{n}", 1, {"status": "resumed"}) for n in (0, 1, 2, 9)]
    report = store.update_sites(updates, who="林工")
    assert report.versions == {"s0": 2, "s2": 2}
    assert (report.conflicting, report.missing) == (("s1",), ("s9",))
    statuses = store.read_sites()["status"].tolist()
    assert statuses == ["resumed", "partial", "resumed", "stopped"]
    assert [c.who for c in store.history("s2") if c.field == "status"] == ["林工"]


def test_one_value_that_cannot_be_leaves_all_as_they_were(store):
    before = store.data_version()
    updates = [
        SiteUpdate("s0", 1, {"status": "resumed"}),
        SiteUpdate("s1", 1, {"status": "flying"}),
    ]
    with pytest.raises(CategoryError):
        store.update_sites(updates, who="林工")
    assert store.data_version() == before


def test_what_was_stated_before_is_told_in_order(store):
    store.update_site(
        "s0", {"status": "partial", "as_of": date(2020, 3, 18)}, version=1, who="林工"
    )
    store.update_site("s0", {"status": "resumed", "street": "南门街道"}, version=2, who="林工")
    changes = store.statement_changes()
    assert changes.to_dict("records") == [
        {"site_id": "s0", "version": 2, "field": "status", "old": "stopped"},
        {"site_id": "s0", "version": 2, "field": "as_of", "old": "2020-03-11"},
        {"site_id": "s0", "version": 3, "field": "status", "old": "partial"},
    ]


def test_sites_are_counted_without_being_read(store):
    assert store.count_sites() == 4
    store.save_sites(sites_of(6), who="林工")
    assert store.count_sites() == 6
