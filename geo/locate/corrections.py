"""What people have said on where a site is: the first locator asked, so that no source ever undoes it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from geo.locate.names import HOME, normalise_name
from geo.site import Correction, Match, SiteRecord, make_site_id


class Corrections:
    """A locator that knows sites a person has placed.

    A correction holds for its site, and for a site of the same kind and name from a source that gives sites no
    id of its own. Two sites that a source keeps apart by id stay apart, also under one name.

    Parameters
    ----------
    corrections
        Any order; of two for one site the newer holds.
    home
        Official names that may stand before a name, largest first.
    """

    def __init__(self, corrections: Iterable[Correction], *, home: Sequence[str] = HOME) -> None:
        self._home = home
        self._by_id: dict[str, Correction] = {}
        self._by_name: dict[tuple[str, str], list[Correction]] = {}
        for correction in sorted(corrections, key=_age, reverse=True):
            self._by_id.setdefault(correction.site_id, correction)
            key = (correction.kind, normalise_name(correction.name, home=home))
            self._by_name.setdefault(key, []).append(correction)

    def locate(self, record: SiteRecord) -> Match | None:
        """Return the newest correction that holds for a record, or None."""
        own = self._by_id.get(record.site_id)
        name = normalise_name(record.name, home=self._home)
        named = self._by_name.get((record.kind, name), [])
        holding = [c for c in named if _same_site(c, record)]
        if own is not None:
            holding.append(own)
        return max(holding, key=_age).as_match() if holding else None


def _age(correction: Correction) -> tuple[object, int]:
    # Two clicks may share a clock tick; the store numbers them in order.
    return (correction.at, correction.correction_id)


def _same_site(correction: Correction, record: SiteRecord) -> bool:
    """Return whether two ids can be one site: unless both sources gave one and they differ."""
    return (
        correction.site_id == record.site_id
        or correction.site_id == make_site_id(correction.kind, correction.name)
        or record.site_id == make_site_id(record.kind, record.name)
    )
