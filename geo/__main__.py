"""The same pipeline without a browser: `python -m geo COMMAND`.

Answers are JSON on standard output, messages go to standard error; exit code 0 is success, 2 bad input.
`run`, `setup` and `test` work on a bare Python: only the standard library and `geo.bootstrap` are imported before
a command is chosen.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

from geo import bootstrap

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd
    import shapely

    from geo.category import Categories
    from geo.locate import Candidate
    from geo.read.bulletin import Mention
    from geo.settings import Settings
    from geo.site import SiteRecord
    from geo.store import GeoPackageStore, SiteStore
    from geo.view import SiteFilter

_BAD_INPUT = 2
_LONGEST = 4000
_NO_TEXT = re.compile("[\0\ud800-\udfff]")
"""NUL, which ends a name, and what Python makes of a byte that is not UTF-8."""
_PASSWORD = re.compile(r"(\w:/{0,2}[^\s:@/]*):\S*@")
"""What an address says between user and host: a mistyped command is told, and read by who looks over a shoulder."""
_SECRET = re.compile(r"((?:password|secret|key|token|tk)=)[^\s&;]+", re.IGNORECASE)
_OWN_ARGUMENTS = ("run", "test")
"""Commands that hand words we do not know to Streamlit and pytest."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Parameters
    ----------
    argv
        Words after `python -m geo`; those of this process by default.
    """
    for stream in (sys.stdout, sys.stderr):
        _speak_utf8(stream)
    words = list(sys.argv[1:] if argv is None else argv)
    if words and words[0] in _OWN_ARGUMENTS and words[1:2] not in (["-h"], ["--help"]):
        return _COMMANDS[words[0]](argparse.Namespace(rest=words[1:]))
    for number, word in enumerate(words, start=1):
        if len(word) > _LONGEST or _NO_TEXT.search(word):
            return _refuse(
                f"word {number} is longer than {_LONGEST} characters or holds some that are no text: "
                "write it again, or rename the file (参数过长或有无法识别的字符)"
            )
    chosen = _parser().parse_args(words)
    if chosen.command in ("setup", *_OWN_ARGUMENTS):
        return _COMMANDS[chosen.command](chosen)
    return _run_with_packages(chosen)


def _run_with_packages(chosen: argparse.Namespace) -> int:
    from geo.errors import SiteMapError

    try:
        return _COMMANDS[chosen.command](chosen)
    except SiteMapError as error:
        return _refuse(str(error))
    except BrokenPipeError:
        raise
    except OSError as error:
        name = Path(str(error.filename)).name + ": " if error.filename else ""
        why = error.strerror or type(error).__name__
        return _refuse(f"{name}{why}: check the name, and who may read and write it")
    except ModuleNotFoundError as error:
        if (error.name or "geo").partition(".")[0] == "geo":
            raise
        return _refuse(
            f"the package {error.name} is not installed here: run `python3 -m geo setup` once, "
            "then use .venv's Python (软件包尚未安装)"
        )


def _refuse(message: str) -> int:
    print(f"python -m geo: {_short(message)}", file=sys.stderr)
    return _BAD_INPUT


def _short(message: str) -> str:
    """Return a message as one line that can be read, with no character that steers a terminal."""
    line = "".join(c if c.isprintable() else "\ufffd" for c in " ".join(message.split()))
    line = _SECRET.sub(r"\1***", _PASSWORD.sub(r"\1***@", line))
    return line if len(line) <= _LONGEST else line[: _LONGEST // 2] + " … " + line[-500:]


def _speak_utf8(stream: TextIO) -> None:
    # A Chinese Windows console and a pipe there are GBK, which lacks characters that names and signs have.
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(encoding="utf-8")


# --- the commands ---------------------------------------------------------------------------------


def _run(chosen: argparse.Namespace) -> int:
    bootstrap.ensure_environment(bootstrap.store_extras())
    return bootstrap.run_app(chosen.rest)


def _test(chosen: argparse.Namespace) -> int:
    bootstrap.ensure_environment(bootstrap.test_extras())
    bootstrap.ensure_chromium()
    return bootstrap.run_tests(chosen.rest)


def _setup(chosen: argparse.Namespace) -> int:
    bootstrap.ensure_environment(bootstrap.test_extras())
    bootstrap.ensure_chromium()
    return 0


def _read(chosen: argparse.Namespace) -> int:
    from geo import district
    from geo.read import read_source
    from geo.read.document import DOCUMENTS
    from geo.settings import load_settings

    settings = load_settings()
    categories = district.district_categories(settings)
    if chosen.file.suffix.lower() in DOCUMENTS:
        return _read_prose(chosen, settings, categories)
    report = read_source(chosen.file, categories=categories)
    return _print_json(
        {
            "file": chosen.file.name,
            "rows": report.rows,
            "records": [_said_record(record) for record in report.records],
            "claims": [asdict(claim) for claim in report.claims],
            "problems": [problem.as_dict() for problem in report.problems],
            "ignored_columns": list(report.ignored),
            "skipped_rows": [row.as_dict() for row in report.skipped],
            "asks": list(report.asks),
        }
    )


def _said_record(record: SiteRecord) -> dict[str, object]:
    return asdict(record) | {"geometry": _geometry(record.geometry)}


def _read_prose(chosen: argparse.Namespace, settings: Settings, categories: Categories) -> int:
    """Print what a bulletin says: each mention and figure with its offsets in code points, and the checks."""
    from geo import district, pipeline
    from geo.read.checks import check_figures
    from geo.read.sandbox import read_text

    with _open("", settings) as store:
        names = district.known_names(store.read_sites(), settings)
    raw = read_text(chosen.file)
    bulletin, figures = pipeline.read_prose(
        raw,
        chosen.file.name,
        settings=settings,
        categories=categories,
        names=names,
        as_of=chosen.as_of,
    )
    checks = check_figures([figure.claim for figure in figures], categories=categories)
    mentions = list(bulletin.mentions)
    if chosen.model:
        mentions += _ask_model(raw, mentions, categories)
    return _print_json(
        {
            "file": chosen.file.name,
            "as_of": bulletin.as_of,
            "rows": len(mentions) + len(bulletin.problems),
            "records": [asdict(mention) for mention in mentions],
            "claims": [asdict(one.claim) | {"start": one.start, "end": one.end} for one in figures],
            "checks": [asdict(check) for check in checks],
            "problems": [problem.as_dict() for problem in bulletin.problems],
        }
    )


def _ask_model(raw: str, found: Sequence[Mention], categories: Categories) -> list[Mention]:
    """Return what the model that is set up finds more in a text, which leaves this machine."""
    from geo.pipeline import choice_key
    from geo.read.endpoint import load_model, need_model

    model = need_model(load_model(os.environ))
    print(f"{len(raw)} characters leave this machine for {model.host}", file=sys.stderr)
    known = {choice_key(one.kind, one.name) for one in found}
    said = model.ask(raw, categories)
    return [one for one in said if choice_key(one.kind, one.name) not in known]


def _locate(chosen: argparse.Namespace) -> int:
    from geo import district
    from geo.locate import accept
    from geo.settings import load_settings

    settings = load_settings()
    answers = []
    for name in chosen.name:
        found = district.find_candidates(
            name, city=chosen.city, kind=chosen.kind, settings=settings
        )
        taken = accept(found)
        answers.append(
            {
                "name": name,
                "accepted": None if taken is None or taken.reason else found.index(taken),
                "candidates": [_candidate(candidate) for candidate in found],
            }
        )
    return _print_json(answers)


def _load(chosen: argparse.Namespace) -> int:
    from geo import pipeline
    from geo.settings import load_settings

    settings = load_settings()
    with _open(chosen.store, settings) as store:
        reports = pipeline.load_files(store, chosen.file, who=chosen.who, settings=settings)
    return _print_json([asdict(report) for report in reports])


def _sites(chosen: argparse.Namespace) -> int:
    from geo import district, pipeline
    from geo.export.tables import feature_collection
    from geo.settings import load_settings
    from geo.view import select_sites

    settings = load_settings()
    categories = district.district_categories(settings)
    wanted = _filter(chosen, categories)
    with _open(chosen.store, settings) as store:
        (sites, _), notice = _as_of(store, wanted, categories), store.meta("notice")
    selected = select_sites(sites, wanted, categories)
    if notice is None and selected["fictitious"].any():
        notice = pipeline.DEMO_NOTICE
    return _print_json(feature_collection(selected, notice=notice or ""))


def _filter(chosen: argparse.Namespace, categories: Categories) -> SiteFilter:
    from geo.view import SiteFilter

    names = ("hide", "q", "street", "precision", "until", "located", "as_of", "since")
    params = {name: list(getattr(chosen, name, [])) for name in names}
    if chosen.kind:
        kinds = {categories.read_kind(word) for word in chosen.kind}
        params["hide"] += [key for key in categories.codes if key.partition(".")[0] not in kinds]
    return SiteFilter.from_params(params, categories)


def _as_of(
    store: SiteStore, wanted: SiteFilter, categories: Categories
) -> tuple[gpd.GeoDataFrame, pd.DataFrame | None]:
    """Return the site table as of the filter's day, and what changed since its earlier day, if it names one."""
    from geo.timeline import Timeline

    sites = store.read_sites()
    if wanted.as_of is None and wanted.since is None:
        return sites, None
    timeline = Timeline(sites, store.statement_changes(), categories)
    changes = None
    if wanted.since is not None:
        changes = timeline.changes(wanted.since, wanted.as_of)
    return timeline.at(wanted.as_of), changes


