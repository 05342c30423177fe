"""A PostgreSQL server with PostGIS for tests: the one of BAITA_TEST_POSTGIS, or a private one in a temporary folder.

The private one listens on a Unix socket only, belongs to nobody but the test run, and syncs its disk as a real one.
"""

import itertools
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import quote

DATABASE = "baita"
_numbers = itertools.count()


class NoServer(Exception):
    """There is no server to test with; the text says why."""


class PrivateServer:
    """A server in a folder of its own, stopped and gone at the end of a `with`.

    Parameters
    ----------
    folder
        Where its data lie, instead of a new temporary folder; it must be empty.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._tools = _find_tools()
        self._temporary = Path(tempfile.mkdtemp(prefix="baita-pg-"))
        self._data = (folder or self._temporary) / "data"
        # initdb refuses root: the server then runs as the account Debian made for it.
        self._user = "postgres" if os.geteuid() == 0 else None
        for owned in {self._temporary, folder or self._temporary}:
            if self._user:
                shutil.chown(owned, self._user)
        self.url = f"postgresql://baita@/{DATABASE}?host={quote(str(self._temporary), safe='')}"

    def __enter__(self) -> "PrivateServer":
        try:
            # Only the files of the new cluster are not synced one by one; the running server syncs.
            self._run("initdb", "-D", self._data, "-U", "baita", "-A", "trust", "-E", "UTF8", "-N")
            settings = (
                f"unix_socket_directories = '{self._temporary}'\nlisten_addresses = ''\n"
                "shared_buffers = 256MB\nmax_connections = 100\nfsync = on\n"
                "log_min_messages = fatal\nmax_wal_size = 2GB\n"
            )
            self._run("sh", "-c", f"cat >> '{self._data}/postgresql.conf'", given=settings)
            self.start()
            self._run("createdb", "-h", self._temporary, "-U", "baita", DATABASE)
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()
        self._remove()

    def start(self) -> None:
        """Start the server, after `kill` with the recovery that brings."""
        log = self._temporary / "log"
        self._run("pg_ctl", "-D", self._data, "-l", log, "-w", "-t", "60", "start")

    def stop(self) -> None:
        """Stop the server in good order, if it runs."""
        self._run("pg_ctl", "-D", self._data, "-m", "fast", "-w", "stop", check=False)

    def kill(self) -> None:
        """End the server and everything it started at once, as a power cut does."""
        first = int(self._pid_file.read_text().split()[0])
        children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
        processes = (first, *map(int, children))
        for pid in processes:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        while any(_state(pid) != "Z" for pid in processes):
            time.sleep(0.01)
        # Where nobody collects the dead, the server would take its own old number for a living one.
        for left in (self._pid_file, self._temporary / ".s.PGSQL.5432.lock"):
            left.unlink(missing_ok=True)

    @property
    def _pid_file(self) -> Path:
        return self._data / "postmaster.pid"

    def _run(
        self, tool: str, *words: object, given: str = "", check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        path = self._tools / tool if (self._tools / tool).exists() else Path(tool)
        options = {} if self._user is None else {"user": self._user, "group": "postgres"}
        # pg_ctl's server inherits what we hand it: files, or it would keep a pipe open for ever.
        with tempfile.TemporaryFile("w+") as said:
            done = subprocess.run(
                [str(path), *map(str, words)],
                input=given,
                stdout=said,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
                cwd="/",
                env={**os.environ, "LC_ALL": "C"},
                **options,
            )
            said.seek(0)
            if check and done.returncode:
                raise NoServer(f"{tool} failed: {said.read().strip()[-300:]}")
        return done

    def _remove(self) -> None:
        shutil.rmtree(self._data, ignore_errors=True)
        shutil.rmtree(self._temporary, ignore_errors=True)


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


def _find_tools() -> Path:
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"),
        key=lambda path: int(re.sub(r"\D", "", path.parts[-3]) or 0),
    )
    on_path = shutil.which("initdb")
    if not found and on_path is None:
        raise NoServer(
            "no PostgreSQL server here (Debian: apt install postgresql postgresql-postgis)"
        )
    tools = (found[-1] if found else Path(str(on_path))).parent
    shared = (
        tools.parent.parent.parent.parent / "share/postgresql" / tools.parent.name / "extension"
    )
    if found and not (shared / "postgis.control").exists():
        raise NoServer(
            "PostgreSQL is here without PostGIS (Debian: apt install postgresql-postgis)"
        )
    return tools


def schema_in(url: str) -> Iterator[str]:
    """Yield the address of a schema that is not there yet, and take it away afterwards."""
    import psycopg

    name = f"test_{os.getpid()}_{next(_numbers)}"
    yield f"{url}{'&' if '?' in url else '?'}schema={name}"
    with closing(psycopg.connect(url, autocommit=True)) as db:
        db.execute(f"DROP SCHEMA IF EXISTS {name} CASCADE")


def give_server() -> tuple[str, PrivateServer | None]:
    """Return the address of a server to test with, and the server itself if it is a private one.

    Raises
    ------
    NoServer
        If there is none.
    """
    given = os.environ.get("BAITA_TEST_POSTGIS")
    if given:
        return given, None
    if os.name != "posix":
        raise NoServer("a private PostgreSQL server needs Unix sockets; set BAITA_TEST_POSTGIS")
    server = PrivateServer()
    server.__enter__()
    return server.url, server
