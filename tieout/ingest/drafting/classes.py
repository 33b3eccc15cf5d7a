"""What a column's name and values say of it: money, a rate, a secret, a person."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tieout.ingest.drafting.catalogue import Field, Table


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


def words(name: str) -> frozenset[str]:
    """`customerPhone_2` → customer, phone, 2."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return frozenset(part for part in re.split(r"[^a-z0-9]+", apart.lower()) if part)


_MONEY = _set(
    "amount total subtotal debit credit price cost balance fee fees tax revenue salary wage wages net gross untaxed"
    " discount payment paid due budget charge charges commission expense income turnover value money sum"
)
_NO_MONEY = _set("rate ratio percent percentage rounding factor quantity qty weight sequence margin")
_MONEY_ZH = re.compile("金额|价|费|税额|余额|成本|借方|贷方|货款|合计|工资|薪")


def is_fine(name: str) -> bool:
    """Whether a name is that of a rate or a factor, which has more decimals than money."""
    return bool(words(name) & _NO_MONEY) or "率" in name


def is_money(name: str) -> bool:
    said = words(name)
    return bool(said & _MONEY and not said & _NO_MONEY) or bool(_MONEY_ZH.search(name) and "率" not in name)


# --- what a value says about a person ---------------------------------------------------------------

_SECRET = _set("password passwd pwd passphrase secret token salt apikey cookie hash pin")
_SECRET_ZH = re.compile("密码|口令|密钥")
_PERSONAL = _set(
    "phone mobile telephone tel cellphone fax email mail wechat weixin qq passport idcard iban birthday birthdate birth"
    " gender sex nationality marital ethnicity address street postcode zip zipcode postal surname firstname lastname"
    " fullname nickname salary wage payroll ssn signature avatar"
)
_PERSONAL_PAIRS = (
    {"id", "card"}, {"id", "number"}, {"identity", "card"}, {"identity", "number"}, {"id", "no"}, {"bank", "account"},
    {"account", "holder"}, {"card", "number"}, {"card", "no"}, {"first", "name"}, {"last", "name"}, {"full", "name"},
    {"contact", "name"}, {"customer", "name"}, {"employee", "name"}, {"driver", "name"}, {"party", "name"},
    {"receiver", "name"}, {"user", "name"}, {"contact", "value"}, {"bank", "number"}, {"ip", "address"},
)  # fmt: skip
_PERSONAL_ZH = re.compile(
    "姓名|电话|手机|邮箱|邮件|身份证|证件号|护照|住址|地址|银行账号|银行卡|卡号|微信|生日|出生|性别|工资|薪|联系人|收货人|民族|籍贯|学历"
)
_PEOPLE = _set(
    "party employee user contact person customer supplier member staff driver patient candidate student vendor people"
    " applicant subscriber buyer recipient"
)
_PEOPLE_ZH = re.compile("员工|客户|联系人|供应商|会员|人员|司机|用户|职员")
# A whole number or a flag called `address` points at the address; one called `phone` is the phone.
_POINTER = re.compile(r"^(boolean|tinyint|smallint|mediumint|integer|int|bigint)")
_NUMBERS_OF_A_PERSON = _set(
    "phone mobile telephone tel cellphone fax idcard passport salary wage qq ssn card"
)
# These say what a mail or an address is for, not whose it is.
_NOT_PERSONAL = _set("format template view type sequence count label id uid")

_L4_VALUES = (re.compile(r"^\$(2[aby]|argon2(id|i|d)?|pbkdf2[\w-]*|scrypt|[56y])\$"),)
_L3_VALUES = {
    "mobile numbers": re.compile(r"^(\+?86[- ]?)?1[3-9]\d{9}$"),
    "mail addresses": re.compile(r"^[^@\s]+@[^@\s]+\.[A-Za-z]{2,}$"),
    "identity numbers": re.compile(r"^[1-9]\d{5}(19|20)\d\d(0[1-9]|1[0-2])([0-2]\d|3[01])\d{3}[\dXx]$"),
    "bank cards": re.compile(r"^62\d{14,17}$"),
}
_OFTEN = 0.1  # of the texts looked at


def sensitivity(table: Table, field: Field, texts: Iterable[str]) -> tuple[str | None, str | None]:
    """L4 for secrets, L3 for what speaks of a person, None for the source's own class; and why, if by values."""
    said = words(field.name)
    looked = list(texts)
    pointer = bool(_POINTER.match(field.declared)) and not said & _NUMBERS_OF_A_PERSON
    if said & _SECRET or {"api", "key"} <= said or _SECRET_ZH.search(field.name):
        return "L4", None
    if any(_share(looked, pattern) > _OFTEN for pattern in _L4_VALUES):
        return "L4", "the values look like password hashes"
    named = (
        said & _PERSONAL or any(pair <= said for pair in _PERSONAL_PAIRS) or _PERSONAL_ZH.search(field.name)
    )
    if named and not pointer and not said & _NOT_PERSONAL:
        return "L3", None
    if field.name.lower() in {"name", "名称"} and (
        words(table.name) & _PEOPLE or _PEOPLE_ZH.search(table.name)
    ):
        return "L3", None
    for what, pattern in _L3_VALUES.items():
        share = _share(looked, pattern)
        if share > _OFTEN:
            return "L3", f"{share:.0%} of the values looked at are like {what}"
    return None, None


def _share(texts: list[str], pattern: re.Pattern[str]) -> float:
    return sum(1 for text in texts if pattern.search(text.strip())) / len(texts) if texts else 0.0
