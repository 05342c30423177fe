from datetime import UTC, datetime, timedelta

import shapely

from geo.locate.corrections import Corrections
from geo.site import Correction, SiteRecord, Source, make_site_id

NOON = datetime(2020, 3, 11, 12, tzinfo=UTC)


def _correction(x, *, site_id="s1", kind="project", name="建行大厦", hours=0, number=1):
    return Correction(
        site_id=site_id,
        kind=kind,
        name=name,
        geometry=shapely.Point(x, 41.26),
        precision="poi",
        uncertainty_m=50,
        who="lin",
        at=NOON + timedelta(hours=hours),
        x=x,
        y=41.26,
        datum="wgs84",
        correction_id=number,
    )


def _record(name="建行大厦", *, site_id="s1", kind="project"):
    return SiteRecord(kind, name, "unverified", Source("test.csv"), site_id=site_id)


def _x(corrections, record):
    match = Corrections(corrections).locate(record)
    return None if match is None else match.raw_x


def test_a_correction_answers_for_its_site_with_full_score():
    match = Corrections([_correction(123.1)]).locate(_record())
    assert match.geometry == shapely.Point(123.1, 41.26)
    assert (match.method, match.score, match.raw_datum) == ("correction", 100.0, "wgs84")


def test_the_newest_correction_holds_in_whatever_order_they_come():
    old, new = _correction(123.1), _correction(123.2, hours=1, number=2)
    assert _x([old, new], _record()) == _x([new, old], _record()) == 123.2


def test_of_two_at_one_tick_the_one_the_store_numbered_later_holds():
    assert _x([_correction(123.2, number=2), _correction(123.1, number=1)], _record()) == 123.2


def test_a_renamed_site_keeps_its_correction_by_its_id():
    assert _x([_correction(123.1)], _record("建设银行大厦")) == 123.1


def test_a_source_without_ids_finds_the_correction_by_kind_and_name():
    anonymous = _record("白塔区 建行大厦", site_id="")
    assert _x([_correction(123.1)], anonymous) == 123.1
    derived = make_site_id("project", "建行大厦")
    assert _x([_correction(123.1, site_id=derived)], _record(site_id="office-7")) == 123.1


def test_two_sites_that_a_source_keeps_apart_stay_apart_under_one_name():
    assert _x([_correction(123.1, site_id="s1")], _record(site_id="s2")) is None


def test_another_kind_or_name_knows_nothing():
    assert _x([_correction(123.1)], _record(kind="enterprise", site_id="")) is None
    assert _x([_correction(123.1)], _record("建行大楼", site_id="")) is None
    assert _x([], _record()) is None
