"""`$metadata` of a service: EDMX with SAP's labels, in the words of V2 (attributes) or V4 (annotations).

Which field holds the unit or currency of an amount is known by the names SAP uses.
"""

from __future__ import annotations

from xml.sax.saxutils import quoteattr

from sandbox.store import Field, Table

_V2 = {
    "text": ("Edm.String", ""), "choice": ("Edm.String", ""), "list": ("Edm.String", ""), "integer": ("Edm.Int32", ""),
    "decimal": ("Edm.Decimal", ' Precision="24" Scale="4"'), "date": ("Edm.DateTime", ' Precision="0" sap:display-format="Date"'),
    "instant": ("Edm.DateTimeOffset", ' Precision="0"'), "flag": ("Edm.Boolean", ' sap:display-format="UpperCase"'),
}  # fmt: skip
_V4 = {
    "text": ("Edm.String", ""), "choice": ("Edm.String", ""), "list": ("Edm.String", ""), "integer": ("Edm.Int32", ""),
    "decimal": ("Edm.Decimal", ' Precision="24" Scale="4"'), "date": ("Edm.Date", ""),
    "instant": ("Edm.DateTimeOffset", ""), "flag": ("Edm.Boolean", ""),
}  # fmt: skip
_CURRENCIES = ("TransactionCurrency", "DocumentCurrency", "CompanyCodeCurrency")
_UNITS = ("RequestedQuantityUnit", "BillingQuantityUnit", "PurchaseOrderQuantityUnit", "BaseUnit")

# The property that leads from a document to its lines.
NAVIGATION = {
    "A_SalesOrderItem": "to_Item", "A_BillingDocumentItem": "to_Item", "A_PurchaseOrderItem": "to_PurchaseOrderItem",
    "A_ProductDescription": "to_Description", "SalesOrderItem": "_Item", "PurchaseOrderItem": "_PurchaseOrderItem",
    "ProductDescription": "_ProductDescription",
}  # fmt: skip


def entity(table: Table) -> str:
    """The entity set's own name: `API_SALES_ORDER_SRV/A_SalesOrder` → `A_SalesOrder`."""
    return table.name.rpartition("/")[2]


def measure(table: Table, field: Field) -> str | None:
    """The field that says in which currency or unit a decimal is."""
    if field.kind != "decimal":
        return None
    known = _UNITS if "Quantity" in field.name else _CURRENCIES
    names = {item.name for item in table.fields}
    return next((name for name in known if name in names), None)


def edmx(service: str, tables: list[Table], v4: bool) -> str:
    """The document."""
    namespace = service.rpartition("/")[2] if not v4 else f"com.sap.gateway.srvd_a2x.{service.split('/')[-2]}"
    types = "".join(_type(table, tables, namespace, v4) for table in tables)
    sets = "".join(
        f"<EntitySet Name={quoteattr(entity(t))} EntityType={quoteattr(f'{namespace}.{entity(t)}Type')}/>"
        for t in tables
    )
    container = (
        f'<EntityContainer Name="{"Container" if v4 else service + "_Entities"}">{sets}</EntityContainer>'
    )
    links = "" if v4 else "".join(_association(table, tables, namespace) for table in tables if table.parent)
    said = "".join(_annotations(table, namespace) for table in tables) if v4 else ""
    if v4:
        return (
            '<?xml version="1.0" encoding="utf-8"?><edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx">'
            f'<edmx:DataServices><Schema Namespace={quoteattr(namespace)} xmlns="http://docs.oasis-open.org/odata/ns/edm">'
            f"{types}{container}{said}</Schema></edmx:DataServices></edmx:Edmx>"
        )
    return (
        '<?xml version="1.0" encoding="utf-8"?><edmx:Edmx Version="1.0" xmlns:edmx="http://schemas.microsoft.com/ado/2007/06/edmx"'
        ' xmlns:m="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata" xmlns:sap="http://www.sap.com/Protocols/SAPData">'
        f'<edmx:DataServices m:DataServiceVersion="2.0"><Schema Namespace={quoteattr(namespace)} xmlns="http://schemas.microsoft.com/ado/2008/09/edm">'
        f"{types}{links}{container}</Schema></edmx:DataServices></edmx:Edmx>"
    )


def _type(table: Table, tables: list[Table], namespace: str, v4: bool) -> str:
    key = "".join(f"<PropertyRef Name={quoteattr(name)}/>" for name in table.key)
    made = "".join(_property(table, field, v4) for field in table.fields)
    for child in tables:
        if child.parent != table.name:
            continue
        name = NAVIGATION[entity(child)]
        if v4:
            made += f'<NavigationProperty Name="{name}" Type="Collection({namespace}.{entity(child)}Type)"/>'
        else:
            ends = f'FromRole="FromRole_{name}" ToRole="ToRole_{name}"'
            made += (
                f'<NavigationProperty Name="{name}" Relationship="{namespace}.assoc_{entity(child)}" {ends}/>'
            )
    return f"<EntityType Name={quoteattr(entity(table) + 'Type')}><Key>{key}</Key>{made}</EntityType>"


def _property(table: Table, field: Field, v4: bool) -> str:
    kind, more = (_V4 if v4 else _V2)[field.kind]
    said = f"<Property Name={quoteattr(field.name)} Type={quoteattr(kind)}{more}"
    if field.name in table.key:
        said += ' Nullable="false"'
    if not v4:
        said += f" sap:label={quoteattr(field.title)}"
        if unit := measure(table, field):
            said += f" sap:unit={quoteattr(unit)}"
        if field.name in _CURRENCIES:
            said += ' sap:semantics="currency-code"'
    return said + "/>"


def _association(child: Table, tables: list[Table], namespace: str) -> str:
    parent = next(item for item in tables if item.name == child.parent)
    name = NAVIGATION[entity(child)]
    return (
        f'<Association Name="assoc_{entity(child)}">'
        f'<End Type="{namespace}.{entity(parent)}Type" Multiplicity="1" Role="FromRole_{name}"/>'
        f'<End Type="{namespace}.{entity(child)}Type" Multiplicity="*" Role="ToRole_{name}"/></Association>'
    )


def _annotations(table: Table, namespace: str) -> str:
    said = ""
    for field in table.fields:
        term = f'<Annotation Term="com.sap.vocabularies.Common.v1.Label" String={quoteattr(field.title)}/>'
        if unit := measure(table, field):
            name = "Unit" if "Quantity" in field.name else "ISOCurrency"
            term += f'<Annotation Term="Org.OData.Measures.V1.{name}" Path={quoteattr(unit)}/>'
        target = f"{namespace}.{entity(table)}Type/{field.name}"
        said += f"<Annotations Target={quoteattr(target)}>{term}</Annotations>"
    return said
