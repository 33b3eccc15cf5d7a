"""SAP S/4HANA over OData, V2 and V4. `object` is `API_SALES_ORDER_SRV/A_SalesOrder` (V2), `api_salesorder/srvd_a2x/sap/
salesorder/0001/SalesOrder` (V4); lines are read with their document: `…/A_SalesOrder/to_Item`, `…/SalesOrder/_Item`.

Pages are the server's (1000 or 5000 rows, with or without telling): its link is followed, its count is compared.
The link may forget `sap-client`, so the client is sent as a header too. Times: an instant is UTC, a day has no zone and
comes as its midnight in UTC, so the source's `timezone` stays UTC. Cursor: `LastChangeDateTime` (lateness 1 h), or
`LastChangeDate` (days: lateness 48 h; with `CreationDate` behind it, for what never changed has none). Deletions leave
no trace: `deletes: keys`; lines are replaced as a set with their document.
429, 503 and 500 are asked again; 401 is a wrong user (nothing more is asked, lest it be locked), 403 a communication
scenario or authorisation that is missing (other streams go on), 404 a service that is not active, 400 a property that
is not there. S/4 Cloud's rate limit is not published: two requests at a time.
Unverified, so an option: the path of OAuth's token (`token_url`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from sources.connectors.connector import Ask, Connector, ObjectMeta, Option, source_names
from sources.connectors.sap_metadata import Service

TOKEN = "/sap/bc/sec/oauth2/token"
_PARENT = "parent."
_MEANS = {
    "http 400": "A property that is not there (any more), or a filter the service cannot do: compare the columns' "
    "`from` with the service's $metadata.",
    "http 401": "The user or the password is wrong or locked, or the user is not of this client (option `client`).",
    "http 403": "The communication scenario of this service (or, on premises, the authorisation S_SERVICE) is missing: "
    "the SAP administrator adds it to the communication arrangement.",
    "http 404": "The service is not active, or has no such set. The SAP administrator activates it "
    "(/IWFND/MAINT_SERVICE, V4: /IWFND/V4_ADMIN); check `object` of the stream.",
}
# How an instant or a day is written in a filter, by the column's type: V2, V4.
_LITERALS = {
    "timestamptz": (("datetimeoffset'{since}'", "%Y-%m-%dT%H:%M:%SZ"), ("{since}", "%Y-%m-%dT%H:%M:%SZ")),
    "timestamp": (("datetime'{since}'", "%Y-%m-%dT%H:%M:%S"), ("{since}", "%Y-%m-%dT%H:%M:%SZ")),
    "date": (("datetime'{since}'", "%Y-%m-%dT00:00:00"), ("{since}", "%Y-%m-%d")),
}
# What a company usually reads; services that are not granted or not active are left out by discovery.
USUAL = (
    "API_SALES_ORDER_SRV/A_SalesOrder", "API_SALES_ORDER_SRV/A_SalesOrder/to_Item",
    "API_PURCHASEORDER_PROCESS_SRV/A_PurchaseOrder", "API_PURCHASEORDER_PROCESS_SRV/A_PurchaseOrder/to_PurchaseOrderItem",
    "API_OUTBOUND_DELIVERY_SRV;v=0002/A_OutbDeliveryHeader", "API_OUTBOUND_DELIVERY_SRV;v=0002/A_OutbDeliveryItem",
    "API_BILLING_DOCUMENT_SRV/A_BillingDocument", "API_BILLING_DOCUMENT_SRV/A_BillingDocument/to_Item",
    "API_MATERIAL_DOCUMENT_SRV/A_MaterialDocumentHeader", "API_MATERIAL_DOCUMENT_SRV/A_MaterialDocumentItem",
    "API_MATERIAL_STOCK_SRV/A_MatlStkInAcctMod", "API_PRODUCTION_ORDER_2_SRV/A_ProductionOrder_2",
    "API_BUSINESS_PARTNER/A_BusinessPartner", "API_BUSINESS_PARTNER/A_Customer", "API_BUSINESS_PARTNER/A_Supplier",
    "API_PRODUCT_SRV/A_Product", "API_PRODUCT_SRV/A_ProductDescription",
    "API_OPLACCTGDOCITEMCUBE_SRV/A_OperationalAcctgDocItemCube", "API_SUPPLIERINVOICE_PROCESS_SRV/A_SupplierInvoice",
)  # fmt: skip


@dataclass(frozen=True)
class EntitySet:
    """What `object` names; `inside` is the navigation from a document to its lines."""

    service: str
    name: str
    inside: str | None
    v4: bool

    @property
    def root(self) -> str:
        return f"/sap/opu/odata{'4' if self.v4 else ''}/sap/{self.service}"

    @property
    def path(self) -> str:
        return f"{self.root}/{self.name}"

    @property
    def records(self) -> str | None:
        """Where the lines are in a row of the document."""
        return self.inside if self.v4 or self.inside is None else f"{self.inside}.results"


def entity_set(said: str) -> EntitySet:
    """Raises: ValueError if `object` is not written so."""
    parts = said.strip("/").split("/")
    v4 = any(part.startswith("srvd") for part in parts)
    cut = next(place for place, part in enumerate(parts) if part.startswith("srvd")) + 4 if v4 else 1
    if not all(parts) or len(parts) - cut not in (1, 2):
        raise ValueError(
            f"object {said!r}: write <service>/<entity set>, for lines with the property that leads to them, as in "
            f"API_SALES_ORDER_SRV/A_SalesOrder/to_Item"
        )
    return EntitySet("/".join(parts[:cut]), parts[cut], parts[cut + 1] if len(parts) - cut == 2 else None, v4)


class Sap(Connector):
    """The address of the connection is that of the host, without `/sap`."""

    vendor: ClassVar[str] = "sap"
    zh: ClassVar[str] = "SAP S/4HANA"
    en: ClassVar[str] = "SAP S/4HANA (OData)"
    timezone: ClassVar[str] = "UTC"
    module: ClassVar[str] = "finance"
    options: ClassVar[tuple[Option, ...]] = (
        Option("user", "通信用户（或技术用户）", "Communication user, or technical user; empty with OAuth", default=""),
        Option("password", "密码", "Password", secret=True, default=""),
        Option("client", "集团（sap-client）", "SAP client", default="100"),
        Option("client_id", "OAuth 客户端（不用密码时）", "OAuth client, in place of user and password", default=""),
        Option("client_secret", "OAuth 密钥", "OAuth client's secret", secret=True, default=""),
        Option("token_url", "OAuth 令牌路径", "Path of OAuth's token", default=TOKEN),
    )  # fmt: skip
    limits: ClassVar[Mapping[str, Any]] = {"concurrency": 2, "timeout": "60s", "retries": 3}
    missing: ClassVar[tuple[str, ...]] = ("",)

    def http(self, document: Mapping[str, Any]) -> dict[str, Any]:
        said = self.settings(document)
        wanted = ("client_id", "client_secret") if said["client_id"] else ("user", "password")
        if lacking := [name for name in wanted if not said[name]]:
            raise ValueError(f"connection.options.{lacking[0]}: SAP needs it; or say client_id for OAuth")
        basic = wanted[0] == "user"
        auth = {"kind": "basic", "username": said["user"], "password": said["password"]}
        oauth = {"kind": "oauth2", "url": said["token_url"], "send": "basic"}
        return {
            "auth": auth if basic else {**oauth, **{name: said[name] for name in wanted}},
            "params": {"sap-client": said["client"]},
            "headers": {"sap-client": said["client"]},
            "errors": {
                "message": "error.message.value",
                "scope": ["http 403"],
                "means": _MEANS,
                **({"denied": ["http 401"]} if basic else {}),
            },
        }

    def request(self, name: str, stream: Mapping[str, Any], document: Mapping[str, Any]) -> dict[str, Any]:
        try:
            entity = entity_set(str(stream["object"]))
        except ValueError as error:
            raise ValueError(f"streams.{name}: {error}") from None
        times: dict[str, Any] = {} if entity.v4 else {"numbers": "ms"}
        if entity.inside:
            return {
                "from": entity.path,
                "request": {"parent": _document_of(name, stream, document), "records": entity.records}
                | ({"times": times} if times else {}),
            }
        names = source_names(stream)
        key = [names[column] for column in _listed(stream.get("key")) if column in names]
        fields = list(dict.fromkeys(names.values()))
        lines = _lines(str(stream["object"]), document)
        wanted = [field for own in lines.values() for field in own]
        fields += [
            path for field in wanted if (path := field.removeprefix(_PARENT)) != field and path not in fields
        ]
        inner = {way: [field for field in own if not field.startswith(_PARENT)] for way, own in lines.items()}
        count = {"$count": "true"} if entity.v4 else {"$inlinecount": "allpages", "$format": "json"}
        fixed = {"$orderby": ",".join(key), **count}
        since, form = _since(stream, names, entity.v4)
        if (stream.get("request") or {}).get("span"):  # asked piece by piece, so each piece has an end
            upto = since.replace(" ge ", " le ").replace("{since}", "{to}")
            since = f"({since}) and ({upto})"
        request = {
            "params": {
                **_selected(fields, inner, entity.v4),
                **fixed,
                **({"$filter": since} if since else {}),
            },
            "records": "value" if entity.v4 else "d.results",
            "total": "@odata.count" if entity.v4 else "d.__count",
            "paging": {"kind": "next_link", "next": "@odata.nextLink" if entity.v4 else "d.__next"},
            "times": {**times, **({"format": form, "timezone": "UTC"} if form else {})},
        }
        if stream.get("deletes") == "keys":
            request["keys"] = {"params": {"$select": ",".join(key), **fixed}}
        return {"from": entity.path, "request": request}

    # --- what the system says of itself ---

    def discover(self, ask: Ask, objects: Iterable[str] | None = None) -> list[ObjectMeta]:
        """Entity sets from each service's $metadata; None: of the usual services those that are active and granted."""
        from tieout.ingest.errors import SourceError

        wanted = list(USUAL if objects is None else objects)
        if not wanted:
            return self._first(ask)
        # lines are read with their document
        above = [said.rpartition("/")[0] for said in wanted if entity_set(said).inside]
        wanted = list(dict.fromkeys([*above, *wanted]))
        found: list[ObjectMeta] = []
        services: dict[str, Service | None] = {}
        refused: SourceError | None = None
        for said in wanted:
            entity = entity_set(said)
            if entity.root not in services:
                try:
                    services[entity.root] = _service(ask, entity)
                except SourceError as error:
                    if objects is not None:
                        raise
                    services[entity.root], refused = None, error
            service = services[entity.root]
            if service is not None and (objects is not None or service.has(entity.name)):
                found.append(service.described(said, entity.name, entity.inside))
        if not found and refused:
            raise refused
        return found

    def _first(self, ask: Ask) -> list[ObjectMeta]:
        """Proves the account by the first usual service that answers."""
        from tieout.ingest.errors import SourceError

        refused: SourceError | None = None
        for root in dict.fromkeys(entity_set(said).root for said in USUAL):
            try:
                ask("get", f"{root}/", params={"$format": "json"})
                return []
            except SourceError as error:
                refused = error
        assert refused
        raise refused


