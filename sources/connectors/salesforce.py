"""Salesforce REST: an object is asked for in SOQL; `object` is its API name (`Opportunity`, `Order_Line__c`).

Cursor `SystemModstamp`, which moves with every change, also by automation (lateness 10 min); instants are UTC. A stream
that has `IsDeleted` is asked with `queryAll`, which names deleted and merged rows too, and says `deletes` by itself;
rows emptied from the recycle bin (15 days) are named no more, so pull more often, or say `deletes: keys`.
Pages are up to 2000 rows and may be less; `nextRecordsUrl` is followed, `totalSize` compared. Compound fields (address,
geolocation) are left out: their parts come separately.
A session that ends (401 INVALID_SESSION_ID) is renewed once. REQUEST_LIMIT_EXCEEDED: the org's calls of 24 hours are
used up, nothing more is asked. SERVER_UNAVAILABLE, QUERY_TIMEOUT and ConcurrentPerOrgLongTxn are asked again. An object
that is not granted is as if it were not there (INVALID_TYPE), and so is a field (INVALID_FIELD).
Unverified, so an option: the API's version (v68.0).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from sources.connectors.connector import Ask, Connector, FieldMeta, ObjectMeta, Option, source_names

TOKEN = "/services/oauth2/token"
VERSION = "v68.0"
_ROOT = "/services/data/{}/"
_BEFORE_ALL = "1999-01-01"  # the company was founded in that year
_MEANS = {
    "INVALID_TYPE": "The object is not there, or the integration user's profile may not read it: check `object`, then "
    "grant it in a permission set.",
    "INVALID_FIELD": "A field is not there (any more), or hidden from the integration user by field-level security: "
    "compare the columns' `from` with the object's fields.",
    "INVALID_SESSION_ID": "The token is refused even when new: the connected app or its user may not use the API.",
    "REQUEST_LIMIT_EXCEEDED": "The org's API calls of the last 24 hours are used up (Setup, Company Information); pull "
    "again tomorrow, or pull less often.",
    "INVALID_QUERY_LOCATOR": "Salesforce keeps a query's further pages for two days only: pull again.",
    "API_DISABLED_FOR_ORG": "This edition of Salesforce has no API, or the user lacks `API Enabled`.",
    "http 400": "If this is the login: client_id or client_secret is wrong, or the connected app has no client "
    "credentials flow with a user to run as.",
}
USUAL = (
    "Account", "Contact", "Lead", "Opportunity", "OpportunityLineItem", "OpportunityHistory", "Product2", "PricebookEntry",
    "Order", "OrderItem", "Contract", "Case", "User", "Campaign",
)  # fmt: skip


class Salesforce(Connector):
    """The address is the org's own (My Domain), `https://<my-domain>.my.salesforce.com`."""

    vendor: ClassVar[str] = "salesforce"
    zh: ClassVar[str] = "Salesforce"
    en: ClassVar[str] = "Salesforce"
    timezone: ClassVar[str] = "UTC"
    module: ClassVar[str] = "sales"
    options: ClassVar[tuple[Option, ...]] = (
        Option("client_id", "连接应用的使用者密钥", "Consumer key of the connected app", secret=True),
        Option("client_secret", "连接应用的使用者密码", "Consumer secret", secret=True),
        Option("version", "接口版本", "API version", default=VERSION),
    )
    limits: ClassVar[Mapping[str, Any]] = {"concurrency": 2, "timeout": "120s"}

    def http(self, document: Mapping[str, Any]) -> dict[str, Any]:
        said = self.settings(document)
        return {
            "auth": {
                "kind": "oauth2",
                "url": TOKEN,
                "client_id": said["client_id"],
                "client_secret": said["client_secret"],
            },
            "errors": {
                "code": "0.errorCode",
                "message": "0.message",
                "retry": ["SERVER_UNAVAILABLE", "QUERY_TIMEOUT", "ConcurrentPerOrgLongTxn"],
                "expired": ["INVALID_SESSION_ID"],
                "quota": ["REQUEST_LIMIT_EXCEEDED"],
                "scope": ["INVALID_TYPE", "API_DISABLED_FOR_ORG"],
                "means": _MEANS,
            },
        }

    def request(self, name: str, stream: Mapping[str, Any], document: Mapping[str, Any]) -> dict[str, Any]:
        names = source_names(stream)
        fields = list(dict.fromkeys(names.values()))
        key = [names[column] for column in _listed(stream.get("key")) if column in names]
        cursor = [names[column] for column in _listed(stream.get("cursor")) if column in names]
        deleted = next((column for column, field in names.items() if field == "IsDeleted"), None)
        query = _ROOT.format(self.settings(document)["version"]) + "query"
        since = f" WHERE {cursor[0]} >= {{since}}" if cursor else ""
        order = ", ".join(dict.fromkeys([*cursor[:1], *key]))
        request: dict[str, Any] = {
            "params": {"q": f"SELECT {', '.join(fields)} FROM {stream['object']}{since} ORDER BY {order}"},
            "records": "records",
            "total": "totalSize",
            "paging": {"kind": "next_link", "next": "nextRecordsUrl"},
        }
        if cursor:
            request |= {
                "beginning": _BEFORE_ALL,
                "times": {"format": "%Y-%m-%dT%H:%M:%SZ", "timezone": "UTC"},
            }
        if stream.get("deletes") == "keys":
            listed = ", ".join(key)
            request["keys"] = {
                "path": query,
                "params": {"q": f"SELECT {listed} FROM {stream['object']} ORDER BY {listed}"},
            }
        made = {"from": f"{query}All" if deleted else query, "request": request}
        return made | ({"deletes": {"column": deleted, "values": [True]}} if deleted else {})

    # --- what the system says of itself ---

    def discover(self, ask: Ask, objects: Iterable[str] | None = None) -> list[ObjectMeta]:
        """Objects from their describe; None: of the usual objects those that are granted."""
        root = _ROOT.format(VERSION) + "sobjects"
        wanted = None if objects is None else list(objects)
        listed = []
        if not wanted:
            answer = ask("get", root)
            listed = [item["name"] for item in answer.get("sobjects") or [] if item.get("queryable", True)]
            if wanted is not None:
                return []
        return [
            object_of(ask("get", f"{root}/{name}/describe"))
            for name in (wanted or [name for name in USUAL if name in listed])
        ]


