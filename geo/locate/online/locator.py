"""Answers become candidates and seldom facts; many questions are asked one after the other."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import shapely
from rapidfuzz.distance import Levenshtein

from geo.locate.cache import Answer, AnswerCache
from geo.locate.gazetteer import ACCEPT_SCORE, Candidate, accept
from geo.locate.given import TOLERANCE_M, Boundary
from geo.locate.names import HOME, elsewhere, is_home, normalise_name
from geo.locate.online.services import Found, Provider
from geo.locate.online.transport import GeocoderError, KeyRefused, QueryRefused, QuotaError
from geo.site import EXACT, MAPPED, Match, Precision, Reason, SiteRecord

METHOD = "online"
"""The method of a match; the service's name follows, as in `online amap`."""
GIVE_UP_AFTER = 5  # questions in a row without an answer: the service or the network is down
UNPROVEN = 89.0  # the best score of an answer that does not say what it found, or says another

Progress = Callable[[int, int], None]


# --- candidates -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OnlineCandidate(Candidate):
    """A place that a service names, with its own numbers (longitude first) and their datum."""

    raw_x: float | None = None
    raw_y: float | None = None
    raw_datum: str = ""


def text_to_ask(record: SiteRecord, home: Sequence[str] = HOME) -> str:
    """Return what is asked for a record: its address, else its name; "" for one that must not be asked.

    Invented sites are never sent out, and what lies elsewhere by its source's own words is not looked for here.
    """
    said = (record.place, record.street)
    if record.fictitious or any(elsewhere(text, home=home) for text in said if text):
        return ""
    if record.place.strip() and not is_home(record.place, home=home):
        return record.place
    return "" if elsewhere(record.name, home=home) else record.name


class OnlineLocator:
    """A locator that asks an online geocoder; the last one to be asked.

    It never says `outside`, which would end the search for a record that another locator knows better: a service
    that finds a place elsewhere has found another place.

    Parameters
    ----------
    provider
        Whom to ask, from `make_provider`.
    cache
        Where answers are kept: no question is asked twice.
    outline
        The district, EPSG:4326. None: nothing is taken without a person.
    road_kinds
        Kinds of site that are roads: a point is never their place, so a person decides.
    live
        False: only what the cache knows, as after `geocode_batch`. A service that is out of quota, refuses the key
        or fails five times in a row is not asked again by this locator.
    """

    def __init__(
        self,
        provider: Provider,
        cache: AnswerCache,
        outline: shapely.Geometry | None,
        *,
        road_kinds: Iterable[str] = ("parking",),
        live: bool = True,
    ) -> None:
        self._provider, self._cache = provider, cache
        self._boundary = None if outline is None else Boundary(outline)
        self.road_kinds = frozenset(road_kinds)
        self._live = live
        self._failures, self._stopped = 0, ""

    def locate(self, record: SiteRecord) -> Match | None:
        """Return where the service puts a record if that needs no person; else why to wait, or None."""
        text = text_to_ask(record, self._provider.home)
        if not text:
            return None
        try:
            answer = self._answer(text)
        except GeocoderError as error:
            return self._waiting(0.0, Reason.NO_COORDINATE, f"没有答复：{error}")
        if answer is None:
            return None
        found = self._candidates(text, answer)
        return self._match(found, is_road=record.kind in self.road_kinds)

    def candidates(self, text: str, *, limit: int = 10) -> list[OnlineCandidate]:
        """Return what the service says of a name or an address, best first; errors as `Provider.ask`."""
        answer = self._answer(text)
        return [] if answer is None else self._candidates(text, answer)[:limit]

    def _answer(self, text: str) -> Answer | None:
        question = self._provider.question(text)
        kept = self._cache.get(question)
        if kept is not None or not self._live:
            return kept
        if self._stopped:
            raise GeocoderError(self._stopped)
        try:
            content = self._provider.ask(question)
        except QueryRefused:
            raise
        except GeocoderError as error:
            self._failures += 1
            final = isinstance(error, (QuotaError, KeyRefused))
            self._stopped = str(error) if final or self._failures >= GIVE_UP_AFTER else ""
            raise
        self._failures = 0
        return self._cache.put(question, content)

    def _candidates(self, text: str, answer: Answer) -> list[OnlineCandidate]:
        made = [self._candidate(text, one, answer) for one in self._provider.read(answer.content)]
        ranked = sorted(filter(None, made), key=lambda one: -one.score)
        best, second = [*(one.score for one in ranked[:2]), 0.0, 0.0][:2]
        return [
            replace(one, margin=round(one.score - (best if n else second), 1))
            for n, one in enumerate(ranked)
        ]

    def _candidate(self, text: str, found: Found, answer: Answer) -> OnlineCandidate | None:
        lonlat = self._provider.lonlat(found)
        if lonlat is None:
            return None
        point = shapely.Point(lonlat)
        score, why = _likeness(text, found, self._provider.home)
        precision = found.precision or Precision.COMMUNITY
        level = f"级别“{found.level}”" + ("" if found.precision else "，不明")
        return OnlineCandidate(
            name=found.name or text,
            score=score,
            method=f"{METHOD} {self._provider.name}",
            source=f"{self._provider.title}，{answer.asked_at:%Y-%m-%d} 查询",
            precision=precision.value,
            uncertainty_m=found.uncertainty_m,
            geometry=point,
            reason=self._reason(found, precision, point).value,
            note=level,
            why=why,
            raw_x=found.x,
            raw_y=found.y,
            raw_datum=self._provider.datum,
        )

    def _reason(self, found: Found, precision: Precision, point: shapely.Point) -> Reason:
        outside_m = self._boundary.metres_outside(point) if self._boundary else math.nan
        if outside_m > TOLERANCE_M:
            return Reason.OUTSIDE
        if precision not in MAPPED:
            return Reason.TOO_COARSE
        sure = outside_m == 0 and found.precision is not None and precision in EXACT
        return Reason.FOUND if sure else Reason.TO_CONFIRM

    def _match(self, found: Sequence[OnlineCandidate], *, is_road: bool) -> Match | None:
        """Return the one candidate that needs no person as a match, or what a person should know."""
        if not found:
            return None
        here = [one for one in found if one.reason != Reason.OUTSIDE]
        if not here:
            note = f"只在区外找到：{_in_words(found[0])}"
            return self._waiting(found[0].score, Reason.NO_COORDINATE, note)
        taken = accept(here)
        if not isinstance(taken, OnlineCandidate) or taken.reason or is_road:
            return self._to_decide(here)
        return Match(
            method=taken.method,
            geometry=taken.geometry,
            precision=taken.precision,
            uncertainty_m=taken.uncertainty_m,
            score=taken.score,
            raw_x=taken.raw_x,
            raw_y=taken.raw_y,
            raw_datum=taken.raw_datum,
            note=f"{taken.source}：{taken.name}，{taken.note}",
        )

    def _to_decide(self, here: Sequence[OnlineCandidate]) -> Match:
        level = [one for one in here if one.score >= ACCEPT_SCORE]
        reason = Reason(here[0].reason or Reason.TO_CONFIRM)
        if len(level) > 1 and reason != Reason.TOO_COARSE:
            reason = Reason.AMBIGUOUS
        note = "须由人确认：" + "；".join(_in_words(one) for one in here[:3])
        return self._waiting(here[0].score, reason, note)

    def _waiting(self, score: float, reason: Reason, note: str) -> Match:
        method = f"{METHOD} {self._provider.name}"
        return Match(method, score=score, reason=reason, note=f"{self._provider.title}：{note}")


