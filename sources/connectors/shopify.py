"""Shopify's GraphQL Admin API: `object` is a root connection (`orders`), or one inside it (`orders/lineItems`).

Cursor `updatedAt` (lateness 10 min), sorted by it; instants are UTC. Deletions leave no trace: `deletes: keys`. The
number of rows is asked for beside them (option `count`) and compared. An order with more lines than are asked for at once
(option `lines`) is set aside by the rule on `more_lines`, which this connector adds: raise the option then.
Errors come with HTTP 200: THROTTLED is asked again (100 points a second), ACCESS_DENIED is a scope that is missing (other
streams go on), MAX_COST_EXCEEDED a query of more than 1000 points (lower `page` or `lines`); 401 is a wrong token. Without
the scope `read_all_orders` only orders of the last 60 days come, and nobody says so.
Unverified, so options: what a connection costs (`page`, `lines`), and whether the count sees what the scope does not
(`count: no` if pulls are refused for it). Buyers' names and addresses may be masked: no one is matched by them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from sources.connectors.connector import Ask, Connector, FieldMeta, ObjectMeta, Option, source_names

VERSION, PAGE, LINES, KEYS = "2026-01", "10", "40", 250
_PATH = "/admin/api/{}/graphql.json"
_PARENT = "parent."
_MEANS = {
    "ACCESS_DENIED": "An access scope is missing: the message names it; add it to the app and install the app again.",
    "MAX_COST_EXCEEDED": "The query is worth more than 1000 points: lower the options `page` or `lines`.",
    "undefinedField": "A field is not there (any more) in this version of the API: compare the columns' `from`.",
    "http 401": "The access token is wrong, or the app was removed from the shop.",
    "http 402": "The shop is frozen: its bill is not paid.",
    "http 404": "The shop's name or the API's version is wrong (versions end after a year): check connection.url and "
    "the option `version`.",
}
# Object → type, and what counts it.
_TYPES = {
    "orders": ("Order", "ordersCount", "订单"),
    "products": ("Product", "productsCount", "商品"),
    "customers": ("Customer", "customersCount", "客户"),
    "orders/lineItems": ("LineItem", None, "订单行"),
}


class Shopify(Connector):
    """The address is the shop's own, `https://<shop>.myshopify.com`."""

    vendor: ClassVar[str] = "shopify"
    zh: ClassVar[str] = "Shopify"
    en: ClassVar[str] = "Shopify"
    timezone: ClassVar[str] = "UTC"
    module: ClassVar[str] = "sales"
    options: ClassVar[tuple[Option, ...]] = (
        Option("access_token", "应用的访问令牌", "Access token of the app", secret=True, example="shpat_…"),
        Option("version", "接口版本", "API version", default=VERSION),
        Option("page", "每页对象数", "Objects a page", default=PAGE),
        Option("lines", "每个对象的明细上限", "Lines asked for with an object", default=LINES),
        Option("count", "是否核对总数（yes 或 no）", "Compare the number of rows: yes or no", default="yes"),
    )
    limits: ClassVar[Mapping[str, Any]] = {"concurrency": 1, "timeout": "60s", "retries": 8}

    def http(self, document: Mapping[str, Any]) -> dict[str, Any]:
        token = self.settings(document)["access_token"]
        return {
            "auth": {"kind": "header", "name": "X-Shopify-Access-Token", "value": token},
            "errors": {
                "code": "errors.0.extensions.code",
                "message": "errors.0.message",
                "retry": ["THROTTLED", "INTERNAL_SERVER_ERROR"],
                "denied": ["http 401"],
                "scope": ["ACCESS_DENIED"],
                "means": _MEANS,
            },
        }

    def request(self, name: str, stream: Mapping[str, Any], document: Mapping[str, Any]) -> dict[str, Any]:
        said = self.settings(document)
        path = _PATH.format(said["version"])
        above, _, inside = str(stream["object"]).partition("/")
        if inside:
            parent = _stream_of(name, above, document)
            return {"from": path, "request": {"parent": parent, "records": f"{inside}.nodes"}}
        names = source_names(stream)
        key = [names[column] for column in _listed(stream.get("key")) if column in names]
        cursor = [names[column] for column in _listed(stream.get("cursor")) if column in names]
        lines = _lines(above, document)
        wanted = [
            *names.values(),
            *(
                field.removeprefix(_PARENT)
                for own in lines.values()
                for field in own
                if field.startswith(_PARENT)
            ),
        ]
        ways = [
            f"{way}(first: {_number(said, 'lines')}) {{ pageInfo {{ hasNextPage }} nodes {{ "
            f"{selection([field for field in own if not field.startswith(_PARENT)])} }} }}"
            for way, own in lines.items()
        ]
        own = [field for field in wanted if field.partition(".")[0] not in lines]
        counter = _TYPES.get(above, ("", None, ""))[1] if said["count"] != "no" else None
        variables: dict[str, Any] = {"size": "{size}", "after": "{cursor}"}
        since = {"q": f"{_snake(cursor[0])}:>='{{since}}'"} if cursor else {}
        paging = {
            "kind": "cursor",
            "next": f"data.{above}.pageInfo.endCursor",
            "more": f"data.{above}.pageInfo.hasNextPage",
        }
        request: dict[str, Any] = {
            "method": "post",
            "body": {
                "query": _query(above, " ".join([selection(own), *ways]), counter, bool(cursor)),
                "variables": {**variables, **since},
            },
            "records": f"data.{above}.nodes",
            "paging": {**paging, "size": _number(said, "page")},
            "times": {"format": "%Y-%m-%dT%H:%M:%SZ", "timezone": "UTC"},
        }
        if counter:
            request["total"] = f"data.{counter}.count"
        if stream.get("deletes") == "keys":
            body = {"query": _query(above, selection(key), counter, False), "variables": variables}
            request["keys"] = {"body": body, "paging": {**paging, "size": KEYS}}
        made: dict[str, Any] = {"from": path, "request": request}
        if lines:
            made["columns"] = {
                f"more_{_snake(way)}" if len(lines) > 1 else "more_lines": {
                    "from": f"{way}.pageInfo.hasNextPage",
                    "type": "text",
                    "pattern": "^false$",
                    "title": {"zh": "还有未取的明细行", "en": "There are more lines than were asked for"},
                }
                for way in lines
            }
        return made

    # --- what the system says of itself ---

    def discover(self, ask: Ask, objects: Iterable[str] | None = None) -> list[ObjectMeta]:
        """Objects from the API's introspection, which shows every type, granted or not."""
        path = _PATH.format(VERSION)
        wanted = list(("orders", "orders/lineItems") if objects is None else objects)
        if not wanted:
            ask("post", path, body={"query": "{ shop { name } }"})
            return []
        above = [name.partition("/")[0] for name in wanted if "/" in name]  # lines are read with their object
        return [_object(ask, path, name) for name in dict.fromkeys([*above, *wanted])]


