"""Key figures over the map: what the sources state, with where they state it; never counted from the sites."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from typing import Any

from geo.site import Claim


def key_figures(claims: Iterable[Claim], text: dict[str, Any]) -> list[dict[str, str]]:
    """Return one card for each claim that states a whole and a part of it, whole scopes first.

    Parameters
    ----------
    claims
        Figures as stored: those with one `claim_id` belong together (total, resumed, rate ...). Only those of the
        source with the latest date are shown: figures of two weeks side by side would be taken for one week's.
    text
        All words of the page's language.

    Returns
    -------
    cards
        label, value, detail and source, as text for the page's script to set as text. A rate that the source
        states is called stated; one worked out here from a stated part and total says so. Targets are left out.
    """
    groups: dict[str, dict[str, Claim]] = defaultdict(dict)
    for claim in _of_newest_source(claims):
        if claim.claim_kind == "fact":
            groups[claim.claim_id][claim.role] = claim
    # A whole scope comes before its sectors and parts: where the window is narrow, the last cards are left out.
    whole_first = sorted(groups.values(), key=_is_part)
    cards = [_card(group, text["figures"]) for group in whole_first]
    return [card for card in cards if card]


def claims_until(claims: Iterable[Claim], day: date) -> tuple[Claim, ...]:
    """Return the claims of the sources that were out on a day; one without a date always was."""
    sources = _by_source(claims).values()
    return tuple(claim for found in sources if _date_of(found) <= day for claim in found)


def _by_source(claims: Iterable[Claim]) -> dict[str, list[Claim]]:
    sources: dict[str, list[Claim]] = defaultdict(list)
    for claim in claims:
        sources[claim.source.file].append(claim)
    return sources


def _of_newest_source(claims: Iterable[Claim]) -> list[Claim]:
    """Return the claims of one source: that of the latest date, of several such the one that came last."""
    sources = _by_source(claims)
    newest: list[Claim] = []
    for found in sources.values():
        if not newest or _date_of(found) >= _date_of(newest):
            newest = found
    return newest


def _date_of(claims: list[Claim]) -> date:
    return max((claim.as_of for claim in claims if claim.as_of), default=date.min)


def _is_part(group: dict[str, Claim]) -> bool:
    first = next(iter(group.values()))
    return bool(first.sector) or "." in first.claim_id


def _card(group: dict[str, Claim], words: dict[str, str]) -> dict[str, str] | None:
    total, part, rate = group.get("total"), group.get("resumed"), group.get("rate")
    if total is None or part is None or not total.value:
        return None
    share = _number(part.value / total.value * 100, decimals=2)
    detail = words["rate_derived"].format(part=_number(part.value), total=_number(total.value))
    if rate is not None:
        detail = words["rate_stated"].format(rate=_number(rate.value))
    label = total.metric if total.scope in total.metric else f"{total.scope} {total.metric}"
    return {
        "label": label,
        "value": words["of"].format(part=_number(part.value), total=_number(total.value)),
        "share": f"{share}%" if rate is None else f"{_number(rate.value)}%",
        "detail": detail,
        "source": words["source"].format(
            source=" · ".join(p for p in (total.source.file, total.source.where) if p)
        ),
    }


def _number(value: float, decimals: int = 2) -> str:
    return f"{value:.{decimals}f}".rstrip("0").rstrip(".")
