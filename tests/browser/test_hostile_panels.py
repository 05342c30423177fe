"""Naughty texts in every panel beside the map: each is shown as it is given, nothing of it runs, nothing is fetched.

One app and one store that holds them all. The map's own page, its table and its links are in test_hostile.py.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from driver import PC, Server, Tab, new_context, start_server
from naughty import (
    COMMANDS,
    FORMULAS,
    MARKDOWN,
    MARKUP,
    NAUGHTY,
    RAN,
    SCRIPTS,
    TEMPLATES,
    UNSEEN,
    naughty_rows,
    naughty_sites,
)
from streamlit.web.server.starlette.starlette_app_utils import create_signed_value
from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME

from geo.access import AuditEntry, Role, clean_name
from geo.category import load_categories
from geo.drafts import Desk
from geo.read.grid import short
from geo.scheme import MAX_SCHEMES, MAX_TEXT, Scheme
from geo.settings import load_settings
from geo.site import SiteUpdate
from geo.store import open_store
from geo.ui.picture import Look, make_picture, render
from geo.ui.text import load_text
from geo.view import SiteFilter

pytestmark = pytest.mark.browser

WORDS = load_text("zh")
ROWS = naughty_rows()
LIVE = TEMPLATES + MARKUP + SCRIPTS + MARKDOWN
"""What a page that is careless would run, fetch or lay out."""
LINES = tuple(t for t in LIVE + FORMULAS + COMMANDS + UNSEEN if t.isprintable() and t == t.strip())
"""What fits where a text is one line without blanks at its ends."""
PERSON = f"![p](http://evil.example/p) <img src=x onerror={RAN}> $x$"
TITLE = f"甲 <img src=x onerror={RAN}>{{{{7*7}}}} ![p](http://evil.example/t)"
COOKIE_SECRET = "canary-cookie, a secret of this test's own, long enough"
SECRETS = {
    "BAITA_PROXY_SECRET": "canary-proxy-0123456789abcdef",
    "BAITA_TILES": "tianditu",
    "BAITA_TILES_KEY": "canary-tiles-key",
    "BAITA_TILES_URL": "http://127.0.0.1:9/{z}/{x}/{y}?own=canary&tk={key}",
    "BAITA_GEOCODER": "nominatim",
    "BAITA_GEOCODER_KEY": "canary-geocoder@example.org",
    "BAITA_GEOCODER_URL": "http://127.0.0.1:9/search",
}
"""Each has a word that is in nothing which the browser gets, see the last tests and tests/test_canaries.py."""

HARMLESS = """() => {
  const found = [...document.querySelectorAll(
    '[onerror],[onload],[ontoggle],base,math,video,foreignObject,meta[http-equiv=refresh],.katex,' +
    'iframe[srcdoc],iframe:not(.baita-map),a[href^="javascript" i],a[href*="evil"],img[src*="evil"],img[src="x"]')];
  const own = [...document.scripts].filter(s => s.textContent.includes('.ran=') && s.type !== 'application/json');
  const styles = [...document.styleSheets].filter(s => (s.ownerNode.textContent || '').includes('evil'));
  const told = [...found, ...own, ...styles.map(s => s.ownerNode)].map(node => node.outerHTML.slice(0, 200));
  return window.top.ran ? ['it ran', ...told] : told;
}"""


def _harmless(tab: Tab) -> None:
    for frame in (tab.page.main_frame, tab.frame):
        assert frame.evaluate(HARMLESS) == []


def _lines(limit: int) -> list[str]:
    """Texts of one line, no longer than a field."""
    return [text for text in LINES if len(text) <= limit]


# ---- the app ------------------------------------------------------------------------------------------------------


def _fill(folder: Path) -> None:
    """Put every text wherever the store has words: sites, history, people, audit, schemes and drafts."""
    settings = replace(load_settings({}), store=str(folder / "baita.gpkg"))
    with open_store(folder / "baita.gpkg") as store:
        sites = naughty_sites(ROWS)
        # What every object of a script has by that name is no word of ours.
        sites.loc[1, "match_method"] = "constructor"
        store.save_sites(sites, who="lin")
        site_id = ROWS[0]["site_id"]
        for version, text in enumerate(NAUGHTY, start=1):
            update = SiteUpdate(site_id, version, {"note": text + "。"})
            store.update_sites([update], who=text)
        for n, name in enumerate(filter(None, map(clean_name, NAUGHTY))):
            store.set_member(name, (Role.VIEWER, Role.EDITOR)[n % 2], who="lin")
        for text in LIVE:
            moment = datetime(2020, 3, 1, tzinfo=UTC)
            store.write_down(AuditEntry(moment, text, text, text, False, text))
        for n, text in enumerate(_lines(MAX_TEXT)[:MAX_SCHEMES]):
            scheme = Scheme(text, title=text, unit=text, scheme_id=f"s{n}")
            store.set_note("scheme:" + scheme.scheme_id, scheme.to_json())
        for text in _lines(100)[:30]:
            desk = Desk(store, settings, load_categories(), folder / "drafts", who=text)
            desk.receive(text + ".txt", "辽阳甲机械有限公司已复工。".encode())


@pytest.fixture(scope="module")
def office(tmp_path_factory) -> Iterator[Server]:
    """An app where people sign in, and whose names are no better than the rest."""
    folder = tmp_path_factory.mktemp("panels")
    _fill(folder)
    (folder / "secrets.toml").write_text(
        f"""[auth]
