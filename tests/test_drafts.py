"""Drafts: what is read waits for a person, survives a restart, becomes one import, and nothing is lost on the way."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from model_server import ModelServer

from geo import drafts
from geo.category import load_categories
from geo.drafts import Desk, Draft, choice_key
from geo.errors import CategoryError, SchemaError, SourceError, StoreError
from geo.pipeline import prepare_store
from geo.read.endpoint import load_model
from geo.settings import load_settings
from geo.site import is_located, make_sites

CATEGORIES = load_categories()
TEXT = """截至2026年3月20日，白塔区重点企业50户，复工40户，复工率80%。

辽阳青松机械有限公司已全面复工复产。辽阳云岭食品有限公司尚未复工。星河商务中心、望塔大厦等项目要尽早开工。

重点推进星河商务中心建设。交警在新华路、武圣路对乱停车辆进行现场警告教育。
"""
TABLE = """白塔区企业复工情况统计表,,,,
序号,企业名称,复工情况,经度,纬度
1,辽阳青松机械有限公司,已复工,123.18,41.26
2,辽阳云岭食品有限公司,停工整顿,123.17,41.25
3,辽阳鸿宇晶体公司,未复工,,
合计,3,,,
"""


@pytest.fixture
def settings(tmp_path):
    return replace(load_settings({}), store=str(tmp_path / "baita.gpkg"), who="lin")


@pytest.fixture
def store(settings):
    with prepare_store(settings) as opened:
        yield opened


@pytest.fixture
def desk(store, settings, tmp_path):
    return Desk(store, settings, CATEGORIES, tmp_path / "drafts")


def _bulletin(desk, text=TEXT, **more):
    return desk.begin("通报.txt", text.encode(), **more)


def _table(desk, text=TABLE, name="复工表.csv"):
    return desk.begin(name, text.encode("gb18030"))


def _by_name(draft, name, status=""):
    [found] = [one for one in draft.items if one.name == name and one.status.startswith(status)]
    return found


# ---- bulletins --------------------------------------------------------------------------------------------


def test_a_bulletin_is_read_into_items_with_their_words(desk):
    draft = _bulletin(desk)
    assert draft.as_of == "2026-03-20"
    pine = _by_name(draft, "辽阳青松机械有限公司")
    assert (pine.kind, pine.status, pine.decision) == ("enterprise", "resumed", "accepted")
    a, b = pine.quote_span
    assert draft.raw[a:b] == pine.quote
    assert all(draft.raw[a:b] for a, b in pine.spans)
    assert _by_name(draft, "辽阳云岭食品有限公司").status == "stopped"
    assert {one.name for one in draft.items if one.kind == "parking"} == {"新华路", "武圣路"}


def test_what_is_said_twice_and_differently_waits_for_a_person(desk):
    draft = _bulletin(desk)
    both = [one for one in draft.items if one.name == "星河商务中心"]
    assert [one.decision for one in both] == ["open", "open"]
    assert all(one.conflict for one in both)
    draft = desk.edit(
        draft.draft_id, {"items": {one.number: {"decision": "accepted"} for one in both}}
    )
    read, comparison = desk.settled(draft)
    assert [one.name for one in comparison.conflicting] == ["星河商务中心"]
    assert not [one for one in read.records if one.name == "星河商务中心"]
    assert sum("星河商务中心" in one.message for one in read.problems) == 2
    assert read.rows == len(read.records) + len(read.problems)


def test_a_known_site_is_updated_and_a_new_one_is_added(desk, store):
    before = len(store.read_sites())
    report = desk.accept(_bulletin(desk).draft_id, who="lin")
    sites = store.read_sites().set_index("name")
    assert report.added == len(sites) - before
    assert report.rows == report.located + report.not_located + len(report.problems)
    # 新华路 was known: it keeps its id, its line and its note.
    assert sites.loc["新华路", "site_id"] == "road-xinhua"
    assert sites.loc["新华路", "as_of"].date() == date(2026, 3, 20)
    assert is_located(store.read_sites()).sum() == 1
    assert "辽阳青松机械有限公司" in sites.index


def test_what_is_open_stays_as_a_draft_and_the_rest_is_one_import(desk, store):
    draft = _bulletin(desk)
    before = store.read_sites().drop(columns="version")
    report = desk.accept(draft.draft_id, who="lin")
    [left] = desk.drafts()
    assert {one.name for one in left.items} == {"星河商务中心"}
    assert left.claims == ()
    store.undo_import(report.import_id, who="lin")
    assert store.read_sites().drop(columns="version").equals(before)


def test_every_figure_is_worked_out_again_and_kept_as_a_claim(desk, store):
    draft = _bulletin(desk)
    assert any(check.ok and "40/50" in check.expression for check in desk.checks(draft))
    desk.accept(draft.draft_id, who="lin")
    assert {(c.role, c.value) for c in store.claims() if c.source.file == "通报.txt"} >= {
        ("total", 50.0),
        ("resumed", 40.0),
        ("rate", 80.0),
    }


def test_a_person_can_change_every_field_of_an_item(desk):
    draft = _bulletin(desk)
    number = _by_name(draft, "望塔大厦").number
    fields = {
        "name": "望塔大厦二期", "kind": "project", "status": "building", "as_of": "2026-03-21",
        "place": "新华路", "street": "南门街道", "note": "现场看过", "decision": "accepted",
    }  # fmt: skip
    changed = desk.edit(draft.draft_id, {"items": {str(number): fields}})
    one = next(one for one in changed.items if one.number == number)
    assert {name: getattr(one, name) for name in fields} == fields
    record = next(r for r in desk.read(changed).records if r.name == "望塔大厦二期")
    assert (record.status, record.as_of, record.street) == (
        "building",
        date(2026, 3, 21),
        "南门街道",
    )
    assert record.source.quote == one.quote


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"status": "sunk"}, CategoryError),
        ({"kind": "ship"}, CategoryError),
        ({"decision": "maybe"}, SourceError),
        ({"name": "  "}, SourceError),
        ({"as_of": "soon"}, SourceError),
        ({"quote": "made up"}, SourceError),
        ({"number": "9"}, SourceError),
        ({"name": 7}, SourceError),
    ],
)
def test_an_edit_that_makes_no_sense_changes_nothing(desk, fields, error):
    draft = _bulletin(desk)
    with pytest.raises(error):
        desk.edit(draft.draft_id, {"items": {"0": fields}})
    assert desk.draft(draft.draft_id) == draft


def test_another_kind_brings_its_own_unknown_status(desk):
    draft = _bulletin(desk)
    number = _by_name(draft, "望塔大厦").number
    changed = desk.edit(draft.draft_id, {"items": {str(number): {"kind": "enterprise"}}})
    assert next(one for one in changed.items if one.number == number).status == "unverified"


def test_a_given_day_dates_what_the_text_does_not_and_decisions_stay(desk):
    text = TEXT.replace("截至2026年3月20日", "目前")
    draft = _bulletin(desk, text)
    assert draft.as_of == ""
    number = _by_name(draft, "望塔大厦").number
    desk.edit(
        draft.draft_id, {"items": {str(number): {"decision": "rejected", "as_of": "2026-01-02"}}}
    )
    dated = desk.edit(draft.draft_id, {"as_of": "2026-03-20"})
    assert dated.as_of == "2026-03-20"
    one = next(one for one in dated.items if one.number == number)
    assert (one.decision, one.as_of) == ("rejected", "2026-01-02")
    assert all(claim.as_of == date(2026, 3, 20) for claim in dated.claims)
    with pytest.raises(SourceError, match="not a day"):
        desk.edit(draft.draft_id, {"as_of": "tomorrow"})


def test_clicks_that_come_at_once_are_all_kept(desk, monkeypatch):
    draft = _bulletin(desk, TEXT.replace("2026年3月20日", ""), as_of=date(2026, 3, 20))
    numbers = [one.number for one in draft.items]
    slow = desk._redated

    def redated(*given):
        time.sleep(0.2)
        return slow(*given)

    monkeypatch.setattr(desk, "_redated", redated)
    with ThreadPoolExecutor(8) as pool:
        day = pool.submit(desk.edit, draft.draft_id, {"as_of": "2026-03-21"})
        time.sleep(0.05)
        for number in numbers:
            pool.submit(desk.edit, draft.draft_id, {"items": {number: {"decision": "rejected"}}})
    day.result()
    after = desk.draft(draft.draft_id)
    assert after.as_of == "2026-03-21"
    assert {one.decision for one in after.items} == {"rejected"}


def test_a_choice_makes_a_name_the_known_site(desk, store):
    draft = _bulletin(desk, "辽阳鸿宇晶体制品有限公司尚未复工。")
    [item] = draft.items
    desk.edit(draft.draft_id, {"items": {"0": {"same_as": "ent-hongyu", "decision": "accepted"}}})
    desk.accept(draft.draft_id, who="lin")
    assert store.site("ent-hongyu")["status"] == "stopped"
    assert item.name not in set(store.read_sites()["name"])


# ---- a model that is asked too ----------------------------------------------------------------------------

HIDDEN = "白塔社区的老作坊，一家叫云上糕点铺的小店，也悄悄开了门。"


def _said(name, quote, status="已复工"):
    return {"kind": "enterprise", "name": name, "status": status, "quote": quote}


@pytest.fixture
def model():
    with ModelServer([_said("云上糕点铺", "云上糕点铺的小店，也悄悄开了门")]) as server:
        yield server


@pytest.fixture
def asking(store, settings, tmp_path, model):
    return Desk(store, settings, CATEGORIES, tmp_path / "drafts", model=load_model(model.env))


def test_what_the_model_finds_more_waits_for_a_person_with_its_quote(asking, model):
    draft = _bulletin(asking, TEXT + HIDDEN, as_of=date(2026, 3, 20))
    assert "云上糕点铺" not in {one.name for one in draft.items}
    assert model.asked == []  # nothing leaves before somebody says so
    after, more = asking.ask_model(draft.draft_id)
    assert more == 1
    assert after.items[:-1] == draft.items
    found = after.items[-1]
    assert (found.name, found.status, found.decision) == ("云上糕点铺", "resumed", "open")
    assert (found.needs_look, found.as_of) == (True, "2026-03-20")
    assert after.raw[slice(*found.quote_span)] == found.quote
    assert asking.draft(draft.draft_id) == after
    [sent] = model.asked
    assert sent["messages"][1]["content"] == TEXT + HIDDEN


def test_what_the_rules_have_found_is_not_found_again_whatever_was_decided(asking, model):
    draft = _bulletin(asking)
    one = _by_name(draft, "辽阳青松机械有限公司")
    asking.edit(draft.draft_id, {"items": {one.number: {"decision": "rejected"}}})
    model.records = [_said(one.name, "辽阳青松机械有限公司已全面复工复产", "未复工")]
    after, more = asking.ask_model(draft.draft_id)
    assert more == 0
    assert len(after.items) == len(draft.items)


def test_asked_twice_the_model_adds_nothing_twice(asking):
    draft = _bulletin(asking, TEXT + HIDDEN)
    assert asking.ask_model(draft.draft_id)[1] == 1
    assert asking.ask_model(draft.draft_id)[1] == 0


def test_another_day_dates_what_the_model_found_too(asking):
    draft = _bulletin(asking, HIDDEN, as_of=date(2026, 3, 20))
    asking.ask_model(draft.draft_id)
    draft = asking.edit(draft.draft_id, {"as_of": "2026-03-21"})
    assert _by_name(draft, "云上糕点铺").as_of == "2026-03-21"


def test_an_answer_nobody_waits_for_any_more_is_thrown_away(asking):
    draft = _bulletin(asking, TEXT + HIDDEN)

    def no_more():
        raise InterruptedError

    with pytest.raises(InterruptedError):
        asking.ask_model(draft.draft_id, waiting=no_more)
    assert asking.draft(draft.draft_id) == draft


def test_decisions_made_while_the_model_thinks_are_kept(asking, model):
    draft = _bulletin(asking, TEXT + HIDDEN)
    one = _by_name(draft, "辽阳云岭食品有限公司")
    model.hold.clear()
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(asking.ask_model, draft.draft_id)
        while not model.asked:
            time.sleep(0.01)
        asking.edit(draft.draft_id, {"items": {one.number: {"decision": "rejected"}}})
        model.hold.set()
        after, more = asked.result()
    assert more == 1
    assert _by_name(after, "辽阳云岭食品有限公司").decision == "rejected"


def test_who_has_no_model_or_no_text_is_told(desk, asking, model):
    draft = _bulletin(desk)
    with pytest.raises(SourceError, match="no model is set up"):
        desk.ask_model(draft.draft_id)
    with pytest.raises(SourceError, match="only the text of a bulletin"):
        asking.ask_model(_table(asking).draft_id)
    model.status = 500
    with pytest.raises(SourceError, match="answered 500"):
        asking.ask_model(draft.draft_id)
    assert asking.draft(draft.draft_id) == draft


def test_nothing_accepted_is_no_import(desk, store):
    draft = _bulletin(desk, "辽阳云岭食品有限公司尚未复工。")
    desk.edit(draft.draft_id, {"items": {"0": {"decision": "rejected"}}})
    with pytest.raises(SourceError, match="accept a record first"):
        desk.accept(draft.draft_id, who="lin")
    assert store.imports() == []
    assert desk.draft(draft.draft_id)


# ---- tables -----------------------------------------------------------------------------------------------


def test_a_messy_table_is_laid_out_and_waits_for_its_datum(desk):
    draft = _table(desk)
    assert draft.layout["columns"] == {"1": "name", "2": "status", "3": "x", "4": "y"}
    assert draft.layout["kind"] == "enterprise"
    assert "datum" in desk.inspect(draft).asks
    read = desk.read(draft)
    assert [one.name for one in read.records] == ["辽阳青松机械有限公司", "辽阳鸿宇晶体公司"]
    assert "停工整顿" in read.problems[0].message


def test_what_a_person_chooses_for_a_table_is_how_it_is_read(desk, store):
    draft = _table(desk)
    layout = {**draft.layout, "datum": "wgs84", "status_words": {"停工整顿": "stopped"}}
    draft = desk.edit(draft.draft_id, {"layout": layout})
    read, comparison = desk.settled(draft)
    assert (len(read.records), read.problems, read.asks) == (3, [], ())
    assert [one.site_id for one in comparison.changed] == ["ent-hongyu"]
    report = desk.accept(draft.draft_id, who="lin")
    assert (report.rows, report.located, report.added, report.changed) == (3, 2, 2, 1)
    assert store.site("ent-hongyu")["status"] == "stopped"
    assert desk.drafts() == []


def test_next_weeks_table_with_the_same_headings_is_read_the_same_way(desk):
    draft = _table(desk)
    layout = {**draft.layout, "datum": "gcj02", "status_words": {"停工整顿": "stopped"}}
    desk.edit(draft.draft_id, {"layout": layout})
    desk.accept(draft.draft_id, who="lin")
    again = _table(desk, TABLE.replace("白塔区企业", "（第二周）白塔区企业"), "下周.csv")
    assert again.layout["datum"] == "gcj02"
    assert desk.read(again).problems == []
    other = _table(desk, TABLE.replace("复工情况", "目前状态"), "别的.csv")
    assert other.layout["datum"] == ""


def test_a_row_that_is_the_same_site_twice_is_a_problem_not_a_loss(desk):
    rows = "企业名称,状态\n辽阳鸿宇晶体有限公司,复工\n辽阳市鸿宇晶体有限公司,复工\n"
    draft = _table(desk, rows)
    read, _ = desk.settled(draft)
    assert read.rows == 2 == len(read.records) + len(read.problems)
    assert "same site as row 2" in read.problems[0].message


def test_a_layout_that_is_none_is_refused(desk):
    draft = _table(desk)
    with pytest.raises(SchemaError):
        desk.edit(draft.draft_id, {"layout": {"columns": {"0": "colour"}}})
    assert desk.draft(draft.draft_id) == draft


# ---- keeping ----------------------------------------------------------------------------------------------


def test_drafts_survive_a_restart(desk, store, settings, tmp_path):
    text, table = _bulletin(desk), _table(desk)
    again = Desk(store, settings, CATEGORIES, tmp_path / "drafts")
    assert {one.draft_id for one in again.drafts()} == {text.draft_id, table.draft_id}
    assert again.draft(text.draft_id) == text
    assert again.read(again.draft(table.draft_id)).rows == 3


def test_a_removed_draft_leaves_no_file(desk, tmp_path):
    draft = _table(desk)
    desk.discard(draft.draft_id)
    assert list((tmp_path / "drafts").rglob("*.csv")) == []
    for again in (desk.discard, desk.draft):
        with pytest.raises(StoreError, match="not there any more"):
            again(draft.draft_id)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.csv", b""),
        ("a.xlsx", b"not a workbook"),
        ("a.exe", b"MZ"),
        ("", b"x"),
        ("a.docx", b"PK\x03\x04 broken"),
        ("../../etc/passwd.csv", b"\0\0\0"),
    ],
)
def test_a_bad_file_is_one_clear_error_and_leaves_nothing(desk, tmp_path, name, data):
    with pytest.raises(SourceError):
        desk.begin(name, data)
    assert desk.drafts() == []
    assert [path for path in (tmp_path / "drafts").rglob("*") if path.is_file()] == []


def test_a_file_is_never_written_where_its_name_says(desk, tmp_path):
    draft = desk.begin("../../../evil\n/x.csv", TABLE.encode("gb18030"))
    assert draft.name == "x.csv"
    written = [path for path in tmp_path.rglob("*.csv") if path.is_file()]
    assert written == [tmp_path / "drafts" / draft.draft_id / "x.csv"]


def test_there_is_an_end_to_drafts(desk, monkeypatch):
    monkeypatch.setattr(drafts, "MAX_DRAFTS", 1)
    _bulletin(desk)
    with pytest.raises(SourceError, match="finish or remove one"):
        _bulletin(desk)


def test_a_full_disk_keeps_nothing_half(desk, monkeypatch, tmp_path):
    def full(self, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(SourceError, match="No space left"):
        _bulletin(desk)
    assert desk.drafts() == []


@given(name=st.text(max_size=8), note=st.text(max_size=20))
def test_a_draft_comes_back_from_json_as_it_was(name, note):
    item = drafts.Item(0, "project", name, "open", "q", (0, 1), spans=((0, 1), (3, 4)), note=note)
    draft = Draft("a1", name, "bulletin", "w", "2026-01-01", items=(item,), layout=None)
    assert Draft.from_json(draft.to_json()) == draft
    assert json.loads(draft.to_json())["name"] == name


def test_a_choice_is_kept_under_what_names_have_in_common():
    assert choice_key("enterprise", "辽宁省甲乙有限公司") == choice_key(
        "enterprise", "甲乙有限公司"
    )
    assert choice_key("enterprise", "甲乙") != choice_key("project", "甲乙")


# ---- what happens in between


class _Gone(BaseException):
    """The server stops."""


def test_what_was_being_read_when_the_server_stopped_is_read_again(desk, store, settings, tmp_path):
    def stop(stage, share):
        raise _Gone

    with pytest.raises(_Gone):
        desk.begin("复工表.csv", TABLE.encode("gb18030"), progress=stop)
    again = Desk(store, settings, CATEGORIES, tmp_path / "drafts")
    [waiting] = again.drafts()
    assert (waiting.name, waiting.unread) == ("复工表.csv", True)
    read = again.parse(waiting.draft_id)
    assert not read.unread
    assert len(again.settled(read)[0].records) == len(desk.settled(_table(desk))[0].records) > 0


def test_what_cannot_be_read_does_not_wait_for_another_time(desk, tmp_path):
    draft = desk.receive("表.xlsx", b"no workbook")
    with pytest.raises(SourceError):
        desk.parse(draft.draft_id)
    assert desk.drafts() == []
    assert list((tmp_path / "drafts").iterdir()) == []


def test_a_full_disk_is_told_and_keeps_the_draft_and_its_import_succeeds_later(desk, store):
    draft = _table(desk)
    before, token = store.read_sites(), store.data_version()
    with store._connections.reading() as db:
        pages = db.execute("PRAGMA page_count").fetchone()[0]
        db.execute(f"PRAGMA max_page_count = {pages}")
    wide = {"choices": {"x" * 50_000: "y" * 50_000}}
    with pytest.raises(StoreError, match="the disk is full; nothing was saved"):
        store.set_note("draft:wide", str(wide))
    with pytest.raises(StoreError, match="the disk is full; nothing was saved"):
        store.import_sites(_many(before), name="a", who="lin")
    assert store.data_version() == token
    assert desk.draft(draft.draft_id) == draft
    with store._connections.reading() as db:
        db.execute("PRAGMA max_page_count = 1000000")
    report = desk.accept(draft.draft_id, who="lin")
    assert (report.added, report.changed) == (1, 1)


def _many(sites):
    row = sites.iloc[0].to_dict()
    return make_sites([row | {"site_id": f"n{n}", "note": "x" * 2000} for n in range(500)])


def test_a_draft_thrown_away_while_it_is_read_stays_away(desk):
    draft = desk.receive("复工表.csv", TABLE.encode())
    gone = []

    def meanwhile(stage, share):
        if not gone:
            gone.append(desk.discard(draft.draft_id))

    with pytest.raises((StoreError, SourceError)):
        desk.parse(draft.draft_id, progress=meanwhile)
    assert gone
    assert desk.drafts() == []