def _service(ask: Ask, entity: EntitySet) -> Service:
    # Labels are texts of the language that is asked for.
    document = ask(
        "get",
        f"{entity.root}/$metadata",
        params={"sap-language": "ZH"},
        headers={"Accept": "application/xml"},
    )
    try:
        return Service(document, entity.v4)
    except (ValueError, KeyError) as error:
        from tieout.ingest.errors import SourceError

        raise SourceError(
            f"{entity.root}/$metadata: no metadata this reads: {error}. Nothing was drafted for it."
        ) from None


def _document_of(name: str, stream: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    """The stream of the documents that these lines are in. Raises: ValueError."""
    above = str(stream["object"]).rpartition("/")[0]
    for other, item in document["streams"].items():
        if isinstance(item, Mapping) and item.get("object") == above:
            return other
    raise ValueError(f"streams.{name}: lines are read with their document; add a stream with object: {above}")


def _lines(above: str, document: Mapping[str, Any]) -> dict[str, list[str]]:
    """What the streams inside a document read of it, by the property that leads there."""
    found: dict[str, list[str]] = {}
    for item in document["streams"].values():
        said = item.get("object") if isinstance(item, Mapping) else None
        if isinstance(said, str) and said.rpartition("/")[0] == above and item.get("columns"):
            found.setdefault(said.rpartition("/")[2], []).extend(dict.fromkeys(source_names(item).values()))
    return found


def _selected(fields: list[str], lines: dict[str, list[str]], v4: bool) -> dict[str, str]:
    """`$select` and `$expand`: exactly the wanted fields, of the documents and of their lines."""
    if v4:
        said = {"$select": ",".join(fields)}
        ways = [f"{way}($select={','.join(dict.fromkeys(own))})" for way, own in lines.items()]
    else:
        inner = [f"{way}/{field}" for way, own in lines.items() for field in dict.fromkeys(own)]
        said, ways = {"$select": ",".join([*fields, *inner])}, list(lines)
    return said | ({"$expand": ",".join(ways)} if ways else {})


def _since(stream: Mapping[str, Any], names: dict[str, str], v4: bool) -> tuple[str, str]:
    """The filter for what changed, and how the instant in it is written; empty texts without a cursor."""
    columns = [column for column in _listed(stream.get("cursor")) if column in names]
    if not columns:
        return "", ""
    said = stream["columns"][columns[0]]
    kind = said.get("type") if isinstance(said, Mapping) else said
    literal, form = _LITERALS.get(str(kind), _LITERALS["timestamptz"])[v4]
    return " or ".join(f"{names[column]} ge {literal}" for column in columns), form


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or ())
