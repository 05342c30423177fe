"""What the map fetches is whole, agrees with Python's own filter, and tells nothing to who asks wrongly."""

import gzip
import json
import re
import struct
import warnings
from urllib.parse import quote

import numpy as np
import pandas as pd
import pytest
import strategies
from hypothesis import example, given
from starlette.applications import Starlette

from geo.category import load_categories
from geo.draw.site_layer import CHUNK_ROWS, SORTABLE, attribute_rows, pack_sites
from geo.errors import StoreError
from geo.placing import place_site, undo_place
from geo.site import PRECISIONS, Match, SiteRecord, Source, make_sites, site_row
from geo.ui.library import DATASETS
from geo.ui.routes import asset_url, routes
from geo.view import NO_STREET, SiteFilter, select_mask

with warnings.catch_warnings():
    # Starlette would rather have httpx2; either will do.
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

CATEGORIES = load_categories()
HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "{{7*7}}{% raw %}{# ${x}",
    "' OR 1=1 --",
    '"; DROP TABLE sites; --',
    "../../../../etc/passwd",
    "..\\..\\windows",
    "a/b/c",
    "x\0y",
    "%2F%00",
    "\u202e\ufeff",
    "路" * 3000,
    "",
)


@pytest.fixture(scope="module")
def app():
    return Starlette(routes=routes())


@pytest.fixture(scope="module")
def client(app, shared_library):
    with TestClient(app, raise_server_exceptions=True) as opened:
        yield opened


@pytest.fixture
def own(app, own_library):
    with TestClient(app, raise_server_exceptions=True) as opened:
        yield opened, own_library


def _base(library, dataset="demo"):
    return f"/baita/data/{dataset}/{library.snapshot(dataset).version}/"


def _seg(text):
    """Write a text as one segment of a path, the way the browser's encodeURIComponent does."""
    return quote(text, safe="")


