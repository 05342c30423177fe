"""口径核对: every total and rate a source states, worked out again from the figures beside it.

A check says what was computed, from which claims, and what is printed. What is not printed is never said to
be: it is `derived`, with `ok` None. Numbers are added and divided exactly, so that a truncated rate is told
from a rounded one.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from itertools import pairwise

from geo.category import Categories, fold, load_categories
from geo.site import Claim, Source

NEARLY_ALL = Fraction(9, 10)
"""Parts that make up this share of a total are read as all of its parts; fewer are read as examples."""


NEIGHBOURS = 30
"""How many groups to each side are searched for what a figure may belong to."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing worked out again.

    Attributes
    ----------
    code
        What was checked and how it came out; the words for users are looked up by it.
    ok
        True: it fits. False: it does not. None: nothing printed to compare with, or no exact answer.
    expression
        What was computed, as a person would write it: 3+9+33, 33/36*100, 13<=40.
    computed, printed
        The two numbers to compare, in the unit of the claim (% for rates); None where there is none.
    refs
        `claim_id` of every claim used, the one checked first.
    sources
        The sentences they stand in, each once.
    fields
        Texts for the wording's placeholders: label, expression, computed, printed, unit, and other (the
        group a rate really belongs to) or difference where they apply.
    """

    code: str
    ok: bool | None
    expression: str
    computed: float | None
    printed: float | None
    refs: tuple[str, ...]
    sources: tuple[Source, ...] = ()
    fields: Mapping[str, str] = field(default_factory=dict)


def check_figures(
    claims: Iterable[Claim],
    *,
    rows: Mapping[str, int] | None = None,
    categories: Categories | None = None,
) -> list[Check]:
    """Return what comes of adding and dividing a source's figures again.

    Parameters
    ----------
    claims
        As read or stored. Those with one `claim_id` speak of one thing; `x.1`, `x.2` are parts of `x`. Where
        no ids say so, sectors that stand right behind a whole and add up to it are taken for its parts.
    rows
        How many rows are counted, by kind and by `kind.status` (enterprise, enterprise.resumed): compared with
        the first total stated for all sites of that kind.
    categories
        Kinds and their words; the district's own file by default.

    Returns
    -------
    checks
        In the order of the claims; see `CODES` for what `code` may be.
    """
    book = _Book(_groups(claims))
    checks = [check for group in book.groups for check in _check_group(group, book)]
    checks += _check_repeats(book.groups)
    if rows:
        checks += _check_rows(book.groups, rows, categories or load_categories())
    return checks


CODES = (
    "sum_fits sum_differs sum_short sum_approximate rate_exact rate_rounded rate_truncated rate_differs "
    "rate_wrong_base rate_fits_other rate_unchecked rate_approximate rate_derived part_within part_exceeds "
    "part_within_if repeat_same repeat_differs repeat_unclear rows_within rows_exceed base_derived"
).split()
"""Every code a check may have."""


# --- claims that speak of one thing ----------------------------------------------------------------

PARTS = ("resumed", "part")


@dataclass(frozen=True)
class _Group:
    """The claims of one `claim_id`, by role."""

    claim_id: str
    claims: dict[str, Claim]

    @property
    def first(self) -> Claim:
        return next(iter(self.claims.values()))

    @property
    def label(self) -> str:
        first = self.first
        said = (
            first.metric
            if first.sector and first.sector in first.metric
            else (first.sector + first.metric)
        )
        return first.metric if first.scope in first.metric else f"{first.scope}{said}"

    def get(self, *roles: str) -> Claim | None:
        return next((self.claims[role] for role in roles if role in self.claims), None)

    @property
    def part(self) -> Claim | None:
        return self.get(*PARTS)


@dataclass(frozen=True)
class _Book:
    """All groups in their order."""

    groups: list[_Group]

    @cached_property
    def spots(self) -> dict[str, int]:
        """Position by `claim_id`."""
        return {group.claim_id: spot for spot, group in enumerate(self.groups)}

    @cached_property
    def parts(self) -> dict[str, list[_Group]]:
        """The groups that are parts of another, by its `claim_id`."""
        parts: dict[str, list[_Group]] = defaultdict(list)
        for group in self.groups:
            parts[group.claim_id.rpartition(".")[0]].append(group)
        return parts

    def behind(self, group: _Group) -> list[_Group]:
        """Return the groups that follow one, the nearest first."""
        spot = self.spots[group.claim_id] + 1
        return self.groups[spot : spot + NEIGHBOURS]

    def ahead(self, group: _Group) -> list[_Group]:
        """Return the groups that come before one, the nearest first."""
        spot = self.spots[group.claim_id]
        return self.groups[max(0, spot - NEIGHBOURS) : spot][::-1]

    def around(self, group: _Group) -> list[_Group]:
        """Return a group and those on both sides of it, the nearest first."""
        spot = self.spots[group.claim_id]
        near = [group, *self.ahead(group), *self.behind(group)]
        return sorted(near, key=lambda other: abs(self.spots[other.claim_id] - spot))


def _groups(claims: Iterable[Claim]) -> list[_Group]:
    found: dict[str, dict[str, Claim]] = defaultdict(dict)
    for claim in claims:
        found[claim.claim_id][claim.role] = claim
    return [_Group(claim_id, by_role) for claim_id, by_role in found.items()]


def _exact(claim: Claim) -> Fraction:
    return Fraction(repr(claim.value))


def _is_about(*claims: Claim | None) -> bool:
    return any(claim is not None and claim.approx for claim in claims)


def _text(number: Fraction | float, decimals: int = 4) -> str:
    return f"{float(number):.{decimals}f}".rstrip("0").rstrip(".")


def _check(
    code: str,
    ok: bool | None,
    expression: str,
    computed: Fraction | None,
    printed: Claim | None,
    used: Iterable[_Group],
    **fields: str,
) -> Check:
    """Return a check with its refs, its sentences and the texts for its wording."""
    groups = list(dict.fromkeys(group.claim_id for group in used))
    by_id = {group.claim_id: group for group in used}
    sources = (claim.source for key in groups for claim in by_id[key].claims.values())
    first = by_id[groups[0]]
    value = None if computed is None else round(float(computed), 4)
    texts = {
        "label": first.label,
        "expression": expression,
        "computed": "" if value is None else _text(value),
        "printed": "" if printed is None else _printed_text(printed),
        "unit": printed.unit if printed else first.first.unit,
        **fields,
    }
    return Check(
        code,
        ok,
        expression,
        value,
        None if printed is None else printed.value,
        tuple(groups),
        tuple(dict.fromkeys(sources)),
        texts,
    )


# --- one group and its parts ------------------------------------------------------------------------


def _check_group(group: _Group, book: _Book) -> Iterator[Check]:
    parts = _parts_of(group, book)
    yield from _check_sums(group, parts)
    yield from _check_states(group)
    yield from _check_subsets(group)
    yield from _check_rate(group, book)
    yield from _check_loose_part(group, book)
    yield from _derive_base(group)


def _parts_of(group: _Group, book: _Book) -> list[_Group]:
    """Return the groups that are parts of one: by id, else a run of sectors right behind it that adds up."""
    mine = book.parts.get(group.claim_id, [])
    if mine or "." in group.claim_id or group.first.sector:
        return mine
    run: list[_Group] = []
    for other in book.behind(group):
        same_scope = other.first.scope == group.first.scope
        if not other.first.sector or not same_scope or "." in other.claim_id:
            break
        run.append(other)
        if len(run) > 1 and any(_adds_up(group, run, role) for role in ("total", *PARTS)):
            return run
    return []


def _adds_up(group: _Group, parts: list[_Group], role: str) -> bool:
    whole, shares = group.claims.get(role), [part.claims.get(role) for part in parts]
    if whole is None or not all(shares):
        return False
    return sum(_exact(share) for share in shares if share) == _exact(whole)


def _check_sums(group: _Group, parts: list[_Group]) -> Iterator[Check]:
    """Add the parts up, role by role; a single part, or one named by a threshold, need only be smaller."""
    limited = [part for part in parts if "subset" in part.claims]
    parts = [part for part in parts if part not in limited]
    for part in limited:
        if whole := group.get("total", *PARTS, "count"):
            yield _within(group, whole, part, part.claims["subset"])
    roles = [
        role for role in group.claims if role in ("total", "stopped", "planned", "value", *PARTS)
    ]
    fits = [role for role in roles if len(parts) > 1 and _adds_up(group, parts, role)]
    for role in roles:
        whole = group.claims[role]
        shares = [(part, part.claims[role]) for part in parts if role in part.claims]
        if len(shares) == 1:
            yield _within(group, whole, *shares[0])
        elif shares and len(shares) == len(parts):
            yield _sum_check(group, whole, shares, other_fits=bool(fits))


def _sum_check(
    group: _Group, whole: Claim, shares: list[tuple[_Group, Claim]], *, other_fits: bool
) -> Check:
    total = sum((_exact(claim) for _, claim in shares), Fraction(0))
    gap = _exact(whole) - total
    code, ok = _sum_verdict(whole, total, nearly=other_fits)
    if gap and _is_about(whole, *(claim for _, claim in shares)):
        code, ok = "sum_approximate", None
    expression = "+".join(_text(claim.value) for _, claim in shares)
    used = [group, *(part for part, _ in shares)]
    return _check(code, ok, expression, total, whole, used, difference=_text(abs(gap)))


def _sum_verdict(whole: Claim, total: Fraction, *, nearly: bool) -> tuple[str, bool | None]:
    if total == _exact(whole):
        return "sum_fits", True
    if total > _exact(whole) or nearly or total >= _exact(whole) * NEARLY_ALL:
        return "sum_differs", False
    return "sum_short", None


def _check_states(group: _Group) -> Iterator[Check]:
    """Add up what resumed and what did not, where both are printed beside the total."""
    whole, stopped = group.get("total"), group.get("stopped", "planned")
    if whole is None or stopped is None or (part := group.part) is None:
        return
    states = [claim for role in (*PARTS, "stopped", "planned") if (claim := group.get(role))]
    total = sum((_exact(claim) for claim in states), Fraction(0))
    code, ok = _sum_verdict(whole, total, nearly=False)
    if not ok and _is_about(whole, part, *states):
        code, ok = "sum_approximate", None
    gap = _text(abs(_exact(whole) - total))
    expression = "+".join(_text(claim.value) for claim in states)
    yield _check(code, ok, expression, total, whole, [group], difference=gap)


def _check_subsets(group: _Group) -> Iterator[Check]:
    whole = group.get("total", "count")
    if whole is None:
        return
    for role, claim in group.claims.items():
        if role.startswith("subset"):
            yield _within(group, whole, group, claim)
    part = group.part
    if part is not None and _exact(part) > _exact(whole) and not _is_about(part, whole):
        yield _within(group, whole, group, part)


def _within(group: _Group, whole: Claim, part_group: _Group, part: Claim) -> Check:
    """Return the check that a part is no larger than its whole."""
    ok = _exact(part) <= _exact(whole)
    if _is_about(whole, part) and not ok:
        return _check(
            "sum_approximate", None, *_compared(part, whole), [group, part_group], difference=""
        )
    code = "part_within" if ok else "part_exceeds"
    return _check(code, ok, *_compared(part, whole), [group, part_group], part=part_group.label)


def _compared(part: Claim, whole: Claim) -> tuple[str, Fraction, Claim | None]:
    return f"{_text(part.value)}<={_text(whole.value)}", _exact(part), None


def _check_loose_part(group: _Group, book: _Book) -> Iterator[Check]:
    """Compare a part that names no total with the total that its noun is part of: 88家宾馆, 宾馆和洗浴187家."""
    part = group.part
    if part is None or group.get("total") or "." in group.claim_id:
        return
    word = part.sector or part.metric
    for other in book.ahead(group):
        whole = other.get("total")
        if whole is None or whole.scope != part.scope or whole.unit != part.unit or not word:
            continue
        if word in whole.metric and word != whole.metric and _exact(part) <= _exact(whole):
            yield _check(
                "part_within_if", True, *_compared(part, whole), [other, group], part=group.label
            )
            return


# --- rates ------------------------------------------------------------------------------------------


def _check_rate(group: _Group, book: _Book) -> Iterator[Check]:
    rate, whole, part = group.get("rate"), group.get("total", "count"), group.part
    if whole is not None and not whole.value:
        whole = None
    if rate is None:
        if whole and part and whole.value != part.value:
            yield _rate(group, "rate_derived", None, part, whole, None)
        return
    if whole is None or part is None:
        yield _rate_alone(group, rate, book)
        return
    fit = _fit(rate, part, whole)
    if fit:
        yield _rate(group, f"rate_{fit}", True, part, whole, rate)
    elif _is_about(rate, part, whole):
        yield _rate(group, "rate_approximate", None, part, whole, rate)
    elif other := _other_base(group, rate, book):
        yield _wrong_base(group, rate, other, part=part, whole=whole)
    else:
        yield _rate(group, "rate_differs", False, part, whole, rate)


def _rate(
    group: _Group, code: str, ok: bool | None, part: Claim, whole: Claim, rate: Claim | None
) -> Check:
    value = _share(part, whole)
    expression = f"{_text(part.value)}/{_text(whole.value)}*100"
    decimals = str(_decimals(rate)) if rate else ""
    return _check(code, ok, expression, value, rate, [group], decimals=decimals, unit="%")


def _share(part: Claim, whole: Claim) -> Fraction:
    return _exact(part) / _exact(whole) * 100


def _fit(rate: Claim, part: Claim, whole: Claim) -> str:
    """Return how a printed rate comes from a part and a whole: exact, rounded, truncated, or "" if it does not."""
    share = _share(part, whole) * {"成": Fraction(1, 10), "‰": Fraction(10)}.get(
        rate.unit, Fraction(1)
    )
    printed, step = _exact(rate), 10 ** _decimals(rate)
    if printed == share:
        return "exact"
    if printed * step == (share * step + Fraction(1, 2)) // 1:
        return "rounded"
    return "truncated" if printed * step == share * step // 1 else ""


def _printed_text(claim: Claim) -> str:
    """Return a number as printed: 92.0, where the value alone would say 92."""
    plain = re.escape(_text(claim.value, 10))
    dot = "" if "." in plain else r"(?:\.0+)?"
    found = re.search(rf"(?<![\d.]){plain}{dot}0*(?![\d.])", claim.source.quote[:500])
    return found[0] if found and ("." in found[0] or "." not in plain) else _text(claim.value, 10)


def _decimals(rate: Claim) -> int:
    return len(_printed_text(rate).partition(".")[2])


def _rate_alone(group: _Group, rate: Claim, book: _Book) -> Check:
    """Return what can be said of a rate with no part or no whole beside it."""
    other = None if _is_about(rate) else _other_base(group, rate, book)
    if other is not None and _decimals(rate):
        part, whole = other
        expression, label = _named(part, whole)
        share = _share(part[1], whole[1])
        used = [group, part[0], whole[0]]
        return _check("rate_fits_other", None, expression, share, rate, used, other=label)
    return _check("rate_unchecked", None, "", None, rate, [group])


_Figure = tuple[_Group, Claim]


def _other_base(group: _Group, rate: Claim, book: _Book) -> tuple[_Figure, _Figure] | None:
    """Return the part and the whole elsewhere that a printed rate fits, the nearest first; None if none does."""
    near = [other for other in book.around(group) if _is_near(group, other, rate)]
    parts = [(g, claim) for g in near if (claim := g.part)]
    wholes = [(g, claim) for g in near if (claim := g.get("total")) and claim.value]
    pairs = [(p, w) for p in parts for w in wholes if group in (p[0], w[0]) or p[0] is w[0]]
    # A pair of one other group first: 33/36 explains 91.7 better than a part here over a whole there.
    pairs.sort(key=lambda pair: pair[0][0] is not pair[1][0])
    return next((pair for pair in pairs if _could_be(rate, *pair)), None)


def _could_be(rate: Claim, part: _Figure, whole: _Figure) -> bool:
    if part[1].value > whole[1].value or part[1].unit != whole[1].unit:
        return False
    return bool(_fit(rate, part[1], whole[1]))


def _is_near(group: _Group, other: _Group, rate: Claim) -> bool:
    """Tell whether a rate may be another group's: a rate in whole per cent fits too much by chance."""
    family = group.claim_id.split(".")[0] == other.claim_id.split(".")[0]
    same_source = group.first.source.file == other.first.source.file
    return same_source and (family or _decimals(rate) > 0)


