"""How well the matcher of master data finds what is the same, on beds whose answer is known.

    .venv/bin/python benchmarks/matching.py [--company FOLDER] [--splink] [--records 1000000]

Beds. (1) 华辰精工: the invented company's own stores, read with sqlite3 and openpyxl where they lie, never by way of the
platform; who is who is in `answers/identities.csv`. Without `--company` it is built at scale 1 in a temporary folder
(a folder of scale 10 is what the figures of README are from). Records that no store describes (Jira knows customers by
number only) are counted, not matched. Once with all columns, once with the names, city and address alone.
(2) Invented parties: four systems, sister companies behind one switchboard, groups, branches, homophones, one name in
several cities, placeholders, typing errors; names and habits are not those of the sample company. `--records` sets how many.
(3) Labelled public pairs below TIEOUT_DATA (../shared/data if not set), read where they lie, never copied: Chinese company
names as a closed world (what is not labelled the same, also by way of others, is different) and the 25 hard pairs; DBLP-ACM
and Abt-Buy with a table trained without labels on the bed itself, and greedy one-to-one from the surest edge down, since
neither list holds anything twice.

Figures. Pairwise precision, recall and F1 of the clusters that come out of `cluster` at the `auto` threshold of the rules;
precision of the edges above it; how many edges are left to a steward and how many of these are true. CPU seconds (user +
system) of standardising, edges, clustering. `--splink`: Splink 5, unsupervised, on the same standardised columns and blocks
of much the same reach, at the threshold that suits it best; and its pairs added to those of the rules.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import io
import logging
import os
import random
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from tieout.master_data.cluster import cluster
from tieout.master_data.match import edges, standardised, trained
from tieout.master_data.rules import Rules, read_rules, rules_from
from tieout.master_data.standard.credit_code import ALPHABET, check_character
from tieout.master_data.types import Edge

PROJECT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("TIEOUT_DATA") or PROJECT.parent / "shared" / "data") / "matching_benchmarks"

PARTY = ("code", "name", "short_name", "credit_code", "country_code", "city", "address", "phone", "contact")
COLUMNS = {
    "customer": PARTY,
    "supplier": PARTY,
    "product": ("code", "old_code", "name", "specification", "uom_text", "kind"),
    "employee": ("employee_no", "name", "mobile", "email", "hired_on"),
}
BARE = {"customer": ("credit_code", "phone", "contact"), "supplier": ("credit_code", "phone", "contact")}
Row = tuple[str, str, dict[str, Any]]  # system, key, values


@dataclass(frozen=True)
class Bed:
    """Records of one entity and who each truly is; `unread` records of the answer are described nowhere."""

    records: pa.Table
    truth: dict[str, str]
    unread: int = 0

    def without(self, names: Iterable[str]) -> Bed:
        """The same records with these columns empty."""
        left = self.records.drop_columns([name for name in names if name in self.records.column_names])
        return Bed(left, self.truth, self.unread)


@dataclass(frozen=True)
class Outcome:
    """What came out: quality of clusters and of auto edges, edges for review and how many of them are true, CPU seconds."""

    precision: float
    recall: float
    f1: float
    auto: float
    review: int
    review_true: int
    largest: int
    seconds: tuple[float, float, float]
    edges: list[Edge]
    clusters: list[frozenset[str]]


def rules_of(entity: str) -> Rules:
    """The rules that are shipped."""
    return read_rules(PROJECT / "dbt_project" / "master_data" / f"{entity}.yaml")


def quality(clusters: Iterable[Iterable[str]], truth: dict[str, str]) -> tuple[float, float, float]:
    """Pairwise precision, recall and F1 of clusters of the keys of `truth`."""
    found = right = 0
    for members in clusters:
        counts = Counter(truth[record] for record in members)
        found += _pairs(sum(counts.values()))
        right += sum(_pairs(count) for count in counts.values())
    true = sum(_pairs(count) for count in Counter(truth.values()).values())
    precision, recall = right / found if found else 1.0, right / true if true else 1.0
    return precision, recall, 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _pairs(count: int) -> int:
    return count * (count - 1) // 2


def measured(bed: Bed, rules: Rules) -> Outcome:
    """Match a bed with rules."""
    began = time.process_time()
    std = standardised(bed.records, rules)
    standard = time.process_time()
    found = edges(std, rules)
    compared = time.process_time()
    clusters = clustered(bed, std, found, rules)
    done = time.process_time()
    truth = bed.truth
    auto = [edge for edge in found if edge.score >= rules.auto]
    review = [edge for edge in found if edge.score < rules.auto]
    return Outcome(
        *quality(clusters, truth),
        sum(truth[edge.a] == truth[edge.b] for edge in auto) / max(1, len(auto)),
        len(review),
        sum(truth[edge.a] == truth[edge.b] for edge in review),
        max(map(len, clusters), default=0),
        (standard - began, compared - standard, done - compared),
        found,
        clusters,
    )


def clustered(bed: Bed, std: pa.Table, found: Sequence[Edge], rules: Rules) -> list[frozenset[str]]:
    """Clusters as the engine makes them, without decisions."""
    columns = (std.column(name).to_pylist() for name in ("record_id", "exclusive", "source_system"))
    exclusive, distinct = {}, {}
    for record, code, system in zip(*columns, strict=True):
        if code:
            exclusive[record] = code
        if system in rules.no_duplicates_within:
            distinct[record] = system
    return cluster(bed.truth.keys(), found, auto=rules.auto, exclusive=exclusive, distinct=distinct).clusters


# --- the sample company ---


def huachen(folder: Path) -> dict[str, Bed]:
    """Entity → bed, from the stores of the invented company."""
    read = {
        "customer": _customers(folder),
        "supplier": _suppliers(folder),
        "product": _products(folder),
        "employee": _employees(folder),
    }
    known: dict[str, dict[str, str]] = defaultdict(dict)
    with (folder / "answers" / "identities.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            known[row["kind"]][f"hc_{row['system']}:{row['code']}"] = row["true_number"]
    beds = {}
    for entity, rows in read.items():
        records = table((row for row in rows if f"{row[0]}:{row[1]}" in known[entity]), COLUMNS[entity])
        ids = set(records.column("record_id").to_pylist())
        truth = {record: number for record, number in known[entity].items() if record in ids}
        beds[entity] = Bed(records, truth, len(known[entity]) - len(truth))
    return beds


def table(rows: Iterable[Row], names: Sequence[str]) -> pa.Table:
    """Canonical records as text."""
    every = list(rows)
    columns = {
        "record_id": [f"{system}:{key}" for system, key, _ in every],
        "source_system": [system for system, *_ in every],
        "source_key": [key for _, key, _ in every],
    }
    for name in names:
        columns[name] = [None if values.get(name) is None else str(values[name]) for *_, values in every]
    return pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})


def _rows(folder: Path, system: str, source: str, names: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Rows of a store; `names`: name here → column there."""
    file = folder / ("databases/u8.sqlite" if system == "u8" else f"systems/{system}.sqlite")
    columns = ", ".join(f'"{column}"' for column in names.values())
    with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as con:
        for row in con.execute(f"select {columns} from {source}"):
            yield dict(zip(names, row, strict=True))


