"""A language model for tests: answers chat completions with the records it was given, and keeps what it was sent."""

import json
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


class ModelServer:
    """A server on this machine that finds in every text what `records` says.

    `hold` keeps it from answering until it is set; `status` is what it answers with.
    """

    def __init__(self, records: list[dict[str, Any]]) -> None:
        self.records, self.status = records, 200
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.hold = threading.Event()
        self.hold.set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer.keys.append(self.headers["Authorization"])
                outer.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                outer.hold.wait(30)
                content = json.dumps({"records": outer.records}, ensure_ascii=False)
                body = json.dumps({"choices": [{"message": {"content": content}}]}).encode()
                with suppress(OSError):  # nobody waits for it any more
                    self.send_response(outer.status)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1/chat/completions"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.hold.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def env(self) -> dict[str, str]:
        """The settings that make the app ask this model."""
        return {
            "BAITA_MODEL_URL": self.url,
            "BAITA_MODEL": "a-model",
            "BAITA_MODEL_KEY": "sk-model-key",
        }
