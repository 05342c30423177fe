"""How a table is laid out: which row names the columns, and what each column holds."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from geo.category import Categories, fold
from geo.errors import SchemaError

COLUMN_WORDS = {
    "site_id": "site_id id 编号 唯一编号 点位编号",
    "kind": "kind type 类型 类别 种类",
    "name": "name 名称 名字 点位名称",
    "status": (
        "status stage 状态 阶段 状态/阶段 复工状态 复工情况 项目阶段 整治状态 进展 是否复工 复工复产情况 "
        "目前状态 当前状态 建设阶段 建设状态 营业状态 开工情况 整治情况"
    ),
    "as_of": "as_of date 日期 截至 截至日期 截止日期 数据日期 更新日期 统计日期 统计时间 更新时间",
    "place": "place address location 地点 地址 地点/地址 位置 详细地址 所在地 建设地点 项目地点 企业地址",
    "street": "street subdistrict 街道 所属街道 街道办 街道办事处 所在街道 乡镇街道 镇街 所属镇街",
    "source_file": "source_file 来源 来源文件 资料来源",
    "source_where": "source_where 出处 来源位置",
    "source_quote": "source_quote 原文 引文",
    "x": "x lon lng longitude easting 经度 东坐标",
    "y": "y lat latitude northing 纬度 北坐标",
    "xy": "xy lonlat lnglat latlon latlng coordinates 坐标 经纬度 坐标(经,纬) 经纬度坐标",
    "datum": "datum crs 坐标系 坐标系统",
    "precision": "precision 精度 精度等级",
    "uncertainty_m": "uncertainty_m 误差 误差(米) 误差米",
    "path": "path 路径 折线",
    "note": "note remark 备注 说明",
    "fictitious": "fictitious 虚构",
}
# 序号 is not a site_id: it changes when the table is sorted. X坐标 is left out on purpose: it is the
# north in a surveyor's table and the east in everybody else's.
FIELDS = tuple(COLUMN_WORDS)
"""What a column may hold. `xy` is both coordinates in one cell, in either order."""
_NAME_ENDINGS = ("名称", "name")


@dataclass(frozen=True, slots=True)
class Layout:
    """How one sheet or layer is to be read; a person may change every part of it.

    Attributes
    ----------
    sheet
        Name of the sheet or layer; "" in a text table.
    header_rows
        Numbers of the one or two rows that name the columns; none if no row does.
    columns
        What is in which column, counted from 0: a field of `FIELDS`. Others are left out.
    kind
        Kind of all rows that do not say theirs, "" if each says its own.
    datum
        Datum or CRS of all rows that do not say theirs: any word `geo.locate.datum` knows. For a
        layer it stands over what the file says.
    as_of
        Date of all rows that have none.
    status_words
        Words of the status column that the categories do not know, and the status code each means.
    repair
        Whether invalid areas of a GIS file are to be made valid.
    fingerprint
        Of the headings: two tables with the same ones can share a layout.
    """

    sheet: str = ""
    header_rows: tuple[int, ...] = ()
    columns: Mapping[int, str] = field(default_factory=dict)
    kind: str = ""
    datum: str = ""
    as_of: date | None = None
    status_words: Mapping[str, str] = field(default_factory=dict)
    repair: bool = False
    fingerprint: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the layout as JSON knows it."""
        return {
            "sheet": self.sheet,
            "header_rows": list(self.header_rows),
            "columns": {str(column): name for column, name in self.columns.items()},
            "kind": self.kind,
            "datum": self.datum,
            "as_of": self.as_of.isoformat() if self.as_of else "",
            "status_words": dict(self.status_words),
            "repair": self.repair,
            "fingerprint": self.fingerprint,
        }

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Layout:
        """Return the layout that `to_json` wrote.

        Raises
        ------
        SchemaError
            If it is not one, or was edited into something that is not one.
        """
        try:
            as_of = raw.get("as_of") or ""
            layout = cls(
                sheet=str(raw.get("sheet", "")),
                header_rows=tuple(int(number) for number in raw.get("header_rows", ())),
                columns={int(c): str(name) for c, name in dict(raw.get("columns", {})).items()},
                kind=str(raw.get("kind", "")),
                datum=str(raw.get("datum", "")),
                as_of=date.fromisoformat(as_of) if as_of else None,
                status_words={str(k): str(v) for k, v in dict(raw.get("status_words", {})).items()},
                repair=bool(raw.get("repair", False)),
                fingerprint=str(raw.get("fingerprint", "")),
            )
        except (AttributeError, TypeError, ValueError, OverflowError) as error:
            raise SchemaError("not a layout", [str(error)]) from error
        faults = [
            f"{name} is not a field" for name in layout.columns.values() if name not in FIELDS
        ]
        faults += ["a column is negative" for column in layout.columns if column < 0]
        if faults:
            raise SchemaError("not a layout", faults)
        return layout

    def adapt(self, found: Layout) -> Layout:
        """Return this remembered layout for another table with the same headings.

        What belongs to that table alone comes from `found`, the layout guessed for it: its sheet,
        where its header stands, and the date of its rows.
        """
        return replace(self, sheet=found.sheet, header_rows=found.header_rows, as_of=found.as_of)


def fingerprint_of(headings: Iterable[str]) -> str:
    """Return a short text that is the same for the same headings in the same order."""
    folded = "\0".join(fold(heading) for heading in headings)
    return hashlib.blake2b(folded.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def known_headings(categories: Categories) -> dict[str, str]:
    """Return the field each known heading names, folded; 企业名称 gives "name:enterprise"."""
    words = {fold(word): name for name, text in COLUMN_WORDS.items() for word in text.split()}
    for kind in categories:
        for word in (kind.code, *kind.label.values(), *kind.synonyms):
            words |= {fold(word + ending): f"name:{kind.code}" for ending in _NAME_ENDINGS}
    return words