def _keyed(system: str, rows: Iterable[dict[str, Any]], key: str = "code", **more: str) -> Iterator[Row]:
    for row in rows:
        yield f"hc_{system}", str(row[key]), {**row, **more}


def _customers(folder: Path) -> Iterator[Row]:
    widgets = ("code", "name", "credit_code", "contact", "phone", "city", "address")
    crm = {name: f"_widget_169000000100{place}" for place, name in enumerate(widgets, start=1)}
    yield from _keyed("crm", _rows(folder, "crm", "customer", crm))
    kingdee = {"code": "FNumber", "name": "FName", "credit_code": "FSOCIALCRECODE", "country_code": "FCOUNTRY.FNumber",
               "city": "FPROVINCIAL.FNumber", "address": "FADDRESS", "phone": "FTEL", "contact": "FCUSTCONTACT"}  # fmt: skip
    yield from _keyed("kingdee", _rows(folder, "kingdee", "BD_Customer", kingdee))
    u8 = {"code": "cCusCode", "name": "cCusName", "credit_code": "cCusRegCode", "contact": "cCusPerson",
          "phone": "cCusPhone", "address": "cCusAddress"}  # fmt: skip
    yield from _keyed("u8", _rows(folder, "u8", "Customer", u8))
    sap = {"code": "BusinessPartner", "name": "BusinessPartnerFullName", "short_name": "SearchTerm1", "credit_code": "TaxNumber",
           "country_code": "Country", "city": "CityName", "address": "StreetName", "phone": "PhoneNumber"}  # fmt: skip
    partners = '"api_business_partner/srvd_a2x/sap/businesspartner/0001/BusinessPartner"'
    yield from _keyed("sap", _rows(folder, "sap", partners, sap))
    salesforce = {"code": "Id", "name": "Name", "credit_code": "VAT_Number__c", "address": "BillingStreet", "city": "BillingCity",
                  "country_code": "BillingCountry", "phone": "Phone"}  # fmt: skip
    yield from _keyed("salesforce", _rows(folder, "salesforce", "Account where IsDeleted = 0", salesforce))