redirect_uri = "http://127.0.0.1:{{port}}/oauth2callback"
cookie_secret = "{COOKIE_SECRET}"
client_id = "x"
client_secret = "canary-client"
server_metadata_url = "http://127.0.0.1:9/.well-known/openid-configuration"
"""
    )
    settings = {"BAITA_SIGN_IN": "oidc", "BAITA_ADMINS": PERSON, "BAITA_TITLE": TITLE, **SECRETS}
    yield from start_server(folder, f"--secrets.files={folder / 'secrets.toml'}", **settings)


@pytest.fixture(scope="module")
def _signed_in(chromium, office) -> Iterator[Tab]:
    claims = {"is_logged_in": True, "origin": office.url.rstrip("/"), "sub": PERSON}
    value = create_signed_value(COOKIE_SECRET, USER_COOKIE_NAME, json.dumps(claims)).decode()
    context = new_context(chromium, "zh-CN", PC)
    context.add_cookies([{"name": USER_COOKIE_NAME, "value": value, "url": office.url}])
    made = Tab(context, "zh")
    made.page.on("websocket", lambda socket: _keep_frames(socket, made))
    made.frames = []
    yield made
    context.close()


def _keep_frames(socket, tab: Tab) -> None:
    def keep(data: bytes | str) -> None:
        tab.frames.append(data.encode() if isinstance(data, str) else data)

    socket.on("framereceived", keep)


@pytest.fixture
def tab(_signed_in, office) -> Iterator[Tab]:
    """The administrator, signed in; at the end nothing has become an element, a style or a script."""
    _signed_in.troubles.clear()
    yield _signed_in.go(office)
    _harmless(_signed_in)
    assert not _signed_in.troubles, "\n".join(_signed_in.troubles)


def _texts(tab: Tab, selector: str) -> list[str]:
    return tab.js("css => [...document.querySelectorAll(css)].map(n => n.textContent)", selector)


# ---- the import desk ----------------------------------------------------------------------------------------------


def _desk(tab: Tab) -> Tab:
    tab.page.locator("body").press("i")
    tab.until("baita.desk.open && document.querySelector('.desk .lists li')")
    return tab


def test_drafts_are_listed_with_their_names_and_whose_they_are(tab):
    _desk(tab)
    names = _texts(tab, ".desk .lists li b")
    told = zip(names, _texts(tab, ".desk .lists li small"), strict=True)
    found = {(name, text.split(" · ", 2)[-1]) for name, text in told}
    for text in _lines(100)[:30]:
        assert (re.split(r"[\\/]", text + ".txt")[-1], text) in found


def test_a_pasted_bulletin_is_shown_with_its_records_quotes_and_checks(tab):
    _desk(tab)
    bulletin = "".join(
        f"截至2026年3月{n % 20 + 1}日，{text}重点企业50户，复工41户，复工率80%。\n"
        f"辽阳第{n}机械有限公司{text}已全面复工复产。\n"
        for n, text in enumerate(LIVE)
    )
    tab.frame.locator(".desk textarea").fill(bulletin)
    tab.frame.get_by_role("button", name=WORDS["map"]["desk"]["read"], exact=True).click()
    tab.until("baita.desk.review && document.querySelector('.desk .card')")
    assert _texts(tab, ".desk .source") == [bulletin]
    view = tab.js("baita.desk.review.view")
    assert _texts(tab, ".desk .card .top b") == [one["name"] for one in view["items"]]
    # A person writes them into every field.
    numbers = [one["number"] for one in view["items"]]
    names = dict(zip(numbers, _lines(MAX_TEXT), strict=False))
    edits = {
        n: {"name": text, "place": text, "street": text, "note": text} for n, text in names.items()
    }
    tab.js("edits => baita.desk.review.edit(edits)", edits)
    assert tab.js("baita.desk.review.view.items.map(one => one.name)")[: len(names)] == list(
        names.values()
    )
    assert _texts(tab, ".desk .card .top b")[: len(names)] == list(names.values())
    for n, text in list(names.items())[::8]:
        tab.js("n => { baita.desk.review.startEdit(n); }", n)
        fields = tab.js(
            "[...document.querySelectorAll('.desk .edit input[type=text]')].map(n => n.value)"
        )
        assert fields == [text] * 4
    _harmless(tab)
    tab.js("() => { baita.desk.review.tab = 'checks'; baita.desk.review.paintList(); }")
    quotes = tab.js("baita.desk.review.view.checks.flatMap(one => one.quotes)")
    assert sorted(_texts(tab, ".desk .checks q")) == sorted(quotes)
    quoted = "".join(quotes)
    assert sum(text in quoted for text in LIVE) > len(LIVE) / 2


def test_a_table_is_shown_with_its_headings_cells_and_words(tab):
    _desk(tab)
    texts = [*LIVE, *FORMULAS, *COMMANDS]
    out = io.StringIO()
    writer = csv.writer(out)
    heads = ["企业名称", "复工情况", *LIVE]
    writer.writerow(heads)
    for n, text in enumerate(texts):
        writer.writerow([f"甲{n}{text}", LIVE[n % len(LIVE)], *[text] * len(LIVE)])
    name = "甲<img src=x onerror=window.ran=1>{{7}}.csv"
    with tab.page.expect_file_chooser() as chooser:
        tab.frame.get_by_text(WORDS["map"]["desk"]["choose"]).click()
    data = out.getvalue().encode("utf-8-sig")
    chooser.value.set_files({"name": name, "mimeType": "text/csv", "buffer": data})
    tab.until("baita.desk.review && document.querySelector('.desk .grid-box table')")
    assert _texts(tab, ".desk header h2") == [name]
    rows = tab.js(
        "[...document.querySelectorAll('.desk .grid-box tbody tr')]"
        ".map(tr => [...tr.cells].slice(1).map(td => td.textContent))"
    )
    assert len(rows) > 5
    given = list(csv.reader(io.StringIO(out.getvalue())))
    for row, cells in zip(rows, given, strict=False):
        for shown, wanted in zip(_plain(row), _plain(cells), strict=True):
            assert shown == wanted or wanted.startswith(shown.removesuffix("…"))
    # No word of the status column is one of ours; what a person makes of each is kept, whatever its name.
    _harmless(tab)
    words = set(_plain(_texts(tab, ".desk .words td:first-child")))
    assert words == set(_plain([short(text) for text in LIVE]))
    for word in ("__proto__", "constructor"):
        line = tab.frame.locator(".desk .words tr").filter(
            has=tab.frame.get_by_text(word, exact=True)
        )
        assert line.locator("select").input_value() == ""
        line.locator("select").select_option("stopped")
        tab.until(
            "word => baita.desk.review.view.inspection.status_words"
            ".some(one => one.word === word && one.status === 'stopped')",
            word,
        )


def _plain(texts: list[str]) -> list[str]:
    """Cells as a reader of tables trims them."""
    return [" ".join(text.split()) for text in texts]


def test_what_is_no_table_is_refused_by_its_name(tab):
    _desk(tab)
    for name, called in (
        (f"<img src=x onerror={RAN}>.xlsx", "img_src_x"),
        ("{{甲}}<b>.xls", "甲_b"),
    ):
        with tab.page.expect_file_chooser() as chooser:
            tab.frame.get_by_text(WORDS["map"]["desk"]["choose"]).click()
        chooser.value.set_files({"name": name, "mimeType": "", "buffer": b"no such thing"})
        tab.until("document.querySelector('.desk-status .error')")
        assert called in _texts(tab, ".desk-status .error")[0]
        tab.js("() => { document.querySelector('.desk-status').replaceChildren(); }")
    tab.forgive("422")


# ---- people -------------------------------------------------------------------------------------------------------


def test_people_and_what_they_did_are_shown(tab, office):
    words = WORDS["people"]
    said = f"{PERSON} · {words['roles']['admin']}"
    button = tab.page.locator(".st-key-person button")
    assert button.text_content() == said
    button.click()
    dialog = tab.page.get_by_role("dialog")
    dialog.get_by_role("tab", name=words["audit"]).wait_for()
    # The grid is a canvas; what it says to a screen reader is in its table.
    people = _grid(dialog, 0)
    assert people[0][0] == PERSON
    with office.store() as store:
        members = list(store.members())
    shown = [row[0] for row in people[1:]]
    assert len(shown) > 5
    assert shown == [" ".join(name.split()) for name in members[: len(shown)]]
    # A role for a new one.
    name = f"<img src=x onerror={RAN}> **粗** :smile: $x$ [l](javascript:{RAN})"
    box = dialog.locator(".st-key-people_name input")
    box.fill(name)
    box.press("Enter")
    dialog.locator(".st-key-people_give button").click()
    alert = dialog.locator("[data-testid=stAlert]")
    alert.wait_for()
    given = words["given"].format(name=name, role=words["roles"]["viewer"])
    assert alert.text_content() == given
    with office.store() as store:
        assert store.members()[name] is Role.VIEWER
    _harmless(tab)
    dialog.get_by_role("tab", name=words["audit"]).click()
    dialog.locator(".st-key-people_refused label").click()
    audit = _grid(dialog, -1)
    found = [row for row in audit if row[1:4] == [row[1]] * 3]
    assert {row[1] for row in found} <= {" ".join(text.split()) for text in LIVE}
    assert len(found) > 3


def _grid(dialog, which: int) -> list[list[str]]:
    """Rows of a table of Streamlit's, as a screen reader has them: those in sight."""
    table = dialog.locator("[data-testid=stDataFrame]:visible table").nth(which)
    table.locator("tbody td").first.wait_for(state="attached")
    return [
        [" ".join(cell.split()) for cell in row.locator("td").all_text_contents()]
        for row in table.locator("tbody tr").all()
    ]


