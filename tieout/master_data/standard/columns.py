"""From the columns of a record to the columns that are compared: which standard makes which."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from tieout.master_data.standard import addresses, credit_code, names, people, phones, products, regions
from tieout.master_data.standard.text import folded, says_nothing


@dataclass(frozen=True, slots=True)
class Standard:
    """How one field is made.

    Attributes:
        parts: Suffixes of the columns it gives, `""` for the field's own name; the first tells whether the value counts.
        lists: Those of `parts` whose values are lists of text.
        make: Takes the values of the record's columns, in order, and gives one value per part (None where it says nothing).
        personal: Shown to people only masked.
        numeric: Gives numbers, not text.
    """

    parts: tuple[str, ...]
    make: Callable[..., tuple]
    lists: tuple[str, ...] = ()
    personal: bool = False
    numeric: bool = False


def _company_name(value: str | None, short_name: str | None = None) -> tuple:
    name, said = names.company_name(value), names.company_name(short_name)
    name, said = (said, None) if name is None else (name, said)
    if name is None:
        return (None,) * 9
    alias = said.stem if said and said.stem not in (name.stem, name.short) else None
    company = f"{name.stem}|{name.form}" if name.form else None
    return (
        name.text, name.stem, name.core or None, name.short, name.form, name.branch, name.region or None, company, alias,
    )  # fmt: skip


def _credit_code(value: str | None) -> tuple:
    found = credit_code.identified(value)
    if found is None:
        return None, None, None
    whole = found.value if found.kind in ("credit_code", "vat") else None
    return whole, found.organisation, found.value if found.kind == "registration" else None


def _place(city: str | None, address: str | None = None, name: str | None = None) -> tuple:
    """Where it is, down to the city: by the column of the city, else by the address, else by the name."""
    found = addresses.located(city) or addresses.address(address, city).region or _region_of(name)
    return ("/".join(found.split("/")[:2]) if found else None,)


def _address(value: str | None, city: str | None = None, name: str | None = None) -> tuple:
    found = addresses.address(value, city)
    if found.road is None and found.region is None and (region := _region_of(name)):
        found = addresses.address(value, region.replace("/", ""))
    return found.key, found.road


def _region_of(name: str | None) -> str | None:
    """Where a company is by its name; a branch is where its own name says."""
    company = names.company_name(name)
    if company is None:
        return None
    branch = regions.leading(company.branch)[0] if company.branch else None
    return branch.path if branch else company.region or None


def _phones(value: str | None, country: str | None = None) -> tuple:
    return (list(phones.phones(value, country)) or None,)


def _country(value: str | None) -> tuple:
    code = (folded(value) or "").upper()
    return (code if len(code) == 2 and code.isalpha() else None,)


def _person_name(value: str | None) -> tuple:
    return (people.person_name(value),)


def _product(name: str | None, specification: str | None = None) -> tuple:
    found = products.product(name, specification)
    return found.item, found.base, found.specification, list(found.models) or None


def _text(value: str | None) -> tuple:
    """Words in lower case without signs, and each of them once for blocking."""
    said = None if says_nothing(value) else folded(value)
    words = re.findall(r"[^\W_]+", said or "")
    return " ".join(words) or None, sorted({word for word in words if len(word) > 1}) or None


def _number(value: str | None) -> tuple:
    found = re.search(r"-?\d+(?:\.\d+)?", (folded(value) or "").replace(",", ""))
    return (float(found[0]) if found else None,)


def _models(*values: str | None) -> tuple:
    """Model codes in any of the values, without the signs inside them."""
    found = {re.sub(r"[-./:]", "", code) for value in values for code in products.model_codes(value or "")}
    return (sorted(code for code in found if len(code) >= 4 and not code.isdigit()) or None,)


STANDARDS: dict[str, Standard] = {
    "company_name": Standard(
        ("", "stem", "core", "short", "form", "branch", "region", "company", "alias"), _company_name
    ),
    "credit_code": Standard(("", "organisation", "registration"), _credit_code),
    "place": Standard(("",), _place),
    "address": Standard(("", "road"), _address),
    "phones": Standard(("",), _phones, lists=("",), personal=True),
    "country": Standard(("",), _country),
    "person_name": Standard(("",), _person_name, personal=True),
    "employee_no": Standard(("",), lambda value: (people.employee_no(value),)),
    "email": Standard(("",), lambda value: (people.email(value),), personal=True),
    "product": Standard(("", "base", "specification", "models"), _product, lists=("models",)),
    "models": Standard(("",), _models, lists=("",)),
    "dimension": Standard(("",), lambda value: (products.dimension(value),)),
    "code": Standard(("",), lambda value: (products.code(value),)),
    "exact": Standard(("",), lambda value: (None if says_nothing(value) else folded(value),)),
    "text": Standard(("", "words"), _text, lists=("words",)),
    "number": Standard(("",), _number, numeric=True),
}


def columns(field: str, standard: str) -> list[str]:
    """The columns that a field gives: `name` as company_name gives name, name_stem, name_core …"""
    return [f"{field}_{part}" if part else field for part in STANDARDS[standard].parts]


def city_of(path: str | None) -> str:
    """A region path for people: 江苏/苏州 → 苏州."""
    return (path or "").split("/")[-1]
