"""What a name says of a value, Chinese or English: a code, a moment, a unit, a currency, with or without tax."""

from __future__ import annotations

import re

from tieout.ingest.drafting.classes import is_fine, is_money, words

_UNITS = {
    "kg": "kg 千克 公斤 kgs kilogram kilograms", "g": "g 克 gram grams", "t": "t 吨 ton tons tonne mt", "件": "件 pcs pc piece pieces ea",
    "个": "个", "台": "台", "套": "套 set", "箱": "箱 ctn carton cartons box boxes", "包": "包", "只": "只", "张": "张", "双": "双",
    "瓶": "瓶", "卷": "卷", "根": "根", "桶": "桶", "袋": "袋 bag bags", "pallet": "托 托盘 pallet pallets", "m": "m 米 meter meters", "km": "km 公里 千米",
    "cm": "cm 厘米", "mm": "mm 毫米", "m2": "m2 ㎡ m² 平方米 平米", "m3": "m3 m³ 立方米 方 cbm", "l": "l 升 liter liters litre", "ml": "ml 毫升",
    "kWh": "kwh 千瓦时 度", "h": "h 小时 hour hours hrs", "d": "d 天 day days", "min": "min 分钟 minute minutes mins",
    "s": "s 秒 sec second seconds secs", "ms": "ms 毫秒 millis milliseconds", "%": "% 百分比 百分 pct percent percentage",
    "yuan": "元 圆", "10k yuan": "万元 万", "1k yuan": "千元", "100m yuan": "亿元 亿", "fen": "fen 分 cents cent",
}  # fmt: skip
_UNIT_OF = {word: unit for unit, said in _UNITS.items() for word in said.split()}
# As the last word of an English name; shorter ones are too often something else.
_TAILS = _UNIT_OF.keys() - {
    "g",
    "t",
    "m",
    "l",
    "h",
    "d",
    "s",
    "set",
    "box",
    "bag",
    "second",
    "day",
    "mt",
    "pc",
}
_CURRENCIES = {
    "CNY": "cny rmb 人民币 元 圆 万元 千元 亿元 ￥ ¥", "USD": "usd us$ $ 美元 美金 dollar dollars", "EUR": "eur € 欧元 euro", "HKD": "hkd 港币 港元",
    "JPY": "jpy 日元 yen", "GBP": "gbp £ 英镑", "TWD": "twd 新台币", "SGD": "sgd 新加坡元", "VND": "vnd 越南盾", "THB": "thb 泰铢",
}  # fmt: skip
_CURRENCY_OF = {word: code for code, said in _CURRENCIES.items() for word in said.split()}
ISO_CURRENCIES = frozenset(_CURRENCIES) | {"AUD", "CAD", "CHF", "INR", "KRW", "MYR", "NZD", "RUB", "SEK"}
_BRACKET = re.compile(r"[（(\[【]([^（()）\]】]{1,8})[)）\]】]\s*$|[/／_]([^/／_\s]{1,4})$")
_WITH_UNIT = re.compile(r"^([+-]?\d[\d,]*(?:\.\d+)?)\s*([^\d\s.,:/+-][^\d\s]{0,6})$")
_WITH_SIGN = re.compile(r"^([￥¥$€£]|CNY|RMB|USD|EUR|HKD)\s*[+-]?\d[\d,]*(?:\.\d+)?$", re.IGNORECASE)

_EXCLUDED_ZH = re.compile(r"不含税|未税|去税|除税|无税")
_INCLUDED_ZH = re.compile(r"含税|价税合计|税后价")
_EXCLUDED = {"untaxed", "notax", "net", "pretax", "excltax", "taxexclusive"}
_INCLUDED = {"gross", "taxed", "incltax", "taxinclusive", "taxincluded"}

_CODE = frozenset(
    [
        "id",
        "ids",
        "no",
        "code",
        "key",
        "number",
        "num",
        "nbr",
        "uid",
        "uuid",
        "guid",
        "sku",
        "barcode",
        "ean",
        "upc",
        "phone",
        "mobile",
        "tel",
        "telephone",
        "fax",
        "zip",
        "postcode",
        "account",
        "sn",
        "ref",
        "idcard",
        "card",
        "tracking",
        "batch",
        "lot",
        "serial",
        "vin",
        "license",
        "plate",
        "openid",
        "unionid",
        "userid",
        "matnr",
        "vbeln",
        "kunnr",
        "lifnr",
        "bukrs",
    ]
)
_CODE_ZH = re.compile(
    r"编号|编码|代码|单号|票号|卡号|账号|帐号|批号|序列号|工号|学号|货号|款号|条码|手机|电话|证号|号码|税号|(号|码|ID|id)$"
)
_TIME = frozenset(
    [
        "date",
        "day",
        "time",
        "datetime",
        "ts",
        "timestamp",
        "created",
        "updated",
        "modified",
        "changed",
        "start",
        "end",
        "begin",
        "finish",
        "expire",
        "expires",
        "expiry",
        "deadline",
        "due",
        "birthday",
        "at",
        "eta",
        "etd",
    ]
)
_TIME_ZH = re.compile(r"日期|时间|时刻|交期|期限|截止|生日|年月日|(?<!工作)日$")
_TIME_TAIL = re.compile(r"(time|date|_at|_on)$", re.IGNORECASE)
_QUANTITY = frozenset(
    [
        "qty",
        "quantity",
        "count",
        "weight",
        "volume",
        "length",
        "width",
        "height",
        "stock",
        "onhand",
        "pieces",
        "amount",
        "num",
    ]
)
_QUANTITY_ZH = re.compile(r"数量|重量|体积|库存|毛重|净重|长度|件数|数$")
_CHANGED = re.compile(
    r"(update|modif|change|last_?edit|edit_?time|write_?date|^f?pubts$|^ts$|更新|修改|变更|最后编辑)",
    re.IGNORECASE,
)
_CREATED = re.compile(r"(creat|insert|add_?time|gmt_create|创建|建立|新增|提交|录入)", re.IGNORECASE)
_KEYISH = frozenset(
    ["id", "no", "code", "key", "number", "guid", "uuid", "uid", "oid", "rowid", "recordid", "objectid"]
)


