"""SAP: how an entity set becomes a request in V2 and V4, and what $metadata says of it."""

from __future__ import annotations

import pytest

from sandbox.emulators.sap.metadata import edmx
from sandbox.store import Field, Table
from sources.connectors.sap import Sap, entity_set
from sources.connectors.sap_metadata import Service, ascii_id
from tests.warehouse.drafted import document_of
from tieout.ingest.errors import SourceError

V4 = "api_purchaseorder_2/srvd_a2x/sap/purchaseorder/0001"
V2 = "API_PURCHASEORDER_PROCESS_SRV"


def document(streams: dict, **options: str) -> dict:
    options = options or {"user": "env:U", "password": "env:P", "client": "100"}
    return {"connector": "sap", "connection": {"options": options}, "streams": streams}


def orders(name: str, way: str) -> dict:
    return {
        "order": {
            "object": name,
            "key": ["po"],
            "cursor": "changed_at",
            "load": "incremental",
            "deletes": "keys",
            "columns": {
                "po": {"from": "PurchaseOrder", "type": "text"},
                "changed_at": {"from": "LastChangeDateTime", "type": "timestamptz"},
            },
        },
        "line": {
            "object": f"{name}/{way}",
            "key": ["po", "item"],
            "cursor": "changed_at",
            "load": "incremental",
            "columns": {
                "po": {"from": "parent.PurchaseOrder", "type": "text"},
                "changed_at": {"from": "parent.LastChangeDateTime", "type": "timestamptz"},
                "currency": {"from": "parent.DocumentCurrency", "type": "text"},
                "item": {"from": "PurchaseOrderItem", "type": "text"},
                "price": {"from": "NetPriceAmount", "type": "decimal(18, 2)"},
            },
        },
    }


def test_documents_and_their_lines_are_one_request_in_v2():
    said = document(orders(f"{V2}/A_PurchaseOrder", "to_PurchaseOrderItem"))
    made = Sap().request("order", said["streams"]["order"], said)
    assert made["from"] == f"/sap/opu/odata/sap/{V2}/A_PurchaseOrder"
    request = made["request"]
    assert request["params"] == {
        # DocumentCurrency is not a column of the documents, but one of the lines'
        "$select": "PurchaseOrder,LastChangeDateTime,DocumentCurrency,"
        "to_PurchaseOrderItem/PurchaseOrderItem,to_PurchaseOrderItem/NetPriceAmount",
        "$expand": "to_PurchaseOrderItem",
        "$orderby": "PurchaseOrder",
        "$inlinecount": "allpages",
        "$format": "json",
        "$filter": "LastChangeDateTime ge datetimeoffset'{since}'",
    }
    assert request["times"] == {"numbers": "ms", "format": "%Y-%m-%dT%H:%M:%SZ", "timezone": "UTC"}
    assert request["paging"] == {"kind": "next_link", "next": "d.__next"}
    assert request["keys"]["params"]["$select"] == "PurchaseOrder"
    assert "$filter" not in request["keys"]["params"]
    line = Sap().request("line", said["streams"]["line"], said)["request"]
    assert line == {
        "parent": "order",
        "records": "to_PurchaseOrderItem.results",
        "times": {"numbers": "ms"},
    }


def test_documents_and_their_lines_are_one_request_in_v4():
    said = document(orders(f"{V4}/PurchaseOrder", "_PurchaseOrderItem"))
    made = Sap().request("order", said["streams"]["order"], said)
    assert made["from"] == f"/sap/opu/odata4/sap/{V4}/PurchaseOrder"
    params = made["request"]["params"]
    assert params["$expand"] == "_PurchaseOrderItem($select=PurchaseOrderItem,NetPriceAmount)"
    assert params["$filter"] == "LastChangeDateTime ge {since}"
    assert params["$count"] == "true" and "$inlinecount" not in params
    assert made["request"]["paging"]["next"] == "@odata.nextLink"
    line = Sap().request("line", said["streams"]["line"], said)["request"]
    assert line == {"parent": "order", "records": "_PurchaseOrderItem"}