# ---- time and history ---------------------------------------------------------------------------------------------


def test_the_list_of_changes_names_every_site(tab, office):
    tab.go(office, "?since=2020-03-01")
    tab.until("!baita.time.node.hidden && !!baita.layer._old")
    tab.js("() => { baita.time.panel.open('changes', true); }")
    rows = tab.js("baita.layer.changedRows()")
    names = office.sites()["name"]
    assert len(rows) > 80
    told = set()
    for top in range(0, len(rows) * 50, 250):
        tab.js("top => { document.querySelector('.time-panel .lines').scrollTop = top; }", top)
        tab.js("() => new Promise(done => requestAnimationFrame(done))")
        told |= set(_texts(tab, ".time-panel .line b"))
    assert told == {names[row] for row in rows}
    _harmless(tab)
    tab.js("() => { baita.time.panel.open('trend', true); }")
    tab.frame.locator(".trend-row").first.wait_for()


def test_the_history_of_a_site_tells_every_word_and_who_wrote_it(tab):
    tab.choose(ROWS[0]["site_id"])
    told = _texts(tab, ".detail .history ins")
    assert {text + "。" for text in NAUGHTY} <= set(told)
    who = set(_texts(tab, ".detail .history b"))
    assert len(who & set(NAUGHTY)) > len(NAUGHTY) / 2


