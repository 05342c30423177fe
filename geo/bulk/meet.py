"""Which rows of different partitions share a `site_id`, and what each partition must know of them.

Found with eight bytes for each row in memory (80 MB for 10 million rows), then settled by the ids themselves: two
ids that only share a digest are told apart. Rows that share an id are held in memory while they are handed out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from geo.bulk.desk import Desk, need_json
from geo.errors import BulkError
from geo.read.grid import GridRow

_Spot = tuple[int, int]
"""A partition and a position in it."""


@dataclass(slots=True)
class _Meeting:
    """The rows with one id: the first of all, and each later one with whether it is a line."""

    first: _Spot
    first_is_line: bool
    later: list[tuple[_Spot, bool]] = field(default_factory=list)


def hand_out_meetings(desk: Desk, parts: int) -> int:
    """Give each partition the rows of others that share an id with it; return how many ids are shared.

    Parameters
    ----------
    desk
        Where the ids of all partitions are kept.
    parts
        How many there are.
    """
    desk.clear("meet")
    shared = find_meetings(desk, parts)
    before, after = _wanted(shared)
    rows = _fetch(desk, {spot for spots in (*before.values(), *after.values()) for spot in spots})
    for number in sorted(before.keys() | after.keys()):
        # In the order of the table, as the reader would have met them.
        above = [rows[spot] for spot in sorted(before.get(number, ()))]
        below = [rows[spot] for spot in sorted(after.get(number, ()))]
        desk.save_meeting(number, above, below)
    return len(shared)


def find_meetings(desk: Desk, parts: int) -> dict[str, _Meeting]:
    """Return the ids that stand in more than one partition, with all their rows in order."""
    suspects = _suspects(desk, parts)
    met: dict[str, _Meeting] = {}
    if suspects.size:
        for number in range(parts):
            marks = _marks(desk, number)
            if np.isin(marks, suspects).any():
                _note(met, number, np.isin(marks, suspects), desk)
    return {
        site_id: one
        for site_id, one in met.items()
        if any(spot[0] != one.first[0] for spot, _ in one.later)
    }


def _note(met: dict[str, _Meeting], number: int, chosen: npt.NDArray[np.bool_], desk: Desk) -> None:
    keys = need_json(desk.path("keys", number))
    for at in np.flatnonzero(chosen).tolist():
        position, site_id, is_line = keys[at]
        spot = (number, int(position))
        if site_id in met:
            met[site_id].later.append((spot, bool(is_line)))
        else:
            met[site_id] = _Meeting(spot, bool(is_line))


def _suspects(desk: Desk, parts: int) -> npt.NDArray[np.uint64]:
    """Return the digests that more than one row has."""
    marks = np.concatenate([np.empty(0, "<u8"), *(_marks(desk, number) for number in range(parts))])
    marks.sort()
    twice: npt.NDArray[np.uint64] = np.unique(marks[1:][marks[1:] == marks[:-1]])
    return twice


def _marks(desk: Desk, number: int) -> npt.NDArray[np.uint64]:
    try:
        found: npt.NDArray[np.uint64] = np.load(desk.path("keys", number, "npy"))
    except (OSError, ValueError) as error:
        raise BulkError("the ids of a partition are damaged; begin anew with --restart") from error
    return found


def _wanted(
    shared: dict[str, _Meeting],
) -> tuple[dict[int, set[_Spot]], dict[int, set[_Spot]]]:
    """Return which rows each partition must know from above, and which from below."""
    before: dict[int, set[_Spot]] = defaultdict(set)
    after: dict[int, set[_Spot]] = defaultdict(set)
    for one in shared.values():
        home = one.first[0]
        for spot, is_line in one.later:
            if spot[0] == home:
                continue
            before[spot[0]].add(one.first)
            # Only a line can add to the first row's record; anything else is a problem where it stands.
            if one.first_is_line and is_line:
                after[home].add(spot)
    return before, after


def _fetch(desk: Desk, spots: set[_Spot]) -> dict[_Spot, GridRow]:
    found: dict[_Spot, GridRow] = {}
    for number, positions in _by_part(spots):
        rows = desk.rows(number)
        found |= {(number, position): rows[position] for position in positions}
    return found


def _by_part(spots: set[_Spot]) -> Iterator[tuple[int, list[int]]]:
    by_part: dict[int, list[int]] = defaultdict(list)
    for number, position in sorted(spots):
        by_part[number].append(position)
    yield from by_part.items()
