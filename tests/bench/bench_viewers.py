"""Measure many viewers at once: each speaks Streamlit's own protocol over a websocket and clicks chips.

    python tests/bench/bench_viewers.py [--sites 1000,100000] [--viewers 50] [--think 5] [--seconds 30]
    python tests/bench/bench_viewers.py --worth 3600 --sites 100000   # an hour's worth of clicks, does the server grow?

See README.md in this folder. No browser takes part: what a click costs there is in bench_map.py.
"""

import argparse
import asyncio
import json
import random
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import websockets
from _harness import (
    ROOT,
    SEED,
    Row,
    Server,
    Workspace,
    about,
    markdown_table,
    show,
    write_between_marks,
)
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

SIZES = (1_000, 100_000)
STORMS = 5
ANSWER_S = 60
SETTLE_S = 2
PACE = 10  # how much faster than people an hour's worth of clicks is gone through
LOOKS = 10  # at how many moments of it the server's memory is read


class Viewer:
    """One open page: what a browser keeps of it, and what it sends for a click on a chip."""

    def __init__(self, url: str) -> None:
        self.url = url.replace("http", "ws") + "_stcore/stream"
        self.received = self.turn = 0
        self.query = self.page = self.chips = self.fragment = ""
        self.hidden: set[int] = set()
        self.seconds: list[float] = []

    async def open(self) -> None:
        """Connect and let the page run once."""
        self.socket = await websockets.connect(
            self.url,
            subprotocols=["streamlit"],
            max_size=None,
            compression=None,
            ping_interval=None,
        )
        await self._run(self._message())

    async def click(self, chance: random.Random, statuses: list[str]) -> None:
        """Switch one status over and wait until the page says so."""
        code = chance.randrange(len(statuses))
        message = self._message()
        message.rerun_script.fragment_id = self.fragment
        trigger = message.rerun_script.widget_states.widgets.add()
        trigger.id = f"$$STREAMLIT_INTERNAL_KEY_{self.chips}__events"
        self.turn += 1
        act = {"type": "toggle", "key": statuses[code], "turn": self.turn}
        trigger.json_trigger_value = json.dumps([{"event": "act", "value": [act]}])
        wanted = self.hidden ^ {code}
        start = time.perf_counter()
        await self._run(message)
        self.seconds.append(time.perf_counter() - start)
        if self.hidden != wanted:
            raise RuntimeError(f"the page hides {self.hidden}, not {wanted}")

    def _message(self) -> BackMsg:
        message = BackMsg()
        message.rerun_script.query_string = self.query
        message.rerun_script.page_script_hash = self.page
        message.rerun_script.context_info.locale = "zh-CN"
        return message

    async def _run(self, message: BackMsg) -> None:
        await self.socket.send(message.SerializeToString())
        async with asyncio.timeout(ANSWER_S):
            while True:
                data = await self.socket.recv()
                self.received += len(data)
                answer = ForwardMsg.FromString(data)
                if answer.WhichOneof("type") == "script_finished":
                    return
                self._take(answer)

    def _take(self, answer: ForwardMsg) -> None:
        kind = answer.WhichOneof("type")
        if kind == "new_session":
            self.page = answer.new_session.page_script_hash
        elif kind == "page_info_changed":
            self.query = answer.page_info_changed.query_string
        elif kind == "delta" and answer.delta.new_element.HasField("bidi_component"):
            part = answer.delta.new_element.bidi_component
            data = json.loads(part.json)
            if data["part"] == "chips":
                self.chips, self.fragment = part.id, answer.delta.fragment_id
                self.hidden = set(data["state"]["hidden"])


