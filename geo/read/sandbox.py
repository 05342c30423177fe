"""Parsing a stranger's file in a child process that cannot take much or reach far.

The child gets an environment of its own, one GDAL driver, no network, and bounds on its time, memory,
files and output. It hands back text and shapes as lines of JSON, never code. Where the system cannot
bound memory (Windows, macOS) the time and the checks before parsing still hold.
"""

from __future__ import annotations

import gc
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import IO, Any

from geo.errors import SourceError
from geo.read.content import FORMATS, LAYERED, refuse_ending
from geo.read.document import PLAIN, read_document
from geo.read.grid import (
    Contents,
    Grid,
    GridRow,
    Limits,
    Progress,
    no_progress,
    refuse_cancelled,
    row_from_json,
    row_to_json,
    short,
)
from geo.read.parse import parse_file

ROOT = Path(__file__).resolve().parent.parent.parent
MAX_OUTPUT = 1_000_000_000
"""Bytes a child may hand back before it is ended."""
AT_ONCE = threading.BoundedSemaphore(2)
"""How many children may run at a time, so that the pages keep a processor."""
_ROWS_PER_LINE = 500
_LOOK_EVERY_S = 0.1

_NO_NETWORK = {
    "GDAL_HTTP_PROXY": "127.0.0.1:9",
    "GDAL_HTTP_CONNECTTIMEOUT": "1",
    "GDAL_HTTP_TIMEOUT": "1",
    "GDAL_HTTP_MAX_RETRY": "0",
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": "{none}",
    "PROJ_NETWORK": "OFF",
    "http_proxy": "http://127.0.0.1:9",
    "https_proxy": "http://127.0.0.1:9",
}
_CAREFUL_GDAL = {
    "GDAL_DRIVER_PATH": "disable",
    "GDAL_VRT_ENABLE_PYTHON": "NO",
    "GDAL_VRT_ENABLE_RAWRASTERBAND": "NO",
    "GDAL_CACHEMAX": "64",
    "GDAL_NUM_THREADS": "1",
    "OGR_SQLITE_LOAD_EXTENSIONS": "",
    "LIBKML_RESOLVE_STYLE": "NO",
    "CPL_DEBUG": "OFF",
}
_KEPT = ("SYSTEMROOT", "WINDIR", "PATH", "LD_LIBRARY_PATH", "PROJ_DATA", "GDAL_DATA")


def read_in_child(
    path: str | Path,
    *,
    known: Collection[str] = (),
    limits: Limits | None = None,
    repair: bool = False,
    progress: Progress = no_progress,
    cancelled: Callable[[], bool] = lambda: False,
) -> Contents:
    """Return what `geo.read.parse.parse_file` makes of a file, parsed in a child process.

    Parameters
    ----------
    path, known, limits, repair
        As in `parse_file`.
    progress
        Told the stage in words and how much of it is done, 0 to 1, from this thread.
    cancelled
        Asked several times a second; once it says True the child is ended.

    Raises
    ------
    SourceError
        If the file is refused, takes more than its limits, or was cancelled.
    """
    path, limits = Path(path), limits or Limits()
    ending = path.suffix.lower()
    if ending not in FORMATS:
        raise SourceError(refuse_ending(path.name, ending))
    job = {
        "path": os.path.abspath(path),
        "name": path.name,
        "known": sorted(known),
        "limits": asdict(limits),
        "repair": repair,
    }
    return _take_turn(job, FORMATS[ending], _Watch(path.name, limits, progress, cancelled))


def read_document_in_child(
    path: str | Path,
    *,
    limits: Limits | None = None,
    progress: Progress = no_progress,
    cancelled: Callable[[], bool] = lambda: False,
) -> str:
    """Return what `geo.read.document.read_document` makes of a file, parsed in a child process.

    Parameters
    ----------
    path
        A file of one of the endings of `geo.read.document.DOCUMENTS`.
    limits, progress, cancelled
        As in `read_in_child`.

    Raises
    ------
    SourceError
        As `read_document`, or if it takes more than its limits, or was cancelled.
    """
    path, limits = Path(path), limits or Limits()
    job = {
        "path": os.path.abspath(path),
        "name": path.name,
        "document": True,
        "limits": asdict(limits),
    }
    contents = _take_turn(job, "text", _Watch(path.name, limits, progress, cancelled))
    return contents.grids[0].rows[0].cells[0]


