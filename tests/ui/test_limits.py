"""How much the app takes on at a time: what is beyond is refused in plain words, and gives way when it can."""

import asyncio
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocketDisconnect

from geo.ui import answers, desk_routes, export_routes, people
from geo.ui.answers import handle
from geo.ui.desk_routes import MAX_UPLOAD
from geo.ui.door import HEADERS, Door
from geo.ui.jobs import MAX_EACH, MAX_WAITING, BusyError, Jobs
from geo.ui.library import get_library
from geo.ui.routes import routes
from geo.ui.text import load_text

with warnings.catch_warnings():
    # Starlette would rather have httpx2; either will do.
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

LANGUAGES = ("zh", "en")
SECRET = "0123456789abcdef-the-proxy"


def _said(language, name, **values):
    return load_text(language)["limits"][name].format(**values)


@pytest.fixture
def client(own_library):
    with TestClient(Starlette(routes=routes()), client=("127.0.0.1", 5)) as opened:
        yield opened


# ---- jobs and their results ---------------------------------------------------------------------------------------


@pytest.fixture
def jobs():
    """A queue whose work waits until it is let go."""
    made, free = Jobs(), threading.Event()
    made.free = free
    yield made
    free.set()
    made._worker.shutdown()


def _explain(error):
    return str(error)


def _wait(jobs):
    def work(tell):
        assert jobs.free.wait(30)
        return "a", b"x"

    return work


def test_one_person_has_so_many_jobs_and_others_still_get_theirs(jobs):
    for _ in range(MAX_EACH):
        jobs.start(_wait(jobs), _explain, "wang")
    with pytest.raises(BusyError) as refused:
        jobs.prepare(_explain, "wang")
    assert refused.value.mine
    assert jobs.prepare(_explain, "gao").state == "running"


def test_where_nobody_signs_in_only_the_whole_queue_is_bounded(jobs):
    for _ in range(MAX_WAITING):
        jobs.start(_wait(jobs), _explain)
    with pytest.raises(BusyError) as refused:
        jobs.prepare(_explain)
    assert not refused.value.mine


def test_the_oldest_results_go_when_all_of_them_are_too_many_bytes(monkeypatch):
    monkeypatch.setattr("geo.ui.jobs.KEPT_BYTES", 250)
    jobs, made = Jobs(), []
    for n in range(5):
        made.append(jobs.start(lambda tell, n=n: (f"{n}", b"x" * 100), _explain))
        _ended(made[-1])
    assert [one.name for one in jobs._jobs.values()] == ["3", "4"]
    with pytest.raises(KeyError):
        jobs.get(made[0].job_id)
    # One that is larger than all may be is still there for who waits for it.
    large = jobs.start(lambda tell: ("large", b"x" * 1000), _explain)
    _ended(large)
    assert list(jobs._jobs) == [large.job_id]
    assert jobs.get(large.job_id).data


def _ended(job):
    end = time.monotonic() + 10
    while not job.ended_at and time.monotonic() < end:
        time.sleep(0.005)
    time.sleep(0.02)  # what is done after it


@pytest.mark.parametrize("language", LANGUAGES)
def test_who_has_too_many_jobs_is_told_so_in_the_page_s_language(
    own_library, monkeypatch, jobs, language
):
    for name, value in (
        ("BAITA_SIGN_IN", "header"),
        ("BAITA_PROXY_SECRET", SECRET),
        ("BAITA_ADMINS", "wang,gao"),
    ):
        monkeypatch.setenv(name, value)
    get_library.cache_clear()
    monkeypatch.setattr(export_routes, "_jobs", lambda: jobs)
    monkeypatch.setattr(desk_routes, "_jobs", lambda: jobs)
    monkeypatch.setattr(people, "_lookers", people.Knocks(people.LOOKS_EVERY_S))
    monkeypatch.setattr(export_routes, "make_file", lambda order, library, tell: _wait(jobs)(tell))
    with TestClient(Starlette(routes=routes()), client=("127.0.0.1", 5)) as client:

        def ask(who, path, body=b""):
            headers = {"X-Forwarded-User": who, "X-Baita-Proxy": SECRET}
            return client.post(f"{path}&lang={language}", content=body, headers=headers)

        for _ in range(MAX_EACH):
            assert ask("wang", "/baita/export/demo/jobs?form=csv").status_code == 200
        for path in ("/baita/export/demo/jobs?form=csv", "/baita/desk/read?name=a.csv"):
            reply = ask("wang", path, b"a,b")
            assert (reply.status_code, reply.json()["error"]) == (429, _said(language, "mine"))
        assert ask("gao", "/baita/export/demo/jobs?form=csv").status_code == 200
    # What was refused leaves no draft behind.
    assert not get_library().store("bulletin").notes("draft:")


