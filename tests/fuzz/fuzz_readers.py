"""Fuzz what reads strangers' text in this process, led by coverage.

    python tests/fuzz/fuzz_readers.py -max_total_time=600

Needs `atheris`, which has wheels for Linux only; without it, tests/fuzz/test_fuzzed_files.py changes files at random.
Options are libFuzzer's. What fails is written to `crash-…`; pass that file to see it again.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

with atheris.instrument_imports(include=["geo"]):
    from geo.category import load_categories
    from geo.errors import SiteMapError
    from geo.locate.datum import parse_datum
    from geo.locate.links import parse_link
    from geo.read.content import check_content
    from geo.read.grid import Limits, read_text_grid
    from geo.scheme import Scheme, read_bounds
    from geo.view import SiteFilter

CATEGORIES = load_categories()
LIMITS = Limits(max_bytes=100_000, max_rows=500, max_cells=20_000)


def _link(text: str) -> None:
    parse_link(text)


def _scheme(text: str) -> None:
    Scheme.from_json(text).filter(CATEGORIES)


def _filter(text: str) -> None:
    names = ("hide", "q", "street", "until", "as_of", "since", "located", "precision")
    parts = text.split("\n")
    SiteFilter.from_params(dict(zip(names, parts, strict=False)), CATEGORIES)


TEXTS = (_link, _scheme, _filter, read_bounds, parse_datum)
ENDINGS = (".csv", ".xlsx", ".gpkg", ".geojson", ".kml", ".zip")


def test_one_input(data: bytes) -> None:
    """Read bytes as what their first one says; only a refusal may come of it."""
    if not data:
        return
    which, rest = data[0] % (len(TEXTS) + 2), data[1:]
    with suppress(SiteMapError):
        if which < len(TEXTS):
            TEXTS[which](rest.decode("utf-8", "replace"))
        elif which == len(TEXTS):
            read_text_grid(rest, "a.csv", known=(), limits=LIMITS)
        elif rest:
            check_content(rest[1:], "a", ENDINGS[rest[0] % len(ENDINGS)])


if __name__ == "__main__":
    atheris.Setup(sys.argv, test_one_input)
    atheris.Fuzz()
