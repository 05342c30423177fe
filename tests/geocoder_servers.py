"""Local servers that answer as 高德, 百度, 天地图 and Nominatim do, and in all the ways a network can fail."""

from __future__ import annotations

import gzip
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from geo.locate.cache import AnswerCache
from geo.locate.online import geocode_batch, make_provider
from geo.site import SiteRecord, Source

LONLAT = (123.17, 41.26)
GCJ02 = (123.17581, 41.26216)
BD09 = (123.18242, 41.26779)
"""One place inside 白塔区 as three datums write it, to 5 decimals (1 m)."""


@dataclass
class Reply:
    """What the server sends: a status, headers and a body; `hang_s` before it, `drip_s` between its bytes."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    hang_s: float = 0.0
    drip_s: float = 0.0
    claimed: int | None = None


@dataclass
class Server:
    """A running server: where it is, and what it was asked (path and parameters), in order."""

    url: str
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    agents: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)


Answers = Callable[[int, dict[str, str]], Reply]


@contextmanager
def serve(
    answers: Answers | Reply, *, certificate: Sequence[Path] | None = None
) -> Iterator[Server]:
    """Run a server on a free port of 127.0.0.1; `answers` gets the number of the call from 0 and its parameters.

    With the files of a key and a certificate it speaks https.
    """
    lock, server = threading.Lock(), Server("")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            asked = dict(parse_qsl(parts.query, keep_blank_values=True))
            with lock:
                number = len(server.asked)
                server.asked.append((parts.path, asked))
                server.agents.append(self.headers.get("User-Agent", ""))
            reply = answers if isinstance(answers, Reply) else answers(number, asked)
            try:
                _send(self, reply, server.stop)
            except OSError:
                self.close_connection = True

        def log_message(self, *_args: object) -> None:
            pass

    http = _Quiet(("127.0.0.1", 0), Handler)
    server.url = f"http://127.0.0.1:{http.server_address[1]}"
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate[1], certificate[0])
        http.socket = context.wrap_socket(http.socket, server_side=True)
        server.url = server.url.replace("http:", "https:")
    thread = threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stop.set()
        http.shutdown()
        http.server_close()


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def handle_error(self, _request: object, _client: object) -> None:
        pass


def _send(handler: BaseHTTPRequestHandler, reply: Reply, stop: threading.Event) -> None:
    if reply.hang_s:
        stop.wait(reply.hang_s)
    handler.send_response(reply.status)
    size = len(reply.body) if reply.claimed is None else reply.claimed
    for name, value in ({"Content-Length": str(size)} | reply.headers).items():
        handler.send_header(name, value)
    handler.end_headers()
    if not reply.drip_s:
        handler.wfile.write(reply.body)
        return
    for byte in reply.body:
        handler.wfile.write(bytes([byte]))
        if stop.wait(reply.drip_s):
            return


def dripping_header_server() -> tuple[str, threading.Event]:
    """Start a server that sends its status line one byte at a time, for ever; set the event to end it."""
    stop, listener = threading.Event(), socket.create_server(("127.0.0.1", 0))

    def work() -> None:
        listener.settimeout(0.1)
        while not stop.is_set():
            try:
                peer, _ = listener.accept()
            except TimeoutError:
                continue
            with peer:
                try:
                    for byte in b"HTTP/1.1 200 OK\r\nX: " + b"a" * 60_000:
                        peer.sendall(bytes([byte]))
                        time.sleep(0.02)
                        if stop.is_set():
                            break
                except OSError:
                    continue
        listener.close()

    threading.Thread(target=work, daemon=True).start()
    return f"http://127.0.0.1:{listener.getsockname()[1]}", stop


def batch_in_child(url: str, cache: str, count: int) -> None:
    """Ask a local 高德 for `count` addresses, as a process that will be killed does."""
    provider = make_provider(
        {
            "BAITA_GEOCODER": "amap",
            "BAITA_GEOCODER_KEY": "a-key-of-the-child",
            "BAITA_GEOCODER_URL": url,
            "BAITA_GEOCODER_PER_SECOND": "1000",
        }
    )
    assert provider is not None
    geocode_batch(addresses(count), provider, AnswerCache(cache))


def addresses(count: int) -> list[SiteRecord]:
    """Return records with different addresses."""
    return [
        SiteRecord("enterprise", f"公司{n}", "unverified", Source("t.csv"), place=f"新华路{n}号")
        for n in range(count)
    ]


def as_json(content: object, **more: object) -> Reply:
    """Return a reply with a JSON body."""
    body = json.dumps(content, ensure_ascii=False).encode()
    return Reply(body, headers={"Content-Type": "application/json;charset=utf-8"}, **more)


def html(status: int = 200, text: str = "<html><body>登录后上网</body></html>") -> Reply:
    """Return what a hotel's or an office's gateway answers instead."""
    return Reply(text.encode(), status, {"Content-Type": "text/html"})


def redirect(where: str, status: int = 302) -> Reply:
    """Return a redirect."""
    return Reply(b"", status, {"Location": where})


def bomb() -> Reply:
    """Return a small packed body that unpacks to 100 MB."""
    packed = gzip.compress(b"[" + b" " * 100_000_000 + b"]", compresslevel=9)
    return Reply(packed, headers={"Content-Encoding": "gzip"})


# --- what each service says -----------------------------------------------------------------------


def amap(
    address: str, level: str = "门牌号", location: object = None, **more: object
) -> dict[str, object]:
    """Return one geocode as 高德 writes it: what is missing is `[]`."""
    return {
        "formatted_address": address,
        "country": "中国",
        "province": "辽宁省",
        "citycode": "0419",
        "city": "辽阳市",
        "district": "白塔区",
        "township": [],
        "neighborhood": {"name": [], "type": []},
        "building": {"name": [], "type": []},
        "adcode": "211002",
        "street": [],
        "number": [],
        "location": f"{GCJ02[0]},{GCJ02[1]}" if location is None else location,
        "level": level,
    } | more


def amap_answer(*geocodes: object) -> dict[str, object]:
    """Return a good answer of 高德."""
    return {
        "status": "1",
        "info": "OK",
        "infocode": "10000",
        "count": str(len(geocodes)),
        "geocodes": list(geocodes),
    }


def amap_refusal(infocode: str, info: str) -> dict[str, object]:
    """Return what 高德 says when it does not answer."""
    return {"status": "0", "info": info, "infocode": infocode}


def baidu_answer(**changes: object) -> dict[str, object]:
    """Return a good answer of 百度, in BD-09."""
    result = {
        "location": {"lng": BD09[0], "lat": BD09[1]},
        "precise": 1,
        "confidence": 80,
        "comprehension": 100,
        "level": "门址",
    }
    return {"status": 0, "result": result | changes}


def tianditu_answer(query: str, **changes: object) -> dict[str, object]:
    """Return a good answer of 天地图."""
    location = {
        "score": 100,
        "level": "门址",
        "lon": str(LONLAT[0]),
        "lat": str(LONLAT[1]),
        "keyWord": query,
    }
    return {
        "msg": "ok",
        "location": location | changes,
        "searchVersion": "6.4.9V",
        "status": "0",
    }


def osm(name: str, addresstype: str = "railway", **changes: object) -> dict[str, object]:
    """Return one place as Nominatim writes it in jsonv2."""
    lon, lat = LONLAT
    return {
        "place_id": 1,
        "licence": "Data © OpenStreetMap contributors, ODbL 1.0",
        "osm_type": "node",
        "osm_id": 1,
        "lat": str(lat),
        "lon": str(lon),
        "category": "railway",
        "type": "station",
        "place_rank": 30,
        "importance": 0.2,
        "addresstype": addresstype,
        "name": name,
        "display_name": f"{name}, 白塔区, 辽阳市, 辽宁省, 中国",
        "address": {"city": "辽阳市", "country": "中国"},
        "boundingbox": [str(lat - 0.001), str(lat + 0.001), str(lon - 0.001), str(lon + 0.001)],
    } | changes