# ---- what is sent, and previews -----------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_file_that_is_too_large_is_refused_with_what_to_do(client, language):
    path = f"/baita/desk/read?name=a.txt&lang={language}"
    reply = client.post(path, content=b"x" * (MAX_UPLOAD + 1))
    assert (reply.status_code, reply.json()["error"]) == (
        413,
        _said(language, "too_large", mb="20"),
    )
    reply = client.post(f"/baita/schemes/demo?lang={language}", content=b"x" * 64_001)
    assert reply.json()["error"] == _said(language, "too_large", mb="0.064")
    assert answers._receiving.held == 0


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_all_are_sending_at_a_time_is_bounded(own_library, monkeypatch, language):
    """Two halves of what is allowed are held; a third is refused, and all is free again at the end."""
    monkeypatch.setattr(answers, "MAX_RECEIVING", 100)
    answer = handle(lambda request: PlainTextResponse(str(len(request.state.body))), max_body=80)

    async def send(size, held):
        """Send a body in two parts; the second comes when `held` says so."""
        parts = [(b"x" * (size // 2), True), (b"x" * (size // 2), False)]

        async def receive():
            body, more = parts.pop(0)
            if not more:
                await held.wait()
            return {"type": "http.request", "body": body, "more_body": more}

        scope = {
            **{"type": "http", "method": "POST", "path": "/x", "headers": [], "scheme": "http"},
            **{"query_string": f"lang={language}".encode(), "client": ("127.0.0.1", 5)},
        }
        from starlette.requests import Request

        return await answer(Request(scope, receive))

    async def all_of_them():
        held = asyncio.Event()
        first = [asyncio.create_task(send(80, held)) for _ in range(2)]
        while answers._receiving.held < 80:
            await asyncio.sleep(0.005)
        third = await send(60, held)
        held.set()
        return third, await asyncio.gather(*first)

    with ThreadPoolExecutor(1) as thread:  # another test's loop may run in this one
        third, first = thread.submit(asyncio.run, all_of_them()).result(30)
    assert third.status_code == 429
    assert _said(language, "receiving") in third.body.decode()
    assert sorted(reply.status_code for reply in first) == [200, 429]
    assert answers._receiving.held == 0


@pytest.mark.parametrize("language", LANGUAGES)
def test_previews_that_wait_do_not_take_every_thread(client, monkeypatch, language):
    busy = threading.BoundedSemaphore(1)
    monkeypatch.setattr(export_routes, "_previews", busy)
    path = f"/baita/export/demo/preview.json?lang={language}&q=zzzz"
    busy.acquire()
    reply = client.get(path)
    assert (reply.status_code, reply.json()["error"]) == (429, _said(language, "previews"))
    busy.release()
    assert client.get(path).status_code == 200
    # It is given back after a failure too.
    monkeypatch.setattr(export_routes, "preview", lambda *given: {}["x"])
    assert client.get(path).status_code == 404
    assert busy.acquire(blocking=False)


# ---- the door -----------------------------------------------------------------------------------------------------


async def _greet(request):
    own = {"X-Frame-Options": "DENY"} if request.url.path == "/own" else {}
    return PlainTextResponse("hello", headers=own)


async def _talk(socket):
    await socket.accept()
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass


@pytest.fixture
def small():
    """An app that lets two pages in."""
    app = Starlette(
        routes=[
            *(Route(path, _greet) for path in ("/", "/map", "/map/", "/own", "/_stcore/health")),
            WebSocketRoute("/stream", _talk),
        ]
    )
    return lambda page: TestClient(Door(app, page=page, max_pages=2))


@pytest.mark.parametrize(("page", "address"), [("", "/"), ("/map", "/map/"), ("/map", "/map")])
def test_when_so_many_pages_are_open_the_next_is_told_so_and_the_rest_goes_on(small, page, address):
    client = small(page)
    with client.websocket_connect("/stream"), client.websocket_connect("/stream"):
        refused = client.get(address)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "60")
        assert "一分钟后再试" in refused.text
        assert "Too many pages" in refused.text
        assert client.get("/_stcore/health").status_code == 200
        with pytest.raises(WebSocketDisconnect), client.websocket_connect("/stream"):
            pass
    assert client.get(address).status_code == 200
    with client.websocket_connect("/stream"):
        pass


def test_every_answer_has_the_headers_and_one_that_has_its_own_keeps_it(small):
    client = small("")
    for path in ("/", "/nowhere"):
        headers = client.get(path).headers
        assert {name: headers[name] for name in HEADERS} == HEADERS
    assert client.get("/own").headers.get_list("x-frame-options") == ["DENY"]
