"""The text of a document, or one clear line on why there is none."""

import io
import zipfile
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pypdf import PdfWriter

from geo.errors import SourceError
from geo.read import document
from geo.read.document import read_document
from geo.read.sandbox import read_document_in_child

TEXT = "恒力有限公司已复工。\n一切正常，共48户。"
_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_MC = "http://schemas.openxmlformats.org/markup-compatibility/2006"


def _file(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    return path


def _docx(body, *, part="word/document.xml", head=""):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        xml = f'{head}<w:document xmlns:w="{_WORD}" xmlns:mc="{_MC}"><w:body>{body}</w:body></w:document>'
        archive.writestr(part, xml)
    return packed.getvalue()


def _paragraph(text):
    return f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>"


def _pdf(*lines):
    """Return a one-page PDF that shows lines of Latin text, none at all for a scan."""
    shown = " ".join(f"({line}) Tj 0 -20 Td" for line in lines)
    stream = f"BT /F1 12 Tf 50 700 Td {shown} ET".encode("ascii") if lines else b""
    parts = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R"
        b" /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    out, offsets = bytearray(b"%PDF-1.4\n"), []
    for number, part in enumerate(parts, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, part)
    start = len(out)
    out += b"xref\n0 6\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % n for n in offsets)
    out += b"trailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % start
    return bytes(out)


# --- plain text -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16", "utf-16-le", "utf-16-be"]
)
@pytest.mark.parametrize("ending", [".txt", ".md", ".TXT"])
def test_text_is_read_in_every_encoding_an_office_saves(tmp_path, encoding, ending):
    assert (
        read_document(_file(tmp_path, f"a{ending}", TEXT.encode(encoding))).lstrip("\ufeff") == TEXT
    )


def test_text_comes_back_as_it_is_in_the_file(tmp_path):
    raw = "\n\n 第一行\r\n第二行\u200b,有限公\n\n司\n"
    assert read_document(_file(tmp_path, "a.txt", raw.encode())) == raw


# --- Word -----------------------------------------------------------------------------------------


def test_word_paragraphs_and_cells_are_lines_and_tabs(tmp_path):
    row = "".join(f"<w:tc>{_paragraph(cell)}</w:tc>" for cell in ("企业名称", "状态"))
    body = _paragraph("第一段") + f"<w:tbl><w:tr>{row}</w:tr></w:tbl>" + _paragraph("完")
    assert (
        read_document(_file(tmp_path, "a.docx", _docx(body))) == "第一段\n企业名称 \t状态 \t\n完\n"
    )


def test_word_reads_runs_as_one_and_leaves_out_what_was_deleted_or_stands_twice(tmp_path):
    runs = "<w:r><w:t>有限</w:t></w:r><w:r><w:t>公司</w:t><w:br/><w:t>已</w:t><w:tab/></w:r>"
    deleted = "<w:del><w:r><w:delText>停业</w:delText></w:r></w:del>"
    twice = "<mc:AlternateContent><mc:Fallback><w:t>停工</w:t></mc:Fallback></mc:AlternateContent>"
    text = read_document(_file(tmp_path, "a.docx", _docx(f"<w:p>{runs}{deleted}{twice}</w:p>")))
    assert text == "有限公司\n已\t\n"


def test_a_document_type_in_word_is_refused(tmp_path):
    head = '<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
    with pytest.raises(SourceError, match="declares a document type"):
        read_document(_file(tmp_path, "a.docx", _docx(_paragraph("&e;"), head=head)))


def test_a_word_file_that_unpacks_too_big_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(document, "MAX_PART_BYTES", 100_000)
    with pytest.raises(SourceError, match="unpacks to more than"):
        read_document(_file(tmp_path, "a.docx", _docx(_paragraph("复" * 100_000))))


def test_deeply_nested_word_is_read_without_a_crash(tmp_path):
    body = "<w:sdt>" * 100_000 + _paragraph("底") + "</w:sdt>" * 100_000
    assert read_document(_file(tmp_path, "a.docx", _docx(body))) == "底\n"


# --- web pages ------------------------------------------------------------------------------------


def test_a_page_is_what_a_reader_sees(tmp_path):
    page = (
        "<html><head><title>标题</title><style>p{}</style></head><body><h1>通报</h1><script>var a='停工'</script>"
        "<p>恒力<b>有限</b>公司&nbsp;已复工&amp;正常</p><table><tr><td>甲</td><td>已复工</td></tr></table>"
        "<!-- 停业 --><div>完<br>毕</div></body></html>"
    )
    text = read_document(_file(tmp_path, "a.html", page.encode()))
    assert text == "通报\n恒力有限公司\xa0已复工&正常\n甲\t已复工\t\n完\n毕\n"


