"""The SAP emulator against its sheet: envelopes, literals, pages, links, errors; and an independent client of V2."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from sandbox.emulators.faults import Faults
from sandbox.emulators.sap import Sap
from sandbox.emulators.server import serving
from sandbox.store import Field, Store, Table, write_store

V2, V4 = "API_SALES_ORDER_SRV", "api_salesorder/srvd_a2x/sap/salesorder/0001"
OPTIONS = {
    "user": "READER",
    "password": "secret-word",
    "client": "100",
    "page_size": "2",
    "page_size_v4": "2",
    "top_max": "4",
}
HEAD = (
    Field("SalesOrder", "text", "销售订单", required=True),
    Field("SalesOrderDate", "date", "凭证日期"),
    Field("TotalNetAmount", "decimal", "净值"),
    Field("TransactionCurrency", "text", "货币"),
    Field("IsClosed", "flag", "已关闭"),
    Field("LastChangeDateTime", "instant", "最后更改时间"),
)
ITEM = (
    Field("SalesOrder", "text", "销售订单"),
    Field("SalesOrderItem", "text", "行"),
    Field("NetAmount", "decimal", "净值"),
)
ROWS = [
    (f"{n}", "2026-01-05", f"{n}2800.50", "EUR" if n % 2 else None, n % 2, f"2026-01-0{n}T07:30:00Z")
    for n in range(1, 6)
]
LINES = [("1", "10", "56.50"), ("1", "20", "1.00"), ("3", "10", "7.00")]


@pytest.fixture
def sap(tmp_path):
    tables = []
    for service, head in ((V2, "A_SalesOrder"), (V4, "SalesOrder")):
        tables.append(Table(f"{service}/{head}", "销售订单", ("SalesOrder",), HEAD, ROWS))
        key = ("SalesOrder", "SalesOrderItem")
        tables.append(
            Table(f"{service}/{head}Item", "行", key, ITEM, LINES, f"{service}/{head}", "SalesOrder")
        )
    write_store(tmp_path / "sap.sqlite", tables)
    emulator = Sap(Store(tmp_path / "sap.sqlite"), OPTIONS)
    with serving(emulator):
        yield emulator


def asked(sap: Sap, path: str, auth=("READER", "secret-word"), **params: str) -> requests.Response:
    root = "odata4" if "srvd" in path else "odata"
    given = {"sap-client": "100", **{name.replace("d_", "$"): text for name, text in params.items()}}
    headers = {"Accept": "application/json"}
    return requests.get(
        f"{sap.address}/sap/opu/{root}/sap/{path}", params=given, auth=auth, headers=headers, timeout=5
    )


def found(answer: requests.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_v2_writes_texts_for_numbers_and_ticks_for_days(sap):
    said = found(asked(sap, f"{V2}/A_SalesOrder", d_inlinecount="allpages", d_expand="to_Item"))["d"]
    first = said["results"][0]
    assert said["__count"] == "5" and len(said["results"]) == 2
    assert first["__metadata"]["type"] == "API_SALES_ORDER_SRV.A_SalesOrderType"
    # the sheet's own day: 2026-01-05 is 1767571200000
    assert first["SalesOrderDate"] == "/Date(1767571200000)/"
    assert first["LastChangeDateTime"] == "/Date(1767252600000+0000)/"
    assert (first["TotalNetAmount"], first["IsClosed"]) == ("12800.50", True)
    assert said["results"][1]["TransactionCurrency"] == "", "an empty text means no value"
    assert [item["NetAmount"] for item in first["to_Item"]["results"]] == ["56.50", "1.00"]
    assert said["__next"].startswith(f"{sap.address}/") and "sap-client" not in said["__next"]
    deferred = found(asked(sap, f"{V2}/A_SalesOrder"))["d"]["results"][0]["to_Item"]
    assert set(deferred) == {"__deferred"}


def test_v4_writes_numbers_and_a_relative_link(sap):
    answer = asked(
        sap,
        f"{V4}/SalesOrder",
        d_count="true",
        d_expand="_Item($select=SalesOrderItem)",
        d_select="SalesOrder,TotalNetAmount",
    )
    said = found(answer)
    assert said["@odata.count"] == 5
    assert said["value"][0] == {
        "SalesOrder": "1",
        "TotalNetAmount": 12800.5,
        "_Item": [{"SalesOrderItem": "10"}, {"SalesOrderItem": "20"}],
    }
    assert "12800.50" in answer.text, "with its digits"
    assert said["@odata.nextLink"].startswith("SalesOrder?$")


@pytest.mark.parametrize(
    ("path", "text", "wanted"),
    [
        (f"{V2}/A_SalesOrder", "LastChangeDateTime ge datetimeoffset'2026-01-04T07:30:00Z'", ["4", "5"]),
        (f"{V4}/SalesOrder", "LastChangeDateTime gt 2026-01-04T07:30:00Z", ["5"]),
        (f"{V2}/A_SalesOrder", "SalesOrderDate lt datetime'2026-01-05T00:00:00'", []),
        (f"{V4}/SalesOrder", "SalesOrderDate le 2026-01-05 and TotalNetAmount ge 42800.5", ["4", "5"]),
        (
            f"{V2}/A_SalesOrder",
            "(SalesOrder eq '1' or IsClosed eq false) and TotalNetAmount lt 30000M",
            ["1", "2"],
        ),
    ],
)
def test_filters(sap, path, text, wanted):
    said = found(asked(sap, path, d_filter=text, d_top="4"))
    rows = said["value"] if "value" in said else said["d"]["results"]
    assert [row["SalesOrder"] for row in rows] == wanted


def test_pages_follow_each_other_by_links_and_never_hold_more_than_they_may(sap):
    for path in (f"{V2}/A_SalesOrder", f"{V4}/SalesOrder"):
        numbers: list[str] = []
        said = found(asked(sap, path))
        while True:
            page = said["value"] if "value" in said else said["d"]["results"]
            numbers += [row["SalesOrder"] for row in page]
            link = said.get("@odata.nextLink") or said.get("d", {}).get("__next")
            if link is None:
                break
            url = link if "://" in link else f"{sap.address}/sap/opu/odata4/sap/{V4}/{link}"
            headers = {"Accept": "application/json", "sap-client": "100"}
            said = found(requests.get(url, auth=("READER", "secret-word"), headers=headers, timeout=5))
        assert numbers == ["1", "2", "3", "4", "5"]
    capped = found(asked(sap, f"{V2}/A_SalesOrder", d_top="1000"))["d"]
    assert len(capped["results"]) == 4 and "__next" not in capped


@pytest.mark.parametrize(
    ("path", "params", "status", "words"),
    [
        (f"{V2}/A_SalesOrder", {"d_select": "Nothing"}, 400, "Property Nothing not found"),
        (f"{V2}/A_SalesOrder", {"d_filter": "SalesOrderDate ge 2026-01-05"}, 400, "not compatible"),
        (
            f"{V4}/SalesOrder",
            {"d_filter": "SalesOrderDate ge datetime'2026-01-05T00:00:00'"},
            400,
            "not compatible",
        ),
        (f"{V4}/SalesOrder", {"d_inlinecount": "allpages"}, 400, "$inlinecount"),
        (f"{V2}/A_SalesOrder", {"d_expand": "to_Nobody"}, 400, "to_Nobody"),
        (f"{V2}/A_Nothing", {}, 404, "A_Nothing"),
        ("API_NOTHING_SRV/A_X", {}, 404, "No service found"),
    ],
)
def test_what_is_asked_wrongly(sap, path, params, status, words):
    answer = asked(sap, path, **params)
    message = answer.json()["error"]["message"]
    assert answer.status_code == status
    assert words in (message["value"] if path.startswith("API") else message)


def test_who_is_not_let_in(sap):
    assert asked(sap, f"{V2}/A_SalesOrder", auth=("READER", "wrong")).status_code == 401
    other = requests.get(
        f"{sap.address}/sap/opu/odata/sap/{V2}/A_SalesOrder", auth=("READER", "secret-word"), timeout=5
    )
    assert other.status_code == 401, "no client named: another client than ours"
    sap.faults = Faults(revoked=[f"{V2}/A_SalesOrder"])
    assert asked(sap, f"{V2}/A_SalesOrderItem").status_code == 403
    assert asked(sap, f"{V4}/SalesOrder").status_code == 200


def test_an_independent_client_reads_it(sap):
    """pyodata knows nothing of ours: it parses the metadata and follows the types."""
    pyodata = pytest.importorskip("pyodata", reason="make witness installs it")
    session = requests.Session()
    session.auth, session.headers["sap-client"] = ("READER", "secret-word"), "100"
    client = pyodata.Client(f"{sap.address}/sap/opu/odata/sap/{V2}", session)
    assert {item.name for item in client.schema.entity_sets} == {"A_SalesOrder", "A_SalesOrderItem"}
    rows = client.entity_sets.A_SalesOrder.get_entities().top(4).execute()
    assert [(row.SalesOrder, row.SalesOrderDate.date().isoformat()) for row in rows] == [
        (row[0], row[1]) for row in ROWS[:4]
    ]
    assert client.schema.entity_type("A_SalesOrderType").proprty("TotalNetAmount").label == "净值"