def _named(part: _Figure, whole: _Figure) -> tuple[str, str]:
    expression = f"{_text(part[1].value)}/{_text(whole[1].value)}*100"
    if part[0] is whole[0]:
        return expression, part[0].label
    return expression, f"{part[0].label}/{whole[0].label}"


def _wrong_base(
    group: _Group, rate: Claim, other: tuple[_Figure, _Figure], *, part: Claim, whole: Claim
) -> Check:
    """Return the check that names whose rate is printed; `computed` is what the group's own would be."""
    expression, label = _named(*other)
    own = f"{_text(part.value)}/{_text(whole.value)}*100"
    return _check(
        "rate_wrong_base",
        False,
        own,
        _share(part, whole),
        rate,
        [group, other[0][0], other[1][0]],
        other=label,
        other_expression=expression,
        unit="%",
    )


def _derive_base(group: _Group) -> Iterator[Check]:
    """Work out what a target with a growth starts from; nobody printed it."""
    value, growth = group.get("value"), group.get("growth")
    if value is None or growth is None or growth.unit != "%" or value.claim_kind != "target":
        return
    base = _exact(value) / (1 + _exact(growth) / 100)
    expression = f"{_text(value.value)}/(1+{_text(growth.value)}%)"
    base = Fraction(round(float(base), _decimals(value)))
    yield _check("base_derived", None, expression, base, None, [group], unit=value.unit)