def _suppliers(folder: Path) -> Iterator[Row]:
    kingdee = {"code": "FNumber", "name": "FName", "credit_code": "FSOCIALCRECODE", "city": "FProvincial.FNumber",
               "address": "FAddress", "phone": "FTel", "contact": "FContact"}  # fmt: skip
    yield from _keyed("kingdee", _rows(folder, "kingdee", "BD_Supplier", kingdee))
    u8 = {"code": "cVenCode", "name": "cVenName", "short_name": "cVenAbbName", "credit_code": "cVenRegCode",
          "contact": "cVenPerson", "phone": "cVenPhone", "address": "cVenAddress"}  # fmt: skip
    yield from _keyed("u8", _rows(folder, "u8", "Vendor", u8))
    yonbip = {"id": "id", "code": "code", "name": "name", "credit_code": "creditcode", "address": "address",
              "phone": "contactmobile", "contact": "contactname"}  # fmt: skip
    yield from _keyed("yonbip", _rows(folder, "yonbip", '"digitalModel/vendor"', yonbip), "id")


def _products(folder: Path) -> Iterator[Row]:
    kinds = {"01": "material", "02": "finished"}
    kingdee = {"code": "FNumber", "name": "FName", "specification": "FSpecification", "old_code": "FOldNumber",
               "group": "FMaterialGroup.FNumber", "uom_text": "FBaseUnitId.FNumber"}  # fmt: skip
    for row in _rows(folder, "kingdee", "BD_MATERIAL", kingdee):
        yield from _keyed("kingdee", [row], kind=kinds[row["group"]])
    u8 = {"code": "cInvCode", "old_code": "cInvAddCode", "name": "cInvName", "specification": "cInvStd", "group": "cInvCCode",
          "uom_text": "cComUnitName"}  # fmt: skip
    for row in _rows(folder, "u8", "Inventory", u8):
        yield from _keyed("u8", [row], kind=kinds[row["group"]])
    said = {"code": "Product", "name": "ProductDescription"}
    words = {
        row["code"]: row["name"]
        for row in _rows(folder, "sap", '"API_PRODUCT_SRV/A_ProductDescription"', said)
    }
    sap = {"code": "Product", "uom_text": "BaseUnit", "old_code": "ProductOldID"}
    for row in _rows(folder, "sap", '"API_PRODUCT_SRV/A_Product"', sap):
        yield from _keyed("sap", [row], name=words[row["code"]], kind="finished")
    shop = {"code": "sku_id", "old_code": "i_id", "name": "name", "specification": "properties_value"}
    yield from _keyed("shop", _rows(folder, "shop", "sku", shop))
    titles = {
        row["code"]: row
        for row in _rows(folder, "shopify", '"orders/lineItems"', {"code": "sku", "name": "title"})
    }
    yield from _keyed("shopify", titles.values())


def _employees(folder: Path) -> Iterator[Row]:
    crm = {"key": "username", "name": "name", "employee_no": "integrate_id"}
    yield from _keyed("crm", _rows(folder, "crm", "users", crm), "key")
    dingtalk = {
        "key": "userid",
        "name": "name",
        "employee_no": "job_number",
        "mobile": "mobile",
        "hired_on": "hired_date",
    }
    yield from _keyed("dingtalk", _rows(folder, "dingtalk", "user", dingtalk), "key")
    feishu = {"key": "open_id", "name": "name", "employee_no": "employee_no", "mobile": "mobile", "email": "email", "hired_on": "join_time"}  # fmt: skip
    yield from _keyed("feishu", _rows(folder, "feishu", "user", feishu), "key")
    yield from _keyed(
        "jira", _rows(folder, "jira", "user", {"key": "accountId", "name": "displayName"}), "key"
    )
    yield from _keyed(
        "mingdao", _rows(folder, "mingdao", "user", {"key": "accountId", "name": "fullname"}), "key"
    )
    yonbip = {"key": "id", "name": "name", "mobile": "mobile"}
    yield from _keyed("yonbip", _rows(folder, "yonbip", '"digitalModel/staff"', yonbip), "key")
    yield from _keyed("hr", _roster(folder / "drops" / "hr" / "员工花名册.xlsx"), "employee_no")