def _object(ask: Ask, path: str, name: str) -> ObjectMeta:
    from tieout.ingest.errors import SourceError

    kind, _, title = _TYPES.get(name, (name.rpartition("/")[2].removesuffix("s").title(), None, name))
    fields = "fields { name description type { kind name ofType { kind name } } }"
    answer = ask("post", path, body={"query": f'{{ __type(name: "{kind}") {{ name {fields} }} }}'})
    said = (answer.get("data") or {}).get("__type")
    if not said:
        raise SourceError(f"{name}: the API has no type {kind}. Nothing was drafted for it. Check `object`.")
    made = [field for item in said["fields"] for field in _fields(item)]
    above = name.partition("/")[0] if "/" in name else None
    if above is None:
        cursor = ("updated_at",) if any(item.id == "updated_at" for item in made) else ()
        more = {"deletes": "keys", "lateness": "10m"} if cursor else None
        return ObjectMeta(name, title, tuple(made), ("id",), cursor, stream=more)
    carried = (
        FieldMeta("parent_id", "parent.id", "上级对象 ID", "ID", "text", required=True),
        FieldMeta("parent_updated_at", "parent.updatedAt", "上级对象更新时间", "DateTime", "timestamptz"),
    )
    return ObjectMeta(
        name, title, (*carried, *made), ("parent_id", "id"), ("parent_updated_at",), parent=above, stream={"lateness": "10m"}
    )  # fmt: skip