def test_a_name_that_every_object_of_a_script_has_is_only_a_name(tab):
    tab.choose(ROWS[1]["site_id"])
    assert "constructor" in _texts(tab, ".detail dd")


# ---- the picture --------------------------------------------------------------------------------------------------


def test_schemes_titles_and_scenes_are_shown_as_they_are(tab):
    tab.page.locator("body").press("e")
    tab.until("document.querySelectorAll('.figure .schemes li').length > 20")
    texts = sorted(_lines(MAX_TEXT)[:MAX_SCHEMES])
    assert sorted(_texts(tab, ".figure .schemes .apply")) == texts
    drops = [WORDS["map"]["figure"]["scheme_drop"].format(name=text) for text in texts]
    titles = tab.js("[...document.querySelectorAll('.figure .drop')].map(node => node.title)")
    assert sorted(titles) == sorted(drops)
    for text in MARKUP[:3]:
        tab.js("title => { baita.figure.set({ title, unit: title }); }", text[:60])
        tab.until(
            "title => baita.figure.shown && baita.figure.shown.title === title"
            " && document.querySelector('.preview img').alt === title",
            text[:60],
        )
    _harmless(tab)
    tab.js("() => { baita.figure.toggle(); baita.command({ run: 'present' }); }")
    tab.until("baita.presenting && baita.scenes.list.length > 20")
    schemes = tab.js("baita.scenes.list.map(one => one.name)")
    for n, text in enumerate(schemes[:40]):
        tab.js("() => { baita.scenes.step(1); }")
        assert _texts(tab, ".stage.scene") == [f"{n + 1} / {len(schemes)}　{text}"]
        assert _texts(tab, ".stage.title h1") == [text]


