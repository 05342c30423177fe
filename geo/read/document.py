"""The text of a document: plain text, Word, web page or PDF. One string, as the file has it; nothing is healed."""

from __future__ import annotations

import codecs
import io
import re
import zipfile
import zlib
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from xml.parsers import expat

from geo.errors import SourceError

MAX_BYTES = 20_000_000
MAX_CHARS = 1_000_000
MAX_HTML_BYTES = 5_000_000
MAX_PARTS = 5_000
MAX_PART_BYTES = 50_000_000
MAX_PAGES = 500

_ZIP, _PDF, _OLE = b"PK\x03\x04", b"%PDF-", b"\xd0\xcf\x11\xe0"
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def read_document(path: str | Path) -> str:
    r"""Return the text of a .txt, .md, .docx, .html or .pdf file as one string.

    Paragraphs end in "\n", pages of a PDF in an empty line; cells of a table line are set apart by tabs.

    Parameters
    ----------
    path
        The file; at most 20 MB (5 MB of HTML, 500 pages of PDF), and 1,000,000 characters of text.

    Raises
    ------
    SourceError
        If it is too big, empty, no such document, protected, or a scan without text.
    """
    path = Path(path)
    read = _READERS.get(path.suffix.lower())
    if read is None:
        raise SourceError(
            f"{path.name}: not a document that is read here. These are: {', '.join(_READERS)}. "
            "Save it as one of them, or paste the text"
        )
    text = read(path.name, _content(path))
    if not text.strip():
        raise SourceError(f"{path.name}: there is no text in it. Check the file, or paste the text")
    if len(text) > MAX_CHARS:
        raise SourceError(
            f"{path.name}: {len(text):,} characters; at most {MAX_CHARS:,} are read. Load it in parts"
        )
    return text


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise SourceError(f"{path.name} cannot be read: {error.strerror}") from error
    if len(content) > MAX_BYTES:
        raise SourceError(
            f"{path.name}: more than {MAX_BYTES // 1_000_000} MB. Load it in parts, or paste the text"
        )
    return content


# --- plain text -----------------------------------------------------------------------------------


def _read_text(name: str, content: bytes) -> str:
    for magic, kind in ((_ZIP, "a Word or zip file"), (_PDF, "a PDF"), (_OLE, "an old Word file")):
        if content.startswith(magic):
            raise SourceError(
                f"{name}: this is {kind}, not text. Give it its own ending and load it again"
            )
    return _decode(name, content)


def _decode(name: str, content: bytes, *, declared: str = "") -> str:
    """Return text by its BOM, else as strict UTF-8, else in its declared encoding, else as GB18030."""
    encodings = [encoding for bom, encoding in _BOMS if content.startswith(bom)]
    if not encodings and b"\0" in content:
        encodings = [_wide_encoding(name, content)]
    for encoding in encodings or ["utf-8", *([declared] if declared else []), "gb18030"]:
        try:
            return content.decode(encoding)
        except (UnicodeDecodeError, LookupError):
            continue
    raise SourceError(f"{name}: neither UTF-8 nor GB18030 nor UTF-16. Save it as text in UTF-8")


def _wide_encoding(name: str, content: bytes) -> str:
    """Tell UTF-16 without a BOM by where the zeros of its line ends and digits stand."""
    high, low = content[1::2].count(0), content[::2].count(0)
    if len(content) % 2 == 0 and max(high, low) > 2 * min(high, low):
        return "utf-16-le" if high > low else "utf-16-be"
    raise SourceError(f"{name}: this is not text. Save the document as text in UTF-8, or paste it")


# --- Word -----------------------------------------------------------------------------------------


def _read_docx(name: str, content: bytes) -> str:
    if content.startswith(_OLE):
        raise SourceError(
            f"{name}: an old or password-protected Word file. Open it in Word and save it as .docx"
        )
    parser = _WordText(name)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if len(archive.infolist()) > MAX_PARTS:
                raise SourceError(
                    f"{name}: {len(archive.infolist()):,} parts inside; no Word file has so many"
                )
            with archive.open("word/document.xml") as part:
                size = 0
                while piece := part.read(1 << 16):
                    size += len(piece)
                    if size > MAX_PART_BYTES:
                        raise SourceError(
                            f"{name}: unpacks to more than {MAX_PART_BYTES // 1_000_000} MB. Load it in parts"
                        )
                    parser.feed(piece)
        return parser.close()
    except KeyError as error:
        raise SourceError(
            f"{name}: a zip file without a Word text inside. Save it as .docx"
        ) from error
    except (
        zipfile.BadZipFile,
        zlib.error,
        expat.ExpatError,
        EOFError,
        NotImplementedError,
    ) as error:
        raise SourceError(
            f"{name}: damaged Word file. Open it in Word and save it again"
        ) from error
    except RuntimeError as error:  # what zipfile raises for an encrypted part
        raise SourceError(f"{name}: protected by a password. Save it without one") from error