# ---- the page and its files -------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_map_page_has_a_policy_and_may_be_asked_for_again(client, language):
    reply = client.get(f"/baita/map/{language}")
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    policy = reply.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "connect-src 'self'" in policy
    assert "unsafe-eval" not in policy
    assert "unsafe-inline" not in re.search(r"script-src ([^;]*)", policy)[1]
    assert reply.headers["cache-control"] == "no-cache"
    again = client.get(f"/baita/map/{language}", headers={"If-None-Match": reply.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == reply.headers["etag"]
    changed = client.get(f"/baita/map/{language}", headers={"If-None-Match": '"other"'})
    assert changed.status_code == 200


def test_no_site_s_word_is_in_the_map_page(client, shared_library):
    html = client.get("/baita/map/zh").text
    for dataset in DATASETS:
        names = set(shared_library.snapshot(dataset).sites["name"])
        landmarks = {name for name in names if f'"{name}"' in html}
        assert not {name for name in names - landmarks if json.dumps(name)[1:-1] in html}


@pytest.mark.parametrize("language", ["de", "..", "zh.toml", "ZH", "%2e%2e%2fzh", "{{7*7}}"])
def test_a_language_that_is_not_there_is_not_found(client, language):
    reply = client.get(f"/baita/map/{language}")
    assert reply.status_code == 404
    assert "49" not in reply.text


def test_every_file_the_page_names_is_there_for_ever_and_has_its_type(client):
    html = client.get("/baita/map/zh").text
    names = re.findall(r'(?:src|href)="(\.\./static/[^"]+)"', html)
    assert len(names) >= 6
    types = {"js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8"}
    panel = [f"../../{asset_url(name)}" for name in ("panel.js", "panel.css")]
    for name in [*names, *panel]:
        reply = client.get("/baita/map/" + name)
        assert reply.status_code == 200, name
        assert reply.headers["content-type"] == types[name.rsplit(".", 1)[1]]
        assert "immutable" in reply.headers["cache-control"]
        assert len(reply.content) > 100


def test_pictures_that_leaflet_s_style_names_are_png(client):
    reply = client.get("/" + asset_url("images/layers.png"))
    assert reply.headers["content-type"] == "image/png"
    assert reply.content.startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "name",
    [
        "nothing.js",
        "routes.py",
        "../routes.py",
        "../../../pyproject.toml",
        "..%2f..%2fpyproject.toml",
        "%2e%2e/%2e%2e/pyproject.toml",
        "%2fetc%2fpasswd",
        "/etc/passwd",
        "..\\routes.py",
        "panel.js%00.css",
        "panel.js/",
        "",
    ],
)
def test_no_other_file_can_be_had(client, name):
    folder = asset_url("panel.js").removesuffix("panel.js")
    reply = client.get(f"/{folder}{name}")
    assert reply.status_code == 404
    _tells_nothing(reply)


def test_a_file_under_an_old_digest_is_not_found(client):
    for digest in ("0" * 16, "..", "", "x" * 500):
        assert client.get(f"/baita/static/{digest}/panel.js").status_code == 404


# ---- the data ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dataset", DATASETS)
def test_positions_are_those_of_the_table_and_never_change(client, shared_library, dataset):
    snapshot = shared_library.snapshot(dataset)
    reply = client.get(_base(shared_library, dataset) + "sites.bin")
    assert reply.content == pack_sites(snapshot.sites, CATEGORIES)
    assert "immutable" in reply.headers["cache-control"]
    (length,) = struct.unpack("<I", reply.content[4:8])
    assert json.loads(reply.content[8 : 8 + length])["rows"] == len(snapshot.sites)


def test_words_of_all_chunks_are_the_table(client, shared_library):
    sites = shared_library.snapshot("demo").sites
    base, rows = _base(shared_library), []
    for chunk in range(-(-len(sites) // CHUNK_ROWS)):
        reply = client.get(f"{base}words/{chunk}.json")
        assert reply.headers["content-type"] == "application/json"
        assert "immutable" in reply.headers["cache-control"]
        assert reply.json() == attribute_rows(sites, chunk)
        rows += reply.json()
    assert [row[0] for row in rows] == sites["site_id"].tolist()
    assert [row[1] for row in rows] == sites["name"].tolist()


@pytest.mark.parametrize("chunk", ["1", "99999999999999999999", "-1", "x", "0.5", ""])
def test_a_chunk_that_is_not_there_is_not_found(client, shared_library, chunk):
    assert client.get(f"{_base(shared_library)}words/{chunk}.json").status_code == 404


@pytest.mark.parametrize("column", SORTABLE)
def test_an_order_is_a_permutation_that_sorts_the_column(client, shared_library, column):
    sites = shared_library.snapshot("demo").sites
    reply = client.get(f"{_base(shared_library)}order/{column}.bin")
    order = np.frombuffer(reply.content, "<u4")
    assert sorted(order) == list(range(len(sites)))
    values = sites[column].iloc[order]
    if column == "status":
        values = (sites["kind"] + "." + sites["status"]).map(CATEGORIES.codes).iloc[order]
    elif column == "precision":
        values = values.map(PRECISIONS.index)
    assert values[values.notna()].is_monotonic_increasing


@pytest.mark.parametrize("column", ["note", "geometry", "site_id; drop", "..%2fname", "", "{{1}}"])
def test_no_other_column_can_be_sorted_by(client, shared_library, column):
    assert client.get(f"{_base(shared_library)}order/{column}.bin").status_code == 404


@pytest.mark.parametrize("dataset", DATASETS)
def test_the_row_of_an_id_is_its_place_in_the_table(client, shared_library, dataset):
    ids = shared_library.snapshot(dataset).sites["site_id"].tolist()
    for row in (0, len(ids) // 2, len(ids) - 1):
        reply = client.get(_base(shared_library, dataset) + "row", params={"site": ids[row]})
        assert reply.json() == {"row": row}


@pytest.mark.parametrize("dataset", DATASETS)
def test_a_site_is_told_as_the_table_has_it(client, shared_library, dataset):
    sites = shared_library.snapshot(dataset).sites
    for _, site in sites.iloc[:: max(1, len(sites) // 20)].iterrows():
        reply = client.get(f"/baita/site/{dataset}/{_seg(site['site_id'])}.json")
        assert reply.headers["cache-control"] == "no-store"
        told = reply.json()
        for name in ("site_id", "name", "place", "street", "precision", "reason", "note"):
            assert told[name] == site[name]
        assert told["code"] == CATEGORIES.codes[f"{site['kind']}.{site['status']}"]
        assert told["fictitious"] == (dataset == "demo")
        assert told["source"]["file"] == site["source_file"]
        assert told["source"]["quote"] == site["source_quote"]
        assert told["as_of"] == ("" if pd.isna(site["as_of"]) else str(site["as_of"].date()))
        is_point = site.geometry is not None and site.geometry.geom_type == "Point"
        assert told["point"] == ([site.geometry.x, site.geometry.y] if is_point else None)
        assert told["history"]


def test_a_site_tells_its_new_place_and_who_moved_it(own):
    client, library = own
    place_site(library.store("bulletin"), "prj-hongfei", 123.17, 41.26, "wgs84", who="王 <b>")
    told = client.get("/baita/site/bulletin/prj-hongfei.json").json()
    assert told["point"] == [123.17, 41.26]
    assert told["raw"] == [123.17, 41.26, "wgs84"]
    assert told["match_method"] == "correction"
    assert {"王 <b>"} == {c["who"] for c in told["history"] if c["field"] == "geometry"}
    undo_place(library.store("bulletin"), "wang")
    assert client.get("/baita/site/bulletin/prj-hongfei.json").json()["point"] is None


def test_the_newest_version_is_told_after_each_write_and_never_kept(own):
    client, library = own

    def told(dataset="bulletin"):
        answer = client.get(f"/baita/version/{dataset}")
        assert answer.headers["cache-control"] == "no-store"
        return answer.json()["version"]

    before = told()
    assert before == library.snapshot("bulletin").version
    assert told() == before
    place_site(library.store("bulletin"), "prj-hongfei", 123.17, 41.26, "wgs84", who="w")
    assert told() != before
    assert told("demo") == library.snapshot("demo").version
    assert client.get("/baita/version/nothing").status_code == 404


@pytest.fixture(scope="module")
def hostile_site():
    """A site whose every text would like to be something else."""
    record = SiteRecord(
        "enterprise",
        HOSTILE[0] + HOSTILE[1],
        "resumed",
        Source(HOSTILE[3], HOSTILE[2], "</script><script>alert(1)</script>"),
        # No %: Starlette's TestClient decodes a path twice. The browser tests have one.
        site_id="a/b?c=<d>#{{7*7}} '\"",
        place="javascript:alert(1)",
        note="D:\\users\u2028`${x}`",
    )
    return make_sites([site_row(record, Match("none", reason="no_coordinate"))])


def test_hostile_words_come_back_as_they_are_and_only_as_json(own, hostile_site):
    client, library = own
    library.store("bulletin").save_sites(hostile_site, who="mallory")
    site = hostile_site.iloc[0]
    reply = client.get(f"/baita/site/bulletin/{_seg(site['site_id'])}.json")
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.json()["name"] == site["name"]
    assert reply.json()["source"]["quote"] == site["source_quote"]
    assert reply.json()["note"] == site["note"]
    base = _base(library, "bulletin")
    assert client.get(base + "row", params={"site": site["site_id"]}).json() == {"row": 16}
    assert client.get(base + "words/0.json").json()[16][:2] == [site["site_id"], site["name"]]


# ---- the selection ----------------------------------------------------------------------------------------


def _selected(client, base, chosen, rows):
    reply = client.get(base + "selection.bin?" + chosen.to_query())
    assert reply.status_code == 200
    bits = np.unpackbits(np.frombuffer(reply.content, "u1"), bitorder="little")
    assert not bits[rows:].any()
    return bits[:rows].astype(bool)


def _agree(client, library, dataset, chosen):
    """Assert that the route's bits, with the codes the page hides, are Python's own mask."""
    snapshot = library.snapshot(dataset)
    sites = snapshot.sites
    bits = _selected(client, _base(library, dataset), chosen, len(sites))
    assert np.array_equal(bits, select_mask(sites, chosen.without_categories(), CATEGORIES))
    hidden = [CATEGORIES.codes[key] for key in chosen.hidden]
    seen = bits & ~np.isin(snapshot.index.codes, hidden)
    assert np.array_equal(seen, select_mask(sites, chosen, CATEGORIES))
    return int(bits.sum())


@pytest.mark.parametrize("dataset", DATASETS)
@strategies.laws
@given(chosen=strategies.filters)
@example(chosen=SiteFilter())
@example(chosen=SiteFilter(text="演示 路 +&=?#%"))
@example(chosen=SiteFilter(text="  "))
def test_the_bits_are_python_s_filter(client, shared_library, dataset, chosen):
    _agree(client, shared_library, dataset, chosen)


@pytest.mark.parametrize(
    ("query", "dataset"),
    [
        ("q=新华路", "bulletin"),
        ("q=金融中心", "bulletin"),
        ("q=演示路 20号", "demo"),
        ("q=００１", "demo"),
        ("street=文圣街道&street=武圣街道", "demo"),
        (f"street={NO_STREET}", "bulletin"),
        ("precision=road&precision=none", "demo"),
        ("precision=none&until=2020-03-11", "bulletin"),
        ("until=2020-03-10", "bulletin"),
        ("until=2020-03-18&street=南门街道", "demo"),
        ("located=no", "demo"),
        ("located=yes&q=演示企业&street=文圣街道&precision=poi", "demo"),
    ],
)
def test_a_filter_as_people_write_it_keeps_some_rows(client, shared_library, query, dataset):
    params = {}
    for part in query.split("&"):
        name, value = part.split("=")
        params.setdefault(name, []).append(value)
    chosen = SiteFilter.from_params(params, CATEGORIES)
    kept = _agree(client, shared_library, dataset, chosen)
    assert kept > 0
    if not query.startswith(
        ("street=-", "until")
    ):  # every site of the bulletin; the later date's own
        assert kept < len(shared_library.snapshot(dataset).sites)


@pytest.mark.parametrize(
    "query",
    [
        "until=yesterday",
        "until=2020-13-01",
        "until=<script>",
        "precision=nothing",
        "precision=" + _seg("{{7*7}}"),
        "hide=enterprise.nothing",
        "hide=" + _seg("<img src=x onerror=alert(1)>"),
        "located=maybe",
    ],
)
def test_a_filter_that_names_nothing_known_is_a_bad_request(client, shared_library, query):
    reply = client.get(f"{_base(shared_library)}selection.bin?{query}")
    assert reply.status_code == 400
    assert reply.headers["content-type"] == "application/json"
    assert "49" not in reply.text
    _tells_nothing(reply)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_search_is_a_search(client, shared_library, text):
    _agree(client, shared_library, "demo", SiteFilter(text=text[:200]))


def test_a_parameter_of_another_name_changes_nothing(client, shared_library):
    base = _base(shared_library)
    reply = client.get(base + "selection.bin?q=001&utm_source=x&__proto__=1")
    assert reply.content == client.get(base + "selection.bin?q=001").content


# ---- asked wrongly ----------------------------------------------------------------------------------------

DATA = ("sites.bin", "selection.bin", "order/name.bin", "words/0.json", "row?site=prj-hongfei")
NOBODY = (*HOSTILE[:-1], ".", "..", "PRJ-HONGFEI", "prj-hongfei ")
PATHS = re.compile(
    r"/work|/usr|/tmp|/home|/root|\.py|\.gpkg|site-packages|Traceback|File \"|sqlite"
)


def _tells_nothing(reply):
    """Assert that an error's text names no file of the server, and is a text, not a page."""
    assert not PATHS.search(reply.text)
    assert len(reply.content) < 2000
    assert "html" not in reply.headers["content-type"]


@pytest.mark.parametrize("rest", DATA)
@pytest.mark.parametrize("version", ["1-000000000000", "..", "{{7*7}}", "%00", "latest"])
def test_a_version_that_is_not_kept_is_gone(client, version, rest):
    reply = client.get(f"/baita/data/bulletin/{_seg(version)}/{rest}")
    assert reply.status_code == (410 if version != ".." else 404)
    assert reply.headers.get("cache-control", "no-store") == "no-store"
    _tells_nothing(reply)


def test_an_overtaken_version_is_served_a_while_and_then_gone(own):
    client, library = own
    first = _base(library, "bulletin")
    body = client.get(first + "sites.bin").content
    for n in range(3):
        assert client.get(first + "sites.bin").content == body
        place_site(
            library.store("bulletin"), "prj-hongfei", 123.17, 41.26 + n / 1e3, "wgs84", who=""
        )
        library.snapshot("bulletin")
    assert client.get(first + "sites.bin").status_code == 410
    assert client.get(first + "selection.bin?q=x").status_code == 410
    assert client.get(_base(library, "bulletin") + "sites.bin").content != body


@pytest.mark.parametrize("rest", DATA)
@pytest.mark.parametrize("dataset", ["nothing", "Demo", "demo.gpkg", "..%2fdemo", "%00", "{{7*7}}"])
def test_a_set_that_is_not_there_is_not_found(client, shared_library, dataset, rest):
    version = shared_library.snapshot("demo").version
    for address in (f"/baita/data/{dataset}/{version}/{rest}", f"/baita/site/{dataset}/x.json"):
        reply = client.get(address)
        assert reply.status_code == 404
        _tells_nothing(reply)


@pytest.mark.parametrize("site_id", NOBODY)
def test_a_site_that_is_not_there_is_not_found_whatever_it_is_called(
    client, shared_library, site_id
):
    for address in (
        f"/baita/site/bulletin/{_seg(site_id)}.json",
        f"{_base(shared_library, 'bulletin')}row?site={_seg(site_id)}",
    ):
        reply = client.get(address)
        assert reply.status_code == 404
        assert "49" not in reply.text
        _tells_nothing(reply)


def test_a_row_without_an_id_is_not_found(client, shared_library):
    assert client.get(_base(shared_library) + "row").status_code == 404
    assert client.get("/baita/site/bulletin/.json").status_code == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_nothing_here_can_be_written_to(client, shared_library, method):
    base = _base(shared_library)
    for address in (
        "/baita/map/zh",
        "/" + asset_url("panel.js"),
        *(base + rest for rest in DATA),
        "/baita/site/bulletin/prj-hongfei.json",
    ):
        assert client.request(method, address).status_code == 405


@pytest.mark.parametrize("address", ["/baita", "/baita/", "/baita/data/demo/", "/baita/map/zh/x"])
def test_what_is_no_route_is_not_found(client, address):
    assert client.get(address, follow_redirects=False).status_code == 404


def test_a_store_that_fails_is_unavailable_and_says_no_more(own, monkeypatch):
    client, library = own

    def fail():
        raise StoreError(f"{library.settings.store} is damaged")

    base = _base(library, "bulletin")
    monkeypatch.setattr(library.store("bulletin"), "data_version", fail)
    for address in (base + "sites.bin", "/baita/site/bulletin/prj-hongfei.json"):
        reply = client.get(address)
        assert reply.status_code == 503
        _tells_nothing(reply)


# ---- how it is sent ---------------------------------------------------------------------------------------


def _addresses(library):
    base = _base(library)
    return [
        "/baita/map/zh",
        "/" + asset_url("leaflet.js"),
        *(base + rest for rest in DATA[:-1]),
        base + "selection.bin?q=001",
        base + "row?site=demo-ent-001",
        "/baita/site/demo/demo-ent-001.json",
    ]


def test_a_client_without_gzip_gets_the_same_bytes_plain(client, shared_library):
    for address in _addresses(shared_library):
        packed = client.get(address, headers={"Accept-Encoding": "gzip"})
        plain = client.get(address, headers={"Accept-Encoding": "identity"})
        assert packed.headers["content-encoding"] == "gzip"
        assert "content-encoding" not in plain.headers
        assert plain.content == packed.content
        assert int(plain.headers["content-length"]) == len(plain.content)
        for reply in (packed, plain):
            assert "Accept-Encoding" in reply.headers["vary"]


def test_what_is_sent_is_gzip_of_the_content(client, shared_library):
    with client.stream("GET", _base(shared_library) + "sites.bin") as reply:
        raw = b"".join(reply.iter_raw())
    snapshot = shared_library.snapshot("demo")
    assert gzip.decompress(raw) == pack_sites(snapshot.sites, CATEGORIES)
    assert len(raw) < 40_000


def test_every_answer_is_kept_from_other_sites_and_from_guessing(client, shared_library):
    wrong = [
        "/baita/map/de",
        "/baita/site/demo/x.json",
        _base(shared_library) + "selection.bin?until=x",
    ]
    for address in [*_addresses(shared_library), *wrong]:
        headers = client.get(address).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "access-control-allow-origin" not in headers
        assert "set-cookie" not in headers