def object_of(said: Mapping[str, Any]) -> ObjectMeta:
    """One object as its describe tells of it."""
    names = {item["name"] for item in said["fields"]}
    currency = "currency_iso_code" if "CurrencyIsoCode" in names else None
    made = [_field(item, currency) for item in said["fields"]]
    fields = tuple(item for item in made if item is not None)
    cursor = ("system_modstamp",) if "SystemModstamp" in names else ()
    more: dict[str, Any] = {"lateness": "10m"} if cursor else {}
    doubt = None
    if "IsDeleted" not in names:
        doubt = "deletions leave no trace: say `deletes: keys`" if cursor else None
    return ObjectMeta(
        said["name"],
        said.get("label") or said["name"],
        fields,
        ("id",),
        cursor,
        stream=more or None,
        doubt=doubt,
    )


_TYPES = {
    "boolean": "boolean", "int": "bigint", "long": "bigint", "date": "date", "datetime": "timestamptz", "time": "text",
}  # fmt: skip
_NUMBERS = {"currency", "double", "percent"}
_PERSONAL = {"phone", "email"}
_PERSONAL_NAMES = re.compile(r"^(FirstName|LastName|MobilePhone|Birthdate|MailingStreet|OtherStreet)$")


def ascii_id(name: str) -> str:
    """`CurrencyIsoCode` → `currency_iso_code`, `ERP_Order__c` → `erp_order_c`."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return re.sub(r"[^a-z0-9]+", "_", parted.lower()).strip("_")


def _field(item: Mapping[str, Any], currency: str | None) -> FieldMeta | None:
    """None for a compound, whose parts come separately, and for what is no value."""
    name, kind = item["name"], item["type"]
    if kind in {"address", "location", "base64", "complexvalue"}:
        return None
    proposal, doubt = _TYPES.get(kind, "text"), None
    if kind in _NUMBERS:
        digits, scale = item.get("precision") or 0, item.get("scale") or 0
        known = 1 <= digits <= 38 and scale <= digits
        proposal = f"decimal({digits}, {scale})" if known else "decimal(24, 6)"
        doubt = None if known else "the object names no precision"
    refers = (item.get("referenceTo") or [None])[0]
    return FieldMeta(
        id=ascii_id(name), path=name, title=item.get("label") or name, kind=kind, type=proposal,
        required=name == "Id",
        options=tuple((str(one["value"]), str(one["label"])) for one in item.get("picklistValues") or [] if one.get("active")),
        refers=refers, personal=kind in _PERSONAL or bool(_PERSONAL_NAMES.match(name)),
        unit="percent" if kind == "percent" else None, currency=currency if kind == "currency" else None, doubt=doubt,
    )  # fmt: skip


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or ())