def _export(chosen: argparse.Namespace) -> int:
    from geo import district
    from geo.export import export_selection, write_file
    from geo.settings import load_settings
    from geo.ui.picture import Look, make_picture, render

    settings = load_settings()
    categories = district.district_categories(settings)
    wanted = _filter(chosen, categories)
    with _open(chosen.store, settings) as store:
        sites, changes = _as_of(store, wanted, categories)
    look = Look(
        preset=chosen.preset,
        language=chosen.language,
        title=chosen.title,
        unit=chosen.unit,
        bounds=chosen.bbox,
        labels=chosen.labels,
        public=chosen.public,
    )
    picture = make_picture(sites, wanted, categories, settings, look, changes=changes)
    if chosen.format == "html":
        rendered = render(picture, "html", settings)
        [page] = rendered.files.values()
        report = replace(rendered.report, files=(write_file(chosen.out, page),))
    else:
        report = export_selection(picture, chosen.format, chosen.out, series=chosen.series)
    return _print_json(
        {
            "files": [str(path) for path in report.files],
            "on_map": list(report.on_map),
            "missing": list(report.missing),
            "findings": [asdict(finding) for finding in report.findings],
        }
    )


def _bulk(chosen: argparse.Namespace) -> int:
    from geo.bulk import run_bulk
    from geo.settings import load_settings
    from geo.store import is_database

    settings = load_settings()
    with _open(chosen.to if is_database(chosen.to) else "", settings) as store:
        corrections = store.corrections()
    report = run_bulk(
        chosen.source,
        chosen.to,
        settings=settings,
        corrections=corrections,
        work=chosen.work,
        workers=chosen.workers,
        scheduler=chosen.scheduler,
        partition_rows=chosen.partition_rows,
        restart=chosen.restart,
        who=chosen.who,
        tell=lambda line: print(line, file=sys.stderr),
    )
    return _print_json(asdict(report))


