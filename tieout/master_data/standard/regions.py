"""Provinces, cities and counties of China, and what a text that begins with one names.

A region is written as a path of short names from the top: 江苏/苏州/昆山. Two regions may be the same place if one path
begins the other. A district (区) counts only below a city that the text names, since 朝阳区 is in several cities; a
county or county-level city counts alone only where its name is unmistakable.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

_DIVISIONS = Path(__file__).with_name("divisions.csv")
_PEOPLES = (
    "藏族|羌族|彝族|白族|傣族|景颇族|傈僳族|壮族|苗族|侗族|哈尼族|布依族|土家族|回族|蒙古族|蒙古|朝鲜族|哈萨克族|哈萨克|柯尔克孜|黎族|瑶族|满族|畲族|"
    "仡佬族|水族|拉祜族|佤族|布朗族|纳西族|普米族|独龙族|怒族|土族|撒拉族|东乡族|保安族|裕固族|塔吉克|锡伯|达斡尔族|鄂温克族|鄂伦春|仫佬族|毛南族|维吾尔|各族"
)
_ENDING = re.compile(rf"(?:(?:{_PEOPLES})*自治[区州县旗]|特别行政区|新区|林区|地区|[省市区县旗盟])$")
# County-level cities whose name alone is as likely a brand or a word; with 市 behind it the city is meant.
_BRANDS = (
    "东方 永安 永康 瑞安 天长 明光 德兴 泰兴 兴化 新民 新乐 安国 高平 宁安 万宁 文昌 福安 瑞金 乐平 恩平 同江 凤城 大安 和龙 双辽 五常 长葛 "
    "开平 台山 兴平 华阴 宁国 永城 武安 安达 海城 兴城 东港 金昌 仁怀 清镇 福泉 兴义 光明 龙泉 青铜峡 北安 北票 长乐 太仓 安宁 香格里拉 东兴 合作 "
    "铁力 图们 都匀 共青城 贵溪 平湖 靖西 个旧"
)
_WORDS = frozenset(_BRANDS.split())
_EXPLICIT = "省市区县旗盟州"


@dataclass(frozen=True, slots=True)
class Region:
    """Short names; empty where the text says nothing. `counties` below a municipality have its name twice: 上海/上海/浦东."""

    province: str
    city: str = ""
    county: str = ""

    @property
    def path(self) -> str:
        return "/".join(part for part in (self.province, self.city, self.county) if part)


def compatible(one: str | None, other: str | None) -> bool:
    """May two paths be the same place? Unknown (None or empty) is compatible with all."""
    return not one or not other or f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")


def leading(text: str) -> tuple[Region | None, int]:
    """The region a text begins with, as far down as it says, and how many characters say it.

    `text` is simplified Chinese without spaces. Returns (None, 0) if it begins with no known region.
    """
    province = _match(text, 0, _tables().provinces)
    city = _match(text, 0, _tables().cities)
    # 吉林市 is the city of that province.
    if province and not (city and city[1] > province[1]):
        name, end = province
        city = (
            _match(text, end, _tables().cities_of[name]) if name not in _tables().municipal else (name, end)
        )
        if city:
            return _below_city(text, Region(name, city[0]), city[1])
        county = _match(text, end, _tables().counties_of_province[name])
        if county:
            path, stop = county
            return Region(name, *path), stop
        return Region(name), end
    if city:
        (above, name), end = city
        return _below_city(text, Region(above, name), end)
    county = _match(text, 0, _tables().counties)
    if county:
        path, stop = county
        return Region(*path), stop
    return None, 0


@lru_cache(maxsize=65536)
def whole(text: str) -> Region | None:
    """The region that the whole text names, nothing left over; else None."""
    region, end = leading(text)
    return region if region and end == len(text) else None


def short(name: str) -> str:
    """苏州市 → 苏州, 大理白族自治州 → 大理; a name that would keep fewer than two characters stays."""
    if name.startswith("内蒙古"):
        return "内蒙古"
    cut = _ENDING.sub("", name)
    return cut if len(cut) >= 2 else name


def _below_city(text: str, region: Region, end: int) -> tuple[Region, int]:
    county = _match(text, end, _tables().counties_of_city[region.province, region.city])
    if county:
        return Region(region.province, region.city, county[0]), county[1]
    return region, end


def _match(text: str, start: int, table: _Table):
    """The longest name of `table` at `start`: (what it stands for, where it ends), or None.

    A short name followed by 区 or 县 is the beginning of another name (朝阳 of 朝阳区): not matched.
    """
    for length in range(min(table.longest, len(text) - start), 1, -1):
        name = text[start : start + length]
        if name in table.names:
            after = text[start + length : start + length + 1]
            if (
                after
                and after in "区县"
                and name[-1] not in _EXPLICIT
                and not text.startswith("区块", start + length)
            ):
                continue
            return table.names[name], start + length
    return None


class _Table:
    def __init__(self, names: dict) -> None:
        self.names = names
        self.longest = max(map(len, names), default=0)


@dataclass(frozen=True, slots=True)
class _Tables:
    provinces: _Table
    municipal: frozenset[str]
    cities: _Table
    cities_of: dict[str, _Table]
    counties: _Table
    counties_of_city: dict[tuple[str, str], _Table]
    counties_of_province: dict[str, _Table]


@lru_cache(maxsize=1)
def _tables() -> _Tables:
    provinces: dict[str, str] = {}
    cities: dict[str, tuple[str, str]] = {}
    cities_of: dict[str, dict[str, str]] = {}
    of_city: dict[tuple[str, str], dict[str, str]] = {}
    of_province: dict[str, dict[str, tuple[str, str]]] = {}
    alone: dict[str, list[tuple[str, str, str]]] = {}
    municipal = set()
    for line in _DIVISIONS.read_text(encoding="utf-8").splitlines():
        if line.startswith(("#", "province,")):
            continue
        above, city, counties = line.split(",")
        top, name = short(above), short(city)
        provinces |= {above: top, top: top}
        if above == city:
            municipal.add(top)
        below = of_city.setdefault((top, name), {})
        cities_of.setdefault(top, {}).update({city: name, name: name})
        if above != city:
            cities[city] = (top, name)
            # 海南 is the province, not the prefecture in 青海.
            cities.setdefault(name, (top, name))
        for county in counties.split():
            little = short(county)
            below.setdefault(county, little)
            below.setdefault(little, little)
            inside = of_province.setdefault(top, {})
            inside.setdefault(county, (name, little))
            if not county.endswith("区"):
                inside.setdefault(little, (name, little))
                alone.setdefault(county, []).append((top, name, little))
                if county.endswith("市") and little not in _WORDS:
                    alone.setdefault(little, []).append((top, name, little))
    return _Tables(
        _Table(provinces),
        frozenset(municipal),
        _Table({name: path for name, path in cities.items() if name not in provinces and name not in _WORDS}),
        {top: _Table(names) for top, names in cities_of.items()},
        _Table({name: paths[0] for name, paths in alone.items() if len(paths) == 1}),
        {path: _Table(names) for path, names in of_city.items()},
        {top: _Table(of_province.get(top, {})) for top in cities_of},
    )