def test_a_day_is_compared_as_the_version_writes_days():
    stream = {
        "object": "API_OUTBOUND_DELIVERY_SRV;v=0002/A_OutbDeliveryHeader",
        "key": ["no"],
        "cursor": ["changed_on", "created_on"],
        "load": "incremental",
        "columns": {
            "no": {"from": "DeliveryDocument", "type": "text"},
            "changed_on": {"from": "LastChangeDate", "type": "date"},
            "created_on": {"from": "CreationDate", "type": "date"},
        },
    }
    made = Sap().request("delivery", stream, document({"delivery": stream}))
    assert made["from"] == "/sap/opu/odata/sap/API_OUTBOUND_DELIVERY_SRV;v=0002/A_OutbDeliveryHeader"
    request = made["request"]
    assert (
        request["params"]["$filter"]
        == "LastChangeDate ge datetime'{since}' or CreationDate ge datetime'{since}'"
    )
    assert request["times"]["format"] == "%Y-%m-%dT00:00:00"


def test_a_span_has_an_end():
    stream = {
        "object": "API_OPLACCTGDOCITEMCUBE_SRV/A_OperationalAcctgDocItemCube",
        "key": ["no"],
        "cursor": "posted_on",
        "load": "incremental",
        "request": {"span": "31d", "beginning": "2026-01-01"},
        "columns": {
            "no": {"from": "AccountingDocument", "type": "text"},
            "posted_on": {"from": "PostingDate", "type": "date"},
        },
    }
    params = Sap().request("journal", stream, document({"journal": stream}))["request"]["params"]
    assert params["$filter"] == "(PostingDate ge datetime'{since}') and (PostingDate le datetime'{to}')"


@pytest.mark.parametrize("said", ["A_SalesOrder", "API_SALES_ORDER_SRV/", "x/srvd_a2x/sap/y/0001", "a/b/c/d"])
def test_an_object_that_is_none_is_refused(said):
    with pytest.raises(ValueError, match="<service>/<entity set>"):
        entity_set(said)


def test_lines_need_the_stream_of_their_documents():
    streams = orders(f"{V2}/A_PurchaseOrder", "to_PurchaseOrderItem")
    del streams["order"]
    said = document(streams)
    with pytest.raises(
        ValueError, match=r"streams\.line: .*object: API_PURCHASEORDER_PROCESS_SRV/A_PurchaseOrder"
    ):
        Sap().request("line", streams["line"], said)


def test_who_we_are():
    auth = Sap().http(document({}))["auth"]
    assert auth == {"kind": "basic", "username": "env:U", "password": "env:P"}
    oauth = Sap().http(document({}, client_id="env:I", client_secret="env:S"))
    assert oauth["auth"]["kind"] == "oauth2" and oauth["auth"]["url"] == "/sap/bc/sec/oauth2/token"
    assert "denied" not in oauth["errors"], "a 401 means that the token has ended"
    with pytest.raises(ValueError, match="password"):
        Sap().http(document({}, user="env:U"))


# --- metadata: a document written by hand in the vendor's words, and the emulator's ---

HAND = """<?xml version="1.0" encoding="utf-8"?>
<edmx:Edmx Version="1.0" xmlns:edmx="http://schemas.microsoft.com/ado/2007/06/edmx" xmlns:sap="http://www.sap.com/Protocols/SAPData">
 <edmx:DataServices><Schema Namespace="S" xmlns="http://schemas.microsoft.com/ado/2008/09/edm">
  <EntityType Name="A_SalesOrderType"><Key><PropertyRef Name="SalesOrder"/></Key>
   <Property Name="SalesOrder" Type="Edm.String" Nullable="false" MaxLength="10" sap:label="销售订单"/>
   <Property Name="SalesOrderDate" Type="Edm.DateTime" Precision="0" sap:display-format="Date" sap:label="凭证日期"/>
   <Property Name="PricingDate" Type="Edm.DateTime" Precision="0"/>
   <Property Name="LastChangeDateTime" Type="Edm.DateTimeOffset" Precision="7"/>
   <Property Name="TotalNetAmount" Type="Edm.Decimal" Precision="16" Scale="3" sap:unit="TransactionCurrency"/>
   <Property Name="TransactionCurrency" Type="Edm.String" sap:semantics="currency-code"/>
   <Property Name="ItemGrossWeight" Type="Edm.Decimal" sap:unit="ItemWeightUnit"/>
   <Property Name="ItemWeightUnit" Type="Edm.String"/>
   <Property Name="CreatedByUser" Type="Edm.String"/>
   <Property Name="CreationTime" Type="Edm.Time"/>
   <Property Name="Picture" Type="Edm.Binary"/>
   <NavigationProperty Name="to_Item" Relationship="S.assoc_1" FromRole="F" ToRole="T"/>
  </EntityType>
  <EntityType Name="A_SalesOrderItemType"><Key><PropertyRef Name="SalesOrder"/><PropertyRef Name="SalesOrderItem"/></Key>
   <Property Name="SalesOrder" Type="Edm.String"/><Property Name="SalesOrderItem" Type="Edm.String"/>
   <Property Name="LastChangeDateTime" Type="Edm.DateTimeOffset"/>
  </EntityType>
  <Association Name="assoc_1"><End Type="S.A_SalesOrderType" Multiplicity="1" Role="F"/>
   <End Type="S.A_SalesOrderItemType" Multiplicity="*" Role="T"/></Association>
  <EntityContainer Name="C"><EntitySet Name="A_SalesOrder" EntityType="S.A_SalesOrderType"/></EntityContainer>
 </Schema></edmx:DataServices></edmx:Edmx>"""


