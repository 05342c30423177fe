"""Hypothesis strategies for site tables and filters; any test may draw from them.

    from strategies import laws, site_tables

    @laws
    @given(sites=site_tables())
    def test_saving_and_loading_changes_nothing(sites): ...

Tables are small and their words few, so that filters hit some rows and miss others, and include what has
gone wrong before: full-width letters, a space inside a name, a word that only the end of one field and the
start of the next would make, an hour in a date, a row index that is not 0, 1, 2.
"""

from datetime import date, datetime

import geopandas as gpd
import shapely
from hypothesis import settings
from hypothesis import strategies as st

from geo.category import load_categories
from geo.site import PRECISIONS, Reason, make_sites
from geo.view import NO_STREET, SiteFilter

# A table takes milliseconds to make and the first one much longer: fewer examples, no deadline.
laws = settings(max_examples=40, deadline=None)

CATEGORIES = load_categories()
KEYS = tuple(CATEGORIES.codes)
STREETS = ("", "南门街道", "星火街道", "铁西街道")
PIECES = ("新华", "路", "新华路", "新华 路", "农机", "Ｃａｆé", "CAFÉ", "café", "No.1", "%", "_")
DAYS = (date(1969, 12, 31), date(2020, 3, 9), date(2020, 3, 10), date(2020, 3, 11))

# No control characters: no file format we read hands them on, and XLSX cannot hold them.
_letters = st.text(st.characters(codec="utf-8", exclude_categories=("Cc",)), max_size=8)
texts = st.lists(st.sampled_from(PIECES), max_size=3).map("".join) | _letters
names = texts.filter(lambda text: text.strip() != "")

_longitudes = st.floats(123.0, 123.8, allow_subnormal=False)
_latitudes = st.floats(41.0, 41.6, allow_subnormal=False)
points = st.builds(shapely.Point, _longitudes, _latitudes)
lines = st.lists(st.tuples(_longitudes, _latitudes), min_size=2, max_size=5, unique=True).map(
    shapely.LineString
)
areas = st.builds(
    lambda x, y, size: shapely.box(x, y, x + size, y + size),
    _longitudes,
    _latitudes,
    st.floats(0.001, 0.1),
)
moments = st.sampled_from(DAYS) | st.sampled_from(DAYS).map(
    lambda day: datetime(day.year, day.month, day.day, 10, 30)
)


@st.composite
def site_rows(draw: st.DrawFn) -> dict[str, object]:
    """Return one row of a site table, without a `site_id`."""
    precision = draw(st.sampled_from(PRECISIONS))
    kind, status = draw(st.sampled_from(KEYS)).split(".")
    nowhere = precision == "none"
    return {
        "kind": kind,
        "status": status,
        "name": draw(names),
        "as_of": draw(st.none() | moments),
        "place": draw(texts),
        "street": draw(st.sampled_from(STREETS)),
        "source_file": draw(st.sampled_from(("", "通报.docx", "sites.csv"))),
        "source_where": draw(st.sampled_from(("", "第 3 行", "12:40"))),
        "source_quote": draw(texts),
        "precision": precision,
        "uncertainty_m": draw(st.none() | st.floats(0, 5000)),
        "match_method": "" if nowhere else draw(st.sampled_from(("gazetteer", "correction"))),
        "match_score": draw(st.none() | st.floats(0, 100)),
        "reason": str(Reason.NO_COORDINATE) if nowhere else "",
        "note": draw(texts),
        "fictitious": draw(st.booleans()),
        "version": draw(st.integers(1, 9)),
        "geometry": None if nowhere else draw(points | lines | areas),
    }


@st.composite
def site_tables(draw: st.DrawFn, *, min_size: int = 0, max_size: int = 6) -> gpd.GeoDataFrame:
    """Return a site table that `check_sites` accepts, its rows in any order of their index."""
    rows = draw(st.lists(site_rows(), min_size=min_size, max_size=max_size))
    sites = make_sites({"site_id": f"s{number}", **row} for number, row in enumerate(rows))
    return sites.iloc[::-1] if draw(st.booleans()) else sites


hidden_sets = st.frozensets(st.sampled_from(KEYS))
_times = st.tuples(st.none() | st.sampled_from(DAYS), st.none() | st.sampled_from(DAYS)).map(
    lambda days: days if None in days or days[1] < days[0] else (days[0], None)
)
filters = st.builds(
    lambda times, **given: SiteFilter(**given, as_of=times[0], since=times[1]),
    times=_times,
    hidden=hidden_sets,
    text=st.just("") | st.sampled_from(PIECES) | st.lists(texts, max_size=2).map(" ".join),
    streets=st.just(())
    | st.lists(st.sampled_from((*STREETS[1:], NO_STREET)), max_size=2).map(tuple),
    precisions=st.just(()) | st.lists(st.sampled_from(PRECISIONS), max_size=6).map(tuple),
    until=st.none() | st.sampled_from(DAYS),
    located=st.sampled_from((None, None, True, False)),
)
"""Filters of any fields together. For one field alone, use `SiteFilter` itself."""
