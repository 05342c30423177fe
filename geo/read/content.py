"""What a file really is, whatever it is called, and archives that may be opened.

A file is read only if its content is what its ending says; anything else is refused by the name of
what it is. Archives are looked through before anything in them is parsed.
"""

from __future__ import annotations

import io
import re
import stat
import zipfile
from collections.abc import Iterator
from pathlib import PurePosixPath

from geo.errors import SourceError
from geo.read.grid import SAVE_AS, Limits, short

FORMATS = {
    ".csv": "text",
    ".tsv": "text",
    ".txt": "text",
    ".xlsx": "xlsx",
    ".xlsm": "xlsx",
    ".xls": "xls",
    ".ods": "ods",
    ".gpkg": "gpkg",
    ".geojson": "geojson",
    ".json": "geojson",
    ".zip": "shapefile",
    ".kml": "kml",
    ".kmz": "kmz",
    ".dxf": "dxf",
}
"""The endings that are read, and the format each must have."""
WORKBOOKS = frozenset({"xlsx", "xls", "ods"})
LAYERED = frozenset({"gpkg", "geojson", "shapefile", "kml", "kmz", "dxf"})

_ZIP_MAIN = {
    "xlsx": "xl/workbook.xml",
    "a Word document": "word/document.xml",
    "PowerPoint slides": "ppt/presentation.xml",
    "a binary Excel workbook (.xlsb)": "xl/workbook.bin",
}
_WHAT = {
    "text": "a text table",
    "xlsx": "an Excel workbook (.xlsx)",
    "xls": "an old Excel or WPS workbook (.xls)",
    "ods": "an OpenDocument workbook (.ods)",
    "gpkg": "a GeoPackage",
    "geojson": "GeoJSON",
    "shapefile": "a ZIP archive with a shapefile",
    "kml": "KML",
    "kmz": "KMZ",
    "dxf": "a DXF drawing",
    "zip": "an Excel workbook or a ZIP archive",
    "vrt": "a GDAL virtual file (VRT), which reads other files",
    "gdalg": "a GDAL pipeline (GDALG), which reads other files",
    "html": "a web page",
    "xml": "some other XML",
    "json": "JSON, but not GeoJSON",
    "topojson": "TopoJSON",
    "esrijson": "Esri JSON",
    "sqlite": "an SQLite database, but not a GeoPackage",
    "encrypted": "protected with a password",
    "pdf": "a PDF",
    "picture": "a picture",
    "ole": "an old Office document, but not a workbook",
    "binary": "not text",
    "rar": "a RAR or 7z archive",
}
_STARTS = (
    (b"SQLite format 3\0", "sqlite"),
    (b"%PDF", "pdf"),
    (b"\x89PNG", "picture"),
    (b"\xff\xd8\xff", "picture"),
    (b"GIF8", "picture"),
    (b"Rar!", "rar"),
    (b"7z\xbc\xaf\x27\x1c", "rar"),
)
_GEOPACKAGE_IDS = (b"GPKG", b"GP10", b"GP11")
_GEOJSON_TYPE = re.compile(
    r'"type"\s*:\s*"(Feature|FeatureCollection|(Multi)?(Point|LineString|Polygon)|GeometryCollection)"'
)


def check_content(raw: bytes, name: str, ending: str) -> str:
    """Return the format of a file whose content is what its ending says.

    Parameters
    ----------
    raw
        The whole file.
    name
        Its name, for messages.
    ending
        Its ending with the dot, lower case.

    Raises
    ------
    SourceError
        If the ending is not read, or the content is something else; the text says what it is.
    """
    wanted = FORMATS.get(ending)
    if wanted is None:
        raise SourceError(refuse_ending(name, ending))
    found = sniff(raw)
    if wanted == "text" and found in ("json", "xml", "html", "geojson", "kml", "dxf", "binary"):
        found = "text"  # a text table may begin with any words; `decode` finds what is not text
    if wanted == "kmz" and found == "zip":
        found = "kmz"
    if wanted == "shapefile" and found == "zip":
        found = "shapefile"
    if found != wanted:
        what = _WHAT.get(found, found)
        raise SourceError(f"{name} is {what}, not {_WHAT[wanted]}; {_advice(found)}")
    return wanted


