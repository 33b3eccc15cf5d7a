"""Shopify's GraphQL Admin API as one shop answers it: connections by cursor, calculated cost, errors with HTTP 200.

A table of the store is a root connection (`orders`) or one inside it (`orders/lineItems`, linked by a field that begins
with `__` and is not shown). Field names with dots are objects (`totalPriceSet.shopMoney.amount`).

Options: `access_token`, `version` (2026-01); what the sheet leaves open: `max_cost` (1000 points a query), `first_max`
(250), `read_all_orders` (1; 0: only what was created in the last 60 days shows), `shuffle` (1: without sortKey, the
order is none that anybody asked for).
"""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sandbox.emulators.server import Call, Emulator, Refusal, Reply
from sandbox.emulators.shopify.language import Malformed, Node, parsed
from sandbox.emulators.values import canonical
from sandbox.store import Field, Table

TYPES = {"orders": "Order", "orders/lineItems": "LineItem", "products": "Product", "customers": "Customer"}
_SORTS = {"UPDATED_AT": "updatedAt", "CREATED_AT": "createdAt", "ID": "id"}
_FILTERS = {"updated_at": "updatedAt", "created_at": "createdAt"}
_TERM = re.compile(r"(\w+):(>=|<=|>|<)?'?([^'\s]+)'?")
_KINDS = {"text": "String", "integer": "Int", "decimal": "Decimal", "date": "Date", "instant": "DateTime", "flag": "Boolean",
          "choice": "String", "list": "String"}  # fmt: skip
_AVAILABLE, _RESTORED = 2000, 100  # points, and points a second


