"""Telephone numbers as E.164, or nothing: a number that cannot be dialled must not join two companies."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from functools import lru_cache

from tieout.master_data.standard.text import plain

_EXTENSION = re.compile(r"(?:转|轉|分机|ext\.?|extension|x)\s*[:.]?\s*\d{1,6}\s*$", re.IGNORECASE)
_HYPHEN_EXTENSION = re.compile(r"^(\(?0\d{2,3}\)?[-\s]?\d{7,8})\s*-\s*\d{1,6}$")
_BETWEEN = re.compile(r"[/,;|\n]|或|和|及")
_MOBILE = re.compile(r"(?<!\d)(?:\+?0{0,2}86[- ]?)?(1[3-9]\d)[- ]?(\d{4})[- ]?(\d{4})(?!\d)")
_EXCEL = re.compile(r"\d(?:\.\d+)?E\+?\d{1,2}", re.IGNORECASE)
_INVENTED_NUMBERS = "13800138000 13888888888 13912345678 13812345678 18888888888 13333333333 13000000000"
_INVENTED = frozenset(_INVENTED_NUMBERS.split())


def phone(text: str | None, country: str | None = None) -> str | None:
    """The first number in `text` as E.164, or None."""
    found = phones(text, country)
    return found[0] if found else None


@lru_cache(maxsize=200_000)
def phones(text: str | None, country: str | None = None) -> tuple[str, ...]:
    """Every valid number in a cell as E.164, in the order given, none twice; extensions are left out.

    Args:
        text: As people type it: full width, +86, dashes, 转8012, several numbers, a number that Excel wrote as 1.38E+10.
        country: ISO code of the country whose national numbers are meant; None means CN.

    Returns: empty if the text holds no number that can be dialled, only a placeholder (13800138000, 88888888), or a
        number whose digits Excel has cut off.
    """
    said = plain(text)
    if said is None:
        return ()
    found: dict[str, None] = {}
    for part in _BETWEEN.split(said):
        for number in _numbers(part.strip(), country or "CN"):
            found[number] = None
    return tuple(found)


def masked(number: str) -> str:
    """Enough to recognise, not enough to call: +8613812341234 → 138****1234."""
    national = number.removeprefix("+86")
    return (
        f"{national[:3]}****{national[-4:]}" if len(national) >= 10 else f"{national[:2]}****{national[-2:]}"
    )


def _numbers(part: str, country: str) -> list[str]:
    if not part:
        return []
    if _EXCEL.fullmatch(part):
        part = _written_out(part)
    part = re.sub(r"\.0+$", "", part)
    # 86 typed before a number that has its country already.
    part = re.sub(r"^\+?86\s*(?=\+)", "", part)
    if part.startswith("+") and not re.match(r"\+\s*86", part):
        return _parsed(part, country)
    mobiles = [] if country != "CN" else ["".join(groups) for groups in _MOBILE.findall(part)]
    if mobiles:
        return [f"+86{number}" for number in mobiles if not _is_invented(number)]
    part = _EXTENSION.sub("", part)
    alone = _HYPHEN_EXTENSION.match(part)
    return _parsed(alone[1] if alone else part, country)


def _parsed(part: str, country: str) -> list[str]:
    import phonenumbers

    if sum(char.isdigit() for char in part) < 7:
        return []
    try:
        number = phonenumbers.parse(part, country)
    except phonenumbers.NumberParseException:
        return []
    national = str(number.national_number)
    if not phonenumbers.is_valid_number(number) or _is_invented(national):
        return []
    return [phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)]


def _is_invented(national: str) -> bool:
    tail = national[-8:]
    return national in _INVENTED or len(set(tail)) == 1 or tail in {"12345678", "87654321"}


def _written_out(part: str) -> str:
    """1.3801234567E+10 → 13801234567; nothing if digits were lost."""
    mantissa, exponent = re.split("E", part, flags=re.IGNORECASE)
    if len(mantissa.partition(".")[2]) < int(exponent):
        return ""
    try:
        return format(Decimal(part), "f")
    except InvalidOperation:
        return ""
