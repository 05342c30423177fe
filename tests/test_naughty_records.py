"""Naughty texts in what is no site: claims, people, the audit list, imports, drafts and schemes, by every way out.

A workbook's sheets of changes and of what it is, and formulas that somebody's workbook brings, are here as well.
"""

import io
import json
import zipfile
from contextlib import closing, redirect_stderr, redirect_stdout
from dataclasses import replace
from datetime import UTC, date, datetime

import openpyxl
import pytest
import xlsxwriter
from naughty import ELSEWHERE, FORMULAS, NAUGHTY, as_xml_holds, naughty_rows, naughty_sites
from openpyxl.utils.escape import unescape

from geo.__main__ import main
from geo.access import AuditEntry, Role, clean_name
from geo.category import load_categories
from geo.drafts import Desk
from geo.scheme import MAX_TEXT, Scheme
from geo.settings import load_settings
from geo.site import Claim, Source
from geo.store import open_store
from geo.ui.picture import Look, make_picture, render
from geo.view import SiteFilter

ROWS = naughty_rows()
WHEN = datetime(2020, 3, 1, tzinfo=UTC)
SHORT = [text for text in NAUGHTY if 0 < len(text) <= MAX_TEXT and text.strip()]
PEOPLE = list(dict.fromkeys(filter(None, map(clean_name, NAUGHTY))))


def _claims():
    for n, text in enumerate(NAUGHTY):
        others = [NAUGHTY[(n + step) % len(NAUGHTY)] for step in range(1, 8)]
        *words, file, where, quote = others
        names = dict(zip(("scope", "sector", "metric", "unit"), words, strict=True))
        source = Source(file, where, quote)
        yield Claim(claim_id=f"{n}{text[:50]}", role="value", value=n, claim_kind="fact", approx=text,
                    as_of=date(2020, 3, 1), source=source, **names)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A store that has them all."""
    made = tmp_path_factory.mktemp("records")
    settings = replace(load_settings({}), store=str(made / "baita.gpkg"))
    with open_store(made / "baita.gpkg") as store:
        store.save_sites(naughty_sites(ROWS[:8]), who="lin")
        store.import_sites(
            naughty_sites(ROWS[8:12]), list(_claims()), name=NAUGHTY[5], who=NAUGHTY[6]
        )
        for name in PEOPLE:
            store.set_member(name, Role.VIEWER, who=name)
        for text in NAUGHTY:
            store.write_down(AuditEntry(WHEN, text, text, text, False, text))
        for n, text in enumerate(SHORT):
            store.set_note(f"scheme:s{n}", Scheme(text, title=text, scheme_id=f"s{n}").to_json())
        desk = Desk(store, settings, load_categories(), made / "drafts", who=NAUGHTY[7])
        desk.begin("通报.txt", ("截至2020年3月1日，" + "。".join(SHORT)).encode())
    return made


@pytest.fixture
def answer(folder, monkeypatch):
    """Run a command and return its JSON."""
    monkeypatch.setenv("BAITA_STORE", str(folder / "baita.gpkg"))

    def run(*words):
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            assert main(words) == 0, err.getvalue()
        # Bytes of UTF-8 and one document, whatever is in it.
        return json.loads(out.getvalue().encode().decode(), parse_constant=pytest.fail)

    return run


def test_people_and_the_audit_list_are_told_as_they_are(answer):
    told = answer("audit", "--limit", "5000")
    by_detail = [one for one in told if one["at"] == WHEN.isoformat()]
    # The list is no place for books: each word of it is cut.
    assert [one["detail"] for one in by_detail] == [text[:500] for text in reversed(NAUGHTY)]
    for one in by_detail:
        assert one["who"] == one["action"] == one["target"] == one["detail"]
    members = answer("member", "wang", "--role", "viewer")
    assert set(PEOPLE) <= set(members)


def test_what_is_copied_is_all_there_word_for_word(folder, answer):
    target = folder / "copied.gpkg"
    answer("copy", "--from", str(folder / "baita.gpkg"), "--to", str(target))
    answer("backup", "--out", str(folder / "backup.gpkg"))
    with open_store(folder / "baita.gpkg") as store:
        for copy in ("copied.gpkg", "backup.gpkg"):
            with open_store(folder / copy) as other:
                assert other.claims() == store.claims() == list(_claims())
                assert other.members() == store.members()
                assert other.notes("scheme:") == store.notes("scheme:")
                assert other.imports(5) == store.imports(5)
        [brought] = store.imports(5)
        assert (brought.name, brought.who) == (NAUGHTY[5], NAUGHTY[6])
        names = [Scheme.from_json(text).name for text in store.notes("scheme:").values()]
        assert sorted(names) == sorted(text.strip() for text in SHORT)


def test_what_a_command_reads_from_a_bulletin_is_its_own_words(answer, tmp_path):
    path = tmp_path / "通报.txt"
    texts = [text for text in SHORT if text.isprintable()]
    bulletin = "".join(
        f"截至2020年3月{n % 28 + 1}日，{text}重点企业50户，复工41户。{text}甲机械有限公司已复工。\n"
        for n, text in enumerate(texts)
    )
    path.write_text(bulletin, encoding="utf-8", newline="")
    told = answer("read", str(path))
    assert len(told["claims"]) > len(texts)
    for one in told["claims"]:
        assert bulletin[one["start"] : one["end"]].strip()
        assert one["source"]["quote"] in bulletin
    for one in told["records"]:
        assert one["quote"] in bulletin


def _sheets(data):
    """Each sheet's cells as text, after the whole file was searched for what acts."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for part in archive.namelist():
            text = archive.read(part)
            for acts in (b"<f>", b"<f ", b'TargetMode="External"', b"ddeLink", b"definedName "):
                if acts == b"definedName " and b"_xlnm." in text:
                    continue  # the rows that are repeated, and the filter
                assert acts not in text, part
            assert b'state="hidden"' not in text
            assert b'state="veryHidden"' not in text
    book = openpyxl.load_workbook(io.BytesIO(data))
    with closing(book):
        for sheet in book:
            assert sheet.sheet_state == "visible"
            cells = [cell for row in sheet.iter_rows() for cell in row]
            assert not [cell for cell in cells if cell.data_type == "f" or cell.hyperlink]
            yield sheet.title, [[cell.value for cell in row] for row in sheet.iter_rows()]


