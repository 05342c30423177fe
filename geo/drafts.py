"""Drafts: a source that was read and waits for a person's yes, kept in the store until it is imported or thrown away.

A bulletin's draft holds what was found in it, each with its quote and a person's decision. A table's draft holds how
the table is to be read; its rows are read again from the file, which is kept beside the store. Nothing of a draft is
on the map before it is accepted, and then it is one import that can be taken back as one.
"""

from __future__ import annotations

import json
import re
import secrets
import shutil
import threading
import zlib
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import shapely

from geo.category import Categories
from geo.compare import Comparison, compare_sites
from geo.day import read_day
from geo.district import guard_records, known_names
from geo.draw.basemaps import district_outline
from geo.errors import SiteMapError, SourceError, StoreError
from geo.locate.guard import Verdict
from geo.locate.names import home_names
from geo.pipeline import LoadReport, choice_key, import_records, kinds_of, read_prose, settle_known
from geo.read import (
    Contents,
    Inspection,
    Layout,
    ReadReport,
    inspect_source,
    open_source,
    read_source,
)
from geo.read.bulletin import Mention
from geo.read.checks import Check, check_figures
from geo.read.document import DOCUMENTS
from geo.read.endpoint import RULE as BY_MODEL
from geo.read.endpoint import Model, need_model
from geo.read.grid import Progress, no_progress
from geo.read.sandbox import read_text
from geo.settings import Settings
from geo.site import Claim, RowProblem, SiteRecord, Source
from geo.store import SiteStore

DECISIONS = ("open", "accepted", "rejected")
MAX_NAME = 120
MAX_DRAFTS = 50
MAX_CHOICES = 20_000
NOT_A_CHANGE = "this change of a draft cannot be read: open the draft again"
KEPT_OPEN = 6
GUARDED = 2000
"""So many rows tell the datum of all."""
SHOWN = 200
"""Rows of a list that a page gets; the number of all is always said."""
_NOTE, _LAYOUT = "draft:", "layout:"
_EDITABLE = ("kind", "name", "status", "as_of", "place", "street", "note")
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Item:
    """One site as a bulletin has it, and what a person makes of it.

    `spans` are where its name stands and `quote_span` what says its status, half-open offsets in code points into
    the raw text. `as_of` is ISO text or "". `same_as` is the known site it is, "new" for none; "" leaves that to the
    names.
    """

    number: int
    kind: str
    name: str
    status: str
    quote: str
    quote_span: Span
    spans: tuple[Span, ...] = ()
    status_words: str = ""
    as_of: str = ""
    date_words: str = ""
    place: str = ""
    street: str = ""
    note: str = ""
    rule: str = ""
    needs_look: bool = False
    conflict: bool = False
    decision: str = "open"
    same_as: str = ""


@dataclass(frozen=True, slots=True)
class Draft:
    """A source under review.

    `form` is bulletin or table; `at` when it came, ISO, UTC. A bulletin has `raw`, `items` and `claims`; a table has
    `layout`, None until one was chosen or guessed, and `choices`: for names like a known one, which site they are.
    `unread` means that its file is kept but nothing has come of it yet.
    """

    draft_id: str
    name: str
    form: str
    who: str
    at: str
    as_of: str = ""
    raw: str = ""
    items: tuple[Item, ...] = ()
    claims: tuple[Claim, ...] = ()
    problems: tuple[RowProblem, ...] = ()
    layout: Mapping[str, Any] | None = None
    choices: Mapping[str, str] = field(default_factory=dict)
    unread: bool = False

    def to_json(self) -> str:
        """Return the draft as JSON, for the store."""
        return json.dumps(asdict(self), ensure_ascii=False, default=str)

    @classmethod
    def from_json(cls, text: str) -> Draft:
        """Return the draft that `to_json` wrote."""
        raw = json.loads(text)
        raw["items"] = tuple(_item(one) for one in raw["items"])
        raw["claims"] = tuple(_claim(one) for one in raw["claims"])
        raw["problems"] = tuple(RowProblem(**one) for one in raw["problems"])
        return cls(**raw)