def _roster(file: Path) -> Iterator[dict[str, Any]]:
    import openpyxl

    names = ("employee_no", "name", "title", "mobile", "hired_on")
    for sheet in openpyxl.load_workbook(file, read_only=True):
        for row in sheet.iter_rows(values_only=True):
            # The sheet of posts begins its rows with the number, too, but has a department where the mobile is here.
            if row and str(row[0]).startswith("HC") and len(row) >= 5 and str(row[3] or "").startswith("1"):
                yield dict(zip(names, row, strict=False))


# --- invented parties ---

_PLACES = (("上海", "310115", "张江路 金桥路 宝山路 漕宝路"), ("苏州", "320506", "东吴南路 人民路 狮山路"), ("杭州", "330108", "江南大道 滨盛路 文三路"),
           ("宁波", "330212", "首南中路 中山东路"), ("无锡", "320214", "长江路 太湖大道"), ("深圳", "440306", "新安路 宝石路 深南大道"),
           ("东莞", "441900", "科技路 东莞大道"), ("成都", "510107", "武兴路 天府大道"), ("武汉", "420111", "珞喻路 解放大道"),
           ("青岛", "370212", "株洲路 香港中路"), ("天津", "120116", "第三大街 南京路"), ("重庆", "500112", "金开大道 人民路"),
           ("昆山", "320583", "城北路 前进路"), ("佛山", "440605", "季华路 佛山大道"))  # fmt: skip
_CHARACTERS = (
    "恒力瑞丰金鼎联创宏图鑫源天成博远凯达正泰万通德盛永兴海纳和嘉禾信飞跃新科三江五洲精诚同友邦康景银百川顺卓越铭振光众合"
    "润祥安华荣富利隆昌盈吉庆元亨贞诺晟睿航宇宸翔腾辉煌志高雅致明立本强佳美优品智慧云帆启程"
)
_SOUNDS_LIKE = dict(
    zip("恒力鑫成博泰兴盛华宏源达康利江云明", "衡利新诚搏太星胜桦弘元大慷立疆芸铭", strict=True)
)
_TRADE_WORDS = "机械 机电 自动化设备 精密部件 液压 电气 工业科技 装备制造 仪器仪表 传动 五金制品 模具 电子科技 新材料 包装材料 轴承 塑胶 铝业 环保科技 贸易"
_TRADES = _TRADE_WORDS.split()
_FAMILIES = "王李张刘陈杨黄赵吴周徐孙马朱胡林郭何高罗郑梁谢宋唐许邓冯韩曹曾彭"
_GIVEN_NAMES = "伟 芳 娜 敏 静 丽 强 磊 洋 勇 艳 杰 娟 涛 明 超 秀兰 霞 平 刚 桂英 建华 文 晓东 志远 雨晴 子轩 梓涵 国强 海燕"
_GIVEN = _GIVEN_NAMES.split()
# How freely each system spells, and how often it lacks the credit code.
_SYSTEMS = {"erp": (0.2, 0.1), "stock": (0.4, 0.2), "crm": (0.7, 0.5), "desk": (0.9, 1.0)}


def invented(count: int, seed: int = 11) -> Bed:
    """About `count` records of parties; the same for the same seed."""
    dice = random.Random(seed)
    rows: list[Row] = []
    truth: dict[str, str] = {}
    number = 0
    while len(rows) < count:
        for company in _family(dice, count > 200_000):
            number += 1
            for system, (free, lacking) in _SYSTEMS.items():
                if dice.random() > 0.6:
                    continue
                for _ in range(2 if system != "desk" and dice.random() < 0.1 else 1):
                    key = f"{len(rows):07d}"
                    rows.append((system, key, _said(dice, company, system, free, lacking)))
                    truth[f"{system}:{key}"] = str(number)
    return Bed(table(rows, PARTY), truth)