_SCALARS = {
    "ID": "text", "String": "text", "URL": "text", "Boolean": "boolean", "Int": "bigint", "UnsignedInt64": "bigint", "Float": "double",
    "DateTime": "timestamptz", "Date": "date", "Decimal": "decimal(24, 6)", "Money": "decimal(24, 6)", "CurrencyCode": "text",
}  # fmt: skip
_PERSONAL = re.compile(r"(email|phone|firstName|lastName|displayName|clientIp|note)$", re.IGNORECASE)


def _fields(item: Mapping[str, Any]) -> list[FieldMeta]:
    """A field as columns: scalars, and money in the shop's currency; objects and connections are left out."""
    name, kind = item["name"], item["type"]
    needed = kind["kind"] == "NON_NULL"
    kind = kind["ofType"] if needed else kind
    title = (item.get("description") or name).splitlines()[0][:60]
    if kind["name"] == "MoneyBag":
        path = f"{name}.shopMoney"
        return [
            FieldMeta(
                ascii_id(name), f"{path}.amount", title, "MoneyBag", "decimal(24, 6)", currency=f"{ascii_id(name)}_currency"
            ),
            FieldMeta(f"{ascii_id(name)}_currency", f"{path}.currencyCode", f"{title}（币种）", "CurrencyCode", "text"),
        ]  # fmt: skip
    if kind["kind"] not in {"SCALAR", "ENUM"}:
        return []
    proposal = _SCALARS.get(kind["name"], "text")
    known = kind["kind"] == "ENUM" or kind["name"] in _SCALARS
    return [
        FieldMeta(
            ascii_id(name), name, title, kind["name"], proposal, required=name == "id", personal=bool(_PERSONAL.search(name)),
            doubt=None if known else f"the type {kind['name']} is not known; text loses nothing",
        )
    ]  # fmt: skip


def selection(paths: Iterable[str]) -> str:
    """Fields as GraphQL names them: `a.b`, `a.c`, `d` → `a { b c } d`. With blanks, for `{b}` would be a placeholder."""
    tree: dict[str, Any] = {}
    for path in paths:
        node = tree
        for step in path.split("."):
            node = node.setdefault(step, {})
    return _written(tree)


def _written(tree: dict[str, Any]) -> str:
    return " ".join(f"{name} {{ {_written(below)} }}" if below else name for name, below in tree.items())


def _query(root: str, fields: str, counter: str | None, sorted_: bool) -> str:
    order = ", sortKey: UPDATED_AT" if sorted_ else ", sortKey: ID"
    counted = f" {counter}(query: $q, limit: null) {{ count }}" if counter else ""
    return (
        f"query($size: Int!, $after: String, $q: String) {{ {root}(first: $size, after: $after{order}, query: $q) "
        f"{{ pageInfo {{ hasNextPage endCursor }} nodes {{ {fields} }} }}{counted} }}"
    )


def _stream_of(name: str, above: str, document: Mapping[str, Any]) -> str:
    for other, item in document["streams"].items():
        if isinstance(item, Mapping) and item.get("object") == above:
            return other
    raise ValueError(f"streams.{name}: it is read with its {above}; add a stream with object: {above}")


def _lines(above: str, document: Mapping[str, Any]) -> dict[str, list[str]]:
    """What the streams inside an object read, by the connection that leads there."""
    found: dict[str, list[str]] = {}
    for item in document["streams"].values():
        said = item.get("object") if isinstance(item, Mapping) else None
        if isinstance(said, str) and said.startswith(f"{above}/") and item.get("columns"):
            found.setdefault(said.partition("/")[2], []).extend(dict.fromkeys(source_names(item).values()))
    return found


def ascii_id(name: str) -> str:
    """`totalPriceSet` → `total_price`."""
    return _snake(name.removesuffix("Set"))


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _number(said: Mapping[str, str], name: str) -> int:
    text = said[name]
    if not text.isdigit() or not 1 <= int(text) <= KEYS:
        raise ValueError(f"connection.options.{name}: {text!r} is no number from 1 to {KEYS}")
    return int(text)


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or ())