def _likeness(text: str, found: Found, home: Sequence[str]) -> tuple[float, str]:
    """Return how far a place is proven to be the one asked for (0 to 100), and why, in words."""
    if not found.name:
        stated = found.score if found.score is not None and math.isfinite(found.score) else 0.0
        return min(max(stated, 0.0), UNPROVEN), "服务没有说明找到的是什么"
    asked, told = normalise_name(text, home=home), normalise_name(found.name, home=home)
    if asked == told:
        return 100.0, "同名"
    alike = 100.0 * Levenshtein.normalized_similarity(asked, told)
    return min(alike, UNPROVEN), f"服务找到的是“{found.name}”"


def _in_words(one: OnlineCandidate) -> str:
    lon, lat = one.lon_lat or (math.nan, math.nan)
    within = "" if one.uncertainty_m is None else f"，± {one.uncertainty_m:.0f} m"
    return f"{one.name}（{lon:.5f}, {lat:.5f}，WGS84{within}，{one.note}，{one.source}）"


# --- many at once ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BatchReport:
    """What became of a batch: `total` is the sum of the others, always.

    `asked` were answered by the service now, `cached` were known, `skipped` must not be asked (see `text_to_ask`),
    `left` were not reached. `failed` holds (site_id, why) of each question that got no answer.
    """

    total: int
    asked: int = 0
    cached: int = 0
    skipped: int = 0
    failed: tuple[tuple[str, str], ...] = ()

    @property
    def left(self) -> int:
        """How many records were not reached."""
        return self.total - self.asked - self.cached - self.skipped - len(self.failed)


def geocode_batch(
    records: Iterable[SiteRecord],
    provider: Provider,
    cache: AnswerCache,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> BatchReport:
    """Ask a service for some records and keep every answer in the cache before the next question.

    Asking again goes on where the last batch stopped or was killed: what the cache knows is not asked.

    Parameters
    ----------
    records
        Any number; see `text_to_ask` for what is asked.
    provider, cache
        As for `OnlineLocator`.
    progress
        Told how many are done, of how many, after each record; what it raises ends the batch.
    cancelled
        Asked before each question; True ends the batch, and the report says how many are left.

    Raises
    ------
    QuotaError, KeyRefused
        As soon as the service says so; `partial` is the report so far.
    GeocoderError
        After five questions in a row without an answer; `partial` is the report so far.
    StoreError
        If an answer cannot be kept.
    """
    todo = list(records)
    report, in_a_row = BatchReport(len(todo)), 0
    for record in todo:
        if cancelled is not None and cancelled():
            break
        try:
            report = _ask_one(record, provider, cache, report)
            in_a_row = 0
        except GeocoderError as error:
            report = replace(report, failed=(*report.failed, (record.site_id, str(error))))
            in_a_row += not isinstance(error, QueryRefused)
            if isinstance(error, (QuotaError, KeyRefused)) or in_a_row >= GIVE_UP_AFTER:
                error.partial = report
                raise
        if progress is not None:
            progress(report.total - report.left, report.total)
    return report


def _ask_one(
    record: SiteRecord, provider: Provider, cache: AnswerCache, report: BatchReport
) -> BatchReport:
    text = text_to_ask(record, provider.home)
    if not text:
        return replace(report, skipped=report.skipped + 1)
    question = provider.question(text)
    if cache.get(question) is not None:
        return replace(report, cached=report.cached + 1)
    cache.put(question, provider.ask(question))
    return replace(report, asked=report.asked + 1)