def test_the_sheets_of_changes_and_of_what_it_is_hold_words_only(tmp_path):
    sites = naughty_sites(ROWS)
    settings = replace(load_settings({}), store=str(tmp_path / "x.gpkg"))
    for title in (*FORMULAS[:16], NAUGHTY[0] + NAUGHTY[6]):
        look = Look(title=title, unit=title)
        changes = sites[["site_id"]].assign(old_status="")
        picture = make_picture(
            sites, SiteFilter(), load_categories(), settings, look, changes=changes
        )
        data = render(picture, "xlsx", settings).as_one()[1]
        (_, rows), (_, changed), (_, about) = _sheets(data)
        assert len(rows) == len(changed) == len(sites) + 1
        for row, name in zip(changed[1:], sites["name"], strict=True):
            if len(name) < 32_000 and "_x00" not in name:
                assert unescape(row[1]) == as_xml_holds(name)
        said = [unescape(str(cell)) for row in about for cell in row if cell]
        assert any(as_xml_holds(title.strip()) in cell for cell in said), title


def test_a_workbook_with_formulas_also_hidden_ones_gives_their_results_and_no_formula(
    answer, tmp_path
):
    path, out = tmp_path / "公式.xlsx", tmp_path / "out.xlsx"
    formulas = [text for text in FORMULAS if text.startswith("=") and "|" not in text]
    assert len(formulas) > 3
    with xlsxwriter.Workbook(path) as book:
        page = book.add_worksheet("企业")
        page.write_row(0, 0, ["企业名称", "复工情况", "备注", "地址"])
        for n, formula in enumerate(formulas, start=1):
            page.write_formula(n, 0, formula, None, f"辽阳第{n}机械厂")
            page.write_string(n, 1, "已复工")
            page.write_formula(n, 2, formula, None, f"=结果{n}")
            page.write_formula(n, 3, formula, None, f"+{n}")
        page.set_column(2, 3, None, None, {"hidden": True})
        page.set_row(2, None, None, {"hidden": True})
        secret = book.add_worksheet("藏")
        secret.hide()
        secret.write_formula(0, 0, f'=WEBSERVICE("{ELSEWHERE}")', None, "结果")
    told = answer("read", str(path))
    assert [one["name"] for one in told["records"]] == [
        f"辽阳第{n}机械厂" for n in range(1, len(formulas) + 1)
    ]
    assert ELSEWHERE not in json.dumps(told)
    store = ("--store", str(tmp_path / "own.gpkg"))
    answer("load", str(path), *store)
    answer("export", "--format", "xlsx", "--out", str(out), *store)
    texts = {
        str(cell) for _, rows in _sheets(out.read_bytes()) for row in rows for cell in row if cell
    }
    assert {f"辽阳第{n}机械厂" for n in range(1, len(formulas) + 1)} <= texts
    assert {f"=结果{n}" for n in range(1, len(formulas) + 1)} <= texts, "a result is a text"
    assert not any(ELSEWHERE in text for text in texts)