class _WordText:
    """Reads the text of word/document.xml as it streams by; refuses a DTD."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._text: list[str] = []
        self._cells = 0
        self._skipped = 0
        self._in_text = False
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.StartDoctypeDeclHandler = self._refuse
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._data

    def feed(self, piece: bytes) -> None:
        self._parser.Parse(piece, False)

    def close(self) -> str:
        self._parser.Parse(b"", True)
        return "".join(self._text)

    def _refuse(self, *_: object) -> None:
        raise SourceError(
            f"{self._name}: it declares a document type, which no Word file does. Save it again in Word"
        )

    def _start(self, tag: str, _: object) -> None:
        local = tag.rsplit(" ", 1)[-1]
        self._skipped += local == "Fallback"
        self._cells += local == "tc"
        self._in_text = local == "t"
        if local in ("tab", "br", "cr") and not self._skipped:
            self._text.append(
                "\t" if local == "tab" and not self._cells else " " if self._cells else "\n"
            )

    def _end(self, tag: str) -> None:
        local = tag.rsplit(" ", 1)[-1]
        self._in_text = False
        self._skipped -= local == "Fallback"
        self._cells -= local == "tc"
        if self._skipped:
            return
        if local == "p":
            self._text.append(" " if self._cells else "\n")
        elif local == "tc":
            self._text.append(" " if self._cells else "\t")
        elif local == "tr":
            self._text.append(" " if self._cells else "\n")

    def _data(self, data: str) -> None:
        if self._in_text and not self._skipped:
            self._text.append(data)


# --- web pages ------------------------------------------------------------------------------------

_BLOCKS = frozenset(
    "p div br li ul ol dl dt dd tr table section article header footer main aside nav figure figcaption "
    "blockquote pre h1 h2 h3 h4 h5 h6 hr form fieldset".split()
)
_UNSHOWN = frozenset("script style noscript template title head svg iframe object select".split())
_CHARSET = re.compile(rb"charset\s*=\s*[\"']?([A-Za-z0-9_\-]{3,20})")
_CHINESE = frozenset(("gb2312", "gbk", "gb18030"))


def _read_html(name: str, content: bytes) -> str:
    if len(content) > MAX_HTML_BYTES:
        raise SourceError(
            f"{name}: more than {MAX_HTML_BYTES // 1_000_000} MB of HTML. Paste the text of the page"
        )
    declared = _CHARSET.search(content[:4096])
    encoding = declared[1].decode("ascii").lower() if declared else ""
    parser = _PageText()
    parser.feed(_decode(name, content, declared="gb18030" if encoding in _CHINESE else encoding))
    parser.close()
    return "".join(parser.text)


class _PageText(HTMLParser):
    """Collects what a reader sees of a page, a line per block."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.text: list[str] = []
        self._unshown: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag == "body":
            self._unshown.clear()  # a <head> that is never closed hides nothing below it
        if tag in _UNSHOWN:
            self._unshown.append(tag)
        elif not self._unshown:
            self._break(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        if not self._unshown:
            self._break(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self._unshown:
            del self._unshown[self._unshown.index(tag) :]
        elif not self._unshown:
            self._break(tag)

    def handle_data(self, data: str) -> None:
        if not self._unshown:
            self.text.append(re.sub(r"[ \t\r\n]+", " ", data))

    def _break(self, tag: str) -> None:
        if tag in ("td", "th"):
            if self.text and not self.text[-1].endswith(("\t", "\n")):
                self.text.append("\t")
        elif tag in _BLOCKS and self.text and not self.text[-1].endswith("\n"):
            self.text.append("\n")


# --- PDF ------------------------------------------------------------------------------------------


def _read_pdf(name: str, content: bytes) -> str:
    if _PDF not in content[:1024]:
        raise SourceError(f"{name}: this is not a PDF. Check the file, or paste the text")
    pages = _pdf_pages(name, content)
    if not any(page.strip() for page in pages):
        raise SourceError(
            f"{name}: {len(pages)} pages of pictures without text (a scan). "
            "Run text recognition (OCR) on it first, or paste the text"
        )
    return "\n\n".join(pages)


def _pdf_pages(name: str, content: bytes) -> list[str]:
    from pypdf import PdfReader

    try:
        reader = PdfReader(io.BytesIO(content))
        if reader.is_encrypted and not reader.decrypt(""):
            raise SourceError(f"{name}: protected by a password. Save it without one")
        if len(reader.pages) > MAX_PAGES:
            raise SourceError(f"{name}: {len(reader.pages):,} pages; at most {MAX_PAGES} are read")
        return [page.extract_text() for page in reader.pages]
    except SourceError:
        raise
    except Exception as error:
        # A damaged PDF makes the package raise nearly anything: KeyError, RecursionError, its own errors.
        raise SourceError(
            f"{name}: damaged PDF ({type(error).__name__}). Save it again, or paste the text"
        ) from error


_READERS: dict[str, Callable[[str, bytes], str]] = {
    ".txt": _read_text,
    ".md": _read_text,
    ".docx": _read_docx,
    ".html": _read_html,
    ".htm": _read_html,
    ".pdf": _read_pdf,
}
DOCUMENTS = tuple(_READERS)
"""Endings of the files that are read as prose."""
PLAIN = (".txt", ".md")
"""Those of them that need no parser."""
