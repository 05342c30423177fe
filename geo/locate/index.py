"""Which of many names is meant by one that is misspelt, misheard, shortened or written with its address.

Two names share evidence where the same two characters, or the same two sounds, stand within two places of each
other, whichever comes first: so one wrong character, or two in the wrong order, leaves most of it. Rare evidence
counts more. The names with the most are then compared character by character.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from rapidfuzz import process
from rapidfuzz.distance import Levenshtein

from geo.category import fold
from geo.locate.names import HOME, normalise_name, simplify, sound, spelling

SAME = 100.0
NEAR_MOST = 89.0
"""The best score of a name that is not the same: near names are for a person to choose from."""

_Ints = npt.NDArray[np.int64]
_BoolArray = npt.NDArray[np.bool_]

_LONGEST = 200  # characters of a query that are read: nothing longer is a name
_POSTINGS = 60_000  # read for one query at most, the rarest pairs first
_COMPARED = 64  # names compared by their characters
_WEIGHED = 16  # of these, names whose differences are weighed one by one


@dataclass(frozen=True, slots=True)
class Hit:
    """One name of an index that a query may mean.

    `position` is that of the name in the sequence the index was made from, `score` is 0 to 100 (100 only for the
    same name, see `normalise_name`; at most `NEAR_MOST` for any other), `margin` how far the score is above the
    best of the other hits (negative where that is higher), `reason` what differs, in words.
    """

    position: int
    score: float
    margin: float
    reason: str


class NameIndex:
    """An index of names that finds the one that was meant.

    Parameters
    ----------
    names
        Names as sources write them, any number; a name may occur more than once.
    home
        Official names of the district and what it lies in: dropped from the front of names and queries.
    """

    def __init__(self, names: Sequence[str], *, home: Sequence[str] = HOME) -> None:
        self._home = tuple(home)
        self._names = tuple(names)
        self._plain = [normalise_name(name, home=home) for name in names]
        self._sounds = [sound(plain) for plain in self._plain]
        self._pairs = _Postings(self._plain, self._sounds)
        self._rarity = _rarity(self._plain)
        self._same: dict[str, list[int]] = {}
        for position, plain in enumerate(self._plain):
            self._same.setdefault(plain, []).append(position)

    def __len__(self) -> int:
        return len(self._plain)

    def search(self, query: str, limit: int = 10, *, keep: _BoolArray | None = None) -> list[Hit]:
        """Return the names a query may mean, best first.

        Parameters
        ----------
        query
            A name as somebody writes it; it may have its address in front, or behind in brackets. Only the first
            200 characters count.
        limit
            How many hits to return at most.
        keep
            One value per name: whether it may be found. All may by default.

        Returns
        -------
        hits
            Empty if nothing is alike. The same name is always found. Names of one score stand in the order of the
            index.
        """
        scored: dict[int, tuple[float, str]] = {}
        for number, reading in enumerate(_readings(query[:_LONGEST])):
            for position, score, reason in self._search(reading, keep):
                if number:
                    score, reason = min(score, NEAR_MOST), f"去掉地址后{reason}"
                if score > scored.get(position, (0.0, ""))[0]:
                    scored[position] = score, reason
        ranked = sorted(scored.items(), key=lambda item: (-item[1][0], item[0]))
        return [
            Hit(position, score, score - _best_other(ranked, n), reason)
            for n, (position, (score, reason)) in enumerate(ranked[:limit])
        ]

    def _search(self, query: str, keep: _BoolArray | None) -> list[tuple[int, float, str]]:
        plain = normalise_name(query, home=self._home)
        if not plain:
            return []
        same = [n for n in self._same.get(plain, ()) if keep is None or keep[n]]
        near = [n for n in self._nearest(plain, keep) if self._plain[n] != plain]
        whole = spelling(query)
        return [(n, SAME, "同名") for n in same] + [
            (n, *self._compare(plain, whole, n)) for n in near
        ]

    def _nearest(self, plain: str, keep: _BoolArray | None) -> list[int]:
        heard = sound(plain)
        likely = self._pairs.likely(plain, heard, _COMPARED, keep)
        if not likely.size:
            return []
        alike = self._alike(plain, heard, likely)
        best = likely[np.argsort(-alike, kind="stable")[:_WEIGHED]]
        return [int(position) for position in best]

    def _alike(self, plain: str, heard: str, likely: _Ints) -> npt.NDArray[np.float64]:
        """Return how alike the spellings and the sounds of some names are to a query's, 0 to 2."""
        spelt = [self._plain[position] for position in likely]
        spoken = [self._sounds[position] for position in likely]
        scorer = Levenshtein.normalized_similarity
        by_char = process.cdist([plain], spelt, scorer=scorer, dtype=np.float64)[0]
        by_sound = process.cdist([heard], spoken, scorer=scorer, dtype=np.float64)[0]
        return np.asarray(by_char + by_sound, dtype=np.float64)

    def _compare(self, plain: str, whole: str, position: int) -> tuple[float, str]:
        """Return score and reason of another name, for a query normalised and for all that is written."""
        other = self._plain[position]
        cost, reason = _difference(plain, other, self._rarity)
        name = self._names[position]
        if len(plain) != len(whole) or len(other) != len(name):
            # A slip inside 有限公司 or 辽阳市 hides what normalising would drop.
            cost, reason = min((cost, reason), _difference(whole, spelling(name), self._rarity))
        alike = 1 - cost / max(len(plain), len(other))
        return round(NEAR_MOST * max(alike, 0.0), 1), reason


