"""Naughty texts in every field, through every way out but the browser: each comes out as the text it is.

The browser's part is tests/browser/test_hostile.py and test_naughty_page.py.
"""

import csv
import io
import json
import re
import unicodedata
import zipfile
from dataclasses import replace

import openpyxl
import pptx
import pyogrio
import pytest
from lxml import etree
from naughty import ELSEWHERE, FIELDS, NAUGHTY, UNKEPT, as_xml_holds, naughty_rows, naughty_sites
from openpyxl.utils.escape import unescape
from PIL import Image

from geo.category import load_categories
from geo.errors import StoreError
from geo.export.tables import WORDS
from geo.settings import load_settings
from geo.site import SiteUpdate
from geo.store import open_store
from geo.ui.picture import FORMATS, Look, make_picture, render
from geo.view import SiteFilter

CATEGORIES = load_categories()
ROWS = naughty_rows()


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store that has them, with a history: every text was somebody's name and an old value."""
    with open_store(tmp_path_factory.mktemp("naughty") / "baita.gpkg") as opened:
        opened.save_sites(naughty_sites(ROWS), who="lin")
        sites = opened.read_sites()
        for n, text in enumerate(NAUGHTY):
            site_id = sites["site_id"].iloc[n]
            opened.update_sites([SiteUpdate(site_id, 1, {"note": text + "。"})], who=text)
            opened.update_sites([SiteUpdate(site_id, 2, {"note": ROWS[n]["note"]})], who=text)
        yield opened


@pytest.fixture(scope="module")
def sites(store):
    return store.read_sites()


@pytest.fixture(scope="module")
def exported(sites, tmp_path_factory):
    """Every format of all of them, made as the page makes it: name and content of each file."""
    settings = replace(load_settings({}), store=str(tmp_path_factory.mktemp("out") / "x.gpkg"))
    chosen = SiteFilter(text="", streets=())
    look = Look(title=NAUGHTY[0] + NAUGHTY[6], unit=NAUGHTY[1])
    picture = make_picture(sites, chosen, CATEGORIES, settings, look)
    return {form: render(picture, form, settings).files for form in FORMATS}


def _only(files):
    [data] = files.values()
    return data


def test_the_store_gives_back_every_text_as_it_was(sites):
    back = sites.set_index("site_id")
    for row in ROWS:
        for field in FIELDS[1:]:
            assert back.loc[row["site_id"], field] == row[field]


def test_history_and_corrections_keep_every_text(store):
    told = [change for row in ROWS for change in store.history(row["site_id"])]
    by_whom = {change.who for change in told if change.field == "note"}
    # The store keeps names as people's, and everybody's word as it was.
    assert {text + "。" for text in NAUGHTY} <= {change.new for change in told}
    assert len(by_whom) > len(NAUGHTY) / 2


@pytest.mark.parametrize("text", UNKEPT)
def test_what_no_store_can_keep_is_refused_and_nothing_changes(tmp_path, text):
    with open_store(tmp_path / "a.gpkg") as opened:
        opened.save_sites(naughty_sites(ROWS[:1]), who="lin")
        before = opened.data_version()
        for field in ("name", "note", "street"):
            update = SiteUpdate(ROWS[0]["site_id"], 1, {field: "甲" + text})
            with pytest.raises(StoreError, match=r"half a character|NUL"):
                opened.update_sites([update], who="lin")
        with pytest.raises(StoreError, match=r"half a character|NUL"):
            opened.set_note("scheme:x", text)
        assert opened.data_version() == before


# ---- files --------------------------------------------------------------------------------------------------------


def test_file_names_are_plain_whatever_the_title(exported):
    for files in exported.values():
        for name in files:
            assert re.fullmatch(r"[^\\/:*?\"<>|\x00-\x1f]+", name)
            assert not name.startswith((".", "-"))


def test_png_and_pdf_are_whole_and_the_pdf_acts_on_nothing(exported):
    for data in exported["png"].values():
        picture = Image.open(io.BytesIO(data))
        picture.load()
        assert picture.size == (1920, 1080)
    for data in exported["pdf"].values():
        assert data.startswith(b"%PDF-")
        for word in (b"/JavaScript", b"/JS", b"/Launch", b"/URI", b"/OpenAction", b"/AA"):
            assert word not in data


def test_svg_is_xml_without_scripts_links_or_foreign_parts(exported):
    for data in exported["svg"].values():
        root = etree.fromstring(data, etree.XMLParser(resolve_entities=False, huge_tree=True))
        for element in root.iter():
            if not isinstance(element.tag, str):
                continue
            assert etree.QName(element).localname not in ("script", "foreignObject", "a", "iframe")
            for name, value in element.attrib.items():
                assert not etree.QName(name).localname.startswith("on")
                if etree.QName(name).localname == "href":
                    assert value.startswith(("#", "data:image/png"))
                if name != "data-site":
                    assert "url(" not in value or "url(#" in value


