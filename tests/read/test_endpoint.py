"""A model behind an address is asked only over a safe way, and believed only as far as the text goes."""

import io
import json
import threading
import time
import traceback
import urllib.error
from email.message import Message
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.errors import SourceError
from geo.read.endpoint import ask_endpoint, load_model

RAW = "同样,恒力有限公\n\n司已复工。万达广场尚未营业。"
KEY = "sk-geheim-123"
QUOTE = "恒力有限公\n\n司已复工"
GOOD = {"kind": "enterprise", "name": "恒力有限公司", "status": "已复工", "quote": QUOTE}


def _answering(records, *, sent=None):
    """Return an opener that answers with records and keeps what it was sent."""
    content = json.dumps({"records": records}, ensure_ascii=False)
    body = json.dumps({"choices": [{"message": {"content": content}}]}).encode()

    def opener(request, timeout_s):
        if sent is not None:
            sent.append((request, timeout_s))
        return io.BytesIO(body)

    return opener


def _failing(error):
    def opener(request, timeout_s):
        raise error

    return opener


def _ask(opener=None, *, url="https://model.example/v1/chat/completions", raw=RAW, **options):
    options = {"key": KEY, "model": "m", "timeout_s": 5.0, **options}
    return ask_endpoint(raw, url=url, opener=opener, **options)


def test_a_record_borne_out_by_the_text_becomes_a_mention_to_look_at():
    (one,) = _ask(_answering([GOOD]))
    assert (one.kind, one.name, one.status, one.rule) == (
        "enterprise",
        "恒力有限公司",
        "resumed",
        "endpoint",
    )
    assert one.needs_look
    assert one.quote == RAW[slice(*one.quote_span)] == QUOTE
    assert RAW[slice(*one.name_span)] == "恒力有限公\n\n司"


@pytest.mark.parametrize(
    "change",
    [
        {"quote": "恒力有限公司已复工"},  # healed, not verbatim
        {"quote": "恒力有限公司已全面复工"},
        {"quote": ""},
        {"quote": None},
        {"quote": "万达广场尚未营业"},  # does not hold the name
        {"name": "恒力集团"},
        {"name": ""},
        {"name": 7},
        {"kind": "school"},
        {"kind": ["enterprise"]},
        {"status": "复工了吧"},
    ],
)
def test_what_the_text_does_not_bear_out_is_dropped(change):
    assert _ask(_answering([GOOD | change])) == []


def test_coordinates_are_never_taken_and_a_status_not_stated_is_unknown():
    (one,) = _ask(_answering([GOOD | {"status": "", "x": 123.1, "lat": 41.2}]))
    assert (one.status, one.status_words) == ("unverified", "")
    assert "123.1" not in repr(one)


def test_each_place_comes_once_and_in_text_order():
    other = {
        "kind": "enterprise",
        "name": "万达广场",
        "status": "未复工",
        "quote": "万达广场尚未营业",
    }
    assert [one.name for one in _ask(_answering([other, GOOD, GOOD]))] == [
        "恒力有限公司",
        "万达广场",
    ]


@settings(deadline=None, max_examples=50)
@given(
    records=st.recursive(
        st.none() | st.text() | st.integers(),
        lambda x: (
            st.lists(x) | st.dictionaries(st.sampled_from(["kind", "name", "status", "quote"]), x)
        ),
        max_leaves=12,
    )
)
def test_any_answer_gives_mentions_or_a_source_error(records):
    try:
        mentions = _ask(_answering(records))
    except SourceError:
        return
    assert all(one.quote == RAW[slice(*one.quote_span)] for one in mentions)


def test_the_request_carries_text_model_and_key_and_asks_for_json():
    sent = []
    _ask(_answering([], sent=sent))
    request, timeout_s = sent[0]
    body = json.loads(request.data)
    assert (body["model"], body["messages"][1]["content"], timeout_s) == ("m", RAW, 5.0)
    assert "已复工" in body["messages"][0]["content"]
    assert request.get_header("Authorization") == f"Bearer {KEY}"


@pytest.mark.parametrize(
    "url",
    [
        "http://model.example/v1",
        "ftp://x",
        "file:///etc/passwd",
        "",
        "http://localhost.evil.example/",
        "http://localhost:80@evil.example/",
        "http://192.168.1.20.evil.example/",
        "http://8.8.8.8/v1",
        "http://169.254.169.254/latest",
        "https://user:word@model.example/v1",
        "https://",
        "https://[::1",
        "http://127.0.0.1:99999/",
    ],
)
def test_an_unsafe_address_is_never_asked(url):
    sent = []
    with pytest.raises(SourceError, match="https://"):
        _ask(_answering([], sent=sent), url=url)
    assert sent == []