def _best_other(ranked: Sequence[tuple[int, tuple[float, str]]], number: int) -> float:
    other = 1 if number == 0 else 0
    return ranked[other][1][0] if other < len(ranked) else 0.0


# --- what the query may have around the name --------------------------------------------------------

_DOOR = re.compile(r"^.{1,20}?[路街巷段里弄同]\d+(?:[-—–之]\d+)?号(?:院|楼)?(?=[一-鿿]{2}.)")
_BRACKET = re.compile(r"[(\[{【〔][^)\]}】〕]*\d+号[^)\]}】〕]*[)\]}】〕]")


def _readings(query: str) -> list[str]:
    """Return a query as it is and, if it comes with a door number, without that address."""
    whole = simplify(fold(query))
    return list(dict.fromkeys((whole, _DOOR.sub("", whole), _BRACKET.sub("", whole))))


# --- evidence ---------------------------------------------------------------------------------------

_SHIFT = 21  # bits of a code point


class _Postings:
    """For every pair of characters, and of sounds, the names that have it.

    `_names[_starts[n] : _starts[n + 1]]` are the names with the pair `_keys[n]`, in order.
    """

    def __init__(self, plain: Sequence[str], sounds: Sequence[str]) -> None:
        self._count = len(plain)
        # Sounds are private characters, so one table holds both kinds of pair.
        keys, names = (
            np.concatenate(both) for both in zip(_pairs(plain), _pairs(sounds), strict=True)
        )
        order = np.lexsort((names, keys))
        keys, names = keys[order], names[order]
        first = np.ones(len(keys), dtype=bool)
        first[1:] = (keys[1:] != keys[:-1]) | (names[1:] != names[:-1])
        self._keys, counts = np.unique(keys[first], return_counts=True)
        self._names = names[first].astype(np.int32)
        self._starts = np.concatenate([[0], np.cumsum(counts)])
        lengths = np.bincount(self._names, minlength=self._count)
        self._damp = 1 / np.sqrt(8.0 + lengths)

    def likely(self, plain: str, heard: str, limit: int, keep: _BoolArray | None) -> _Ints:
        """Return the names with the most evidence for a query, best first."""
        wanted = np.unique(np.concatenate([_pairs([plain])[0], _pairs([heard])[0]]))
        spots = np.searchsorted(self._keys, wanted)
        spots = spots[spots < len(self._keys)]
        spots = spots[np.isin(self._keys[spots], wanted)]
        sizes = self._starts[spots + 1] - self._starts[spots]
        rarest = np.argsort(sizes, kind="stable")
        rarest = rarest[: max(1, int(np.searchsorted(np.cumsum(sizes[rarest]), _POSTINGS)))]
        if not rarest.size:
            return np.empty(0, dtype=np.int64)
        rows = [self._names[self._starts[n] : self._starts[n + 1]] for n in spots[rarest]]
        weights = np.log1p(self._count / sizes[rarest])
        evidence = np.bincount(
            np.concatenate(rows),
            weights=np.repeat(weights, sizes[rarest]),
            minlength=self._count,
        )
        evidence = evidence * self._damp
        if keep is not None:
            evidence[~keep] = 0
        return _largest(evidence, limit)