async def measure(server: Server, count: int, given: argparse.Namespace) -> Row:
    """Return the row of one size: thinking viewers, everybody at once, as many more for the memory."""
    from geo.category import load_categories

    statuses = list(load_categories().codes)
    viewers = await _open(server, given.viewers)
    row = {"sites": count, "viewers": given.viewers}
    row |= await _thinking(server, viewers, statuses, given)
    row |= await _storms(server, viewers, statuses)
    # Only now: the first run of anything leaves memory behind that does not grow with the viewers.
    before = server.memory_mb()
    more = await _open(server, given.viewers)
    await asyncio.gather(
        *(viewer.click(random.Random(i), statuses) for i, viewer in enumerate(more))
    )
    await asyncio.sleep(SETTLE_S)
    row["server_mb"] = server.memory_mb()
    row["mb_each"] = (row["server_mb"] - before) / given.viewers
    await asyncio.gather(*(viewer.socket.close() for viewer in viewers + more))
    return row


async def _open(server: Server, count: int) -> list[Viewer]:
    viewers = [Viewer(server.url) for _ in range(count)]
    await asyncio.gather(*(viewer.open() for viewer in viewers))
    await asyncio.sleep(SETTLE_S)
    return viewers


async def _thinking(
    server: Server, viewers: list[Viewer], statuses: list[str], given: argparse.Namespace
) -> Row:
    """Let each viewer click, look for a while, and click again."""
    start, cpu = time.perf_counter(), server.cpu_ms()
    received = sum(viewer.received for viewer in viewers)

    async def watch(viewer: Viewer, chance: random.Random) -> None:
        await asyncio.sleep(chance.uniform(0, given.think))
        while time.perf_counter() - start < given.seconds:
            await viewer.click(chance, statuses)
            await asyncio.sleep(chance.expovariate(1 / given.think))

    tasks = (watch(viewer, random.Random(SEED + i)) for i, viewer in enumerate(viewers))
    await asyncio.gather(*tasks)
    times = sorted(second * 1000 for viewer in viewers for second in viewer.seconds)
    return {
        "clicks": len(times),
        "p50_ms": statistics.median(times),
        "p95_ms": times[int(0.95 * len(times))],
        "worst_ms": times[-1],
        "cpu_ms": (server.cpu_ms() - cpu) / len(times),
        "bytes": (sum(viewer.received for viewer in viewers) - received) / len(times),
    }


async def _storms(server: Server, viewers: list[Viewer], statuses: list[str]) -> Row:
    """Let everybody click in the same moment, a few times; return the middle and the worst."""
    chance, seconds = random.Random(SEED), []
    for _ in range(STORMS):
        start = time.perf_counter()
        await asyncio.gather(*(viewer.click(chance, statuses) for viewer in viewers))
        seconds.append(time.perf_counter() - start)
        await asyncio.sleep(1)
    return {"storm_s": statistics.median(seconds), "worst_storm_s": max(seconds)}