class Shopify(Emulator):
    def answer(self, call: Call) -> Reply:
        if call.headers.get("x-shopify-access-token") != self.options["access_token"]:
            words = "[API] Invalid API key or access token (unrecognized login or wrong password)"
            raise Refusal(Reply({"errors": words}, 401))
        if (
            call.path != f"/admin/api/{self.options.get('version', '2026-01')}/graphql.json"
            or call.method != "POST"
        ):
            raise Refusal(Reply({"errors": "Not Found"}, 404))
        asked = call.json or {}
        try:
            nodes = parsed(str(asked.get("query", "")), asked.get("variables") or {})
        except Malformed as error:
            raise Refusal(_failure(str(error), "parseError")) from error
        cost = sum(self._cost(node) for node in nodes)
        if cost > int(self.options.get("max_cost", "1000")):
            raise Refusal(
                _failure(
                    f"Query cost is {cost}, which exceeds the single query max cost limit (1000).",
                    "MAX_COST_EXCEEDED",
                )
            )
        data = {node.name: self._root(node) for node in nodes}
        return Reply({"data": data, "extensions": _costs(cost)})

    def rate_error(self, call: Call) -> Reply:
        return Reply(_failure("Throttled", "THROTTLED").body | {"extensions": _costs(752, available=0)})

    # --- what is asked -----------------------------------------------------------------------------

    def _cost(self, node: Node) -> int:
        """A connection costs what it may bring: `first` times what is below."""
        inner = sum(self._cost(item) for item in node.below)
        first = node.arguments.get("first")
        return int(first) * (1 + inner) if isinstance(first, int) else inner

    def _root(self, node: Node) -> Any:
        if node.name == "__type":
            return self._type(node)
        if node.name == "shop":
            return {
                item.name: {"name": "Huachen Europe", "currencyCode": "EUR"}.get(item.name)
                for item in node.below
            }
        counted = node.name.removesuffix("Count")
        name = counted if counted in self.tables else node.name
        if name not in self.tables:
            self._unknown(node.name, "QueryRoot")
        if self.is_revoked(name):
            raise Refusal(
                _failure(
                    f"Access denied for {name} field. Required access: `read_{name}` access scope.",
                    "ACCESS_DENIED",
                )
            )
        where, values = self._where(name, node)
        if counted != node.name:
            return {"count": self.count(name, where, values), "precision": "EXACT"}
        return self._connection(self.tables[name], node, where, values)

    def _where(self, table: str, node: Node) -> tuple[str, list[Any]]:
        """What the search says; a term it does not know is ignored, as the vendor's search does."""
        parts, values = ["true"], []
        for name, operator, text in _TERM.findall(node.arguments.get("query") or ""):
            if name in _FILTERS:
                parts.append(f"{self.column(table, _FILTERS[name])} {operator or '='} ?")
                values.append(canonical(datetime.fromisoformat(text)))
        if table == "orders" and self.options.get("read_all_orders", "1") == "0":
            parts.append(f"{self.column(table, 'createdAt')} >= ?")
            values.append(canonical(datetime.fromtimestamp(self.now(), UTC) - timedelta(days=60)))
        return " and ".join(parts), values

    def _connection(self, table: Table, node: Node, where: str, values: list[Any]) -> dict[str, Any]:
        first, after = node.arguments.get("first"), node.arguments.get("after")
        if not isinstance(first, int) or not 0 < first <= int(self.options.get("first_max", "250")):
            raise Refusal(
                _failure(f"first must be between 1 and 250 on {node.name}", "argumentLiteralsIncompatible")
            )
        start = _offset(after) if after else 0
        sort = node.arguments.get("sortKey")
        order = "rowid desc" if self.options.get("shuffle") == "1" and not sort and start else "rowid"
        if sort:
            order = f"{self.column(table.name, _SORTS[sort])}, rowid"
        found = self.rows(table.name, where, values, order, first + 1, start)
        more, found = len(found) > first, found[:first]
        inner = node.child("nodes")
        dressed = [self._dressed(table, inner.below if inner else [], row) for row in found]
        end = _cursor(start + len(found)) if found else None
        page = {"hasNextPage": more, "endCursor": end, "hasPreviousPage": start > 0}
        made: dict[str, Any] = {}
        for item in node.below:
            if item.name == "pageInfo":
                made["pageInfo"] = {part.name: page.get(part.name) for part in item.below}
            elif item.name == "nodes":
                made["nodes"] = self.page(dressed, table.name) if "/" not in table.name else dressed
            else:
                self._unknown(item.name, f"{TYPES[table.name]}Connection")
        return made

    # --- what is answered --------------------------------------------------------------------------

    def _dressed(
        self, table: Table, nodes: list[Node], row: dict[str, Any], path: str = ""
    ) -> dict[str, Any]:
        fields = {field.name: field for field in table.fields if not field.name.startswith("__")}
        made: dict[str, Any] = {}
        for node in nodes:
            name = f"{path}{node.name}"
            child = self.tables.get(f"{table.name}/{node.name}")
            if child is not None and not path:
                where = f"{self.column(child.name, str(child.link))} = ?"
                made[node.name] = self._connection(child, node, where, [row[table.key[0]]])
            elif name in fields and not node.below:
                made[node.name] = _written(fields[name], row[name])
            elif node.below and any(item.startswith(f"{name}.") for item in fields):
                made[node.name] = self._dressed(table, node.below, row, f"{name}.")
            else:
                self._unknown(node.name, TYPES.get(table.name, table.name))
        return made

    def _type(self, node: Node) -> dict[str, Any] | None:
        """Introspection of a type: scalars, money, and connections."""
        wanted = node.arguments.get("name")
        table = next((table for name, table in self.tables.items() if TYPES.get(name) == wanted), None)
        if table is None:
            return None
        fields: dict[str, dict[str, Any]] = {}
        for item in table.fields:
            if item.name.startswith("__"):
                continue
            head, _, rest = item.name.partition(".")
            kind: dict[str, Any] = {
                "kind": "SCALAR",
                "name": "ID" if head == "id" else _KINDS[item.kind],
                "ofType": None,
            }
            if rest:
                money = rest.startswith("shopMoney")
                kind = {"kind": "OBJECT", "name": "MoneyBag" if money else head.title(), "ofType": None}
            elif item.required:
                kind = {"kind": "NON_NULL", "name": None, "ofType": kind}
            fields.setdefault(head, {"name": head, "description": item.title, "type": kind})
        for name in self.tables:
            if name.startswith(f"{table.name}/"):
                way = name.rpartition("/")[2]
                kind = {"kind": "OBJECT", "name": f"{TYPES[name]}Connection", "ofType": None}
                fields[way] = {"name": way, "description": self.tables[name].title, "type": kind}
        return {"name": wanted, "fields": list(fields.values())}

    def _unknown(self, name: str, kind: str) -> None:
        raise Refusal(_failure(f"Field '{name}' doesn't exist on type '{kind}'", "undefinedField"))


def _written(field: Field, value: Any) -> Any:
    if value is None:
        return None
    if field.kind == "flag":
        return bool(value)
    # money is text with its digits; other decimals are too
    return str(Decimal(value)) if field.kind == "decimal" else value


def _cursor(offset: int) -> str:
    return base64.b64encode(f'{{"last":{offset}}}'.encode()).decode()


def _offset(cursor: str) -> int:
    found = re.search(rb'"last":(\d+)', base64.b64decode(cursor))
    if found is None:
        raise Refusal(_failure("Invalid cursor for current pagination sort.", "BAD_REQUEST"))
    return int(found[1])


def _costs(requested: int, available: int = _AVAILABLE) -> dict[str, Any]:
    status = {"maximumAvailable": _AVAILABLE, "currentlyAvailable": available, "restoreRate": _RESTORED}
    return {"cost": {"requestedQueryCost": requested, "actualQueryCost": requested, "throttleStatus": status}}


def _failure(message: str, code: str) -> Reply:
    """An error as this API gives it: HTTP 200."""
    return Reply({"errors": [{"message": message, "extensions": {"code": code}}]})