def _family(dice: random.Random, many: bool) -> Iterator[dict[str, Any]]:
    """A company, and perhaps one that is easily taken for it."""
    city, area, streets = dice.choice(_PLACES)
    one = {
        "city": city, "core": "".join(dice.choice(_CHARACTERS) for _ in range(3 if many or dice.random() < 0.25 else 2)),
        "trade": dice.choice(_TRADES), "form": dice.choice(["有限公司"] * 6 + ["有限责任公司"] * 2 + ["股份有限公司"]),
        "code": _code(dice, area) if dice.random() < 0.93 else None, "phone": _mobile(dice), "office": f"0512-{dice.randrange(60000000, 69999999)}",
        "at": city, "street": dice.choice(streets.split()), "house": dice.randrange(1, 2999), "contact": _person(dice), "branch": "",
    }  # fmt: skip
    yield one
    luck = dice.random()
    moved = {"phone": _mobile(dice), "house": dice.randrange(1, 2999), "contact": _person(dice)}
    if luck < 0.06:  # a sister at the same door, in another trade
        yield {
            **one,
            "trade": dice.choice([trade for trade in _TRADES if trade != one["trade"]]),
            "code": _code(dice, area),
        }
    elif luck < 0.09:  # the group above it
        yield {**one, "form": dice.choice(("（集团）有限公司", "集团有限公司")), "code": _code(dice, area),
               "phone": one["phone"] if dice.random() < 0.5 else _mobile(dice)}  # fmt: skip
    elif luck < 0.13:  # a branch
        there, other, roads = dice.choice(_PLACES)
        yield {**one, **moved, "branch": f"{there}分公司", "at": there, "code": _code(dice, other),
               "street": dice.choice(roads.split()), "phone": one["phone"] if dice.random() < 0.3 else _mobile(dice)}  # fmt: skip
    elif luck < 0.16:  # a name that sounds the same
        core = "".join(_SOUNDS_LIKE.get(char, char) for char in one["core"])
        if core != one["core"]:
            yield {**one, **moved, "core": core, "code": _code(dice, area)}
    elif luck < 0.20:  # the same name in another city
        there, other, roads = dice.choice([place for place in _PLACES if place[0] != city])
        yield {**one, **moved, "city": there, "at": there, "code": _code(dice, other), "street": dice.choice(roads.split())}  # fmt: skip


def _said(
    dice: random.Random, one: dict[str, Any], system: str, free: float, lacking: float
) -> dict[str, Any]:
    """The company as a system writes it."""
    bare = f"{one['core']}{one['trade']}{one['form']}"
    name = f"{one['city']}{bare}"
    if dice.random() < free:
        name = dice.choice((
            bare, f"{one['city']}市{bare}", name.replace("有限责任公司", "有限公司"), f"{bare}（{one['city']}）", f" {name} ",
            name.replace("有限公司", "").replace("股份", ""), name.replace("（", "(").replace("）", ")"),
            one["core"] + one["trade"][:2] if system in ("crm", "desk") and not one["branch"] else bare,
            f"{one['core']}（{one['city']}）{one['trade']}{one['form']}",
        ))  # fmt: skip
    name = f"{name.strip()}{one['branch']}" if one["branch"] else name
    if dice.random() < 0.02:
        name = _slip(dice, name, 2, max(3, len(name) - 4), _CHARACTERS)
    code = one["code"]
    if dice.random() < lacking:
        code = (
            dice.choice(("0" * 18, "无", "91310000000000000X", "待补", "")) if dice.random() < 0.15 else None
        )
    elif code and dice.random() < 0.01:
        code = _slip(dice, code, 8, 17, ALPHABET)
    street, house = one["street"], one["house"]
    if dice.random() < 0.08:
        street = dice.choice(next(roads for city, _, roads in _PLACES if city == one["at"]).split())
        house = dice.randrange(1, 2999)
    address = f"{one['at']}市{street}{house}号"
    if dice.random() < 0.15:
        address = dice.choice((f"{street}{house}号", None))
    contact = one["contact"]
    if dice.random() < 0.25:
        contact = _person(dice) if dice.random() < 0.6 else None
    return {
        "name": name, "credit_code": code, "country_code": "CN" if system == "erp" else None,
        "city": one["at"] if system in ("erp", "crm") and dice.random() > 0.1 else None,
        "address": address, "phone": _dialled(dice, one), "contact": contact,
    }  # fmt: skip


def _dialled(dice: random.Random, one: dict[str, Any]) -> str | None:
    phone, luck = one["phone"], dice.random()
    if luck < 0.12:
        return _mobile(dice)
    if luck < 0.20:
        return one["office"]
    if luck < 0.25:
        return dice.choice(("13800138000", "0", "无", "88888888"))
    if luck < 0.30:
        return None
    if luck < 0.32:
        return "4008206305"  # the hotline of the seller itself
    if luck < 0.40:
        return f"{phone}/{one['office']}"
    if luck < 0.60:
        return dice.choice((f"+86 {phone}", f"{phone[:3]}-{phone[3:7]}-{phone[7:]}", f"86{phone}"))
    return phone


def _slip(dice: random.Random, text: str, first: int, last: int, characters: str) -> str:
    place = dice.randrange(first, last)
    return text[:place] + dice.choice(characters) + text[place + 1 :]