def test_the_app_is_called_what_it_is_called(tab):
    assert tab.page.title() == TITLE
    assert tab.page.locator(".baita-figures h1, h1").first.text_content() == TITLE


# ---- editing ------------------------------------------------------------------------------------------------------


def test_messages_and_the_words_of_undo_and_redo_name_a_site(tab):
    words, rows = WORDS["map"], ROWS[5:17:3]
    undo = tab.frame.locator(".buttons button").nth(0)
    redo = tab.frame.locator(".buttons button").nth(1)
    for row in rows:
        tab.js("() => { document.querySelectorAll('.message').forEach(node => node.remove()); }")
        site = {"site_id": row["site_id"], "values": {"street": "新街" + row["street"][:50]}}
        tab.js("site => { baita.post('edit', { ...site, version: 1 }); }", site)
        tab.until("name => baita.state.steps.undo === name", row["name"])
        said = WORDS["place"]["edited"].format(name=row["name"])
        tab.until("said => [...document.querySelectorAll('.message p')].some(p => p.textContent === said)",
                  said)  # fmt: skip
        label = f"{words['undo']}{words['colon']}{row['name']} (Ctrl+Z)"
        tab.until("label => document.querySelector('.buttons button').title === label", label)
        assert undo.get_attribute("aria-label") == label
    tab.frame.locator("body").press("Control+z")
    tab.until("name => baita.state.steps.redo === name", rows[-1]["name"])
    assert redo.get_attribute("title") == (
        f"{words['redo']}{words['colon']}{rows[-1]['name']} (Ctrl+Y)"
    )


def test_refusals_quote_what_was_sent(tab):
    site = {"site_id": ROWS[7]["site_id"], "version": 1}
    for text in ("<img src=x>", "{{7*7}}", "<b>{name}</b>"):
        tab.js("() => { document.querySelectorAll('.message').forEach(node => node.remove()); }")
        sent = {**site, "values": {"as_of": text[:10]}}
        tab.js("sent => { baita.post('edit', sent); }", sent)
        tab.until("text => [...document.querySelectorAll('.message p')].some(p => p.textContent.includes(text))",
                  text[:10])  # fmt: skip


