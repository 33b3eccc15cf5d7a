"""Addresses, coarsely: the city, the road and the number. Enough to say that two records mean one door."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from tieout.master_data.standard import regions
from tieout.master_data.standard.text import folded, has_han, plain, says_nothing

_COUNTRY = re.compile(r"^(?:中国|中华人民共和国)(?!.{0,2}路)")
_POSTCODE = re.compile(r"^\d{6}|\(?邮编:?\d{6}\)?")
_ROAD = re.compile(r"[^\W_]{1,12}?(?:大道|大街|公路|国道|路|街|道|巷|胡同|弄|里)")
_ROAD_ITSELF = re.compile(r"[东南西北中一二三四五六七八九十]?(?:大道|大街|公路|路|街|道|巷|弄)(?!道|镇)")
_ZONE = re.compile(
    r"[^\W_]{1,10}?(?:街道|镇|乡|(?:工业|产业|科技|创业|软件|物流)园区?|工业区|开发区|高新区|园区|新区)"
)
_HAMLET = re.compile(r"[^\W_]{1,10}?(?:广场|大厦|大楼|市场|村|庄)")
_NUMBER = re.compile(r"(\d+(?:-\d+)?)(?=号|弄|栋|幢|#|$)|(?<=第)(\d+)(?=栋|幢)")
_STREET = re.compile(r"str(?:\.|asse)?(?=[\s\d]|$)")
_HOUSE = re.compile(r"(?<!\w)(\d+[a-z]?)(?!\w)")


@dataclass(frozen=True, slots=True)
class Address:
    """`key` is city, road and number; `road` city and road; `region` a path. None is what the text does not say."""

    text: str | None
    region: str | None
    road: str | None
    key: str | None


@lru_cache(maxsize=200_000)
def address(text: str | None, city: str | None = None) -> Address:
    """Take an address apart.

    Args:
        text: As printed: with or without province, 市 and postcode.
        city: What another column says; it counts where the text names no city.
    """
    said = plain(text)
    if said is None or says_nothing(said):
        return Address(None, located(city), None, None)
    return _chinese(said, city) if has_han(said) else _foreign(said, city)


@lru_cache(maxsize=65_536)
def located(city: str | None) -> str | None:
    """The region path that the column of a city says: 苏州市 → 江苏/苏州; a foreign city is its name without accents."""
    said = plain(city)
    if said is None or says_nothing(said):
        return None
    if has_han(said):
        region, _ = regions.leading(_COUNTRY.sub("", said.replace(" ", "")))
        return region.path if region else None
    name = re.sub(r"[^\w]+", " ", folded(said) or "").strip()
    return name if name and not name.isdigit() else None


def _chinese(said: str, city: str | None) -> Address:
    tight = said.replace(" ", "").casefold()
    tight = _COUNTRY.sub("", _POSTCODE.sub("", tight))
    region, end = _leading(tight)
    # Some write the province twice, or the city after the province's capital: 上海上海市.
    again, stop = _leading(tight[end:])
    if region and again and regions.compatible(region.path, again.path):
        region, end = (again if len(again.path) > len(region.path) else region), end + stop
    path = region.path if region else None
    said_city = located(city)
    if said_city and (path is None or said_city.startswith(f"{path}/")):
        path = said_city
    rest = tight[end:]
    place = "/".join(path.split("/")[:2]) if path and "/" in path else None
    road, rest = _road(rest)
    if not place or not road:
        return Address(tight, path, None, None)
    number = _NUMBER.search(rest)
    street = f"{place}|{road}"
    return Address(tight, path, street, f"{street}|{number[1] or number[2]}" if number else None)


def _leading(text: str) -> tuple[regions.Region | None, int]:
    """As `regions.leading`, but 南京路 and 香港中路 are roads, wherever they are."""
    region, end = regions.leading(text)
    return (None, 0) if region and _ROAD_ITSELF.match(text, end) else (region, end)


def _road(rest: str) -> tuple[str | None, str]:
    """The road, else the zone, village or building, and what follows it. A zone before the road is left out."""
    zone = None
    while found := _ZONE.match(rest):
        if not _ROAD.match(rest, found.end()) and zone:
            break
        zone, rest = found[0], rest[found.end() :]
    road = _ROAD.match(rest) or _HAMLET.match(rest)
    if road:
        return road[0], rest[road.end() :]
    return zone, rest


def _foreign(said: str, city: str | None) -> Address:
    text = _STREET.sub("strasse", folded(said) or "")
    text = re.sub(r"[^\w\s]+", " ", text)
    text = re.sub(r"\s+", " ", text).strip()
    place = located(city)
    house = _HOUSE.search(text)
    words = " ".join(word for word in text.split() if not house or word != house[1])
    if not place or not words:
        return Address(text, place, None, None)
    return Address(text, place, f"{place}|{words}", f"{place}|{words}|{house[1]}" if house else None)
