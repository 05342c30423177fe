"""The online geocoder is down, slow, answers rubbish or refuses the key: told, gone on with later, nothing invented."""

import json
import socket
import warnings
from collections.abc import Iterator

import pytest
from geocoder_servers import Reply, amap, amap_answer, amap_refusal, as_json, html, serve
from starlette.applications import Starlette

from geo import __main__ as command_line
from geo.locate.online import services, transport
from geo.store import open_store
from geo.ui.routes import routes

with warnings.catch_warnings():
    # Starlette would rather have httpx2; either will do.
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

KEY = "S3cretKey.of-the-Office_0042"
SITE = "/baita/candidates/bulletin/prj-jianhang.json"
RUBBISH = {
    "a gateway's page": html(),
    "half a JSON": Reply(b'{"status": "1", "geoco'),
    "another format": as_json({"hello": ["world"]}),
    "a server error": html(500),
    "the key refused": as_json(amap_refusal("10001", "INVALID_USER_KEY")),
    "no quota": as_json(amap_refusal("10003", "DAILY_QUERY_OVER_LIMIT")),
}


@pytest.fixture
def client(own_library, monkeypatch) -> Iterator[TestClient]:
    monkeypatch.setattr(transport, "LIMITERS", {})
    monkeypatch.setattr(services, "BACKOFF_S", (0.0, 0.0))
    with TestClient(Starlette(routes=routes())) as opened:
        yield opened


def _use(monkeypatch, url: str) -> None:
    monkeypatch.setenv("BAITA_GEOCODER", "amap")
    monkeypatch.setenv("BAITA_GEOCODER_KEY", KEY)
    monkeypatch.setenv("BAITA_GEOCODER_URL", url)
    monkeypatch.setenv("BAITA_GEOCODER_PER_SECOND", "1000")


def _nobody() -> str:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{unused.getsockname()[1]}"


def _told(client, language: str) -> tuple[str, list]:
    reply = client.get(f"{SITE}?lang={language}")
    assert reply.status_code == 200
    assert KEY not in reply.text
    said = reply.json()
    return said["online"], said["candidates"]


def test_a_geocoder_that_answers_is_told_of_by_nothing_but_its_candidates(client, monkeypatch):
    with serve(as_json(amap_answer(amap("辽宁省辽阳市白塔区建行大厦", "兴趣点")))) as server:
        _use(monkeypatch, server.url)
        told, found = _told(client, "zh")
    assert told == ""
    assert any("高德" in one["source"] for one in found)


@pytest.mark.parametrize("answer", RUBBISH.values(), ids=RUBBISH)
def test_the_panel_says_that_the_service_gave_no_answer(client, monkeypatch, answer):
    with serve(answer) as server:
        _use(monkeypatch, server.url)
        told, found = _told(client, "zh")
        in_english, _ = _told(client, "en")
    assert any(words in told for words in ("没有给出可用的答复", "不接受密钥", "暂时不再答复")), (
        told
    )
    assert any("a" <= letter <= "z" for letter in in_english)
    assert in_english != told
    assert not any("高德" in one["source"] for one in found)


def test_the_panel_is_told_of_a_service_that_is_down_or_never_answers(client, monkeypatch):
    _use(monkeypatch, _nobody())
    assert "检查网络" in _told(client, "zh")[0]
    monkeypatch.setattr(transport, "DEADLINE_S", 0.6)
    monkeypatch.setattr(transport, "ATTEMPT_S", 0.2)
    slow = as_json(amap_answer(amap("辽宁省辽阳市白塔区建行大厦", "兴趣点")), hang_s=5)
    with serve(slow) as server:
        _use(monkeypatch, server.url)
        told, found = _told(client, "zh")
    assert "没有及时答复" in told
    assert not any("高德" in one["source"] for one in found)


def test_a_setting_that_cannot_be_used_does_not_hide_our_own_places(client, monkeypatch):
    _use(monkeypatch, _nobody())
    monkeypatch.setenv("BAITA_GEOCODER_PER_SECOND", "quickly")
    told, _ = _told(client, "zh")
    assert "BAITA_GEOCODER_PER_SECOND" in told


def _geocode(path, capsys) -> tuple[int, dict, str]:
    code = command_line.main(["geocode", "--store", str(path)])
    said = capsys.readouterr()
    assert KEY not in said.out + said.err
    assert "Traceback" not in said.err
    return code, json.loads(said.out or "{}"), said.err


def _located(path) -> int:
    with open_store(path) as store:
        return int((store.read_sites()["precision"] != "none").sum())


@pytest.mark.parametrize("answer", RUBBISH.values(), ids=RUBBISH)
def test_the_command_says_why_it_stopped_places_nothing_and_goes_on_later(
    client, own_library, monkeypatch, capsys, answer
):
    path = own_library.settings.store
    before = _located(path)
    good, broken = amap_answer(amap("辽宁省辽阳市白塔区建行大厦", "兴趣点")), [True]

    def answers(number, asked):
        if broken and number >= 3:
            return answer
        return as_json(good if "建行大厦" in asked["address"] else amap_answer())

    with serve(answers) as server:
        _use(monkeypatch, server.url)
        code, said, err = _geocode(path, capsys)
        told = err + said.get("stopped", "")
        assert any(w in told for w in ("高德", "amap")), (code, said, err)
        assert code == 2 or said["left"] > 0
        assert _located(path) <= before + 1
        broken.clear()
        known = {asked["address"] for _, asked in server.asked[:3]}
        so_far = len(server.asked)
        code, said, _ = _geocode(path, capsys)
        assert (code, said["left"], said["stopped"]) == (0, 0, "")
        # What was answered before is not asked again, and what was rubbish was not kept as an answer.
        assert known.isdisjoint(asked["address"] for _, asked in server.asked[so_far:])
        assert _located(path) == before + 1


def test_the_command_says_that_nobody_is_there(own_library, monkeypatch, capsys):
    monkeypatch.setattr(services, "BACKOFF_S", (0.0, 0.0))
    path = own_library.settings.store
    before = _located(path)
    _use(monkeypatch, _nobody())
    code, said, err = _geocode(path, capsys)
    assert "高德" in err + said.get("stopped", "")
    assert code == 2 or said["left"] > 0
    assert _located(path) == before
