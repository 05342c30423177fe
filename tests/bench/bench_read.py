"""Print what reading a long table takes, beside pandas on the same files.

    python -m tests.bench.bench_read [rows]

Each method runs once in a fresh process: wall seconds without the interpreter's start, and the peak of
its resident memory; for ours that of the page's process and that of the child which parses the file.
Ours ends with checked site records; `cells only` stops at text cells, which is what pandas gives.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import xlsxwriter

from tests.bench._harness import ROOT, about, markdown_table, show

HEAD = "编号 企业名称 状态 截至日期 地址 所属街道 经度 纬度 坐标系 备注 联系人 联系电话".split()
WORDS = ("已复工", "停工", "部分复工", "未开工", "")
OURS = "from geo.read import read_source, open_source\nfrom geo.site import make_sites\n"
METHODS = {
    "ours, records": (OURS, "rows = read_source(path, sandboxed=True).rows"),
    "ours, cells only": (
        OURS,
        "rows = len(open_source(path, sandboxed=True).grids[0].rows) - 1",
    ),
    "pandas, calamine": (
        "import pandas",
        "rows = len(pandas.read_excel(path, engine='calamine', dtype=str))",
    ),
    "pandas, openpyxl": (
        "import pandas",
        "rows = len(pandas.read_excel(path, engine='openpyxl', dtype=str))",
    ),
    "pandas.read_csv": ("import pandas", "rows = len(pandas.read_csv(path, dtype=str))"),
}
MEASURE = """
import json, resource, sys, time
path = sys.argv[1]
{start}
before = time.perf_counter()
{work}
seconds = time.perf_counter() - before
peaks = [resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
print(json.dumps([rows, seconds, *peaks]))
"""


def _rows(count: int) -> list[list[str | float]]:
    return [
        [
            f"{n:06d}",
            f"示范单位{n:06d}有限公司",
            WORDS[n % len(WORDS)],
            f"2020-03-{n % 28 + 1:02d}",
            f"第{n % 40:02d}社区建设大街{n % 1999}号",
            f"第{n % 9 + 1}街道",
            round(123.1 + n % 997 / 1e4, 6),
            round(41.2 + n % 991 / 1e4, 6),
            "wgs84",
            "" if n % 7 else "电话核实，周三复查",
            f"联系人{n % 300}",
            f"0419-{2_000_000 + n}",
        ]
        for n in range(count)
    ]


def _write_files(folder: Path, count: int) -> tuple[Path, Path]:
    """Write the same rows as a workbook and as text, and return both paths."""
    rows = [HEAD, *_rows(count)]
    book = xlsxwriter.Workbook(folder / "long.xlsx", {"constant_memory": True})
    sheet = book.add_worksheet("台账")
    for number, row in enumerate(rows):
        sheet.write_row(number, 0, row)
    book.close()
    text = "\n".join(",".join(map(str, row)) for row in rows)
    (folder / "long.csv").write_text(text, encoding="utf-8")
    return folder / "long.xlsx", folder / "long.csv"


def _measure(name: str, path: Path) -> list[float]:
    start, work = METHODS[name]
    code = MEASURE.format(start=start, work=work)
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def main(count: int = 100_000) -> None:
    """Print the table."""
    print(about())
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        book, text = _write_files(Path(folder), count)
        plan = [(book, name) for name in list(METHODS)[:4]]
        plan += [(text, name) for name in (*list(METHODS)[:2], "pandas.read_csv")]
        for path, name in plan:
            rows, seconds, own_mb, child_mb = _measure(name, path)
            assert rows == count, (name, rows)
            child = show(child_mb) if name.startswith("ours") else "–"
            size = f"{path.suffix[1:].upper()}, {path.stat().st_size / 1e6:.1f} MB"
            lines.append([f"{size}: {name}", show(seconds, 2), show(own_mb), child])
    print(markdown_table(["file: method", "seconds", "peak MB", "peak MB of the child"], lines))


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:2]))