def _said(name: str) -> frozenset[str]:
    """The words of a name's last part: FCustomerNo (Kingdee) and vbeln_item alike."""
    last = name.rpartition(".")[2] or name
    last = re.sub(r"^F(?=[A-Z])", "", last)
    found = set(words(last))
    # billno, custid: written as one word.
    for word in tuple(found):
        found.update(
            tail for tail in ("id", "no", "code", "key") if word.endswith(tail) and len(word) > len(tail) + 2
        )
    return frozenset(found)


def is_code(name: str) -> bool:
    """Whether digits under this name are a name of something, not a number to count with."""
    return bool(_said(name) & _CODE) or _CODE_ZH.search(name) is not None


def is_key(name: str) -> bool:
    return bool(_said(name) & _KEYISH) or re.search(r"(编号|编码|单号|代码|ID|主键|号)$", name) is not None


def is_time(name: str) -> bool:
    last = name.rpartition(".")[2]
    return bool(_said(name) & _TIME) or bool(_TIME_ZH.search(name)) or bool(_TIME_TAIL.search(last))


def is_quantity(name: str) -> bool:
    return bool(_said(name) & _QUANTITY) or bool(_QUANTITY_ZH.search(name))


def is_measure(name: str) -> bool:
    last = name.rpartition(".")[2] or name
    last = re.sub(r"^F(?=[A-Z])", "", last)
    return is_money(last) or is_fine(last) or is_quantity(name)


def is_amount(name: str) -> bool:
    last = name.rpartition(".")[2] or name
    return is_money(re.sub(r"^F(?=[A-Z])", "", last))


def changed(name: str) -> float:
    """How much a name says that it is when a row was last changed; 0 to 1."""
    last = name.rpartition(".")[2]
    return 0.95 if _CHANGED.search(last) else 0.4 if _CREATED.search(last) else 0.0


_PERSON = re.compile(
    r"creator|updater|deleter|owner|user|assignee|reporter|author|operator|approver|applicant|applyer|originator|manager|leader"
    r"|salesman|buyer|receiver|人员?$|员$|经理|负责人|操作人|创建人|审批人|申请人",
    re.IGNORECASE,
)


def is_person(step: str) -> bool:
    """Whether an object of this name is a person, so that its `name` is a person's."""
    return _PERSON.search(step) is not None


def unit_of(name: str) -> tuple[str, float] | None:
    """The unit a name holds: 重量(kg), weight_kg, 金额（万元）; and how sure."""
    match = _BRACKET.search(name)
    if match:
        word = (match[1] or match[2] or "").strip().lower()
        if word in _UNIT_OF and (match[1] or word in _TAILS):
            return _UNIT_OF[word], 0.95 if match[1] else 0.8
    tail = re.split(r"[^a-z0-9%]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.rpartition(".")[2]).lower())
    if len(tail) > 1 and tail[-1] in _TAILS:
        return _UNIT_OF[tail[-1]], 0.85
    return None


def unit_in(text: str) -> str | None:
    """The unit written behind a number: `12.5kg`, `3 吨`, `45%`."""
    match = _WITH_UNIT.match(text)
    return _UNIT_OF.get(match[2].lower()) if match else None


def currency_in(text: str) -> str | None:
    match = _WITH_SIGN.match(text)
    return _CURRENCY_OF.get(match[1].lower()) if match else None


def currency_of(name: str) -> tuple[str, float] | None:
    """The currency a name holds: amount_usd, 金额(元), 人民币金额."""
    if "本位币" in name or "原币" in name:
        return None
    match = _BRACKET.search(name)
    if match and (code := _CURRENCY_OF.get((match[1] or match[2] or "").strip().lower())):
        return code, 0.95
    for word in words(name.rpartition(".")[2]):
        if word in _CURRENCY_OF and len(word) == 3:
            return _CURRENCY_OF[word], 0.9
    found = next(
        (
            code
            for word, code in _CURRENCY_OF.items()
            if len(word) > 1 and not word.isascii() and word in name
        ),
        None,
    )
    return (found, 0.8) if found else None


def tax_of(name: str) -> tuple[str, float] | None:
    """`included` or `excluded`, if an amount's name says so."""
    said = words(name.rpartition(".")[2])
    together = "".join(re.split(r"[^a-z]+", name.lower()))
    if _EXCLUDED_ZH.search(name):
        return "excluded", 0.95
    if _INCLUDED_ZH.search(name):
        return "included", 0.95
    if (
        said & _EXCLUDED
        or {"without", "tax"} <= said
        or {"excl", "tax"} <= said
        or {"tax", "excluded"} <= said
        or "excludingtax" in together
    ):
        return "excluded", 0.7
    if (
        said & _INCLUDED
        or {"with", "tax"} <= said
        or {"tax", "included"} <= said
        or {"incl", "tax"} <= said
        or "includingtax" in together
    ):
        return "included", 0.7
    return None
