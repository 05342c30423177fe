"""Whatever is asked of a route: a short answer with its headers, and nothing of the server in it."""

import json
import re
import warnings
from contextlib import suppress
from urllib.parse import quote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from naughty import NAUGHTY, UNKEPT
from starlette.applications import Starlette

from geo.category import load_categories
from geo.drafts import Desk
from geo.errors import FilterError, SiteMapError
from geo.scheme import Scheme
from geo.ui import actions
from geo.ui.actions import chips, editing, placing, undoing
from geo.ui.address import read_filter
from geo.ui.answers import LOCKED
from geo.ui.exports import read_order
from geo.ui.library import Library
from geo.ui.routes import routes
from geo.view import MAX_VALUES, SiteFilter

with warnings.catch_warnings():
    # Starlette would rather have httpx2; either will do.
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

CATEGORIES = load_categories()
CANARY = "canary-7d1f /srv/secret/baita.gpkg postgresql://u:canary-password@h/d SELECT"
TELLS = re.compile(r"canary|/srv|/work|/usr|/tmp|\.py|\.gpkg|Traceback|SELECT|RuntimeError|sqlite")
NAMES = {
    "language": "zh",
    "dataset": "bulletin",
    "version": "1",
    "zoom": "1",
    "column": "0",
    "row": "0",
    "chunk": "0",
    "import_id": "1",
    "site_id": "x",
    "name": "panel.js",
    "stamp": "x",
    "layer": "x",
    "digest": "x",
    "job_id": "x",
    "draft_id": "x",
    "scheme_id": "x",
}


def _asked():
    """Every route with every method it takes."""
    for route in routes():
        path = re.sub(r"\{(\w+)(?::\w+)?\}", lambda name: NAMES[name[1]], route.path)
        yield from ((method, path) for method in sorted(route.methods - {"HEAD"}))


@pytest.fixture(scope="module")
def client(shared_library):
    with TestClient(Starlette(routes=routes()), raise_server_exceptions=False) as opened:
        yield opened


@pytest.fixture
def own(own_library):
    with TestClient(Starlette(routes=routes()), raise_server_exceptions=False) as opened:
        yield opened, own_library


def _is_safe(reply):
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["referrer-policy"] == "no-referrer"
    assert reply.headers["cross-origin-resource-policy"] == "same-origin"
    # What is no page may do nothing at all; a page has a policy of its own, which runs no text.
    policy = reply.headers["content-security-policy"]
    if reply.headers.get("content-type", "").startswith("text/html"):
        script = re.search(r"script-src ([^;]*)|$", policy)[1] or ""
        assert "unsafe" not in script
    else:
        assert policy == LOCKED
    assert policy.startswith("default-src 'none'")
    assert "server" not in reply.headers
    assert "access-control-allow-origin" not in reply.headers
    if reply.status_code >= 400:
        assert reply.headers["content-type"] == "application/json"
        assert len(reply.content) < 8000
        assert not TELLS.search(reply.text), reply.text


@pytest.mark.parametrize(("method", "path"), list(_asked()))
def test_a_failure_nobody_thought_of_has_a_number_and_tells_nothing(
    client, monkeypatch, caplog, method, path
):
    def fail(*given, **named):
        raise RuntimeError(CANARY)

    # Where every route begins, before it knows who asks; and where the rest of it would.
    monkeypatch.setattr("geo.ui.answers._let_in", fail)
    monkeypatch.setattr(Library, "snapshot", fail)
    body = b'{"name": "x"}' if method == "POST" else None
    reply = client.request(method, path, content=body)
    assert (reply.status_code, path) == (500, path)
    _is_safe(reply)
    [number] = re.findall(r"\b[0-9a-f]{8}\b", reply.json()["error"])
    assert f"error {number}" in caplog.text
    assert "canary" in caplog.text


@pytest.mark.parametrize(("method", "path"), list(_asked()))
def test_every_route_answers_with_its_headers(client, method, path):
    _is_safe(client.request(method, path, content=b"x" if method == "POST" else None))


@pytest.mark.parametrize("text", [*NAUGHTY[::3], "x" * 5000], ids=lambda text: ascii(text[:20]))
def test_a_naughty_link_is_an_answer_or_a_refusal(client, shared_library, text):
    version = shared_library.snapshot("demo").version
    value = quote(text[:3000], safe="")
    for name in ("q", "street", "hide", "as_of", "since", "precision", "until", "located"):
        for path in (
            f"/baita/data/demo/{version}/selection.bin?{name}={value}",
            f"/baita/data/demo/{version}/trend.json?{name}={value}",
            f"/baita/export/demo/preview.json?form=csv&q=zzzz&{name}={value}",
        ):
            reply = client.get(path)
            assert reply.status_code in (200, 400), (path[:80], reply.text)
            if reply.status_code == 400:
                assert not re.search(r"/work|Traceback|\.py\b", reply.text)


def test_a_link_with_thousands_of_streets_is_refused_in_words(client, shared_library):
    base = f"/baita/data/demo/{shared_library.snapshot('demo').version}/selection.bin"
    many = "&".join(f"street={n}" for n in range(MAX_VALUES + 1))
    reply = client.get(f"{base}?{many}")
    assert reply.status_code == 400
    assert "choose fewer" in reply.json()["error"]
    assert client.get(f"{base}?{many.partition('&')[2]}").status_code == 200