def read_text(
    path: str | Path,
    *,
    progress: Progress = no_progress,
    cancelled: Callable[[], bool] = lambda: False,
) -> str:
    """Return a document's text: read here if it needs no parser, else in a child process.

    Parameters
    ----------
    path, progress, cancelled
        As in `read_document_in_child`.

    Raises
    ------
    SourceError
        As `read_document_in_child`.
    """
    path = Path(path)
    if path.suffix.lower() in PLAIN:
        return read_document(path)
    return read_document_in_child(path, progress=progress, cancelled=cancelled)


def _take_turn(job: Mapping[str, Any], format_: str, watch: _Watch) -> Contents:
    """Run a job in a child of its own, when it is its turn."""
    watch.wait_for_turn()
    try:
        with tempfile.TemporaryDirectory(prefix="baita-read-") as folder:
            return _run(job, _environment(format_, folder), Path(folder), watch)
    finally:
        AT_ONCE.release()


def _environment(format_: str, folder: str) -> dict[str, str]:
    """Return everything the child's environment has: nothing of ours that it does not need."""
    own = {name: os.environ[name] for name in _KEPT if name in os.environ}
    temporary = {"TMPDIR": folder, "TEMP": folder, "TMP": folder, "HOME": folder}
    threads = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    skipped = {"GDAL_SKIP": ",".join(_other_drivers(format_))} if format_ in LAYERED else {}
    return own | temporary | threads | _NO_NETWORK | _CAREFUL_GDAL | skipped


def _other_drivers(format_: str) -> list[str]:
    """Return every GDAL driver but those the format needs."""
    import pyogrio

    from geo.read.gisfile import DRIVERS

    return sorted(set(pyogrio.list_drivers()) - set(DRIVERS[format_]))


# --- watching the child ---------------------------------------------------------------------------


class _Watch:
    """Looks at the clock, and asks whether the person still wants the file."""

    def __init__(
        self, name: str, limits: Limits, progress: Progress, cancelled: Callable[[], bool]
    ) -> None:
        self.name, self.limits, self.progress = name, limits, progress
        self._cancelled = cancelled
        self._until = 0.0
        self._received = 0

    def wait_for_turn(self) -> None:
        """Wait until another child may be started."""
        while not AT_ONCE.acquire(timeout=_LOOK_EVERY_S):
            self.progress("wait", 0.0)
            self._look_for_cancel()

    def start(self) -> None:
        """Start the clock."""
        self._until = time.monotonic() + self.limits.wall_s

    def look(self, received: int = 0) -> None:
        """Raise `SourceError` if it has taken too long or too much, or is no longer wanted."""
        self._look_for_cancel()
        self._received += received
        if time.monotonic() > self._until:
            raise SourceError(
                f"{self.name} took longer than {self.limits.wall_s:g} s to read and was stopped; "
                "split it, or save only the table you need"
            )
        if self._received > MAX_OUTPUT:
            raise SourceError(f"{self.name} unpacks to too much text; split it and load the parts")

    def _look_for_cancel(self) -> None:
        refuse_cancelled(self.name, self._cancelled)