def _item(raw: dict[str, Any]) -> Item:
    spans = tuple((int(a), int(b)) for a, b in raw["spans"])
    return Item(**{**raw, "spans": spans, "quote_span": tuple(raw["quote_span"])})


def _claim(raw: dict[str, Any]) -> Claim:
    as_of = date.fromisoformat(raw["as_of"]) if raw["as_of"] else None
    return Claim(**{**raw, "as_of": as_of, "source": Source(**raw["source"])})


_LOCKS = tuple(threading.RLock() for _ in range(64))


def _alone(draft_id: str) -> threading.RLock:
    """Return what is held while a draft is read, changed and written: a page sends its clicks as they come."""
    return _LOCKS[zlib.crc32(draft_id.encode("utf-8", "replace")) % len(_LOCKS)]


OpenFiles = OrderedDict[str, Contents]
"""What tables hold, by the draft's id: parsed once for as long as they are being looked at."""


class Desk:
    """The drafts of one store.

    Parameters
    ----------
    store
        Where drafts are kept and where they go.
    settings, categories
        Of this installation.
    folder
        Where the files of tables are kept until their draft is gone.
    who
        Whose name a draft carries; the installation's own by default.
    files
        Tables that are open, shared with other people's desks of the same store.
    fictitious
        All that comes in is invented: every record says so.
    model
        Who else may be asked what a bulletin says; None for nobody.
    """

    def __init__(
        self,
        store: SiteStore,
        settings: Settings,
        categories: Categories,
        folder: Path,
        *,
        who: str = "",
        files: OpenFiles | None = None,
        fictitious: bool = False,
        model: Model | None = None,
    ) -> None:
        self._store, self._settings = store, settings
        self._categories, self._folder = categories, folder
        self._who, self._open = who or settings.who, OrderedDict() if files is None else files
        self._fictitious = fictitious
        self.model = model

    # ---- coming in

    def begin(
        self,
        name: str,
        data: bytes,
        *,
        as_of: date | None = None,
        progress: Progress = no_progress,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Draft:
        """Keep a file that somebody brought and read it; see `receive` and `parse`."""
        draft = self.receive(name, data, as_of=as_of)
        return self.parse(draft.draft_id, progress=progress, cancelled=cancelled)

    def receive(self, name: str, data: bytes, *, as_of: date | None = None) -> Draft:
        """Keep a file that somebody brought as a draft that is still to be read.

        From here on it is not lost: should this program end while it reads, the draft waits to be read again.

        Parameters
        ----------
        name
            The file's name; its ending says what it is.
        data
            What is in it.
        as_of
            The day a bulletin speaks of, if it does not say so itself.

        Raises
        ------
        SourceError
            If it cannot be kept, or there are too many drafts; the text says what to do next.
        """
        if len(self._store.notes(_NOTE)) >= MAX_DRAFTS:
            raise SourceError(f"{MAX_DRAFTS} drafts are waiting: finish or remove one first")
        draft = Draft(
            secrets.token_hex(6),
            _plain_name(name),
            "bulletin" if Path(name).suffix.lower() in DOCUMENTS else "table",
            self._who,
            datetime.now(UTC).isoformat(timespec="seconds"),
            as_of=as_of.isoformat() if as_of else "",
            unread=True,
        )
        path = self._file(draft)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            self._keep(draft)
        except (OSError, SiteMapError) as error:
            shutil.rmtree(path.parent, ignore_errors=True)
            if isinstance(error, OSError):
                reason = error.strerror or type(error).__name__
                raise SourceError(f"{draft.name} cannot be kept: {reason}") from error
            raise
        return draft

    def parse(
        self,
        draft_id: str,
        *,
        progress: Progress = no_progress,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Draft:
        """Read the file of a draft and keep what came of it.

        Parameters
        ----------
        draft_id
            As from `receive`.
        progress, cancelled
            As for `geo.read.open_source`.

        Raises
        ------
        SourceError
            If it cannot be read at all, or was cancelled; the draft is gone then.
        StoreError
            If there is no such draft, or what came of it cannot be kept; then it is still to be read.
        """
        draft = self.draft(draft_id)
        path = self._file(draft)
        try:
            if draft.form == "bulletin":
                draft = self._read_bulletin(
                    draft, read_text(path, progress=progress, cancelled=cancelled)
                )
            else:
                contents = self._contents(draft, progress, cancelled)
                draft = replace(draft, layout=self._first_layout(contents).to_json())
        except StoreError:
            raise
        except Exception:
            self.discard(draft_id)
            raise
        with _alone(draft_id):
            self.draft(draft_id)  # not one that was thrown away meanwhile
            draft = replace(draft, unread=False)
            self._keep(draft)
        return draft

    def _read_bulletin(self, draft: Draft, raw: str) -> Draft:
        given = read_day(draft.as_of, refuse=SourceError)
        bulletin, figures = read_prose(
            raw,
            draft.name,
            settings=self._settings,
            categories=self._categories,
            names=known_names(self._store.read_sites(), self._settings),
            as_of=given,
        )
        return replace(
            draft,
            raw=raw,
            as_of=bulletin.as_of.isoformat() if bulletin.as_of else "",
            items=tuple(_items(bulletin.mentions)),
            claims=tuple(figure.claim for figure in figures),
            problems=tuple(bulletin.problems),
        )

    def ask_model(
        self, draft_id: str, *, waiting: Callable[[], None] = lambda: None
    ) -> tuple[Draft, int]:
        """Have the model look through a bulletin too, and return the draft and how many sites it has found more.

        **The text leaves this machine.** What the rules have found stays as it is; what the model adds has its quote
        in the text, and waits for a person.

        Parameters
        ----------
        draft_id
            Which.
        waiting
            Called now and then until the answer is there; if it raises, the answer is not waited for, or not kept.

        Raises
        ------
        SourceError
            If no model is set up, the draft is no bulletin, or the model gives no usable answer.
        """
        model, draft = need_model(self.model), self.draft(draft_id)
        if draft.form != "bulletin":
            raise SourceError("only the text of a bulletin can be read by the model")
        mentions = model.ask(draft.raw, self._categories, waiting=waiting)
        waiting()
        with _alone(draft_id):
            draft = self.draft(draft_id)  # somebody may have gone on with it meanwhile
            known = {choice_key(one.kind, one.name) for one in draft.items}
            first = max((one.number for one in draft.items), default=-1) + 1
            more = [one for one in _items(mentions) if choice_key(one.kind, one.name) not in known]
            more = [
                replace(one, number=number, as_of=draft.as_of)
                for number, one in enumerate(more, start=first)
            ]
            if more:
                draft = replace(draft, items=(*draft.items, *more))
                self._keep(draft)
        return draft, len(more)

    def _first_layout(self, contents: Contents) -> Layout:
        """Return the layout remembered for such headings, else the one guessed."""
        found = inspect_source(contents, categories=self._categories).layout
        kept = self._store.notes(_LAYOUT + found.fingerprint) if found.fingerprint else {}
        return (
            Layout.from_json(json.loads(next(iter(kept.values())))).adapt(found) if kept else found
        )

    # ---- what is there

    def drafts(self) -> list[Draft]:
        """Return the drafts, newest first."""
        kept = self._store.notes(_NOTE).values()
        return sorted(map(Draft.from_json, kept), key=lambda one: one.at, reverse=True)

    def draft(self, draft_id: str) -> Draft:
        """Return one draft; `StoreError` if it is not there any more."""
        kept = self._store.notes(_NOTE + draft_id).get(_NOTE + draft_id)
        if kept is None:
            raise StoreError("the draft is not there any more: it was imported or removed")
        return Draft.from_json(kept)

    def discard(self, draft_id: str) -> None:
        """Throw a draft away, and its file with it."""
        with _alone(draft_id):
            draft = self.draft(draft_id)
            self._store.drop_note(_NOTE + draft_id)
            self._open.pop(draft_id, None)
            shutil.rmtree(self._file(draft).parent, ignore_errors=True)

    def _keep(self, draft: Draft) -> None:
        self._store.set_note(_NOTE + draft.draft_id, draft.to_json())

    def _file(self, draft: Draft) -> Path:
        # Letters of any script, but nothing a path or a shell means something by; messages name the file so.
        stem, ending = Path(draft.name).stem, Path(draft.name).suffix.lower()
        safe = re.sub(r"[^\w（）-]+", "_", stem)[:40].strip("_") or "source"
        return self._folder / draft.draft_id / (safe + re.sub(r"[^.a-z0-9]", "", ending)[:9])

    def _contents(
        self,
        draft: Draft,
        progress: Progress = no_progress,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Contents:
        """Return a table's contents, parsed once for as long as it is being looked at."""
        repair = bool((draft.layout or {}).get("repair"))
        found = self._open.get(draft.draft_id)
        if found is None or found.repaired != repair:
            found = open_source(
                self._file(draft),
                categories=self._categories,
                repair=repair,
                progress=progress,
                cancelled=cancelled,
            )
            found = replace(found, file=draft.name)
            self._open[draft.draft_id] = found
            while len(self._open) > KEPT_OPEN:
                self._open.popitem(last=False)
        return found

    # ---- a person's word

    def edit(self, draft_id: str, change: Mapping[str, Any]) -> Draft:
        """Change a draft and return it.

        Parameters
        ----------
        draft_id
            Which.
        change
            For a bulletin `items`, fields by an item's number, and `as_of`, the day it speaks of. For a table
            `layout`, as `Layout.to_json` writes it, and `choices`: by normalised name, a site id or "new".

        Raises
        ------
        SiteMapError
            If a value is not one that the field may have. Then nothing has changed.
        """
        with _alone(draft_id):
            changed = self._changed(self.draft(draft_id), change)
            self._keep(changed)
        return changed

    def _changed(self, draft: Draft, change: Mapping[str, Any]) -> Draft:
        if "items" in change:
            edits = {_number(k): fields for k, fields in _mapping(change["items"]).items()}
            items = (
                _edited(one, edits.get(one.number, {}), self._categories) for one in draft.items
            )
            draft = replace(draft, items=tuple(items))
        if "as_of" in change:
            draft = self._redated(draft, str(change["as_of"]))
        if "layout" in change:
            layout = Layout.from_json(_mapping(change["layout"]))
            draft = replace(draft, layout=layout.to_json())
        if "choices" in change:
            chosen = {
                str(k)[:MAX_NAME]: str(v)[:MAX_NAME] for k, v in _mapping(change["choices"]).items()
            }
            chosen = {**draft.choices, **chosen}
            if len(chosen) > MAX_CHOICES:
                raise SourceError(f"a draft keeps {MAX_CHOICES} choices: import it in parts")
            draft = replace(draft, choices=chosen)
        return draft

    def _redated(self, draft: Draft, text: str) -> Draft:
        """Return a bulletin's draft with another day: what was dated by it is read again, decisions stay."""
        read_day(text, refuse=SourceError)
        if draft.form != "bulletin":
            raise SourceError("the day of a table is part of its layout")
        again = self._read_bulletin(replace(draft, as_of=text), draft.raw)
        # By where they stand: with names known since, another reading may number them otherwise.
        days = {_stands(one): one.as_of for one in again.items}
        before = {_stands(one): one.as_of for one in self._read_bulletin(draft, draft.raw).items}
        for one in draft.items:
            if one.rule == BY_MODEL:  # is of the bulletin's own day
                before[_stands(one)], days[_stands(one)] = draft.as_of, again.as_of or text
        items = tuple(
            # A day that a person has set is theirs.
            replace(one, as_of=days.get(_stands(one), one.as_of))
            if one.as_of == before.get(_stands(one))
            else one
            for one in draft.items
        )
        claims = again.claims if draft.claims else ()
        return replace(draft, as_of=again.as_of or text, items=items, claims=claims)

    def read(self, draft: Draft) -> ReadReport:
        """Return the records of a draft as they would be imported now, before known sites are looked at."""
        read = self._read(draft)
        if not self._fictitious:
            return read
        return replace(read, records=[replace(one, fictitious=True) for one in read.records])

    def _read(self, draft: Draft) -> ReadReport:
        if draft.form == "table":
            layout = Layout.from_json(draft.layout or {})
            return read_source(self._contents(draft), categories=self._categories, layout=layout)
        records = [_record(one, draft.name) for one in draft.items if one.decision == "accepted"]
        problems = list(draft.problems)
        rows = len(records) + len(problems)
        return ReadReport(records, problems, rows, claims=list(draft.claims))

    def settled(self, draft: Draft) -> tuple[ReadReport, Comparison]:
        """Return what would be imported, each record with the known site it means, and the comparison with all known.

        A site of which the draft says two different things is a problem, not a record: nobody has decided.
        """
        read, sites = self.read(draft), self._store.read_sites()
        comparison = compare_sites(
            sites,
            read.records,
            categories=self._categories,
            home=home_names(self._settings.adcode),
        )
        kinds = kinds_of(sites)
        return settle_known(read, comparison, _choices(draft), kinds=kinds), comparison

    def inspect(self, draft: Draft) -> Inspection:
        """Return what a table seems to say, read the way that was chosen so far."""
        layout = Layout.from_json(draft.layout or {})
        return inspect_source(self._contents(draft), categories=self._categories, layout=layout)

    def comparison(self, draft: Draft, decisions: Collection[str]) -> Comparison:
        """Return how the items of a bulletin with one of some decisions compare with what is known.

        `records` of its entries are the items' numbers.
        """
        items = [one for one in draft.items if one.decision in decisions]
        found = compare_sites(
            self._store.read_sites(),
            [_record(one, draft.name) for one in items],
            categories=self._categories,
            home=home_names(self._settings.adcode),
        )
        lists = {
            name: [
                replace(one, records=tuple(items[n].number for n in one.records))
                for one in getattr(found, name)
            ]
            for name in found.__slots__
        }
        return Comparison(**lists)

    def guard(self, read: ReadReport) -> Verdict | None:
        """Return in which datum a table's coordinates are most likely written; None if it has none."""
        return guard_records(read.records[:GUARDED], self._settings)

    def outline(self) -> shapely.Geometry:
        """Return the district, EPSG:4326."""
        return district_outline(self._settings.adcode)

    def checks(self, draft: Draft) -> list[Check]:
        """Return every figure of a bulletin worked out again (口径核对)."""
        return check_figures(draft.claims, categories=self._categories)

    def accept(self, draft_id: str, *, who: str) -> LoadReport:
        """Import a draft as one thing; what is still open in it stays as a draft.

        Raises
        ------
        SiteMapError
            If nothing in it is accepted, or it cannot be stored. Then nothing has changed.
        """
        with _alone(draft_id):
            return self._accept(self.draft(draft_id), who)

    def _accept(self, draft: Draft, who: str) -> LoadReport:
        read, _ = self.settled(draft)
        if not read.records:
            raise SourceError("nothing in the draft is accepted yet: accept a record first")
        report = import_records(
            self._store,
            draft.name,
            read,
            who=who,
            settings=self._settings,
            categories=self._categories,
        )
        if draft.form == "table" and draft.layout and draft.layout.get("fingerprint"):
            self._store.set_note(_LAYOUT + draft.layout["fingerprint"], json.dumps(draft.layout))
        waiting = tuple(one for one in draft.items if one.decision == "open")
        if waiting:
            self._keep(replace(draft, items=waiting, claims=(), problems=()))
        else:
            self.discard(draft.draft_id)
        return report


# ---- bulletins --------------------------------------------------------------------------------------------------


def _items(all_mentions: Sequence[Mention]) -> Iterable[Item]:
    """Yield one item for each site and stated status, in the order they first stand in the text."""
    stated = {(one.kind, one.name) for one in all_mentions if one.status_words}
    groups: OrderedDict[tuple[str, str, str], list[Mention]] = OrderedDict()
    silent: dict[tuple[str, str], list[Mention]] = {}
    for one in all_mentions:
        if one.status_words or (one.kind, one.name) not in stated:
            groups.setdefault((one.kind, one.name, one.status), []).append(one)
        else:
            silent.setdefault((one.kind, one.name), []).append(one)
    for number, (key, mentions) in enumerate(groups.items()):
        best = min(mentions, key=lambda one: one.needs_look)
        spans = {one.name_span for one in [*mentions, *silent.get(key[:2], [])]}
        doubt = best.needs_look or best.conflict
        yield Item(
            number,
            best.kind,
            best.name,
            best.status,
            best.quote,
            best.quote_span,
            spans=tuple(sorted(spans)),
            status_words=best.status_words,
            as_of=best.as_of.isoformat() if best.as_of else "",
            date_words=best.date_words,
            place=best.place,
            street=best.street,
            note="又称" + "、".join(best.aliases) if best.aliases else "",
            rule=best.rule,
            needs_look=best.needs_look,
            conflict=best.conflict,
            decision="open" if doubt else "accepted",
        )


def _stands(item: Item) -> tuple[object, ...]:
    return item.spans, item.quote_span


def _mapping(given: object) -> Mapping[str, Any]:
    """Return a part of a change that is names and values; what a browser sends may be anything."""
    if not isinstance(given, Mapping):
        raise SourceError(NOT_A_CHANGE)
    return given


def _number(given: object) -> int:
    """Return the number of an item, which JSON writes as text."""
    text = str(given)
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise SourceError(NOT_A_CHANGE)
    return int(text)


def _edited(item: Item, fields: Mapping[str, Any], categories: Categories) -> Item:
    """Return an item with a person's changes, checked.

    Raises
    ------
    SourceError, CategoryError
        If a field or its value is not one that may be.
    """
    values: dict[str, Any] = {}
    for name, value in _mapping(fields).items():
        if name not in (*_EDITABLE, "decision", "same_as") or not isinstance(value, str):
            raise SourceError(f"{str(name)[:40]} of a record cannot be set to that")
        values[name] = value.strip()[: 4000 if name == "note" else MAX_NAME]
    changed = replace(item, **values)
    if changed.decision not in DECISIONS:
        raise SourceError(f"a decision is one of {', '.join(DECISIONS)}")
    if not changed.name:
        raise SourceError("a record needs a name")
    read_day(changed.as_of, refuse=SourceError)
    if "kind" in values and changed.kind != item.kind and "status" not in values:
        changed = replace(changed, status=categories.kind(changed.kind).unknown)
    categories.status(changed.kind, changed.status)
    return changed


def _record(item: Item, file: str) -> SiteRecord:
    start, end = item.quote_span
    return SiteRecord(
        kind=item.kind,
        name=item.name,
        status=item.status,
        source=Source(file, f"字 {start}–{end}", item.quote),
        as_of=read_day(item.as_of, refuse=SourceError),
        place=item.place,
        street=item.street,
        note=item.note,
    )


# ---- which known site a record is -------------------------------------------------------------------------------


def _choices(draft: Draft) -> dict[str, str]:
    chosen = dict(draft.choices)
    chosen |= {choice_key(one.kind, one.name): one.same_as for one in draft.items if one.same_as}
    return {key: site_id for key, site_id in chosen.items() if site_id != "new"}


def _plain_name(name: str) -> str:
    """Return a file's name without its folders and without what no list should show."""
    last = re.split(r"[\\/]", name)[-1]
    plain = "".join(c for c in last if c.isprintable()).strip()
    stem, dot, ending = plain.rpartition(".")
    return f"{stem[: MAX_NAME - 10]}{dot}{ending[:8]}" if dot else plain[:MAX_NAME]


def shown(rows: Sequence[Any]) -> dict[str, Any]:
    """Return the first rows of a list and how many there are."""
    return {"count": len(rows), "rows": list(rows[:SHOWN])}