# --- between groups ---------------------------------------------------------------------------------


def _check_repeats(groups: list[_Group]) -> Iterator[Check]:
    """Compare figures that one source states twice under one name."""
    stated: dict[tuple[object, ...], list[_Figure]] = defaultdict(list)
    for group in groups:
        for role, claim in group.claims.items():
            said = (claim.scope, claim.sector, fold(claim.metric), role, claim.unit)
            if claim.metric:
                stated[*said, claim.claim_kind, claim.source.file, claim.as_of].append(
                    (group, claim)
                )
    for figures in stated.values():
        for one, two in pairwise(figures):
            if one[0].claim_id.split(".")[0] != two[0].claim_id.split(".")[0]:
                yield _repeat(one, two)


def _repeat(one: _Figure, two: _Figure) -> Check:
    first, second = _text(one[1].value), _text(two[1].value)
    used = [one[0], two[0]]
    if one[1].value == two[1].value:
        return _check("repeat_same", True, f"{first}=={second}", _exact(one[1]), two[1], used)
    # Two counts of one name may be two matters (200 masks to one place, 300 to another).
    loose = one[1].role == "count" or _is_about(one[1], two[1])
    code, ok = ("repeat_unclear", None) if loose else ("repeat_differs", False)
    return _check(code, ok, f"{first}=={second}", _exact(one[1]), two[1], used)


def _check_rows(
    groups: list[_Group], rows: Mapping[str, int], categories: Categories
) -> Iterator[Check]:
    """Compare the first total stated for a whole kind, and its part resumed, with the rows counted."""
    for kind in categories:
        group = next((g for g in groups if _is_whole_kind(g, kind.synonyms)), None)
        if group is None:
            continue
        for key, role in ((kind.code, "total"), (f"{kind.code}.resumed", "resumed")):
            claim = group.claims.get(role)
            if claim is None or key not in rows:
                continue
            ok = rows[key] <= claim.value
            code = "rows_within" if ok else "rows_exceed"
            expression = f"{rows[key]}<={_text(claim.value)}"
            yield _check(code, ok, expression, Fraction(rows[key]), claim, [group], kind=key)


def _is_whole_kind(group: _Group, words: tuple[str, ...]) -> bool:
    whole = group.claims.get("total")
    if whole is None or whole.sector or "." in group.claim_id:
        return False
    return any(word in whole.metric for word in words)
