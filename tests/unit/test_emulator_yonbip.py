"""The YonBIP emulator against its sheet: the token, codes in HTTP 200, filters, heads and lines, nulls."""

from __future__ import annotations

import json
from urllib.parse import quote
from urllib.request import Request, urlopen

import pytest

from sandbox.emulators.faults import Faults
from sandbox.emulators.server import serving
from sandbox.emulators.yonbip import YonBip, signed
from sandbox.store import Field, Store, Table, write_store

OPTIONS = {"tenant_id": "t1", "app_key": "demoKey", "app_secret": "demoSecret"}
NOW = 1767225600.0
ORDERS = Table(
    "scm/purchaseorder",
    "采购订单",
    ("purchaseOrders_id",),
    (
        Field("id", "text", "单据ID"),
        Field("code", "text", "单据编号"),
        Field("vouchdate", "date", "单据日期"),
        Field("pubts", "instant", "时间戳"),
        Field("purchaseOrders_id", "text", "订单行ID"),
        Field("qty", "decimal", "数量"),
        Field("memo", "text", "备注"),
    ),
    (
        ("1790000000000000001", "CG-1", "2026-01-10", "2026-01-10T02:20:30Z", "1", "10", None),
        (
            "1790000000000000001",
            "CG-1",
            "2026-01-10",
            "2026-01-10T02:20:30Z",
            "2",
            "123456789012345678.25",
            "急",
        ),
        ("1790000000000000002", "CG-2", "2026-01-11", "2026-01-10T16:00:00Z", "3", "5", None),
    ),
)
LIST = "/iuap-api-gateway/yonbip/scm/purchaseorder/list"


@pytest.fixture
def system(tmp_path):
    write_store(tmp_path / "yonbip.sqlite", [ORDERS])
    emulator = YonBip(Store(tmp_path / "yonbip.sqlite"), OPTIONS, clock=lambda: NOW)
    with serving(emulator):
        yield emulator


def get(system: YonBip, path: str) -> dict:
    with urlopen(system.address + path) as answer:
        return json.load(answer)


def token(system: YonBip, secret: str = "demoSecret", stamp: str = "1767225600000") -> dict:
    sign = quote(signed("demoKey", secret, stamp), safe="")
    return get(
        system,
        f"/iuap-api-auth/open-auth/selfAppAuth/base/v1/getAccessToken?appKey=demoKey&timestamp={stamp}&signature={sign}",
    )


def ask(system: YonBip, body: dict, access: str | None = None) -> tuple[dict, str]:
    """The answer, and its text: digits are seen only there."""
    access = token(system)["data"]["access_token"] if access is None else access
    request = Request(
        f"{system.address}{LIST}?access_token={access}", json.dumps(body).encode(), method="POST"
    )
    with urlopen(request) as answer:
        text = answer.read().decode()
    return json.loads(text), text


def test_the_vector_and_the_ways_in(system):
    assert signed("demoKey", "demoSecret", "1767225600000") == "q2OjNmmWnKTV20Ft2XDwLgqLJ/b1UgwhqzaWyXERMuA="
    assert token(system)["code"] == "00000" and token(system)["data"]["expire"] == 7200
    assert "data" not in token(system, "wrong") and "data" not in token(system, stamp="1767220000000")
    assert ask(system, {}, "")[0]["code"] == "310001"
    assert ask(system, {}, "nonsense")[0]["code"] == "310036"
    addresses = get(system, "/open-auth/dataCenter/getGatewayAddress?tenantId=t1")["data"]
    assert addresses["gatewayUrl"].startswith(system.address)


def test_lines_and_heads(system):
    answer, text = ask(system, {"pageIndex": 1, "pageSize": 2, "isSum": False})
    data = answer["data"]
    assert (answer["code"], data["recordCount"], data["pageCount"], len(data["recordList"])) == (
        "200",
        3,
        2,
        2,
    )
    assert data["recordList"][0] == {
        "id": "1790000000000000001", "code": "CG-1", "vouchdate": "2026-01-10 00:00:00", "pubts": "2026-01-10 10:20:30",
        "purchaseOrders_id": "1", "qty": 10,
    }  # fmt: skip
    assert '"qty":123456789012345678.25' in text
    heads = ask(system, {"isSum": True})[0]["data"]
    assert heads["recordCount"] == 2 and "qty" not in heads["recordList"][0]


def test_filters(system):
    between = {
        "field": "pubts",
        "op": "between",
        "value1": "2026-01-11 00:00:00",
        "value2": "2026-01-11 00:00:00",
    }
    assert [row["code"] for row in ask(system, {"simpleVOs": [between]})[0]["data"]["recordList"]] == ["CG-2"]
    for wrong in (between | {"op": "egt"}, between | {"op": "gte"}, between | {"field": "nope"}):
        assert ask(system, {"simpleVOs": [wrong]})[0]["code"] == "310008"
    assert ask(system, {"pageIndex": None})[0]["code"] == "310008"


def test_what_goes_wrong_on_request(system):
    access = token(system)["data"]["access_token"]
    system.faults = Faults(revoked=["scm/purchaseorder"])
    assert ask(system, {}, access)[0]["code"] == "310037"
    system.faults = Faults(throttle_every=1)
    assert ask(system, {}, access)[0]["code"] == "310046"
    system.faults = Faults(expire_session_after=1)
    assert ask(system, {}, access)[0]["code"] == "200"
    assert ask(system, {}, access)[0]["code"] == "310036"