def refuse_ending(name: str, ending: str) -> str:
    """Return what to say of a file whose ending is not read."""
    said = f'end in "{short(ending)}"' if ending else "have no ending"
    if ending in (".shp", ".shx", ".dbf", ".prj"):
        return (
            f"{name} is one part of a shapefile; put its .shp, .shx, .dbf and .prj into one ZIP "
            "archive and load that"
        )
    return (
        f"{name}: files that {said} are not read. Today these are: {', '.join(FORMATS)}. "
        "Save the table as CSV (UTF-8) and load that"
    )


def _advice(found: str) -> str:
    endings = [ending for ending, wanted in FORMATS.items() if wanted == found]
    if endings and found != "text":
        return f"if that is what you want to load, rename it so that it ends in {endings[0]}"
    if found == "encrypted":
        return "open it in WPS or Excel, take the password off and save it again"
    if found in ("vrt", "gdalg"):
        return "load the file it was made from"
    return SAVE_AS if found != "sqlite" else "load the file it was made from"


def sniff(raw: bytes) -> str:
    """Return what bytes are: a format that is read, or another word of this module's list."""
    for start, what in _STARTS:
        if raw.startswith(start):
            is_package = what == "sqlite" and raw[68:72] in _GEOPACKAGE_IDS
            return "gpkg" if is_package else what
    if raw.startswith(b"PK\x03\x04"):
        return _sniff_zip(raw)
    if raw.startswith(b"\xd0\xcf\x11\xe0"):
        return _sniff_ole(raw)
    if raw.startswith((b"\x09\x08", b"\x09\x04", b"\x09\x02", b"\x09\x00")):
        return "ole"
    return _sniff_text(raw)


def _sniff_zip(raw: bytes) -> str:
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):
        return "zip"
    for what, main in _ZIP_MAIN.items():
        if main in names:
            return what
    return "ods" if b"opendocument.spreadsheet" in raw[:200] else "zip"


def _sniff_ole(raw: bytes) -> str:
    if "EncryptedPackage".encode("utf-16-le") in raw:
        return "encrypted"
    book = any(word.encode("utf-16-le") in raw for word in ("Workbook", "Book"))
    return "xls" if book else "ole"


_XML_SPACE = " \t\r\n"


def _sniff_text(raw: bytes) -> str:
    head = xml_text(raw[:65536]).lstrip("\ufeff" + _XML_SPACE)
    if head[:1] == "<":
        return _sniff_xml(head)
    if head[:1] in ("{", "["):
        return _sniff_json(raw)
    if re.match(r"0\s*\r?\n\s*SECTION\b", head) or re.match(r"999\s*\r?\n", head):
        return "dxf"
    return (
        "binary"
        if b"\0" in raw[:65536] and not raw.startswith((b"\xff\xfe", b"\xfe\xff"))
        else "text"
    )


def _sniff_xml(head: str) -> str:
    body = re.sub(r"(?s)<!--.*?-->|<\?.*?\?>|<!DOCTYPE[^>\[]*(\[.*?\])?\s*>", "", head)
    found = re.search(r"<\s*(?:[\w.-]+:)?([\w.-]+)", body)
    root = found[1].casefold() if found else ""
    if root.startswith(("ogrvrt", "vrtdataset")):
        return "vrt"
    return {"kml": "kml", "html": "html", "table": "html", "body": "html"}.get(root, "xml")


def _sniff_json(raw: bytes) -> str:
    head = raw[:4_000_000].decode("utf-8-sig", errors="replace")
    if re.search(r'"type"\s*:\s*"gdal_streamed_alg"', head):
        return "gdalg"
    if re.search(r'"type"\s*:\s*"Topology"', head):
        return "topojson"
    if _GEOJSON_TYPE.search(head):
        return "geojson"
    return "esrijson" if re.search(r'"(geometryType|esriGeometry\w+)"', head) else "json"


