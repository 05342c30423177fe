"""The system's clock is put back or forward: nothing is lost, and order is what was done, not what the clock said."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from geo import access, drafts, editing, placing
from geo.drafts import Desk
from geo.editing import Steps, edit_sites, undo_step
from geo.placing import place_site, undo_place
from geo.store import _sites, backups
from geo.store.backups import KEPT, Why, keep_backup, keep_daily, list_backups
from geo.timeline import Timeline

NOW = datetime(2026, 3, 11, 12, tzinfo=UTC)
BATTERY = datetime(2000, 1, 1, tzinfo=UTC)  # what a PC says whose battery is empty
FAR = datetime(2038, 1, 19, 3, 14, 8, tzinfo=UTC)
SITE = "prj-hongfei"
SetClock = Callable[[datetime], None]


@pytest.fixture
def set_clock(monkeypatch) -> SetClock:
    """Put the clock of all that writes down when something was done."""
    said = [NOW]

    class _Clock(datetime):
        @classmethod
        def now(cls, tz=None):
            said[0] += timedelta(seconds=1)
            return said[0].astimezone(tz)

    for module in (_sites, backups, placing, editing, access, drafts):
        monkeypatch.setattr(module, "datetime", _Clock)

    def put(moment: datetime) -> None:
        said[0] = moment

    return put


def _note(store, library, words, steps=None):
    step_id = steps.next_id() if steps else 1
    report = edit_sites(
        store,
        store.read_some([SITE]),
        {"note": words},
        who="lin",
        step_id=step_id,
        categories=library.categories,
    )
    if steps:
        steps.did(report.step)
    return report.step


def test_history_and_undo_follow_what_was_done(own_library, set_clock):
    store, steps = own_library.store("bulletin"), Steps()
    before = store.site(SITE)["note"]
    clocks = [NOW, BATTERY, FAR, NOW + timedelta(days=1)]
    for number, moment in enumerate(clocks):
        set_clock(moment)
        _note(store, own_library, f"n{number}", steps)
    notes = [one for one in store.history(SITE) if one.field == "note"]
    assert [one.new for one in notes] == ["n3", "n2", "n1", "n0"]
    assert [one.at.year for one in notes] == [2026, 2038, 2000, 2026], "told as it was written down"
    set_clock(BATTERY)
    for wanted in ("n2", "n1", "n0", before):
        step = steps.to_undo()
        report = undo_step(store, step, who="lin", categories=own_library.categories)
        assert not report.left
        steps.took_back(step, report.step)
        assert store.site(SITE)["note"] == wanted
    assert store.check() == []


def test_the_last_placing_is_taken_back_first_whatever_the_clock_says(own_library, set_clock):
    store = own_library.store("bulletin")
    for moment, x in ((NOW, 123.17), (FAR, 123.171), (BATTERY, 123.172)):
        set_clock(moment)
        place_site(store, SITE, x, 41.26, "wgs84", who="lin")
    assert store.site(SITE)["raw_x"] == pytest.approx(123.172)
    for left in (123.171, 123.17):
        undo_place(store, "lin")
        assert store.site(SITE)["raw_x"] == pytest.approx(left)
    undo_place(store, "lin")
    assert store.site(SITE)["precision"] == "none"


@pytest.mark.parametrize("moment", [BATTERY, FAR])
def test_what_was_the_case_on_a_day_does_not_ask_the_clock(own_library, set_clock, moment):
    store = own_library.store("bulletin")

    def days():
        sites = store.read_sites()
        return Timeline(sites, store.statement_changes(), own_library.categories).days

    before, version = days(), store.data_version()
    set_clock(moment)
    _note(store, own_library, "x")
    assert days() == before
    # Pages follow a version that only counts up.
    assert int(store.data_version().split("-")[0]) > int(version.split("-")[0])


def test_a_copy_made_under_a_clock_that_was_put_back_is_not_the_first_to_go(own_library, set_clock):
    store = own_library.store("bulletin")
    for hour in range(KEPT[Why.IMPORT]):
        _note(store, own_library, f"n{hour}")
        keep_backup(store, Why.IMPORT, now=NOW + timedelta(hours=hour))
    set_clock(BATTERY)
    _note(store, own_library, "after the battery")
    made = keep_backup(store, Why.IMPORT)
    assert made is not None
    assert made.path.exists()
    kept = [one for one in list_backups(store.path) if one.why == Why.IMPORT]
    assert len(kept) == KEPT[Why.IMPORT]
    assert kept[-1] == made
    again = keep_backup(store, Why.HAND)
    assert again.path.exists()


def test_a_copy_from_the_future_does_not_crowd_out_the_days(own_library, set_clock):
    """One hour with the wrong year, and the copies of fourteen days would be of one afternoon."""
    store = own_library.store("bulletin")
    _note(store, own_library, "ahead")
    assert keep_daily(store, now=FAR) is not None
    made = []
    for hour in range(0, 72):
        _note(store, own_library, f"n{hour}")
        made.append(keep_daily(store, now=NOW + timedelta(hours=hour)))
    assert sum(one is not None for one in made) == 3
    assert [hour for hour, one in enumerate(made) if one] == [0, 24, 48]


def test_a_name_that_only_looks_like_a_copy_of_a_moment_is_left_alone(own_library):
    store = own_library.store("bulletin")
    backups.backup_folder(store.path).mkdir(exist_ok=True)
    odd = backups.backup_folder(store.path) / "baita-20269999-990000-hand.gpkg"
    odd.write_bytes(b"mine")
    assert odd not in [one.path for one in list_backups(store.path)]
    assert keep_backup(store, Why.HAND) is not None
    assert odd.read_bytes() == b"mine"


@pytest.mark.parametrize("moment", [BATTERY, FAR])
def test_a_draft_waits_whatever_the_clock_said_when_it_came(
    own_library, set_clock, tmp_path, moment
):
    def desk():
        return Desk(
            own_library.store("bulletin"),
            own_library.settings,
            own_library.categories,
            tmp_path / "drafts",
            who="lin",
        )

    first = desk().receive("一.txt", "甲公司已复工。".encode())
    set_clock(moment)
    second = desk().receive("二.txt", "乙公司已复工。".encode())
    set_clock(NOW)
    waiting = {one.draft_id for one in desk().drafts()}
    assert waiting == {first.draft_id, second.draft_id}
    desk().parse(second.draft_id)
    assert {one.draft_id for one in desk().drafts()} == waiting