def test_a_gbk_page_is_read_by_what_it_declares(tmp_path):
    page = '<meta charset="gb2312"><body><p>恒力有限公司已复工</p>'.encode("gb18030")
    assert read_document(_file(tmp_path, "a.htm", page)) == "恒力有限公司已复工\n"


def test_a_head_that_is_never_closed_hides_nothing(tmp_path):
    page = "<head><title>标题<body><p>已复工</p>"
    assert "已复工" in read_document(_file(tmp_path, "a.html", page.encode()))


# --- PDF ------------------------------------------------------------------------------------------


def test_the_text_of_a_pdf_is_read(tmp_path):
    text = read_document(_file(tmp_path, "a.pdf", _pdf("48 resumed", "of 50")))
    assert text.split() == ["48", "resumed", "of", "50"]


def test_a_scan_says_that_it_is_one(tmp_path):
    with pytest.raises(SourceError, match=r"1 pages of pictures without text \(a scan\)"):
        read_document(_file(tmp_path, "a.pdf", _pdf()))


def test_a_protected_pdf_says_so(tmp_path):
    writer, packed = PdfWriter(), io.BytesIO()
    writer.add_blank_page(100, 100)
    writer.encrypt("geheim", algorithm="RC4-128")
    writer.write(packed)
    with pytest.raises(SourceError, match="protected by a password"):
        read_document(_file(tmp_path, "a.pdf", packed.getvalue()))


# --- refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.doc", b"x", "not a document that is read here"),
        ("a", b"x", "not a document that is read here"),
        ("a.txt", b"", "there is no text in it"),
        ("a.txt", b" \n", "there is no text in it"),
        ("a.txt", b"PK\x03\x04 x", "a Word or zip file, not text"),
        ("a.txt", b"%PDF-1.4", "a PDF, not text"),
        ("a.txt", b"\xd0\xcf\x11\xe0", "an old Word file, not text"),
        ("a.txt", b"a\0\0\0b\0\0\0\0", "this is not text"),
        ("a.txt", b"\xff\xff\xff", "neither UTF-8 nor GB18030"),
        ("a.docx", b"\xd0\xcf\x11\xe0", "old or password-protected Word file"),
        ("a.docx", b"hello", "damaged Word file"),
        ("a.docx", b"PK\x03\x04 x", "damaged Word file"),
        ("a.docx", _docx("", part="word/other.xml"), "without a Word text inside"),
        ("a.docx", _docx("<w:p>"), "damaged Word file"),
        ("a.pdf", b"hello", "this is not a PDF"),
        ("a.pdf", b"%PDF-1.4\nhello", "damaged PDF"),
        ("a.html", b"<script>x</script>", "there is no text in it"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_line(tmp_path, name, content, message):
    with pytest.raises(SourceError, match=message) as caught:
        read_document(_file(tmp_path, name, content))
    assert "\n" not in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


def test_a_missing_file_is_named_without_its_folder(tmp_path):
    with pytest.raises(SourceError, match=r"^a\.txt cannot be read"):
        read_document(tmp_path / "a.txt")


def test_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(document, "MAX_BYTES", 10)
    with pytest.raises(SourceError, match="Load it in parts"):
        read_document(_file(tmp_path, "a.txt", b"x" * 11))
    monkeypatch.setattr(document, "MAX_CHARS", 5)
    with pytest.raises(SourceError, match="at most 5 are read"):
        read_document(_file(tmp_path, "b.txt", b"x" * 6))


@settings(deadline=None, max_examples=60)
@given(content=st.binary(max_size=300), ending=st.sampled_from([".txt", ".docx", ".html", ".pdf"]))
def test_any_bytes_give_text_or_a_source_error(tmp_path_factory, content, ending):
    magic = {".pdf": b"%PDF-1.4\n", ".docx": b"PK\x03\x04"}.get(ending, b"")
    path = _file(tmp_path_factory.mktemp("any"), f"a{ending}", magic + content)
    with suppress(SourceError):
        assert read_document(path).strip()


@pytest.mark.parametrize("ending", [".docx", ".html", ".pdf"])
def test_a_parsed_document_is_read_the_same_in_the_child(tmp_path, ending):
    content = {
        ".docx": _docx(_paragraph("白塔区复工 <b>45</b> 户")),
        ".html": "<p>白塔区复工 45 户</p>".encode(),
        ".pdf": b"%PDF-1.4 broken",
    }[ending]
    path = _file(tmp_path, f"a{ending}", content)
    assert _outcome(read_document_in_child, path) == _outcome(read_document, path)


def _outcome(read, path):
    try:
        return read(path)
    except SourceError as error:
        return f"refused: {error}"


def test_a_document_that_is_no_longer_wanted_ends(tmp_path):
    path = _file(tmp_path, "a.html", b"<p>x</p>")
    with pytest.raises(SourceError, match="cancelled"):
        read_document_in_child(path, cancelled=lambda: True)