def _datum(chosen: argparse.Namespace) -> int:
    from geo.locate.datum import convert, offset_m, parse_datum, to_wgs84

    source, target = parse_datum(chosen.source), parse_datum(chosen.target)
    x, y = convert(chosen.x, chosen.y, source, target)
    said: dict[str, object] = {"x": x, "y": y, "datum": target, "from": source}
    if not source.startswith("epsg:"):
        lon, lat = to_wgs84(chosen.x, chosen.y, source)
        said["off_if_read_as_wgs84_m"] = round(offset_m(lon, lat, source), 1)
    return _print_json(said)


def _gazetteer(chosen: argparse.Namespace) -> int:
    from geo import district
    from geo.settings import load_settings

    return _print_json(
        district.build_places(
            chosen.file,
            load_settings(),
            bbox=chosen.bbox,
            datum=chosen.datum,
            progress=lambda stage, share: print(f"{stage} {share:.0%}", file=sys.stderr),
        )
    )


def _geocode(chosen: argparse.Namespace) -> int:
    from geo import placing
    from geo.settings import load_settings

    settings = load_settings()
    with _open(chosen.store, settings) as store:
        report = placing.geocode_waiting(store, settings, who=settings.who)
    return _print_json(asdict(report))


def _backup(chosen: argparse.Namespace) -> int:
    from geo.settings import load_settings
    from geo.store.backups import keep_backup, list_backups

    with _open(chosen.store, load_settings()) as store:
        if chosen.out:
            return _print_json({"backup": str(store.backup(chosen.out))})
        file_store = _file_store(store)
        if chosen.list:
            return _print_json(
                [
                    {"backup": str(one.path), "at": one.at.isoformat(), "why": one.why}
                    for one in list_backups(file_store.path)
                ]
            )
        made = keep_backup(file_store)
    return _print_json({"backup": str(made.path) if made else None})


