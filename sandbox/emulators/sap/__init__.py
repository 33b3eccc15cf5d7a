"""SAP S/4HANA's gateway as one tenant answers it: OData V2 and V4, `$metadata`, Basic or OAuth2, one client.

A table of the store is an entity set, named `<service>/<set>` below `/sap/opu/odata/sap/`, or, where the name holds
`srvd_a2x`, below `/sap/opu/odata4/sap/`; a table with a `parent` is expanded by the property `NAVIGATION` names.

Options: `user`, `password`, `client`; `client_id`, `client_secret` for OAuth2. What the sheet leaves open:
`page_size` (1000: rows a V2 page without $top), `top_max` (5000: and with it), `page_size_v4` (5000), `retry_after`
(seconds of a 429, left out if empty). A next link keeps the query's own options only, so not `sap-client`; a request
without one is for client `default_client` (000).
"""

from __future__ import annotations

import base64
import binascii
import re
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from sandbox.emulators.sap.filters import FilterError, condition, ordering
from sandbox.emulators.sap.metadata import NAVIGATION, edmx, entity
from sandbox.emulators.server import Call, Emulator, Refusal, Reply
from sandbox.emulators.values import epoch
from sandbox.store import Field, Table

V2, V4 = "/sap/opu/odata/sap/", "/sap/opu/odata4/sap/"
TOKEN = "/sap/bc/sec/oauth2/token"
TOKEN_SECONDS = 3600.0
_SHARED = {"$filter", "$top", "$skip", "$skiptoken", "$expand", "$select", "$orderby", "$format"}
_OPTIONS = {False: _SHARED | {"$inlinecount"}, True: _SHARED | {"$count"}}
_EXPANDED = re.compile(r"\s*(\w+)(?:\(([^()]*)\))?\s*(?:,|$)")


class Sap(Emulator):
    def answer(self, call: Call) -> Reply:
        if call.path == TOKEN and call.method == "POST":
            return self._token(call)
        self._let_in(call)
        root = next((item for item in (V2, V4) if call.path.startswith(item)), None)
        if root is None:
            return Reply("<html><body>404 Not Found</body></html>", 404)
        v4, asked = root == V4, call.path.removeprefix(root).rstrip("/")
        tables = {name: table for name, table in self.tables.items() if ("srvd_a2x" in name) == v4}
        service = next(
            (item for item in map(_service, tables) if asked == item or asked.startswith(f"{item}/")), None
        )
        if service is None or call.method != "GET":
            raise Refusal(
                _error(v4, 404, "/IWFND/MED/170", f"No service found for {asked.partition('/')[0]}")
            )
        own = [table for name, table in tables.items() if _service(name) == service]
        if any(self.is_revoked(table.name) for table in own):
            raise Refusal(_error(v4, 403, "/IWFND/MED/403", f"No authorization to access service {service}"))
        if asked == service:
            names = [entity(table) for table in own]
            return Reply(
                {"value": [{"name": n, "url": n} for n in names]} if v4 else {"d": {"EntitySets": names}}
            )
        if asked == f"{service}/$metadata":
            return Reply(edmx(service, own, v4).encode(), headers={"Content-Type": "application/xml"})
        if asked not in tables:
            message = f"Resource not found for the segment '{asked.rpartition('/')[2]}'"
            raise Refusal(_error(v4, 404, "/IWBEP/CM_MGW_RT/021", message))
        if "json" not in call.headers.get("accept", "") and call.query.get("$format") != "json":
            return Reply('<feed xmlns="http://www.w3.org/2005/Atom"/>')
        return _Query(self, call, tables[asked], v4).reply()

    def is_counted(self, call: Call) -> bool:
        return call.path != TOKEN

    def rate_error(self, call: Call) -> Reply:
        after = self.options.get("retry_after")
        return Reply(
            _error(False, 429, "429", "Too many requests").body, 429, {"Retry-After": after} if after else {}
        )

    # --- who asks ----------------------------------------------------------------------------------

    def _token(self, call: Call) -> Reply:
        pair = _basic(call) or (call.form.get("client_id", ""), call.form.get("client_secret", ""))
        if "client_id" not in self.options or pair != (
            self.options["client_id"],
            self.options["client_secret"],
        ):
            return Reply(
                {"error": "invalid_client", "error_description": "Client authentication failed"}, 401
            )
        token = self.issue(TOKEN_SECONDS)
        return Reply({"access_token": token, "token_type": "Bearer", "expires_in": str(int(TOKEN_SECONDS))})

    def _let_in(self, call: Call) -> None:
        client = call.query.get("sap-client") or call.headers.get("sap-client")
        here = (client or self.options.get("default_client", "000")) == self.options["client"]
        token = call.headers.get("authorization", "").removeprefix("Bearer ")
        known = _basic(call) == (self.options["user"], self.options["password"]) or self.alive(token)
        if not (here and known):
            page = (
                "<html><head><title>Logon failed</title></head><body>Anmeldung fehlgeschlagen</body></html>"
            )
            raise Refusal(Reply(page, 401, {"WWW-Authenticate": 'Basic realm="SAP NetWeaver"'}))