def test_what_metadata_says():
    service = Service(document_of(HAND), v4=False)
    found = service.described("X/A_SalesOrder", "A_SalesOrder", None)
    fields = {item.id: item for item in found.fields}
    assert (found.title, found.key, found.cursor) == (
        "销售订单",
        ("sales_order",),
        ("last_change_date_time",),
    )
    assert found.stream == {"deletes": "keys", "lateness": "1h"}
    assert {name: item.type for name, item in fields.items()} == {
        "sales_order": "text", "sales_order_date": "date", "pricing_date": "timestamp", "last_change_date_time": "timestamptz",
        "total_net_amount": "decimal(16, 3)", "transaction_currency": "text", "item_gross_weight": "decimal(24, 6)",
        "item_weight_unit": "text", "created_by_user": "text", "creation_time": "text",
    }  # fmt: skip
    assert fields["sales_order_date"].title == "凭证日期"
    assert fields["total_net_amount"].currency == "transaction_currency"
    assert fields["item_gross_weight"].unit == "item_weight_unit" and fields["item_gross_weight"].doubt
    assert fields["created_by_user"].personal and fields["creation_time"].doubt


def test_lines_carry_the_key_and_cursor_of_their_document():
    service = Service(document_of(HAND), v4=False)
    found = service.described("X/A_SalesOrder/to_Item", "A_SalesOrder", "to_Item")
    assert found.parent == "X/A_SalesOrder" and found.key == ("sales_order", "sales_order_item")
    assert {item.id: item.path for item in found.fields} == {
        "sales_order": "parent.SalesOrder",
        "document_last_change_date_time": "parent.LastChangeDateTime",
        "sales_order_item": "SalesOrderItem",
        "last_change_date_time": "LastChangeDateTime",
    }
    assert found.cursor == ("document_last_change_date_time",)
    with pytest.raises(SourceError, match="no property to_Nothing"):
        service.described("X/A_SalesOrder/to_Nothing", "A_SalesOrder", "to_Nothing")


def test_labels_and_units_of_v4_are_annotations():
    fields = (
        Field("PurchaseOrder", "text", "采购订单"),
        Field("NetAmount", "decimal", "净值"),
        Field("DocumentCurrency", "text", "货币"),
        Field("CreationDate", "date", "创建日期"),
        Field("LastChangeDate", "date", "更改日期"),
    )
    service = Service(
        document_of(edmx(V4, [Table(f"{V4}/PurchaseOrder", "采购订单", ("PurchaseOrder",), fields)], True)),
        v4=True,
    )
    found = service.described(f"{V4}/PurchaseOrder", "PurchaseOrder", None)
    assert [(item.id, item.title, item.type) for item in found.fields][:2] == [
        ("purchase_order", "采购订单", "text"),
        ("net_amount", "净值", "decimal(24, 4)"),
    ]
    assert found.fields[1].currency == "document_currency"
    assert found.cursor == ("last_change_date", "creation_date") and found.stream == {
        "deletes": "keys",
        "lateness": "48h",
    }


def test_ids_are_ascii():
    assert [ascii_id(name) for name in ("TotalNetAmount", "OverallSDProcessStatus", "GLAccount", "ProductOldID")] == [
        "total_net_amount", "overall_sd_process_status", "gl_account", "product_old_id",
    ]  # fmt: skip
