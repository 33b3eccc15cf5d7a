"""Salesforce as one org answers it: client credentials, SOQL with `query` and `queryAll`, describe, the daily limit.

A table of the store is an object; rows whose `IsDeleted` is 1 show in `queryAll` only. Options: `client_id`,
`client_secret`; `version` (v68.0), `page_size` (2000), `locator_seconds` (172800: how long a query's further pages are
kept), `session_seconds` (7200), `api_limit` (100000 calls a day, told in a header).
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sandbox.emulators.server import Call, Emulator, Refusal, Reply
from sandbox.emulators.values import canonical
from sandbox.store import Field, Table

TOKEN = "/services/oauth2/token"
_SOQL = re.compile(
    r"select\s+(?P<fields>.+?)\s+from\s+(?P<object>\w+)(?:\s+where\s+(?P<where>.+?))?"
    r"(?:\s+order\s+by\s+(?P<order>.+?))?(?:\s+limit\s+(?P<limit>\d+))?\s*",
    re.IGNORECASE | re.DOTALL,
)
_TERM = re.compile(
    r"(?P<field>\w+)\s*(?P<op><=|>=|!=|=|<|>)\s*(?P<value>'(?:[^'\\]|\\.)*'|[\w:.+-]+)\s*", re.DOTALL
)
_KINDS = {
    "text": "string",
    "integer": "int",
    "decimal": "currency",
    "date": "date",
    "instant": "datetime",
    "flag": "boolean",
    "choice": "picklist",
    "list": "multipicklist",
}
# Compound fields: their parts come separately as well.
_COMPOUND = {"BillingAddress": ("BillingStreet", "BillingCity", "BillingCountry")}


@dataclass(frozen=True)
class _Query:
    table: str
    fields: tuple[str, ...]
    where: str
    values: tuple[Any, ...]
    order: str
    total: int
    until: float


class Salesforce(Emulator):
    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self.locators: dict[str, _Query] = {}

    def answer(self, call: Call) -> Reply:
        if call.path == TOKEN:
            return self._token(call)
        if not self.alive(call.headers.get("authorization", "").removeprefix("Bearer ")):
            raise Refusal(_failure("INVALID_SESSION_ID", "Session expired or invalid", 401))
        root = f"/services/data/{self.options.get('version', 'v68.0')}/"
        if not call.path.startswith(root) or call.method != "GET":
            raise Refusal(_failure("NOT_FOUND", "The requested resource does not exist", 404))
        parts = call.path.removeprefix(root).strip("/").split("/")
        used = {"Sforce-Limit-Info": f"api-usage={len(self.calls)}/{self.options.get('api_limit', '100000')}"}
        if parts[0] in ("query", "queryAll") and len(parts) == 1:
            query = self._parsed(call.query.get("q", ""), parts[0] == "queryAll")
            return Reply(self._page(query, 0, root), headers=used)
        if parts[0] in ("query", "queryAll") and len(parts) == 2:
            name, _, offset = parts[1].rpartition("-")
            found = self.locators.get(name)
            if found is None or found.until < self.now():
                raise Refusal(_failure("INVALID_QUERY_LOCATOR", "invalid query locator"))
            return Reply(self._page(found, int(offset), root, name), headers=used)
        if parts == ["sobjects"]:
            return Reply({"encoding": "UTF-8", "sobjects": [_listed(t) for t in self._granted()]})
        if len(parts) == 3 and parts[0] == "sobjects" and parts[2] == "describe":
            return Reply(_described(self._object(parts[1])))
        raise Refusal(_failure("NOT_FOUND", "The requested resource does not exist", 404))

    def is_counted(self, call: Call) -> bool:
        return call.path != TOKEN

    def rate_error(self, call: Call) -> Reply:
        return _failure("SERVER_UNAVAILABLE", "Server temporarily unavailable", 503)

    def quota_error(self, call: Call) -> Reply:
        return _failure("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", 403)

    def _token(self, call: Call) -> Reply:
        asked = call.form
        if asked.get("grant_type") != "client_credentials":
            return Reply(
                {"error": "unsupported_grant_type", "error_description": "grant type not supported"}, 400
            )
        if any(asked.get(name) != self.options[name] for name in ("client_id", "client_secret")):
            return Reply({"error": "invalid_client", "error_description": "invalid client credentials"}, 400)
        token = self.issue(float(self.options.get("session_seconds", "7200")))
        said = {"access_token": token, "instance_url": self.address, "token_type": "Bearer"}
        return Reply(said | {"issued_at": str(int(self.now() * 1000)), "scope": "api"})

    # --- what is asked -----------------------------------------------------------------------------

    def _granted(self) -> list[Table]:
        return [table for name, table in self.tables.items() if not self.is_revoked(name)]

    def _object(self, name: str) -> Table:
        """One that is not granted is as if it were not there."""
        found = next((table for table in self._granted() if table.name.lower() == name.lower()), None)
        if found is None:
            raise Refusal(_failure("INVALID_TYPE", f"sObject type '{name}' is not supported."))
        return found

    def _parsed(self, soql: str, everything: bool) -> _Query:
        found = _SOQL.fullmatch(soql.strip())
        if found is None:
            raise Refusal(_failure("MALFORMED_QUERY", "unexpected token"))
        table = self._object(found["object"])
        names = tuple(name.strip() for name in found["fields"].split(","))
        for name in names:
            if name not in _COMPOUND:
                self._field(table, name)
        parts, values = ["true"], []
        if not everything and any(field.name == "IsDeleted" for field in table.fields):
            parts.append('"IsDeleted" = 0')
        for term in re.split(r"\s+and\s+", found["where"] or "", flags=re.IGNORECASE):
            if not term.strip():
                continue
            said = _TERM.fullmatch(term.strip())
            if said is None:
                raise Refusal(_failure("MALFORMED_QUERY", f"unexpected token: {term.strip()[:30]}"))
            field = self._field(table, said["field"])
            column = self.column(table.name, field.name)
            column = f"cast({column} as real)" if field.kind == "decimal" else column
            parts.append(f"{column} {said['op']} ?")
            values.append(_literal(field, said["value"]))
        order = ""
        for part in filter(None, map(str.strip, (found["order"] or "").split(","))):
            name, _, way = part.partition(" ")
            way = way.strip() if way.strip().lower() in ("asc", "desc") else ""
            order += f"{self.column(table.name, self._field(table, name).name)} {way}, "
        where = " and ".join(parts)
        total = self.count(table.name, where, values)
        if found["limit"]:
            total = min(total, int(found["limit"]))
        until = self.now() + float(self.options.get("locator_seconds", "172800"))
        return _Query(table.name, names, where, tuple(values), f"{order}rowid", total, until)

    def _field(self, table: Table, name: str) -> Field:
        found = next((field for field in table.fields if field.name.lower() == name.lower()), None)
        if found is None:
            words = f"No such column '{name}' on entity '{table.name}'."
            raise Refusal(_failure("INVALID_FIELD", words))
        return found

    # --- what is answered --------------------------------------------------------------------------

    def _page(self, query: _Query, offset: int, root: str, locator: str = "") -> dict[str, Any]:
        size = min(int(self.options.get("page_size", "2000")), query.total - offset)
        found = self.rows(query.table, query.where, query.values, query.order, size, offset)
        kinds = {field.name: field for field in self.tables[query.table].fields}
        rows = []
        for row in found:
            said = {"attributes": {"type": query.table, "url": f"{root}sobjects/{query.table}/{row['Id']}"}}
            for name in query.fields:
                said[name] = (
                    {part.removeprefix("Billing").lower(): row[part] for part in _COMPOUND[name]}
                    if name in _COMPOUND
                    else _written(kinds[name], row[name])
                )
            rows.append(said)
        after = offset + len(found)
        answer: dict[str, Any] = {"totalSize": query.total, "done": after >= query.total}
        if not answer["done"]:
            if not locator:
                locator = f"01g{secrets.token_hex(7)}"
                self.locators[locator] = query
            answer["nextRecordsUrl"] = f"{root}query/{locator}-{after}"  # `query`, also of a queryAll
        return answer | {"records": self.page(rows, query.table)}


def _literal(field: Field, text: str) -> Any:
    quoted = text.startswith("'")
    try:
        if field.kind == "instant" and not quoted:
            return canonical(datetime.fromisoformat(text))
        if field.kind == "date" and not quoted and re.fullmatch(r"\d{4}-\d\d-\d\d", text):
            return text
        if field.kind == "flag" and text.lower() in ("true", "false"):
            return int(text.lower() == "true")
        if field.kind in ("decimal", "integer") and not quoted:
            return float(text)
        if field.kind in ("text", "choice", "list") and quoted:
            return re.sub(r"\\(.)", r"\1", text[1:-1])
    except ValueError:
        pass
    words = f"value of filter criterion for field '{field.name}' must be of type {_KINDS[field.kind]}"
    raise Refusal(_failure("INVALID_FIELD", words))


def _written(field: Field, value: Any) -> Any:
    if value is None:
        return None
    if field.kind == "instant":
        return value.replace("Z", ".000+0000")
    if field.kind == "flag":
        return bool(value)
    return Decimal(value) if field.kind == "decimal" else value


def _listed(table: Table) -> dict[str, Any]:
    return {"name": table.name, "label": table.title, "queryable": True, "custom": table.name.endswith("__c")}


def _described(table: Table) -> dict[str, Any]:
    names = {field.name for field in table.fields}
    fields = [_field(field) for field in table.fields]
    for name, parts in _COMPOUND.items():
        if names.issuperset(parts):
            fields.append({"name": name, "label": name, "type": "address", "compoundFieldName": None})
    return _listed(table) | {"fields": fields}


def _field(field: Field) -> dict[str, Any]:
    kind = "id" if field.name == "Id" else "reference" if field.refers else _KINDS[field.kind]
    compound = next((name for name, parts in _COMPOUND.items() if field.name in parts), None)
    return {
        "name": field.name,
        "type": "phone" if field.name == "Phone" else kind,
        "label": field.title,
        "length": 18 if kind in ("id", "reference") else 255 if kind == "string" else 0,
        "precision": 18 if field.kind == "decimal" else 0,
        "scale": 2 if field.kind == "decimal" else 0,
        "nillable": not field.required,
        "compoundFieldName": compound,
        "referenceTo": [field.refers] if field.refers else [],
        "picklistValues": [{"value": v, "label": words, "active": True} for v, words in field.options],
    }


def _failure(code: str, message: str, status: int = 400) -> Reply:
    return Reply([{"message": message, "errorCode": code}], status)