def _pairs(texts: Sequence[str]) -> tuple[_Ints, _Ints]:
    """Return every two characters that stand within two places of each other, as one number, and whose they are."""
    lengths = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
    whole = "".join(texts).encode("utf-32-le", "surrogatepass")
    codes = np.frombuffer(whole, dtype=np.uint32).astype(np.int64)
    owner = np.repeat(np.arange(len(texts)), lengths)
    keys, owners = [], []
    for gap in (1, 2):
        one, two = codes[:-gap], codes[gap:]
        inside = owner[:-gap] == owner[gap:]
        keys.append(((np.minimum(one, two) << _SHIFT) | np.maximum(one, two))[inside])
        owners.append(owner[:-gap][inside])
    return np.concatenate(keys), np.concatenate(owners)


def _largest(values: npt.NDArray[np.float64], limit: int) -> _Ints:
    """Return where the largest positive values are, largest first, at most so many; of equals the first."""
    most = float(values.max(initial=0.0))
    # Hardly any value is near the largest one: a look at those saves sorting all.
    spots = np.flatnonzero(values > 0.5 * most)
    if spots.size < limit:
        spots = np.flatnonzero(values > 0)
    if spots.size > limit:
        cut = np.partition(values[spots], -limit)[-limit]
        spots = spots[values[spots] >= cut]
    return spots[np.argsort(-values[spots], kind="stable")][:limit]


# --- differences ------------------------------------------------------------------------------------

_WRONG, _HOMOPHONE, _SWAPPED = 1.0, 0.45, 0.6
_EXTRA, _LEFT_OUT = 1.0, (0.3, 0.7)
"""What an extra character costs; what a left out one costs at least, and how much more if it is rare."""
_DIGITS = frozenset("0123456789")
_DIGIT = 2.5  # times as much: another number is another door, seldom a slip


def _rarity(texts: Sequence[str]) -> dict[str, float]:
    """Return how rare each character is among the names: 0 in all of them, 1 in one."""
    counts: dict[str, int] = {}
    for text in texts:
        for char in set(text):
            counts[char] = counts.get(char, 0) + 1
    whole = np.log1p(len(texts))
    return {char: float(1 - np.log(count) / whole) for char, count in counts.items()}


def _difference(query: str, name: str, rarity: dict[str, float]) -> tuple[float, str]:
    """Return how much a query differs from a name, counted in wrong characters, and how, in words."""
    query, name = _middle(query, name)
    if len(query) == 2 and query == name[::-1]:
        return _SWAPPED * _weight(query), f"“{name}”两字颠倒"
    cost, wrong, alike, extra, missing = 0.0, 0, 0, "", ""
    heard, spoken = sound(query), sound(name)
    for op in Levenshtein.editops(query, name):
        if op.tag == "replace":
            same = heard[op.src_pos] == spoken[op.dest_pos]
            chars = query[op.src_pos] + name[op.dest_pos]
            cost += (_HOMOPHONE if same else _WRONG) * _weight(chars)
            alike, wrong = alike + same, wrong + (not same)
        elif op.tag == "delete":
            char = query[op.src_pos]
            cost += _EXTRA * _weight(char)
            extra += char
        else:
            char = name[op.dest_pos]
            cost += (_LEFT_OUT[0] + _LEFT_OUT[1] * rarity.get(char, 1.0)) * _weight(char)
            missing += char
    return cost, _words(alike, wrong, extra, missing)


def _weight(chars: str) -> float:
    return 1.0 if _DIGITS.isdisjoint(chars) else _DIGIT


def _words(alike: int, wrong: int, extra: str, missing: str) -> str:
    said = (
        (alike, f"{alike} 个同音字"),
        (wrong, f"{wrong} 个字不同"),
        (extra, f"多“{extra}”"),
        (missing, f"少“{missing}”"),
    )
    return "，".join(words for there, words in said if there)


def _middle(one: str, other: str) -> tuple[str, str]:
    """Return what is left of two texts without their common beginning and end."""
    start, most = 0, min(len(one), len(other))
    while start < most and one[start] == other[start]:
        start += 1
    end = 0
    while end < most - start and one[-1 - end] == other[-1 - end]:
        end += 1
    return one[start : len(one) - end], other[start : len(other) - end]
