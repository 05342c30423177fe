"""What a person changes by hand, one site or many at once, and how each such step is taken back and done again.

A step is undone cell by cell: where somebody else has changed a cell since, that cell is theirs and stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import geopandas as gpd
import pandas as pd

from geo.category import Categories
from geo.site import Correction, SiteUpdate
from geo.store import SiteStore

KEPT_STEPS = 100
"""How many of a visitor's steps can be taken back."""

Cells = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Step:
    """One thing a person did: cells of sites from what to what, or corrections of where sites are.

    Parameters
    ----------
    step_id
        Tells it from this visitor's other steps.
    name
        The site's name, or that of the first of several.
    before, after
        By `site_id`, the cells that were changed.
    corrections
        As kept, oldest first.
    """

    step_id: int
    name: str
    before: Mapping[str, Cells] = field(default_factory=dict)
    after: Mapping[str, Cells] = field(default_factory=dict)
    corrections: tuple[Correction, ...] = ()

    @property
    def count(self) -> int:
        """How many sites it changed."""
        return len(self.after) or len({one.site_id for one in self.corrections})


@dataclass(frozen=True, slots=True)
class EditReport:
    """What came of a step: the step as it can be taken back, None if nothing changed, and whose sites stayed (ids)."""

    step: Step | None
    left: tuple[str, ...] = ()


def edit_sites(
    store: SiteStore,
    seen: gpd.GeoDataFrame,
    changes: Cells,
    *,
    who: str,
    step_id: int,
    categories: Categories,
) -> EditReport:
    """Change the same cells of some sites, unless somebody else has changed a site since it was seen.

    Parameters
    ----------
    store
        Where the sites are kept.
    seen
        Site table of the sites to change, as the person saw them.
    changes
        New values by column, as for `SiteStore.update_site`.
    who
        The person, for the history.
    step_id
        For the step.
    categories
        Kinds and statuses.

    Raises
    ------
    SiteMapError
        If a value cannot be kept; then no site has changed.
    """
    updates = [
        SiteUpdate(str(site_id), int(version), changes)
        for site_id, version in zip(seen["site_id"], seen["version"], strict=True)
    ]
    report = store.update_sites(updates, who=who, categories=categories)
    rows = seen.set_index("site_id")
    old = rows["version"].to_dict()
    changed = [site_id for site_id, version in report.versions.items() if version != old[site_id]]
    before = {
        site_id: {name: stored_value(rows.at[site_id, name]) for name in changes}
        for site_id in changed
    }
    left = (*report.conflicting, *report.missing)
    if not changed:
        return EditReport(None, left)
    name = str(rows.at[changed[0], "name"])
    return EditReport(Step(step_id, name, before, dict.fromkeys(changed, changes)), left)


def undo_step(store: SiteStore, step: Step, *, who: str, categories: Categories) -> EditReport:
    """Take a step back and return it as it can be done again; cells that somebody has changed since stay.

    Raises
    ------
    StoreError
        If a placing cannot be taken back, because the site was placed again since.
    """
    if step.corrections:
        for one in reversed(step.corrections):
            store.undo_correction(one.correction_id, who=who)
        return EditReport(step)
    return _set_cells(store, step, step.after, step.before, "undo edit", who, categories)


def redo_step(store: SiteStore, step: Step, *, who: str, categories: Categories) -> EditReport:
    """Do a step again that was taken back and return it as it can be taken back.

    Raises
    ------
    StoreError
        If one of the sites is gone.
    """
    if step.corrections:
        now = datetime.now(UTC)
        again = [replace(one, who=who, at=now) for one in step.corrections]
        kept = [replace(one, correction_id=store.add_correction(one)) for one in again]
        return EditReport(replace(step, corrections=tuple(kept)))
    return _set_cells(store, step, step.before, step.after, "redo edit", who, categories)


def _set_cells(
    store: SiteStore,
    step: Step,
    expected: Mapping[str, Cells],
    wanted: Mapping[str, Cells],
    source: str,
    who: str,
    categories: Categories,
) -> EditReport:
    """Give the cells of each site other values where they are as expected."""
    updates, left = list[SiteUpdate](), list[str]()
    sites = store.read_some(expected)
    rows = {str(row["site_id"]): row for row in sites.to_dict("records")}
    for site_id, cells in expected.items():
        row = rows.get(site_id)
        if row is None or any(not _same(row[name], value) for name, value in cells.items()):
            left.append(site_id)
        else:
            updates.append(SiteUpdate(site_id, int(row["version"]), wanted[site_id]))
    report = store.update_sites(updates, who=who, source=source, categories=categories)
    left += [*report.conflicting, *report.missing]
    done = set(report.versions)
    if not done:
        return EditReport(None, tuple(left))
    before = {site_id: cells for site_id, cells in step.before.items() if site_id in done}
    after = {site_id: cells for site_id, cells in step.after.items() if site_id in done}
    return EditReport(replace(step, before=before, after=after), tuple(left))


def stored_value(value: Any) -> object:
    """Return a cell of the site table as a store takes it: a date as a day, missing as None."""
    if isinstance(value, pd.Timestamp):
        return value.date()
    return None if pd.isna(value) else value


def _same(cell: Any, value: object) -> bool:
    return stored_value(cell) == value


@dataclass
class Steps:
    """What one visitor did, newest last, and what of it was taken back and may be done again."""

    done: list[Step] = field(default_factory=list)
    undone: list[Step] = field(default_factory=list)
    last_id: int = 0

    def next_id(self) -> int:
        """Return the id for a new step."""
        self.last_id += 1
        return self.last_id

    def did(self, step: Step) -> None:
        """Remember a new step; what was taken back before cannot be done again after it."""
        self.done.append(step)
        del self.done[:-KEPT_STEPS]
        self.undone.clear()

    def to_undo(self, step_id: int | None = None) -> Step | None:
        """Return the newest step, or the one of an id if it is still done."""
        return _find(self.done, step_id)

    def to_redo(self, step_id: int | None = None) -> Step | None:
        """Return the step that was taken back last, or the one of an id."""
        return _find(self.undone, step_id)

    def took_back(self, step: Step, again: Step | None) -> None:
        """Move a step to those that may be done again; None if nothing of it is left to do."""
        self.done = [one for one in self.done if one.step_id != step.step_id]
        self.undone += [again] if again else []

    def did_again(self, step: Step, back: Step | None) -> None:
        """Move a step to those that may be taken back again."""
        self.undone = [one for one in self.undone if one.step_id != step.step_id]
        self.done += [back] if back else []


def _find(steps: Sequence[Step], step_id: int | None) -> Step | None:
    if step_id is None:
        return steps[-1] if steps else None
    return next((one for one in steps if one.step_id == step_id), None)
