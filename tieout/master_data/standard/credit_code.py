"""What identifies a company by law: 统一社会信用代码 (GB 32100-2015), the codes it replaced, and VAT numbers.

Only a value that its own check character confirms identifies anybody. Of random single substitutions and exchanges of
neighbours in a valid 统一社会信用代码 none passes: 31 is prime and neighbouring weights differ.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from tieout.master_data.standard.text import plain

ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"  # no I, O, S, V, Z
_VALUE = {char: place for place, char in enumerate(ALPHABET)}
_WEIGHTS = tuple(pow(3, place, 31) for place in range(17))
_ORGANISATION_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)
_PERSON_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_NOISE = re.compile(r"[\s\-.·:'\"/]+")
_CODE = re.compile(rf"[1-9ANY][{ALPHABET}]\d{{6}}[{ALPHABET}]{{10}}")
_BIRTHDAY = re.compile(r"\d{6}(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dX]")
_COUNTRY_CODES = (
    "AT BE BG CY CZ DE DK EE EL ES FI FR GB GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK XI CH NO"
)
_COUNTRIES = frozenset(_COUNTRY_CODES.split())

Kind = Literal["credit_code", "organisation", "registration", "vat"]


@dataclass(frozen=True, slots=True)
class Identified:
    """A code that identifies a company. `organisation` is the 组织机构代码 inside it (nine characters), where it has one."""

    kind: Kind
    value: str
    organisation: str | None = None


def credit_code(text: str | None) -> str | None:
    """The valid 统一社会信用代码 in `text`, upper case, no separators; None for anything else."""
    found = identified(text)
    return found.value if found and found.kind == "credit_code" else None


@lru_cache(maxsize=200_000)
def identified(text: str | None) -> Identified | None:
    """Recognise a code by its shape and its check character.

    Returns: kind `credit_code` (18 characters), `organisation` (组织机构代码, 9), `registration` (工商注册号, 15) or `vat`
        (country and number, shape only); a 15-character 税务登记号 is known by the organisation code it ends in. None for
        what fails its check, for placeholders (one character repeated) and for the number of an identity card.
    """
    said = plain(text)
    if said is None:
        return None
    code = _NOISE.sub("", said).upper()
    if len(set(code)) < 3:
        return None
    if len(code) == 18:
        return Identified("credit_code", code, code[8:17]) if _is_credit_code(code) else None
    if len(code) == 9 and _is_organisation(code):
        return Identified("organisation", code, code)
    if len(code) == 15 and _is_registration(code):
        return Identified("registration", code)
    if len(code) == 15 and code[:6].isdigit() and _is_organisation(code[6:]):
        return Identified("organisation", code[6:], code[6:])
    if swiss := re.fullmatch(r"(CHE\d{9})(?:MWST|TVA|IVA)?", code):
        return Identified("vat", swiss[1])
    if code[:2] in _COUNTRIES and 7 <= len(code[2:]) <= 12 and code[2:].isalnum() and code.isascii():
        digits = [char for char in code[2:] if char.isdigit()]
        return Identified("vat", code) if len(digits) >= 6 and len(set(digits)) > 2 else None
    return None


def check_character(body: str) -> str:
    """The 18th character for the first 17 of a 统一社会信用代码.

    Raises: KeyError for a character the standard does not use.
    """
    total = sum(_VALUE[char] * weight for char, weight in zip(body, _WEIGHTS, strict=True))
    return ALPHABET[-total % 31]


def _is_credit_code(code: str) -> bool:
    return bool(_CODE.fullmatch(code)) and code[17] == check_character(code[:17]) and not _is_person(code)


def _is_organisation(code: str) -> bool:
    if not re.fullmatch(r"[0-9A-Z]{8}[0-9X]", code) or len(set(code)) < 3:
        return False
    total = sum(int(char, 36) * weight for char, weight in zip(code[:8], _ORGANISATION_WEIGHTS, strict=True))
    return code[8] == "0123456789X0"[11 - total % 11]


def _is_registration(code: str) -> bool:
    # ISO 7064 MOD 11,10, as 工商行政管理市场主体注册号编制规则 prescribes it.
    if not code.isascii() or not code.isdigit():
        return False
    rest = 10
    for digit in code[:14]:
        rest = ((rest + int(digit)) % 10 or 10) * 2 % 11
    return (rest + int(code[14])) % 10 == 1


def _is_person(code: str) -> bool:
    if not _BIRTHDAY.fullmatch(code):
        return False
    total = sum(int(char) * weight for char, weight in zip(code[:17], _PERSON_WEIGHTS, strict=True))
    return code[17] == "10X98765432"[total % 11]