# ---- bodies -------------------------------------------------------------------------------------------------------


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from((*NAUGHTY[:20], *UNKEPT, 10**400)),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=8,
)
bounded = settings(max_examples=150, deadline=None)
SCHEME_KEYS = [*Scheme.__dataclass_fields__, "x"]


@bounded
@given(st.dictionaries(st.sampled_from(SCHEME_KEYS), json_values, max_size=6) | json_values)
@example({"name": "a", "bounds": [10**400, 0, 1, 1]})
@example({"name": "a", "query": "&".join(f"street={n}" for n in range(600))})
def test_a_scheme_of_any_json_is_a_scheme_or_refused(value):
    try:
        scheme = Scheme.from_json(json.dumps(value))
        scheme.filter(CATEGORIES)
    except FilterError as error:
        assert len(str(error)) < 2500  # noqa: PT017 - it need not be raised
    else:
        assert Scheme.from_json(scheme.to_json()) == scheme
        scheme.to_json().encode()


@pytest.mark.parametrize(
    "body", [b"[" * 60_000, b'{"a":' * 9000, b"1" * 9000, b"\xff", b'"\\ud800"']
)
def test_a_body_that_is_made_to_hurt_is_refused(client, body):
    for path in ("/baita/schemes/bulletin", "/baita/desk/draft/x"):
        reply = client.post(path, content=body)
        assert reply.status_code in (400, 422), (path, reply.text)
        _is_safe(reply)
    named = b'{"name": "\\ud800", "\\ud800": 1}'
    assert client.post("/baita/schemes/bulletin", content=named).status_code == 400


@pytest.fixture(scope="module")
def desk(shared_library, tmp_path_factory):
    folder = tmp_path_factory.mktemp("desk")
    return Desk(
        shared_library.store("bulletin"), shared_library.settings, CATEGORIES, folder, who="lin"
    )


@pytest.fixture(scope="module")
def drafts(desk):
    """A bulletin's draft and a table's."""
    text = "截至3月10日，辽宁易发式电气设备有限公司已复工，宏飞项目开工建设。"
    return (
        desk.begin("通报.txt", text.encode()).draft_id,
        desk.begin("a.csv", "企业名称,状态\n甲公司,已复工\n".encode()).draft_id,
    )


ITEM = "kind name status as_of place street note decision same_as number quote x".split()
item_edits = st.dictionaries(st.sampled_from(ITEM), json_values, max_size=3)
changes = st.fixed_dictionaries(
    {},
    optional={
        "items": st.dictionaries(
            st.sampled_from(["0", "1", "-1", "²", "x", "9" * 5000]), item_edits
        )
        | json_values,
        "as_of": st.sampled_from(["2020-03-10", "", "0001-01-01", "9999-12-31", "x"]) | json_values,
        "layout": st.fixed_dictionaries(
            {},
            optional=dict.fromkeys(
                ("sheet", "header_rows", "columns", "kind", "as_of"), json_values
            ),
        )
        | json_values,
        "choices": json_values,
    },
)


@bounded
@given(change=changes, which=st.integers(0, 1))
@example(change={"items": [1, 2]}, which=0)
@example(change={"layout": {"header_rows": [float("inf")]}}, which=1)
def test_any_change_of_a_draft_is_made_or_refused(desk, drafts, change, which):
    before = desk.draft(drafts[which])
    try:
        desk.edit(drafts[which], change)
    except SiteMapError:
        assert desk.draft(drafts[which]) == before


@bounded
@given(asked=json_values, last=st.integers() | st.floats())
def test_actions_of_any_shape_are_numbered_or_left_alone(asked, last):
    for action in actions.new_actions(asked, last):
        assert action["turn"] > last


@bounded
@given(asked=st.dictionaries(st.sampled_from(["type", "key", "kind"]), json_values))
def test_a_click_of_any_shape_hides_known_categories_only(asked):
    hidden = chips.next_hidden(frozenset(), asked, CATEGORIES)
    assert hidden <= set(CATEGORIES.codes)


@bounded
@given(given_=json_values)
@example(given_=10**400)
@example(given_=[[10**400, 0]])
@example(given_=float("nan"))
@example(given_={"note": "\ud800", "as_of": "0000-00-00"})
def test_what_a_browser_places_or_edits_is_read_or_refused(given_):
    for read in (
        lambda: placing._vertices(given_),
        lambda: placing._metres(given_),
        lambda: editing.read_changes(given_, "enterprise", CATEGORIES),
        lambda: undoing._step_id({"undo": given_, "step": given_}),
        lambda: chips._day(given_),
    ):
        with suppress(SiteMapError):
            read()


PARAMS = "hide q street precision until located as_of since preset lang title unit bounds".split()
params = st.dictionaries(
    st.sampled_from([*PARAMS, "labels", "public", "form", "series", "first"]),
    st.lists(st.text(max_size=8) | st.sampled_from(NAUGHTY) | st.just("2020-03-10"), max_size=3),
    max_size=5,
)


@bounded
@given(params)
def test_any_link_is_read_or_its_bad_parts_are_named(given_):
    chosen, bad = read_filter(given_, CATEGORIES)
    assert set(bad) <= set(given_)
    assert SiteFilter.from_params(chosen.to_params(), CATEGORIES) == chosen
    try:
        read_order("demo", given_, CATEGORIES)
    except FilterError as error:
        assert len(str(error)) < 2500  # noqa: PT017 - it need not be raised
