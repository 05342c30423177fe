"""Writes workbooks for the tests of reading: XLSX as openpyxl does, and XLS byte by byte."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import openpyxl


def write_xlsx(
    path: Path,
    rows: Iterable[Iterable[Any]],
    *,
    merge: Iterable[str] = (),
    title: str = "表",
    change: Callable[[openpyxl.Workbook], None] | None = None,
) -> Path:
    """Write rows into the first sheet; `merge` names ranges (A1:B2), `change` does anything else."""
    book = openpyxl.Workbook()
    book.active.title = title
    for row in rows:
        book.active.append(list(row))
    for cells in merge:
        book.active.merge_cells(cells)
    if change:
        change(book)
    book.save(path)
    return path


def _record(code: int, body: bytes) -> bytes:
    return struct.pack("<HH", code, len(body)) + body


def _wide(text: str) -> bytes:
    return text.encode("utf-16-le")


def _xls_cell(row: int, column: int, value: str | float) -> bytes:
    at = struct.pack("<HHH", row, column, 0)
    if isinstance(value, str):
        return _record(0x0204, at + struct.pack("<HB", len(value), 1) + _wide(value))
    return _record(0x0203, at + struct.pack("<d", value))


def write_xls(path: Path, rows: Iterable[Iterable[str | float]], *, title: str = "表") -> Path:
    """Write one sheet as Excel 97 does: a compound file that holds one BIFF8 stream."""
    cells = b"".join(
        _xls_cell(r, c, value) for r, row in enumerate(rows) for c, value in enumerate(row)
    )
    end = _record(0x000A, b"")
    sheet = _record(0x0809, struct.pack("<HHHHII", 0x0600, 0x0010, 0, 0, 0, 0)) + cells + end
    start = _record(0x0809, struct.pack("<HHHHII", 0x0600, 0x0005, 0, 0, 0, 0))
    entry = struct.pack("<BBBB", 0, 0, len(title), 1) + _wide(title)
    offset = len(start) + 4 + 4 + len(entry) + len(end)
    stream = start + _record(0x0085, struct.pack("<I", offset) + entry) + end + sheet
    path.write_bytes(_compound(stream.ljust(8192, b"\0")))
    return path


def _compound(stream: bytes) -> bytes:
    """A compound file with one stream "Workbook": sector 0 is the FAT, 1 the directory, then the stream."""
    stream = stream.ljust(-(-len(stream) // 512) * 512, b"\0")
    count = len(stream) // 512
    chain = [0xFFFFFFFD, 0xFFFFFFFE, *range(3, count + 2), 0xFFFFFFFE]
    fat = struct.pack(f"<{len(chain)}I", *chain).ljust(512, b"\xff")
    assert len(fat) == 512
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16)
    header += struct.pack(
        "<HHHHH6xIIIIIIIII", 0x3E, 3, 0xFFFE, 9, 6, 0, 1, 1, 0, 4096, 0xFFFFFFFE, 0, 0xFFFFFFFE, 0
    )
    header += struct.pack("<109I", 0, *[0xFFFFFFFF] * 108)
    directory = _entry("Root Entry", 5, child=1, start=0xFFFFFFFE, size=0)
    directory += _entry("Workbook", 2, child=0xFFFFFFFF, start=2, size=len(stream)) + bytes(256)
    return header + fat + directory + stream


def _entry(name: str, kind: int, *, child: int, start: int, size: int) -> bytes:
    none = 0xFFFFFFFF
    raw = _wide(name).ljust(64, b"\0") + struct.pack("<HBB", 2 * len(name) + 2, kind, 1)
    return raw + struct.pack("<III36xIQ", none, none, child, start, size)
