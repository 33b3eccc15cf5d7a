"""What SAP's `$metadata` (EDMX, V2 or V4) says of an entity set: fields, labels, keys, units, and a proposal for each.

The document is read as the door reads XML: elements by their local name, attributes as `@Name`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NoReturn

from sources.connectors.connector import FieldMeta, ObjectMeta

_TITLES = {
    "A_SalesOrder": "销售订单", "A_SalesOrderItem": "销售订单行", "SalesOrder": "销售订单", "SalesOrderItem": "销售订单行",
    "A_PurchaseOrder": "采购订单", "A_PurchaseOrderItem": "采购订单行", "PurchaseOrder": "采购订单", "PurchaseOrderItem": "采购订单行",
    "A_OutbDeliveryHeader": "交货单", "A_OutbDeliveryItem": "交货单行", "A_BillingDocument": "开票凭证",
    "A_BillingDocumentItem": "开票凭证行", "A_MaterialDocumentHeader": "物料凭证", "A_MaterialDocumentItem": "物料凭证行",
    "A_MatlStkInAcctMod": "库存", "A_BusinessPartner": "业务伙伴", "A_Customer": "客户", "A_Supplier": "供应商", "A_Product": "物料",
    "A_ProductDescription": "物料描述", "A_OperationalAcctgDocItemCube": "会计凭证行", "A_SupplierInvoice": "供应商发票",
    "A_ProductionOrder_2": "生产订单",
}  # fmt: skip
_PERSONAL = re.compile(
    r"(LastName|FirstName|PersonFullName|Phone|Mobile|Email|BirthDate|CreatedByUser|LastChangedByUser|StreetName)"
)
_TYPES = {
    "Edm.String": "text", "Edm.Guid": "text", "Edm.Boolean": "boolean", "Edm.Byte": "integer", "Edm.SByte": "integer",
    "Edm.Int16": "integer", "Edm.Int32": "integer", "Edm.Int64": "bigint", "Edm.Double": "double", "Edm.Single": "double",
    "Edm.Date": "date", "Edm.DateTimeOffset": "timestamptz", "Edm.TimeOfDay": "time",
}  # fmt: skip


def title_of(entity: str) -> str:
    """The Chinese title of a set this project knows; else its own name."""
    return _TITLES.get(entity, entity)


class Service:
    """One service's metadata. Raises: ValueError if the document is no EDMX."""

    def __init__(self, document: Any, v4: bool) -> None:
        services = document.get("DataServices") if isinstance(document, Mapping) else None
        if not isinstance(services, Mapping):
            raise ValueError("the answer is no $metadata document")
        schemas = _many(services.get("Schema"))
        self.v4 = v4
        self._types: dict[str, Mapping[str, Any]] = {}
        self._sets: dict[str, str] = {}
        self._ends: dict[tuple[str, str], str] = {}
        self._said: dict[str, dict[str, str]] = {}
        for schema in schemas:
            space = schema["@Namespace"]
            self._types |= {f"{space}.{item['@Name']}": item for item in _many(schema.get("EntityType"))}
            for container in _many(schema.get("EntityContainer")):
                self._sets |= {
                    item["@Name"]: item["@EntityType"] for item in _many(container.get("EntitySet"))
                }
            for link in _many(schema.get("Association")):
                for end in _many(link.get("End")):
                    self._ends[f"{space}.{link['@Name']}", end["@Role"]] = end["@Type"]
            for part in _many(schema.get("Annotations")):
                for item in _many(part.get("Annotation")):
                    term = item["@Term"].rpartition(".")[2]
                    self._said.setdefault(part["@Target"], {})[term] = item.get("@String") or item.get(
                        "@Path", ""
                    )

    def has(self, name: str) -> bool:
        return name in self._sets

    def described(self, said: str, name: str, inside: str | None) -> ObjectMeta:
        """An entity set, or the lines that its property `inside` leads to.

        Raises: tieout.ingest.errors.SourceError if the service has none by that name.
        """
        kind = self._sets.get(name)
        if kind is None:
            _refuse(f"{said}: the service has no set {name}; it has {', '.join(sorted(self._sets)[:20])}")
        above = self._fields(kind)
        keys, cursor = self._key(kind), _cursor(above)
        if inside is None:
            more = (
                {"deletes": "keys", "lateness": "48h" if cursor[0].type == "date" else "1h"}
                if cursor
                else None
            )
            return ObjectMeta(
                said, title_of(name), tuple(above), keys, tuple(item.id for item in cursor), stream=more
            )
        target = self._target(kind, inside)
        if target is None:
            _refuse(f"{said}: {name} has no property {inside} that leads to lines")
        lines = self._fields(target)
        own = {item.path for item in lines}
        # The document's key is taken from the document, so that lines which vanish from it are noticed.
        carried = [item for item in above if item.id in keys or item in cursor]
        carried = [_carried(item, item.path in own and item.id not in keys) for item in carried]
        kept = [item for item in lines if item.id not in keys]
        own_key = tuple(item for item in self._key(target) if item not in keys)
        entity = target.rpartition(".")[2].removesuffix("Type")
        ids = tuple(next(one.id for one in carried if one.path == f"parent.{item.path}") for item in cursor)
        return ObjectMeta(
            said, title_of(entity), (*carried, *kept), (*keys, *own_key), ids, parent=said.rpartition("/")[0],
            stream={"lateness": "48h" if cursor[0].type == "date" else "1h"} if cursor else None,
        )  # fmt: skip

    def _key(self, kind: str) -> tuple[str, ...]:
        refs = _many((self._types[kind].get("Key") or {}).get("PropertyRef"))
        return tuple(ascii_id(item["@Name"]) for item in refs)

    def _target(self, kind: str, way: str) -> str | None:
        for item in _many(self._types[kind].get("NavigationProperty")):
            if item["@Name"] == way and self.v4:
                found = re.fullmatch(r"Collection\((.+)\)", item["@Type"])
                return found[1] if found else None
            if item["@Name"] == way:
                return self._ends.get((item["@Relationship"], item["@ToRole"]))
        return None

    def _fields(self, kind: str) -> list[FieldMeta]:
        keys = self._key(kind)
        made = [self._field(kind, item, keys) for item in _many(self._types[kind].get("Property"))]
        return [item for item in made if item is not None]

    def _field(self, kind: str, item: Mapping[str, Any], keys: tuple[str, ...]) -> FieldMeta | None:
        name, edm = item["@Name"], item["@Type"]
        if edm in {"Edm.Binary", "Edm.Stream"} or not edm.startswith("Edm."):
            return None
        said = self._said.get(f"{kind}/{name}", {})
        unit = said.get("Unit") or said.get("ISOCurrency") or item.get("@unit")
        money = "ISOCurrency" in said or (unit is not None and "Currency" in unit)
        proposal, doubt = _proposal(item)
        return FieldMeta(
            id=ascii_id(name), path=name, title=said.get("Label") or item.get("@label") or name, kind=edm, type=proposal,
            required=ascii_id(name) in keys, personal=bool(_PERSONAL.search(name)),
            unit=ascii_id(unit) if unit and not money else None, currency=ascii_id(unit) if unit and money else None,
            doubt=doubt,
        )  # fmt: skip