def test_the_form_for_many_and_its_boxes(tab, office):
    tab.frame.locator("body").press("t")
    tab.until("document.querySelectorAll('.drawer .body .pick').length > 3")
    names = _texts(tab, ".drawer .body .row .cell:nth-child(2)")
    labels = tab.js(
        "[...document.querySelectorAll('.drawer .body .pick')].map(n => n.getAttribute('aria-label'))"
    )
    assert labels == [WORDS["map"]["pick"].format(name=name) for name in names]
    boxes = tab.frame.locator(".drawer .body .pick")
    boxes.nth(0).click()
    boxes.nth(1).click()
    tab.frame.locator(".picks .main").click()
    note = MARKUP[2] + TEMPLATES[0]
    tab.frame.locator(".many input[type=text]").last.fill(note)
    tab.frame.locator(".many .main").click()
    tab.until("baita.state.steps.undo && document.querySelector('.many').hidden")
    assert (office.sites()["note"] == note).sum() == 2


# ---- what is not shown to anybody ---------------------------------------------------------------------------------


def test_no_secret_goes_over_the_websocket_or_lies_in_what_the_page_fetched(tab, office):
    tab.choose(ROWS[0]["site_id"])
    tab.page.locator("body").press("e")
    tab.until("baita.figure.shown && baita.figure.shown.image")
    assert len(tab.frames) > 10
    assert any(b"baita/map/zh" in frame for frame in tab.frames)
    assert not any(b"canary" in frame for frame in tab.frames)
    asked = sorted({url for url in tab.requests if url.startswith("http")})
    assert len(asked) > 20
    for url in asked:
        assert "canary" not in url
        reply = tab.context.request.get(url)
        assert b"canary" not in reply.body(), url
        assert "canary" not in json.dumps(reply.headers)
        assert reply.headers["x-content-type-options"] == "nosniff", url
        assert reply.headers["referrer-policy"] == "no-referrer", url
        assert reply.headers["x-frame-options"] == "SAMEORIGIN", url


def test_no_secret_is_in_the_log_or_in_a_file(tab, office):
    for path in office.folder.rglob("*"):
        assert (
            path.name == "secrets.toml" or not path.is_file() or b"canary" not in path.read_bytes()
        )
    assert "canary" not in office.log()


# ---- the hand-out -------------------------------------------------------------------------------------------------


def test_the_hand_out_opened_from_a_file_shows_every_site_and_asks_for_nothing(chromium, tmp_path):
    sites = naughty_sites(ROWS)
    settings = replace(load_settings({}), store=str(tmp_path / "x.gpkg"))
    look = Look(title=TITLE, unit=MARKUP[1])
    picture = make_picture(sites, SiteFilter(), load_categories(), settings, look)
    [page_text] = render(picture, "html", settings).files.values()
    path = tmp_path / "交接.html"
    path.write_bytes(page_text)
    context = new_context(chromium, "zh-CN", PC)
    context.set_offline(True)
    page, troubles, asked = context.new_page(), [], []
    page.on(
        "console", lambda m: troubles.append(m.text) if m.type in ("error", "warning") else None
    )
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("dialog", lambda dialog: troubles.append(dialog.message))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    page.wait_for_selector(".handout-side .chip")
    assert page.locator(".handout-side h1").text_content() == TITLE
    told = page.evaluate(
        """async n => { const told = [];
          for (let row = 0; row < n; row++) {
            await baita.choose(row);
            told.push([document.querySelector('.detail h2').textContent,
                       [...document.querySelectorAll('.detail dd')].map(node => node.textContent)]);
          }
          return told; }""",
        len(sites),
    )
    for (name, facts), site in zip(told, sites.to_dict("records"), strict=True):
        assert name == site["name"]
        for field in ("place", "street", "note", "source_quote"):
            assert site[field] in facts or not site[field]
    page.keyboard.press("t")
    page.wait_for_selector(".drawer .row.head")
    page.locator(".handout-side input").fill(MARKUP[0])
    page.keyboard.press("Escape")
    assert page.evaluate(HARMLESS) == []
    assert not troubles
    assert [url for url in asked if not url.startswith(("data:", "blob:"))] == [path.as_uri()]
    context.close()