@pytest.mark.parametrize(
    "url",
    [
        "https://model.example/v1",
        "http://localhost:8000/v1",
        "http://[::1]:8000/v1",
        "http://192.168.1.20:8000/v1",
        "http://10.0.0.5/v1",
    ],
)
def test_a_model_of_the_office_itself_may_do_without_tls(url):
    assert _ask(_answering([GOOD]), url=url)


def test_without_a_key_none_is_sent():
    sent = []
    _ask(_answering([], sent=sent), key="")
    assert not sent[0][0].has_header("Authorization")


ENV = {
    "BAITA_MODEL_URL": "https://model.example/v1",
    "BAITA_MODEL": "m",
    "BAITA_MODEL_KEY": KEY,
    "BAITA_MODEL_TIMEOUT_S": "5",
}


def test_no_address_is_no_model_and_half_a_setting_is_refused():
    assert load_model({}) is None
    assert load_model({"BAITA_MODEL": "m", "BAITA_MODEL_KEY": KEY}) is None
    assert load_model({"BAITA_MODEL_URL": " "}) is None
    model = load_model(ENV)
    assert (model.name, model.host, model.timeout_s) == ("m", "model.example", 5.0)
    assert load_model({**ENV, "BAITA_MODEL_TIMEOUT_S": "", "BAITA_MODEL_KEY": ""}).timeout_s == 60
    assert KEY not in repr(model)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("BAITA_MODEL_URL", f"http://model.example/?key={KEY}", "https://"),
        ("BAITA_MODEL", "", "BAITA_MODEL is not"),
        ("BAITA_MODEL_KEY", f"{KEY} {KEY}", "copy it again"),
        ("BAITA_MODEL_KEY", f"{KEY}密钥", "copy it again"),
        ("BAITA_MODEL_TIMEOUT_S", KEY, "from 1 to 600"),
        ("BAITA_MODEL_TIMEOUT_S", "nan", "from 1 to 600"),
        ("BAITA_MODEL_TIMEOUT_S", "0", "from 1 to 600"),
    ],
)
def test_a_setting_that_cannot_be_used_says_so_and_nothing_of_itself(name, value, said):
    with pytest.raises(SourceError, match=said) as caught:
        load_model({**ENV, name: value})
    assert KEY not in "".join(traceback.format_exception(caught.value))


def test_a_text_too_long_is_never_sent():
    sent = []
    with pytest.raises(SourceError, match="at most 60,000"):
        _ask(_answering([], sent=sent), raw="长" * 60_001)
    assert sent == []


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (urllib.error.HTTPError(f"https://x/?k={KEY}", 401, KEY, Message(), None), "answered 401"),
        (urllib.error.URLError(KEY), "cannot be reached"),
        (TimeoutError(KEY), "did not answer in time"),
        (ValueError(f"Invalid header value b'Bearer {KEY}'"), "cannot be reached"),
    ],
)
def test_no_failure_shows_the_key(error, message):
    with pytest.raises(SourceError, match=message) as caught:
        _ask(_failing(error))
    assert KEY not in "".join(traceback.format_exception(caught.value))
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"[]",
        b'{"choices": []}',
        b'{"choices":[{"message":{"content":"{}"}}]}',
        b'{"choices":[{"message":{"content":"{\\"records\\": 3}"}}]}',
        b"[" * 100_000,
    ],
)
def test_an_answer_that_is_not_what_was_asked_for_is_refused(body):
    with pytest.raises(SourceError, match="answer"):
        _ask(lambda request, timeout_s: io.BytesIO(body))


def test_an_answer_too_long_is_refused():
    with pytest.raises(SourceError, match="too long"):
        _ask(lambda request, timeout_s: io.BytesIO(b" " * 1_000_001))


def test_an_answer_that_drips_ends_at_the_deadline():
    class Drip:
        def read(self, size):
            time.sleep(0.05)
            return b" "

        def close(self):
            pass

    with pytest.raises(SourceError, match="in time"):
        _ask(lambda request, timeout_s: Drip(), timeout_s=0.2)


def test_an_address_that_never_answers_ends_at_the_deadline():
    over = threading.Event()

    def opener(request, timeout_s):
        over.wait(20)
        return io.BytesIO(b"")

    with pytest.raises(SourceError, match="in time"):
        _ask(opener, timeout_s=0.2)
    over.set()


@pytest.fixture
def server():
    seen = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            seen.append(self.path)
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(302)
            self.send_header("Location", "/elsewhere")
            self.end_headers()

        def do_GET(self):
            seen.append(self.path)
            self.send_response(404)
            self.end_headers()

        def log_message(self, *_):
            pass

    httpd = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    yield httpd, seen
    httpd.shutdown()
    httpd.server_close()


def test_a_redirect_is_not_followed(server):
    httpd, seen = server
    with pytest.raises(SourceError, match="answered 302"):
        _ask(url=f"http://127.0.0.1:{httpd.server_port}/v1")
    assert seen == ["/v1"]