async def measure_growth(server: Server, count: int, given: argparse.Namespace) -> Row:
    """Return what an hour's worth of clicks, say, leaves in the server: its memory at equal steps of the clicks.

    Viewers do not stay: at each step half of them close their page and as many others open one.
    """
    from geo.category import load_categories

    statuses, chance = list(load_categories().codes), random.Random(SEED)
    viewers = await _open(server, given.viewers)
    each = round(given.worth / given.think / LOOKS)
    start, seconds, memory = time.perf_counter(), list[float](), [server.memory_mb()]

    async def click_on(viewer: Viewer, chance: random.Random) -> None:
        for _ in range(each):
            await asyncio.sleep(chance.expovariate(PACE / given.think))
            await viewer.click(chance, statuses)

    for _ in range(LOOKS):
        await asyncio.gather(*(click_on(one, random.Random(chance.random())) for one in viewers))
        half = len(viewers) // 2
        await asyncio.gather(*(viewer.socket.close() for viewer in viewers[:half]))
        seconds += [second for viewer in viewers for second in viewer.seconds]
        for viewer in viewers:
            viewer.seconds.clear()
        viewers = viewers[half:] + await _open(server, half)
        memory.append(server.memory_mb())
        print(f"{len(seconds):,} clicks, {memory[-1]:.1f} MB", flush=True)
    await asyncio.gather(*(viewer.socket.close() for viewer in viewers))
    return {
        "sites": count,
        "viewers": given.viewers,
        "clicks": len(seconds),
        "minutes": (time.perf_counter() - start) / 60,
        "p95_ms": sorted(seconds)[int(0.95 * len(seconds))] * 1000,
        "memory_mb": memory,
        "growth_mb": memory[-1] - memory[LOOKS // 2],
    }


# ---- the report -----------------------------------------------------------------------------------

HEAD = (
    "sites", "viewers", "clicks", "p50, ms", "p95, ms", "worst, ms", "server CPU per click, ms",
    "kB received per click", "all at once, s", "worst of them, s", "MB each",
)  # fmt: skip
BARS = (
    ("p95_ms", 100.0, "p95, ms", 0),
    ("storm_s", 0.5, "all at once, s", 2),
    ("mb_each", 0.2, "MB each", 2),
)


def table(rows: list[Row]) -> str:
    """Return the measurements as Markdown."""
    digits = {"p50_ms": 0, "p95_ms": 0, "worst_ms": 0, "cpu_ms": 1}
    lines = []
    for row in rows:
        start = [show(row[name]) for name in ("sites", "viewers", "clicks")]
        middle = [show(row[name], places) for name, places in digits.items()]
        end = [show(row[name], 2) for name in ("storm_s", "worst_storm_s", "mb_each")]
        lines.append([*start, *middle, show(row["bytes"] / 1000, 1), *end])
    return markdown_table(HEAD, lines)


def bars(rows: list[Row]) -> str:
    """Return the bars of DESIGN.md §6 beside the worst of the sizes, as Markdown."""
    return markdown_table(("bar", "wanted", "measured", "met"), _bars(rows))


def _bars(rows: list[Row]) -> Iterator[list[str]]:
    for name, most, what, digits in BARS:
        value = max(row[name] for row in rows)
        yield [what, f"≤ {most:g}", show(value, digits), "yes" if value <= most else "**no**"]


def growth_table(rows: list[Row]) -> str:
    """Return the memory at equal steps of the clicks as Markdown."""
    head = (
        "sites",
        "viewers",
        "clicks",
        "minutes",
        "p95, ms",
        "MB at each tenth of the clicks",
        "second half, MB",
    )
    lines = [
        [
            *(show(row[name]) for name in ("sites", "viewers", "clicks", "minutes", "p95_ms")),
            " · ".join(show(value) for value in row["memory_mb"]),
            f"{row['growth_mb']:+.1f}",
        ]
        for row in rows
    ]
    return markdown_table(head, lines)


def main() -> None:
    """Measure, print, and keep the report where asked."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sites", default=",".join(map(str, SIZES)))
    parser.add_argument("--viewers", type=int, default=50)
    parser.add_argument("--think", type=float, default=5, help="seconds between clicks, on average")
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--worth", type=float, help="seconds of clicks to go through for growth")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--readme", action="store_true", help="put the report into README.md")
    given = parser.parse_args()
    grows = given.worth is not None
    length = (
        f"{given.worth:g} s of clicks at {PACE} times the pace"
        if grows
        else f"{given.seconds:g} s long"
    )
    head = f"{about()}; think time {given.think:g} s, {length}"
    look = measure_growth if grows else measure
    rows = []
    with Workspace() as work:
        for count in map(int, given.sites.split(",")):
            log = work.folder / f"viewers-{count}.log"
            with Server(ROOT / "app.py", ROOT, work.env(count), log) as server:
                rows.append(asyncio.run(look(server, count, given)))
            print(json.dumps(rows[-1]), flush=True)
    found = growth_table(rows) if grows else f"{table(rows)}\n\n{bars(rows)}"
    report = f"{head}\n\n{found}\n"
    print(report)
    if given.json:
        given.json.write_text(json.dumps({"about": head, "rows": rows}, indent=1))
    if given.readme:
        write_between_marks("bench_viewers_growth" if grows else "bench_viewers", report)


if __name__ == "__main__":
    main()