def _code(dice: random.Random, area: str) -> str:
    body = f"91{area}" + "".join(dice.choice(ALPHABET) for _ in range(9))
    return body + check_character(body)


def _mobile(dice: random.Random) -> str:
    return f"1{dice.choice('35789')}{dice.randrange(10**8, 10**9)}"


def _person(dice: random.Random) -> str:
    return dice.choice(_FAMILIES) + dice.choice(_GIVEN)


# --- public pairs ---


@dataclass(frozen=True)
class Names:
    """The closed world of Chinese company names, and the hard pairs that are two companies."""

    bed: Bed
    hard: list[tuple[str, str]]


def chinese_names() -> Names:
    with (DATA / "cn_company" / "pairs.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    names = sorted({row[side] for row in rows for side in ("name_a", "name_b")})
    ids = {name: f"name:{place:05d}" for place, name in enumerate(names)}
    company = {name: name for name in names}

    def root(name: str) -> str:
        while company[name] != name:
            name = company[name]
        return name

    for row in rows:
        if row["same"] == "1":
            company[root(row["name_a"])] = root(row["name_b"])
    records = table((("name", ids[name].split(":")[1], {"name": name}) for name in names), PARTY)
    hard = [(ids[row["name_a"]], ids[row["name_b"]]) for row in rows if row["same"] == "0"]
    return Names(Bed(records, {ids[name]: root(name) for name in names}), hard)


PAPERS: dict[str, Any] = {
    "entity": "paper",
    "fields": {
        "title": {"from": "title", "as": "text"},
        "authors": {"from": "authors", "as": "text"},
        "venue": {"from": "venue", "as": "text"},
        "year": {"from": "year", "as": "number"},
    },
    "blocks": [{"of": "title_words", "largest": 60}, {"of": "title"}, {"of": ["authors", "year"]}],
    "comparisons": {
        "title": {"how": "text", "of": "title", "levels": [1, 0.95, 0.9, 0.8]},
        "authors": {"how": "overlap", "of": "authors_words", "levels": [0.99, 0.6, 0.3]},
        "venue": {"how": "overlap", "of": "venue_words", "levels": [0.99, 0.4]},
        "year": {"how": "number", "of": "year"},
    },
}
OFFERS: dict[str, Any] = {
    "entity": "offer",
    "fields": {
        "name": {"from": "name", "as": "text"},
        "rare": {"from": "name", "as": "text"},
        "models": {"from": ["name", "description"], "as": "models"},
        "price": {"from": "price", "as": "number"},
    },
    # A word that at most six offers have is worth more than others.
    "shared_by": {"rare_words": 6},
    "blocks": [{"of": "name_words", "largest": 100}, {"of": "models", "largest": 40}],
    "comparisons": {
        "name": {"how": "overlap", "of": "name_words", "levels": [0.75, 0.55, 0.4, 0.25]},
        "rare": {"how": "overlap", "of": "rare_words", "levels": [0.99, 0.5, 0.01]},
        "models": {"how": "any", "of": "models"},
        "price": {"how": "number", "of": "price"},
    },
}
PUBLIC: dict[str, tuple[str, str, str, str, dict[str, Any]]] = {
    "DBLP-ACM": ("dblp_acm", "dblpclean.csv", "acmclean.csv", "%", PAPERS),
    "Abt-Buy": ("abt_buy", "abtclean.csv", "buyclean.csv", "|", OFFERS),
}


@dataclass(frozen=True)
class Linked:
    """Precision, recall and F1 against the gold pairs: of all edges, and one to one; CPU seconds, training included."""

    edges: tuple[float, float, float]
    one_to_one: tuple[float, float, float]
    seconds: float


def linked(name: str) -> Linked:
    """Link two public lists with a table trained on them without labels; edges from a score of 0.1."""
    folder, left, right, separator, document = PUBLIC[name]
    rows: list[Row] = []
    for system, file in (("l", left), ("r", right)):
        with (DATA / folder / file).open(encoding="utf-8") as opened:
            rows += [(system, row["id"], row) for row in csv.DictReader(opened, delimiter=separator)]
    with (DATA / folder / "gtclean.csv").open(encoding="utf-8") as opened:
        gold = {(f"l:{row['D1']}", f"r:{row['D2']}") for row in csv.DictReader(opened, delimiter=separator)}
    sources = sorted({source for row in rows for source in row[2] if source != "id"})
    began = time.process_time()
    rules = rules_from(
        {"kind": "product", "auto": 0.9, "review": 0.1, "no_duplicates_within": ["l", "r"], **document}
    )
    std = standardised(table(rows, sources), rules)
    rules = rules.model_copy(update={"table": trained(std, rules, f"{name}, without labels")})
    found = edges(std, rules)
    used: set[str] = set()
    single = set()
    for edge in sorted(found, key=lambda edge: (-edge.score, edge.a, edge.b)):
        if edge.a not in used and edge.b not in used:
            used |= {edge.a, edge.b}
            single.add((edge.a, edge.b))
    seconds = time.process_time() - began
    return Linked(_against(gold, {(edge.a, edge.b) for edge in found}), _against(gold, single), seconds)


def _against(gold: set[tuple[str, str]], found: set[tuple[str, str]]) -> tuple[float, float, float]:
    right = len(gold & found)
    precision, recall = right / max(1, len(found)), right / len(gold)
    return precision, recall, 2 * precision * recall / max(1e-9, precision + recall)


# --- Splink, for comparison ---


def splink_edges(std: pa.Table) -> tuple[list[Edge], float]:
    """What Splink 5 finds in standardised parties, trained without labels; and the CPU seconds it took."""
    import duckdb
    import splink.comparison_level_library as level
    import splink.comparison_library as compare
    from splink import Linker, SettingsCreator, block_on
    from splink.backends.duckdb import DuckDBAPI

    logging.getLogger("splink").setLevel(logging.ERROR)
    began = time.process_time()
    con = duckdb.connect()
    con.register("std", std)
    flat = con.execute(
        "select *, record_id as unique_id, phone[1] as phone_1, phone[2] as phone_2 from std"
    ).to_arrow_table()
    flat = flat.select(["unique_id", "phone_1", "phone_2", "name_stem", "name_core", "name_short", "name_form", "name_branch",
                        "credit_code", "phone", "address", "address_road", "contact", "place"])  # fmt: skip
    branch = "name_branch_l = name_branch_r"
    name: list[Any] = [
        level.NullLevel("name_stem"),
        level.CustomLevel(
            f"name_stem_l = name_stem_r and {branch} and (name_form_l = name_form_r or '' in (name_form_l, name_form_r))"
        ),
        level.CustomLevel(f"name_stem_l = name_stem_r and {branch}"),
        level.CustomLevel(f"name_short_l = name_short_r and {branch}"),
        level.CustomLevel(f"jaro_winkler_similarity(name_stem_l, name_stem_r) >= 0.92 and {branch}"),
        level.CustomLevel("name_core_l = name_core_r"),
        level.ElseLevel(),
    ]
    phone: list[Any] = [
        level.NullLevel("phone_1"),
        level.CustomLevel("list_has_any(phone_l, phone_r)"),
        level.ElseLevel(),
    ]
    door: list[Any] = [
        level.NullLevel("address_road"),
        level.ExactMatchLevel("address"),
        level.ExactMatchLevel("address_road"),
        level.ElseLevel(),
    ]
    settings = SettingsCreator(
        link_type="dedupe_only",
        comparisons=[
            compare.CustomComparison(output_column_name="name", comparison_levels=name),
            compare.CustomComparison(output_column_name="phone", comparison_levels=phone),
            compare.CustomComparison(output_column_name="address", comparison_levels=door),
            compare.ExactMatch("credit_code"),
            compare.ExactMatch("place"),
            compare.ExactMatch("contact").configure(term_frequency_adjustments=True),
        ],
        blocking_rules_to_generate_predictions=[
            *map(block_on, ("credit_code", "phone_1", "phone_2", "address", "name_stem")),
            block_on("name_short", "place"),
            block_on("name_core", "place"),
        ],
        probability_two_random_records_match=2 / len(std),
    )
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        api = DuckDBAPI()
        linker = Linker(api.register(flat, dataset_display_name="std"), settings, log_level=logging.ERROR)
        linker.training.estimate_u_using_random_sampling(max_pairs=1e6)
        for block in (block_on("phone_1"), block_on("name_short", "place"), block_on("credit_code")):
            linker.training.estimate_parameters_using_expectation_maximisation(
                block, record_sample_proportion=1.0
            )
        pairs = linker.inference.predict(threshold_match_probability=0.5).as_record_list()
    found = [
        Edge(*sorted((pair["unique_id_l"], pair["unique_id_r"])), pair["match_probability"], "splink", "")
        for pair in pairs
    ]
    return found, time.process_time() - began


def against_splink(
    bed: Bed, ours: Outcome, rules: Rules
) -> list[tuple[str, tuple[float, float, float], str]]:
    """(what, quality, remark) of Splink alone at its best threshold, and of its surest pairs added to ours."""
    std = standardised(bed.records, rules)
    found, seconds = splink_edges(std)
    alone = {
        limit: quality(clustered(bed, std, found, rules.model_copy(update={"auto": limit})), bed.truth)
        for limit in (0.5, 0.9, 0.99, 0.999)
    }
    best = max(alone, key=lambda limit: alone[limit][2])
    have = {(edge.a, edge.b) for edge in ours.edges}
    more = [
        Edge(edge.a, edge.b, rules.auto, "splink", "")
        for edge in found
        if edge.score >= 0.9999 and (edge.a, edge.b) not in have
    ]
    true = sum(bed.truth[edge.a] == bed.truth[edge.b] for edge in more)
    both = quality(clustered(bed, std, [*ours.edges, *more], rules), bed.truth)
    return [
        ("Splink 5 alone, codes exclusive", alone[best], f"threshold {best}, {seconds:.1f} s of CPU"),
        ("rules + Splink's pairs ≥ .9999", both, f"{len(more)} more pairs, {true} of them true"),
    ]


# --- the table ---

HEAD = "| bed | records | P | R | F1 | P of auto edges | review (true) | CPU s |\n|---|---|---|---|---|---|---|---|"


def line(name: str, bed: Bed, done: Outcome) -> str:
    seconds = " + ".join(f"{part:.1f}" for part in done.seconds)
    return (
        f"| {name} | {len(bed.records):,} | {done.precision:.4f} | {done.recall:.4f} | {done.f1:.4f} | {done.auto:.4f} "
        f"| {done.review} ({done.review_true}) | {seconds} |"
    )


def shown(text: str) -> None:
    print(text, flush=True)


def main() -> None:
    asked = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    asked.add_argument(
        "--company", type=Path, help="folder of the sample company; built at scale 1 if not given"
    )
    asked.add_argument("--records", type=int, default=25_000, help="invented parties")
    asked.add_argument("--splink", action="store_true", help="Splink 5 on the same beds of parties")
    said = asked.parse_args()
    shown(HEAD)
    with tempfile.TemporaryDirectory() as scratch:
        folder = said.company
        if folder is None:
            folder = Path(scratch) / "huachen"
            command = [sys.executable, "-m", "sandbox.huachen", "build", "--doors", str(folder)]
            subprocess.run(command, check=True, cwd=PROJECT, stdout=subprocess.DEVNULL)
        beds = huachen(folder)
        for entity, bed in beds.items():
            rules = rules_of(entity)
            shown(line(f"华辰精工 {entity} ({bed.unread} described nowhere)", bed, measured(bed, rules)))
            if entity in BARE:
                left = bed.without(BARE[entity])
                shown(line(f"华辰精工 {entity}, names and addresses only", left, measured(left, rules)))
    bed, rules = invented(said.records), rules_of("customer")
    ours = measured(bed, rules)
    shown(line("invented parties", bed, ours))
    names = chinese_names()
    done = measured(names.bed, rules)
    shown(line("Chinese names, closed world", names.bed, done))
    where = {record: place for place, members in enumerate(done.clusters) for record in members}
    merged = sum(where[a] == where[b] for a, b in names.hard)
    shown(f"\nhard pairs merged: {merged} of {len(names.hard)}; largest invented cluster: {ours.largest}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    shown(f"peak memory of the process: {peak:,.0f} MB\n")
    shown(
        "| public lists, trained without labels | P / R / F1 of edges | P / R / F1 one to one | CPU s |\n|---|---|---|---|"
    )
    for name in PUBLIC:
        result = linked(name)
        shown(f"| {name} | {figures(result.edges)} | {figures(result.one_to_one)} | {result.seconds:.1f} |")
    if said.splink:
        shown("\n| against Splink | P / R / F1 | |\n|---|---|---|")
        for label, one, mine in (
            ("invented parties", bed, ours),
            ("华辰精工 customer", beds["customer"], None),
        ):
            mine = mine or measured(one, rules)
            shown(
                f"| {label}: rules | {figures((mine.precision, mine.recall, mine.f1))} | {sum(mine.seconds):.1f} s of CPU |"
            )
            for what, found, remark in against_splink(one, mine, rules):
                shown(f"| {label}: {what} | {figures(found)} | {remark} |")


def figures(found: tuple[float, float, float]) -> str:
    return " / ".join(f"{figure:.4f}" for figure in found)


if __name__ == "__main__":
    main()
