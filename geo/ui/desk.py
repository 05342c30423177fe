"""What the import desk shows: a draft beside its source, in words, ready for the page's script."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import shapely

from geo.compare import Compared, Comparison
from geo.drafts import Desk, Draft, Item, shown
from geo.locate.guard import Hypothesis
from geo.pipeline import LoadReport, choice_key
from geo.read import ReadReport
from geo.read.checks import Check
from geo.site import RowProblem, SiteRecord
from geo.store import Import
from geo.ui.explain import explain, explain_where

Words = dict[str, Any]
READINGS, POINTS_DRAWN, OUTLINE_STEP = 4, 300, 0.0008
"""How much of the datum guard is drawn: readings, points of each, and the outline's detail in degrees."""


def draft_head(draft: Draft) -> dict[str, Any]:
    """Return what a list says of a draft."""
    waiting = sum(one.decision == "open" for one in draft.items)
    head = {name: getattr(draft, name) for name in ("draft_id", "name", "form", "who", "at")}
    return {**head, "items": len(draft.items), "waiting": waiting}


def import_head(one: Import) -> dict[str, Any]:
    """Return what a list says of an import."""
    raw = asdict(one)
    raw["at"] = one.at.isoformat()
    raw["undone_at"] = one.undone_at.isoformat() if one.undone_at else ""
    return raw


def view_draft(desk: Desk, draft: Draft, words: Words, language: str) -> dict[str, Any]:
    """Return everything the page shows of a draft.

    Parameters
    ----------
    desk
        Whose draft it is.
    draft
        The draft.
    words
        The section `desk` of the page's language.
    language
        zh or en, for messages.
    """
    shared = {**draft_head(draft), "as_of": draft.as_of}
    if draft.form == "bulletin":
        return shared | _bulletin_view(desk, draft, words, language)
    return shared | _table_view(desk, draft, language)


# ---- bulletins --------------------------------------------------------------------------------------------------


def _bulletin_view(desk: Desk, draft: Draft, words: Words, language: str) -> dict[str, Any]:
    comparison = desk.comparison(draft, decisions=("open", "accepted"))
    told = _told_by_number(comparison)
    return {
        "raw": draft.raw,
        "model": desk.model.host if desk.model else "",
        "items": [_item_view(one, told) for one in draft.items],
        "checks": [_check_view(check, words) for check in desk.checks(draft)],
        "figures": len(draft.claims),
        "problems": shown([_problem(one, language) for one in draft.problems]),
        "comparison": comparison.counts(),
        "gone": shown([one.name for one in comparison.gone]),
    }


def _told_by_number(comparison: Comparison) -> dict[int, tuple[str, Compared]]:
    return {
        number: (name, one)
        for name in comparison.__slots__
        for one in getattr(comparison, name)
        for number in one.records
    }


def _item_view(item: Item, told: dict[int, tuple[str, Compared]]) -> dict[str, Any]:
    raw = asdict(item)
    if item.number in told:
        raw["compared"] = _compared(*told[item.number])
    return raw


def _compared(name: str, one: Compared) -> dict[str, Any]:
    return {
        "list": name,
        "key": choice_key(one.kind, one.name),
        "site_id": one.site_id,
        "name": one.name,
        "statuses": list(one.statuses),
        "changes": [asdict(change) for change in one.changes],
        "candidates": [asdict(candidate) for candidate in one.candidates[:5]],
    }


def _check_view(check: Check, words: Words) -> dict[str, Any]:
    return {
        "ok": check.ok,
        "text": words["checks"][check.code].format(
            **{"other": "", "difference": ""} | dict(check.fields)
        ),
        "quotes": list(dict.fromkeys(source.quote for source in check.sources if source.quote))[:3],
    }


# ---- tables -----------------------------------------------------------------------------------------------------


def _table_view(desk: Desk, draft: Draft, language: str) -> dict[str, Any]:
    inspection = desk.inspect(draft)
    view: dict[str, Any] = {"inspection": inspection.to_json()}
    view["inspection"]["warnings"] = [explain(text, language) for text in inspection.warnings]
    for column in view["inspection"]["columns"]:
        column["why"] = explain(column["why"], language)
    if {"name", "kind"} & set(inspection.asks):
        return view | {"read": None}
    read, comparison = desk.settled(draft)
    if not inspection.sheets[0].geometry_type:
        view["guard"] = _guard_view(desk, read)
    return view | {
        "read": {
            "rows": read.rows,
            "records": len(read.records),
            "sample": [_record(one) for one in read.records[:8]],
            "problems": shown([_problem(one, language) for one in read.problems]),
            "skipped": shown([_problem(one, language) for one in read.skipped]),
            "asks": list(read.asks),
            "ignored": [explain_where(name, language) for name in read.ignored],
        },
        "comparison": comparison.counts(),
        "doubtful": shown([_compared("doubtful", one) for one in comparison.doubtful]),
        "changed": shown([_compared("changed", one) for one in comparison.changed]),
        "gone": shown([one.name for one in comparison.gone]),
        "choices": dict(draft.choices),
    }


def _guard_view(desk: Desk, read: ReadReport) -> dict[str, Any] | None:
    """Return the readings of a table's coordinates, the likeliest first, each with some of its points to draw."""
    verdict = desk.guard(read)
    if verdict is None or not verdict.hypotheses:
        return None
    outline = shapely.simplify(desk.outline(), OUTLINE_STEP)
    rings = [part.exterior for part in getattr(outline, "geoms", [outline])]
    return {
        "decided": verdict.decided,
        "outline": [np.round(shapely.get_coordinates(ring), 5).tolist() for ring in rings],
        "readings": [_reading(one) for one in verdict.hypotheses[:READINGS]],
    }


def _reading(one: Hypothesis) -> dict[str, Any]:
    points = one.points[~np.isnan(one.points[:, 0])][:POINTS_DRAWN]
    return {
        "datum": one.datum,
        "swapped": one.swapped,
        "readable": one.readable,
        "inside": one.inside,
        "road_m": None if one.road_m is None else round(one.road_m),
        "place_m": None if one.place_m is None else round(one.place_m),
        "points": np.round(points, 5).tolist(),
    }


def _record(record: SiteRecord) -> dict[str, Any]:
    names = ("site_id", "kind", "name", "status", "place", "street", "datum", "x", "y")
    day = record.as_of.isoformat() if record.as_of else ""
    return {**{name: getattr(record, name) for name in names}, "as_of": day}


def _problem(problem: RowProblem, language: str) -> dict[str, str]:
    return {
        "where": explain_where(problem.where, language),
        "message": explain(problem.message, language),
    }


# ---- done -------------------------------------------------------------------------------------------------------


def view_report(report: LoadReport, language: str) -> dict[str, Any]:
    """Return what became of an import."""
    names = "file rows located not_located added changed unchanged older claims import_id".split()
    problems = [_problem(one, language) for one in report.problems]
    return {**{name: getattr(report, name) for name in names}, "problems": shown(problems)}