def _run(
    job: Mapping[str, Any], environment: Mapping[str, str], folder: Path, watch: _Watch
) -> Contents:
    """Run one child to its end and return what it handed back."""
    start = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); from geo.read.sandbox import main; main()"
    )
    watch.start()
    with (folder / "errors.txt").open("wb") as errors:
        child = subprocess.Popen(
            [sys.executable, "-I", "-X", "utf8", "-c", start],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=dict(environment),
            cwd=folder,
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    try:
        return _receive(child, job, watch)
    except _Nonsense as error:
        raise _gave_up(watch.name) from error
    except _ChildDied:
        with suppress(subprocess.TimeoutExpired):
            child.wait(timeout=5)
        raise _death(watch.name, child.poll(), folder / "errors.txt") from None
    finally:
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()


class _ChildDied(Exception):
    """The child ended without handing everything back."""


class _Nonsense(Exception):
    """The child handed back what our own code does not write."""


def _receive(child: subprocess.Popen[bytes], job: Mapping[str, Any], watch: _Watch) -> Contents:
    lines: queue.Queue[bytes | None] = queue.Queue(maxsize=64)
    stop = threading.Event()
    assert child.stdin is not None
    assert child.stdout is not None
    threading.Thread(target=_pump, args=(child.stdout, lines, stop), daemon=True).start()
    with suppress(BrokenPipeError):
        child.stdin.write(json.dumps(job).encode())
        child.stdin.close()
    try:
        return _assemble(_messages(lines, watch), watch)
    finally:
        stop.set()


def _pump(pipe: IO[bytes], lines: queue.Queue[bytes | None], stop: threading.Event) -> None:
    """Hand each line on until the pipe ends; gives up when nobody listens any more."""
    with suppress(OSError, ValueError):
        for line in pipe:
            while not stop.is_set():
                with suppress(queue.Full):
                    lines.put(line, timeout=_LOOK_EVERY_S)
                    break
            if stop.is_set():
                return
    if not stop.is_set():
        lines.put(None)


def _messages(lines: queue.Queue[bytes | None], watch: _Watch) -> Iterator[dict[str, Any]]:
    while True:
        watch.look()
        try:
            line = lines.get(timeout=_LOOK_EVERY_S)
        except queue.Empty:
            continue
        if line is None:
            raise _ChildDied
        watch.look(len(line))
        with _sense():
            message = dict(json.loads(line))
        yield message


def _assemble(messages: Iterator[dict[str, Any]], watch: _Watch) -> Contents:
    """Return the contents that a child's messages tell, up to its word that this was all."""
    rows: dict[int, list[GridRow]] = {}
    for message in messages:
        if "error" in message:
            raise SourceError(str(message["error"]))
        if "stage" in message:
            with _sense():
                stage, done = str(message["stage"]), float(message["done"])
            watch.progress(stage, done)
            continue
        with _sense():
            if "contents" in message:
                return _contents_from_json(message["contents"], rows)
            rows.setdefault(message["grid"], []).extend(map(row_from_json, message["rows"]))
    raise _ChildDied


@contextmanager
def _sense() -> Iterator[None]:
    """Turn the slips that a message of another form causes into `_Nonsense`."""
    try:
        yield
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise _Nonsense from error


_CPU_SIGNALS = (-24, 152)
_TOO_MUCH = "takes more memory or time to read than one file may"


def _death(name: str, code: int | None, errors: Path) -> SourceError:
    """Return what to say of a child that died."""
    said = errors.read_bytes()[-20_000:] if errors.is_file() else b""
    memory = b"memory allocation" in said or b"MemoryError" in said or b"capacity overflow" in said
    if memory or code in _CPU_SIGNALS or code in (-9, 137):
        return SourceError(
            f"{name} {_TOO_MUCH}; look for a cell far outside the table and delete it, or copy the "
            "table into a new file and load that"
        )
    return _gave_up(name)


def _gave_up(name: str) -> SourceError:
    return SourceError(
        f"{name} is damaged: the reader of its format gave up on it; open it in the program it comes "
        "from and save it again"
    )


# --- contents as JSON -----------------------------------------------------------------------------


def _contents_to_json(contents: Contents) -> dict[str, Any]:
    bare = replace(contents, grids=tuple(replace(grid, rows=[]) for grid in contents.grids))
    return asdict(bare)


def _contents_from_json(raw: dict[str, Any], rows: Mapping[int, list[GridRow]]) -> Contents:
    grids = []
    for number, grid in enumerate(raw["grids"]):
        grid["rows"] = rows.get(number, [])
        grid["merged"] = tuple(tuple(merge) for merge in grid["merged"])
        grid["warnings"] = tuple(grid["warnings"])
        grids.append(Grid(**grid))
    raw["grids"], raw["warnings"] = tuple(grids), tuple(raw["warnings"])
    return Contents(**raw)


# --- in the child ---------------------------------------------------------------------------------


def main() -> None:
    """Do the job that stands in the standard input, and write what came of it line by line."""
    # What a library prints goes to the standard error; only our own lines go back.
    gc.disable()  # everything made here is handed back; looking for rubbish in it costs a third more time
    with os.fdopen(os.dup(1), "wb") as out:
        os.dup2(2, 1)
        job = json.loads(sys.stdin.buffer.read())
        limits = Limits(**job["limits"])
        _bind(limits)

        def send(message: Mapping[str, Any]) -> None:
            out.write(json.dumps(message, ensure_ascii=True).encode() + b"\n")
            out.flush()

        try:
            _work(job, limits, send)
        except SourceError as error:
            send({"error": str(error)})
        except MemoryError:
            send({"error": f"{short(job['name'])} {_TOO_MUCH}; split it and load the parts"})
    # Nothing is left to do, and tearing libraries down is a chance to crash or to wait.
    os._exit(0)


def _work(
    job: Mapping[str, Any], limits: Limits, send: Callable[[Mapping[str, Any]], None]
) -> None:
    path = Path(job["path"])
    if job.get("document"):
        # A text travels as a table of one cell.
        row = GridRow(1, 1, [read_document(path)])
        send({"grid": 0, "rows": [row_to_json(row)]})
        send({"contents": _contents_to_json(Contents(path.name, "document", (Grid("", []),)))})
        return
    if FORMATS.get(path.suffix.lower()) in LAYERED:
        _load_gdal(path.name, FORMATS[path.suffix.lower()])
    contents = parse_file(
        path,
        known=frozenset(job["known"]),
        limits=limits,
        repair=job["repair"],
        progress=lambda stage, done: send({"stage": stage, "done": done}),
    )
    for number, grid in enumerate(contents.grids):
        for start in range(0, len(grid.rows), _ROWS_PER_LINE):
            part = [row_to_json(row) for row in grid.rows[start : start + _ROWS_PER_LINE]]
            send({"grid": number, "rows": part})
    send({"contents": _contents_to_json(contents)})


def _load_gdal(name: str, format_: str) -> None:
    """Import GDAL and make sure that it has no driver but the one that is wanted."""
    from geo.read.gisfile import DRIVERS, load_gdal

    drivers = load_gdal()
    if not set(drivers) <= set(DRIVERS[format_]):
        raise SourceError(f"{name} is not read: GDAL's other drivers could not be switched off")
    if not drivers:
        raise SourceError(f"{name}: this installation's GDAL cannot read this kind of file")


def _bind(limits: Limits) -> None:
    """Take away from this process what it does not need."""
    with suppress(AttributeError, OSError):
        os.nice(10)
    _leave_the_network()
    sys.addaudithook(_refuse_event)
    with suppress(ImportError):
        import resource

        bounds = {
            "RLIMIT_CPU": limits.cpu_s,
            "RLIMIT_AS": limits.memory_mb * 1_000_000,
            "RLIMIT_FSIZE": limits.max_unpacked,
            "RLIMIT_NOFILE": 128,
            "RLIMIT_CORE": 0,
        }
        for name, most in bounds.items():
            with suppress(AttributeError, OSError, ValueError):
                resource.setrlimit(getattr(resource, name), (most, most))


_REFUSED_EVENTS = (
    "socket.",
    "subprocess.",
    "os.system",
    "os.exec",
    "os.fork",
    "os.posix_spawn",
    "ftplib.",
)


def _refuse_event(event: str, arguments: object) -> None:
    if event.startswith(_REFUSED_EVENTS):
        raise PermissionError(f"{event} is not allowed while a file is read")


def _leave_the_network() -> None:
    """Move this process into a network of its own that leads nowhere, where Linux allows it."""
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    own_users, own_network = 0x10000000, 0x40000000
    with suppress(OSError, AttributeError):
        unshare = ctypes.CDLL(None).unshare
        # Root may do it as it is, and as nobody it could no longer read other people's files.
        if unshare(own_network) != 0:
            unshare(own_users | own_network)
