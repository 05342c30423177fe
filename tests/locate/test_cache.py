import sqlite3
import threading
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.errors import StoreError
from geo.locate.cache import AnswerCache, Question

ASKED = Question("amap", "gcj02", "辽阳市", "辽阳市白塔区新华路526号")
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def test_an_answer_is_there_after_closing_with_its_date(tmp_path):
    before = datetime.now(UTC).replace(microsecond=0)
    cache = AnswerCache(tmp_path / "new" / "answers.sqlite")
    cache.put(ASKED, {"status": "1", "geocodes": []})
    cache.close()
    kept = AnswerCache(tmp_path / "new" / "answers.sqlite").get(ASKED)
    assert kept.content == {"status": "1", "geocodes": []}
    assert before <= kept.asked_at <= before + timedelta(minutes=5)


@pytest.mark.parametrize(
    "other",
    [
        Question("baidu", "gcj02", "辽阳市", ASKED.query),
        Question("amap", "bd09", "辽阳市", ASKED.query),
        Question("amap", "gcj02", "沈阳市", ASKED.query),
        Question("amap", "gcj02", "辽阳市", ASKED.query + " "),
    ],
)
def test_another_service_datum_city_or_text_is_another_question(tmp_path, other):
    cache = AnswerCache(tmp_path / "a.sqlite")
    cache.put(ASKED, 1)
    assert cache.get(other) is None


def test_a_newer_answer_takes_the_place_of_the_older(tmp_path):
    cache = AnswerCache(tmp_path / "a.sqlite")
    cache.put(ASKED, 1)
    assert cache.put(ASKED, 2).content == 2
    assert (cache.get(ASKED).content, len(cache)) == (2, 1)


@given(pairs=st.lists(st.tuples(st.text(), _JSON), max_size=8))
def test_what_is_kept_comes_back(pairs, tmp_path_factory):
    cache = AnswerCache(tmp_path_factory.mktemp("cache") / "a.sqlite")
    for query, content in pairs:
        cache.put(Question("amap", "gcj02", "辽阳市", query), content)
    for query, content in dict(pairs).items():
        assert cache.get(Question("amap", "gcj02", "辽阳市", query)).content == content
    assert len(cache) == len(dict(pairs))
    cache.close()


@pytest.mark.parametrize(
    ("column", "damage"), [("answer", "{"), ("asked_at", "soon"), ("answer", b"\x00")]
)
def test_a_damaged_answer_counts_as_none_and_is_asked_again(tmp_path, column, damage):
    cache = AnswerCache(tmp_path / "a.sqlite")
    cache.put(ASKED, 1)
    with sqlite3.connect(tmp_path / "a.sqlite") as db:
        db.execute(f"UPDATE answers SET {column} = ?", (damage,))
    assert cache.get(ASKED) is None
    cache.put(ASKED, 2)
    assert cache.get(ASKED).content == 2


def test_every_answer_is_on_disk_at_once(tmp_path):
    cache = AnswerCache(tmp_path / "a.sqlite")
    cache.put(ASKED, 1)
    with sqlite3.connect(tmp_path / "a.sqlite") as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert db.execute("SELECT count(*) FROM answers").fetchone() == (1,)
    assert cache._db.execute("PRAGMA synchronous").fetchone() == (2,)


def test_threads_and_two_openings_lose_nothing(tmp_path):
    caches = [AnswerCache(tmp_path / "a.sqlite") for _ in range(2)]

    def work(number):
        for n in range(25):
            caches[number % 2].put(Question("amap", "gcj02", "辽阳市", f"{number}-{n}"), n)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(cache) for cache in caches] == [100, 100]


def test_an_empty_file_left_by_a_kill_is_used(tmp_path):
    (tmp_path / "a.sqlite").touch()
    assert len(AnswerCache(tmp_path / "a.sqlite")) == 0


def test_another_programs_database_is_left_alone(tmp_path):
    with sqlite3.connect(tmp_path / "baita.gpkg") as db:
        db.execute("CREATE TABLE sites (name TEXT)")
    db.close()
    before = (tmp_path / "baita.gpkg").read_bytes()
    with pytest.raises(StoreError, match=r"^baita.gpkg is another program's file"):
        AnswerCache(tmp_path / "baita.gpkg")
    assert (tmp_path / "baita.gpkg").read_bytes() == before


def test_what_is_no_database_is_refused_in_one_line_without_the_path(tmp_path):
    (tmp_path / "a.sqlite").write_bytes(b"not a database at all" * 100)
    with pytest.raises(StoreError, match=r"^a.sqlite: .* \(SQLITE_NOTADB\)") as caught:
        AnswerCache(tmp_path / "a.sqlite")
    assert str(tmp_path) not in str(caught.value)
    (tmp_path / "file").touch()
    with pytest.raises(StoreError) as caught:
        AnswerCache(tmp_path / "file" / "a.sqlite")
    assert str(tmp_path) not in str(caught.value)


def test_a_closed_cache_says_so(tmp_path):
    cache = AnswerCache(tmp_path / "a.sqlite")
    cache.close()
    with pytest.raises(StoreError):
        cache.get(ASKED)