def _restore(chosen: argparse.Namespace) -> int:
    from geo.errors import StoreError
    from geo.settings import load_settings
    from geo.store import file_of
    from geo.store.backups import backup_folder, list_backups, store_of
    from geo.store.restore import restore_backup

    settings = load_settings()
    # Not opened: it may be damaged.
    target = file_of(chosen.store or settings.store)
    backup = Path(chosen.backup)
    if chosen.backup == "latest":
        kept = list_backups(target)
        if not kept:
            raise StoreError("there is no backup beside the store: name a file")
        backup = kept[0].path
    elif not backup.exists() and backup.name == chosen.backup:
        backup = backup_folder(target) / backup.name
    made_of = store_of(backup.absolute())
    if not chosen.store and made_of and made_of.parent == target.parent:
        target = made_of  # the demo set lies beside the store, and its messages name its own copies
    aside = restore_backup(backup, target, who=settings.who)
    return _print_json(
        {
            "restored": str(backup),
            "store": str(target),
            "before": str(aside.path) if aside else None,
        }
    )


def _file_store(store: SiteStore) -> GeoPackageStore:
    from geo.errors import StoreError
    from geo.store import GeoPackageStore

    if not isinstance(store, GeoPackageStore):
        raise StoreError("this store is a database: name a file by --out, or back up the database")
    return store


def _copy(chosen: argparse.Namespace) -> int:
    from geo.store import open_store

    def tell(table: str, done: int, total: int) -> None:
        print(f"{table} {done}/{total}", file=sys.stderr)

    with open_store(chosen.source) as source, open_store(chosen.target) as target:
        return _print_json({"copied": source.copy_to(target, progress=tell)})


def _member(chosen: argparse.Namespace) -> int:
    from geo.access import Role, clean_name, refuse_lockout
    from geo.settings import load_settings

    settings, name, role = load_settings(), clean_name(chosen.name), Role(chosen.role)
    with _open(chosen.store, settings) as store:
        # Whoever can open the file is an administrator: nobody here can lock themselves out.
        refuse_lockout(store.members(), settings.admins, who="", name=name, role=role)
        store.set_member(name, role, who=settings.who)
        members = store.members()
    fixed = dict.fromkeys(settings.admins, Role.ADMIN.value)
    return _print_json({one: role.value for one, role in members.items()} | fixed)


def _audit(chosen: argparse.Namespace) -> int:
    from geo.settings import load_settings

    with _open(chosen.store, load_settings()) as store:
        entries = store.audit(chosen.limit)
    return _print_json([asdict(one) for one in entries if not (chosen.refused and one.allowed)])


def _open(url: str, settings: Settings) -> SiteStore:
    """Return the store of a URL as it is, or the installation's own, filled on its first start."""
    from geo import pipeline
    from geo.store import open_store

    return open_store(url) if url else pipeline.prepare_store(settings)


_COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "run": _run,
    "test": _test,
    "setup": _setup,
    "read": _read,
    "locate": _locate,
    "load": _load,
    "sites": _sites,
    "export": _export,
    "gazetteer": _gazetteer,
    "geocode": _geocode,
    "datum": _datum,
    "backup": _backup,
    "restore": _restore,
    "copy": _copy,
    "member": _member,
    "audit": _audit,
    "bulk": _bulk,
}


# --- answers --------------------------------------------------------------------------------------


def _print_json(value: object) -> int:
    # Written out before the first byte is printed: an answer is whole or not there.
    print(json.dumps(_plain(value), ensure_ascii=False, allow_nan=False, indent=1))
    return 0


def _plain(value: Any) -> Any:
    """Return a value as JSON knows it: dates as text, what is not a number as null."""
    if isinstance(value, dict):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value.isoformat() if isinstance(value, date) else value