class _Query:
    """One question to one entity set."""

    def __init__(self, sap: Sap, call: Call, table: Table, v4: bool) -> None:
        self.sap, self.call, self.table, self.v4 = sap, call, table, v4
        self.query = call.query
        unknown = [name for name in self.query if name.startswith("$") and name not in _OPTIONS[v4]]
        if unknown:
            self._refuse(f"The query option '{unknown[0]}' is not supported")
        service = _service(table.name)
        self.children = {
            NAVIGATION[entity(item)]: item
            for item in sap.tables.values()
            if item.parent == table.name and _service(item.name) == service
        }
        self.wanted, self.expanded = self._selected()

    def reply(self) -> Reply:
        where, values = self._where()
        total = self.sap.count(self.table.name, where, values)
        start, limit, linked = self._window(total)
        found = self.sap.rows(self.table.name, where, values, self._order(), limit, start)
        rows = self.sap.page(self._dressed(found), self.table.name)
        return Reply(self._envelope(rows, total, start + limit if linked else None))

    def _envelope(self, rows: list[dict[str, Any]], total: int, token: int | None) -> dict[str, Any]:
        link = None
        if token is not None:
            # the query's own options alone: what else was in the address (sap-client) is lost
            kept = {key: text for key, text in self.query.items() if key.startswith("$")} | {
                "$skiptoken": str(token)
            }
            link = "&".join(f"{key}={quote(text, safe='')}" for key, text in kept.items())
        if self.v4:
            said: dict[str, Any] = {"@odata.context": f"$metadata#{entity(self.table)}"}
            if self.query.get("$count") == "true":
                said["@odata.count"] = total
            said["value"] = rows
            return said | ({"@odata.nextLink": f"{entity(self.table)}?{link}"} if link else {})
        inner: dict[str, Any] = {}
        if self.query.get("$inlinecount") == "allpages":
            inner["__count"] = str(total)
        inner["results"] = rows
        return {"d": inner | ({"__next": f"{self.sap.address}{self.call.path}?{link}"} if link else {})}

    # --- what is asked -----------------------------------------------------------------------------

    def _window(self, total: int) -> tuple[int, int, bool]:
        """Where the page begins, how many rows it may hold, and whether the server goes on with a link."""
        options = self.sap.options
        start = int(self.query.get("$skiptoken") or self.query.get("$skip") or 0)
        if "$top" in self.query:
            return start, min(int(self.query["$top"]), int(options.get("top_max", "5000"))), False
        size = int(
            options.get("page_size_v4", "5000") if self.v4 else options.get("page_size", "1000")
        )  # seldom asked
        if asked := re.search(r"odata\.maxpagesize=(\d+)", self.call.headers.get("prefer", "")):
            size = min(size, int(asked[1])) if self.v4 else size
        return start, size, start + size < total

    def _where(self) -> tuple[str, list[Any]]:
        try:
            return condition(self.query.get("$filter", ""), self.v4, self._find, self._column)
        except FilterError as error:
            self._refuse(str(error))
            raise

    def _order(self) -> str:
        key = ", ".join(self._column(name) for name in self.table.key)
        if "$orderby" not in self.query:
            # pages by $skip have no order of their own: they need not fit together
            return "rowid desc" if int(self.query.get("$skip") or 0) else key
        try:
            return f"{ordering(self.query['$orderby'], self._find, self._column)}, {key}"
        except FilterError as error:
            self._refuse(str(error))
            raise

    def _selected(self) -> tuple[list[Field], dict[str, list[Field]]]:
        """The fields wanted of a row, and of the rows it is expanded by."""
        chosen = [name.strip() for name in self.query.get("$select", "").split(",") if name.strip()]
        inner: dict[str, list[str]] = {}
        if self.v4:
            for name, options in _EXPANDED.findall(self.query.get("$expand", "")):
                said = dict(part.partition("=")[::2] for part in options.split(";") if part)
                inner[name] = [item.strip() for item in said.get("$select", "").split(",") if item.strip()]
        else:
            inner = {name.strip(): [] for name in self.query.get("$expand", "").split(",") if name.strip()}
            for path in [item for item in chosen if "/" in item]:
                head, _, tail = path.partition("/")
                if head not in inner:
                    self._refuse(f"'{head}' of $select is not expanded")
                inner[head].append(tail)
            chosen = [name for name in chosen if "/" not in name and name not in self.children]
        for name in inner:
            if name not in self.children:
                self._unknown(name)
        fields = [self._find(name) for name in chosen] if chosen else list(self.table.fields)
        expanded = {
            name: [self._find(item, self.children[name]) for item in names]
            or list(self.children[name].fields)
            for name, names in inner.items()
        }
        return fields, expanded

    def _find(self, name: str, table: Table | None = None) -> Field:
        try:
            return (table or self.table).field(name)
        except StopIteration:
            self._unknown(name)
            raise

    def _column(self, name: str) -> str:
        return self.sap.column(self.table.name, name)

    # --- what is answered --------------------------------------------------------------------------

    def _dressed(self, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
        rows = [self._row(self.table, self.wanted, row) for row in found]
        for name, fields in self.expanded.items():
            child = self.children[name]
            (key,) = self.table.key
            below: dict[Any, list[dict[str, Any]]] = {row[key]: [] for row in found}
            marks = ", ".join("?" * len(below))
            where = f"{self.sap.column(child.name, str(child.link))} in ({marks})"
            for row in self.sap.rows(child.name, where, tuple(below)):
                below[row[str(child.link)]].append(self._row(child, fields, row))
            for row, true in zip(rows, found, strict=True):
                row[name] = below[true[key]] if self.v4 else {"results": below[true[key]]}
        if not self.v4 and "$select" not in self.query:
            for row in rows:
                for name in self.children.keys() - self.expanded.keys():
                    row[name] = {"__deferred": {"uri": f"{row['__metadata']['uri']}/{name}"}}
        return rows

    def _row(self, table: Table, fields: list[Field], row: dict[str, Any]) -> dict[str, Any]:
        made = {field.name: self._written(field, row[field.name]) for field in fields}
        if self.v4:
            return made
        keys = ",".join(f"{name}='{row[name]}'" for name in table.key)
        uri = f"{self.sap.address}{V2}{table.name}({keys})"
        kind = f"{_service(table.name)}.{entity(table)}Type"
        return {"__metadata": {"id": uri, "uri": uri, "type": kind}} | made

    def _written(self, field: Field, value: Any) -> Any:
        if field.kind in ("text", "choice", "list"):
            return value or ""
        if value is None:
            return None
        if field.kind == "flag":
            return bool(value)
        if self.v4:
            exact = "ieee754compatible=true" in self.call.headers.get("accept", "").lower()
            return Decimal(value) if field.kind == "decimal" and not exact else value
        if field.kind == "date":
            return f"/Date({epoch(value + 'T00:00:00Z') * 1000})/"
        return f"/Date({epoch(value) * 1000}+0000)/" if field.kind == "instant" else value

    def _unknown(self, name: str) -> None:
        self._refuse(f"Property {name} not found in type {entity(self.table)}Type", "/IWBEP/CM_TEA/004")

    def _refuse(self, message: str, code: str = "/IWBEP/CM_MGW_RT/176") -> None:
        raise Refusal(_error(self.v4, 400, code, message))


def _service(table: str) -> str:
    return table.rpartition("/")[0]


def _basic(call: Call) -> tuple[str, str] | None:
    kind, _, said = call.headers.get("authorization", "").partition(" ")
    if kind != "Basic":
        return None
    try:
        user, _, password = base64.b64decode(said, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return user, password


def _error(v4: bool, status: int, code: str, message: str) -> Reply:
    """An error in the words of the version; only the sheet's own code (unknown property) is certain."""
    if v4:
        return Reply({"error": {"code": code, "message": message, "details": []}}, status)
    detail = {"code": code, "message": message, "severity": "error"}
    inner = {"transactionid": "4F1C0E5A2B3D0170E0065FA0B1C2D3E4", "errordetails": [detail]}
    return Reply(
        {"error": {"code": code, "message": {"lang": "en", "value": message}, "innererror": inner}}, status
    )
