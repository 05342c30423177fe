"""Sites, words and sheets to export, small enough to check by hand."""

from __future__ import annotations

from datetime import date

import shapely

from geo.category import load_categories
from geo.draw.basemaps import district
from geo.export.frame import PRESETS
from geo.export.layout import Wording, lay_out
from geo.site import Match, SiteRecord, Source, make_sites, site_row
from geo.ui.text import load_text

OUTLINE = district("211002").outline


def make_wording(title="白塔区一张图", notice=""):
    return Wording(
        title=title,
        subtitle="仅看：未复工",
        as_of="数据截至 2020-03-11",
        source="来源：甲、乙",
        unit="制图：规划股",
        marking="内部工作用图 请勿公开",
        notice=notice,
        language="zh",
        labels=dict(load_text("zh")["export"]),
    )


def make_site(n, lon=None, lat=None, *, kind="enterprise", status="resumed", name="", **match):
    record = SiteRecord(
        kind, name or f"甲{n}", status, Source("甲.csv"), site_id=f"s{n}", as_of=date(2020, 3, 11)
    )
    if lon is None and "geometry" not in match:
        return site_row(record, Match("none", reason="no_coordinate"))
    shape = match.pop("geometry", None) or shapely.Point(lon, lat)
    return site_row(record, Match("given", shape, match.pop("precision", "poi"), **match))


def make_grid(count, missing=0, status="resumed"):
    """Sites in a square of the district, and some without a place."""
    side = max(1, round(count**0.5))
    rows = [
        make_site(
            n, 123.15 + 0.04 * (n % side) / side, 41.24 + 0.03 * (n // side) / side, status=status
        )
        for n in range(count)
    ]
    rows += [make_site(count + n) for n in range(missing)]
    return make_sites(rows)


def lay_out_usual(sites, preset="16:9-1080", **more):
    """Lay out sites on a sheet with everything else as usual."""
    wording = more.pop("wording", make_wording())
    return lay_out(sites, PRESETS[preset], wording, load_categories(), outline=OUTLINE, **more)