def _candidate(candidate: Candidate) -> dict[str, object]:
    lon, lat = candidate.lon_lat or (None, None)
    return {
        "name": candidate.name,
        "score": candidate.score,
        "method": candidate.method,
        "source": candidate.source,
        "precision": candidate.precision,
        "uncertainty_m": candidate.uncertainty_m,
        "lon": lon,
        "lat": lat,
        "geometry": _geometry(candidate.geometry),
        "reason": str(candidate.reason),
        "note": candidate.note,
    }


def _geometry(shape: shapely.Geometry | None) -> object:
    from shapely import to_geojson

    return None if shape is None else json.loads(to_geojson(shape))


# --- words on the command line --------------------------------------------------------------------


class _Parser(argparse.ArgumentParser):
    """A parser whose complaint is one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(_BAD_INPUT, f"{self.prog}: {_short(message)}; see --help\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m geo",
        description="Baita One Map without a browser (白塔一张图命令行). Answers are JSON.",
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, about: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=about, description=about, allow_abbrev=False)

    run = command("run", "start the map in the browser; other words go to streamlit (启动地图)")
    test = command("test", "run the tests; other words go to pytest (运行测试)")
    for own in (run, test):
        own.add_argument("rest", nargs=argparse.REMAINDER, metavar="...")
    command("setup", "make the environment and find a browser, start nothing (只准备环境)")
    _add_read(command("read", "show what a file says: records, claims, problems (读取文件)"))
    _add_locate(command("locate", "show the places a name may mean (查找地名)"))
    _add_load(command("load", "read files, locate their sites, keep them (读取、定位并入库)"))
    _add_sites(command("sites", "show sites as GeoJSON (列出点位)"))
    _add_export(command("export", "make a picture, slides or a table (出图、导出)"))
    _add_gazetteer(
        command("gazetteer", "make roads, places and a basemap of OSM or GIS data (地名库)")
    )
    _add_store(command("geocode", "ask the online geocoder for what waits (在线查找未定位)"))
    _add_datum(command("datum", "convert one coordinate (坐标转换)"))
    _add_backup(command("backup", "copy the store while it is in use (备份)"))
    _add_restore(command("restore", "bring a backup back (恢复备份)"))
    _add_copy(command("copy", "copy a whole store to an empty one, file or PostGIS (迁移)"))
    _add_member(command("member", "give a person a role, show who has which (人员角色)"))
    _add_audit(command("audit", "show who asked for what, newest first (操作记录)"))
    _add_bulk(command("bulk", "read and locate a register of millions of rows (整库批量)"))
    return parser


def _add_bulk(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source", metavar="SOURCE", help="CSV (.gz), Parquet, postgresql://…?table="
    )
    parser.add_argument(
        "--to", required=True, metavar="TARGET", help="a folder, or a PostGIS store"
    )
    parser.add_argument("--work", type=Path, metavar="FOLDER", help="working folder, for a store")
    parser.add_argument(
        "--workers", type=int, default=1, metavar="N", help="processes here; 0 is this one alone"
    )
    parser.add_argument("--scheduler", default="", metavar="URL", help="of dask, tcp://host:8786")
    parser.add_argument("--partition-rows", type=int, default=50_000, metavar="N")
    parser.add_argument("--restart", action="store_true", help="forget an earlier run (重新开始)")
    parser.add_argument("--who", default="", help="whose name the changes carry")


def _add_read(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument(
        "--as-of",
        type=date.fromisoformat,
        metavar="DATE",
        help="the day a bulletin speaks of, where it does not say the year",
    )
    parser.add_argument(
        "--model",
        action="store_true",
        help="ask the language model of BAITA_MODEL_URL too: the text leaves this machine (问大模型)",
    )


def _add_gazetteer(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("build",))
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument(
        "--bbox", type=_bounds, metavar="W,S,E,N", help="degrees WGS84; the district by default"
    )
    parser.add_argument("--datum", default="", help="of a layer that does not say it")


def _add_locate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="+", metavar="NAME")
    parser.add_argument("--city", default="", help="where to look; the district by default")
    parser.add_argument(
        "--kind", default="", help="kind of site: enterprise, project, parking (企业 ...)"
    )


def _add_load(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--who", default="", help="whose name the changes carry")
    _add_store(parser)


def _add_export(parser: argparse.ArgumentParser) -> None:
    _add_sites(parser)
    forms = ("png", "pdf", "svg", "pptx", "xlsx", "csv", "gpkg", "geojson", "html")
    presets = ("16:9-1080", "16:9-720", "16:9-4k", "a4", "a3")
    parser.add_argument("--format", required=True, choices=forms)
    parser.add_argument("--preset", default=presets[0], choices=presets)
    parser.add_argument("--out", type=Path, required=True, metavar="PATH")
    parser.add_argument(
        "--series", default="", choices=("", "status", "street"), help="a page each (图集)"
    )
    parser.add_argument(
        "--since",
        action="append",
        default=[],
        metavar="DATE",
        help="mark what changed since this day (较上期)",
    )
    parser.add_argument(
        "--labels", default="auto", choices=("auto", "names", "numbers", "none"), help="标注"
    )
    parser.add_argument(
        "--public",
        action="store_true",
        help="for publication: needs a basemap with a review number (BAITA_PUBLIC_MAP)",
    )
    parser.add_argument("--title", default="", help="instead of the one made from the filter")
    parser.add_argument("--unit", default="", help="who made it (制图单位)")
    parser.add_argument("--language", default="zh", choices=("zh", "en"))
    parser.add_argument(
        "--bbox",
        type=_bounds,
        metavar="W,S,E,N",
        help="what to show, degrees WGS84; all selected sites by default",
    )


def _bounds(text: str) -> tuple[float, float, float, float]:
    west, south, east, north = (float(part) for part in text.split(","))
    if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
        raise ValueError(text)
    return west, south, east, north


def _add_sites(parser: argparse.ArgumentParser) -> None:
    _add_store(parser)
    several: dict[str, Any] = {"action": "append", "default": []}
    parser.add_argument(
        "--kind", **several, metavar="KIND", help="keep this kind; may be given again"
    )
    parser.add_argument(
        "--hide",
        **several,
        metavar="KIND.STATUS",
        help="leave this category out; may be given again",
    )
    parser.add_argument(
        "--q", **several, metavar="TEXT", help="words in the name, place, street or note"
    )
    parser.add_argument(
        "--street", **several, metavar="NAME", help='keep this subdistrict; "-" is none stated'
    )
    parser.add_argument(
        "--precision", **several, metavar="CLASS", help="keep this precision; may be given again"
    )
    parser.add_argument(
        "--until",
        **several,
        metavar="DATE",
        help="leave out what is dated after this day, 2020-03-11",
    )
    parser.add_argument(
        "--as-of", **several, metavar="DATE", help="as it was stated by this day (截至)"
    )
    parser.add_argument(
        "--located", **several, choices=("yes", "no"), help="on the map, or in the tray"
    )


def _add_datum(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("x", type=float, metavar="X", help="longitude or easting")
    parser.add_argument("y", type=float, metavar="Y", help="latitude or northing")
    parser.add_argument("--from", dest="source", required=True, metavar="DATUM")
    parser.add_argument("--to", dest="target", required=True, metavar="DATUM")


def _add_backup(parser: argparse.ArgumentParser) -> None:
    _add_store(parser)
    parser.add_argument(
        "--out", type=Path, metavar="PATH", help="a new file; the folder backups/ by default"
    )
    parser.add_argument("--list", action="store_true", help="show the backups, newest first")


def _add_restore(parser: argparse.ArgumentParser) -> None:
    _add_store(parser)
    parser.add_argument(
        "backup",
        metavar="FILE",
        help="a backup's file or its name in backups/, or `latest`",
    )


def _add_copy(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--from", dest="source", required=True, metavar="URL")
    parser.add_argument("--to", dest="target", required=True, metavar="URL", help="an empty store")


def _add_member(parser: argparse.ArgumentParser) -> None:
    _add_store(parser)
    parser.add_argument("name", metavar="NAME", help="as they sign in: a name or an e-mail address")
    parser.add_argument("--role", required=True, choices=("viewer", "editor", "admin", "none"))


def _add_audit(parser: argparse.ArgumentParser) -> None:
    _add_store(parser)
    parser.add_argument("--limit", type=int, default=200, metavar="N", help="lines to look at")
    parser.add_argument("--refused", action="store_true", help="only what was refused")


def _add_store(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--store",
        default="",
        metavar="URL",
        help="which store; the installation's own by default (BAITA_STORE)",
    )


if __name__ == "__main__":
    raise SystemExit(main())