def xml_text(raw: bytes) -> str:
    """Return XML bytes as text as far as needed to search it: by its mark, else as UTF-8."""
    for mark, encoding in ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if raw.startswith(mark):
            return raw.decode(encoding, errors="replace")
    for start, encoding in ((b"<\0", "utf-16-le"), (b"\0<", "utf-16-be")):
        if raw.startswith(start):
            return raw.decode(encoding, errors="replace")
    return raw.decode("utf-8", errors="replace")


_DTD = re.compile(r"<!\s*(DOCTYPE|ENTITY)", re.IGNORECASE)


def refuse_dtd(text: str, name: str) -> None:
    """Refuse XML that declares entities: they can grow without end or read other files.

    Raises
    ------
    SourceError
        If there is a DOCTYPE or ENTITY declaration anywhere in the text.
    """
    found = _DTD.search(text)
    if found:
        raise SourceError(
            f"{name} declares a document type (<!{found[1].upper()}), which can read other files; "
            "save it again from the program it comes from"
        )


# --- archives -------------------------------------------------------------------------------------

_RATIO = 300
"""How many times its packed size a large member may unpack to; a sheet of like rows reaches some fifty."""
_LARGE = 20_000_000


def open_archive(raw: bytes, name: str, limits: Limits) -> zipfile.ZipFile:
    """Return an archive whose list of members is harmless.

    Raises
    ------
    SourceError
        If it is damaged, protected, too large when unpacked, or has links or paths out of it.
    """
    try:
        archive = zipfile.ZipFile(io.BytesIO(raw))
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
        raise SourceError(f"{name} is a damaged ZIP archive; make or download it again") from error
    for fault in _archive_faults(archive, limits):
        raise SourceError(f"{name} is refused: {fault}")
    return archive


def _archive_faults(archive: zipfile.ZipFile, limits: Limits) -> Iterator[str]:
    members = archive.infolist()
    if len(members) > 10_000:
        yield f"it has {len(members):,} members; 10,000 are allowed"
    unpacked = sum(member.file_size for member in members)
    if unpacked > limits.max_unpacked:
        yield f"unpacked it would be {unpacked / 1e6:,.0f} MB; {limits.max_unpacked / 1e6:g} MB are allowed"
    for member in members:
        called = short(member_name(member))
        path = PurePosixPath(member_name(member).replace("\\", "/"))
        if ".." in path.parts or path.is_absolute() or re.match(r"[A-Za-z]:", str(path)):
            yield f'its member "{called}" points out of the archive'
        if stat.S_ISLNK(member.external_attr >> 16):
            yield f'its member "{called}" is a link to another file'
        if member.flag_bits & 0x1:
            yield f'its member "{called}" is protected with a password'
        if member.file_size > 1_000_000 and member.file_size > _RATIO * max(
            member.compress_size, 1
        ):
            yield f'its member "{called}" unpacks to over {_RATIO} times its size (a ZIP bomb)'


def member_name(member: zipfile.ZipInfo) -> str:
    """Return a member's name; Chinese Windows writes GBK where the standard says CP437."""
    if member.flag_bits & 0x800:
        return member.filename
    try:
        return member.filename.encode("cp437").decode("gb18030")
    except (UnicodeEncodeError, UnicodeDecodeError):
        return member.filename


def read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str) -> Iterator[bytes]:
    """Yield what a member holds, a megabyte at a time; never more than its entry promises.

    Raises
    ------
    SourceError
        If it is damaged, or holds something other than it promises.
    """
    try:
        with archive.open(member) as file:
            while chunk := file.read(1 << 20):
                yield chunk
    except (zipfile.BadZipFile, EOFError, OSError, ValueError, NotImplementedError) as error:
        raise SourceError(
            f'{name} is damaged: its member "{short(member_name(member))}" cannot be unpacked; '
            "make or download it again"
        ) from error
    except Exception as error:  # zlib.error, lzma.LZMAError: each packing has its own
        raise SourceError(
            f'{name} is damaged: its member "{short(member_name(member))}" cannot be unpacked; '
            "make or download it again"
        ) from error