def test_slides_open_again_and_hold_text_only(exported, sites):
    deck = _only(exported["pptx"])
    slides = pptx.Presentation(io.BytesIO(deck)).slides
    assert len(slides) >= 1
    descriptions = {
        node.get("descr") for slide in slides for node in slide._element.iter() if node.get("descr")
    }
    on_map = sites[sites.geometry.notna()]
    for name in on_map["name"]:
        wanted = as_xml_holds(name)
        assert any(d.startswith(wanted.strip()[:200]) or wanted in d for d in descriptions), name
    with zipfile.ZipFile(io.BytesIO(deck)) as archive:
        for part in archive.namelist():
            if part.endswith(".rels"):
                assert b'TargetMode="External"' not in archive.read(part)
            assert not re.search(r"vba|ole|activeX|embeddings", part, re.IGNORECASE)


def test_a_workbook_has_strings_that_are_the_texts(exported, sites):
    book = openpyxl.load_workbook(io.BytesIO(_only(exported["xlsx"])))
    header, *rows = book.worksheets[0].iter_rows()
    titles = [cell.value for cell in header]
    assert len(rows) == len(sites)
    wanted = dict(zip(WORDS["zh"]["header"], range(len(titles)), strict=True))
    for cells, site in zip(rows, sites.to_dict("records"), strict=True):
        for title, field in (
            ("名称", "name"),
            ("街道", "street"),
            ("地点", "place"),
            ("备注", "note"),
        ):
            cell, text = cells[wanted[title]], as_xml_holds(site[field])
            assert cell.data_type == ("s" if text else "n")
            assert cell.hyperlink is None
            if "_x00" in text:
                continue  # Excel's own escape, which openpyxl undoes twice; see test_tables
            if len(text) < 32_000:
                # A line break that is not Excel's own is escaped in the file; Excel undoes that.
                assert unescape(cell.value or "") == text, title
            else:
                assert cell.value.endswith("…")
                assert text.startswith(cell.value[:-1])
    with zipfile.ZipFile(io.BytesIO(_only(exported["xlsx"]))) as archive:
        for part in archive.namelist():
            data = archive.read(part)
            assert b"<f>" not in data
            assert b"<f " not in data
            assert b'TargetMode="External"' not in data
            assert b"ddeLink" not in data


def test_no_cell_of_the_csv_is_a_formula_and_its_text_is_there(exported, sites):
    text = _only(exported["csv"]).decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert len(rows) == len(sites)
    for row, site in zip(rows, sites.to_dict("records"), strict=True):
        for title, field in (
            ("名称", "name"),
            ("街道", "street"),
            ("地点", "place"),
            ("备注", "note"),
        ):
            cell = row[title]
            assert not _is_formula(cell), repr(cell)
            wanted = as_xml_holds(site[field])
            assert cell in (wanted, "'" + wanted)


def _is_formula(cell):
    """As a program that first drops all that nobody sees would find it."""
    seen = "".join(c for c in cell if unicodedata.category(c)[0] not in "ZC" and c != "\ufffd")
    return unicodedata.normalize("NFKC", seen)[:1] in tuple("=+-@")


def test_geojson_has_every_text_as_it_is(exported, sites):
    told = json.loads(_only(exported["geojson"]))
    for feature, site in zip(told["features"], sites.to_dict("records"), strict=True):
        for field in FIELDS:
            assert feature["properties"][field] == site[field]


def test_geopackage_has_every_text(exported, sites, tmp_path):
    path = tmp_path / "sites.gpkg"
    path.write_bytes(_only(exported["gpkg"]))
    back = pyogrio.read_dataframe(path)
    for field in FIELDS:
        assert back[field].fillna("").tolist() == [as_xml_holds(text) for text in sites[field]]


def test_the_hand_out_is_one_page_that_names_no_other(exported, sites):
    page = _only(exported["html"]).decode()
    scripts = re.findall(r"<script([^>]*)>(.*?)</script>", page, re.DOTALL)
    data = [body for attributes, body in scripts if "baita-data" in attributes]
    assert len(data) == 1
    assert not re.search("[<>]", data[0])
    held = json.loads(data[0])
    assert [one["name"] for one in held["details"]] == sites["name"].tolist()
    assert [one["note"] for one in held["details"]] == sites["note"].tolist()
    outside = page.replace(data[0], "")
    # The title is the page's too, escaped.
    assert "window.top.ran" not in re.sub(r"<title>[^<>]*</title>", "", outside)
    assert ELSEWHERE not in outside
