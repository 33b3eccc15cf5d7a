"""How each system spells the same customer, supplier, product and person: as in life, never quite alike.

Every choice depends on the seed, the system and the thing alone, so a system says the same tomorrow.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property

from sandbox.huachen.world.calendar import local_day
from sandbox.huachen.world.records import Party, Product, World

# Share of parties that a system has keyed in twice, and how freely it spells: 0 as on the licence, 1 as people talk.
_TWICE = {
    "crm": 0.10,
    "kingdee": 0.04,
    "u8": 0.05,
    "jira": 0.0,
    "salesforce": 0.08,
    "sap": 0.0,
    "yonbip": 0.0,
}
_FREE = {
    "crm": 0.6,
    "kingdee": 0.2,
    "u8": 0.4,
    "jira": 0.9,
    "salesforce": 0.3,
    "sap": 0.1,
    "yonbip": 0.4,
    "feishu": 0.8,
}
_CODES = {
    "crm": "KH{n:05d}", "kingdee": "CUST{n:04d}", "u8": "{n:04d}", "sap": "{n:08d}", "salesforce": "001HC{n:010d}AAA",
    "jira": "ORG-{n}", "yonbip": "17900000{n:011d}",
}  # fmt: skip
_SUPPLIER_CODES = {
    "kingdee": "VEN{n:04d}",
    "u8": "02{n:03d}",
    "yonbip": "17800000{n:011d}",
    "crm": "GYS{n:04d}",
}
_FULL = str.maketrans(
    "()0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-",
    "（）０１２３４５６７８９ＡＢＣＤＥＦＧＨＩＪＫＬＭＮＯＰＱＲＳＴＵＶＷＸＹＺ－",
)
_UNITS = {"u8": {"公斤": "kg", "个": "只", "台": "台"}, "mes": {"公斤": "KG", "个": "PC", "台": "SET", "件": "PC", "块": "PC", "米": "M", "支": "PC", "套": "SET"},
          "sap": {"台": "ST", "支": "ST", "套": "SET", "个": "ST"}}  # fmt: skip


@dataclass(frozen=True)
class Spelled:
    """A party as one record of one system. `number` is its true identity: for the answer key, never for a store."""

    code: str
    number: str
    name: str
    credit_code: str | None
    phone: str
    address: str
    contact: str
    city: str
    country: str
    created_at: datetime
    modified_at: datetime
    disabled: bool
    place: int  # in the system's whole list, from 1: a later record does not change it


@dataclass(frozen=True)
class SpelledProduct:
    """A product as one system codes it; `product` is its true code, `old_code` what it was called before a recoding."""

    code: str
    product: str
    name: str
    spec: str
    unit: str
    old_code: str | None
    created_at: datetime


class Spelling:
    """Codes and names by system. The systems: crm, kingdee, u8, mes, wms, sap, shop, shopify, yonbip, salesforce, jira …"""

    def __init__(self, world: World) -> None:
        self.world = world
        self._known: dict[tuple[str, str], list[Spelled]] = {}
        self._by_number: dict[tuple[str, str], dict[str, list[Spelled]]] = {}

    def customers(self, system: str) -> list[Spelled]:
        return self._spelled("customer", system, self.world.history.customers)

    def foreign_customers(self, system: str) -> list[Spelled]:
        return self._spelled("foreign", system, self.world.history.foreign_customers)

    def suppliers(self, system: str) -> list[Spelled]:
        return self._spelled("supplier", system, self.world.history.suppliers)

    def customer_code(self, system: str, number: str, document: str) -> str:
        """The code that a document (by its number) uses for a customer, whom the system may have keyed in twice."""
        kind = "foreign" if number.startswith("F") else "customer"
        return self._code(kind, system, number, document)

    def supplier_code(self, system: str, number: str, document: str) -> str:
        return self._code("supplier", system, number, document)

    def products(self, system: str) -> list[SpelledProduct]:
        return list(self._products(system).values())

    def product_code(self, system: str, code: str) -> str:
        return self._products(system)[code].code

    def employee_id(self, system: str, number: str) -> str:
        """Ids of people differ by system, and say nothing of each other."""
        n = int(number[2:])
        return {
            "crm": f"R-{n:03d}", "kingdee": f"{100 + n}", "u8": f"P{n:03d}", "feishu": f"ou_{_hex(self.world.seed, 'feishu', n)}",
            "dingtalk": f"manager{n:04d}" if n == 1 else f"{_hex(self.world.seed, 'ding', n)[:16]}", "wecom": f"wc{n:03d}",
            "jira": f"5b10{_hex(self.world.seed, 'jira', n)[:20]}", "mingdao": f"{_hex(self.world.seed, 'md', n)[:8]}-md",
            "h3yun": f"{_hex(self.world.seed, 'h3', n)[:8]}-h3yun", "yonbip": f"19000000{n:011d}",
            "salesforce": f"005HC{n:010d}AAA", "mes": f"OP{n:03d}", "hr": number, "sap": f"{n:08d}",
        }.get(system, number)  # fmt: skip

    # --- parties ---

    def _code(self, kind: str, system: str, number: str, document: str) -> str:
        every = {"customer": self.customers, "foreign": self.foreign_customers, "supplier": self.suppliers}[
            kind
        ](system)
        found = self._by_number.setdefault((kind, system), {})
        if not found:
            for item in every:
                found.setdefault(item.number, []).append(item)
        records = found[number]
        return records[random.Random(f"{self.world.seed}:{system}:{document}").randrange(len(records))].code

    def _spelled(self, kind: str, system: str, parties: list[Party]) -> list[Spelled]:
        if (kind, system) not in self._known:
            every = self._records(kind, system, parties)
            self._known[kind, system] = list(self._keyed_in(every) if self.world.whole else every)
        return self._known[kind, system]

    def _keyed_in(self, every: Iterable[Spelled]) -> Iterator[Spelled]:
        """The records that are there by the last day, as they were made if they were changed only after it."""
        for item in every:
            if local_day(item.created_at) <= self.world.last:
                later = local_day(item.modified_at) > self.world.last
                yield replace(item, modified_at=item.created_at) if later else item

    def _records(self, kind: str, system: str, parties: list[Party]) -> Iterator[Spelled]:
        pattern = (_SUPPLIER_CODES if kind == "supplier" else _CODES).get(system, "{n}")
        n = 0
        # Every system has met them in another order, so codes say nothing of each other.
        order = {
            party.number: random.Random(f"{self.world.seed}:{system}:order:{party.number}").random()
            for party in parties
        }
        for party in sorted(parties, key=lambda item: order[item.number]):
            dice = random.Random(f"{self.world.seed}:{system}:{party.number}")
            twice = kind != "supplier" and dice.random() < _TWICE.get(system, 0.0)
            for record in range(2 if twice else 1):
                n += 1
                created = (
                    _noon(party.since, dice)
                    if not record
                    else _noon(
                        min(
                            party.since + timedelta(days=dice.randrange(200, 500)),
                            # A record is there before the first document that may name it.
                            max(self.world.first - timedelta(days=1), party.since),
                        ),
                        dice,
                    )
                )
                free = _FREE.get(system, 0.3) * (1.5 if record else 1)
                modified = created + timedelta(days=dice.randrange(0, 40), minutes=dice.randrange(1, 900))
                # The second record lacks what nobody had at hand.
                code_known = dice.random() < (0.25 if record else {"crm": 0.5, "jira": 0.0}.get(system, 0.85))
                yield Spelled(
                    pattern.format(n=n), party.number, self._name(party, dice, free),
                    party.credit_code if code_known else None, _phone(party.phone, dice, free),
                    party.address if dice.random() > free / 3 else party.address.replace("市", ""),
                    party.contact, party.city, party.country, created, modified,
                    disabled=bool(party.merged_on and party.merged_on <= self.world.last) and system == "u8",
                    place=n,
                )  # fmt: skip

    def _name(self, party: Party, dice: random.Random, free: float) -> str:
        name = party.name
        if dice.random() > free:
            return name
        if party.country != "CN":
            return dice.choice(
                (name.upper(), name.replace("GmbH", "Gmbh"), name + " ", name.replace(" & ", "&"))
            )
        ways = [
            name.replace("有限责任公司", "有限公司"), name.replace("（集团）", "集团"), name.removeprefix(party.city),
            f"{party.city}市{name.removeprefix(party.city)}", name.replace("（", "(").replace("）", ")"), f" {name}",
            name.translate(_FULL), f"{name.removeprefix(party.city)}（{party.city}）", party.short,
        ]  # fmt: skip
        # A short name alone is what people say, not what they bill.
        return dice.choice(ways if free > 0.5 else ways[:-1])

    # --- products ---

    @cached_property
    def _cache(self) -> dict[str, dict[str, SpelledProduct]]:
        return {}

    def _products(self, system: str) -> dict[str, SpelledProduct]:
        if system not in self._cache:
            self._cache[system] = {
                item.code: self._product(system, item, place)
                for place, item in enumerate(self.world.products, start=1)
            }
        return self._cache[system]

    def _product(self, system: str, item: Product, place: int) -> SpelledProduct:
        dice = random.Random(f"{self.world.seed}:{system}:{item.code}")
        group = "01" if item.kind == "material" else "02"
        code = {
            "kingdee": f"{group}.{place:04d}", "u8": f"{group}{place:03d}", "mes": f"P{place:04d}", "wms": f"P{place:04d}",
            "sap": f"{100000 + place}", "shop": f"HC-{item.code.replace('-', '')}", "shopify": f"HCE-{item.code}", "salesforce": f"01tHC{place:010d}AAA",
        }.get(system, item.code)  # fmt: skip
        old = f"{item.code.replace('-', '')}-{dice.randrange(10, 99)}" if dice.random() < 0.3 else None
        name = (
            item.name
            if dice.random() < 0.6
            else f"{item.name}{item.spec}"
            if system != "sap"
            else item.name.upper()
        )
        spec = item.spec.translate(_FULL) if dice.random() < 0.25 else item.spec
        created = _noon(self.world.first - timedelta(days=dice.randrange(100, 900)), dice)
        return SpelledProduct(
            code, item.code, name, spec, _UNITS.get(system, {}).get(item.unit, item.unit), old, created
        )


def _phone(phone: str, dice: random.Random, free: float) -> str:
    if dice.random() > free:
        return phone
    return dice.choice(
        (f"+86 {phone}", f"{phone[:3]}-{phone[3:7]}-{phone[7:]}", f"86{phone}", phone.translate(_FULL))
    )


def _noon(day: date, dice: random.Random) -> datetime:
    """An instant of a working day (09:00 to 18:00 in Shanghai)."""
    return datetime.combine(day, time(1, 0), UTC) + timedelta(seconds=dice.randrange(0, 9 * 3600))


def _hex(*parts: object) -> str:
    return f"{random.Random(':'.join(map(str, parts))).getrandbits(128):032x}"