def ascii_id(name: str) -> str:
    """`TotalNetAmount` → `total_net_amount`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).replace("__", "_").lower()


def _proposal(item: Mapping[str, Any]) -> tuple[str, str | None]:
    """A contract's type for a property, and what is not certain about it."""
    edm = item["@Type"]
    if edm == "Edm.Decimal":
        digits, scale = item.get("@Precision"), item.get("@Scale", "0")
        if digits and scale.isdigit() and 1 <= int(digits) <= 38 and int(scale) <= int(digits):
            return f"decimal({digits}, {scale})", None
        return "decimal(24, 6)", "the service names no scale"
    if edm == "Edm.DateTime":
        return ("date", None) if item.get("@display-format") == "Date" else ("timestamp", None)
    if edm == "Edm.Time":
        return "text", "a time of day such as PT14H30M00S"
    if edm == "Edm.String" and item["@Name"].endswith("DateTime"):
        return "text", "an instant kept as text: no cursor"
    return _TYPES.get(
        edm, "text"
    ), None if edm in _TYPES else f"the type {edm} is not known; text loses nothing"


def _cursor(fields: list[FieldMeta]) -> list[FieldMeta]:
    """The field that tells what changed since; a day alone has the day of creation behind it."""
    by_path = {item.path: item for item in fields}
    instant = by_path.get("LastChangeDateTime")
    if instant and instant.type == "timestamptz":
        return [instant]
    days = [by_path[name] for name in ("LastChangeDate", "CreationDate") if name in by_path]
    return days if len(days) == 2 and all(item.type == "date" for item in days) else []


def _carried(item: FieldMeta, renamed: bool) -> FieldMeta:
    """A field of the document in its lines; under another id where the lines have one of that name."""
    name = f"document_{item.id}" if renamed else item.id
    return FieldMeta(
        name, f"parent.{item.path}", item.title, item.kind, item.type, item.required, personal=item.personal
    )


def _many(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _refuse(words: str) -> NoReturn:
    from tieout.ingest.errors import SourceError

    raise SourceError(f"{words}. Nothing was drafted for it. Check `object` against the service's $metadata.")
